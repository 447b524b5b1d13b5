"""Every parameter of a network has a type and bounds; what would stop all nodes is refused."""

import pytest

from ledger.errors import InvalidGenesisError
from ledger.parts import ObjectPart
from registry.content_errors import ParameterRefusedError
from registry.genesis_state import initial_state
from registry.parameters import HOLIDAYS_MAX, NUMBERS, check_parameter
from tests.registry.town import CALM, Town, by, founding

GOOD_CONSENSUS = (
    *(1, 1_200, 300, 400, 200, 400, 200, 6_000, 100, 2_000, 500, 10_000, 60_000, 500),
)
IMPOSSIBLE = [
    ("consensus", 7),
    ("consensus", ()),
    ("consensus", GOOD_CONSENSUS[:-1]),
    ("consensus", (2, *GOOD_CONSENSUS[1:])),
    ("consensus", (*GOOD_CONSENSUS[:-1], 0)),
    ("consensus", (*GOOD_CONSENSUS[:-1], 86_400_001)),
    ("consensus", (1, 1_199, *GOOD_CONSENSUS[2:])),
    ("consensus", (*GOOD_CONSENSUS[:7], 1_199, *GOOD_CONSENSUS[8:])),
    ("consensus", (*GOOD_CONSENSUS[:11], 1_999, *GOOD_CONSENSUS[12:])),
    ("development", 1),
    ("holidays", None),
    ("holidays", ("2026-01-02", "2026-01-01")),
    ("holidays", ("2026-01-01", "2026-01-01")),
    ("holidays", (1,)),
    ("holidays", ("2026-02-30",)),
    ("idle_ms", 1_000),
    *((name, bounds.least - 1) for name, bounds in NUMBERS.items()),
    *((name, bounds.most + 1) for name, bounds in NUMBERS.items()),
    *((name, True) for name in NUMBERS),
]


def founded_with(name, value):
    """A genesis document; not the shared ones, among which True would be found as 1."""
    return founding.__wrapped__(tuple({**CALM, name: value}.items()))


@pytest.mark.parametrize(("name", "value"), IMPOSSIBLE)
def test_an_impossible_value_is_refused_from_a_ballot_and_from_genesis(name, value):
    with pytest.raises(ParameterRefusedError):
        check_parameter(name, value)
    town = Town()
    fields = {"name": name, "value": value}
    objects = [ObjectPart("ballot", {"action": "parameter", "fields": fields})]
    hands = [by("agency", "justice", "govern", number) for number in range(2)]
    entry = town.entry("ballot/open", hands, objects=objects, office=None)
    assert town.refuse(entry) == "registry.parameter"
    with pytest.raises(InvalidGenesisError):
        initial_state(founded_with(name, value))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("consensus", GOOD_CONSENSUS),
        ("holidays", ()),
        ("holidays", ("2026-04-30", "2026-05-01")),
        *((name, bounds.least) for name, bounds in NUMBERS.items()),
        *((name, bounds.most) for name, bounds in NUMBERS.items()),
    ],
)
def test_values_up_to_the_bounds_are_taken(name, value):
    check_parameter(name, value)
    initial_state(founded_with(name, value))


def test_there_are_not_too_many_holidays():
    days = [f"{year}-01-{day:02}" for year in range(2026, 2126) for day in range(1, 22)]
    check_parameter("holidays", tuple(days[:HOLIDAYS_MAX]))
    with pytest.raises(ParameterRefusedError):
        check_parameter("holidays", tuple(days[: HOLIDAYS_MAX + 1]))


def test_no_ballot_makes_a_network_a_development_network():
    town = Town(parameters={**CALM, "development": False})
    given = {"action": "parameter", "fields": {"name": "development", "value": True}}
    objects = [ObjectPart("ballot", given)]  # type: ignore[arg-type]
    hands = [by("agency", "justice", "govern", number) for number in range(2)]
    entry = town.entry("ballot/open", hands, objects=objects, office=None)
    assert town.refuse(entry) == "registry.parameter"


def test_every_default_is_within_its_bounds():
    for name, bounds in NUMBERS.items():
        check_parameter(name, bounds.default)
