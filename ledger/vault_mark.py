"""What a vault knows of itself: up to which height it holds all bodies, and how old it is.

It lies in the vault because it is said of the vault: whoever loses, replaces or restores one loses,
replaces or restores this with it, and a new vault promises nothing.
"""

from typing import Final

import plyvel

from keys.hashing import DIGEST_BYTES, Digest
from ledger.database_files import of_database
from ledger.database_rows import get_row
from ledger.errors import CorruptStoreError
from ledger.fields import INTEGER_MAX
from ledger.vault_files import MADE, MARK, NAME

_HEIGHT_BYTES: Final = 8


class VaultMark:
    """The heights that a vault keeps of itself, and the bodies that it lacks.

    Args:
        database: Of the vault.
    """

    __slots__ = ("_database",)

    def __init__(self, database: plyvel.DB) -> None:
        self._database = database

    @property
    def height(self) -> int:
        """The height up to which all bodies are known to be here, but the lacking ones; 0 at first.

        Raises:
            CorruptStoreError: The row is none of ours.
        """
        return self._read(MARK)[0]

    @property
    def lacking(self) -> tuple[Digest, ...]:
        """The bodies up to that height that nobody gave out; errors as `height`."""
        return self._read(MARK)[1]

    @property
    def made_at(self) -> int:
        """The height of the chain when this vault was made; 0 for one as old as its chain."""
        return self._read(MADE)[0]

    def move(self, height: int, lacking: tuple[Digest, ...] = ()) -> None:
        """Say that all bodies up to a height are here but these; not synced, it can be found again.

        Raises:
            DiskRefusedError: The disk did not take it.
        """
        self._write(MARK, height, lacking)

    def note_made_at(self, height: int) -> None:
        """Remember that the vault was made when the chain was older than it.

        Raises:
            DiskRefusedError: The disk did not take it.
        """
        self._write(MADE, height)

    def _read(self, key: bytes) -> tuple[int, tuple[Digest, ...]]:
        raw = get_row(self._database, key)
        if raw is None:
            return 0, ()
        height, rest = raw[:_HEIGHT_BYTES], raw[_HEIGHT_BYTES:]
        if len(height) != _HEIGHT_BYTES or len(rest) % DIGEST_BYTES:
            raise CorruptStoreError("a height that the vault keeps of itself does not read")
        starts = range(0, len(rest), DIGEST_BYTES)
        return int.from_bytes(height), tuple(
            [Digest(rest[at : at + DIGEST_BYTES]) for at in starts]
        )

    def _write(self, key: bytes, height: int, lacking: tuple[Digest, ...] = ()) -> None:
        assert 0 <= height <= INTEGER_MAX
        try:
            with self._database.write_batch(transaction=True, sync=False) as batch:
                batch.put(key, height.to_bytes(_HEIGHT_BYTES) + b"".join(lacking))
        except plyvel.Error as error:
            raise of_database(error, NAME) from error
