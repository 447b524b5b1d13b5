"""The invented network: who can reach whom, how late, how often; and the port that a node gets.

Every payload travels alone. What a link does to it is decided by the dice when it is sent. A cut is
one-way: (from, to). The door of the receiver is that of `node.http_peer`: who is cut off for bad
conduct is not heard, who is slowed waits, and what does not parse or verify is held against the
sender.
"""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ledger.ids import AgencyId
from node.ports import Question

if TYPE_CHECKING:
    from tests.sim.machine import Machine
    from tests.sim.simulation import Simulation

ANSWER_TIMEOUT_MS = 3_000
TAG_AT = 2
"""Where a message says its kind: behind the head of the array and the version."""


@dataclass(slots=True)
class Links:
    """How the network behaves now; the same for all links but for cuts.

    Attributes:
        loss, duplication, late: Share of payloads, 0 to 1.
        delay_ms: The longest usual delay; the shortest is 1.
        late_ms: The longest unusual delay.
        cuts: Ordered pairs of slots between which nothing comes through.
        lossy: Share of messages of a kind that get lost, by `consensus.messages.MessageTag`.
        missing: ("from" or "to", slot, tag): messages of a kind that one node never sends or gets.
    """

    loss: float = 0.0
    duplication: float = 0.0
    late: float = 0.0
    delay_ms: int = 8
    late_ms: int = 3_000
    cuts: set[tuple[int, int]] = field(default_factory=set)
    lossy: dict[int, float] = field(default_factory=dict)
    missing: set[tuple[str, int, int]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Payload:
    """Bytes on their way.

    Attributes:
        kind: "messages", "bulk", "ask" or "answer".
        path: Of what is not a message.
        parts: The bytes.
        number: Of the question, for asking and answering.
        bytes_max: Longest answer.
        asker: Slot of who asked.
    """

    kind: str
    path: str
    parts: tuple[bytes, ...]
    number: int = 0
    bytes_max: int = 0
    asker: int = -1


class InventedNetwork:
    """Carries payloads between machines."""

    def __init__(self, simulation: "Simulation") -> None:
        self._simulation = simulation
        self.links = Links()

    def send(self, sender: "Machine", to: AgencyId, payload: Payload) -> None:
        """Send to whoever answers for an agency, if the links let it through."""
        if sender.behaviours:
            for changed in sender.tampered(to, payload):
                self.carry(sender, to, changed)
        else:
            self.carry(sender, to, payload)

    def carry(self, sender: "Machine", to: AgencyId, payload: Payload) -> None:
        """Send as it is, past what a Byzantine sender would change."""
        simulation, links = self._simulation, self.links
        dice, faults = simulation.dice, simulation.faults
        if payload.kind == "answer":
            receiver = simulation.machines[payload.asker]
        else:
            receiver = simulation.receiver(to, sender)
        if (sender.slot, receiver.slot) in links.cuts:
            faults["lost in a partition"] += 1
            return
        if (links.lossy or links.missing) and payload.kind == "messages":
            payload = self._thinned(payload, sender, receiver)
        copies = 1 if payload.parts or payload.kind != "messages" else 0
        if links.loss and dice.random() < links.loss:
            faults["lost"] += 1
            copies = 0
        elif copies and links.duplication and dice.random() < links.duplication:
            faults["duplicated"] += 1
            copies = 2
        for _copy in range(copies):
            delay_ms = 1 + dice.randrange(links.delay_ms) + sender.power.spent_ms
            if links.late and dice.random() < links.late:
                faults["late"] += 1
                delay_ms += dice.randrange(links.late_ms)
            self._deliver_after(delay_ms, sender, receiver, payload)

    def _thinned(self, payload: Payload, sender: "Machine", receiver: "Machine") -> Payload:
        """Lose messages of some kinds."""
        dice, lossy, missing = self._simulation.dice, dict(self.links.lossy), self.links.missing
        for way, slot, tag in sorted(missing):
            if slot == (sender if way == "from" else receiver).slot:
                lossy[tag] = 1.0
        left = tuple(
            raw
            for raw in payload.parts
            if len(raw) <= TAG_AT or dice.random() >= lossy.get(raw[TAG_AT], 0.0)
        )
        self._simulation.faults["lost by kind"] += len(payload.parts) - len(left)
        return Payload("messages", "", left)

    def _deliver_after(
        self, delay_ms: int, sender: "Machine", receiver: "Machine", payload: Payload
    ) -> None:
        simulation = self._simulation
        size = zlib.crc32(b"".join(payload.parts))
        label = f"{payload.kind} {payload.path} {sender.slot}>{receiver.slot} {size:x}"
        due_ms = simulation.events.now_ms + delay_ms
        if payload.kind == "messages":
            if due_ms < receiver.latest_from.get(sender.slot, 0):
                simulation.faults["reordered"] += 1
            else:
                receiver.latest_from[sender.slot] = due_ms

        def deliver() -> None:
            receiver.receive(sender, payload)

        simulation.events.later(delay_ms, label, deliver, receiver)


class NodeNetwork:
    """The `node.ports.Network` of one process."""

    def __init__(self, machine: "Machine", network: InventedNetwork) -> None:
        self._machine = machine
        self._network = network
        self._peers: tuple[AgencyId, ...] = ()
        self._outbox: list[bytes] = []
        self._questions: dict[int, Callable[[bytes | None], None]] = {}

    @property
    def peers(self) -> tuple[AgencyId, ...]:
        return self._peers

    def know(self, agencies: Iterable[AgencyId]) -> None:
        """Take these for the nodes of the network: they are spoken to, and let in."""
        own, here = self._machine.agency, self._machine.simulation.agencies
        self._peers = tuple(sorted([one for one in agencies if one in here and one != own]))

    def broadcast_messages(self, messages: Iterable[bytes]) -> None:
        """Queue messages; those of one turn leave together, as those of two milliseconds do."""
        for raw in messages:
            self._machine.power.burn("broadcast")
            self._machine.simulation.checks.on_wire(self._machine, raw)
            self._outbox.append(raw)

    def flush(self) -> None:
        """Let queued messages leave."""
        if self._outbox:
            parts, self._outbox = tuple(self._outbox), []
            for peer in self.peers:
                self._network.send(self._machine, peer, Payload("messages", "", parts))

    def broadcast_bulk(self, path: str, body: bytes) -> None:
        for peer in self.peers:
            self._machine.power.burn("push")
            self._network.send(self._machine, peer, Payload("bulk", path, (body,)))

    def ask(
        self, peer: AgencyId, question: Question, answer: Callable[[bytes | None], None]
    ) -> None:
        self._machine.power.burn("ask")
        number = self._machine.simulation.next_number()
        self._questions[number] = answer
        parts = () if question.body is None else (question.body,)
        slot, bytes_max = self._machine.slot, question.bytes_max
        payload = Payload("ask", question.path, parts, number, bytes_max, slot)
        self._network.send(self._machine, peer, payload)
        self._machine.later(ANSWER_TIMEOUT_MS, "unanswered", lambda: self.answered(number, None))

    def take_answer(self, payload: Payload) -> None:
        """Take an answer from the wire."""
        self.answered(payload.number, payload.parts[0] if payload.parts else None)

    def answered(self, number: int, raw: bytes | None) -> None:
        """Give an answer to who asked, once."""
        take = self._questions.pop(number, None)
        if take is not None:
            take(raw)

    def blame(self, peer: AgencyId, reason: str) -> None:
        self._machine.mark(peer, reason)


def body_of(payload: Payload) -> Any:
    """Return the body of a question, None where it has none."""
    return payload.parts[0] if payload.parts else None
