"""The chain store: immutable history and current state in one LevelDB, written once a block.

`commit` writes everything that a block brings in one synchronous batch: after a crash at any moment
the store is at one height or at the next, never in between. What it finds inconsistent when it is
opened it refuses to work on. LevelDB allows one process at a time; reads from several threads are
fine, commits come from one.

An auditor opens a copy of a stopped node's folder with `read_only=True`. LevelDB then still writes
its own log and lock files there, but no row.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import plyvel

from keys.hashing import Digest
from ledger import merkle, state_tree
from ledger import store_layout as layout
from ledger.blocks import Block, Header, parse_block, parse_header, split_block
from ledger.canonical import encode
from ledger.chain import ChainTip, genesis_tip, tip_after
from ledger.database_files import has_database, of_database
from ledger.database_rows import Rows, get_row, scan_prefix, scan_rows
from ledger.disk_refusals import system_refusals
from ledger.entries import Entry, log_leaf, parse_entry
from ledger.errors import CorruptStoreError, HistoryMissingError, InvalidDataError
from ledger.genesis import Genesis
from ledger.ids import RecordId
from ledger.outcomes import encoded_outcomes_root
from ledger.quorum import QuorumCertificate, parse_quorum_certificate
from ledger.store_files import (
    FOLDER,
    NAME,
    StoreMissingError,
    check_empty,
    open_db,
    put_rows,
    read_genesis,
    read_history,
    read_tip,
    require,
)
from ledger.store_layout import CommitBatch
from ledger.validators import ValidatorSet, parse_validator_set

__all__ = ["ChainStore", "CommitBatch", "StoreMissingError"]

_ARRAYS: Final = range(0x91, 0xA0)
"""How canonical arrays of 1 to 15 elements begin: state keys of any kind."""


class ChainStore:
    """A node's chain: blocks, state, trees and indexes. Open it with `open`, make it with `create`.

    Attributes:
        genesis: The network's genesis document.
        tip: What the next block is measured by; `tip.height` is 0 before the first.
        began: Where the history begins: at genesis, or with a snapshot.
    """

    def __init__(self, rows: Rows, db: plyvel.DB | None, genesis: Genesis) -> None:
        self._rows = rows
        self._db = db
        self.genesis = genesis
        self.tip = read_tip(rows)
        self.began = read_history(rows)

    @classmethod
    def create(
        cls,
        path: Path,
        genesis: Genesis,
        state: Mapping[bytes, bytes],
        pages: Mapping[bytes, bytes | None],
    ) -> Self:
        """Make a store of height 0.

        Args:
            path: A folder without a store; made if it is not there.
            genesis: The network.
            state: The state of genesis: stored values by key bytes.
            pages: The pages of its tree.

        Raises:
            CorruptStoreError: There is a store already, or what is left of one.
            DiskRefusedError: The disk did not take it.
        """
        has_database(path / FOLDER, NAME)  # nothing is made beside what is left of a store
        with system_refusals("the folder of the chain store cannot be made"):
            (path / FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
        db = open_db(path, create=True)
        try:
            check_empty(db)
            tip = genesis_tip(genesis.charter)
            with db.write_batch(transaction=True, sync=True) as batch:
                for key, stored in state.items():
                    batch.put(layout.STATE + key, stored)
                for key, page in pages.items():
                    if page is not None:
                        batch.put(layout.PAGE + key, page)
                batch.put(layout.GENESIS, genesis.raw)
                batch.put(layout.TIP, encode(tip.to_value()))
                batch.put(layout.FORMAT, layout.LAYOUT_VERSION)
        except BaseException as error:
            db.close()
            if isinstance(error, plyvel.Error):
                raise of_database(error, NAME) from error
            raise
        return cls(db, db, genesis)

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Self:
        """Open an existing store and check that it agrees with itself at its newest height.

        Raises:
            StoreMissingError: There is none.
            StoreInUseError: Another process has it open.
            CorruptStoreError: It contradicts itself, has lost files, or is not given back.
            DiskRefusedError: The system refuses; nothing is known of damage.
        """
        if not has_database(path / FOLDER, NAME):
            raise StoreMissingError(f"there is no chain store in {path}")
        db = open_db(path, create=False)
        try:
            store = cls(db, None if read_only else db, read_genesis(db))
            store._check()
        except InvalidDataError as error:
            db.close()
            raise CorruptStoreError(f"the chain store in {path} is damaged: {error}") from error
        except BaseException:
            db.close()
            raise
        return store

    def close(self) -> None:
        """Release the store; it cannot be used afterwards."""
        self._rows.close()

    def view(self) -> "ChainStore":
        """Return the store as it is now, to read several things that must fit together; close it.

        A thread that reads while another one commits needs it; commits do not show in it.
        """
        assert self._db is not None, "a view or a store opened to read only does not change"
        return ChainStore(self._db.snapshot(), None, self.genesis)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def height(self) -> int:
        """The newest height; 0 at first."""
        return self.tip.height

    @property
    def state_root(self) -> Digest:
        """Root of the state."""
        return state_tree.root_of(self.page_reader())

    def tip_header(self) -> Header | None:
        """Return the newest header, or None before the first block."""
        return self.header(self.height) if self.height else None

    def check_held(self, height: int) -> None:
        """Refuse a height that is older than what is here.

        Raises:
            HistoryMissingError: It is.
        """
        if height < self.began.first_height:
            raise self._too_old(f"block {height} is")

    def block_raw(self, height: int) -> bytes:
        """Return the bytes of a block.

        Args:
            height: `1 ... height`.

        Raises:
            HistoryMissingError: It is older than what is here.
            CorruptStoreError: It is not there.
        """
        return self._of_height(layout.BLOCK, height, "block")

    def block(self, height: int) -> Block:
        """Return a block, as `block_raw`."""
        return parse_block(self.block_raw(height))

    def header(self, height: int) -> Header:
        """Return a header, as `block_raw`."""
        if height < self.began.first_height:
            return parse_header(self._of_height(layout.HEADER, height, "header"))
        return parse_header(split_block(self.block_raw(height))[0])

    def entry(self, height: int, index: int) -> Entry:
        """Return the entry at a place of a block, from 0; the others are not parsed."""
        return parse_entry(split_block(self.block_raw(height))[1][index])

    def quorum_certificate_raw(self, height: int) -> bytes:
        """Return the bytes of the quorum certificate of a height, as `block_raw`."""
        return self._of_height(layout.QUORUM, height, "certificate")

    def quorum_certificate(self, height: int) -> QuorumCertificate:
        """Return the quorum certificate of a height."""
        return parse_quorum_certificate(self.quorum_certificate_raw(height))

    def outcomes(self, height: int) -> tuple[bytes, ...]:
        """Return the encoded outcomes of a block, parallel to its entries; as `block_raw`."""
        return layout.parse_outcomes(self._of_height(layout.OUTCOMES, height, "outcomes"))

    def validator_changes(self, above: int = 0) -> Iterator[tuple[int, ValidatorSet]]:
        """Yield heights whose headers change the set, with the next height's set, ascending.

        Args:
            above: Only heights above this one.
        """
        start, stop = layout.height_key(layout.CHANGE, above + 1), layout.CHANGES_END
        for key, raw in scan_rows(self._rows, start, stop):
            yield layout.height_of(key), parse_validator_set(raw)

    def validators_at(self, height: int) -> ValidatorSet:
        """Return the set of a stored height or the one after, from 1."""
        start, stop = layout.CHANGE, layout.height_key(layout.CHANGE, height)
        for _key, raw in scan_rows(self._rows, start, stop, reverse=True):
            return parse_validator_set(raw)
        return self.genesis.validator_set

    def evidence_heights(self) -> Iterator[int]:
        """Yield the heights whose blocks hold evidence, descending."""
        for key, _nothing in scan_prefix(self._rows, layout.EVIDENCE, reverse=True):
            yield layout.height_of(key)

    def locate(self, entry_digest: bytes) -> tuple[int, int] | None:
        """Return height and index of an entry, or None."""
        return self._place(layout.ENTRY + entry_digest)

    def locate_number(self, registration_number: str) -> tuple[int, int] | None:
        """Return height and index of the entry that got a registration number, or None."""
        return self._place(layout.number_key(registration_number))

    def history(self, record_id: RecordId) -> Iterator[tuple[int, int, int]]:
        """Yield (version, height, index) of the entries that wrote a record or are about it."""
        for key, _value in scan_prefix(self._rows, layout.RECORD + record_id):
            yield layout.read_history_key(key)

    def state(self, key: bytes) -> bytes | None:
        """Return the stored value of a state key given by its bytes, or None."""
        return get_row(self._rows, layout.STATE + key)

    def state_reader(self) -> Callable[[bytes], bytes | None]:
        """Return `state` as a function, which is what the registry wants."""
        return self.state

    def state_rows(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key bytes, stored value) of the whole state, in the order of the key bytes."""
        for key, stored in scan_prefix(self._rows, layout.STATE):
            yield key[1:], stored

    def scan_state(self, kind: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key bytes, stored value) of all state keys of a kind, in their bytes' order."""
        for first in _ARRAYS:
            prefix = layout.STATE + bytes((first,)) + encode(kind)
            for key, stored in scan_prefix(self._rows, prefix):
                yield key[1:], stored

    def page_reader(self) -> state_tree.PageReader:
        """Return a reader of the pages of the current state tree."""
        rows = self._rows
        return lambda key: get_row(rows, layout.PAGE + key)

    def undo(self, height: int) -> bytes:
        """Return what rows held before a block of the newest 1,000; see `ledger.store_proofs`."""
        return self._require(layout.height_key(layout.UNDO, height), f"undo window at {height}")

    def log_leaf(self, index: int) -> bytes:
        """Return the data of a leaf of the log, 70 bytes, by its index from 0.

        Raises:
            CorruptStoreError: It is not there.
        """
        if index < self.began.log_size:
            raise self._too_old(f"leaf {index} of the log is")
        pair = self._require(layout.height_key(layout.LEAF, index), f"log leaf {index}")
        return log_leaf(Digest(pair[:32]), Digest(pair[32:]))

    def log_node(self, level: int, index: int) -> Digest:
        """Return a complete node of the log tree; a `merkle.NodeReader`.

        Raises:
            CorruptStoreError: It is not there.
        """
        if level == 0 and index >= self.began.log_size:
            return merkle.leaf_hash(self.log_leaf(index))
        return self._node(layout.LOG, level, index, self.began.log_size)

    def header_node(self, level: int, index: int) -> Digest:
        """Return a complete node of the tree of headers, as `log_node`."""
        return self._node(layout.HEADERS, level, index, self.began.first_height - 1)

    def commit(self, batch: CommitBatch) -> ChainTip:
        """Write one decided block with all that it brings, or nothing at all.

        Returns:
            The new tip, which is `tip` from now on.

        Raises:
            InvalidBlockError: The block does not name this set as the next one.
            CorruptStoreError: The batch does not follow the store.
            DiskRefusedError: The disk did not take it; the store is as it was.
        """
        tip = tip_after(self.tip, batch.block, batch.next_validators)
        layout.check_batch(batch, self.tip, tip, self.page_reader())
        db, header = self._db, batch.block.header
        if db is None:
            raise CorruptStoreError("the chain store was opened to read only")
        old = {layout.STATE + key: get_row(self._rows, layout.STATE + key) for key in batch.state}
        old |= {layout.PAGE + key: get_row(self._rows, layout.PAGE + key) for key in batch.pages}
        try:
            with db.write_batch(transaction=True, sync=True) as rows:
                put_rows(rows, layout.STATE, batch.state.items())
                put_rows(rows, layout.PAGE, batch.pages.items())
                put_rows(rows, b"", layout.block_rows(batch))
                put_rows(rows, b"", layout.tree_rows(batch, self.tip))
                rows.put(layout.height_key(layout.UNDO, header.height), layout.print_undo(old))
                if header.height > layout.UNDO_HEIGHTS:
                    expired = header.height - layout.UNDO_HEIGHTS
                    rows.delete(layout.height_key(layout.UNDO, expired))
                rows.put(layout.TIP, encode(tip.to_value()))
        except plyvel.Error as error:
            raise of_database(error, NAME) from error
        self.tip = tip
        return tip

    def _check(self) -> None:
        """Compare the newest block with all that must agree with it."""
        tip = self.tip
        if tip.network_id != self.genesis.network_id:
            raise CorruptStoreError("the tip of the chain store is of another network")
        if get_row(self._rows, layout.height_key(layout.BLOCK, tip.height + 1)) is not None:
            raise CorruptStoreError("the chain store holds a block above its newest height")
        if not tip.height:
            if tip != genesis_tip(self.genesis.charter):
                raise CorruptStoreError("the chain store is not at genesis, and has no block")
            return
        header = self.block(tip.height).header
        if header.digest != tip.parent or header.height != tip.height:
            raise CorruptStoreError(f"block {tip.height} is not the newest of the chain store")
        if (header.log_size, header.log_root) != (tip.log.size, tip.log.root()):
            raise CorruptStoreError("the log of the chain store is not that of its newest block")
        if header.state_root != self.state_root:
            raise CorruptStoreError("the state of the chain store is not that of its newest block")
        if header.outcomes_root != encoded_outcomes_root(self.outcomes(tip.height)):
            raise CorruptStoreError("the newest outcomes are not those of the newest block")
        if self.quorum_certificate(tip.height).block_id != header.digest:
            raise CorruptStoreError("the newest quorum certificate is not of the newest block")

    def _place(self, key: bytes) -> tuple[int, int] | None:
        value = get_row(self._rows, key)
        return None if value is None else layout.read_place(value)

    def _require(self, key: bytes, name: str) -> bytes:
        return require(self._rows, key, name)

    def _of_height(self, prefix: bytes, height: int, name: str) -> bytes:
        """Return what a height has."""
        value = get_row(self._rows, layout.height_key(prefix, height))
        if value is None and 1 <= height < self.began.first_height:
            raise self._too_old(f"{name} {height} is")
        if value is None:
            raise CorruptStoreError(f"the chain store has no {name} {height}")
        return value

    def _node(self, tree: bytes, level: int, index: int, leaves_before: int) -> Digest:
        """Return a complete node of a tree of which so many leaves are not here."""
        value = get_row(self._rows, layout.node_key(tree, level, index))
        if value is None and index << level < leaves_before:
            raise self._too_old("a node of the log or of the headers is")
        if value is None:
            raise CorruptStoreError("the chain store has no log node or header node")
        return Digest(value)

    def _too_old(self, what: str) -> HistoryMissingError:
        first = self.began.first_height
        return HistoryMissingError(
            f"{what} older than the history of this node, which begins with block {first}",
            first_height=first,
        )
