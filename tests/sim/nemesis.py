"""Who breaks things: draws a plan from the dice, carries it out, and makes peace at the end.

A plan stays within what the protocol bears: Byzantine members and nodes that forget (wiped, or
restored from an old backup) together are fewer than a third. Clocks far off are at most as many
again. Everything else may happen to any number of nodes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from node.signer import create_guard
from node.storage import GUARD_FILE
from tests.sim.files import MOUNTED, InventedPath
from tests.sim.machine import Machine
from tests.sim.network import Links

if TYPE_CHECKING:
    from tests.sim.simulation import Simulation

WAR_MS_MIN, WAR_MS_MAX = 2_500, 6_000
SKEW_MS_MAX = 40
ENTRIES_MAX = 8


@dataclass(frozen=True, slots=True)
class Plan:
    """What will happen.

    Attributes:
        validators: Nodes.
        byzantine: Slots of those that lie.
        forgetful: Slots that may be wiped or restored.
        war_ms: How long things break.
        episodes: (begins after ms, lasts ms, name) of each fault.
    """

    validators: int
    byzantine: tuple[int, ...]
    forgetful: tuple[int, ...]
    war_ms: int
    episodes: tuple[tuple[int, int, str], ...]


class Nemesis:
    """Breaks things."""

    def __init__(self, simulation: "Simulation") -> None:
        self._simulation = simulation
        self._dice = simulation.dice
        self.plan = self._draw()
        self._is_peace = False
        self._power_cuts: set[int] = set()
        self._wiping: set[int] = set()
        self._backups: dict[int, object] = {}
        self._restoring: set[int] = set()

    def _draw(self) -> Plan:
        dice = self._dice
        validators = dice.choices((4, 5, 7), (86, 8, 6))[0]
        faulty = (validators - 1) // 3
        slots = list(range(validators))
        dice.shuffle(slots)
        liars = dice.randrange(faulty + 1)
        forgetful = dice.randrange(faulty - liars + 1)
        war_ms = dice.randrange(WAR_MS_MIN, WAR_MS_MAX)
        names = list(self.kinds())
        episodes = tuple(
            (dice.randrange(war_ms), dice.randrange(300, 3_000), dice.choice(names))
            for _ in range(dice.randrange(2, 7))
        )
        return Plan(
            validators,
            tuple(sorted(slots[:liars])),
            tuple(sorted(slots[liars : liars + forgetful])),
            war_ms,
            episodes,
        )

    def kinds(self) -> dict[str, Callable[[int], None]]:
        """Return all faults by name; each is given how long it lasts."""
        return {
            "bad weather": self._bad_weather,
            "partition": self._partition,
            "one-way cut": self._one_way_cut,
            "isolation": self._isolation,
        }

    # --- beginning and end ------------------------------------------------------------------------

    def begin(self) -> None:
        """Switch everything on and plan what happens to it."""
        simulation, dice = self._simulation, self._dice
        for machine in simulation.machines:
            self._set_clock(machine, dice.randrange(-SKEW_MS_MAX, SKEW_MS_MAX + 1))
            self._world(dice.randrange(200), "boot", machine.boot)
        kinds = self.kinds()
        for at_ms, lasts_ms, name in self.plan.episodes:
            self._world(at_ms, name, partial(kinds[name], lasts_ms))
        for number in range(dice.randrange(1, ENTRIES_MAX + 1)):
            at_ms = dice.randrange(self.plan.war_ms)
            self._world(at_ms, "submit", partial(self._submit, number))

    def make_peace(self) -> None:
        """Heal everything; entries that nobody committed are submitted again."""
        simulation = self._simulation
        self._is_peace = True
        simulation.network.links = Links()
        for machine in simulation.machines:
            machine.power.left = 0
            machine.power.is_disk_full = False
            machine.power.slow_ms = 0
            self._set_clock(machine, self._dice.randrange(-SKEW_MS_MAX, SKEW_MS_MAX + 1))
            self._world(1 + self._dice.randrange(300), "boot", machine.boot)
        self._world(1_000, "submit again", self._submit_again)

    def _submit_again(self) -> None:
        """Clients ask again until their entries are in the chain."""
        simulation = self._simulation
        left = simulation.submitted - simulation.checks.entries
        if not left:
            return
        for number, digest in enumerate(simulation.town.digests):
            if digest in left:
                self._submit(number)
        self._world(2_000, "submit again", self._submit_again)

    def receiver(self, index: int, sender: Machine) -> Machine:
        """Return the machine that answers for a validator when this sender calls."""
        del sender
        return self._simulation.machines[index]

    # --- what others tell -------------------------------------------------------------------------

    def crashed(self, machine: Machine) -> None:
        """A machine lost power or its process was killed: start it again after a while."""
        simulation, dice = self._simulation, self._dice
        if machine.slot in self._power_cuts:
            self._power_cuts.discard(machine.slot)
            for happened in sorted(machine.disk.lose_power()):
                simulation.faults[happened] += 1
        self._world(dice.randrange(20, 1_500), "boot", machine.boot)

    def stopped_by_disk(self, machine: Machine) -> None:
        """The operator starts a node again that its disk has stopped."""
        self._world(self._dice.randrange(200, 1_500), "boot", machine.boot)

    # --- entries ----------------------------------------------------------------------------------

    def _submit(self, number: int) -> None:
        """Give an entry to one or two nodes."""
        simulation = self._simulation
        submission = simulation.town.submissions[number]
        simulation.submitted.add(simulation.town.digests[number])
        up = [one for one in simulation.machines if one.process is not None]
        self._dice.shuffle(up)
        for machine in up[: 1 + self._dice.randrange(2)]:
            process = machine.process
            assert process is not None, "chosen among those that run"
            machine.run(partial(process.submit, [submission]))

    # --- the network ------------------------------------------------------------------------------

    def _bad_weather(self, lasts_ms: int) -> None:
        dice, links = self._dice, self._simulation.network.links
        links.loss = dice.choice((0.0, 0.02, 0.1, 0.3))
        links.duplication = dice.choice((0.0, 0.1, 0.3))
        links.late = dice.choice((0.0, 0.02, 0.1))
        links.delay_ms = dice.choice((5, 30, 120, 500))
        self._simulation.faults["bad weather"] += 1

        def end() -> None:
            links.loss = links.duplication = links.late = 0.0
            links.delay_ms = 8

        self._world(lasts_ms, "good weather", end)

    def _cut(self, pairs: set[tuple[int, int]], lasts_ms: int, kind: str) -> None:
        cuts = self._simulation.network.links.cuts
        cuts |= pairs
        self._simulation.faults[kind] += 1

        def heal() -> None:
            cuts.difference_update(pairs)

        self._world(lasts_ms, f"heal {kind}", heal)

    def _partition(self, lasts_ms: int) -> None:
        slots = [one.slot for one in self._simulation.machines]
        group = {slot: self._dice.randrange(self._dice.choice((2, 3))) for slot in slots}
        pairs = {(a, b) for a in slots for b in slots if group[a] != group[b]}
        self._cut(pairs, lasts_ms, "partition")

    def _one_way_cut(self, lasts_ms: int) -> None:
        slots = [one.slot for one in self._simulation.machines]
        pairs = {(a, b) for a in slots for b in slots if a != b and self._dice.random() < 0.3}
        self._cut(pairs, lasts_ms, "one-way cut")

    def _isolation(self, lasts_ms: int) -> None:
        slots = [one.slot for one in self._simulation.machines]
        alone = self._dice.choice(slots)
        pairs = {(alone, other) for other in slots if other != alone}
        pairs |= {(b, a) for a, b in pairs}
        self._cut(pairs, lasts_ms, "isolation")

    # --- inside -----------------------------------------------------------------------------------

    def _set_clock(self, machine: Machine, offset_ms: int) -> None:
        machine.offset_ms = offset_ms
        checks = self._simulation.checks
        checks.offset_max_ms = max(checks.offset_max_ms, offset_ms)

    def _world(self, delay_ms: int, label: str, action: Callable[[], None]) -> None:
        """Plan something that happens to the world."""
        self._simulation.events.later(delay_ms, label, action)


def forget_all(machine: Machine) -> None:
    """Give a machine a new disk with a guard and a chain of height 0."""
    machine.disk = MOUNTED[machine.name] = machine.fresh_disk()
    create_guard(InventedPath(machine.name) / GUARD_FILE, machine.key.public.key_id)  # type: ignore[arg-type]
