"""What a document says to people, and whether it is still in force: facts, without I/O.

*Was registered* follows from the receipt and is true for ever. *Is still in force* needs more: a
state proof, or for a certificate the days that its type counts as fresh.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from cli.errors import InvalidInputError
from cli.verdicts import Judgement, Word
from ledger.entries import Head, ObjectPart, RecordPart, parse_part
from ledger.errors import InvalidDataError
from ledger.ids import ID_BYTES, print_id
from ledger.receipts import Receipt
from ledger.trust import TrustBundle
from registry.civil_calendar import civil_date, days_between

STATUS_FRESH_MS: Final = 24 * 3_600_000
"""A state proof older than this no longer says what is in force now."""

_PROOF: Final = "/proof"
_WORSE_IF_COMPROMISED: Final = frozenset(
    {Word.GENUINE, Word.CHANGED, Word.EXPIRED, Word.CANNOT_CHECK}
)
_CERTIFICATE_WORDS: Final = ("type", "form", "language", "transcribed", "expires_on")
_WORD_OF_STATUS: Final[Mapping[str, Word]] = {
    "valid": Word.GENUINE,
    "replaced": Word.CHANGED,
    "revoked": Word.REVOKED,
}


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
    if _has_expired(receipt, today):
        return Currency(Word.EXPIRED, issued)
    current = 0 <= days_between(issued, today) < _fresh_days(_type_name(receipt))
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
    issued, as_of = civil_date(receipt.header.time_ms), civil_date(header.time_ms)
    if document.key not in _keys_of(receipt):
        raise InvalidDataError("the state proof is about something else than the document")
    if header.height < receipt.header.height:
        return Currency(Word.CANNOT_CHECK, issued)
    value = document.value
    if value is None:
        return Currency(Word.NOT_FOUND, issued)
    word = _word_of_row(receipt, cast("tuple[object, ...]", document.key), value)
    if word is not Word.GENUINE:
        return Currency(word, issued)
    if _has_expired(receipt, civil_date(now_ms)):
        return Currency(Word.EXPIRED, as_of)
    is_old = now_ms - header.time_ms > STATUS_FRESH_MS
    return Currency(Word.CANNOT_CHECK if is_old else word, as_of)


def currency_by_node(currency: Currency, answer: bytes) -> Currency:
    """Return what a node adds to the proof: whether a signer's key was in foreign hands.

    No proof says so: a certificate does not show who signed it. The node's word can make a
    document worse, never better.

    Args:
        currency: By the state proof.
        answer: What the node answers about the certificate, as JSON.

    Raises:
        InvalidDataError: It is no such answer.
    """
    try:
        said = json.loads(answer)
        is_compromised = said.get("signer_compromised", False)
    except (ValueError, AttributeError) as error:
        raise InvalidDataError("the node's answer about the certificate is malformed") from error
    if is_compromised is True and currency.word in _WORSE_IF_COMPROMISED:
        return Currency(Word.SIGNER_COMPROMISED, currency.as_of)
    return currency


def certificate_path(receipt: Receipt) -> str:
    """Return where a node says in what state a certificate is; see `proof_path`."""
    return proof_path(receipt).removesuffix(_PROOF)


def proof_path(receipt: Receipt) -> str:
    """Return where a node, asked by anyone, proves whether a certificate still counts.

    Raises:
        InvalidInputError: The document shows no certificate; of a record only those entitled are
            given a proof.
    """
    identifier = _certificate_fields(receipt).get("certificate_id")
    if not isinstance(identifier, bytes) or len(identifier) != ID_BYTES:
        raise InvalidInputError("the document shows no certificate to ask for", name="--status")
    return f"/v1/certificates/{print_id(identifier)}{_PROOF}"


def head_of(receipt: Receipt) -> Head | None:
    """Return the head of the receipt's entry, or None if it is hidden."""
    return next((one for one in _parts(receipt) if isinstance(one, Head)), None)


def _parts(receipt: Receipt) -> list[object]:
    return [parse_part(part.raw) for part in receipt.parts]


def _act(receipt: Receipt, trust: TrustBundle) -> dict[str, object]:
    head, made = head_of(receipt), _certificate_fields(receipt)
    names = {bytes(part.office.office_id): part.office.name for part in trust.charter.parts}
    office = made.get("office") if head is None else head.office
    shown = office if isinstance(office, bytes) and len(office) == ID_BYTES else None
    found: dict[str, object] = {
        "act": None if head is None else head.kind,
        "office": None if shown is None else print_id(shown),
        "office_name": None if shown is None else names.get(shown),
        "event_date": None if head is None else head.event_date,
    }
    identifier = made.get("certificate_id")
    if isinstance(identifier, bytes) and len(identifier) == ID_BYTES:
        found["certificate"] = print_id(identifier)
    return found | {name: made[name] for name in _CERTIFICATE_WORDS if name in made}


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
    identifier = _certificate_fields(receipt).get("certificate_id")
    if identifier is not None:
        keys.append(("certificate", identifier))
    return keys


def _word_of_row(receipt: Receipt, key: tuple[object, ...], value: object) -> Word:
    from registry.catalogue import type_text  # noqa: PLC0415
    from registry.object_rows import CertificateRow  # noqa: PLC0415
    from registry.rows import RecordRow  # noqa: PLC0415
    from registry.schema_reader import read_record_type  # noqa: PLC0415

    try:
        if key[0] == "certificate":
            made = CertificateRow.from_value(cast("tuple[object, ...]", value))  # type: ignore[arg-type]
            if made.entry_digest != receipt.entry_digest:
                return Word.FORGED
            return _WORD_OF_STATUS.get(made.status, Word.CANNOT_CHECK)
        row = RecordRow.from_value(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise InvalidDataError("the row of the state proof is malformed") from error
    statuses = read_record_type(type_text(row.type_name)).statuses
    if statuses.get(row.status) == "ended":
        return Word.REVOKED
    version = _versions(receipt)[cast("bytes", key[1])]
    return Word.GENUINE if row.version == version else Word.CHANGED


def _certificate_fields(receipt: Receipt) -> Mapping[str, object]:
    """Return what the shown certificate says; nothing if none is shown."""
    parts = [one for one in _parts(receipt) if isinstance(one, ObjectPart)]
    return next((one.fields for one in parts if one.kind == "certificate"), {})


def _has_expired(receipt: Receipt, today: str) -> bool:
    expires = _certificate_fields(receipt).get("expires_on")
    return isinstance(expires, str) and today >= expires


def _type_name(receipt: Receipt) -> str:
    """Return the record type that a document is about, empty if it shows none."""
    head, named = head_of(receipt), _certificate_fields(receipt).get("type")
    if isinstance(named, str):
        return named
    return "" if head is None else head.type_name


def _fresh_days(type_name: str) -> int:
    """Return how many days an offline certificate of a type counts as current; 0 if unknown."""
    # Reading a schema needs much of the registry, and only certificates ask for it.
    from registry.catalogue import TYPES, type_text  # noqa: PLC0415
    from registry.schema_reader import read_record_type  # noqa: PLC0415

    if type_name not in TYPES:
        return 0
    return read_record_type(type_text(type_name)).fresh_for
