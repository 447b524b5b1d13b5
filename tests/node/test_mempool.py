"""The pool: bounded, fair between signers, in order for each record."""

from collections import defaultdict
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.hashing import Digest
from keys.signing import KeyId
from ledger.ids import RecordId
from ledger.limits import (
    POOL_BYTES_MAX,
    POOL_ENTRIES_MAX,
    POOL_RECORD_DEPTH_MAX,
    POOL_SIGNER_BYTES_MAX,
    POOL_SIGNER_ENTRIES_LEAST,
    POOL_SIGNER_ENTRIES_MAX,
)
from node.errors import PoolFullError, RecordDepthError, SignerLimitError
from node.mempool import PATIENCE_BLOCKS, Limits, Mempool, PooledEntry
from tests.networks import seed

EVERYTHING = 10**9


def entry(number, signer="s", writes=(), names=(), **given):
    return PooledEntry(
        verified=cast("Any", None),
        entry_digest=Digest(seed("entry", number)),
        signer=KeyId(seed("signer", signer)[:16]),
        writes=tuple(RecordId(seed("record", one)[:16]) for one in writes),
        names=tuple(RecordId(seed("record", one)[:16]) for one in names),
        not_after_ms=given.get("not_after_ms", 1_000),
        body_digests=(),
        bodies_bytes=given.get("bodies_bytes", 0),
        size=given.get("size", 100),
        received_ms=0,
    )


def pool_of(*entries, **limits):
    pool = Mempool(Limits(**limits))
    for one in entries:
        pool.add(one)
    return pool


def take_all(pool, entries_max=EVERYTHING):
    return pool.take(entries_max, EVERYTHING, EVERYTHING)


# --- limits: each on both of its sides ---


def test_the_default_limits_are_those_of_the_table():
    assert Limits() == Limits(
        POOL_ENTRIES_MAX,
        POOL_BYTES_MAX,
        POOL_SIGNER_ENTRIES_MAX,
        POOL_SIGNER_BYTES_MAX,
        POOL_RECORD_DEPTH_MAX,
    )


def stuffed(signers, entries_max=800):
    """A pool into which some signers put as much as they are let."""
    pool = Mempool(Limits(entries_max=entries_max))
    open_to = set(range(signers))
    number = 0
    while open_to:
        for signer in sorted(open_to):
            number += 1
            try:
                pool.add(entry(number, signer))
            except SignerLimitError:
                open_to.discard(signer)
    return pool


@pytest.mark.parametrize("signers", [1, 8, 30])
def test_signers_who_stuff_the_pool_together_leave_room_for_another_one(signers):
    pool = stuffed(signers)
    assert len(pool) < 800
    for number in range(POOL_SIGNER_ENTRIES_LEAST):
        pool.add(entry(10_000 + number, "newcomer"))


def test_one_signer_alone_holds_an_eighth_of_what_he_leaves_free():
    assert len(stuffed(1)) == len(stuffed(1, 800)) == 89  # 89 >= (800 - 89) // 8


def test_a_signer_of_large_entries_is_bounded_in_bytes_and_a_few_always_fit():
    pool = Mempool(Limits(signer_bytes_max=1_000))
    for number in range(POOL_SIGNER_ENTRIES_LEAST):
        pool.add(entry(number, "a", size=500))
    with pytest.raises(SignerLimitError) as refused:
        pool.add(entry(99, "a", size=500))
    assert refused.value.details["maximum"] == 1_000
    pool.add(entry(100, "b", size=500))
    pool.remove([one.entry_digest for one in pool.entries()])
    for number in range(200, 202):
        pool.add(entry(number, "a", size=500))
    assert pool._signer_bytes == {entry(0, "a").signer: 1_000}


@pytest.mark.parametrize(
    ("limits", "fits", "over", "refusal"),
    [
        (
            {"entries_max": 2},
            [entry(0, "a"), entry(1, "b")],
            entry(2, "c"),
            PoolFullError,
        ),
        (
            {"bytes_max": 200},
            [entry(0, "a"), entry(1, "b", size=100)],
            entry(2, "c", size=1),
            PoolFullError,
        ),
        (
            {"signer_entries_max": 2},
            [entry(0, "a"), entry(1, "a")],
            entry(2, "a"),
            SignerLimitError,
        ),
        (
            {"record_depth_max": 2},
            [entry(0, "a", ["r"]), entry(1, "b", ["r"])],
            entry(2, "c", ["q", "r"]),
            RecordDepthError,
        ),
    ],
)
def test_a_limit_lets_the_last_one_in_and_refuses_the_next_by_name(limits, fits, over, refusal):
    pool = pool_of(*fits, **limits)
    assert len(pool) == len(fits)
    with pytest.raises(refusal) as refused:
        pool.add(over)
    assert refused.value.details["maximum"] in limits.values()
    assert refused.value.details["limit"]
    assert over.entry_digest not in pool
    pool.remove([fits[0].entry_digest])
    pool.add(over)
    assert over.entry_digest in pool


def test_the_same_entry_twice_is_one_entry():
    pool = pool_of(entry(0), entry(0))
    assert (len(pool), pool.bytes) == (1, 100)


def test_what_was_removed_leaves_nothing_behind():
    pool = pool_of(*[entry(number, number % 3, [number % 5]) for number in range(30)])
    removed = pool.remove([one.entry_digest for one in pool.entries()])
    assert len(removed) == 30
    assert (len(pool), pool.bytes, pool.signers, pool._writers) == (0, 0, 0, {})


def test_the_first_entry_in_an_empty_pool_is_announced_and_no_other():
    pool, calls = Mempool(), []
    pool.on_not_empty = lambda: calls.append(len(pool))
    for number in range(3):
        pool.add(entry(number))
    pool.remove([entry(number).entry_digest for number in range(3)])
    pool.add(entry(9))
    assert calls == [1, 1]


# --- time and failures ---


def test_an_entry_leaves_when_no_later_block_may_hold_it():
    pool = pool_of(entry(0, not_after_ms=500), entry(1, not_after_ms=501))
    assert [one.entry_digest for one in pool.drop_expired(500)] == [entry(0).entry_digest]
    assert len(pool) == 1


def test_an_entry_is_given_up_after_it_failed_in_some_blocks_and_not_before():
    pool = pool_of(entry(0), entry(1))
    told: list[PooledEntry] = []
    pool.on_given_up = told.extend
    for _ in range(PATIENCE_BLOCKS - 1):
        assert pool.drop_failed([entry(0).entry_digest]) == []
    assert [one.entry_digest for one in pool.drop_failed([entry(0).entry_digest])] == [
        entry(0).entry_digest
    ]
    assert told == [entry(0)]
    assert entry(1).entry_digest in pool


# --- choosing ---


def test_a_flood_of_one_signer_does_not_delay_another():
    flood = [entry(number, "flood") for number in range(500)]
    pool = pool_of(*flood, entry(1_000, "quiet"))
    taken = take_all(pool, entries_max=2)
    assert {one.signer for one in taken} == {flood[0].signer, entry(0, "quiet").signer}


def test_whoever_had_an_entry_committed_goes_to_the_end_of_the_line():
    pool = pool_of(*[entry((who, at), who) for who in "abc" for at in range(2)])
    first = take_all(pool, entries_max=2)
    pool.remove([one.entry_digest for one in first])
    assert take_all(pool, entries_max=1)[0].signer == entry(0, "c").signer


def test_taking_removes_nothing_and_is_repeatable():
    pool = pool_of(*[entry(number, number % 4, [number % 3]) for number in range(20)])
    assert take_all(pool) == take_all(pool)
    assert len(pool) == 20


def test_bodies_count_against_what_a_block_may_hold():
    pool = pool_of(entry(0, "a", bodies_bytes=60), entry(1, "b", bodies_bytes=60))
    assert len(pool.take(10, EVERYTHING, 119)) == 1
    assert len(pool.take(10, EVERYTHING, 120)) == 2


submissions = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.lists(st.integers(0, 5), max_size=2, unique=True),
        st.lists(st.integers(0, 5), max_size=2, unique=True),
        st.integers(1, 40),
    ),
    max_size=25,
)


def fill(given_entries):
    pool = Mempool(Limits(record_depth_max=100))
    for number, (signer, writes, names, size) in enumerate(given_entries):
        others = [one for one in names if one not in writes]
        pool.add(entry(number, signer, writes, others, size=size))
    return pool


def naive_take(pool, entries_max, bytes_max):
    """What `take` must return, by trying every signer again and again."""
    order = list(pool.entries())
    queues = {signer: [one for one in order if one.signer == signer] for signer in pool._queues}
    taken: list[PooledEntry] = []
    line, left = list(queues), bytes_max
    while line and len(taken) < entries_max:
        free = [signer for signer in line if is_free(queues[signer][0], order, taken)]
        if not free:
            return taken
        line.remove(free[0])
        head = queues[free[0]][0]
        if head.size <= left:
            taken.append(head)
            left -= head.size
            queues[free[0]].pop(0)
            if queues[free[0]]:
                line.append(free[0])
    return taken


def is_free(one, order, taken):
    records = {*one.writes, *one.names}
    earlier = order[: order.index(one)]
    return all(other in taken for other in earlier if records & {*other.writes})


@given(submissions, st.integers(0, 30), st.integers(0, 500))
def test_taken_entries_fit_and_come_after_what_they_build_on(found, entries_max, bytes_max):
    pool = fill(found)
    taken = pool.take(entries_max, bytes_max)
    assert len(taken) <= entries_max
    assert sum(one.size for one in taken) <= bytes_max
    order = list(pool.entries())
    place = {one.entry_digest: at for at, one in enumerate(taken)}
    for one in taken:
        for earlier in order[: order.index(one)]:
            if {*one.writes, *one.names} & {*earlier.writes}:
                assert place.get(earlier.entry_digest, EVERYTHING) < place[one.entry_digest]


@given(submissions)
def test_with_room_enough_everything_is_taken(found):
    pool = fill(found)
    assert sorted(one.entry_digest for one in take_all(pool)) == sorted(
        one.entry_digest for one in pool.entries()
    )


@given(submissions, st.integers(0, 30))
def test_no_signer_is_two_turns_ahead_of_one_who_could_go(found, entries_max):
    """Between entries that name no records, turns of two signers differ by one at most."""
    pool = fill([(signer, [], [], size) for signer, _writes, _names, size in found])
    turns: dict[bytes, int] = defaultdict(int)
    for one in take_all(pool, entries_max):
        turns[one.signer] += 1
    waiting = {signer: len(queue) for signer, queue in pool._queues.items()}
    for signer, queue in waiting.items():
        if turns[signer] < queue:
            assert all(turns[other] - turns[signer] <= 1 for other in waiting)


@given(submissions, st.integers(0, 30), st.integers(0, 500))
def test_the_naive_twin_takes_as_many(found, entries_max, bytes_max):
    """Order within a round may differ where somebody was blocked; what fits does not without."""
    pool = fill([(signer, [], [], size) for signer, _writes, _names, size in found])
    assert pool.take(entries_max, bytes_max) == naive_take(pool, entries_max, bytes_max)


@given(submissions, st.lists(st.integers(0, 24), max_size=10))
def test_adding_and_removing_keep_the_books_straight(found, removed):
    pool = fill(found)
    pool.remove([entry(number).entry_digest for number in removed])
    left = pool.entries()
    assert pool.bytes == sum(one.size for one in left)
    assert pool.signers == len({one.signer for one in left})
    assert {digest for queue in pool._queues.values() for digest in queue} == {
        one.entry_digest for one in left
    }
    assert {record for one in left for record in one.writes} == set(pool._writers)
