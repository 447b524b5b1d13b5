"""Peers over real sockets on loopback: who gets in, what arrives, what is held against whom."""

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from keys.errors import InvalidKeyError
from keys.signing import Algorithm, SoftwareKey
from ledger.canonical import encode
from ledger.errors import InvalidDataError
from ledger.ids import AgencyId
from node.bodies import SEALED_PATH, answer_question, parse_answer
from node.clock import SystemClock
from node.conduct import MARKS_MAX, Conduct
from node.config import Address
from node.errors import PeerMisbehavedError, PeerUnreachableError
from node.http_peer import PeerListener, parse_batch
from node.http_transport import HttpTransport
from node.logs import SilentLog
from node.peers import (
    BULK_QUEUE_BYTES_MAX,
    MESSAGES_PATH,
    Lane,
    Outbox,
    Parcel,
    PeerNode,
    Peers,
    backoff_ms,
    encode_batch,
)
from node.ports import Question
from node.tls import PeerTls

pytestmark = pytest.mark.asyncio
SERVER, FRIEND, STRANGER = (SoftwareKey.generate() for _ in range(3))
SERVER_ID, FRIEND_ID = AgencyId(b"S" * 16), AgencyId(b"F" * 16)
DIGEST = b"d" * 32


@dataclass
class Service:
    """Remembers what arrived."""

    messages: list[Any] = field(default_factory=list)
    blocks: list[Any] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    hold: asyncio.Event | None = None

    def take_messages(self, peer, messages):
        if b"garbage" in messages:
            raise InvalidDataError("garbage")
        self.messages += [(peer, message) for message in messages]
        self.arrived.set()

    async def take_block(self, peer, raw):
        if self.hold is not None:
            await self.hold.wait()
        self.blocks.append((peer, raw))

    async def take_entries(self, peer, raw):
        pass

    def block_bytes(self, block_id):
        return b"x" * 3_000_000 if block_id == DIGEST else None

    def certified_block(self, height):
        return b"block" if height == 7 else None

    def certified_blocks(self, first, count):
        return b"range" if (first, count) == (7, 2) else None

    def sealed_body(self, peer, digest):
        return peer if digest == DIGEST else None

    def sealed_bodies(self, peer, question):
        return answer_question(question, lambda digest: digest + peer)

    def status(self, peer):
        return b"status of %s" % peer


@contextlib.asynccontextmanager
async def listening(service, conduct=None):
    pins: dict[bytes, AgencyId] = {FRIEND.public.key_id: FRIEND_ID}
    listener = PeerListener(
        service,
        pins.get,
        conduct=Conduct() if conduct is None else conduct,
        clock=SystemClock(),
        log=SilentLog(),
    )
    port = await listener.start("127.0.0.1", 0, PeerTls(SERVER).server_context([FRIEND.public]))
    try:
        yield PeerNode(SERVER_ID, SERVER.public, Address("127.0.0.1", port))
    finally:
        await listener.stop()


async def test_the_pinned_key_is_let_in_and_known_by_name():
    service = Service()
    async with listening(service) as node, HttpTransport(PeerTls(FRIEND)) as transport:
        await transport.post(node, Lane.VOTES, MESSAGES_PATH, encode_batch([b"a", b"b"]))
        assert await transport.get(node, Lane.FETCH, "/peer/v1/blocks/7", 100) == b"block"
        assert await transport.get(node, Lane.FETCH, "/peer/v1/blocks/8", 100) is None
        assert await transport.get(node, Lane.FETCH, "/peer/v1/blocks/7/2", 100) == b"range"
        assert await transport.get(node, Lane.FETCH, "/peer/v1/blocks/7/3", 100) is None
    assert service.messages == [(FRIEND_ID, b"a"), (FRIEND_ID, b"b")]


async def test_many_bodies_come_in_one_answer():
    digests = tuple(bytes([number]) * 32 for number in range(3))
    async with listening(Service()) as node, HttpTransport(PeerTls(FRIEND)) as transport:
        peers = Peers([node], transport, SilentLog())
        question = Question(SEALED_PATH, 1_000, encode(digests))
        raw = await peers.ask(SERVER_ID, question)
    assert raw is not None
    assert parse_answer(raw, 3) == tuple(digest + FRIEND_ID for digest in digests)


async def test_another_key_is_refused_before_http():
    service = Service()
    async with listening(service) as node, HttpTransport(PeerTls(STRANGER)) as transport:
        with pytest.raises(PeerUnreachableError):
            await transport.post(node, Lane.VOTES, MESSAGES_PATH, encode_batch([b"a"]))
    assert service.messages == []


async def test_a_server_with_another_key_is_refused_by_the_client():
    service = Service()
    async with listening(service) as node, HttpTransport(PeerTls(FRIEND)) as transport:
        impostor = PeerNode(node.agency_id, STRANGER.public, node.address)
        with pytest.raises(PeerUnreachableError):
            await transport.post(impostor, Lane.VOTES, MESSAGES_PATH, encode_batch([b"a"]))
    assert service.messages == []


async def test_a_client_without_certificate_or_with_old_tls_is_refused():
    async with listening(Service()) as node:
        bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        bare.check_hostname = False
        bare.verify_mode = ssl.CERT_NONE
        old = PeerTls(FRIEND).client_context(SERVER.public)
        old.minimum_version = ssl.TLSVersion.TLSv1_2
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        for context in (bare, old):
            async with aiohttp.ClientSession() as session:
                with pytest.raises((aiohttp.ClientError, OSError)):
                    await session.get(f"https://{node.address}/peer/v1/status", ssl=context)


async def test_a_pin_that_was_withdrawn_gets_403():
    service = Service()
    listener = PeerListener(
        service, lambda _key: None, conduct=Conduct(), clock=SystemClock(), log=SilentLog()
    )
    port = await listener.start("127.0.0.1", 0, PeerTls(SERVER).server_context([FRIEND.public]))
    node = PeerNode(SERVER_ID, SERVER.public, Address("127.0.0.1", port))
    async with HttpTransport(PeerTls(FRIEND)) as transport:
        with pytest.raises(PeerUnreachableError, match="403"):
            await transport.get(node, Lane.FETCH, "/peer/v1/status", 100)
    await listener.stop()


async def test_garbage_is_answered_400_and_cuts_off_at_the_limit():
    conduct: Conduct[AgencyId] = Conduct()
    async with listening(Service(), conduct) as node, HttpTransport(PeerTls(FRIEND)) as transport:
        for _ in range(9):
            with pytest.raises(PeerUnreachableError, match="400"):
                await transport.post(node, Lane.VOTES, MESSAGES_PATH, encode_batch([b"garbage"]))
        for _ in range(9, MARKS_MAX + 10):
            conduct.mark(FRIEND_ID, "garbage", SystemClock().monotonic_ms())
        with pytest.raises(PeerUnreachableError, match="429"):
            await transport.get(node, Lane.FETCH, "/peer/v1/status", 100)


async def test_an_answer_over_the_limit_is_not_read_to_its_end():
    path = f"/peer/v1/block-bytes/{DIGEST.hex()}"
    async with listening(Service()) as node, HttpTransport(PeerTls(FRIEND)) as transport:
        got = await transport.get(node, Lane.FETCH, path, 3_000_000)
        assert got == b"x" * 3_000_000
        with pytest.raises(PeerMisbehavedError):
            await transport.get(node, Lane.FETCH, path, 2_999_999)


@pytest.mark.parametrize(
    "path", ["blocks/0", "blocks/x", "blocks/99999999999999999999", "block-bytes/ab", "sealed/zz"]
)
async def test_a_path_that_no_peer_asks_for_is_refused(path):
    async with listening(Service()) as node, HttpTransport(PeerTls(FRIEND)) as transport:
        with pytest.raises(PeerUnreachableError, match="400"):
            await transport.get(node, Lane.FETCH, f"/peer/v1/{path}", 100)


async def test_votes_do_not_wait_behind_bulk():
    hold = asyncio.Event()
    service = Service(hold=hold)
    async with listening(service) as node, HttpTransport(PeerTls(FRIEND)) as transport:
        peers = Peers([node], transport, SilentLog())
        running = asyncio.ensure_future(peers.run())
        peers.broadcast(Lane.BULK, "/peer/v1/block", b"x" * 1_000_000)
        peers.broadcast_messages([b"vote"])
        await asyncio.wait_for(service.arrived.wait(), 60)
        assert service.blocks == []
        hold.set()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    assert service.messages == [(FRIEND_ID, b"vote")]


async def test_messages_put_together_leave_as_one_post_in_order():
    posts: list[Any] = []

    class Recorder(HttpTransport):
        async def post(self, peer, lane, path, body, bytes_max=0):
            posts.append((peer.agency_id, lane, path, parse_batch(body), bytes_max))
            done.set()
            return b""

    done = asyncio.Event()
    node = PeerNode(SERVER_ID, SERVER.public, Address("127.0.0.1", 1))
    peers = Peers([node], Recorder(PeerTls(FRIEND)), SilentLog())
    running = asyncio.ensure_future(peers.run())
    peers.broadcast_messages([b"a"])
    peers.broadcast_messages([b"b", b"c"])
    await asyncio.wait_for(done.wait(), 60)
    running.cancel()
    assert posts == [(SERVER_ID, Lane.VOTES, MESSAGES_PATH, (b"a", b"b", b"c"), 0)]


async def test_an_outbox_drops_the_oldest_and_keeps_the_newest():
    outbox = Outbox(10)
    for name in (b"aaaa", b"bbbb", b"cccc"):
        outbox.put(Parcel("", name))
    assert outbox.dropped == 1
    outbox.put(Parcel("", b"x" * 100))
    assert outbox.take_batch(1_000) == [b"x" * 100]
    assert len(outbox) == 0
    assert BULK_QUEUE_BYTES_MAX > 100


async def test_backoff_grows_and_ends():
    waits = [backoff_ms(failures) for failures in range(1, 50)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (50, 2_000)


@pytest.mark.parametrize(
    "raw", [b"", b"\x90", encode([]), encode([1]), encode(["a"]), encode([b"x" * 65_537]), b"\xc0"]
)
async def test_a_batch_that_is_none_is_refused(raw):
    with pytest.raises(InvalidDataError):
        parse_batch(raw)


async def test_a_peer_key_of_another_algorithm_is_refused():
    with pytest.raises(InvalidKeyError):
        PeerTls(SoftwareKey.generate(Algorithm.ED25519))
