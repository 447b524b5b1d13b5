"""Sealed bodies that we must hold: all of a block before we prevote for it, the rest afterwards.

Bodies come with their entries by gossip, so the network is asked only for what gossip has not
brought after a moment. What is then missing is asked of the proposer and the others, many in one
question, since a block may lack a thousand; each answer is one write of the vault. A block is
decided without its bodies, and what is then still missing is fetched afterwards, for as long as it
takes. A purged body is never fetched again.

    question = canonical([digest bin 32 ...])     1 ... 256
    answer   = canonical([body bin | nil ...])    in the same order; nil: not here, or too much
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from keys.hashing import Digest
from ledger.canonical import decode, encode
from ledger.entries import Entry
from ledger.errors import InvalidDataError, LedgerError, PurgedError
from ledger.fields import read_array, read_bytes_up_to, read_digest
from ledger.ids import AgencyId
from ledger.limits import BODY_BYTES_MAX
from node.ports import Network, Question, Timers

SEALED_PATH: Final = "/peer/v1/sealed"
GRACE_MS: Final = 100
"""For gossip that is under way, before a body is asked for."""
PAUSE_MS: Final = 250
"""Between asking all peers in vain and asking them again."""
BATCH_MAX: Final = 256
"""Bodies in one question."""
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
"""Bytes of bodies in one answer; what does not fit is asked for again."""
QUESTION_BYTES_MAX: Final = 40 * BATCH_MAX
_FRAME_BYTES: Final = 8 * BATCH_MAX


class BodyStore(Protocol):
    """The vault, as far as bodies of blocks are concerned."""

    def holds(self, digest: Digest) -> bool:
        """Tell whether a body is here, staged or kept; PurgedError if it was purged."""

    def put_bodies(self, bodies: Mapping[Digest, bytes]) -> dict[Digest, LedgerError]:
        """Take in bodies with one write; return why some were not."""

    def keep_bodies(self, digests: Iterable[Digest]) -> tuple[Digest, ...]:
        """Turn staged bodies into kept ones; return the digests of which none is here."""


@dataclass(slots=True)
class _Wish:
    """A body that is waited for.

    Attributes:
        first: Whom to ask first.
        candidates: Whom else to ask in this turn, the next one last.
        done: Called once it came.
    """

    first: AgencyId | None
    candidates: list[AgencyId] = field(default_factory=list)
    done: list[Callable[[], None]] = field(default_factory=list)


class Bodies:
    """Knows which bodies are missing and gets them.

    Args:
        store: The vault.
        network: The other nodes.
        timers: For pauses.
    """

    def __init__(self, store: BodyStore, network: Network, timers: Timers) -> None:
        self._store = store
        self._network = network
        self._timers = timers
        self._wishes: dict[Digest, _Wish] = {}
        self._asked: set[Digest] = set()
        self._is_asking_later = False

    @property
    def missing(self) -> int:
        """How many bodies are waited for."""
        return len(self._wishes)

    def want(
        self, digests: Iterable[Digest], first: AgencyId | None, done: Callable[[], None]
    ) -> None:
        """Call `done` when all these bodies are here: at once if they are."""
        self._wait_for({digest for digest in digests if not self._is_here(digest)}, first, done)

    def keep(self, digests: Iterable[Digest]) -> None:
        """Keep the bodies of a stored block for good, and fetch those that are missing."""
        self._wait_for(set(self._store.keep_bodies(digests)), None, _nothing)

    def recheck(self) -> None:
        """Look whether bodies that are waited for came by gossip."""
        for digest in [one for one in self._wishes if self._is_here(one)]:
            self._came(digest)

    def _wait_for(
        self, missing: set[Digest], first: AgencyId | None, done: Callable[[], None]
    ) -> None:
        if not missing:
            done()
            return
        for digest in sorted(missing):
            wish = self._wishes.setdefault(digest, _Wish(first))
            wish.first = wish.first or first
            wish.done.append(_Countdown(missing, digest, done))
        self._ask_after(GRACE_MS)

    def _ask_after(self, delay_ms: int) -> None:
        if not self._is_asking_later:
            self._is_asking_later = True
            self._timers.after(delay_ms, self._ask_again)

    def _ask_again(self) -> None:
        self._is_asking_later = False
        self.recheck()
        self._ask()

    def _ask(self) -> None:
        """Ask for all that is not being asked for, each body of the next peer that may have it."""
        by_peer: dict[AgencyId, list[Digest]] = {}
        for digest, wish in self._wishes.items():
            if digest in self._asked:
                continue
            if not wish.candidates:
                wish.candidates = self._in_order(wish, digest)
            if wish.candidates:
                by_peer.setdefault(wish.candidates.pop(), []).append(digest)
        for peer, digests in by_peer.items():
            for start in range(0, len(digests), BATCH_MAX):
                self._ask_one(peer, tuple(digests[start : start + BATCH_MAX]))
        if not by_peer and self._wishes and not self._asked:
            self._ask_after(PAUSE_MS)

    def _ask_one(self, peer: AgencyId, digests: tuple[Digest, ...]) -> None:
        self._asked.update(digests)

        def answer(raw: bytes | None) -> None:
            self._asked.difference_update(digests)
            if raw is not None:
                try:
                    self._take(peer, digests, parse_answer(raw, len(digests)))
                except InvalidDataError as error:
                    self._network.blame(peer, error.code)
            self._ask_rest(digests)

        question = Question(SEALED_PATH, ANSWER_BYTES_MAX + BODY_BYTES_MAX, encode(digests))
        self._network.ask(peer, question, answer)

    def _ask_rest(self, digests: Iterable[Digest]) -> None:
        """Ask the next peers for what did not come; after the last one, pause."""
        left = [self._wishes[digest] for digest in digests if digest in self._wishes]
        if any(wish.candidates for wish in left):
            self._ask()
        elif left:
            self._ask_after(PAUSE_MS)

    def _take(
        self, peer: AgencyId, digests: tuple[Digest, ...], bodies: tuple[bytes | None, ...]
    ) -> None:
        came = {
            digest: body
            for digest, body in zip(digests, bodies, strict=True)
            if body is not None and digest in self._wishes
        }
        refused = self._store.put_bodies(came)
        if any(isinstance(error, InvalidDataError) for error in refused.values()):
            self._network.blame(peer, InvalidDataError.code)
        for digest in came:
            if not isinstance(refused.get(digest), InvalidDataError):
                self._came(digest)

    def _came(self, digest: Digest) -> None:
        wish = self._wishes.pop(digest, None)
        for done in () if wish is None else wish.done:
            done()

    def _in_order(self, wish: _Wish, digest: Digest) -> list[AgencyId]:
        """Return all peers, whom to ask first last; the digest says where the others begin."""
        peers = list(self._network.peers)
        start = digest[0] % len(peers) if peers else 0
        rotated = peers[start:] + peers[:start]
        return sorted(rotated, key=lambda peer: peer == wish.first)

    def _is_here(self, digest: Digest) -> bool:
        try:
            return self._store.holds(digest)
        except PurgedError:
            return True  # nobody shall have it any longer


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


def answer_question(raw: bytes, read: Callable[[Digest], bytes | None]) -> bytes:
    """Return the bodies that a peer asks for, as many as fit.

    Args:
        raw: The question.
        read: Returns a body that the peer may have, else None.

    Raises:
        InvalidDataError: Not 1 ... 256 digests.
    """
    value = decode(raw, QUESTION_BYTES_MAX, limit="bytes of a question for bodies")
    digests = [read_digest(one, "digest") for one in read_array(value, "digests", (1, BATCH_MAX))]
    bodies: list[bytes | None] = []
    left = ANSWER_BYTES_MAX - _FRAME_BYTES
    for digest in digests:
        body = read(digest) if left > 0 else None
        if body is not None:
            left -= len(body)
        bodies.append(body)
    return encode(tuple(bodies))


def parse_answer(raw: bytes, count: int) -> tuple[bytes | None, ...]:
    """Read what `answer_question` returned.

    Raises:
        InvalidDataError: Too long, or not `count` bodies and nils.
    """
    value = decode(raw, ANSWER_BYTES_MAX + BODY_BYTES_MAX, limit="bytes of bodies")
    return tuple(
        [
            None if one is None else read_bytes_up_to(one, "body", BODY_BYTES_MAX)
            for one in read_array(value, "bodies", count)
        ]
    )


def bodies_of(entries: Iterable[Entry]) -> tuple[Digest, ...]:
    """Return the digests of all sealed bodies that entries name, each once, in their order."""
    named = (
        record.seal.body_digest
        for entry in entries
        for record in entry.records
        if record.seal is not None
    )
    return tuple(dict.fromkeys(named))


def readable_bodies(read: Callable[[Digest], bytes | None]) -> Callable[[Digest], bytes | None]:
    """Return a reader for peers: a purged body is as absent as one that never was."""

    def read_or_nothing(digest: Digest) -> bytes | None:
        try:
            return read(digest)
        except PurgedError:
            return None

    return read_or_nothing


def _nothing() -> None:
    """Nobody waits."""
