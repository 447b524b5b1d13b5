"""Events as log records: one encoding each, read back as they were."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.events import (
    BlockVerdict,
    BodiesHeld,
    BuildFailed,
    PolkaProofReceived,
    PoolNotEmpty,
    ProposalReceived,
    QuorumCertificateReceived,
    RoundProofReceived,
    TimerFired,
    TimerKind,
    ValueBuilt,
    VoteReceived,
)
from consensus.future import DatedProposal
from consensus.journal import EVENT_BYTES_MAX, parse_event, print_event
from consensus.proofs import RoundProof, SignedRoundProof
from keys.errors import CivregError
from ledger.canonical import encode
from ledger.errors import LimitExceededError
from tests.consensus.committee import (
    FOUR,
    PRECOMMIT,
    PREVOTE,
    TIME_MS,
    A,
    B,
    committee,
    proposal,
    quorum,
    start,
    verdict,
    vote,
)

ROUND_VOTES = tuple(vote(index, PREVOTE, A, 2) for index in (1, 2))
EVENTS = [
    start(),
    start(
        9,
        validators=committee(1, 2, 3),
        may_vote=False,
        kept=(
            vote(1, PREVOTE, None, height=9),
            DatedProposal(proposal(A, height=9), 5),
            quorum(PRECOMMIT, A, height=9),
            quorum(PREVOTE, B, height=9),
        ),
    ),
    PoolNotEmpty(3),
    VoteReceived(vote(1, PREVOTE, A)),
    VoteReceived(vote(1, PRECOMMIT, None)),
    ProposalReceived(proposal(A, 2, pol_round=1), TIME_MS),
    PolkaProofReceived(quorum(PREVOTE, A)),
    QuorumCertificateReceived(quorum(PRECOMMIT, A)),
    RoundProofReceived(
        RoundProof(
            SignedRoundProof(1, 2, tuple(one.signed for one in ROUND_VOTES)),
            ROUND_VOTES,
            FOUR.digest,
        )
    ),
    verdict(A),
    BlockVerdict(height=1, block_id=B, valid=False, header_round=0, time_ms=0, proposer=0),
    BodiesHeld(1, A),
    ValueBuilt(1, 2, A, TIME_MS),
    BuildFailed(1, 2),
    *(TimerFired(kind, 1, 0) for kind in TimerKind),
    TimerFired(TimerKind.IDLE, 1, -1),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_is_read_back_as_it_was_written(event):
    raw = print_event(event)
    assert parse_event(raw) == event
    assert print_event(parse_event(raw)) == raw


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_a_cut_record_is_refused(event):
    raw = print_event(event)
    for end in range(len(raw)):
        with pytest.raises(CivregError):
            parse_event(raw[:end])


@given(st.sampled_from(EVENTS), st.data())
def test_a_changed_record_is_refused_or_is_another_event(event, data):
    raw = bytearray(print_event(event))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    try:
        parsed = parse_event(bytes(raw))
    except CivregError:
        return
    assert parsed != event


@given(st.binary(max_size=200))
def test_random_bytes_are_no_record(raw):
    with pytest.raises(CivregError):
        parse_event(raw)


def test_unknown_versions_tags_and_kept_events_are_refused():
    wrongs: list[Any] = [(1,), (2, 2, 3), (1, 0, 3), (1, 12, 3), (1, 2), (1, 2, 3, 4), {}, "x"]
    for wrong in wrongs:
        with pytest.raises(CivregError):
            parse_event(encode(wrong))
    value: Any = [1, 1, 9, FOUR.to_value(), start().parameters.to_value(), 1, 2, True, [(1, 2, 9)]]
    with pytest.raises(CivregError):
        parse_event(encode(value))


def test_a_record_over_the_limit_is_refused_before_it_is_parsed():
    with pytest.raises(LimitExceededError):
        parse_event(bytes(EVENT_BYTES_MAX + 1))
