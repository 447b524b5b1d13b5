"""How the state tree hashes its nodes, and the pages in which it lies on disk.

The tree is binary, but 4 levels of it make one *page* of 16 slots. A slot is empty, or holds one
leaf (key hash and value hash, 64 bytes), or the digest of the page below it (32 bytes). A page is
there exactly where two or more leaves share its path; only the root page may hold a single one. So
the pages are a function of the leaves alone, whatever the order in which they came.

A page's bytes: 4 shape bytes, then 4 blocks, one of each for every *quarter* of the page (slots
0-3, 4-7, 8-11, 12-15). The high half of a shape byte tells which slots have a leaf, the low half
which have a page below; the first slot is the highest bit of its half. A block is the digest of
the quarter, only if that is an inner node, and the contents of its slots in order. So a change of
one slot parses and hashes a quarter only. The key of a page is its depth in hexadecimal digits
(one byte) and the digits that lead to it, two to a byte, padded with zero bits.

Source: formats.md, section 7; hash rules of penumbra-zone/jmt with SHA-256.
"""

import struct
from dataclasses import dataclass
from hashlib import sha256
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
Slot = bytes | None
"""None: empty. 64 bytes: a leaf. 32 bytes: the digest of the page below."""


Node = tuple[int, Digest]
"""A node of the binary tree: its weight and its digest.

The weight is 0 if it is empty, 1 if it is a single leaf, 2 if it is an inner node, which stands
over two leaves or more. A bare tuple, because an update makes some ten thousand of them.
"""

NOTHING: Final[Node] = (0, EMPTY)


def leaf_digest(leaf: bytes) -> Digest:
    """Return the hash of a leaf, given its key hash and value hash together, 64 bytes."""
    return sha256(_LEAF_PREFIX + leaf).digest()  # type: ignore[return-value]  # a Digest


def inner_digest(left: Digest, right: Digest) -> Digest:
    """Return the hash of an inner node."""
    return Digest(sha256(_INNER_PREFIX + left + right).digest())


def join(left: Node, right: Node) -> Node:
    """Return the node above two others: a single leaf rises until it has company."""
    if left[0] + right[0] > 1:
        digest = sha256(_INNER_PREFIX + left[1] + right[1]).digest()
        return 2, digest  # type: ignore[return-value]  # a Digest
    return left if left[0] else right


@dataclass(frozen=True, slots=True)
class _Shape:
    """How to read the block of a quarter with this shape byte."""

    is_inner: bool
    block: struct.Struct
    positions: tuple[int, ...]


def _shape(shape: int) -> _Shape | None:
    leaves, pages = shape >> 4, shape & 0x0F
    if leaves & pages:
        return None
    is_inner = pages != 0 or leaves & (leaves - 1) != 0
    positions = tuple(at for at in range(4) if (leaves | pages) & 8 >> at)
    sizes = [LEAF_BYTES if leaves & 8 >> at else DIGEST_BYTES for at in positions]
    if is_inner:
        sizes.insert(0, DIGEST_BYTES)
    return _Shape(is_inner, struct.Struct("".join(f"{size}s" for size in sizes)), positions)


_SHAPES: Final = tuple(_shape(shape) for shape in range(256))
_BY_WEIGHT: Final = (0x00, 0x80, 0x08)
"""The bit of the first slot in a shape byte, by the slot's weight."""


@dataclass(slots=True)
class Page:
    """Four levels of the tree, in four quarters.

    A quarter is opened to look at its slots, and closed (hashed and printed) when the page is.

    Attributes:
        shapes: The shape byte of each quarter.
        blocks: The block of each quarter.
        opened: The four slots of each quarter that was opened.
    """

    shapes: bytearray
    blocks: list[bytes]
    opened: list[list[Slot] | None]

    @classmethod
    def empty(cls) -> "Page":
        """Return a page of empty slots."""
        return cls(bytearray(4), [b""] * 4, [None] * 4)

    def slot(self, slot: int) -> Slot:
        """Return the content of a slot."""
        return self.open_quarter(slot >> 2)[slot & 3]

    def slots(self) -> list[Slot]:
        """Return the contents of all 16 slots."""
        return [content for quarter in range(4) for content in self.open_quarter(quarter)]

    def close(self) -> Node:
        """Hash and print what was opened; return the node over the whole page."""
        a, b, c, d = [
            self._node(quarter) if slots is None else self._close(quarter, slots)
            for quarter, slots in enumerate(self.opened)
        ]
        return join(join(a, b), join(c, d))

    def rows(self) -> list[list[Node]]:
        """Return all nodes: the one on top, then rows of 2, 4, 8 and 16."""
        row = [slot_node(content) for content in self.slots()]
        rows = [row]
        while len(row) > 1:
            row = [join(row[at], row[at + 1]) for at in range(0, len(row), 2)]
            rows.insert(0, row)
        return rows

    def open_quarter(self, quarter: int) -> list[Slot]:
        """Return the four slots of a quarter, to look at or to change; `close` takes them back."""
        slots = self.opened[quarter]
        if slots is None:
            slots = self.opened[quarter] = [None] * 4
            shape = _SHAPES[self.shapes[quarter]]
            assert shape is not None
            pieces = shape.block.unpack(self.blocks[quarter])
            for at, content in zip(shape.positions, pieces[shape.is_inner :], strict=True):
                slots[at] = content
        return slots

    def _node(self, quarter: int) -> Node:
        block = self.blocks[quarter]
        shape = _SHAPES[self.shapes[quarter]]
        assert shape is not None
        return (2, Digest(block[:DIGEST_BYTES])) if shape.is_inner else slot_node(block or None)

    def _close(self, quarter: int, slots: list[Slot]) -> Node:
        a, b, c, d = map(slot_node, slots)
        node = join(join(a, b), join(c, d))
        contents = [content for content in slots if content is not None]
        if node[0] > 1:
            contents.insert(0, node[1])
        self.blocks[quarter] = b"".join(contents)
        self.shapes[quarter] = (
            _BY_WEIGHT[a[0]] | _BY_WEIGHT[b[0]] >> 1 | _BY_WEIGHT[c[0]] >> 2 | _BY_WEIGHT[d[0]] >> 3
        )
        self.opened[quarter] = None
        return node


def slot_node(content: Slot) -> Node:
    """Return the node that a slot is."""
    if content is None:
        return NOTHING
    if len(content) == LEAF_BYTES:
        return 1, sha256(_LEAF_PREFIX + content).digest()  # type: ignore[return-value]
    return 2, content  # type: ignore[return-value]  # a Digest, as its length says


def print_page(page: Page) -> bytes:
    """Return a closed page's bytes."""
    assert page.opened == [None] * 4
    return b"".join((page.shapes, *page.blocks))


def parse_page(raw: bytes) -> Page:
    """Return the page that `print_page` wrote.

    Raises:
        CorruptStoreError: The bytes are no page. They come from our own disk.
    """
    blocks: list[bytes] = []
    at = 4
    for byte in raw[:4]:
        shape = _SHAPES[byte]
        if shape is None:
            raise CorruptStoreError("a slot of the state tree holds both a leaf and a page")
        end = at + shape.block.size
        blocks.append(raw[at:end])
        at = end
    if len(blocks) != 4 or at != len(raw):  # noqa: PLR2004  # four quarters
        raise CorruptStoreError("a page of the state tree is shorter or longer than it says")
    return Page(bytearray(raw[:4]), blocks, [None] * 4)


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
