"""What a Byzantine member does beside, or instead of, what the protocol says: the base, and votes.

A Byzantine machine runs the production node, so it knows all that an honest one knows. Behaviours
see what comes in (`heard`), change or withhold what leaves, for each receiver apart (`outgoing`),
and act without a cause (`tick`). They may sign anything with their own key and nothing with another
one. Whenever one does what no honest node does it says `acted()`, so that the summary can count it.

To add one: subclass `Behaviour`, give it a `name`, list it in `tests/sim/members.py`. A seed
draws one to three of that list for each Byzantine member.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from consensus.messages import (
    SignedProposal,
    SignedVote,
    VoteType,
    proposal_message,
    vote_message,
)
from consensus.state import State
from consensus.wire import SignedMessage, parse_message, print_message
from ledger.ids import AgencyId
from tests.sim.network import Payload

if TYPE_CHECKING:
    from tests.sim.machine import Machine

FAR_HEIGHT, FAR_ROUND = 50, 1_000
REMEMBERED_MAX = 400


class Behaviour:
    """Does what an honest node does; the base of all behaviours.

    Attributes:
        name: For the summary.
        every_ms: How often `tick` is called while the machine runs.
    """

    name: ClassVar[str] = ""
    every_ms: ClassVar[int] = 250

    def __init__(self, machine: "Machine") -> None:
        self.machine = machine
        self.simulation = machine.simulation
        self.dice = machine.simulation.dice
        others = [one for one in machine.simulation.agencies if one != machine.agency]
        self.peers: list[AgencyId] = others
        self.half = set(self.dice.sample(others, len(others) // 2))

    # --- what subclasses change ---

    def outgoing(self, to: AgencyId, payload: Payload) -> list[Payload]:
        """Change what leaves for one receiver; an empty list withholds it."""
        if payload.kind != "messages":
            return [payload]
        parts = [new for raw in payload.parts for new in self.message(to, raw)]
        return [Payload("messages", "", tuple(parts))] if parts else []

    def message(self, to: AgencyId, raw: bytes) -> list[bytes]:  # noqa: ARG002
        """Change one message that leaves for one receiver."""
        return [raw]

    def heard(self, sender: "Machine", payload: Payload) -> None:
        """See what comes in, before the node does."""

    def tick(self) -> None:
        """Act without a cause."""

    # --- what subclasses use ---

    def acted(self) -> None:
        """Count one deed."""
        self.simulation.deeds[self.name] += 1

    @property
    def state(self) -> State | None:
        """Where the own node stands."""
        process = self.machine.process
        return None if process is None else process.driver.state

    def own(self, raw: bytes) -> SignedVote | SignedProposal | None:
        """Return a message if it is a vote or proposal of our own."""
        message: Any = parse_message(raw)
        index = self.machine.index_at(getattr(message, "height", 0))
        if isinstance(message, SignedVote) and message.validator == index:
            return message
        if isinstance(message, SignedProposal) and message.proposer == index:
            return message
        return None

    def vote(self, kind: VoteType, height: int, number: int, block_id: bytes | None) -> bytes:
        """Sign a vote, whatever the guard would say."""
        message = self.message_of(kind, height, number, block_id)
        signature = self.machine.key_at(height).sign(message)
        index = self.machine.index_at(height) or 0  # who is no member claims to be the first
        signed = SignedVote(kind, height, number, block_id, index, signature)
        return print_message(signed)

    def message_of(self, kind: VoteType, height: int, number: int, block_id: bytes | None) -> bytes:
        """Return what is signed for a vote."""
        network_id = self.machine.network.genesis.network_id
        return vote_message(network_id, kind, height, number, block_id)

    def vote_of(self, raw: bytes) -> SignedVote | None:
        """Return a message if it is a vote."""
        message: Any = parse_message(raw)
        return message if isinstance(message, SignedVote) else None

    def proposal(self, place: tuple[int, int], block_id: bytes, pol: int, time_ms: int) -> bytes:
        """Sign a proposal, whatever the guard would say."""
        given = (*place, block_id, pol, time_ms, self.machine.index_at(place[0]) or 0)
        message = proposal_message(
            self.machine.network.genesis.network_id, SignedProposal(*given, b"")
        )
        return print_message(SignedProposal(*given, self.machine.key_at(place[0]).sign(message)))

    def send(self, to: Iterable[AgencyId], *raws: bytes) -> None:
        """Send messages past all behaviours."""
        for peer in to:
            payload = Payload("messages", "", raws)
            self.simulation.network.carry(self.machine, peer, payload)

    def known_block(self, height: int) -> bytes | None:
        """Return some block that was proposed at a height, or None."""
        found = [
            block_id
            for place, blocks in self.simulation.checks.witness.proposals.items()
            if place[0] == height
            for block_id in blocks
        ]
        return self.dice.choice(found) if found else None


class Equivocation(Behaviour):
    """Says one thing to one half of the others and another thing to the rest."""

    name = "equivocating vote"

    def message(self, to: AgencyId, raw: bytes) -> list[bytes]:
        said = self.own(raw)
        if not isinstance(said, SignedVote) or to not in self.half:
            return [raw]
        other = self.known_block(said.height) if said.block_id is None else None
        if other == said.block_id:
            return [raw]
        self.acted()
        return [self.vote(said.type, said.height, said.round, other)]


class Silence(Behaviour):
    """Speaks like an honest node, then to nobody for a while, then again."""

    name = "silence"
    every_ms = 700

    def __init__(self, machine: "Machine") -> None:
        super().__init__(machine)
        self._mute: set[AgencyId] = set()

    def outgoing(self, to: AgencyId, payload: Payload) -> list[Payload]:
        if to in self._mute:
            self.acted()
            return []
        return [payload]

    def tick(self) -> None:
        count = self.dice.choice((0, len(self.peers) // 2, len(self.peers)))
        self._mute = set(self.dice.sample(self.peers, count))


class HiddenLock(Behaviour):
    """Shows its prevote for a block to one victim only, so that it alone may lock, and stays quiet.

    The victim changes with the height; the others hear nil, or nothing.
    """

    name = "hidden lock"

    def message(self, to: AgencyId, raw: bytes) -> list[bytes]:
        said = self.own(raw)
        if not isinstance(said, SignedVote) or said.block_id is None:
            return [raw]
        if said.type is VoteType.PRECOMMIT:
            self.acted()
            return []
        if to == self.peers[said.height % len(self.peers)]:
            return [raw]
        self.acted()
        if said.round % 2:
            return []
        return [self.vote(said.type, said.height, said.round, None)]


class FutureSpam(Behaviour):
    """Fills the others with votes and proposals of later rounds and heights."""

    name = "future spam"

    def tick(self) -> None:
        state = self.state
        if state is None:
            return
        raws = []
        for _ in range(12):
            height = state.height + self.dice.choice((0, 1, 2, 3, FAR_HEIGHT))
            number = max(state.round, 0) + self.dice.randrange(1, FAR_ROUND)
            block_id = self.dice.choice((None, self.dice.randbytes(32)))
            raws.append(self.vote(self.dice.choice(list(VoteType)), height, number, block_id))
        place = (state.height + self.dice.randrange(3), self.dice.randrange(FAR_ROUND))
        time_ms = self.machine.simulation.events.now_ms
        raws.append(self.proposal(place, self.dice.randbytes(32), -1, time_ms))
        self.acted()
        self.send(self.peers, *raws)


class Replay(Behaviour):
    """Sends again what it heard from anybody, out of time and to anybody."""

    name = "replay"

    def __init__(self, machine: "Machine") -> None:
        super().__init__(machine)
        self._heard: list[Payload] = []

    def heard(self, sender: "Machine", payload: Payload) -> None:
        del sender
        if payload.kind in ("messages", "bulk"):
            self._heard.append(payload)
            if len(self._heard) > REMEMBERED_MAX:
                del self._heard[self.dice.randrange(len(self._heard))]

    def tick(self) -> None:
        for payload in self.dice.sample(self._heard, min(6, len(self._heard))):
            self.acted()
            self.simulation.network.carry(self.machine, self.dice.choice(self.peers), payload)


class YesMan(Behaviour):
    """Votes for every proposal that it hears of at once: prevote and precommit, without a polka."""

    name = "vote without cause"

    def heard(self, sender: "Machine", payload: Payload) -> None:
        del sender
        for raw in payload.parts if payload.kind == "messages" else ():
            message: SignedMessage = parse_message(raw)
            if isinstance(message, SignedProposal):
                self.acted()
                place = (message.height, message.round, message.block_id)
                self.send(self.peers, *[self.vote(kind, *place) for kind in VoteType])
