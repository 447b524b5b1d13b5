"""How a peer behaves: garbage is counted, slowed, then cut off for a while.

A mark is given for something that no honest peer sends over its own authenticated connection: bytes
that do not parse, a signature that does not verify. What a peer merely passes on is never held
against the one it speaks of, so a third party cannot make an honest peer look bad. Marks fade:
one a second. A peer above the limit is cut off for ten seconds, then twice as long each time, up to
ten minutes, and less again after an hour of good conduct.

Pure: the time is an argument.
"""

from dataclasses import dataclass, replace
from typing import Final, Generic, TypeVar

MARKS_MAX: Final = 50
"""Marks at which a peer is cut off."""
SLOWED_AT: Final = 10
"""Marks from which each further request is delayed."""
DELAY_MS: Final = 100
"""By which each request of a slowed peer is delayed."""
FADE_MS: Final = 1_000
"""After which one mark is forgotten."""
CUT_OFF_START_MS: Final = 10_000
CUT_OFF_MS_MAX: Final = 600_000
FORGIVEN_AFTER_MS: Final = 3_600_000
PEERS_MAX: Final = 4_096
"""Peers whose conduct is remembered; the one marked longest ago is forgotten first."""

K = TypeVar("K")


@dataclass(slots=True)
class Record:
    """What is held against one peer.

    Attributes:
        marks: Not yet faded.
        marks_total: All since the start.
        marked_ms: When the last one was given.
        faded_ms: Until when marks have faded.
        cut_off_until_ms: Until when nothing is accepted.
        cut_offs: How often in a row.
        reason: Code of the last mark.
    """

    marks: int = 0
    marks_total: int = 0
    marked_ms: int = 0
    faded_ms: int = 0
    cut_off_until_ms: int = 0
    cut_offs: int = 0
    reason: str = ""


class Conduct(Generic[K]):
    """The conduct of all peers, by whatever names them; times are monotonic milliseconds."""

    def __init__(self, marks_max: int = MARKS_MAX) -> None:
        self._marks_max = marks_max
        self._records: dict[K, Record] = {}

    def mark(self, peer: K, reason: str, now_ms: int, marks: int = 1) -> bool:
        """Hold something against a peer; return whether this has just cut it off.

        Args:
            peer: Who.
            reason: A code.
            now_ms: Monotonic time.
            marks: How many: what costs us more counts more.
        """
        record = self._records.pop(peer, None) or Record(marked_ms=now_ms, faded_ms=now_ms)
        self._records[peer] = record
        if len(self._records) > PEERS_MAX:
            del self._records[next(iter(self._records))]
        self._fade(record, now_ms)
        record.marked_ms = now_ms
        record.marks += marks
        record.marks_total += marks
        record.reason = reason
        if record.marks < self._marks_max or record.cut_off_until_ms > now_ms:
            return False
        doubled = CUT_OFF_START_MS << min(record.cut_offs, 16)
        record.cut_off_until_ms = now_ms + min(CUT_OFF_MS_MAX, doubled)
        record.cut_offs += 1
        record.marks = 0
        return True

    def cut_off_ms(self, peer: K, now_ms: int) -> int:
        """Return for how many milliseconds a peer is still cut off; 0 if it is not."""
        record = self._records.get(peer)
        return 0 if record is None else max(0, record.cut_off_until_ms - now_ms)

    def delay_ms(self, peer: K, now_ms: int) -> int:
        """Return by how much the next request of a peer is to be delayed."""
        record = self._records.get(peer)
        if record is None:
            return 0
        self._fade(record, now_ms)
        return DELAY_MS if record.marks >= SLOWED_AT else 0

    def record(self, peer: K, now_ms: int) -> Record:
        """Return what is held against a peer now, for the operator's page."""
        record = self._records.get(peer)
        if record is None:
            return Record()
        self._fade(record, now_ms)
        return replace(record)

    def _fade(self, record: Record, now_ms: int) -> None:
        faded = (now_ms - record.faded_ms) // FADE_MS
        record.marks = max(0, record.marks - faded)
        record.faded_ms += faded * FADE_MS
        if now_ms - record.marked_ms >= FORGIVEN_AFTER_MS:
            record.cut_offs = 0
