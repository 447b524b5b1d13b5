"""Puts a snapshot into the home of a stopped node: from a folder, or from the other nodes.

The guard of signatures is looked at first and never touched: a snapshot from before what the key
has signed is refused, for then the disk would know less than the key has done.
"""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

from keys.signing import Purpose
from ledger.errors import InvalidDataError
from ledger.genesis import Genesis
from ledger.snapshot import Manifest, check_manifest
from ledger.snapshot_files import (
    FETCHED_FOLDER,
    SnapshotPlaceError,
    read_manifest,
    restore_snapshot,
)
from ledger.store_files import FOLDER
from ledger.trust import TrustBundle
from node.clock import SystemClock
from node.conduct import Conduct
from node.config import Config
from node.directory import read_directory
from node.errors import SnapshotTooOldError
from node.http_transport import HttpTransport
from node.logs import Log
from node.loop_ports import LoopNetwork, LoopTimers
from node.peers import Peers
from node.signer import last_signed_height
from node.snapshot_fetch import SnapshotFetch, Wanted
from node.storage import GUARD_FILE, load_genesis, load_keys
from node.tls import PeerTls

Tell = Callable[[int, int], None]


def restore_folder(
    config: Config, folder: Path, tell: Tell, trust: TrustBundle | None = None
) -> Manifest:
    """Restore the snapshot of a folder into a home that has no chain; see `restore_snapshot`.

    Args:
        config: Of the home.
        folder: The snapshot.
        tell: Told how many chunks are done, and of how many.
        trust: A bundle that the snapshot's must extend; None: genesis is all that is believed.

    Raises:
        UntrustedError: Its history is not that of `trust`.
        SnapshotTooOldError: It is older than what the consensus key of the home has signed.
        InvalidSnapshotError: It is not that of the certified state.
        CivregError: See `restore_snapshot`.
    """
    genesis = load_genesis(config)
    manifest = read_manifest(folder)
    check_manifest(manifest, genesis.network_id)
    if trust is not None:
        trust.extended_by(manifest.trust)
    check_not_older(config, manifest.content.height)
    config.data_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return restore_snapshot(folder, config.data_folder, genesis, tell, manifest)


def lowest_height(config: Config) -> int:
    """Return the lowest height of a snapshot that may be restored into a home.

    A key that has signed at a height has seen the block before it.

    Raises:
        GuardDamagedError: The guard does not read, so nobody knows.
    """
    return max(1, last_signed_height(config.data_folder / GUARD_FILE) - 1)


def check_not_older(config: Config, height: int) -> None:
    """Refuse a snapshot from before what the key of a home has signed.

    Raises:
        SnapshotTooOldError: It is.
    """
    lowest = lowest_height(config)
    if height < lowest:
        raise SnapshotTooOldError(
            f"the snapshot is of height {height}; this node's key has signed at {lowest + 1}",
            height=height,
            height_min=lowest,
        )


async def restore_from_peers(
    config: Config, log: Log, tell: Tell, trust: TrustBundle | None = None
) -> Manifest:
    """Fetch a snapshot from the other nodes and restore it; false ones are tried and dropped.

    Args:
        config: Of the home.
        log: Takes notes.
        tell: Told how many chunks came, and of how many.
        trust: As for `restore_folder`.

    Raises:
        SnapshotUnavailableError: No peer has one that holds and is new enough.
        SnapshotPlaceError: The home has a chain.
        CivregError: Keys, settings or disk are wrong.
    """
    if (config.data_folder / FOLDER).exists():
        raise SnapshotPlaceError("there is a chain store already")
    genesis = load_genesis(config)
    fetched = config.data_folder / FETCHED_FOLDER
    fetched.mkdir(mode=0o700, parents=True, exist_ok=True)
    tls = PeerTls(load_keys(config)[Purpose.PEER])
    async with HttpTransport(tls) as transport:
        wanted = Wanted(
            genesis.network_id, lowest_height(config), shutil.disk_usage(fetched).free // 2, trust
        )
        joining = _Joining(config, genesis, log, transport, wanted)
        try:
            manifest = await joining.run(tell)
        finally:
            await joining.stop()
    shutil.rmtree(fetched, ignore_errors=True)
    return manifest


class _Joining:
    """The fetch on a running loop, and what tries what it brings."""

    def __init__(
        self, config: Config, genesis: Genesis, log: Log, transport: HttpTransport, wanted: Wanted
    ) -> None:
        self._config, self._genesis = config, genesis
        self._fetched = config.data_folder / FETCHED_FOLDER
        self._results: asyncio.Queue[Manifest | BaseException] = asyncio.Queue()
        directory = read_directory(genesis, config.agency, config.peers)
        self._timers = LoopTimers(self._results.put_nowait)
        self._network = LoopNetwork(
            Peers(directory.nodes, transport, log),
            Conduct(config.garbage_max),
            clock=SystemClock(),
            log=log,
            on_failure=self._results.put_nowait,
        )
        self._fetch = SnapshotFetch(self._network, self._timers, log, wanted, self._fetched)

    async def run(self, tell: Tell) -> Manifest:
        """Return the manifest of what was restored."""
        fetch = self._fetch
        fetch.on_progress = tell
        fetch.on_done = self._results.put_nowait
        fetch.on_failed = self._results.put_nowait
        fetch.start()
        while True:
            result = await self._results.get()
            if isinstance(result, BaseException):
                raise result
            try:
                return await asyncio.to_thread(self._restore, result)
            except InvalidDataError as error:
                fetch.refuse(error.code)

    def _restore(self, manifest: Manifest) -> Manifest:
        """Restore what was judged while it was fetched, whatever stands in the folder now."""
        data_folder, genesis = self._config.data_folder, self._genesis
        return restore_snapshot(self._fetched, data_folder, genesis, manifest=manifest)

    async def stop(self) -> None:
        self._timers.stop()
        await self._network.stop()
