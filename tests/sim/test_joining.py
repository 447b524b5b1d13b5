"""Nodes that begin with a snapshot, each case alone and in calm; and liars who make one up."""

from unittest.mock import patch

import pytest

from tests.sim import false_snapshots
from tests.sim.committees import Change
from tests.sim.false_snapshots import FalseSnapshots
from tests.sim.governance import Story
from tests.sim.nemesis import Plan
from tests.sim.simulation import Simulation

pytestmark = pytest.mark.sim
JOINER = 4
STORY = Story((Change(0, "admit", JOINER, 1),))


def live(seed=3, prepare=None, *, byzantine=(), forgetful=(), episodes=(), story=STORY):
    """Run with snapshots; return the simulation."""
    plan = Plan(4, byzantine, forgetful, (), 2_500, episodes, story, snapshots=True)
    simulation = Simulation(seed, plan, prepare)
    simulation.run()
    return simulation


def only_liars_have_snapshots(simulation):
    """Of four members one lies, and the others keep no snapshots."""
    for machine in simulation.machines:
        machine.snapshot_every = 0
    liar = simulation.machines[0]
    liar.snapshot_every = 1
    liar.behaviours = [FalseSnapshots(liar)]


def liar_beside_honest_ones(simulation):
    """One lies; all have snapshots of the same heights."""
    for machine in simulation.machines:
        machine.snapshot_every = 2
    liar = simulation.machines[0]
    liar.behaviours = [FalseSnapshots(liar)]


def test_a_new_node_begins_with_a_snapshot_and_votes():
    simulation = live()
    joiner = simulation.machines[JOINER]
    assert simulation.faults["snapshot restored"] == 1
    assert simulation.checks.witness.voted_at[joiner.key.public.public] > 0
    assert joiner.process.storage.store.began.state_height > 0


def test_a_made_up_snapshot_is_refused_and_the_node_fetches_all_blocks_instead():
    always = patch.object(false_snapshots, "HONEST_SHARE", 0)
    whole = patch.object(FalseSnapshots, "_wrong", lambda _self, raw: raw)
    with always, whole:
        simulation = live(prepare=only_liars_have_snapshots, byzantine=(0,))
    assert simulation.faults["false snapshot refused"] >= 1
    assert simulation.faults["snapshot restored"] == 0
    assert JOINER in simulation.checks.committees.newest.indices


def test_liars_beside_honest_peers_do_not_keep_a_node_from_its_snapshot():
    lies = restored = 0
    for seed in range(4):
        simulation = live(seed, liar_beside_honest_ones, byzantine=(0,))
        lies += simulation.deeds["false snapshot"]
        restored += simulation.faults["snapshot restored"]
    assert lies >= 1
    assert restored >= 1


def test_a_node_whose_chain_is_lost_gets_it_back_and_keeps_its_guard_and_its_word():
    """Invariant: it contradicts nothing, though only its guard remembers what it said."""
    episodes = ((2_000, 300, "chain lost"),)
    restored = 0
    for seed in range(6):
        simulation = live(seed, forgetful=(1,), episodes=episodes, story=Story())
        assert not simulation.machines[1].is_amnesiac
        assert simulation.faults["chain lost"] == 1
        restored += simulation.faults["snapshot restored"]
    assert restored >= 1
