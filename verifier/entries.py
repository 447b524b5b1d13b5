"""The parts of an entry and the entry itself: shapes, bounds, orders, digests.

Source: docs/formats.md, section 5.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from verifier.encoding import Value, decode, encode
from verifier.hashes import hashed, leaf_of, list_root, prefix
from verifier.shapes import (
    ELEMENTS_MAX,
    LONG_TEXT_CHARS_MAX,
    ascending,
    day,
    distinct,
    fixed,
    integer,
    listed,
    mapping,
    maybe,
    octets,
    octets_to,
    refuse,
    signature,
    truth,
    words,
)

ENTRY_BYTES_MAX: Final = 65_535
BLIND_BYTES: Final = 16
PARTS: Final = (2, 64)

_KIND: Final = re.compile(r"[a-z0-9_.-]{1,64}/[a-z0-9_.-]{1,64}")
_ID: Final = 16
_DIGEST: Final = 32
_SIGNERS_MAX: Final = 64
_KEY_SIGNER_ELEMENTS: Final = 3


@dataclass(frozen=True, slots=True)
class PartFacts:
    """What others ask of a part.

    Attributes:
        form: `head`, `record`, `object` or `context`.
        network_id: Of a head, else empty.
        kind: Of a head (`birth/register`) or an object, else empty.
        slots: Of a head: for each signer 0 for one signature, else how many officers sign.
        record_id: Of a record, else empty.
        record_version: Of a record, else 0.
        commitment: Of a record with a seal, else empty.
        values: Of an object.
    """

    form: str
    network_id: bytes = b""
    kind: str = ""
    slots: tuple[int, ...] = ()
    record_id: bytes = b""
    record_version: int = 0
    commitment: bytes = b""
    values: dict[str, Value] | None = None


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """An entry's digests; its signatures need the keys of the state, and are not looked at."""

    parts: tuple[PartFacts, ...]
    entry_digest: bytes
    signatures_digest: bytes

    @property
    def log_leaf(self) -> bytes:
        """Leaf data of the log."""
        return log_leaf(self.entry_digest, self.signatures_digest)


def log_leaf(entry_digest: bytes, signatures_digest: bytes) -> bytes:
    """Return the leaf data of the log for an entry and its signatures, 70 bytes."""
    return encode([1, entry_digest, signatures_digest])


def part_leaf(blind: bytes, raw: bytes) -> bytes:
    """Return the leaf hash of a part in the tree whose root is the entry's digest."""
    return leaf_of(prefix("part") + blind + raw)


def read_entry(raw: bytes) -> EntryFacts:
    """Return what an entry holds.

    Raises:
        UnreadableError: Not canonical, another shape, or an order or bound is broken.
    """
    parts_value, slots_value = fixed(decode(raw, ENTRY_BYTES_MAX), 2, "entry")
    parts, leaves, blinds = [], [], []
    for one in listed(parts_value, *PARTS, "entry.parts"):
        blind_value, part_value = fixed(one, 2, "entry.part")
        blind = octets(blind_value, BLIND_BYTES, "entry.blind")
        part_raw = octets_to(part_value, ENTRY_BYTES_MAX, "entry.part")
        parts.append(read_part(part_raw))
        leaves.append(part_leaf(blind, part_raw))
        blinds.append(blind)
    distinct(blinds, "entry.blinds")
    distinct([one.record_id for one in parts if one.form == "record"], "entry.records")
    _check_order(parts)
    _check_slots(slots_value, parts[0].slots)
    return EntryFacts(tuple(parts), list_root(leaves), hashed("signatures", encode(slots_value)))


def read_part(raw: bytes) -> PartFacts:
    """Return what a part holds.

    Raises:
        UnreadableError: Not canonical, another shape, or an order or bound is broken.
    """
    value = decode(raw, ENTRY_BYTES_MAX)
    elements = listed(value, 3, ELEMENTS_MAX, "part")
    if integer(elements[0], "part.version") != 1:
        raise refuse("part", "another version")
    match elements[1]:
        case "head":
            return _read_head(fixed(value, 13, "head")[2:])
        case "record":
            return _read_record(fixed(value, 12, "record")[2:])
        case "object":
            _, _, kind, values = fixed(value, 4, "object")
            return PartFacts(
                "object", kind=words(kind, "object.kind"), values=mapping(values, "object.values")
            )
        case "context":
            return _read_context(fixed(value, 6, "context")[2:])
        case _:
            raise refuse("part", "neither head, record, object nor context")


def _check_order(parts: Sequence[PartFacts]) -> None:
    rank = {"head": 0, "record": 1, "object": 2, "context": 3}
    forms = [part.form for part in parts]
    ordered = [rank[form] for form in forms] == sorted(rank[form] for form in forms)
    if not ordered or forms.count("head") != 1 or forms.count("context") != 1:
        raise refuse("entry", "parts are not a head, records, objects and a context")


def _check_slots(value: Value, slots: tuple[int, ...]) -> None:
    for slot, officers in zip(
        listed(value, len(slots), len(slots), "entry.slots"), slots, strict=True
    ):
        if officers:
            for one in fixed(slot, officers, "entry.slot"):
                signature(one, "entry.slot")
        else:
            signature(slot, "entry.slot")


def _read_head(elements: list[Value]) -> PartFacts:
    network_id, kind, schema, act_id, about, office, event, received, until, basis, signers = (
        elements
    )
    kind_text = words(kind, "head.kind", 3, 129)
    if not _KIND.fullmatch(kind_text):
        raise refuse("head.kind", "not type/operation")
    integer(schema, "head.schema_version")
    octets(act_id, _ID, "head.act_id")
    if about is not None:
        record_id, version = fixed(about, 2, "head.about")
        octets(record_id, _ID, "head.about")
        integer(version, "head.about", 1)
    maybe(office, lambda value: octets(value, _ID, "head.office"))
    day(event, "head.event_date")
    maybe(received, lambda value: day(value, "head.received_on"))
    integer(until, "head.not_after_ms")
    for article in listed(basis, 0, ELEMENTS_MAX, "head.legal_basis"):
        words(article, "head.legal_basis", 1, LONG_TEXT_CHARS_MAX)
    return PartFacts(
        "head",
        network_id=octets(network_id, _DIGEST, "head.network_id"),
        kind=kind_text,
        slots=_read_signers(listed(signers, 1, _SIGNERS_MAX, "head.signers")),
    )


def _read_signers(signers: list[Value]) -> tuple[int, ...]:
    slots, others, custodians = [], [], []
    for one in signers:
        elements = listed(one, 3, 5, "signer")
        term = words(elements[0], "signer.term")
        maybe(elements[1], lambda value: octets(value, _ID, "signer.acting_for"))
        if len(elements) == _KEY_SIGNER_ELEMENTS:
            octets(elements[2], _ID, "signer.key_id")
            slots.append(0)
        else:
            slots.append(_read_custody(elements))
        if term == "custodian":
            custodians.append(encode(one))
        elif custodians:
            raise refuse("head.signers", "a custodian stands before others")
        else:
            others.append(encode(one))
    ascending(others, "head.signers")
    ascending(custodians, "head.signers")
    return tuple(slots)


def _read_custody(elements: list[Value]) -> int:
    _, _, word, officers, form_digest = fixed(elements, 5, "signer")
    if word != "custody":
        raise refuse("signer", "not a custody form")
    octets(form_digest, _DIGEST, "signer.form_digest")
    keys = listed(officers, 1, _SIGNERS_MAX, "signer.officers")
    ascending([octets(key, _ID, "signer.officers") for key in keys], "signer.officers")
    return len(keys)


def _read_record(elements: list[Value]) -> PartFacts:
    type_name, record_id, version, previous, member, holders, links, claims, matches, seal = (
        elements
    )
    words(type_name, "record.type")
    maybe(previous, lambda value: octets(value, _DIGEST, "record.previous_entry"))
    mapping(member, "record.member")
    for holder in listed(holders, 0, ELEMENTS_MAX, "record.holders"):
        _read_holder(holder)
    for name, linked in mapping(links, "record.links").items():
        words(name, "record.links")
        ids = listed(linked, 0, ELEMENTS_MAX, "record.links") if isinstance(linked, list) else None
        for one in [linked] if ids is None else ids:
            octets(one, _ID, "record.links")
    found = [_read_claim(one) for one in listed(claims, 0, ELEMENTS_MAX, "record.claims")]
    ascending(found, "record.claims")
    found = [_read_tag(one, "match") for one in listed(matches, 0, ELEMENTS_MAX, "record.matches")]
    ascending(found, "record.matches")
    return PartFacts(
        "record",
        record_id=octets(record_id, _ID, "record.record_id"),
        record_version=integer(version, "record.record_version", 1),
        commitment=maybe(seal, _read_seal) or b"",
    )


def _read_holder(value: Value) -> None:
    parties, numerator, denominator = fixed(value, 3, "holder")
    found = listed(parties, 1, ELEMENTS_MAX, "holder.parties")
    ascending([octets(one, _ID, "holder.parties") for one in found], "holder.parties")
    integer(numerator, "holder.numerator", 1)
    integer(denominator, "holder.denominator", 1)


def _read_claim(value: Value) -> bytes:
    """Return what claims ascend by."""
    namespace, epoch, claimed, proof = fixed(value, 4, "claim")
    if proof is not None or not isinstance(claimed, str):
        return _read_tag(value, "claim")
    words(namespace, "claim.namespace")
    integer(epoch, "claim.epoch", 0, 0)
    words(claimed, "claim.value", 1, LONG_TEXT_CHARS_MAX)
    return encode([namespace, epoch, claimed])


def _read_tag(value: Value, place: str) -> bytes:
    """Return what matches and tagged claims ascend by."""
    namespace, epoch, tag, proof = fixed(value, 4, place)
    words(namespace, f"{place}.namespace")
    integer(epoch, f"{place}.epoch", 1)
    octets(tag, _DIGEST, f"{place}.tag")
    leaf, officer, expiry, signed = fixed(proof, 4, f"{place}.proof")
    octets(leaf, _DIGEST, f"{place}.proof")
    octets(officer, _ID, f"{place}.proof")
    integer(expiry, f"{place}.proof")
    signature(signed, f"{place}.proof")
    return encode([namespace, epoch, tag])


def _read_seal(value: Value) -> bytes:
    """Return the commitment of a seal."""
    digests = [octets(one, _DIGEST, "seal") for one in fixed(value, 4, "seal")]
    return digests[2]


def _read_context(elements: list[Value]) -> PartFacts:
    rules, evidence, court_order, reason = elements
    names = []
    for rule in listed(rules, 0, ELEMENTS_MAX, "context.rules"):
        name, pack, result = fixed(rule, 3, "context.rule")
        names.append(words(name, "context.rule").encode())
        octets(pack, _DIGEST, "context.rule")
        if result not in {"pass", "warn"}:
            raise refuse("context.rule", "neither pass nor warn")
    ascending(names, "context.rules")
    sufficient, official, digests = fixed(evidence, 3, "context.evidence")
    truth(sufficient, "context.evidence")
    truth(official, "context.evidence")
    found = listed(digests, 0, ELEMENTS_MAX, "context.evidence")
    ascending([octets(one, _DIGEST, "context.evidence") for one in found], "context.evidence")
    maybe(court_order, lambda value: octets(value, _ID, "context.court_order"))
    maybe(reason, lambda value: words(value, "context.reason", 0, LONG_TEXT_CHARS_MAX))
    return PartFacts("context")
