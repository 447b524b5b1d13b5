"""Byzantine members that lie about blocks, times and certificates; and twins."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from consensus.messages import Phase, SignedProposal, Status, VoteType
from consensus.wire import print_message
from keys.hashing import Digest, sha256
from ledger.blocks import Block, build_block
from ledger.canonical import decode, encode
from ledger.ids import AgencyId
from ledger.quorum import parse_quorum_certificate, print_quorum_certificate
from node.application import Turn
from node.block_exchange import BLOCK_BYTES_PATH, BLOCK_PATH, short_form
from node.bodies import SEALED_PATH
from node.gossip import ENTRIES_PATH
from node.proposals import build_proposal
from node.startup import STATUS_PATH
from node.sync_wire import BLOCKS_PATH
from tests.sim.behaviours import (
    Behaviour,
)
from tests.sim.network import Payload

if TYPE_CHECKING:
    from tests.sim.machine import Machine

HOUR_MS = 3_600_000
ANSWER_BYTES_MAX = 32 * 1024 * 1024


class Withholding(Behaviour):
    """Proposes and votes, but gives out neither blocks nor bodies nor entries."""

    name = "withheld bytes"

    def outgoing(self, to: AgencyId, payload: Payload) -> list[Payload]:
        paths = (BLOCK_PATH, ENTRIES_PATH, SEALED_PATH, BLOCK_BYTES_PATH)
        if payload.kind == "bulk" or (payload.kind == "answer" and payload.path.startswith(paths)):
            self.acted()
            return []
        return super().outgoing(to, payload)


class OtherBlocks(Behaviour):
    """When it is its turn, shows another block to some of the others: the base of three."""

    def __init__(self, machine: "Machine") -> None:
        super().__init__(machine)
        self._made: dict[bytes, Block | None] = {}

    def applies_to(self, to: AgencyId) -> bool:
        """Tell who is shown the other block."""
        return to in self.half

    def make(self, block: Block) -> Block | None:
        """Return the other block; None where it shows what an honest node would."""
        del block
        return None

    def other(self, block_id: bytes) -> Block | None:
        """Return what is shown instead of a block of ours, made once."""
        if block_id not in self._made:
            process = self.machine.process
            held = None if process is None else process.world.exchange.get(Digest(block_id))
            self._made[block_id] = None if held is None else self.make(held)
        return self._made[block_id]

    def message(self, to: AgencyId, raw: bytes) -> list[bytes]:
        said = self.own(raw)
        if said is None or said.block_id is None or not self.applies_to(to):
            return [raw]
        if isinstance(said, SignedProposal) and said.pol_round >= 0:
            return [raw]
        other = self.other(said.block_id)
        if other is None:
            return [raw]
        self.acted()
        place, block_id = (said.height, said.round), other.header.digest
        if isinstance(said, SignedProposal):
            self.show(to, other)
            return [self.proposal(place, block_id, said.pol_round, other.header.time_ms)]
        return [self.vote(said.type, *place, block_id)]

    def show(self, to: AgencyId, block: Block) -> None:
        """Push a block to one receiver."""
        push = Payload("bulk", BLOCK_PATH, (short_form(block),))
        self.simulation.network.carry(self.machine, to, push)

    def outgoing(self, to: AgencyId, payload: Payload) -> list[Payload]:
        if payload.kind == "answer" and payload.path.startswith(BLOCK_BYTES_PATH):
            wanted = payload.path.removeprefix(BLOCK_BYTES_PATH)
            for other in self._made.values():
                if other is not None and other.header.digest.hex() == wanted:
                    return [replace(payload, parts=(other.raw,))]
        return super().outgoing(to, payload)

    def rebuild(self, block: Block, time_ms: int) -> Block | None:
        """Build a block of our own for another time, with what waits in the pool."""
        process = self.machine.process
        header = block.header
        if process is None or process.application.tip_height + 1 != header.height:
            return None
        turn = Turn(round=header.round, proposer=header.proposer, time_ms=time_ms)
        return build_proposal(process.application, process.pool.take, turn, lambda: 0).block


class EquivocatingProposal(OtherBlocks):
    """Proposes two valid blocks in one round and votes for each before its half."""

    name = "equivocating proposal"

    def make(self, block: Block) -> Block | None:
        return self.rebuild(block, block.header.time_ms + 1)


class InvalidBlocks(OtherBlocks):
    """Proposes, and votes for, blocks that no honest node may find valid."""

    name = "invalid block"

    def applies_to(self, to: AgencyId) -> bool:
        del to
        return True

    def make(self, block: Block) -> Block | None:
        header = block.header
        members = len(self.machine.committee_at(header.height).seats)
        wrong: dict[str, Any] = self.dice.choice(
            (
                {"state_root": sha256(b"wrong")},
                {"outcomes_root": sha256(b"wrong")},
                {"parent": sha256(b"wrong")},
                {"time_ms": header.time_ms - HOUR_MS * 24},
                {"proposer": (header.proposer + 1) % members},
                {"next_validators": sha256(b"wrong")},
                {"log_root": sha256(b"wrong")},
                {"height": header.height + 1},
            )
        )
        if "time_ms" in wrong and wrong["time_ms"] >= self.machine.network.start_ms - HOUR_MS:
            return None
        made = build_block(replace(header, **wrong), block.entries, block.evidence)
        self.simulation.checks.invalid.add(made.header.digest)
        return made


class WrongTimes(OtherBlocks):
    """Proposes blocks that are right but for their time: from the future, or long past."""

    name = "wrong time"

    def applies_to(self, to: AgencyId) -> bool:
        del to
        return True

    def make(self, block: Block) -> Block | None:
        process = self.machine.process
        if process is None:
            return None
        earliest_ms = process.application.tip_time_ms + 1
        now_ms = block.header.time_ms
        time_ms = self.dice.choice((now_ms + HOUR_MS, now_ms + 1_500, now_ms + 160, earliest_ms))
        return self.rebuild(block, max(time_ms, earliest_ms))


class StaleCertificates(Behaviour):
    """Answers questions for certified blocks and for its status with old or forged certificates."""

    name = "stale or forged certificate"

    def outgoing(self, to: AgencyId, payload: Payload) -> list[Payload]:
        if payload.kind != "answer" or not payload.parts or self.dice.random() < 0.3:
            return super().outgoing(to, payload)
        if payload.path.startswith(BLOCKS_PATH):
            self.acted()
            return [replace(payload, parts=(self._forged(payload),))]
        if payload.path == STATUS_PATH:
            self.acted()
            return [replace(payload, parts=(self._other_status(payload.parts[0]),))]
        return super().outgoing(to, payload)

    def _forged(self, payload: Payload) -> bytes:
        value: Any = decode(payload.parts[0], ANSWER_BYTES_MAX)
        is_range = isinstance(value[0], tuple)
        pairs = list(value) if is_range else [value]
        at = self.dice.randrange(len(pairs))
        block, raw = pairs[at]
        certificate = parse_quorum_certificate(raw)
        outcome = self.dice.randrange(4)
        if outcome == 0:
            cut = certificate.signatures[: self.dice.randrange(1, len(certificate.signatures))]
            certificate = replace(certificate, signatures=cut)
        elif outcome == 1:
            certificate = replace(certificate, round=certificate.round + 1)
        elif outcome == 2:
            own = self.machine.key.sign(b"civreg/precommit/v1\0" + encode((1, b"", 1, 0, b"")))
            signed = [(index, own) for index, _old in certificate.signatures]
            certificate = replace(certificate, signatures=tuple(signed))
        pairs[at] = (block, print_quorum_certificate(certificate))
        if outcome == 3:
            pairs[at] = (block, pairs[self.dice.randrange(len(pairs))][1])
        return encode(tuple(pairs) if is_range else pairs[0])

    def _other_status(self, raw: bytes) -> bytes:
        value: Any = decode(raw, ANSWER_BYTES_MAX)
        tip = self.dice.choice((0, max(0, value[1] - 2), value[1] + 100))
        return encode((value[0], tip, () if self.dice.random() < 0.5 else value[2]))


class FalseStatus(Behaviour):
    """Says that it is far ahead, or far behind, to drive others into sync."""

    name = "false status"

    def tick(self) -> None:
        state = self.state
        if state is not None:
            self.acted()
            height = state.height + self.dice.choice((-1, 2, 5, 1_000))
            status = Status(max(1, height), 0, Phase.PROPOSE, max(0, height - 1))
            self.send(self.peers, print_message(status))


class Garbage(Behaviour):
    """Sends what is no message, and evidence that is none."""

    name = "garbage"

    def tick(self) -> None:
        self.acted()
        self.send([self.dice.choice(self.peers)], self.dice.randbytes(self.dice.randrange(1, 90)))
        state = self.state
        if state is not None:
            vote = bytearray(self.vote(VoteType.PREVOTE, state.height, 0, None))
            vote[-1] ^= 1
            self.send([self.dice.choice(self.peers)], bytes(vote))


class Twin(Behaviour):
    """Is one of two machines with the same key; each half of the others talks to one of them."""

    name = "twins"

    def outgoing(self, to: AgencyId, payload: Payload) -> list[Payload]:
        if payload.kind == "messages" and any(self.own(raw) for raw in payload.parts):
            self.acted()
        return super().outgoing(to, payload)
