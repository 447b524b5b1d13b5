"""`civreg network`: a development network in a folder, the genesis ceremony, and what a network is.

The steps of the ceremony are in `cli.founding`.
"""

import contextlib
import time
from pathlib import Path

import click

from cli.applying import apply_for_membership
from cli.client import Client
from cli.commands import Command, Group
from cli.development import DEFAULT_UNITS, DEMONSTRATION_UNITS, Wish, make_development
from cli.errors import FileTakenError, NodesRunningError, NoNetworkError
from cli.founding import merge, node, part, sign_part, template
from cli.homes import make_home
from cli.local_nodes import LocalNodes
from cli.network_file import NETWORK_FILE, TRUST_FILE, load_network
from cli.output import Context, accepted, note, suggested
from cli.parameters import parameters
from cli.passphrases import given, passphrase_options, source
from ledger.ids import print_id
from ledger.trust import parse_trust

_LOOK_SECONDS = 0.5
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group(cls=Group)
def network() -> None:
    """Make a network, take part in its genesis, show what it is.

    \b
    Example:
        civreg network init --nodes 4 net
        civreg --home net network show
    """


@network.command(cls=Command, changes=True)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--nodes",
    type=click.IntRange(4, 10),
    default=4,
    show_default=True,
    help="How many agencies, each with a node.",
)
@click.option("--name", default="development", show_default=True, help="Name of the network.")
@click.option(
    "--demonstration-units",
    is_flag=True,
    help="Use the table of units from abroad instead of the administrative units.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_000),
    default=0,
    show_default=True,
    help="First port, three a node; 0 takes free ones.",
)
@passphrase_options
@click.pass_obj
def init(
    context: Context, folder: Path, nodes: int, name: str, *, demonstration_units: bool, port: int
) -> None:
    """Make a development network in DIR: genesis, node homes, keys of officers and agencies.

    Every wait is 0 and whoever has the folder is everybody: for trying out and for tests. Keys are
    unencrypted unless a passphrase is given by file or descriptor.

    \b
    Example:
        civreg network init --nodes 4 net
    """
    if (folder / NETWORK_FILE).exists() or (folder.is_dir() and any(folder.iterdir())):
        raise FileTakenError("the folder is not empty", name=str(folder))
    wish = Wish(
        name=name,
        nodes=nodes,
        time_ms=time.time_ns() // 1_000_000,
        unit_table=DEMONSTRATION_UNITS if demonstration_units else DEFAULT_UNITS,
        passphrase=given(source()),
        port=port,
    )
    if context.dry_run:
        accepted({"would_write": folder, "nodes": nodes, "name": name}, context)
        return
    made, genesis = make_development(folder, wish)
    result = {
        "network": name,
        "network_id": genesis.network_id,
        "folder": folder,
        "nodes": [str(node.home) for node in made.nodes],
        "offices": [office.name for office in made.offices],
        "officers": [officer.name for officer in made.officers],
    }
    lines = [
        context.say("network.made", name=name, folder=folder),
        context.say("network.id", network_id=genesis.network_id.hex()),
        context.say("network.nodes", count=nodes, names=", ".join(n.agency for n in made.nodes)),
        context.say("network.officers", names=", ".join(o.name for o in made.officers)),
    ]
    next_command = suggested("network", "run", folder)
    accepted(result, context, lines=lines, next_command=next_command)


@network.command(cls=Command)
@click.pass_obj
def show(context: Context) -> None:
    """Show the network of the home folder: name, id, fingerprint, nodes, offices, officers.

    \b
    Example:
        civreg --home net network show
    """
    found = load_network(context.home)
    trust_path = context.home / TRUST_FILE
    fingerprint = parse_trust(trust_path.read_bytes()).fingerprint if trust_path.exists() else ""
    result = {
        "network": found.name,
        "network_id": found.network_id,
        "fingerprint": fingerprint,
        "nodes": [
            {"agency": node.agency, "id": print_id(node.agency_id), "address": node.address}
            for node in found.nodes
        ],
        "offices": [
            {"name": office.name, "agency": office.agency, "id": print_id(office.office_id)}
            for office in found.offices
        ],
        "officers": [
            {"name": one.name, "office": one.office, "identity": print_id(one.identity)}
            for one in found.officers
        ],
    }
    lines = [
        context.say("network.name", name=found.name),
        context.say("network.id", network_id=found.network_id.hex()),
        context.say("network.fingerprint", fingerprint=fingerprint or "-"),
        *(
            context.say("network.node", agency=node.agency, address=node.address or "-")
            for node in found.nodes
        ),
        *(
            context.say("network.office", name=office.name, id=print_id(office.office_id))
            for office in found.offices
        ),
        *(
            context.say("network.officer", name=one.name, identity=print_id(one.identity))
            for one in found.officers
        ),
    ]
    accepted(result, context, lines=lines, next_command="civreg status")


@network.command("run", cls=Command)
@click.argument("folder", metavar="[DIR]", type=_FOLDER, required=False)
@click.pass_obj
def run_all(context: Context, folder: Path | None) -> None:
    """Run all nodes of a development network, each in a process of its own, until Ctrl-C.

    Their logs are node.log in the nodes' folders. If nodes of this network run already, nothing is
    started.

    \b
    Example:
        civreg network run net
    """
    found = load_network(folder or context.home)
    with Client(found.network_id) as client, LocalNodes(found, client) as nodes:
        here = nodes.answering()
        if here:
            raise NodesRunningError("nodes of this network run already", name=", ".join(here))
        nodes.start_all()
        for name in nodes.names:
            line = context.say("network.node", agency=name, address=nodes.address(name))
            accepted({"agency": name, "address": nodes.address(name)}, context, lines=line)
        note(context.say("network.running"), context)
        with contextlib.suppress(KeyboardInterrupt):  # As was said, it stops them.
            _watch(context, nodes)
            raise NoNetworkError("all nodes ended", address=found.name)


def _watch(context: Context, nodes: LocalNodes) -> None:
    """Say which nodes end, until all have."""
    running = list(nodes.names)
    while running:
        time.sleep(_LOOK_SECONDS)
        for name in [name for name in running if not nodes.is_running(name)]:
            running.remove(name)
            _say_ended(context, name, nodes.home(name))


def _say_ended(context: Context, name: str, home: Path) -> None:
    """Say that one node is gone; the others go on, as they would on machines of their own."""
    again = suggested("node", "run", home)
    line = context.say("network.ended", agency=name)
    accepted({"agency": name, "ended": True}, context, lines=line, next_command=again)


@network.command(cls=Command, changes=True)
@click.argument("folder", metavar="DIR", type=_FOLDER)
@click.option(
    "--officer",
    "officers",
    multiple=True,
    metavar="NAME",
    help="Whose key files are copied; may be given several times.",
)
@click.pass_obj
def home(context: Context, folder: Path, officers: tuple[str, ...]) -> None:
    """Make a home folder for one person: genesis, trust bundle, addresses, and only these keys.

    Without an officer it is a citizen's home, who then makes keys in it. Run it while the nodes
    run, so that their addresses are known.

    \b
    Example:
        civreg --home net network home desk --officer justice-1
    """
    found = load_network(context.home)
    if context.dry_run:
        accepted({"would_write": folder}, context)
        return
    made = make_home(found, folder, officers)
    result = {"home": folder, "network": made.name, "officers": list(officers)}
    next_command = suggested("--home", folder, "status")
    accepted(
        result, context, lines=context.say("network.home", folder=folder), next_command=next_command
    )


for step in (template, part, sign_part, merge, node):
    network.add_command(step)
network.add_command(apply_for_membership)
network.add_command(parameters)
