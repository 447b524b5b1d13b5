"""Reads a whole chain store of a stopped node and sees that it agrees with itself.

Opening a store looks at its newest height only, because a start must not take hours. What is
damaged further down shows when it is needed; an operator who suspects it asks here.
"""

from pathlib import Path
from typing import Final

from keys.errors import CivregError
from ledger import state_tree
from ledger.errors import CorruptStoreError, DiskRefusedError
from ledger.merkle import Frontier, leaf_hash
from ledger.outcomes import encoded_outcomes_root
from ledger.state_keys import key_bytes_hash, stored_value_hash
from ledger.store import ChainStore
from ledger.store_files import check_readable, open_db

ROWS: Final = 50_000
"""Rows of the state that are put into the tree at once."""


def check_store(store: ChainStore) -> None:
    """Check every block with its certificate and outcomes, the log, and all rows of the state.

    Args:
        store: Nobody writes to it meanwhile.

    Raises:
        CorruptStoreError: Something is missing or is not what the block after it says.
        DiskRefusedError: It cannot be read now.
    """
    try:
        _check_blocks(store)
        _check_log(store)
        _check_state(store)
    except (CorruptStoreError, DiskRefusedError):
        raise
    except CivregError as error:
        raise CorruptStoreError(f"the chain store is damaged: {error}") from error


def check_rows(path: Path) -> None:
    """Have LevelDB read every row of a chain store and compare its checksums.

    Args:
        path: The data folder of a stopped node.

    Raises:
        StoreInUseError: A process has it open.
        CorruptStoreError: Not every row is given back.
    """
    database = open_db(path, create=False)
    try:
        check_readable(database)
    finally:
        database.close()


def _check_blocks(store: ChainStore) -> None:
    parent = None
    changes = dict(store.validator_changes())
    validators = store.genesis.validator_set
    for height in range(1, store.began.first_height):
        validators = changes.get(height, validators)
    for height in range(store.began.first_height, store.height + 1):
        header = store.block(height).header
        if header.height != height or (parent is not None and header.parent != parent):
            raise CorruptStoreError(f"block {height} of the chain store is not the one after")
        if header.outcomes_root != encoded_outcomes_root(store.outcomes(height)):
            raise CorruptStoreError(f"the outcomes of block {height} are others")
        certificate = store.quorum_certificate(height)
        if (certificate.height, certificate.block_id) != (height, header.digest):
            raise CorruptStoreError(f"the certificate of block {height} is another one's")
        certificate.check(store.genesis.network_id, validators)
        validators = changes.get(height, validators)
        for index, entry in enumerate(store.block(height).entries):
            if store.locate(entry.entry_digest) != (height, index):
                raise CorruptStoreError(f"entry {index} of block {height} is not found again")
        parent = header.digest


def _check_log(store: ChainStore) -> None:
    size = store.began.log_size
    levels = [level for level in reversed(range(64)) if size >> level & 1]
    complete = [store.log_node(level, (size >> level) - 1) for level in levels]
    leaves = [leaf_hash(store.log_leaf(index)) for index in range(size, store.tip.log.size)]
    before = Frontier(size, tuple(complete))
    if before.extend(leaves).root() != store.tip.log.root():
        raise CorruptStoreError("the leaves of the log are not those of the newest block")


def _check_state(store: ChainStore) -> None:
    """Build the tree of all rows anew; what LevelDB leaves out of an iteration is missing in it."""
    header = store.tip_header()
    pages: dict[bytes, bytes | None] = {}
    hashes: dict[bytes, bytes | None] = {}
    for key, stored in store.state_rows():
        hashes[key_bytes_hash(key)] = stored_value_hash(stored)
        if len(hashes) >= ROWS:
            pages |= state_tree.update(pages.get, hashes).pages
            hashes = {}
    update = state_tree.update(pages.get, hashes)
    if header is not None and update.root != header.state_root:
        raise CorruptStoreError("the rows of the state are not those of the newest block")
    for key, page in (pages | update.pages).items():
        if page is not None and store.page_reader()(key) != page:
            raise CorruptStoreError("a page of the tree of the state is damaged")
