"""Messages at the door: one encoding each, refused when changed, opened only by their signer."""

from dataclasses import replace

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.errors import InvalidEvidenceError, InvalidMessageError, UnknownValidatorError
from consensus.evidence import Evidence, evidence_of
from consensus.messages import (
    MessageTag,
    Phase,
    SignedProposal,
    SignedVote,
    Status,
    VoteType,
    open_proposal,
    open_vote,
    proposal_message,
    vote_message,
)
from consensus.proofs import (
    SignedPolkaProof,
    SignedRoundProof,
    open_polka_proof,
    open_quorum_certificate,
    open_round_proof,
)
from consensus.wire import parse_message, print_message
from keys.errors import BadSignatureError, CivregError
from ledger.canonical import encode
from ledger.errors import InvalidDataError, InvalidQuorumError, LimitExceededError
from ledger.limits import MESSAGE_BYTES_MAX
from ledger.quorum import QuorumCertificate
from tests.consensus.committee import (
    FOUR,
    NETWORK_ID,
    PRECOMMIT,
    PREVOTE,
    A,
    B,
    committee,
    signed_proposal,
    signed_vote,
)

heights = st.integers(1, 2**63 - 1)
rounds = st.integers(0, 2**31 - 1)
blocks = st.binary(min_size=32, max_size=32)
choices = st.none() | blocks
indexes = st.integers(0, 63)
signatures = st.binary(min_size=64, max_size=64)
vote_types = st.sampled_from(VoteType)
votes = st.builds(SignedVote, vote_types, heights, rounds, choices, indexes, signatures)
times = st.integers(0, 2**63 - 1)


@st.composite
def proposals(draw):
    number = draw(rounds)
    pol_round = draw(st.integers(-1, number - 1))
    place = (draw(heights), number, draw(blocks), pol_round, draw(times), draw(indexes))
    return SignedProposal(*place, draw(signatures))


def _ascending(elements):
    pairs = st.lists(elements, min_size=1, max_size=6, unique_by=lambda pair: pair[0])
    return pairs.map(lambda found: tuple(sorted(found)))


signers = _ascending(st.tuples(indexes, signatures))
polka_proofs = st.builds(SignedPolkaProof, heights, rounds, blocks, signers)


@st.composite
def round_proofs(draw):
    height = draw(heights)
    found = draw(st.lists(votes, min_size=1, max_size=6, unique_by=lambda one: one.validator))
    ordered = sorted(found, key=lambda one: one.validator)
    of_height = tuple(replace(one, height=height) for one in ordered)
    return SignedRoundProof(height, draw(st.integers(1, 2**31 - 1)), of_height)


statuses = st.builds(
    Status, heights, st.integers(-1, 2**31 - 1), st.sampled_from(Phase), st.integers(0, 2**63 - 1)
)


@st.composite
def evidences(draw):
    if draw(st.booleans()):
        one = draw(votes)
        other = draw(choices.filter(lambda block_id: block_id != one.block_id))
        return evidence_of(one, replace(one, block_id=other, signature=draw(signatures)))
    first = draw(proposals())
    other = draw(blocks.filter(lambda block_id: block_id != first.block_id))
    return evidence_of(first, replace(first, block_id=other, signature=draw(signatures)))


messages = votes | proposals() | polka_proofs | round_proofs() | statuses | evidences()


@given(messages)
def test_printing_and_parsing_a_message_gives_it_back(message):
    raw = print_message(message)
    parsed = parse_message(raw)
    assert parsed == message
    assert type(parsed) is type(message)
    assert print_message(parsed) == raw


@given(st.binary(max_size=300))
def test_random_bytes_are_refused_with_a_code(raw):
    with pytest.raises(CivregError):
        parse_message(raw)


@given(messages, st.data())
def test_a_changed_message_is_refused_or_is_another_message(message, data):
    raw = bytearray(print_message(message))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    try:
        parsed = parse_message(bytes(raw))
    except CivregError:
        return
    assert parsed != message
    assert print_message(parsed) == bytes(raw)


@given(messages, st.data())
def test_cut_or_extended_messages_are_refused(message, data):
    raw = print_message(message)
    cut = raw[: data.draw(st.integers(0, len(raw) - 1))]
    for changed in (cut, raw + data.draw(st.binary(min_size=1, max_size=3))):
        with pytest.raises(CivregError):
            parse_message(changed)


@given(messages)
def test_unknown_versions_and_missing_or_extra_elements_are_refused(message):
    value = message.to_value()
    for changed in ((2, *value[1:]), (*value, None), value[:-1], (1, 99, *value[2:]), ()):
        with pytest.raises(InvalidDataError):
            parse_message(encode(changed))


def test_a_message_over_the_limit_is_refused_before_it_is_parsed():
    with pytest.raises(LimitExceededError):
        parse_message(b"\xff" * (MESSAGE_BYTES_MAX + 1))
    with pytest.raises(InvalidDataError) as caught:
        parse_message(b"\xff" * MESSAGE_BYTES_MAX)
    assert not isinstance(caught.value, LimitExceededError)


@pytest.mark.parametrize(
    "change",
    [
        {"height": 0},
        {"height": 2**63},
        {"round": -1},
        {"round": 2**31},
        {"block_id": bytes(31)},
        {"validator": -1},
        {"validator": 64},
        {"signature": bytes(63)},
        {"height": True},
    ],
    ids=repr,
)
def test_a_field_out_of_bounds_is_refused(change):
    vote = replace(signed_vote(0, PREVOTE, A), **change)
    with pytest.raises(InvalidDataError):
        parse_message(msgpack.packb(vote.to_value()))


@pytest.mark.parametrize("pol_round", [-2, 3, 4])
def test_a_proposal_names_a_polka_of_an_earlier_round_only(pol_round):
    wrong = replace(signed_proposal(A, 3), pol_round=pol_round)
    with pytest.raises(InvalidDataError):
        parse_message(msgpack.packb(wrong.to_value()))
    with pytest.raises(InvalidMessageError):
        open_proposal(wrong, FOUR, NETWORK_ID)


def test_what_is_signed_is_fixed_byte_for_byte():
    nil = vote_message(NETWORK_ID, PREVOTE, 7, 2, None)
    assert nil == b"civreg/prevote/v1\x00" + msgpack.packb([1, NETWORK_ID, 7, 2, None])
    block = vote_message(NETWORK_ID, PRECOMMIT, 7, 2, A)
    assert block == b"civreg/precommit/v1\x00" + msgpack.packb([1, NETWORK_ID, 7, 2, A])
    proposed = signed_proposal(A, 2, pol_round=1, time_ms=5)
    wanted = [1, NETWORK_ID, 1, 2, A, 1, 5]
    message = proposal_message(NETWORK_ID, proposed)
    assert message == b"civreg/proposal/v1\x00" + msgpack.packb(wanted)


def test_wire_values_are_fixed_element_by_element():
    vote = SignedVote(PRECOMMIT, 7, 2, None, 3, bytes(64))
    assert msgpack.unpackb(print_message(vote)) == [1, 3, 7, 2, None, 3, bytes(64)]
    proposal = SignedProposal(7, 2, A, -1, 5, 3, bytes(64))
    assert msgpack.unpackb(print_message(proposal)) == [1, 1, 7, 2, A, -1, 5, 3, bytes(64)]
    polka = SignedPolkaProof(7, 2, A, ((1, bytes(64)),))
    assert msgpack.unpackb(print_message(polka)) == [1, 4, 7, 2, A, [[1, bytes(64)]]]
    round_proof = SignedRoundProof(7, 2, (vote,))
    listed = [[3, 3, 2, None, bytes(64)]]
    assert msgpack.unpackb(print_message(round_proof)) == [1, 5, 7, 2, listed]
    status = Status(7, -1, Phase.WAIT, 6)
    assert msgpack.unpackb(print_message(status)) == [1, 6, 7, -1, 0, 6]
    assert [tag.value for tag in MessageTag] == [1, 2, 3, 4, 5, 6, 7]


def test_a_round_proof_names_each_validator_once_and_in_order():
    one, other = signed_vote(0, PREVOTE, A, 4), signed_vote(1, PREVOTE, A, 4)
    for wrong in ((other, one), (one, one)):
        with pytest.raises(InvalidDataError):
            parse_message(print_message(SignedRoundProof(1, 4, wrong)))


def test_evidence_holds_two_messages_and_nothing_else():
    vote = signed_vote(0, PREVOTE, A).to_value()
    for wrong in ((1, 7, None, vote), (1, 7, vote, 5), (1, 7, (), vote)):
        with pytest.raises(InvalidDataError):
            parse_message(encode(wrong))


# --- opening ---


@pytest.mark.parametrize("vote_type", [PREVOTE, PRECOMMIT])
@pytest.mark.parametrize("block_id", [A, None])
def test_a_vote_opens_for_its_signer_only_and_only_unchanged(vote_type, block_id):
    vote = signed_vote(2, vote_type, block_id, 4)
    opened = open_vote(vote, FOUR, NETWORK_ID)
    assert (opened.signed, opened.validators_digest) == (vote, FOUR.digest)
    for wrong in (
        replace(vote, height=2),
        replace(vote, round=5),
        replace(vote, block_id=B),
        replace(vote, validator=1),
        replace(vote, type=PREVOTE if vote_type is PRECOMMIT else PRECOMMIT),
        replace(vote, signature=bytes(64)),
    ):
        with pytest.raises(BadSignatureError):
            open_vote(wrong, FOUR, NETWORK_ID)
    with pytest.raises(BadSignatureError):
        open_vote(vote, FOUR, bytes(32))
    with pytest.raises(UnknownValidatorError):
        open_vote(replace(vote, validator=4), FOUR, NETWORK_ID)


def test_a_proposal_opens_for_its_signer_only_and_only_unchanged():
    proposal = signed_proposal(A, 2, pol_round=1)
    assert open_proposal(proposal, FOUR, NETWORK_ID).signed == proposal
    for wrong in (
        replace(proposal, height=2),
        replace(proposal, round=3),
        replace(proposal, block_id=B),
        replace(proposal, pol_round=-1),
        replace(proposal, time_ms=1),
        replace(proposal, proposer=1),
    ):
        with pytest.raises(BadSignatureError):
            open_proposal(wrong, FOUR, NETWORK_ID)
    with pytest.raises(UnknownValidatorError):
        open_proposal(replace(proposal, proposer=63), FOUR, NETWORK_ID)


def _signatures(vote_type, *indexes):
    return tuple((index, signed_vote(index, vote_type, A, 1).signature) for index in indexes)


def test_a_polka_proof_opens_with_more_than_two_thirds_of_prevotes():
    quorum = open_polka_proof(
        SignedPolkaProof(1, 1, A, _signatures(PREVOTE, 0, 2, 3)), FOUR, NETWORK_ID
    )
    assert (quorum.type, quorum.block_id) == (PREVOTE, A)
    assert [vote.validator for vote in quorum.votes()] == [0, 2, 3]
    for wrong in (
        _signatures(PREVOTE, 0, 2),
        _signatures(PRECOMMIT, 0, 2, 3),
        (*_signatures(PREVOTE, 0, 2, 3), (4, bytes(64))),
    ):
        with pytest.raises(InvalidQuorumError):
            open_polka_proof(SignedPolkaProof(1, 1, A, wrong), FOUR, NETWORK_ID)


def test_a_quorum_certificate_opens_with_more_than_two_thirds_of_precommits():
    good = QuorumCertificate(1, 1, A, _signatures(PRECOMMIT, 0, 1, 2, 3))
    assert open_quorum_certificate(good, FOUR, NETWORK_ID).type is PRECOMMIT
    with pytest.raises(InvalidQuorumError):
        open_quorum_certificate(replace(good, round=2), FOUR, NETWORK_ID)
    with pytest.raises(InvalidQuorumError):
        open_quorum_certificate(good, committee(1), NETWORK_ID)


def test_a_round_proof_opens_with_one_third_ahead_or_two_thirds_of_precommits_before():
    ahead = tuple(signed_vote(i, t, A, 4) for i, t in ((0, PREVOTE), (3, PRECOMMIT)))
    before = tuple(signed_vote(i, PRECOMMIT, None, 3) for i in (0, 1, 3))
    for votes_of_proof in (ahead, before):
        proof = SignedRoundProof(1, 4, votes_of_proof)
        opened = open_round_proof(proof, FOUR, NETWORK_ID)
        assert [vote.signed for vote in opened.votes] == list(votes_of_proof)


@pytest.mark.parametrize(
    "wrong",
    [
        (signed_vote(0, PREVOTE, A, 4),),
        (signed_vote(0, PREVOTE, A, 4), signed_vote(1, PREVOTE, A, 3)),
        tuple(signed_vote(i, PRECOMMIT, None, 3) for i in (0, 1)),
        tuple(signed_vote(i, PREVOTE, None, 3) for i in (0, 1, 2)),
        tuple(signed_vote(i, PREVOTE, None, 4) for i in (1, 0)),
        tuple(signed_vote(i, PREVOTE, None, 4, height=2) for i in (0, 1)),
        (),
    ],
    ids=["one", "too low", "two precommits", "prevotes before", "order", "height", "none"],
)
def test_a_round_proof_that_justifies_nothing_is_refused(wrong):
    with pytest.raises(InvalidMessageError):
        open_round_proof(SignedRoundProof(1, 4, wrong), FOUR, NETWORK_ID)


def test_one_bad_signature_spoils_a_round_proof():
    bad = replace(signed_vote(1, PREVOTE, A, 4), signature=bytes(64))
    with pytest.raises(BadSignatureError):
        open_round_proof(
            SignedRoundProof(1, 4, (signed_vote(0, PREVOTE, A, 4), bad)), FOUR, NETWORK_ID
        )


# --- evidence ---


def test_two_different_votes_of_one_place_are_evidence_and_verify_offline():
    one, other = signed_vote(2, PREVOTE, A), signed_vote(2, PREVOTE, None)
    evidence = evidence_of(one, other)
    assert evidence == evidence_of(other, one), "one encoding, whoever found it"
    parsed = parse_message(print_message(evidence))
    assert isinstance(parsed, Evidence)
    parsed.check(FOUR, NETWORK_ID)
    place = (parsed.height, parsed.round, parsed.tag, parsed.validator)
    assert place == (1, 0, MessageTag.PREVOTE, 2)
    assert len(parsed.digest) == 32


def test_two_different_proposals_are_evidence_even_if_only_the_time_differs():
    evidence = evidence_of(signed_proposal(A), signed_proposal(A, time_ms=1))
    evidence.check(FOUR, NETWORK_ID)
    assert (evidence.tag, evidence.validator) == (MessageTag.PROPOSAL, 1)


@pytest.mark.parametrize(
    "other",
    [
        signed_vote(2, PREVOTE, A),
        replace(signed_vote(2, PREVOTE, A), signature=bytes(64)),
        signed_vote(2, PRECOMMIT, B),
        signed_vote(2, PREVOTE, B, 1),
        signed_vote(2, PREVOTE, B, height=2),
        signed_vote(1, PREVOTE, B),
        signed_proposal(A),
    ],
    ids=["same", "other signature", "type", "round", "height", "signer", "kind"],
)
def test_messages_that_one_honest_validator_may_have_sent_are_no_evidence(other):
    with pytest.raises(InvalidEvidenceError):
        evidence_of(signed_vote(2, PREVOTE, A), other)


def test_evidence_against_an_honest_validator_cannot_be_made_up():
    genuine = signed_vote(2, PREVOTE, A)
    forged = replace(genuine, block_id=B)
    with pytest.raises(InvalidEvidenceError):
        evidence_of(genuine, forged).check(FOUR, NETWORK_ID)
    unsigned = SignedProposal(1, 0, B, -1, 1, 1, bytes(64))
    with pytest.raises(InvalidEvidenceError):
        evidence_of(signed_proposal(A), unsigned).check(FOUR, NETWORK_ID)
    elsewhere = evidence_of(genuine, signed_vote(2, PREVOTE, B))
    with pytest.raises(InvalidEvidenceError):
        elsewhere.check(FOUR, bytes(32))


def test_evidence_in_the_wrong_order_has_no_encoding():
    evidence = evidence_of(signed_vote(2, PREVOTE, A), signed_vote(2, PREVOTE, B))
    turned = Evidence(evidence.second, evidence.first)
    with pytest.raises(InvalidEvidenceError):
        parse_message(print_message(turned))
    with pytest.raises(InvalidEvidenceError):
        turned.check(FOUR, NETWORK_ID)


def test_pieces_of_evidence_have_one_order():
    pieces = [
        evidence_of(signed_vote(i, t, A, r), signed_vote(i, t, B, r))
        for i in (0, 1)
        for t in (PREVOTE, PRECOMMIT)
        for r in (0, 1)
    ]
    ordered = sorted(pieces, key=lambda piece: piece.sort_key)
    assert [(p.round, p.tag, p.validator) for p in ordered] == sorted(
        (p.round, p.tag, p.validator) for p in pieces
    )
    assert len({piece.digest for piece in pieces}) == len(pieces)
