"""Attacks on real sockets: what a flood costs is bounded in counts and bytes, and others go on."""

import asyncio
import contextlib
import re
import socket
from pathlib import Path

import aiohttp
import pytest

from keys.errors import BadSignatureError
from keys.signing import SoftwareKey
from ledger.canonical import encode
from ledger.ids import AgencyId
from node import http_peer, listening
from node.admission_queue import SOURCE_BYTES_MAX, AdmissionQueue
from node.conduct import MARKS_MAX, SLOWED_AT, Conduct
from node.config import Address
from node.errors import PeerUnreachableError
from node.gossip import pack_parcels
from node.http_peer import SLICE_MESSAGES, PeerListener
from node.http_transport import HttpTransport
from node.idle_connections import WATCH_EVERY_S
from node.listening import Gate, address_name
from node.logs import SilentLog
from node.peer_entries import BAD_MARKS_MAX, PIECE_ENTRIES, PeerEntries
from node.peer_limits import (
    BULK_AT_ONCE,
    BYTES_PER_TOKEN,
    TOKENS_BURST,
    VOTES_AT_ONCE,
    PeerLimits,
)
from node.peers import MESSAGES_PATH, Lane, PeerNode, encode_batch
from node.public_entries import BAD_SIGNATURE_TOKENS, cost_of
from node.public_errors import UnavailableError
from node.rate_limits import RateLimits
from node.submissions import Submission
from node.tls import PeerTls
from tests.node.public_town import HandClock, served
from tests.node.test_http_peer import Service

pytestmark = pytest.mark.asyncio
SERVER, FRIEND, LIAR, STRANGER = (SoftwareKey.generate() for _ in range(4))
SERVER_ID, FRIEND_ID, LIAR_ID = (AgencyId(name * 16) for name in (b"S", b"F", b"L"))
PATIENCE_S = 20


class Fortress:
    """A listener for two peers: a friend and a liar."""

    def __init__(self, listener, clock, conduct, node, service):
        self.listener, self.clock, self.conduct = listener, clock, conduct
        self.node, self.service = node, service

    @property
    def place(self):
        return self.node.address.host, self.node.address.port


@contextlib.asynccontextmanager
async def fortress(service=None, gate=None):
    pins: dict[bytes, AgencyId] = {FRIEND.public.key_id: FRIEND_ID, LIAR.public.key_id: LIAR_ID}
    conduct: Conduct[AgencyId] = Conduct()
    clock, service = HandClock(), Service() if service is None else service
    listener = PeerListener(service, pins.get, conduct=conduct, clock=clock, log=SilentLog())
    if gate is not None:
        listener.gate = gate
    context = PeerTls(SERVER).server_context([FRIEND.public, LIAR.public])
    port = await listener.start("127.0.0.1", 0, context)
    node = PeerNode(SERVER_ID, SERVER.public, Address("127.0.0.1", port))
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield Fortress(listener, clock, conduct, node, service)
    finally:
        await listener.stop()


async def vote_arrives(place, message=b"vote"):
    """A friend's vote gets through, whatever else goes on."""
    async with HttpTransport(PeerTls(FRIEND)) as friend:
        await friend.post(place.node, Lane.VOTES, MESSAGES_PATH, encode_batch([message]))
    assert (FRIEND_ID, message) in place.service.messages
    assert place.conduct.record(FRIEND_ID, 0).marks_total == 0


async def tls(place, key=LIAR):
    context = PeerTls(key).client_context(SERVER.public)
    return await asyncio.open_connection(*place.place, ssl=context)


async def closed(reader):
    """Wait until the other side has closed the connection."""
    with contextlib.suppress(ConnectionError):
        while await reader.read(65_536):
            pass


# --- connections ---


async def test_silent_strangers_take_a_bounded_number_of_places_and_the_oldest_makes_room():
    gate = Gate(total_max=100, address_max=100, strangers_max=5)
    async with fortress(gate=gate) as place:
        strangers = [await asyncio.open_connection(*place.place) for _ in range(12)]
        await closed(strangers[0][0])
        await vote_arrives(place)
        assert gate.strangers <= 5
        assert gate.refused >= 7
        for _reader, writer in strangers:
            writer.close()


async def test_one_address_takes_no_more_than_its_places_and_gives_them_back():
    gate = Gate(total_max=100, address_max=3)
    async with fortress(gate=gate) as place:
        held = [await asyncio.open_connection(*place.place) for _ in range(3)]
        reader, writer = await asyncio.open_connection(*place.place)
        await closed(reader)
        assert len(gate) == 3
        writer.close()
        for _reader, one in held:
            one.close()
        while len(gate):
            await asyncio.sleep(0)
        await vote_arrives(place)


async def test_a_handshake_that_does_not_end_is_cut_off(monkeypatch):
    monkeypatch.setattr(listening, "HANDSHAKE_TIMEOUT_S", 0.05)
    async with fortress() as place:
        reader, writer = await asyncio.open_connection(*place.place)
        writer.write(b"\x16\x03\x01")  # the first bytes of a client hello, and no more
        await closed(reader)
        writer.close()
        await vote_arrives(place)
        while len(place.listener.gate) > 1:
            await asyncio.sleep(0)


async def test_a_peer_that_dribbles_its_first_request_is_closed_and_another_one_served():
    async with fortress() as place:
        reader, writer = await tls(place)
        writer.write(b"POST /peer/v1/messages HT")
        await vote_arrives(place)
        place.listener.close_idle(0)
        place.listener.close_idle(WATCH_EVERY_S)
        assert not reader.at_eof()
        place.listener.close_idle(10_000)
        await closed(reader)
        writer.close()
        assert place.conduct.record(LIAR_ID, 0).marks_total == 0, "slow is not wrong"


async def test_a_body_that_dribbles_is_given_up_and_nobody_waits_for_it(monkeypatch):
    monkeypatch.setattr(http_peer, "VOTES_READ_TIMEOUT_S", 0.05)
    async with fortress() as place:
        reader, writer = await tls(place)
        writer.write(b"POST /peer/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\nx")
        await vote_arrives(place)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 408")
        writer.close()


async def test_one_peer_has_a_bounded_number_of_connections(monkeypatch):
    monkeypatch.setattr(http_peer, "PEER_CONNECTIONS_MAX", 4)
    async with fortress() as place:
        answers = []
        held = []
        for _ in range(6):
            reader, writer = await tls(place)
            held.append(writer)
            writer.write(b"GET /peer/v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
            answers.append((await reader.readline())[9:12])
        assert answers == [b"200"] * 4 + [b"403"] * 2
        await vote_arrives(place)
        for writer in held:
            writer.close()


# --- too much ---


@pytest.mark.parametrize("declared", [True, False])
async def test_an_oversized_body_is_refused_before_it_is_read_and_held_against_its_sender(declared):
    async with fortress() as place:
        reader, writer = await tls(place)
        head = b"POST /peer/v1/sealed HTTP/1.1\r\nHost: x\r\n"
        size = 64 * 1024 * 1024
        if declared:
            writer.write(head + b"Content-Length: %d\r\n\r\n" % size)
        else:
            writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n")
            piece = b"%x\r\n" % 65_536 + b"x" * 65_536 + b"\r\n"
            with contextlib.suppress(ConnectionError):
                for _ in range(size // 65_536):
                    writer.write(piece)
                    await writer.drain()
        with contextlib.suppress(ConnectionError):
            assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        await closed(reader)
        writer.close()
        assert place.conduct.record(LIAR_ID, 0).marks_total == 1
        await vote_arrives(place)


async def test_garbage_slows_then_cuts_off_its_sender_alone_and_it_is_let_back_in():
    async with fortress() as place, HttpTransport(PeerTls(LIAR)) as liar:
        refused = encode_batch([b"garbage"])
        for _ in range(SLOWED_AT):
            with pytest.raises(PeerUnreachableError, match="400"):
                await liar.post(place.node, Lane.VOTES, MESSAGES_PATH, refused)
        assert place.conduct.delay_ms(LIAR_ID, 0) > 0
        for _ in range(MARKS_MAX - SLOWED_AT):
            place.conduct.mark(LIAR_ID, "garbage", 0)
        with pytest.raises(PeerUnreachableError, match="429"):
            await liar.post(place.node, Lane.VOTES, MESSAGES_PATH, encode_batch([b"good"]))
        await vote_arrives(place)
        place.clock.monotonic += place.conduct.cut_off_ms(LIAR_ID, 0)
        await liar.post(place.node, Lane.VOTES, MESSAGES_PATH, encode_batch([b"good"]))
        assert (LIAR_ID, b"good") in place.service.messages


async def test_a_peer_has_so_many_requests_under_way_and_those_for_votes_are_counted_apart():
    hold = asyncio.Event()
    async with fortress(Service(hold=hold)) as place, contextlib.AsyncExitStack() as stack:
        context = PeerTls(LIAR).client_context(SERVER.public)
        connector = aiohttp.TCPConnector(limit=0, ssl=context)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        url = f"https://{place.node.address}"
        flood = [
            asyncio.ensure_future(session.post(f"{url}/peer/v1/block", data=b"x"))
            for _ in range(BULK_AT_ONCE + 8)
        ]
        turned_away = []
        for one in asyncio.as_completed(flood):
            turned_away.append((await one).status)
            if len(turned_away) == 8:
                break
        assert turned_away == [429] * 8
        await vote_arrives(place)
        hold.set()
        done = await asyncio.gather(*flood)
        assert sorted(one.status for one in done) == [202] * BULK_AT_ONCE + [429] * 8
        assert place.conduct.record(LIAR_ID, 0).marks_total == 0, "much is not wrong"


async def test_a_long_batch_of_votes_is_worked_off_in_slices_between_which_others_get_their_turn():
    order = []

    class Watched(Service):
        def take_messages(self, peer, messages):
            order.append((peer, len(messages)))
            super().take_messages(peer, messages)

    async with fortress(Watched()) as place, HttpTransport(PeerTls(LIAR)) as liar:
        batch = [b"%08d" % number for number in range(40 * SLICE_MESSAGES)]
        flood = asyncio.ensure_future(
            liar.post(place.node, Lane.VOTES, MESSAGES_PATH, encode_batch(batch))
        )
        await vote_arrives(place)
        await flood
    assert max(count for _peer, count in order) == SLICE_MESSAGES
    assert sum(count for peer, count in order if peer == LIAR_ID) == len(batch)


async def test_a_rate_makes_a_peer_wait_and_votes_have_a_rate_of_their_own():
    limits = PeerLimits()
    limits.spend(LIAR_ID, "/peer/v1/entries", (TOKENS_BURST + 1) * BYTES_PER_TOKEN, 0)
    assert limits.wait_ms(LIAR_ID, "/peer/v1/entries", 0) > 0
    assert limits.wait_ms(LIAR_ID, MESSAGES_PATH, 0) == 0
    assert limits.wait_ms(FRIEND_ID, "/peer/v1/entries", 0) == 0
    assert limits.wait_ms(LIAR_ID, "/peer/v1/entries", 60_000) == 0


@pytest.mark.parametrize(
    ("path", "most"), [(MESSAGES_PATH, VOTES_AT_ONCE), ("/peer/v1/entries", BULK_AT_ONCE)]
)
async def test_places_for_requests_are_bounded_and_given_back(path, most):
    limits = PeerLimits()
    assert [limits.enters(LIAR_ID, path) for _ in range(most + 2)] == [True] * most + [False] * 2
    assert limits.enters(FRIEND_ID, path)
    limits.leaves(LIAR_ID, path)
    assert limits.enters(LIAR_ID, path)


async def test_an_ipv6_address_is_counted_by_its_network_and_a_mapped_one_as_what_it_is():
    assert address_name("2001:db8:1:2::1") == address_name("2001:db8:1:2:ffff::9")
    assert address_name("2001:db8:1:2::1") != address_name("2001:db8:1:3::1")
    assert address_name("::ffff:192.0.2.7") == address_name("192.0.2.7") == "192.0.2.7"
    assert address_name("fe80::1%eth0") == address_name("fe80::2")


# --- entries ---


class Door:
    """Refuses all entries, and counts how many it was given."""

    def __init__(self, error):
        self.error = error
        self.seen = 0

    async def submit(self, submissions, source=""):
        assert source
        self.seen += len(submissions)
        return [self.error for _ in submissions]


async def test_a_parcel_of_bad_signatures_costs_one_piece_and_several_marks():
    conduct: Conduct[AgencyId] = Conduct()
    door = Door(BadSignatureError("bad"))
    entries = PeerEntries(door, lambda peer, code: conduct.mark(peer, code, 0))  # type: ignore[arg-type]
    (parcel,) = pack_parcels(Submission(b"%04d" % number, ()) for number in range(4_000))
    await entries.take(LIAR_ID, parcel)
    assert door.seen == PIECE_ENTRIES
    assert conduct.record(LIAR_ID, 0).marks == BAD_MARKS_MAX
    for _ in range(MARKS_MAX // BAD_MARKS_MAX):
        await entries.take(LIAR_ID, parcel)
    assert conduct.cut_off_ms(LIAR_ID, 0) > 0


async def test_what_depends_on_room_or_state_is_nobodys_fault():
    blamed = []
    door = Door(UnavailableError("full"))
    entries = PeerEntries(door, lambda peer, code: blamed.append((peer, code)))  # type: ignore[arg-type]
    (parcel,) = pack_parcels(Submission(b"%04d" % number, ()) for number in range(300))
    await entries.take(LIAR_ID, parcel)
    assert (blamed, door.seen) == ([], 300)


class Slow:
    """An admission that takes everything and remembers in which order."""

    def __init__(self):
        self.order = []

    def prepare(self, part):
        self.order += [one.entry_raw for one in part]
        return []

    def finish(self, _part):
        return []


async def test_sources_take_turns_so_a_flood_of_one_delays_another_by_one_request():
    slow = Slow()
    queue = AdmissionQueue(slow, None, 1, lambda _new: None)  # type: ignore[arg-type]
    waiting = [
        asyncio.ensure_future(queue.submit([Submission(b"flood", ())] * 300, "client"))
        for _ in range(50)
    ]
    waiting.append(asyncio.ensure_future(queue.submit([Submission(b"honest", ())], "peer")))
    await asyncio.sleep(0)
    taken = queue._take()
    assert [one.source for one in taken] == ["client", "peer"]
    assert sum(len(one.submissions) for one in taken) == 301
    for one in waiting:
        one.cancel()


async def test_one_source_cannot_fill_the_queue():
    queue = AdmissionQueue(Slow(), None, 1, lambda _new: None)  # type: ignore[arg-type]
    large = Submission(b"x" * (SOURCE_BYTES_MAX // 2), ())
    waiting = [asyncio.ensure_future(queue.submit([large], "client")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(UnavailableError):
        await queue.submit([large], "client")
    other = asyncio.ensure_future(queue.submit([Submission(b"y", ())], "peer"))
    await asyncio.sleep(0)
    assert not other.done()
    for one in (*waiting, other):
        one.cancel()


async def test_bad_signatures_are_paid_for_by_the_address_that_sent_them():
    limits = RateLimits(rate=100, burst=200)
    sent = 0
    while limits.take("liar", 0) == 0:
        limits.spend("liar", cost_of(BadSignatureError("bad")), 0)
        sent += 1
    assert sent <= 200 // BAD_SIGNATURE_TOKENS + 1
    assert limits.take("honest", 0) == 0
    assert limits.wait_ms("liar", 10_000) == 0, "and it is let back in"


async def test_an_address_that_floods_with_bad_signatures_is_told_to_wait(tmp_path):
    async with served(tmp_path) as api:
        api.side.public._limits = RateLimits(rate=1, burst=3)
        junk = encode((1, ((b"junk", ()),)))
        statuses = [(await api.post("/v1/entries", junk)).status for _ in range(6)]
        assert statuses[0] == 400
        assert statuses[-1] == 429
        assert len(api.node.pool) == 0


async def test_a_public_listener_gives_one_address_half_of_its_places_at_most(tmp_path):
    async with served(tmp_path) as api:
        gate = api.side.public.gate
        gate._address_max = len(gate) + 2
        held = [socket.create_connection(("127.0.0.1", api.ports["public"])) for _ in range(2)]
        while gate.refused == 0:
            reader, writer = await asyncio.open_connection("127.0.0.1", api.ports["public"])
            await closed(reader)
            writer.close()
        for one in held:
            one.close()


async def test_no_flood_of_refusals_fills_the_log(tmp_path):
    noted = []

    class Log(SilentLog):
        def warning(self, event, **values):
            noted.append((event, values["code"]))

    async with served(tmp_path) as api:
        api.side.public._log = Log()
        api.side.queue._bytes = 10**9  # as if too much waited already
        body = encode((1, ((b"x", ()),)))
        for _ in range(60):
            assert (await api.post("/v1/entries", body)).status == 503
        api.side.queue._bytes = 0
    assert 1 <= len(noted) <= 25
    assert set(noted) == {("request_refused", "node.unavailable")}


async def test_every_test_that_the_page_of_threats_names_exists():
    root = Path(__file__).parent.parent
    named = set(re.findall(r"`(test_\w+)`", (root.parent / "docs/threats.md").read_text("utf-8")))
    made = {
        name
        for path in root.rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert len(named) > 20
    assert named - made == set()


async def test_an_address_that_opens_connection_after_connection_is_refused_before_tls():
    async with fortress() as place:
        gate = place.listener.gate
        opened = 0
        while True:
            reader, writer = await asyncio.open_connection(*place.place)
            opened += 1
            writer.close()
            await asyncio.sleep(0)
            if gate.refused:
                break
        await closed(reader)
        assert opened <= http_peer.ARRIVALS_BURST + 1
        place.clock.monotonic += 1_000
        await vote_arrives(place)
