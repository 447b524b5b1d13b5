"""`civreg network apply`: the folder and the application of an agency that wants to join."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from cli.commands import Command
from cli.development import Listen
from cli.errors import InvalidInputError
from cli.joining import Applicant, prepare_applicant
from cli.network_file import GENESIS_FILE, load_network
from cli.output import Context, accepted, suggested
from cli.passphrases import new_passphrase, passphrase_options, source
from ledger.genesis import Genesis, parse_genesis
from ledger.ids import print_id
from node.config import Address, parse_address

_FOLDER: Final = click.Path(path_type=Path, file_okay=False)


@click.command("apply", cls=Command, changes=True)
@click.argument("folder", metavar="DIR", type=_FOLDER)
@click.option("--name", required=True, help="Short name of the agency, for commands and files.")
@click.option("--title", help="Its name for people; by default the short one.")
@click.option(
    "--peer-address",
    metavar="HOST:PORT",
    required=True,
    help="Where other nodes will reach its node.",
)
@click.option(
    "--listen",
    metavar="HOST",
    default="127.0.0.1",
    show_default=True,
    help="Where its node listens: the port of --peer-address, the two after it for users.",
)
@click.option("--unit", metavar="CODE", help="Unit of its root office; by default the founders'.")
@click.option("--unit-date", metavar="DATE", help="A date on which the code means that unit.")
@click.option("--unencrypted", is_flag=True, help="Keys without a passphrase; only for tests.")
@passphrase_options
@click.pass_obj
def apply_for_membership(
    context: Context,
    /,
    folder: Path,
    name: str,
    *,
    title: str | None,
    unencrypted: bool,
    **given: str,
) -> None:
    """Prepare an agency that wants to join: keys, home of its node, and a signed application.

    Send DIR/NAME.application to the members, who vote on it; keep everything else. Start the node
    when the ballot has passed: it catches up, says that it is ready, and votes two heights later.

    \b
    Example:
        civreg network apply health --name health --peer-address node.health.example:7400
    """
    found = load_network(context.home)
    genesis = parse_genesis((context.home / GENESIS_FILE).read_bytes())
    applicant = _applicant(context, genesis, (name, title or name), given, unencrypted=unencrypted)
    if context.dry_run:
        accepted({"would_write": folder, "name": name}, context)
        return
    keys, application = prepare_applicant(found, genesis, folder, applicant)
    result = {
        "home": folder,
        "application": application,
        "agency_id": print_id(keys.agency_id),
        "peer_address": applicant.address,
    }
    lines = [
        context.say("network.applied", folder=folder, application=application),
        context.say("network.application_is_for_members", name=application.name),
    ]
    words = ("admit", application.name, "--name", title or name, "--kind", "KIND")
    next_command = suggested("governance", "propose", *words)
    accepted(result, context, lines=lines, next_command=next_command, elsewhere=True)


def _applicant(
    context: Context,
    genesis: Genesis,
    names: tuple[str, str],
    given: Mapping[str, str],
    *,
    unencrypted: bool,
) -> Applicant:
    try:
        place = parse_address(given["peer_address"])
    except ValueError as error:
        raise InvalidInputError(f"--peer-address: {error}", name="--peer-address") from error
    host, office = given["listen"], genesis.parts[0].office
    return Applicant(
        name=names[0],
        title=names[1],
        unit=(given["unit"] or office.unit, given["unit_date"] or office.unit_date),
        address=str(place),
        listen=Listen(
            Address(host, place.port),
            Address(host, place.port + 1),
            Address("127.0.0.1", place.port + 2),
        ),
        now_ms=time.time_ns() // 1_000_000,
        passphrase=None if unencrypted else new_passphrase(context, source()),
    )
