"""Two floors that never import each other check the parameter `consensus`: they must agree.

What the state machine takes, every node must be able to start with.
"""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.errors import InvalidParametersError
from consensus.parameters import DURATION_MS_MAX, PRESETS, PROPOSE_MARGIN_MS, Parameters
from ledger.errors import InvalidDataError
from registry import parameters
from registry.content_errors import ParameterRefusedError

DURATIONS = len(fields(Parameters))
edges = st.sampled_from(
    [0, 1, PROPOSE_MARGIN_MS - 1, PROPOSE_MARGIN_MS, 1_200, 3_000, DURATION_MS_MAX, 2**63]
)
durations = edges | st.integers(-1, DURATION_MS_MAX + 1)
odd = st.none() | st.booleans() | st.text(max_size=2) | st.binary(max_size=2) | st.just(())


def consensus_takes(value) -> bool:
    try:
        Parameters.from_value(value)
    except (InvalidDataError, InvalidParametersError):
        return False
    return True


def registry_takes(value) -> bool:
    try:
        parameters.check_parameter("consensus", value)
    except ParameterRefusedError:
        return False
    return True


def durations_of(name):
    value = PRESETS[name].to_value()
    assert isinstance(value, tuple)
    return list(value)


@st.composite
def nearly_right(draw):
    """A preset with some places changed, cut or longer."""
    value = durations_of(draw(st.sampled_from(sorted(PRESETS))))
    for _ in range(draw(st.integers(0, 3))):
        value[draw(st.integers(0, DURATIONS))] = draw(durations | odd)
    return tuple(value[: draw(st.integers(DURATIONS, DURATIONS + 1))]) + tuple(
        draw(st.lists(durations, max_size=1))
    )


@given(nearly_right())
def test_both_take_or_refuse_a_value_that_is_nearly_right(value):
    assert registry_takes(value) == consensus_takes(value)


@given(st.lists(durations, min_size=DURATIONS, max_size=DURATIONS))
def test_both_take_or_refuse_any_durations(given_durations):
    value = (1, *given_durations)
    assert registry_takes(value) == consensus_takes(value)


@pytest.mark.parametrize("name", sorted(PRESETS))
@pytest.mark.parametrize("at", range(DURATIONS + 1))
@pytest.mark.parametrize("change", [-1, 1, -(10**9), 10**9])
def test_both_say_the_same_one_step_from_each_preset(name, at, change):
    value = durations_of(name)
    assert registry_takes(tuple(value))
    value[at] += change
    assert registry_takes(tuple(value)) == consensus_takes(tuple(value))


@pytest.mark.parametrize("value", [None, 0, True, "", b"", {}, ()])
def test_both_refuse_what_is_no_array(value):
    assert not registry_takes(value)
    assert not consensus_takes(value)


def test_both_name_the_same_durations():
    assert tuple(one.name for one in fields(Parameters)) == parameters.CONSENSUS_FIELDS
