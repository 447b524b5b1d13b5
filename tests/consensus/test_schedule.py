"""Proposers, timeouts, timeliness and the parameters that genesis may name."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.errors import InvalidParametersError
from consensus.events import TimerKind
from consensus.messages import Phase, Status
from consensus.parameters import DEFAULT, DURATION_MS_MAX, LAN, PRESETS, Parameters
from consensus.schedule import (
    delay_max_ms,
    height_reached_by_some_honest,
    idle_delay_ms,
    is_timely,
    round_robin,
    timeout_ms,
)
from ledger.canonical import decode, encode
from ledger.errors import InvalidDataError
from tests.consensus.committee import FOUR, committee


def test_the_proposer_goes_round_by_height_plus_round():
    assert [round_robin(FOUR, 1, number) for number in range(5)] == [1, 2, 3, 0, 1]
    assert [round_robin(FOUR, height, 0) for height in range(1, 5)] == [1, 2, 3, 0]
    seven = committee(1, 1, 1, 1, 1, 1, 5)
    turns = Counter(round_robin(seven, 3, number) for number in range(70))
    assert turns == Counter(dict.fromkeys(range(7), 10)), "everybody, whatever the weight"


@pytest.mark.parametrize(
    ("parameters", "kind", "delays"),
    [
        (DEFAULT, TimerKind.PROPOSE, [3_000, 3_500, 4_000]),
        (DEFAULT, TimerKind.PREVOTE, [1_000, 1_500, 2_000]),
        (DEFAULT, TimerKind.PRECOMMIT, [1_000, 1_500, 2_000]),
        (LAN, TimerKind.PROPOSE, [1_200, 1_500, 1_800]),
        (LAN, TimerKind.PREVOTE, [400, 600, 800]),
        (LAN, TimerKind.PRECOMMIT, [400, 600, 800]),
        (DEFAULT, TimerKind.REBROADCAST, [1_000, 1_000, 1_000]),
        (DEFAULT, TimerKind.IDLE, [60_000, 60_000, 60_000]),
    ],
)
def test_timeouts_grow_linearly(parameters, kind, delays):
    assert [timeout_ms(parameters, kind, number) for number in range(3)] == delays


@given(st.integers(0, 2**31 - 1), st.sampled_from(TimerKind), st.sampled_from([DEFAULT, LAN]))
def test_no_timeout_is_above_its_ceiling_or_shrinks(number, kind, parameters):
    delay = timeout_ms(parameters, kind, number)
    assert delay <= timeout_ms(parameters, kind, number + 1)
    if kind in {TimerKind.PROPOSE, TimerKind.PREVOTE, TimerKind.PRECOMMIT}:
        assert delay <= parameters.timeout_max_ms
    assert delay_max_ms(parameters, number) <= 10_000


def test_the_ceilings_are_reached():
    assert timeout_ms(DEFAULT, TimerKind.PROPOSE, 24) == 15_000
    assert timeout_ms(DEFAULT, TimerKind.PROPOSE, 25) == 15_000
    assert timeout_ms(LAN, TimerKind.PROPOSE, 1_000) == 6_000
    assert delay_max_ms(DEFAULT, 0) == 2_000
    assert delay_max_ms(DEFAULT, 16) == delay_max_ms(DEFAULT, 17) == 10_000


def test_timely_includes_both_bounds():
    received = 10_000_000
    earliest, latest = received - 2_000 - 500, received + 500
    assert [is_timely(DEFAULT, t, received, 0) for t in (earliest - 1, earliest)] == [False, True]
    assert [is_timely(DEFAULT, t, received, 0) for t in (latest, latest + 1)] == [True, False]


def test_the_idle_delay_is_never_negative_nor_longer_than_idle():
    assert idle_delay_ms(DEFAULT, 1_000, 1_000) == 60_000
    assert idle_delay_ms(DEFAULT, 1_000, 31_000) == 30_000
    assert idle_delay_ms(DEFAULT, 1_000, 10**9) == 0
    assert idle_delay_ms(DEFAULT, 10**9, 0) == 60_000, "the clock is far behind the chain"


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_the_presets_pass_and_survive_encoding(preset):
    preset.check()
    assert Parameters.from_value(decode(encode(preset.to_value()), 200)) == preset


def test_genesis_refuses_a_propose_timeout_below_twice_the_precision_and_a_second():
    replace(DEFAULT, propose_ms=2_000).check()
    with pytest.raises(InvalidParametersError):
        replace(DEFAULT, propose_ms=1_999).check()
    replace(LAN, precision_ms=100).check()
    with pytest.raises(InvalidParametersError):
        replace(LAN, precision_ms=101).check()


@pytest.mark.parametrize(
    "change",
    [
        {"idle_ms": -1},
        {"idle_ms": 0},
        {"rebroadcast_ms": 0},
        {"prevote_ms": 0},
        {"precommit_ms": 0},
        {"idle_ms": DURATION_MS_MAX + 1},
        {"timeout_max_ms": 2_999},
        {"delay_max_ms": 1_999},
    ],
    ids=repr,
)
def test_durations_with_which_no_network_works_are_refused(change):
    with pytest.raises(InvalidParametersError):
        replace(DEFAULT, **change).check()


def test_parameters_of_another_shape_are_refused():
    value = DEFAULT.to_value()
    assert isinstance(value, tuple)
    for wrong in ((2, *value[1:]), value[:-1], (*value, 1), (*value[:-1], True), "lan", None):
        with pytest.raises(InvalidDataError):
            Parameters.from_value(wrong)


def status(last_committed):
    return Status(last_committed + 1, 0, Phase.PROPOSE, last_committed)


def test_the_height_that_some_honest_node_has_reached_takes_more_than_a_third():
    assert height_reached_by_some_honest({}, FOUR) == 0
    assert height_reached_by_some_honest({1: status(90)}, FOUR) == 0
    assert height_reached_by_some_honest({1: status(90), 2: status(7)}, FOUR) == 7
    assert height_reached_by_some_honest({9: status(90), 2: status(7), 0: status(8)}, FOUR) == 7
    heavy = committee(1, 1, 1, 3)
    assert height_reached_by_some_honest({3: status(90)}, heavy) == 90
