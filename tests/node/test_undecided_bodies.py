"""What is fetched for a block that may never be decided: counted, staged, forgotten."""

import asyncio

import pytest

from ledger.canonical import encode
from ledger.limits import BLOCK_BODIES_BYTES_MAX, BODY_BYTES_MAX, STAGED_SIGNER_BYTES_MAX
from ledger.staging import StagedBody
from ledger.vault import Vault
from node import public_side
from node.application import Turn
from node.bodies import PAUSE_MS, SEALED_PATH
from node.body_wishes import BLOCKS_MAX
from node.mempool import Mempool
from tests.node.invented_world import AGENCIES
from tests.node.named_bodies import (
    NOT_AFTER_MS,
    SIGNER,
    NotingLog,
    block_of,
    digest_of,
    entry_of,
    go_on,
    make,
    serve,
)
from tests.node.public_town import served
from tests.node.test_mempool import EVERYTHING, entry

FIT = BLOCK_BODIES_BYTES_MAX // BODY_BYTES_MAX
"""Bodies of the largest size that a block may have."""
PROPOSER = AGENCIES[0]
ACCOUNT = b"proposer" + PROPOSER


def large_bodies(count, first=0):
    bodies = [number.to_bytes(4) + bytes(BODY_BYTES_MAX - 4) for number in range(first, count)]
    return {digest_of(body): body for body in bodies}


@pytest.fixture
def vault(tmp_path):
    opened = Vault.open(tmp_path / "vault")
    yield opened
    opened.close()


def wanted(vault, offered, log=None, **given):
    """Bodies of a block, wanted of a proposer who serves them; and what was told."""
    bodies, network, timers = make(vault, log=log)
    serve(network, PROPOSER, offered)
    told = []
    bodies.want(block_of(offered, **given), PROPOSER, lambda: told.append(1))
    return bodies, network, timers, told


# --- 8 MiB, on both sides ---


def test_so_many_bodies_of_the_largest_size_fit_into_a_block():
    assert FIT * BODY_BYTES_MAX == BLOCK_BODIES_BYTES_MAX
    assert FIT == 32


@pytest.mark.parametrize(("count", "taken"), [(FIT - 1, FIT - 1), (FIT, FIT), (FIT + 1, FIT)])
def test_the_own_proposer_never_takes_more_bodies_than_a_block_may_have(count, taken):
    pool = Mempool()
    for number in range(count):
        pool.add(entry(number, number, bodies_bytes=BODY_BYTES_MAX))
    assert len(pool.take(EVERYTHING, EVERYTHING)) == taken


@pytest.mark.parametrize("here", [0, 20, FIT + 1])
@pytest.mark.parametrize("count", [FIT, FIT + 1])
def test_a_block_whose_bodies_are_over_the_limit_together_never_has_them(vault, here, count):
    offered = large_bodies(count)
    vault.stage_bodies(
        [StagedBody(one, body, SIGNER, NOT_AFTER_MS) for one, body in [*offered.items()][:here]]
    )
    log = NotingLog()
    bodies, network, timers, told = wanted(vault, offered, log)
    go_on(network, timers, 20)
    assert bodies.missing == 0
    if count == FIT:
        assert (told, log.noted) == ([1], [])
        assert vault.staged_bytes(SIGNER) == BLOCK_BODIES_BYTES_MAX
    else:
        assert told == []
        assert log.count("block_bodies_too_large") == 1
        asked = len(network.asked)
        go_on(network, timers, 20)
        assert len(network.asked) == asked, "what is too large is not asked for again"


def test_one_byte_over_the_limit_is_over(vault):
    offered = large_bodies(FIT) | {digest_of(b"x"): b"x"}
    log = NotingLog()
    _bodies, network, timers, told = wanted(vault, offered, log)
    go_on(network, timers, 20)
    assert told == []
    assert log.count("block_bodies_too_large") == 1


def test_a_body_that_two_entries_name_counts_once(vault):
    offered = large_bodies(FIT)
    bodies, network, timers = make(vault)
    serve(network, PROPOSER, offered)
    block = block_of(offered)
    block.entries += [entry_of(offered)]
    told: list[int] = []
    bodies.want(block, PROPOSER, lambda: told.append(1))
    go_on(network, timers, 20)
    assert told == [1]


def test_another_block_that_shares_a_body_with_one_that_is_too_large_gets_it(vault):
    offered = large_bodies(FIT + 1)
    shared = list(offered)[-1]
    bodies, network, timers, told = wanted(vault, offered)
    other: list[int] = []
    bodies.want(block_of([shared], name=b"other"), PROPOSER, lambda: other.append(1))
    go_on(network, timers, 20)
    assert (told, other) == ([], [1])
    assert bodies.missing == 0


# --- staged, not kept ---


def test_what_came_for_a_block_that_is_never_decided_vanishes_with_its_entries(vault):
    offered = large_bodies(FIT)
    _bodies, network, timers, told = wanted(vault, offered)
    go_on(network, timers, 20)
    assert told == [1]
    assert vault.staged_bytes(SIGNER) == BLOCK_BODIES_BYTES_MAX
    assert vault.drop_expired(NOT_AFTER_MS) == ()
    assert set(vault.drop_expired(NOT_AFTER_MS + 1)) == set(offered)
    assert [vault.body(digest) for digest in offered] == [None] * FIT


def test_what_came_for_a_block_is_kept_once_it_is_stored(vault):
    offered = large_bodies(3)
    bodies, network, timers, _told = wanted(vault, offered)
    go_on(network, timers, 5)
    bodies.keep(offered)
    bodies.forget_through(1)
    assert vault.staged_bytes(SIGNER) == 0
    assert vault.drop_expired(2**62) == ()
    assert {digest: vault.body(digest) for digest in offered} == offered


def test_a_body_of_two_entries_is_staged_for_the_one_that_lasts(vault):
    digest = digest_of(b"one")
    bodies, network, timers = make(vault, [(PROPOSER, b"one")])
    block = block_of([digest], not_after_ms=5)
    block.entries += [entry_of([digest], b"t" * 16, 900), entry_of([digest], b"u" * 16, 7)]
    bodies.want(block, PROPOSER, lambda: None)
    go_on(network, timers, 3)
    assert vault.staged_bytes(b"t" * 16) == 3
    assert vault.drop_expired(900) == ()
    assert vault.drop_expired(901) == (digest,)


def fill(vault, account, bodies):
    errors = vault.stage_bodies(
        [StagedBody(one, body, account, NOT_AFTER_MS) for one, body in bodies.items()]
    )
    assert set(errors) == {None}
    assert vault.staged_bytes(account) == STAGED_SIGNER_BYTES_MAX


def test_a_signer_who_has_used_up_his_room_keeps_no_block_from_being_voted_for(vault):
    count = STAGED_SIGNER_BYTES_MAX // BODY_BYTES_MAX
    fill(vault, SIGNER, large_bodies(count))
    bodies, network, timers, told = wanted(vault, large_bodies(count + 2, count))
    go_on(network, timers, 5)
    assert told == [1]
    assert vault.staged_bytes(ACCOUNT) == 2 * BODY_BYTES_MAX
    assert network.blamed == []
    assert bodies.missing == 0


def test_a_proposer_whose_blocks_have_used_up_the_room_waits_until_some_is_free(vault):
    count, log = STAGED_SIGNER_BYTES_MAX // BODY_BYTES_MAX, NotingLog()
    fill(vault, SIGNER, large_bodies(count))
    fill(vault, ACCOUNT, large_bodies(2 * count, count))
    offered = large_bodies(2 * count + 1, 2 * count)
    _bodies, network, timers, told = wanted(vault, offered, log, not_after_ms=NOT_AFTER_MS + 10)
    go_on(network, timers, 5)
    assert told == []
    assert log.count("bodies_no_room") == 1
    assert network.blamed == []
    vault.drop_expired(NOT_AFTER_MS + 1)
    go_on(network, timers, 2)
    assert told == [1]
    assert vault.staged_bytes(SIGNER) == BODY_BYTES_MAX


def test_another_proposers_block_is_not_concerned(vault):
    count = STAGED_SIGNER_BYTES_MAX // BODY_BYTES_MAX
    fill(vault, SIGNER, large_bodies(count))
    fill(vault, ACCOUNT, large_bodies(2 * count, count))
    bodies, network, timers = make(vault, [(AGENCIES[1], b"one")])
    told: list[int] = []
    bodies.want(block_of([digest_of(b"one")]), AGENCIES[1], lambda: told.append(1))
    go_on(network, timers, 5)
    assert told == [1]


# --- forgotten ---


def test_a_stored_height_ends_the_questions_for_all_its_blocks_but_the_stored_one(vault):
    bodies, network, timers = make(vault)
    mine, others = digest_of(b"decided"), [digest_of(b"lost %d" % number) for number in range(3)]
    told: list[int] = []
    for number, digest in enumerate([mine, *others]):
        name = b"block %d" % number
        bodies.want(block_of([digest, others[0]], name=name), None, lambda: told.append(1))
    bodies.want(block_of([digest_of(b"later")], height=2), None, lambda: told.append(2))
    go_on(network, timers, 3)
    bodies.keep([mine])
    bodies.forget_through(1)
    assert bodies.lacking() == (mine,)
    assert bodies.missing == 2
    for peer in AGENCIES:
        serve(network, peer, {digest_of(body): body for body in (b"decided", b"lost 0", b"later")})
    go_on(network, timers, 5)
    assert bodies.missing == 0
    assert told == [2], "nobody is told of a height that is over"
    assert vault.body(mine) == b"decided"
    assert vault.drop_expired(2**62) == (digest_of(b"later"),)
    asked = len(network.asked)
    go_on(network, timers, 200)
    assert len(network.asked) == asked


def test_an_answer_that_comes_after_its_height_is_stored_changes_nothing(vault):
    digest = digest_of(b"one")
    bodies, network, timers, told = wanted(vault, {digest: b"one"})
    timers.fire_all()
    bodies.forget_through(1)
    network.answer_all()
    assert (told, vault.body(digest), bodies.missing) == ([], None, 0)


def test_of_very_many_undecided_blocks_the_oldest_are_forgotten(vault):
    bodies, _network, _timers = make(vault)
    for number in range(BLOCKS_MAX + 5):
        name = b"%d" % number
        bodies.want(block_of([digest_of(name)], name=name), None, lambda: None)
    assert bodies.missing == BLOCKS_MAX


def test_gossip_that_comes_after_the_block_is_stored_is_kept_and_not_only_staged(vault):
    digest = digest_of(b"one")
    bodies, _network, _timers = make(vault)
    bodies.keep([digest])
    vault.stage_bodies([StagedBody(digest, b"one", SIGNER, NOT_AFTER_MS)])
    bodies.recheck()
    assert bodies.missing == 0
    assert vault.drop_expired(2**62) == ()
    assert vault.body(digest) == b"one"


def test_what_only_a_stored_block_lacks_is_asked_for_seldom(vault):
    bodies, network, timers = make(vault)
    bodies.keep([digest_of(b"nowhere")])
    pauses = []
    for _ in range(10):
        pauses += [delay_ms for delay_ms, _fire in timers.pending]
        go_on(network, timers)
    assert pauses == [100] + [5_000] * 9
    assert len(network.asked) == 10 * len(AGENCIES)


def test_what_a_prevote_waits_for_is_asked_for_often_and_nothing_else_with_it(vault):
    bodies, network, timers = make(vault)
    bodies.keep([digest_of(b"nowhere")])
    go_on(network, timers)
    bodies.want(block_of([digest_of(b"withheld")]), None, lambda: None)
    questions: list[bytes] = []
    for peer in AGENCIES:
        network.served[peer, SEALED_PATH] = questions.append
    for _ in range(4):
        soon = [one for one in timers.pending if one[0] <= PAUSE_MS]
        timers.pending = [one for one in timers.pending if one not in soon]
        for _delay_ms, fire in soon:
            fire()
        network.answer_all()
    assert set(questions) == {encode((digest_of(b"withheld"),))}
    assert len(questions) == 4 * len(AGENCIES)


# --- a block that takes long ---


@pytest.mark.asyncio
async def test_while_a_block_is_under_way_no_body_goes_that_it_may_need(tmp_path, monkeypatch):
    monkeypatch.setattr(public_side, "HOUSEKEEPING_S", 0.01)
    async with served(tmp_path) as api:
        node = api.node
        tip_ms, now_ms = node.application.tip_time_ms, node.clock.now_ms()
        needless, needed = digest_of(b"needless"), digest_of(b"needed")
        times = {b"needless": tip_ms - 1, b"needed": now_ms - 1}
        block = node.application.finish_draft(
            node.application.begin_draft(), Turn(round=0, proposer=0, time_ms=now_ms - 2)
        )
        node.world.exchange.hold(block)
        vault = node.storage.vault
        vault.stage_bodies(
            [StagedBody(digest_of(one), one, SIGNER, at) for one, at in times.items()]
        )
        while vault.body(needless) is not None:
            await asyncio.sleep(0.01)
        node.world.exchange.forget_through(1)
        await asyncio.sleep(0.05)
        assert vault.body(needed) == b"needed", "another node may hold the block still"
