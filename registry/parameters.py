"""Network parameters: names, types, bounds, defaults.

Genesis may set any of them; later a ballot does, from a height on. What is not in the state has its
default. A development network sets the waits to 0. A value that would stop every node is refused
here, for nobody could vote on a better one afterwards.

Source: records.md, everything marked (policy).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, cast

from ledger.canonical import Value
from registry.civil_calendar import is_date
from registry.content_errors import ParameterRefusedError
from registry.rows import ParameterRow
from registry.state import State
from registry.state_key_names import parameter_key


@dataclass(frozen=True, slots=True)
class Bounds:
    """A whole number that a network may choose.

    Attributes:
        default: While neither genesis nor a ballot has set it.
        least: With less a network could not work.
        most: With more it could not be governed any more.
    """

    default: int
    least: int
    most: int


NUMBERS: Final[Mapping[str, Bounds]] = MappingProxyType(
    {
        "ballot_days": Bounds(30, 1, 3_660),
        "engine_version": Bounds(1, 1, 1_000),
        "founding_officer_days": Bounds(90, 0, 366_000),
        "governance_wait_days": Bounds(1, 0, 366),
        "import_wait_days": Bounds(60, 0, 3_660),
        "key_change_days": Bounds(90, 1, 3_660),
        "key_changes": Bounds(3, 1, 100),
        "key_provisional_days": Bounds(15, 0, 366),
        "officer_number_claim": Bounds(1, 0, 1),
        "proposed_days": Bounds(60, 1, 3_660),
        "received_days": Bounds(7, 0, 366),
    }
)
"""Whole numbers. `engine_version`: the rules and effects in code, see `registry.engine`.
`officer_number_claim`: 1 asks of a new officer an identity with a number that another agency
registered."""
ENGINE: Final = "engine_version"
HOLIDAYS: Final = "holidays"
HOLIDAYS_MAX: Final = 2_000
DEVELOPMENT: Final = "development"
"""Set by genesis alone: a network of one machine, whose own word it is."""
CONSENSUS: Final = "consensus"
"""Durations of consensus, which read and check them again where they are used; the same bounds."""
CONSENSUS_VERSION: Final = 1
CONSENSUS_FIELDS: Final = (
    *("propose_ms", "propose_step_ms", "prevote_ms", "prevote_step_ms", "precommit_ms"),
    *("precommit_step_ms", "timeout_max_ms", "precision_ms", "delay_ms", "delay_step_ms"),
    *("delay_max_ms", "idle_ms", "rebroadcast_ms"),
)
DURATION_MS_MAX: Final = 86_400_000
PROPOSE_MARGIN_MS: Final = 1_000
"""A proposal waits at least twice the precision of the clocks and this, in milliseconds."""


def number(state: State, name: str, height: int) -> int:
    """Return a parameter as it is in force at a height."""
    return cast("int", _value(state, name, height, NUMBERS[name].default))


def holidays(state: State, height: int) -> tuple[str, ...]:
    """Return the holidays in force at a height, ascending dates."""
    return cast("tuple[str, ...]", _value(state, HOLIDAYS, height, ()))


def is_development(state: State) -> bool:
    """Tell whether genesis says that this is a network of one machine."""
    return _value(state, DEVELOPMENT, 0, False) is True  # noqa: FBT003 - a parameter's value


def check_parameter(name: str, value: Value) -> None:
    """Refuse a name that no network has, and a value with which no network could work.

    Raises:
        ParameterRefusedError: An unknown name, another type, or out of bounds.
    """
    if name in NUMBERS:
        _check_number(name, value)
    elif name == HOLIDAYS:
        _check_holidays(value)
    elif name == CONSENSUS:
        _check_consensus(value)
    elif name == DEVELOPMENT:
        if type(value) is not bool:
            raise _refused(name, "is neither true nor false")
    else:
        raise _refused(name, "is none of a network's")


def check_decided(name: str, value: Value) -> None:
    """Refuse what agencies cannot decide by ballot: as `check_parameter`, and what genesis says.

    Raises:
        ParameterRefusedError: Likewise.
    """
    check_parameter(name, value)
    if name == DEVELOPMENT:
        raise _refused(name, "is set by genesis alone")


def _refused(name: str, why: str) -> ParameterRefusedError:
    return ParameterRefusedError(f"the parameter {name!r} {why}", parameter=name)


def _check_number(name: str, value: Value) -> None:
    bounds = NUMBERS[name]
    if type(value) is not int or not bounds.least <= value <= bounds.most:
        raise _refused(name, f"is no whole number of {bounds.least} … {bounds.most}")


def _check_holidays(value: Value) -> None:
    days = value if type(value) is tuple else (None,)
    if len(days) > HOLIDAYS_MAX or not all(type(day) is str and is_date(day) for day in days):
        raise _refused(HOLIDAYS, f"is no list of at most {HOLIDAYS_MAX} dates")
    if list(days) != sorted(dict.fromkeys(cast("tuple[str, ...]", days))):
        raise _refused(HOLIDAYS, "does not ascend")


def _check_consensus(value: Value) -> None:
    """Refuse durations with which no node could start.

    Source: the design's consensus.md, section Rules; `consensus.parameters` has the same bounds.
    """
    if type(value) is not tuple or len(value) != 1 + len(CONSENSUS_FIELDS):
        raise _refused(CONSENSUS, f"is no version and {len(CONSENSUS_FIELDS)} durations")
    if not all(type(one) is int and 0 <= one <= DURATION_MS_MAX for one in value):
        raise _refused(CONSENSUS, f"has a duration that is not 0 … {DURATION_MS_MAX} ms")
    version, *durations = cast("tuple[int, ...]", value)
    if version != CONSENSUS_VERSION:
        raise _refused(CONSENSUS, f"is not of version {CONSENSUS_VERSION}")
    given = dict(zip(CONSENSUS_FIELDS, durations, strict=True))
    for name in ("prevote_ms", "precommit_ms", "idle_ms", "rebroadcast_ms"):
        if given[name] == 0:
            raise _refused(CONSENSUS, f"has a {name} of 0")
    if given["propose_ms"] < 2 * given["precision_ms"] + PROPOSE_MARGIN_MS:
        raise _refused(CONSENSUS, "has a propose_ms below what clocks may differ")
    longest = max(given["propose_ms"], given["prevote_ms"], given["precommit_ms"])
    if given["timeout_max_ms"] < longest or given["delay_max_ms"] < given["delay_ms"]:
        raise _refused(CONSENSUS, "has a ceiling below what it limits")


def _value(state: State, name: str, height: int, default: Value) -> Value:
    row = state.read(parameter_key(name), ParameterRow)
    found = default
    if row is not None:
        for value, from_height in row.history:
            if from_height <= height:
                found = value
    return found
