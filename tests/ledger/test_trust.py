"""Trust bundles: each set is vouched for by the one before it, from genesis on."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.hashing import Digest
from ledger.canonical import decode, encode
from ledger.errors import InvalidDataError, InvalidQuorumError, UntrustedError
from ledger.ids import parse_id
from ledger.trust import (
    CertifiedHeader,
    ForkedTrustError,
    OtherTrustNetworkError,
    ValidatorChange,
    grow_trust,
    make_trust,
    parse_trust,
    trust_genesis,
)
from ledger.validators import ValidatorSet
from tests.networks import ChainBuilder, seed, small_network

NETWORK = small_network()
CHARTER = NETWORK.genesis.charter
FIRST = CHARTER.validators
UNTIL_MS = 2**60


def subset(*indexes):
    return ValidatorSet(tuple(FIRST.validators[index] for index in indexes))


SETS = {2: subset(0, 1, 2), 3: subset(1, 2, 3), 6: FIRST}


def made_chain(sets, heights=8):
    """Certified headers 1 ... n; `sets` gives the set of the next height where it changes."""
    builder = ChainBuilder(NETWORK)
    made = [builder.next_block(next_validators=sets.get(at)) for at in range(1, heights + 1)]
    return [CertifiedHeader(block.header, certificate) for block, certificate in made]


CHAIN = made_chain(SETS)
CHANGES = [ValidatorChange(CHAIN[height - 1], following) for height, following in SETS.items()]
BUNDLE = make_trust(CHARTER, CHANGES, CHAIN[7], UNTIL_MS)


def test_each_height_has_the_set_that_was_in_force():
    sets = [BUNDLE.validators_at(height) for height in range(1, 10)]
    a, b, c = FIRST, subset(0, 1, 2), subset(1, 2, 3)
    assert sets == [a, a, b, c, c, c, a, a, a]
    for certified in CHAIN:
        assert BUNDLE.check_header(certified.header).digest == certified.header.validators


def test_a_bundle_that_was_printed_reads_back():
    assert parse_trust(BUNDLE.to_bytes()) == BUNDLE
    genesis_only = trust_genesis(NETWORK.genesis, UNTIL_MS)
    assert parse_trust(genesis_only.to_bytes()) == genesis_only
    assert genesis_only.newest_height == 0


def certified_by(header, validators):
    certificate = NETWORK.quorum_certificate(header.digest, header.height, validators=validators)
    return CertifiedHeader(header, certificate)


def changed(at, **fields):
    """Change number `at` with another header, signed by the set in force."""
    header = replace(CHANGES[at].certified.header, **fields)
    by = BUNDLE.validators_at(CHANGES[at].certified.header.height)
    return ValidatorChange(certified_by(header, by), CHANGES[at].validators)


OTHER = Digest(seed("other"))
BROKEN = {
    "a missing change": ([CHANGES[0], CHANGES[2]], CHAIN[7]),
    "changes out of order": ([CHANGES[1], CHANGES[0], CHANGES[2]], CHAIN[7]),
    "a change twice": ([CHANGES[0], CHANGES[0]], CHAIN[7]),
    "another network": ([changed(0, network_id=OTHER)], CHAIN[7]),
    "another next set": ([changed(0, next_validators=OTHER)], CHAIN[7]),
    "no change at all": (
        [ValidatorChange(changed(0, next_validators=FIRST.digest).certified, FIRST)],
        CHAIN[1],
    ),
    "a set that nobody vouched for": (
        [ValidatorChange(CHANGES[0].certified, subset(0, 1, 3))],
        CHAIN[7],
    ),
    "certified by the next set": (
        [
            ValidatorChange(
                certified_by(CHAIN[1].header, subset(0, 1, 2)), subset(0, 1, 2)
            )
        ],
        CHAIN[2],
    ),
    "the certificate of another header": (
        [ValidatorChange(CertifiedHeader(CHAIN[1].header, CHAIN[0][1]), SETS[2])],
        CHAIN[2],
    ),
    "changes and no newest header": (CHANGES, None),
    "a newest header below the last change": (CHANGES, CHAIN[4]),
    "a newest header by another set": (CHANGES[:2], CHAIN[7]),
    "a newest header whose change is left out": (CHANGES[:2], CHAIN[5]),
    "a newest header that nobody signed": (
        CHANGES,
        CertifiedHeader(replace(CHAIN[7].header, time_ms=1), CHAIN[7][1]),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "newest"), BROKEN.values(), ids=BROKEN)
def test_a_bundle_is_refused_with(changes, newest):
    with pytest.raises((UntrustedError, InvalidQuorumError)):
        make_trust(CHARTER, changes, newest, UNTIL_MS)


def test_the_newest_header_may_be_the_one_that_changes_the_set():
    assert make_trust(CHARTER, CHANGES, CHAIN[5], UNTIL_MS).newest_height == 6


def test_a_longer_bundle_extends_a_shorter_one():
    genesis_only = trust_genesis(NETWORK.genesis, UNTIL_MS)
    shorter = make_trust(CHARTER, CHANGES[:1], CHAIN[2 - 1], UNTIL_MS)
    for held in (genesis_only, shorter, BUNDLE):
        assert held.extended_by(BUNDLE) is BUNDLE
    for older in (genesis_only, shorter):
        with pytest.raises(UntrustedError):
            BUNDLE.extended_by(older)


def test_a_bundle_of_another_history_is_a_fork_and_one_of_another_network_is_none():
    other_sets = {2: subset(0, 1, 3)}
    other_chain = made_chain(other_sets)
    change = ValidatorChange(other_chain[1], other_sets[2])
    other = make_trust(CHARTER, [change], other_chain[7], UNTIL_MS)
    with pytest.raises(ForkedTrustError):
        BUNDLE.extended_by(other)
    foreign = trust_genesis(small_network(weights=(2, 1, 1, 1)).genesis, UNTIL_MS)
    with pytest.raises(OtherTrustNetworkError) as refused:
        BUNDLE.extended_by(foreign)
    assert foreign.network_id.hex().startswith(str(refused.value.details["told"]))
    twin_header = replace(CHAIN[7].header, time_ms=CHAIN[7].header.time_ms + 1)
    twin = make_trust(CHARTER, CHANGES, certified_by(twin_header, FIRST), UNTIL_MS)
    with pytest.raises(ForkedTrustError):
        BUNDLE.extended_by(twin)


def test_a_change_at_a_height_that_was_seen_without_one_is_a_fork():
    """Whoever got hold of old keys cannot slip a set in below what the held bundle has seen."""
    held = make_trust(CHARTER, (), CHAIN[0], UNTIL_MS)
    for at in (1, 2):
        sets = {at: subset(0, 1, 3)}
        told_chain = [CHAIN[0], *made_chain(sets)[1:]] if at > 1 else made_chain(sets)
        told = make_trust(
            CHARTER, [ValidatorChange(told_chain[at - 1], sets[at])], told_chain[7], UNTIL_MS
        )
        if at > held.newest_height:
            assert held.extended_by(told) is told
        else:
            with pytest.raises(ForkedTrustError):
                held.extended_by(told)


def test_the_fingerprint_changes_with_the_sets_and_with_nothing_else():
    younger = make_trust(CHARTER, CHANGES, CHAIN[6], UNTIL_MS + 1)
    assert younger.fingerprint == BUNDLE.fingerprint
    assert len(parse_id(BUNDLE.fingerprint)) == 16
    shorter = make_trust(CHARTER, CHANGES[:1], CHAIN[1], UNTIL_MS)
    assert shorter.fingerprint != BUNDLE.fingerprint


@given(st.data())
def test_a_changed_byte_is_refused_or_is_the_end_of_its_time(data):
    """Invariant: nobody signs valid_until_ms, and everything else is signed or chained."""
    raw = bytearray(BUNDLE.to_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        other = parse_trust(bytes(raw))
    except InvalidDataError:
        return
    assert replace(other, valid_until_ms=UNTIL_MS) == BUNDLE


@given(st.binary(max_size=200))
def test_random_bytes_are_no_bundle(raw):
    with pytest.raises(InvalidDataError):
        parse_trust(raw)


def test_another_document_is_no_bundle():
    value = decode(BUNDLE.to_bytes(), 1_000_000)
    assert isinstance(value, tuple)
    with pytest.raises(UntrustedError):
        parse_trust(encode((value[0], "receipt", *value[2:])))


@pytest.mark.parametrize("first", range(len(CHANGES) + 1))
@pytest.mark.parametrize("second", range(len(CHANGES) + 1))
def test_a_bundle_that_grows_in_steps_is_the_one_made_at_once(first, second):
    steps = sorted((first, second, len(CHANGES)))
    bundle, done = make_trust(CHARTER, (), None, 0), 0
    for upto in steps:
        newest = CHANGES[upto - 1].certified if upto else None
        bundle = grow_trust(bundle, CHANGES[done:upto], newest, 0)
        done = upto
    assert grow_trust(bundle, (), CHAIN[7], UNTIL_MS) == BUNDLE


def test_what_is_added_to_a_bundle_is_verified_from_its_last_set_on():
    held = make_trust(CHARTER, CHANGES[:1], CHANGES[0].certified, UNTIL_MS)
    with pytest.raises(UntrustedError):
        grow_trust(held, CHANGES[:1], CHAIN[7], UNTIL_MS)
    with pytest.raises(UntrustedError):
        grow_trust(held, CHANGES[2:], CHAIN[7], UNTIL_MS)
