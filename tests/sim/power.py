"""The power of one invented machine: every call of a port may be its last.

A crash is planned as a number of operations: each port operation (a write, a sync, a rename, a
batch of a store, a message handed to the network, a timer that is set) counts one down, and at zero
the operation does not happen and the machine is dead. So crashes fall between any two effects of
the driver and inside each of them.
"""

import errno
import random
from dataclasses import dataclass, field


class PowerLostError(BaseException):
    """The machine stopped in the middle of something; no production code may survive this."""


@dataclass(slots=True)
class Power:
    """Counts operations down; knows how the disk behaves.

    Attributes:
        dice: The simulation's.
        left: Operations until the machine stops; 0 for never.
        is_dead: It has stopped.
        is_disk_full: Writes are refused, after a part of them was taken.
        slow_ms: The longest that a sync takes.
        spent_ms: Invented time that the disk took in this event.
        operations: Of its present life.
    """

    dice: random.Random
    left: int = 0
    is_dead: bool = False
    is_disk_full: bool = False
    slow_ms: int = 0
    spent_ms: int = 0
    operations: int = 0
    stopped_at: list[str] = field(default_factory=list)

    def burn(self, operation: str) -> None:
        """Do one operation, or stop before it."""
        if self.is_dead:
            raise PowerLostError(operation)
        self.operations += 1
        if self.left:
            self.left -= 1
            if not self.left:
                self.is_dead = True
                self.stopped_at.append(operation)
                raise PowerLostError(operation)

    def check_room(self) -> None:
        """Refuse a write where the disk is full."""
        if self.is_disk_full:
            raise OSError(errno.ENOSPC, "no space left on the invented disk")

    def wait_for_disk(self) -> None:
        """Let a slow disk take its time."""
        if self.slow_ms:
            self.spent_ms += self.dice.randrange(self.slow_ms)
