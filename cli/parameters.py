"""`civreg network parameters`: what a network has agreed on, in which unit, and within what bounds.

Read before a ballot is opened: a value out of bounds is refused by every node.
"""

from collections.abc import Mapping
from typing import Final, cast

import click

from cli.act_flow import open_actor
from cli.acting import Actor
from cli.commands import Command
from cli.decision_options import asking
from cli.output import Context, accepted
from consensus.parameters import DEFAULT, PRESETS
from ledger.canonical import Value
from registry.parameters import (
    CONSENSUS,
    CONSENSUS_FIELDS,
    DEVELOPMENT,
    DURATION_MS_MAX,
    ENGINE,
    HOLIDAYS,
    HOLIDAYS_MAX,
    NUMBERS,
    Bounds,
)
from registry.rows import ParameterRow
from registry.state_key_names import parameter_key

NAMES: Final = tuple(sorted((*NUMBERS, CONSENSUS, DEVELOPMENT, HOLIDAYS)))
DAYS: Final = "days"
UNITS: Final[Mapping[str, str]] = {
    CONSENSUS: "ms",
    DEVELOPMENT: "bool",
    ENGINE: "version",
    HOLIDAYS: "dates",
    "key_changes": "times",
    "officer_number_claim": "switch",
}
"""What is not counted in days."""
_BOUNDS: Final[Mapping[str, Bounds]] = {
    **NUMBERS,
    CONSENSUS: Bounds(0, 0, DURATION_MS_MAX),
    HOLIDAYS: Bounds(0, 0, HOLIDAYS_MAX),
}
_DEFAULTS: Final[Mapping[str, Value]] = {
    **{name: bounds.default for name, bounds in NUMBERS.items()},
    CONSENSUS: DEFAULT.to_value(),
    DEVELOPMENT: False,
    HOLIDAYS: (),
}


@click.command(cls=Command)
@asking
@click.pass_obj
def parameters(context: Context, asker: str) -> None:
    """List the network's parameters: value in force, unit, bounds, and what is decided for later.

    \b
    Example:
        civreg --home net network parameters
    """
    with open_actor(context, asker) as actor:
        for result in parameters_of(actor):
            accepted(result, context, lines=_lines(context, result))


def parameters_of(actor: Actor) -> list[dict[str, object]]:
    """Return all parameters as the state has them for the next block, by name."""
    keys = {name: parameter_key(name) for name in NAMES}
    actor.remote.prefetch(keys.values())
    return [
        _parameter(name, actor.state.read(key, ParameterRow), actor.remote.height + 1)
        for name, key in keys.items()
    ]


def _parameter(name: str, row: ParameterRow | None, height: int) -> dict[str, object]:
    """Return one parameter; `bounds` count dates for `holidays`, and are of each duration."""
    history = ((_DEFAULTS[name], 0), *(() if row is None else row.history))
    value, since = [one for one in history if one[1] <= height][-1]
    bounds = _BOUNDS.get(name)
    return {
        "name": name,
        "value": _shown(name, value),
        "unit": UNITS.get(name, DAYS),
        "default": _shown(name, _DEFAULTS[name]),
        "least": None if bounds is None else bounds.least,
        "most": None if bounds is None else bounds.most,
        "by_ballot": name != DEVELOPMENT,
        "from_height": since,
        "coming": [
            {"value": _shown(name, one), "from_height": first}
            for one, first in history
            if first > height
        ],
    }


def _shown(name: str, value: Value) -> object:
    if name == CONSENSUS:
        _version, *durations = cast("tuple[int, ...]", value)
        return dict(zip(CONSENSUS_FIELDS, durations, strict=True))
    return list(value) if isinstance(value, tuple) else value


def _lines(context: Context, result: Mapping[str, object]) -> list[str]:
    name = str(result["name"])
    unit = context.say(f"parameter.unit.{result['unit']}")
    lines = [
        context.say(
            "parameter.is", name=name, value=_words(context, result["value"]), unit=unit,
            meaning=context.say(f"parameter.meaning.{name}"),
        )
    ]  # fmt: skip
    if result["least"] is None:
        lines.append(context.say("parameter.by_genesis"))
    else:
        default = _preset(result["default"]) or _words(context, result["default"])
        key = name if name in {CONSENSUS, HOLIDAYS} else "number"
        lines.append(
            context.say(
                f"parameter.bounds.{key}", least=f"{result['least']:,}", most=f"{result['most']:,}",
                default=default, presets=", ".join(PRESETS),
            )
        )  # fmt: skip
    for one in cast("list[dict[str, object]]", result["coming"]):
        value = _words(context, one["value"])
        lines.append(context.say("parameter.coming", value=value, height=one["from_height"]))
    return lines


def _words(context: Context, value: object) -> str:
    """Return a value as one types it into a ballot, or the preset that it is."""
    if isinstance(value, dict):
        durations = ", ".join(f"{field} {duration}" for field, duration in value.items())
        preset = _preset(value)
        return f"{preset}: {durations}" if preset else durations
    if isinstance(value, list):
        return ", ".join(value) or context.say("parameter.none")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _preset(value: object) -> str:
    """Return the name of the preset that durations are, empty for others."""
    found = [word for word, one in PRESETS.items() if _shown(CONSENSUS, one.to_value()) == value]
    return found[0] if found else ""
