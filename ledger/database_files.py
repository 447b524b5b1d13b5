"""The folder of a LevelDB: whether there is one, and opening it without losing what is left of one.

LevelDB takes a folder without the file CURRENT for an empty one: asked to create, it makes a new
database there and deletes the tables of the old. So nobody creates before `has_database` has seen
that nothing is lost by it. What a first creation leaves that was cut short holds no row yet: lock,
notes, and the first manifest, which names no table.

LevelDB tells damage from a refusal of the system, and hands on the system's own words: `IO error:
FILE: No space left on device`. So every error of plyvel becomes one of ours here, nowhere else.
"""

import errno
import os
from pathlib import Path
from typing import Final

import plyvel

from ledger.disk_refusals import refused, system_refusals
from ledger.errors import CorruptStoreError, LedgerError, StoreInUseError

CURRENT_FILE: Final = "CURRENT"
_BEGUN: Final = frozenset({"LOCK", "LOG", "LOG.old", "MANIFEST-000001", "000001.dbtmp"})
"""All that a creation may leave that was cut short before it was one."""
_SYSTEM: Final = "IO error: "
_LOCK: Final = "IO error: lock "
"""LevelDB's own word before the file; a path with "lock" in it says nothing."""
_TOO_SHORT: Final = os.strerror(errno.EINVAL)
"""LevelDB says it where a table ends before the row that is looked for: the file is cut."""


def has_database(path: Path, name: str) -> bool:
    """Tell whether a folder holds a database; one that was never there, or was not begun, is none.

    Args:
        path: The folder.
        name: Of the store, as in "the vault".

    Raises:
        CorruptStoreError: Files of a database are there, but not the one by which it is opened.
        DiskRefusedError: The system does not let us look.
    """
    with system_refusals(f"{name} cannot be looked at"):
        if (path / CURRENT_FILE).is_file():
            return True
        found = {one.name for one in path.iterdir()} if path.is_dir() else set()
    if CURRENT_FILE in found:
        return True  # LevelDB says what is wrong with it
    if found - _BEGUN:
        raise CorruptStoreError(f"{name} has lost its file {CURRENT_FILE}: the others are there")
    return False


def open_files(
    path: Path,
    name: str,
    *,
    create: bool,
    write_buffer_bytes: int,
    cache_bytes: int,
    bloom_bits: int,
) -> plyvel.DB:
    """Open a database; make it where there is none, if asked to, in a folder that exists.

    Args:
        path: Its folder.
        name: Of the store, as in "the vault".
        create: Whether to make one.
        write_buffer_bytes: What LevelDB keeps in memory before it writes a table.
        cache_bytes: Of blocks that were read.
        bloom_bits: For each key.

    Raises:
        StoreInUseError: Another process has it open.
        CorruptStoreError: It is not whole, or there is none and `create` is false.
        DiskRefusedError: The system refuses; nothing is known of damage.
    """
    if not has_database(path, name) and not create:
        raise CorruptStoreError(f"{name} is not there")
    try:
        return plyvel.DB(
            str(path),
            create_if_missing=create,
            paranoid_checks=True,
            write_buffer_size=write_buffer_bytes,
            lru_cache_size=cache_bytes,
            bloom_filter_bits=bloom_bits,
            compression=None,  # digests, signatures, ciphertext: more time, and no space saved
        )
    except plyvel.Error as error:
        raise of_database(error, name) from error


def of_database(error: plyvel.Error, name: str) -> LedgerError:
    """Return what an error of LevelDB means: another process, the system, or damage.

    Args:
        error: From any call of plyvel.
        name: Of the store, as in "the vault".
    """
    said = words_of(error)
    if said.startswith(_LOCK):
        return StoreInUseError(f"another process has {name} open")
    if isinstance(error, plyvel.IOError) and not said.endswith(f": {_TOO_SHORT}"):
        file, _colon, reason = said.removeprefix(_SYSTEM).rpartition(": ")
        return refused(f"{name} cannot be used now", file, reason)
    return CorruptStoreError(f"{name} is damaged: {said}", reason=said)


def words_of(error: plyvel.Error) -> str:
    """Return LevelDB's message as text; plyvel hands it on as bytes."""
    raw = error.args[0] if error.args else ""
    return raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)
