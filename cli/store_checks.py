"""What `civreg node doctor` sees of chain, vault and log: opened where the node is stopped.

Opening is not reading: the newest block and LevelDB's own files are looked at, so that it takes no
hours; `civreg node repair --dry-run` reads all. LevelDB writes notes of its own into a folder that
it opens, as whoever opens it: so only the owner of the folder does.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from cli.complaints import Complaint
from cli.output import Context, at_home, suggested
from keys.errors import CivregError
from ledger.database_files import has_database
from ledger.errors import DiskRefusedError, StoreInUseError
from ledger.genesis import Genesis
from ledger.store import ChainStore
from ledger.store_files import FOLDER
from ledger.store_files import NAME as CHAIN_NAME
from ledger.vault_files import NAME as VAULT_NAME
from ledger.vault_files import open_database
from ledger.wal import check_log
from node.config import Config
from node.journal import log_height, read_frames, read_own
from node.signer import last_signed_height
from node.storage import GUARD_FILE, VAULT_FOLDER, WAL_FILE


class How(Enum):
    """What became of looking at chain and vault."""

    OPENED = "opened"
    ABSENT = "absent"
    RUNS = "runs"
    FOREIGN = "foreign"
    UNREAD = "unread"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Stores:
    """How far chain and vault were looked at.

    Attributes:
        how: Whether they were opened, and why not.
        height: Of the newest block, where the chain was opened.
    """

    how: How
    height: int | None = None


def check_stores(config: Config, genesis: Genesis | None, found: list[Complaint]) -> Stores:
    """Look at chain, vault and log of a node; add what is wrong.

    Args:
        config: Its settings.
        genesis: Of its folder; None where that does not read.
        found: What is wrong, in order.
    """
    folder = config.data_folder
    found += _missing_log(config)
    has = _look(config, found)
    if not has.get(FOLDER):
        is_new = has.get(FOLDER) is False and _log_height(config) <= 1
        return Stores(How.ABSENT if is_new else How.UNREAD)
    if (folder / FOLDER).stat().st_uid != os.geteuid():
        return Stores(How.FOREIGN)
    try:
        with ChainStore.open(folder, read_only=True) as store:
            height, network_id = store.height, store.genesis.network_id
    except StoreInUseError:
        return Stores(How.RUNS)
    except CivregError as error:
        found.append(_unusable(FOLDER, error))
        return Stores(How.UNREAD)
    if genesis is not None and network_id != genesis.network_id:
        values = {"chain": network_id.hex()[:16], "genesis": genesis.network_id.hex()[:16]}
        found.append(Complaint("bad", "other_network", "other_network", values))
    found += _log_beside(config, height)
    found += _vault(config, is_there=has.get(VAULT_FOLDER, False))
    return Stores(How.OPENED, height)


def looked_lines(stores: Stores, node: Path, context: Context) -> list[str]:
    """Return what a person reads about what was looked at, and what was not."""
    command = at_home(suggested("node", "repair", node, "--dry-run"), context)
    if stores.how is How.RUNS:
        command = at_home(suggested("node", "status", node), context)
    lines = [context.say(f"node.stores.{stores.how.value}", height=stores.height, command=command)]
    if stores.how is not How.SKIPPED:
        lines.insert(0, context.say("node.looked"))
    return lines


def _look(config: Config, found: list[Complaint]) -> dict[str, bool]:
    """Tell which of chain and vault is there; neither is opened."""
    folder = config.data_folder
    has: dict[str, bool] = {}
    for place, name in ((FOLDER, CHAIN_NAME), (VAULT_FOLDER, VAULT_NAME)):
        try:
            has[place] = has_database(folder / place, name)
        except CivregError as error:
            found.append(_unusable(place, error))
    if has.get(FOLDER) is False and _log_height(config) > 1:
        found.append(Complaint("bad", "chain_missing", "repair"))
    if has.get(VAULT_FOLDER) is False and has.get(FOLDER) and _log_height(config):
        found.append(Complaint("bad", "vault_missing", "vault_missing"))
    return has


def _unusable(place: str, error: CivregError) -> Complaint:
    if isinstance(error, DiskRefusedError):
        return Complaint("bad", "store_unread", "store_unread", error.details, error)
    return Complaint("bad", "store_damaged", "repair", {"store": place}, error)


def _vault(config: Config, *, is_there: bool) -> Iterator[Complaint]:
    try:
        if is_there:
            open_database(config.data_folder / VAULT_FOLDER, create=False).close()
    except CivregError as error:
        yield _unusable(VAULT_FOLDER, error)


def _log_beside(config: Config, height: int) -> Iterator[Complaint]:
    """Say where a log that reads is not one of this chain."""
    path = config.data_folder / WAL_FILE
    try:
        frames = check_log(path) if path.exists() else ()
    except CivregError:
        return  # told with the log itself
    try:
        read_own(frames, config.agency, height)
    except CivregError as error:
        yield Complaint("bad", "log_damaged", "damaged_wal", error=error)


def _missing_log(config: Config) -> Iterator[Complaint]:
    """Say where a key has signed and its log is away."""
    folder = config.data_folder
    try:
        guard_height = last_signed_height(folder / GUARD_FILE)
    except CivregError:
        return  # told with the guard itself
    if guard_height and not (folder / WAL_FILE).exists():
        yield Complaint("bad", "log_missing", "log_missing", {"height": guard_height})


def _log_height(config: Config) -> int:
    """Return the height that a log is about; 0 where there is none, or none that reads."""
    try:
        return log_height(read_frames(check_log(config.data_folder / WAL_FILE)))
    except CivregError:
        return 0  # told with the log itself
