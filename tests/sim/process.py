"""A running node of the simulation, put together as `node.app` does.

The node is the production one: driver, core, journal, log, guard, store, vault, application, pool,
admission, sync, exchange of blocks, bodies, retelling, questions at the start, readiness. What is
left out is asyncio, TLS, HTTP and everything else that faces the public.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from consensus.events import Event
from consensus.schedule import round_robin
from consensus.state import Identity, State
from keys.errors import CivregError
from keys.hashing import Digest
from keys.signing import Purpose
from ledger.errors import CorruptWalError
from ledger.ids import AgencyId
from ledger.snapshot_files import SNAPSHOTS_FOLDER
from ledger.validators import ValidatorSet
from node.admission import Admission
from node.application import Application, Committed
from node.block_exchange import BLOCK_BYTES_PATH
from node.bodies import SEALED_PATH
from node.body_backlog import BodyBacklog
from node.directory import state_members
from node.driver import Driver
from node.entry_cache import EntryCache
from node.gossip import ENTRIES_PATH, Gossip, parse_parcel
from node.interrogation import Answers, Interrogation
from node.journal import lock_height, read_own
from node.mempool import Mempool
from node.neighbours import CHANGING
from node.peer_entries import is_shameful
from node.readiness import Readiness, ReadyPorts
from node.repairing import Damage, Part, repair_all
from node.retelling import OFFERS_PATH, Retelling
from node.service import NodeService
from node.snapshots import CHUNKS_PATH, SNAPSHOTS_PATH, SnapshotShelf, digest_of
from node.startup import (
    STATUS_PATH,
    Guard,
    Permission,
    certified_height,
    decide_permission,
    own_vote_verifier,
)
from node.storage import Storage, is_guard_made_up, open_signer, open_storage
from node.submissions import Admitted, Result, Submission
from node.sync_wire import BLOCKS_PATH
from node.world import NodeWorld, Ports
from tests.sim.calls import InventedPath
from tests.sim.committees import Act
from tests.sim.network import NodeNetwork, Payload, body_of
from tests.sim.ports import Clock, Timers

if TYPE_CHECKING:
    from tests.sim.machine import Machine

READY_EVERY_MS = 1_000


class WatchedDriver(Driver):
    """The production driver; the checks see each state before and after each step."""

    watch: Callable[[State, State], None]

    def _step(self, event: Event) -> None:
        before = self._state
        assert before is not None, "a height has begun"
        super()._step(event)
        assert self._state is not None, "a height has begun"
        self.watch(before, self._state)


class Process:
    """A running node."""

    def __init__(self, machine: "Machine", *, new_guard: bool) -> None:
        self.machine = machine
        log: Any = machine.log
        folder: Any = InventedPath(machine.name)
        document = machine.network.genesis
        config: Any = SimpleNamespace(data_folder=folder, agency=machine.agency)
        self.had_guard = not is_guard_made_up(config)
        self.storage = self._open_storage(config)
        self.clock, self.timers = Clock(machine), Timers(machine)
        self.network = NodeNetwork(machine, machine.simulation.network)
        self.application = Application(self.storage.store, EntryCache())
        self.pool = Mempool()
        keys: Any = {Purpose.CONSENSUS: machine.key}
        next_keys: Any = {Purpose.CONSENSUS: machine.next_key} if machine.next_key else {}
        signer = open_signer(config, keys, next_keys, allow_missing_guard=new_guard)
        assert signer is not None, "every machine has a consensus key"
        self.signer = signer
        self.driver = WatchedDriver(
            Identity(machine.agency, round_robin),
            document.network_id,
            self.signer,
            journal=self.storage.wal,
            clock=self.clock,
            log=log,
        )
        self.driver.watch = lambda old, new: machine.simulation.checks.stepped(machine, old, new)
        vault: Any = self.storage.vault
        ports = Ports(
            network=self.network, timers=self.timers, clock=self.clock, log=log, vault=vault
        )
        self.world = NodeWorld(self.application, self.pool, self.driver, ports)
        self.world.on_failure = machine.fail
        self.world.on_evidence = lambda found: machine.simulation.checks.evidence(machine, found)
        self._recall_votes()
        self.pool.on_not_empty = lambda: self.timers.after(0, self.world.pool_not_empty)
        self.shelf = self._open_shelf(folder, log)
        self._backlog = BodyBacklog(
            vault.mark, self.application, self.world.bodies, self.timers, log
        )
        self.service = NodeService(self.world, vault.body)
        self._add_public_side(vault, log)
        self._know_neighbours()
        self.begun = False

    def _open_storage(self, config: Any) -> Storage:
        """Open the stores; a log that is ahead of the chain is set aside by the operator.

        No power cut makes a log that would have to be repaired: that stops the node here, and a
        check sees it.
        """
        try:
            return self._open_fitting(config)
        except CorruptWalError as error:
            if "chain_height" not in error.details:
                raise
            self.machine.simulation.faults["log ahead of the chain set aside"] += 1
            self._repair_log(config)
            return self._open_fitting(config)

    def _open_fitting(self, config: Any) -> Storage:
        storage = open_storage(config, self.machine.network.genesis)
        read_own(storage.wal.frames, self.machine.agency, storage.store.height)
        return storage

    def _repair_log(self, config: Any) -> None:
        """What `civreg node repair` does with a log that does not fit."""
        for _repaired in repair_all(config, (Damage(Part.LOG, CorruptWalError("unfit")),)):
            pass

    def _open_shelf(self, folder: Any, log: Any) -> SnapshotShelf:
        """Make snapshots for others, in runs where somebody wants one; their thread is a timer."""
        every = self.machine.snapshot_every
        threads: Any = SimpleNamespace(
            submit=lambda work, *given: self.timers.after(0, partial(work, *given))
        )
        return SnapshotShelf(
            folder / SNAPSHOTS_FOLDER, self.application, every, self.clock, log, threads
        )

    def _recall_votes(self) -> None:
        frames, tip_height = self.storage.wal.frames, self.application.tip_height
        events = read_own(frames, self.machine.agency, tip_height)
        self.log_height = lock_height(events)
        self.world.latest_votes.restore(events)

    def _add_public_side(self, vault: Any, log: Any) -> None:
        """What `node.public_side` adds for entries."""
        self.admission = Admission(self.application, self.pool, vault, self.clock, log)
        self.gossip = Gossip(self.network)
        self.retelling = Retelling(self.network, self.timers, self.clock, self.pool, vault.body)
        self.retelling.is_known = self.admission.is_known
        checks = self.machine.simulation.checks
        self.application.on_committed.append(lambda done: checks.committed(self.machine, done))
        self.application.on_committed.append(self.admission.committed)
        self.application.on_committed.append(self._follow_neighbours)
        self.retelling.start()
        if self.machine.simulation.story.changes:
            self._watch_readiness(log)

    def _know_neighbours(self) -> None:
        """What `node.neighbours` does: the state says which nodes there are."""
        self.network.know([one.agency_id for one in state_members(self.application)])

    def _follow_neighbours(self, done: Committed) -> None:
        if any(one.head.type_name in CHANGING for one in done.block.entries):
            self._know_neighbours()

    def _watch_readiness(self, log: Any) -> None:
        """What `node.public_side` does every second: declare this validator ready, if it is."""

        async def submit(submissions: Sequence[Submission]) -> Sequence[Result]:
            simulation = self.machine.simulation
            for one in submissions:
                digest = bytes(self.application.entries.parse(one.entry_raw).entry_digest)
                simulation.submitted.add(digest)
                simulation.acts[digest] = Act("ready", self.machine.member)
                simulation.faults["declared ready"] += 1
            return self.submit(list(submissions))

        keys: Any = [one for one in (self.machine.key, self.machine.next_key) if one is not None]
        ports = ReadyPorts(
            application=self.application,
            submit=submit,
            is_caught_up=lambda: self.world.sync.is_caught_up,
            clock=self.clock,
            log=log,
        )
        readiness = Readiness(self.machine.agency, keys, ports)

        def look() -> None:
            with suppress(StopIteration):
                readiness.consider().send(None)  # nothing in it waits
            self.timers.after(READY_EVERY_MS, look)

        self.timers.after(READY_EVERY_MS, look)

    def ask_peers(self) -> None:
        """Ask what this key signed before; then begin. As `node.app` does."""
        machine, own, signer = self.machine, self.machine.agency, self.signer
        first = Guard(signer.last, not self.had_guard, self.log_height)

        def judge(answers: Answers, guard: Guard) -> Permission:
            network_id, keys = machine.network.genesis.network_id, signer.publics
            verify = own_vote_verifier(own, self._voters(), network_id, keys)
            return decide_permission(own, guard, answers, self._voters(), verify)

        def answered(answers: Answers) -> None:
            permission = judge(answers, first)
            certified = certified_height(answers, self._voters())
            machine.simulation.checks.permitted(machine, permission, certified)
            self._begin(permission)

        interrogation = Interrogation(
            own,
            self._voters,
            network=self.network,
            timers=self.timers,
            log=machine.log,
            done=answered,
        )
        interrogation.on_more = lambda answers: self.world.guard_check.learn(
            judge(answers, replace(first, last=signer.last, log_height=None))
        )
        self.world.sync.may_return = interrogation.may_return
        if self._voters().index_of(own) is None and signer.last is None:
            interrogation.skip()
            self._begin(Permission(1, is_asked=False))
        else:
            interrogation.start()

    def _voters(self) -> ValidatorSet:
        """Return who decides the height after the tip."""
        return self.application.validators_at(self.application.tip_height + 1)

    def _begin(self, permission: Permission) -> None:
        self.world.start(permission, tuple(self.storage.wal.frames))
        self.begun = True
        self._backlog.start()

    def submit(self, submissions: list[Submission]) -> list[Result]:
        """What `node.admission_queue` does with a batch, without worker threads."""
        candidates = self.admission.prepare(submissions)
        self.admission.verify(candidates)
        results = self.admission.finish(candidates)
        new = [
            Submission(one.submission.entry_raw, tuple(one.bodies.values()))
            for one, result in zip(candidates, results, strict=True)
            if isinstance(result, Admitted) and result.is_new and not one.submission.trusted
        ]
        if new:
            self.gossip.spread(new)
        return results

    def take_from_client(self, submission: Submission) -> None:
        """What `node.public_side` does with an entry of a client, who asks again if refused."""
        self.submit([submission])

    def take_entries(self, peer: AgencyId, raw: bytes) -> None:
        """What `node.public_side` does with gossip."""
        results = self.admission.admit(parse_parcel(raw))
        shameful = [one for one in results if is_shameful(one)]
        if shameful:
            assert isinstance(shameful[0], CivregError)
            self.network.blame(peer, shameful[0].code)
        self.world.bodies.recheck()

    def answer(self, peer: AgencyId, payload: Payload) -> bytes | None:
        """Answer a question of a peer, as `node.http_peer` does."""
        path, body = payload.path, body_of(payload)
        if path.startswith(BLOCKS_PATH):
            first, _slash, count = path.removeprefix(BLOCKS_PATH).partition("/")
            if count:
                return self.service.certified_blocks(int(first), int(count))
            return self.service.certified_block(int(first))
        if path.startswith(BLOCK_BYTES_PATH):
            return self.service.block_bytes(
                Digest(bytes.fromhex(path.removeprefix(BLOCK_BYTES_PATH)))
            )
        if path == SEALED_PATH:
            return self.service.sealed_bodies(peer, body)
        if path.startswith((SNAPSHOTS_PATH, CHUNKS_PATH)):
            return self._answer_snapshot(path)
        if path == OFFERS_PATH:
            return self.retelling.answer(peer, body)
        if path == ENTRIES_PATH:
            self.take_entries(peer, body)
            return b""
        assert path == STATUS_PATH, f"nobody asks for {path}"
        return self.service.status(peer)

    def _answer_snapshot(self, path: str) -> bytes | None:
        """Answer as `node.http_snapshots` does."""
        if path == SNAPSHOTS_PATH:
            return self.shelf.listing()
        digest = digest_of(path.rpartition("/")[2])
        if digest is None:
            return None
        is_chunk = path.startswith(CHUNKS_PATH)
        return self.shelf.chunk(digest) if is_chunk else self.shelf.manifest(digest)
