"""What this node sends to other nodes: a bounded queue and one task for each peer and lane.

Votes never wait behind blocks, nor blocks behind gossip: each has a lane, a queue and a connection
of its own. Messages that are put within a few milliseconds leave as one POST. A status code is
never taken as delivery, and nothing is retried here: consensus rebroadcasts, gossip repeats,
fetching asks the next peer. When a peer is slow or gone its queue drops the oldest, so memory stays
bounded.

Here is no HTTP: a `Transport` carries bytes, `node.http_transport` is the real one.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final, Protocol

from keys.signing import PublicKey
from ledger.canonical import encode
from ledger.ids import AgencyId
from node.config import Address
from node.errors import PeerError, PeerUnknownError
from node.logs import Log
from node.ports import Question

COALESCE_MS: Final = 2
BATCH_BYTES_MAX: Final = 1024 * 1024
"""Bytes of messages that leave as one POST."""
BATCH_MESSAGES_MAX: Final = 16_384
"""Messages that leave as one POST; after a long cut thousands of the shortest wait."""
_MESSAGE_FRAME_BYTES: Final = 5
"""What the frame of a batch may cost for each message."""
VOTES_QUEUE_BYTES_MAX: Final = 4 * 1024 * 1024
BLOCKS_QUEUE_BYTES_MAX: Final = 8 * 1024 * 1024
BULK_QUEUE_BYTES_MAX: Final = 32 * 1024 * 1024
BACKOFF_START_MS: Final = 50
BACKOFF_MS_MAX: Final = 2_000
MESSAGES_PATH: Final = "/peer/v1/messages"
ANSWER_BYTES_MAX: Final = 64 * 1024
"""Bytes of the answer to a POST, where nothing else is said."""


@unique
class Lane(StrEnum):
    """Which connection carries something; lanes do not wait for one another."""

    VOTES = "votes"
    BLOCKS = "blocks"
    BULK = "bulk"
    FETCH = "fetch"


@dataclass(frozen=True, slots=True)
class PeerNode:
    """Another node.

    Attributes:
        agency_id: Whose it is.
        key: Its pinned peer key.
        address: Where it listens.
    """

    agency_id: AgencyId
    key: PublicKey
    address: Address


class Transport(Protocol):
    """Carries bytes to a peer and its answer back."""

    async def post(
        self, peer: PeerNode, lane: Lane, path: str, body: bytes, bytes_max: int = ANSWER_BYTES_MAX
    ) -> bytes:
        """Send and return the answer's bytes.

        Raises:
            PeerError: Unreachable, too slow, not the pinned key, or an answer that is none.
        """

    async def get(self, peer: PeerNode, lane: Lane, path: str, bytes_max: int) -> bytes | None:
        """Ask and return the answer's bytes; None if the peer does not have it.

        Raises:
            PeerError: As `post`, or an answer over `bytes_max`.
        """


@dataclass(frozen=True, slots=True)
class Parcel:
    """Something to POST."""

    path: str
    body: bytes


class Outbox:
    """What waits for one peer in one lane; over its bytes the oldest are dropped."""

    __slots__ = ("_bytes", "_bytes_max", "_parcels", "_ready", "dropped")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._parcels: deque[Parcel] = deque()
        self._ready = asyncio.Event()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._parcels)

    def put(self, parcel: Parcel) -> None:
        """Append, and drop the oldest while there is too much; the newest always stays."""
        self._parcels.append(parcel)
        self._bytes += len(parcel.body)
        while self._bytes > self._bytes_max and len(self._parcels) > 1:
            self._bytes -= len(self._parcels.popleft().body)
            self.dropped += 1
        self._ready.set()

    async def wait(self) -> None:
        """Return when something waits."""
        await self._ready.wait()

    def take(self) -> Parcel:
        """Return the oldest."""
        parcel = self._parcels.popleft()
        self._bytes -= len(parcel.body)
        if not self._parcels:
            self._ready.clear()
        return parcel

    def take_batch(self, bytes_max: int) -> list[bytes]:
        """Return the oldest bodies, at least one, at most 16,384, framed at most `bytes_max`."""
        batch = [self.take().body]
        left = bytes_max - len(batch[0]) - _MESSAGE_FRAME_BYTES
        while self._parcels and len(batch) < BATCH_MESSAGES_MAX:
            left -= len(self._parcels[0].body) + _MESSAGE_FRAME_BYTES
            if left < 0:
                break
            batch.append(self.take().body)
        return batch


@dataclass(slots=True)
class PeerHealth:
    """What an operator wants to know about the way to one peer.

    Attributes:
        failures: Consecutive failed sends.
        sent: Successful POSTs since the start.
        last_error: Code and text of the last failure, or "".
    """

    failures: int = 0
    sent: int = 0
    last_error: str = ""


_QUEUE_BYTES_MAX: Final = {
    Lane.VOTES: VOTES_QUEUE_BYTES_MAX,
    Lane.BLOCKS: BLOCKS_QUEUE_BYTES_MAX,
    Lane.BULK: BULK_QUEUE_BYTES_MAX,
}


class Peers:
    """Sends to all other nodes.

    Args:
        nodes: The other nodes; without this one.
        transport: What carries bytes.
        log: Takes notes when a peer is lost and found.
    """

    def __init__(self, nodes: Iterable[PeerNode], transport: Transport, log: Log) -> None:
        self._nodes: dict[AgencyId, PeerNode] = {}
        self._transport = transport
        self._log = log
        self._outboxes: dict[tuple[AgencyId, Lane], Outbox] = {}
        self._health: dict[AgencyId, PeerHealth] = {}
        self._names: tuple[AgencyId, ...] = ()
        self._tasks: asyncio.TaskGroup | None = None
        self._senders: dict[AgencyId, list[asyncio.Task[None]]] = {}
        self.update(nodes)

    def update(self, nodes: Iterable[PeerNode]) -> None:
        """Know other nodes from now on: new ones are sent to, those that are gone no more."""
        before, self._nodes = self._nodes, {node.agency_id: node for node in nodes}
        self._names = tuple(sorted(self._nodes))
        for agency in before.keys() - self._nodes.keys():
            for task in self._senders.pop(agency, ()):
                task.cancel()
            self._health.pop(agency)
            for lane in _QUEUE_BYTES_MAX:
                self._outboxes.pop((agency, lane))
        for agency in self._names:
            if agency not in before:
                self._health[agency] = PeerHealth()
                for lane, bytes_max in _QUEUE_BYTES_MAX.items():
                    self._outboxes[agency, lane] = Outbox(bytes_max)
                self._begin_sending(agency)

    @property
    def names(self) -> tuple[AgencyId, ...]:
        """The other nodes, ascending."""
        return self._names

    @property
    def nodes(self) -> Mapping[AgencyId, PeerNode]:
        """The other nodes by agency."""
        return self._nodes

    @property
    def health(self) -> Mapping[AgencyId, PeerHealth]:
        """How sending goes, by agency."""
        return self._health

    def queued(self, agency: AgencyId, lane: Lane) -> int:
        """Return how many parcels wait for a peer."""
        return len(self._outboxes[agency, lane])

    def dropped(self, agency: AgencyId, lane: Lane) -> int:
        """Return how many parcels were dropped because a peer was slow or gone."""
        return self._outboxes[agency, lane].dropped

    def broadcast_messages(self, messages: Iterable[bytes]) -> None:
        """Queue consensus messages for every peer."""
        for message in messages:
            self.broadcast(Lane.VOTES, MESSAGES_PATH, message)

    def send_messages(self, agency: AgencyId, messages: Iterable[bytes]) -> None:
        """Queue consensus messages for one peer; an unknown one is no error."""
        outbox = self._outboxes.get((agency, Lane.VOTES))
        if outbox is not None:
            for message in messages:
                outbox.put(Parcel(MESSAGES_PATH, message))

    def broadcast(self, lane: Lane, path: str, body: bytes) -> None:
        """Queue a POST for every peer."""
        for agency in self._nodes:
            self._outboxes[agency, lane].put(Parcel(path, body))

    async def ask(self, agency: AgencyId, question: Question) -> bytes | None:
        """Ask one peer for something, on the lane for fetching; None if it has none.

        Raises:
            PeerError: As `Transport.get` and `Transport.post`.
        """
        node, path, bytes_max = self._node(agency), question.path, question.bytes_max
        if question.body is None:
            return await self._transport.get(node, Lane.FETCH, path, bytes_max)
        return await self._transport.post(node, Lane.FETCH, path, question.body, bytes_max)

    async def post(self, agency: AgencyId, path: str, body: bytes) -> bytes:
        """Send something small to one peer and return its answer, on the lane for fetching.

        Raises:
            PeerError: As `Transport.post`, or there is no such peer.
        """
        return await self._transport.post(self._node(agency), Lane.FETCH, path, body)

    def _node(self, agency: AgencyId) -> PeerNode:
        node = self._nodes.get(agency)
        if node is None:
            raise PeerUnknownError("there is no node of this agency")
        return node

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for agency in self._names:
                self._begin_sending(agency)
            await asyncio.get_running_loop().create_future()  # peers may come at any time

    def _begin_sending(self, agency: AgencyId) -> None:
        if self._tasks is None:
            return
        self._senders[agency] = [
            self._tasks.create_task(
                (self._run_votes if lane is Lane.VOTES else self._run_parcels)(agency, lane)
            )
            for lane in _QUEUE_BYTES_MAX
        ]

    async def _run_votes(self, agency: AgencyId, lane: Lane) -> None:
        outbox = self._outboxes[agency, lane]
        while True:
            await outbox.wait()
            await asyncio.sleep(COALESCE_MS / 1_000)
            body = encode_batch(outbox.take_batch(BATCH_BYTES_MAX))
            await self._deliver(agency, lane, Parcel(MESSAGES_PATH, body))

    async def _run_parcels(self, agency: AgencyId, lane: Lane) -> None:
        outbox = self._outboxes[agency, lane]
        while True:
            await outbox.wait()
            await self._deliver(agency, lane, outbox.take())

    async def _deliver(self, agency: AgencyId, lane: Lane, parcel: Parcel) -> None:
        node, health = self._nodes[agency], self._health[agency]
        try:
            await self._transport.post(node, lane, parcel.path, parcel.body)
        except PeerError as error:
            health.failures += 1
            health.last_error = f"{error.code}: {error}"
            if health.failures == 1:
                self._log.warning("peer_lost", peer=node.agency_id, lane=lane, code=error.code)
            await asyncio.sleep(backoff_ms(health.failures) / 1_000)
        else:
            if health.failures:
                self._log.info("peer_found", peer=node.agency_id, lane=lane)
            health.failures = 0
            health.sent += 1


def backoff_ms(failures: int) -> int:
    """Return how long to wait after so many failures in a row: doubling, up to two seconds."""
    return min(BACKOFF_MS_MAX, BACKOFF_START_MS << min(failures - 1, 16))


def encode_batch(messages: Iterable[bytes]) -> bytes:
    """Return what `POST /peer/v1/messages` carries: a canonical array of messages."""
    return encode(tuple(messages))
