"""The append-only tree, against a naive twin that follows the text of RFC 9162 word by word."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import merkle
from ledger.errors import InvalidDataError, InvalidProofError
from ledger.merkle import Frontier

SIZE = 64
LEAVES = [merkle.leaf_hash(str(number).encode()) for number in range(SIZE + 1)]


# --- the naive twin: RFC 9162, 2.1.1, 2.1.3.1 and 2.1.4.1 ---


def split(n):
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def naive_root(leaves):
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    both = naive_root(leaves[:k]) + naive_root(leaves[k:])
    return hashlib.sha256(b"\x01" + both).digest()


def naive_path(m, leaves):
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_subproof(m, leaves, *, whole=True):
    if m == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*naive_subproof(m, leaves[:k], whole=whole), naive_root(leaves[k:])]
    return [*naive_subproof(m - k, leaves[k:], whole=False), naive_root(leaves[:k])]


ROOTS = [naive_root(LEAVES[:size]) for size in range(SIZE + 1)]


def stored_nodes(batches):
    """What a node keeps on disk, after appending in these batches."""
    nodes: dict[tuple[int, int], Any] = {}
    frontier = Frontier()
    for batch in batches:
        for level, index, digest in merkle.completed_nodes(frontier, batch):
            assert (level, index) not in nodes
            if level:
                children = nodes[level - 1, index * 2], nodes[level - 1, index * 2 + 1]
                assert digest == merkle.node_hash(*children)
            nodes[level, index] = digest
        frontier = frontier.extend(batch)
    return nodes, frontier


# --- everything up to size 64 ---


def test_leaves_and_nodes_hash_with_their_prefixes():
    assert merkle.leaf_hash(b"ab") == hashlib.sha256(b"\x00ab").digest()
    left, right = LEAVES[:2]
    assert merkle.node_hash(left, right) == hashlib.sha256(b"\x01" + left + right).digest()


def test_every_root_and_every_inclusion_path_up_to_size_64():
    for size in range(SIZE + 1):
        leaves = LEAVES[:size]
        assert merkle.root(leaves) == ROOTS[size]
        for index in range(size):
            path = merkle.inclusion_path(leaves, index)
            assert list(path) == naive_path(index, leaves)
            assert merkle.root_from_path(leaves[index], index, size, path) == ROOTS[size]
            merkle.check_inclusion(leaves[index], index, size, path, ROOTS[size])


def test_every_consistency_path_up_to_size_64():
    nodes, _ = stored_nodes([LEAVES[:SIZE]])
    for size2 in range(1, SIZE + 1):
        for size1 in range(1, size2 + 1):
            path = merkle.consistency_path_from(lambda lv, at: nodes[lv, at], size1, size2)
            assert list(path) == naive_subproof(size1, LEAVES[:size2])
            merkle.check_consistency(size1, ROOTS[size1], size2, ROOTS[size2], path)


def test_no_inclusion_path_fits_another_leaf_place_size_or_root():
    for size in range(1, 18):
        leaves = LEAVES[:size]
        for index in range(size):
            path = merkle.inclusion_path(leaves, index)
            leaf, root = leaves[index], ROOTS[size]
            wrong: list[Any] = [
                (LEAVES[SIZE], index, size, path, root),
                (leaf, index, size, path, ROOTS[size + 1]),
                (leaf, index, size, (*path, LEAVES[0]), root),
                (leaf, index, size, (LEAVES[0], *path), root),
                (leaf, index, size, tuple(reversed(path)) if len(path) > 1 else (root,), root),
                (leaf, -1, size, path, root),
                (leaf, size, size, path, root),
                (leaf, index, 2**63, path, root),
                (leaf[:-1], index, size, path, root),
                *((leaf, other, size, path, root) for other in range(size) if other != index),
                *((leaf, index, size, path[:end], root) for end in range(len(path))),
                *(
                    (leaf, index, size, (*path[:at], path[at][:-1], *path[at + 1 :]), root)
                    for at in range(len(path))
                ),
            ]
            for arguments in wrong:
                with pytest.raises(InvalidProofError):
                    merkle.check_inclusion(*arguments)


def test_a_path_of_another_length_leads_to_no_root_at_all():
    for size in range(1, 18):
        for index in range(size):
            path = merkle.inclusion_path(LEAVES[:size], index)
            for other in (*(path[:end] for end in range(len(path))), (*path, LEAVES[0])):
                with pytest.raises(InvalidProofError):
                    merkle.root_from_path(LEAVES[index], index, size, other)


def test_no_consistency_path_fits_other_sizes_roots_or_lengths():
    for size2 in range(1, 14):
        for size1 in range(1, size2 + 1):
            path = merkle.consistency_path(LEAVES[:size2], size1)
            root1, root2 = ROOTS[size1], ROOTS[size2]
            wrong = [
                (size1, ROOTS[0], size2, root2, path),
                (size1, root1, size2, ROOTS[0], path),
                (size1, root1, size2, root2, (*path, root1)),
                (size1, root1, size2, root2, (root1, *path)),
                (0, ROOTS[0], size2, root2, path),
                (0, ROOTS[0], 0, ROOTS[0], ()),
                (size2 + 1, root1, size2, root2, path),
                (size1, root1, 2**63, root2, path),
                (size1, root1[:-1], size2, root2, path),
                (size1, root1, size2, root2[:-1], path),
                *((size1, root1, size2, root2, path[:end]) for end in range(len(path))),
            ]
            if size1 != size2:
                wrong.append((size2, root1, size1, root2, path))
                wrong.append((size1, root2, size2, root1, path))
                wrong.append((size1, root1, size2, root2, (*path[:-1], path[-1][:-1])))
            for arguments in wrong:
                with pytest.raises(InvalidProofError):
                    merkle.check_consistency(*arguments)


def test_every_changed_bit_of_a_path_is_noticed():
    inclusion = merkle.inclusion_path(LEAVES[:13], 6)
    consistency = merkle.consistency_path(LEAVES[:13], 6)
    for at in range(len(inclusion)):
        for bit in range(0, 256, 5):
            bad = flipped(inclusion, at, bit)
            with pytest.raises(InvalidProofError):
                merkle.check_inclusion(LEAVES[6], 6, 13, bad, ROOTS[13])
    for at in range(len(consistency)):
        for bit in range(0, 256, 5):
            bad = flipped(consistency, at, bit)
            with pytest.raises(InvalidProofError):
                merkle.check_consistency(6, ROOTS[6], 13, ROOTS[13], bad)


def flipped(path, at, bit):
    number = int.from_bytes(path[at]) ^ 1 << bit
    return (*path[:at], number.to_bytes(32), *path[at + 1 :])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 3), (3, 3)])
def test_there_is_no_path_for_a_leaf_outside_the_tree(index, size):
    with pytest.raises(InvalidProofError):
        merkle.inclusion_path(LEAVES[:size], index)


@pytest.mark.parametrize(("size1", "size2"), [(0, 0), (0, 3), (4, 3), (-1, 3)])
def test_there_is_no_consistency_path_from_nothing_or_backwards(size1, size2):
    with pytest.raises(InvalidProofError):
        merkle.consistency_path(LEAVES[:size2], size1)


# --- the tree on disk ---


@given(st.lists(st.integers(0, 70), max_size=8), st.data())
def test_a_stored_tree_gives_the_same_paths_in_whatever_batches_it_grew(sizes, data):
    leaves = [merkle.leaf_hash(number.to_bytes(4)) for number in range(sum(sizes))]
    batches, start = [], 0
    for size in sizes:
        batches.append(leaves[start : start + size])
        start += size
    nodes, frontier = stored_nodes(batches)
    assert frontier == Frontier().extend(leaves)
    assert frontier.root() == naive_root(leaves)
    if leaves:
        size = data.draw(st.integers(1, len(leaves)))
        index = data.draw(st.integers(0, size - 1))
        older = data.draw(st.integers(1, size))

        def read(level, at):
            return nodes[level, at]

        path = merkle.inclusion_path_from(read, index, size)
        assert path == merkle.inclusion_path(leaves[:size], index)
        consistency = merkle.consistency_path_from(read, older, size)
        assert consistency == merkle.consistency_path(leaves[:size], older)


def test_a_frontier_grows_by_one_as_by_many():
    frontier = Frontier()
    for size in range(SIZE):
        assert frontier.size == size
        assert frontier.root() == ROOTS[size]
        assert Frontier.from_value(frontier.to_value()) == frontier
        frontier = frontier.append(LEAVES[size])


@pytest.mark.parametrize(
    "value",
    [
        None,
        (),
        (1, ()),
        (0, (bytes(32),)),
        (3, (bytes(32),)),
        (1, (bytes(31),)),
        (-1, ()),
        (2**63, (bytes(32),)),
        (1, (bytes(32),), 0),
        (1, bytes(32)),
    ],
)
def test_what_is_no_frontier_is_refused(value):
    with pytest.raises(InvalidDataError):
        Frontier.from_value(value)


def test_a_frontier_of_the_greatest_size_is_taken():
    size = merkle.SIZE_MAX
    value = (size, (bytes(32),) * size.bit_count())
    assert Frontier.from_value(value).size == size
