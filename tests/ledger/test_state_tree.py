"""The state tree, against a naive twin that hashes the whole set of keys anew each time."""

import hashlib
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import CivregError
from keys.hashing import Digest
from ledger.canonical import decode, encode
from ledger.errors import CorruptStoreError, InvalidDataError, InvalidProofError
from ledger.state_pages import (
    EMPTY,
    Page,
    inner_digest,
    leaf_digest,
    page_key,
    parse_page,
    print_page,
)
from ledger.state_tree import (
    EMPTY_ROOT,
    StateProof,
    check_absence,
    check_presence,
    prove,
    root_of,
    update,
)


def digest(number, word="k"):
    return hashlib.sha256(f"{word}{number}".encode()).digest()


# --- the naive twin ---


def bit(key, at):
    return key[at // 8] >> (7 - at % 8) & 1


def naive_root(items, depth=0):
    if not items:
        return b"SPARSE_MERKLE_PLACEHOLDER_HASH__"
    if len(items) == 1:
        return hashlib.sha256(b"JMT::LeafNode" + b"".join(items[0])).digest()
    left = [item for item in items if not bit(item[0], depth)]
    right = [item for item in items if bit(item[0], depth)]
    both = naive_root(left, depth + 1) + naive_root(right, depth + 1)
    return hashlib.sha256(b"JMT::IntrnalNode" + both).digest()


class Tree:
    """A tree with its pages in a dict, and beside it the plain map that it stands for."""

    def __init__(self):
        self.pages = {}
        self.plain = {}

    def change(self, changes):
        before = dict(self.pages)
        result = update(self.pages.get, changes)
        assert before == self.pages
        for key, page in result.pages.items():
            assert self.pages.get(key) != page, "a page that did not change was written"
            if page is None:
                del self.pages[key]
            else:
                self.pages[key] = page
        for key, value in changes.items():
            if value is None:
                self.plain.pop(key, None)
            else:
                self.plain[key] = value
        assert result.root == root_of(self.pages.get)
        return result.root

    def naive_root(self):
        return naive_root(sorted(self.plain.items()))


def tree_of(count):
    tree = Tree()
    tree.change({digest(n): digest(n, "v") for n in range(count)})
    return tree


# Keys that differ late: a common beginning of 0 to 31 bytes, then few different bits.
close_keys = st.builds(
    lambda base, length, tail: (bytes((base,)) * 32)[:length] + tail[length:],
    st.integers(0, 1),
    st.integers(0, 31),
    st.sampled_from([bytes(32), b"\x01" * 32, b"\x80" * 32, b"\xff" * 32, bytes(range(32))]),
)
keys = close_keys | st.integers(0, 30).map(digest)
change_sets = st.dictionaries(keys, st.none() | st.integers(0, 3).map(digest), max_size=12)


def no_pages(_key):
    return None


# --- roots ---


def test_the_published_roots_come_out(vector_files, usual_vectors):
    count = 0
    for name, content in vector_files("jmt"):
        for vector in content["vectors"]:
            count += 1
            changes = {
                hashlib.sha256(bytes.fromhex(item["key"])).digest(): hashlib.sha256(
                    bytes.fromhex(item["value"])
                ).digest()
                for item in vector["data"]
            }
            assert update(no_pages, changes).root.hex() == vector["expected_root"], name
    if usual_vectors:
        assert count == 3


def test_an_empty_tree_has_the_placeholder_for_a_root():
    assert root_of(no_pages) == EMPTY_ROOT == b"SPARSE_MERKLE_PLACEHOLDER_HASH__"
    assert update(no_pages, {}).pages == {}
    assert update(no_pages, {digest(1): None}).pages == {}


@given(st.lists(change_sets, max_size=6))
def test_after_any_changes_root_and_pages_are_those_of_a_tree_built_at_once(history):
    """Invariant: they depend on the keys and values alone, not on the way there."""
    tree = Tree()
    for changes in history:
        assert tree.change(changes) == tree.naive_root()
    afresh = Tree()
    afresh.change(dict(tree.plain))
    assert afresh.pages == tree.pages


@given(change_sets, st.randoms(use_true_random=False))
def test_neither_order_nor_batches_of_changes_matter(changes, dice):
    items = list(changes.items())
    dice.shuffle(items)
    together, one_by_one = tree_of(5), tree_of(5)
    together.change(dict(items))
    for key, value in items:
        one_by_one.change({key: value})
    assert together.pages == one_by_one.pages


@given(change_sets)
def test_deleting_all_keys_leaves_nothing_behind(changes):
    tree = Tree()
    tree.change(changes)
    assert tree.change(dict.fromkeys(changes)) == EMPTY_ROOT
    assert tree.pages == {}


def test_two_keys_that_differ_in_the_last_bit_make_64_pages_and_collapse_again():
    low, high = bytes(32), bytes(31) + b"\x01"
    tree = Tree()
    assert tree.change({low: digest(1), high: digest(2)}) == tree.naive_root()
    assert len(tree.pages) == 64
    assert len(prove(tree.pages.get, low).siblings) == 256
    check_presence(root_of(tree.pages.get), low, digest(1), prove(tree.pages.get, low))
    assert tree.change({low: None}) == leaf_digest(high + digest(2))
    assert list(tree.pages) == [page_key(0, b"")]


def test_a_larger_tree_changes_as_its_twin_does():
    dice = random.Random(1)
    tree = tree_of(600)
    assert root_of(tree.pages.get) == tree.naive_root()
    for step in range(8):
        some = [digest(dice.randrange(700)) for _ in range(60)]
        changes = {key: digest(step, "w") if dice.random() < 0.5 else None for key in some}
        assert tree.change(changes) == tree.naive_root()


def test_setting_the_same_values_again_writes_nothing():
    tree = tree_of(100)
    assert update(tree.pages.get, dict(tree.plain)).pages == {}


def test_an_update_reads_only_the_pages_on_the_way():
    tree = tree_of(2_000)
    read = []

    def reader(key):
        read.append(key)
        return tree.pages.get(key)

    update(reader, {digest(7): digest(8)})
    assert len(read) == len(set(read)) <= 5


# --- proofs ---


@given(change_sets, keys)
def test_a_proof_shows_what_the_tree_holds_and_nothing_else(changes, asked):
    tree = Tree()
    root = tree.change(changes)
    for key in {asked, *changes}:
        proof = prove(tree.pages.get, key)
        value = tree.plain.get(key)
        assert StateProof.from_value(decode(encode(proof.to_value()), 20_000)) == proof
        if value is None:
            check_absence(root, key, proof)
            with pytest.raises(InvalidProofError):
                check_presence(root, key, digest(0), proof)
        else:
            check_presence(root, key, value, proof)
            with pytest.raises(InvalidProofError):
                check_absence(root, key, proof)
            with pytest.raises(InvalidProofError):
                check_presence(root, key, digest(99), proof)
        other_root = digest(5, "root")
        with pytest.raises(InvalidProofError):
            check_presence(other_root, key, value or digest(0), proof)
        with pytest.raises(InvalidProofError):
            check_absence(other_root, key, proof)


def test_no_proof_of_one_key_serves_another():
    tree = tree_of(60)
    root = root_of(tree.pages.get)
    proofs = {n: prove(tree.pages.get, digest(n)) for n in range(80)}
    for n, proof in proofs.items():
        for other in range(80):
            if other == n or proof.leaf == digest(other) + digest(other, "v"):
                continue
            with pytest.raises(InvalidProofError):
                check_presence(root, digest(other), digest(other, "v"), proof)
            if other < 60:
                with pytest.raises(InvalidProofError):
                    check_absence(root, digest(other), proof)


def test_an_absent_key_may_share_the_place_of_another_leaf_but_not_stand_beside_it():
    tree = Tree()
    root = tree.change({bytes(32): digest(1), b"\xff" * 32: digest(2)})
    near, far = bytes(31) + b"\x01", b"\x80" + bytes(31)
    proof = prove(tree.pages.get, near)
    assert proof.leaf == bytes(32) + digest(1)
    check_absence(root, near, proof)
    with pytest.raises(InvalidProofError, match="does not stand in the way"):
        check_absence(root, far, proof)


def test_changed_proofs_are_refused():
    tree = tree_of(40)
    root = root_of(tree.pages.get)
    present, absent = digest(3), digest(500)
    for key in (present, absent):
        proof = prove(tree.pages.get, key)

        def check(changed, key=key):
            if key == present:
                check_presence(root, key, digest(3, "v"), changed)
            else:
                check_absence(root, key, changed)

        check(proof)
        siblings = proof.siblings
        changed = [
            StateProof(None if proof.leaf else digest(3) + digest(3, "v"), siblings),
            StateProof((proof.leaf or b"") + b"\x00", siblings),
            StateProof(proof.leaf, siblings[:-1]),
            StateProof(proof.leaf, siblings[1:]),
            StateProof(proof.leaf, (*siblings, EMPTY)),
            StateProof(proof.leaf, (*siblings, digest(0))),
            StateProof(proof.leaf, siblings * 100),
            StateProof(proof.leaf, (*siblings[:-1], Digest(siblings[-1][:-1]))),
            *(
                StateProof(proof.leaf, (*siblings[:at], digest(0), *siblings[at + 1 :]))
                for at in range(len(siblings))
            ),
        ]
        for bad in changed:
            with pytest.raises(InvalidProofError):
                check(bad)


def test_a_root_over_a_leaf_and_nothing_is_no_root_of_this_tree():
    """A leaf beside an empty subtree would have risen: one tree has one root."""
    leaf = digest(1) + digest(1, "v")
    sides = (leaf_digest(leaf), EMPTY)
    root = inner_digest(*(reversed(sides) if bit(digest(1), 0) else sides))
    with pytest.raises(InvalidProofError, match="last sibling"):
        check_presence(root, digest(1), digest(1, "v"), StateProof(leaf, (EMPTY,)))
    with pytest.raises(InvalidProofError, match="last sibling"):
        check_absence(inner_digest(EMPTY, EMPTY), digest(1), StateProof(None, (EMPTY,)))


def test_keys_and_values_of_another_length_are_refused():
    tree = tree_of(3)
    root = root_of(tree.pages.get)
    proof = prove(tree.pages.get, digest(1))
    for key, value in ((digest(1)[:-1], digest(1, "v")), (digest(1), digest(1, "v") + b"\x00")):
        with pytest.raises(InvalidProofError):
            check_presence(root, key, value, proof)
    with pytest.raises(InvalidProofError):
        check_absence(root, digest(7) + b"\x00", prove(tree.pages.get, digest(7)))


def test_key_and_value_may_not_be_shifted_against_each_other():
    """The leaf is their concatenation: lengths are checked before it is compared."""
    tree = tree_of(1)
    root = root_of(tree.pages.get)
    proof = prove(tree.pages.get, digest(0))
    both = digest(0) + digest(0, "v")
    with pytest.raises(InvalidProofError):
        check_presence(root, both[:31], both[31:], proof)


PROOF: Any = StateProof(None, (digest(1), EMPTY, digest(2))).to_value()


@pytest.mark.parametrize(
    "value",
    [
        None,
        (),
        (2, *PROOF[1:]),
        (1, bytes(63), *PROOF[2:]),
        (1, None, 257, bytes(32) + b"\x80", PROOF[4]),
        (1, None, 2, *PROOF[3:]),
        (1, None, 4, *PROOF[3:]),
        (1, None, 3, b"\xb0", PROOF[4]),
        (1, None, 3, b"\xa0\x00", PROOF[4]),
        (1, None, 3, b"\xe0", PROOF[4]),
        (1, None, 3, b"\xa0", PROOF[4][:-1]),
        (1, None, 3, b"\xa0", PROOF[4] + bytes(32)),
        (1, None, 3, b"\xa0", EMPTY + digest(2)),
        (1, None, 0, b"\x00", b""),
        (*PROOF, 0),
    ],
)
def test_what_is_no_proof_is_refused(value):
    with pytest.raises(InvalidDataError):
        StateProof.from_value(value)


def test_a_proof_takes_no_room_for_empty_siblings():
    assert StateProof.from_value(PROOF).siblings == (digest(1), EMPTY, digest(2))
    assert PROOF[3:] == (b"\xa0", digest(1) + digest(2))
    assert StateProof(None, ()).to_value() == (1, None, 0, b"", b"")


# --- pages ---


@given(
    st.lists(st.sampled_from([None, digest(1), digest(2) + digest(3)]), min_size=16, max_size=16)
)
def test_a_page_survives_printing_and_parsing(slots):
    page = Page.empty()
    for slot, content in enumerate(slots):
        page.open_quarter(slot >> 2)[slot & 3] = content
    top = page.close()
    raw = print_page(page)
    again = parse_page(raw)
    assert again.close() == top == parse_page(raw).rows()[0][0]
    assert print_page(again) == raw
    assert again.slots() == slots


def test_inner_nodes_hash_with_the_published_prefix():
    expected = hashlib.sha256(b"JMT::IntrnalNode" + digest(1) + digest(2)).digest()
    assert inner_digest(digest(1), digest(2)) == expected


def test_damaged_pages_are_the_fault_of_our_disk():
    tree = tree_of(50)
    raw = tree.pages[page_key(0, b"")]
    for bad in (b"", raw[:3], raw[:-1], raw + b"\x00", b"\x88" + raw[1:], b"\x00" + raw[1:]):
        with pytest.raises(CorruptStoreError):
            parse_page(bad)


def test_random_bytes_are_a_page_or_refused():
    dice = random.Random(3)
    for _ in range(3_000):
        raw = dice.randbytes(dice.randrange(8)) + bytes(32 * dice.randrange(3))
        try:
            assert print_page(parse_page(raw)) == raw
        except CivregError:
            continue


def test_a_missing_page_is_the_fault_of_our_disk():
    tree = tree_of(50)
    pages = {page_key(0, b""): tree.pages[page_key(0, b"")]}
    with pytest.raises(CorruptStoreError, match="missing"):
        update(pages.get, {digest(1): digest(2)})
    with pytest.raises(CorruptStoreError, match="missing"):
        [prove(pages.get, digest(n)) for n in range(50)]


def test_pages_that_lead_on_for_ever_are_the_fault_of_our_disk():
    page = Page.empty()
    for slot in range(16):
        page.open_quarter(slot >> 2)[slot & 3] = digest(slot)
    page.close()
    raw = print_page(page)
    with pytest.raises(CorruptStoreError, match="deeper"):
        prove(lambda _key: raw, digest(1))
    with pytest.raises(CorruptStoreError, match="deeper"):
        update(lambda _key: raw, {digest(1): digest(2)})


def test_page_keys_hold_depth_and_digits():
    key = bytes.fromhex("abcdef") + bytes(29)
    assert [page_key(depth, key).hex() for depth in range(5)] == [
        "00",
        "01a0",
        "02ab",
        "03abc0",
        "04abcd",
    ]
