"""What happens when: a queue of events on an invented clock, and the digest of what happened."""

import hashlib
import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Planned:
    """Something that will happen; ties are decided by the order of planning.

    Attributes:
        due_ms: When.
        machine: Whom it happens to; None for the world.
        life: Of the machine; it does not happen if that life is over. None: to whoever is there.
        label: For the digest and for reading.
        action: What happens.
    """

    due_ms: int
    machine: Any
    life: int | None
    label: str
    action: Callable[[], None]


class Events:
    """The queue; `now_ms` is true time, which no machine sees."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms
        self.count = 0
        self._queue: list[tuple[int, int, Planned]] = []
        self._planned = 0
        self._digest = hashlib.sha256()

    def __len__(self) -> int:
        return len(self._queue)

    def later(
        self,
        delay_ms: int,
        label: str,
        action: Callable[[], None],
        machine: Any = None,
        life: int | None = None,
    ) -> None:
        """Plan something."""
        self._planned += 1
        due_ms = self.now_ms + max(0, delay_ms)
        planned = Planned(due_ms, machine, life, label, action)
        heapq.heappush(self._queue, (due_ms, self._planned, planned))

    def put_off(self, planned: Planned, due_ms: int) -> None:
        """Plan something once more, for later."""
        self._planned += 1
        planned.due_ms = due_ms
        heapq.heappush(self._queue, (due_ms, self._planned, planned))

    def next(self) -> Planned:
        """Take what happens next; its time has come."""
        due_ms, _number, planned = heapq.heappop(self._queue)
        self.now_ms = max(self.now_ms, due_ms)
        self.count += 1
        return planned

    def note(self, text: str) -> None:
        """Put something that happened into the digest."""
        self._digest.update(f"{self.now_ms} {text}\n".encode())

    def digest(self) -> str:
        """Return the digest of all that happened."""
        return self._digest.hexdigest()
