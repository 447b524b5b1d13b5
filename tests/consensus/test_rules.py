"""Each round rule, in the order of the paper's lines, and the rules around them.

Validator 0 of four, height 1: the proposers of rounds 0, 1, 2, 3 are validators 1, 2, 3, 0.
"""

import pytest

from consensus.events import (
    BlockVerdict,
    BodiesHeld,
    Broadcast,
    BuildFailed,
    BuildValue,
    CastVote,
    CheckBlock,
    Decide,
    FetchBodies,
    PolkaProofReceived,
    PoolNotEmpty,
    ProposalReceived,
    Propose,
    QuorumCertificateReceived,
    ReportEvidence,
    RoundProofReceived,
    SetTimer,
    TimerFired,
    TimerKind,
    ValueBuilt,
    VoteReceived,
)
from consensus.messages import Phase, SignedVote
from consensus.parameters import DEFAULT
from consensus.proofs import RoundProof, SignedPolkaProof, SignedRoundProof
from tests.consensus.committee import (
    FOUR,
    NOW_MS,
    PRECOMMIT,
    PREVIOUS_MS,
    PREVOTE,
    TIME_MS,
    A,
    B,
    C,
    Node,
    committee,
    proposal,
    quorum,
    verdict,
    vote,
)


def cast(vote_type, block_id, round_number=0):
    return CastVote(vote_type, 1, round_number, block_id)


def fire(kind, round_number=0):
    return TimerFired(kind, 1, round_number)


def timers(effects, kind):
    return [e for e in effects if isinstance(e, SetTimer) and e.kind is kind]


def locked_on_a(**changes) -> Node:
    """Validator 0, locked on A in round 0."""
    node = Node.of(0, **changes)
    node.offer(A)
    node.votes(PREVOTE, (1, A), (2, A), (3, A))
    assert (node.state.core.locked_round, node.state.core.locked_block) == (0, A)
    return node


def in_round(node: Node, number: int) -> Node:
    """Move on by precommits for nil and T_precommit."""
    for passed in range(node.state.round, number):
        node.votes(PRECOMMIT, (1, None), (2, None), (3, None), round_number=passed)
        node.give(fire(TimerKind.PRECOMMIT, passed))
    assert node.state.round == number
    return node


# --- WAIT ---


def test_a_height_waits_until_idle_and_the_idle_time_counts_from_the_block_before():
    node = Node.of(0, awake=False)
    assert node.state.phase is Phase.WAIT
    left = DEFAULT.idle_ms - (NOW_MS - PREVIOUS_MS)
    assert node.effects == [SetTimer(TimerKind.IDLE, 1, -1, left)]
    node.give(fire(TimerKind.IDLE, -1))
    assert (node.state.phase, node.state.round) == (Phase.PROPOSE, 0)


@pytest.mark.parametrize(
    "event",
    [
        PoolNotEmpty(1),
        VoteReceived(vote(2, PREVOTE, None)),
        ProposalReceived(proposal(A), TIME_MS),
        PolkaProofReceived(quorum(PREVOTE, A)),
        QuorumCertificateReceived(quorum(PRECOMMIT, A)),
    ],
    ids=lambda event: type(event).__name__,
)
def test_an_entry_or_any_valid_message_of_the_height_ends_the_wait(event):
    node = Node.of(0, awake=False)
    node.give(event)
    assert node.state.round == 0
    assert timers(node.effects, TimerKind.PROPOSE)


@pytest.mark.parametrize(
    "event",
    [
        PoolNotEmpty(2),
        VoteReceived(vote(2, PREVOTE, None, height=2)),
        VoteReceived(vote(2, PREVOTE, None, validators=committee(1, 1, 1, 2))),
        ProposalReceived(proposal(A, proposer=3), TIME_MS),
        fire(TimerKind.PROPOSE, -1),
        fire(TimerKind.PRECOMMIT, -1),
        fire(TimerKind.REBROADCAST, -1),
        BodiesHeld(1, A),
        verdict(A),
        BuildFailed(1, 0),
        ValueBuilt(1, 0, A, TIME_MS),
    ],
    ids=repr,
)
def test_nothing_else_ends_the_wait(event):
    node = Node.of(0, awake=False)
    assert [e for e in node.give(event) if not isinstance(e, FetchBodies)] == []
    assert node.state.phase is Phase.WAIT


def test_an_idle_network_stays_in_wait_and_sends_nothing():
    node = Node.of(0, awake=False)
    node.give(fire(TimerKind.REBROADCAST, -1), fire(TimerKind.PROPOSE, 0))
    assert (node.state.round, node.all(Broadcast)) == (-1, [])


# --- proposing [L11-21] ---


def test_the_proposer_builds_after_the_time_of_the_block_before_and_starts_t_propose_too():
    node = Node.of(1)
    assert BuildValue(1, 0, PREVIOUS_MS + 1) in node.effects
    assert timers(node.effects, TimerKind.PROPOSE) == [SetTimer(TimerKind.PROPOSE, 1, 0, 3_000)]
    assert Node.of(0).all(BuildValue) == []


def test_a_built_value_is_proposed_once_with_its_time():
    node = Node.of(1)
    assert node.give(ValueBuilt(1, 0, A, TIME_MS)) == (Propose(1, 0, A, -1, TIME_MS),)
    assert node.give(ValueBuilt(1, 0, B, TIME_MS)) == ()


@pytest.mark.parametrize(
    "late",
    [
        ValueBuilt(1, 1, A, TIME_MS),
        ValueBuilt(2, 0, A, TIME_MS),
        ValueBuilt(1, 0, A, PREVIOUS_MS),
    ],
    ids=["other round", "other height", "not after the block before"],
)
def test_a_value_of_another_round_height_or_too_early_is_not_proposed(late):
    assert Node.of(1).give(late) == ()


def test_a_value_built_after_the_own_nil_prevote_is_not_proposed():
    node = Node.of(1)
    node.give(fire(TimerKind.PROPOSE))
    assert node.give(ValueBuilt(1, 0, A, TIME_MS)) == ()


def test_a_failed_build_ends_in_a_nil_prevote_by_t_propose():
    node = Node.of(1)
    assert node.give(BuildFailed(1, 0)) == ()
    assert cast(PREVOTE, None) in node.give(fire(TimerKind.PROPOSE))


def test_the_proposer_judges_its_own_block_like_every_other():
    node = Node.of(1)
    node.give(ValueBuilt(1, 0, A, TIME_MS))
    back = node.give(ProposalReceived(proposal(A), TIME_MS))
    assert CheckBlock(1, A, 1) in back
    assert node.all(CastVote) == []
    assert cast(PREVOTE, None) in node.give(verdict(A, valid=False))


def test_the_valid_value_is_proposed_again_not_the_locked_one_and_keeps_its_time():
    """Locked on A in round 0, then a polka for B in round 2 came while it had precommitted nil."""
    node = in_round(locked_on_a(), 2)
    node.offer(B, 2, time_ms=TIME_MS + 5)
    node.give(fire(TimerKind.PROPOSE, 2))
    node.votes(PREVOTE, (1, None), (2, B), round_number=2)
    node.votes(PREVOTE, (3, B), round_number=2)
    node.give(fire(TimerKind.PREVOTE, 2))
    assert node.all(CastVote)[-1] == cast(PRECOMMIT, None, 2)
    node.give(PolkaProofReceived(quorum(PREVOTE, B, 2, (1, 2, 3))))
    core = node.state.core
    assert (core.locked_round, core.locked_block) == (0, A)
    assert (core.valid_round, core.valid_block) == (2, B)
    in_round(node, 3)
    assert node.all(Propose) == [Propose(1, 3, B, 2, TIME_MS + 5)]
    assert node.all(BuildValue) == []


def test_a_repeated_proposal_goes_out_behind_its_polka_proof():
    node = in_round(locked_on_a(), 3)
    assert node.all(Propose) == [Propose(1, 3, A, 0, TIME_MS)]
    sent = node.give(ProposalReceived(proposal(A, 3, pol_round=0), TIME_MS + 60_000))
    kinds = [type(e.message) for e in sent if isinstance(e, Broadcast)]
    assert kinds[0] is SignedPolkaProof
    assert sent[1] == Broadcast(proposal(A, 3, pol_round=0).signed)


# --- first proposals [L22] ---


def test_a_good_proposal_is_prevoted_when_block_and_bodies_are_held():
    node = Node.of(0)
    assert node.give(ProposalReceived(proposal(A), TIME_MS)) == (CheckBlock(1, A, 1),)
    assert node.give(verdict(A)) == (FetchBodies(1, A, 1),)
    assert node.give(BodiesHeld(1, A)) == (cast(PREVOTE, A),)
    assert node.state.phase is Phase.PREVOTE


def test_the_answers_about_a_block_may_come_in_any_order():
    node = Node.of(0)
    assert node.give(BodiesHeld(1, A)) == ()
    assert node.give(verdict(A)) == ()
    assert cast(PREVOTE, A) in node.give(ProposalReceived(proposal(A), TIME_MS))


def test_a_missing_body_is_waited_for_and_never_makes_a_block_invalid():
    node = Node.of(0)
    node.give(ProposalReceived(proposal(A), TIME_MS), verdict(A))
    assert node.all(CastVote) == []
    assert node.give(fire(TimerKind.PROPOSE))[0] == cast(PREVOTE, None)
    node.votes(PREVOTE, (1, A), (2, A), (3, A))
    assert cast(PRECOMMIT, A) in node.effects, "locks without the bodies"
    node.votes(PRECOMMIT, (1, A), (2, A), (3, A))
    assert node.all(Decide), "and decides without them"


def test_an_invalid_block_gets_nil_at_once():
    node = Node.of(0)
    node.give(ProposalReceived(proposal(A), TIME_MS))
    assert node.give(verdict(A, valid=False)) == (cast(PREVOTE, None),)


@pytest.mark.parametrize(
    "wrong",
    [
        verdict(A, time_ms=TIME_MS + 1),
        verdict(A, proposer=3),
        verdict(A, header_round=4),
    ],
    ids=["header.time is not PROPOSAL.time", "header.proposer", "header.round"],
)
def test_a_header_that_is_not_what_the_proposal_says_gets_nil(wrong: BlockVerdict):
    node = Node.of(0)
    node.give(ProposalReceived(proposal(A), TIME_MS), BodiesHeld(1, A))
    assert node.give(wrong) == (cast(PREVOTE, None),)


def test_a_time_that_is_not_after_the_block_before_gets_nil():
    node = Node.of(0)
    node.offer(A, time_ms=PREVIOUS_MS)
    assert node.all(CastVote) == [cast(PREVOTE, None)]


@pytest.mark.parametrize(
    ("shift_ms", "round_number", "answer"),
    [
        (-500, 0, A),
        (-501, 0, None),
        (2_500, 0, A),
        (2_501, 0, None),
        (3_500, 2, A),
        (3_501, 2, None),
        (10_500, 18, A),
        (10_501, 18, None),
    ],
)
def test_a_first_proposal_is_prevoted_only_if_timely(shift_ms, round_number, answer):
    """received = time + shift; precision 500, delay 2000 + 500 * r up to 10,000 ms."""
    node = in_round(Node.of(0), round_number)
    made = proposal(A, round_number)
    node.give(
        ProposalReceived(made, TIME_MS + shift_ms),
        verdict(A, header_round=round_number),
        BodiesHeld(1, A),
    )
    assert node.all(CastVote)[-1] == cast(PREVOTE, answer, round_number)


def test_a_proposal_of_a_wrong_proposer_is_dropped():
    node = Node.of(0)
    assert node.give(ProposalReceived(proposal(A, proposer=3), TIME_MS)) == ()
    assert node.state.proposals == {}


def test_a_locked_validator_prevotes_its_own_block_again_and_nil_for_another():
    node = in_round(locked_on_a(), 1)
    node.offer(B, 1)
    assert node.all(CastVote)[-1] == cast(PREVOTE, None, 1)
    # A with the header of round 0 is no new proposal of round 2, locked or not.
    in_round(node, 2)
    node.offer(A, 2, header_round=0)
    assert node.all(CastVote)[-1] == cast(PREVOTE, None, 2)


# --- repeated proposals [L28] ---


def test_a_repeated_proposal_needs_its_polka_before_it_is_prevoted():
    node = in_round(Node.of(0), 1)
    node.offer(A, 1, pol_round=0, header_round=0)
    assert cast(PREVOTE, A, 1) not in node.effects
    assert node.give(PolkaProofReceived(quorum(PREVOTE, A))) == (cast(PREVOTE, A, 1),)


def test_timeliness_is_not_asked_of_a_repeated_proposal():
    node = in_round(Node.of(0), 1)
    node.give(
        PolkaProofReceived(quorum(PREVOTE, A)),
        ProposalReceived(proposal(A, 1, pol_round=0), TIME_MS + 3_600_000),
        verdict(A, header_round=0),
        BodiesHeld(1, A),
    )
    assert node.all(CastVote)[-1] == cast(PREVOTE, A, 1)


def test_a_header_made_after_the_polka_is_not_prevoted():
    node = in_round(Node.of(0), 2)
    node.give(PolkaProofReceived(quorum(PREVOTE, A)))
    node.offer(A, 2, pol_round=0, header_round=1)
    assert node.give(fire(TimerKind.PROPOSE, 2))[0] == cast(PREVOTE, None, 2)


def test_an_invalid_repeated_proposal_gets_nil_at_once_even_without_its_polka():
    node = in_round(Node.of(0), 1)
    node.give(ProposalReceived(proposal(A, 1, pol_round=0), TIME_MS))
    assert node.give(verdict(A, valid=False)) == (cast(PREVOTE, None, 1),)


def test_a_polka_after_the_lock_lets_it_prevote_another_block_without_unlocking():
    node = in_round(locked_on_a(), 2)
    node.give(PolkaProofReceived(quorum(PREVOTE, B, 1)))
    node.offer(B, 2, pol_round=1, header_round=1)
    assert node.all(CastVote)[-1] == cast(PREVOTE, B, 2)
    assert node.state.core.locked_block == A


def test_a_polka_before_the_lock_does_not():
    node = Node.of(0)
    in_round(node, 1)
    node.offer(A, 1)
    node.votes(PREVOTE, (1, A), (2, A), (3, A), round_number=1)
    assert node.state.core.locked_round == 1
    in_round(node, 2)
    node.give(PolkaProofReceived(quorum(PREVOTE, B, 0)))
    node.offer(B, 2, pol_round=0, header_round=0)
    assert node.all(CastVote)[-1] == cast(PREVOTE, None, 2)


def test_the_locked_block_itself_is_prevoted_whatever_polka_it_names():
    node = Node.of(0)
    in_round(node, 1)
    node.give(PolkaProofReceived(quorum(PREVOTE, A, 0)))
    node.offer(A, 1, pol_round=0, header_round=0)
    node.votes(PREVOTE, (1, A), (2, A), (3, A), round_number=1)
    assert node.state.core.locked_round == 1
    in_round(node, 2)
    node.give(ProposalReceived(proposal(A, 2, pol_round=0), TIME_MS))
    assert node.all(CastVote)[-1] == cast(PREVOTE, A, 2)


# --- counting prevotes [L34, L36, L44] ---


def test_prevotes_for_anything_start_t_prevote_once_and_only_in_prevote():
    node = Node.of(0)
    node.votes(PREVOTE, (1, A), (2, None), (3, B))
    assert timers(node.effects, TimerKind.PREVOTE) == []
    node.give(fire(TimerKind.PROPOSE))
    assert timers(node.effects, TimerKind.PREVOTE) == [SetTimer(TimerKind.PREVOTE, 1, 0, 1_000)]
    node.votes(PREVOTE, (0, None))
    assert len(timers(node.effects, TimerKind.PREVOTE)) == 1


def test_a_polka_locks_and_is_precommitted():
    node = locked_on_a()
    assert node.all(CastVote) == [cast(PREVOTE, A), cast(PRECOMMIT, A)]
    assert (node.state.core.valid_round, node.state.core.valid_block) == (0, A)


def test_exactly_two_thirds_is_no_polka():
    six = committee(1, 1, 1, 1, 1, 1)
    node = Node.of(0, validators=six)
    for index in (1, 2, 3, 4):
        node.give(VoteReceived(vote(index, PREVOTE, None, validators=six)))
    node.give(fire(TimerKind.PROPOSE))
    assert node.all(CastVote) == [cast(PREVOTE, None)]
    node.give(VoteReceived(vote(5, PREVOTE, None, validators=six)))
    assert node.all(CastVote)[-1] == cast(PRECOMMIT, None)


def test_a_polka_that_comes_in_precommit_updates_the_valid_value_only():
    node = Node.of(0)
    node.offer(A)
    node.votes(PREVOTE, (1, None), (2, A))
    node.votes(PREVOTE, (0, A))
    node.give(fire(TimerKind.PREVOTE))
    assert node.all(CastVote)[-1] == cast(PRECOMMIT, None)
    node.votes(PREVOTE, (3, A))
    core = node.state.core
    assert (core.valid_round, core.valid_block) == (0, A)
    assert (core.locked_round, core.locked_block) == (-1, None)
    assert len(node.all(CastVote)) == 2


def test_a_nil_polka_precommits_nil_and_never_unlocks():
    node = in_round(locked_on_a(), 1)
    node.give(fire(TimerKind.PROPOSE, 1))
    node.votes(PREVOTE, (1, None), (2, None), (3, None), round_number=1)
    assert node.all(CastVote)[-1] == cast(PRECOMMIT, None, 1)
    assert (node.state.core.locked_round, node.state.core.locked_block) == (0, A)


def test_a_lock_is_replaced_by_a_polka_of_a_higher_round():
    node = in_round(locked_on_a(), 1)
    node.offer(B, 1)
    node.votes(PREVOTE, (1, B), (2, B), (3, B), round_number=1)
    assert (node.state.core.locked_round, node.state.core.locked_block) == (1, B)
    assert node.all(CastVote)[-1] == cast(PRECOMMIT, B, 1)


def test_a_polka_without_a_valid_proposal_locks_nothing():
    node = Node.of(0)
    node.give(fire(TimerKind.PROPOSE))
    node.votes(PREVOTE, (1, A), (2, A), (3, A))
    assert node.state.core.locked_block is None
    node.give(ProposalReceived(proposal(A), TIME_MS))
    assert node.state.core.locked_block is None
    node.give(verdict(A))
    assert node.state.core.locked_block == A


def test_a_polka_before_the_own_prevote_waits_for_it():
    """Phase PROPOSE: L36 comes only after the prevote, in the same step."""
    node = Node.of(0)
    node.votes(PREVOTE, (1, A), (2, A), (3, A))
    node.offer(A)
    assert node.all(CastVote) == [cast(PREVOTE, A), cast(PRECOMMIT, A)]


# --- counting precommits [L47, L49] ---


def test_precommits_for_anything_start_t_precommit_once_in_any_phase():
    node = Node.of(0)
    node.votes(PRECOMMIT, (1, A), (2, None), (3, B))
    assert timers(node.effects, TimerKind.PRECOMMIT) == [SetTimer(TimerKind.PRECOMMIT, 1, 0, 1_000)]
    node.votes(PRECOMMIT, (0, None))
    assert len(timers(node.effects, TimerKind.PRECOMMIT)) == 1


def test_a_quorum_of_precommits_with_the_proposal_decides_once():
    node = Node.of(0)
    node.offer(A)
    node.votes(PRECOMMIT, (1, A), (2, A), (3, A))
    (decision,) = node.all(Decide)
    assert (decision.height, decision.block_id) == (1, A)
    assert [index for index, _ in decision.certificate.signatures] == [1, 2, 3]
    node.votes(PRECOMMIT, (0, A))
    node.give(QuorumCertificateReceived(quorum(PRECOMMIT, A, 0, (0, 1, 2, 3))))
    assert node.all(Decide) == [decision]
    assert node.state.phase is Phase.DECIDED


def test_precommits_for_a_block_without_its_valid_proposal_decide_nothing():
    node = Node.of(0)
    node.votes(PRECOMMIT, (1, A), (2, A), (3, A))
    assert CheckBlock(1, A, None) in node.effects
    node.give(verdict(A))
    assert node.all(Decide) == []
    node.give(ProposalReceived(proposal(A), TIME_MS + 10**9))
    assert len(node.all(Decide)) == 1


def test_a_decision_may_come_for_a_past_round():
    node = in_round(Node.of(0), 2)
    node.offer(A, 0)
    assert node.all(Decide) == []
    node.give(QuorumCertificateReceived(quorum(PRECOMMIT, A, 0)))
    (decision,) = node.all(Decide)
    assert decision.certificate.round == 0


def test_an_invalid_block_is_never_decided():
    node = Node.of(0)
    node.give(ProposalReceived(proposal(A), TIME_MS), verdict(A, valid=False))
    node.votes(PRECOMMIT, (1, A), (2, A), (3, A))
    assert node.all(Decide) == []


def test_it_never_votes_in_a_height_whose_quorum_certificate_it_has_seen():
    node = Node.of(0)
    node.give(QuorumCertificateReceived(quorum(PRECOMMIT, A)))
    node.give(fire(TimerKind.PROPOSE), fire(TimerKind.PREVOTE), fire(TimerKind.PRECOMMIT))
    assert node.all(CastVote) == []
    assert node.state.round == 1


def test_a_validator_that_may_not_vote_follows_and_decides_in_silence():
    node = Node.of(1, may_vote=False)
    node.offer(A)
    node.votes(PREVOTE, (0, A), (2, A), (3, A))
    node.votes(PRECOMMIT, (0, A), (2, A), (3, A))
    assert len(node.all(Decide)) == 1
    assert node.all(CastVote) + node.all(Propose) + node.all(BuildValue) == []


def test_an_observer_follows_and_decides_in_silence():
    node = Node.of(None)
    node.offer(A)
    node.votes(PREVOTE, (0, A), (2, A), (3, A))
    node.votes(PRECOMMIT, (0, A), (2, A), (3, A))
    assert len(node.all(Decide)) == 1
    assert node.all(CastVote) + node.all(Broadcast) == []


# --- skipping rounds [L55] ---


def test_one_third_is_not_enough_to_skip_and_more_is():
    node = Node.of(0)
    node.votes(PREVOTE, (1, A), round_number=3)
    assert node.state.round == 0
    node.votes(PRECOMMIT, (2, None), round_number=3)
    assert node.state.round == 3


def test_both_types_count_together_and_one_sender_counts_once():
    node = Node.of(0)
    node.votes(PREVOTE, (1, A), round_number=1)
    node.votes(PRECOMMIT, (1, A), round_number=1)
    assert node.state.round == 0
    node.votes(PREVOTE, (2, B), round_number=1)
    assert node.state.round == 1


def test_votes_of_different_later_rounds_skip_to_the_highest_that_enough_have_reached():
    node = Node.of(0)
    node.votes(PREVOTE, (1, None), round_number=5)
    node.votes(PREVOTE, (2, None), round_number=3)
    assert node.state.round == 3


def test_proposals_do_not_count_for_skipping():
    node = Node.of(0)
    node.give(
        ProposalReceived(proposal(A, 1), TIME_MS),
        ProposalReceived(proposal(B, 2), TIME_MS),
    )
    assert node.state.round == 0


def test_a_quorum_of_a_later_round_skips_there_at_once():
    node = Node.of(0)
    node.give(PolkaProofReceived(quorum(PREVOTE, A, 7)))
    assert node.state.round == 7


def test_a_decision_comes_before_a_skip():
    node = Node.of(0)
    node.offer(A)
    node.votes(PRECOMMIT, (1, A), (2, A))
    proof = RoundProof(
        SignedRoundProof(1, 2, ()),
        (
            vote(1, PREVOTE, None, 2),
            vote(2, PREVOTE, None, 2),
            vote(3, PRECOMMIT, A),
        ),
        FOUR.digest,
    )
    node.give(RoundProofReceived(proof))
    assert node.state.phase is Phase.DECIDED
    assert node.state.round == 0


# --- timers [L57, L61, L65] ---


def test_t_propose_prevotes_nil_only_in_propose_of_its_round():
    node = Node.of(0)
    assert node.give(fire(TimerKind.PROPOSE, 1)) == ()
    assert node.give(fire(TimerKind.PROPOSE))[0] == cast(PREVOTE, None)
    assert node.give(fire(TimerKind.PROPOSE)) == ()


def test_t_prevote_precommits_nil_only_in_prevote_of_its_round():
    node = Node.of(0)
    assert node.give(fire(TimerKind.PREVOTE)) == ()
    node.give(fire(TimerKind.PROPOSE))
    assert node.give(fire(TimerKind.PREVOTE, 1)) == ()
    assert node.give(fire(TimerKind.PREVOTE))[0] == cast(PRECOMMIT, None)
    assert node.give(fire(TimerKind.PREVOTE)) == ()


def test_t_precommit_starts_the_next_round_from_any_phase_but_not_twice():
    node = Node.of(0)
    node.give(fire(TimerKind.PRECOMMIT))
    assert node.state.round == 1
    node.give(fire(TimerKind.PRECOMMIT))
    assert node.state.round == 1


def test_late_timers_of_old_rounds_and_heights_mean_nothing():
    node = in_round(Node.of(0), 2)
    before = node.state
    for kind in TimerKind:
        for old in (TimerFired(kind, 1, 1), TimerFired(kind, 1, 0), TimerFired(kind, 2, 2)):
            assert node.give(old) == ()
    assert node.state == before


def test_the_once_flags_are_reset_in_every_round():
    node = Node.of(0)
    for number in range(3):
        node.give(fire(TimerKind.PROPOSE, number))
        node.votes(PREVOTE, (1, A), (2, B), (3, None), round_number=number)
        node.give(fire(TimerKind.PREVOTE, number))
        node.votes(PRECOMMIT, (1, A), (2, B), (3, None), round_number=number)
        node.give(fire(TimerKind.PRECOMMIT, number))
    for kind in (TimerKind.PREVOTE, TimerKind.PRECOMMIT):
        assert [timer.round for timer in timers(node.effects, kind)] == [0, 1, 2]
    node.offer(A, 3)
    assert node.state.round == 3


def test_timers_grow_with_the_round():
    node = Node.of(0)
    in_round(node, 2)
    assert [t.delay_ms for t in timers(node.effects, TimerKind.PROPOSE)] == [3_000, 3_500, 4_000]
    assert [t.delay_ms for t in timers(node.effects, TimerKind.PRECOMMIT)] == [1_000, 1_500]


# --- two proposals, certificates, evidence ---


def test_two_different_proposals_are_kept_and_reported_a_third_is_not():
    node = Node.of(0)
    first, second, third = proposal(A), proposal(B), proposal(C)
    node.give(ProposalReceived(first, TIME_MS), ProposalReceived(first, TIME_MS))
    assert node.all(ReportEvidence) == []
    node.give(ProposalReceived(second, TIME_MS), ProposalReceived(third, TIME_MS))
    assert len(node.all(ReportEvidence)) == 1
    assert [held.proposal for held in node.state.proposals[0]] == [first, second]


def test_of_two_proposals_the_first_is_prevoted_unless_a_certificate_names_the_second():
    node = Node.of(0)
    node.give(
        verdict(A),
        verdict(B),
        ProposalReceived(proposal(A), TIME_MS),
        ProposalReceived(proposal(B), TIME_MS),
        BodiesHeld(1, B),
        BodiesHeld(1, A),
    )
    assert node.all(CastVote) == [cast(PREVOTE, A)]
    other = Node.of(0)
    other.give(
        PolkaProofReceived(quorum(PREVOTE, B)),
        ProposalReceived(proposal(A), TIME_MS),
        ProposalReceived(proposal(B), TIME_MS),
        verdict(A),
        verdict(B),
        BodiesHeld(1, A),
        BodiesHeld(1, B),
    )
    assert other.all(CastVote) == [cast(PREVOTE, B), cast(PRECOMMIT, B)]


def test_a_third_proposal_is_kept_if_a_certificate_names_it():
    node = Node.of(0)
    node.give(
        ProposalReceived(proposal(A), TIME_MS),
        ProposalReceived(proposal(B), TIME_MS),
        QuorumCertificateReceived(quorum(PRECOMMIT, C)),
        verdict(C),
        ProposalReceived(proposal(C), TIME_MS),
    )
    assert [decision.block_id for decision in node.all(Decide)] == [C]


def test_a_certificate_counts_as_a_whole_against_an_equivocators_loose_vote():
    """The equivocator that then falls silent: nil to us, A to the others, who have gone on."""
    node = Node.of(0)
    node.offer(A)
    node.votes(PRECOMMIT, (1, None), (2, A), (3, A))
    assert node.all(Decide) == []
    node.give(QuorumCertificateReceived(quorum(PRECOMMIT, A, 0, (1, 2, 3))))
    assert [decision.block_id for decision in node.all(Decide)] == [A]
    (report,) = node.all(ReportEvidence)
    assert (report.evidence.validator, report.evidence.round) == (1, 0)


def test_the_second_different_vote_is_evidence_once_and_never_counted():
    node = Node.of(0)
    node.votes(PREVOTE, (1, A), (1, B), (1, C), (1, None))
    (report,) = node.all(ReportEvidence)
    assert {report.evidence.first.block_id, report.evidence.second.block_id} == {A, B}
    node.give(fire(TimerKind.PROPOSE))
    node.votes(PREVOTE, (2, B), (3, B))
    assert not node.state.tally.has_quorum_for(0, PREVOTE, B)


def test_the_same_vote_with_another_signature_is_no_evidence():
    node = Node.of(0)
    first = vote(1, PREVOTE, A)
    again = vote(1, PREVOTE, A)
    forged = SignedVote(PREVOTE, 1, 0, A, 1, bytes([1]) * 64)
    node.give(VoteReceived(first), VoteReceived(type(again)(forged, again.validators_digest)))
    assert node.all(ReportEvidence) == []
