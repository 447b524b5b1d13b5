"""Network parameters that the state machine reads: names, defaults, bounds.

Genesis may set any of them; later a ballot does, from a height on. What is not in the state has its
default. A development network sets the waits to 0.

Source: records.md, everything marked (policy).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, cast

from ledger.canonical import Value
from registry.civil_calendar import is_date
from registry.content_errors import ParameterRefusedError
from registry.rows import ParameterRow
from registry.state import State
from registry.state_key_names import parameter_key

NUMBERS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "ballot_days": 30,
        "founding_officer_days": 90,
        "governance_wait_days": 1,
        "import_wait_days": 60,
        "key_provisional_days": 15,
        "officer_number_claim": 1,
        "proposed_days": 60,
        "received_days": 7,
    }
)
"""Whole numbers from 0 on, with their defaults. `officer_number_claim`: 1 asks of a new officer an
identity with a number that another agency registered."""
NUMBER_MAX: Final = 1_000_000
HOLIDAYS: Final = "holidays"
HOLIDAYS_MAX: Final = 2_000


def number(state: State, name: str, height: int) -> int:
    """Return a parameter as it is in force at a height."""
    return cast("int", _value(state, name, height, NUMBERS[name]))


def holidays(state: State, height: int) -> tuple[str, ...]:
    """Return the holidays in force at a height, ascending dates."""
    return cast("tuple[str, ...]", _value(state, HOLIDAYS, height, ()))


def check_parameter(name: str, value: Value) -> None:
    """Refuse a value that a parameter cannot have.

    A name that the state machine does not read is another floor's parameter: any value will do.

    Raises:
        ParameterRefusedError: A number out of bounds, or holidays that are no ascending dates.
    """
    if name in NUMBERS:
        if type(value) is not int or not 0 <= value <= NUMBER_MAX:
            raise ParameterRefusedError(f"the parameter {name!r} is no number of 0 … {NUMBER_MAX}")
    elif name == HOLIDAYS:
        days = value if type(value) is tuple else (None,)
        if len(days) > HOLIDAYS_MAX or not all(type(day) is str and is_date(day) for day in days):
            raise ParameterRefusedError("the holidays are no dates")
        if list(days) != sorted(dict.fromkeys(cast("tuple[str, ...]", days))):
            raise ParameterRefusedError("the holidays do not ascend")


def _value(state: State, name: str, height: int, default: Value) -> Value:
    row = state.read(parameter_key(name), ParameterRow)
    found = default
    if row is not None:
        for value, from_height in row.history:
            if from_height <= height:
                found = value
    return found
