"""Two certified headers of one height: who is accused, and that nobody honest ever is."""

from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.hashing import Digest
from ledger.conflicts import (
    ConflictKind,
    HeaderConflict,
    conflict_of,
    find_conflict,
    parse_conflict,
)
from ledger.errors import InvalidDataError
from ledger.quorum import QuorumCertificate, precommit_message
from ledger.trust import CertifiedHeader, make_trust
from ledger.validators import ValidatorSet
from tests.networks import ChainBuilder, seed, small_network

UNTIL_MS = 2**60
NETWORK = small_network()
FIRST = NETWORK.genesis.validator_set


def header_of(network):
    return ChainBuilder(network).next_block()[0].header


def signed(network, header, signers, round_number=0):
    """A header certified by these validators of genesis, enough or not."""
    message = precommit_message(header.network_id, header.height, round_number, header.digest)
    members = network.genesis.validator_set
    signatures = tuple(
        (index, network.consensus[members[index].key.key_id].sign(message)) for index in signers
    )
    return CertifiedHeader(
        header, QuorumCertificate(header.height, round_number, header.digest, signatures)
    )


def bundle(network, certified):
    return make_trust(network.genesis.charter, [], certified, UNTIL_MS)


def quorums(validators):
    everybody = range(len(validators))
    return [
        chosen
        for size in range(1, len(validators) + 1)
        for chosen in combinations(everybody, size)
        if validators.is_quorum(sum(validators[index].weight for index in chosen))
    ]


@pytest.mark.parametrize("weights", [(1, 1, 1, 1), (3, 1, 1, 1, 2), (5, 4, 3, 2)])
def test_of_any_two_quorums_over_a_third_is_accused_and_exactly_those_who_signed_both(weights):
    network = small_network(weights=weights)
    validators = network.genesis.validator_set
    one = header_of(network)
    other = replace(one, state_root=Digest(seed("other")))
    firsts = {who: signed(network, one, who) for who in quorums(validators)}
    seconds = {who: signed(network, other, who) for who in quorums(validators)}
    for first, known in firsts.items():
        for second, told in seconds.items():
            guilt = HeaderConflict(known, told, 1, None).check(bundle(network, known))
            assert guilt.kind is ConflictKind.EQUIVOCATION
            assert set(guilt.accused) == set(first) & set(second)
            assert Fraction(guilt.weight, validators.total_weight) > Fraction(1, 3)
            assert guilt.members() == tuple(validators[index] for index in guilt.accused)


def test_in_two_rounds_they_are_suspects():
    one = header_of(NETWORK)
    other = replace(one, state_root=Digest(seed("other")))
    known = signed(NETWORK, one, (0, 1, 2))
    told = signed(NETWORK, other, (1, 2, 3), round_number=1)
    guilt = HeaderConflict(known, told, 1, None).check(bundle(NETWORK, known))
    assert (guilt.kind, guilt.accused) == (ConflictKind.AMNESIA, (1, 2))


@settings(max_examples=30)
@given(st.sets(st.integers(0, 3), min_size=1), st.integers(0, 3))
def test_who_signed_the_honest_chain_only_is_never_accused(liars, honest):
    """Whatever the others put together, one who signed no other header is in no accusation."""
    liars = liars - {honest}
    one = header_of(NETWORK)
    other = replace(one, state_root=Digest(seed("other")))
    known = signed(NETWORK, one, (0, 1, 2, 3))
    trust = bundle(NETWORK, known)
    made_up = ValidatorSet(tuple(FIRST[index] for index in sorted(liars))) if liars else FIRST
    lied = replace(one, validators=made_up.digest)
    attempts = [HeaderConflict(known, signed(NETWORK, other, sorted(liars)), 1, None)]
    if liars:
        message = precommit_message(lied.network_id, 1, 0, lied.digest)
        signatures = tuple(
            (at, NETWORK.consensus[one.key.key_id].sign(message))
            for at, one in enumerate(made_up.validators)
        )
        certified = CertifiedHeader(lied, QuorumCertificate(1, 0, lied.digest, signatures))
        attempts.append(HeaderConflict(known, certified, 1, made_up))
    for attempt in attempts:
        try:
            guilt = attempt.check(trust)
        except InvalidDataError:
            continue
        assert honest not in guilt.accused
        assert set(guilt.accused) <= liars


def test_what_contradicts_nothing_is_refused():
    builder = ChainBuilder(NETWORK)
    pairs = [builder.next_block() for _ in range(2)]
    first, second = (CertifiedHeader(block.header, proof) for block, proof in pairs)
    trust = bundle(NETWORK, second)
    other = signed(NETWORK, replace(first.header, log_size=9), (0, 1, 2))
    foreign = signed(NETWORK, replace(first.header, network_id=Digest(seed("else"))), (0, 1, 2))
    for conflict, code in (
        (HeaderConflict(first, first, 1, None), "ledger.no_conflict"),
        (HeaderConflict(first, second, 1, None), "ledger.no_conflict"),
        (HeaderConflict(first, foreign, 1, None), "ledger.no_conflict"),
        (HeaderConflict(first, other, 2, None), "ledger.trust_wrong_validators"),
        (HeaderConflict(first, other, 1, FIRST), "ledger.no_conflict"),
        (HeaderConflict(first, signed(NETWORK, other.header, (0, 1)), 1, None),
         "ledger.quorum_too_light"),
        (HeaderConflict(first, other._replace(
            quorum_certificate=first.quorum_certificate), 1, None), "ledger.invalid_quorum"),
    ):  # fmt: skip
        with pytest.raises(InvalidDataError) as refusal:
            conflict.check(trust)
        assert refusal.value.code == code
    assert HeaderConflict(first, other, 1, None).check(trust).accused == (0, 1, 2)


def test_a_conflict_reads_back_and_damage_is_refused():
    one = header_of(NETWORK)
    known = signed(NETWORK, one, (0, 1, 2))
    told = signed(NETWORK, replace(one, log_size=9), (1, 2, 3))
    smaller = ValidatorSet(FIRST.validators[:3])
    lied = signed(NETWORK, replace(one, validators=smaller.digest), (0, 1, 2))
    for conflict in (conflict_of(known, told, FIRST, 7), conflict_of(known, lied, smaller, 1)):
        raw = conflict.to_bytes()
        assert parse_conflict(raw) == conflict
        for damaged in (raw[:-1], raw + b"\x00", b"", raw[:1] + b"\x02" + raw[2:]):
            with pytest.raises(InvalidDataError):
                parse_conflict(damaged)
    assert conflict_of(known, told, FIRST, 7).made_up is None
    guilt = conflict_of(known, lied, smaller, 1).check(bundle(NETWORK, known))
    assert (guilt.kind, guilt.accused) == (ConflictKind.MADE_UP_SET, (0, 1, 2))
    with pytest.raises(InvalidDataError, match="later height"):
        conflict_of(known, lied, smaller, 2).check(bundle(NETWORK, known))


def test_bundles_are_searched_from_the_lowest_height_that_both_have():
    builder = ChainBuilder(NETWORK)
    pairs = [builder.next_block() for _ in range(3)]
    third = CertifiedHeader(pairs[2][0].header, pairs[2][1])
    fork = signed(NETWORK, replace(third.header, log_size=9), (0, 1, 2))
    found = find_conflict(bundle(NETWORK, third), bundle(NETWORK, fork))
    assert found == HeaderConflict(third, fork, 3, None)
    second = CertifiedHeader(pairs[1][0].header, pairs[1][1])
    assert find_conflict(bundle(NETWORK, second), bundle(NETWORK, fork)) is None
