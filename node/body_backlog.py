"""Bodies of stored blocks that were still missing when the node stopped: looked for after a start.

A block is stored without waiting for its bodies, so a kill may come before they did. Up to the
*mark*, a height that the vault keeps of itself, all bodies are known to be here but those that it
names beside it: a body that nobody gives out any more holds up no other. After a start these are
asked for, and the blocks above the mark are looked through, one now and then, so that voting does
not wait. The mark is a hint: in a vault without one every block is looked through again, and
nothing else happens.

`Bodies` waits for a bounded number. If more are missing than that and none of them comes, some are
given up; then the mark stays, and the blocks above it are looked through again after a while.

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
AGAIN_MS: Final = 600_000
"""Until blocks are looked through again of which bodies were given up."""
SLICE_ROWS: Final = 64
"""Records of the state that are looked at between two pauses."""
FRESH_MAX: Final = 1_024
"""Bodies not yet asked of all peers in vain, beyond which nothing further is looked at."""


class Mark(Protocol):
    """`ledger.vault_mark.VaultMark`, as far as the backlog is concerned."""

    @property
    def height(self) -> int:
        """The height up to which all bodies are known to be here, but the lacking ones."""

    @property
    def lacking(self) -> tuple[Digest, ...]:
        """Those; they are asked for again after a start."""

    def move(self, height: int, lacking: tuple[Digest, ...]) -> None:
        """Say that all bodies up to a height are here but these."""


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
        self._is_looking = True
        self._named: Generator[Digest] | None = None
        self._next = self._last = self._dropped = 0
        self._begin()
        application.on_committed.append(self._committed)

    @property
    def mark(self) -> int:
        """The height up to which all bodies are here, or named beside the mark."""
        return self._mark

    def start(self) -> None:
        """Begin to look through the blocks that were stored when the node started."""
        if self._next <= self._last:
            self._log.info("body_backlog", from_height=self._next, to_height=self._last)
        self._bodies.keep(self._kept.lacking)
        self._look()

    def stop(self) -> None:
        """Write the mark a last time."""
        self._advance()
        if self._named is not None:
            self._named.close()

    def _begin(self) -> None:
        """Set out for all that the mark does not vouch for."""
        first = self._application.store.began.first_height
        self._next = max(first, self.mark + 1)
        self._last = self._application.tip_height
        self._named = named_bodies(self._application) if self.mark + 1 < first else None
        self._dropped = self._bodies.dropped

    def _begin_again(self) -> None:
        self._begin()
        self.start()

    def _look(self) -> None:
        """Look at one block or some records, unless many bodies are on their way already."""
        if self._named is None and self._next > self._last:
            self._is_looking = False
            self._look_again_later()
            return
        if self._bodies.fresh < FRESH_MAX:
            self._look_at_some()
        self._timers.after(PAUSE_MS, self._look)

    def _look_at_some(self) -> None:
        if self._named is not None:
            found = list(islice(self._named, SLICE_ROWS))
            self._bodies.keep(found)
            if len(found) < SLICE_ROWS:
                self._named = None
        else:
            block = self._application.store.block(self._next)
            self._bodies.keep(bodies_of(block.entries))
            self._next += 1

    def _look_again_later(self) -> None:
        """Come back to what was given up since the last look began."""
        if not self._is_looking and self._bodies.dropped != self._dropped:
            self._is_looking = True
            self._timers.after(AGAIN_MS, self._begin_again)

    def _committed(self, committed: Committed) -> None:
        if committed.height >= self._mark + MARK_EVERY:
            self._advance()
            self._look_again_later()

    def _advance(self) -> None:
        """Move the mark to the tip if every block was looked through and nothing was given up."""
        tip = self._application.tip_height
        is_known = not self._is_looking and self._bodies.dropped == self._dropped
        if is_known and tip > self._mark:
            self._mark = tip
            self._kept.move(tip, self._bodies.lacking())


def named_bodies(application: Application) -> Generator[Digest]:
    """Yield the digests of the bodies that the records of the state name now."""
    with application.store.view() as view:
        for _key, stored in view.scan_state("record"):
            seal = RecordRow.from_value(read_stored_value(stored)[1]).seal
            if seal is not None:
                yield seal.body_digest
