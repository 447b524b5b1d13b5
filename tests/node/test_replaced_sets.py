"""Catching up where more than two thirds of the validators were replaced since this node's tip."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.messages import Phase, Status
from keys.signing import SoftwareKey
from ledger.errors import InvalidQuorumError
from ledger.ids import AgencyId
from ledger.validators import Validator, ValidatorSet
from node.logs import SilentLog
from node.sync import PROBE_EVERY_MS, Sync
from node.sync_search import ProofSearch
from tests.node.invented_world import AGENCIES, VALIDATORS
from tests.node.scheduled_ports import ScheduledPorts
from tests.node.test_sync import Target, honest, served

NEW = [AgencyId(bytes([number]) * 16) for number in range(4, 12)]
MEMBERS = {agency: Validator(agency, SoftwareKey.generate().public, 1) for agency in NEW}
MEMBERS |= {one.agency_id: one for one in VALIDATORS.validators}
OWN, STAYS = AGENCIES[0], AGENCIES[1]
STATUS_MS = 2_000


def members(*agencies):
    return ValidatorSet(tuple(MEMBERS[agency] for agency in sorted(agencies)))


class ChangingTarget(Target):
    """Its set changes at heights of a plan; it knows those up to two heights above its tip."""

    def __init__(self, plan):
        super().__init__()
        self.plan = plan

    def real(self, height):
        return self.plan[max(first for first in self.plan if first <= height)]

    def validators_at(self, height):
        return self.real(min(height, self.tip_height + 2))

    def check_certificate(self, one):
        super().check_certificate(one)
        if self.validators_at(one.height) != self.real(one.height):
            raise InvalidQuorumError("signed by another set than is believed to be that of then")

    def check_ahead(self, height, block_raw, one):
        if self.validators_at(height) == self.real(height):  # as the header says
            super().check_ahead(height, block_raw, one)


class World(ScheduledPorts):
    """A node at genesis among peers that all say where they stand, again and again."""

    def __init__(self, plan, manners, tip):
        super().__init__(manners)
        self.target, self.tip = ChangingTarget(plan), tip
        self.sync = Sync(self.target, self, self, self, SilentLog())
        self.tell()

    def tell(self):
        for peer in self.peers:
            self.sync.status(peer, Status(self.tip + 1, 0, Phase.PROPOSE, self.tip))
        self.after(STATUS_MS, self.tell)

    def run_to(self, height, within_ms=60_000):
        self.run_until(
            lambda: self.target.tip_height >= height and not self.sync.is_active, within_ms
        )


@pytest.mark.parametrize("stays", [(), (STAYS,)], ids=["all are new", "one of three is left"])
def test_new_members_alone_bring_a_node_over_the_change_of_nearly_all_validators(stays):
    """Nobody whom its set names, or too few of them, says any more where the chain is."""
    plan = {1: VALIDATORS, 300: members(OWN, *stays, *NEW[:3])}
    world = World(plan, dict.fromkeys([*stays, *NEW[:3]], honest), 700)
    world.run_to(700)
    assert world.target.validators_at(701) == plan[300]
    assert world.blamed == []
    assert len([one for one in world.asked if one[2] == 1]) <= 4 * 20, "halving, not one by one"


def test_several_replacements_one_after_the_other_are_followed():
    plan = {
        1: VALIDATORS,
        50: members(OWN, *NEW[:3]),
        51: members(OWN, *NEW[3:6]),
        120: members(OWN, NEW[0], *NEW[6:]),
    }
    world = World(plan, dict.fromkeys(NEW[6:], honest), 200)
    world.run_to(200, 120_000)


def test_a_liar_that_claims_far_and_proves_nothing_costs_two_questions_each_time():
    def forged(first, count):
        return served(first, count, forge=first)

    world = World({1: VALIDATORS}, {NEW[0]: forged}, 10**15)
    world.run(10 * PROBE_EVERY_MS)
    assert world.target.voting == []
    assert len(world.asked) <= 2 * 10


def test_who_proves_the_next_block_only_brings_us_there_and_no_further():
    """A liar may show what is true; what it claims beyond is believed by nobody."""

    def one_true(first, count):
        return honest(first, 1) if first == 1 else served(first, count, forge=first)

    world = World({1: VALIDATORS}, {NEW[0]: one_true}, 10**9)
    world.run(10 * PROBE_EVERY_MS)
    assert world.target.tip_height == 1
    assert not world.sync.is_active
    assert world.target.voting == ["left", "returned"]


def test_where_nobody_answers_the_node_stays_where_it_is():
    plan = {1: VALIDATORS, 300: members(OWN, *NEW[:3])}
    world = World(plan, dict.fromkeys(NEW[:3], lambda *_range: None), 700)
    world.run(10 * PROBE_EVERY_MS)
    assert (world.target.tip_height, world.target.voting) == (0, [])


def test_the_gate_before_voting_does_not_hold_up_catching_up_with_a_later_set():
    """Those of the set at which it stops first are gone: only later members can answer."""
    plan = {1: VALIDATORS, 50: members(OWN, *NEW[:3]), 120: members(OWN, *NEW[5:])}
    world = World(plan, dict.fromkeys(NEW[5:], honest), 200)
    world.sync.may_return = lambda _then: (
        world.target.validators_at(world.target.tip_height + 1) != plan[50]
    )
    world.run_to(200, 120_000)
    assert world.target.voting[-1] == "returned"


@given(tip=st.integers(0, 50), claimed=st.integers(1, 10**12), change=st.integers(1, 10**12))
def test_the_search_finds_the_last_height_before_the_change(tip, claimed, change):
    """Naive twin: certificates hold below the change, and nowhere from it on."""
    claimed += tip
    search, asked = ProofSearch(tip, claimed), 0
    while search.height is not None:
        asked += 1
        assert tip < search.height <= claimed
        search.answered(holds=search.height < change)
    assert search.proved == max(tip, min(claimed, change - 1))
    assert asked <= 2 + 41


@given(st.lists(st.sampled_from([True, False, None]), max_size=80))
def test_whatever_a_peer_answers_the_search_ends_and_proves_only_what_held(answers):
    search, held = ProofSearch(7, 2**63), {7}
    for holds in answers:
        if search.height is None:
            break
        if holds:
            held.add(search.height)
        search.answered(holds=holds)
    assert search.proved == max(held)
    assert search.height is None or len(answers) < 66
