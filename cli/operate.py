"""`civreg node`: run a node, see how it is, find out what is wrong, mend its log, copy it.

A node is a home folder with config.toml; `node/` does the work. `network init` and the ceremony
make such folders.
"""

import contextlib
import shutil
from pathlib import Path
from typing import Any, Final

import click

from cli.client import Call, Client
from cli.commands import Command, Group
from cli.details import details_in
from cli.errors import FileTakenError, NoNetworkError, NoSuchFileError
from cli.exit_codes import ExitCode, exit_code_of
from cli.health_checks import complaints_of, examine
from cli.languages import error_text
from cli.network_file import NodePlace
from cli.node_evidence import evidence
from cli.node_status import status_lines
from cli.output import Context, accepted, confirm, note, suggested
from cli.snapshots import snapshot
from cli.store_checks import looked_lines
from ledger.database_files import has_database
from ledger.ids import AgencyId
from ledger.snapshot_files import FETCHED_FOLDER, RESTORING_FOLDER, SNAPSHOTS_FOLDER
from ledger.store import ChainStore
from ledger.store_files import FOLDER as CHAIN_FOLDER
from ledger.vault import Vault
from ledger.vault_files import NAME as VAULT_NAME
from node.config import CONFIG_FILE, load_config
from node.errors import ConfigError
from node.storage import DRAFTS_FOLDER, VAULT_FOLDER, WAL_FILE

_HOME = click.Path(path_type=Path, file_okay=False)
COPIED: Final = frozenset({CHAIN_FOLDER, VAULT_FOLDER, DRAFTS_FOLDER})
"""Folders of the data that a backup holds."""
MADE_AGAIN: Final = frozenset({SNAPSHOTS_FOLDER, RESTORING_FOLDER, FETCHED_FOLDER})
"""Folders that it leaves out without a word: the node makes or fetches them again."""
STATUS_TRIES_S: Final = 0.0


@click.group(cls=Group, name="node")
def node() -> None:
    """Run a node and look after it.

    \b
    Example:
        civreg node run net/node-0
        civreg node doctor net/node-0
    """


node.add_command(snapshot)


@node.command(cls=Command)
@click.argument("folder", metavar="[NODE]", type=_HOME, required=False)
@click.option(
    "--new-guard",
    is_flag=True,
    help="Start without a guard file: only for a consensus key that has never signed.",
)
@click.option(
    "--end-wait", is_flag=True, help="Vote without waiting for what the peers say of this key."
)
@click.pass_obj
def run(context: Context, folder: Path | None, *, new_guard: bool, end_wait: bool) -> int:
    """Run the node of the folder NODE (default: the home folder) until it is stopped.

    Its log goes to stderr, one JSON object a line. SIGTERM and Ctrl-C stop it gracefully.

    \b
    Example:
        civreg node run net/node-0
    """
    # aiohttp and the whole node: only who runs one pays for importing it.
    from node.app import Options, run_node  # noqa: PLC0415
    from node.public_side import open_public_side  # noqa: PLC0415

    options = Options(new_guard=new_guard, end_wait=end_wait)
    failure = run_node(folder or context.home, options, open_public_side)
    return ExitCode.OK if failure is None else exit_code_of(failure.code)


@node.command(cls=Command)
@click.argument("folder", metavar="[NODE]", type=_HOME, required=False)
@click.pass_obj
def status(context: Context, folder: Path | None) -> int:
    """Say how the running node of a folder is: chain, machine, peers, and what to do next.

    Ends with 1 where something is bad. With --json, all that the node knows of itself.

    \b
    Example:
        civreg node status net/node-0
    """
    folder = folder or context.home
    said = _ask(folder)
    if said is None:
        raise NoNetworkError(f"no node runs in {folder}", address=str(folder))
    accepted(said, context, lines=status_lines(said, context))
    return 1 if said["health"] == "bad" else 0


def _ask(folder: Path) -> dict[str, Any] | None:
    """Return what the running node of a folder says of itself; None where none runs.

    Raises:
        NoNetworkError: It should run and does not answer.
    """
    config = load_config(folder)
    place = NodePlace("", config.agency or AgencyId(bytes(16)), "", folder)
    ports = place.ports
    if "private" not in ports:
        return None
    with Client(bytes(32)) as client:
        address = f"http://127.0.0.1:{ports['private']}"
        answer = client.send(Call(address=address, path="/status", tries_s=STATUS_TRIES_S))
        return dict(answer.json)


@node.command(cls=Command)
@click.argument("folder", metavar="[NODE]", type=_HOME, required=False)
@click.pass_obj
def doctor(context: Context, folder: Path | None) -> int:
    """Examine the folder of a node, running or not, and say all that is wrong and what helps.

    Chain and vault of a stopped node are opened, not read through: `node repair --dry-run` does. A
    node that runs is asked instead. What was looked at is said on stderr. Ends with 1 where
    something is bad.

    \b
    Example:
        civreg node doctor net/node-0
    """
    folder = folder or context.home
    seen = examine(folder)
    found = {(one.code, one.explain("en")): one for one in seen.complaints}
    with contextlib.suppress(ConfigError, NoNetworkError):
        said = _ask(folder)
        for one in () if said is None else complaints_of(said):
            found.setdefault((one.code, one.explain("en")), one)
    for one in found.values():
        what, cure = one.explain(context.lang)
        lines = [context.say(f"node.{one.level}", what=what), f"  {cure}"]
        result = {"level": one.level, "code": one.code, "what": what, "cure": cure}
        accepted(result, context, lines=lines)
    if not found:
        well = {"level": "ok", "stores": seen.stores.how, "height": seen.stores.height}
        accepted(well, context, lines=context.say("node.healthy", folder=folder))
    for line in looked_lines(seen.stores, folder, context):
        note(line, context)
    return 1 if any(one.level == "bad" for one in found.values()) else 0


@node.command("repair-wal", cls=Command, changes=True)
@click.argument("folder", metavar="[NODE]", type=_HOME, required=False)
@click.pass_obj
def repair_wal(context: Context, folder: Path | None) -> None:
    """Cut a damaged write-ahead log at the first damage; a copy of the whole stays beside it.

    Only while the node is stopped. The guard of signatures is another file and stays as it is.

    \b
    Example:
        civreg node repair-wal net/node-0 --yes
    """
    folder = folder or context.home
    path = load_config(folder).data_folder / WAL_FILE
    if context.dry_run:
        accepted({"would_repair": path}, context)
        return
    confirm(context.say("node.repair", path=path), context)
    from node.repairing import cut_log  # noqa: PLC0415 - see `run`

    report = cut_log(load_config(folder))
    result = {
        "frames": report.frames,
        "cut_bytes": report.cut_bytes,
        "copy": None if report.copy is None else str(report.copy),
    }
    said = "node.repaired" if report.cut_bytes else "node.nothing_to_repair"
    lines = context.say(said, frames=report.frames, bytes=report.cut_bytes, copy=report.copy)
    accepted(result, context, lines=lines, next_command=suggested("node", "doctor", folder))


@node.command("repair", cls=Command, changes=True)
@click.argument("folder", metavar="[NODE]", type=_HOME, required=False)
@click.pass_obj
def repair(context: Context, folder: Path | None) -> int:
    """Read everything that a stopped node has on disk, and repair what is damaged.

    Whatever is damaged is kept beside what takes its place. A chain is fetched again from the other
    nodes, lost bodies too; after a damaged log or guard the node stays silent for a few heights.
    With --dry-run only the damage is shown, and the status is that of the first damage: 10. What
    cannot be read now, on a full disk for example, is not damage: status 1, nothing is touched.

    \b
    Example:
        civreg node repair net/node-0 --dry-run
        civreg node repair net/node-0 --yes
    """
    from node.repairing import check_room, find_damage, repair_all  # noqa: PLC0415 - see `run`

    folder = folder or context.home
    config = load_config(folder)
    damages = find_damage(config)
    for one in damages:
        part = context.say(f"node.part.{one.part.value}")
        why = error_text(
            context.lang, one.error.code, details_in(context.lang, one.error.details)
        ).sentence
        note(context.say("node.damaged", part=part, why=why), context)
    if context.dry_run or not damages:
        found = [{"part": one.part.value, "code": one.error.code} for one in damages]
        accepted({"damaged": found}, context, lines=context.say("node.read", count=len(found)))
        return exit_code_of(damages[0].error.code) if damages else ExitCode.OK
    check_room(config, damages)
    confirm(context.say("node.repair_all", count=len(damages)), context)
    for done in repair_all(config, damages):
        part = context.say(f"node.part.{done.part.value}")
        lines = context.say("node.part_repaired", part=part, copy=done.copy)
        result = {"part": done.part.value, "copy": str(done.copy)}
        accepted(result, context, lines=lines, next_command=suggested("node", "run", folder))
    return ExitCode.OK


@node.command(cls=Command, changes=True)
@click.argument("stopped", metavar="NODE", type=_HOME)
@click.argument("out", metavar="DIR", type=_HOME)
@click.pass_obj
def backup(context: Context, stopped: Path, out: Path) -> None:
    """Copy a stopped node's genesis, settings, key files, chain and vault to the new folder DIR.

    Stores that a repair has set aside as damaged are left out and named. The guard of signatures
    and the log of votes are left out on purpose: an old guard would let the
    key contradict itself. A restored node gets the guard that its key has now; if that is lost, the
    governors give it a new consensus key.

    \b
    Example:
        civreg node backup net/node-0 backup-2026-03-15
    """
    if out.exists():
        raise FileTakenError("the folder exists already", name=str(out))
    config = load_config(stopped)
    with ChainStore.open(config.data_folder) as store:
        height = store.height
        vault = config.data_folder / VAULT_FOLDER
        if not has_database(vault, VAULT_NAME):  # opening it would make an empty one
            raise NoSuchFileError("there is no vault to copy", name=str(vault))
        Vault.open(vault).close()
    if context.dry_run:
        accepted({"would_write": out, "height": height}, context)
        return
    out.mkdir(mode=0o700, parents=True)
    for name in (CONFIG_FILE, config.genesis_file.name):
        shutil.copy2(stopped / name, out / name)
    shutil.copytree(config.keys_folder, out / "keys")
    left_out = []
    for part in sorted(one for one in config.data_folder.iterdir() if one.is_dir()):
        if part.name in COPIED:
            note(context.say("node.copying", name=part.name), context)
            shutil.copytree(part, out / "data" / part.name)
        elif part.name not in MADE_AGAIN:
            left_out.append(part.name)
    (out / "data").chmod(0o700)
    with ChainStore.open(out / "data", read_only=True) as store:
        copied = store.height
    result = {"backup": out, "height": copied, "left_out": left_out}
    lines = [context.say("node.copied", folder=out, height=copied)]
    if left_out:
        lines.append(context.say("node.left_out", names=", ".join(left_out)))
    accepted(result, context, lines=lines, next_command=suggested("node", "doctor", out))


node.add_command(evidence)
