"""Sealed bodies that we must hold: all of a block before we prevote for it, the rest afterwards.

Bodies come with their entries by gossip, so the network is asked only for what gossip has not
brought after a moment. What is then missing is asked of the proposer and the others, many in one
question, since a block may lack a thousand; each answer is one write of the vault. What comes for
an undecided block is staged only, and counted: a block whose bodies are more than 8 MiB together
never has them all here. A block is decided without its bodies, and what is then still missing is
fetched afterwards, for as long as it takes: now and then, once all peers were asked in vain. A
purged body is never fetched again. What is waited for stands in `node.body_wishes`.

    question = canonical([digest bin 32 ...])     1 ... 256
    answer   = canonical([body bin | nil ...])    in the same order; nil: not here, or too much
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from keys.hashing import Digest
from ledger.blocks import Block
from ledger.canonical import decode, encode
from ledger.entries import Entry
from ledger.errors import InvalidDataError, LedgerError, LimitExceededError, PurgedError
from ledger.fields import read_array, read_bytes_up_to, read_digest
from ledger.ids import AgencyId
from ledger.limits import BLOCK_BODIES_BYTES_MAX, BODY_BYTES_MAX
from ledger.staging import StagedBody
from node.body_wishes import BlockWish, BodyWishes, Wish, account_of, claims_of
from node.logs import Log
from node.ports import Network, Question, Timers

SEALED_PATH: Final = "/peer/v1/sealed"
GRACE_MS: Final = 100
"""For gossip that is under way, before a body is asked for."""
PAUSE_MS: Final = 250
"""Between asking all peers in vain for what a prevote waits for and asking them again."""
REST_MS: Final = 5_000
"""The same for what only stored blocks lack, and for what found no room."""
BATCH_MAX: Final = 256
"""Bodies in one question."""
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
"""Bytes of bodies in one answer; what does not fit is asked for again."""
QUESTION_BYTES_MAX: Final = 40 * BATCH_MAX
_FRAME_BYTES: Final = 8 * BATCH_MAX


class BodyStore(Protocol):
    """The vault, as far as bodies of blocks are concerned."""

    def body_size(self, digest: Digest) -> int | None:
        """Return how many bytes a body has that is here; PurgedError if it was purged."""

    def stage_bodies(self, bodies: Sequence[StagedBody]) -> tuple[LedgerError | None, ...]:
        """Take in bodies of undecided entries with one write; say of each why it was not."""

    def put_bodies(self, bodies: Mapping[Digest, bytes]) -> dict[Digest, LedgerError]:
        """Take in bodies of stored blocks with one write; return why some were not."""

    def keep_bodies(self, digests: Iterable[Digest]) -> tuple[Digest, ...]:
        """Turn staged bodies into kept ones; return the digests of which none is here."""


class Bodies:
    """Knows which bodies are missing and gets them.

    Args:
        store: The vault.
        network: The other nodes.
        timers: For pauses.
        log: Takes notes.
    """

    def __init__(self, store: BodyStore, network: Network, timers: Timers, log: Log) -> None:
        self._store = store
        self._network = network
        self._timers = timers
        self._log = log
        self._wishes = BodyWishes()
        self._asked: set[Digest] = set()
        self._is_asking_later = False
        self._is_waking_later = False

    @property
    def missing(self) -> int:
        """How many bodies are waited for."""
        return len(self._wishes)

    @property
    def fresh(self) -> int:
        """How many bodies of stored blocks were not asked of all peers in vain yet."""
        return self._wishes.fresh

    @property
    def dropped(self) -> int:
        """How many bodies of stored blocks were given up so far because too many are missing."""
        return self._wishes.dropped

    def lacking(self) -> tuple[Digest, ...]:
        """Return what stored blocks lack, as far as it was not given up."""
        return self._wishes.stored()

    def want(self, block: Block, proposer: AgencyId | None, done: Callable[[], None]) -> None:
        """Call `done` when all bodies of an undecided block are here: at once if they are.

        It is never called if they are too large together, or once the height is decided.

        Args:
            block: It is valid otherwise.
            proposer: Who named it in a signed proposal, asked first; None: only votes named it.
            done: Tells consensus.
        """
        header = block.header
        left = claims_of(block.entries)
        wish = BlockWish(header.height, header.digest, account_of(proposer), done, left)
        for digest in tuple(left):
            size = self._size_here(digest)
            if size is not None:
                del left[digest]
                wish.size += size
            if wish.is_too_large:
                break
        if wish.is_too_large or not left:
            self._settle(wish)
        else:
            self._wishes.want(wish, proposer)
            self._ask_after(GRACE_MS)

    def keep(self, digests: Iterable[Digest]) -> None:
        """Keep the bodies of a stored block for good, and fetch those that are missing."""
        missing = self._store.keep_bodies(digests)
        if missing:
            self._wishes.want_stored(missing)
            self._ask_after(GRACE_MS)

    def forget_through(self, height: int) -> None:
        """Wait no longer for what undecided blocks up to a height lack: it is decided.

        What the decided block lacks is waited for on, if `keep` was told of it before.
        """
        self._wishes.forget_through(height)

    def recheck(self) -> None:
        """Look whether bodies that are waited for came by gossip."""
        stored = self._wishes.stored()
        if stored:
            self._store.keep_bodies(stored)  # what gossip brings is staged only
        for digest in tuple(self._wishes):
            size = self._size_here(digest)
            if size is not None:
                self._came(digest, size)

    # --- asking -----------------------------------------------------------------------------------

    def _ask_after(self, delay_ms: int) -> None:
        if not self._is_asking_later:
            self._is_asking_later = True
            self._timers.after(delay_ms, self._ask_again)

    def _ask_again(self) -> None:
        self._is_asking_later = False
        for wish in self._wishes.values():
            wish.is_resting = wish.is_resting and wish.is_patient
        self.recheck()
        self._ask()

    def _ask_all_again(self) -> None:
        self._is_waking_later = False
        for wish in self._wishes.values():
            wish.is_resting = wish.has_no_room = False
        self.recheck()
        self._ask()

    def _ask(self) -> None:
        """Ask for all that is not being asked for, each body of the next peer that may have it."""
        by_peer: dict[AgencyId, list[Digest]] = {}
        alone: list[Wish] = []
        for digest, wish in self._wishes.items():
            if digest in self._asked or wish.is_resting:
                continue
            if not wish.candidates:
                wish.candidates = self._in_order(wish, digest)
            if wish.candidates:
                by_peer.setdefault(wish.candidates.pop(), []).append(digest)
            else:
                alone.append(wish)
        self._rest(alone)
        for peer, digests in by_peer.items():
            for start in range(0, len(digests), BATCH_MAX):
                self._ask_one(peer, tuple(digests[start : start + BATCH_MAX]))

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
        left = [wish for one in digests if (wish := self._wishes.get(one)) is not None]
        self._rest([wish for wish in left if not wish.candidates])
        if any(wish.candidates for wish in left):
            self._ask()

    def _rest(self, wishes: Iterable[Wish]) -> None:
        """Let wishes wait for which all peers were asked in vain."""
        for wish in wishes:
            wish.is_resting = True
            wish.turns += 1
            if not wish.is_patient:
                self._ask_after(PAUSE_MS)
            elif not self._is_waking_later:
                self._is_waking_later = True
                self._timers.after(REST_MS, self._ask_all_again)

    def _in_order(self, wish: Wish, digest: Digest) -> list[AgencyId]:
        """Return all peers, whom to ask first last; the digest says where the others begin."""
        peers = list(self._network.peers)
        start = digest[0] % len(peers) if peers else 0
        rotated = peers[start:] + peers[:start]
        return sorted(rotated, key=lambda peer: peer == wish.first)

    # --- taking -----------------------------------------------------------------------------------

    def _take(
        self, peer: AgencyId, digests: tuple[Digest, ...], bodies: tuple[bytes | None, ...]
    ) -> None:
        came = {
            digest: body
            for digest, body in zip(digests, bodies, strict=True)
            if body is not None and digest in self._wishes
        }
        stored = set(self._wishes.stored())
        refused = self._store.put_bodies({one: came[one] for one in came if one in stored})
        refused |= self._stage({one: came[one] for one in came if one not in stored})
        if any(_is_lie(error) for error in refused.values()):
            self._network.blame(peer, InvalidDataError.code)
        for digest, body in came.items():
            error = refused.get(digest)
            if error is None:
                self._came(digest, len(body))
            elif isinstance(error, PurgedError):
                self._came(digest, 0)

    def _stage(self, came: Mapping[Digest, bytes]) -> dict[Digest, LedgerError]:
        """Stage what undecided blocks name: on its signer's account, else on the proposer's."""
        claims = {digest: self._wishes.claim(digest) for digest in came}
        bodies = [StagedBody(one, came[one], *claim) for one, (claim, _block) in claims.items()]
        refused = self._stage_once(bodies)
        no_room = [one for one in bodies if isinstance(refused.get(one.digest), LimitExceededError)]
        for one in no_room:
            del refused[one.digest]
        refused |= self._stage_once(
            [replace(one, signer_key_id=claims[one.digest][1].account) for one in no_room]
        )
        for digest, error in refused.items():
            if isinstance(error, LimitExceededError):
                self._wait_for_room(digest, claims[digest][1])
        return refused

    def _stage_once(self, bodies: Sequence[StagedBody]) -> dict[Digest, LedgerError]:
        errors = self._store.stage_bodies(bodies)
        return {
            one.digest: error
            for one, error in zip(bodies, errors, strict=True)
            if error is not None
        }

    def _wait_for_room(self, digest: Digest, block: BlockWish) -> None:
        """Ask for a body again when others may have gone."""
        self._wishes.set_no_room(digest)
        if not block.is_told:
            block.is_told = True
            self._log.warning("bodies_no_room", height=block.height, block=block.block_id)

    def _came(self, digest: Digest, size: int) -> None:
        for block in self._wishes.came(digest, size):
            self._settle(block)

    def _settle(self, block: BlockWish) -> None:
        """Say that the bodies of a block are here, unless they are too large together."""
        if block.is_too_large:
            self._log.warning(
                "block_bodies_too_large",
                height=block.height,
                block=block.block_id,
                bytes=block.size,
                maximum=BLOCK_BODIES_BYTES_MAX,
            )
        else:
            block.done()

    def _size_here(self, digest: Digest) -> int | None:
        try:
            return self._store.body_size(digest)
        except PurgedError:
            return 0  # nobody shall have it any longer


def _is_lie(error: LedgerError) -> bool:
    """Tell whether bytes are not what their digest says, which is the fault of who sent them."""
    return isinstance(error, InvalidDataError) and not isinstance(error, LimitExceededError)


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
