"""Four production engines on an invented network, clock and disk; one seed repeats a run.

Every message travels as bytes: printed, parsed, dropped if known, opened, logged as bytes, stepped.
Blocks are names in a dict that stands for "some peer has the bytes". The driver here does what
`consensus.engine` demands of one, in as few lines as possible.
"""

import hashlib
import heapq
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from consensus import engine
from consensus.events import (
    BlockVerdict,
    BodiesHeld,
    Broadcast,
    BuildValue,
    CastVote,
    CheckBlock,
    Decide,
    Effect,
    Event,
    FetchBodies,
    PolkaProofReceived,
    PoolNotEmpty,
    ProposalReceived,
    Propose,
    QuorumCertificateReceived,
    ReportEvidence,
    RoundProofReceived,
    SetTimer,
    StartHeight,
    TimerFired,
    ValueBuilt,
    VoteReceived,
)
from consensus.journal import parse_event, print_event
from consensus.messages import (
    SignedProposal,
    SignedVote,
    VoteType,
    open_proposal,
    open_vote,
    proposal_message,
    vote_message,
)
from consensus.parameters import LAN
from consensus.proofs import (
    SignedPolkaProof,
    SignedRoundProof,
    open_polka_proof,
    open_quorum_certificate,
    open_round_proof,
)
from consensus.schedule import round_robin
from consensus.state import Identity, State
from consensus.wire import parse_message, print_message
from keys.signing import SoftwareKey
from ledger.quorum import QuorumCertificate
from ledger.validators import ValidatorSet
from tests.consensus.committee import FOUR, NETWORK_ID, agency, key

GENESIS_MS = 1_000_000
STATUS_MS = 2_000


@dataclass(frozen=True)
class BlockBytes:
    """What the network knows of a block."""

    height: int
    round: int
    time_ms: int
    proposer: int


@dataclass
class World:
    """Clock, network and blocks; nothing in here but the dice is random."""

    seed: int
    loss_percent: int = 0
    delay_max_ms: int = 60
    now_ms: int = GENESIS_MS
    blocks: dict[bytes, BlockBytes] = field(default_factory=dict)
    queue: list[tuple[int, int, int, str, Any]] = field(default_factory=list)
    sent: int = 0
    nodes: dict[int, Any] = field(default_factory=dict)
    plots: dict[tuple[int, int], list[bytes | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def later(self, delay_ms: int, to: int, kind: str, what: Any) -> None:
        self.sent += 1
        heapq.heappush(self.queue, (self.now_ms + delay_ms, self.sent, to, kind, what))

    def send(self, to: int, kind: str, what: Any) -> None:
        if self.dice.randrange(100) >= self.loss_percent:
            self.later(1 + self.dice.randrange(self.delay_max_ms), to, kind, what)

    def broadcast(self, sender: int, raw: bytes) -> None:
        for index in self.nodes:
            if index != sender:
                self.send(index, "message", raw)

    def new_block(self, height: int, round_number: int, time_ms: int, proposer: int) -> bytes:
        made = BlockBytes(height, round_number, time_ms, proposer)
        name = f"{made} {self.sent}".encode()
        block_id = hashlib.sha256(name).digest()
        self.blocks[block_id] = made
        return block_id

    def run(self, until_ms: int, is_done: Any) -> None:
        while self.queue and self.now_ms < until_ms and not is_done():
            self.now_ms, _, to, kind, what = heapq.heappop(self.queue)
            self.nodes[to].receive(kind, what)


class Guard:
    """Remembers what was signed at each place; the disk of a node, so it survives crashes."""

    def __init__(self, index: int) -> None:
        self.key = key(index)
        self.signed: dict[Any, tuple[bytes, bytes]] = {}

    def sign(self, place: Any, message: bytes, by: SoftwareKey | None = None) -> bytes:
        held = self.signed.get(place)
        if held is None:
            held = self.signed[place] = (message, (by or self.key).sign(message))
        assert held[0] == message, f"two different messages for {place}"
        return held[1]


class CrashError(Exception):
    """The process ends here; log, guard and blocks are on disk, all else is gone."""


class HonestNode:
    """A driver as `consensus.engine` demands it."""

    def __init__(self, world: World, index: int) -> None:
        self.world, self.index = world, index
        self.guard = Guard(index)
        self.log: list[bytes] = []
        self.decided: dict[int, tuple[bytes, QuorumCertificate]] = {}
        self.evidence: list[Any] = []
        self.identity = Identity(agency(index), round_robin)
        self.rounds: list[int] = []
        self.crash_permille = 0
        self.crashes = 0
        self.life = 0
        start = self._start(1)
        self.log.append(print_event(start))
        self.state, effects = engine.begin(self.identity, start)
        self._perform(effects)
        world.later(STATUS_MS, index, "status", None)
        self._later(1, PoolNotEmpty(1))

    def set_at(self, height: int) -> ValidatorSet:  # noqa: ARG002 - others change it
        """The validators of a height, which this node knows."""
        return FOUR

    def key_at(self, height: int) -> SoftwareKey:  # noqa: ARG002 - others change it
        """The key by which the set of a height knows this node."""
        return self.guard.key

    @property
    def now_ms(self) -> int:
        """What its clock shows."""
        return self.world.now_ms

    @property
    def own(self) -> int:
        """Its index in the set of its height."""
        found = self.set_at(self.state.height).index_of(agency(self.index))
        assert found is not None, "the engine asks members only"
        return found

    def _start(self, height: int, state: State | None = None) -> StartHeight:
        validators = self.set_at(height)
        kept = () if state is None else engine.kept_messages(state, height, validators)
        last = self.decided.get(height - 1)
        return StartHeight(
            height=height,
            validators=validators,
            parameters=LAN,
            previous_time_ms=self.world.blocks[last[0]].time_ms if last else GENESIS_MS - 1,
            now_ms=self.now_ms,
            kept=kept,
        )

    # --- what comes in ---

    def receive(self, kind: str, what: Any) -> None:
        try:
            self._receive(kind, what)
        except CrashError:
            self._restart()

    def _receive(self, kind: str, what: Any) -> None:
        match kind:
            case "event":
                life, event = what
                if life == self.life:  # timers and open questions die with the process
                    self._give(event)
            case "message":
                self._message(what)
            case "sync":
                self._sync(what)
            case "status":
                self._status()
            case "height":
                self._ask(*what)
            case _:
                raise AssertionError(kind)

    def _later(self, delay_ms: int, event: Event) -> None:
        self.world.later(delay_ms, self.index, "event", (self.life, event))

    def _message(self, raw: bytes) -> None:
        message = parse_message(raw)
        context = (self.set_at(message.height), NETWORK_ID)
        if engine.is_known(self.state, message, context[0].digest):
            return
        match message:
            case SignedVote():
                self._give(VoteReceived(open_vote(message, *context)))
            case SignedProposal():
                opened = open_proposal(message, *context)
                self._give(ProposalReceived(opened, self.now_ms))
            case SignedPolkaProof():
                self._give(PolkaProofReceived(open_polka_proof(message, *context)))
            case SignedRoundProof():
                self._give(RoundProofReceived(open_round_proof(message, *context)))
            case _:
                raise AssertionError(message)

    def _status(self) -> None:
        self.world.later(STATUS_MS, self.index, "status", None)
        for index in self.world.nodes:
            if index != self.index:
                self.world.send(index, "height", (self.index, self.state.height))

    def _ask(self, peer: int, height: int) -> None:
        """Serve a committed block with its quorum certificate to a peer that is behind."""
        if height in self.decided:
            self.world.send(peer, "sync", self.decided[height])

    def _sync(self, found: tuple[bytes, QuorumCertificate]) -> None:
        block_id, certificate = found
        if certificate.height != self.state.height:
            return
        opened = open_quorum_certificate(certificate, self.set_at(certificate.height), NETWORK_ID)
        self._give(QuorumCertificateReceived(opened))
        if certificate.height == self.state.height and certificate.height not in self.decided:
            self._store(block_id, certificate)

    # --- the log, the step, the effects ---

    def _give(self, event: Event) -> None:
        self.log.append(print_event(event))
        self._crash_perhaps()
        self.state, effects = engine.step(self.state, event)
        self._perform(effects)

    def _crash_perhaps(self) -> None:
        if self.world.dice.randrange(1_000) < self.crash_permille:
            raise CrashError

    def _restart(self) -> None:
        """Replay the log, throw the effects away, carry on; which may crash again."""
        self.crashes += 1
        self.life += 1
        first = parse_event(self.log[0])
        assert isinstance(first, StartHeight)
        self.state, _ = engine.begin(self.identity, first)
        for raw in self.log[1:]:
            self.state, _ = engine.step(self.state, parse_event(raw))
        self._later(1, PoolNotEmpty(self.state.height))
        try:
            self._perform(engine.resume(self.state))
        except CrashError:
            self._restart()

    def _perform(self, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            self._crash_perhaps()
            if getattr(effect, "height", self.state.height) == self.state.height:
                self._do(effect)

    def _do(self, effect: Effect) -> None:
        world, height = self.world, self.state.height
        match effect:
            case CastVote():
                self._cast(effect)
            case Propose():
                self._propose(effect)
            case BuildValue(round=number, not_before_ms=not_before_ms):
                time_ms = max(self.now_ms, not_before_ms)
                block_id = world.new_block(height, number, time_ms, self.own)
                self._later(5, ValueBuilt(height, number, block_id, time_ms))
            case CheckBlock(block_id=block_id):
                found = world.blocks[block_id]
                verdict = BlockVerdict(
                    height=height,
                    block_id=block_id,
                    valid=found.height == height,
                    header_round=found.round,
                    time_ms=found.time_ms,
                    proposer=found.proposer,
                )
                self._later(1 + world.dice.randrange(20), verdict)
            case FetchBodies(block_id=block_id):
                self._later(1 + world.dice.randrange(20), BodiesHeld(height, block_id))
            case SetTimer(kind=kind, round=number, delay_ms=delay_ms):
                self._later(delay_ms, TimerFired(kind, height, number))
            case Broadcast(message=message):
                world.broadcast(self.index, print_message(message))
            case Decide(block_id=block_id, certificate=certificate):
                certificate.check(NETWORK_ID, self.set_at(height))
                self._store(block_id, certificate)
            case ReportEvidence(evidence=evidence):
                evidence.check(self.set_at(evidence.height), NETWORK_ID)
                self.evidence.append(evidence)

    def _cast(self, cast: CastVote) -> None:
        message = vote_message(NETWORK_ID, cast.type, cast.height, cast.round, cast.block_id)
        signature = self.guard.sign(
            (cast.type, cast.height, cast.round), message, self.key_at(cast.height)
        )
        self._crash_perhaps()
        place = (cast.type, cast.height, cast.round, cast.block_id)
        signed = SignedVote(*place, self.own, signature)
        self._give(VoteReceived(open_vote(signed, self.set_at(cast.height), NETWORK_ID)))

    def _propose(self, said: Propose) -> None:
        place = (said.height, said.round, said.block_id, said.pol_round, said.time_ms, self.own)
        unsigned = SignedProposal(*place, b"")
        message = proposal_message(NETWORK_ID, unsigned)
        signature = self.guard.sign(
            ("proposal", said.height, said.round), message, self.key_at(said.height)
        )
        self._crash_perhaps()
        opened = open_proposal(
            SignedProposal(*place, signature), self.set_at(said.height), NETWORK_ID
        )
        self._give(ProposalReceived(opened, self.now_ms))

    def _store(self, block_id: bytes, certificate: QuorumCertificate) -> None:
        """One synchronous batch: the block and where the log begins anew."""
        self.decided[certificate.height] = (block_id, certificate)
        self.rounds.append(self.state.round)
        start = self._start(certificate.height + 1, self.state)
        self.log = [print_event(start)]
        self._crash_perhaps()
        self.state, effects = engine.step(self.state, start)
        self._later(1, PoolNotEmpty(start.height))
        self._perform(effects)


class Equivocator:
    """Says one thing to half of the others and another thing to the rest; `talkative` times.

    Several of them follow one plot: the same two blocks for the same two halves.
    """

    def __init__(self, world: World, index: int, talkative: int) -> None:
        self.world, self.index, self.left = world, index, talkative
        self.key = key(index)
        self.seen: Counter[Any] = Counter()
        self.decided: dict[int, tuple[bytes, QuorumCertificate]] = {}
        world.later(1, index, "propose", (1, 0))

    def receive(self, kind: str, what: Any) -> None:
        if kind == "propose" or (kind == "message" and self.left):
            self._speak(*(what if kind == "propose" else self._place(what)))

    def _place(self, raw: bytes) -> tuple[int, int]:
        message = parse_message(raw)
        round_number = getattr(message, "round", 0)
        return (message.height, round_number)

    def _speak(self, height: int, round_number: int) -> None:
        place = (height, round_number)
        if self.seen[place] or not self.left:
            return
        self.seen[place] += 1
        self.left -= 1
        now_ms = self.world.now_ms
        if round_robin(FOUR, height, round_number) == self.index:
            made = [
                self.world.new_block(height, round_number, now_ms, self.index) for _ in range(2)
            ]
            self.world.plots[place] = [*made]
            for half, block_id in enumerate(made):
                self._to_half(half, self._proposal(height, round_number, block_id, now_ms))
        known = [b for b, found in self.world.blocks.items() if found.height == height]
        choices = self.world.plots.get(place, [known[-1] if known else None, None])
        for half, choice in enumerate(choices):
            for vote_type in VoteType:
                message = vote_message(NETWORK_ID, vote_type, height, round_number, choice)
                signed = SignedVote(
                    vote_type, height, round_number, choice, self.index, self.key.sign(message)
                )
                self._to_half(half, signed)

    def _proposal(self, height: int, number: int, block_id: bytes, now_ms: int) -> SignedProposal:
        place = (height, number, block_id, -1, now_ms, self.index)
        unsigned = SignedProposal(*place, b"")
        return SignedProposal(*place, self.key.sign(proposal_message(NETWORK_ID, unsigned)))

    def _to_half(self, half: int, message: SignedVote | SignedProposal) -> None:
        for position, index in enumerate(sorted(self.world.nodes)):
            if index != self.index and position % 2 == half:
                self.world.send(index, "message", print_message(message))


def disagreements(nodes: list[HonestNode]) -> list[int]:
    """The checker: heights for which two honest nodes decided different blocks."""
    by_height: dict[int, dict[bytes, int]] = {}
    for node in nodes:
        for height, (block_id, _) in node.decided.items():
            by_height.setdefault(height, {})[block_id] = node.index
    return [height for height, blocks in sorted(by_height.items()) if len(blocks) > 1]
