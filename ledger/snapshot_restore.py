"""A chain store out of a snapshot: built beside the place where it is to stand, opened at the end.

Every header of the blocks that go along is checked against the one after it, the newest against the
certified header; the frontiers against the first of these headers; the outcomes against their
roots; and the tree of all rows against `state_root`. Only then does the store get the row without
which no store opens. So a power cut at any moment leaves a folder that is nothing, and restoring is
begun again.
"""

from pathlib import Path
from typing import Final

from keys.hashing import Digest
from ledger import state_tree
from ledger import store_layout as layout
from ledger.blocks import Block, parse_block, parse_header, split_block
from ledger.canonical import encode
from ledger.chain import ChainTip, check_block, genesis_tip, tip_after
from ledger.database_rows import get_row
from ledger.errors import InvalidDataError
from ledger.genesis import Genesis
from ledger.merkle import Frontier
from ledger.outcomes import encoded_outcomes_root, parse_outcome
from ledger.quorum import parse_quorum_certificate, print_quorum_certificate
from ledger.snapshot import (
    ChunkInfo,
    ChunkKind,
    Manifest,
    SnapshotChunkError,
    SnapshotManifestError,
    SnapshotStateError,
    check_manifest,
    chunk_digest,
    parse_block_chunk,
    parse_state_chunk,
)
from ledger.state_keys import is_stored_value, key_bytes_hash, stored_value_hash
from ledger.store_files import open_db, write_rows
from ledger.store_layout import CommitBatch
from ledger.validators import print_validator_set

TREE_ROWS: Final = 50_000
"""Rows of the state that are put into the tree at once."""


class Restoration:
    """A store in the making.

    Args:
        path: An empty folder, made if it is not there; the store is made in it.
        genesis: Of this node.
        manifest: From anywhere.

    Raises:
        InvalidDataError: The manifest does not hold for this network, see `check_manifest`.
        CorruptStoreError: The disk refuses.
    """

    def __init__(self, path: Path, genesis: Genesis, manifest: Manifest) -> None:
        check_manifest(manifest, genesis.network_id)
        self._genesis, self._manifest, self._content = genesis, manifest, manifest.content
        self._taken = 0
        self._last_key = b""
        self._hashes: dict[bytes, bytes | None] = {}
        self._tip: ChainTip | None = None
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._db = open_db(path, create=True)

    def close(self) -> None:
        """Release the folder."""
        self._db.close()

    def take(self, raw: bytes) -> None:
        """Take in the next chunk of the manifest.

        Raises:
            SnapshotChunkError: It is another one.
            SnapshotStateError: It is the one, and its content is not that of the certified chain.
            DiskRefusedError: The disk did not take it.
        """
        info = self._content.chunks[self._taken]
        check_chunk(info, raw)
        try:
            if info.kind is ChunkKind.STATE:
                self._take_rows(info, raw)
            else:
                self._take_blocks(info, raw)
        except SnapshotStateError:
            raise
        except InvalidDataError as error:
            raise SnapshotStateError(f"a chunk does not belong to the chain: {error}") from error
        self._taken += 1

    def finish(self) -> None:
        """See that all of it is the certified state, then make the store one that opens; close it.

        Raises:
            SnapshotChunkError: A chunk is missing.
            SnapshotStateError: It is another state.
            DiskRefusedError: The disk did not take it.
        """
        if self._taken < len(self._content.chunks):
            raise SnapshotChunkError("not all chunks of the snapshot came")
        newest = self._manifest.trust.newest
        assert newest is not None, "check_manifest saw to it"
        assert self._tip is not None, "a manifest ends with blocks"
        if (self._tip.height, self._tip.parent) != (self._content.height, newest.header.digest):
            raise SnapshotStateError("the blocks of the snapshot do not end at its header")
        self._grow_tree()
        if state_tree.root_of(self._read_page) != newest.header.state_root:
            raise SnapshotStateError("the rows of the snapshot lead to another state root")
        certificate = print_quorum_certificate(newest.quorum_certificate)
        rows: dict[bytes, bytes | None] = dict(self._change_rows())
        rows[layout.height_key(layout.QUORUM, self._content.height)] = certificate
        history = (1, self._content.first, self._content.height, self._content.log.size)
        rows[layout.HISTORY] = encode(history)
        rows[layout.GENESIS] = self._genesis.raw
        rows[layout.TIP] = encode(self._tip.to_value())
        rows[layout.FORMAT] = layout.RESTORED_VERSION
        write_rows(self._db, rows.items(), sync=True)
        self.close()

    # --- the state --------------------------------------------------------------------------------

    def _take_rows(self, info: ChunkInfo, raw: bytes) -> None:
        rows = parse_state_chunk(raw)
        _check_count(info, len(rows))
        for key, stored in rows:
            if key <= self._last_key:
                raise SnapshotStateError("the rows of the snapshot are not in order")
            if not is_stored_value(stored):
                raise SnapshotStateError("a row of the snapshot holds no stored value")
            self._last_key = key
            self._hashes[key_bytes_hash(key)] = stored_value_hash(stored)
        write_rows(self._db, [(layout.STATE + key, stored) for key, stored in rows], sync=False)
        if len(self._hashes) >= TREE_ROWS:
            self._grow_tree()

    def _grow_tree(self) -> None:
        pages = state_tree.update(self._read_page, self._hashes).pages
        write_rows(self._db, [(layout.PAGE + key, page) for key, page in pages.items()], sync=False)
        self._hashes = {}

    def _read_page(self, key: bytes) -> bytes | None:
        return get_row(self._db, layout.PAGE + key)

    # --- the newest blocks ------------------------------------------------------------------------

    def _take_blocks(self, info: ChunkInfo, raw: bytes) -> None:
        blocks = parse_block_chunk(raw)
        _check_count(info, len(blocks))
        for block_raw, outcomes in blocks:
            if self._tip is None:
                self._tip = self._begin(block_raw)
            self._tip = self._take_block(self._tip, parse_block(block_raw), outcomes)

    def _begin(self, block_raw: bytes) -> ChainTip:
        """Return the tip before the first block: as its header says, which later ones vouch for."""
        content = self._content
        if content.first == 1:
            return genesis_tip(self._genesis.charter)
        header = parse_header(split_block(block_raw)[0])
        rows = (*_nodes(layout.HEADERS, content.headers), *_nodes(layout.LOG, content.log))
        write_rows(self._db, rows, sync=False)
        return ChainTip(
            network_id=content.network_id,
            height=content.first - 1,
            time_ms=0,
            parent=header.parent,
            headers=content.headers,
            log=content.log,
            validators=self._manifest.trust.validators_at(content.first),
        )

    def _take_block(self, tip: ChainTip, block: Block, outcomes: tuple[bytes, ...]) -> ChainTip:
        check_block(tip, block)
        header = block.header
        if header.outcomes_root != encoded_outcomes_root(outcomes):
            raise SnapshotStateError(f"the outcomes of block {header.height} are others")
        following = self._manifest.trust.validators_at(header.height + 1)
        after = tip_after(tip, block, following)
        batch = CommitBatch(
            block=block,
            quorum_certificate=self._certificate(header.height, header.digest),
            outcomes=outcomes,
            registration_numbers=[parse_outcome(one).registration_number for one in outcomes],
            state={},
            pages={},
            next_validators=following,
        )
        rows = (*layout.block_rows(batch), *layout.tree_rows(batch, tip))
        write_rows(self._db, rows, sync=False)
        return after

    def _certificate(self, height: int, block_id: Digest) -> bytes:
        """Return the certificate of a block; that of the newest one comes with the trust bundle."""
        newest = self._manifest.trust.newest
        assert newest is not None, "check_manifest saw to it"
        if height >= self._content.height:
            return print_quorum_certificate(newest.quorum_certificate)
        raw = self._manifest.certificates[height - self._content.first]
        if parse_quorum_certificate(raw).block_id != block_id:
            raise SnapshotManifestError(f"a certificate is for another block than {height}")
        return raw

    def _change_rows(self) -> dict[bytes, bytes]:
        """Return what a trust bundle is made of: where the validator set changed before."""
        rows: dict[bytes, bytes] = {}
        for (header, certificate), validators in self._manifest.trust.changes:
            height = header.height
            rows[layout.height_key(layout.CHANGE, height)] = print_validator_set(validators)
            rows[layout.height_key(layout.QUORUM, height)] = print_quorum_certificate(certificate)
            if height < self._content.first:
                rows[layout.height_key(layout.HEADER, height)] = header.raw
        return rows


def check_chunk(info: ChunkInfo, raw: bytes) -> None:
    """Refuse bytes that are not the chunk of a line of the manifest.

    Raises:
        SnapshotChunkError: They are not.
    """
    if len(raw) != info.size or chunk_digest(raw) != info.digest:
        raise SnapshotChunkError("a chunk is not the one that the manifest lists")


def _check_count(info: ChunkInfo, count: int) -> None:
    if count != info.items:
        raise SnapshotStateError("a chunk has another number of items than the manifest says")


def _nodes(tree: bytes, frontier: Frontier) -> list[tuple[bytes, bytes]]:
    """Return the rows of the complete nodes that a frontier is made of."""
    levels = [level for level in reversed(range(64)) if frontier.size >> level & 1]
    return [
        (layout.node_key(tree, level, (frontier.size >> level) - 1), digest)
        for level, digest in zip(levels, frontier.hashes, strict=True)
    ]
