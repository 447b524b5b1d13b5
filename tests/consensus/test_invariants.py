"""What must hold after every event of every run, however malicious the events are."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from consensus import engine
from consensus.events import (
    BodiesHeld,
    Broadcast,
    BuildFailed,
    CastVote,
    Decide,
    PolkaProofReceived,
    PoolNotEmpty,
    ProposalReceived,
    Propose,
    QuorumCertificateReceived,
    ReportEvidence,
    RoundProofReceived,
    StartHeight,
    TimerFired,
    TimerKind,
    ValueBuilt,
    VoteReceived,
)
from consensus.future import DatedProposal
from consensus.journal import parse_event, print_event
from consensus.messages import SignedProposal, SignedVote
from consensus.proofs import RoundProof, SignedRoundProof
from consensus.rules import first_enabled
from consensus.schedule import round_robin
from consensus.state import Identity
from ledger.validators import ValidatorSet
from tests.consensus.committee import (
    FOUR,
    PRECOMMIT,
    PREVOTE,
    TIME_MS,
    A,
    B,
    C,
    agency,
    proposal,
    quorum,
    start,
    verdict,
    vote,
)

OWN = 3  # proposer of round 2 at height 1 and of round 1 at height 2
BLOCKS = (A, B, C)

heights = st.sampled_from([1, 1, 1, 1, 2])
rounds = st.sampled_from([0, 0, 0, 1, 1, 2, 3, 5])
types = st.sampled_from([PREVOTE, PRECOMMIT])
choices = st.sampled_from([A, A, A, B, C, None])
others = st.sampled_from([0, 1, 2])


@st.composite
def proposals(draw):
    number = draw(rounds)
    pol_round = draw(st.integers(-1, number - 1))
    block_id = draw(st.sampled_from(BLOCKS))
    made = proposal(block_id, number, pol_round=pol_round, height=draw(heights))
    assume(made.signed.proposer != OWN)  # nobody else has our key
    return ProposalReceived(made, TIME_MS)


@st.composite
def round_proofs(draw):
    number, vote_type = draw(rounds), draw(types)
    votes = tuple(vote(index, vote_type, draw(choices), number) for index in (0, 1, 2))
    signed = SignedRoundProof(1, max(number, 1), tuple(one.signed for one in votes))
    return RoundProofReceived(RoundProof(signed, votes, FOUR.digest))


def _quorum_event(vote_type, block_id, number, height):
    made = quorum(vote_type, block_id, number, (0, 1, 2), height=height)
    return PolkaProofReceived(made) if vote_type is PREVOTE else QuorumCertificateReceived(made)


votes = st.builds(
    lambda i, t, b, r, h: VoteReceived(vote(i, t, b, r, height=h)),
    others, types, choices, rounds, heights,
)  # fmt: skip
quorums = st.builds(_quorum_event, types, st.sampled_from(BLOCKS), rounds, heights)
verdicts = st.builds(
    lambda b, r, h, ok: verdict(b, header_round=r, height=h, valid=ok),
    st.sampled_from(BLOCKS), rounds, heights, st.sampled_from([True, True, True, False]),
)  # fmt: skip
timers = st.builds(TimerFired, st.sampled_from(TimerKind), heights, rounds)
local = st.one_of(
    st.builds(PoolNotEmpty, heights),
    st.builds(BodiesHeld, heights, st.sampled_from(BLOCKS)),
    st.builds(ValueBuilt, heights, rounds, st.sampled_from(BLOCKS), st.just(TIME_MS)),
    st.builds(BuildFailed, heights, rounds),
)
OWN_BACK = "the next own message comes back"
NEXT_HEIGHT = "the next height begins"
steps = st.one_of(
    votes, votes, votes, proposals(), verdicts, quorums, round_proofs(), timers, local,
    st.sampled_from([OWN_BACK, OWN_BACK, OWN_BACK, NEXT_HEIGHT]),
)  # fmt: skip


class Watched:
    """An engine whose every step is checked."""

    def __init__(self) -> None:
        self.identity = Identity(agency(OWN), round_robin)
        self.start = start()
        self.state, self.effects = engine.begin(self.identity, self.start)
        self.log: list[Any] = []

    def run(self, events) -> None:
        for event in events:
            actual = self._actual(event)
            if actual is None:
                continue
            before = self.state
            self.state, effects = engine.step(before, actual)
            self.log.append((actual, effects))
            self._check(before, effects)

    def _actual(self, event):
        if event == NEXT_HEIGHT:
            number = self.state.height + 1
            kept = engine.kept_messages(self.state, number, FOUR)
            return start(number, kept=kept)
        if event != OWN_BACK:
            return event
        if not self.state.own.pending:
            return None
        said = self.state.own.pending[0]
        place: dict[str, Any] = {"round_number": said.round, "height": said.height}
        if isinstance(said, CastVote):
            return VoteReceived(vote(OWN, said.type, said.block_id, **place))
        made = proposal(said.block_id, pol_round=said.pol_round, time_ms=said.time_ms, **place)
        return ProposalReceived(made, TIME_MS)

    def _check(self, before, effects) -> None:
        core, old = self.state.core, before.core
        assert first_enabled(self.state) is None, "a step ends at rest"
        assert core.locked_round <= core.valid_round <= max(core.round, -1)
        assert (core.height, core.round) >= (old.height, old.round) or core.height > old.height
        if core.height == old.height and core.locked_block != old.locked_block:
            self._check_new_lock(core, old)
        for effect in effects:
            if isinstance(effect, Broadcast):
                self._check_on_disk(effect)
            if isinstance(effect, CastVote) and effect.type is PREVOTE:
                self._check_prevote(effect)
            if isinstance(effect, ReportEvidence):
                assert effect.evidence.validator != OWN

    def _check_new_lock(self, core, old) -> None:
        assert core.locked_block is not None, "nothing unlocks"
        assert core.locked_round > old.locked_round
        assert self.state.tally.has_quorum_for(core.locked_round, PREVOTE, core.locked_block)

    def _check_on_disk(self, effect: Broadcast) -> None:
        message = effect.message
        if isinstance(message, SignedVote | SignedProposal):
            logged = [one for one, _ in self.log]
            assert any(
                (isinstance(one, VoteReceived) and one.vote.signed == message)
                or (isinstance(one, ProposalReceived) and one.proposal.signed == message)
                for one in logged
            )

    def _check_prevote(self, cast: CastVote) -> None:
        core = self.state.core
        if cast.block_id is None or core.locked_round in {-1, cast.round}:
            return
        if cast.block_id != core.locked_block:
            assert any(
                self.state.tally.has_quorum_for(number, PREVOTE, cast.block_id)
                for number in range(core.locked_round, cast.round)
            )


@given(st.lists(steps, max_size=60))
def test_no_run_breaks_an_invariant_of_a_single_validator(events):
    """Invariant: see Watched; and one message for each place, one decision for each height."""
    watched = Watched()
    watched.run(events)
    said: Counter[Any] = Counter()
    decided: Counter[int] = Counter()
    for _, effects in watched.log:
        for effect in effects:
            if isinstance(effect, CastVote):
                said[effect.type, effect.height, effect.round] += 1
            elif isinstance(effect, Propose):
                said["proposal", effect.height, effect.round] += 1
            elif isinstance(effect, Decide):
                decided[effect.height] += 1
                _check_decision(effect, FOUR)
    assert all(count == 1 for count in said.values())
    assert all(count == 1 for count in decided.values())


def _check_decision(decision: Decide, validators: ValidatorSet) -> None:
    certificate = decision.certificate
    assert (certificate.height, certificate.block_id) == (decision.height, decision.block_id)
    indexes = [index for index, _ in certificate.signatures]
    assert indexes == sorted(set(indexes))
    assert validators.is_quorum(sum(validators[index].weight for index in indexes))


@given(st.lists(steps, max_size=60))
def test_a_replay_of_the_log_gives_the_same_states_and_effects_byte_for_byte(events):
    """Invariant: what goes through the log's bytes and back leads to the same place."""
    watched = Watched()
    watched.run(events)
    first = parse_event(print_event(watched.start))
    assert isinstance(first, StartHeight)
    state, effects = engine.begin(watched.identity, first)
    assert repr(effects) == repr(watched.effects)
    for event, expected in watched.log:
        state, effects = engine.step(state, parse_event(print_event(event)))
        assert repr(effects) == repr(expected)
    assert repr(state) == repr(watched.state)
    assert repr(engine.resume(state)) == repr(engine.resume(watched.state))


@given(st.lists(steps, max_size=60))
def test_a_log_cut_at_the_last_start_of_a_height_leads_to_the_same_locks(events):
    """Invariant: nothing before the last StartHeight is needed to know what one stands by."""
    watched = Watched()
    watched.run(events)
    cut: list[Any] = [watched.start]
    for event, _ in watched.log:
        if isinstance(event, StartHeight):
            cut = []
        cut.append(event)
    state, _ = engine.begin(watched.identity, cut[0])
    for event in cut[1:]:
        state, _ = engine.step(state, event)
    assert state.core == watched.state.core
    assert state.tally == watched.state.tally
    assert state.own == watched.state.own


@given(st.lists(steps, max_size=60))
def test_known_messages_really_change_nothing(events):
    """Invariant: what `is_known` drops before its signature is checked would change nothing."""
    watched = Watched()
    watched.run(events)
    state = watched.state
    for event, _ in watched.log:
        opened: SignedVote | SignedProposal
        match event:
            case VoteReceived(vote=message):
                opened = message.signed
            case ProposalReceived(proposal=made):
                opened = made.signed
            case _:
                continue
        if engine.is_known(state, opened):
            after, effects = engine.step(state, event)
            assert (after, effects) == (state, ()) or _is_own(state, opened)


def _is_own(state, opened) -> bool:
    signer = opened.validator if isinstance(opened, SignedVote) else opened.proposer
    return signer == state.own_index and bool(state.own.pending)


def test_the_watch_sees_what_it_shall_see():
    """A watch that passes everything is blind: show it each kind of broken step."""
    watched = Watched()
    watched.run([PoolNotEmpty(1)])
    with pytest.raises(AssertionError):
        watched._check_on_disk(Broadcast(vote(OWN, PREVOTE, A).signed))
    locked = engine.step(watched.state, PoolNotEmpty(1))[0].core
    broken = type(locked)(height=1, round=2, locked_round=1, locked_block=A, valid_round=1)
    with pytest.raises(AssertionError):
        watched._check_new_lock(locked, broken)
    watched.state = type(watched.state)(
        identity=watched.identity,
        start=watched.start,
        own_index=OWN,
        core=broken,
        tally=watched.state.tally,
    )
    with pytest.raises(AssertionError):
        watched._check_prevote(CastVote(PREVOTE, 1, 2, B))


def test_kept_messages_are_of_the_kinds_that_a_start_takes():
    watched = Watched()
    early = [
        VoteReceived(vote(1, PREVOTE, A, height=2)),
        ProposalReceived(proposal(A, height=2), TIME_MS),
        PolkaProofReceived(quorum(PREVOTE, A, signers=(0, 1, 2), height=2)),
    ]
    watched.run(early)
    kinds = [type(one) for one in engine.kept_messages(watched.state, 2, FOUR)]
    assert kinds == [type(vote(1, PREVOTE, A)), DatedProposal, type(quorum(PREVOTE, A))]
