"""The authenticated map of the whole state: one root, proofs of presence and of absence.

A binary sparse tree over key hashes of 256 bits, most significant bit first, in which a subtree
with a single leaf is that leaf (Jellyfish-Merkle semantics). Keys and values come in as SHA-256
digests: the caller hashes, so this file never sees what the state means. Only the latest tree is
kept, as pages (see `ledger.state_pages`) behind a function that reads one page by its key.

`update` returns what to write and writes nothing itself. Root and pages depend on the keys and
values alone, not on the order or the batches in which they came: two nodes that applied the same
blocks have the same bytes, and a tree built afresh from an export has them too.

Source: formats.md, section 7.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from keys.hashing import DIGEST_BYTES, Digest
from ledger.canonical import Value
from ledger.errors import CorruptStoreError, InvalidProofError
from ledger.fields import (
    read_array,
    read_bytes,
    read_bytes_up_to,
    read_int,
    read_optional_bytes,
    read_version,
)
from ledger.state_pages import (
    EMPTY,
    KEY_BITS,
    LEAF_BYTES,
    Page,
    Slot,
    digit,
    inner_digest,
    leaf_digest,
    page_key,
    parse_page,
    print_page,
)

PageReader: TypeAlias = Callable[[bytes], bytes | None]
"""Returns the bytes of a page by its key, or None if there is no such page."""

EMPTY_ROOT: Final = EMPTY
"""The root of a tree without keys."""

_PROOF_VERSION: Final = 1
_DEPTH_END: Final = KEY_BITS // 4
_Change: TypeAlias = tuple[bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class TreeUpdate:
    """What an update leads to.

    Attributes:
        root: The new root, 32 bytes.
        pages: The pages to write, by their keys; None is a page to delete. Pages that stay the same
            are not among them.
    """

    root: Digest
    pages: dict[bytes, bytes | None]


def update(read: PageReader, changes: Mapping[bytes, bytes | None]) -> TreeUpdate:
    """Return the tree after these changes, in one pass over the pages that they touch.

    Args:
        read: Knows the pages of the tree before.
        changes: New value hash by key hash, 32 bytes each; None deletes the key. To delete a key
            that is not there, or to set one to the value it has, changes nothing.

    Returns:
        The new root and the pages to write.

    Raises:
        CorruptStoreError: A page is damaged or missing.

    Source: formats.md, section 7.
    """
    assert all(len(key) == DIGEST_BYTES for key in changes)
    assert all(value is None or len(value) == DIGEST_BYTES for value in changes.values())
    if not changes:
        return TreeUpdate(root_of(read), {})
    work = _Work(read, {})
    page, before = work.load(0, b"")
    work.change_slots(page, 0, sorted(changes.items()))
    weight, root = page.close()
    work.write(page_key(0, b""), before, print_page(page) if weight else None)
    return TreeUpdate(root, work.pages)


@dataclass(frozen=True, slots=True)
class _Work:
    """One update under way: where pages come from, and those to write."""

    read: PageReader
    pages: dict[bytes, bytes | None]

    def load(self, depth: int, key_hash: bytes) -> tuple[Page, bytes | None]:
        """Return the page at this depth on the way to a key, and its bytes."""
        if depth == _DEPTH_END:
            raise CorruptStoreError("the state tree is deeper than its keys are long")
        raw = self.read(page_key(depth, key_hash))
        if raw is None:
            if depth:
                raise CorruptStoreError(f"a page of the state tree at depth {depth} is missing")
            return Page.empty(), None
        return parse_page(raw), raw

    def write(self, key: bytes, before: bytes | None, after: bytes | None) -> None:
        if before != after:
            self.pages[key] = after

    def change_slots(self, page: Page, depth: int, changes: Sequence[_Change]) -> None:
        """Apply sorted changes, all of them below this page."""
        for slot, group in _by_slot(changes, depth):
            slots, at = page.open_quarter(slot >> 2), slot & 3
            content = slots[at]
            if content is not None and len(content) == DIGEST_BYTES:
                slots[at] = self.change_page(depth + 1, group)
            else:
                slots[at] = self.change_leaf(depth + 1, content, group)

    def change_page(self, depth: int, changes: Sequence[_Change]) -> Slot:
        """Apply changes to a page below the root; return the new content of the slot above it."""
        some_key = changes[0][0]
        page, before = self.load(depth, some_key)
        self.change_slots(page, depth, changes)
        return self.settle(page, page_key(depth, some_key), before)

    def change_leaf(self, depth: int, leaf: Slot, changes: Sequence[_Change]) -> Slot:
        """Apply changes where there was one leaf or none; `depth` is that of a page to be made."""
        if len(changes) == 1:
            ((key, value),) = changes
            if leaf is None or leaf.startswith(key):
                return None if value is None else key + value
        values: dict[bytes, bytes | None] = dict(changes)
        if leaf is not None:
            values.setdefault(leaf[:DIGEST_BYTES], leaf[DIGEST_BYTES:])
        leaves = [(key, value) for key, value in sorted(values.items()) if value is not None]
        if not leaves:
            return None
        if len(leaves) == 1:
            return b"".join(leaves[0])
        page = Page.empty()
        self.change_slots(page, depth, leaves)
        return self.settle(page, page_key(depth, leaves[0][0]), None)

    def settle(self, page: Page, key: bytes, before: bytes | None) -> Slot:
        """Write a page below the root, or let its last leaf rise into the slot above."""
        weight, digest = page.close()
        if weight > 1:
            self.write(key, before, print_page(page))
            return digest
        self.write(key, before, None)
        return _leaf_below(page, 0, 0)


def _by_slot(changes: Sequence[_Change], depth: int) -> Iterable[tuple[int, Sequence[_Change]]]:
    """Return sorted changes by the slots of the page at this depth; mostly it is one change."""
    if len(changes) == 1:
        return ((digit(changes[0][0], depth), changes),)
    groups: dict[int, list[_Change]] = {}
    for change in changes:
        groups.setdefault(digit(change[0], depth), []).append(change)
    return groups.items()


def root_of(read: PageReader) -> Digest:
    """Return the root of the tree, 32 bytes.

    Raises:
        CorruptStoreError: The root page is damaged.
    """
    raw = read(page_key(0, b""))
    return EMPTY_ROOT if raw is None else parse_page(raw).close()[1]


@dataclass(frozen=True, slots=True)
class StateProof:
    """The way from a root towards a key: it ends at a leaf, or where there is nothing.

    Attributes:
        leaf: Key hash and value hash of the leaf at the end, together 64 bytes; None if the way
            ends at an empty subtree. For a key that is present it is the key's own leaf, for one
            that is absent another leaf that stands in its place.
        siblings: The digests beside the way, from the root downwards; at most 256. The last one is
            never that of an empty subtree, for then the leaf would have risen.
    """

    leaf: bytes | None
    siblings: tuple[Digest, ...]

    def to_value(self) -> Value:
        """Return `[1, leaf or nil, number of siblings, bit map, siblings]`.

        The bit map has a 1 for each sibling that is not empty, from the root downwards, most
        significant bit first, padded with zero bits; only these siblings follow, in one bin.
        """
        depth = len(self.siblings)
        bits = "".join("0" if digest == EMPTY else "1" for digest in self.siblings)
        bytes_count = (depth + 7) // 8
        bit_map = int(bits.ljust(bytes_count * 8, "0") or "0", 2).to_bytes(bytes_count)
        present = b"".join(digest for digest in self.siblings if digest != EMPTY)
        return _PROOF_VERSION, self.leaf, depth, bit_map, present

    @classmethod
    def from_value(cls, value: Value) -> "StateProof":
        """Read what `to_value` returns.

        Raises:
            InvalidDataError: Another shape, or not the one form of this proof.
        """
        fields = read_array(value, "state_proof", 5)
        read_version(fields[0], "state_proof.version", _PROOF_VERSION)
        leaf = read_optional_bytes(fields[1], "state_proof.leaf", LEAF_BYTES)
        depth = read_int(fields[2], "state_proof.depth", 0, KEY_BITS)
        bit_map = read_bytes(fields[3], "state_proof.bit_map", (depth + 7) // 8)
        present = read_bytes_up_to(fields[4], "state_proof.siblings", KEY_BITS * DIGEST_BYTES)
        bits = "".join(f"{byte:08b}" for byte in bit_map)
        if "1" in bits[depth:] or (depth and bits[depth - 1] == "0"):
            raise InvalidProofError("the bit map of a state proof does not end with a sibling")
        if len(present) != bits.count("1") * DIGEST_BYTES:
            raise InvalidProofError("a state proof has more or fewer siblings than its bit map")
        digests = iter(range(0, len(present), DIGEST_BYTES))
        siblings = tuple(
            Digest(present[(at := next(digests)) : at + DIGEST_BYTES]) if bit == "1" else EMPTY
            for bit in bits[:depth]
        )
        if siblings.count(EMPTY) != bits[:depth].count("0"):
            raise InvalidProofError("a state proof lists an empty sibling")
        return cls(leaf, siblings)


def prove(read: PageReader, key_hash: bytes) -> StateProof:
    """Return the proof that a key has its value, or that it is absent.

    Args:
        read: Knows the pages of the tree.
        key_hash: SHA-256 of the key, 32 bytes.

    Raises:
        CorruptStoreError: A page is damaged or missing.

    Source: formats.md, section 7.
    """
    assert len(key_hash) == DIGEST_BYTES
    siblings: list[Digest] = []
    work = _Work(read, {})
    depth = 0
    while True:
        page, _raw = work.load(depth, key_hash)
        beside, end = _walk(page, digit(key_hash, depth))
        siblings += beside
        if end is None or len(end) == LEAF_BYTES:
            return StateProof(end, tuple(siblings))
        depth += 1


def _walk(page: Page, slot: int) -> tuple[list[Digest], Slot]:
    """Go down a page towards a slot; return the siblings, and what is where the way ends."""
    siblings: list[Digest] = []
    rows = page.rows()
    for level in range(4):
        at = slot >> (4 - level)
        weight, _digest = rows[level][at]
        if weight <= 1:
            return siblings, _leaf_below(page, level, at)
        _weight, sibling = rows[level + 1][slot >> (3 - level) ^ 1]
        siblings.append(sibling)
    return siblings, page.slot(slot)


def _leaf_below(page: Page, level: int, at: int) -> Slot:
    """Return the only leaf below a node of the page, if it has one."""
    width = 16 >> level
    contents = page.slots()[at * width : (at + 1) * width]
    return next((content for content in contents if content is not None), None)


def check_presence(root: Digest, key_hash: bytes, value_hash: bytes, proof: StateProof) -> None:
    """Refuse a proof that does not show that the key has this value in the tree with this root.

    Args:
        root: The state root that the caller trusts.
        key_hash: SHA-256 of the key, 32 bytes.
        value_hash: Hash of the value, 32 bytes.
        proof: What `prove` made.

    Raises:
        InvalidProofError: The proof is about another key or value, or leads to another root.

    Source: formats.md, section 7.
    """
    if len(key_hash) != DIGEST_BYTES or len(value_hash) != DIGEST_BYTES:
        raise InvalidProofError("a key hash and a value hash have 32 bytes")
    if proof.leaf != key_hash + value_hash:
        raise InvalidProofError("the state proof is about another key or value")
    _check_way(root, key_hash, proof)


def check_absence(root: Digest, key_hash: bytes, proof: StateProof) -> None:
    """Refuse a proof that does not show that the tree with this root lacks the key.

    Args:
        root: The state root that the caller trusts.
        key_hash: SHA-256 of the key, 32 bytes.
        proof: What `prove` made.

    Raises:
        InvalidProofError: The proof ends at the key itself or beside its way, or leads to another
            root.

    Source: formats.md, section 7.
    """
    if len(key_hash) != DIGEST_BYTES:
        raise InvalidProofError("a key hash has 32 bytes")
    if proof.leaf is not None:
        other = proof.leaf[:DIGEST_BYTES]
        if other == key_hash:
            raise InvalidProofError("the state proof shows that the key is present")
        differing = int.from_bytes(other) ^ int.from_bytes(key_hash)
        if KEY_BITS - differing.bit_length() < len(proof.siblings):
            raise InvalidProofError("the other leaf of the state proof does not stand in the way")
    _check_way(root, key_hash, proof)


def _check_way(root: Digest, key_hash: bytes, proof: StateProof) -> None:
    siblings = proof.siblings
    if len(siblings) > KEY_BITS or any(len(digest) != DIGEST_BYTES for digest in siblings):
        raise InvalidProofError("a state proof has too many siblings or one of another length")
    if siblings and siblings[-1] == EMPTY:
        raise InvalidProofError("the last sibling of a state proof is empty")
    if proof.leaf is not None and len(proof.leaf) != LEAF_BYTES:
        raise InvalidProofError("the leaf of a state proof has another length")
    digest = EMPTY if proof.leaf is None else leaf_digest(proof.leaf)
    path = int.from_bytes(key_hash) >> (KEY_BITS - len(siblings))
    for sibling in reversed(siblings):
        digest = inner_digest(sibling, digest) if path & 1 else inner_digest(digest, sibling)
        path >>= 1
    if digest != root:
        raise InvalidProofError("the state proof leads to another root")
