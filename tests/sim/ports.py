"""Clock and timers of one invented machine."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sim.machine import Machine


class Clock:
    """A machine's clock: true time and how far it is off; monotonic time is true."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = machine

    def now_ms(self) -> int:
        return self._machine.simulation.events.now_ms + self._machine.offset_ms

    def monotonic_ms(self) -> int:
        return self._machine.simulation.events.now_ms


class Timers:
    """The `node.ports.Timers` of one process."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = machine

    def after(self, delay_ms: int, fire: Callable[[], None]) -> None:
        self._machine.power.burn("timer")
        self._machine.later(delay_ms, "timer", fire)
