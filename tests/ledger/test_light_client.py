"""The light client: what it believes, what it refuses by name, and its naive twin."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.hashing import Digest
from ledger.errors import InvalidDataError
from ledger.light_client import (
    LightPolicy,
    NotEnoughTrustError,
    TrustedPoint,
    check_light,
    climb,
    parse_light_block,
    trusted_point,
)
from ledger.trust import parse_trust, trust_genesis
from tests.agreement.documents import small_world
from tests.ledger.light_blocks import (
    NETWORK_ID,
    NOWHERE,
    certificate_value,
    header_of,
    joined,
    light_bytes,
    validators_of,
)
from tests.networks import seed, small_network

FOUR = {"a": 1, "b": 1, "c": 1, "d": 1}
POLICY = LightPolicy(trusting_period_ms=1_400_000, clock_drift_ms=0)
NOW_MS = 100_000
POINT = TrustedPoint(
    network_id=NETWORK_ID,
    height=1,
    time_ms=1_000,
    block_id=Digest(seed("first light")),
    next_validators=validators_of(FOUR),
)


def block(height: int = 3, time: int = 3, powers=FOUR, signers="abc", following=FOUR):
    return {
        "height": height,
        "time": time,
        "validators": powers,
        "next_validators": following,
        "signers": list(signers),
    }


def believe(raw: bytes, point=POINT, policy=POLICY, now_ms=NOW_MS) -> TrustedPoint:
    return check_light(point, parse_light_block(raw), policy, now_ms)


def code_of(raw: bytes, **places: Any) -> str:
    with pytest.raises(InvalidDataError) as refusal:
        believe(raw, **places)
    return refusal.value.code


def test_a_header_far_ahead_is_believed_when_a_third_of_the_trusted_weight_has_signed():
    believed = believe(light_bytes(block(height=1_000)))
    assert (believed.height, believed.time_ms) == (1_000, 3_000)
    assert believed.next_validators == validators_of(FOUR)


def test_the_trusting_period_ends_at_its_very_last_millisecond():
    raw = light_bytes(block())
    end_ms = POINT.time_ms + POLICY.trusting_period_ms
    believe(raw, now_ms=end_ms - 1)
    assert code_of(raw, now_ms=end_ms) == "ledger.light_expired"


def test_a_header_of_this_very_moment_is_from_the_future_unless_clocks_may_drift():
    raw = light_bytes(block(time=50))
    believe(raw, now_ms=50_001)
    assert code_of(raw, now_ms=50_000) == "ledger.light_from_future"
    drift = LightPolicy(trusting_period_ms=1_400_000, clock_drift_ms=7)
    believe(raw, policy=drift, now_ms=49_994)
    assert code_of(raw, policy=drift, now_ms=49_993) == "ledger.light_from_future"


def test_exactly_two_thirds_of_a_set_make_nothing_final():
    three = {"a": 1, "b": 1, "c": 1}
    assert code_of(light_bytes(block(powers=three, signers="ab"))) == "ledger.quorum_too_light"
    unequal = {"a": 7, "b": 5, "c": 6}
    assert code_of(light_bytes(block(powers=unequal, signers="ab"))) == "ledger.quorum_too_light"
    believe(light_bytes(block(powers=unequal, signers="ac")))


def test_exactly_one_third_of_the_trusted_weight_is_too_little():
    known = {"a": 2, "x": 2, "y": 2}
    point = TrustedPoint(
        network_id=NETWORK_ID,
        height=1,
        time_ms=1_000,
        block_id=POINT.block_id,
        next_validators=validators_of(known),
    )
    raw = light_bytes(block(powers={"a": 9, "b": 1}, signers="a"))
    assert code_of(raw, point=point) == "ledger.light_not_enough_trust"
    with_more = light_bytes(block(powers={"a": 9, "x": 1}, signers="ax"))
    assert believe(with_more, point=point).height == 3


def test_weight_counts_as_the_trusted_set_gives_it_and_by_key_not_by_name():
    """A stranger who takes an agency's id, and all the weight there is, is still a stranger."""
    raw = light_bytes(block(powers={"m": 1_000, "a": 1}, signers="ma"))
    assert code_of(raw) == "ledger.light_not_enough_trust"
    header = header_of(block(powers={"m": 5}, signers="m"), NOWHERE)
    members = validators_of({"m": 5})
    thief = type(members)(
        (type(members[0])(POINT.next_validators[0].agency_id, members[0].key, 5),)
    )
    forged = header_of(block(), NOWHERE, validators=thief.digest)
    assert header.validators != forged.validators
    certificate = certificate_value(forged, {"m": 5}, ["m"])
    light = parse_light_block(joined(forged, certificate, block()))._replace(validators=thief)
    with pytest.raises(NotEnoughTrustError):
        check_light(POINT, light, POLICY, NOW_MS)


def test_one_foreign_signature_spoils_a_certificate_that_is_heavy_enough_without_it():
    believe(light_bytes(block(signers="abcd")))
    assert code_of(light_bytes(block(signers="abcdz"))) == "ledger.quorum_foreign_signer"


def test_what_is_not_above_the_trusted_header_or_not_later_is_refused():
    assert code_of(light_bytes(block(height=1))) == "ledger.light_not_newer"
    assert code_of(light_bytes(block(time=1))) == "ledger.light_wrong_time"
    believe(light_bytes(block(time=2)))


def test_another_chain_is_never_believed():
    other = light_bytes(block(), network_id=Digest(seed("another network")))
    assert code_of(other) == "ledger.light_wrong_network"


def test_the_next_header_must_be_by_the_next_set_and_name_its_parent():
    good = light_bytes(block(height=2), POINT.block_id)
    assert believe(good).height == 2
    assert code_of(light_bytes(block(height=2))) == "ledger.light_wrong_parent"
    larger = {**FOUR, "e": 1}
    raw = light_bytes(block(height=2, powers=larger, signers="abcd"), POINT.block_id)
    assert code_of(raw) == "ledger.light_wrong_set"


def test_sets_beside_a_header_are_those_that_it_names():
    light = parse_light_block(light_bytes(block()))
    other = validators_of({"a": 1, "b": 1, "c": 1})
    for damaged in (light._replace(validators=other), light._replace(next_validators=other)):
        with pytest.raises(InvalidDataError) as refusal:
            check_light(POINT, damaged, POLICY, NOW_MS)
        assert refusal.value.code == "ledger.light_wrong_set"


@pytest.mark.parametrize(
    "name",
    ["network_id", "height", "round", "time_ms", "parent", "headers_root", "entries_root",
     "entries_count", "outcomes_root", "log_size", "log_root", "state_root", "validators",
     "next_validators", "proposer", "evidence_root"],
)  # fmt: skip
def test_no_field_of_a_header_changes_after_it_was_certified(name):
    header = header_of(block(), NOWHERE)
    value = getattr(header, name)
    other: Any = seed("changed") if isinstance(value, bytes) else value + 1
    changed = replace(header, **{name: other})
    certificate = certificate_value(header, FOUR, list("abc"))
    assert believe(joined(header, certificate, block())).height == 3
    code = code_of(joined(changed, certificate, block()))
    assert code in {
        "ledger.invalid_quorum", "ledger.light_wrong_network", "ledger.light_wrong_set",
    }  # fmt: skip


def test_votes_of_another_round_or_another_header_certify_nothing():
    header = header_of(block(), NOWHERE)
    value = certificate_value(header, FOUR, list("abc"))
    assert isinstance(value, tuple)
    version, height, _round, digest, pairs = value
    another_round = (version, height, 1, digest, pairs)
    assert code_of(joined(header, another_round, block())) == "ledger.quorum_bad_signature"
    other = certificate_value(header_of(block(time=4), NOWHERE), FOUR, list("abc"))
    assert code_of(joined(header, other, block())) == "ledger.invalid_quorum"


@given(st.data())
def test_damaged_bytes_are_refused_and_never_crash(data):
    raw = light_bytes(block())
    at = data.draw(st.integers(0, len(raw) - 1))
    bit = data.draw(st.integers(0, 7))
    damaged = raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :]
    with pytest.raises(InvalidDataError):
        believe(damaged)


@pytest.mark.parametrize("part", [(1, 4), (0, 3), (4, 3)])
def test_a_policy_that_trusts_less_than_a_third_or_more_than_all_is_a_fault_of_the_program(part):
    with pytest.raises(AssertionError):
        LightPolicy(trust_part=part)


def test_a_trust_bundle_gives_the_point_to_begin_at():
    world = small_world()
    point = trusted_point(parse_trust(world.young_trust.to_bytes()))
    newest = world.blocks[3][0].header
    assert (point.height, point.block_id) == (4, newest.digest)
    assert point.next_validators.digest == newest.next_validators
    begin = trusted_point(trust_genesis(small_network().genesis, 2**60))
    assert (begin.height, begin.block_id) == (0, begin.network_id)


# --- whole chains --------------------------------------------------------------------------------


class Chain:
    """Light blocks 1 ... n whose sets change from height to height, as bytes of a stranger."""

    def __init__(self, sets: list[dict[str, int]]) -> None:
        """The set of height h is `sets[h - 1]`; the last is that of the height after the end."""
        self.points = [
            TrustedPoint(
                network_id=NETWORK_ID,
                height=0,
                time_ms=0,
                block_id=NETWORK_ID,
                next_validators=validators_of(sets[0]),
            )
        ]
        self.raw: dict[int, bytes] = {}
        self.signers: dict[int, list[str]] = {}
        for height in range(1, len(sets)):
            made = block(height, height, sets[height - 1], self._quorum(sets[height - 1]))
            made["next_validators"] = sets[height]
            self.signers[height] = made["signers"]
            self.raw[height] = light_bytes(made, self.points[-1].block_id)
            self.points.append(believe(self.raw[height], self.points[-1]))  # one after the other

    @staticmethod
    def _quorum(powers: dict[str, int]) -> list[str]:
        """Just enough of a set, the heaviest first."""
        chosen: list[str] = []
        for name in sorted(powers, key=lambda one: (-powers[one], one)):
            if 3 * sum(powers[one] for one in chosen) <= 2 * sum(powers.values()):
                chosen.append(name)
        return chosen

    def climb(self, start: int, end: int, change: Callable[[int, bytes], bytes] | None = None):
        """Climb with these blocks; returns the points believed and the heights asked for."""
        going = climb(self.points[start], end, POLICY, NOW_MS)
        asked: list[int] = []
        height = next(going)
        while True:
            asked.append(height)
            raw = self.raw[height]
            light = parse_light_block(raw if change is None else change(height, raw))
            try:
                height = going.send(light)
            except StopIteration as stopped:
                return stopped.value, asked


POWERS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 5), min_size=1, max_size=6)
EVOLUTIONS = st.lists(POWERS, min_size=2, max_size=12)


@settings(max_examples=40)
@given(EVOLUTIONS)
def test_skipping_believes_exactly_what_checking_one_after_the_other_does(sets):
    """The naive twin walks every height; where skipping accepts, it arrives at the same point."""
    chain = Chain(sets)
    for start in range(len(sets) - 1):
        for end in range(start + 1, len(sets)):
            known = sets[start]
            shared = sum(known.get(name, 0) for name in chain.signers[end])
            enough = end == start + 1 or Fraction(shared, sum(known.values())) > Fraction(1, 3)
            try:
                believed = believe(chain.raw[end], chain.points[start])
            except NotEnoughTrustError:
                assert not enough
            else:
                assert enough
                assert believed == chain.points[end]


@settings(max_examples=40)
@given(EVOLUTIONS)
def test_halving_the_way_always_arrives_at_what_the_naive_twin_believes(sets):
    chain = Chain(sets)
    end = len(sets) - 1
    believed, asked = chain.climb(0, end)
    assert believed == tuple(chain.points[one.height] for one in believed)
    assert believed[-1] == chain.points[end]
    assert [one.height for one in believed] == sorted(set(asked))
    assert len(asked) == len(set(asked)), "no light block is fetched twice"


def test_an_unchanged_set_needs_a_single_step_however_far():
    believed, asked = Chain([FOUR] * 30).climb(0, 29)
    assert asked == [29]
    assert [one.height for one in believed] == [29]


def test_a_set_that_is_replaced_whole_needs_the_header_of_the_change():
    chain = Chain([FOUR] * 9 + [{"w": 1, "x": 1, "y": 1, "z": 1}] * 9)
    believed, asked = chain.climb(0, 17)
    # Only the change from 9 to 10 cannot be skipped: the old set names the new one at height 9.
    assert {9} <= {one.height for one in believed}
    assert asked[:3] == [17, 8, 12]
    assert len(asked) < 8


def test_liars_of_a_third_of_the_trusted_weight_lead_nobody_astray():
    """They make up a chain of their own: its end has too little trust, its beginning another set.

    Asked for what lies between, they fail at the header next to the trusted one at the latest.
    """
    real = Chain([{"a": 1, "b": 1, "c": 1}] * 12)
    mine = {"a": 1, "m": 1}
    lies = {
        height: light_bytes(block(height, height, mine, "am", mine), NOWHERE)
        for height in range(1, 12)
    }
    with pytest.raises(InvalidDataError) as refusal:
        real.climb(0, 11, lambda height, _raw: lies[height])
    assert refusal.value.code == "ledger.light_wrong_set"


def test_an_answer_of_another_height_and_a_goal_that_is_not_above_are_refused():
    chain = Chain([FOUR] * 6)
    with pytest.raises(InvalidDataError) as refusal:
        chain.climb(0, 5, lambda _height, _raw: chain.raw[4])
    assert refusal.value.code == "ledger.light_wrong_answer"
    with pytest.raises(InvalidDataError) as refusal:
        chain.climb(3, 3)
    assert refusal.value.code == "ledger.light_not_newer"
