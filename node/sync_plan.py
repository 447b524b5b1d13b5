"""Which blocks are asked of whom while a node catches up: a window of ranges over several peers.

Pure bookkeeping: no clock, no dice, no network. The caller says what time it is, sends what
`ask_more` returns, and tells what became of each question. Equal calls give equal plans.

* Up to `WINDOW` heights above the tip are asked for at once, in ranges, the lowest missing first.
* A peer has at most `PEER_OPEN_MAX` questions, all together `OPEN_MAX`; what is held but not yet
  applied is at most `HELD_BYTES_MAX` bytes and one answer.
* A question that is not answered in time goes to somebody else; if its answer comes late it is
  welcome. Whoever is late or empty-handed is asked for less, later, and not for the next block as
  long as others are there.
* Whoever served something false is not asked at all for a while (`node.conduct`: 10 s, doubling up
  to 10 minutes), and what else it gave is thrown away unread. Nothing but a peer's own answer ever
  counts against it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from ledger.ids import AgencyId
from ledger.quorum import QuorumCertificate
from node.conduct import Conduct
from node.sync_wire import RANGE_MAX

WINDOW: Final = 256
"""Heights above the tip that are asked for or held."""
OPEN_MAX: Final = 8
"""Questions that are open at once."""
PEER_OPEN_MAX: Final = 2
"""Questions that are open at once to one peer; one more for the block that comes next."""
HELD_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of fetched blocks beyond which only the block that comes next is asked for."""
REST_START_MS: Final = 500
REST_MS_MAX: Final = 4_000
"""A peer that did not answer is asked again after this at the latest."""
_RANGE_START: Final = 8


@dataclass(frozen=True, slots=True)
class Source:
    """A peer that may be asked.

    Attributes:
        peer: Who.
        highest: What it says it has; None if it has not said.
    """

    peer: AgencyId
    highest: int | None


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to be sent: `count` blocks from `first` on; `serial` is its name, never reused."""

    serial: int
    peer: AgencyId
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Held:
    """A block that waits for its turn."""

    peer: AgencyId
    block_raw: bytes
    certificate: QuorumCertificate


@dataclass(slots=True)
class _Lane:
    """What is known of one peer.

    Attributes:
        open: Questions under way that are in time.
        asked: Questions ever, so that peers take turns.
        failures: In a row.
        rests_until_ms: Not asked before.
        size: Blocks that the next question asks for.
        lacks: Heights at which it came with nothing.
    """

    open: int = 0
    asked: int = 0
    failures: int = 0
    rests_until_ms: int = 0
    size: int = _RANGE_START
    lacks: set[int] = field(default_factory=set)


class SyncPlan:
    """The window of one catching up; use it for the next one as well, it remembers who lied."""

    def __init__(self) -> None:
        self._lanes: dict[AgencyId, _Lane] = {}
        self._held: dict[int, Held] = {}
        self._held_bytes = 0
        self._asks: dict[int, Ask] = {}
        self._late: dict[int, Ask] = {}
        self._asked: dict[int, int] = {}
        self._serial = 0
        self._conduct: Conduct[AgencyId] = Conduct(marks_max=1)

    @property
    def open(self) -> int:
        """How many questions are under way and in time."""
        return len(self._asks)

    @property
    def held(self) -> int:
        """How many blocks wait for their turn."""
        return len(self._held)

    def liars(self, now_ms: int) -> tuple[AgencyId, ...]:
        """Return who is not asked now because it served something false."""
        return tuple(peer for peer in sorted(self._lanes) if self._conduct.cut_off_ms(peer, now_ms))

    def clear(self) -> None:
        """Forget what is held and asked; answers to it mean nothing any longer."""
        self._held.clear()
        self._held_bytes = 0
        self._asks.clear()
        self._late.clear()
        self._asked.clear()
        for lane in self._lanes.values():
            lane.open, lane.lacks = 0, set()

    def ask_more(self, tip: int, goal: int, sources: Sequence[Source], now_ms: int) -> list[Ask]:
        """Return the questions to send now; they count as sent.

        Args:
            tip: The highest block that is stored.
            goal: The highest block that is wanted.
            sources: Who may be asked, in any order that is the same each time.
            now_ms: Monotonic milliseconds.
        """
        asks: list[Ask] = []
        for first, count in self._missing(tip, min(goal, tip + WINDOW)):
            at, end = first, first + count
            while at < end:
                ask = self._ask(at, end - at, sources, now_ms, is_next=at == tip + 1)
                if ask is None:
                    break
                asks.append(ask)
                at += ask.count
        return asks

    def answered(self, ask: Ask, blocks: Sequence[Held], now_ms: int) -> None:
        """Take in the answer to a question: its first blocks, each verified as far as can be.

        Args:
            ask: In time or late; one that was forgotten means nothing.
            blocks: Of `ask.first` and the heights after it, at most `ask.count`; none if the peer
                did not answer or has nothing.
            now_ms: Monotonic milliseconds.
        """
        was_late = self._late.pop(ask.serial, None) is not None
        if not self._close(ask) and not was_late:
            return
        lane = self._lane(ask.peer)
        if not blocks:
            lane.lacks.add(ask.first)
            self._fail(lane, now_ms)
            return
        lane.failures = 0
        lane.size = min(RANGE_MAX, 2 * ask.count) if len(blocks) == ask.count else len(blocks)
        for height, held in enumerate(blocks, ask.first):
            self.hold(height, held)

    def hold(self, height: int, held: Held) -> None:
        """Keep a block until its turn; the first one of a height stays."""
        if height not in self._held:
            self._held[height] = held
            self._held_bytes += len(held.block_raw)

    def timed_out(self, ask: Ask, now_ms: int) -> None:
        """Give a question that is not answered to somebody else; a late answer is still taken."""
        if self._close(ask):
            self._late[ask.serial] = ask
            lane = self._lane(ask.peer)
            lane.size = max(1, lane.size // 2)
            self._fail(lane, now_ms)

    def lied(self, peer: AgencyId, now_ms: int) -> None:
        """Drop a peer that served something false, and all that came from it."""
        self._conduct.mark(peer, "", now_ms)
        for height in [at for at, held in self._held.items() if held.peer == peer]:
            self._drop(height)
        for ask in [one for one in self._asks.values() if one.peer == peer]:
            self._close(ask)
        self._late = {at: ask for at, ask in self._late.items() if ask.peer != peer}

    def pop(self, height: int) -> Held | None:
        """Return the block of a height and hold it no longer; None if it is not here."""
        return self._drop(height)

    # --- inside -----------------------------------------------------------------------------------

    def _lane(self, peer: AgencyId) -> _Lane:
        return self._lanes.setdefault(peer, _Lane())

    def _drop(self, height: int) -> Held | None:
        held = self._held.pop(height, None)
        if held is not None:
            self._held_bytes -= len(held.block_raw)
        return held

    def _missing(self, tip: int, last: int) -> Iterator[tuple[int, int]]:
        """Yield (first, count) of the runs that are neither held nor asked for."""
        first = 0
        for height in range(tip + 1, last + 2):
            is_missing = height <= last and height not in self._held and height not in self._asked
            if is_missing and not first:
                first = height
            elif not is_missing and first:
                yield first, height - first
                first = 0

    def _ask(
        self, first: int, count: int, sources: Sequence[Source], now_ms: int, *, is_next: bool
    ) -> Ask | None:
        if not is_next and (len(self._asks) >= OPEN_MAX or self._held_bytes >= HELD_BYTES_MAX):
            return None
        source = self._choose(first, sources, now_ms, is_next=is_next)
        if source is None:
            return None
        lane = self._lane(source.peer)
        known = count if source.highest is None else source.highest - first + 1
        self._serial += 1
        ask = Ask(self._serial, source.peer, first, min(count, known, lane.size))
        self._asks[ask.serial] = ask
        for height in range(first, first + ask.count):
            self._asked[height] = ask.serial
        lane.open += 1
        lane.asked += 1
        return ask

    def _choose(
        self, first: int, sources: Sequence[Source], now_ms: int, *, is_next: bool
    ) -> Source | None:
        """Return whom to ask for a range: who never failed, then who has least to do, in turn."""
        able = [
            source
            for source in sources
            if (source.highest is None or source.highest >= first)
            and not self._conduct.cut_off_ms(source.peer, now_ms)
        ]
        fitting = [one for one in able if first not in self._lane(one.peer).lacks]
        if able and not fitting:  # all came with nothing: begin again, each after its rest
            for source in able:
                self._lane(source.peer).lacks.discard(first)
            fitting = able
        open_max = PEER_OPEN_MAX + is_next
        ready = [
            (lane.failures > 0, lane.open, lane.asked, source.peer, source)
            for source in fitting
            if (lane := self._lane(source.peer)).open < (1 if lane.failures else open_max)
            and lane.rests_until_ms <= now_ms
        ]
        return min(ready, key=lambda one: one[:4])[4] if ready else None

    def _close(self, ask: Ask) -> bool:
        """Take a question off the list of those in time; tell whether it was on it."""
        if self._asks.pop(ask.serial, None) is None:
            return False
        self._lane(ask.peer).open -= 1
        for height in range(ask.first, ask.first + ask.count):
            if self._asked.get(height) == ask.serial:
                del self._asked[height]
        return True

    def _fail(self, lane: _Lane, now_ms: int) -> None:
        lane.failures += 1
        rest_ms = min(REST_MS_MAX, REST_START_MS << min(lane.failures - 1, 16))
        lane.rests_until_ms = now_ms + rest_ms
