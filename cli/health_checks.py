"""What `civreg node doctor` looks at: everything that keeps a node from starting, or soon will.

Nothing is changed, and a running node is not disturbed: its stores are not opened.
"""

import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from keys.errors import CivregError, ExposedKeyFileError
from keys.keyring import load_key_file, read_public_key
from keys.signing import Purpose
from ledger.genesis import FoundingPart, Genesis, parse_genesis
from ledger.wal import check_log
from node.config import Config, load_config
from node.errors import ConfigError
from node.machine_findings import DISK_BAD_BYTES, DISK_WARN_BYTES
from node.storage import GUARD_FILE, WAL_FILE

Level: TypeAlias = Literal["bad", "warn"]
_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong.

    Attributes:
        level: `bad` keeps the node from starting.
        what: In English, as the log would say it.
        cure: Key of the text that says what helps.
    """

    level: Level
    what: str
    cure: str


def examine(home: Path) -> tuple[Complaint, ...]:
    """Return all that is wrong with the folder of a node, in the order in which it matters."""
    try:
        config = load_config(home)
    except ConfigError as error:
        return tuple([Complaint("bad", problem, "node.cure.config") for problem in error.problems])
    found: list[Complaint] = []
    genesis = _genesis(config, found)
    part = None
    if genesis is not None and config.agency is not None:
        part = next((one for one in genesis.parts if one.agency_id == config.agency), None)
        if part is None:
            found.append(Complaint("bad", "agency: no agency of this network", "node.cure.agency"))
    for check in _CHECKS:
        found += check(config, part)
    return tuple(found)


def _genesis(config: Config, found: list[Complaint]) -> Genesis | None:
    try:
        return parse_genesis(config.genesis_file.read_bytes())
    except OSError:
        found.append(Complaint("bad", "genesis.civreg cannot be read", "node.cure.genesis"))
    except CivregError as error:
        found.append(Complaint("bad", f"genesis.civreg: {error}", "node.cure.genesis"))
    return None


def _passphrase(config: Config, _part: FoundingPart | None) -> Iterator[Complaint]:
    path = config.passphrase_file
    if path is None:
        return
    try:
        mode = path.stat().st_mode
    except OSError:
        yield Complaint("bad", "the passphrase file cannot be read", "node.cure.passphrase")
        return
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Complaint("bad", "others can read the passphrase file", "node.cure.mode")


def _keys(config: Config, part: FoundingPart | None) -> Iterator[Complaint]:
    wanted = [Purpose.PEER] if part is None else [Purpose(name) for name in part.keys]
    passphrase = _read(config.passphrase_file)
    for purpose in wanted:
        path = config.keys_folder / f"{purpose}.pem"
        try:
            public = read_public_key(path)
            load_key_file(path, passphrase)
        except ExposedKeyFileError as error:
            yield Complaint("bad", f"keys/{path.name}: {error}", "node.cure.exposed")
            continue
        except CivregError as error:
            yield Complaint("bad", f"keys/{path.name}: {error}", "node.cure.key")
            continue
        if part is not None and public.key_id != part.keys[purpose].key_id:
            said = f"keys/{path.name} is another key than genesis names"
            yield Complaint("warn", said, "node.cure.other_key")


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
        yield Complaint("bad", "the guard of signatures is missing", "node.cure.guard")


def _log(config: Config, _part: FoundingPart | None) -> Iterator[Complaint]:
    path = config.data_folder / WAL_FILE
    if not path.exists():
        return
    if path.stat().st_size == 0:
        yield Complaint("warn", "the write-ahead log is empty", "node.cure.wal")
        return
    try:
        check_log(path)
    except CivregError as error:
        yield Complaint("bad", str(error), "node.cure.damaged_wal")


def _disk(config: Config, _part: FoundingPart | None) -> Iterator[Complaint]:
    free = shutil.disk_usage(config.home).free
    if free < DISK_WARN_BYTES:
        level: Level = "bad" if free < DISK_BAD_BYTES else "warn"
        yield Complaint(level, f"{free // _MIB} MiB of disk left", "node.cure.disk")


_CHECKS: Final[tuple[Callable[[Config, FoundingPart | None], Iterator[Complaint]], ...]] = (
    _passphrase,
    _keys,
    _guard,
    _log,
    _disk,
)
