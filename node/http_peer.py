"""The listener for other nodes, /peer/v1: authenticate, bound, parse the frame, hand over.

A handler decides nothing about consensus. It knows who speaks from the TLS connection, refuses what
is too large before reading it, slows or cuts off who misbehaves, and gives the bytes to a
`PeerService`. What the service refuses with an InvalidDataError or a bad signature counts against
the peer. The answer 202 means "arrived", never "believed".

Every wait has an end: the TLS handshake, the header of each request, each body. A batch of
messages is worked off in slices with pauses, so one long batch never holds up the others.

    POST /peer/v1/messages              canonical [message bin ...]
    POST /peer/v1/block                 a proposed block in short form, see node.block_exchange
    POST /peer/v1/entries               canonical [[entry bin, [body bin ...]] ...]
    GET  /peer/v1/block-bytes/{digest}  a block by its header digest, proposed or committed
    GET  /peer/v1/blocks/{height}       canonical [block bin, quorum_certificate bin]
    GET  /peer/v1/blocks/{first}/{count}  a range of them, see node.sync_wire
    GET  /peer/v1/sealed/{digest}       a sealed body by its digest
    POST /peer/v1/sealed                many of them, see node.bodies
    GET  /peer/v1/status                what `node.startup` asks
"""

import asyncio
import gc
import re
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

from aiohttp import web

from keys.errors import BadSignatureError
from keys.hashing import DIGEST_BYTES, Digest
from ledger.canonical import Value, decode
from ledger.errors import HistoryMissingError, InvalidDataError
from ledger.fields import INTEGER_MAX, read_array, read_bytes_up_to
from ledger.ids import AgencyId
from ledger.limits import BLOCK_BYTES_MAX, MESSAGE_BYTES_MAX
from node.bodies import QUESTION_BYTES_MAX
from node.clock import Clock
from node.conduct import Conduct
from node.errors import NodeError, PeerUnknownError
from node.idle_connections import WATCH_EVERY_S, IdleConnections
from node.listening import Gate, address_of, listen
from node.logs import Log, where
from node.peer_limits import WAIT_MS_MAX, PeerLimits
from node.peer_requests import body_bytes, closing, read_body
from node.peers import BATCH_BYTES_MAX, BATCH_MESSAGES_MAX
from node.public_errors import TooSlowError
from node.rate_limits import RateLimits
from node.tls import abort_connection, presented_key

MESSAGES_MAX: Final = BATCH_MESSAGES_MAX
"""Messages in one POST; the bytes allow fewer of most."""
BULK_BYTES_MAX: Final = 16 * 1024 * 1024
FRAME_BYTES: Final = 1_024
"""What a frame may cost over its content."""
SLICE_MESSAGES: Final = 64
"""Messages taken between two pauses of the loop: some milliseconds of signature checks."""
VOTES_READ_TIMEOUT_S: Final = 5.0
"""Within which a batch of messages must come."""
CONNECTIONS_MAX: Final = 1_024
ADDRESS_CONNECTIONS_MAX: Final = 512
STRANGERS_MAX: Final = 64
"""Connections that have shown no pinned key yet; the oldest makes room. TLS takes 256 KiB each."""
ARRIVALS_PER_SECOND: Final = 10
ARRIVALS_BURST: Final = 128
"""Connections that one address may open."""
ENDED_COLLECTED: Final = 64
"""Connections after whose end their remains, which are cycles, are collected."""
PEER_CONNECTIONS_MAX: Final = 32
"""Of one peer; it needs seven, and may leave some behind when its network changes."""
PEER: Final = web.RequestKey("peer", AgencyId)
_HEX_DIGEST: Final = re.compile(f"[0-9a-f]{{{2 * DIGEST_BYTES}}}")
_HEIGHT: Final = re.compile(r"[1-9][0-9]{0,18}")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PeerService(Protocol):
    """What this node does for its peers; every method may raise InvalidDataError."""

    def take_messages(self, peer: AgencyId, messages: tuple[bytes, ...]) -> None:
        """Take consensus messages."""

    async def take_block(self, peer: AgencyId, raw: bytes) -> None:
        """Take a proposed block in short form."""

    async def take_entries(self, peer: AgencyId, raw: bytes) -> None:
        """Take gossiped entries with their bodies."""

    def block_bytes(self, block_id: Digest) -> bytes | None:
        """Return a block by its id, proposed or committed."""

    def certified_block(self, height: int) -> bytes | None:
        """Return canonical [block, quorum certificate] of a height."""

    def certified_blocks(self, first: int, count: int) -> bytes | None:
        """Return a range of them, see `node.sync_wire`."""

    def sealed_body(self, peer: AgencyId, digest: Digest) -> bytes | None:
        """Return a sealed body; None also where it was purged or is not this peer's to have."""

    def sealed_bodies(self, peer: AgencyId, question: bytes) -> bytes:
        """Return many sealed bodies, see `node.bodies`."""

    def status(self, peer: AgencyId) -> bytes:
        """Return what a starting peer wants to know, see `node.startup`."""


class PeerListener:
    """Serves /peer/v1.

    Args:
        service: What the node does for its peers.
        peer_of: The agency of a peer key, by key id; None for a key that is no longer pinned.
        conduct: Who misbehaved how often.
        clock: Measures how long somebody is cut off.
        log: Takes notes.
        routes: Further routes under /peer/v1, behind the same door; `request[PEER]` says who asks.
    """

    def __init__(
        self,
        service: PeerService,
        peer_of: Callable[[bytes], AgencyId | None],
        *,
        conduct: Conduct[AgencyId],
        clock: Clock,
        log: Log,
        routes: Iterable[web.RouteDef] = (),
    ) -> None:
        self._service = service
        self._peer_of = peer_of
        self._conduct = conduct
        self._clock = clock
        self._log = log
        self._runner: web.AppRunner | None = None
        self._limits = PeerLimits()
        self._idle = IdleConnections()
        self._connections: dict[asyncio.BaseProtocol, bytes] = {}
        self._watching: asyncio.Future[None] | None = None
        self._arrivals = RateLimits(ARRIVALS_PER_SECOND, ARRIVALS_BURST)
        self._ended = 0
        self.gate = Gate(CONNECTIONS_MAX, ADDRESS_CONNECTIONS_MAX, STRANGERS_MAX, self._may_arrive)

        @web.middleware
        async def door(request: web.Request, handler: _Handler) -> web.StreamResponse:
            return await self._door(request, handler)

        self.application = web.Application(client_max_size=BULK_BYTES_MAX, middlewares=[door])
        self.application.add_routes(
            [
                web.post("/peer/v1/messages", self._messages),
                web.post("/peer/v1/block", self._block),
                web.post("/peer/v1/entries", self._entries),
                web.get("/peer/v1/block-bytes/{digest}", self._block_bytes),
                web.get("/peer/v1/blocks/{height}", self._certified_block),
                web.get("/peer/v1/blocks/{height}/{count}", self._certified_blocks),
                web.get("/peer/v1/sealed/{digest}", self._sealed_body),
                web.post("/peer/v1/sealed", self._sealed_bodies),
                web.get("/peer/v1/status", self._status),
                *routes,
            ]
        )

    async def start(self, host: str, port: int, context: ssl.SSLContext) -> int:
        """Listen; return the port, which is chosen freely where `port` is 0."""
        self._runner = web.AppRunner(self.application, shutdown_timeout=1)
        await self._runner.setup()
        self._watching = asyncio.ensure_future(self._watch())
        with address_of("listen.peer", host, port):
            return await listen(self._runner, host, port, self.gate, context=context)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            self.close_idle(self._clock.monotonic_ms())
            if self.gate.ended - self._ended >= ENDED_COLLECTED:
                self._ended = self.gate.ended
                gc.collect(1)

    def _may_arrive(self, address: str) -> bool:
        return not self._arrivals.take(address, self._clock.monotonic_ms())

    def close_idle(self, now_ms: int) -> None:
        """Close connections on which the header of a request has not come within its time."""
        server = None if self._runner is None else self._runner.server
        connections = set(() if server is None else server.connections)
        self._idle.close_idle(connections, now_ms)
        self._connections = {
            one: key_id for one, key_id in self._connections.items() if one in connections
        }

    async def stop(self) -> None:
        """Stop listening, let handlers finish for a moment, close what is open."""
        if self._watching is not None:
            self._watching.cancel()
        if self._runner is None:
            return
        server = self._runner.server
        open_now = [] if server is None else [one.transport for one in server.connections]
        await self._runner.cleanup()
        self._runner = None
        for transport in open_now:
            if transport is not None:
                abort_connection(transport)  # one that is gone never says goodbye; TLS waits for it
        await asyncio.sleep(0)

    async def _door(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Know who asks; slow down or turn away who misbehaved; count what is refused."""
        peer = self._known_peer(request)
        if peer is None:
            return closing(403, PeerUnknownError.code)
        cut_off_ms = self._conduct.cut_off_ms(peer, self._clock.monotonic_ms())
        if cut_off_ms:
            return closing(429, "node.cut_off", cut_off_ms)
        request[PEER] = peer
        if not self._limits.enters(peer, request.path):
            return closing(429, "node.too_many_requests", WAIT_MS_MAX)
        response: web.StreamResponse | None = None
        try:
            if not await self._wait_its_turn(request, peer):
                return closing(429, "node.too_many_requests", WAIT_MS_MAX)
            response = await self._answered(request, handler, peer)
            return response
        finally:
            self._limits.leaves(peer, request.path)
            self._limits.spend(
                peer,
                request.path,
                request.content.total_bytes + body_bytes(response),
                self._clock.monotonic_ms(),
            )

    def _known_peer(self, request: web.Request) -> AgencyId | None:
        """Return whose connection this is; None for a key that is not, or no longer, pinned."""
        transport = request.transport
        key_id = self._connections.get(request.protocol)
        if key_id is None:
            try:
                tls = None if transport is None else transport.get_extra_info("ssl_object")
                key_id = presented_key(tls).key_id
            except PeerUnknownError:
                return None
        peer = self._peer_of(key_id)
        if peer is None:
            return None
        self.gate.knows(transport)
        return peer if self._has_place(request.protocol, key_id) else None

    def _has_place(self, connection: asyncio.BaseProtocol, key_id: bytes) -> bool:
        """Tell whether a peer may have this connection beside its others."""
        if connection not in self._connections:
            own = [one for one, whose in self._connections.items() if whose == key_id]
            if sum(getattr(one, "transport", None) is not None for one in own) >= (
                PEER_CONNECTIONS_MAX
            ):
                return False
            self._connections[connection] = key_id
        return True

    async def _wait_its_turn(self, request: web.Request, peer: AgencyId) -> bool:
        """Delay who misbehaved or asks too often; tell whether the request may go on."""
        now_ms = self._clock.monotonic_ms()
        delay_ms = self._conduct.delay_ms(peer, now_ms)
        delay_ms = max(delay_ms, self._limits.wait_ms(peer, request.path, now_ms))
        if delay_ms:
            await asyncio.sleep(min(delay_ms, WAIT_MS_MAX) / 1_000)
        return delay_ms <= WAIT_MS_MAX

    async def _answered(
        self, request: web.Request, handler: _Handler, peer: AgencyId
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except (InvalidDataError, BadSignatureError) as error:
            self.mark(peer, error.code)
            return closing(400, error.code)
        except TooSlowError as error:
            return closing(408, error.code)
        except HistoryMissingError as error:
            return web.Response(status=404, text=error.code)
        except NodeError as error:
            return web.Response(status=503, text=error.code)
        except (web.HTTPException, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001 - a mistake of ours: no peer learns more
            kind, place = type(error).__name__, where(error)
            self._log.warning("peer_request_failed", path=request.path, kind=kind, place=place)
            return web.Response(status=500)

    def mark(self, peer: AgencyId, reason: str) -> None:
        """Hold something against a peer, and say so when that cuts it off."""
        now_ms = self._clock.monotonic_ms()
        if self._conduct.mark(peer, reason, now_ms):
            cut_off_ms = self._conduct.cut_off_ms(peer, now_ms)
            self._log.warning("peer_cut_off", peer=peer, reason=reason, cut_off_ms=cut_off_ms)

    async def _messages(self, request: web.Request) -> web.Response:
        bytes_max = BATCH_BYTES_MAX + MESSAGE_BYTES_MAX + FRAME_BYTES
        messages = parse_batch(await read_body(request, bytes_max, VOTES_READ_TIMEOUT_S))
        for start in range(0, len(messages), SLICE_MESSAGES):
            self._service.take_messages(request[PEER], messages[start : start + SLICE_MESSAGES])
            await asyncio.sleep(0)
        return web.Response(status=202)

    async def _block(self, request: web.Request) -> web.Response:
        await self._service.take_block(request[PEER], await read_body(request, BLOCK_BYTES_MAX))
        return web.Response(status=202)

    async def _entries(self, request: web.Request) -> web.Response:
        await self._service.take_entries(request[PEER], await read_body(request, BULK_BYTES_MAX))
        return web.Response(status=202)

    async def _block_bytes(self, request: web.Request) -> web.Response:
        return _answer(self._service.block_bytes(_digest(request)))

    async def _certified_block(self, request: web.Request) -> web.Response:
        return _answer(self._service.certified_block(_number(request, "height")))

    async def _certified_blocks(self, request: web.Request) -> web.Response:
        first, count = _number(request, "height"), _number(request, "count")
        return _answer(self._service.certified_blocks(first, count))

    async def _sealed_body(self, request: web.Request) -> web.Response:
        return _answer(self._service.sealed_body(request[PEER], _digest(request)))

    async def _sealed_bodies(self, request: web.Request) -> web.Response:
        question = await read_body(request, QUESTION_BYTES_MAX)
        return _answer(self._service.sealed_bodies(request[PEER], question))

    async def _status(self, request: web.Request) -> web.Response:
        return _answer(self._service.status(request[PEER]))


def parse_batch(raw: bytes) -> tuple[bytes, ...]:
    """Read what `node.peers.encode_batch` makes.

    Raises:
        InvalidDataError: Not a canonical array of 1 ... 16,384 messages of at most 64 KiB.
    """
    value: Value = decode(raw, len(raw))
    messages = read_array(value, "messages", (1, MESSAGES_MAX))
    return tuple([read_bytes_up_to(one, "messages[]", MESSAGE_BYTES_MAX) for one in messages])


def _digest(request: web.Request) -> Digest:
    text = request.match_info["digest"]
    if not _HEX_DIGEST.fullmatch(text):
        raise InvalidDataError("a digest in a path is not 64 hexadecimal digits")
    return Digest(bytes.fromhex(text))


def _number(request: web.Request, name: str) -> int:
    text = request.match_info[name]
    if not _HEIGHT.fullmatch(text) or int(text) > INTEGER_MAX:
        raise InvalidDataError(f"the {name} in a path is no number from 1")
    return int(text)


def _answer(raw: bytes | None) -> web.Response:
    if raw is None:
        return web.Response(status=404)
    return web.Response(body=raw, content_type="application/msgpack")
