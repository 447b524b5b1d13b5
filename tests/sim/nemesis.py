"""Who breaks things: draws a plan from the dice, carries it out, and makes peace at the end.

A plan stays within what the protocol bears: Byzantine members and nodes that forget (wiped, or
restored from an old backup) together weigh less than a third of every set that its story can bring
into force. Clocks far off are at most as many again. Everything else may happen to any number.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from node.submissions import Submission
from tests.sim.behaviours import Behaviour
from tests.sim.committees import Change
from tests.sim.false_snapshots import FalseSnapshots
from tests.sim.governance import Prepared, Story, draw_story, entries_of
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
SNAPSHOT_SHARE = 0.5
"""Of runs in which somebody could use a snapshot: so many have any. And of liars in them."""
GOVERN_EVERY_MS = 500
LATE_SHARE = 0.3
"""How often agencies look whether there is something to vote on, and do not see it."""
SURPLUS_SHARE = 0.1
"""How often they all vote at once: the last votes come too late for the ballot."""

Slots: TypeAlias = tuple[int, ...]


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
        story: What happens to the sets of validators.
        snapshots: Whether nodes keep snapshots for others, and some begin with one.
    """

    validators: int
    byzantine: tuple[int, ...]
    forgetful: tuple[int, ...]
    jumpy: tuple[int, ...]
    war_ms: int
    episodes: tuple[tuple[int, int, str], ...]
    story: Story = field(default_factory=Story)
    snapshots: bool = False

    def __post_init__(self) -> None:
        """See to it that the plan is within what the protocol bears."""
        for group in (self.byzantine + self.forgetful, self.jumpy):
            assert self.story.bears(self.validators, group), f"a third or more: {self}"


class Nemesis:
    """Breaks things."""

    def __init__(self, simulation: "Simulation", plan: Plan | None = None) -> None:
        self._simulation = simulation
        self._dice = simulation.dice
        self.plan = plan or self._drawn()
        self.machines = MachineFaults(
            simulation,
            self.plan.forgetful,
            self.plan.jumpy,
            has_snapshots=self.plan.snapshots,
        )
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
        byzantine = tuple(sorted(slots[:liars]))
        forgetful = tuple(slots[liars : liars + dice.randrange(faulty - liars + 1)])
        jumpy = tuple(sorted(dice.sample(slots, dice.randrange(faulty + 1))))
        story = draw_story(dice, validators, (byzantine + forgetful, jumpy))
        if story.has_joiner:
            groups = [byzantine, forgetful, jumpy]
            byzantine, forgetful, jumpy = self._with_joiner(story, validators, groups)
        is_wanted = story.has_joiner or bool(forgetful)
        snapshots = is_wanted and dice.random() < SNAPSHOT_SHARE
        machines = MachineFaults(self._simulation, forgetful, jumpy, has_snapshots=snapshots)
        war_ms = dice.randrange(WAR_MS_MIN, WAR_MS_MAX)
        names = [*NetworkFaults(self._simulation).kinds(), *machines.kinds(), "lone lock"]
        names += ["wiped node", "chain lost"] * 2 if snapshots and forgetful else []
        return Plan(
            validators,
            byzantine,
            forgetful,
            jumpy,
            war_ms,
            tuple(
                (dice.randrange(war_ms), dice.randrange(300, 3_000), dice.choice(names))
                for _ in range(dice.randrange(2, EPISODES_MAX + 1))
            ),
            story,
            snapshots,
        )

    def _with_joiner(self, story: Story, joiner: int, groups: list[Slots]) -> list[Slots]:
        """Let who is admitted lie, forget or have a wrong clock, where all sets bear it."""
        at = self._dice.randrange(2 * len(groups))
        if at >= len(groups):
            return groups
        changed = [(*group, joiner) if at == one else group for one, group in enumerate(groups)]
        byzantine, forgetful, jumpy = changed
        is_borne = story.bears(joiner, byzantine + forgetful) and story.bears(joiner, jumpy)
        return changed if is_borne else groups

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
        if self.plan.story.changes:
            self._later(dice.randrange(1_000), "govern", self._govern)

    def _corrupt(self, machine: Machine) -> None:
        """Make a member Byzantine."""
        kinds = self._dice.sample(ALL, self._dice.choice((1, 1, 2, 3)))
        if self.plan.snapshots and self._dice.random() < SNAPSHOT_SHARE:
            kinds.append(FalseSnapshots)
        machine.behaviours = [kind(machine) for kind in kinds]
        if Twin in kinds:
            self.add_twin(machine)
        for behaviour in machine.behaviours:
            self._tick(behaviour)

    def add_twin(self, machine: Machine, side: set[int] | None = None) -> None:
        """Start a second machine with the same key, to which the slots of one side talk."""
        simulation = self._simulation
        slots = [one.slot for one in simulation.machines if one is not machine]
        twin = Machine(simulation, len(simulation.machines), machine.member, simulation.town)
        twin.behaviours = [Twin(twin)]
        simulation.machines.append(twin)
        self._twins[machine.member] = twin
        self._twin_side[machine.member] = side or set(self._dice.sample(slots, len(slots) // 2))
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

    def receiver(self, member: int, sender: Machine) -> Machine:
        """Return the machine that answers for a member when this sender calls."""
        twin = self._twins.get(member)
        if twin is not None and sender.slot in self._twin_side[member]:
            return twin
        return self._simulation.machines[member]

    # --- entries ----------------------------------------------------------------------------------

    def _submit_again(self) -> None:
        """Clients ask again until their entries are in the chain."""
        simulation = self._simulation
        left = simulation.owed - simulation.checks.entries
        if not left:
            return
        for number, digest in enumerate(simulation.town.digests):
            if digest in left:
                self._submit(number)
        self._later(AGAIN_MS, "submit again", self._submit_again)

    def _submit(self, number: int) -> None:
        """Give an entry to one or two nodes; it must stand in the chain in the end."""
        town = self._simulation.town
        self._simulation.owed.add(town.digests[number])
        self._give(town.submissions[number], town.digests[number])

    def _give(self, submission: Submission, digest: bytes) -> None:
        simulation = self._simulation
        simulation.submitted.add(digest)
        up = [one for one in simulation.machines if one.process is not None]
        self._dice.shuffle(up)
        for machine in up[: 1 + self._dice.randrange(2)]:
            process = machine.process
            if process is not None and machine.busy_until_ms <= simulation.events.now_ms:
                machine.run(partial(process.take_from_client, submission))

    def unsettled(self) -> list[Change]:
        """Return the changes of the story that do not count yet."""
        committees = self._simulation.checks.committees
        return [one for one in self.plan.story.changes if not committees.is_settled(one)]

    def _govern(self) -> None:
        """Let agencies vote on what is to be decided now, and members change their keys."""
        waiting = self.unsettled()
        if not waiting:
            return
        committees = self._simulation.checks.committees
        for change in waiting[:1] if self.plan.story.in_order else waiting:
            if committees.is_open(change) and self._dice.random() >= LATE_SHARE:
                for one in self._wanted(change):
                    self._simulation.acts[one.digest] = one.act
                    self._give(one.submission, one.digest)
        self._later(GOVERN_EVERY_MS, "govern", self._govern)

    def _wanted(self, change: Change) -> Iterator[Prepared]:
        """Yield the entries that are to be submitted now: enough votes, now and then all."""
        checks = self._simulation.checks
        first, *votes = entries_of(self.plan.validators, change)
        if first.digest not in checks.entries:
            yield first
            return
        voters = {one.act.member for one in (first, *votes) if one.digest in checks.entries}
        is_all = self._dice.random() < SURPLUS_SHARE
        for one in votes:
            is_enough = checks.committees.newest.is_quorum_of(voters) and not is_all
            if not is_enough and one.digest not in checks.entries:
                voters.add(one.act.member)
                yield one

    def _later(self, delay_ms: int, label: str, action: Callable[[], None]) -> None:
        """Plan something that happens to the world."""
        self._simulation.events.later(delay_ms, label, action)
