"""Which rule is enabled: the conditions of the paper's "upon" clauses, in their fixed order.

When several are enabled the order is decide, skip, polka for a value, polka for nil, proposal, L34,
L47; timers come last, as inputs. So a log that is replayed gives the same outputs.

Source: arXiv:1807.04938, Algorithm 1; the design's consensus.md, section Rules.
"""

from consensus.machine import (
    CommitForBlock,
    FirstProposal,
    OthersAhead,
    PolkaForBlock,
    PolkaForNil,
    PrecommitsForAnything,
    PrevotesForAnything,
    RepeatedProposal,
    Rule,
)
from consensus.messages import Phase, VoteType
from consensus.schedule import is_timely
from consensus.state import HeldProposal, State, facts_of, has_valid_proposal, is_valid


def first_enabled(state: State) -> Rule | None:
    """Return the first rule that is enabled, or None if the state is at rest."""
    if state.phase in {Phase.WAIT, Phase.DECIDED}:
        return None
    for condition in _IN_ORDER:
        rule = condition(state)
        if rule is not None:
            return rule
    return None


def _decide(state: State) -> Rule | None:
    """[L49] Any round: a valid proposal and more than two thirds of precommits for it."""
    for round_number, block_id in state.tally.commits:
        if has_valid_proposal(state, round_number, block_id):
            return CommitForBlock(round_number, block_id)
    return None


def _skip(state: State) -> Rule | None:
    """[L55] More than one third is ahead; only votes count, not proposals."""
    ahead = state.tally.skip_round(state.round)
    return None if ahead is None else OthersAhead(ahead)


def _polka_for_block(state: State) -> Rule | None:
    """[L36] Once a round, from PREVOTE on; bodies need not be held to lock."""
    if state.phase < Phase.PREVOTE or state.core.polka_handled:
        return None
    for block_id in state.tally.blocks_reached(state.round, VoteType.PREVOTE):
        if has_valid_proposal(state, state.round, block_id):
            return PolkaForBlock(block_id)
    return None


def _polka_for_nil(state: State) -> Rule | None:
    """[L44] Only in PREVOTE."""
    if state.phase is Phase.PREVOTE and state.tally.has_quorum_for(
        state.round, VoteType.PREVOTE, None
    ):
        return PolkaForNil()
    return None


def _proposal(state: State) -> Rule | None:
    """[L22, L28] The proposal of this round, of two the one that a quorum names."""
    if state.phase is not Phase.PROPOSE:
        return None
    for held in _selected(state):
        rule = _answer(state, held)
        if rule is not None:
            return rule
    return None


def _selected(state: State) -> tuple[HeldProposal, ...]:
    """Return the proposals to answer: those that a quorum of this round names, else the first."""
    held = state.proposals.get(state.round, ())
    named = (
        *state.tally.blocks_reached(state.round, VoteType.PREVOTE),
        *state.tally.blocks_reached(state.round, VoteType.PRECOMMIT),
    )
    chosen = tuple(one for one in held if one.proposal.block_id in named)
    return chosen or held[:1]


def _answer(state: State, held: HeldProposal) -> Rule | None:
    """Return the answer to one proposal, or None while something is missing for it."""
    signed = held.proposal.signed
    facts = facts_of(state, signed.block_id)
    if facts.verdict is None:
        return None
    if not is_valid(state, held):
        return FirstProposal(signed.block_id, acceptable=False)
    is_locked_elsewhere = state.core.locked_block not in {None, signed.block_id}
    if signed.pol_round == -1:
        made_now = facts.verdict.header_round == state.round
        acceptable = made_now and is_timely(
            state.start.parameters, signed.time_ms, held.received_ms, state.round
        )
        if acceptable and not is_locked_elsewhere and not facts.bodies_held:
            return None
        return FirstProposal(signed.block_id, acceptable)
    if facts.verdict.header_round > signed.pol_round or not state.tally.has_quorum_for(
        signed.pol_round, VoteType.PREVOTE, signed.block_id
    ):
        return None
    is_free = state.core.locked_round <= signed.pol_round or not is_locked_elsewhere
    if is_free and not facts.bodies_held:
        return None
    return RepeatedProposal(signed.block_id, signed.pol_round, acceptable=True)


def _prevotes(state: State) -> Rule | None:
    """[L34] Once a round, in PREVOTE."""
    if (
        state.phase is Phase.PREVOTE
        and not state.core.prevote_timer_set
        and state.tally.has_quorum(state.round, VoteType.PREVOTE)
    ):
        return PrevotesForAnything()
    return None


def _precommits(state: State) -> Rule | None:
    """[L47] Once a round, in any phase."""
    if not state.core.precommit_timer_set and state.tally.has_quorum(
        state.round, VoteType.PRECOMMIT
    ):
        return PrecommitsForAnything()
    return None


_IN_ORDER = (
    _decide,
    _skip,
    _polka_for_block,
    _polka_for_nil,
    _proposal,
    _prevotes,
    _precommits,
)
