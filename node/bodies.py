"""Sealed bodies that we must hold: all of a block before we prevote for it, the rest afterwards.

Bodies come with their entries by gossip. What is missing when a block is checked is fetched from
the proposer and the others; a block is decided without them, and what is then still missing is
fetched afterwards, for as long as it takes. A purged body is never fetched again.
"""

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from keys.hashing import Digest
from ledger.entries import Entry
from ledger.errors import PurgedError
from ledger.ids import AgencyId
from ledger.limits import BODY_BYTES_MAX
from node.fetch import Fetcher
from node.ports import Network, Timers

SEALED_PATH: Final = "/peer/v1/sealed/"


class BodyStore(Protocol):
    """The vault, as far as bodies of blocks are concerned."""

    def body(self, digest: Digest) -> bytes | None:
        """Return a body, staged or kept, or None."""

    def put_body(self, digest: Digest, body: bytes) -> None:
        """Take in a body; InvalidDataError if it does not have this digest."""

    def keep_bodies(self, digests: Iterable[Digest]) -> tuple[Digest, ...]:
        """Turn staged bodies into kept ones; return the digests of which none is here."""


class Bodies:
    """Knows which bodies are missing and gets them.

    Args:
        store: The vault.
        network: The other nodes.
        timers: For pauses between questions.
    """

    def __init__(self, store: BodyStore, network: Network, timers: Timers) -> None:
        self._store = store
        self._fetcher = Fetcher(network, timers, SEALED_PATH, BODY_BYTES_MAX, store.put_body)

    @property
    def missing(self) -> int:
        """How many bodies are being fetched."""
        return len(self._fetcher)

    def want(
        self, digests: Iterable[Digest], first: AgencyId | None, done: Callable[[], None]
    ) -> None:
        """Call `done` when all these bodies are here: at once if they are."""
        self._fetch({digest for digest in digests if not self._is_here(digest)}, first, done)

    def keep(self, digests: Iterable[Digest]) -> None:
        """Keep the bodies of a stored block for good, and fetch those that are missing."""
        self._fetch(set(self._store.keep_bodies(digests)), None, _nothing)

    def _fetch(
        self, missing: set[Digest], first: AgencyId | None, done: Callable[[], None]
    ) -> None:
        if not missing:
            done()
            return
        for digest in sorted(missing):
            self._fetcher.want(digest, first, _Countdown(missing, digest, done))

    def _is_here(self, digest: Digest) -> bool:
        try:
            return self._store.body(digest) is not None
        except PurgedError:
            return True  # nobody shall have it any longer

    def came(self, digest: Digest) -> None:
        """Tell that a body is in the vault now, whichever way it came."""
        self._fetcher.came(digest)


class _Countdown:
    """Calls `done` when the last of several bodies came."""

    __slots__ = ("_digest", "_done", "_missing")

    def __init__(self, missing: set[Digest], digest: Digest, done: Callable[[], None]) -> None:
        self._missing = missing
        self._digest = digest
        self._done = done

    def __call__(self) -> None:
        self._missing.discard(self._digest)
        if not self._missing:
            self._done()


def bodies_of(entries: Iterable[Entry]) -> tuple[Digest, ...]:
    """Return the digests of all sealed bodies that entries name, each once, in their order."""
    named = (
        record.seal.body_digest
        for entry in entries
        for record in entry.records
        if record.seal is not None
    )
    return tuple(dict.fromkeys(named))


def _nothing() -> None:
    """Nobody waits."""
