"""Draft files: an unsigned entry, its sealed bodies, and the signatures collected so far.

A draft travels between the people who sign it, as a file or through their office's node. Each
signer's own program opens it, computes digests again and says in words what is signed. Signatures
stand at their places; a place may be empty, and so may those of single officers of a custody form.

Source: docs/formats.md, section 15.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias, cast

from keys.signing import KeyId
from ledger.canonical import Value, decode, encode
from ledger.entries import Entry, KeySigner, Signer, Slot, UnsignedEntry, parse_parts
from ledger.errors import InvalidEntryError
from ledger.fields import read_array, read_bytes_up_to, read_version
from ledger.limits import BODY_BYTES_MAX, ENTRY_PARTS_MAX
from ledger.quorum import read_signature

BODY_AND_WRAPS_BYTES_MAX: Final = 2 * BODY_BYTES_MAX
"""Bytes of a sealed body together with its wraps."""
DRAFT_BYTES_MAX: Final = 16 * 1024 * 1024
"""Bytes of a draft file."""

_VERSION: Final = 1

PartialSlot: TypeAlias = bytes | tuple[bytes | None, ...] | None
"""A signature or None; for a custody form one such place for each of its officers."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that collects signatures.

    Attributes:
        content: What is signed.
        slots: Parallel to the head's signers.
        bodies: Sealed bodies, opaque here, in the order of the records that have one.
    """

    content: UnsignedEntry
    slots: tuple[PartialSlot, ...]
    bodies: tuple[bytes, ...]

    @property
    def missing(self) -> tuple[KeyId, ...]:
        """The ids of the keys whose signatures lack, in the order of the head."""
        return tuple([key_id for key_id, signature in self._places() if signature is None])

    def with_signatures(self, signatures: Mapping[KeyId, bytes]) -> "Draft":
        """Return the draft with signatures at the places of their keys; nobody verified them yet.

        Raises:
            InvalidEntryError: A key that is not asked to sign.
        """
        if not signatures.keys() <= {key_id for key_id, _signature in self._places()}:
            raise InvalidEntryError("a signature is by a key that is not asked to sign")
        slots: list[PartialSlot] = []
        for signer, slot in zip(self.content.head.signers, self.slots, strict=True):
            if isinstance(slot, tuple):
                pairs = zip(_key_ids(signer), slot, strict=True)
                slots.append(tuple([signatures.get(key_id, old) for key_id, old in pairs]))
            else:
                slots.append(signatures.get(_key_ids(signer)[0], slot))
        return replace(self, slots=tuple(slots))

    def complete(self) -> Entry:
        """Return the entry.

        Raises:
            InvalidEntryError: A signature lacks.
            LimitExceededError: The entry has over 65,535 bytes.
        """
        missing = len(self.missing)
        if missing:
            raise InvalidEntryError(f"the draft still lacks {missing} signatures", missing=missing)
        return self.content.signed(cast("tuple[Slot, ...]", self.slots))

    def _places(self) -> list[tuple[KeyId, bytes | None]]:
        places: list[tuple[KeyId, bytes | None]] = []
        for signer, slot in zip(self.content.head.signers, self.slots, strict=True):
            given = slot if isinstance(slot, tuple) else (slot,)
            places += zip(_key_ids(signer), given, strict=True)
        return places


def new_draft(content: UnsignedEntry, bodies: tuple[bytes, ...] = ()) -> Draft:
    """Return a draft without signatures."""
    slots: list[PartialSlot] = [
        None if isinstance(signer, KeySigner) else (None,) * len(signer.officers)
        for signer in content.head.signers
    ]
    return Draft(content, tuple(slots), bodies)


def print_draft(draft: Draft) -> bytes:
    """Return the canonical bytes of a draft file."""
    parts = tuple([tuple(part) for part in draft.content.parts])
    return encode((_VERSION, "draft", parts, draft.slots, draft.bodies))


def parse_draft(raw: bytes) -> Draft:
    """Make a draft of bytes from anywhere; its signatures are not verified.

    Raises:
        InvalidDataError: Too long, not canonical, or a shape, bound, order or date is wrong.
    """
    fields = read_array(decode(raw, DRAFT_BYTES_MAX, limit="draft bytes"), "draft", 5)
    read_version(fields[0], "draft.version", _VERSION)
    if fields[1] != "draft":
        raise InvalidEntryError("not a draft")
    content = parse_parts(fields[2])
    signers = content.head.signers
    array = read_array(fields[3], "draft.signatures", len(signers))
    slots = [_read_slot(value, signer) for value, signer in zip(array, signers, strict=True)]
    bodies = read_array(fields[4], "draft.bodies", (0, ENTRY_PARTS_MAX))
    return Draft(
        content,
        tuple(slots),
        tuple([read_bytes_up_to(body, "draft.body", BODY_AND_WRAPS_BYTES_MAX) for body in bodies]),
    )


def _key_ids(signer: Signer) -> tuple[KeyId, ...]:
    return (signer.key_id,) if isinstance(signer, KeySigner) else signer.officers


def _read_slot(value: Value, signer: Signer) -> PartialSlot:
    if isinstance(signer, KeySigner):
        return _read_place(value)
    array = read_array(value, "draft.signatures of a custody form", len(signer.officers))
    return tuple([_read_place(one) for one in array])


def _read_place(value: Value) -> bytes | None:
    return None if value is None else read_signature(value, "draft.signature")
