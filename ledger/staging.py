"""Bodies on their way into the vault: what is handed over, and what stays on record meanwhile."""

from dataclasses import dataclass
from typing import Final

from keys.hashing import Digest
from ledger import canonical
from ledger.errors import CorruptStoreError, InvalidDataError
from ledger.fields import INTEGER_MAX, read_array, read_bytes_up_to, read_int
from ledger.frozen import quick_init
from ledger.limits import BODY_BYTES_MAX

KEY_ID_BYTES_MAX: Final = 64
"""Bytes of the key id on whose account a body is staged."""
_RECORD_BYTES_MAX: Final = 128


@quick_init
@dataclass(frozen=True, slots=True)
class StagedRecord:
    """What the vault keeps of a staged body beside its bytes."""

    signer_key_id: bytes
    not_after_ms: int
    size: int

    def print(self) -> bytes:
        """Return the bytes of this record."""
        return canonical.encode((self.signer_key_id, self.not_after_ms, self.size))

    @classmethod
    def parse(cls, raw: bytes) -> "StagedRecord":
        """Read what `print` returned.

        Raises:
            CorruptStoreError: The bytes are no such record. They come from our own disk.
        """
        try:
            fields = read_array(canonical.decode(raw, _RECORD_BYTES_MAX), "staged", 3)
            return cls(
                read_bytes_up_to(fields[0], "staged.signer", KEY_ID_BYTES_MAX),
                read_int(fields[1], "staged.not_after_ms", 0, INTEGER_MAX),
                read_int(fields[2], "staged.size", 0, BODY_BYTES_MAX),
            )
        except InvalidDataError as error:
            raise CorruptStoreError("a staging record of the vault is damaged") from error


@quick_init
@dataclass(frozen=True, slots=True)
class StagedBody:
    """A body to be staged, see `Vault.stage_body`."""

    digest: Digest
    body: bytes
    signer_key_id: bytes
    not_after_ms: int
