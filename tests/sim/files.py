"""Invented files and databases: what is on the disk of a machine, and what survives a power cut.

`Disk` is what one machine has. Its files have two contents: what a process reads back at once, and
what survives a power cut; `fsync` makes them equal, and a rename survives when its folder was
synced. Production code gets at it by `calls`. A database is rows in memory, because LevelDB's own
recovery is not ours to test and opening one costs more than a whole simulated height; a synchronous
batch is all or nothing, and one that was not asked to be synchronous is lost in a power cut unless
a synchronous one follows it.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import plyvel

from tests.sim.power import Power


@dataclass(slots=True)
class Inode:
    """Bytes of a file: as they read, and as they would survive."""

    data: bytearray = field(default_factory=bytearray)
    durable: bytes = b""


class Cursor:
    """As plyvel's raw iterator; nothing may be written while it goes."""

    def __init__(self, rows: dict[bytes, bytes], keys: list[bytes]) -> None:
        self._rows, self._keys, self._at = rows, keys, -1

    def seek(self, key: bytes) -> None:
        self._at = bisect_left(self._keys, key)

    def seek_to_last(self) -> None:
        self._at = len(self._keys) - 1

    def valid(self) -> bool:
        return 0 <= self._at < len(self._keys)

    def item(self) -> tuple[bytes, bytes]:
        key = self._keys[self._at]
        return key, self._rows[key]

    def next(self) -> None:
        self._at += 1

    def prev(self) -> None:
        self._at -= 1

    def close(self) -> None:
        """Nothing is open."""


class Rows:
    """As much of plyvel.DB as the stores use; `base` is shared and never changed."""

    def __init__(self, power: Power, base: dict[bytes, bytes] | None = None) -> None:
        self.power = power
        self.rows: dict[bytes, bytes] = {} if base is None else dict(base)
        self._keys: list[bytes] | None = None
        self.unsynced: list[dict[bytes, bytes | None]] = []

    def get(self, key: bytes, *, verify_checksums: bool = False) -> bytes | None:
        assert verify_checksums, "a read that would not notice damage"
        return self.rows.get(bytes(key))

    def raw_iterator(self, *, verify_checksums: bool = False) -> "Cursor":
        assert verify_checksums, "a read that would not notice damage"
        if self._keys is None:
            self._keys = sorted(self.rows)
        return Cursor(self.rows, self._keys)

    def snapshot(self) -> "Rows":
        """Return the rows as they are now; what is written later does not show in it."""
        return Rows(self.power, self.rows)

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
        if sync:
            self.unsynced.clear()  # one log for all: what was written before is on disk, too
        else:
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
    named_databases: dict[str, Rows] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.named_databases = dict(self.databases)

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
        self.named_databases = dict(self.databases)

    def below(self, folder: str) -> list[str]:
        """Return the names of what is in a folder, at any depth; databases are folders."""
        inside = f"{folder}/"
        names = [*self.files, *self.databases]
        return sorted(one for one in names if one == folder or one.startswith(inside) or not folder)

    def remove(self, folder: str) -> None:
        """Remove a folder and what is in it."""
        for name in self.below(folder):
            self.files.pop(name, None)
            self.databases.pop(name, None)

    def rename(self, old: str, new: str) -> None:
        """Give a file or a folder another name."""
        for name in self.below(old):
            after = new + name.removeprefix(old)
            if name in self.files:
                self.files[after] = self.files.pop(name)
            else:
                self.databases[after] = self.databases.pop(name)

    def open_database(self, name: str) -> Rows:
        """Return a database, made if it is not there."""
        if name not in self.databases:
            self.databases[name] = self.named_databases[name] = Rows(self.power)
        return self.databases[name]

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
        if self._is_database_renamed() and self.power.dice.random() < UNDONE_SHARE:
            happened.add("lost rename of a database")
            self.databases = dict(self.named_databases)
        for inode in self.files.values():
            self._tear(inode, happened)
        for rows in self.databases.values():
            rows.lose_unsynced()
        self.sync_names()
        return happened

    def _is_database_renamed(self) -> bool:
        """Tell whether a database has come, gone or moved since the names were synced."""
        return self.databases.keys() != self.named_databases.keys()

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
        kinds = ("nothing", "zeroed write", "scattered write")
        outcome = dice.choices(kinds, SHARES)[0]
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


SHARES = (5, 2, 3)
"""How often nothing stands where bytes were lost, or zeros, or pages that came through."""
UNDONE_SHARE = 0.5
"""How often a power cut undoes renames of databases that were not synced."""
MOUNTED: dict[str, Disk] = {}
"""The disks of the running simulation by the first part of a path."""


def where(text: str) -> tuple[Disk, str]:
    """Return the disk that a path is on, and the name there."""
    machine, _slash, name = text.partition("/")
    return MOUNTED[machine], name
