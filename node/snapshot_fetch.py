"""Gets a snapshot from peers: who has which, one whose manifest holds, its chunks from all of them.

A machine over the ports of `node.ports`, like `node.sync`. All peers are asked what they have; what
two or more of them offer is tried first, the newest before others. A manifest is verified from
genesis on before anything else is asked for, each chunk against the digest that the manifest lists,
and whoever gives another one is blamed and the next one asked (`node.fetch`). That the chunks lead
to the certified state shows only when all are here: `refuse` is for whoever finds out that they do
not, and blames who gave the manifest; so does a chunk of another size than the manifest lists. A
snapshot of which nothing comes for a while is given up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keys.errors import CivregError
from keys.hashing import Digest
from ledger.errors import UntrustedError
from ledger.ids import AgencyId
from ledger.snapshot import (
    CHUNK_BYTES_MAX,
    MANIFEST_BYTES_MAX,
    Manifest,
    SnapshotChunkError,
    SnapshotManifestError,
    check_manifest,
    chunk_digest,
    parse_manifest,
)
from ledger.snapshot_files import MANIFEST_FILE, chunk_name, write_synced
from ledger.trust import TrustBundle
from node.errors import SnapshotUnavailableError
from node.fetch import Fetcher
from node.logs import Log
from node.ports import Network, Question, Timers
from node.snapshots import CHUNKS_PATH, LIST_BYTES_MAX, SNAPSHOTS_PATH, parse_listing

LISTS_MS: Final = 3_000
"""For which the answers of peers are waited."""
STALL_MS: Final = 20_000
"""After which a snapshot of which no chunk came is given up."""
WISHES_MAX: Final = 32
"""Chunks that are asked for ahead."""
_LISTS: Final = Question(SNAPSHOTS_PATH, LIST_BYTES_MAX)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which snapshots are of use.

    Attributes:
        network_id: Of this network.
        height_min: From this height on.
        bytes_max: At most so large: whoever lists more may have made it up.
        trust: A bundle that the snapshot's must extend, from a source that the operator believes.
    """

    network_id: Digest
    height_min: int
    bytes_max: int
    trust: TrustBundle | None = None


class SnapshotFetch:
    """Fetches one snapshot into a folder.

    Args:
        network: The other nodes.
        timers: For waiting.
        log: Takes notes.
        wanted: Which are of use.
        folder: Where its files go, as `ledger.snapshot_files` reads them.

    Attributes:
        on_done: Told the manifest when all files are there.
        on_failed: Told when no peer has a snapshot that is left to be tried.
        on_progress: Told how many chunks are there, and of how many.
    """

    def __init__(
        self, network: Network, timers: Timers, log: Log, wanted: Wanted, folder: Path
    ) -> None:
        self._network = network
        self._timers = timers
        self._log = log
        self._wanted = wanted
        self._folder = folder
        self._offers: dict[Digest, tuple[int, list[AgencyId]]] = {}
        self._answers = 0
        self._is_listed = False
        self._manifest: Manifest | None = None
        self._givers: list[AgencyId] = []
        self._missing: list[Digest] = []
        self._sizes: dict[Digest, int] = {}
        self._is_false = False
        self._came = 0
        self._fetcher = Fetcher(network, timers, CHUNKS_PATH, CHUNK_BYTES_MAX, self._accept)
        self.on_done: Callable[[Manifest], None] = _ignore
        self.on_failed: Callable[[CivregError], None] = _ignore
        self.on_progress: Callable[[int, int], None] = _ignore

    def start(self) -> None:
        """Ask all peers what they have."""
        for peer in self._network.peers:
            self._network.ask(peer, _LISTS, self._lister(peer))
        self._timers.after(LISTS_MS, self._all_listed)

    def refuse(self, code: str) -> None:
        """Blame who gave the manifest of the fetched snapshot, and fetch another one."""
        for peer in self._givers:
            self._network.blame(peer, code)
        self._next()

    # --- which ------------------------------------------------------------------------------------

    def _lister(self, peer: AgencyId) -> Callable[[bytes | None], None]:
        def take(raw: bytes | None) -> None:
            if self._is_listed:
                return
            self._answers += 1
            if raw is not None:
                try:
                    listed = parse_listing(raw)
                except CivregError as error:
                    self._network.blame(peer, error.code)
                    listed = ()
                for height, snapshot_id in listed:
                    known = self._offers.setdefault(snapshot_id, (height, []))
                    if known[0] == height and peer not in known[1]:
                        known[1].append(peer)
            if self._answers == len(self._network.peers):
                self._all_listed()

        return take

    def _all_listed(self) -> None:
        if not self._is_listed:
            self._is_listed = True
            self._next()

    def _next(self) -> None:
        """Try the best snapshot that is left: of two peers or more, new, of many peers."""
        self._manifest, self._givers, self._is_false = None, [], False
        self._fetcher.forget_all()
        usable = [
            (len(peers) > 1, height, len(peers), snapshot_id)
            for snapshot_id, (height, peers) in self._offers.items()
            if height >= self._wanted.height_min
        ]
        if not usable:
            self.on_failed(SnapshotUnavailableError("no peer has a snapshot that can be used"))
            return
        _is_common, height, _count, snapshot_id = max(usable)
        _height, peers = self._offers.pop(snapshot_id)
        self._ask_manifest(snapshot_id, height, sorted(peers))

    def _ask_manifest(self, snapshot_id: Digest, height: int, peers: list[AgencyId]) -> None:
        if not peers:
            self._next()
            return
        peer, others = peers[0], peers[1:]

        def take(raw: bytes | None) -> None:
            manifest = None if raw is None else self._read(peer, raw, snapshot_id, height)
            if manifest is None or raw is None:
                self._ask_manifest(snapshot_id, height, others)
            elif sum(one.size for one in manifest.content.chunks) > self._wanted.bytes_max:
                self._log.warning("snapshot_too_large", height=height)
                self._next()
            else:
                self._begin(manifest, raw, peer)

        path = f"{SNAPSHOTS_PATH}/{snapshot_id.hex()}"
        self._network.ask(peer, Question(path, MANIFEST_BYTES_MAX), take)

    def _read(
        self, peer: AgencyId, raw: bytes, snapshot_id: Digest, height: int
    ) -> Manifest | None:
        try:
            manifest = parse_manifest(raw)
            check_manifest(manifest, self._wanted.network_id)
            if (manifest.content.snapshot_id, manifest.content.height) != (snapshot_id, height):
                raise SnapshotManifestError("another manifest than was asked for")
        except CivregError as error:
            self._network.blame(peer, error.code)
            self._log.warning("snapshot_refused", peer=peer, height=height, code=error.code)
            return None
        return manifest if self._is_trusted(manifest) else None

    def _is_trusted(self, manifest: Manifest) -> bool:
        """Tell whether it continues what is believed; if not, that is no proof against a peer."""
        try:
            if self._wanted.trust is not None:
                self._wanted.trust.extended_by(manifest.trust)
        except UntrustedError as error:
            height = manifest.content.height
            self._log.warning("snapshot_untrusted", height=height, code=error.code)
            return False
        return True

    # --- its chunks -------------------------------------------------------------------------------

    def _begin(self, manifest: Manifest, raw: bytes, giver: AgencyId) -> None:
        self._manifest, self._givers, self._came = manifest, [giver], 0
        self._log.info("snapshot_begun", height=manifest.content.height, peer=giver)
        self._drop_others(manifest)
        write_synced(self._folder / MANIFEST_FILE, raw)
        self._sizes = {one.digest: one.size for one in manifest.content.chunks}
        wanted = dict.fromkeys(one.digest for one in manifest.content.chunks)
        self._missing = [one for one in reversed(wanted) if not self._is_here(one)]
        self._came = len(wanted) - len(self._missing)
        self._want_more()
        self._watch(manifest, self._came)

    def _drop_others(self, manifest: Manifest) -> None:
        """Drop chunks of former attempts that are of no use: many attempts fill no disk."""
        useful = {chunk_name(one.digest) for one in manifest.content.chunks}
        for path in self._folder.glob("*.chunk"):
            if path.name not in useful:
                path.unlink(missing_ok=True)

    def _is_here(self, digest: Digest) -> bool:
        """Tell whether a chunk came with an attempt before, whole."""
        path = self._folder / chunk_name(digest)
        if not path.is_file() or path.stat().st_size > CHUNK_BYTES_MAX:
            return False
        return chunk_digest(path.read_bytes()) == digest

    def _want_more(self) -> None:
        manifest = self._manifest
        if manifest is None:
            return
        if self._is_false:
            self._log.warning("snapshot_wrong_sizes", height=manifest.content.height)
            self.refuse(SnapshotManifestError.code)
            return
        if not self._missing and not len(self._fetcher):
            self._manifest = None
            self.on_done(manifest)
            return
        while self._missing and len(self._fetcher) < WISHES_MAX:
            self._fetcher.want(self._missing.pop(), None, self._want_more)

    def _accept(self, digest: Digest, raw: bytes) -> None:
        if chunk_digest(raw) != digest:
            raise SnapshotChunkError("a chunk is not the one that was asked for")
        if self._sizes.get(digest) != len(raw):
            self._is_false = True  # the manifest is, not the peer that has the chunk
            return
        write_synced(self._folder / chunk_name(digest), raw)
        self._came += 1
        if self._manifest is not None:
            self.on_progress(self._came, len(self._manifest.content.chunks))

    def _watch(self, manifest: Manifest, came: int) -> None:
        def look() -> None:
            if self._manifest is not manifest:
                return
            if self._came == came:
                self._log.warning("snapshot_stalled", height=manifest.content.height)
                self._next()
            else:
                self._watch(manifest, self._came)

        self._timers.after(STALL_MS, look)


def _ignore(*_told: object) -> None:
    """Nobody has asked to be told."""
