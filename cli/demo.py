"""`civreg demo`: four agencies, four nodes on this machine, the whole main job in a minute."""

import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cli.commands import Command
from cli.errors import FileTakenError, NotFoundError
from cli.output import Context, accepted, note, suggested

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.acting import Actor
    from cli.demo_scene import OwnRegister, Scene, Tally
    from cli.local_nodes import LocalNodes

NODES: Final = 4
BIRTHS_DEFAULT: Final = 240
BIRTHS_MIN: Final = 12
TITLES_SHARE: Final = 6
"""One generated title for so many births; of an own register, so many are sold."""
TITLES_MIN: Final = 4
SEED: Final = 20260701


@click.command(cls=Command)
@click.option(
    "--data",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Take all land titles from this register (CSV), with generated owners.",
)
@click.option(
    "--map",
    "mapping",
    default="hmlr_price_paid",
    show_default=True,
    help="Mapping for --data: one that ships with civreg, or a file.",
)
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="New folder for everything; by default one in the folder for temporary files.",
)
@click.option(
    "--births",
    type=click.IntRange(BIRTHS_MIN, 20_000),
    default=BIRTHS_DEFAULT,
    show_default=True,
    help="How many births.",
)
@click.option(
    "--kill",
    "victim",
    default="bank",
    show_default=True,
    help="Agency whose node is killed: justice, police, land or bank.",
)
@click.pass_obj
def demo(
    context: Context,
    data: Path | None,
    mapping: str,
    folder: Path | None,
    births: int,
    victim: str,
) -> None:
    """Run the main job with four nodes on this machine, and say what happened.

    Births, identities with keys, land titles imported and sold, refusals, a node killed and back, a
    receipt checked offline, the chain replayed from a copy. Everybody in it is generated. With
    --data all titles come from your own register, and it is those that are sold.

    \b
    Example:
        civreg demo
        civreg demo --json --births 60
        civreg demo --data sales.csv
    """
    from cli.development_agencies import AGENCIES  # noqa: PLC0415 - only here the whole network is needed

    names = [plan.name for plan in AGENCIES[:NODES]]
    if victim not in names:
        raise NotFoundError(f"there is no node {victim!r}; known: {', '.join(names)}", name=victim)
    if folder is not None and folder.is_dir() and any(folder.iterdir()):
        raise FileTakenError("the folder is not empty", name=str(folder))
    began_s = time.monotonic()
    stage = folder or Path(tempfile.mkdtemp(prefix="civreg-demo-"))
    tally = play(context, stage, births=births, victim=victim, register=(data, mapping))
    _tell(context, stage.absolute(), tally, time.monotonic() - began_s)


def play(
    context: Context,
    folder: Path,
    *,
    births: int,
    victim: str,
    register: tuple[Path | None, str] = (None, ""),
) -> "Tally":
    """Run all steps; the nodes are stopped whatever happens.

    Raises:
        CivregError: A step did not give what it must.
    """
    from cli.acting import Actor  # noqa: PLC0415
    from cli.demo_proofs import replay_a_copy  # noqa: PLC0415
    from cli.local_nodes import LocalNodes  # noqa: PLC0415

    note(context.say("demo.folder", folder=folder), context)
    found_network(context, folder)
    with Actor.open(folder) as actor, LocalNodes(actor.network, actor.client) as nodes:
        scene = _set_up(context, folder, actor, nodes, births=births, victim=victim)
        scene.register = _own_register(actor, register)
        note(context.say("demo.starting", count=NODES), context)
        nodes.start_all()
        for number, step in enumerate(steps(scene.register), start=1):
            note(f"\n{number}. {context.say(f'demo.step_{step.__name__}')}", context)
            step(scene)
        nodes.stop_all()
        note(f"\n{context.say('demo.step_replay_a_copy')}", context)
        replay_a_copy(scene)
    return scene.tally


def found_network(context: Context, folder: Path) -> None:
    """Make genesis for four agencies with founding officers, and the homes of their nodes."""
    from cli.development import DEMONSTRATION_UNITS, Wish, make_development  # noqa: PLC0415

    wish = Wish(
        name="demonstration",
        nodes=NODES,
        time_ms=time.time_ns() // 1_000_000,
        unit_table=DEMONSTRATION_UNITS,
    )
    network, genesis = make_development(folder, wish)
    officers = len(network.officers)
    note(
        context.say(
            "demo.founded",
            agencies=", ".join(node.agency for node in network.nodes),
            officers=officers,
            network_id=genesis.network_id.hex(),
        ),
        context,
    )


def _own_register(actor: "Actor", register: tuple[Path | None, str]) -> "OwnRegister | None":
    from cli.demo_register import read_own_register  # noqa: PLC0415

    file, mapping = register
    return None if file is None else read_own_register(actor, file, mapping)


def steps(register: "OwnRegister | None") -> "list[Callable[[Scene], None]]":
    """Return the steps while the nodes run, in order."""
    from cli import (  # noqa: PLC0415
        demo_crash,
        demo_land,
        demo_owner,
        demo_people,
        demo_proofs,
        demo_register,
    )

    return [
        demo_people.register_adults,
        demo_people.register_births,
        demo_land.import_titles if register is None else demo_register.import_own_register,
        demo_land.sell_titles,
        demo_owner.update_contacts,
        demo_owner.try_what_is_refused,
        demo_crash.crash_a_node,
        demo_crash.bring_it_back,
        demo_proofs.compare_roots,
        demo_proofs.verify_a_receipt,
    ]


def _set_up(
    context: Context, folder: Path, actor: "Actor", nodes: "LocalNodes", *, births: int, victim: str
) -> "Scene":
    from cli.demo_scene import Scene  # noqa: PLC0415
    from cli.people import PeopleMaker, communes  # noqa: PLC0415
    from cli.staff import staff_of  # noqa: PLC0415

    units = communes(actor.genesis.attachments["table/admin_unit"].decode())
    return Scene(
        folder=folder,
        context=context,
        actor=actor,
        nodes=nodes,
        maker=PeopleMaker(units, actor.today, SEED),
        justice=staff_of(actor, "justice", ["police"]),
        land=staff_of(actor, "land", ["justice"]),
        births_wished=births,
        titles_wished=max(TITLES_MIN, births // TITLES_SHARE),
        victim=victim,
    )


def _tell(context: Context, folder: Path, tally: "Tally", seconds: float) -> None:
    result = {
        "nodes": NODES,
        "births": tally.births,
        "identities": tally.identities,
        "titles": tally.titles,
        "transfers": tally.transfers,
        "contacts": tally.contacts,
        "register": None if tally.register is None else asdict(tally.register),
        "refused": dict(sorted(tally.refused.items())),
        "killed_node": tally.killed_node,
        "killed_node_caught_up": tally.caught_up,
        "state_roots_equal": tally.roots_equal,
        "receipt_verified": tally.receipt_verified,
        "audit": tally.audit,
        "entries": tally.entries,
        "blocks": tally.blocks,
        "seconds": round(seconds, 1),
        "folder": str(folder),
    }
    refused = ", ".join(f"{count} x {code}" for code, count in sorted(tally.refused.items()))
    values = {**result, "refused": refused, "meanwhile": tally.committed_meanwhile}
    parts = ["register", "land", "refused", "crash", "proofs", "chain", "files"]
    if tally.register is not None:
        parts.insert(1, "own")
        values |= {f"own_{name}": value for name, value in asdict(tally.register).items()}
    lines = [context.say(f"demo.summary_{part}", **values) for part in parts]
    accepted(
        result, context, lines=lines, next_command=suggested("--home", folder, "network", "show")
    )
