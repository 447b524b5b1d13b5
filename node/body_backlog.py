"""Bodies of stored blocks that were still missing when the node stopped: looked for after a start.

A block is stored without waiting for its bodies, so a kill may come before they did. Up to the
*mark*, a height that the vault keeps of itself, all bodies are known to be here; after a start the
blocks above it are looked through, one now and then, so that voting does not wait. The mark is a
hint: in a vault without one every block is looked through again, and nothing else happens.

A node that began with a snapshot has no old blocks to look through. Until its mark is past its
first block it asks for the bodies that the records of the state name now: those of older versions
stay where they are.
"""

from collections.abc import Generator
from itertools import islice
from typing import Final, Protocol

from keys.hashing import Digest
from ledger.state_keys import read_stored_value
from node.application import Application, Committed
from node.bodies import Bodies, bodies_of
from node.logs import Log
from node.ports import Timers
from registry.rows import RecordRow

MARK_EVERY: Final = 100
"""Heights after which the mark is written anew."""
PAUSE_MS: Final = 50
SLICE_ROWS: Final = 64
"""Records of the state that are looked at between two pauses."""
MISSING_MAX: Final = 1_024
"""Bodies that are waited for, beyond which no further record is looked at."""


class Mark(Protocol):
    """`ledger.vault_mark.VaultMark`, as far as the backlog is concerned."""

    @property
    def height(self) -> int:
        """The height up to which all bodies are known to be here."""

    def move(self, height: int) -> None:
        """Say that all bodies up to a height are here."""


class BodyBacklog:
    """Looks through old blocks for missing bodies, and remembers how far that need not be done.

    Args:
        mark: Of the vault that holds the bodies, and of no other.
        application: The chain.
        bodies: Who fetches.
        timers: For pauses.
        log: Takes notes.
    """

    def __init__(
        self, mark: Mark, application: Application, bodies: Bodies, timers: Timers, log: Log
    ) -> None:
        self._kept = mark
        self._application = application
        self._bodies = bodies
        self._timers = timers
        self._log = log
        self._mark = min(mark.height, application.tip_height)
        first = application.store.began.first_height
        self._next = max(first, self._mark + 1)
        self._last = application.tip_height
        self._named = named_bodies(application) if self._mark + 1 < first else None
        application.on_committed.append(self._committed)

    @property
    def mark(self) -> int:
        """The height up to which all bodies are known to be here."""
        return self._mark

    def start(self) -> None:
        """Begin to look through the blocks that were stored when the node started."""
        if self._next <= self._last:
            self._log.info("body_backlog", from_height=self._next, to_height=self._last)
        self._look()

    def stop(self) -> None:
        """Write the mark a last time."""
        self._advance()
        if self._named is not None:
            self._named.close()

    def _look(self) -> None:
        if self._named is not None:
            self._look_at_records(self._named)
            return
        if self._next > self._last:
            return
        block = self._application.store.block(self._next)
        self._bodies.keep(bodies_of(block.entries))
        self._next += 1
        self._timers.after(PAUSE_MS, self._look)

    def _look_at_records(self, named: Generator[Digest]) -> None:
        if self._bodies.missing < MISSING_MAX:
            found = list(islice(named, SLICE_ROWS))
            self._bodies.keep(found)
            if len(found) < SLICE_ROWS:
                self._named = None
        self._timers.after(PAUSE_MS, self._look)

    def _committed(self, committed: Committed) -> None:
        if committed.height >= self._mark + MARK_EVERY:
            self._advance()

    def _advance(self) -> None:
        """Move the mark to the tip if every block was looked through and nothing is missing."""
        tip = self._application.tip_height
        is_through = self._named is None and self._next > self._last
        if is_through and self._bodies.missing == 0 and tip > self._mark:
            self._mark = tip
            self._kept.move(tip)


def named_bodies(application: Application) -> Generator[Digest]:
    """Yield the digests of the bodies that the records of the state name now."""
    with application.store.view() as view:
        for _key, stored in view.scan_state("record"):
            seal = RecordRow.from_value(read_stored_value(stored)[1]).seal
            if seal is not None:
                yield seal.body_digest
