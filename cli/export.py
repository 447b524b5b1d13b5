"""`civreg export`: the chain as plain files that anybody can check and copy."""

import time
from pathlib import Path
from typing import Final

import click

from cli.commands import Group
from cli.errors import InvalidInputError
from cli.output import Context, accepted, progress, suggested
from ledger.export import ExportWriter, read_start
from ledger.store import ChainStore
from ledger.store_proofs import trust_bundle

TRUST_VALID_DAYS: Final = 30
_DAY_MS: Final = 86_400_000


@click.group(cls=Group)
def export() -> None:
    """Write the chain to plain files.

    \b
    Example:
        civreg export chain export --from node-0
    """


@export.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Home of the stopped node; by default the home folder.",
)
@click.pass_obj
def chain(context: Context, folder: Path, source: Path | None) -> None:
    """Write genesis, blocks and a trust bundle of a stopped node to DIR; goes on where it stopped.

    \b
    Example:
        civreg export chain export --from node-0
    """
    home = source or context.home
    for place in (home / "data", home, home.parent):
        if (place / "chain" / "CURRENT").is_file():
            break
    else:
        raise InvalidInputError("there is no chain store", name=str(home))
    with (
        ChainStore.open(place, read_only=True) as store,
        ExportWriter.open(folder, store.genesis.raw, store.began.first_height) as writer,
    ):
        before = writer.height
        label = context.say("export.writing")
        with progress(label, store.height - before, context) as advance:
            for height in range(before + 1, store.height + 1):
                writer.append(store.block_raw(height), store.quorum_certificate_raw(height))
                advance(1)
        valid_until_ms = time.time_ns() // 1_000_000 + TRUST_VALID_DAYS * _DAY_MS
        writer.finish(trust_bundle(store, valid_until_ms))
    first, written = read_start(folder), writer.height - before
    result = {"folder": str(folder), "height": writer.height, "written": written, "first": first}
    lines = [context.say("export.done", blocks=written, folder=folder)]
    if first > 1:
        lines.append(context.say("export.partial", first=first))
    next_command = suggested("audit", "replay", folder) if first == 1 else None
    accepted(result, context, lines=lines, next_command=next_command)
