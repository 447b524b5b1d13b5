"""Faults of machines: crashes at any operation, power cuts, disks, clocks, memories.

A *crash* ends the process and the disk keeps all that was written; a *power cut* loses what was not
synced, or parts of it. Both strike at a random port operation of the next hundred or so, see
`power`. A *wiped* node comes back with its key and nothing else, and its operator says that there
is no guard; a *restored* one comes back with everything it had at some earlier moment. One whose
*chain is lost* has key, guard and log. It, and some wiped ones, begin again with a snapshot that
they fetch from their peers, see `joining`.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ledger.store_files import FOLDER
from tests.sim.files import MOUNTED, Disk
from tests.sim.machine import Machine
from tests.sim.town import SKEW_MS_MAX

if TYPE_CHECKING:
    from tests.sim.simulation import Simulation


JUMPS_MS = (150, 1_000, 10_000, 3_600_000)
DOWN_MS_MIN, DOWN_MS_MAX = 20, 1_500
OPERATIONS = (3, 20, 60, 200)
SNAPSHOT_SHARE = 0.7
"""Of wiped nodes that begin again with a snapshot, where there are any."""


class MachineFaults:
    """Breaks machines.

    Args:
        simulation: Whose.
        forgetful: Slots that may be wiped or restored.
        jumpy: Slots whose clocks may be far off.
        has_snapshots: Whether peers keep snapshots, from which forgetful ones begin again.
    """

    def __init__(
        self,
        simulation: "Simulation",
        forgetful: tuple[int, ...],
        jumpy: tuple[int, ...],
        *,
        has_snapshots: bool = False,
    ) -> None:
        self._simulation = simulation
        self._dice = simulation.dice
        self._forgetful = forgetful
        self._jumpy = jumpy
        self._power_cuts: set[int] = set()
        self._has_snapshots = has_snapshots
        self._losses: dict[int, Callable[[], None]] = {}
        self._is_peace = False

    def kinds(self) -> dict[str, Callable[[int], None]]:
        """Return all faults by name; each is given how long it lasts, in ms."""
        always = {
            "crash": self._crash,
            "power cut": self._power_cut,
            "crash of all": self._crash_of_all,
            "disk full": self._disk_full,
            "slow disk": self._slow_disk,
            "clock skew": self._clock_skew,
        }
        if self._jumpy:
            always["clock jump"] = self._clock_jump
        if self._forgetful:
            always |= {"wiped node": self._wipe, "old backup": self._restore}
        if self._forgetful and self._has_snapshots:
            always["chain lost"] = self._lose_chain
        return always

    @property
    def _machines(self) -> list[Machine]:
        return self._simulation.machines

    def set_clock(self, machine: Machine) -> None:
        """Let a clock be off as far as clocks may be."""
        machine.offset_ms = self._dice.randrange(-SKEW_MS_MAX, SKEW_MS_MAX + 1)
        machine.is_clock_sound = True

    def make_peace(self) -> None:
        """Repair all machines and start those that are down."""
        self._is_peace = True
        for machine in self._machines:
            machine.power.left = 0
            machine.power.is_disk_full = False
            machine.power.slow_ms = 0
            self.set_clock(machine)
            self._boot_after(1 + self._dice.randrange(300), machine)

    # --- what happens to a machine ----------------------------------------------------------------

    def crashed(self, machine: Machine) -> None:
        """A machine stopped at an operation: see to its disk, start it again after a while."""
        faults = self._simulation.faults
        if machine.power.stopped_at:
            faults[f"stopped before {machine.power.stopped_at.pop()}"] += 1
        if machine.slot in self._power_cuts:
            self._power_cuts.discard(machine.slot)
            for happened in sorted(machine.disk.lose_power()):
                faults[happened] += 1
        lose = self._losses.pop(machine.slot, None)
        if lose is not None:
            lose()
        again = self._dice.random() < 0.2 and not self._is_peace
        machine.power.left = self._dice.randrange(1, 60) if again else 0
        self._boot_after(self._dice.randrange(DOWN_MS_MIN, DOWN_MS_MAX), machine)

    def stopped_by_disk(self, machine: Machine) -> None:
        """The operator starts a node again that its disk has stopped."""
        self._boot_after(self._dice.randrange(200, DOWN_MS_MAX), machine)

    def _boot_after(self, delay_ms: int, machine: Machine) -> None:
        self._simulation.events.later(delay_ms, f"boot {machine.slot}", machine.boot)

    # --- crashes ----------------------------------------------------------------------------------

    def _aim(self, machine: Machine) -> None:
        machine.power.left = self._dice.randrange(1, self._dice.choice(OPERATIONS))

    def _crash(self, _lasts_ms: int) -> None:
        self._simulation.faults["crash"] += 1
        self._aim(self._dice.choice(self._machines))

    def _power_cut(self, _lasts_ms: int) -> None:
        self._simulation.faults["power cut"] += 1
        machine = self._dice.choice(self._machines)
        self._power_cuts.add(machine.slot)
        self._aim(machine)

    def _crash_of_all(self, _lasts_ms: int) -> None:
        self._simulation.faults["crash of all"] += 1
        is_power_cut = self._dice.random() < 0.5
        for machine in self._machines:
            if is_power_cut:
                self._power_cuts.add(machine.slot)
            self._aim(machine)

    # --- disks ------------------------------------------------------------------------------------

    def _disk_full(self, lasts_ms: int) -> None:
        self._simulation.faults["disk full"] += 1
        machine = self._dice.choice(self._machines)
        machine.power.is_disk_full = True

        def end() -> None:
            machine.power.is_disk_full = False

        self._simulation.events.later(lasts_ms, f"room {machine.slot}", end)

    def _slow_disk(self, lasts_ms: int) -> None:
        self._simulation.faults["slow disk"] += 1
        machine = self._dice.choice(self._machines)
        machine.power.slow_ms = self._dice.choice((10, 60, 300))

        def end() -> None:
            machine.power.slow_ms = 0

        self._simulation.events.later(lasts_ms, f"fast {machine.slot}", end)

    # --- clocks -----------------------------------------------------------------------------------

    def _clock_skew(self, _lasts_ms: int) -> None:
        self._simulation.faults["clock skew"] += 1
        for machine in self._machines:
            if machine.is_clock_sound:
                self.set_clock(machine)

    def _clock_jump(self, lasts_ms: int) -> None:
        self._simulation.faults["clock jump"] += 1
        machine = self._machines[self._dice.choice(self._jumpy)]
        jump_ms = self._dice.choice(JUMPS_MS)
        machine.offset_ms = self._dice.choice((-jump_ms, jump_ms))
        machine.is_clock_sound = False
        self._simulation.events.later(
            lasts_ms, f"clock set {machine.slot}", partial(self.set_clock, machine)
        )

    # --- memories ---------------------------------------------------------------------------------

    def _forget(self, machine: Machine, lose: Callable[[], None]) -> None:
        """Let a machine stop now and come back with less on its disk."""
        self._power_cuts.discard(machine.slot)
        if machine.is_running:
            self._losses[machine.slot] = lose
            machine.died()
        else:
            lose()

    def _put(self, machine: Machine, disk: Disk) -> None:
        machine.is_amnesiac = True
        machine.disk = MOUNTED[machine.name] = disk

    def _draws_snapshot(self) -> bool:
        return self._has_snapshots and self._dice.random() < SNAPSHOT_SHARE

    def _wipe(self, _lasts_ms: int) -> None:
        self._simulation.faults["wiped node"] += 1
        machine = self._machines[self._dice.choice(self._forgetful)]
        machine.has_lost_guard = True
        machine.wants_snapshot = self._draws_snapshot()
        disk = Disk(machine.power) if machine.wants_snapshot else machine.fresh_disk()
        self._forget(machine, partial(self._put, machine, disk))

    def _restore(self, lasts_ms: int) -> None:
        machine = self._machines[self._dice.choice(self._forgetful)]
        if machine.has_lost_guard:
            return
        backup = machine.disk.copy()

        def bring_back() -> None:
            if not self._is_peace and not machine.has_lost_guard:
                self._simulation.faults["old backup"] += 1
                self._forget(machine, partial(self._put, machine, backup))

        self._simulation.events.later(lasts_ms, f"restore {machine.slot}", bring_back)

    def _lose_chain(self, _lasts_ms: int) -> None:
        """The store is damaged and moved away; key, guard, log and vault are whole."""
        self._simulation.faults["chain lost"] += 1
        machine = self._machines[self._dice.choice(self._forgetful)]

        def lose() -> None:
            machine.disk.remove(FOLDER)
            machine.disk.sync_names()
            machine.wants_snapshot = True
            self._simulation.checks.chain_lost(machine)

        self._forget(machine, lose)
