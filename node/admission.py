"""The one door for entries: everything that is checked before an entry may wait for a block.

    parse -> known already? -> room? -> bodies match -> keys from the guess of the next state
    -> signatures -> vault staging -> dry run on the guess -> pool

A batch goes through in three steps, so that the expensive middle one can run in worker threads:

* `prepare`, in the loop: parses, drops what is known, resolves keys;
* `verify`, anywhere: checks signatures, stages bodies with one write;
* `finish`, in the loop: executes on the guess, puts into the pool.

Entries of one batch may build on one another. A body is on disk before its entry is in the pool:
an orphan body is harmless, an entry without body is not. Plain and synchronous, times are
arguments of a clock; `node.admission_queue` is the asyncio around it.
"""

from collections.abc import Callable, Iterable, Sequence

from keys.errors import CivregError
from keys.hashing import Digest, sha256
from ledger.entries import Entry, EntryContent
from ledger.limits import NOT_AFTER_AHEAD_MAX_MS
from ledger.outcomes import parse_outcome
from ledger.vault import StagedBody, Vault
from node.application import Application, Committed
from node.clock import Clock
from node.logs import Log, place_of
from node.mempool import Mempool, Mentions, PooledEntry
from node.prediction import Prediction
from node.public_errors import InternalError, NotFoundError
from node.submissions import (
    Admitted,
    Candidate,
    Result,
    Submission,
    body_digests,
    is_final,
    match_bodies,
)
from node.waiting import GivenUp, Place, Refusals, Waiting
from registry.apply import (
    BlockContext,
    SignatureCheck,
    VerifiedEntry,
    resolve_signatures,
    verify_entry,
)
from registry.errors import (
    ExpiredError,
    NotAfterTooFarError,
    RuleError,
    StaleVersionError,
    WrongNetworkError,
)


class Admission:
    """Lets entries into the pool.

    Args:
        application: The chain, its state, the cache of parsed and verified entries.
        pool: Where entries wait.
        vault: Where bodies are staged.
        clock: What `not_after_ms` is measured by before a block does.
        log: Takes notes.
    """

    def __init__(
        self, application: Application, pool: Mempool, vault: Vault, clock: Clock, log: Log
    ) -> None:
        self._application = application
        self._pool = pool
        self._vault = vault
        self._clock = clock
        self._log = log
        self._prediction = Prediction(application.state)
        self._refusals = Refusals()
        self._lost = GivenUp()
        self.waiting = Waiting()
        self.on_refused: Callable[[str], None] = _ignore
        self.on_admitted: Callable[[], None] = _nothing
        pool.on_given_up = self._given_up

    @property
    def pool(self) -> Mempool:
        """Where entries wait."""
        return self._pool

    @property
    def prediction(self) -> Prediction:
        """The guess of the next state."""
        return self._prediction

    def admit(self, submissions: Iterable[Submission]) -> list[Result]:
        """Take a batch through all steps at once, in this thread."""
        candidates = self.prepare(submissions)
        self.verify(candidates)
        return self.finish(candidates)

    # --- first step: in the loop ---

    def prepare(self, submissions: Iterable[Submission]) -> list[Candidate]:
        """Parse, and answer what needs no further look."""
        candidates, height = [], self._application.tip_height
        for submission in submissions:
            candidate = Candidate(submission, sha256(submission.entry_raw), height)
            self._guarded(candidate, self._prepare)
            candidates.append(candidate)
        return candidates

    def _prepare(self, candidate: Candidate) -> None:
        refused = self._refusals.get(candidate.raw_hash)
        if refused is not None:
            raise refused
        raw, name = candidate.submission.entry_raw, candidate.raw_hash
        entry = self._application.entries.parse(raw, name)
        candidate.entry = entry
        candidate.result = self._known(candidate)
        if candidate.result is not None:
            return
        if candidate.submission.trusted and entry.entry_digest in self._lost:
            raise RuleError("the entry was given up here")
        self._check_head(entry)
        self._pool.check_room(entry.head.first_key_id, (), len(entry.raw))
        candidate.verified = self._application.entries.verified(entry)
        if candidate.verified is None:
            candidate.checks = self._resolve(entry)

    def known(self, entry_digest: Digest) -> Admitted | None:
        """Return the current answer for an entry that waits or stands in the chain, or None."""
        if entry_digest in self._pool:
            return Admitted(entry_digest, None, is_new=False)
        place = self.place(entry_digest)
        return None if place is None else Admitted(entry_digest, place, is_new=False)

    def _known(self, candidate: Candidate) -> Admitted | None:
        """Return the answer for what is known; another node does not want to hear the place."""
        entry_digest = candidate.known_entry.entry_digest
        if not candidate.submission.trusted:
            return self.known(entry_digest)
        return Admitted(entry_digest, None, is_new=False) if self.is_known(entry_digest) else None

    def is_known(self, entry_digest: Digest) -> bool:
        """Tell whether an entry waits or stands in the chain."""
        in_pool = entry_digest in self._pool
        return in_pool or self._application.store.locate(entry_digest) is not None

    def is_settled(self, entry_digest: Digest) -> bool:
        """Tell whether nobody need bring an entry: it is known, or was given up here."""
        return entry_digest in self._lost or self.is_known(entry_digest)

    def place(self, entry_digest: Digest) -> Place | None:
        """Return where an entry stands in the chain, or None."""
        store = self._application.store
        found = store.locate(entry_digest)
        if found is None:
            return None
        height, index = found
        outcome = parse_outcome(store.outcomes(height)[index])
        return Place(height, index, outcome.registration_number)

    def _check_head(self, entry: Entry) -> None:
        if entry.head.network_id != self._application.network_id:
            raise WrongNetworkError("the entry is for another network")
        now_ms = max(self._clock.now_ms(), self._application.tip_time_ms)
        if entry.head.not_after_ms < now_ms:
            raise ExpiredError(
                f"the entry was valid until {entry.head.not_after_ms}",
                not_after_ms=entry.head.not_after_ms,
            )
        if entry.head.not_after_ms > now_ms + NOT_AFTER_AHEAD_MAX_MS:
            raise NotAfterTooFarError(
                "the entry's time is too long", not_after_ms=entry.head.not_after_ms
            )

    def _resolve(self, entry: Entry) -> tuple[SignatureCheck, ...] | None:
        """Return what to verify; None if a key is not known yet: an earlier entry may bring it."""
        try:
            return resolve_signatures(self._prediction.state, entry)
        except RuleError:
            return None

    # --- second step: anywhere ---

    def verify(self, candidates: Sequence[Candidate]) -> None:
        """Check signatures and bodies, and stage the bodies; may run in a worker thread."""
        for candidate in candidates:
            if candidate.result is None:
                self._guarded(candidate, self._verify)
        self._stage([one for one in candidates if one.result is None and one.verified is not None])

    def _verify(self, candidate: Candidate) -> None:
        entry = candidate.known_entry
        candidate.bodies = match_bodies(entry, candidate.submission.bodies)
        candidate.body_digests = body_digests(entry)
        if candidate.verified is None:  # a block that holds it may have been checked meanwhile
            candidate.verified = self._application.entries.verified(entry)
        if candidate.verified is None and candidate.checks is not None:
            candidate.verified = verify_entry(entry, candidate.checks)

    def _stage(self, candidates: Sequence[Candidate]) -> None:
        """Put bodies into the vault, on account of the first signer, whose signature verified."""
        owners: list[Candidate] = []
        staged: list[StagedBody] = []
        for candidate in candidates:
            head = candidate.known_entry.head
            for digest, body in candidate.bodies.items():
                owners.append(candidate)
                staged.append(StagedBody(digest, body, head.first_key_id, head.not_after_ms))
        refusals: tuple[CivregError | None, ...] = ()
        if staged:
            try:
                refusals = self._vault.stage_bodies(staged)
            except CivregError as error:
                refusals = (error,) * len(owners)
        for owner, refusal in zip(owners, refusals, strict=True):
            if refusal is not None:
                owner.result = refusal

    # --- third step: in the loop ---

    def finish(self, candidates: Sequence[Candidate]) -> list[Result]:
        """Execute on the guess and put into the pool; return the answers in order."""
        return [self._finish(candidate) for candidate in candidates]

    def _finish(self, candidate: Candidate) -> Result:
        if candidate.result is None:
            self._guarded(candidate, self._enter)
        result = candidate.result
        assert result is not None, "every way through the door ends with a result"
        if isinstance(result, CivregError):
            self.on_refused(result.code)
            if is_final(result):
                self._refusals.put(candidate.raw_hash, result)
        return result

    def _guarded(self, candidate: Candidate, step: Callable[[Candidate], None]) -> None:
        """Take one step of one candidate; what goes wrong is its result and stops no other."""
        try:
            step(candidate)
        except CivregError as error:
            candidate.result = error
        except Exception as error:  # noqa: BLE001 - our mistake must not stop the others
            name, place = type(error).__name__, place_of(error)
            self._log.warning("admission_failed", step=step.__name__, error=name, place=place)
            candidate.result = InternalError("the node failed to examine the entry")

    def _enter(self, candidate: Candidate) -> None:
        entry = candidate.known_entry
        if entry.entry_digest in self._pool or candidate.height != self._application.tip_height:
            candidate.result = self._known(candidate)
            if candidate.result is not None:
                return
        mentions = Mentions.of(entry)
        self._pool.check_room(entry.head.first_key_id, mentions.writes, len(entry.raw))
        verified = candidate.verified or self._verify_late(candidate)
        self._complete_bodies(candidate)
        self._application.entries.remember(verified)
        trial = None
        if not candidate.submission.trusted:
            trial = self._prediction.try_entry(verified, self._context())
        pooled = PooledEntry(
            verified=verified,
            entry_digest=entry.entry_digest,
            signer=entry.head.first_key_id,
            writes=mentions.writes,
            names=mentions.names,
            not_after_ms=entry.head.not_after_ms,
            body_digests=candidate.body_digests,
            bodies_bytes=sum(map(len, candidate.bodies.values())),
            size=len(entry.raw),
            received_ms=self._clock.now_ms(),
        )
        self._pool.add(pooled)
        self._lost.forget(entry.entry_digest)
        if trial is not None:
            self._prediction.accept(entry.entry_digest, trial)
        candidate.result = Admitted(entry.entry_digest, None, is_new=True)
        self.on_admitted()

    def _verify_late(self, candidate: Candidate) -> VerifiedEntry:
        """Verify an entry whose keys an entry before it in the same batch has brought."""
        entry = candidate.known_entry
        verified = verify_entry(entry, resolve_signatures(self._prediction.state, entry))
        candidate.verified = verified
        self._stage([candidate])
        if isinstance(candidate.result, CivregError):
            raise candidate.result
        return verified

    def _complete_bodies(self, candidate: Candidate) -> None:
        """Take bodies that did not come from the vault.

        Raises:
            NotFoundError: One is not there either.
        """
        for digest in candidate.body_digests:
            if digest not in candidate.bodies:
                body = self._vault.body(digest)
                if body is None:
                    raise NotFoundError(
                        "a sealed body of the entry was not sent and is not here",
                        digest=digest.hex(),
                    )
                candidate.bodies[digest] = body

    def _context(self) -> BlockContext:
        application = self._application
        return BlockContext(
            height=application.tip_height + 1,
            index=0,
            time_ms=max(self._clock.now_ms(), application.tip_time_ms + 1),
            network_id=application.network_id,
            header_digest=application.header_digest,
        )

    # --- afterwards ---

    def committed(self, committed: Committed) -> None:
        """Answer who waits, and forget what is in the chain or can no longer come into it."""
        digests = [outcome.entry_digest for outcome in committed.outcomes]
        self._pool.remove(digests)
        self._prediction.drop(digests)
        for index, outcome in enumerate(committed.outcomes):
            place = Place(committed.height, index, outcome.registration_number)
            self.waiting.answer(outcome.entry_digest, place)
        beaten = self._pool.drop_beaten(committed.block.entries)
        for pooled in beaten:
            current = _newest(pooled, committed.block.entries)
            self._give_up(
                [pooled],
                StaleVersionError("another entry has written this version", current=current),
            )
        self.drop_expired(committed.block.header.time_ms)

    def _given_up(self, given_up: Sequence[PooledEntry]) -> None:
        """Tell who waits that entries no longer apply; proposals had to leave them out."""
        reason = RuleError("the entry no longer fits what others have registered meanwhile")
        self._give_up(given_up, reason)

    def _give_up(self, given_up: Sequence[PooledEntry], reason: RuleError) -> None:
        dropped = [pooled.entry_digest for pooled in given_up]
        self._lost.remember(dropped)
        self._prediction.drop(dropped)
        self.waiting.answer_all(dropped, reason)
        for digest in dropped:
            self.on_refused(reason.code)
            self._log.info("entry_dropped", entry=digest)

    def drop_expired(self, time_ms: int) -> None:
        """Drop what no later block can hold, and tell who waits."""
        expired = [pooled.entry_digest for pooled in self._pool.drop_expired(time_ms)]
        self._prediction.drop(expired)
        self.waiting.answer_all(expired, ExpiredError("the entry expired while it waited"))


def _newest(pooled: PooledEntry, entries: Sequence[EntryContent]) -> int:
    """Return the newest version that a block's entries wrote of a record of a beaten entry."""
    own = {part.record_id for part in pooled.verified.entry.records}
    return max(
        part.record_version for entry in entries for part in entry.records if part.record_id in own
    )


def _ignore(code: str) -> None:
    """Stand in for a callback that nobody has set."""


def _nothing() -> None:
    """Stand in for a callback that nobody has set."""
