"""Who breaks things: draws a plan from the dice, carries it out, and makes peace at the end.

A plan stays within what the protocol bears: Byzantine members and nodes that forget (wiped, or
restored from an old backup) together are fewer than a third. Clocks far off are at most as many
again. Everything else may happen to any number of nodes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tests.sim.behaviours import Behaviour
from tests.sim.liars import Twin
from tests.sim.machine import Machine
from tests.sim.machine_faults import MachineFaults
from tests.sim.members import ALL
from tests.sim.network import Links
from tests.sim.network_faults import NetworkFaults

if TYPE_CHECKING:
    from tests.sim.simulation import Simulation

WAR_MS_MIN, WAR_MS_MAX = 2_000, 5_000
ENTRIES_MAX = 8
EPISODES_MAX = 8
AGAIN_MS = 2_000
ROTATION_SHARE = 0.3
"""Of runs in which a member changes its consensus key."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will happen.

    Attributes:
        validators: Nodes.
        byzantine: Slots of those that lie.
        forgetful: Slots that may be wiped or restored.
        jumpy: Slots whose clocks may be far off.
        war_ms: How long things break.
        episodes: (begins after ms, lasts ms, name) of each fault.
    """

    validators: int
    byzantine: tuple[int, ...]
    forgetful: tuple[int, ...]
    jumpy: tuple[int, ...]
    war_ms: int
    episodes: tuple[tuple[int, int, str], ...]


class Nemesis:
    """Breaks things."""

    def __init__(self, simulation: "Simulation", plan: Plan | None = None) -> None:
        self._simulation = simulation
        self._dice = simulation.dice
        self.plan = plan or self._drawn()
        self.machines = MachineFaults(simulation, self.plan.forgetful, self.plan.jumpy)
        self._kinds = {**NetworkFaults(simulation).kinds(), **self.machines.kinds()}
        self._twins: dict[int, Machine] = {}
        self._twin_side: dict[int, set[int]] = {}

    def _drawn(self) -> Plan:
        dice = self._dice
        validators = dice.choices((4, 5, 7), (88, 7, 5))[0]
        faulty = (validators - 1) // 3
        slots = list(range(validators))
        dice.shuffle(slots)
        liars = dice.randrange(faulty + 1)
        forgetful = slots[liars : liars + dice.randrange(faulty - liars + 1)]
        jumpy = sorted(dice.sample(slots, dice.randrange(faulty + 1)))
        machines = MachineFaults(self._simulation, tuple(forgetful), tuple(jumpy))
        war_ms = dice.randrange(WAR_MS_MIN, WAR_MS_MAX)
        names = [*NetworkFaults(self._simulation).kinds(), *machines.kinds(), "lone lock"]
        return Plan(
            validators,
            tuple(sorted(slots[:liars])),
            tuple(forgetful),
            tuple(jumpy),
            war_ms,
            tuple(
                (dice.randrange(war_ms), dice.randrange(300, 3_000), dice.choice(names))
                for _ in range(dice.randrange(2, EPISODES_MAX + 1))
            ),
        )

    def begin(self) -> None:
        """Switch everything on and plan what happens to it."""
        simulation, dice = self._simulation, self._dice
        for machine in simulation.machines:
            self.machines.set_clock(machine)
            self._later(dice.randrange(200), f"boot {machine.slot}", machine.boot)
        for slot in self.plan.byzantine:
            self._corrupt(simulation.machines[slot])
        for at_ms, lasts_ms, name in self.plan.episodes:
            self._later(at_ms, name, partial(self._kinds[name], lasts_ms))
        for number in range(dice.randrange(1, ENTRIES_MAX + 1)):
            at_ms = dice.randrange(self.plan.war_ms)
            self._later(at_ms, f"submit {number}", partial(self._submit, number))
        if dice.random() < ROTATION_SHARE:
            number = len(simulation.town.submissions) - 1
            self._later(dice.randrange(1_000), "change key", partial(self._submit, number))

    def _corrupt(self, machine: Machine) -> None:
        """Make a member Byzantine."""
        kinds = self._dice.sample(ALL, self._dice.choice((1, 1, 2, 3)))
        machine.behaviours = [kind(machine) for kind in kinds]
        if Twin in kinds:
            self.add_twin(machine)
        for behaviour in machine.behaviours:
            self._tick(behaviour)

    def add_twin(self, machine: Machine, side: set[int] | None = None) -> None:
        """Start a second machine with the same key, to which the slots of one side talk."""
        simulation = self._simulation
        slots = [one.slot for one in simulation.machines if one is not machine]
        twin = Machine(simulation, len(simulation.machines), machine.index, simulation.town)
        twin.behaviours = [Twin(twin)]
        simulation.machines.append(twin)
        self._twins[machine.index] = twin
        self._twin_side[machine.index] = side or set(self._dice.sample(slots, len(slots) // 2))
        self._later(self._dice.randrange(200), f"boot {twin.slot}", twin.boot)

    def _tick(self, behaviour: Behaviour) -> None:
        """Let a behaviour act from time to time."""
        machine = behaviour.machine
        if machine.process is not None:
            machine.run(behaviour.tick)
        again = partial(self._tick, behaviour)
        self._later(behaviour.every_ms, f"tick {machine.slot}", again)

    def make_peace(self) -> None:
        """Heal everything; entries that nobody committed are submitted again."""
        self._simulation.network.links = Links()
        self.machines.make_peace()
        self._later(1_000, "submit again", self._submit_again)

    def receiver(self, index: int, sender: Machine) -> Machine:
        """Return the machine that answers for a validator when this sender calls."""
        twin = self._twins.get(index)
        if twin is not None and sender.slot in self._twin_side[index]:
            return twin
        return self._simulation.machines[index]

    # --- entries ----------------------------------------------------------------------------------

    def _submit_again(self) -> None:
        """Clients ask again until their entries are in the chain."""
        simulation = self._simulation
        left = simulation.submitted - simulation.checks.entries
        if not left:
            return
        for number, digest in enumerate(simulation.town.digests):
            if digest in left:
                self._submit(number)
        self._later(AGAIN_MS, "submit again", self._submit_again)

    def _submit(self, number: int) -> None:
        """Give an entry to one or two nodes."""
        simulation = self._simulation
        submission = simulation.town.submissions[number]
        simulation.submitted.add(simulation.town.digests[number])
        up = [one for one in simulation.machines if one.process is not None]
        self._dice.shuffle(up)
        for machine in up[: 1 + self._dice.randrange(2)]:
            process = machine.process
            if process is not None and machine.busy_until_ms <= simulation.events.now_ms:
                machine.run(partial(process.submit, [submission]))

    def _later(self, delay_ms: int, label: str, action: Callable[[], None]) -> None:
        """Plan something that happens to the world."""
        self._simulation.events.later(delay_ms, label, action)
