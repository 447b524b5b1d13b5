"""Drivers on invented disks, clocks and a network, with crashes at any operation of a port.

The drivers, the guard and the consensus core are the production ones; blocks are names only.
"""

import heapq
from dataclasses import dataclass, field, replace
from typing import Any, cast

from consensus.events import (
    BlockVerdict,
    BodiesHeld,
    PolkaProofReceived,
    ProposalReceived,
    RoundProofReceived,
    StartHeight,
    TimerFired,
    ValueBuilt,
    VoteReceived,
)
from consensus.messages import SignedProposal, SignedVote, open_proposal, open_vote
from consensus.parameters import LAN
from consensus.proofs import (
    SignedPolkaProof,
    SignedRoundProof,
    open_polka_proof,
    open_round_proof,
)
from consensus.schedule import round_robin
from consensus.state import Identity
from consensus.wire import parse_message
from keys.hashing import sha256
from keys.signing import SoftwareKey
from ledger.canonical import decode, encode
from ledger.ids import AgencyId
from ledger.validators import Validator, validator_set
from node.driver import Driver
from node.logs import SilentLog
from node.signer import GuardedSigner
from node.sync import BEHIND_MIN, PATIENCE_MS

NETWORK = b"n" * 32
GENESIS_MS = 1_000_000
PARAMETERS = replace(LAN, idle_ms=10)
KEYS = [SoftwareKey.generate() for _ in range(4)]
AGENCIES = [AgencyId(bytes([index]) * 16) for index in range(4)]
VALIDATORS = validator_set(
    tuple(Validator(agency, key.public, 1) for agency, key in zip(AGENCIES, KEYS, strict=True))
)


class PowerLostError(Exception):
    """The machine lost power in the middle of an operation."""


@dataclass
class Fuse:
    """Blows before operation number `blow_at`, counted from 1; 0 never blows."""

    blow_at: int = 0
    operations: list[str] = field(default_factory=list)

    def burn(self, operation):
        self.operations.append(operation)
        if len(self.operations) == self.blow_at:
            raise PowerLostError(operation)


@dataclass
class Disk:
    """What survives a crash; frames that were not synced do not."""

    fuse: Fuse = field(default_factory=Fuse)
    frames: list[bytes] = field(default_factory=list)
    unsynced: list[bytes] = field(default_factory=list)
    guard: bytes | None = None
    chain: list[Any] = field(default_factory=list)

    def append(self, frame):
        self.fuse.burn("append")
        self.unsynced.append(frame)

    def sync(self):
        self.fuse.burn("before sync")
        self.frames += self.unsynced
        self.unsynced = []
        self.fuse.burn("after sync")

    def restart(self, frames):
        self.fuse.burn("before restart")
        self.frames, self.unsynced = list(frames), []
        self.fuse.burn("after restart")

    def read(self):
        return self.guard

    def replace(self, raw):
        self.fuse.burn("before guard")
        self.guard = raw
        self.fuse.burn("after guard")

    def commit(self, decided):
        self.fuse.burn("before commit")
        self.chain.append(decided)
        self.fuse.burn("after commit")


class InventedClock:
    """Shows what it is told to show."""

    def __init__(self):
        self.time_ms = GENESIS_MS + 1_000

    def now_ms(self):
        return self.time_ms

    def monotonic_ms(self):
        return self.time_ms


class Node:
    """One driver; carries out its effects in the invented world."""

    def __init__(self, cluster, index, disk):
        self.cluster = cluster
        self.index = index
        self.disk = disk
        disk.unsynced = []
        signer = GuardedSigner(KEYS[index], disk)
        self.driver = Driver(
            Identity(AGENCIES[index], round_robin),
            NETWORK,
            signer,
            journal=disk,
            clock=cluster.clock,
            log=SilentLog(),
        )
        self.driver.attach(self)
        self.is_up = True
        self.behind_since_ms: int | None = None

    def start(self):
        self.driver.start(self.next_start(), tuple(self.disk.frames))
        self.driver.turn()

    def next_start(self):
        chain = self.disk.chain
        return StartHeight(
            height=len(chain) + 1,
            validators=VALIDATORS,
            parameters=PARAMETERS,
            previous_time_ms=chain[-1][2] if chain else GENESIS_MS,
            now_ms=self.cluster.clock.time_ms,
        )

    def give(self, event, block=None):
        if self.is_up:
            self.driver.put(event, block)
            self.driver.turn()

    def build(self, effect):
        time_ms = max(self.cluster.clock.time_ms, effect.not_before_ms)
        raw = encode((effect.height, effect.round, time_ms, self.index))
        event = ValueBuilt(effect.height, effect.round, sha256(raw), time_ms)
        self.cluster.blocks[sha256(raw)] = raw
        self.cluster.later(1, self, lambda: self.give(event, raw))

    def check(self, effect):
        def answer():
            raw = self.cluster.blocks[effect.block_id]
            height, round_number, time_ms, proposer = cast("Any", decode(raw, 1_000))
            verdict = BlockVerdict(
                height=height,
                block_id=effect.block_id,
                valid=True,
                header_round=round_number,
                time_ms=time_ms,
                proposer=proposer,
            )
            self.give(verdict, raw)

        self.cluster.later(1, self, answer)

    def fetch_bodies(self, effect):
        self.cluster.later(1, self, lambda: self.give(BodiesHeld(effect.height, effect.block_id)))

    def start_timer(self, effect):
        event = TimerFired(effect.kind, effect.height, effect.round)
        self.cluster.later(effect.delay_ms, self, lambda: self.give(event))

    def broadcast(self, message):
        self.disk.fuse.burn("before broadcast")
        self.cluster.broadcast(self, message)
        self.disk.fuse.burn("after broadcast")

    def decide(self, effect):
        raw = self.cluster.blocks[effect.block_id]
        self.disk.commit((effect.height, effect.block_id, cast("Any", decode(raw, 1_000))[2]))
        return self.next_start()

    def report(self, effect):
        raise AssertionError(f"an honest node equivocated: {effect}")

    def restore_block(self, raw):
        self.cluster.blocks[sha256(raw)] = raw

    def receive(self, message):
        if self.is_up and not self.driver.is_known(message):
            self.give(opened(message, self.cluster.clock.time_ms))

    def jump(self, chain):
        for decided in chain[len(self.disk.chain) :]:
            self.disk.commit(decided)
        self.driver.begin(self.next_start())
        self.driver.turn()


class Cluster:
    """Four nodes, one clock, a network that delays; what anybody said is remembered."""

    def __init__(self, fuses=()):
        self.clock = InventedClock()
        self.blocks: dict[bytes, bytes] = {}
        self.said: dict[Any, Any] = {}
        self.crashes: list[str] = []
        self._events: list[Any] = []
        self._count = 0
        self.disks = [Disk() for _ in KEYS]
        for key, disk in zip(KEYS, self.disks, strict=True):
            GuardedSigner(key, disk, allow_missing=True)  # makes the guard of a new key
            disk.fuse = Fuse()
        for index, fuse in dict(fuses).items():
            self.disks[index].fuse = fuse
        self.nodes = [Node(self, index, disk) for index, disk in enumerate(self.disks)]

    def later(self, delay_ms, node, action):
        """Do something of a node after a while; nothing, if the node is gone by then."""
        self._count += 1
        due_ms = self.clock.time_ms + delay_ms
        heapq.heappush(self._events, (due_ms, self._count, node, action))

    def broadcast(self, sender, raw):
        message = parse_message(raw)
        self.remember(message)
        for index in range(len(self.nodes)):
            if index != sender.index:
                self.send(index, message, 1 + (self._count * 7) % 5)

    def send(self, index, message, delay_ms):
        def deliver():
            self.guarded(self.nodes[index], lambda: self.nodes[index].receive(message))

        self.later(delay_ms, None, deliver)

    def remember(self, message):
        """Invariant: one content for each signer, kind, height and round, across all crashes."""
        if isinstance(message, SignedVote):
            place: Any = (message.validator, message.type, message.height, message.round)
            assert self.said.setdefault(place, message.block_id) == message.block_id
        elif isinstance(message, SignedProposal):
            place = (message.proposer, "proposal", message.height, message.round)
            content = (message.block_id, message.pol_round, message.time_ms)
            assert self.said.setdefault(place, content) == content

    def guarded(self, node, action):
        """Run something of a node; if its machine loses power, start another one on its disk."""
        try:
            action()
        except PowerLostError as crash:
            self.crashes.append(str(crash))
            node.is_up = False
            self.later(50, None, lambda: self.restart(node.index))

    def restart(self, index):
        """Start a machine on the disk of the one that stopped."""
        node = Node(self, index, self.disks[index])
        self.nodes[index] = node
        self.guarded(node, node.start)

    def stop(self, index):
        """Switch a machine off."""
        self.nodes[index].is_up = False

    def start(self):
        for node in self.nodes:
            self.guarded(node, node.start)

    def run(self, height, within_ms=120_000, among=(0, 1, 2, 3)):
        """Run until these nodes have stored a height."""
        end_ms = self.clock.time_ms + within_ms
        while any(len(self.disks[index].chain) < height for index in among):
            due_ms, _count, node, action = heapq.heappop(self._events)
            assert due_ms <= end_ms, f"height {height} was not reached in time"
            self.clock.time_ms = due_ms
            if node is None:
                action()
            elif node.is_up:
                self.guarded(node, action)
            self.catch_up()
        self.check_agreement()

    def catch_up(self):
        """Give a node what others stored, as sync does: two heights behind, or one for a while."""
        best = max((disk.chain for disk in self.disks), key=len)
        for node in self.nodes:
            behind = len(best) - len(node.disk.chain)
            if not node.is_up or node.driver.state is None or behind == 0:
                node.behind_since_ms = None
                continue
            if node.behind_since_ms is None:
                node.behind_since_ms = self.clock.time_ms
            waited_ms = self.clock.time_ms - node.behind_since_ms
            if behind >= BEHIND_MIN or waited_ms >= PATIENCE_MS:
                self.guarded(node, lambda node=node: node.jump(best))

    def check_agreement(self):
        """Invariant: one decision for each height, over all nodes."""
        best = max((disk.chain for disk in self.disks), key=len)
        for disk in self.disks:
            assert disk.chain == best[: len(disk.chain)]


def opened(message, now_ms):
    """Return the event of a message from the wire."""
    context = (VALIDATORS, NETWORK)
    match message:
        case SignedVote():
            return VoteReceived(open_vote(message, *context))
        case SignedProposal():
            return ProposalReceived(open_proposal(message, *context), now_ms)
        case SignedPolkaProof():
            return PolkaProofReceived(open_polka_proof(message, *context))
        case SignedRoundProof():
            return RoundProofReceived(open_round_proof(message, *context))
        case _:
            raise AssertionError(message)
