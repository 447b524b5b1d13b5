"""The rows of a vault by kind, and how its LevelDB is opened; for the vault and for its repair.

Keys: one letter and the rest. `b` digest: body. `w` digest: wraps. `x` time, digest: a staged body,
with its signer and size. `c` wraps digest: what a custodian prepared and nobody submitted yet, with
its time. `p` digest: purged. `u`: digests of unfinished purges.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import plyvel

from keys.hashing import domain
from ledger.errors import CorruptStoreError, StoreInUseError

BODY: Final = b"b"
WRAPS: Final = b"w"
STAGED: Final = b"x"
PREPARED: Final = b"c"
PREPARED_END: Final = b"d"
PURGED: Final = b"p"
UNFINISHED: Final = b"u"
DOMAINS: Final[Mapping[bytes, bytes]] = MappingProxyType(
    {BODY: domain("body"), WRAPS: domain("wraps")}
)
"""Under which a row's bytes hash to the digest in its key."""

WRITE_BUFFER_BYTES: Final = 32 * 1024 * 1024
"""Digests are random keys: with a small buffer every few thousand bodies rewrite all files."""
BLOOM_BITS: Final = 10
"""Most questions are about digests that are not here."""


def open_database(path: Path, *, create: bool) -> plyvel.DB:
    """Open a vault's database, or create an empty one in a folder that exists.

    Raises:
        StoreInUseError: Another process has it open.
        CorruptStoreError: It is not a whole LevelDB database, or cannot be used.
    """
    try:
        return plyvel.DB(
            str(path),
            create_if_missing=create,
            paranoid_checks=True,
            write_buffer_size=WRITE_BUFFER_BYTES,
            bloom_filter_bits=BLOOM_BITS,
            compression=None,  # ciphertext does not compress
        )
    except plyvel.Error as error:
        if "IO error: lock" in str(error):
            raise StoreInUseError("another process has the vault open") from error
        raise CorruptStoreError("the vault cannot be opened") from error
