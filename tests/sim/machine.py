"""One machine of the simulation: disk, clock and, while it runs, a node (`process`)."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from keys.errors import BadSignatureError
from keys.signing import PublicKey
from ledger.errors import DiskRefusedError, InvalidDataError
from ledger.ids import AgencyId
from ledger.store_files import FOLDER
from node.block_exchange import BLOCK_PATH
from node.conduct import Conduct
from node.gossip import ENTRIES_PATH
from node.logs import SilentLog
from node.signer import create_guard
from node.storage import GUARD_FILE
from tests.sim.calls import InventedPath
from tests.sim.committees import Committee
from tests.sim.files import MOUNTED, Disk, Rows
from tests.sim.joining import Joining
from tests.sim.network import Payload
from tests.sim.power import Power, PowerLostError
from tests.sim.process import Process
from tests.sim.town import InventedKey, Network

if TYPE_CHECKING:
    from tests.sim.behaviours import Behaviour
    from tests.sim.simulation import Simulation

SNAPSHOT_EVERY = (1, 2, 2, 3)
"""Blocks between two snapshots, as operators may set it."""


class Machine:
    """A slot of the simulation: that of the node of one member; a twin shares one's key.

    Attributes:
        member: Whose node it is; the founders are the first members, and the first slots.
    """

    def __init__(self, simulation: "Simulation", slot: int, member: int, network: Network) -> None:
        self.simulation = simulation
        self.slot, self.member, self.network = slot, member, network
        self.name = f"m{slot}"
        self.agency = network.members[member]
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
        self.joining: Joining | None = None
        self.wants_snapshot = False
        has_snapshots = simulation.nemesis.plan.snapshots
        self.snapshot_every = simulation.dice.choice(SNAPSHOT_EVERY) if has_snapshots else 0
        signed = partial(simulation.checks.sets.signed, self)
        self.key: InventedKey = InventedKey(network.public(member), signed)
        self.next_key: InventedKey | None = None
        if member in simulation.story.rotating:
            self.next_key = InventedKey(network.public(member, is_next=True), signed)
        self.disk = self.fresh_disk()
        MOUNTED[self.name] = self.disk
        create_guard(InventedPath(self.name) / GUARD_FILE, self.key.public.key_id)  # type: ignore[arg-type]

    @property
    def publics(self) -> list[PublicKey]:
        """The public halves of its consensus keys."""
        return [one.public for one in (self.key, self.next_key) if one is not None]

    @property
    def is_honest(self) -> bool:
        """Whether it does what the protocol says; its disk may have forgotten something."""
        return not self.behaviours

    def where(self) -> str:
        """Say in a few letters where it stands: tip, height/round, phase, lock."""
        process = self.process
        state = None if process is None else process.driver.state
        if process is None or state is None:
            return "j" if self.joining else "-" if process is None else "?"
        core = state.core
        sync = "s" if process.world.sync.is_active else ""
        place = f"{process.application.tip_height}:{state.height}/{core.round}"
        return f"{place}{core.phase.name[:5].lower()}{sync}({core.locked_round})"

    def committee_at(self, height: int) -> Committee:
        """Return the set of a height."""
        return self.simulation.checks.committees.at(height)

    def index_at(self, height: int) -> int | None:
        """Return the place in the set of a height; None for who is no member of it."""
        return self.committee_at(height).indices.get(self.member)

    def key_at(self, height: int) -> InventedKey:
        """Return the key under which the set of a height knows this validator."""
        weights = self.committee_at(height).weights
        if self.next_key is not None and self.next_key.public.public in weights:
            return self.next_key
        return self.key

    def fresh_disk(self) -> Disk:
        """Return a disk with a chain of height 0 and nothing else."""
        disk = Disk(self.power)
        self.begin_chain(disk)
        return disk

    def begin_chain(self, disk: Disk) -> None:
        """Put a chain of height 0 on a disk."""
        disk.databases[FOLDER] = Rows(self.power, self.network.chain)
        disk.sync_names()

    def begin_without_chain(self) -> None:
        """Let a new node begin with a snapshot."""
        self.disk.remove(FOLDER)
        self.disk.sync_names()
        self.wants_snapshot = True

    def later(self, delay_ms: int, label: str, action: Callable[[], None]) -> None:
        """Plan something that happens to this life of the machine."""
        events = self.simulation.events
        events.later(delay_ms, f"{label} {self.slot}", action, self, self.life)

    def boot(self) -> None:
        """Start a process on what is on disk; a disk that refuses is tried again later."""
        if self.is_running:
            return
        self.life += 1
        self.power.is_dead = False
        self.power.operations = 0
        self.busy_until_ms = 0

        is_stopped = self.wants_snapshot and FOLDER not in self.disk.databases
        self.run(self._join if is_stopped else self._start)

    @property
    def is_running(self) -> bool:
        """Whether a process works here: a node, or the command that fetches a snapshot for one."""
        return self.process is not None or self.joining is not None

    def _start(self) -> None:
        process = Process(self, new_guard=self.has_lost_guard)
        self.process = process
        self.simulation.checks.opened(self, process)
        process.ask_peers()

    def _join(self) -> None:
        self.joining = Joining(self, self._joined)
        self.joining.start()

    def _joined(self) -> None:
        """The command has ended: the operator starts the node."""
        self.wants_snapshot, self.joining = False, None
        if FOLDER not in self.disk.databases:
            self.begin_chain(self.disk)
        self._start()

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
        self.joining = None
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
        by_disk = DiskRefusedError if self.joining is None else (DiskRefusedError, OSError)
        if not isinstance(error, by_disk):
            self.simulation.checks.node_failed(self, error)
        if self.process is not None:
            self.process.world.stop()
        self.process = self.joining = None
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
            if payload.kind == "answer" and self.joining is not None:
                joining = self.joining
                joining.network.answered(
                    payload.number, payload.parts[0] if payload.parts else None
                )
            return
        if payload.kind == "answer":
            process.network.answered(payload.number, payload.parts[0] if payload.parts else None)
            return
        for behaviour in self.behaviours:
            with suppress(InvalidDataError):
                behaviour.heard(sender, payload)
        now_ms = self.simulation.events.now_ms
        if sender.agency not in process.network.peers:
            self.simulation.faults["turned away"] += 1
            return
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
