"""The rows of a vault by kind, and how its LevelDB is opened; for the vault and for its repair.

Keys: one letter and the rest. `b` digest: body. `w` digest: wraps. `x` time, digest: a staged body,
with its signer and size. `c` wraps digest: what a custodian prepared and nobody submitted yet, with
its time. `p` digest: purged. `u`: digests of unfinished purges. `m`: the height up to which all
bodies are here; `n`: the chain's height when the vault was made (see `ledger.vault_mark`).
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import plyvel

from keys.hashing import domain
from ledger.database_files import open_files

BODY: Final = b"b"
WRAPS: Final = b"w"
STAGED: Final = b"x"
PREPARED: Final = b"c"
PREPARED_END: Final = b"d"
PURGED: Final = b"p"
UNFINISHED: Final = b"u"
MARK: Final = b"m"
MADE: Final = b"n"
DOMAINS: Final[Mapping[bytes, bytes]] = MappingProxyType(
    {BODY: domain("body"), WRAPS: domain("wraps")}
)
"""Under which a row's bytes hash to the digest in its key."""

NAME: Final = "the vault"
WRITE_BUFFER_BYTES: Final = 32 * 1024 * 1024
"""Digests are random keys: with a small buffer every few thousand bodies rewrite all files."""
CACHE_BYTES: Final = 8 * 1024 * 1024
BLOOM_BITS: Final = 10
"""Most questions are about digests that are not here."""


def open_database(path: Path, *, create: bool) -> plyvel.DB:
    """Open a vault's database, or create an empty one in a folder that exists.

    Raises:
        StoreInUseError: Another process has it open.
        CorruptStoreError: It is not a whole LevelDB database, or there is none and `create` is
            false.
        DiskRefusedError: The system refuses.
    """
    return open_files(
        path,
        NAME,
        create=create,
        write_buffer_bytes=WRITE_BUFFER_BYTES,
        cache_bytes=CACHE_BYTES,
        bloom_bits=BLOOM_BITS,
    )
