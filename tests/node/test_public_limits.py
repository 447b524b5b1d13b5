"""Limits of the public side on both of their sides, and good requests with something changed."""

import asyncio
import random
from dataclasses import replace

import pytest

from ledger.canonical import encode
from ledger.limits import COMMIT_WAIT_TIMEOUT_MS
from node import events, http_public
from node.events import Events
from node.public_entries import EntryRoutes
from node.public_errors import UnavailableError
from node.routes import ROUTES, Call
from registry.drafts import print_draft
from registry.state_key_names import office_key
from tests.node.drafted import Bureau, identity_act
from tests.node.public_town import served, submission
from tests.node.test_custodian import connect_tags
from tests.node.test_http_public import person
from tests.registry.town import key, office

pytestmark = pytest.mark.asyncio
CHANGES = 30


def routes_of(api, **given):
    side = api.side
    return EntryRoutes(api.node.application, side.admission, side.queue, side.access, **given)


async def test_who_waits_in_vain_is_told_that_the_entry_is_pending_and_no_longer_waited_for(
    tmp_path,
):
    async with served(tmp_path) as api:
        body = submission(person(api.town), bodies=api.town.bodies)
        routes = routes_of(api, wait_ms_max=1)
        reply = await routes.submit(Call(query={"wait": "commit"}, body=body))
        assert (reply.status, b'"pending"' in reply.body) == (202, True)
        assert len(api.side.admission.waiting) == 0
        assert len(api.node.pool) == 1


async def test_nobody_waits_longer_than_thirty_seconds(tmp_path):
    async with served(tmp_path) as api:
        assert routes_of(api).wait_ms_max == COMMIT_WAIT_TIMEOUT_MS == 30_000


async def test_one_connection_over_the_limit_is_dropped_and_the_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(http_public, "CONNECTIONS_MAX", 3)
    async with served(tmp_path) as api:
        port = api.ports["public"]
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for reader, writer in opened:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        reader, over = await asyncio.open_connection("127.0.0.1", port)
        over.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        over.close()
        opened[0][1].close()
        await opened[0][1].wait_closed()
        while len(api.side.public._server.connections) > 2:
            await asyncio.sleep(0)
        assert (await api.get("/healthz")).status == 200
        for _reader, writer in opened:
            writer.close()


async def test_one_listener_of_events_over_the_limit_is_told_to_come_back(tmp_path, monkeypatch):
    monkeypatch.setattr(events, "LISTENERS_MAX", 2)
    async with served(tmp_path) as api:
        stream = Events(api.node.storage.store)
        listening = [stream.follow(1) for _ in range(2)]
        for one in listening:
            await anext(one)
        with pytest.raises(UnavailableError):
            stream.follow(1)
        await listening[0].aclose()  # type: ignore[attr-defined]
        stream.follow(1)
        await listening[1].aclose()  # type: ignore[attr-defined]


async def good_requests(api):
    """A request that is right for each route that takes a body, by path."""
    connect_tags(api)
    bureau = Bureau(api, "police")
    sealed = bureau.seal(identity_act(api))
    draft = await bureau.draft(sealed)
    await api.post("/v1/drafts", print_draft(replace(draft, signatures={})), bureau.auth)
    key_id, signature = next(iter(draft.signatures.items()))
    return {
        "/v1/entries": submission(person(api.town), bodies=api.town.bodies),
        "/v1/state": encode((1, (office_key(office()),))),
        "/v1/drafts": print_draft(draft),
        f"/v1/drafts/{draft.entry.entry_digest.hex()}/signatures": encode((key_id, signature)),
        "/v1/custodian/prepare": bureau.request(sealed),
        "/v1/custodian/sign": print_draft(draft),
    }


def changed(body, dice):
    """The bytes with a bit, a byte or a piece changed, cut out, doubled or cut off."""
    at = dice.randrange(len(body))
    end = min(len(body), at + dice.choice((1, 2, 16, 200)))
    return dice.choice(
        (
            body[:at] + bytes([body[at] ^ (1 << dice.randrange(8))]) + body[at + 1 :],
            body[:at] + dice.randbytes(end - at) + body[end:],
            body[:at] + body[end:],
            body[:end] + body[at:],
            body[:at],
        )
    )


async def test_good_requests_with_something_changed_are_refused_in_words(tmp_path):
    """Signed anew, so that the change reaches the handler of each route."""
    dice = random.Random(7)
    async with served(tmp_path) as api:
        asker = key("police", "register", "auth")
        requests = await good_requests(api)
        assert len(requests) == sum(route.method == "POST" for route in ROUTES)
        for path, body in requests.items():
            for _change in range(CHANGES):
                given = changed(body, dice)
                answer = await api.post(path, given, asker)
                assert answer.status < 500 or answer.code == "node.tag_service", (path, given)
                if answer.status >= 400:
                    assert answer.code != "node.internal", (path, given)
                    assert len(answer.body) < 2_000
                elif path == "/v1/entries":
                    assert given == body
        assert len(api.node.pool) == 0
        assert api.node.application.tip_height == 0
        for path, body in requests.items():
            assert (await api.post(path, body, asker)).status in {200, 202}, path
