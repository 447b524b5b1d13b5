"""A candidate block from the pool: entries in its fair order, each tried on a copy of the state.

Filling stops after 300 ms of execution, so that a slow machine still proposes in time. An entry
that does not apply is left out and reported; the pool decides how often that may happen.
"""

from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from typing import Final

from keys.hashing import Digest
from ledger.blocks import Block
from ledger.limits import BLOCK_BYTES_MAX, BLOCK_ENTRIES_MAX, BLOCK_EVIDENCE_MAX, MESSAGE_BYTES_MAX
from node.application import Application, Turn
from node.mempool import PooledEntry
from node.ports import Timers
from registry.errors import RuleError

FILL_MS_MAX: Final = 300
"""Execution after which no further entry is tried."""
GATHER_MS_MAX: Final = 100
"""Time for which a proposal waits for entries that are being examined."""
GATHER_STEP_MS: Final = 10
ENTRIES_BYTES_MAX: Final = BLOCK_BYTES_MAX - BLOCK_EVIDENCE_MAX * MESSAGE_BYTES_MAX - 16 * 1024
"""Bytes of entries that fit beside header, evidence and the lengths of 1,024 entries."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A block of ours.

    Attributes:
        block: Complete.
        failed: Entries that were left out because they do not apply.
    """

    block: Block
    failed: tuple[Digest, ...]


class Gathering:
    """Waits a little before a proposal while entries are examined: a block costs much, one less.

    Args:
        timers: Calls back later.
        pool: When it holds a whole block nothing is waited for.

    Attributes:
        is_filling: Tells whether entries are being examined that may come into the pool.
    """

    def __init__(self, timers: Timers, pool: Sized) -> None:
        self._timers = timers
        self._pool = pool
        self.is_filling: Callable[[], bool] = _never

    def then(self, build: Callable[[], None], left_ms: int = GATHER_MS_MAX) -> None:
        """Call `build`, now or at most `left_ms` later."""
        if left_ms <= 0 or len(self._pool) >= BLOCK_ENTRIES_MAX or not self.is_filling():
            build()
        else:
            later_ms = left_ms - GATHER_STEP_MS
            self._timers.after(GATHER_STEP_MS, lambda: self.then(build, later_ms))


def _never() -> bool:
    """Stand in for a door at which entries are examined."""
    return False


def build_proposal(
    application: Application,
    take: Callable[[int, int], Sequence[PooledEntry]],
    turn: Turn,
    monotonic_ms: Callable[[], int],
) -> Proposed:
    """Build the block of the height after the tip.

    Args:
        application: Whose chain it continues.
        take: `Mempool.take`: (entries_max, bytes_max) -> candidates in order.
        turn: Round, proposer, time, evidence.
        monotonic_ms: Measures the filling.
    """
    draft = application.begin_draft()
    failed: list[Digest] = []
    started_ms = monotonic_ms()
    for pooled in take(BLOCK_ENTRIES_MAX, ENTRIES_BYTES_MAX):
        if monotonic_ms() - started_ms >= FILL_MS_MAX:
            break
        try:
            application.try_entry(draft, pooled.verified, turn.time_ms)
        except RuleError:
            failed.append(pooled.entry_digest)
    return Proposed(application.finish_draft(draft, turn), tuple(failed))
