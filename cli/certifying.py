"""What a certificate must say, filled in from the state: the clerk only chooses form and language.

Everything in a certificate is compared with the state by every validator; so nobody types it. A
fresh random id is all that links the paper to the ledger.
"""

import secrets
from typing import Any, Final

from ledger.ids import ID_BYTES, OfficeId
from registry.certification import CERTIFICATE, STATED, certified_fields, stated_values
from registry.civil_calendar import add_days
from registry.form_kinds import FormKind
from registry.preparing import Target
from registry.problems import Language
from registry.schema import RecordType

EFFECT: Final = "issue_certificate"


def makes_certificate(form_kind: FormKind) -> bool:
    """Tell whether an operation makes a certificate."""
    return any(call.name == EFFECT for call in form_kind.operation.effects)


def fill_certificate(
    form: dict[str, Any],
    record_type: RecordType,
    target: Target,
    office: OfficeId,
    *,
    today: str,
    language: Language,
) -> None:
    """Put into a form what a certificate of a record must say; what the form says itself stays.

    Args:
        form: With or without objects; changed.
        record_type: Of the record.
        target: The record as it is.
        office: Which office certifies.
        today: ISO date.
        language: Of the certificate, if the form does not choose.

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
    objects[CERTIFICATE] = [
        {
            "certificate_id": secrets.token_bytes(ID_BYTES).hex(),
            "form": "copy",
            "language": language,
            "office": office.hex(),
            "expires_on": add_days(today, record_type.valid_for),
            **certified,
            **(own if isinstance(own, dict) else {}),
        }
    ]
    stated = stated_values(record_type, target.row)
    objects.setdefault(STATED, [{"name": name, "value": text} for name, text in stated.items()])
