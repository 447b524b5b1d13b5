"""Reading rows of a LevelDB: what the disk gives back otherwise than it was written is refused.

LevelDB compares a block's checksum only if it is asked to, and plyvel's usual iterator ends at a
damaged block without a word: one wrong bit on the disk is then another value, a missing row or a
short list. So every read of the chain store and of the vault goes through here.
"""

from collections.abc import Callable, Iterator
from typing import Final, Literal, Protocol

import plyvel

from ledger.database_files import of_database

_LAST_BYTE: Final = 0xFF
_NAME: Final = "what was written here"


class RawRows(Protocol):
    """plyvel's raw iterator, which raises where the usual one ends early."""

    def seek(self, key: bytes) -> None:
        """Go to the first row at or after a key."""

    def seek_to_last(self) -> None:
        """Go to the last row."""

    def valid(self) -> bool:
        """Tell whether it stands on a row."""

    def item(self) -> tuple[bytes, bytes]:
        """Return the row on which it stands."""

    def next(self) -> None:
        """Go to the following row."""

    def prev(self) -> None:
        """Go to the row before."""

    def close(self) -> None:
        """Release it."""


class Rows(Protocol):
    """A database or a snapshot of one."""

    def get(self, key: bytes, *, verify_checksums: Literal[True]) -> bytes | None:
        """Return a row, or None."""

    def raw_iterator(self, *, verify_checksums: Literal[True]) -> RawRows:
        """Return an iterator that stands nowhere yet."""

    def close(self) -> None:
        """Release it."""


def get_row(rows: Rows, key: bytes) -> bytes | None:
    """Return a row, or None.

    Raises:
        CorruptStoreError: The disk does not give it back.
        DiskRefusedError: The system refuses to read.
    """
    try:
        return rows.get(key, verify_checksums=True)
    except plyvel.Error as error:
        raise of_database(error, _NAME) from error


def scan_rows(
    rows: Rows, start: bytes = b"", stop: bytes | None = None, *, reverse: bool = False
) -> Iterator[tuple[bytes, bytes]]:
    """Yield rows from `start` to before `stop` in the order of their keys, or backwards.

    Args:
        rows: Of a database.
        start: The lowest key.
        stop: The first key that is too high; None: there is none.
        reverse: Whether to begin with the highest.

    Raises:
        CorruptStoreError: The disk does not give all of them back.
        DiskRefusedError: The system refuses to read.
    """
    try:
        found = rows.raw_iterator(verify_checksums=True)
        try:
            step = _seek_highest(found, stop) if reverse else _seek_lowest(found, start)
            while found.valid():
                key, value = found.item()
                if key < start or (stop is not None and key >= stop):
                    return
                yield key, value
                step()
        finally:
            found.close()
    except plyvel.Error as error:
        raise of_database(error, _NAME) from error


def scan_prefix(
    rows: Rows, prefix: bytes, *, reverse: bool = False
) -> Iterator[tuple[bytes, bytes]]:
    """Yield rows whose keys begin with a prefix; as `scan_rows`."""
    return scan_rows(rows, prefix, _after_prefix(prefix), reverse=reverse)


def _seek_lowest(found: RawRows, start: bytes) -> Callable[[], None]:
    found.seek(start)
    return found.next


def _seek_highest(found: RawRows, stop: bytes | None) -> Callable[[], None]:
    if stop is None:
        found.seek_to_last()
        return found.prev
    found.seek(stop)
    if found.valid():
        found.prev()
    else:
        found.seek_to_last()
    return found.prev


def _after_prefix(prefix: bytes) -> bytes | None:
    """Return the first key after all that begin with a prefix; None if there is none."""
    short = prefix.rstrip(bytes([_LAST_BYTE]))
    return short[:-1] + bytes([short[-1] + 1]) if short else None
