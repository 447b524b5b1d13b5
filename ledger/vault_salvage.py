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
from ledger.database_rows import get_row, scan_rows
from ledger.errors import CorruptStoreError, DiskRefusedError
from ledger.vault_files import DOMAINS, PREPARED, PURGED, UNFINISHED, open_database
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
        StoreInUseError: A process has it open.
    """
    if not path.exists():
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
        DiskRefusedError: The disk refuses; begin again.
    """
    copy, new, aside = _beside(path, _COPY), _beside(path, _NEW), unused_name(path)
    try:
        for folder in (copy, new):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(path, copy)
        kept, dropped = _take_over(copy, new)
        shutil.rmtree(copy)
        path.rename(aside)
        new.rename(path)
        _sync(path.parent)
    except OSError as error:
        raise DiskRefusedError("the disk did not take what was saved of the vault") from error
    return SalvageReport(kept, dropped, aside)


def _take_over(copy: Path, new: Path) -> tuple[int, int]:
    """Write the true rows of a mended copy into a new database; count those, and the others."""
    try:
        # Without the checks LevelDB looks at no checksum and takes a flipped row for whole.
        plyvel.repair_db(str(copy), paranoid_checks=True, compression=None)
    except plyvel.Error as error:
        raise CorruptStoreError("LevelDB cannot mend the vault") from error
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
        raise CorruptStoreError("what LevelDB mended of the vault does not read") from error
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
