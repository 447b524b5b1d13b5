"""Who waits for an entry to be committed, and what is remembered of entries that were refused.

Every waiter gets one answer: where the entry stands, or why it will not. Waiters are functions
rather than futures, so that this works in a simulator too.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from keys.errors import CivregError
from keys.hashing import Digest

GIVEN_UP_MAX: Final = 65_536
"""Entries that are known to have been given up, the oldest goes first."""
REFUSALS_MAX: Final = 20_000
"""Refused entries whose reason is remembered, the oldest goes first."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry stands for good.

    Attributes:
        height: Of its block.
        index: In the block, from 0.
        registration_number: Given at execution, or None.
    """

    height: int
    index: int
    registration_number: str | None


Answer = Place | CivregError
Waiter = Callable[[Answer], None]


class Waiting:
    """Waiters by entry digest."""

    def __init__(self) -> None:
        self._waiters: dict[Digest, list[Waiter]] = {}

    def __len__(self) -> int:
        return len(self._waiters)

    def add(self, entry_digest: Digest, waiter: Waiter) -> None:
        """Call `waiter` once with the answer, unless it is removed before."""
        self._waiters.setdefault(entry_digest, []).append(waiter)

    def remove(self, entry_digest: Digest, waiter: Waiter) -> None:
        """Forget a waiter that gave up; one that was answered already is no error."""
        waiters = self._waiters.get(entry_digest, [])
        if waiter in waiters:
            waiters.remove(waiter)
        if not waiters:
            self._waiters.pop(entry_digest, None)

    def answer(self, entry_digest: Digest, answer: Answer) -> None:
        """Tell everybody who waits for this entry."""
        for waiter in self._waiters.pop(entry_digest, ()):
            waiter(answer)

    def answer_all(self, entry_digests: Iterable[Digest], answer: Answer) -> None:
        """Tell everybody who waits for one of these entries the same."""
        for digest in entry_digests:
            self.answer(digest, answer)


class GivenUp:
    """Entries that waited here and were given up: peers that have them do not bring them back.

    Without this memory nodes that give an entry up at different times tell it each other for ever.
    A client who submits such an entry again has it examined again.

    Args:
        most: How many are remembered.
    """

    def __init__(self, most: int = GIVEN_UP_MAX) -> None:
        self._most = most
        self._digests: OrderedDict[Digest, None] = OrderedDict()

    def __contains__(self, entry_digest: Digest) -> bool:
        return entry_digest in self._digests

    def __len__(self) -> int:
        return len(self._digests)

    def remember(self, entry_digests: Iterable[Digest]) -> None:
        """Remember that these were given up, as the newest."""
        for digest in entry_digests:
            self._digests[digest] = None
            self._digests.move_to_end(digest)
        while len(self._digests) > self._most:
            self._digests.popitem(last=False)

    def forget(self, entry_digest: Digest) -> None:
        """An entry waits again; one that was not given up is no error."""
        self._digests.pop(entry_digest, None)


class Refusals:
    """Negative answers that no later state can change, by hash of the full bytes; bounded.

    Only bytes that are wrong for good stand here: malformed ones, bad signatures, another network,
    a time that is over. What the state refuses today it may accept tomorrow.

    Args:
        refusals_max: How many are remembered.
    """

    def __init__(self, refusals_max: int = REFUSALS_MAX) -> None:
        self._refusals_max = refusals_max
        self._refusals: OrderedDict[Digest, CivregError] = OrderedDict()

    def __len__(self) -> int:
        return len(self._refusals)

    def get(self, raw_hash: Digest) -> CivregError | None:
        """Return why these bytes were refused, or None."""
        return self._refusals.get(raw_hash)

    def put(self, raw_hash: Digest, error: CivregError) -> None:
        """Remember why these bytes were refused; without the frames it came through."""
        error.__traceback__ = None
        error.__cause__ = None
        error.__context__ = None
        self._refusals[raw_hash] = error
        while len(self._refusals) > self._refusals_max:
            self._refusals.popitem(last=False)
