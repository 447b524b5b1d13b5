"""Receipts and certificates: every part bound to every other, each check by its name.

Source: docs/formats.md, section 11.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from verifier.encoding import Value, decode, encode
from verifier.entries import (
    BLIND_BYTES,
    ENTRY_BYTES_MAX,
    PARTS,
    PartFacts,
    log_leaf,
    part_leaf,
    read_part,
)
from verifier.hashes import leaf_of, list_root, path_root, prefix
from verifier.headers import Certified, Outcome, read_certified, read_outcome
from verifier.refusals import CannotCheckError, MismatchError, RefusedError
from verifier.shapes import (
    ascending,
    fixed,
    integer,
    listed,
    octets,
    octets_to,
    versioned,
    words,
)
from verifier.trust import Trust, read_trust
from verifier.verdicts import Check, Verdict, attempt, unreadable, verdict_of

RECEIPT_BYTES_MAX: Final = 1024 * 1024
OPENINGS_BYTES_MAX: Final = 256 * 1024
PATH_MAX: Final = 10
HEADERS_PATH_MAX: Final = 63

Openings: TypeAlias = tuple[list[bytes], dict[str, object]]
"""Leaf hashes, and the fields that they show by their paths."""

_DIGEST: Final = 32
_FIELDS_MAX: Final = 256
_PATH_CHARS_MAX: Final = 128


class _Shown(NamedTuple):
    """A part in its place: its leaf hash, and what it holds if it is shown."""

    leaf: bytes
    part: PartFacts | None


class _Anchor(NamedTuple):
    path: tuple[bytes, ...]
    certified: Certified


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt of which only the shape was checked."""

    shown: tuple[_Shown, ...]
    signatures_digest: bytes
    index: int
    entry_path: tuple[bytes, ...]
    outcome: Outcome
    outcome_leaf: bytes
    outcome_path: tuple[bytes, ...]
    certified: Certified
    anchor: _Anchor | None

    @property
    def entry_digest(self) -> bytes:
        """Root over the shown parts and the hidden leaves."""
        return list_root([one.leaf for one in self.shown])


def check_receipt(raw: bytes, trust_raw: bytes, now_ms: int) -> Verdict:
    """Return the answer about a receipt.

    Args:
        raw: The receipt, from anywhere.
        trust_raw: A trust bundle that the caller believes.
        now_ms: The caller's time.
    """
    try:
        trust = read_trust(trust_raw)
    except RefusedError as error:
        failure = CannotCheckError("trust", f"the trust bundle does not hold: {error}")
        return verdict_of((Check("trust", failure),))
    return examine_receipt(raw, trust, now_ms)


def examine_receipt(raw: bytes, trust: Trust, now_ms: int) -> Verdict:
    """Return the answer about a receipt under a bundle that was read before."""
    try:
        receipt = read_receipt(raw)
    except RefusedError as error:
        return unreadable(error)
    return verdict_of(_checks(receipt, trust, now_ms))


def check_certificate(raw: bytes, trust: Trust, now_ms: int) -> Verdict:
    """Return the answer about a certificate: its receipt, and openings that lead to a commitment.

    The commitment is that of the shown certificate object, else of the only shown sealed record.
    """
    try:
        receipt, opened, intended = read_certificate(raw)
    except RefusedError as error:
        return unreadable(error)
    fields: dict[str, object] = {}

    def check_openings() -> None:
        fields.update(_stated(receipt))
        _bind(opened, _commitment(receipt), "", fields)
        if intended is not None:
            made = _certificate(receipt)
            promised = None if made is None else made.get("intended")
            _bind(intended, promised, "intended.", fields)

    checks = (*_checks(receipt, trust, now_ms), attempt("openings", check_openings))
    return verdict_of(checks, fields)


def _bind(
    opened: Openings,
    commitment: object,
    prefix_of_path: str,
    fields: dict[str, object],
) -> None:
    """Add opened fields to those shown, if they lead to a commitment and none is there yet."""
    leaves, found = opened
    if list_root(leaves) != commitment:
        raise MismatchError("openings", "the openings are not of the receipt's commitment")
    for path, content in found.items():
        if prefix_of_path + path in fields:
            raise MismatchError("openings", "the certificate shows a field twice")
        fields[prefix_of_path + path] = content


def read_certificate(raw: bytes) -> tuple[Receipt, Openings, Openings | None]:
    """Return a certificate's receipt, its openings and the intended ones.

    Raises:
        UnreadableError: Not canonical, another shape, or out of bounds or order.
    """
    receipt, openings, intended = versioned(
        decode(raw, RECEIPT_BYTES_MAX + 2 * OPENINGS_BYTES_MAX), "certificate", 3
    )
    return (
        read_receipt(octets_to(receipt, RECEIPT_BYTES_MAX, "certificate")),
        read_openings(octets_to(openings, OPENINGS_BYTES_MAX, "certificate")),
        None
        if intended is None
        else read_openings(octets_to(intended, OPENINGS_BYTES_MAX, "certificate")),
    )


def read_receipt(raw: bytes) -> Receipt:
    """Return a receipt.

    Raises:
        UnreadableError: Not canonical, another shape, or out of bounds.
    """
    shown, signatures, index, path, outcome, outcome_path, header, certificate, anchor = versioned(
        decode(raw, RECEIPT_BYTES_MAX), "receipt", 9
    )
    outcome_raw = octets_to(outcome, RECEIPT_BYTES_MAX, "receipt.outcome")
    return Receipt(
        shown=tuple([_read_shown(one) for one in listed(shown, *PARTS, "receipt.shown")]),
        signatures_digest=octets(signatures, _DIGEST, "receipt.signatures_digest"),
        index=integer(index, "receipt.index"),
        entry_path=_read_path(path, PATH_MAX),
        outcome=read_outcome(outcome_raw),
        outcome_leaf=leaf_of(outcome_raw),
        outcome_path=_read_path(outcome_path, PATH_MAX),
        certified=read_certified(header, certificate, "receipt"),
        anchor=None if anchor is None else _read_anchor(anchor),
    )


def read_openings(raw: bytes) -> Openings:
    """Return the leaf hashes of openings, and the fields that they show.

    Raises:
        UnreadableError: Not canonical, another shape, or out of bounds or order.
    """
    value = decode(raw, OPENINGS_BYTES_MAX, opaque=True)
    (opened,) = versioned(value, "openings", 1)
    leaves: list[bytes] = []
    shown: list[tuple[str, object]] = []
    for one in listed(opened, 0, _FIELDS_MAX, "openings"):
        if isinstance(one, bytes):
            leaves.append(octets(one, _DIGEST, "opening"))
            continue
        path, salt, content = fixed(one, 3, "opening")
        octets(salt, BLIND_BYTES, "opening.salt")
        shown.append((words(path, "opening.path", 1, _PATH_CHARS_MAX), content))
        # What was decoded from canonical bytes has its maps in order: msgpack gives them back.
        leaves.append(leaf_of(prefix("field") + encode(one)))
    ascending([path.encode() for path, _ in shown], "openings")
    return leaves, dict(shown)


def _read_shown(value: Value) -> _Shown:
    if isinstance(value, bytes):
        return _Shown(octets(value, _DIGEST, "receipt.leaf"), None)
    blind_value, part_value = fixed(value, 2, "receipt.part")
    blind = octets(blind_value, BLIND_BYTES, "receipt.blind")
    raw = octets_to(part_value, ENTRY_BYTES_MAX, "receipt.part")
    return _Shown(part_leaf(blind, raw), read_part(raw))


def _read_path(value: Value, high: int) -> tuple[bytes, ...]:
    return tuple([octets(one, _DIGEST, "path") for one in listed(value, 0, high, "path")])


def _read_anchor(value: Value) -> _Anchor:
    path, header, certificate = fixed(value, 3, "anchor")
    return _Anchor(
        _read_path(path, HEADERS_PATH_MAX), read_certified(header, certificate, "anchor")
    )


def _commitment(receipt: Receipt) -> object:
    """Return the commitment that a receipt fixes; None if it shows none, or two."""
    made = _certificate(receipt)
    if made is not None:
        return made["commitment"]
    sealed = [one.part.commitment for one in receipt.shown if one.part and one.part.commitment]
    return sealed[0] if len(sealed) == 1 else None


def _certificate(receipt: Receipt) -> Mapping[str, object] | None:
    """Return the fields of the only shown certificate that names a commitment, else None."""
    found = _objects(receipt, "certificate")
    return found[0] if len(found) == 1 and "commitment" in found[0] else None


def _stated(receipt: Receipt) -> dict[str, object]:
    """Return the texts that stand beside a shown certificate, name -> value."""
    texts: dict[str, object] = {}
    if _certificate(receipt) is None:
        return texts
    for values in _objects(receipt, "stated"):
        name, value = values.get("name"), values.get("value")
        if not isinstance(name, str) or not isinstance(value, str) or name in texts:
            raise MismatchError("openings", "a stated field is no text, or stands there twice")
        texts[name] = value
    return texts


def _objects(receipt: Receipt, kind: str) -> list[Mapping[str, object]]:
    parts = [one.part for one in receipt.shown if one.part is not None]
    return [part.values or {} for part in parts if (part.form, part.kind) == ("object", kind)]


def _checks(receipt: Receipt, trust: Trust, now_ms: int) -> tuple[Check, ...]:
    return (
        attempt("network", lambda: _check_network(receipt, trust)),
        attempt("entry", lambda: _check_entry(receipt)),
        attempt("inclusion", lambda: _check_inclusion(receipt)),
        attempt("outcome", lambda: _check_outcome(receipt)),
        attempt("quorum", lambda: _check_quorum(receipt, trust)),
        attempt("trust", lambda: _check_trust(receipt, trust, now_ms)),
    )


def _check_network(receipt: Receipt, trust: Trust) -> None:
    headers = [receipt.certified.header]
    if receipt.anchor is not None:
        headers.append(receipt.anchor.certified.header)
    if any(header.network_id != trust.network_id for header in headers):
        raise CannotCheckError("network", "a header is of another network")
    head = receipt.shown[0].part
    if head is not None and head.form == "head" and head.network_id != trust.network_id:
        raise CannotCheckError("network", "the entry is of another network")


def _check_entry(receipt: Receipt) -> None:
    last = len(receipt.shown) - 1
    for position, one in enumerate(receipt.shown):
        if one.part is not None:
            if (one.part.form == "head") != (position == 0):
                raise MismatchError("entry_parts", "a head stands where none may, or none")
            if (one.part.form == "context") != (position == last):
                raise MismatchError("entry_parts", "a context stands where none may, or none")
    if receipt.outcome.entry_digest != receipt.entry_digest:
        raise MismatchError("entry_digest", "the outcome is of another entry")


def _check_inclusion(receipt: Receipt) -> None:
    leaf = leaf_of(log_leaf(receipt.entry_digest, receipt.signatures_digest))
    header = receipt.certified.header
    found = path_root(leaf, receipt.index, header.entries_count, receipt.entry_path)
    if found != header.entries_root:
        raise MismatchError("inclusion", "the entry is not at this place of the block")


def _check_outcome(receipt: Receipt) -> None:
    header = receipt.certified.header
    leaf = receipt.outcome_leaf
    found = path_root(leaf, receipt.index, header.entries_count, receipt.outcome_path)
    if found != header.outcomes_root:
        raise MismatchError("outcome", "the outcome is not at this place of the block")


def _check_quorum(receipt: Receipt, trust: Trust) -> None:
    both = [receipt.certified]
    if receipt.anchor is not None:
        both.append(receipt.anchor.certified)
    for certified in both:
        validators = trust.set_of(certified.header)
        certified.check(trust.network_id, validators)


def _check_trust(receipt: Receipt, trust: Trust, now_ms: int) -> None:
    trust.check_time(now_ms)
    header = receipt.certified.header
    if receipt.anchor is None:
        trust.check_age(header)
        return
    newer = receipt.anchor.certified.header
    trust.set_of(newer)
    trust.check_age(newer)
    found = path_root(
        leaf_of(header.digest), header.height - 1, newer.height - 1, receipt.anchor.path
    )
    if found != newer.headers_root:
        raise MismatchError("anchor", "the anchor does not hold the receipt's header")
