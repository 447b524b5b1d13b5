"""A snapshot as plain files in a folder: made of a store, and put into an empty place.

    manifest.civreg     see `ledger.snapshot`
    <digest>.chunk      64 hexadecimal digits; a chunk

A folder is written under another name and gets its own when it is complete.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from keys.hashing import Digest
from ledger.errors import LedgerError
from ledger.genesis import Genesis
from ledger.merkle import Frontier, NodeReader
from ledger.snapshot import (
    CHUNK_BYTES,
    CHUNK_BYTES_MAX,
    MANIFEST_BYTES_MAX,
    ChunkInfo,
    ChunkKind,
    Content,
    Manifest,
    SnapshotChunkError,
    SnapshotManifestError,
    SnapshotNothingError,
    TailBlock,
    chunked,
    first_of,
    parse_manifest,
)
from ledger.snapshot_restore import Restoration
from ledger.store import ChainStore
from ledger.store_files import FOLDER
from ledger.store_proofs import trust_bundle

MANIFEST_FILE: Final = "manifest.civreg"
RESTORING_FOLDER: Final = "restoring"
"""Within a node's data folder, while a snapshot is restored; worth nothing."""
SNAPSHOTS_FOLDER: Final = "snapshots"
"""Within a node's data folder: the snapshots that it keeps for others."""
FETCHED_FOLDER: Final = "fetched"
"""Within a node's data folder: what came from peers; an attempt that follows goes on from there."""
_PART: Final = ".part"


class SnapshotPlaceError(LedgerError):
    """A store stands where a snapshot was to be put, or a folder where one was to be made."""

    code = "ledger.snapshot_place_taken"


def write_snapshot(
    store: ChainStore,
    folder: Path,
    valid_until_ms: int,
    chunk_bytes: int = CHUNK_BYTES,
    pause: Callable[[], None] = lambda: None,
) -> Manifest:
    """Write the snapshot of a store's newest state.

    Args:
        store: A store that nobody writes to meanwhile, or a view of one.
        folder: A folder that is not there yet.
        valid_until_ms: Of the trust bundle that goes along.
        chunk_bytes: Bytes at which a chunk ends.
        pause: Called after each chunk; may sleep, so that other work gets its turn.

    Raises:
        SnapshotNothingError: There is no block yet.
        SnapshotPlaceError: The folder is there already.
        OSError: The disk refuses.
    """
    if not store.height:
        raise SnapshotNothingError("there is no block yet")
    if folder.exists():
        raise SnapshotPlaceError("the folder of the snapshot is there already")
    part = folder.with_name(folder.name + _PART)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700, parents=True)
    infos: list[ChunkInfo] = []
    for items, kind in ((store.state_rows(), ChunkKind.STATE), (_tail(store), ChunkKind.BLOCKS)):
        for info, raw in chunked(kind, items, chunk_bytes):
            write_synced(part / chunk_name(info.digest), raw)
            infos.append(info)
            pause()
    manifest = _manifest(store, tuple(infos), valid_until_ms)
    write_synced(part / MANIFEST_FILE, manifest.to_bytes())
    part.rename(folder)
    _sync_folder(folder.parent)
    return manifest


def _manifest(store: ChainStore, infos: tuple[ChunkInfo, ...], valid_until_ms: int) -> Manifest:
    first = first_of(store.height)
    before = store.header(first).log_size - store.header(first).entries_count
    content = Content(
        network_id=store.genesis.network_id,
        height=store.height,
        first=first,
        headers=_frontier(store.header_node, first - 1),
        log=_frontier(store.log_node, before),
        rows=sum(one.items for one in infos if one.kind is ChunkKind.STATE),
        chunks=infos,
    )
    certificates = tuple([store.quorum_certificate_raw(at) for at in range(first, store.height)])
    return Manifest(content, trust_bundle(store, valid_until_ms), certificates)


def _frontier(read: NodeReader, size: int) -> Frontier:
    levels = [level for level in reversed(range(64)) if size >> level & 1]
    return Frontier(size, tuple([read(level, (size >> level) - 1) for level in levels]))


def _tail(store: ChainStore) -> Iterator[TailBlock]:
    for height in range(first_of(store.height), store.height + 1):
        yield store.block_raw(height), store.outcomes(height)


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a folder; see `parse_manifest`.

    Raises:
        SnapshotManifestError: There is none, or it is too long.
        InvalidDataError: It does not hold.
    """
    path = folder / MANIFEST_FILE
    if not path.is_file() or path.stat().st_size > MANIFEST_BYTES_MAX:
        raise SnapshotManifestError(f"the folder has no {MANIFEST_FILE} that can be read")
    return parse_manifest(path.read_bytes())


def read_chunk(folder: Path, digest: Digest) -> bytes:
    """Return the bytes of a chunk file; `Restoration` checks them.

    Raises:
        SnapshotChunkError: It is missing or too long.
    """
    path = folder / chunk_name(digest)
    if not path.is_file() or path.stat().st_size > CHUNK_BYTES_MAX:
        raise SnapshotChunkError(f"the snapshot has no chunk {digest.hex()} that can be read")
    return path.read_bytes()


def restore_snapshot(
    folder: Path,
    data_folder: Path,
    genesis: Genesis,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
    manifest: Manifest | None = None,
) -> Manifest:
    """Put the store of a snapshot into a data folder that has none; verified first, then at once.

    A restoring that was interrupted is begun again and finds nothing of the former one. Whoever has
    judged a manifest hands that one over: the file may be another by now.

    Args:
        folder: The snapshot.
        data_folder: Of a stopped node.
        genesis: Of the node.
        tell: Told how many chunks are done, and of how many.
        manifest: Of the snapshot, if it was judged before; None: that of the folder.

    Raises:
        SnapshotPlaceError: There is a chain store.
        InvalidSnapshotError: The snapshot is not that of the certified state.
        InvalidDataError: A signature, certificate or link of it does not hold.
        CorruptStoreError: The disk refuses.
    """
    if (data_folder / FOLDER).exists():
        raise SnapshotPlaceError("there is a chain store already")
    manifest = read_manifest(folder) if manifest is None else manifest
    beside = data_folder / RESTORING_FOLDER
    shutil.rmtree(beside, ignore_errors=True)
    restoration = Restoration(beside, genesis, manifest)
    try:
        chunks = manifest.content.chunks
        for done, info in enumerate(chunks, 1):
            restoration.take(read_chunk(folder, info.digest))
            tell(done, len(chunks))
        restoration.finish()
    except BaseException:
        restoration.close()
        shutil.rmtree(beside, ignore_errors=True)
        raise
    ChainStore.open(beside).close()
    _sync_folder(beside / FOLDER)
    (beside / FOLDER).rename(data_folder / FOLDER)
    _sync_folder(data_folder)
    shutil.rmtree(beside, ignore_errors=True)
    return manifest


def chunk_name(digest: Digest) -> str:
    """Return the file name of a chunk."""
    return f"{digest.hex()}.chunk"


def write_synced(path: Path, content: bytes) -> None:
    """Write a file and see that it is on the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
