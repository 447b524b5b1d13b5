"""`civreg governance propose`: ballots about members, validators and parameters."""

import json
from pathlib import Path
from typing import Any, Final, cast

import click

from cli.acting import Actor
from cli.commands import Command, Group
from cli.decision_acts import (
    Signers,
    Signing,
    agency_named,
    carry_out,
    governing,
    name_of,
    open_governance,
)
from cli.decision_options import say_done, signing
from cli.errors import InvalidInputError
from cli.listed_rows import RowWords
from cli.output import Context, suggested
from consensus.parameters import PRESETS
from ledger.canonical import Value
from ledger.errors import InvalidDataError
from ledger.ids import print_id
from ledger.membership import APPLICATION_BYTES_MAX, parse_application
from ledger.parts import ObjectPart

CONSENSUS: Final = "consensus"
_OLD_FILE: Final = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group(cls=Group)
def propose() -> None:
    """Open a ballot; whose keys open it has voted for it.

    \b
    Example:
        civreg governance propose parameter received_days 3
    """


@propose.command(cls=Command, changes=True)
@click.argument("application", metavar="FILE.application", type=_OLD_FILE)
@click.option("--name", required=True, help="What the new member is called.")
@click.option("--kind", required=True, help="Kind of the agency, such as health.")
@click.option(
    "--weight",
    type=click.IntRange(0, 2**31 - 1),
    default=1,
    show_default=True,
    help="Weight of its validator; 0: a member without one.",
)
@signing
@click.pass_obj
def admit(
    context: Context, /, application: Path, name: str, kind: str, *, weight: int, given: Signing
) -> None:
    """Propose to admit an agency by the application that it has signed.

    Its validator votes two heights after its node has caught up and said so.

    \b
    Example:
        civreg governance propose admit health.application --name "Y tế" --kind health
    """
    raw = application.read_bytes()
    with open_governance(context, given.asker) as actor:
        try:
            part = parse_application(
                raw[: APPLICATION_BYTES_MAX + 1], actor.genesis.network_id
            ).part
        except InvalidDataError as error:
            raise InvalidInputError(f"no application: {error}", name=str(application)) from error
        shown: dict[str, object] = {
            "agency_id": print_id(part.agency_id),
            "peer_address": part.peer_address,
        }
        fields: dict[str, Value] = {
            "name": name,
            "kind": kind,
            "weight": weight,
            "application": raw,
        }
        _open_ballot(context, actor, given, ("admit", fields), shown)


@propose.command(cls=Command, changes=True)
@click.argument("member", metavar="AGENCY")
@click.option(
    "--weight",
    type=click.IntRange(0, 2**31 - 1),
    required=True,
    help="Its weight; 0 takes it out of the set, the agency stays a member.",
)
@click.option("--at", "height", type=click.IntRange(1), help="From which height; else two later.")
@signing
@click.pass_obj
def validator(
    context: Context, /, member: str, *, weight: int, height: int | None, given: Signing
) -> None:
    """Propose another weight for the validator of a member.

    \b
    Example:
        civreg governance propose validator bank --weight 0
    """
    with open_governance(context, given.asker) as actor:
        agency = agency_named(actor, member)
        fields: dict[str, Value] = {"agency": agency, "weight": weight}
        if height is not None:
            fields["height"] = height
        shown: dict[str, object] = {"agency": name_of(actor, agency.hex()), "weight": weight}
        _open_ballot(context, actor, given, ("validator", fields), shown)


@propose.command(cls=Command, changes=True)
@click.argument("member", metavar="AGENCY")
@signing
@click.pass_obj
def remove(context: Context, /, member: str, given: Signing) -> None:
    """Propose to remove an agency: its validator, offices, officers and keys end with it.

    \b
    Example:
        civreg governance propose remove bank
    """
    with open_governance(context, given.asker) as actor:
        agency = agency_named(actor, member)
        shown: dict[str, object] = {"agency": name_of(actor, agency.hex())}
        _open_ballot(context, actor, given, ("remove", {"agency": agency}), shown)


@propose.command(cls=Command, changes=True)
@click.argument("name")
@click.argument("value", metavar="JSON|PRESET")
@click.option("--at", "height", type=click.IntRange(1), help="From which height; else two later.")
@signing
@click.pass_obj
def parameter(
    context: Context, /, name: str, value: str, *, height: int | None, given: Signing
) -> None:
    """Propose another value of a network parameter; `network parameters` lists them.

    The parameter `consensus` also takes the name of a preset: default, lan.

    \b
    Example:
        civreg governance propose parameter received_days 3
        civreg governance propose parameter consensus lan
    """
    wanted = _parameter(name, value)
    fields: dict[str, Value] = {"name": name, "value": wanted}
    if height is not None:
        fields["height"] = height
    with open_governance(context, given.asker) as actor:
        shown: dict[str, object] = {"name": name, "value": wanted}
        _open_ballot(context, actor, given, ("parameter", fields), shown)


def _parameter(name: str, text: str) -> Value:
    if name == CONSENSUS and text in PRESETS:
        return PRESETS[text].to_value()
    try:
        return _frozen(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"the value is no JSON: {error}", name=name) from error


def _frozen(value: Any) -> Value:  # noqa: ANN401 - whatever JSON holds
    if isinstance(value, list):
        return tuple([_frozen(item) for item in value])
    if isinstance(value, float | dict) or value is None:
        raise ValueError("a parameter is a whole number, a text, true, false, or a list of these")
    return cast("Value", value)


def _open_ballot(
    context: Context,
    actor: Actor,
    given: Signing,
    proposal: tuple[str, dict[str, Value]],
    shown: dict[str, object],
) -> None:
    action, fields = proposal
    place = governing(actor, given)
    words = RowWords(context, actor, "ballot")
    said = {"action": words.action(action), "words": words.words(shown), "agency": place.agency}
    question = context.say("governance.open", **said)
    item = ObjectPart("ballot", {"action": action, "fields": fields})
    done = carry_out(
        context, actor, "ballot/open", item, Signers(place, draft=given.draft), question
    )
    ballot = print_id(done.made)
    say_done(
        context,
        {"ballot": ballot, "action": action, **shown, "agency_for": place.agency},
        done,
        said="governance.opened",
        next_command=suggested("governance", "vote", ballot, "for", "--by", "AGENCY"),
        words={"action": words.action(action)},
    )
