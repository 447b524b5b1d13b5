"""The own clock against those of the peers, asked over their authenticated connections.

Every few seconds each peer is asked what time it is. The answer lies somewhere between question and
answer, so its offset is known up to half of the round trip; of the newest samples of a peer the one
with the shortest round trip counts (Cristian, *Probabilistic clock synchronization*, 1989). The
skew of the own clock is the median over all peers: of 3f peers at most f lie, so the median stays
within what honest peers say. A clock that jumps makes the samples before it worthless.

    answer = canonical([1, wall time in ms])

Nothing here changes a clock or a vote; it is what operators read. Plain and synchronous, on the
ports of `node.ports`.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

from keys.errors import CivregError
from ledger.canonical import decode, encode
from ledger.fields import INTEGER_MAX, read_array, read_int, read_version
from ledger.ids import AgencyId
from node.clock import Clock
from node.logs import Log
from node.ports import Network, Question, Timers

CLOCK_PATH: Final = "/peer/v1/clock"
EVERY_MS: Final = 10_000
SAMPLES: Final = 8
"""Newest answers of a peer among which the quickest counts."""
SAMPLE_AGE_MS_MAX: Final = 120_000
"""After which an answer counts no more."""
JUMP_MS: Final = 100
"""By which wall and monotonic time may drift apart between two questions without being a jump."""
ANSWER_BYTES_MAX: Final = 32
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Offset:
    """How far a peer's clock is ahead of ours.

    Attributes:
        offset_ms: Positive: the peer is ahead.
        error_ms: The offset is right up to so much: half of the round trip.
        taken_ms: When, monotonic.
    """

    offset_ms: int
    error_ms: int
    taken_ms: int


class ClockWatch:
    """Asks peers what time it is, and answers them.

    Args:
        network: The other nodes.
        timers: For the next question.
        clock: Ours.
        log: Takes notes when our clock jumps.
    """

    def __init__(self, network: Network, timers: Timers, clock: Clock, log: Log) -> None:
        self._network = network
        self._timers = timers
        self._clock = clock
        self._log = log
        self._samples: dict[AgencyId, deque[Offset]] = {}
        self._lead_ms: int | None = None
        self.jumps = 0

    def start(self) -> None:
        """Ask every peer, now and from time to time."""
        self._mind_jumps()
        for peer in self._network.peers:
            self._ask(peer)
        self._timers.after(EVERY_MS, self.start)

    def answer(self) -> bytes:
        """Return what a peer that asks is told."""
        return encode((_VERSION, self._clock.now_ms()))

    def offset(self, peer: AgencyId) -> Offset | None:
        """Return the best that is known of a peer's clock, or None."""
        oldest_ms = self._clock.monotonic_ms() - SAMPLE_AGE_MS_MAX
        fresh = [one for one in self._samples.get(peer, ()) if one.taken_ms >= oldest_ms]
        return min(fresh, key=lambda one: one.error_ms) if fresh else None

    def skew(self) -> Offset | None:
        """Return how far our clock is ahead of the peers' median; None if nobody has answered."""
        known = [one for peer in self._network.peers if (one := self.offset(peer)) is not None]
        if not known:
            return None
        ranked = sorted(known, key=lambda one: one.offset_ms)
        low, high = ranked[(len(ranked) - 1) // 2], ranked[len(ranked) // 2]
        return Offset(
            offset_ms=-((low.offset_ms + high.offset_ms) // 2),
            error_ms=max(low.error_ms, high.error_ms),
            taken_ms=min(low.taken_ms, high.taken_ms),
        )

    def _mind_jumps(self) -> None:
        """Forget all samples where our wall clock was set meanwhile."""
        lead_ms = self._clock.now_ms() - self._clock.monotonic_ms()
        if self._lead_ms is not None and abs(lead_ms - self._lead_ms) > JUMP_MS:
            self._log.warning("clock_jumped", by_ms=lead_ms - self._lead_ms)
            self.jumps += 1
            self._samples.clear()
        self._lead_ms = lead_ms

    def _ask(self, peer: AgencyId) -> None:
        asked_ms, asked_at_ms = self._clock.now_ms(), self._clock.monotonic_ms()

        def take(raw: bytes | None) -> None:
            if raw is None:
                return
            now_ms = self._clock.monotonic_ms()
            try:
                peer_ms = parse_answer(raw)
            except CivregError as error:
                self._network.blame(peer, error.code)
                return
            trip_ms = max(0, now_ms - asked_at_ms)
            sample = Offset(peer_ms - asked_ms - trip_ms // 2, (trip_ms + 1) // 2, now_ms)
            self._samples.setdefault(peer, deque(maxlen=SAMPLES)).append(sample)

        self._network.ask(peer, Question(CLOCK_PATH, ANSWER_BYTES_MAX), take)


def parse_answer(raw: bytes) -> int:
    """Return the time that a peer says it is, in milliseconds since 1970.

    Raises:
        InvalidDataError: Too long, or another shape.
    """
    value = decode(raw, ANSWER_BYTES_MAX, limit="bytes of a clock's answer")
    version, now_ms = read_array(value, "clock", 2)
    read_version(version, "clock.version", _VERSION)
    return read_int(now_ms, "clock.now_ms", 0, INTEGER_MAX)
