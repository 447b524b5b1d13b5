"""A stopped node fetches a snapshot from its peers, as `civreg node snapshot restore` does.

Production `SnapshotFetch` and `restore_snapshot` over the invented network and disk; what
`node.snapshot_join` adds, which runs on asyncio and HTTP, is here in a few lines. An attempt that
finds nothing is made again; after some the operator lets the node fetch all blocks instead.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from keys.errors import CivregError
from ledger.errors import InvalidDataError
from ledger.snapshot import Manifest
from ledger.snapshot_files import FETCHED_FOLDER, restore_snapshot
from node.snapshot_fetch import SnapshotFetch, Wanted
from node.snapshot_join import lowest_height
from tests.sim.calls import InventedPath, remove_tree
from tests.sim.network import NodeNetwork
from tests.sim.ports import Timers

if TYPE_CHECKING:
    from tests.sim.machine import Machine

BYTES_MAX = 64 * 1024 * 1024
AGAIN_MS = 700
ATTEMPTS_MAX = 4
PATIENCE_MS = 30_000
"""After which the operator lets the node fetch all blocks instead."""


class Joining:
    """Fetches and restores one snapshot.

    Args:
        machine: Whose disk has no chain.
        done: Called when it has one, or when there is none to be had.
    """

    def __init__(self, machine: "Machine", done: Callable[[], None]) -> None:
        self._machine = machine
        self._done = done
        self._folder: Any = InventedPath(machine.name)
        self._fetched: Any = self._folder / FETCHED_FOLDER
        self._timers = Timers(machine)
        self.network = NodeNetwork(machine, machine.simulation.network)
        self.network.know(machine.network.members[: machine.network.founders])
        self._attempts = 0
        self._is_over = False
        self._fetch: SnapshotFetch | None = None

    def start(self) -> None:
        """Fetch and restore, for as long as the operator has patience."""
        self._timers.after(PATIENCE_MS, self._end)
        self._try()

    def _end(self) -> None:
        """Start the node, with a chain or without one; once."""
        if not self._is_over:
            self._is_over = True
            self._done()

    def _try(self) -> None:
        """Ask all peers what they have."""
        if self._is_over:
            return
        self._attempts += 1
        config: Any = SimpleNamespace(data_folder=self._folder)
        lowest = lowest_height(config)
        network_id = self._machine.network.genesis.network_id
        wanted = Wanted(network_id, lowest, BYTES_MAX, None)
        log: Any = self._machine.log
        fetch = SnapshotFetch(self.network, self._timers, log, wanted, self._fetched)
        self._fetch = fetch
        fetch.on_done = lambda manifest: self._timers.after(0, lambda: self._restore(manifest))
        fetch.on_failed = self._failed
        fetch.start()

    def _restore(self, manifest: Manifest) -> None:
        """Try what came; a snapshot that is not the certified state is another one's lie."""
        if self._is_over:
            return
        assert self._fetch is not None, "it has fetched something"
        faults = self._machine.simulation.faults
        genesis = self._machine.network.genesis
        try:
            restore_snapshot(self._fetched, self._folder, genesis, manifest=manifest)
        except InvalidDataError as error:
            faults["false snapshot refused"] += 1
            self._fetch.refuse(error.code)
            return
        faults["snapshot restored"] += 1
        remove_tree(self._fetched, ignore_errors=True)
        self._machine.simulation.checks.restored(self._machine, manifest.content.height)
        self._end()

    def _failed(self, _error: CivregError) -> None:
        self._machine.simulation.faults["no snapshot to be had"] += 1
        self._fetch = None
        if self._attempts < ATTEMPTS_MAX:
            self._timers.after(AGAIN_MS, self._try)
        else:
            self._end()
