"""Invented files and databases under the production code of log, guard and stores.

`Disk` is what one machine has. Its files have two contents: what a process reads back at once, and
what survives a power cut; `fsync` makes them equal, and a rename survives when its folder was
synced. `InventedOs`, `InventedPath` and `InventedPlyvel` are as much of `os`, `pathlib.Path` and
`plyvel` as `ledger.wal`, `node.signer`, `ledger.store` and `ledger.vault` use: those run unchanged.
A database is rows in memory, because LevelDB's own recovery is not ours to test and opening one
costs more than a whole simulated height; a synchronous batch is all or nothing, and one that was
not asked to be synchronous is lost in a power cut.
"""

import os
from bisect import bisect_left, insort
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import plyvel

import ledger.store
import ledger.store_files
import ledger.vault
import ledger.wal
import node.signer
from tests.sim.power import Power


@dataclass(slots=True)
class Inode:
    """Bytes of a file: as they read, and as they would survive."""

    data: bytearray = field(default_factory=bytearray)
    durable: bytes = b""


class Rows:
    """As much of plyvel.DB as the stores use; `base` is shared and never changed."""

    def __init__(self, power: Power, base: dict[bytes, bytes] | None = None) -> None:
        self.power = power
        self.rows: dict[bytes, bytes] = {} if base is None else dict(base)
        self._keys: list[bytes] | None = None
        self.unsynced: list[dict[bytes, bytes | None]] = []

    def get(self, key: bytes) -> bytes | None:
        return self.rows.get(bytes(key))

    def iterator(
        self,
        *,
        start: bytes = b"",
        stop: bytes | None = None,
        prefix: bytes = b"",
        reverse: bool = False,
    ) -> Iterator[tuple[bytes, bytes]]:
        if self._keys is None:
            self._keys = sorted(self.rows)
        first = bisect_left(self._keys, max(start, prefix))
        end = len(self._keys) if stop is None else bisect_left(self._keys, stop)
        for at in reversed(range(first, end)) if reverse else range(first, end):
            key = self._keys[at]
            if not key.startswith(prefix):
                return
            yield key, self.rows[key]

    def compact_range(self, *, start: bytes, stop: bytes) -> None:
        """LevelDB forgets deleted rows; here nothing is left of them."""

    def close(self) -> None:
        """Nothing is open."""

    @contextmanager
    def write_batch(self, *, transaction: bool = False, sync: bool = False) -> Iterator[Any]:
        assert transaction, "a batch that is not all or nothing"
        changes: dict[bytes, bytes | None] = {}
        yield SimpleNamespace(
            put=lambda key, value: changes.__setitem__(bytes(key), bytes(value)),
            delete=lambda key: changes.__setitem__(bytes(key), None),
        )
        self.power.burn("batch")
        if self.power.is_disk_full:
            raise plyvel.IOError("IO error: no space left on the invented disk")
        if not sync:
            self.unsynced.append({key: self.rows.get(key) for key in changes})
        self._apply(changes)
        self.power.wait_for_disk()

    def _apply(self, changes: dict[bytes, bytes | None]) -> None:
        for key, value in changes.items():
            if value is None:
                if self.rows.pop(key, None) is not None and self._keys is not None:
                    del self._keys[bisect_left(self._keys, key)]
            else:
                if self._keys is not None and key not in self.rows:
                    insort(self._keys, key)
                self.rows[key] = value

    def lose_unsynced(self) -> None:
        """Undo what was written without waiting for the disk."""
        while self.unsynced:
            self._apply(self.unsynced.pop())


@dataclass(slots=True)
class Disk:
    """What one machine has on disk."""

    power: Power
    files: dict[str, Inode] = field(default_factory=dict)
    named: dict[str, Inode] = field(default_factory=dict)
    databases: dict[str, Rows] = field(default_factory=dict)

    def durable(self, name: str) -> bytes:
        """Return what would survive a power cut now."""
        found = self.named.get(name)
        return b"" if found is None else found.durable

    def read(self, name: str) -> bytes:
        """Return a file as a process reads it."""
        found = self.files.get(name)
        return b"" if found is None else bytes(found.data)

    def sync_names(self) -> None:
        """Make renames survive."""
        self.named = dict(self.files)

    def lose_power(self) -> set[str]:
        """Lose what was not synced, or parts of it; return what happened, by kind."""
        happened: set[str] = set()
        for name in sorted(set(self.files) | set(self.named)):
            new, old = self.files.get(name), self.named.get(name)
            if new is not old and self.power.dice.random() < 0.5:
                happened.add("lost rename")
                if old is None:
                    del self.files[name]
                else:
                    self.files[name] = old
        for inode in self.files.values():
            self._tear(inode, happened)
        for rows in self.databases.values():
            rows.lose_unsynced()
        self.named = dict(self.files)
        return happened

    def _tear(self, inode: Inode, happened: set[str]) -> None:
        written, safe = bytes(inode.data), inode.durable
        if written == safe:
            return
        dice = self.power.dice
        if not written.startswith(safe):
            survived = written if dice.random() < 0.5 else safe
        else:
            kept = dice.randrange(len(safe), len(written) + 1)
            survived = written[:kept]
            happened.add("lost write" if kept == len(safe) else "torn write")
            if kept < len(written):
                survived += self._behind(written[kept:], happened)
        inode.data, inode.durable = bytearray(survived), survived

    def _behind(self, lost: bytes, happened: set[str]) -> bytes:
        """Return what stands where bytes were lost: nothing, zeros, or pages that came through."""
        dice = self.power.dice
        outcome = dice.choices(("nothing", "zeroed write", "scattered write"), (6, 3, 1))[0]
        if outcome == "nothing":
            return b""
        happened.add(outcome)
        if outcome == "zeroed write":
            return bytes(dice.randrange(1, 64))
        hole = dice.randrange(len(lost) + 1)
        return bytes(hole) + lost[hole:]

    def copy(self) -> "Disk":
        """Return a backup: what a process would read now."""
        files: dict[str, Inode] = {}
        for name, inode in self.files.items():
            raw = bytes(inode.data)
            files[name] = Inode(bytearray(raw), raw)
        databases = {name: Rows(self.power, rows.rows) for name, rows in self.databases.items()}
        return Disk(self.power, files, dict(files), databases)


MOUNTED: dict[str, Disk] = {}
"""The disks of the running simulation by the first part of a path."""


class InventedPath:
    """As much of pathlib.Path as the code under test uses; the first part names the machine."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text

    def __truediv__(self, name: str) -> "InventedPath":
        return InventedPath(f"{self._text}/{name}")

    @property
    def name(self) -> str:
        return self._text.rpartition("/")[2]

    @property
    def parent(self) -> "InventedPath":
        return InventedPath(self._text.rpartition("/")[0])

    def with_name(self, name: str) -> "InventedPath":
        return self.parent / name

    def exists(self) -> bool:
        disk, name = where(self._text)
        return name in disk.files

    def is_file(self) -> bool:
        """Tell whether a file exists; a database has a file CURRENT."""
        disk, name = where(self._text)
        return name in disk.files or name.removesuffix("/CURRENT") in disk.databases

    def mkdir(self, **_given: object) -> None:
        """Folders need not be made."""

    def read_bytes(self) -> bytes:
        disk, name = where(self._text)
        if name not in disk.files:
            raise FileNotFoundError(self._text)
        return bytes(disk.files[name].data)

    def read_text(self, *, encoding: str = "utf-8") -> str:
        return self.read_bytes().decode(encoding)

    def write_text(self, text: str) -> None:
        """Write without a sync, as pathlib does."""
        disk, name = where(self._text)
        disk.power.burn("write")
        disk.power.check_room()
        disk.files[name] = Inode(bytearray(text.encode()))

    def unlink(self, *, missing_ok: bool = False) -> None:
        disk, name = where(self._text)
        if name not in disk.files and not missing_ok:
            raise FileNotFoundError(self._text)
        disk.files.pop(name, None)

    def replace(self, target: "InventedPath") -> None:
        disk, name = where(self._text)
        disk.power.burn("rename")
        disk.files[where(str(target))[1]] = disk.files.pop(name)


def where(text: str) -> tuple[Disk, str]:
    """Return the disk that a path is on, and the name there."""
    machine, _slash, name = text.partition("/")
    return MOUNTED[machine], name


class InventedOs:
    """As much of `os` as the log and the guard use."""

    O_RDWR, O_CREAT, O_CLOEXEC, O_WRONLY = os.O_RDWR, os.O_CREAT, os.O_CLOEXEC, os.O_WRONLY
    O_APPEND, O_EXCL, O_RDONLY = os.O_APPEND, os.O_EXCL, os.O_RDONLY
    O_DIRECTORY, O_TRUNC = os.O_DIRECTORY, os.O_TRUNC

    def __init__(self) -> None:
        self._open: dict[int, tuple[Disk, Inode | None]] = {}
        self._next = 1_000

    def open(self, path: object, flags: int, mode: int = 0) -> int:  # noqa: ARG002 - as os.open
        disk, name = where(str(path))
        self._next += 1
        if flags & os.O_DIRECTORY:
            self._open[self._next] = (disk, None)
            return self._next
        found = disk.files.get(name)
        if found is None:
            if not flags & os.O_CREAT:
                raise FileNotFoundError(str(path))
            disk.power.burn("create")
            disk.power.check_room()
            found = disk.files[name] = Inode()
        elif flags & os.O_EXCL:
            raise FileExistsError(str(path))
        if flags & os.O_TRUNC:
            del found.data[:]
        self._open[self._next] = (disk, found)
        return self._next

    def write(self, number: int, raw: memoryview) -> int:
        disk, inode = self._open[number]
        assert inode is not None, "nobody writes into a folder"
        disk.power.burn("write")
        if disk.power.is_disk_full:
            inode.data += raw[: disk.power.dice.randrange(len(raw))]
            disk.power.check_room()
        inode.data += raw
        return len(raw)

    def fsync(self, number: int) -> None:
        disk, inode = self._open[number]
        disk.power.burn("fsync")
        if inode is None:
            disk.sync_names()
        else:
            inode.durable = bytes(inode.data)
            disk.power.wait_for_disk()

    def ftruncate(self, number: int, size: int) -> None:
        disk, inode = self._open[number]
        assert inode is not None, "nobody cuts a folder"
        disk.power.burn("truncate")
        del inode.data[size:]

    def close(self, number: int) -> None:
        self._open.pop(number, None)


class InventedPlyvel:
    """As much of the module plyvel as the stores use."""

    Error, IOError, CorruptionError = plyvel.Error, plyvel.IOError, plyvel.CorruptionError

    @staticmethod
    def DB(name: str, **_options: object) -> Rows:  # noqa: N802 - plyvel's name
        disk, place = where(name)
        return disk.databases.setdefault(place, Rows(disk.power))


@contextmanager
def invented_disks() -> Iterator[None]:
    """Let log, guard and stores of this process work on `MOUNTED`."""
    invented_os = InventedOs()
    with ExitStack() as stack:
        for module in (ledger.wal, node.signer):
            stack.enter_context(patch.object(module, "os", invented_os))
        no_locks = SimpleNamespace(flock=lambda _file, _how: None, LOCK_EX=2, LOCK_NB=4)
        stack.enter_context(patch.object(ledger.wal, "fcntl", no_locks))
        for store in (ledger.store, ledger.store_files, ledger.vault, ledger.vault_files):
            stack.enter_context(patch.object(store, "plyvel", InventedPlyvel))
        try:
            yield
        finally:
            MOUNTED.clear()
