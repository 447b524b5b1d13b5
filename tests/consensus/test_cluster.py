"""Four engines on an invented network: they agree, they go on, and the checker is not blind."""

import pytest

from tests.consensus.cluster import (
    GENESIS_MS,
    Equivocator,
    HonestNode,
    World,
    disagreements,
)

LIMIT_MS = GENESIS_MS + 600_000
HEIGHTS = 4


def run(seed, *, liars=(), talkative=10_000, crash_permille=0, absent=(), **network):
    world = World(seed, **network)
    for index in range(4):
        if index in liars:
            world.nodes[index] = Equivocator(world, index, talkative)
    honest = [HonestNode(world, i) for i in range(4) if i not in liars and i not in absent]
    world.nodes.update((node.index, node) for node in honest)
    for node in honest:
        node.crash_permille = crash_permille
    world.run(LIMIT_MS, lambda: all(len(node.decided) >= HEIGHTS for node in honest))
    return world, honest


def assert_agreed(honest):
    assert disagreements(honest) == []
    for node in honest:
        assert len(node.decided) >= HEIGHTS, f"node {node.index} stands at {node.state.core}"


@pytest.mark.parametrize("seed", range(6))
def test_on_a_good_network_all_decide_every_height_in_round_0(seed):
    _, honest = run(seed)
    assert_agreed(honest)
    assert {number for node in honest for number in node.rounds} == {0}


@pytest.mark.parametrize("seed", range(8))
def test_on_a_bad_network_all_decide_the_same(seed):
    _, honest = run(seed, loss_percent=30, delay_max_ms=900)
    assert_agreed(honest)


@pytest.mark.parametrize("seed", range(4))
def test_three_of_four_go_on_while_one_is_silent(seed):
    _, honest = run(seed, absent=(seed % 4,), loss_percent=5)
    assert_agreed(honest)


@pytest.mark.parametrize("liar", range(4))
@pytest.mark.parametrize("seed", range(3))
def test_one_equivocator_stops_nobody_and_is_the_only_one_accused(seed, liar):
    _, honest = run(seed * 10 + liar, liars=(liar,), loss_percent=10, delay_max_ms=200)
    assert_agreed(honest)
    accused = {piece.validator for node in honest for piece in node.evidence}
    assert accused <= {liar}


@pytest.mark.parametrize("talkative", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_an_equivocator_that_then_falls_silent_stops_nobody(seed, talkative):
    _, honest = run(seed, liars=(1 + seed % 3,), talkative=talkative)
    assert_agreed(honest)


@pytest.mark.parametrize("seed", range(8))
def test_nodes_that_crash_at_any_effect_never_contradict_themselves_and_decide(seed):
    """The guard asserts that no place is ever signed with two different messages."""
    _, honest = run(seed, crash_permille=30, loss_percent=10, delay_max_ms=200)
    assert_agreed(honest)
    assert sum(node.crashes for node in honest) > 10


@pytest.mark.parametrize("seed", range(3))
def test_crashes_and_an_equivocator_together(seed):
    _, honest = run(seed, crash_permille=15, liars=(seed,), delay_max_ms=200)
    assert_agreed(honest)


def test_one_seed_repeats_a_run_byte_for_byte():
    first, second = (run(7, loss_percent=20, delay_max_ms=400) for _ in range(2))
    assert first[0].now_ms == second[0].now_ms
    assert [node.log for node in first[1]] == [node.log for node in second[1]]
    assert run(8, loss_percent=20, delay_max_ms=400)[0].now_ms != first[0].now_ms


def test_negative_control_two_liars_of_four_split_the_honest_and_the_checker_finds_it():
    split = [seed for seed in range(4) if disagreements(run(seed, liars=(1, 2))[1])]
    assert split, "a checker that finds nothing here is blind"


def test_negative_control_two_silent_of_four_stop_the_network_and_only_stop_it():
    _, honest = run(1, absent=(2, 3))
    assert disagreements(honest) == []
    assert [node.decided for node in honest] == [{}, {}]
    assert [node.state.round for node in honest] == [0, 0], "no quorum, so no round passes"
