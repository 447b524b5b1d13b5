"""As much of `os`, `pathlib`, `shutil` and `plyvel` as the code under test uses, on invented disks.

Log, guard, stores and snapshots run on it unchanged: `ledger.wal`, `node.signer`, `ledger.store`,
`ledger.vault`, `ledger.snapshot_files`, `node.snapshots`. Each call that changes a disk may be the
last one of its machine, see `power`.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Self
from unittest.mock import patch

import plyvel

import ledger.database_files
import ledger.snapshot_files
import ledger.store
import ledger.store_files
import ledger.vault
import ledger.wal
import node.repairing
import node.signer
import node.snapshots
from ledger.snapshot_files import write_snapshot
from tests.sim.files import MOUNTED, Disk, Inode, Rows, where

CHUNK_BYTES = 64 * 1024
"""At which chunks of snapshots end: a megabyte would be the whole state."""


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

    def __lt__(self, other: "InventedPath") -> bool:
        return self._text < other._text

    def exists(self) -> bool:
        disk, name = where(self._text)
        return name in disk.files or self.is_dir()

    def is_dir(self) -> bool:
        """Tell whether there is a folder; one that holds nothing is none."""
        disk, name = where(self._text)
        return name not in disk.files and bool(disk.below(name))

    def is_file(self) -> bool:
        """Tell whether a file exists; a database has a file CURRENT."""
        disk, name = where(self._text)
        return name in disk.files or name.removesuffix("/CURRENT") in disk.databases

    def iterdir(self) -> "Iterator[InventedPath]":
        disk, name = where(self._text)
        inside = [one.removeprefix(f"{name}/").partition("/")[0] for one in disk.below(name)]
        yield from [self / one for one in dict.fromkeys(inside)]

    def glob(self, pattern: str) -> "Iterator[InventedPath]":
        """Yield what ends as the pattern does, which begins with the only star."""
        yield from [one for one in self.iterdir() if one.name.endswith(pattern[1:])]

    def stat(self) -> SimpleNamespace:
        return SimpleNamespace(st_size=len(self.read_bytes()))

    def mkdir(self, **_given: object) -> None:
        """Folders need not be made."""

    def open(self, mode: str) -> "InventedFile":
        assert mode == "wb", "files are written at once"
        flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY
        return InventedFile(INVENTED_OS.open(self, flags))

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
        disk.rename(name, where(str(target))[1])

    rename = replace


class InventedFile:
    """A file that is written."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        INVENTED_OS.close(self._number)

    def write(self, raw: bytes) -> int:
        return INVENTED_OS.write(self._number, memoryview(raw))

    def flush(self) -> None:
        """Nothing waits outside of the invented kernel."""

    def fileno(self) -> int:
        return self._number


def remove_tree(path: InventedPath, *, ignore_errors: bool) -> None:
    """What `shutil.rmtree` does."""
    assert ignore_errors, "nobody waits for it"
    disk, name = where(str(path))
    disk.power.burn("remove")
    disk.remove(name)


class InventedOs:
    """As much of `os` as the code under test uses."""

    O_RDWR, O_CREAT, O_CLOEXEC, O_WRONLY = os.O_RDWR, os.O_CREAT, os.O_CLOEXEC, os.O_WRONLY
    O_APPEND, O_EXCL, O_RDONLY = os.O_APPEND, os.O_EXCL, os.O_RDONLY
    O_DIRECTORY, O_TRUNC = os.O_DIRECTORY, os.O_TRUNC

    def __init__(self) -> None:
        self._open: dict[int, tuple[Disk, Inode | None]] = {}
        self._next = 1_000

    def open(self, path: object, flags: int, mode: int = 0) -> int:  # noqa: ARG002 - as os.open
        disk, name = where(str(path))
        self._next += 1
        is_folder = name not in disk.files and not flags & os.O_CREAT and bool(disk.below(name))
        if flags & os.O_DIRECTORY or is_folder:
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

    def close_all(self) -> None:
        """Forget what processes that were killed had open."""
        self._open.clear()


INVENTED_OS = InventedOs()


class InventedPlyvel:
    """As much of the module plyvel as the stores use."""

    Error, IOError, CorruptionError = plyvel.Error, plyvel.IOError, plyvel.CorruptionError

    @staticmethod
    def DB(name: str, **_options: object) -> Rows:  # noqa: N802 - plyvel's name
        disk, place = where(name)
        return disk.open_database(place)


@contextmanager
def invented_disks() -> Iterator[None]:
    """Let the code under test work on `MOUNTED`, in this process."""
    shelves = (ledger.snapshot_files, node.snapshots)
    trees = SimpleNamespace(rmtree=remove_tree)
    no_locks = SimpleNamespace(flock=lambda _file, _how: None, LOCK_EX=2, LOCK_NB=4)
    with ExitStack() as stack:
        for module in (ledger.wal, node.signer, ledger.snapshot_files):
            stack.enter_context(patch.object(module, "os", INVENTED_OS))
        for module in shelves:
            stack.enter_context(patch.object(module, "shutil", trees))
        stack.enter_context(patch.object(ledger.wal, "fcntl", no_locks))
        room = SimpleNamespace(disk_usage=lambda _path: SimpleNamespace(free=2**40))
        stack.enter_context(patch.object(node.repairing, "shutil", room))
        small = partial(write_snapshot, chunk_bytes=CHUNK_BYTES)
        stack.enter_context(patch.object(node.snapshots, "write_snapshot", small))
        no_pause = SimpleNamespace(sleep=lambda _seconds: None)
        stack.enter_context(patch.object(node.snapshots, "time", no_pause))
        for store in (ledger.store, ledger.store_files, ledger.vault, ledger.database_files):
            stack.enter_context(patch.object(store, "plyvel", InventedPlyvel))
        try:
            yield
        finally:
            MOUNTED.clear()
            INVENTED_OS.close_all()
