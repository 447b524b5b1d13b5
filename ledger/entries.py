"""Entries: one signed act as blinded parts and signatures; the 70 bytes of it that the log shows.

`parse_entry` is the only way in for bytes from strangers: size first, then shape; what it returns
needs no second look, save for the signatures, which the registry checks with keys from the state
(`signature_slots`). `compose` puts a new entry together; `UnsignedEntry.signed` adds the
signatures.

The parts hang in a tree with a blind of 16 random bytes each, so one part can be shown without the
others, and nobody can guess a hidden one. Every signer signs the same bytes, `sign_message`.

Source: docs/formats.md, section 5.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from keys.hashing import Digest, domain, hash_with
from keys.signing import KeyId
from ledger import merkle
from ledger.canonical import Value, decode, encode
from ledger.errors import InvalidEntryError
from ledger.fields import read_array, read_bytes, read_bytes_up_to
from ledger.frozen import quick_init
from ledger.ids import RecordId, record_id
from ledger.limits import ENTRY_BYTES_MAX, ENTRY_PARTS_MAX, check_limit
from ledger.part_readers import (
    read_context,
    read_head,
    read_object,
    read_record,
)
from ledger.parts import (
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
    context_value,
    head_value,
    object_value,
    record_value,
    sort_claims,
    sort_matches,
    sort_rules,
    sort_signers,
)
from ledger.quorum import read_signature

__all__ = [
    "About", "AttestedRule", "Claim", "Context", "CustodySigner", "Entry", "EntryContent",
    "Evidence", "Head", "Holder", "KeySigner", "Match", "ObjectPart", "Part", "RecordPart", "Seal",
    "SignatureSlot", "Signer", "Slot", "TagProof", "UnsignedEntry", "compose", "log_leaf",
    "parse_entry", "parse_part", "parse_parts", "signature_slots", "sort_claims", "sort_matches",
    "sort_rules", "sort_signers",
]  # fmt: skip

BLIND_BYTES: Final = 16
LOG_LEAF_BYTES: Final = 70

Slot: TypeAlias = bytes | tuple[bytes, ...]
"""A signature, or for a custody form its officers' signatures in the order of their key ids."""

_ENTRY: Final = domain("entry")
_PART: Final = domain("part")
_SIGNATURES: Final = domain("signatures")
_PARTS_MIN: Final = 2
_SHORT_CONTEXT_BYTES: Final = 256


class Part(NamedTuple):
    """The bytes of a part and the 16 random bytes that blind it."""

    blind: bytes
    raw: bytes

    @property
    def leaf_data(self) -> bytes:
        """What the tree of the entry's parts holds of it."""
        return _PART + self.blind + self.raw


class SignatureSlot(NamedTuple):
    """One signature to check: over `entry.sign_message`, by the key with this id."""

    signer: Signer
    key_id: KeyId
    signature: bytes


@dataclass(frozen=True, slots=True)
class EntryContent:
    """What an entry says, signed or not yet.

    Attributes:
        parts: 2 to 64 parts as bytes with their blinds.
        head: The first part.
        records: The record parts; the subject is the first.
        objects: The object parts.
        context: The last part.
        entry_digest: The root over the parts, 32 bytes; what everybody calls this entry by.
    """

    parts: tuple[Part, ...]
    head: Head
    records: tuple[RecordPart, ...]
    objects: tuple[ObjectPart, ...]
    context: Context
    entry_digest: Digest

    @property
    def sign_message(self) -> bytes:
        """What every signer signs: the domain, network_id and entry_digest."""
        return _ENTRY + self.head.network_id + self.entry_digest

    @property
    def created_record_id(self) -> RecordId:
        """The id that a record has which this entry creates."""
        return record_id(self.head.network_id, self.head.first_key_id, self.head.act_id)


@quick_init
@dataclass(frozen=True, slots=True)
class UnsignedEntry(EntryContent):
    """An entry that still lacks its signatures."""

    def signed(self, slots: Sequence[Slot]) -> "Entry":
        """Return the entry with its signatures.

        Args:
            slots: One for each signer of the head, in its order; see `Slot`.

        Raises:
            InvalidEntryError: The slots are not parallel to the signers.
            LimitExceededError: The entry has over 65,535 bytes.
        """
        given = _read_slots(tuple(slots), self.head.signers)
        raw = encode((tuple([tuple(part) for part in self.parts]), given))
        check_limit("entry bytes", len(raw), ENTRY_BYTES_MAX)
        content = self.parts, self.head, self.records, self.objects, self.context, self.entry_digest
        return _with_signatures(content, given, raw)


@quick_init
@dataclass(frozen=True, slots=True)
class Entry(EntryContent):
    """An entry with all its signatures in shape; that they verify is the registry's to check.

    Attributes:
        slots: The signatures, parallel to `head.signers`.
        signatures_digest: Digest of the slots, 32 bytes.
        raw: The whole entry, at most 65,535 bytes.
        log_leaf: The leaf data of the log and of the block's tree, 70 bytes.
        log_leaf_hash: Its digest as a leaf; several trees want it, so it is made once.
    """

    slots: tuple[Slot, ...]
    signatures_digest: Digest
    raw: bytes
    log_leaf: bytes
    log_leaf_hash: Digest


def log_leaf(entry_digest: Digest, signatures_digest: Digest) -> bytes:
    """Return the leaf data of an entry in the log: canonical([1, both digests]), 70 bytes."""
    return b"\x93\x01\xc4\x20" + entry_digest + b"\xc4\x20" + signatures_digest


def parse_entry(raw: bytes) -> Entry:
    """Make an entry of bytes from anywhere.

    Args:
        raw: At most 65,535 bytes.

    Raises:
        LimitExceededError: Too many bytes.
        NotCanonicalError: The entry or one of its parts is not canonical.
        InvalidDataError: A shape, bound, order or date is wrong; names the field.
    """
    parts_value, slots_value = read_array(
        decode(raw, ENTRY_BYTES_MAX, limit="entry bytes"), "entry", 2
    )
    content = _read_content(parts_value)
    slots = _read_slots(slots_value, content[1].signers)
    return _with_signatures(content, slots, raw)


def parse_parts(value: Value) -> UnsignedEntry:
    """Make an unsigned entry of the array of its blinded parts.

    Args:
        value: `[[blind, part] ...]`, decoded.

    Raises:
        NotCanonicalError: A part is not canonical.
        InvalidDataError: A shape, bound, order or date is wrong; names the field.
    """
    return UnsignedEntry(*_read_content(value))


_Content: TypeAlias = tuple[
    tuple[Part, ...], Head, tuple[RecordPart, ...], tuple[ObjectPart, ...], Context, Digest
]
"""The attributes of `EntryContent`, in its order."""


def _with_signatures(content: _Content, slots: tuple[Slot, ...], raw: bytes) -> Entry:
    signatures_digest = hash_with(_SIGNATURES, encode(slots))
    leaf = log_leaf(content[-1], signatures_digest)
    return Entry(*content, slots, signatures_digest, raw, leaf, merkle.leaf_hash(leaf))


def _read_content(value: Value) -> _Content:
    pairs = read_array(value, "entry.parts", (_PARTS_MIN, ENTRY_PARTS_MAX))
    parts = tuple([_read_part(pair) for pair in pairs])
    if len({part.blind for part in parts}) != len(parts):
        raise InvalidEntryError("two parts of an entry have the same blind")
    head = read_head(decode(parts[0].raw, ENTRY_BYTES_MAX))
    records: list[RecordPart] = []
    objects: list[ObjectPart] = []
    for part in parts[1:-1]:
        made = parse_part(part.raw)
        if isinstance(made, RecordPart) and not objects:
            records.append(made)
        elif isinstance(made, ObjectPart):
            objects.append(made)
        else:
            raise InvalidEntryError("the parts are not head, records, objects, context")
    if len(records) > 1 and len({record.record_id for record in records}) != len(records):
        raise InvalidEntryError("two parts of an entry write the same record")
    last = parts[-1].raw
    context = (_known_context if len(last) <= _SHORT_CONTEXT_BYTES else _parse_context)(last)
    digest = merkle.root([merkle.leaf_hash(_PART + blind + raw) for blind, raw in parts])
    return parts, head, tuple(records), tuple(objects), context, digest


def _parse_context(raw: bytes) -> Context:
    return read_context(decode(raw, ENTRY_BYTES_MAX))


_known_context = lru_cache(maxsize=1_024)(_parse_context)
"""Contexts without digests of evidence are the same bytes in most entries of a kind."""


def parse_part(raw: bytes) -> Head | RecordPart | ObjectPart | Context:
    """Make the one class that fits of the bytes of a part, as receipts show it.

    Raises:
        NotCanonicalError: Not canonical.
        InvalidDataError: Of no known kind, or a shape, bound, order or date is wrong.
    """
    value = decode(raw, ENTRY_BYTES_MAX, limit="part bytes")
    kind = value[1] if type(value) is tuple and len(value) > 1 else None
    if kind == "record":
        return read_record(value)
    if kind == "object":
        return read_object(value)
    if kind == "head":
        return read_head(value)
    if kind == "context":
        return read_context(value)
    raise InvalidEntryError("a part is neither head, record, object nor context")


def compose(
    head: Head,
    records: Iterable[RecordPart],
    objects: Iterable[ObjectPart],
    context: Context,
    blinds: Sequence[bytes],
) -> UnsignedEntry:
    """Put a new entry together; what comes out is what `parse_entry` accepts.

    Args:
        head: With its signers in order (`sort_signers`).
        records: The subject first; claims and matches in order (`sort_claims`, `sort_matches`).
        objects: What a side act makes.
        context: With its attested rules in order (`sort_rules`), evidence digests ascending.
        blinds: 16 random bytes for each part, all different, in the order head, records, objects,
            context.

    Raises:
        InvalidDataError: A shape, bound, order or date is wrong; names the field.
    """
    values = [
        head_value(head),
        *map(record_value, records),
        *map(object_value, objects),
        context_value(context),
    ]
    if len(blinds) != len(values):
        raise InvalidEntryError(f"{len(values)} parts need as many blinds, not {len(blinds)}")
    pairs = zip(blinds, values, strict=True)
    return parse_parts(tuple([(blind, encode(value)) for blind, value in pairs]))


def signature_slots(entry: Entry) -> tuple[SignatureSlot, ...]:
    """Return each signature of an entry with its signer and the key id that must have made it.

    A custody form gives one slot for each of its officers. The order is that of the head.
    """
    found: list[SignatureSlot] = []
    for signer, slot in zip(entry.head.signers, entry.slots, strict=True):
        if isinstance(signer, KeySigner):
            assert isinstance(slot, bytes), "parse_entry made the slots parallel"
            found.append(SignatureSlot(signer, signer.key_id, slot))
        else:
            assert isinstance(slot, tuple), "parse_entry made the slots parallel"
            pairs = zip(signer.officers, slot, strict=True)
            found += [SignatureSlot(signer, key, signature) for key, signature in pairs]
    return tuple(found)


def _read_part(value: Value) -> Part:
    blind, raw = read_array(value, "part", 2)
    return Part(
        read_bytes(blind, "part.blind", BLIND_BYTES),
        read_bytes_up_to(raw, "part", ENTRY_BYTES_MAX),
    )


def _read_slots(value: Value, signers: tuple[Signer, ...]) -> tuple[Slot, ...]:
    array = read_array(value, "entry.signatures", len(signers))
    return tuple(map(_read_slot, array, signers))


def _read_slot(value: Value, signer: Signer) -> Slot:
    if type(signer) is KeySigner:
        return read_signature(value, "signature")
    assert isinstance(signer, CustodySigner), "there is no third kind"
    array = read_array(value, "signature of a custody form", len(signer.officers))
    return tuple([read_signature(signature, "signature") for signature in array])
