"""Validator sets: one order, one digest, and thirds that are never rounded."""

from dataclasses import replace

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import CivregError
from keys.hashing import domain, hash_with
from keys.signing import Algorithm, PublicKey, SoftwareKey
from ledger.canonical import encode
from ledger.errors import InvalidDataError, LimitExceededError
from ledger.ids import AgencyId
from ledger.limits import VALIDATORS_MAX
from ledger.validators import (
    VALIDATOR_SET_BYTES_MAX,
    WEIGHT_MAX,
    Validator,
    ValidatorSet,
    parse_validator_set,
    print_validator_set,
    validator_set,
)


def public_key(index: int) -> PublicKey:
    seed = (index + 1).to_bytes(32)
    return SoftwareKey.from_private_bytes(Algorithm.ED25519, seed).public


KEYS = [public_key(index) for index in range(VALIDATORS_MAX + 1)]


def member(index: int, weight: int = 1) -> Validator:
    return Validator(AgencyId(index.to_bytes(16)), KEYS[index], weight)


def members(*weights: int) -> ValidatorSet:
    return ValidatorSet(tuple(member(index, weight) for index, weight in enumerate(weights)))


weights_of_a_set = st.lists(st.integers(1, WEIGHT_MAX), min_size=1, max_size=8)


@given(weights_of_a_set)
def test_a_set_is_read_back_as_it_was_written(weights):
    made = members(*weights)
    assert parse_validator_set(print_validator_set(made)) == made
    assert ValidatorSet.from_value(made.to_value()).digest == made.digest
    assert made.total_weight == sum(weights)


def test_the_value_and_the_digest_are_fixed_byte_for_byte():
    made = members(3, 4)
    raw = print_validator_set(made)
    assert msgpack.unpackb(raw) == [
        1,
        [[bytes(16), 2, KEYS[0].public, 3], [(1).to_bytes(16), 2, KEYS[1].public, 4]],
    ]
    assert made.digest == hash_with(domain("validators"), raw)


@given(st.permutations([member(index) for index in range(5)]))
def test_members_in_any_order_make_one_set(shuffled):
    assert validator_set(tuple(shuffled)) == members(1, 1, 1, 1, 1)


def test_an_agency_is_found_by_its_id():
    made = members(1, 2, 3)
    assert [made.index_of(one.agency_id) for one in made.validators] == [0, 1, 2]
    assert made.index_of(b"x" * 16) is None
    assert (len(made), made[1].weight) == (3, 2)


@pytest.mark.parametrize("total", range(1, 31))
def test_quorum_and_skip_are_strict_for_every_weight_of_small_sets(total):
    made = members(*([1] * total))
    for weight in range(total + 1):
        assert made.is_quorum(weight) == (weight / total > 2 / 3 + 1e-9)
        assert made.is_skip(weight) == (weight / total > 1 / 3 + 1e-9)


@given(weights_of_a_set, st.data())
def test_two_quorums_share_more_than_a_third(weights, data):
    """Invariant: the whole protocol stands on it."""
    made = members(*weights)
    subsets = st.sets(st.integers(0, len(weights) - 1))
    one, other = data.draw(subsets), data.draw(subsets)
    weight = {name: sum(weights[i] for i in ids) for name, ids in (("a", one), ("b", other))}
    if made.is_quorum(weight["a"]) and made.is_quorum(weight["b"]):
        assert made.is_skip(sum(weights[i] for i in one & other))


@pytest.mark.parametrize(
    "wrong",
    [
        (),
        (member(1), member(0)),
        (member(1), member(1)),
        (member(0), replace(member(1), key=KEYS[0])),
        (member(0, 0),),
        (member(0, -1),),
        (member(0, WEIGHT_MAX + 1),),
        (replace(member(0), agency_id=AgencyId(bytes(15))),),
    ],
    ids=["empty", "order", "twice", "key twice", "0", "negative", "too heavy", "short id"],
)
def test_impossible_sets_are_refused(wrong):
    with pytest.raises(InvalidDataError):
        ValidatorSet(wrong)


def test_the_limit_of_a_set_has_two_sides():
    assert len(members(*([1] * VALIDATORS_MAX))) == VALIDATORS_MAX
    with pytest.raises(LimitExceededError):
        members(*([1] * (VALIDATORS_MAX + 1)))
    with pytest.raises(LimitExceededError):
        parse_validator_set(bytes(VALIDATOR_SET_BYTES_MAX + 1))


def test_a_set_over_the_limit_is_refused_on_the_wire_too():
    element = [bytes(16), 2, KEYS[0].public, 1]
    with pytest.raises(InvalidDataError):
        parse_validator_set(msgpack.packb([1, [element] * (VALIDATORS_MAX + 1)]))


@pytest.mark.parametrize(
    "wrong",
    [
        [2, [[bytes(16), 2, KEYS[0].public, 1]]],
        [1, []],
        [1],
        [1, [[bytes(16), 2, KEYS[0].public, 1]], None],
        [1, [[bytes(16), 2, KEYS[0].public]]],
        [1, [[bytes(16), 9, KEYS[0].public, 1]]],
        [1, [[bytes(16), 1, KEYS[0].public, 1]]],
        [1, [[bytes(16), 2, bytes(32), 1]]],
        [1, [[bytes(16), 2, KEYS[0].public, True]]],
        [1, [[bytes(16), 2, KEYS[0].public, 0]]],
        [1, [["x", 2, KEYS[0].public, 1]]],
        {},
    ],
    ids=repr,
)
def test_sets_of_another_shape_are_refused(wrong):
    with pytest.raises(InvalidDataError):
        parse_validator_set(msgpack.packb(wrong))


@given(st.data())
def test_changed_bytes_are_refused_or_are_another_set(data):
    made = members(1, 2, 3, 4)
    raw = bytearray(print_validator_set(made))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        parsed = parse_validator_set(bytes(raw))
    except CivregError:
        return
    assert parsed != made
    assert parsed.digest != made.digest


@given(st.binary(max_size=200))
def test_random_bytes_are_no_set(raw):
    with pytest.raises(CivregError):
        parse_validator_set(raw)


def test_the_encoding_does_not_depend_on_how_the_key_was_made():
    as_number = PublicKey(Algorithm(2), KEYS[0].public)
    one = ValidatorSet((replace(member(0), key=as_number),))
    assert encode(one.to_value()) == print_validator_set(members(1))
