"""One seed, one run: machines, network, clock, faults, checks; then peace, and all must go on.

`Simulation(seed).run()` returns a `Report` or raises ViolationError. Everything random comes from
one `random.Random(seed)`; nothing in a run depends on the machine that it runs on.
"""

import gc
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from ledger.ids import AgencyId
from node import readiness
from tests.sim.calls import invented_disks
from tests.sim.checks import Checks, ViolationError
from tests.sim.events import Events
from tests.sim.files import MOUNTED
from tests.sim.governance import Story
from tests.sim.machine import Machine
from tests.sim.nemesis import Nemesis, Plan
from tests.sim.network import InventedNetwork
from tests.sim.town import cheap_signatures, network_of

if TYPE_CHECKING:
    from tests.sim.committees import Act

PEACE_MS = 120_000
"""Invented time after the last fault in which every honest node must reach the goal."""
GOAL_HEIGHTS = 2
"""Heights above the highest tip at the beginning of peace."""
BOUNDS_EVERY = 64
AGAIN_HEIGHTS = 5
"""After so many heights an admitted validator declares itself ready again; 20 in production."""
EVENTS_MAX = 200_000
"""A run that takes more events than this does not end."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one run was.

    Attributes:
        seed: Its seed.
        digest: Of all events.
        heights: Decided.
        rounds_max: The highest round in which a block was decided, and one more.
        events: That happened.
        recovery_ms: From the last fault to the goal.
        faults, deeds, checks: How often each.
        amnesia: Contradictions of nodes that had lost their disk or got an old one back.
    """

    seed: int
    digest: str
    heights: int
    rounds_max: int
    events: int
    recovery_ms: int
    faults: Counter[str]
    deeds: Counter[str]
    checks: Counter[str]
    amnesia: int


class Simulation:
    """A cluster that lives through one seed.

    Args:
        seed: Decides everything.
        plan: Instead of what the seed would draw.
        prepare: Changes the machines before anything happens; for tests that must fail.
    """

    def __init__(
        self,
        seed: int,
        plan: Plan | None = None,
        prepare: Callable[["Simulation"], None] | None = None,
    ) -> None:
        self.seed = seed
        self._prepare = prepare
        self.dice = random.Random(seed)
        self.faults: Counter[str] = Counter()
        self.deeds: Counter[str] = Counter()
        self.submitted: set[bytes] = set()
        self.owed: set[bytes] = set()
        self.acts: dict[bytes, Act] = {}
        self.after_start: list[tuple[Machine, int, int, int]] = []
        self._number = 0
        self.nemesis = Nemesis(self, plan)
        self.town = network_of(self.nemesis.plan.validators)
        self.events = Events(self.town.start_ms)
        self.network = InventedNetwork(self)
        self.checks = Checks(self, self.town)
        self.machines: list[Machine] = []
        joiners = int(self.nemesis.plan.story.has_joiner)
        self.agencies = self.town.members[: self.town.founders + joiners]

    def next_number(self) -> int:
        """Return a number that was not given out yet."""
        self._number += 1
        return self._number

    def receiver(self, agency: AgencyId, sender: Machine) -> Machine:
        """Return the machine that answers for an agency when this sender calls."""
        return self.nemesis.receiver(self.agencies.index(agency), sender)

    @property
    def honest(self) -> list[Machine]:
        """All machines that do what the protocol says."""
        return [one for one in self.machines if one.is_honest]

    def run(self) -> Report:
        """Live through war and peace."""
        dice = SimpleNamespace(token_bytes=self.dice.randbytes)
        with invented_disks(), cheap_signatures(), self._ready_again(dice):
            self.machines = [
                Machine(self, slot, slot, self.town) for slot in range(len(self.agencies))
            ]
            if self.nemesis.plan.snapshots and self.story.has_joiner:
                self.machines[-1].begin_without_chain()
            self.nemesis.begin()
            if self._prepare is not None:
                self._prepare(self)
            try:
                end_ms = self.events.now_ms + self.nemesis.plan.war_ms
                while self.events.now_ms < end_ms:
                    self.happen()
                self.nemesis.make_peace()
                return self._live_in_peace()
            except ViolationError as error:
                error.add_note(f"make sim SEEDS={self.seed}")
                raise
            finally:
                MOUNTED.clear()

    @contextmanager
    def _ready_again(self, dice: Any) -> Iterator[None]:
        """Let what nodes declare come from the dice, and again after fewer heights."""
        with (
            patch.object(readiness, "secrets", dice),
            patch.object(readiness, "AGAIN_HEIGHTS", AGAIN_HEIGHTS),
        ):
            yield

    def _live_in_peace(self) -> Report:
        began_ms = self.events.now_ms
        goal = max(len(self.checks.decided), 0) + GOAL_HEIGHTS
        while not self._is_goal_reached(goal):
            if self.events.now_ms > began_ms + PEACE_MS:
                tips = [self.tip(one) for one in self.machines]
                left = len(self.owed - self.checks.entries)
                open_changes = self.nemesis.unsettled()
                text = f"goal {goal}, tips {tips}, entries left {left}, changes {open_changes}"
                self.checks.fail("liveness", f"{text}, silent {self.checks.sets.silent()}")
            self.happen()
        recovery_ms = self.events.now_ms - began_ms
        for machine in self.honest:
            self.checks.bounds(machine)
            self.checks.replays(machine)
        return self._report(recovery_ms)

    def _is_goal_reached(self, goal: int) -> bool:
        goal = max(goal, self.checks.committees.since)
        return (
            len(self.checks.decided) >= goal
            and all(self.tip(one) >= goal for one in self.honest)
            and self.owed <= self.checks.entries
            and not self.nemesis.unsettled()
            and not self.checks.sets.silent()
        )

    def _report(self, recovery_ms: int) -> Report:
        for height, header in sorted(self.checks.decided.items()):
            self.events.note(f"decided {height} {header.digest.hex()}")
        return Report(
            seed=self.seed,
            digest=self.events.digest(),
            heights=len(self.checks.decided),
            rounds_max=1 + max(one.round for one in self.checks.decided.values()),
            events=self.events.count,
            recovery_ms=recovery_ms,
            faults=self.faults,
            deeds=self.deeds,
            checks=self.checks.done,
            amnesia=self.checks.amnesia,
        )

    @property
    def story(self) -> Story:
        """What happens to the sets of validators."""
        return self.nemesis.plan.story

    def tip(self, machine: Machine) -> int:
        """Return the height that a machine has stored; -1 while it is down or asks its peers."""
        process = machine.process
        return -1 if process is None or not process.begun else process.application.tip_height

    def happen(self) -> None:
        """Let the next thing happen."""
        planned = self.events.next()
        machine = planned.machine
        if self.events.count > EVENTS_MAX:
            self.checks.fail("endless", f"{EVENTS_MAX} events")
        if machine is None:
            self.events.note(planned.label)
            planned.action()
            return
        if planned.life is not None and machine.life != planned.life:
            return
        if machine.busy_until_ms > self.events.now_ms:
            self.events.put_off(planned, machine.busy_until_ms)
            return
        self.events.note(planned.label)
        machine.run(planned.action)
        if self.after_start:
            self._look_at_locks()
        if self.events.count % BOUNDS_EVERY == 0:
            self.checks.bounds(machine)

    def _look_at_locks(self) -> None:
        waiting, self.after_start = self.after_start, []
        for machine, life, height, locked_round in waiting:
            if machine.life == life:
                self.checks.knows_lock(machine, height, locked_round)


def simulate(seed: int) -> Report:
    """Run one seed; the collector of garbage rests meanwhile."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return Simulation(seed).run()
    finally:
        if was_enabled:
            gc.enable()
