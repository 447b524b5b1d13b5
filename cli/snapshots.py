"""`civreg node snapshot`: take a snapshot of a stopped node, or begin a new node with one."""

import asyncio
import time
from pathlib import Path
from typing import Final

import click

from cli.commands import Command, Group
from cli.errors import FileTakenError
from cli.output import Context, accepted, confirm, progress, suggested
from ledger.snapshot import Manifest
from ledger.snapshot_files import write_snapshot
from ledger.store import ChainStore
from ledger.trust import TrustBundle, parse_trust
from node.config import Config, load_config

_HOME = click.Path(path_type=Path, file_okay=False)
_SNAPSHOT = click.Path(path_type=Path, exists=True, file_okay=False)
TRUST_VALID_DAYS: Final = 30
_DAY_MS: Final = 86_400_000


@click.group(cls=Group, name="snapshot")
def snapshot() -> None:
    """Copy the state of a node, so that another one can begin with it.

    \b
    Example:
        civreg node snapshot create net/node-0 snapshot
        civreg node snapshot restore net/node-4 snapshot
    """


@snapshot.command(cls=Command, changes=True)
@click.argument("folder", metavar="NODE", type=_HOME)
@click.argument("out", metavar="DIR", type=_HOME)
@click.pass_obj
def create(context: Context, folder: Path, out: Path) -> None:
    """Write the newest state of the stopped node NODE to the new folder DIR.

    Running nodes make snapshots for each other by themselves; this one is for carrying by hand.
    Sealed bodies, wraps, keys and older blocks are not in it.

    \b
    Example:
        civreg node snapshot create net/node-0 snapshot
    """
    if out.exists():
        raise FileTakenError("the folder exists already", name=str(out))
    config = load_config(folder)
    with ChainStore.open(config.data_folder, read_only=True) as store:
        if context.dry_run:
            accepted({"would_write": str(out), "height": store.height}, context)
            return
        valid_until_ms = time.time_ns() // 1_000_000 + TRUST_VALID_DAYS * _DAY_MS
        with progress(context.say("snapshot.writing"), 0, context) as advance:
            manifest = write_snapshot(store, out, valid_until_ms, pause=lambda: advance(1))
    lines = context.say("snapshot.written", folder=out, height=manifest.content.height)
    restore_it = suggested("node", "snapshot", "restore", "NODE", out)
    accepted(
        _result(manifest) | {"folder": str(out)}, context, lines=lines, next_command=restore_it
    )


@snapshot.command(cls=Command, changes=True)
@click.argument("folder", metavar="NODE", type=_HOME)
@click.argument("source", metavar="[DIR]", type=_SNAPSHOT, required=False)
@click.option(
    "--trust",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Trust bundle that the snapshot must continue; by default only genesis is believed.",
)
@click.pass_obj
def restore(context: Context, folder: Path, source: Path | None, trust: Path | None) -> None:
    """Begin the stopped node NODE, which has no chain, with the snapshot of DIR or of other nodes.

    Everything is verified from genesis on before it is put in place; guard and log of votes stay as
    they are. A snapshot older than what the node's key has signed is refused.

    \b
    Example:
        civreg node snapshot restore net/node-4
        civreg node snapshot restore net/node-4 snapshot
    """
    config = load_config(folder)
    if context.dry_run:
        from_where = "peers" if source is None else str(source)
        accepted({"would_restore": str(config.data_folder), "from": from_where}, context)
        return
    confirm(context.say("snapshot.restore", folder=folder), context)
    held = None if trust is None else parse_trust(trust.read_bytes())
    if source is None:
        manifest = _from_peers(config, context, held)
    else:
        manifest = _from(config, source, context, held)
    height, first = manifest.content.height, manifest.content.first
    lines = context.say("snapshot.restored", folder=folder, height=height, first=first)
    accepted(_result(manifest), context, lines=lines, next_command=suggested("node", "run", folder))


def _from(config: Config, source: Path, context: Context, trust: TrustBundle | None) -> Manifest:
    # The node's own modules: only who restores pays for importing them.
    from node.snapshot_join import restore_folder  # noqa: PLC0415

    with progress(context.say("snapshot.checking"), 0, context) as advance:
        return restore_folder(config, source, lambda _done, _all: advance(1), trust)


def _from_peers(config: Config, context: Context, trust: TrustBundle | None) -> Manifest:
    from node.logs import JsonLog  # noqa: PLC0415
    from node.snapshot_join import restore_from_peers  # noqa: PLC0415

    with progress(context.say("snapshot.fetching"), 0, context) as advance:
        log = JsonLog(config.name, "warning")
        return asyncio.run(restore_from_peers(config, log, lambda _done, _all: advance(1), trust))


def _result(manifest: Manifest) -> dict[str, object]:
    content = manifest.content
    return {
        "height": content.height,
        "first_height": content.first,
        "snapshot_id": content.snapshot_id.hex(),
        "chunks": len(content.chunks),
        "rows": content.rows,
    }
