"""`civreg node evidence`: who contradicted himself, as the chain of a running node holds it."""

from pathlib import Path
from typing import Any, Final

import click

from cli.client import Call, Client
from cli.commands import Command
from cli.errors import NoNetworkError
from cli.network_file import NodePlace
from cli.output import Context, accepted
from ledger.ids import AgencyId
from node.config import load_config
from registry.civil_calendar import civil_date

PATH: Final = "/v1/evidence"
_HOME: Final = click.Path(path_type=Path, file_okay=False)


@click.command("evidence", cls=Command)
@click.argument("folder", metavar="[NODE]", type=_HOME, required=False)
@click.option("--before", type=click.IntRange(1), help="Only of blocks below this height.")
@click.option(
    "--limit",
    type=click.IntRange(1, 64),
    default=16,
    show_default=True,
    help="How many pieces at most.",
)
@click.pass_obj
def evidence(context: Context, folder: Path | None, before: int | None, limit: int) -> None:
    """List the evidence in the blocks of a running node, the newest first.

    Each piece shows two signed messages of one validator that contradict each other. Take it out of
    a copy of the chain to check it anywhere: civreg evidence list COPY --out DIR.

    \b
    Example:
        civreg node evidence net/node-0
    """
    folder = folder or context.home
    config = load_config(folder)
    ports = NodePlace("", config.agency or AgencyId(bytes(16)), "", folder).ports
    if "public" not in ports:
        raise NoNetworkError(f"no node runs in {folder}", address=str(folder))
    query = f"?limit={limit}" + ("" if before is None else f"&before={before}")
    with Client(bytes(32)) as client:
        call = Call(address=f"http://127.0.0.1:{ports['public']}", path=PATH + query)
        found = client.send(call).json["evidence"]
    for piece in found:
        accepted(piece, context, lines=piece_lines(piece, context))
    if not found:
        accepted({"evidence": 0}, context, lines=context.say("node.evidence.none"))


def piece_lines(piece: dict[str, Any], context: Context) -> list[str]:
    """Return what a person reads of a piece of evidence."""
    said = [context.say("evidence.nil") if one is None else one[:16] for one in piece["said"]]
    return [
        context.say(
            "node.evidence.piece",
            name=piece["name"] or piece["agency"],
            message=context.say(f"evidence.message.{piece['message']}"),
            height=piece["height"],
            round=piece["round"],
            block=piece["block"],
            date=civil_date(piece["block_time_ms"]),
        ),
        context.say("node.evidence.said", first=said[0], second=said[1]),
    ]
