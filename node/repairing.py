"""Mends the stores of a stopped node: what is damaged is kept beside, and something safe put there.

* Chain: set aside; the node fetches it again from its peers, or begins with a snapshot.
* Vault: what is whole is taken over; lost bodies come back from other validators.
* Guard: copied; an empty one is put there which is known to be made up, so the node stays silent
  for two heights after the highest certified one (see `node.startup`).
* Log: cut at the damage, or set aside where it does not fit: another node's, ahead of the chain.
  Where the key has signed in its height, nothing of it is used: half a memory of what was locked is
  none, and a guard that is ahead of its log keeps the node silent in that height.

Each part is one rename, and looked at anew each time: a repair that was cut short is begun again.
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Final

from keys.errors import CivregError
from keys.signing import KeyId
from ledger.disk_refusals import system_refusals
from ledger.errors import CorruptStoreError, DiskRefusedError
from ledger.store import ChainStore, StoreMissingError
from ledger.store_check import check_rows, check_store
from ledger.store_files import FOLDER
from ledger.vault_salvage import bytes_to_salvage, check_vault, salvage
from ledger.wal import RepairReport, WriteAheadLog, check_log, repair, unused_name
from node.config import Config
from node.config_problems import ConfigProblem
from node.errors import ConfigError, GuardDamagedError, GuardMismatchError
from node.file_watch import file_bytes
from node.journal import read_own
from node.signer import GuardFile, check_guard, create_guard, last_signed_height, sync_folder
from node.storage import (
    GUARD_FILE,
    SUPPOSED_FILE,
    VAULT_FOLDER,
    WAL_FILE,
    consensus_key_ids,
    load_genesis,
)

ROOM_BYTES_MIN: Final = 1024 * 1024
"""For names, LevelDB's own files and whatever else a repair writes beside its copies."""

_WRONG_KEY: Final = ConfigProblem(
    "keys/consensus.pem: neither the key of data/guard nor one by which the network knows this "
    "node; put the right key file back, the guard stays",
    "keys/consensus.pem: không phải khóa của data/guard, cũng không phải khóa mà mạng biết của nút "
    "này; đặt lại đúng tệp khóa, giữ nguyên tệp canh",
)


class Part(Enum):
    """What of a node may be damaged, in the order in which it is repaired."""

    CHAIN = "chain"
    VAULT = "vault"
    LOG = "log"
    GUARD = "guard"


@dataclass(frozen=True, slots=True)
class Damage:
    """One part that the node could not work with.

    Attributes:
        part: Which.
        error: Why.
    """

    part: Part
    error: CivregError


@dataclass(frozen=True, slots=True)
class Repaired:
    """One part that is whole again.

    Attributes:
        part: Which.
        copy: Where the damaged one is.
    """

    part: Part
    copy: Path


def find_damage(config: Config) -> tuple[Damage, ...]:
    """Read everything that a stopped node has on disk; say what is damaged.

    What the system does not let us read now is not damaged, and nothing else is judged by it.

    Raises:
        StoreInUseError: The node runs.
        DiskRefusedError: Something cannot be looked at now: a full disk, a missing right.
        CivregError: Settings, genesis or key files cannot be used.
    """
    found: list[Damage] = []
    height = 0
    try:
        height = _check_chain(config)
    except CorruptStoreError as error:
        found.append(Damage(Part.CHAIN, error))
    checks: dict[Part, Callable[[], None]] = {
        Part.VAULT: lambda: check_vault(config.data_folder / VAULT_FOLDER),
        Part.LOG: lambda: _check_log(config, height),
        Part.GUARD: lambda: _check_guard(config),
    }
    for part, check in checks.items():
        try:
            check()
        except (CorruptStoreError, GuardDamagedError, GuardMismatchError) as error:
            found.append(Damage(part, error))
    return tuple(found)


def repair_all(config: Config, damages: tuple[Damage, ...]) -> Iterator[Repaired]:
    """Repair what `find_damage` found, one part after the other.

    Raises:
        StoreInUseError: The node runs.
        CorruptStoreError: Not even a copy of the vault can be mended.
        DiskRefusedError: There is too little space, and nothing was moved; or the disk refuses:
            begin again.
    """
    check_room(config, damages)
    for damage in damages:
        yield Repaired(damage.part, _REPAIRS[damage.part](config))


def check_room(config: Config, damages: tuple[Damage, ...]) -> None:
    """Refuse a repair for which the disk has no room, before anything is moved.

    Raises:
        DiskRefusedError: It has not.
    """
    needed = ROOM_BYTES_MIN + sum(_bytes_for(config, damage.part) for damage in damages)
    with system_refusals("the free space cannot be measured"):
        free = shutil.disk_usage(config.data_folder).free
    if free < needed:
        raise DiskRefusedError(
            f"the repair needs {needed} bytes and {free} are free: nothing was moved",
            file=str(config.data_folder),
            reason=os.strerror(errno.ENOSPC),
            needed_bytes=needed,
            free_bytes=free,
        )


def _bytes_for(config: Config, part: Part) -> int:
    """Return how many bytes the repair of a part writes at most; the chain is only renamed."""
    folder = config.data_folder
    if part is Part.VAULT:
        return bytes_to_salvage(folder / VAULT_FOLDER)
    if part is Part.LOG:
        return 2 * file_bytes(folder / WAL_FILE)
    return 2 * file_bytes(folder / GUARD_FILE) if part is Part.GUARD else 0


def cut_log(config: Config) -> RepairReport:
    """Cut a damaged log; forget the rest of it too, if the key has signed anything.

    Raises:
        StoreInUseError: The node runs.
        DiskRefusedError: There is no log, or the disk refuses; begin again.
    """
    path = config.data_folder / WAL_FILE
    report = repair(path)
    if not report.cut_bytes or not _has_signed(config.data_folder / GUARD_FILE):
        return report
    with closing(WriteAheadLog.open(path)) as log:
        log.restart(())
    return replace(report, frames=0)


def _check_chain(config: Config) -> int:
    """Return the height of the chain; 0 where there is none yet."""
    folder = config.data_folder
    try:
        with ChainStore.open(folder, read_only=True) as store:
            if store.genesis.network_id != load_genesis(config).network_id:
                raise CorruptStoreError("the chain store belongs to another network")
            check_store(store)
            height = store.height
        check_rows(folder)
    except StoreMissingError:
        return 0  # the node makes it at its start
    return height


def _check_log(config: Config, height: int) -> None:
    path = config.data_folder / WAL_FILE
    if not path.exists():
        return
    read_own(check_log(path), config.agency, height)


def _check_guard(config: Config) -> None:
    keys = consensus_key_ids(config)
    if not keys:
        return
    try:
        check_guard(config.data_folder / GUARD_FILE, keys)
    except GuardMismatchError:
        if not _network_keys(config) & set(keys):  # then the guard may well be the right one
            raise ConfigError((_WRONG_KEY,)) from None
        raise


def _network_keys(config: Config) -> set[KeyId]:
    """Return the keys by which the newest state that is here knows this node."""
    try:
        with ChainStore.open(config.data_folder, read_only=True) as store:
            members = store.validators_at(store.height + 1).validators
    except CorruptStoreError:
        members = load_genesis(config).validator_set.validators
    return {one.key.key_id for one in members if one.agency_id == config.agency}


def _repair_chain(config: Config) -> Path:
    return _set_aside(config.data_folder / FOLDER)


def _repair_vault(config: Config) -> Path:
    return salvage(config.data_folder / VAULT_FOLDER).copy


def _repair_log(config: Config) -> Path:
    """Cut a log, or empty a whole one that does not fit; return where the old one is."""
    path = config.data_folder / WAL_FILE
    report = cut_log(config)
    if report.copy is not None:
        return report.copy
    with closing(WriteAheadLog.open(path)) as log:
        copy = _copy(path)
        log.restart(())
    return copy


def _repair_guard(config: Config) -> Path:
    folder = config.data_folder
    path, beside = folder / GUARD_FILE, folder / f"{GUARD_FILE}.repaired"
    GuardFile(folder / SUPPOSED_FILE).replace(b"made by repair\n")
    copy = _copy(path)
    beside.unlink(missing_ok=True)
    create_guard(beside, consensus_key_ids(config)[0])
    with system_refusals("the disk did not take the new guard"):
        beside.replace(path)
        sync_folder(folder)
    return copy


def _has_signed(guard: Path) -> bool:
    try:
        return last_signed_height(guard) > 0
    except GuardDamagedError:
        return True  # nobody knows


def _copy(path: Path) -> Path:
    """Keep a copy of a file, durably."""
    copy = unused_name(path)
    with system_refusals(f"{path.name} cannot be copied"):
        GuardFile(copy).replace(path.read_bytes())
    return copy


def _set_aside(path: Path) -> Path:
    """Give a damaged file or folder another name, durably."""
    aside = unused_name(path)
    with system_refusals(f"{path.name} cannot be set aside"):
        path.rename(aside)
        sync_folder(path.parent)
    return aside


_REPAIRS: Final[Mapping[Part, Callable[[Config], Path]]] = {
    Part.CHAIN: _repair_chain,
    Part.VAULT: _repair_vault,
    Part.LOG: _repair_log,
    Part.GUARD: _repair_guard,
}
