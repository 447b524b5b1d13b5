"""One machine of the simulation: disk, clock and, while it runs, a node put together as `node.app`.

The node is the production one: driver, core, journal, log, guard, store, vault, application, pool,
admission, sync, exchange of blocks, bodies, retelling, questions at the start. What is left out is
asyncio, TLS, HTTP and everything that faces the public.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from consensus.events import Event
from consensus.schedule import round_robin
from consensus.state import Identity, State
from keys.errors import BadSignatureError, CivregError
from keys.hashing import Digest
from keys.signing import Purpose
from ledger.errors import CorruptWalError, DiskRefusedError, InvalidDataError
from ledger.ids import AgencyId
from ledger.validators import ValidatorSet
from ledger.wal import repair
from node.admission import Admission
from node.application import Application
from node.block_exchange import BLOCK_BYTES_PATH, BLOCK_PATH
from node.bodies import SEALED_PATH
from node.body_backlog import MARK_FILE, BodyBacklog
from node.conduct import Conduct
from node.driver import Driver
from node.entry_cache import EntryCache
from node.gossip import ENTRIES_PATH, Gossip, parse_parcel
from node.interrogation import Answers, Interrogation
from node.journal import lock_height, read_frames
from node.logs import SilentLog
from node.mempool import Mempool
from node.peer_entries import is_shameful
from node.retelling import OFFERS_PATH, Retelling
from node.service import NodeService
from node.signer import create_guard
from node.startup import (
    STATUS_PATH,
    Guard,
    Permission,
    certified_height,
    decide_permission,
    own_vote_verifier,
)
from node.storage import GUARD_FILE, is_guard_made_up, open_signer, open_storage
from node.submissions import Admitted, Submission
from node.sync_wire import BLOCKS_PATH
from node.world import NodeWorld, Ports
from tests.sim.files import MOUNTED, Disk, InventedPath, Rows
from tests.sim.network import NodeNetwork, Payload, body_of
from tests.sim.power import Power, PowerLostError
from tests.sim.town import InventedKey, Network

if TYPE_CHECKING:
    from tests.sim.behaviours import Behaviour
    from tests.sim.simulation import Simulation


class Clock:
    """A machine's clock: true time and how far it is off; monotonic time is true."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = machine

    def now_ms(self) -> int:
        return self._machine.simulation.events.now_ms + self._machine.offset_ms

    def monotonic_ms(self) -> int:
        return self._machine.simulation.events.now_ms


class Timers:
    """The `node.ports.Timers` of one process."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = machine

    def after(self, delay_ms: int, fire: Callable[[], None]) -> None:
        self._machine.power.burn("timer")
        self._machine.later(delay_ms, "timer", fire)


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
        config: Any = SimpleNamespace(data_folder=folder)
        self.had_guard = not is_guard_made_up(config)
        try:
            self.storage = open_storage(config, document)
        except CorruptWalError:
            machine.simulation.faults["log repaired"] += 1
            repair(folder / "wal")
            self.storage = open_storage(config, document)
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
        mark: Any = folder / MARK_FILE
        self._backlog = BodyBacklog(mark, self.application, self.world.bodies, self.timers, log)
        self.service = NodeService(self.world, vault.body)
        self._add_public_side(vault, log)
        self.begun = False

    def _recall_votes(self) -> None:
        events = read_frames(self.storage.wal.frames)
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
        self.retelling.start()

    def ask_peers(self) -> None:
        """Ask what this key signed before; then begin."""
        machine, own = self.machine, self.machine.agency
        network_id = machine.network.genesis.network_id

        def voters() -> ValidatorSet:
            return self.application.validators_at(self.application.tip_height + 1)

        def judge(answers: Answers, log_height: int | None) -> Permission:
            verify = own_vote_verifier(own, voters(), network_id)
            guard = Guard(self.signer.last, not self.had_guard, log_height)
            return decide_permission(own, guard, answers, voters(), verify)

        def answered(answers: Answers) -> None:
            permission = judge(answers, self.log_height)
            certified = certified_height(answers, voters())
            machine.simulation.checks.permitted(machine, permission, certified)
            self.world.start(permission, tuple(self.storage.wal.frames))
            self.begun = True
            self._backlog.start()

        interrogation = Interrogation(
            own,
            voters,
            network=self.network,
            timers=self.timers,
            log=machine.log,
            done=answered,
        )
        interrogation.on_more = lambda answers: self.world.guard_check.learn(judge(answers, None))
        self.world.sync.may_return = interrogation.may_return
        interrogation.start()

    def submit(self, submissions: list[Submission]) -> None:
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
        if path == OFFERS_PATH:
            return self.retelling.answer(peer, body)
        if path == ENTRIES_PATH:
            self.take_entries(peer, body)
            return b""
        assert path == STATUS_PATH, f"nobody asks for {path}"
        return self.service.status(peer)


class Machine:
    """A slot of the simulation; most hold a validator, a twin shares one's key."""

    def __init__(self, simulation: "Simulation", slot: int, index: int, network: Network) -> None:
        self.simulation = simulation
        self.slot, self.index, self.network = slot, index, network
        self.name = f"m{slot}"
        self.agency = network.members[index]
        self.log = SilentLog()
        self.power = Power(simulation.dice)
        self.offset_ms = 0
        self.life = 0
        self.busy_until_ms = 0
        self.latest_from: dict[int, int] = {}
        self.conduct: Conduct[AgencyId] = Conduct()
        self.behaviours: list[Behaviour] = []
        self.is_amnesiac = False
        self.has_lost_guard = False
        self.is_clock_sound = True
        self.process: Process | None = None
        self.key: InventedKey = InventedKey(network.public(index), simulation.checks.signed)
        following = network.next_public(index)
        self.next_key: InventedKey | None = None
        if following is not None:
            self.next_key = InventedKey(following, simulation.checks.signed)
        self.disk = self.fresh_disk()
        MOUNTED[self.name] = self.disk
        create_guard(InventedPath(self.name) / GUARD_FILE, self.key.public.key_id)  # type: ignore[arg-type]

    @property
    def is_honest(self) -> bool:
        """Whether it does what the protocol says; its disk may have forgotten something."""
        return not self.behaviours

    def where(self) -> str:
        """Say in a few letters where it stands: tip, height/round, phase, lock."""
        process = self.process
        state = None if process is None else process.driver.state
        if process is None or state is None:
            return "-" if process is None else "?"
        core = state.core
        sync = "s" if process.world.sync.is_active else ""
        place = f"{process.application.tip_height}:{state.height}/{core.round}"
        return f"{place}{core.phase.name[:5].lower()}{sync}({core.locked_round})"

    def key_at(self, height: int) -> InventedKey:
        """Return the key under which the set of a height knows this validator."""
        public = self.simulation.checks.public_at(self.index, height)
        if self.next_key is not None and public == self.next_key.public:
            return self.next_key
        return self.key

    def fresh_disk(self) -> Disk:
        """Return a disk with a chain of height 0 and nothing else."""
        chain = Rows(self.power, self.network.chain)
        return Disk(self.power, databases={"chain": chain})

    def later(self, delay_ms: int, label: str, action: Callable[[], None]) -> None:
        """Plan something that happens to this life of the machine."""
        events = self.simulation.events
        events.later(delay_ms, f"{label} {self.slot}", action, self, self.life)

    def boot(self) -> None:
        """Start a process on what is on disk; a disk that refuses is tried again later."""
        if self.process is not None:
            return
        self.life += 1
        self.power.is_dead = False
        self.power.operations = 0
        self.busy_until_ms = 0

        def start() -> None:
            process = Process(self, new_guard=self.has_lost_guard)
            self.process = process
            self.simulation.checks.opened(self, process)
            process.ask_peers()

        self.run(start)

    def run(self, action: Callable[[], None]) -> None:
        """Let something happen to this machine; it may die of it, or fail."""
        self.power.spent_ms = 0
        try:
            action()
        except PowerLostError:
            self.died()
            return
        except Exception as error:  # noqa: BLE001 - as LoopTimers does: it stops the node
            self.fail(error)
            return
        if self.process is not None:
            self.process.network.flush()
        self.busy_until_ms = self.simulation.events.now_ms + self.power.spent_ms

    def died(self) -> None:
        """The process is gone; what it had queued may have left."""
        process, self.process = self.process, None
        self.power.is_dead = False  # for what was queued and leaves
        if process is not None and self.simulation.dice.random() < 0.5:
            process.network.flush()
        self.power.is_dead = True
        self.life += 1
        self.simulation.nemesis.machines.crashed(self)

    def fail(self, error: BaseException) -> None:
        """Stop because of something that must not happen; only a disk may be its cause."""
        if isinstance(error, AssertionError):
            raise error
        if not isinstance(error, DiskRefusedError):
            self.simulation.checks.node_failed(self, error)
        if self.process is not None:
            self.process.world.stop()
        self.process = None
        self.life += 1
        self.simulation.faults["stopped by its disk"] += 1
        self.simulation.nemesis.machines.stopped_by_disk(self)

    def mark(self, peer: AgencyId, reason: str) -> None:
        """Hold something against a peer."""
        self.simulation.checks.marked(self, peer, reason)
        self.conduct.mark(peer, reason, self.simulation.events.now_ms)

    def tampered(self, to: AgencyId, payload: Payload) -> list[Payload]:
        """Let all behaviours change what leaves."""
        payloads = [payload]
        for behaviour in self.behaviours:
            payloads = [new for old in payloads for new in behaviour.outgoing(to, old)]
        return payloads

    def receive(self, sender: "Machine", payload: Payload) -> None:
        """The door: know who speaks, turn away who misbehaved, hold against them what is wrong."""
        process = self.process
        if process is None:
            return
        if payload.kind == "answer":
            process.network.answered(payload.number, payload.parts[0] if payload.parts else None)
            return
        for behaviour in self.behaviours:
            with suppress(InvalidDataError):
                behaviour.heard(sender, payload)
        now_ms = self.simulation.events.now_ms
        if self.conduct.cut_off_ms(sender.agency, now_ms):
            return
        try:
            self._take(process, sender, payload)
        except (InvalidDataError, BadSignatureError) as error:
            self.mark(sender.agency, error.code)
        except DiskRefusedError:
            self.simulation.faults["request refused by a disk"] += 1  # answered with 500

    def _take(self, process: Process, sender: "Machine", payload: Payload) -> None:
        if payload.kind == "messages":
            process.world.intake.take(sender.agency, payload.parts)
        elif payload.kind == "ask":
            raw = process.answer(sender.agency, payload)
            if raw is not None and len(raw) > payload.bytes_max:
                raw = None
            parts = () if raw is None else (raw,)
            answer = replace(payload, kind="answer", parts=parts)
            self.simulation.network.send(self, sender.agency, answer)
        elif payload.path == BLOCK_PATH:
            process.world.exchange.take_short(sender.agency, payload.parts[0])
        else:
            assert payload.path == ENTRIES_PATH, payload.path
            process.take_entries(sender.agency, payload.parts[0])
