"""What the paper assumes of its network and we have built: proofs, rebroadcast, bounded buffers."""

from dataclasses import replace

import pytest

from consensus import engine
from consensus.events import (
    Broadcast,
    BuildValue,
    CastVote,
    CheckBlock,
    Decide,
    FetchBodies,
    PolkaProofReceived,
    PoolNotEmpty,
    ProposalReceived,
    QuorumCertificateReceived,
    ReportEvidence,
    RoundProofReceived,
    SetTimer,
    TimerFired,
    TimerKind,
    ValueBuilt,
    VoteReceived,
)
from consensus.messages import Phase, SignedVote, Status, Vote
from consensus.proofs import (
    RoundProof,
    SignedPolkaProof,
    SignedRoundProof,
    check_justifies,
)
from ledger.quorum import QuorumCertificate
from ledger.validators import ValidatorSet
from tests.consensus.committee import (
    FOUR,
    NO_SIGNATURE,
    PRECOMMIT,
    PREVOTE,
    TIME_MS,
    A,
    B,
    Node,
    committee,
    key,
    proposal,
    quorum,
    start,
    verdict,
    vote,
)


def sent(effects, kind):
    return [e.message for e in effects if isinstance(e, Broadcast) and isinstance(e.message, kind)]


def give_back(node: Node) -> None:
    """Let all own votes come back as inputs, as the driver does after it signed them."""
    for cast in node.state.own.pending:
        assert isinstance(cast, CastVote)
        node.give(VoteReceived(vote(0, cast.type, cast.block_id, cast.round)))


def next_round(node: Node) -> None:
    number = node.state.round
    node.votes(PRECOMMIT, (1, None), (2, None), (3, None), round_number=number)
    node.give(TimerFired(TimerKind.PRECOMMIT, 1, number))


# --- own messages: on disk before on the wire ---


def test_an_own_vote_is_broadcast_only_in_the_step_in_which_it_comes_back():
    node = Node.of(0)
    node.offer(A)
    assert node.all(Broadcast) == []
    own = vote(0, PREVOTE, A)
    assert node.give(VoteReceived(own)) == (Broadcast(own.signed),)
    assert node.give(VoteReceived(own)) == (), "and once"


def test_own_votes_count_only_when_they_come_back():
    node = Node.of(0)
    node.offer(A)
    node.votes(PREVOTE, (1, A), (2, A))
    assert [cast.type for cast in node.all(CastVote)] == [PREVOTE]
    give_back(node)
    assert [cast.type for cast in node.all(CastVote)] == [PREVOTE, PRECOMMIT]


def test_an_own_vote_of_an_earlier_life_is_never_contradicted():
    """The log was lost, peers send our prevote back: no second one is cast for that round."""
    node = Node.of(0)
    node.give(VoteReceived(vote(0, PREVOTE, B)))
    node.offer(A)
    node.votes(PREVOTE, (1, A), (2, A), (3, A))
    assert [cast.type for cast in node.all(CastVote)] == [PRECOMMIT]


# --- rebroadcast ---


def test_a_round_that_stands_still_sends_its_last_own_messages_again():
    node = Node.of(0)
    node.offer(A)
    node.votes(PREVOTE, (1, A), (2, A))
    give_back(node)
    give_back(node)
    again = node.give(TimerFired(TimerKind.REBROADCAST, 1, 0))
    assert [(v.type, v.block_id) for v in sent(again, SignedVote)] == [(PREVOTE, A), (PRECOMMIT, A)]
    assert again[-1] == SetTimer(TimerKind.REBROADCAST, 1, 0, 1_000)


def test_a_proposer_sends_its_proposal_again():
    node = Node.of(1)
    node.give(ValueBuilt(1, 0, A, TIME_MS))
    assert node.give(ProposalReceived(proposal(A), TIME_MS))[0] == Broadcast(proposal(A).signed)
    again = node.give(TimerFired(TimerKind.REBROADCAST, 1, 0))
    assert Broadcast(proposal(A).signed) in again


def test_rebroadcast_of_an_old_round_or_a_decided_height_ends():
    node = Node.of(0)
    node.offer(A)
    next_round(node)
    assert node.give(TimerFired(TimerKind.REBROADCAST, 1, 0)) == ()
    node.votes(PRECOMMIT, (1, A), (2, A), (3, A), round_number=0)
    node.give(QuorumCertificateReceived(quorum(PRECOMMIT, A)))
    assert node.state.phase is Phase.DECIDED
    assert node.give(TimerFired(TimerKind.REBROADCAST, 1, 1)) == ()


# --- round proofs ---


def test_a_round_entered_by_timeout_is_proved_by_the_precommits_of_the_round_before():
    node = Node.of(0)
    next_round(node)
    (proof,) = sent(node.latest, SignedRoundProof)
    assert proof.round == 1
    assert [(v.validator, v.type, v.round) for v in proof.votes] == [
        (index, PRECOMMIT, 0) for index in (1, 2, 3)
    ]
    check_justifies(proof, FOUR)


def test_a_round_entered_by_a_skip_is_proved_by_the_votes_of_those_ahead():
    node = Node.of(0)
    node.votes(PREVOTE, (1, A), (3, B), round_number=4)
    (proof,) = sent(node.latest, SignedRoundProof)
    assert [(v.validator, v.round) for v in proof.votes] == [(1, 4), (3, 4)]
    check_justifies(proof, FOUR)


def test_a_round_proof_brings_a_node_that_lost_everything_to_the_round():
    ahead = Node.of(0)
    for _ in range(3):
        next_round(ahead)
    (proof,) = sent(ahead.latest, SignedRoundProof)
    opened = RoundProof(proof, tuple(vote_of(v) for v in proof.votes), FOUR.digest)
    behind = Node.of(2, awake=False)
    behind.give(RoundProofReceived(opened))
    assert behind.state.round == 2, "the round of those votes"
    assert [t.kind for t in behind.latest if isinstance(t, SetTimer)][-1] is TimerKind.PRECOMMIT
    behind.give(TimerFired(TimerKind.PRECOMMIT, 1, 2))
    assert behind.state.round == 3


def vote_of(signed: SignedVote):
    return vote(signed.validator, signed.type, signed.block_id, signed.round)


# --- polka proofs ---


def test_a_lock_that_could_be_hidden_is_shown_when_the_round_ends_without_decision():
    node = Node.of(0)
    node.offer(A)
    node.votes(PREVOTE, (1, A), (2, A), (3, A))
    assert sent(node.effects, SignedPolkaProof) == []
    node.votes(PRECOMMIT, (1, None), (2, None), (3, A))
    (proof,) = sent(node.effects, SignedPolkaProof)
    assert (proof.round, proof.block_id, [i for i, _ in proof.signatures]) == (0, A, [1, 2, 3])


def test_the_hidden_lock_is_shown_again_while_the_next_round_stands_still():
    node = Node.of(0)
    node.offer(A)
    node.votes(PREVOTE, (1, A), (2, A), (3, A))
    next_round(node)
    again = node.give(TimerFired(TimerKind.REBROADCAST, 1, 1))
    assert [proof.round for proof in sent(again, SignedPolkaProof)] == [0]
    assert [proof.round for proof in sent(again, SignedRoundProof)] == [1]


# --- future rounds and heights ---


def test_of_far_rounds_only_each_validators_highest_vote_is_kept():
    node = Node.of(0)
    for number in range(2, 500):
        node.votes(PREVOTE, (1, A), round_number=number)
        node.votes(PRECOMMIT, (1, A), round_number=number)
    assert sorted(node.state.tally.counts) == [(499, PREVOTE), (499, PRECOMMIT)]
    node.votes(PREVOTE, (1, A), round_number=300)
    assert sorted(node.state.tally.counts) == [(499, PREVOTE), (499, PRECOMMIT)]


def test_the_round_after_the_present_one_is_kept_in_full():
    node = Node.of(0)
    node.votes(PREVOTE, (1, A), round_number=1)
    node.votes(PREVOTE, (1, A), round_number=9)
    node.votes(PRECOMMIT, (1, A), round_number=1)
    assert sorted(node.state.tally.counts) == [(1, PREVOTE), (1, PRECOMMIT), (9, PREVOTE)]


def test_of_far_rounds_only_each_proposers_highest_proposal_is_kept():
    node = Node.of(0)
    for number in range(100):
        node.give(ProposalReceived(proposal(A, number), TIME_MS))
    assert sorted(node.state.proposals) == [0, 1, 96, 97, 98, 99]
    assert node.all(CheckBlock) == [CheckBlock(1, A, 1)]


def test_a_block_of_a_far_round_is_asked_for_when_its_round_comes():
    node = Node.of(0)
    node.give(ProposalReceived(proposal(A, 5), TIME_MS))
    assert node.all(CheckBlock) == []
    node.votes(PREVOTE, (1, None), (2, None), round_number=5)
    assert node.all(CheckBlock) == [CheckBlock(1, A, 2)]


def test_a_block_that_only_a_polka_names_is_asked_for_when_its_round_comes():
    node = Node.of(0)
    node.votes(PREVOTE, (1, A), round_number=2)
    assert node.all(CheckBlock) == []
    node.give(PolkaProofReceived(quorum(PREVOTE, A, 2)))
    assert node.state.round == 2
    assert node.all(CheckBlock) == [CheckBlock(1, A, None)]


def test_messages_of_the_next_two_heights_are_kept_and_counted_when_the_height_begins():
    node = Node.of(0)
    early = [VoteReceived(vote(index, PREVOTE, A, height=2)) for index in (1, 2, 3)]
    early += [VoteReceived(vote(index, PRECOMMIT, A, height=2)) for index in (1, 2, 3)]
    node.give(*early, ProposalReceived(proposal(A, height=2), TIME_MS))
    node.give(VoteReceived(vote(1, PREVOTE, A, height=4)))
    kept = engine.kept_messages(node.state, 2, FOUR)
    assert len(kept) == 7
    node.give(start(2, kept=kept))
    node.give(verdict(A, height=2))
    assert [d.height for d in node.all(Decide)] == [2]
    assert node.state.future.by_height == {}


def test_messages_kept_under_another_validator_set_are_dropped():
    other = committee(1, 1, 1, 2)
    node = Node.of(0)
    node.give(VoteReceived(vote(1, PREVOTE, A, height=2)))
    assert engine.kept_messages(node.state, 2, other) == ()
    node.give(start(2, validators=other, kept=node.state.future.of(2)))
    assert node.state.phase is Phase.WAIT


OTHER = ValidatorSet((FOUR[0], replace(FOUR[1], key=key(101).public), FOUR[2], FOUR[3]))
"""The second validator is somebody else, or votes with another key."""


def other_vote(vote_type, block, round_number=0):
    """A vote of the second validator of the other set."""
    return vote(1, vote_type, block, round_number, height=3, validators=OTHER)


def test_a_vote_opened_under_the_right_set_is_not_taken_for_one_that_a_former_member_signed():
    """Two heights ahead the set was a guess; a liar who leaves must not silence who comes."""
    node = Node.of(0)
    node.give(VoteReceived(vote(1, PREVOTE, A, height=3)))
    genuine = other_vote(PREVOTE, A)
    assert engine.is_known(node.state, genuine.signed, FOUR.digest)
    assert engine.is_known(node.state, genuine.signed), "nobody said under which set"
    assert not engine.is_known(node.state, genuine.signed, OTHER.digest)
    node.give(VoteReceived(genuine))
    assert engine.kept_messages(node.state, 3, OTHER) == (genuine,)
    assert engine.kept_messages(node.state, 3, FOUR) == (), "what was guessed is gone"


def test_who_leaves_takes_no_room_of_who_comes_in_its_place():
    node = Node.of(0)
    for number in range(9):
        for block in (A, B):
            node.give(VoteReceived(vote(1, PREVOTE, block, number, height=3)))
    assert engine.is_known(node.state, other_vote(PREVOTE, A).signed, FOUR.digest), "no room"
    for number in range(3):
        genuine = other_vote(PREVOTE, A, number)
        assert not engine.is_known(node.state, genuine.signed, OTHER.digest)
        node.give(VoteReceived(genuine))
    kept = engine.kept_messages(node.state, 3, OTHER)
    assert [one.round for one in kept if isinstance(one, Vote)] == [0, 1, 2]


def test_what_is_kept_of_a_future_height_is_bounded_for_each_validator():
    node = Node.of(0)
    for number in range(200):
        for vote_type in (PREVOTE, PRECOMMIT):
            node.give(VoteReceived(vote(1, vote_type, A, number, height=2)))
            node.give(VoteReceived(vote(1, vote_type, B, number, height=2)))
        node.give(ProposalReceived(proposal(A, number, height=2), TIME_MS))
        node.give(PolkaProofReceived(quorum(PREVOTE, A, number, height=2)))
    kept = node.state.future.of(2)
    assert len(kept) == 2 * 4 + 4 * 2 + 8
    rounds = [one.round for one in kept if isinstance(one, Vote)]
    assert max(rounds) == 199
    assert min(rounds) == 0
    node.give(VoteReceived(vote(2, PREVOTE, A, height=2)))
    assert len(node.state.future.of(2)) == len(kept) + 1, "one spammer takes no other's room"


def test_height_and_round_never_go_back():
    node = Node.of(0)
    next_round(node)
    before = node.state
    node.give(start(1), start(0), VoteReceived(vote(1, PREVOTE, A, height=0)))
    assert node.state == before


def test_a_new_height_begins_without_locks_and_old_messages_mean_nothing():
    node = Node.of(0)
    node.offer(A)
    node.votes(PREVOTE, (1, A), (2, A), (3, A))
    node.give(start(2))
    core = node.state.core
    assert (core.locked_round, core.valid_round, core.round) == (-1, -1, -1)
    assert node.votes(PRECOMMIT, (1, A), (2, A), (3, A)) == ()


# --- known before signatures are checked ---


def _known(node, message) -> bool:
    return engine.is_known(node.state, message)


def test_duplicates_are_known_whatever_their_signature():
    node = Node.of(0)
    mine = vote(1, PREVOTE, A).signed
    assert not _known(node, mine)
    node.votes(PREVOTE, (1, A))
    assert _known(node, mine)
    assert _known(node, replace(mine, signature=bytes([9]) * 64))
    assert not _known(node, replace(mine, block_id=B)), "evidence is news"
    node.votes(PREVOTE, (1, B))
    assert _known(node, replace(mine, block_id=None)), "more of it is not"


@pytest.mark.parametrize("height", [0, 4, 10])
def test_messages_of_past_and_far_heights_are_known(height):
    node = Node.of(0)
    assert _known(node, vote(1, PREVOTE, A, height=height).signed)
    assert _known(node, proposal(A, height=height).signed)
    assert _known(node, SignedPolkaProof(height, 0, A, ((0, NO_SIGNATURE),)))
    assert _known(node, QuorumCertificate(height, 0, A, ((0, NO_SIGNATURE),)))


def test_what_can_never_count_is_known_and_what_blames_its_sender_is_not():
    node = Node.of(0)
    assert _known(node, proposal(A, proposer=3).signed)
    assert not _known(node, vote(60, PREVOTE, A).signed)
    assert not _known(node, Status(1, 0, Phase.PROPOSE, 0))
    node.give(ProposalReceived(proposal(A), TIME_MS))
    assert _known(node, proposal(A).signed)
    assert not _known(node, proposal(B).signed)
    node.give(ProposalReceived(proposal(B), TIME_MS))
    assert _known(node, proposal(b"c" * 32).signed)


def test_votes_of_a_far_round_below_the_highest_are_known():
    node = Node.of(0)
    node.votes(PREVOTE, (1, A), round_number=9)
    assert _known(node, vote(1, PREVOTE, A, 8).signed)
    assert not _known(node, vote(1, PREVOTE, A, 10).signed)
    assert not _known(node, vote(1, PREVOTE, A, 1).signed)


def test_proofs_are_known_when_all_that_they_show_is():
    node = Node.of(0)
    proof = SignedRoundProof(1, 1, tuple(vote(i, PREVOTE, A, 1).signed for i in (1, 2)))
    polka = SignedPolkaProof(1, 1, A, tuple((i, NO_SIGNATURE) for i in (1, 2, 3)))
    certificate = QuorumCertificate(1, 1, A, polka.signatures)
    assert not any(_known(node, one) for one in (proof, polka, certificate))
    node.votes(PREVOTE, (1, A), (2, A), (3, A), round_number=1)
    assert _known(node, proof)
    assert _known(node, polka)
    assert not _known(node, certificate)
    node.give(QuorumCertificateReceived(quorum(PRECOMMIT, A, 1)))
    assert _known(node, certificate)
    assert _known(node, vote(1, PRECOMMIT, A, 1).signed), "a part of the whole"


def test_proofs_of_a_past_height_mean_nothing():
    node = Node.of(0)
    node.give(start(2))
    before = node.state
    assert node.give(PolkaProofReceived(quorum(PREVOTE, A))) == ()
    assert node.give(QuorumCertificateReceived(quorum(PRECOMMIT, A))) == ()
    assert node.state == before


def test_a_round_for_which_too_little_is_known_is_entered_without_a_proof():
    node = Node.of(0)
    node.votes(PRECOMMIT, (1, None))
    node.give(TimerFired(TimerKind.PRECOMMIT, 1, 0))
    assert node.state.round == 1
    assert sent(node.effects, SignedRoundProof) == []


def test_an_own_proposal_of_an_earlier_life_is_never_contradicted():
    """The log was lost, a peer sends our proposal of round 0 back, then the new build is ready."""
    node = Node.of(1)
    node.give(ProposalReceived(proposal(A), TIME_MS))
    assert node.give(ValueBuilt(1, 0, B, TIME_MS)) == ()


# --- starting again ---


def test_resume_says_again_what_was_said_and_asks_again_what_was_asked():
    node = Node.of(0)
    node.give(ProposalReceived(proposal(A), TIME_MS))
    assert CheckBlock(1, A, 1) in engine.resume(node.state)
    node.give(verdict(A))
    assert FetchBodies(1, A, 1) in engine.resume(node.state)
    node.offer(A)
    (cast,) = node.all(CastVote)
    assert cast in engine.resume(node.state), "not signed before the crash, so signed now"
    give_back(node)
    effects = engine.resume(node.state)
    assert cast not in effects
    assert Broadcast(vote(0, PREVOTE, A).signed) in effects
    kinds = [effect.kind for effect in effects if isinstance(effect, SetTimer)]
    assert kinds == [TimerKind.REBROADCAST]


def test_resume_builds_again_only_what_was_not_proposed():
    node = Node.of(1)
    assert BuildValue(1, 0, start().previous_time_ms + 1) in engine.resume(node.state)
    node.give(ValueBuilt(1, 0, A, TIME_MS))
    effects = engine.resume(node.state)
    assert not [e for e in effects if isinstance(e, BuildValue)]
    assert node.state.own.pending[0] in effects


def test_resume_starts_the_timers_of_the_phase_again():
    node = Node.of(0)
    running = {e.kind for e in engine.resume(node.state) if isinstance(e, SetTimer)}
    assert running == {TimerKind.PROPOSE, TimerKind.REBROADCAST}
    node.give(TimerFired(TimerKind.PROPOSE, 1, 0))
    node.votes(PREVOTE, (1, A), (2, B), (3, None))
    node.votes(PRECOMMIT, (1, A), (2, B), (3, None))
    running = {e.kind for e in engine.resume(node.state) if isinstance(e, SetTimer)}
    assert running == {TimerKind.PREVOTE, TimerKind.PRECOMMIT, TimerKind.REBROADCAST}


def test_resume_of_a_waiting_or_decided_height():
    node = Node.of(0, awake=False)
    assert engine.resume(node.state) == node.latest
    assert [effect.kind for effect in node.all(SetTimer)] == [TimerKind.IDLE]
    node.give(PoolNotEmpty(1))
    node.offer(A)
    node.votes(PRECOMMIT, (1, A), (2, A), (3, A))
    assert engine.resume(node.state) == tuple(node.all(Decide))


def test_equivocation_shown_by_two_wholes_or_by_a_whole_and_a_vote_is_reported_once():
    node = Node.of(0)
    node.give(PolkaProofReceived(quorum(PREVOTE, A)))
    node.votes(PREVOTE, (1, B))
    node.give(PolkaProofReceived(quorum(PREVOTE, B)))
    accused = [report.evidence.validator for report in node.all(ReportEvidence)]
    assert accused == [1, 2, 3]
