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
