"""What a node shows to people, programs and operators: admission, public API, custodian, tags.

`open_public_side` is given to `node.app.run_node` as its `extend`. Everything here stands on the
node that `node.app` has opened; the two meet in four places: the pool, the commit of a block, the
peers' listener, and gossip.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from typing import Final

from aiohttp import web

from keys.signing import Purpose
from ledger.errors import DiskRefusedError
from ledger.ids import RecordId
from node.access import Access
from node.admission import Admission
from node.admission_queue import AdmissionQueue
from node.app import Node, Side
from node.application import Committed
from node.birth_index import BirthIndex
from node.clock_watch import CLOCK_PATH, ClockWatch
from node.custodian import Custodian, CustodianPorts
from node.custodian_keys import CustodianKeys
from node.drafts import DraftRoutes, DraftShelf, office_agency
from node.events import Events
from node.gossip import Gossip
from node.http_public import HttpListener, ListenerPorts
from node.metrics import Metrics
from node.number_index import NumberIndex
from node.overview import Overview
from node.owner_index import OwnerIndex
from node.peer_entries import PeerEntries
from node.peer_routes import peer_route
from node.peers import Lane
from node.pending_bodies import PendingBodies
from node.public_chain import ChainRoutes
from node.public_entries import EntryRoutes
from node.public_errors import NotFoundError
from node.public_numbers import NumberRoutes
from node.public_owners import OwnerRoutes
from node.public_records import RecordRoutes
from node.public_state import StateRoutes
from node.rate_limits import RateLimits
from node.readiness import open_readiness
from node.reading import Reading
from node.request_auth import Doorkeeper
from node.retelling import OFFER_BYTES_MAX, OFFERS_PATH, Retelling
from node.routes import Call, Handler, Json, Reply
from node.storage import DRAFTS_FOLDER
from node.tag_limits import ImportingAgencies, OfficerShares, WindowedTagLimits
from node.tag_secret import SECRET_FILE, create_tag_secret, load_tag_secret
from node.tag_service import (
    INNER_PATH,
    OUTER_PATH,
    TAGS_BYTES_MAX,
    TagMaker,
    TagPorts,
    TagService,
)
from node.wrap_keeper import KeeperPorts, WrapKeeper
from registry.rows import RecordRow

HOUSEKEEPING_S: Final = 5.0
WATCH_S: Final = 1.0
BUSY_BYTES: Final = 1024 * 1024
"""Bytes of submissions being examined above which a node asks for no more entries."""


class PublicSide:
    """Implements `node.app.Side`.

    Args:
        node: Opened, not yet started.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self.metrics = Metrics()
        self.access = Access(node.application, node.clock)
        self.admission = Admission(
            node.application, node.pool, node.storage.vault, node.clock, node.log
        )
        gossip = Gossip(node.network)
        self.queue = AdmissionQueue(
            self.admission, node.threads, node.config.verify_threads, gossip.spread
        )
        self.retelling = self._open_retelling()
        self.events = Events(node.storage.store)
        self.shelf = DraftShelf(node.config.data_folder / DRAFTS_FOLDER, office_agency(self.access))
        self.clocks = ClockWatch(node.network, node.timers, node.clock, node.log)
        self.overview = Overview(node, self.queue, self.admission, self.metrics, self.clocks)
        self._importing = ImportingAgencies(
            node.application.store, node.application.state, lambda: self.access.today
        )
        self._tags = self._open_tags()
        self.owners = OwnerIndex(self.access)
        self.numbers = NumberIndex(self.access, node.storage.store)
        self.births = self._open_births()
        self._custodian = self._open_custodian()
        self.keeper = self._open_keeper()
        self.readiness = open_readiness(node, self.queue.submit)
        handlers = self._handlers()
        doorkeeper = Doorkeeper(node.genesis.network_id, self.access)
        self.public = HttpListener(handlers, doorkeeper, self.access, self._listener_ports())
        self.private = HttpListener(
            handlers, doorkeeper, self.access, self._listener_ports(), private=True
        )
        self._tasks: list[asyncio.Future[None]] = []
        self._connect()

    def _connect(self) -> None:
        """Hang this side into the node."""
        entries = PeerEntries(self.queue, self._node.network.blame)
        self._node.service.entries_taker = entries.take
        self._node.world.gathering.is_filling = lambda: self.queue.bytes > 0
        self._node.application.on_committed.append(self._committed)
        self.admission.on_admitted = lambda: self.metrics.admitted.add(1)
        self.admission.on_refused = lambda code: self.metrics.refused.add(1, code=code)

    def _listener_ports(self) -> ListenerPorts:
        return ListenerPorts(
            clock=self._node.clock,
            log=self._node.log,
            metrics=self.metrics,
            limits=RateLimits(),
        )

    def _open_retelling(self) -> Retelling:
        node = self._node
        retelling = Retelling(
            node.network, node.timers, node.clock, node.pool, node.storage.vault.body
        )
        retelling.is_known = self.admission.is_settled
        retelling.is_busy = lambda: self.queue.bytes > BUSY_BYTES
        retelling.is_reading = lambda peer: node.peers.queued(peer, Lane.BULK) > 0
        return retelling

    def _open_tags(self) -> TagService | None:
        """Open the tag service; a network that has only begun gets its secret made."""
        node, own = self._node, self._node.config.agency
        if own is None:
            return None
        path = node.config.keys_folder / SECRET_FILE
        secret = load_tag_secret(path)
        if secret is None and node.application.tip_height == 0:
            secret = create_tag_secret(path)
        if secret is None:
            node.log.warning("tag_secret_missing", file=SECRET_FILE)
        ports = TagPorts(
            clock=node.clock,
            log=node.log,
            metrics=self.metrics,
            limits=WindowedTagLimits(self._importing),
        )
        signer = node.keys.get(Purpose.TAG)
        return TagService(own, secret, signer, self.access, node.genesis.network_id, ports)

    def _custodian_keys(self) -> CustodianKeys | None:
        node, own = self._node, self._node.config.agency
        custodian, seal = node.keys.get(Purpose.CUSTODIAN), node.keys.get(Purpose.SEAL)
        if own is None or custodian is None or seal is None:
            return None
        return CustodianKeys(agency_id=own, custodian=custodian, seal=seal)

    def _open_keeper(self) -> WrapKeeper | None:
        node, keys = self._node, self._custodian_keys()
        if keys is None:
            return None
        ports = KeeperPorts(
            application=node.application,
            owners=self.owners,
            vault=node.storage.vault,
            threads=node.threads,
            clock=node.clock,
            log=node.log,
            submit=self.queue.submit,
        )
        return WrapKeeper(keys, self.access, ports)

    def _open_births(self) -> BirthIndex | None:
        node, keys = self._node, self._custodian_keys()
        if keys is None:
            return None
        vault, threads = node.storage.vault, node.threads
        births = BirthIndex(keys, node.genesis.network_id, self.access, vault, threads, node.log)
        births.is_known = self.admission.is_known
        return births

    def _open_custodian(self) -> Custodian | None:
        node, keys = self._node, self._custodian_keys()
        if keys is None or self._tags is None or self.births is None:
            return None
        return Custodian(
            keys,
            node.genesis.network_id,
            self.access,
            TagMaker(keys.agency_id, self._tags, self.access, node.peers.post),
            lambda: node.application.tip_height + 1,
            CustodianPorts(
                vault=node.storage.vault,
                pending=PendingBodies(node.storage.vault),
                births=self.births,
                shares=OfficerShares(lambda: self._importing(keys.agency_id), node.clock),
                entries=node.application.entries,
                threads=node.threads,
                clock=node.clock,
                log=node.log,
                metrics=self.metrics,
            ),
        )

    def _handlers(self) -> Mapping[str, Handler]:
        node = self._node
        chain = ChainRoutes(
            node.application,
            self.events,
            self.overview.health,
            self.metrics,
            node.clock,
            self._details,
        )
        entries = EntryRoutes(node.application, self.admission, self.queue, self.access)
        reading = Reading(node.storage.store, self.access, node.clock)
        records = RecordRoutes(node.application, node.storage.vault, self.access, reading)
        drafts = DraftRoutes(
            self.shelf, node.genesis.network_id, node.config.agency, self.access, node.clock
        )
        custodian = (
            {"custodian_prepare": _no_custodian, "custodian_sign": _no_custodian}
            if self._custodian is None
            else self._custodian.handlers()
        )
        return {
            **chain.handlers(),
            **entries.handlers(),
            **records.handlers(),
            **OwnerRoutes(self.owners, self.access, reading).handlers(),
            **NumberRoutes(self.numbers, self.access).handlers(),
            **StateRoutes(node.application, self.access).handlers(),
            **drafts.handlers(),
            **custodian,
        }

    # --- Side ---

    def peer_routes(self) -> Iterable[web.RouteDef]:
        """Return the routes of offers, clock and tag service for the listener of peers."""
        common = (
            web.post(OFFERS_PATH, peer_route(self.retelling.answer, OFFER_BYTES_MAX)),
            web.get(CLOCK_PATH, peer_route(lambda _peer, _raw: self.clocks.answer(), 0)),
        )
        if self._tags is None:
            return common
        return (
            *common,
            web.post(INNER_PATH, peer_route(self._tags.inner, TAGS_BYTES_MAX)),
            web.post(OUTER_PATH, peer_route(self._tags.outer, TAGS_BYTES_MAX)),
        )

    async def start(self) -> Mapping[str, int]:
        """Listen and begin to work; return the ports."""
        for work in (
            self.queue.run(),
            self.public.watch(),
            self._keep_house(),
            self._read(),
            self._watch(),
        ):
            self._begin(work)
        if self.births is not None:
            self._begin(self.births.run())
        self.retelling.start()
        self.clocks.start()
        config = self._node.config
        return {
            "public": await self.public.start(config.public.host, config.public.port),
            "private": await self.private.start(config.private.host, config.private.port),
        }

    async def stop(self) -> None:
        """Answer no further requests."""
        self.events.stop()
        await self.public.stop()
        await self.private.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(work)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: "asyncio.Future[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._node.fail(error)

    # --- at work ---

    def _committed(self, committed: Committed) -> None:
        self.overview.committed(committed)
        self.admission.committed(committed)
        self.shelf.drop(entry.entry_digest for entry in committed.block.entries)
        self.shelf.drop_expired(committed.block.header.time_ms)
        self.owners.committed(committed)
        self.numbers.committed(committed)
        if self._tags is not None:
            self._tags.committed(committed)
        if self._custodian is not None:
            self._custodian.committed(committed)
        if self.births is not None:
            self.births.committed(committed)
        if self.keeper is not None:
            self.keeper.committed(committed)
        self.events.committed()

    def _details(self) -> dict[str, Json]:
        return {
            **self.overview.details(),
            "drafts": len(self.shelf),
            "listeners": self.events.listeners,
            "custodian": self._custodian is not None,
        }

    async def _read(self) -> None:
        """Read all records: whose, with which numbers, which births; then add missing wraps."""
        keeper, births = self.keeper, self.births

        def tell(record_id: RecordId, row: RecordRow) -> None:
            self.numbers.consider(record_id, row)
            if keeper is not None:
                keeper.consider(record_id, row)
            if births is not None:
                births.consider(record_id, row)

        await self.owners.fill(self._node.storage.store, tell)
        await self.numbers.settle()
        if births is not None:
            births.scanned()
        if keeper is not None:
            await keeper.run()

    async def _watch(self) -> None:
        """Look at the round, the clock and the disk every second."""
        while True:
            self.overview.watch()
            await self.readiness.consider()
            await asyncio.sleep(WATCH_S)

    async def _keep_house(self) -> None:
        """Drop what is over, now and then."""
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            self.drop_expired()

    def drop_expired(self) -> None:
        """Drop what nobody can use any more.

        Entries and drafts by the clock; bodies by the time of the newest block: a block that was
        proposed while its entries were valid keeps its time, and may be decided hours later.
        """
        now_ms = self._node.clock.now_ms()
        self.admission.drop_expired(now_ms)
        self.shelf.drop_expired(now_ms)
        try:
            self._node.storage.vault.drop_expired(self._node.application.tip_time_ms)
        except DiskRefusedError as error:
            self._node.log.warning("vault_refused", code=error.code)


def open_public_side(node: Node) -> Side:
    """Return the public side of a node; a `node.app.Extend`."""
    return PublicSide(node)


async def _no_custodian(call: Call) -> Reply:  # noqa: ARG001
    raise NotFoundError("this node has no custodian: it lacks an agency, or its keys")
