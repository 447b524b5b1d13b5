"""Signatures verified beside the replay: in this process, or in a pool on all cores.

The replay goes on with an entry before its signatures are verified; nothing is reported as good
before `wait` has returned. The chunk function is pure and takes small frozen values, so any pool
can run it.
"""

import signal
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final, NamedTuple, Self, TypeAlias

from keys.errors import BadSignatureError, InvalidKeyError
from keys.signing import PublicKey, verify
from ledger.entries import Entry
from registry.apply import TAG_TERM, SignatureCheck, VerifiedEntry

CHUNK_SIGNATURES: Final = 512
CHUNKS_WAITING_MAX: Final = 16

Piece: TypeAlias = tuple[PublicKey, bytes, bytes]
"""Public key, message, signature."""


class Place(NamedTuple):
    """Where a signature stands."""

    height: int
    entry_index: int
    term: str


class SignatureFailure(NamedTuple):
    """The first signature that does not verify."""

    place: Place


def first_bad_signature(pieces: Sequence[Piece]) -> int | None:
    """Return the position of the first signature that does not verify; pure.

    Args:
        pieces: In the order of the chain.
    """
    for position, (key, message, signature) in enumerate(pieces):
        try:
            verify(key, message, signature)
        except (BadSignatureError, InvalidKeyError):
            return position
    return None


def _leave_interrupts() -> None:
    """Ctrl-C reaches every process of a terminal; the one that audits decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class SignatureQueue:
    """Collects the signatures of entries in the order of the chain; a context manager.

    Args:
        jobs: Processes of the pool; 0 verifies in this process.
    """

    def __init__(self, jobs: int = 0) -> None:
        context = get_context("spawn")
        self._pool = (
            ProcessPoolExecutor(jobs, mp_context=context, initializer=_leave_interrupts)
            if jobs
            else None
        )
        self._waiting: deque[tuple[Future[int | None], list[Place]]] = deque()
        self._pieces: list[Piece] = []
        self._places: list[Place] = []
        self._height = self._index = 0
        self.failure: SignatureFailure | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def begin_block(self, height: int) -> None:
        """Entries from now on are of this block, from index 0."""
        self._height, self._index = height, 0

    def verify_later(self, entry: Entry, checks: Sequence[SignatureCheck]) -> VerifiedEntry:
        """Take the signatures of the next entry; `wait` says whether they verify."""
        for check in checks:
            self._pieces.append((check.key, check.message, check.signature))
            self._places.append(Place(self._height, self._index, check.term))
        self._index += 1
        if len(self._pieces) >= CHUNK_SIGNATURES:
            self._send()
        tag_keys = [check.key.key_id for check in checks if check.term == TAG_TERM]
        return VerifiedEntry(entry, tuple(tag_keys))

    def collect(self) -> None:
        """Take the results that are there; wait for some if too many are under way."""
        while self._waiting and (
            self._waiting[0][0].done() or len(self._waiting) > CHUNKS_WAITING_MAX
        ):
            self._take()

    def wait(self) -> SignatureFailure | None:
        """Verify all that was taken, and return the first failure of all."""
        self._send()
        while self._waiting:
            self._take()
        return self.failure

    def _send(self) -> None:
        if not self._pieces:
            return
        pieces, places = self._pieces, self._places
        self._pieces, self._places = [], []
        if self._pool is None:
            self._keep(first_bad_signature(pieces), places)
        else:
            self._waiting.append((self._pool.submit(first_bad_signature, pieces), places))

    def _take(self) -> None:
        future, places = self._waiting.popleft()
        self._keep(future.result(), places)

    def _keep(self, position: int | None, places: list[Place]) -> None:
        if position is not None and self.failure is None:
            self.failure = SignatureFailure(places[position])
