"""All that one validator remembers of a height, as values: nothing in here changes in place.

Dicts are never changed after they are made; a new one takes the place of the old one.

Source: the design's consensus.md, section Rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from consensus.events import BlockVerdict, CastVote, Decide, Propose, StartHeight
from consensus.future import FutureMessages
from consensus.machine import RoundState
from consensus.messages import BlockId, Phase, Proposal, SignedProposal, SignedVote, VoteType
from consensus.schedule import ProposerFunction
from consensus.tally import Tally

PROPOSALS_MAX = 2
"""Different proposals kept of one round: the second one is the proof against its proposer."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this node is; the same for all heights.

    Attributes:
        agency_id: 16 bytes; None for an observer, which follows and never votes.
        proposer_of: Whose turn it is; `schedule.round_robin` in every real network.
    """

    agency_id: bytes | None
    proposer_of: ProposerFunction


@dataclass(frozen=True, slots=True)
class HeldProposal:
    """A proposal by the right proposer, and when it came (driver's clock, ms)."""

    proposal: Proposal
    received_ms: int


@dataclass(frozen=True, slots=True)
class BlockFacts:
    """What is known of a block.

    Attributes:
        asked: CheckBlock was given out.
        proposer: Who named it in a proposal first, None for votes only.
        built_time_ms: The time in the header if we built it ourselves.
        verdict: What executing it found, None until then.
        bodies_held: Its sealed bodies are in our vault.
    """

    asked: bool = False
    proposer: int | None = None
    built_time_ms: int | None = None
    verdict: BlockVerdict | None = None
    bodies_held: bool = False


@dataclass(frozen=True, slots=True)
class OwnMessages:
    """What we said at this height.

    Attributes:
        pending: What was given out to be signed and has not come back yet, in order.
        proposal: The last own proposal that came back, to be sent again.
        prevote: The last own prevote that came back.
        precommit: The last own precommit that came back.
    """

    pending: tuple[CastVote | Propose, ...] = ()
    proposal: SignedProposal | None = None
    prevote: SignedVote | None = None
    precommit: SignedVote | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One validator, or observer, at one height.

    Attributes:
        identity: Who it is.
        start: What it was told when the height began.
        own_index: Its index in this height's set, None if it is no member.
        core: Where the round rules stand.
        tally: The votes.
        proposals: By round, at most PROPOSALS_MAX each, in the order they came.
        blocks: What is known of the blocks that proposals and quorums name.
        own: What it said.
        future: Messages of the next two heights.
        decision: What was decided, once.
    """

    identity: Identity
    start: StartHeight
    own_index: int | None
    core: RoundState
    tally: Tally
    proposals: Mapping[int, tuple[HeldProposal, ...]] = field(default_factory=dict)
    blocks: Mapping[BlockId, BlockFacts] = field(default_factory=dict)
    own: OwnMessages = field(default_factory=OwnMessages)
    future: FutureMessages = field(default_factory=FutureMessages)
    decision: Decide | None = None

    @property
    def height(self) -> int:
        """The height it works on."""
        return self.start.height

    @property
    def round(self) -> int:
        """The present round, -1 while it WAITs."""
        return self.core.round

    @property
    def phase(self) -> Phase:
        """The present phase."""
        return self.core.phase

    def proposer(self, round_number: int) -> int:
        """Return the index of the proposer of a round of this height."""
        return self.identity.proposer_of(self.start.validators, self.height, round_number)

    def may_speak(self) -> bool:
        """Tell whether it may vote and propose here.

        Not as an observer, not where the driver forbade it, and never in a height whose quorum
        certificate it has seen, whole or vote by vote.
        """
        return self.own_index is not None and self.start.may_vote and not self.tally.commits


def fresh_state(identity: Identity, start: StartHeight, future: FutureMessages) -> State:
    """Return the state in which a height begins: WAITing, no locks, no votes."""
    agency_id = identity.agency_id
    return State(
        identity=identity,
        start=start,
        own_index=None if agency_id is None else start.validators.index_of(agency_id),
        core=RoundState(height=start.height),
        tally=Tally(start.validators),
        future=future,
    )


def facts_of(state: State, block_id: BlockId) -> BlockFacts:
    """Return what is known of a block, nothing where it was never named."""
    return state.blocks.get(block_id, _UNKNOWN)


def with_facts(state: State, block_id: BlockId, facts: BlockFacts) -> State:
    """Return a state that knows this of a block."""
    return replace(state, blocks={**state.blocks, block_id: facts})


def is_valid(state: State, held: HeldProposal) -> bool:
    """Tell whether v of a proposal is valid: valid(v), the same on every honest node.

    What executing the block found; and the time and proposer of its header are what the proposal
    and the schedule say, and the time is after that of the block before.
    """
    signed = held.proposal.signed
    verdict = facts_of(state, signed.block_id).verdict
    return (
        verdict is not None
        and verdict.valid
        and verdict.time_ms == signed.time_ms
        and verdict.time_ms > state.start.previous_time_ms
        and verdict.proposer == state.proposer(verdict.header_round)
    )


def has_valid_proposal(state: State, round_number: int, block_id: BlockId) -> bool:
    """Tell whether a valid PROPOSAL(round, v, any) for this block is held."""
    return any(
        held.proposal.block_id == block_id and is_valid(state, held)
        for held in state.proposals.get(round_number, ())
    )


def has_own(state: State, vote_type: VoteType, round_number: int) -> bool:
    """Tell whether an own vote of this type and round was already seen: then never another."""
    votes = state.tally.count(round_number, vote_type).effective()
    return state.own_index is not None and state.own_index in votes


_UNKNOWN = BlockFacts()
