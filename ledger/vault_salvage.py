"""Saves what can be saved of a damaged vault, or sees that there is no damage.

LevelDB mends its own files as far as it can; that is done on a copy. Then every row is looked at:
a body or wraps that have their digest are taken over, unless they were purged, and so are the marks
of purges and what custodians prepared. What says that a body is only staged is not: LevelDB may
bring back such a row of a body that is kept by now, which would then be deleted. Bodies that are
lost come back from other validators. Wraps do, if a backup has them.

The damaged folder is kept beside the new one, with sealed bodies in it: destroy it in the end.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import plyvel

from keys.hashing import DIGEST_BYTES, hash_with
from ledger.database_files import has_database, of_database
from ledger.database_rows import get_row, scan_rows
from ledger.disk_refusals import system_refusals
from ledger.errors import CorruptStoreError
from ledger.vault_files import DOMAINS, NAME, PREPARED, PURGED, UNFINISHED, open_database
from ledger.wal import unused_name

_MARKS: Final = frozenset({PURGED, UNFINISHED, PREPARED})
_BATCH_ROWS: Final = 256
_COPY: Final = ".copy"
_NEW: Final = ".new"


@dataclass(frozen=True, slots=True)
class SalvageReport:
    """What `salvage` did.

    Attributes:
        kept: Bodies and wraps that were saved.
        dropped: Rows that were not what they say.
        copy: Where the damaged folder is now.
    """

    kept: int
    dropped: int
    copy: Path


def check_vault(path: Path) -> None:
    """Read a whole vault of a stopped node; nothing is changed, except for LevelDB's own log.

    Raises:
        CorruptStoreError: LevelDB does not give all of it back, or bytes have another digest.
        DiskRefusedError: The system refuses to read it.
        StoreInUseError: A process has it open.
    """
    if not has_database(path, NAME):
        return
    database = open_database(path, create=False)
    try:
        for key, value in scan_rows(database):
            if not _is_true(key, value):
                raise CorruptStoreError("the vault holds other bytes than their digest says")
    finally:
        database.close()


def salvage(path: Path) -> SalvageReport:
    """Put what is whole of a damaged vault in its place; keep the damaged folder beside it.

    Raises:
        StoreInUseError: A process has it open.
        CorruptStoreError: LevelDB cannot mend even a copy.
        DiskRefusedError: The disk refuses; the vault is as it was: begin again.
    """
    copy, new, aside = _beside(path, _COPY), _beside(path, _NEW), unused_name(path)
    try:
        with system_refusals("what was saved of the vault cannot be written"):
            _remove(copy, new)
            shutil.copytree(path, copy)
            kept, dropped = _take_over(copy, new)
            _change_places(path, new, aside)
    finally:
        _remove(copy, new)
    return SalvageReport(kept, dropped, aside)


def bytes_to_salvage(path: Path) -> int:
    """Return how many bytes `salvage` writes at most: a copy to mend, and what is whole of it."""
    with system_refusals("the vault cannot be looked at"):
        return 2 * sum(one.stat().st_size for one in path.iterdir())


def _change_places(path: Path, new: Path, aside: Path) -> None:
    """Put the new folder in the place of the damaged one; where that fails, all is as before."""
    path.rename(aside)
    try:
        new.rename(path)
    except OSError:
        aside.rename(path)
        raise
    _sync(path.parent)


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def _take_over(copy: Path, new: Path) -> tuple[int, int]:
    """Write the true rows of a mended copy into a new database; count those, and the others."""
    try:
        # Without the checks LevelDB looks at no checksum and takes a flipped row for whole.
        plyvel.repair_db(str(copy), paranoid_checks=True, compression=None)
    except plyvel.Error as error:
        raise of_database(error, "a copy of the vault") from error
    old, target = open_database(copy, create=False), open_database(new, create=True)
    kept = dropped = 0
    try:
        rows: list[tuple[bytes, bytes]] = []
        for key, value in scan_rows(old):
            if key[:1] in _MARKS:
                rows.append((key, value))
            elif key[:1] in DOMAINS and get_row(old, PURGED + key[1:]) is None:
                is_true = _is_true(key, value)
                rows += [(key, value)] if is_true else []
                kept, dropped = kept + is_true, dropped + (not is_true)
            if len(rows) >= _BATCH_ROWS:
                _write(target, rows)
                rows = []
        _write(target, rows)
    except plyvel.Error as error:
        raise of_database(error, "what LevelDB mended of the vault") from error
    finally:
        old.close()
        target.close()
    return kept, dropped


def _is_true(key: bytes, value: bytes) -> bool:
    """Tell whether a row is what its key says; rows without a digest always are."""
    prefix = DOMAINS.get(key[:1])
    return prefix is None or (len(key) == 1 + DIGEST_BYTES and hash_with(prefix, value) == key[1:])


def _write(target: plyvel.DB, rows: list[tuple[bytes, bytes]]) -> None:
    with target.write_batch(transaction=True, sync=True) as batch:
        for key, value in rows:
            batch.put(key, value)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
