"""One node put together: opens everything in order, runs until it is told to stop, closes in order.

Order of the start: config, genesis, keys, stores, guard; the listener for peers; the side that
faces the public (`Side`); the questions to peers; then voting. A validator's API answers before it
votes, so an operator sees what it waits for. The stop goes the other way round, and nothing is lost
by leaving any of it out: SIGKILL is a stop too.

What must not happen (disk full, damage, disagreement with the chain) ends the node with a line that
says so; it never goes on guessing.
"""

import asyncio
import signal
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from aiohttp import web

from consensus.schedule import round_robin
from consensus.state import Identity
from keys.errors import CivregError
from keys.signing import Purpose, SoftwareKey
from ledger.errors import CorruptStoreError
from ledger.genesis import Genesis
from ledger.ids import AgencyId
from ledger.snapshot_files import SNAPSHOTS_FOLDER
from ledger.validators import ValidatorSet
from node.application import Application
from node.body_backlog import BodyBacklog
from node.clock import SystemClock
from node.conduct import Conduct
from node.config import Config, load_config
from node.driver import Driver
from node.entry_cache import EntryCache
from node.errors import ConfigError, GuardDamagedError, NodeError
from node.file_limits import raise_file_limit
from node.http_peer import PeerListener
from node.http_snapshots import snapshot_routes
from node.http_transport import HttpTransport
from node.interpreter import check_not_optimized, collect_seldom
from node.interrogation import Answers, Interrogation
from node.journal import lock_height, read_own
from node.key_watch import KeyWatch
from node.logs import JsonLog, Log, where
from node.loop_ports import LoopNetwork, LoopTimers
from node.mempool import Mempool
from node.neighbours import Neighbours, peer_keys
from node.peers import Peers
from node.service import NodeService
from node.snapshots import SnapshotShelf
from node.startup import Guard, Permission, decide_permission, own_vote_verifier
from node.storage import (
    Storage,
    check_signer,
    is_guard_made_up,
    load_genesis,
    load_keys,
    load_next_keys,
    note_lost_log,
    open_signer,
    open_storage,
    remove_ports,
    write_ports,
)
from node.world import NodeWorld, Ports

STOP_GRACE_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What an operator says on the command line, once.

    Attributes:
        new_guard: This consensus key has never signed: start without its guard file.
        end_wait: Do not wait for the answers of peers before voting.
    """

    new_guard: bool = False
    end_wait: bool = False


class Side(Protocol):
    """What faces the public: made by an `Extend`, started before the node votes."""

    def peer_routes(self) -> Iterable[web.RouteDef]:
        """Return further routes for the listener of peers."""

    async def start(self) -> Mapping[str, int]:
        """Listen; return the ports by the names of the config."""

    async def stop(self) -> None:
        """Answer no further requests; finish those under way."""


class Node:
    """A node of one home.

    Args:
        config: Its settings.
        genesis: Its network.
        keys: Its keys by purpose.
        storage: Its stores, open; closed by `stop`.
        options: What the operator said.

    Attributes:
        config, genesis, keys, storage: As given.
        log, clock, conduct, threads: Shared by all parts.
        pool: What waits for a block.
        application, driver, world, service: See their modules.
        lost_log_at: The height that the guard knew where there was no log; None where all is well.
        network, peers, timers: The ports on the running loop.
    """

    def __init__(
        self,
        config: Config,
        genesis: Genesis,
        keys: Mapping[Purpose, SoftwareKey],
        storage: Storage,
        options: Options,
    ) -> None:
        self.config = config
        self.genesis = genesis
        self.keys = keys
        self.storage = storage
        self._options = options
        self.clock = SystemClock()
        self.log: Log = JsonLog(config.name, config.log_level)
        self.threads = ThreadPoolExecutor(config.verify_threads, thread_name_prefix="verify")
        self.conduct = Conduct[AgencyId](config.garbage_max)
        self.application = Application(storage.store, EntryCache())
        self.next_keys = next_keys = load_next_keys(config)
        self.neighbours = Neighbours(self.application, config, peer_keys(keys, next_keys), self.log)
        self._transport = HttpTransport(self.neighbours.tls)
        self.peers = Peers(self.neighbours.directory.nodes, self._transport, self.log)
        self.neighbours.attach(self.peers, self._transport)
        self._transport.on_answer = self.neighbours.heard
        self.timers = LoopTimers(self.fail)
        self.network = LoopNetwork(
            self.peers, self.conduct, clock=self.clock, log=self.log, on_failure=self.fail
        )
        self.pool = Mempool()
        self._had_guard = not is_guard_made_up(config)
        self._signer = open_signer(config, keys, next_keys, allow_missing_guard=options.new_guard)
        self.key_watch = KeyWatch(config.agency, self._signer, self._voters, self.log)
        self.driver = self._make_driver()
        self.world = NodeWorld(self.application, self.pool, self.driver, self._ports())
        self.world.on_failure = self.fail
        self._recall_votes()
        self.application.on_committed.append(lambda done: self.key_watch.look(done.height + 1))
        self.pool.on_not_empty = lambda: self.timers.after(0, self.world.pool_not_empty)
        self.lost_log_at = note_lost_log(storage, self._signer, self.log)
        self._backlog = self._open_backlog()
        self.service = NodeService(self.world, storage.vault.body)
        folder, every = config.data_folder / SNAPSHOTS_FOLDER, config.snapshot_blocks
        self.snapshots = SnapshotShelf(folder, self.application, every, self.clock, self.log)
        self._listener: PeerListener | None = None
        self._side: Side | None = None
        self._sending: asyncio.Future[None] | None = None
        self._stopping = asyncio.Event()
        self._failure: BaseException | None = None
        self.interrogation: Interrogation | None = None

    def _open_backlog(self) -> BodyBacklog:
        height, vault = self.application.tip_height, self.storage.vault
        if self.storage.is_vault_new and height:
            self.log.warning("vault_made", height=height)
        return BodyBacklog(vault.mark, self.application, self.world.bodies, self.timers, self.log)

    def _make_driver(self) -> Driver:
        return Driver(
            Identity(self.config.agency if self._signer is not None else None, round_robin),
            self.genesis.network_id,
            self._signer,
            journal=self.storage.wal,
            clock=self.clock,
            log=self.log,
        )

    def _recall_votes(self) -> None:
        """Know the votes in the log again, before a peer that restarts as well asks for its own.

        A log that the chain does not bear is refused here, before a block from a peer could make
        the two fit by chance.
        """
        frames, tip_height = self.storage.wal.frames, self.application.tip_height
        events = read_own(frames, self.config.agency, tip_height)
        self.world.latest_votes.restore(events)
        self._log_height = None if self._options.end_wait else lock_height(events)

    def _ports(self) -> Ports:
        return Ports(
            network=self.network,
            timers=self.timers,
            clock=self.clock,
            log=self.log,
            vault=self.storage.vault,
        )

    def fail(self, error: BaseException) -> None:
        """Stop because of something that must not happen."""
        if self._failure is None:
            self._failure = error
            code = error.code if isinstance(error, CivregError) else type(error).__name__
            detail = str(error) if isinstance(error, CivregError) else where(error)
            self.log.error("failed", code=code, detail=detail)
        self._stopping.set()

    def request_stop(self) -> None:
        """Stop gracefully."""
        self.log.info("stop_requested")
        self._stopping.set()

    async def run(self, extend: "Extend | None" = None) -> None:
        """Start, run until a stop is requested or something fails, stop.

        Raises:
            CivregError: What failed.
        """
        try:
            await self._start(extend)
            await self._stopping.wait()
        finally:
            await self._stop()
        if self._failure is not None:
            raise self._failure

    async def _start(self, extend: "Extend | None") -> None:
        self._side = None if extend is None else extend(self)
        listen = self.config.peer
        routes = () if self._side is None else tuple(self._side.peer_routes())
        self._listener = PeerListener(
            self.service,
            self.neighbours.peer_of,
            conduct=self.conduct,
            clock=self.clock,
            log=self.log,
            routes=(*routes, *snapshot_routes(self.snapshots)),
        )
        context = self.neighbours.server_context()
        ports = {"peer": await self._listener.start(listen.host, listen.port, context)}
        self._sending = asyncio.ensure_future(self.peers.run())
        self._sending.add_done_callback(self._sending_ended)
        if self._side is not None:
            ports |= await self._side.start()
        write_ports(self.config, ports)
        self.log.info(
            "started",
            network=self.genesis.network_id,
            height=self.application.tip_height,
            **{f"{name}_port": port for name, port in ports.items()},
        )
        self._ask_peers()

    def _sending_ended(self, ended: asyncio.Future[None]) -> None:
        if not ended.cancelled() and ended.exception() is not None:
            self.fail(ended.exception() or NodeError("sending ended"))

    def _ask_peers(self) -> None:
        """Ask what this key signed before, if it may sign; then begin."""
        own, signer = self.config.agency, self._signer
        if signer is None or own is None:
            self._begin(Permission(1, is_asked=False))
            return
        is_voter = self._voters().index_of(own) is not None
        first = Guard(signer.last, not self._had_guard, self._log_height)

        def judge(answers: Answers, guard: Guard) -> Permission:
            voters = self._voters()
            verify = own_vote_verifier(own, voters, self.genesis.network_id, signer.publics)
            return decide_permission(own, guard, answers, voters, verify)

        self.interrogation = Interrogation(
            own,
            self._voters,
            network=self.network,
            timers=self.timers,
            log=self.log,
            done=lambda answers: self._begin(judge(answers, first)),
        )
        self.interrogation.on_more = lambda answers: self.world.guard_check.learn(
            judge(answers, replace(first, last=signer.last, log_height=None))
        )
        self.world.sync.may_return = self.interrogation.may_return
        if not is_voter and signer.last is None:  # it asks before it votes, if it ever may
            self.interrogation.skip()
            self._begin(Permission(1, is_asked=False))
        if self._options.end_wait:
            self.interrogation.end()
        elif not self.interrogation.is_over:
            self.interrogation.start()

    def _voters(self) -> ValidatorSet:
        """Return who decides the height after the tip."""
        return self.application.validators_at(self.application.tip_height + 1)

    def _begin(self, permission: Permission) -> None:
        self.key_watch.look(self.application.tip_height + 1)
        self.log.info("begins", from_height=permission.from_height)
        try:
            self.world.start(permission, tuple(self.storage.wal.frames))
            self._backlog.start()
        except CivregError as error:
            self.fail(error)

    async def _stop(self) -> None:
        remove_ports(self.config)
        if self._side is not None:
            await self._side.stop()
        self.world.stop()
        self.timers.stop()
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        await self.network.stop()
        await self._transport.close()
        if self._listener is not None:
            await self._listener.stop()
        self._backlog.stop()
        self.snapshots.stop()
        self.threads.shutdown(wait=True, cancel_futures=True)
        self.storage.close()
        self.log.info("stopped", height=self.application.tip_height)


Extend: TypeAlias = Callable[[Node], Side]


def open_node(home: Path, options: Options) -> Node:
    """Open a home; call it within a running loop.

    Raises:
        ConfigError: Settings or files are wrong; every problem is named.
        CivregError: A store, key or guard cannot be used.
    """
    config = load_config(home)
    genesis = load_genesis(config)
    keys = load_keys(config)
    check_signer(config, allow_missing_guard=options.new_guard)
    storage = open_storage(config, genesis)
    try:
        return Node(config, genesis, keys, storage, options)
    except BaseException:
        storage.close()
        raise


async def run_home(home: Path, options: Options, extend: Extend | None) -> None:
    """Open and run the node of a home; SIGTERM and SIGINT stop it gracefully.

    Raises:
        CivregError: What failed.
    """
    node = open_node(home, options)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, node.request_stop)
    await node.run(extend)


def run_node(
    home: Path, options: Options | None = None, extend: Extend | None = None
) -> CivregError | None:
    """Run a node until it is stopped; what `civreg node run` calls.

    Args:
        home: Its folder.
        options: What the operator said.
        extend: Makes the side that faces the public; None for a node without one.

    Returns:
        Why it did not start or had to stop, which is in the log, too; None after a graceful stop.
    """
    log = JsonLog(home.name)
    try:
        check_not_optimized()
        collect_seldom()
        raise_file_limit(log)
        asyncio.run(run_home(home, options or Options(), extend))
    except CivregError as error:
        _refuse(log, error)
        return error
    return None


def _refuse(log: Log, error: CivregError) -> None:
    """Say why the node does not run, each problem on a line of its own."""
    problems = error.problems if isinstance(error, ConfigError) else (str(error),)
    is_damage = isinstance(error, CorruptStoreError | GuardDamagedError)
    cure = "civreg node repair" if is_damage else None
    for problem in problems:
        log.error("refused", code=error.code, detail=problem, cure=cure)
