"""Negative controls: beyond what the protocol bears, the simulator must see it break."""

from unittest.mock import patch

import pytest

from consensus.messages import MessageTag
from node.sync import Sync
from tests.sim.behaviours import Behaviour, Silence
from tests.sim.checks import ViolationError
from tests.sim.liars import Twin
from tests.sim.nemesis import Plan
from tests.sim.simulation import Simulation

pytestmark = pytest.mark.sim
CALM = Plan(validators=4, byzantine=(), forgetful=(), jumpy=(), war_ms=6_000, episodes=())


def make_two_twins(simulation):
    """Validators 0 and 1 run twice; 2 sees one pair, 3 the other, and not one another."""
    for slot, side in ((0, {3, 5}), (1, {3, 4})):
        machine = simulation.machines[slot]
        machine.behaviours = [Twin(machine)]
        simulation.nemesis.add_twin(machine, side)
    simulation.network.links.cuts |= {(2, 3), (3, 2)}


class Mute(Silence):
    """Says nothing to anybody, ever."""

    def __init__(self, machine):
        super().__init__(machine)
        self._mute = set(self.peers)

    def tick(self):
        """Stay so."""


def test_two_liars_of_four_make_two_blocks_of_one_height_and_the_checks_see_it():
    with pytest.raises(ViolationError, match="agreement"):
        Simulation(1, CALM, make_two_twins).run()


def test_one_liar_of_four_does_not():
    def make_one_twin(simulation):
        machine = simulation.machines[0]
        machine.behaviours = [Twin(machine)]
        simulation.nemesis.add_twin(machine, {3})
        simulation.network.links.cuts |= {(2, 3), (3, 2)}

    assert Simulation(1, CALM, make_one_twin).run().heights >= 2


@pytest.mark.parametrize("silent", [1, 2])
def test_two_silent_of_four_stop_the_network_and_one_does_not(silent):
    def silence(simulation):
        for machine in simulation.machines[:silent]:
            kinds: list[Behaviour] = [Mute(machine)]
            machine.behaviours = kinds

    simulation = Simulation(1, CALM, silence)
    if silent == 1:
        assert simulation.run().heights >= 2
        return
    with pytest.raises(ViolationError, match="liveness"):
        simulation.run()
    assert not simulation.checks.decided


def let_only_one_decide(simulation):
    """Validator 3 is silent, and 0 alone gets precommits."""
    machine = simulation.machines[3]
    machine.behaviours = [Mute(machine)]
    tag = int(MessageTag.PRECOMMIT)
    simulation.network.links.missing |= {("to", 1, tag), ("to", 2, tag)}


def test_the_only_node_that_decided_helps_two_others_while_the_fourth_is_silent():
    simulation = Simulation(1, CALM, let_only_one_decide)
    assert simulation.run().heights >= 2
    simulation = Simulation(1, CALM, let_only_one_decide)
    waiting = patch.object(Sync, "_doubt", lambda *_given: None)
    with waiting, pytest.raises(ViolationError, match="liveness"):
        simulation.run()
