"""The chain store: immutable history and current state in one LevelDB, written once a block.

`commit` writes everything that a block brings in one synchronous batch: after a crash at any moment
the store is at one height or at the next, never in between. What it finds inconsistent when it is
opened it refuses to work on. LevelDB allows one process at a time; reads from several threads are
fine, commits come from one.

An auditor opens a copy of a stopped node's folder with `read_only=True`. LevelDB then still writes
its own log and lock files there, but no row.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import plyvel

from keys.hashing import Digest
from ledger import merkle, state_tree
from ledger import store_layout as layout
from ledger.blocks import Block, Header, parse_block, parse_header, split_block
from ledger.canonical import decode, encode
from ledger.chain import ChainTip, genesis_tip, tip_after
from ledger.entries import Entry, log_leaf, parse_entry
from ledger.errors import (
    CorruptStoreError,
    DiskRefusedError,
    InvalidDataError,
    StoreInUseError,
)
from ledger.genesis import Genesis, parse_genesis
from ledger.ids import RecordId
from ledger.outcomes import encoded_outcomes_root
from ledger.quorum import QuorumCertificate, parse_quorum_certificate
from ledger.store_layout import CommitBatch
from ledger.validators import ValidatorSet, parse_validator_set

__all__ = ["ChainStore", "CommitBatch", "StoreMissingError"]

WRITE_BUFFER_BYTES: Final = 32 * 1024 * 1024
CACHE_BYTES: Final = 64 * 1024 * 1024
BLOOM_BITS: Final = 10
TIP_BYTES_MAX: Final = 1024 * 1024

_FOLDER: Final = "chain"
_ARRAYS: Final = range(0x91, 0xA0)
"""How canonical arrays of 1 to 15 elements begin: state keys of any kind."""


class _Rows(Protocol):
    """A database or a snapshot of one."""

    def get(self, key: bytes) -> bytes | None: ...
    def iterator(self, *, prefix: bytes) -> Iterator[tuple[bytes, bytes]]: ...
    def close(self) -> None: ...


class StoreMissingError(CorruptStoreError):
    """There is no chain store in this folder, or creating it was interrupted."""

    code = "ledger.store_missing"


class ChainStore:
    """A node's chain: blocks, state, trees and indexes. Open it with `open`, make it with `create`.

    Attributes:
        genesis: The network's genesis document.
        tip: What the next block is measured by; `tip.height` is 0 before the first.
    """

    def __init__(self, rows: _Rows, db: plyvel.DB | None, genesis: Genesis) -> None:
        self._rows = rows
        self._db = db
        self.genesis = genesis
        self.tip = _read_tip(rows)

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
            CorruptStoreError: There is a store already, or the disk refuses.
        """
        if (path / _FOLDER / "CURRENT").is_file():
            raise CorruptStoreError(f"there is a chain store in {path} already")
        (path / _FOLDER).mkdir(mode=0o700, parents=True, exist_ok=True)
        db = _open_db(path, create=True)
        try:
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
        except BaseException:
            db.close()
            raise
        return cls(db, db, genesis)

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Self:
        """Open an existing store and check that it agrees with itself at its newest height.

        Raises:
            StoreMissingError: There is none.
            StoreInUseError: Another process has it open.
            CorruptStoreError: It contradicts itself, or the disk does not give it back.
        """
        if not (path / _FOLDER / "CURRENT").is_file():
            raise StoreMissingError(f"there is no chain store in {path}")
        db = _open_db(path, create=False)
        try:
            store = cls(db, None if read_only else db, _read_genesis(db))
            store._check()
        except plyvel.Error as error:
            db.close()
            raise CorruptStoreError(f"the chain store in {path} is unreadable: {error}") from error
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

    def block_raw(self, height: int) -> bytes:
        """Return the bytes of a block.

        Args:
            height: `1 ... height`.

        Raises:
            CorruptStoreError: It is not there.
        """
        return self._require(layout.height_key(layout.BLOCK, height), f"block {height}")

    def block(self, height: int) -> Block:
        """Return a block, as `block_raw`."""
        return parse_block(self.block_raw(height))

    def header(self, height: int) -> Header:
        """Return a header, as `block_raw`."""
        return parse_header(split_block(self.block_raw(height))[0])

    def entry(self, height: int, index: int) -> Entry:
        """Return the entry at a place of a block, from 0; the others are not parsed."""
        return parse_entry(split_block(self.block_raw(height))[1][index])

    def quorum_certificate_raw(self, height: int) -> bytes:
        """Return the bytes of the quorum certificate of a height, as `block_raw`."""
        return self._require(layout.height_key(layout.QUORUM, height), f"certificate {height}")

    def quorum_certificate(self, height: int) -> QuorumCertificate:
        """Return the quorum certificate of a height."""
        return parse_quorum_certificate(self.quorum_certificate_raw(height))

    def outcomes(self, height: int) -> tuple[bytes, ...]:
        """Return the encoded outcomes of a block, parallel to its entries; as `block_raw`."""
        raw = self._require(layout.height_key(layout.OUTCOMES, height), f"outcomes {height}")
        return layout.parse_outcomes(raw)

    def validator_changes(self) -> Iterator[tuple[int, ValidatorSet]]:
        """Yield heights whose headers change the set, with the next height's set, ascending."""
        for key, raw in self._rows.iterator(prefix=layout.CHANGE):
            yield layout.height_of(key), parse_validator_set(raw)

    def locate(self, entry_digest: bytes) -> tuple[int, int] | None:
        """Return height and index of an entry, or None."""
        return self._place(layout.ENTRY + entry_digest)

    def locate_number(self, registration_number: str) -> tuple[int, int] | None:
        """Return height and index of the entry that got a registration number, or None."""
        return self._place(layout.number_key(registration_number))

    def history(self, record_id: RecordId) -> Iterator[tuple[int, int, int]]:
        """Yield (version, height, index) of the entries that wrote a record or are about it."""
        for key, _value in self._rows.iterator(prefix=layout.RECORD + record_id):
            yield layout.read_history_key(key)

    def state(self, key: bytes) -> bytes | None:
        """Return the stored value of a state key given by its bytes, or None."""
        return _get(self._rows, layout.STATE + key)

    def state_reader(self) -> Callable[[bytes], bytes | None]:
        """Return `state` as a function, which is what the registry wants."""
        return self.state

    def scan_state(self, kind: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield (key bytes, stored value) of all state keys of a kind, in their bytes' order."""
        for first in _ARRAYS:
            prefix = layout.STATE + bytes((first,)) + encode(kind)
            for key, stored in self._rows.iterator(prefix=prefix):
                yield key[1:], stored

    def page_reader(self) -> state_tree.PageReader:
        """Return a reader of the pages of the current state tree."""
        rows = self._rows
        return lambda key: _get(rows, layout.PAGE + key)

    def undo(self, height: int) -> bytes:
        """Return what rows held before a block of the newest 1,000; see `ledger.store_proofs`."""
        return self._require(layout.height_key(layout.UNDO, height), f"undo window at {height}")

    def log_leaf(self, index: int) -> bytes:
        """Return the data of a leaf of the log, 70 bytes, by its index from 0.

        Raises:
            CorruptStoreError: It is not there.
        """
        pair = self._require(layout.height_key(layout.LEAF, index), f"log leaf {index}")
        return log_leaf(Digest(pair[:32]), Digest(pair[32:]))

    def log_node(self, level: int, index: int) -> Digest:
        """Return a complete node of the log tree; a `merkle.NodeReader`.

        Raises:
            CorruptStoreError: It is not there.
        """
        if level == 0:
            return merkle.leaf_hash(self.log_leaf(index))
        return Digest(self._require(layout.node_key(layout.LOG, level, index), "log node"))

    def header_node(self, level: int, index: int) -> Digest:
        """Return a complete node of the tree of headers, as `log_node`."""
        return Digest(self._require(layout.node_key(layout.HEADERS, level, index), "header node"))

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
        old = {layout.STATE + key: _get(self._rows, layout.STATE + key) for key in batch.state}
        old |= {layout.PAGE + key: _get(self._rows, layout.PAGE + key) for key in batch.pages}
        try:
            with db.write_batch(transaction=True, sync=True) as rows:
                _put(rows, layout.STATE, batch.state.items())
                _put(rows, layout.PAGE, batch.pages.items())
                _put(rows, b"", layout.block_rows(batch))
                _put(rows, b"", layout.tree_rows(batch, self.tip))
                rows.put(layout.height_key(layout.UNDO, header.height), layout.print_undo(old))
                if header.height > layout.UNDO_HEIGHTS:
                    expired = header.height - layout.UNDO_HEIGHTS
                    rows.delete(layout.height_key(layout.UNDO, expired))
                rows.put(layout.TIP, encode(tip.to_value()))
        except plyvel.Error as error:
            raise DiskRefusedError(f"the disk refused block {header.height}: {error}") from error
        self.tip = tip
        return tip

    def _check(self) -> None:
        """Compare the newest block with all that must agree with it."""
        tip = self.tip
        if tip.network_id != self.genesis.network_id:
            raise CorruptStoreError("the tip of the chain store is of another network")
        if _get(self._rows, layout.height_key(layout.BLOCK, tip.height + 1)) is not None:
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
        value = _get(self._rows, key)
        return None if value is None else layout.read_place(value)

    def _require(self, key: bytes, name: str) -> bytes:
        return _require(self._rows, key, name)


def _open_db(path: Path, *, create: bool) -> plyvel.DB:
    try:
        return plyvel.DB(
            str(path / _FOLDER),
            create_if_missing=create,
            paranoid_checks=True,
            write_buffer_size=WRITE_BUFFER_BYTES,
            lru_cache_size=CACHE_BYTES,
            bloom_filter_bits=BLOOM_BITS,
        )
    except plyvel.IOError as error:
        if "lock" in str(error).lower():
            raise StoreInUseError(f"another process uses the chain store in {path}") from error
        raise CorruptStoreError(f"the chain store in {path} does not open: {error}") from error
    except plyvel.Error as error:
        raise CorruptStoreError(f"the chain store in {path} does not open: {error}") from error


def _require(rows: _Rows, key: bytes, name: str) -> bytes:
    value = _get(rows, key)
    if value is None:
        raise CorruptStoreError(f"the chain store has no {name}")
    return value


def _get(rows: _Rows, key: bytes) -> bytes | None:
    try:
        return rows.get(key)
    except plyvel.Error as error:
        raise CorruptStoreError(f"the chain store does not give a row back: {error}") from error


def _read_genesis(rows: plyvel.DB) -> Genesis:
    version = _get(rows, layout.FORMAT)
    if version is None:
        raise StoreMissingError("creating the chain store was interrupted: make it again")
    if version != layout.LAYOUT_VERSION:
        raise CorruptStoreError("the chain store has a layout that this program does not know")
    return parse_genesis(_require(rows, layout.GENESIS, "genesis document"))


def _read_tip(rows: _Rows) -> ChainTip:
    raw = _require(rows, layout.TIP, "tip")
    return ChainTip.from_value(decode(raw, TIP_BYTES_MAX, limit="bytes of the tip"))


def _put(
    rows: "plyvel.WriteBatch", prefix: bytes, values: Iterable[tuple[bytes, bytes | None]]
) -> None:
    for key, value in values:
        if value is None:
            rows.delete(prefix + key)
        else:
            rows.put(prefix + key, value)
