"""Carries out what consensus asks for, and takes in what peers send: the node without its sockets.

`NodeWorld` stands between the driver and everything else: application, pool, exchange of blocks,
bodies, sync. It is synchronous and knows disk, clock and network by their ports only, so the
simulator drives this very code.

Nothing here waits: what takes time is asked for, and the answer comes back by a call.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from consensus.events import (
    BlockVerdict,
    BodiesHeld,
    BuildFailed,
    BuildValue,
    CheckBlock,
    Decide,
    FetchBodies,
    PoolNotEmpty,
    ReportEvidence,
    SetTimer,
    StartHeight,
    TimerFired,
    ValueBuilt,
)
from consensus.messages import Phase, Status
from consensus.schedule import round_robin
from consensus.wire import print_message
from keys.hashing import Digest
from ledger.blocks import Header
from ledger.errors import InvalidDataError
from ledger.ids import AgencyId
from ledger.quorum import QuorumCertificate
from ledger.validators import ValidatorSet
from node.application import Application, Committed, Turn
from node.block_exchange import BlockExchange
from node.bodies import Bodies, BodyStore, bodies_of
from node.clock import Clock
from node.driver import Driver
from node.errors import InconsistentError, InvalidProposalError
from node.evidence_pool import EvidencePool
from node.intake import Intake
from node.logs import Log
from node.mempool import Mempool
from node.ports import Network, Timers
from node.proposals import Gathering, build_proposal
from node.startup import GuardCheck, LatestVotes, Permission
from node.sync import Sync
from node.sync_checks import check_ahead, open_certified

if TYPE_CHECKING:
    from collections.abc import Callable

STATUS_EVERY_MS: Final = 2_000
OWN_CERTIFICATES: Final = 16
"""Certificates at our own tip that are compared with the guard at a start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the world stands on.

    Attributes:
        network: The other nodes.
        timers: Calls back later.
        clock: What time it is.
        log: Takes notes.
        vault: Where sealed bodies are.
    """

    network: Network
    timers: Timers
    clock: Clock
    log: Log
    vault: BodyStore


class NodeWorld:
    """One node's consensus and chain, without sockets.

    Args:
        application: Its chain.
        pool: What waits for a block.
        driver: The consensus; `attach` is called here.
        ports: What it stands on.
    """

    def __init__(
        self,
        application: Application,
        pool: Mempool,
        driver: Driver,
        ports: Ports,
    ) -> None:
        self._application = application
        self._pool = pool
        self._driver = driver
        self._ports = ports
        self._is_voting = False
        self.latest_votes = LatestVotes()
        self.gathering = Gathering(ports.timers, pool)
        self.evidence = EvidencePool(application.recent_evidence)
        self.bodies = Bodies(ports.vault, ports.network, ports.timers, ports.log)
        self.exchange = BlockExchange(
            ports.network, ports.timers, application.entries, self._may_push
        )
        self.sync = Sync(self, ports.network, ports.timers, ports.clock, ports.log)
        self.intake = Intake(self, driver, ports)
        self.guard_check = GuardCheck(
            driver.own, driver.last_signed, application.validators_at, ports.log
        )
        self.on_evidence: Callable[[ReportEvidence], None] = _ignore
        self.on_failure: Callable[[BaseException], None] = _raise
        driver.attach(self)
        application.on_committed.append(self._committed)

    @property
    def application(self) -> Application:
        """The chain."""
        return self._application

    @property
    def driver(self) -> Driver:
        """The consensus."""
        return self._driver

    # --- beginning and ending ---------------------------------------------------------------------

    def start(self, permission: Permission, frames: tuple[bytes, ...]) -> None:
        """Begin to take part: replay the journal, then work.

        Args:
            permission: From `node.startup`.
            frames: What the journal held.
        """
        self.guard_check.permission = permission
        for height in range(max(1, self.tip_height - OWN_CERTIFICATES), self.tip_height + 1):
            self.guard_check.mind(self._application.store.quorum_certificate(height))
        self._is_voting = True
        self._driver.start(self._next_start(), frames)
        self._wake_if_work()
        self.turn()
        self._send_status()

    def stop(self) -> None:
        """Take no further part; what is under way is on disk."""
        self._is_voting = False

    def pool_not_empty(self) -> None:
        """Know that entries wait for a block."""
        self._wake_if_work()
        self.turn()

    def turn(self) -> None:
        """Let the driver work off its inputs."""
        if self._is_voting and not self.sync.is_active:
            try:
                self._driver.turn()
            except Exception as error:  # noqa: BLE001 - handed on, never swallowed
                self._is_voting = False
                self.on_failure(error)

    # --- what the driver asks for -----------------------------------------------------------------

    def build(self, effect: BuildValue) -> None:
        """Build a block when the clock is past the block before; see `driver.World`."""
        wait_ms = effect.not_before_ms - self._ports.clock.now_ms()
        after = self.gathering.then
        self._ports.timers.after(max(0, wait_ms), lambda: after(lambda: self._build(effect)))

    def check(self, effect: CheckBlock) -> None:
        """Get and execute a block; see `driver.World`."""
        first, block_id = self._agency(effect.proposer), Digest(effect.block_id)

        def here() -> None:
            self._ports.timers.after(0, lambda: self._check(effect.height, block_id))

        self.exchange.want(block_id, first, here)

    def fetch_bodies(self, effect: FetchBodies) -> None:
        """Get the bodies of a checked block; see `driver.World`."""
        block = self.exchange.get(Digest(effect.block_id))
        if block is None:
            return

        def here() -> None:
            self._driver.put(BodiesHeld(effect.height, effect.block_id))
            self.turn()

        self.bodies.want(block, self._agency(effect.proposer), here)

    def start_timer(self, effect: SetTimer) -> None:
        """Fire later; see `driver.World`."""

        def fire() -> None:
            self._driver.put(TimerFired(effect.kind, effect.height, effect.round))
            self.turn()

        self._ports.timers.after(effect.delay_ms, fire)

    def broadcast(self, message: bytes) -> None:
        """Send to every peer; see `driver.World`."""
        self._ports.network.broadcast_messages([message])

    def decide(self, effect: Decide) -> StartHeight:
        """Store a decided block; see `driver.World`."""
        block = self.exchange.get(Digest(effect.block_id))
        if block is None:
            raise InconsistentError("a block was decided that is not held", height=effect.height)
        self._application.commit(block, effect.certificate)
        self._ports.timers.after(0, self._wake_and_turn)
        return self._next_start()

    def report(self, effect: ReportEvidence) -> None:
        """Show an equivocation, keep it for a block, send it on."""
        evidence = effect.evidence
        if self.evidence.add(evidence):
            self._ports.log.error(
                "equivocation",
                height=evidence.height,
                round=evidence.round,
                validator=evidence.validator,
            )
            self._ports.network.broadcast_messages([print_message(evidence)])
            self.on_evidence(effect)

    def restore_block(self, raw: bytes) -> None:
        """Hold a block that was in the journal."""
        self.exchange.restore(raw)

    # --- what sync asks for -----------------------------------------------------------------------

    @property
    def tip_height(self) -> int:
        """The highest stored height."""
        return self._application.tip_height

    def validators_at(self, height: int) -> ValidatorSet:
        """Return the set of a height."""
        return self._application.validators_at(height)

    def check_certificate(self, certificate: QuorumCertificate) -> None:
        """Verify a certificate of a height above the tip; see `sync.SyncTarget`."""
        validators = self._application.validators_at(certificate.height)
        certificate.check(self._application.network_id, validators)

    def check_ahead(self, height: int, block_raw: bytes, certificate: QuorumCertificate) -> None:
        """Verify what can be verified of a later block; see `sync.SyncTarget`."""
        check_ahead(self._application, height, block_raw, certificate)

    def apply_certified(self, block_raw: bytes, certificate: QuorumCertificate) -> None:
        """Verify, execute and store the block after the tip; see `sync.SyncTarget`."""
        block = open_certified(self._application, block_raw, certificate)
        self.guard_check.mind(certificate)
        self._application.commit(block, certificate)

    def leave_voting(self) -> None:
        """Let the driver rest while sync works."""
        self._driver.tell("voting_left", self.validators_at(self.tip_height + 1))

    def return_to_voting(self) -> None:
        """Begin the height after the tip."""
        if self._is_voting and self._driver.height <= self.tip_height:
            self._driver.begin(self._next_start())
        self._driver.tell("voting_resumed", self.validators_at(self.tip_height + 1))
        self._wake_if_work()
        self.turn()

    # --- inside -----------------------------------------------------------------------------------

    def _build(self, effect: BuildValue) -> None:
        state = self._driver.state
        if self._driver.height != effect.height or state is None or state.own_index is None:
            return
        time_ms = max(self._ports.clock.now_ms(), effect.not_before_ms)
        started_ms = self._ports.clock.monotonic_ms()
        turn = Turn(
            round=effect.round,
            proposer=state.own_index,
            time_ms=time_ms,
            evidence=self.evidence.take(effect.height),
        )
        try:
            proposed = build_proposal(
                self._application, self._pool.take, turn, self._ports.clock.monotonic_ms
            )
        except InvalidDataError as error:
            self._ports.log.warning("build_failed", height=effect.height, code=error.code)
            self._driver.put(BuildFailed(effect.height, effect.round))
        else:
            self._pool.drop_failed(proposed.failed)
            block = proposed.block
            self._ports.log.info(
                "proposed",
                height=effect.height,
                round=effect.round,
                entries=len(block.entries),
                left_out=len(proposed.failed),
                took_ms=self._ports.clock.monotonic_ms() - started_ms,
            )
            self.exchange.push(block)
            value = ValueBuilt(effect.height, effect.round, block.header.digest, time_ms)
            self._driver.put(value, block.raw)
        self.turn()

    def _check(self, height: int, block_id: Digest) -> None:
        block = self.exchange.get(block_id)
        if block is None or self._driver.height != height or self.sync.is_active:
            return
        is_valid = True
        started_ms = self._ports.clock.monotonic_ms()
        try:
            self._application.check(block)
        except InvalidProposalError as error:
            is_valid = False
            reason = str(error.details.get("reason", error.code))
            self._ports.log.warning("block_refused", height=height, reason=reason)
        checked_ms = self._ports.clock.monotonic_ms() - started_ms
        self._ports.log.debug("checked", height=height, block=block_id, took_ms=checked_ms)
        header = block.header
        verdict = BlockVerdict(
            height=height,
            block_id=block_id,
            valid=is_valid,
            header_round=header.round,
            time_ms=header.time_ms,
            proposer=header.proposer,
        )
        self._driver.put(verdict, block.raw if is_valid else None)
        self.turn()

    def _committed(self, committed: Committed) -> None:
        block = committed.block
        self.bodies.keep(bodies_of(block.entries))
        self.bodies.forget_through(committed.height)
        self.evidence.settle()
        self.exchange.forget_through(committed.height)
        self._ports.log.info(
            "committed",
            height=committed.height,
            round=block.header.round,
            entries=len(block.entries),
            block=block.header.digest,
        )

    def _next_start(self) -> StartHeight:
        height = self.tip_height + 1
        return StartHeight(
            height=height,
            validators=self._application.validators_at(height),
            parameters=self._application.parameters_at(height),
            previous_time_ms=self._application.tip_time_ms,
            now_ms=self._ports.clock.now_ms(),
            may_vote=self.guard_check.may_vote(height),
        )

    def _wake_and_turn(self) -> None:
        self._wake_if_work()
        self.turn()

    def _wake_if_work(self) -> None:
        """End WAIT where there is something to put into a block."""
        state = self._driver.state
        has_work = len(self._pool) > 0 or len(self.evidence) > 0
        if state is not None and state.phase is Phase.WAIT and has_work:
            self._driver.put(PoolNotEmpty(state.height))

    def _send_status(self) -> None:
        if not self._is_voting:
            return
        state = self._driver.state
        if state is not None:
            status = Status(state.height, state.round, state.phase, self.tip_height)
            self._ports.network.broadcast_messages([print_message(status)])
        self._ports.timers.after(STATUS_EVERY_MS, self._send_status)

    def _agency(self, index: int | None) -> AgencyId | None:
        validators = self._application.validators_at(self.tip_height + 1)
        return None if index is None or index >= len(validators) else validators[index].agency_id

    def _may_push(self, peer: AgencyId, header: Header) -> bool:
        """Tell whether a peer is who proposes this header, at a height that is or comes next."""
        height = self.tip_height + 1
        if header.network_id != self._application.network_id:
            return False
        if not height <= header.height <= height + 1:
            return False
        validators = self._application.validators_at(header.height)
        proposer = round_robin(validators, header.height, header.round)
        return header.proposer == proposer and validators[proposer].agency_id == peer


def _raise(error: BaseException) -> None:
    raise error


def _ignore(effect: ReportEvidence) -> None:
    """Nobody has asked to be told."""
