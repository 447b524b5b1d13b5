"""All that can happen to consensus, and all that it may ask for, as two unions.

`consensus.engine` says what the driver owes to each: every event goes to the write-ahead log and is
on disk before it is given to `step`; effects are carried out in order. Times are milliseconds since
1970 by the driver's clock; the core never asks a clock, so a replay sees the same times.

A block id is the 32-byte header digest, opaque here. An event of another height than the present
one means nothing, but for messages of the next two heights, which are kept.

Source: the design's consensus.md, sections Rules and Disk before wire.
"""

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import TypeAlias

from consensus.evidence import Evidence
from consensus.future import Kept
from consensus.messages import BlockId, Proposal, SignedProposal, SignedVote, Vote, VoteType
from consensus.parameters import Parameters
from consensus.proofs import Quorum, RoundProof, SignedPolkaProof, SignedRoundProof
from ledger.quorum import QuorumCertificate
from ledger.validators import ValidatorSet


@unique
class TimerKind(IntEnum):
    """What a timer is for; late timers of old rounds mean nothing and need no cancelling."""

    IDLE = 1
    PROPOSE = 2
    PREVOTE = 3
    PRECOMMIT = 4
    REBROADCAST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class StartHeight:
    """The block before is stored: work on this height.

    Attributes:
        height: Higher than the present one, or the event means nothing.
        validators: The set of this height.
        parameters: The durations in force at this height.
        previous_time_ms: time[height - 1], the genesis time for height 1.
        now_ms: The driver's clock, for the idle timer only.
        may_vote: False while a validator must not vote here: it has been seen at this height or
            higher, its guard file is too old, or it saw this height's quorum certificate.
        kept: What `engine.kept_messages` gives for this height just before: messages that came too
            early. They stand here, so that a log which is cut at this event still leads a replay
            to the same locks.
    """

    height: int
    validators: ValidatorSet
    parameters: Parameters
    previous_time_ms: int
    now_ms: int
    may_vote: bool = True
    kept: tuple[Kept, ...] = ()


@dataclass(frozen=True, slots=True)
class PoolNotEmpty:
    """There are entries to put into a block: no need to WAIT any longer."""

    height: int


@dataclass(frozen=True, slots=True)
class ProposalReceived:
    """A verified proposal, from the wire or our own coming back.

    Attributes:
        proposal: By whoever it names; the wrong proposer's is dropped.
        received_ms: The driver's clock when it came; what "timely" compares.
    """

    proposal: Proposal
    received_ms: int


@dataclass(frozen=True, slots=True)
class VoteReceived:
    """A verified vote, from the wire or our own coming back."""

    vote: Vote


@dataclass(frozen=True, slots=True)
class PolkaProofReceived:
    """Prevotes of more than two thirds for one value: count as a whole."""

    quorum: Quorum


@dataclass(frozen=True, slots=True)
class QuorumCertificateReceived:
    """Precommits of more than two thirds for one block: count as a whole."""

    quorum: Quorum


@dataclass(frozen=True, slots=True)
class RoundProofReceived:
    """Verified votes that show that others have reached a round."""

    proof: RoundProof


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockVerdict:
    """The answer to CheckBlock: what executing the block found.

    Attributes:
        height: Of the block.
        block_id: Its header digest.
        valid: Parent, roots, entries and time are right. Only the block and the state after
            height - 1 decide this; sealed bodies, clocks and proposals do not.
        header_round: The round in its header; 0 where the block could not be parsed.
        time_ms: The time in its header; 0 likewise.
        proposer: The proposer index in its header; 0 likewise.
    """

    height: int
    block_id: BlockId
    valid: bool
    header_round: int
    time_ms: int
    proposer: int


@dataclass(frozen=True, slots=True)
class BodiesHeld:
    """All sealed bodies that a block names are in our vault."""

    height: int
    block_id: BlockId


@dataclass(frozen=True, slots=True)
class ValueBuilt:
    """The answer to BuildValue: a block of ours, its bytes already on disk."""

    height: int
    round: int
    block_id: BlockId
    time_ms: int


@dataclass(frozen=True, slots=True)
class BuildFailed:
    """The other answer to BuildValue; the round then ends by its timeout."""

    height: int
    round: int


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer that SetTimer asked for has run out."""

    kind: TimerKind
    height: int
    round: int


Event: TypeAlias = (
    StartHeight
    | PoolNotEmpty
    | ProposalReceived
    | VoteReceived
    | PolkaProofReceived
    | QuorumCertificateReceived
    | RoundProofReceived
    | BlockVerdict
    | BodiesHeld
    | ValueBuilt
    | BuildFailed
    | TimerFired
)


@dataclass(frozen=True, slots=True)
class CastVote:
    """Sign this vote behind the guard and give it back as VoteReceived."""

    type: VoteType
    height: int
    round: int
    block_id: BlockId | None


@dataclass(frozen=True, slots=True)
class Propose:
    """Sign this proposal behind the guard and give it back as ProposalReceived."""

    height: int
    round: int
    block_id: BlockId
    pol_round: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class BuildValue:
    """Build a block with this round in its header; answer ValueBuilt or BuildFailed.

    Attributes:
        height: Of the block.
        round: Of its header.
        not_before_ms: time[height - 1] + 1. Wait until the clock shows it, then take the clock's
            time for the header, before building.
    """

    height: int
    round: int
    not_before_ms: int


@dataclass(frozen=True, slots=True)
class CheckBlock:
    """Get the bytes of this block from any peer, execute it, answer BlockVerdict.

    Attributes:
        height: Of the block.
        block_id: Its header digest.
        proposer: Index of who proposed it, the first to ask; None where only votes name it.
    """

    height: int
    block_id: BlockId
    proposer: int | None


@dataclass(frozen=True, slots=True)
class FetchBodies:
    """Get the sealed bodies that a valid block names; answer BodiesHeld.

    Attributes:
        height: Of the block.
        block_id: Its header digest.
        proposer: Index of who named it in a signed proposal first, the first to ask, and who
            answers for what it brings; None where only votes name it.
    """

    height: int
    block_id: BlockId
    proposer: int | None


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Fire TimerFired(kind, height, round) after a while."""

    kind: TimerKind
    height: int
    round: int
    delay_ms: int


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Send to all peers. An own message comes here only after it came in, so it is on disk."""

    message: SignedProposal | SignedVote | SignedPolkaProof | SignedRoundProof


@dataclass(frozen=True, slots=True)
class Decide:
    """Store this block with this certificate, then StartHeight(height + 1).

    Attributes:
        height: Decided now and for ever.
        block_id: The decided block; its sealed bodies may still be missing, fetch them afterwards.
        certificate: All precommits for it that are known here.
    """

    height: int
    block_id: BlockId
    certificate: QuorumCertificate


@dataclass(frozen=True, slots=True)
class ReportEvidence:
    """An equivocation: show it to the operator, put it into a block, send it to peers."""

    evidence: Evidence


Effect: TypeAlias = (
    CastVote
    | Propose
    | BuildValue
    | CheckBlock
    | FetchBodies
    | SetTimer
    | Broadcast
    | Decide
    | ReportEvidence
)
