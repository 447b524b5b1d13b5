"""What arrives, put where it belongs: votes, quorums, proposals and answers about blocks.

Each function takes in one thing and applies no rule yet, but that any valid message of the present
height ends WAIT. A message of a later height is kept, of an earlier one or of another validator set
dropped. An own message that comes back is on disk by then, and only now it is broadcast.

Source: the design's consensus.md, sections Rules and Disk before wire.
"""

from dataclasses import replace

from consensus import future
from consensus.events import (
    BlockVerdict,
    BodiesHeld,
    Broadcast,
    CastVote,
    Effect,
    FetchBodies,
    Propose,
    ReportEvidence,
)
from consensus.evidence import content_of, evidence_of
from consensus.messages import Proposal, SignedProposal, SignedVote, Vote, VoteType
from consensus.proofs import Quorum, RoundProof
from consensus.rounds import Transition, ask_for_block, ask_for_named, wake
from consensus.state import PROPOSALS_MAX, HeldProposal, State, facts_of, with_facts
from consensus.tally import add_quorum, add_vote, polka_proof


def take_vote(state: State, vote: Vote) -> Transition:
    """Count a vote; report an equivocation; send an own one that came back."""
    if vote.height > state.height:
        return _keep(state, vote), ()
    if not _is_of_now(state, vote.height, vote.validators_digest):
        return state, ()
    state, effects = wake(state)
    tally, evidence, _is_new = add_vote(state.tally, vote.signed, state.round)
    state = replace(state, tally=tally)
    if evidence is not None:
        effects += (ReportEvidence(evidence),)
    state, sent = _own_vote_back(state, vote.signed)
    state, asked = ask_for_named(state, vote.round, vote.type)
    return state, (*effects, *sent, *asked)


def take_quorum(state: State, quorum: Quorum) -> Transition:
    """Count a polka proof or quorum certificate as a whole."""
    if quorum.height > state.height:
        return _keep(state, quorum), ()
    if not _is_of_now(state, quorum.height, quorum.validators_digest):
        return state, ()
    state, effects = wake(state)
    tally, found = add_quorum(state.tally, quorum)
    state = replace(state, tally=tally)
    state, asked = ask_for_named(state, quorum.round, quorum.type)
    return state, (*effects, *(ReportEvidence(evidence) for evidence in found), *asked)


def take_round_proof(state: State, proof: RoundProof) -> Transition:
    """Count the votes of a round proof one by one; each was verified."""
    effects: tuple[Effect, ...] = ()
    for vote in proof.votes:
        state, more = take_vote(state, vote)
        effects += more
    return state, effects


def take_proposal(state: State, proposal: Proposal, received_ms: int) -> Transition:
    """Hold a proposal by the right proposer; report a second one; send an own one."""
    if proposal.height > state.height:
        return _keep(state, future.DatedProposal(proposal, received_ms)), ()
    signed = proposal.signed
    if not _is_of_now(state, proposal.height, proposal.validators_digest):
        return state, ()
    if signed.proposer != state.proposer(proposal.round):
        return state, ()
    state, effects = wake(state)
    state, found = _hold(state, HeldProposal(proposal, received_ms))
    state, sent = _own_proposal_back(state, signed)
    asked: tuple[Effect, ...] = ()
    if proposal.round <= state.round + 1 and _holds(state, signed):
        state, asked = ask_for_block(state, signed.block_id, signed.proposer)
    return state, (*effects, *found, *sent, *asked)


def take_verdict(state: State, verdict: BlockVerdict) -> Transition:
    """Note what executing a block found, once; then its bodies are needed to prevote."""
    facts = facts_of(state, verdict.block_id)
    if verdict.height != state.height or facts.verdict is not None:
        return state, ()
    state = with_facts(state, verdict.block_id, replace(facts, verdict=verdict))
    if not verdict.valid or facts.bodies_held:
        return state, ()
    return state, (FetchBodies(state.height, verdict.block_id, facts.proposer),)


def take_bodies(state: State, held: BodiesHeld) -> Transition:
    """Note that all sealed bodies of a block are in our vault."""
    if held.height != state.height:
        return state, ()
    facts = facts_of(state, held.block_id)
    return with_facts(state, held.block_id, replace(facts, bodies_held=True)), ()


def refuses_proposal(state: State, signed: SignedProposal) -> bool:
    """Tell whether a proposal of this height would change nothing; before its signature."""
    if signed.proposer != state.proposer(signed.round) or _holds(state, signed):
        return True
    held = state.proposals.get(signed.round, ())
    if len(held) >= PROPOSALS_MAX:
        return _without_unnamed(state, signed) is None
    return _is_surpassed(state, signed)


def _is_of_now(state: State, height: int, validators_digest: bytes) -> bool:
    return height == state.height and validators_digest == state.start.validators.digest


def _keep(state: State, message: future.Kept) -> State:
    return replace(state, future=future.keep(state.future, state.height, message))


def _own_vote_back(state: State, signed: SignedVote) -> Transition:
    cast = CastVote(signed.type, signed.height, signed.round, signed.block_id)
    if signed.validator != state.own_index or cast not in state.own.pending:
        return state, ()
    own = replace(state.own, pending=tuple(one for one in state.own.pending if one != cast))
    if signed.type is VoteType.PREVOTE:
        own = replace(own, prevote=signed)
    else:
        own = replace(own, precommit=signed)
    return replace(state, own=own), (Broadcast(signed),)


def _own_proposal_back(state: State, signed: SignedProposal) -> Transition:
    place = (signed.height, signed.round, signed.block_id)
    said = Propose(*place, signed.pol_round, signed.time_ms)
    if signed.proposer != state.own_index or said not in state.own.pending:
        return state, ()
    pending = tuple(one for one in state.own.pending if one != said)
    state = replace(state, own=replace(state.own, pending=pending, proposal=signed))
    proof = polka_proof(state.tally, state.height, signed.pol_round, signed.block_id)
    proofs = () if proof is None else (Broadcast(proof),)
    return state, (*proofs, Broadcast(signed))


def _holds(state: State, signed: SignedProposal) -> bool:
    content = content_of(signed)
    return any(
        content_of(held.proposal.signed) == content
        for held in state.proposals.get(signed.round, ())
    )


def _hold(state: State, new: HeldProposal) -> Transition:
    """Hold a proposal, at most two of a round; of far rounds only each proposer's highest."""
    signed = new.proposal.signed
    if refuses_proposal(state, signed):
        return state, ()
    held = state.proposals.get(signed.round, ())
    found: tuple[Effect, ...] = ()
    if len(held) == 1:
        found = (ReportEvidence(evidence_of(held[0].proposal.signed, signed)),)
    if len(held) >= PROPOSALS_MAX:
        held = _without_unnamed(state, signed) or ()
    proposals = dict(state.proposals)
    if signed.round > state.round + 1:
        for number in state.proposals:
            is_far = state.round + 1 < number < signed.round
            if is_far and state.proposer(number) == signed.proposer:
                del proposals[number]
    proposals[signed.round] = (*held, new)
    return replace(state, proposals=proposals), found


def _without_unnamed(state: State, signed: SignedProposal) -> tuple[HeldProposal, ...] | None:
    """Return the held proposals less one that no quorum names, if one names the new proposal."""
    named = (
        *state.tally.blocks_reached(signed.round, VoteType.PREVOTE),
        *state.tally.blocks_reached(signed.round, VoteType.PRECOMMIT),
    )
    held = state.proposals.get(signed.round, ())
    unnamed = [one for one in held if one.proposal.block_id not in named]
    if signed.block_id not in named or not unnamed:
        return None
    return tuple(one for one in held if one is not unnamed[-1])


def _is_surpassed(state: State, signed: SignedProposal) -> bool:
    """Tell whether a proposal of a far round is below the one we hold of its proposer."""
    return signed.round > state.round + 1 and any(
        number > signed.round and state.proposer(number) == signed.proposer
        for number in state.proposals
    )
