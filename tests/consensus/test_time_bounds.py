"""How far up to f liars can move the time of the blocks: not beyond what an honest clock bears.

Honest clocks differ by at most the precision: each is within half of it of the true time, which no
node knows. Clocks of liars show anything. Invariants of every block that is decided:

* some honest validator judged it timely in the round of its first proposal, by its own clock;
* so its time is within [t - delay(r) - 3/2 precision, t + 3/2 precision] of a true moment t at
  which an honest validator received it, however many blocks of liars came before;
* times strictly increase.
"""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consensus.events import BuildValue, ProposalReceived, ValueBuilt
from consensus.parameters import LAN
from consensus.schedule import delay_max_ms, is_timely
from tests.consensus.cluster import GENESIS_MS, HonestNode, World, disagreements
from tests.consensus.committee import committee

LIMIT_MS = GENESIS_MS + 900_000
PRECISION_MS = LAN.precision_ms
HALF_MS = PRECISION_MS // 2
HEIGHTS = 6


class SkewedNode(HonestNode):
    """A node whose clock is off; it waits, as a driver does, until it may build."""

    def __init__(self, world, index, validators, skew_ms):
        self.validators, self.skew_ms = validators, skew_ms
        self.received: dict[tuple[int, bytes], int] = {}
        super().__init__(world, index)

    def set_at(self, _height):
        return self.validators

    @property
    def now_ms(self):
        return self.world.now_ms + self.skew_ms

    def _give(self, event):
        if isinstance(event, ProposalReceived):
            signed = event.proposal.signed
            self.received.setdefault((signed.round, signed.block_id), event.received_ms)
        super()._give(event)

    def _do(self, effect):
        if not isinstance(effect, BuildValue):
            super()._do(effect)
            return
        wait_ms = max(0, effect.not_before_ms - self.now_ms)
        self.world.later(wait_ms, self.index, "build", (self.state.height, effect))

    def _receive(self, kind, what):
        if kind != "build":
            super()._receive(kind, what)
            return
        height, effect = what
        if height == self.state.height:
            time_ms = max(self.now_ms, effect.not_before_ms)
            block_id = self.world.new_block(height, effect.round, time_ms, self.own)
            self._later(5, ValueBuilt(height, effect.round, block_id, time_ms))


def run(seed, skews, liars, **network):
    """Nodes with these clocks; return the honest ones."""
    world = World(seed, **network)
    validators = committee(*(1 for _ in skews))
    nodes = [SkewedNode(world, index, validators, skew) for index, skew in enumerate(skews)]
    world.nodes.update((node.index, node) for node in nodes)
    honest = [node for node in nodes if node.index not in liars]
    world.run(LIMIT_MS, lambda: all(HEIGHTS in node.decided for node in honest))
    return world, honest


def check_times(world, honest):
    assert disagreements(honest) == []
    for node in honest:
        assert HEIGHTS in node.decided, f"node {node.index} stands at {node.state.core}"
    before = GENESIS_MS - 1
    for height in range(1, HEIGHTS + 1):
        block_id = honest[0].decided[height][0]
        block = world.blocks[block_id]
        assert block.time_ms > before
        before = block.time_ms
        judged = [
            (node, node.received[block.round, block_id])
            for node in honest
            if (block.round, block_id) in node.received
        ]
        timely = [
            received_ms - node.skew_ms
            for node, received_ms in judged
            if is_timely(LAN, block.time_ms, received_ms, block.round)
        ]
        assert timely, "no honest node judged it timely"
        delay_ms = delay_max_ms(LAN, block.round)
        earliest = min(timely) - delay_ms - PRECISION_MS - HALF_MS
        latest = max(timely) + PRECISION_MS + HALF_MS
        assert earliest <= block.time_ms <= latest


HONEST = st.integers(-HALF_MS, HALF_MS)
LIES = st.one_of(
    st.integers(-20_000, 20_000),
    st.integers(-3 * PRECISION_MS, 3 * PRECISION_MS),
    st.integers(-LAN.delay_ms - 2 * PRECISION_MS, -LAN.delay_ms + 2 * PRECISION_MS),
)


@given(st.integers(0, 9), st.lists(HONEST, min_size=3, max_size=3), LIES, st.integers(0, 3))
@example(0, [HALF_MS, -HALF_MS, HALF_MS], 2 * PRECISION_MS - 1, 1)
@example(0, [-HALF_MS, -HALF_MS, HALF_MS], 20_000, 1)
@example(0, [HALF_MS, HALF_MS, -HALF_MS], -20_000, 2)
@settings(max_examples=12, deadline=None)
def test_one_liar_of_four_moves_no_time_beyond_the_bounds(seed, honest_ms, lie_ms, liar):
    skews = [*honest_ms[:liar], lie_ms, *honest_ms[liar:]]
    check_times(*run(seed, skews, {liar}))


@given(st.integers(0, 9), st.lists(HONEST, min_size=5, max_size=5), LIES, LIES)
@settings(max_examples=5, deadline=None)
def test_two_liars_of_seven_move_no_time_beyond_the_bounds(seed, honest_ms, one_ms, two_ms):
    skews = [*honest_ms[:2], one_ms, two_ms, *honest_ms[2:]]
    check_times(*run(seed, skews, {2, 3}))


@pytest.mark.parametrize("skews", [(50, -50, 50, -50), (-50, 50, -50, 50), (50, 50, 50, -50)])
def test_honest_clocks_at_the_edge_of_the_precision_cost_no_round(skews):
    world, honest = run(3, skews, set(), delay_max_ms=40)
    check_times(world, honest)
    assert {number for node in honest for number in node.rounds} == {0}


@pytest.mark.parametrize("lie_ms", [-20_000, 20_000])
def test_a_liar_far_outside_loses_its_turns_and_nobody_else_does(lie_ms):
    """Its proposals are answered with nil; blocks keep the time of the honest."""
    world, honest = run(3, [0, lie_ms, 0, 0], {1}, delay_max_ms=40)
    check_times(world, honest)
    by_liar = [
        height
        for height in range(1, HEIGHTS + 1)
        if world.blocks[honest[0].decided[height][0]].proposer == 1
    ]
    assert by_liar == []


def test_negative_control_with_two_liars_of_four_the_bounds_do_not_hold():
    """Two of four with one lie of 20 s and an honest third that is that far off: time is moved."""
    world, honest = run(3, [0, 20_000, 20_000, 20_000], {1, 2, 3}, delay_max_ms=40)
    times = [world.blocks[block_id].time_ms for block_id, _ in honest[0].decided.values()]
    assert any(time_ms > world.now_ms + 2 * PRECISION_MS for time_ms in times)


def test_negative_control_a_machine_that_asks_no_time_is_caught(monkeypatch):
    monkeypatch.setattr("consensus.rules.is_timely", lambda *_anything: True)
    world, honest = run(3, [0, 20_000, 0, 0], {1}, delay_max_ms=40)
    with pytest.raises(AssertionError):
        check_times(world, honest)


@pytest.mark.parametrize("round_number", [0, 1, 3, 40])
@pytest.mark.parametrize(
    ("off_ms", "accepted"),
    [
        (lambda _delay: PRECISION_MS, True),
        (lambda _delay: PRECISION_MS + 1, False),
        (lambda delay: -delay - PRECISION_MS, True),
        (lambda delay: -delay - PRECISION_MS - 1, False),
    ],
)
def test_the_bounds_themselves_are_accepted_and_one_millisecond_more_is_not(
    round_number, off_ms, accepted
):
    delay_ms = delay_max_ms(LAN, round_number)
    assert delay_ms == min(2_000 + 500 * round_number, 10_000)
    received_ms = 1_000_000
    time_ms = received_ms + off_ms(delay_ms)
    assert is_timely(LAN, time_ms, received_ms, round_number) is accepted
