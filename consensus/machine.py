"""The round rules of Tendermint as one pure function.

Source: Buchman, Kwon, Milosevic, "The latest gossip on BFT consensus", arXiv:1807.04938, Algorithm
1; [Lnn] at a case is the paper's line. `consensus.engine` counts votes and finds out which rule is
enabled; this file says what the rule does. What the paper calls step is `phase` here, because
`step()` is the function. The paper's `nil` is None.

A rule input that means nothing in the present phase changes nothing. A round ends in two parts:
`EnterRound(r)` is given back, and the caller starts it with `StartRound(r)`, for only the caller
knows whose turn it is to propose.

Deviations, with reasons in docs/protocol.md: T_propose is scheduled for the proposer too; WAIT
comes before round 0; an invalid proposal is answered by nil at once, even without the polka that it
names.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias

from consensus.events import CastVote, TimerKind
from consensus.messages import BlockId, Phase, VoteType


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundState:
    """Where one validator stands at one height; locks begin anew at each height.

    Attributes:
        height: The height.
        round: -1 while it WAITs.
        phase: WAIT, PROPOSE, PREVOTE, PRECOMMIT, DECIDED.
        locked_round: Where it last precommitted a block, or -1.
        locked_block: That block.
        valid_round: The last round with a polka that it saw in time, or -1; >= locked_round.
        valid_block: That block, which it proposes again when its turn comes.
        has_proposed: It gave its proposal of this round.
        prevote_timer_set: [L34] has fired in this round.
        polka_handled: [L36] has fired in this round.
        precommit_timer_set: [L47] has fired in this round.
    """

    height: int
    round: int = -1
    phase: Phase = Phase.WAIT
    locked_round: int = -1
    locked_block: BlockId | None = None
    valid_round: int = -1
    valid_block: BlockId | None = None
    has_proposed: bool = False
    prevote_timer_set: bool = False
    polka_handled: bool = False
    precommit_timer_set: bool = False


@dataclass(frozen=True, slots=True)
class StartRound:
    """Begin a round above the present one."""

    round: int
    is_proposer: bool


@dataclass(frozen=True, slots=True)
class ValueReady:
    """The block that NeedValue asked for."""

    round: int
    block_id: BlockId


@dataclass(frozen=True, slots=True)
class FirstProposal:
    """PROPOSAL(round, v, -1); `acceptable` = valid, made for this round, timely."""

    block_id: BlockId
    acceptable: bool


@dataclass(frozen=True, slots=True)
class RepeatedProposal:
    """PROPOSAL(round, v, pol_round) and the polka it names; `acceptable` = valid."""

    block_id: BlockId
    pol_round: int
    acceptable: bool


@dataclass(frozen=True, slots=True)
class PrevotesForAnything:
    """More than two thirds prevoted in this round."""


@dataclass(frozen=True, slots=True)
class PolkaForBlock:
    """A valid proposal of this round and more than two thirds of prevotes for it."""

    block_id: BlockId


@dataclass(frozen=True, slots=True)
class PolkaForNil:
    """More than two thirds prevoted nil in this round."""


@dataclass(frozen=True, slots=True)
class PrecommitsForAnything:
    """More than two thirds precommitted in this round."""


@dataclass(frozen=True, slots=True)
class CommitForBlock:
    """A valid proposal of any round and more than two thirds of precommits for it there."""

    round: int
    block_id: BlockId


@dataclass(frozen=True, slots=True)
class OthersAhead:
    """More than one third of the weight voted in rounds >= this one."""

    round: int


@dataclass(frozen=True, slots=True)
class TimerExpired:
    """T_propose, T_prevote or T_precommit of a round has run out."""

    kind: TimerKind
    round: int


Rule: TypeAlias = (
    StartRound
    | ValueReady
    | FirstProposal
    | RepeatedProposal
    | PrevotesForAnything
    | PolkaForBlock
    | PolkaForNil
    | PrecommitsForAnything
    | CommitForBlock
    | OthersAhead
    | TimerExpired
)


@dataclass(frozen=True, slots=True)
class NeedValue:
    """Build a block: it is our turn and there is no valid value."""

    round: int


@dataclass(frozen=True, slots=True)
class GiveProposal:
    """Propose this block; pol_round -1 for a new one."""

    round: int
    block_id: BlockId
    pol_round: int


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Start T_propose, T_prevote or T_precommit of a round."""

    kind: TimerKind
    round: int


@dataclass(frozen=True, slots=True)
class EnterRound:
    """This round is over or surpassed: the caller gives StartRound next."""

    round: int


@dataclass(frozen=True, slots=True)
class Decided:
    """The height has its block."""

    round: int
    block_id: BlockId


Output: TypeAlias = CastVote | NeedValue | GiveProposal | StartTimer | EnterRound | Decided
Transition: TypeAlias = tuple[RoundState, tuple[Output, ...]]


def step(state: RoundState, rule: Rule) -> Transition:
    """Apply one rule; a rule that means nothing now changes nothing.

    Args:
        state: Before.
        rule: What the counts, the proposals or a timer enabled.

    Returns:
        The state after, and what to do, in order.
    """
    if state.phase is Phase.DECIDED:
        return state, ()
    match rule:
        case StartRound(round=number) if number > state.round:  # [L11]
            return _start_round(state, rule)
        case ValueReady(round=number) if number == state.round:  # [L18-19]
            return _value_ready(state, rule)
        case CommitForBlock(round=number, block_id=block_id):  # [L49-54]
            return replace(state, phase=Phase.DECIDED), (Decided(number, block_id),)
        case OthersAhead(round=number) if number > state.round:  # [L55-56]
            return state, (EnterRound(number),)
        case TimerExpired(round=number) if number == state.round and number >= 0:
            return _expired(state, rule.kind)
        case _:
            return _count_or_answer(state, rule)


def _count_or_answer(state: RoundState, rule: Rule) -> Transition:
    match rule:
        case FirstProposal() | RepeatedProposal() if state.phase is Phase.PROPOSE:
            return _answer_proposal(state, rule)
        case PolkaForBlock() if (  # [L36-43]
            state.phase >= Phase.PREVOTE and not state.polka_handled
        ):
            return _lock(state, rule.block_id)
        case PolkaForNil() if state.phase is Phase.PREVOTE:  # [L44-46] a nil polka never unlocks
            return _vote(state, VoteType.PRECOMMIT, None)
        case PrevotesForAnything() if (  # [L34-35]
            state.phase is Phase.PREVOTE and not state.prevote_timer_set
        ):
            timer = StartTimer(TimerKind.PREVOTE, state.round)
            return replace(state, prevote_timer_set=True), (timer,)
        case PrecommitsForAnything() if (  # [L47-48]
            state.phase is not Phase.WAIT and not state.precommit_timer_set
        ):
            timer = StartTimer(TimerKind.PRECOMMIT, state.round)
            return replace(state, precommit_timer_set=True), (timer,)
        case _:
            return state, ()


def _start_round(state: RoundState, rule: StartRound) -> Transition:
    fresh = replace(  # [L12-13], and the once-flags of the round before are gone
        state,
        round=rule.round,
        phase=Phase.PROPOSE,
        has_proposed=False,
        prevote_timer_set=False,
        polka_handled=False,
        precommit_timer_set=False,
    )
    timer = StartTimer(TimerKind.PROPOSE, rule.round)  # [L21], for the proposer too
    if not rule.is_proposer:
        return fresh, (timer,)
    if fresh.valid_block is None:
        return fresh, (NeedValue(rule.round), timer)  # [L18]
    proposal = GiveProposal(rule.round, fresh.valid_block, fresh.valid_round)  # [L16, L19]
    return replace(fresh, has_proposed=True), (proposal, timer)


def _value_ready(state: RoundState, rule: ValueReady) -> Transition:
    if state.phase is not Phase.PROPOSE or state.has_proposed:
        return state, ()
    proposal = GiveProposal(state.round, rule.block_id, -1)
    return replace(state, has_proposed=True), (proposal,)


def _answer_proposal(state: RoundState, rule: FirstProposal | RepeatedProposal) -> Transition:
    if not rule.acceptable:
        return _vote(state, VoteType.PREVOTE, None)  # [L26, L32]
    if isinstance(rule, FirstProposal):
        is_free = state.locked_round == -1  # [L23]
    else:
        is_free = state.locked_round <= rule.pol_round  # [L29]
    if is_free or state.locked_block == rule.block_id:
        return _vote(state, VoteType.PREVOTE, rule.block_id)  # [L24, L30]
    return _vote(state, VoteType.PREVOTE, None)  # [L26, L32]


def _lock(state: RoundState, block_id: BlockId) -> Transition:
    known = replace(  # [L42-43], also when it already precommitted nil
        state, polka_handled=True, valid_block=block_id, valid_round=state.round
    )
    if state.phase is not Phase.PREVOTE:
        return known, ()
    locked = replace(known, locked_block=block_id, locked_round=state.round)  # [L38-39]
    return _vote(locked, VoteType.PRECOMMIT, block_id)  # [L40-41]


def _expired(state: RoundState, kind: TimerKind) -> Transition:
    match kind:
        case TimerKind.PROPOSE if state.phase is Phase.PROPOSE:
            return _vote(state, VoteType.PREVOTE, None)  # [L57-60]
        case TimerKind.PREVOTE if state.phase is Phase.PREVOTE:
            return _vote(state, VoteType.PRECOMMIT, None)  # [L61-64]
        case TimerKind.PRECOMMIT:
            return state, (EnterRound(state.round + 1),)  # [L65-67]
        case _:
            return state, ()


def _vote(state: RoundState, vote_type: VoteType, block_id: BlockId | None) -> Transition:
    phase = Phase.PREVOTE if vote_type is VoteType.PREVOTE else Phase.PRECOMMIT
    cast = CastVote(vote_type, state.height, state.round, block_id)
    return replace(state, phase=phase), (cast,)
