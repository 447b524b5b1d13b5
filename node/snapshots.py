"""The snapshots that this node keeps for others: one now and then, of which the newest two stay.

When the chain reaches a multiple of `every` blocks, a thread writes the snapshot of that height
from a view of the store, so blocks go on coming; nodes with the same setting have the same ones.
A kept folder is given out as it is: whoever takes it verifies it.

    data/snapshots/<height>/manifest.civreg, <digest>.chunk

    GET /peer/v1/snapshots                   canonical [[height, id bin 32] ...], newest first
    GET /peer/v1/snapshots/{snapshot_id}     the manifest
    GET /peer/v1/snapshot-chunks/{digest}    a chunk
"""

import shutil
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from keys.errors import CivregError
from keys.hashing import DIGEST_BYTES, Digest
from ledger.canonical import decode, encode
from ledger.fields import INTEGER_MAX, read_array, read_digest, read_int
from ledger.snapshot import MANIFEST_BYTES_MAX, Content
from ledger.snapshot_files import (
    MANIFEST_FILE,
    chunk_name,
    read_manifest,
    write_snapshot,
)
from ledger.store import ChainStore
from node.application import Application, Committed
from node.clock import Clock
from node.logs import Log

SNAPSHOTS_PATH: Final = "/peer/v1/snapshots"
CHUNKS_PATH: Final = "/peer/v1/snapshot-chunks/"
KEPT_MAX: Final = 2
LISTED_MAX: Final = 8
LIST_BYTES_MAX: Final = 1_024
TRUST_VALID_MS: Final = 30 * 24 * 3_600_000
"""How long the trust bundle of a snapshot may be used."""
PAUSE_S: Final = 0.01
"""After each chunk, so that the loop gets the interpreter."""


class SnapshotShelf:
    """Makes, keeps and gives out snapshots.

    Args:
        folder: Where they are; made when it is needed.
        application: The chain.
        every: Blocks between two; 0 makes none; those that are there are given out all the same.
        clock: For the end of a trust bundle's time.
        log: Takes notes.
        threads: Writes them; by default a thread of its own.
    """

    def __init__(
        self,
        folder: Path,
        application: Application,
        every: int,
        clock: Clock,
        log: Log,
        threads: Executor | None = None,
    ) -> None:
        self._folder = folder
        self._application = application
        self._every = every
        self._clock = clock
        self._log = log
        self._threads = threads or ThreadPoolExecutor(1, thread_name_prefix="snapshot")
        self._is_writing = False
        self._is_stopped = False
        self._kept: dict[Digest, tuple[Content, Path]] = {}
        self._read_kept()
        application.on_committed.append(self._committed)

    def stop(self) -> None:
        """Write no further ones; one that is half written is worth nothing and is made again."""
        self._is_stopped = True
        self._threads.shutdown(wait=True, cancel_futures=True)

    @property
    def heights(self) -> tuple[int, ...]:
        """The heights of the snapshots that are given out, descending."""
        return tuple(sorted((one.height for one, _path in self._kept.values()), reverse=True))

    def listing(self) -> bytes:
        """Return what there is, for a peer that asks."""
        found = sorted(
            ((content.height, digest) for digest, (content, _path) in self._kept.items()),
            reverse=True,
        )
        return encode(tuple(found[:LISTED_MAX]))

    def manifest(self, snapshot_id: Digest) -> bytes | None:
        """Return the bytes of a manifest, or None."""
        kept = self._kept.get(snapshot_id)
        return None if kept is None else _read_file(kept[1] / MANIFEST_FILE)

    def chunk(self, digest: Digest) -> bytes | None:
        """Return the bytes of a chunk of a kept snapshot, or None."""
        for _content, path in self._kept.values():
            if (path / chunk_name(digest)).is_file():
                return _read_file(path / chunk_name(digest))
        return None

    # --- making them ------------------------------------------------------------------------------

    def _committed(self, committed: Committed) -> None:
        is_due = self._every > 0 and committed.height % self._every == 0
        if is_due and not self._is_writing and not self._is_stopped:
            self._is_writing = True
            view = self._application.store.view()
            valid_until_ms = self._clock.now_ms() + TRUST_VALID_MS
            self._threads.submit(self._write, view, valid_until_ms)

    def _write(self, view: ChainStore, valid_until_ms: int) -> None:
        """Write one in a thread; a full disk costs the snapshot, never the node."""
        try:
            started_ms = self._clock.monotonic_ms()
            path = self._folder / str(view.height)
            shutil.rmtree(path, ignore_errors=True)
            manifest = write_snapshot(view, path, valid_until_ms, pause=self._pause)
            self._keep(manifest.content, path)
            took_ms = self._clock.monotonic_ms() - started_ms
            chunks = len(manifest.content.chunks)
            self._log.info("snapshot_made", height=view.height, chunks=chunks, took_ms=took_ms)
        except (CivregError, OSError) as error:
            code = error.code if isinstance(error, CivregError) else type(error).__name__
            self._log.warning("snapshot_failed", height=view.height, code=code)
        except _StoppedError:
            pass
        finally:
            view.close()
            self._is_writing = False

    def _pause(self) -> None:
        if self._is_stopped:
            raise _StoppedError
        time.sleep(PAUSE_S)

    def _keep(self, content: Content, path: Path) -> None:
        kept = {**self._kept, content.snapshot_id: (content, path)}
        newest = sorted(kept.items(), key=lambda one: one[1][0].height, reverse=True)
        self._kept = dict(newest[:KEPT_MAX])
        for _digest, (_content, old) in newest[KEPT_MAX:]:
            shutil.rmtree(old, ignore_errors=True)

    def _read_kept(self) -> None:
        """Know the snapshots of a former run again; what does not read is left alone."""
        if not self._folder.is_dir():
            return
        for path in sorted(self._folder.iterdir()):
            try:
                content = read_manifest(path).content
            except (CivregError, OSError):
                continue
            if content.network_id == self._application.network_id:
                self._keep(content, path)


class _StoppedError(Exception):
    """The node stops."""


def parse_listing(raw: bytes) -> tuple[tuple[int, Digest], ...]:
    """Read what `SnapshotShelf.listing` gives: (height, snapshot id).

    Raises:
        InvalidDataError: Another shape.
    """
    value = decode(raw, LIST_BYTES_MAX, limit="bytes of a list of snapshots")
    found: list[tuple[int, Digest]] = []
    for pair in read_array(value, "snapshots", (0, LISTED_MAX)):
        height, snapshot_id = read_array(pair, "snapshots[]", 2)
        found.append(
            (
                read_int(height, "snapshot.height", 1, INTEGER_MAX),
                read_digest(snapshot_id, "snapshot.id"),
            )
        )
    return tuple(found)


def digest_of(text: str) -> Digest | None:
    """Return the digest of 64 lower-case hexadecimal digits, or None."""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        return None
    return Digest(raw) if len(raw) == DIGEST_BYTES and raw.hex() == text else None


def _read_file(path: Path) -> bytes | None:
    """Return a file that may be pruned at any moment."""
    try:
        if path.stat().st_size > MANIFEST_BYTES_MAX:
            return None
        return path.read_bytes()
    except OSError:
        return None
