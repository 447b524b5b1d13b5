"""Carries the round rules out: from an enabled rule to effects, until nothing is enabled.

`consensus.rules` says which rule is enabled, `consensus.machine` what it does to the round; here
its outputs become effects, with the times, proofs and certificates that only the whole state has.

Source: arXiv:1807.04938, Algorithm 1; the design's consensus.md, "Liveness that the paper assumes".
"""

from dataclasses import replace
from typing import TypeAlias

from consensus import machine
from consensus.events import (
    Broadcast,
    BuildValue,
    CastVote,
    CheckBlock,
    Decide,
    Effect,
    FetchBodies,
    Propose,
    SetTimer,
    TimerKind,
)
from consensus.messages import BlockId, Phase, VoteType
from consensus.rules import first_enabled
from consensus.schedule import idle_delay_ms, timeout_ms
from consensus.state import State, facts_of, has_own, with_facts
from consensus.tally import polka_proof, quorum_certificate, round_proof

Transition: TypeAlias = tuple[State, tuple[Effect, ...]]


def settle(state: State) -> Transition:
    """Apply enabled rules, the first of the fixed order each time, until there is none."""
    effects: tuple[Effect, ...] = ()
    while (rule := first_enabled(state)) is not None:
        state, more = apply_rule(state, rule)
        effects += more
    return state, effects


def wake(state: State) -> Transition:
    """End WAIT: start round 0. Nothing in any other phase."""
    if state.phase is not Phase.WAIT:
        return state, ()
    return start_round(state, 0)


def start_round(state: State, number: int) -> Transition:
    """Begin a round, show others why, and ask for the blocks proposed in it. [L11-21]."""
    effects: tuple[Effect, ...] = proofs_of_round(state, number)
    is_proposer = state.own_index is not None and state.proposer(number) == state.own_index
    state, more = apply_rule(state, machine.StartRound(number, is_proposer))
    effects += (*more, timer(state, TimerKind.REBROADCAST))
    for proposed_round in sorted(state.proposals):
        if proposed_round <= number + 1:
            for held in state.proposals[proposed_round]:
                signed = held.proposal.signed
                state, more = ask_for_block(state, signed.block_id, signed.proposer)
                effects += more
    state, more = ask_for_named(state, number, VoteType.PREVOTE)
    return state, (*effects, *more)


def apply_rule(state: State, rule: machine.Rule) -> Transition:
    """Give one rule to the machine and turn its outputs into effects."""
    core, outputs = machine.step(state.core, rule)
    state = replace(state, core=core)
    effects: tuple[Effect, ...] = ()
    for output in outputs:
        state, more = _carry_out(state, output)
        effects += more
    return state, effects


def _carry_out(state: State, output: machine.Output) -> Transition:
    match output:
        case CastVote():
            return _cast(state, output)
        case machine.NeedValue():
            return state, _build(state)
        case machine.GiveProposal():
            return _propose(state, output)
        case machine.StartTimer(kind=kind):
            proofs: tuple[Effect, ...] = ()
            if kind is TimerKind.PRECOMMIT and state.core.valid_round == state.round:
                proofs = proof_of_polka(state)  # somebody's lock could be hidden from others
            return state, (*proofs, timer(state, kind))
        case machine.EnterRound(round=number):
            return start_round(state, number)
        case machine.Decided(round=number, block_id=block_id):
            certificate = quorum_certificate(state.tally, state.height, number, block_id)
            decision = Decide(state.height, block_id, certificate)
            return replace(state, decision=decision), (decision,)


def _cast(state: State, cast: CastVote) -> Transition:
    if not state.may_speak() or has_own(state, cast.type, cast.round):
        return state, ()
    return _with_pending(state, cast), (cast,)


def _propose(state: State, given: machine.GiveProposal) -> Transition:
    is_said = any(
        held.proposal.signed.proposer == state.own_index
        for held in state.proposals.get(given.round, ())
    )
    time_ms = _time_of(state, given.block_id)
    if not state.may_speak() or is_said or time_ms is None:
        return state, ()
    proposal = Propose(state.height, given.round, given.block_id, given.pol_round, time_ms)
    return _with_pending(state, proposal), (proposal,)


def _build(state: State) -> tuple[Effect, ...]:
    if not state.may_speak():
        return ()
    return (BuildValue(state.height, state.round, state.start.previous_time_ms + 1),)


def _time_of(state: State, block_id: BlockId) -> int | None:
    """Return the time in a block's header, which no re-proposal changes."""
    facts = facts_of(state, block_id)
    return facts.built_time_ms if facts.verdict is None else facts.verdict.time_ms


def _with_pending(state: State, said: CastVote | Propose) -> State:
    return replace(state, own=replace(state.own, pending=(*state.own.pending, said)))


def ask_for_block(state: State, block_id: BlockId, proposer: int | None) -> Transition:
    """Ask for a block and its verdict, once."""
    facts = facts_of(state, block_id)
    if facts.asked or state.decision is not None:
        return state, ()
    state = with_facts(state, block_id, replace(facts, asked=True, proposer=proposer))
    if facts.verdict is not None:
        return state, ()
    return state, (CheckBlock(state.height, block_id, proposer),)


def timer(state: State, kind: TimerKind) -> SetTimer:
    """Return the effect that starts a timer of the present round."""
    if kind is TimerKind.IDLE:
        start = state.start
        delay_ms = idle_delay_ms(start.parameters, start.previous_time_ms, start.now_ms)
    else:
        delay_ms = timeout_ms(state.start.parameters, kind, state.round)
    return SetTimer(kind, state.height, state.round, delay_ms)


def proofs_of_round(state: State, number: int) -> tuple[Effect, ...]:
    """Return the ROUND_PROOF of a round > 0, if we can prove it and are no observer."""
    if number == 0 or state.own_index is None:
        return ()
    proof = round_proof(state.tally, state.height, number)
    return () if proof is None else (Broadcast(proof),)


def proof_of_polka(state: State) -> tuple[Effect, ...]:
    """Return the POLKA_PROOF of the valid value, if there is one and we are no observer."""
    core = state.core
    if core.valid_block is None or state.own_index is None:
        return ()
    proof = polka_proof(state.tally, state.height, core.valid_round, core.valid_block)
    return () if proof is None else (Broadcast(proof),)


def rebroadcast(state: State) -> tuple[Effect, ...]:
    """Return the messages that a round which stands still sends again."""
    own = state.own
    said = (own.proposal, own.prevote, own.precommit)
    return (
        *proofs_of_round(state, state.round),
        *proof_of_polka(state),
        *(Broadcast(message) for message in said if message is not None),
    )


def outstanding(state: State) -> tuple[Effect, ...]:
    """Return what the state still waits for: timers, answers, and own messages to be signed."""
    if state.phase is Phase.WAIT:
        return (timer(state, TimerKind.IDLE),)
    if state.decision is not None:
        return (state.decision,)
    core = state.core
    building = (
        core.phase is Phase.PROPOSE
        and not core.has_proposed
        and state.own_index == state.proposer(state.round)
    )
    kinds = (
        (TimerKind.PROPOSE, core.phase is Phase.PROPOSE),
        (TimerKind.PREVOTE, core.prevote_timer_set and core.phase is Phase.PREVOTE),
        (TimerKind.PRECOMMIT, core.precommit_timer_set),
        (TimerKind.REBROADCAST, True),
    )
    return (
        *rebroadcast(state),
        *state.own.pending,
        *(_build(state) if building else ()),
        *_questions(state),
        *(timer(state, kind) for kind, is_running in kinds if is_running),
    )


def _questions(state: State) -> tuple[Effect, ...]:
    questions: list[Effect] = []
    for block_id, facts in state.blocks.items():
        if facts.asked and facts.verdict is None:
            questions.append(CheckBlock(state.height, block_id, facts.proposer))
        elif facts.verdict is not None and facts.verdict.valid and not facts.bodies_held:
            questions.append(FetchBodies(state.height, block_id, facts.proposer))
    return tuple(questions)


def ask_for_named(state: State, round_number: int, vote_type: VoteType) -> Transition:
    """Ask for blocks that a quorum names, though no proposal of them may have come yet."""
    effects: tuple[Effect, ...] = ()
    if vote_type is VoteType.PRECOMMIT or round_number == state.round:
        for block_id in state.tally.blocks_reached(round_number, vote_type):
            state, more = ask_for_block(state, block_id, None)
            effects += more
    return state, effects
