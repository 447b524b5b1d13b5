"""The engine version: which rules and effects in code are in force, by decision of the agencies.

Code keeps every version for replay. A program that lacks the version of a height can neither judge
the entries of that height nor say that they are wrong: it stops.

Source: formats.md, section 4; records.md, section 1, principle 12.
"""

from collections.abc import Mapping

from ledger.canonical import Value
from registry import parameters
from registry.authority_errors import GovernanceConflictError
from registry.errors import EngineVersionError
from registry.rows import ParameterRow
from registry.state import State
from registry.state_key_names import parameter_key
from registry.vocabulary import ENGINE_VERSION


def check_engine(state: State, height: int) -> None:
    """Refuse to judge a height whose engine version this program lacks.

    Raises:
        EngineVersionError: It does; nothing is said about the entries.
    """
    needed = parameters.number(state, parameters.ENGINE, height)
    if needed > ENGINE_VERSION:
        raise EngineVersionError(
            f"block {height} needs engine version {needed}, this program has {ENGINE_VERSION}",
            height=height,
            needed=needed,
            known=ENGINE_VERSION,
        )


def check_newer(state: State, fields: Mapping[str, Value]) -> None:
    """Refuse a decision for an engine version below one that was decided before.

    Args:
        state: With all decisions so far.
        fields: `name` and `value` of any parameter.

    Raises:
        GovernanceConflictError: It is below.
    """
    if fields["name"] != parameters.ENGINE:
        return
    row = state.read(parameter_key(parameters.ENGINE), ParameterRow)
    history = () if row is None else row.history
    latest = history[-1][0] if history else parameters.NUMBERS[parameters.ENGINE].default
    value = fields["value"]
    assert type(value) is int, "check_parameter has seen it"
    assert type(latest) is int, "likewise"
    if value < latest:
        raise GovernanceConflictError("the engine version never goes back")
