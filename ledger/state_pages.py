"""How the state tree hashes its nodes, and the pages in which it lies on disk.

The tree is binary, but 4 levels of it make one *page* of 16 slots. A slot is empty, or holds one
leaf (key hash and value hash, 64 bytes), or the digest of the page below it (32 bytes). A page is
there exactly where two or more leaves share its path; only the root page may hold a single one. So
the pages are a function of the leaves alone, whatever the order in which they came.

A page's bytes: two bit maps of 16 bits, big-endian, slot 0 first, of the slots with a leaf and
with a page; the contents of these slots in order; then the digests of those *quarters* of the page
(slots 0-3, 4-7, 8-11, 12-15) that are inner nodes. The quarters save most hashing when one slot
changes. The key of a page is its depth in hexadecimal digits (one byte) and the digits, two to a
byte, padded with zero bits.

Source: formats.md, section 7; hash rules of penumbra-zone/jmt with SHA-256.
"""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from keys.hashing import DIGEST_BYTES, Digest
from ledger.errors import CorruptStoreError

EMPTY: Final = Digest(b"SPARSE_MERKLE_PLACEHOLDER_HASH__")
"""What an empty subtree hashes as; also the root of the empty tree."""

LEAF_BYTES: Final = 2 * DIGEST_BYTES
"""Bytes of a leaf: key hash and value hash."""

KEY_BITS: Final = 256
"""The height of the tree, if two keys share all bits but the last."""

_LEAF_PREFIX: Final = b"JMT::LeafNode"
_INNER_PREFIX: Final = b"JMT::IntrnalNode"  # spelt like that in the public implementation
_BIT_MAPS: Final = struct.Struct(">HH")
_SLOT_BITS: Final = tuple(0x8000 >> slot for slot in range(16))

Slot = bytes | None
"""None: empty. 64 bytes: a leaf. 32 bytes: the digest of the page below."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the binary tree.

    Attributes:
        weight: 0: empty. 1: a single leaf. 2: an inner node, over two leaves or more.
        digest: What it hashes as, 32 bytes.
    """

    weight: int
    digest: Digest


NOTHING: Final = Node(0, EMPTY)


def leaf_digest(leaf: bytes) -> Digest:
    """Return the hash of a leaf, given its key hash and value hash together, 64 bytes."""
    return Digest(hashlib.sha256(_LEAF_PREFIX + leaf).digest())


def inner_digest(left: Digest, right: Digest) -> Digest:
    """Return the hash of an inner node."""
    return Digest(hashlib.sha256(_INNER_PREFIX + left + right).digest())


def join(left: Node, right: Node) -> Node:
    """Return the node above two others: a single leaf rises until it has company."""
    if left.weight + right.weight > 1:
        return Node(2, inner_digest(left.digest, right.digest))
    return left if left.weight else right


@dataclass(slots=True)
class Page:
    """Four levels of the tree.

    Attributes:
        slots: 16 of them.
        quarters: The nodes over slots 0-3, 4-7, 8-11 and 12-15; None where not known.
    """

    slots: list[Slot] = field(default_factory=lambda: [None] * 16)
    quarters: list[Node | None] = field(default_factory=lambda: [None] * 4)

    def set_slot(self, slot: int, content: Slot) -> None:
        """Change a slot; the quarter over it is not known any more."""
        if self.slots[slot] != content:
            self.slots[slot] = content
            self.quarters[slot >> 2] = None

    def top(self) -> Node:
        """Return the node over all 16 slots; all quarters are known afterwards."""
        known: list[Node] = []
        for index, quarter in enumerate(self.quarters):
            node = _quarter(self.slots, index * 4) if quarter is None else quarter
            self.quarters[index] = node
            known.append(node)
        return join(join(known[0], known[1]), join(known[2], known[3]))

    def rows(self) -> list[list[Node]]:
        """Return all nodes: the one on top, then rows of 2, 4, 8 and 16."""
        row = [slot_node(content) for content in self.slots]
        rows = [row]
        while len(row) > 1:
            row = [join(row[at], row[at + 1]) for at in range(0, len(row), 2)]
            rows.insert(0, row)
        return rows

    def single_leaf(self) -> Slot:
        """Return the page's leaf, given that it has at most one and nothing else."""
        return next((content for content in self.slots if content is not None), None)


def slot_node(content: Slot) -> Node:
    """Return the node that a slot is."""
    if content is None:
        return NOTHING
    if len(content) == LEAF_BYTES:
        return Node(1, leaf_digest(content))
    return Node(2, Digest(content))


def _quarter(slots: Sequence[Slot], first: int) -> Node:
    a, b, c, d = (slot_node(content) for content in slots[first : first + 4])
    return join(join(a, b), join(c, d))


def print_page(page: Page) -> bytes:
    """Return a page's bytes; `page.top()` was called after the last change."""
    leaves = inners = 0
    for bit, content in zip(_SLOT_BITS, page.slots, strict=True):
        if content is not None:
            if len(content) == LEAF_BYTES:
                leaves |= bit
            else:
                inners |= bit
    contents = [content for content in page.slots if content is not None]
    quarters = [node.digest for node in page.quarters if node is not None and node.weight > 1]
    return b"".join((_BIT_MAPS.pack(leaves, inners), *contents, *quarters))


def parse_page(raw: bytes) -> Page:
    """Return the page that `print_page` wrote.

    Raises:
        CorruptStoreError: The bytes are no page. They come from our own disk.
    """
    if len(raw) < _BIT_MAPS.size:
        raise CorruptStoreError(f"a page of the state tree has {len(raw)} bytes")
    leaves, inners = _BIT_MAPS.unpack_from(raw)
    if leaves & inners or len(raw) != _page_bytes(leaves, inners):
        raise CorruptStoreError("a page of the state tree contradicts its bit maps")
    page = Page()
    at = _BIT_MAPS.size
    for slot, bit in enumerate(_SLOT_BITS):
        if inners & bit:
            page.slots[slot] = raw[at : at + DIGEST_BYTES]
            at += DIGEST_BYTES
        elif leaves & bit:
            page.slots[slot] = raw[at : at + LEAF_BYTES]
            at += LEAF_BYTES
    for quarter, shift in enumerate((12, 8, 4, 0)):
        if _is_inner(leaves >> shift & 15, inners >> shift & 15):
            page.quarters[quarter] = Node(2, Digest(raw[at : at + DIGEST_BYTES]))
            at += DIGEST_BYTES
    return page


def _is_inner(leaves: int, inners: int) -> bool:
    return inners != 0 or leaves & (leaves - 1) != 0


def _page_bytes(leaves: int, inners: int) -> int:
    quarters = sum(_is_inner(leaves >> at & 15, inners >> at & 15) for at in (0, 4, 8, 12))
    digests = 2 * leaves.bit_count() + inners.bit_count() + quarters
    return _BIT_MAPS.size + digests * DIGEST_BYTES


def page_key(depth: int, key_hash: bytes) -> bytes:
    """Return the key of the page at `depth` hexadecimal digits on the way to a key hash."""
    half = depth >> 1
    if depth & 1:
        return bytes((depth,)) + key_hash[:half] + bytes((key_hash[half] & 0xF0,))
    return bytes((depth,)) + key_hash[:half]


def digit(key_hash: bytes, depth: int) -> int:
    """Return the hexadecimal digit of a key hash at `depth`, the slot in the page there."""
    byte = key_hash[depth >> 1]
    return byte & 0x0F if depth & 1 else byte >> 4
