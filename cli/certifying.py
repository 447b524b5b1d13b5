"""What a certificate must say, filled in from the state: the clerk only chooses form and language.

Everything in a certificate is compared with the state by every validator; so nobody types it. A
fresh random id is all that links the paper to the ledger.
"""

import secrets
from dataclasses import dataclass
from typing import Any, Final

from keys.hashing import Digest
from ledger.ids import ID_BYTES, OfficeId
from registry.certification import CERTIFICATE, STATED, certified_fields, stated_values
from registry.civil_calendar import add_days
from registry.form_kinds import FormKind
from registry.preparing import Target
from registry.problems import Language
from registry.schema import RecordType

EFFECT: Final = "issue_certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateWish:
    """What a certificate says that is neither in the record nor typed.

    Attributes:
        office: Which office certifies.
        today: ISO date.
        language: If the form does not choose.
        intended: Commitment to recipient and purpose, or None.
    """

    office: OfficeId
    today: str
    language: Language
    intended: Digest | None


def makes_certificate(form_kind: FormKind) -> bool:
    """Tell whether an operation makes a certificate."""
    return any(call.name == EFFECT for call in form_kind.operation.effects)


def fill_certificate(
    form: dict[str, Any],
    record_type: RecordType,
    target: Target,
    wish: CertificateWish,
) -> None:
    """Put into a form what a certificate of a record must say; what the form says itself stays.

    Args:
        form: With or without objects; changed.
        record_type: Of the record.
        target: The record as it is.
        wish: What the form need not say.

    Raises:
        WrongStatusError: The record is only proposed.
        ObjectUnknownError: It has no sealed body.
    """
    objects = form.setdefault("objects", {})
    given = objects.get(CERTIFICATE, [{}])
    own = given[0] if isinstance(given, list) and given else given
    certified = {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in certified_fields(record_type, target.row).items()
    }
    promised = {} if wish.intended is None else {"intended": wish.intended.hex()}
    objects[CERTIFICATE] = [
        {
            "certificate_id": secrets.token_bytes(ID_BYTES).hex(),
            "form": "copy",
            "language": wish.language,
            "office": wish.office.hex(),
            "expires_on": add_days(wish.today, record_type.valid_for),
            **certified,
            **promised,
            **_written(own),
        }
    ]
    stated = stated_values(record_type, target.row)
    listed = [{"name": name, "value": text} for name, text in stated.items()]
    if not any(_written(one) for one in objects.get(STATED, ())):
        objects[STATED] = listed


def _written(item: object) -> dict[str, object]:
    """Return what a clerk has filled in; an empty form has empty texts."""
    return {name: value for name, value in item.items() if value} if isinstance(item, dict) else {}
