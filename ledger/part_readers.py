"""Decoded values into the classes of `ledger.parts`: shapes, bounds, orders, real dates.

This is the way in for bytes from strangers, and it is on the hot path: every entry of every block
goes through it. Contents are never quoted in refusals, for errors are logged.

Source: docs/formats.md, section 5.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache
from operator import lt
from typing import Final, TypeVar, cast

from keys.signing import KEY_ID_BYTES, KeyId
from ledger.canonical import Value
from ledger.errors import InvalidEntryError
from ledger.fields import (
    INTEGER_MAX,
    read_array,
    read_bool,
    read_bytes,
    read_digest,
    read_int,
    read_map,
    read_optional_bytes,
    read_optional_digest,
    read_text,
    read_version,
)
from ledger.ids import ID_BYTES, ActId, OfficeId, RecordId
from ledger.limits import ENTRY_SIGNERS_MAX
from ledger.parts import (
    CUSTODY,
    PART_VERSION,
    About,
    AttestedRule,
    Claim,
    Context,
    CustodySigner,
    Evidence,
    Head,
    Holder,
    KeySigner,
    Match,
    ObjectPart,
    RecordPart,
    Seal,
    Signer,
    TagProof,
    claim_place,
    match_place,
    rule_place,
    signer_place,
)
from ledger.quorum import read_signature

NAME_CHARS_MAX: Final = 64
"""Characters of a type, operation, term, namespace, rule, link name or object kind; at least 1."""
TEXT_CHARS_MAX: Final = 4_096
"""Characters of a legal basis, a claim's value or a reason."""
ITEMS_MAX: Final = 1_024
"""Elements of any one list of a part."""

_KIND: Final = re.compile(r"[a-z0-9_.-]{1,64}/[a-z0-9_.-]{1,64}")
_KIND_CHARS_MAX: Final = 2 * NAME_CHARS_MAX + 1
_KEY_SIGNER_FIELDS: Final = 3
_CUSTODY_SIGNER_FIELDS: Final = 5
_SOME: Final = (1, ITEMS_MAX)
_ANY: Final = (0, ITEMS_MAX)
_T = TypeVar("_T")
_Place = TypeVar("_Place", bytes, tuple[bool, bool, int, bytes, bytes, bytes])


def read_head(value: Value) -> Head:
    """Make a head of its array.

    Raises:
        InvalidDataError: A shape, bound, order or date is wrong; names the field.
    """
    fields = read_array(value, "head", 13)
    read_version(fields[0], "head.version", PART_VERSION)
    if fields[1] != "head":
        raise InvalidEntryError("the first part is not a head")
    kind = read_text(fields[3], "head.kind", _KIND_CHARS_MAX)
    if not _is_kind(kind):
        raise InvalidEntryError("head.kind is not of the form type/operation")
    received_on = fields[9]
    return Head(
        network_id=read_digest(fields[2], "head.network_id"),
        kind=kind,
        schema_version=read_int(fields[4], "head.schema_version", 0, INTEGER_MAX),
        act_id=ActId(read_bytes(fields[5], "head.act_id", ID_BYTES)),
        about=None if fields[6] is None else _read_about(fields[6]),
        office=cast("OfficeId | None", read_optional_bytes(fields[7], "head.office", ID_BYTES)),
        event_date=read_date(fields[8], "head.event_date"),
        received_on=None if received_on is None else read_date(received_on, "head.received_on"),
        not_after_ms=read_int(fields[10], "head.not_after_ms", 0, INTEGER_MAX),
        legal_basis=tuple(
            [
                read_text(article, "head.legal_basis", TEXT_CHARS_MAX, chars_min=1)
                for article in read_array(fields[11], "head.legal_basis", _ANY)
            ]
        ),
        signers=_read_signers(fields[12]),
    )


def read_record(value: Value) -> RecordPart:
    """Make a record part of its array.

    Raises:
        InvalidDataError: A shape, bound or order is wrong; names the field.
    """
    fields = read_array(value, "record", 12)
    read_version(fields[0], "record.version", PART_VERSION)
    previous = fields[5]
    return RecordPart(
        type_name=read_text(fields[2], "record.type", NAME_CHARS_MAX, chars_min=1),
        record_id=_read_record_id(fields[3], "record.record_id"),
        record_version=read_int(fields[4], "record.record_version", 1, INTEGER_MAX),
        previous_entry=read_optional_digest(previous, "record.previous_entry"),
        member=read_map(fields[6], "record.member", ITEMS_MAX),
        holders=_read_holders(fields[7]) if fields[7] != () else (),
        links=_read_links(fields[8]) if fields[8] != {} else {},
        claims=_read_claims(fields[9]) if fields[9] != () else (),
        matches=_read_matches(fields[10]) if fields[10] != () else (),
        seal=None if fields[11] is None else _read_seal(fields[11]),
    )


def read_object(value: Value) -> ObjectPart:
    """Make an object part of its array.

    Raises:
        InvalidDataError: A shape or bound is wrong; names the field.
    """
    fields = read_array(value, "object", 4)
    read_version(fields[0], "object.version", PART_VERSION)
    return ObjectPart(
        kind=read_text(fields[2], "object.kind", NAME_CHARS_MAX, chars_min=1),
        fields=read_map(fields[3], "object.fields", ITEMS_MAX),
    )


def read_context(value: Value) -> Context:
    """Make a context of its array.

    Raises:
        InvalidDataError: A shape, bound or order is wrong; names the field.
    """
    fields = read_array(value, "context", 6)
    read_version(fields[0], "context.version", PART_VERSION)
    if fields[1] != "context":
        raise InvalidEntryError("the last part is not a context")
    rules = [_read_rule(rule) for rule in read_array(fields[2], "context.rules", _ANY)]
    check_ascending(rules, rule_place, "context.rules")
    court_order = read_optional_bytes(fields[4], "context.court_order", ID_BYTES)
    reason = fields[5]
    return Context(
        rules=tuple(rules),
        evidence=_read_evidence(fields[3]),
        court_order=cast("RecordId | None", court_order),
        reason=None if reason is None else read_text(reason, "context.reason", TEXT_CHARS_MAX),
    )


def read_date(value: Value, name: str) -> str:
    """Return a real date of the Gregorian calendar, written YYYY-MM-DD.

    Raises:
        InvalidDataError: Another type, form, or a day that the calendar lacks.
    """
    text = read_text(value, name, 10, chars_min=10)
    if not _is_date(text):
        raise InvalidEntryError(f"{name} is not a calendar date of the form YYYY-MM-DD")
    return text


@lru_cache(maxsize=4_096)
def _is_date(text: str) -> bool:
    try:
        # Python also reads week dates of ten characters; printing them again gives another text.
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


@lru_cache(maxsize=1_024)
def _is_kind(text: str) -> bool:
    return _KIND.fullmatch(text) is not None


def check_ascending(items: Sequence[_T], place: Callable[[_T], _Place], name: str) -> None:
    """Refuse items that do not strictly ascend by their place.

    Raises:
        InvalidEntryError: Two are equal or out of order.
    """
    if len(items) > 1:
        places = list(map(place, items))
        if not all(map(lt, places, places[1:])):
            raise InvalidEntryError(f"{name} are not in ascending order without repetition")


def _itself(item: bytes) -> bytes:
    return item


def _read_record_id(value: Value, name: str) -> RecordId:
    return RecordId(read_bytes(value, name, ID_BYTES))


def _read_key_id(value: Value, name: str) -> KeyId:
    return KeyId(read_bytes(value, name, KEY_ID_BYTES))


def _read_about(value: Value) -> About:
    record_id, version = read_array(value, "head.about", 2)
    return About(
        _read_record_id(record_id, "head.about.record_id"),
        read_int(version, "head.about.version", 1, INTEGER_MAX),
    )


def _read_signers(value: Value) -> tuple[Signer, ...]:
    array = read_array(value, "head.signers", (1, ENTRY_SIGNERS_MAX))
    signers = tuple([_quick_signer(signer) or _read_signer(signer) for signer in array])
    check_ascending(signers, signer_place, "head.signers")
    return signers


def _quick_signer(value: Value) -> KeySigner | None:
    """Return what `_read_signer` would if it is a key's; None where a second look is needed."""
    if type(value) is tuple and len(value) == _KEY_SIGNER_FIELDS:
        term, acting_for, key_id = value
        if (
            type(key_id) is bytes
            and len(key_id) == KEY_ID_BYTES
            and type(term) is str
            and 1 <= len(term) <= NAME_CHARS_MAX
            and (acting_for is None or (type(acting_for) is bytes and len(acting_for) == ID_BYTES))
        ):
            return KeySigner(term, acting_for, key_id)  # type: ignore[arg-type]  # of their lengths
    return None


def _read_signer(value: Value) -> Signer:
    fields = read_array(value, "signer", (_KEY_SIGNER_FIELDS, _CUSTODY_SIGNER_FIELDS))
    term = read_text(fields[0], "signer.term", NAME_CHARS_MAX, chars_min=1)
    represented = read_optional_bytes(fields[1], "signer.acting_for", ID_BYTES)
    acting_for = cast("RecordId | None", represented)
    if len(fields) == _KEY_SIGNER_FIELDS:
        return KeySigner(term, acting_for, _read_key_id(fields[2], "signer.key_id"))
    if len(fields) != _CUSTODY_SIGNER_FIELDS or fields[2] != CUSTODY:
        raise InvalidEntryError("a signer is neither a key nor a custody form")
    array = read_array(fields[3], "signer.officers", (1, ENTRY_SIGNERS_MAX))
    officers = tuple([_read_key_id(officer, "signer.officer") for officer in array])
    check_ascending(officers, _itself, "signer.officers")
    form_digest = read_digest(fields[4], "signer.form_digest")
    return CustodySigner(term, acting_for, officers, form_digest)


def _read_holders(value: Value) -> tuple[Holder, ...]:
    return tuple([_read_holder(holder) for holder in read_array(value, "record.holders", _ANY)])


def _read_holder(value: Value) -> Holder:
    array, numerator, denominator = read_array(value, "holder", 3)
    identities = read_array(array, "holder.parties", _SOME)
    parties = tuple([_read_record_id(party, "holder.party") for party in identities])
    check_ascending(parties, _itself, "holder.parties")
    return Holder(
        parties,
        read_int(numerator, "holder.numerator", 1, INTEGER_MAX),
        read_int(denominator, "holder.denominator", 1, INTEGER_MAX),
    )


def _read_links(value: Value) -> dict[str, RecordId | tuple[RecordId, ...]]:
    links: dict[str, RecordId | tuple[RecordId, ...]] = {}
    for name, target in read_map(value, "record.links", ITEMS_MAX).items():
        read_text(name, "record.links", NAME_CHARS_MAX, chars_min=1)
        if type(target) is tuple:
            array = read_array(target, "record.links", _ANY)
            links[name] = tuple([_read_record_id(linked, "record.links") for linked in array])
        else:
            links[name] = _read_record_id(target, "record.links")
    return links


def _read_claims(value: Value) -> tuple[Claim, ...]:
    claims = tuple([_read_claim(claim) for claim in read_array(value, "record.claims", _ANY)])
    check_ascending(claims, claim_place, "record.claims")
    return claims


def _read_claim(value: Value) -> Claim:
    namespace, epoch, claimed, proof = read_array(value, "claim", 4)
    name = read_text(namespace, "claim.namespace", NAME_CHARS_MAX, chars_min=1)
    if proof is None:
        read_int(epoch, "claim.epoch", 0, 0)
        return Claim(name, 0, read_text(claimed, "claim.value", TEXT_CHARS_MAX, chars_min=1), None)
    tag = read_digest(claimed, "claim.tag")
    return Claim(name, read_int(epoch, "claim.epoch", 1, INTEGER_MAX), tag, _read_proof(proof))


def _read_matches(value: Value) -> tuple[Match, ...]:
    matches = tuple([_read_match(match) for match in read_array(value, "record.matches", _ANY)])
    check_ascending(matches, match_place, "record.matches")
    return matches


def _read_match(value: Value) -> Match:
    namespace, epoch, tag, proof = read_array(value, "match", 4)
    return Match(
        read_text(namespace, "match.namespace", NAME_CHARS_MAX, chars_min=1),
        read_int(epoch, "match.epoch", 1, INTEGER_MAX),
        read_digest(tag, "match.tag"),
        _read_proof(proof),
    )


def _read_proof(value: Value) -> TagProof:
    leaf, officer, expiry_ms, signature = read_array(value, "tag_proof", 4)
    return TagProof(
        read_digest(leaf, "tag_proof.commitment_leaf"),
        _read_key_id(officer, "tag_proof.officer_key_id"),
        read_int(expiry_ms, "tag_proof.expiry_ms", 0, INTEGER_MAX),
        read_signature(signature, "tag_proof.signature"),
    )


def _read_seal(value: Value) -> Seal:
    body_digest, key_check, commitment, wraps_digest = read_array(value, "record.seal", 4)
    return Seal(
        read_digest(body_digest, "seal.body_digest"),
        read_digest(key_check, "seal.key_check"),
        read_digest(commitment, "seal.commitment"),
        read_digest(wraps_digest, "seal.wraps_digest"),
    )


def _read_rule(value: Value) -> AttestedRule:
    rule, pack_digest, result = read_array(value, "attested rule", 3)
    if read_text(result, "rule.result", 4) not in {"pass", "warn"}:
        raise InvalidEntryError("an attested rule says neither pass nor warn")
    name = read_text(rule, "rule.name", NAME_CHARS_MAX, chars_min=1)
    return AttestedRule(name, read_digest(pack_digest, "rule.pack_digest"), result == "warn")


def _read_evidence(value: Value) -> Evidence:
    sufficient, official, array = read_array(value, "context.evidence", 3)
    seen = read_array(array, "evidence.digests", _ANY)
    digests = tuple([read_digest(digest, "evidence.digest") for digest in seen])
    check_ascending(digests, _itself, "evidence.digests")
    return Evidence(
        read_bool(sufficient, "evidence.sufficient"),
        read_bool(official, "evidence.official"),
        digests,
    )
