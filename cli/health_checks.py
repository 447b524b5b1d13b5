"""What `civreg node doctor` looks at: everything that keeps a node from starting, or soon will.

Nothing is changed, and a running node is not disturbed: its stores are not opened, those of a
stopped node are (`cli.store_checks`). What a running node says of itself is asked of it as well.
"""

import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage
from typing import Any, Final

from cli.complaints import Complaint, Level
from cli.store_checks import How, Stores, check_stores
from keys.errors import CivregError, ExposedKeyFileError
from keys.keyring import load_key_file, read_public_key
from keys.signing import Purpose
from ledger.errors import DiskRefusedError
from ledger.genesis import FoundingPart, Genesis, parse_genesis
from ledger.wal import check_log
from node.config import Config, load_config
from node.config_problems import ConfigProblem
from node.directory import read_directory
from node.errors import ConfigError, GuardDamagedError, GuardMismatchError
from node.file_watch import certificate_end_ms, exposed_files
from node.health import Finding
from node.machine_findings import check_certificate, check_disk
from node.signer import check_guard
from node.storage import GUARD_FILE, WAL_FILE, consensus_key_ids

LOG_AGE_WARN_S: Final = 7 * 86_400
"""A log that was not written for a week belongs to a node that was away for a week."""
FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
_DAY_S: Final = 86_400
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_WRITABLE: Final = stat.S_IWGRP | stat.S_IWOTH
"""Whoever may write there puts another key in, or an older guard."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What the doctor saw.

    Attributes:
        complaints: All that is wrong, in the order in which it matters.
        stores: How far chain and vault were looked at.
    """

    complaints: tuple[Complaint, ...]
    stores: Stores


def examine(home: Path) -> Examination:
    """Look at the folder of a node."""
    try:
        config = load_config(home)
    except ConfigError as error:
        problems = [_of_config(problem) for problem in error.problems]
        return Examination(tuple(problems), Stores(How.SKIPPED))
    found: list[Complaint] = []
    genesis = _genesis(config, found)
    part = None
    if genesis is not None and config.agency is not None:
        part = next((one for one in genesis.parts if one.agency_id == config.agency), None)
        if part is None:
            found.append(Complaint("warn", "agency", "agency"))
    if genesis is not None and (part is not None or config.agency is None):
        found += _peers(config, genesis)
    for check in _CHECKS:
        found += check(config, part)
    stores = check_stores(config, genesis, found)
    return Examination(tuple(found), stores)


def complaints_of(said: Mapping[str, Any]) -> tuple[Complaint, ...]:
    """Return what a running node finds wrong with itself, from its `/status`."""
    return tuple(
        [
            Complaint(
                one["level"],
                one["code"],
                words={
                    "vi": (one["cause"]["vi"], one["cure"]["vi"]),
                    "en": (one["cause"]["en"], one["cure"]["en"]),
                },
            )
            for one in said["findings"]
        ]
    )


def _of_config(problem: str) -> Complaint:
    known = problem if isinstance(problem, ConfigProblem) else ConfigProblem(problem, problem)
    return Complaint("bad", "config", "config", error=known)


def _of_finding(found: Finding | None) -> Iterator[Complaint]:
    """Show what a rule of the node finds, if it finds anything."""
    if found is not None:
        level: Level = "bad" if found.level.value == "bad" else "warn"
        vi, en = zip(found.cause, found.cure, strict=True)
        yield Complaint(level, found.code, words={"vi": vi, "en": en})


def _genesis(config: Config, found: list[Complaint]) -> Genesis | None:
    try:
        return parse_genesis(config.genesis_file.read_bytes())
    except OSError:
        found.append(Complaint("bad", "genesis_unreadable", "genesis"))
    except CivregError as error:
        found.append(Complaint("bad", "genesis", "genesis", error=error))
    return None


def _peers(config: Config, genesis: Genesis) -> Iterator[Complaint]:
    try:
        read_directory(genesis, config.agency, config.peers)
    except ConfigError as error:
        yield from [_of_config(problem) for problem in error.problems]


def _passphrase(config: Config, _part: FoundingPart | None) -> Iterator[Complaint]:
    path = config.passphrase_file
    if path is None:
        if not config.unencrypted:
            yield Complaint("bad", "passphrase_unset", "passphrase")
        return
    try:
        mode = path.stat().st_mode
    except OSError:
        yield Complaint("bad", "passphrase", "passphrase")
        return
    if mode & _OTHERS:
        yield Complaint("bad", "passphrase_exposed", "mode")


def _keys(config: Config, part: FoundingPart | None) -> Iterator[Complaint]:
    wanted = [Purpose.PEER] if part is None else [Purpose(name) for name in part.keys]
    passphrase = _read(config.passphrase_file)
    for purpose in wanted:
        path = config.keys_folder / f"{purpose}.pem"
        file = f"keys/{path.name}"
        try:
            public = read_public_key(path)
            load_key_file(path, passphrase)
        except ExposedKeyFileError as error:
            yield Complaint("bad", "key", "exposed", {"file": file}, error)
            continue
        except CivregError as error:
            yield Complaint("bad", "key", "key", {"file": file}, error)
            continue
        if part is not None and public.key_id != part.keys[purpose].key_id:
            yield Complaint("warn", "other_key", "other_key", {"file": file})
    known = {f"keys/{purpose}.pem" for purpose in wanted}
    passphrase_file = config.passphrase_file
    for name in exposed_files(config.keys_folder):
        is_passphrase = passphrase_file is not None and config.home / name == passphrase_file
        if name not in known and not is_passphrase:
            yield Complaint("bad", "file_exposed", "mode", {"file": name})


def _modes(config: Config, _part: FoundingPart | None) -> Iterator[Complaint]:
    """Look at the rights to folders and guard; those to key files are looked at with the keys."""
    folder = config.data_folder
    wanted = {config.keys_folder: FOLDER_MODE, folder: FOLDER_MODE, folder / GUARD_FILE: FILE_MODE}
    for path, right in wanted.items():
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue  # that it is not there is said elsewhere
        if mode & _OTHERS or mode & right != right:
            hurts = mode & _WRITABLE or mode & right != right
            values = {"file": path, "mode": f"{mode:04o}", "wanted": f"{right:o}"}
            yield Complaint("bad" if hurts else "warn", "wrong_mode", "wrong_mode", values)


def _read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes().rstrip(b"\r\n")
    except OSError:
        return None


def _guard(config: Config, part: FoundingPart | None) -> Iterator[Complaint]:
    if part is None or Purpose.CONSENSUS not in part.keys:
        return
    if not (config.data_folder / GUARD_FILE).exists():
        yield Complaint("bad", "guard", "guard")
    try:
        keys = consensus_key_ids(config)
        if keys:
            check_guard(config.data_folder / GUARD_FILE, keys)
    except DiskRefusedError as error:
        yield Complaint("bad", "store_unread", "store_unread", error.details, error)
    except GuardMismatchError as error:
        yield Complaint("bad", "guard_damaged", "guard_mismatch", error=error)
    except GuardDamagedError as error:
        yield Complaint("bad", "guard_damaged", "repair", error=error)
    except CivregError:
        return  # `_keys` says what is wrong with a key file


def _log(config: Config, _part: FoundingPart | None) -> Iterator[Complaint]:
    path = config.data_folder / WAL_FILE
    if not path.exists():
        return
    if path.stat().st_size == 0:
        yield Complaint("warn", "log_empty", "wal")
        return
    try:
        check_log(path)
    except DiskRefusedError as error:
        yield Complaint("bad", "store_unread", "store_unread", error.details, error)
    except CivregError as error:
        yield Complaint("bad", "log_damaged", "damaged_wal", error=error)
    days = int(time.time() - path.stat().st_mtime) // _DAY_S
    if days * _DAY_S >= LOG_AGE_WARN_S:
        yield Complaint("warn", "log_old", "log_old", {"days": days})


def _disk(config: Config, _part: FoundingPart | None) -> Iterator[Complaint]:
    folder = config.data_folder  # perhaps a volume of its own, and not there before the first start
    while not folder.exists():
        folder = folder.parent
    yield from _of_finding(check_disk(disk_usage(folder).free))


def _certificates(config: Config, _part: FoundingPart | None) -> Iterator[Complaint]:
    now_ms = time.time_ns() // 1_000_000
    for path in config.certificates:
        end_ms = certificate_end_ms(path)
        left_ms = None if end_ms is None else end_ms - now_ms
        yield from _of_finding(check_certificate(path.name, left_ms))


_CHECKS: Final[tuple[Callable[[Config, FoundingPart | None], Iterator[Complaint]], ...]] = (
    _passphrase,
    _keys,
    _guard,
    _log,
    _disk,
    _modes,
    _certificates,
)
