"""What peers say decides where a restarted validator may vote."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.events import RoundProofReceived, StartHeight, VoteReceived
from consensus.messages import SignedVote, VoteType, open_vote, vote_message
from consensus.parameters import LAN
from consensus.proofs import SignedRoundProof, open_round_proof
from keys.signing import SoftwareKey
from ledger.errors import InvalidDataError
from ledger.fields import INTEGER_MAX
from ledger.ids import AgencyId
from ledger.limits import VALIDATORS_MAX
from ledger.quorum import QuorumCertificate, precommit_message
from ledger.validators import ValidatorSet
from node.errors import PeerMisbehavedError
from node.logs import SilentLog
from node.signer import Place, SignedKind
from node.startup import (
    STATUS_BYTES_MAX,
    Guard,
    GuardCheck,
    LatestVotes,
    PeerAnswer,
    Permission,
    decide_permission,
    own_vote_verifier,
    parse_answer,
    place_of,
)
from tests.node.invented_world import AGENCIES, KEYS, NETWORK, VALIDATORS

OWN = AGENCIES[0]
VERIFY = own_vote_verifier(OWN, VALIDATORS, NETWORK)


def vote(height, round_number=0, vote_type=VoteType.PRECOMMIT, *, index=0, key=None):
    message = vote_message(NETWORK, vote_type, height, round_number, None)
    signature = (key or KEYS[index]).sign(message)
    return SignedVote(vote_type, height, round_number, None, index, signature)


def permission(last, *answers):
    by_peer = dict(zip(AGENCIES[1:], answers, strict=False))
    guard = last if isinstance(last, Guard) else Guard(last)
    return decide_permission(OWN, guard, by_peer, VALIDATORS, VERIFY).from_height


def answer(tip, seen=None):
    return PeerAnswer(tip, {} if seen is None else {OWN: seen})


def test_in_a_fresh_network_everybody_may_vote_at_once():
    assert permission(None, answer(0), answer(0), answer(0)) == 1


def test_after_a_normal_restart_the_same_height_may_be_voted_in():
    last = Place(7, 0, SignedKind.PREVOTE)
    seen = vote(7, 0, VoteType.PREVOTE)
    assert permission(last, answer(6, seen), answer(6)) == 1


def test_a_vote_that_our_guard_does_not_know_keeps_us_out_of_its_height_and_two_more():
    last = Place(7, 0, SignedKind.PREVOTE)
    assert permission(last, answer(6, vote(7)), answer(6)) == 9
    assert permission(last, answer(6, vote(12)), answer(6)) == 13
    assert permission(None, answer(0, vote(7)), answer(0)) == 8


def test_a_guard_that_is_merely_behind_the_chain_votes_in_the_height_that_comes_next():
    """With another node down, two silent heights would never come: the network would stand."""
    last = Place(7, 0, SignedKind.PRECOMMIT)
    assert permission(last, answer(7), answer(7), answer(7)) == 1
    assert permission(last, answer(20), answer(20)) == 21
    assert permission(None, answer(20), answer(20)) == 21


def test_a_guard_that_an_operator_made_up_keeps_us_silent_for_two_more_heights():
    assert permission(Guard(None, is_made_up=True), answer(20), answer(20)) == 23
    assert permission(Guard(None, is_made_up=True), answer(0), answer(0)) == 1


def certificate_of(height, *signers):
    message = precommit_message(NETWORK, height, 0, bytes(32))
    signed = [(index, KEYS[index].sign(message)) for index in signers]
    return QuorumCertificate(height, 0, bytes(32), tuple(signed))


@pytest.mark.parametrize(
    ("own", "last_height", "signers", "from_height"),
    [
        (OWN, 7, (0, 1, 2), 12),
        (OWN, None, (0, 1, 2), 12),
        (OWN, 9, (0, 1, 2), 1),
        (OWN, 7, (1, 2, 3), 1),
        (None, None, (0, 1, 2), 1),
    ],
)
def test_an_own_signature_that_is_news_to_the_guard_shows_that_it_was_restored(
    own, last_height, signers, from_height
):
    last = None if last_height is None else Place(last_height, 0, SignedKind.PRECOMMIT)
    check = GuardCheck(own, lambda: last, lambda _height: VALIDATORS, SilentLog())
    check.mind(certificate_of(9, *signers))
    assert check.permission.from_height == from_height
    assert not check.may_vote(from_height - 1)
    check.permission = Permission(50)
    check.mind(certificate_of(9, *signers))
    assert check.permission == Permission(50)


def test_the_votes_of_a_log_are_remembered_for_those_who_ask():
    latest = LatestVotes()
    votes = [open_vote(vote(3, 0, kind), VALIDATORS, NETWORK) for kind in VoteType]
    latest.restore([start_of(3), b"block", *map(VoteReceived, votes)])
    assert parse_answer(latest.answer(2)).votes == {OWN: votes[-1].signed}


def start_of(height, kept=(), validators=VALIDATORS):
    return StartHeight(
        height=height,
        validators=validators,
        parameters=LAN,
        previous_time_ms=1_000,
        now_ms=2_000,
        kept=tuple(kept),
    )


def test_votes_that_came_too_early_or_in_a_round_proof_are_remembered_as_well():
    early = open_vote(vote(3, index=1), VALIDATORS, NETWORK)
    latest = LatestVotes()
    latest.restore([start_of(3, [early])])
    assert parse_answer(latest.answer(2)).votes == {AGENCIES[1]: early.signed}
    votes = tuple(vote(3, 2, index=index) for index in (0, 2, 3))
    proof = open_round_proof(SignedRoundProof(3, 2, votes), VALIDATORS, NETWORK)
    latest.restore([start_of(3), RoundProofReceived(proof)])
    assert parse_answer(latest.answer(2)).votes == {
        AGENCIES[1]: early.signed,
        **{AGENCIES[index]: vote for index, vote in zip((0, 2, 3), votes, strict=True)},
    }


def test_a_vote_opened_under_another_set_than_the_logs_is_told_as_nobody_elses():
    """Its index is that of another set: the log's set would make it the vote of a stranger."""
    reversed_set = ValidatorSet(
        tuple(replace(VALIDATORS[index], key=KEYS[3 - index].public) for index in range(4))
    )
    foreign = open_vote(vote(4, index=0, key=KEYS[3]), reversed_set, NETWORK)
    latest = LatestVotes()
    latest.restore([start_of(3), VoteReceived(foreign)])
    assert parse_answer(latest.answer(2)).votes == {}
    latest.restore([start_of(4, validators=reversed_set), VoteReceived(foreign)])
    assert parse_answer(latest.answer(2)).votes == {AGENCIES[0]: foreign.signed}


@pytest.mark.parametrize("members", [1, 63, 64, 65, 200])
def test_whoever_asks_hears_of_its_own_vote_however_many_agencies_there_ever_were(members):
    """A set has 64 members at most, a register of many years more agencies than that."""
    agencies = [AgencyId(number.to_bytes(16, "big")) for number in range(members)]
    latest = LatestVotes()
    for place, agency in enumerate(agencies):
        latest.saw(agency, SignedVote(VoteType.PREVOTE, place + 1, 0, None, 0, bytes(64)))
    for place, agency in enumerate(agencies):
        read = parse_answer(latest.answer(members, agency))
        assert read.votes[agency].height == place + 1
        assert len(read.votes) == min(members, VALIDATORS_MAX)
    newest = agencies[-VALIDATORS_MAX:]
    assert sorted(parse_answer(latest.answer(members)).votes) == newest


def test_an_answer_of_64_long_votes_fits_into_what_is_read():
    latest = LatestVotes()
    for number in range(VALIDATORS_MAX):
        agency = AgencyId(number.to_bytes(16, "big"))
        latest.saw(
            agency, SignedVote(VoteType.PRECOMMIT, INTEGER_MAX, 2**32, bytes(32), 63, bytes(64))
        )
    assert len(latest.answer(INTEGER_MAX)) < STATUS_BYTES_MAX // 8


def test_one_liar_cannot_invent_a_certified_height_or_a_vote_of_ours():
    last = Place(7, 0, SignedKind.PRECOMMIT)
    forged = vote(10**9, key=KEYS[3])
    assert permission(last, answer(10**9, forged), answer(7), answer(7)) == 1


def test_a_vote_of_ours_is_known_by_its_key_whatever_index_its_set_gave_us():
    """The set may have changed while this node was down; no signature covers the index."""
    last = Place(7, 0, SignedKind.PRECOMMIT)
    elsewhere = vote(12, index=3, key=KEYS[0])
    assert permission(last, answer(6, elsewhere), answer(6)) == 13
    following = SoftwareKey.generate()
    verify = own_vote_verifier(AgencyId(b"x" * 16), VALIDATORS, NETWORK, [following.public])
    verify(vote(12, key=following))
    with pytest.raises(PeerMisbehavedError):
        verify(vote(12))


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3), st.sampled_from(VoteType)), min_size=1)
)
def test_the_latest_vote_is_kept_and_comes_back_from_the_wire(places):
    latest = LatestVotes()
    votes = [
        SignedVote(kind, height, number, None, 0, bytes(64)) for height, number, kind in places
    ]
    for one in votes:
        latest.saw(OWN, one)
    read = parse_answer(latest.answer(9))
    assert read.tip_height == 9
    assert place_of(read.votes[OWN]) == max(map(place_of, votes))


@given(st.binary(max_size=200))
def test_no_bytes_of_a_peer_raise_anything_else(raw):
    try:
        parse_answer(raw)
    except InvalidDataError:
        return
    assert raw.startswith(b"\x93")


def test_a_guard_ahead_of_its_log_keeps_us_silent_in_that_height():
    """What was locked there is forgotten: the log was lost, or a damaged one set aside."""
    last = Place(7, 0, SignedKind.PRECOMMIT)
    assert permission(Guard(last, log_height=0), answer(6), answer(6)) == 8
    assert permission(Guard(last, log_height=6), answer(6), answer(6)) == 8
    assert permission(Guard(last, log_height=7), answer(6), answer(6)) == 1
    assert permission(Guard(last, log_height=None), answer(6), answer(6)) == 1


def test_after_a_kill_between_the_block_and_the_next_log_the_next_height_may_be_voted_in():
    last = Place(7, 0, SignedKind.PRECOMMIT)
    assert permission(Guard(last, log_height=7), answer(7), answer(7)) == 1
