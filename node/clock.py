"""The only place that reads time.

Everything else takes a `Clock`, so that tests and the simulator bring their own. Wall time is what
blocks are stamped with; monotonic time measures how long something took and never jumps.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """What time it is."""

    def now_ms(self) -> int:
        """Return the wall time in milliseconds since 1970 UTC; it may jump."""

    def monotonic_ms(self) -> int:
        """Return milliseconds since an arbitrary moment; it never goes back."""


class SystemClock:
    """The clock of this machine."""

    __slots__ = ()

    def now_ms(self) -> int:
        """Return the wall time in milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        """Return milliseconds since the machine's start."""
        return time.monotonic_ns() // 1_000_000
