"""The tally against a naive twin that keeps every message and counts from scratch."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from consensus.proofs import Quorum, check_justifies
from consensus.tally import (
    Tally,
    add_quorum,
    add_vote,
    polka_proof,
    quorum_certificate,
    round_proof,
)
from tests.consensus.committee import FOUR, PRECOMMIT, PREVOTE, A, B, committee, quorum, vote

ROUNDS = 4
VALUES = (None, A, B)
TYPES = (PREVOTE, PRECOMMIT)


@dataclass
class NaiveTally:
    """Everything that was ever counted, in a list."""

    weights: tuple[int, ...]
    votes: list[Any] = field(default_factory=list)
    wholes: list[Any] = field(default_factory=list)
    reached: set[Any] = field(default_factory=set)

    def choices(self, number, vote_type):
        chosen: dict[int, Any] = {}
        for whole in self.wholes:
            if (whole.round, whole.type) == (number, vote_type):
                for index, _signature in whole.signatures:
                    chosen.setdefault(index, whole.block_id)
        for one in self.votes:
            if (one.round, one.type) == (number, vote_type):
                chosen.setdefault(one.validator, one.block_id)
        return chosen

    def weight(self, number, vote_type, value=...):
        chosen = self.choices(number, vote_type)
        return sum(self.weights[i] for i, v in chosen.items() if value is ... or v == value)

    def add(self, event):
        """Quorums that are there stay; a second whole of the same value adds nothing."""
        if isinstance(event, Quorum):
            place = (event.round, event.type, event.block_id)
            if place in [(whole.round, whole.type, whole.block_id) for whole in self.wholes]:
                return
            self.wholes.append(event)
            self.reached.add(place)
        else:
            self.votes.append(event)
        for value in VALUES:
            if 3 * self.weight(event.round, event.type, value) > 2 * sum(self.weights):
                self.reached.add((event.round, event.type, value))

    def has_quorum_for(self, number, vote_type, value):
        return (number, vote_type, value) in self.reached

    def skip_round(self, present):
        for number in range(ROUNDS, present, -1):
            senders = {
                index
                for later in range(number, ROUNDS + 1)
                for vote_type in TYPES
                for index in self.choices(later, vote_type)
            }
            if 3 * sum(self.weights[index] for index in senders) > sum(self.weights):
                return number
        return None


weights_of_a_set = st.lists(st.integers(1, 4), min_size=1, max_size=6).map(tuple)


@st.composite
def runs(draw):
    weights = draw(weights_of_a_set)
    validators = committee(*weights)
    loose = st.builds(
        lambda i, t, v, r: vote(i, t, v, r, validators=validators),
        st.integers(0, len(weights) - 1),
        st.sampled_from(TYPES),
        st.sampled_from(VALUES),
        st.integers(0, ROUNDS),
    )

    indexes = st.lists(
        st.integers(0, len(weights) - 1), min_size=1, max_size=len(weights), unique=True
    )
    whole = st.builds(
        lambda t, v, r, signers: quorum(t, v, r, tuple(sorted(signers)), validators=validators),
        st.sampled_from(TYPES),
        st.sampled_from(VALUES),
        st.integers(0, ROUNDS),
        indexes.filter(lambda found: 3 * sum(weights[i] for i in found) > 2 * sum(weights)),
    )
    return weights, validators, draw(st.lists(loose | whole, max_size=30))


@given(runs())
def test_the_tally_says_what_the_naive_twin_says_of_any_run(run):
    """Invariant: same quorums, same weights, same skip, whatever came in whatever order.

    The present round is the last one, so nothing is far and nothing is forgotten.
    """
    weights, validators, events = run
    tally, naive = Tally(validators), NaiveTally(weights)
    for event in events:
        if isinstance(event, Quorum):
            tally, _ = add_quorum(tally, event)
        else:
            tally, _, _ = add_vote(tally, event.signed, ROUNDS)
        naive.add(event)
    for number in range(ROUNDS + 1):
        assert tally.skip_round(number) == naive.skip_round(number)
        for vote_type in TYPES:
            any_weight = naive.weight(number, vote_type)
            assert tally.count(number, vote_type).weight == any_weight
            assert tally.has_quorum(number, vote_type) == (3 * any_weight > 2 * sum(weights))
            for value in VALUES:
                assert tally.has_quorum_for(number, vote_type, value) == naive.has_quorum_for(
                    number, vote_type, value
                )


@given(runs())
def test_a_tally_is_a_value_and_what_it_proves_is_enough(run):
    """Invariant: adding changes no earlier tally, and every proof given out would be believed."""
    weights, validators, events = run
    tally = Tally(validators)
    for event in events:
        before, copy = tally, (dict(tally.counts), tally.commits)
        if isinstance(event, Quorum):
            tally, _ = add_quorum(tally, event)
        else:
            tally, _, _ = add_vote(tally, event.signed, ROUNDS)
        assert (dict(before.counts), before.commits) == copy
    for number, block_id in tally.commits:
        certificate = quorum_certificate(tally, 1, number, block_id)
        indexes = [index for index, _ in certificate.signatures]
        assert indexes == sorted(set(indexes))
        assert validators.is_quorum(sum(weights[index] for index in indexes))
    for number in range(ROUNDS + 1):
        proof = polka_proof(tally, 1, number, A)
        assert (proof is not None) == tally.has_quorum_for(number, PREVOTE, A)
        justification = round_proof(tally, 1, number) if number else None
        if justification is not None:
            check_justifies(justification, validators)
        elif number:
            assert tally.skip_round(number - 1) in {None, *range(number)}


def test_evidence_is_found_against_whole_quorums_and_in_them():
    tally, evidence, _ = add_vote(Tally(FOUR), vote(1, PREVOTE, A).signed, 0)
    assert evidence is None
    tally, found = add_quorum(tally, quorum(PREVOTE, B, signers=(0, 1, 2)))
    assert [piece.validator for piece in found] == [1]
    tally, evidence, is_new = add_vote(tally, vote(2, PREVOTE, None).signed, 0)
    assert evidence is not None
    assert is_new
    tally, evidence, _ = add_vote(tally, vote(2, PREVOTE, A).signed, 0)
    assert evidence is None, "once for each place is enough"
    assert tally.has_quorum_for(0, PREVOTE, B), "the whole stands"


def test_a_second_whole_of_the_same_value_changes_nothing():
    tally, _ = add_quorum(Tally(FOUR), quorum(PREVOTE, A))
    assert add_quorum(tally, quorum(PREVOTE, A, signers=(0, 1, 2, 3))) == (tally, ())


def test_the_votes_of_a_far_quorum_are_not_forgotten():
    tally = Tally(FOUR)
    for index in (1, 2, 3):
        tally, _, _ = add_vote(tally, vote(index, PRECOMMIT, A, 5).signed, 0)
    for index in (1, 2, 3):
        tally, _, _ = add_vote(tally, vote(index, PRECOMMIT, A, 6).signed, 0)
    for number in (5, 6):
        assert len(quorum_certificate(tally, 1, number, A).signatures) == 3


def test_forgetting_a_lower_far_vote_keeps_the_others_of_its_round():
    tally = Tally(FOUR)
    for index in (1, 2):
        tally, _, _ = add_vote(tally, vote(index, PREVOTE, A, 5).signed, 0)
    tally, _, _ = add_vote(tally, vote(1, PREVOTE, A, 6).signed, 0)
    assert sorted(tally.count(5, PREVOTE).loose) == [2]
    assert tally.count(5, PREVOTE).weight == 1
    assert sorted(tally.count(6, PREVOTE).loose) == [1]
