"""When a disk will be full, judged by how its free space went down so far.

Pure: the time is an argument.
"""

from collections import deque
from typing import Final

EVERY_MS: Final = 10 * 60_000
"""Between two samples."""
SAMPLES: Final = 145
"""A day of them."""
SPAN_MS_MIN: Final = 60 * 60_000
"""A trend needs an hour at least: before, one large import would look like the future."""


class DiskTrend:
    """Remembers a day of free space."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int]] = deque(maxlen=SAMPLES)

    def note(self, free_bytes: int, now_ms: int) -> None:
        """Take a sample, if the last one is old enough."""
        if not self._samples or now_ms - self._samples[-1][0] >= EVERY_MS:
            self._samples.append((now_ms, free_bytes))

    def full_in_s(self, free_bytes: int, now_ms: int) -> int | None:
        """Return when nothing will be left at the rate since the oldest sample; None: never.

        Args:
            free_bytes: Now.
            now_ms: Monotonic time.
        """
        if not self._samples:
            return None
        since_ms, before_bytes = self._samples[0]
        span_ms, used_bytes = now_ms - since_ms, before_bytes - free_bytes
        if span_ms < SPAN_MS_MIN or used_bytes <= 0:
            return None
        return free_bytes * span_ms // used_bytes // 1_000
