"""The header of every request, at every listener, has a size and a time; both sides of each."""

import asyncio
import contextlib
import itertools
import json

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpProcessingError, HttpRequestParser
from aiohttp.web_protocol import MAX_MSG_QUEUE_SIZE
from hypothesis import given
from hypothesis import strategies as st

from node.public_errors import HeaderTooLargeError
from node.request_headers import BoundedParser
from tests.node.public_town import served
from tests.node.test_under_attack import FRIEND, closed, fortress, tls

pytestmark = pytest.mark.asyncio
LISTENERS = ["public", "private", "peer"]
REQUEST_HEADER_BYTES_MAX = 16_384  # said once more: another value in the code is a failure
REQUEST_HEADER_FIELDS_MAX = 128
REQUEST_READ_TIMEOUT_MS = 10_000
SMALL = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Door:
    """A listener, and how to ask it for something that it answers with 200."""

    def __init__(self, listener, path, connect):
        self.listener, self.connect = listener, connect
        self.line = b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n"

    def header(self, size):
        """A header of exactly so many bytes, in fields of which none is large by itself."""
        left = size - len(self.line) - 2
        fields = []
        while left:
            length = left if left < 1_000 else 500
            fields.append(b"X: " + b"a" * (length - 5) + b"\r\n")
            left -= length
        made = self.line + b"".join(fields) + b"\r\n"
        assert len(made) == size
        return made

    @property
    def small(self):
        return self.line + b"\r\n"

    async def until(self, is_awaited):
        """Wait until the only connection owes a header, or owes none."""
        while [one.awaited is not None for one in self.listener._runner.server.connections] != [
            is_awaited
        ]:
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def door(name, folder):
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(60))
        if name == "peer":
            place = await stack.enter_async_context(fortress())
            yield Door(place.listener, b"/peer/v1/status", lambda: tls(place, FRIEND))
        else:
            api = await stack.enter_async_context(served(folder))
            listener = api.side.public if name == "public" else api.side.private
            port = api.ports[name]
            yield Door(listener, b"/healthz", lambda: asyncio.open_connection("127.0.0.1", port))


async def answer_of(reader):
    """The status of an answer, and its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
    return int(head.split()[1]), await reader.readexactly(int(fields[b"content-length"]))


async def is_refused(reader, limit, value, maximum):
    status, body = await answer_of(reader)
    problem = json.loads(body)
    assert (status, problem["code"]) == (431, "node.header_too_large")
    assert (problem["limit"], problem["value"], problem["maximum"]) == (limit, value, maximum)
    assert b"aaaa" not in body
    await closed(reader)


# --- size ---


@pytest.mark.parametrize("before", [0, 2], ids=["first request", "third request"])
@pytest.mark.parametrize("name", LISTENERS)
async def test_a_header_up_to_its_limit_is_served_and_a_byte_more_is_refused(
    tmp_path, name, before
):
    async with door(name, tmp_path) as place:
        reader, writer = await place.connect()
        for _ in range(before):
            writer.write(place.small)
            assert (await answer_of(reader))[0] == 200
        writer.write(place.header(REQUEST_HEADER_BYTES_MAX))
        assert (await answer_of(reader))[0] == 200
        over = REQUEST_HEADER_BYTES_MAX + 1
        writer.write(place.header(over))
        await is_refused(reader, "request header bytes", over, REQUEST_HEADER_BYTES_MAX)
        writer.close()


@pytest.mark.parametrize("name", LISTENERS)
async def test_so_many_fields_are_served_and_one_more_is_refused(tmp_path, name):
    async with door(name, tmp_path) as place:
        reader, writer = await place.connect()
        fields = b"a:\r\n" * (REQUEST_HEADER_FIELDS_MAX - 1)  # and the host
        writer.write(place.line + fields + b"\r\n")
        assert (await answer_of(reader))[0] == 200
        writer.write(place.line + fields + b"a:\r\n\r\n")
        over = REQUEST_HEADER_FIELDS_MAX + 1
        await is_refused(reader, "request header fields", over, REQUEST_HEADER_FIELDS_MAX)
        writer.close()


@pytest.mark.parametrize("name", LISTENERS)
async def test_many_fields_of_which_each_alone_would_be_allowed_are_not_served(tmp_path, name):
    async with door(name, tmp_path) as place:
        reader, writer = await place.connect()
        field = b"X: " + b"a" * 15_995 + b"\r\n"
        with contextlib.suppress(ConnectionError):
            writer.write(place.line + field * 127 + b"\r\n")
            await writer.drain()
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            assert (await answer_of(reader))[0] == 431
        await closed(reader)
        writer.close()


@pytest.mark.parametrize(
    "stuffing",
    [b"GET /" + b"a" * 20_000, b"GET /healthz HTTP/1.1\r\nX:" + b" " * 20_000, b"\r\n" * 10_000],
    ids=["a long line", "white space that no field holds", "empty lines before a request"],
)
async def test_whatever_comes_before_the_end_of_a_header_counts(tmp_path, stuffing):
    async with door("public", tmp_path) as place:
        reader, writer = await place.connect()
        writer.write(stuffing)
        status, body = await answer_of(reader)
        assert (status, json.loads(body)["code"]) == (431, "node.header_too_large")
        writer.close()


async def test_a_header_that_comes_right_behind_a_body_is_counted_from_its_own_beginning(tmp_path):
    async with door("public", tmp_path) as place:
        body = b"\r\n\r\n" * 100
        post = b"POST /v1/entries HTTP/1.1\r\nHost: x\r\nContent-Type: application/msgpack\r\n"
        post += b"Content-Length: %d\r\n\r\n" % len(body) + body
        reader, writer = await place.connect()
        writer.write(post + place.header(REQUEST_HEADER_BYTES_MAX))
        assert [(await answer_of(reader))[0] for _ in range(2)] == [400, 200]
        writer.write(post)
        assert (await answer_of(reader))[0] == 400
        over = REQUEST_HEADER_BYTES_MAX + 3_000
        writer.write(place.header(over) + place.small)
        await is_refused(reader, "request header bytes", over, REQUEST_HEADER_BYTES_MAX)
        writer.close()


# --- time ---


@pytest.mark.parametrize("before", [0, 1, 2], ids=["first", "second", "third"])
@pytest.mark.parametrize("name", LISTENERS)
async def test_the_header_of_every_request_of_a_connection_has_its_time(tmp_path, name, before):
    async with door(name, tmp_path) as place:
        reader, writer = await place.connect()
        for _ in range(before):
            writer.write(place.small)
            assert (await answer_of(reader))[0] == 200
        writer.write(place.line)
        await place.until(is_awaited=True)
        place.listener.close_idle(1_000)
        writer.write(b"X: a\r\n")  # a little more is not enough
        place.listener.close_idle(1_000 + REQUEST_READ_TIMEOUT_MS - 1)
        writer.write(b"\r\n")
        assert (await answer_of(reader))[0] == 200
        writer.write(place.line)
        await place.until(is_awaited=True)
        place.listener.close_idle(1_000 + REQUEST_READ_TIMEOUT_MS)  # the next one has its own
        writer.write(b"\r\n")
        assert (await answer_of(reader))[0] == 200
        writer.write(place.line)
        await place.until(is_awaited=True)
        place.listener.close_idle(2_000 + REQUEST_READ_TIMEOUT_MS)
        place.listener.close_idle(2_000 + 2 * REQUEST_READ_TIMEOUT_MS)
        await closed(reader)
        writer.close()


@pytest.mark.parametrize("name", LISTENERS)
async def test_a_connection_may_rest_between_two_requests(tmp_path, name):
    async with door(name, tmp_path) as place:
        reader, writer = await place.connect()
        for now_ms in range(0, 10 * REQUEST_READ_TIMEOUT_MS, REQUEST_READ_TIMEOUT_MS):
            writer.write(place.small)
            assert (await answer_of(reader))[0] == 200
            await place.until(is_awaited=False)
            place.listener.close_idle(now_ms)
            assert place.listener._runner.server.requests_count == now_ms // 10_000 + 1
        writer.close()


# --- requests one behind the other ---


async def test_requests_sent_ahead_are_all_answered_in_their_order(tmp_path):
    async with door("public", tmp_path) as place:
        reader, writer = await place.connect()
        nowhere = place.header(1_000).replace(b"/healthz", b"/nowhere")
        writer.write((place.small + nowhere) * (2 * MAX_MSG_QUEUE_SIZE))
        for status in [200, 404] * (2 * MAX_MSG_QUEUE_SIZE):
            assert (await answer_of(reader))[0] == status
        writer.close()


async def test_a_request_behind_a_body_that_fills_the_buffers_is_answered(tmp_path):
    async with door("public", tmp_path) as place:
        reader, writer = await place.connect()
        size = 2 * 1024 * 1024
        head = b"POST /v1/entries HTTP/1.1\r\nHost: x\r\nContent-Type: application/msgpack\r\n"
        writer.write(head + b"Content-Length: %d\r\n\r\n" % size + bytes(size) + place.small)
        assert [(await answer_of(reader))[0] for _ in range(2)] == [400, 200]
        writer.close()


@pytest.mark.parametrize(
    ("more", "body"),
    [
        (b"Transfer-Encoding: chunked\r\n", b"1\r\n\x90\r\n0\r\n\r\n"),
        (
            b"Content-Encoding: deflate\r\nContent-Length: 9\r\n",
            b"x\x9c\x9b\x00\x00\x00\x91\x00\x91",
        ),
        (b"Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 1\r\n", b"\x90"),
    ],
    ids=["chunks", "compressed", "upgrade"],
)
async def test_a_request_whose_end_only_the_parser_knows_is_the_last_of_its_connection(
    tmp_path, more, body
):
    async with door("public", tmp_path) as place:
        reader, writer = await place.connect()
        head = b"POST /v1/entries HTTP/1.1\r\nHost: x\r\nContent-Type: application/msgpack\r\n"
        writer.write(head + more + b"\r\n" + body + place.small)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400")
        assert b"ledger." in answer, "it was handled"
        assert answer.count(b"HTTP/1.1") == 1
        assert b"Connection: close" in answer
        writer.close()


REQUESTS = st.lists(
    st.one_of(
        st.just(SMALL),
        st.binary(max_size=40).map(
            lambda body: (
                b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            )
        ),
        st.just(b"\r\n" + SMALL),
    ),
    max_size=8,
)


@given(REQUESTS, st.lists(st.integers(0, 400), max_size=12))
async def test_however_requests_are_cut_they_are_parsed_as_without_bounds(requests, cuts):
    raw = b"".join(requests)
    places = sorted({0, len(raw), *[cut for cut in cuts if cut < len(raw)]})
    pieces = [raw[start:end] for start, end in itertools.pairwise(places)]
    bounded = BoundedParser(fresh_parser())
    found = [one for piece in pieces for one in bounded.feed_data(piece)[0]]
    expected = fresh_parser().feed_data(raw)[0]
    assert [repr(one[0]) for one in found] == [repr(one[0]) for one in expected]
    assert [await one[1].read() for one in found] == [await one[1].read() for one in expected]
    assert bounded.awaited == (None if found else 0)


async def test_wherever_a_request_is_cut_the_next_header_is_counted_from_its_beginning():
    request = b"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123456789"
    over = b"GET /" + b"a" * REQUEST_HEADER_BYTES_MAX
    for cut in range(len(request) + 1):
        bounded = BoundedParser(fresh_parser())
        bounded.feed_data(request[:cut])
        with pytest.raises(HttpProcessingError) as refused:
            bounded.feed_data(request[cut:] + over)
        reason = refused.value.__cause__
        assert isinstance(reason, HeaderTooLargeError)
        assert reason.details["value"] == len(over)


async def test_what_is_sent_far_ahead_is_parsed_only_as_requests_are_handled():
    bounded = BoundedParser(fresh_parser())
    found = bounded.feed_data(SMALL * (MAX_MSG_QUEUE_SIZE + 3))[0]
    assert len(found) == MAX_MSG_QUEUE_SIZE
    for _ in range(2):
        bounded.message_consumed()
    assert len(bounded.feed_data(b"")[0]) == 2
    bounded.message_consumed()
    assert len(bounded.feed_data(SMALL)[0]) == 1, "and one more is still to come"


async def test_nothing_is_parsed_after_a_refusal():
    bounded = BoundedParser(fresh_parser())
    with pytest.raises(HttpProcessingError):
        bounded.feed_data(b"GET /" + b"a" * REQUEST_HEADER_BYTES_MAX)
    assert bounded.feed_data(b"\r\n\r\n" + SMALL) == ([], False, b"")
    assert bounded.awaited is None


def fresh_parser():
    protocol = BaseProtocol(asyncio.get_running_loop())
    return HttpRequestParser(protocol, asyncio.get_running_loop(), 2**16)
