"""Opening the chain store's LevelDB, and reading and writing rows of it with our own errors."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import plyvel

from ledger import store_layout as layout
from ledger.canonical import decode
from ledger.chain import ChainTip
from ledger.database_files import of_database, open_files
from ledger.database_rows import Rows, get_row, scan_rows
from ledger.errors import CorruptStoreError
from ledger.fields import INTEGER_MAX, read_array, read_int, read_version
from ledger.genesis import Genesis, parse_genesis

WRITE_BUFFER_BYTES: Final = 32 * 1024 * 1024
CACHE_BYTES: Final = 64 * 1024 * 1024
BLOOM_BITS: Final = 10
TIP_BYTES_MAX: Final = 1024 * 1024
FOLDER: Final = "chain"
"""The folder of the database, within a node's data folder."""
NAME: Final = "the chain store"


class StoreMissingError(CorruptStoreError):
    """There is no chain store in this folder, or creating it was interrupted."""

    code = "ledger.store_missing"


class History(NamedTuple):
    """Where the history of a store begins.

    Attributes:
        first_height: The lowest block that is here; 1 in a store that grew from genesis.
        state_height: The lowest height of which the state can be proved; 0 likewise.
        log_size: Leaves of the log before the first block.
    """

    first_height: int = 1
    state_height: int = 0
    log_size: int = 0


def open_db(path: Path, *, create: bool) -> plyvel.DB:
    """Open the database of a data folder.

    Raises:
        StoreInUseError: Another process has it open.
        CorruptStoreError: It is not whole, or there is none and `create` is false.
        DiskRefusedError: The system refuses.
    """
    return open_files(
        path / FOLDER,
        NAME,
        create=create,
        write_buffer_bytes=WRITE_BUFFER_BYTES,
        cache_bytes=CACHE_BYTES,
        bloom_bits=BLOOM_BITS,
    )


def check_readable(database: plyvel.DB) -> None:
    """Read every row of a database and compare LevelDB's checksums.

    Raises:
        CorruptStoreError: Not every row is given back.
    """
    for _row in scan_rows(database):
        pass


def check_empty(rows: Rows) -> None:
    """Refuse to make a store where there is one.

    Raises:
        CorruptStoreError: There are rows.
    """
    if next(scan_rows(rows), None) is not None:
        raise CorruptStoreError("there is a chain store already")


def require(rows: Rows, key: bytes, name: str) -> bytes:
    """Return a row that must be there.

    Raises:
        CorruptStoreError: It is not.
    """
    value = get_row(rows, key)
    if value is None:
        raise CorruptStoreError(f"the chain store has no {name}")
    return value


def read_genesis(rows: plyvel.DB) -> Genesis:
    """Return the genesis document of a store that is complete.

    Raises:
        StoreMissingError: Creating the store was interrupted.
        CorruptStoreError: The layout is unknown, or the row is lost that names it.
    """
    version = get_row(rows, layout.FORMAT)
    if version is None and get_row(rows, layout.GENESIS) is None:
        raise StoreMissingError("creating the chain store was interrupted: make it again")
    if version not in (layout.LAYOUT_VERSION, layout.RESTORED_VERSION):
        raise CorruptStoreError("the chain store has a layout that this program does not know")
    return parse_genesis(require(rows, layout.GENESIS, "genesis document"))


def read_tip(rows: Rows) -> ChainTip:
    """Return the tip of a store."""
    raw = require(rows, layout.TIP, "tip")
    return ChainTip.from_value(decode(raw, TIP_BYTES_MAX, limit="bytes of the tip"))


def read_history(rows: Rows) -> History:
    """Return where the history of a store begins."""
    raw = get_row(rows, layout.HISTORY)
    if raw is None:
        return History()
    version, *numbers = read_array(decode(raw, TIP_BYTES_MAX), "history", 4)
    read_version(version, "history.version", 1)
    return History(*[read_int(one, "history", 0, INTEGER_MAX) for one in numbers])


def put_rows(
    rows: "plyvel.WriteBatch", prefix: bytes, values: Iterable[tuple[bytes, bytes | None]]
) -> None:
    """Put rows into a batch; None deletes."""
    for key, value in values:
        if value is None:
            rows.delete(prefix + key)
        else:
            rows.put(prefix + key, value)


def write_rows(db: plyvel.DB, rows: Iterable[tuple[bytes, bytes | None]], *, sync: bool) -> None:
    """Write rows at once, or none of them.

    Raises:
        DiskRefusedError: The disk did not take them.
    """
    try:
        with db.write_batch(transaction=True, sync=sync) as batch:
            put_rows(batch, b"", rows)
    except plyvel.Error as error:
        raise of_database(error, NAME) from error
