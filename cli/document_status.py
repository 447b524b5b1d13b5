"""What a document says to people, and whether it is still in force: facts, without I/O.

*Was registered* follows from the receipt and is true for ever. *Is still in force* needs more: a
state proof, or for a certificate the days that its type counts as fresh.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from cli.verdicts import Judgement, Word
from ledger.entries import Head, ObjectPart, RecordPart, parse_part
from ledger.errors import InvalidDataError
from ledger.ids import print_id, record_id
from ledger.receipts import Receipt
from ledger.trust import TrustBundle
from registry.civil_calendar import civil_date, days_between

STATUS_FRESH_MS: Final = 24 * 3_600_000
"""A state proof older than this no longer says what is in force now."""


@dataclass(frozen=True, slots=True)
class Currency:
    """Whether a document is still in force.

    Attributes:
        word: GENUINE if it is; else why not, or that it cannot be said now.
        as_of: The civil date at which it was known to be in force; empty if never.
    """

    word: Word
    as_of: str


def facts_of(judgement: Judgement, trust: TrustBundle) -> dict[str, object]:
    """Return what is proved by a receipt that holds, with snake_case keys."""
    receipt = judgement.receipt
    assert receipt is not None, "a document that holds has a receipt"
    header, certificate = receipt.certified
    validators = trust.validators_at(header.height).validators
    names = {agency.agency_id: agency.name for agency in trust.charter.template.agencies}
    signers = [validators[index].agency_id for index, _ in certificate.signatures]
    return {
        **_act(receipt, trust),
        "entry": receipt.entry_digest,
        "registration_no": receipt.outcome.registration_number,
        "height": header.height,
        "time_ms": header.time_ms,
        "date": civil_date(header.time_ms),
        "agencies_signed": len(signers),
        "agencies": len(validators),
        "signed_by": [names.get(one, print_id(one)) for one in signers],
    }


def currency_of_certificate(judgement: Judgement, now_ms: int) -> Currency:
    """Return whether a genuine certificate is current, by its expiry and its type's `fresh_for`.

    Args:
        judgement: Of a certificate that holds.
        now_ms: The person's time.
    """
    receipt = judgement.receipt
    assert receipt is not None, "a document that holds has a receipt"
    issued, today = civil_date(receipt.header.time_ms), civil_date(now_ms)
    expires = _expiry(receipt)
    if expires and today >= expires:
        return Currency(Word.EXPIRED, issued)
    head = head_of(receipt)
    fresh_days = 0 if head is None else _fresh_days(head.type_name)
    current = 0 <= days_between(issued, today) < fresh_days
    return Currency(Word.GENUINE if current else Word.CANNOT_CHECK, issued)


def currency_of_state(receipt: Receipt, raw: bytes, trust: TrustBundle, now_ms: int) -> Currency:
    """Return whether what a receipt shows is in force, by a state proof.

    Args:
        receipt: That holds.
        raw: The state document: of the certificate, or of the record the receipt is about.
        trust: The bundle that the person holds.
        now_ms: The person's time.

    Raises:
        InvalidDataError: The proof is malformed, does not hold, or is about something else.
    """
    from registry.state_documents import parse_state_document  # noqa: PLC0415

    document = parse_state_document(raw)
    document.check(trust, now_ms)
    header = document.certified.header
    as_of = civil_date(header.time_ms)
    if document.key not in _keys_of(receipt):
        raise InvalidDataError("the state proof is about something else than the document")
    value = document.value
    if value is None:
        return Currency(Word.NOT_FOUND, as_of)
    word = _word_of_row(receipt, cast("tuple[object, ...]", document.key), value)
    if word is Word.GENUINE and now_ms - header.time_ms > STATUS_FRESH_MS:
        word = Word.CANNOT_CHECK
    return Currency(word, as_of)


def head_of(receipt: Receipt) -> Head | None:
    """Return the head of the receipt's entry, or None if it is hidden."""
    return next((one for one in _parts(receipt) if isinstance(one, Head)), None)


def _parts(receipt: Receipt) -> list[object]:
    return [parse_part(part.raw) for part in receipt.parts]


def _act(receipt: Receipt, trust: TrustBundle) -> dict[str, object]:
    head = head_of(receipt)
    if head is None:
        return {"act": None, "office": None, "office_name": None, "event_date": None}
    offices = {part.office.office_id: part.office.name for part in trust.charter.parts}
    office = head.office
    return {
        "act": head.kind,
        "office": None if office is None else print_id(office),
        "office_name": None if office is None else offices.get(office),
        "event_date": head.event_date,
    }


def _versions(receipt: Receipt) -> Mapping[bytes, int]:
    """Return record id -> version of what the entry wrote or is about, as far as it is shown."""
    found: dict[bytes, int] = {}
    for part in _parts(receipt):
        if isinstance(part, Head) and part.about is not None:
            found[part.about.record_id] = part.about.version
        if isinstance(part, RecordPart):
            found[part.record_id] = part.record_version
    return found


def _keys_of(receipt: Receipt) -> list[tuple[object, ...]]:
    """Return the state keys whose rows say whether this document is in force."""
    keys: list[tuple[object, ...]] = [("record", one) for one in _versions(receipt)]
    head = head_of(receipt)
    if head is not None:
        made = record_id(head.network_id, head.first_key_id, head.act_id)
        keys.append(("certificate", made))
    return keys


def _word_of_row(receipt: Receipt, key: tuple[object, ...], value: object) -> Word:
    from registry.catalogue import type_text  # noqa: PLC0415
    from registry.object_rows import CertificateRow  # noqa: PLC0415
    from registry.rows import RecordRow  # noqa: PLC0415
    from registry.schema_reader import read_record_type  # noqa: PLC0415

    try:
        if key[0] == "certificate":
            made = CertificateRow.from_value(cast("tuple[object, ...]", value))  # type: ignore[arg-type]
            return Word.GENUINE if made.entry_digest == receipt.entry_digest else Word.FORGED
        row = RecordRow.from_value(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise InvalidDataError("the row of the state proof is malformed") from error
    statuses = read_record_type(type_text(row.type_name)).statuses
    if statuses.get(row.status) == "ended":
        return Word.REVOKED
    version = _versions(receipt)[cast("bytes", key[1])]
    return Word.GENUINE if row.version == version else Word.CHANGED


def _expiry(receipt: Receipt) -> str:
    """Return the civil date at which a certificate expires; empty if it does not."""
    for part in _parts(receipt):
        if isinstance(part, ObjectPart) and part.kind == "certificate":
            expires = part.fields.get("expires_on")
            return expires if isinstance(expires, str) else ""
    return ""


def _fresh_days(type_name: str) -> int:
    """Return how many days an offline certificate of a type counts as current; 0 if unknown."""
    # Reading a schema needs much of the registry, and only certificates ask for it.
    from registry.catalogue import TYPES, type_text  # noqa: PLC0415
    from registry.schema_reader import read_record_type  # noqa: PLC0415

    if type_name not in TYPES:
        return 0
    return read_record_type(type_text(type_name)).fresh_for
