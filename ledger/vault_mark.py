"""What a vault knows of itself: up to which height it holds all bodies, and how old it is.

It lies in the vault because it is said of the vault: whoever loses, replaces or restores one loses,
replaces or restores this with it, and a new vault promises nothing.
"""

from typing import Final

import plyvel

from ledger.database_files import of_database
from ledger.database_rows import get_row
from ledger.errors import CorruptStoreError
from ledger.fields import INTEGER_MAX
from ledger.vault_files import MADE, MARK, NAME

_HEIGHT_BYTES: Final = 8


class VaultMark:
    """The two heights that a vault keeps of itself.

    Args:
        database: Of the vault.
    """

    __slots__ = ("_database",)

    def __init__(self, database: plyvel.DB) -> None:
        self._database = database

    @property
    def height(self) -> int:
        """The height up to which all bodies are known to be here; 0 where nothing is known.

        Raises:
            CorruptStoreError: The row is none of ours.
        """
        return self._read(MARK)

    @property
    def made_at(self) -> int:
        """The height of the chain when this vault was made; 0 for one as old as its chain."""
        return self._read(MADE)

    def move(self, height: int) -> None:
        """Say that all bodies up to a height are here; not synced, for it can be found out again.

        Raises:
            DiskRefusedError: The disk did not take it.
        """
        self._write(MARK, height)

    def note_made_at(self, height: int) -> None:
        """Remember that the vault was made when the chain was older than it.

        Raises:
            DiskRefusedError: The disk did not take it.
        """
        self._write(MADE, height)

    def _read(self, key: bytes) -> int:
        raw = get_row(self._database, key)
        if raw is not None and len(raw) != _HEIGHT_BYTES:
            raise CorruptStoreError("a height that the vault keeps of itself does not read")
        return 0 if raw is None else int.from_bytes(raw)

    def _write(self, key: bytes, height: int) -> None:
        assert 0 <= height <= INTEGER_MAX
        try:
            with self._database.write_batch(transaction=True, sync=False) as batch:
                batch.put(key, height.to_bytes(_HEIGHT_BYTES))
        except plyvel.Error as error:
            raise of_database(error, NAME) from error
