"""One validator at one height after the other: `step(state, event) -> (state, effects)`.

Pure: no clock, no dice, no disk. The same events give the same states and effects, byte for byte.

The driver, one task that owns the state, owes it this.

1. Every event is appended to the write-ahead log and fsynced, in the order in which events are
   given to `step`, before `step`. (Several may share one fsync: append k events, sync, then step
   each.) `begin` takes the first event, a StartHeight. What `is_known` says yes to need not be
   verified, logged or given at all. `consensus.journal` turns events into bytes and back.
2. Effects are carried out strictly in the order given.
3. CastVote and Propose are unsigned. The driver signs behind the last-signed guard (which stores
   and fsyncs place, bytes and signature first, gives the stored signature back for equal bytes, and
   refuses anything else), opens the signed message with `open_vote` or `open_proposal` like a
   foreign one, and gives it back as VoteReceived or ProposalReceived: logged, fsynced, stepped, in
   the order cast and before the next event if it can. Only in that step does the core count it and
   say Broadcast. So an own message is on disk, in guard and log, before it is on the wire, and the
   driver has no second rule for that. If the guard refuses, the message is never given back.
4. ProposalReceived carries the driver's clock at reception; StartHeight its clock at the start. The
   core never asks for another time, so that a replay sees the same ones.
5. BuildValue: wait until the clock shows `not_before_ms`, then time = clock, build (stop filling
   after 300 ms of execution), write the block's bytes to disk, answer ValueBuilt; or BuildFailed.
   The proposer's own block is executed and judged by CheckBlock like every other.
6. CheckBlock: bytes from the proposer or any peer, to disk, execute, answer BlockVerdict, in any
   case if the bytes hash to the id; with `valid=False` where they cannot be parsed. While nobody
   has the bytes there is no answer. FetchBodies: likewise, answer BodiesHeld when all are in the
   vault; a missing body never makes a block invalid.
7. SetTimer needs no cancelling: a late timer means nothing. One that fires is logged as an event.
8. Decide: store block, certificate and state in one synchronous batch, then give StartHeight for
   the next height, with `kept=kept_messages(state, height, validators)`. Then the log may be cut:
   the last StartHeight must stay its first event. A node that syncs heights from peers gives
   StartHeight for the height after them, too; those heights are not decided here.
9. A message is opened under the set of its height: the present set for height h, the set of h + 1
   for h + 1; for h + 2, which may not be known yet, the same. When a height begins, kept messages
   that were opened under another set than its own are dropped; rebroadcast brings them again. The
   first that is opened under the right one drops those of the wrong one before that.
10. Start after a crash: feed the log's events to `begin` and `step` and throw all effects away;
    then carry out `resume(state)` once. The state is the one before the crash (but for messages of
    later heights that were kept before the log was cut; rebroadcast brings them). What was cast
    and did not come back is signed now: the same bytes, so the guard gives the same signature or
    makes the first. What had come back is broadcast again. Questions and timers begin anew.
    Messages that were never logged are lost as on a bad network.
11. STATUS is the driver's own business: it sends one every few seconds, and leaves voting to sync
    when `schedule.height_reached_by_some_honest` is two heights ahead or a quorum certificate of a
    later height verifies. `may_vote=False` keeps a height silent after a restored backup.

Source: arXiv:1807.04938; the design's consensus.md, sections Rules and Disk before wire.
"""

from dataclasses import replace

from consensus import future
from consensus.events import (
    BlockVerdict,
    BodiesHeld,
    BuildFailed,
    Effect,
    Event,
    PolkaProofReceived,
    PoolNotEmpty,
    ProposalReceived,
    QuorumCertificateReceived,
    RoundProofReceived,
    StartHeight,
    TimerFired,
    TimerKind,
    ValueBuilt,
    VoteReceived,
)
from consensus.intake import (
    refuses_proposal,
    take_bodies,
    take_proposal,
    take_quorum,
    take_round_proof,
    take_verdict,
    take_vote,
)
from consensus.machine import TimerExpired, ValueReady
from consensus.messages import (
    Phase,
    Proposal,
    SignedProposal,
    SignedVote,
    Vote,
    VoteType,
)
from consensus.proofs import Quorum, SignedPolkaProof, SignedRoundProof
from consensus.rounds import (
    Transition,
    apply_rule,
    outstanding,
    rebroadcast,
    settle,
    timer,
    wake,
)
from consensus.state import Identity, State, facts_of, fresh_state, with_facts
from consensus.wire import SignedMessage
from ledger.quorum import QuorumCertificate
from ledger.validators import ValidatorSet


def begin(identity: Identity, start: StartHeight) -> Transition:
    """Begin with the first height that this process works on.

    Args:
        identity: Who this node is.
        start: The first event of the log.

    Returns:
        The state, WAITing unless messages were kept for this height, and what to do.
    """
    return _begin(identity, start, future.FutureMessages())


def step(state: State, event: Event) -> Transition:
    """Advance by one event; an event that means nothing now changes nothing and raises nothing.

    Args:
        state: Before.
        event: On disk already.

    Returns:
        The state after, and what to do, in order.
    """
    if isinstance(event, StartHeight):
        return _start_height(state, event)
    state, effects = _take_in(state, event)
    state, more = settle(state)
    return state, (*effects, *more)


def resume(state: State) -> tuple[Effect, ...]:
    """Return what a driver does after it replayed its log, instead of the replay's effects.

    Own messages again, own messages that still need a signature, open questions and running
    timers; or the decision, or the idle timer.
    """
    return outstanding(state)


def is_known(
    state: State, message: SignedMessage | QuorumCertificate, validators_digest: bytes = b""
) -> bool:
    """Tell whether a message would change nothing, before any signature of it is verified.

    Args:
        state: The present one.
        message: From the wire. STATUS and EVIDENCE are never known here.
        validators_digest: Of the set under which it would be opened. What was kept of a later
            height under another set does not make it known: validator 2 may be somebody else now.

    Returns:
        True for duplicates, messages of past or far heights, and what there is no room for. False
        for indexes outside the set: opening them blames the sender.
    """
    match message:
        case SignedVote():
            return _is_vote_known(state, message, validators_digest)
        case SignedProposal():
            if message.height != state.height:
                kept = future.DatedProposal(Proposal(message, validators_digest), 0)
                return future.refuses(state.future, state.height, kept)
            return refuses_proposal(state, message)
        case SignedPolkaProof():
            return _is_quorum_known(state, message, VoteType.PREVOTE, validators_digest)
        case QuorumCertificate():
            return _is_quorum_known(state, message, VoteType.PRECOMMIT, validators_digest)
        case SignedRoundProof():
            return all(_is_vote_known(state, vote, validators_digest) for vote in message.votes)
        case _:
            return False


def _is_vote_known(state: State, vote: SignedVote, validators_digest: bytes) -> bool:
    if vote.height != state.height:
        return future.refuses(state.future, state.height, Vote(vote, validators_digest))
    if vote.validator >= len(state.start.validators):
        return False
    return state.tally.knows(vote, max(state.round, 0))


def _is_quorum_known(
    state: State,
    proof: SignedPolkaProof | QuorumCertificate,
    vote_type: VoteType,
    validators_digest: bytes,
) -> bool:
    if proof.height != state.height:
        place = (proof.height, proof.round, proof.block_id)
        kept = Quorum(vote_type, *place, proof.signatures, validators_digest)
        return future.refuses(state.future, state.height, kept)
    return state.tally.has_quorum_for(proof.round, vote_type, proof.block_id)


def _take_in(state: State, event: Event) -> Transition:
    match event:
        case VoteReceived(vote=vote):
            return take_vote(state, vote)
        case ProposalReceived(proposal=proposal, received_ms=received_ms):
            return take_proposal(state, proposal, received_ms)
        case PolkaProofReceived(quorum=quorum) | QuorumCertificateReceived(quorum=quorum):
            return take_quorum(state, quorum)
        case RoundProofReceived(proof=proof):
            return take_round_proof(state, proof)
        case BlockVerdict():
            return take_verdict(state, event)
        case BodiesHeld():
            return take_bodies(state, event)
        case _:
            return _take_local(state, event)


def _take_local(state: State, event: Event) -> Transition:
    match event:
        case PoolNotEmpty(height=height) if height == state.height:
            return wake(state)
        case ValueBuilt(height=height) if height == state.height:
            return _value_built(state, event)
        case TimerFired(height=height) if height == state.height:
            return _timer_fired(state, event)
        case BuildFailed():
            return state, ()  # T_propose ends the round
        case _:
            return state, ()


def _value_built(state: State, event: ValueBuilt) -> Transition:
    if event.round != state.round or event.time_ms <= state.start.previous_time_ms:
        return state, ()
    facts = replace(facts_of(state, event.block_id), built_time_ms=event.time_ms)
    state = with_facts(state, event.block_id, facts)
    return apply_rule(state, ValueReady(event.round, event.block_id))


def _timer_fired(state: State, event: TimerFired) -> Transition:
    if event.round != state.round or state.phase is Phase.DECIDED:
        return state, ()
    match event.kind:
        case TimerKind.IDLE:
            return wake(state)
        case TimerKind.REBROADCAST if state.phase is not Phase.WAIT:
            return state, (*rebroadcast(state), timer(state, TimerKind.REBROADCAST))
        case _:
            return apply_rule(state, TimerExpired(event.kind, event.round))


def kept_messages(state: State, height: int, validators: ValidatorSet) -> tuple[future.Kept, ...]:
    """Return what came too early for a height that is about to begin, for its StartHeight.

    Args:
        state: The present one, of a lower height.
        height: The height that is about to begin.
        validators: Its set; messages opened under another one are left out.
    """
    return future.kept_for(state.future, height, validators.digest)


def _start_height(state: State, start: StartHeight) -> Transition:
    """Begin a later height."""
    if start.height <= state.height:
        return state, ()
    later = future.later_than(state.future, start.height)
    return _begin(state.identity, start, later)


def _begin(identity: Identity, start: StartHeight, later: future.FutureMessages) -> Transition:
    """WAIT, or count what came too early before any rule is looked at."""
    state = fresh_state(identity, start, later)
    effects: tuple[Effect, ...] = ()
    for message in start.kept:
        state, more = _take_kept(state, message)
        effects += more
    if state.phase is Phase.WAIT:
        return state, (*effects, timer(state, TimerKind.IDLE))
    state, more = settle(state)
    return state, (*effects, *more)


def _take_kept(state: State, message: future.Kept) -> Transition:
    match message:
        case Vote():
            return take_vote(state, message)
        case future.DatedProposal(proposal=proposal, received_ms=received_ms):
            return take_proposal(state, proposal, received_ms)
        case Quorum():
            return take_quorum(state, message)
