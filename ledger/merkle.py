"""The append-only tree of RFC 9162: roots, inclusion paths, consistency paths, and their checks.

A leaf hashes as SHA-256(0x00, data), a node as SHA-256(0x01, left, right), the empty tree as
SHA-256 of nothing. Functions take the digests of leaves, not leaves. Names come in pairs: what
`inclusion_path` makes, `check_inclusion` checks; `consistency_path` and `check_consistency`
likewise.

A tree too long for memory is kept as its *complete* nodes, those whose leaves are all there: node
`(level, index)` covers leaves `index * 2^level` to `(index + 1) * 2^level - 1` and never changes
once written. A `Frontier` holds the few of them that the next append needs, `completed_nodes` says
which ones an append adds, and the `_from` functions make paths through a one-method reader, as
Go's `sumdb/tlog` does.

Source: RFC 9162, section 2.1.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from keys.hashing import DIGEST_BYTES, Digest, sha256
from ledger.canonical import Value
from ledger.errors import InvalidDataError, InvalidProofError
from ledger.fields import read_array, read_digest, read_int

SIZE_MAX: Final = 2**63 - 1
"""The most leaves a tree may have."""

EMPTY_ROOT: Final = sha256(b"")
"""The root of a tree without leaves."""


class NodeReader(Protocol):
    """Knows the complete nodes of a tree."""

    def __call__(self, level: int, index: int) -> Digest:
        """Return the digest of a complete node; level 0 are the leaves, indexes count from 0."""


def leaf_hash(data: bytes) -> Digest:
    """Return the digest of a leaf: SHA-256 over 0x00 and its bytes."""
    return hashlib.sha256(b"\x00" + data).digest()  # type: ignore[return-value]  # a Digest


def node_hash(left: Digest, right: Digest) -> Digest:
    """Return the digest of an inner node: SHA-256 over 0x01 and both children."""
    return Digest(hashlib.sha256(b"\x01" + left + right).digest())


def root(leaf_hashes: Sequence[Digest]) -> Digest:
    """Return the root of the tree over these leaves, in this order.

    Args:
        leaf_hashes: Digests of the leaves, 32 bytes each; may be empty.

    Source: RFC 9162, section 2.1.1.
    """
    # Pairing row by row, a lonely last node going up as it is, gives the RFC's tree: the largest
    # power of two below the size is what lies under the left child of the root.
    row: Sequence[bytes] = leaf_hashes
    while len(row) > 1:
        pairs = [
            hashlib.sha256(b"\x01" + left + right).digest()
            for left, right in zip(row[::2], row[1::2], strict=False)
        ]
        row = [*pairs, row[-1]] if len(row) & 1 else pairs
    return Digest(row[0]) if row else EMPTY_ROOT


def inclusion_path(leaf_hashes: Sequence[Digest], index: int) -> tuple[Digest, ...]:
    """Return the sibling digests that lead from leaf `index` to the root, lowest first.

    Args:
        leaf_hashes: Digests of all leaves of the tree.
        index: Position of the leaf, counted from 0.

    Returns:
        At most `ceil(log2(size))` digests.

    Raises:
        InvalidProofError: There is no such leaf.

    Source: RFC 9162, section 2.1.3.1.
    """
    return inclusion_path_from(_reader_over(leaf_hashes), index, len(leaf_hashes))


def consistency_path(leaf_hashes: Sequence[Digest], size1: int) -> tuple[Digest, ...]:
    """Return the digests which prove that the first `size1` leaves are a beginning of this tree.

    Args:
        leaf_hashes: Digests of all leaves of the newer tree.
        size1: Number of leaves of the older tree, at least 1.

    Returns:
        At most `ceil(log2(size)) + 1` digests; none if the sizes are equal.

    Raises:
        InvalidProofError: `size1` is 0 or over the number of leaves.

    Source: RFC 9162, section 2.1.4.1.
    """
    return consistency_path_from(_reader_over(leaf_hashes), size1, len(leaf_hashes))


def inclusion_path_from(reader: NodeReader, index: int, size: int) -> tuple[Digest, ...]:
    """Return the inclusion path of leaf `index` in the tree of the first `size` leaves.

    Args:
        reader: Knows the complete nodes of a tree of at least `size` leaves.
        index: Position of the leaf, counted from 0.
        size: Number of leaves of the tree the path is for.

    Raises:
        InvalidProofError: Not `0 <= index < size`.

    Source: RFC 9162, section 2.1.3.1.
    """
    if not 0 <= index < size:
        raise InvalidProofError(f"a tree of {size} leaves has no leaf {index}")
    path: list[Digest] = []
    start = 0
    while size > 1:
        left = _largest_power_below(size)
        if index < left:
            path.append(_span_root(reader, start + left, size - left))
            size = left
        else:
            path.append(_span_root(reader, start, left))
            start, index, size = start + left, index - left, size - left
    return tuple(reversed(path))


def consistency_path_from(reader: NodeReader, size1: int, size2: int) -> tuple[Digest, ...]:
    """Return the consistency path between the trees of the first `size1` and `size2` leaves.

    Args:
        reader: Knows the complete nodes of a tree of at least `size2` leaves.
        size1: Number of leaves of the older tree, at least 1.
        size2: Number of leaves of the newer tree, at least `size1`.

    Raises:
        InvalidProofError: Not `1 <= size1 <= size2`.

    Source: RFC 9162, section 2.1.4.1.
    """
    if not 1 <= size1 <= size2:
        raise InvalidProofError(f"no consistency path leads from size {size1} to size {size2}")
    path: list[Digest] = []
    start, older, size, known = 0, size1, size2, True
    while older != size:
        left = _largest_power_below(size)
        if older <= left:
            path.append(_span_root(reader, start + left, size - left))
            size = left
        else:
            path.append(_span_root(reader, start, left))
            start, older, size, known = start + left, older - left, size - left, False
    if not known:
        path.append(_span_root(reader, start, size))
    return tuple(reversed(path))


def root_from_path(leaf: Digest, index: int, size: int, path: Sequence[Digest]) -> Digest:
    """Return the tree root that an inclusion path leads to.

    Args:
        leaf: Digest of the leaf, 32 bytes.
        index: Position of the leaf, counted from 0; `0 <= index < size`.
        size: Number of leaves in the tree.
        path: Sibling digests from the leaf upwards; at most `ceil(log2(size))` of them.

    Returns:
        The root, 32 bytes. The caller compares it with a root it already trusts.

    Raises:
        InvalidProofError: The index, the length of the path or a digest is impossible.

    Source: RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size <= SIZE_MAX:
        raise InvalidProofError(f"a tree of {size} leaves has no leaf {index}")
    _check_digests(leaf, *path)
    node, last = index, size - 1
    digest = leaf
    for sibling in path:
        if last == 0:
            raise InvalidProofError("the path is longer than the tree is high")
        if node & 1 or node == last:
            digest = node_hash(sibling, digest)
            node, last = _skip_lonely_levels(node, last)
        else:
            digest = node_hash(digest, sibling)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise InvalidProofError("the path ends below the root")
    return digest


def check_inclusion(
    leaf: Digest, index: int, size: int, path: Sequence[Digest], root: Digest
) -> None:
    """Refuse an inclusion path that does not lead from the leaf to the root.

    Args:
        leaf: Digest of the leaf, 32 bytes.
        index: Position of the leaf, counted from 0.
        size: Number of leaves in the tree.
        path: Sibling digests from the leaf upwards.
        root: The root that the caller trusts.

    Raises:
        InvalidProofError: The leaf is not at this position of the tree with this root.

    Source: RFC 9162, section 2.1.3.2.
    """
    if root_from_path(leaf, index, size, path) != root:
        raise InvalidProofError("the inclusion path leads to another root")


def check_consistency(
    size1: int, root1: Digest, size2: int, root2: Digest, path: Sequence[Digest]
) -> None:
    """Refuse a newer tree of which the older one is not proved to be the beginning.

    Args:
        size1: Number of leaves of the older tree; at least 1, for from nothing nothing is proved.
        root1: Root of the older tree, 32 bytes.
        size2: Number of leaves of the newer tree.
        root2: Root of the newer tree, 32 bytes.
        path: The digests that `consistency_path` gives.

    Raises:
        InvalidProofError: A size or a digest is impossible, or the path leads to other roots.

    Source: RFC 9162, section 2.1.4.2.
    """
    if not 1 <= size1 <= size2 <= SIZE_MAX:
        raise InvalidProofError(f"no consistency path leads from size {size1} to size {size2}")
    _check_digests(root1, root2, *path)
    if size1 == size2:
        if path or root1 != root2:
            raise InvalidProofError("trees of equal size have one root and an empty path")
        return
    if size1 & (size1 - 1) == 0:
        path = (root1, *path)
    if not path:
        raise InvalidProofError("the consistency path is empty")
    if _roots_from_consistency_path(size1, size2, path) != (root1, root2):
        raise InvalidProofError("the consistency path leads to other roots")


def _roots_from_consistency_path(
    size1: int, size2: int, path: Sequence[Digest]
) -> tuple[Digest, Digest]:
    """Return the roots of the older and the newer tree."""
    node, last = size1 - 1, size2 - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    older = newer = path[0]
    for digest in path[1:]:
        if last == 0:
            raise InvalidProofError("the path is longer than the tree is high")
        if node & 1 or node == last:
            older, newer = node_hash(digest, older), node_hash(digest, newer)
            node, last = _skip_lonely_levels(node, last)
        else:
            newer = node_hash(newer, digest)
        node, last = node >> 1, last >> 1
    if last != 0:
        raise InvalidProofError("the path ends below the root")
    return older, newer


def _skip_lonely_levels(node: int, last: int) -> tuple[int, int]:
    """Go up past the levels on which the node, the last of its row, has no sibling."""
    while node and not node & 1:
        node, last = node >> 1, last >> 1
    return node, last


@dataclass(frozen=True, slots=True)
class Frontier:
    """What an append-only tree must remember to go on: its size and its largest complete nodes.

    Attributes:
        size: Number of leaves.
        hashes: Roots of the complete subtrees that the leaves fall into, left to right and so from
            the largest to the smallest: one for each 1 in the binary form of `size`.
    """

    size: int = 0
    hashes: tuple[Digest, ...] = ()

    def __post_init__(self) -> None:
        assert len(self.hashes) == self.size.bit_count()

    def append(self, leaf: Digest) -> "Frontier":
        """Return the frontier after one more leaf; `leaf` is the leaf's digest."""
        return self.extend((leaf,))

    def extend(self, leaf_hashes: Iterable[Digest]) -> "Frontier":
        """Return the frontier after these leaves, in this order."""
        hashes, size = list(self.hashes), self.size
        for leaf in leaf_hashes:
            digest, ones = leaf, size
            while ones & 1:
                digest = Digest(hashlib.sha256(b"\x01" + hashes.pop() + digest).digest())
                ones >>= 1
            hashes.append(digest)
            size += 1
        return Frontier(size, tuple(hashes))

    def root(self) -> Digest:
        """Return the root of the tree, 32 bytes."""
        return _fold(self.hashes)

    def to_value(self) -> Value:
        """Return `[size, [hashes]]`."""
        return self.size, self.hashes

    @classmethod
    def from_value(cls, value: Value) -> "Frontier":
        """Read `[size, [hashes]]`.

        Raises:
            InvalidDataError: Another shape, or a number of hashes that does not fit the size.
        """
        fields = read_array(value, "frontier", 2)
        size = read_int(fields[0], "frontier.size", 0, SIZE_MAX)
        hashes = read_array(fields[1], "frontier.hashes", (0, 63))
        if len(hashes) != size.bit_count():
            raise InvalidDataError(f"a frontier of {size} leaves has {len(hashes)} hashes")
        return cls(size, tuple(read_digest(digest, "frontier.hashes") for digest in hashes))


def completed_nodes(
    frontier: Frontier, leaf_hashes: Iterable[Digest]
) -> Iterator[tuple[int, int, Digest]]:
    """Yield the nodes that become complete when these leaves are appended.

    Args:
        frontier: The tree before.
        leaf_hashes: Digests of the new leaves, in order.

    Yields:
        `(level, index, digest)`, leaves (level 0) among them; children before their parents.
    """
    hashes = list(frontier.hashes)
    for size, leaf in enumerate(leaf_hashes, frontier.size):
        yield from _append(hashes, size, leaf)


def _append(hashes: list[Digest], size: int, leaf: Digest) -> Iterator[tuple[int, int, Digest]]:
    """Append to the hashes of a frontier of `size` leaves; yield the nodes completed by it."""
    digest, level = leaf, 0
    yield level, size, digest
    while size >> level & 1:
        digest = node_hash(hashes.pop(), digest)
        level += 1
        yield level, size >> level, digest
    hashes.append(digest)


def _fold(hashes: Sequence[Digest]) -> Digest:
    """Return the root over complete subtrees, left to right."""
    if not hashes:
        return EMPTY_ROOT
    digest = hashes[-1]
    for left in reversed(hashes[:-1]):
        digest = node_hash(left, digest)
    return digest


def _span_root(reader: NodeReader, start: int, size: int) -> Digest:
    """Return the root over leaves `start ... start + size - 1`, a subtree of some tree."""
    hashes: list[Digest] = []
    while size:
        level = size.bit_length() - 1
        hashes.append(reader(level, start >> level))
        start, size = start + (1 << level), size - (1 << level)
    return _fold(hashes)


def _reader_over(leaf_hashes: Sequence[Digest]) -> NodeReader:
    nodes = {(lv, index): digest for lv, index, digest in completed_nodes(Frontier(), leaf_hashes)}
    return lambda level, index: nodes[level, index]


def _largest_power_below(size: int) -> int:
    """Return the largest power of two below `size`, which is at least 2."""
    return 1 << (size - 1).bit_length() - 1


def _check_digests(*digests: bytes) -> None:
    for digest in digests:
        if len(digest) != DIGEST_BYTES:
            raise InvalidProofError(f"a digest of {len(digest)} bytes")
