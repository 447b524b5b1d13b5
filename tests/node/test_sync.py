"""Catching up from several peers of which some lie, on an invented network, clock and chain."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.messages import Phase, Status
from keys.hashing import sha256
from ledger.canonical import encode
from ledger.errors import InvalidBlockError, InvalidQuorumError
from ledger.quorum import QuorumCertificate, print_quorum_certificate
from node.logs import SilentLog
from node.sync import PATIENCE_MS, QUESTION_MS, Sync
from node.sync_plan import OPEN_MAX, Held
from node.sync_wire import RANGE_MAX, answer_range, parse_range
from tests.node.invented_world import AGENCIES, VALIDATORS
from tests.node.scheduled_ports import ScheduledPorts

PEERS = AGENCIES[1:]
LIES = {
    "garbage": lambda *_range: b"garbage",
    "nothing at all in the frame": lambda *_range: encode(()),
    "more than was asked": lambda first, count: honest(first, count + 1),
    "blocks of other heights": lambda first, count: honest(first + 1, count),
    "a forged certificate": lambda first, count: served(first, count, forge=first),
    "a false last block": lambda first, count: served(first, count, forge=first + count - 1),
    "false bodies under a true header": lambda first, count: served(first, count, false_body=first),
}
EVASIONS = {
    "an endless stall": None,
    "it has nothing": lambda *_range: None,
    "one block each time": lambda first, _count: honest(first, 1),
}


def block(height):
    return b"block %d" % height


def certificate(height, *, forged=False):
    block_id = bytes(32) if forged else sha256(block(height))
    return QuorumCertificate(height, 0, block_id, ((0, bytes(64)),))


def served(first, count, forge=0, false_body=0):
    pairs = []
    for height in range(first, first + count):
        raw = block(height) + b"!" if height == false_body else block(height)
        made = certificate(height, forged=height == forge)
        pairs.append((raw, print_quorum_certificate(made)))
    return encode(tuple(pairs))


def honest(first, count):
    return served(first, count)


class Target:
    """A chain of names; a certificate is good when it names the block of its height."""

    def __init__(self):
        self.tip_height = 0
        self.chain: list[bytes] = []
        self.voting: list[str] = []

    def validators_at(self, height):
        assert height <= self.tip_height + 1
        return VALIDATORS

    def check_certificate(self, one):
        if one.block_id != sha256(block(one.height)):
            raise InvalidQuorumError("forged")

    def check_ahead(self, height, _block_raw, one):
        if one.height != height:
            raise InvalidBlockError("another height")
        self.check_certificate(one)

    def apply_certified(self, block_raw, one):
        self.check_certificate(one)
        assert one.height == self.tip_height + 1
        if block_raw != block(one.height):
            raise InvalidBlockError("other bodies")
        self.chain.append(block_raw)
        self.tip_height += 1

    def leave_voting(self):
        self.voting.append("left")

    def return_to_voting(self):
        self.voting.append("returned")


class World(ScheduledPorts):
    """Peers with manners, and a node that is to catch up."""

    def __init__(self, manners=None, delays=None):
        super().__init__(dict.fromkeys(PEERS, honest) | (manners or {}), delays)
        self.target = Target()
        self.sync = Sync(self.target, self, self, self, SilentLog())

    def say(self, height, peers=PEERS):
        for peer in peers:
            self.sync.status(peer, Status(height + 1, 0, Phase.PROPOSE, height))

    def run_to(self, height, within_ms=60_000):
        self.run_until(
            lambda: self.target.tip_height >= height and not self.sync.is_active, within_ms
        )


def test_two_heights_behind_by_more_than_a_third_leaves_syncs_and_returns():
    world = World()
    world.say(30, PEERS[:1])
    assert world.target.voting == []
    world.say(30, PEERS[1:2])
    assert world.target.voting == ["left"]
    world.run_to(30)
    assert world.target.voting == ["left", "returned"]
    assert world.target.chain == [block(height) for height in range(1, 31)]


def test_the_word_of_a_peer_applies_nothing_within_the_request_that_brings_it():
    """A disk that refuses must stop the node; a request would only be answered with an error."""
    world = World()
    world.sync._proof = Held(PEERS[0], block(1), certificate(1))
    world.say(5)
    assert (world.sync.is_active, world.target.tip_height) == (True, 0)
    world.run_to(5)


def test_it_stays_silent_until_it_may_return_and_takes_in_what_comes_meanwhile():
    world = World()
    gates: list[Any] = []
    is_open: list[bool] = []

    def may_return(then):
        gates.append(then)
        return bool(is_open)

    world.sync.may_return = may_return
    world.say(5)
    world.run_until(lambda: gates)
    world.run(world.time_ms + 10 * QUESTION_MS)
    assert (world.target.tip_height, world.target.voting) == (5, ["left"])
    world.say(9)
    world.run(world.time_ms + 10 * QUESTION_MS)
    assert (world.target.tip_height, world.target.voting) == (9, ["left"])
    assert world.sync.is_active
    is_open.append(True)
    gates[-1]()
    assert world.target.voting == ["left"], "nothing is done within the request of who lets it go"
    world.run(world.time_ms + 1)
    assert world.target.voting == ["left", "returned"]
    gates[0]()
    world.run(world.time_ms + 1)
    assert world.target.voting == ["left", "returned"], "a late leave means nothing"


def test_one_peer_alone_can_prove_it_with_a_certificate():
    world = World()
    world.say(5, PEERS[:1])
    world.run_to(5)


def test_the_only_peer_that_decided_a_height_proves_it_to_those_who_stay_behind():
    world = World()
    world.say(1, PEERS[:1])
    world.run(PATIENCE_MS - 1)
    assert world.asked == []
    world.run_to(1)
    assert world.target.voting == ["left", "returned"]


def test_the_only_peer_that_decided_a_height_may_be_gone_once_it_has_proved_it():
    """Else one crash would keep all others out of voting, waiting for a block that each had."""

    def once_alone(first, _count):
        world.manners[PEERS[0]] = None
        return honest(first, 1)

    world = World(manners={PEERS[0]: once_alone} | dict.fromkeys(PEERS[1:], lambda *_range: None))
    world.say(1, PEERS[:1])
    world.run_to(1)
    assert world.target.voting == ["left", "returned"]


def test_one_liar_that_claims_one_height_more_is_asked_for_proof_and_not_believed():
    world = World(manners=dict.fromkeys(PEERS, lambda *_range: None))
    for _ in range(10):
        world.say(1, PEERS[:1])
        world.run(world.time_ms + 2_000)
    assert world.target.voting == []
    assert 0 < len(world.asked) <= 10


def test_one_liar_alone_cannot_make_us_leave():
    world = World(manners=dict.fromkeys(PEERS, lambda *_range: None))
    world.say(10**9, PEERS[:1])
    world.run(20_000)
    assert world.target.voting == []
    assert len(world.asked) <= 20


def test_several_peers_are_asked_at_once_each_within_its_bounds():
    world = World()
    world.say(1_000)
    world.run_to(1_000)
    assert 2 * len(PEERS) <= world.together_max <= OPEN_MAX + 1
    assert all(2 <= most <= 3 for most in world.open_max.values())
    shares = [sum(count for peer, _first, count in world.asked if peer == one) for one in PEERS]
    assert 1_000 <= sum(shares) <= 1_000 + len(PEERS)  # a probe may come first
    assert min(shares) >= 200


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_peer_is_blamed_and_left_alone_and_does_not_stop_the_sync(lie):
    world = World(manners={PEERS[0]: LIES[lie]})
    world.say(400)
    world.run_to(400, 5_000)
    assert set(world.blamed) == {PEERS[0]}
    assert world.sync.dropped == (PEERS[0],)
    assert sum(peer == PEERS[0] for peer, _first, _count in world.asked) <= 3


@pytest.mark.parametrize("lies", list(product(LIES, repeat=2)))
def test_two_lying_peers_do_not_stop_the_sync_either(lies):
    world = World(manners={peer: LIES[lie] for peer, lie in zip(PEERS[:2], lies, strict=True)})
    world.say(60)
    world.run_to(60, 10_000)
    assert set(world.blamed) <= set(PEERS[:2])
    assert world.target.chain == [block(height) for height in range(1, 61)]


@pytest.mark.parametrize("evasion", EVASIONS)
def test_a_peer_that_evades_is_not_blamed_and_costs_little(evasion):
    world = World(manners={PEERS[0]: EVASIONS[evasion]})
    world.say(600)
    world.run_to(600, 5 * QUESTION_MS)
    assert world.blamed == []


def test_who_lied_is_asked_again_after_a_while():
    """Where nobody else is left the sync waits, and takes the truth when it comes."""
    world = World(manners=dict.fromkeys(PEERS, LIES["garbage"]))
    world.say(20)
    world.run(5_000)
    assert set(world.sync.dropped) == set(PEERS)
    world.manners = dict.fromkeys(PEERS, honest)
    world.run_to(20, 15_000)


def test_a_late_answer_is_still_taken():
    world = World(delays=dict.fromkeys(PEERS, QUESTION_MS + 500))
    world.say(64)
    world.run_to(64)
    assert world.blamed == []


def test_one_height_behind_is_given_a_moment_first():
    world = World()
    world.say(1)
    assert world.target.voting == []
    world.run_to(1)


def test_a_height_that_nobody_serves_is_asked_for_until_somebody_does():
    def until_two(first, count):
        return answer_range(first, count, lambda height: pair(height) if height <= 2 else None)

    world = World(manners=dict.fromkeys(PEERS, until_two))
    world.say(4)
    world.run(30_000)
    assert world.target.tip_height == 2
    assert len(world.asked) <= 100
    world.manners[PEERS[2]] = honest
    world.run_to(4)
    assert world.blamed == []


def test_who_fell_behind_again_meanwhile_goes_on():
    world = World()
    world.say(3)
    world.say(50)
    world.run_to(50)
    assert world.target.voting == ["left", "returned"]


def test_an_outage_of_all_peers_costs_no_multiple_of_it():
    world = World(manners=dict.fromkeys(PEERS, lambda *_range: None))
    world.say(100)
    world.run(600_000)
    world.manners = dict.fromkeys(PEERS, honest)
    world.run_to(100, 6_000)


MANNERS = [honest, *LIES.values(), *EVASIONS.values()]


@given(
    goal=st.integers(2, 80),
    manners=st.tuples(st.sampled_from(MANNERS), st.sampled_from(MANNERS)),
    delays=st.tuples(*[st.integers(0, 2 * QUESTION_MS) for _peer in PEERS]),
)
def test_with_one_honest_peer_the_chain_is_that_of_fetching_one_by_one_from_it(
    goal, manners, delays
):
    twin = Target()
    for height in range(1, goal + 1):
        twin.apply_certified(block(height), certificate(height))
    world = World(
        manners=dict(zip(PEERS[:2], manners, strict=True)),
        delays=dict(zip(PEERS, delays, strict=True)),
    )
    world.say(goal)
    world.run_to(goal, 1_500_000)
    assert world.target.chain == twin.chain
    assert PEERS[2] not in world.blamed


def pair(height):
    return block(height), print_quorum_certificate(certificate(height))


@given(first=st.integers(1, 50), count=st.integers(1, RANGE_MAX), tip=st.integers(0, 60))
def test_a_range_holds_what_is_there_from_its_first_block_on(first, count, tip):
    raw = answer_range(first, count, lambda height: pair(height) if height <= tip else None)
    wanted = [pair(height)[0] for height in range(first, min(tip, first + count - 1) + 1)]
    assert ([] if raw is None else [one for one, _qc in parse_range(raw, count)]) == wanted


def test_a_range_ends_before_it_is_too_long_and_any_one_block_fits():
    large = bytes(3 * 1024 * 1024)
    raw = answer_range(1, 5, lambda height: (large, pair(height)[1]))
    assert raw is not None
    assert len(parse_range(raw, 5)) == 1
