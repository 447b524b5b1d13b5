"""A node that is behind leaves voting, fetches certified blocks, and comes back by itself.

Behind is who is two heights or more below what more than a third of the weight says it has stored
(one of them is honest), or below a quorum certificate that verifies; where too few of those whom
our set names are left to say it, a new one proves with the certificates before the change of the
set that these heights are there (`node.sync_search`). One height behind is normal for a moment;
whoever stays there for `PATIENCE_MS` catches up the same way, also when a single peer, which may be
the only one that saw enough precommits, proves it with a certificate.

Ranges of blocks are asked of several peers at once (`node.sync_plan` says which of whom), checked
as they come, and applied strictly in order: certificate under the set of its height, links,
execution, one batch. A peer that serves a false block is blamed, left alone for a while, and all
that it gave is asked of others; a peer that says nothing only loses its turn. So a lying peer costs
time and nothing else, and nobody is blamed but for bytes of its own.

How to drive it (the simulator does): `Sync(target, network, timers, clock, log)` stands on the
ports of `node.ports` and on `SyncTarget`, and `status` is its only input from outside; it never
waits, rolls dice or reads the time but by `clock.monotonic_ms`. A peer is asked with `Network.ask`
for the paths of `node.sync_wire`; `sync_wire.answer_range` is the answer of an honest one, which
`NodeService.certified_blocks` gives.
"""

from collections.abc import Callable
from typing import Final, Protocol

from consensus.messages import Status
from consensus.schedule import height_reached_by_some_honest
from keys.errors import BadSignatureError
from ledger.errors import InvalidDataError
from ledger.ids import AgencyId
from ledger.quorum import QuorumCertificate
from ledger.validators import ValidatorSet
from node.clock import Clock
from node.errors import InvalidProposalError
from node.logs import Log
from node.ports import Network, Timers
from node.sync_plan import Ask, Held, Source, SyncPlan
from node.sync_search import ProofSearch
from node.sync_wire import parse_certified_block, parse_range, question_for, question_for_range

BEHIND_MIN: Final = 2
PATIENCE_MS: Final = 1_000
PAUSE_MS: Final = 200
PROBE_EVERY_MS: Final = 5_000
QUESTION_MS: Final = 3_000
"""After which a range is asked of somebody else."""
APPLY_MAX: Final = 8
APPLY_MS: Final = 100
"""Blocks that are applied, or time that it may take, before something else gets its turn."""
PROGRESS_EVERY: Final = 1_000
"""Heights between two lines of the log while a node catches up."""


class SyncTarget(Protocol):
    """The chain that is to grow, and the voting that stands still meanwhile."""

    @property
    def tip_height(self) -> int:
        """The highest stored height."""

    def validators_at(self, height: int) -> ValidatorSet:
        """Return the set of a height up to tip + 1."""

    def check_certificate(self, certificate: QuorumCertificate) -> None:
        """Verify a certificate under the set that we believe its height to have.

        Raises:
            InvalidQuorumError: It does not hold.
        """

    def check_ahead(self, height: int, block_raw: bytes, certificate: QuorumCertificate) -> None:
        """Verify what can be verified of a block before the blocks below it are applied.

        That is: height, network, certificate and header belong together; and the certificate holds,
        if the header names the set of the height after the tip. No entry is looked at.

        Raises:
            InvalidDataError: The bytes are not what they claim to be.
            BadSignatureError: Likewise.
        """

    def apply_certified(self, block_raw: bytes, certificate: QuorumCertificate) -> None:
        """Verify the certificate, execute and store the block after the tip.

        Raises:
            InvalidDataError: The bytes are not what they claim to be.
            InvalidProposalError: The block does not continue the chain.
        """

    def leave_voting(self) -> None:
        """Stop taking part."""

    def return_to_voting(self) -> None:
        """Begin the height after the tip."""


class Sync:
    """Notices that this node is behind, and catches up.

    Args:
        target: What grows.
        network: The other nodes.
        timers: For pauses.
        clock: Measures how long a peer is left alone.
        log: Takes notes.

    Attributes:
        is_active: Whether this node catches up now, and so does not vote.
        may_return: Asked before it goes back to voting: whether it may, or will call a function
            once when it may (`node.interrogation`).
    """

    def __init__(
        self, target: SyncTarget, network: Network, timers: Timers, clock: Clock, log: Log
    ) -> None:
        self._target = target
        self._network = network
        self._timers = timers
        self._clock = clock
        self._log = log
        self._statuses: dict[AgencyId, Status] = {}
        self._plan = SyncPlan()
        self._goal = 0
        self._probed: set[AgencyId] = set()
        self._doubted: set[AgencyId] = set()
        self._proof: Held | None = None
        self._is_suspicious = False
        self._is_woken_later = False
        self._is_held = False
        self.may_return: Callable[[Callable[[], None]], bool] = _at_once
        self.is_active = False

    @property
    def goal(self) -> int:
        """The height to reach; 0 if this node was never behind."""
        return self._goal

    @property
    def _is_fetching(self) -> bool:
        """Whether this node catches up and does not merely wait for its leave to vote."""
        return self.is_active and not self._is_held

    @property
    def is_caught_up(self) -> bool:
        """Whether more than a third of the weight says where it is, and this node is there."""
        reached = self._honest_height()
        return not self.is_active and 0 < reached <= self._target.tip_height + 1

    @property
    def dropped(self) -> tuple[AgencyId, ...]:
        """The peers that are left alone now because they served something false."""
        return self._plan.liars(self._clock.monotonic_ms())

    def status(self, peer: AgencyId, status: Status) -> None:
        """Take the word of a peer on where it stands."""
        self._statuses[peer] = status
        self._consider(self._honest_height())
        height = self._target.tip_height
        if status.last_committed >= height + BEHIND_MIN:
            self._probe(peer, status.last_committed)
        elif status.last_committed > height and peer not in self._doubted:
            self._doubted.add(peer)
            self._timers.after(PATIENCE_MS, lambda: self._doubt(peer, height))

    def _doubt(self, peer: AgencyId, height: int) -> None:
        """Ask the one peer that is one height ahead for its certificate, if we are still here.

        It may be the only one that saw enough precommits; it says no more of that height, and the
        others may be too few to decide it again.
        """
        self._doubted.discard(peer)
        if self._target.tip_height == height:
            self._probe(peer, height + 1)

    def _probe(self, peer: AgencyId, claimed: int) -> None:
        """Let a single peer prove with a certificate that we are behind.

        That of the height it claims does not hold where the set has changed in between: then it may
        prove the highest one up to the change, found by halving, after the block that comes next.
        """
        if self._is_fetching or peer in self._probed:
            return
        self._probed.add(peer)
        self._seek(peer, ProofSearch(self._target.tip_height, claimed))

    def _seek(self, peer: AgencyId, search: ProofSearch) -> None:
        height = search.height
        if height is None or self._is_fetching:
            self._timers.after(PROBE_EVERY_MS, lambda: self._probed.discard(peer))
            self._consider(search.proved)
            return

        def take(raw: bytes | None) -> None:
            search.answered(holds=None if raw is None else self._holds(peer, height, raw))
            self._seek(peer, search)

        self._network.ask(peer, question_for(height), take)

    def _holds(self, peer: AgencyId, height: int, raw: bytes) -> bool:
        """Tell whether a certificate of a height came that verifies; nobody is to blame if not."""
        try:
            block_raw, certificate = parse_certified_block(raw)
            self._target.check_certificate(certificate)
        except (InvalidDataError, BadSignatureError):
            return False  # the set may have changed since our tip
        if certificate.height != height:
            return False
        if height == self._target.tip_height + 1:  # it may be gone when we ask again
            self._proof = Held(peer, block_raw, certificate)
        return True

    def _honest_height(self) -> int:
        validators = self._target.validators_at(self._target.tip_height + 1)
        by_index: dict[int, Status] = {}
        for peer, status in self._statuses.items():
            index = validators.index_of(peer)
            if index is not None:
                by_index[index] = status
        return height_reached_by_some_honest(by_index, validators)

    def _consider(self, reached: int) -> None:
        behind = reached - self._target.tip_height
        if behind >= BEHIND_MIN:
            self._activate(reached)
        elif behind > 0 and not self.is_active and not self._is_suspicious:
            self._is_suspicious = True
            height = self._target.tip_height
            self._timers.after(PATIENCE_MS, lambda: self._still_behind(height, reached))

    def _still_behind(self, height: int, reached: int) -> None:
        self._is_suspicious = False
        if self._target.tip_height == height:
            self._activate(reached)

    def _activate(self, reached: int) -> None:
        self._goal = max(self._goal, reached)
        if self._is_held:
            self._let_go()
        elif not self.is_active:
            self.is_active = True
            self._log.info("sync_started", tip=self._target.tip_height, goal=self._goal)
            self._target.leave_voting()
            proof, self._proof = self._proof, None
            if proof is not None:
                self._plan.hold(proof.certificate.height, proof)
            # Not here: a disk that refuses must stop the node, not the request that brought a word.
            self._wake_after(0)

    # --- catching up ------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Apply what continues the tip, ask for what is missing; end at the goal."""
        if not self.is_active or self._is_held:
            return
        has_more = self._apply_some()
        if self._target.tip_height >= self._goal:
            self._finish()
            return
        now_ms = self._clock.monotonic_ms()
        for ask in self._plan.ask_more(
            self._target.tip_height, self._goal, self._sources(), now_ms
        ):
            self._send(ask)
        if has_more:
            self._wake_after(0)
        elif not self._plan.open:
            self._wake_after(PAUSE_MS)

    def _wake_after(self, delay_ms: int) -> None:
        if not self._is_woken_later:
            self._is_woken_later = True
            self._timers.after(delay_ms, self._wake)

    def _wake(self) -> None:
        self._is_woken_later = False
        self._advance()

    def _sources(self) -> list[Source]:
        return [
            Source(peer, status.last_committed if (status := self._statuses.get(peer)) else None)
            for peer in self._network.peers
        ]

    def _send(self, ask: Ask) -> None:
        def take(raw: bytes | None) -> None:
            if self.is_active:
                self._take(ask, raw)
                self._advance()

        def late() -> None:
            if self.is_active:
                self._plan.timed_out(ask, self._clock.monotonic_ms())
                self._advance()

        self._network.ask(ask.peer, question_for_range(ask.first, ask.count), take)
        self._timers.after(QUESTION_MS, late)

    def _take(self, ask: Ask, raw: bytes | None) -> None:
        """Check an answer and hold its blocks; one false block damns the peer, not the others."""
        blocks: list[Held] = []
        height = ask.first
        try:
            for block_raw, certificate in () if raw is None else parse_range(raw, ask.count):
                self._target.check_ahead(height, block_raw, certificate)
                blocks.append(Held(ask.peer, block_raw, certificate))
                height += 1
        except (InvalidDataError, BadSignatureError) as error:
            self._refuse(ask.peer, height, error.code)
        else:
            self._plan.answered(ask, blocks, self._clock.monotonic_ms())

    def _apply_some(self) -> bool:
        """Apply what continues the tip, a few blocks; return whether more may follow at once."""
        started_ms = self._clock.monotonic_ms()
        for turn in range(APPLY_MAX):
            if turn and self._clock.monotonic_ms() - started_ms >= APPLY_MS:
                break
            height = self._target.tip_height + 1
            held = self._plan.pop(height)
            if held is None:
                return False
            try:
                self._target.apply_certified(held.block_raw, held.certificate)
            except (InvalidDataError, BadSignatureError, InvalidProposalError) as error:
                self._refuse(held.peer, height, error.code)
                return False
            if height % PROGRESS_EVERY == 0:
                self._log.info("sync_progress", tip=height, goal=self._goal)
        return True

    def _refuse(self, peer: AgencyId, height: int, code: str) -> None:
        self._network.blame(peer, code)
        self._plan.lied(peer, self._clock.monotonic_ms())
        self._log.warning("sync_refused", peer=peer, height=height, code=code)

    def _finish(self) -> None:
        if not self.may_return(self._let_go):
            self._is_held = True
            return
        self.is_active = False
        self._plan.clear()
        self._log.info("sync_done", tip=self._target.tip_height)
        self._target.return_to_voting()
        self._consider(self._honest_height())

    def _let_go(self) -> None:
        """Soon catch up with what has come meanwhile, then return to voting if it may."""
        self._is_held = False
        self._wake_after(0)


def _at_once(_then: Callable[[], None]) -> bool:
    """Let a node return that nobody has to be asked about."""
    return True
