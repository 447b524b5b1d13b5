"""The public API over real sockets: what it answers, to whom, and how it refuses."""

import asyncio
import contextlib
import json
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.canonical import Value, encode
from ledger.entries import Head, parse_part
from ledger.ids import RecordId
from ledger.limits import REQUEST_BODY_BYTES_MAX, REQUEST_READ_TIMEOUT_MS
from ledger.parts import ObjectPart
from ledger.receipts import check_receipt, parse_receipt
from ledger.state_keys import key_bytes, key_bytes_hash, stored_value_hash
from ledger.state_tree import StateProof, check_absence, check_presence
from ledger.trust import parse_trust
from node.http_public import HttpListener
from node.routes import ROUTES, Rights
from registry.state_key_names import office_key, record_key
from tests.node.public_town import plain, served, submission
from tests.registry.town import by, key, office, two_officers

pytestmark = pytest.mark.asyncio
OFFICER = key("justice", "register", "auth")
PUBLIC = [route for route in ROUTES if not route.private]
SAMPLE = {
    "digest": "ab" * 32, "id": "cd" * 16, "height": "1", "kind": "office", "office": "cd" * 16,
    "series": "birth", "number": "1", "year": "2026",
}  # fmt: skip


def path_of(route):
    return re.sub(r"\{(\w+)\}", lambda found: SAMPLE[found[1]], route.path)


def person(town):
    hands = two_officers()
    act = town.new_act()
    identity = town.created_id(hands, act)
    part = town.part("identity", identity, member={"birth_date": "1990-05-05"})
    return town.entry("identity/create", hands, [part], act=act)


def adult(town, name):
    """The identity of an adult with a key, and the two entries that made it."""
    before = len(town.blocks)
    identity = town.adult(name)
    return identity, [block[2][0] for block in town.blocks[before:]]


async def put(api, *entries):
    """Submit entries and commit them by hand."""
    answer = await api.post("/v1/entries", submission(*entries, bodies=api.town.bodies))
    assert answer.status in {200, 202}, answer.body
    committed = api.commit()
    assert len(committed.outcomes) == len(entries)
    return answer


async def wait_for_pool(api, count, asking):
    """Return when so many entries wait, or the request was answered."""
    async with asyncio.timeout(20):
        while len(api.node.pool) < count and not asking.done():
            await asyncio.sleep(0)
    assert not asking.done(), asking.result()


# --- submitting ---


async def test_an_entry_is_pending_then_committed_then_a_replay(tmp_path):
    async with served(tmp_path) as api:
        entry = person(api.town)
        body = submission(entry, bodies=api.town.bodies)
        name = entry.entry_digest.hex()
        for _ in range(2):
            answer = await api.post("/v1/entries", body)
            assert (answer.status, answer.json) == (
                202,
                {"results": [{"entry": name, "status": "pending"}]},
            )
        assert (await api.get(f"/v1/entries/{name}")).json["status"] == "pending"
        api.commit()
        answer = await api.post("/v1/entries", body)
        assert (answer.status, answer.code) == (409, "registry.replayed")
        assert (answer.json["height"], answer.json["index"]) == (1, 0)
        status = (await api.get(f"/v1/entries/{name}")).json
        assert (status["status"], status["height"], status["index"]) == ("committed", 1, 0)


async def test_who_waits_for_the_commit_gets_height_index_and_number(tmp_path):
    async with served(tmp_path) as api:
        mother, entries = adult(api.town, "an")
        await put(api, *entries)
        entry = api.town.birth(mother=mother)
        body = submission(entry, bodies=api.town.bodies)
        asking = asyncio.ensure_future(api.post("/v1/entries?wait=commit", body))
        await wait_for_pool(api, 1, asking)
        api.commit()
        answer = await asking
        (result,) = answer.json["results"]
        assert (answer.status, result["status"], result["height"]) == (200, "committed", 2)
        assert result["registration_no"]


async def test_of_many_entries_each_gets_its_own_answer(tmp_path):
    async with served(tmp_path) as api:
        good, other = person(api.town), person(api.town)
        body = submission(good, other, bodies=api.town.bodies)
        pairs = plain(body)[1]
        broken = (pairs[1][0][:-1] + b"\x00", pairs[1][1])
        answer = await api.post("/v1/entries", encode((1, (pairs[0], broken, (b"\x90", ())))))
        assert answer.status == 200
        statuses = [result["status"] for result in answer.json["results"]]
        assert statuses == ["pending", "refused", "refused"]
        assert all(result["code"] for result in answer.json["results"][1:])


@pytest.mark.parametrize(
    ("status", "code", "make"),
    [
        (403, "registry.bad_signature", "signature"),
        (422, "registry.wrong_network", "network"),
        (404, "node.not_found", "body"),
        (400, "node.body_mismatch", "strange"),
        (400, "ledger.not_canonical", "bytes"),
        (409, "registry.stale_version", "stale"),
    ],
)
async def test_one_refused_entry_is_a_problem_document(tmp_path, status, code, make):
    async with served(tmp_path) as api:
        answer = await api.post("/v1/entries", refused_body(api.town, make))
        assert (answer.status, answer.code) == (status, code)
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert {"type", "title", "status", "detail", "code"} <= set(answer.json)


def refused_body(town, make):
    if make == "stale":
        identity, entries = adult(town, "an")
        later = town.entry("identity/create", two_officers(), [town.part("identity", identity)])
        return submission(later, bodies=town.bodies) if entries else b""
    if make == "network":
        hands = two_officers()
        act = town.new_act()
        part = town.part("identity", town.created_id(hands, act), member={})
        entry = town.entry("identity/create", hands, [part], act=act, network_id=bytes(32))
        return submission(entry, bodies=town.bodies)
    entry = person(town)
    if make == "body":
        return submission(entry)
    if make == "strange":
        return encode((1, ((entry.raw, (b"strange",)),)))
    if make == "bytes":
        return encode((1, ((entry.raw + b"\x00", ()),)))
    slots = tuple(bytes([one[0] ^ 1]) + one[1:] for one in entry.slots)
    raw = encode((tuple(tuple(part) for part in entry.parts), slots))
    bodies = tuple(town.bodies[record.seal.body_digest] for record in entry.records)
    return encode((1, ((raw, bodies),)))


# --- reading ---


async def test_a_receipt_hides_the_parts_from_strangers_and_both_forms_verify(tmp_path):
    async with served(tmp_path) as api:
        entry = person(api.town)
        await put(api, entry)
        path = f"/v1/entries/{entry.entry_digest.hex()}/receipt"
        trust = parse_trust((await api.get("/v1/trust-bundle")).body)
        hidden = parse_receipt((await api.get(path)).body)
        shown = parse_receipt((await api.get(path, signer=OFFICER)).body)
        assert (hidden.parts, len(shown.parts)) == ((), len(entry.parts))
        assert isinstance(parse_part(shown.parts[0].raw), Head)
        for receipt in (hidden, shown):
            checked = check_receipt(receipt, trust, trust.newest_time_ms)
            assert checked.entry_digest == entry.entry_digest


async def test_a_record_is_shown_to_members_and_its_owner_and_unknown_to_others(tmp_path):
    async with served(tmp_path) as api:
        identity, entries = adult(api.town, "an")
        await put(api, *entries)
        path = f"/v1/records/{identity.hex()}"
        assert (await api.get(path)).status == 404
        row = (await api.get(path, signer=OFFICER)).json
        assert (row["type"], row["version"], row["status"]) == ("identity", 2, "active")
        history = (await api.get(path + "/history", signer=OFFICER)).json["history"]
        assert [act["kind"] for act in history] == ["identity/create", "identity/enrol_key"]
        assert (await api.get(path + "/history")).status == 404
        assert (await api.get(path + "/body")).code == "node.unauthenticated"
        for part in ("/body", "/keys"):
            assert (await api.get(path + part, signer=OFFICER)).code == "node.access_unlogged"


async def test_what_a_stolen_key_has_signed_is_shown_as_under_review(tmp_path):
    async with served(tmp_path) as api:
        identity, entries = adult(api.town, "an")
        await put(api, *entries)
        path = f"/v1/records/{identity.hex()}"
        for since_ms, expected in ((None, False), (0, True)):
            if since_ms is not None:
                fields: dict[str, Value] = {
                    "key_id": key("justice", "approve").public.key_id,
                    "compromised_since_ms": since_ms,
                }
                govern = [by("agency", "justice", "govern", number) for number in range(2)]
                made = [ObjectPart("key_end", fields)]
                entry = api.town.entry("officer/revoke_key", govern, objects=made, office=None)
                await put(api, entry)
            assert (await api.get(path, signer=OFFICER)).json["under_review"] is expected
            history = (await api.get(path + "/history", signer=OFFICER)).json["history"]
            assert [act["under_review"] for act in history] == [expected, expected]


async def test_the_state_of_a_record_is_proved_under_a_certified_header(tmp_path):
    async with served(tmp_path) as api:
        entry = person(api.town)
        await put(api, entry)
        record = entry.records[0].record_id
        path = f"/v1/records/{record.hex()}/proof"
        assert (await api.get(path)).code == "node.not_found", "strangers learn of no record"
        answer = await api.get(path, signer=OFFICER)
        _version, _word, state_key, stored, proof, *_certified = plain(answer.body)
        root = api.node.application.store.header(1).state_root
        assert state_key == record_key(record)
        place = key_bytes_hash(key_bytes(state_key))
        check_presence(root, place, stored_value_hash(stored), StateProof.from_value(proof))
        absent = await api.get("/v1/certificates/" + "00" * 16 + "/proof")
        _version, _word, state_key, stored, proof, *_certified = plain(absent.body)
        assert stored is None
        place = key_bytes_hash(key_bytes(state_key))
        check_absence(root, place, StateProof.from_value(proof))


async def test_members_read_every_row_and_persons_what_concerns_them(tmp_path):
    async with served(tmp_path) as api:
        town = api.town
        identity, entries = adult(town, "an")
        await put(api, *entries)
        keys = (office_key(office()), record_key(identity), record_key(RecordId(bytes(16))))
        body = encode((1, keys))
        assert (await api.post("/v1/state", body)).code == "node.unauthenticated"
        answer = await api.post("/v1/state", body, OFFICER)
        version, height, stored = plain(answer.body)
        assert (version, height, stored[2]) == (1, 1, None)
        assert stored[1] == api.node.application.store.state(key_bytes(keys[1]))
        rows = (await api.get("/v1/state/office", signer=OFFICER)).json["rows"]
        assert len(rows) == 4
        assert (await api.get("/v1/state/record", signer=OFFICER)).status == 404


async def test_headers_and_blocks(tmp_path):
    async with served(tmp_path) as api:
        await put(api, person(api.town))
        api.commit()
        store = api.node.application.store
        pairs = plain((await api.get("/v1/headers?from=1&limit=2")).body)
        assert [pair[0] for pair in pairs] == [store.header(1).raw, store.header(2).raw]
        assert (await api.get("/v1/blocks/1")).code == "node.unauthenticated"
        raw, certificate = plain((await api.get("/v1/blocks/1", signer=OFFICER)).body)
        assert (raw, certificate) == (store.block_raw(1), store.quorum_certificate_raw(1))
        assert (await api.get("/v1/blocks/9", signer=OFFICER)).status == 404


async def test_a_signed_request_is_taken_once(tmp_path):
    async with served(tmp_path) as api:
        await put(api, person(api.town))
        headers = api.signed("GET", "/v1/blocks/1", b"", OFFICER)
        assert (await api.ask("GET", "/v1/blocks/1", headers=headers)).status == 200
        again = await api.ask("GET", "/v1/blocks/1", headers=headers)
        assert (again.status, again.code) == (401, "node.replayed_request")


async def test_events_are_resumed_from_a_height_and_go_on(tmp_path):
    async with served(tmp_path) as api:
        entry = person(api.town)
        await put(api, entry)
        async with api.session.get(api.url("/v1/events?from=1")) as stream:
            assert stream.headers["Content-Type"].startswith("text/event-stream")
            first = await next_event(stream.content)
            assert (first["height"], first["entries"]) == (1, [entry.entry_digest.hex()])
            api.commit()
            assert (await next_event(stream.content))["height"] == 2


async def next_event(content):
    async with asyncio.timeout(20):
        while True:
            line = await content.readline()
            if line.startswith(b"data: "):
                return json.loads(line[6:])


# --- the table ---


async def test_every_route_has_one_handler_and_stands_in_the_description():
    names = [(route.method, route.path, route.private) for route in ROUTES]
    assert len(set(names)) == len(names)
    for route in ROUTES:
        assert bool(route.takes) == bool(route.body_bytes_max)
        assert not route.cors or route.method == "GET"
        assert route.body_bytes_max <= REQUEST_BODY_BYTES_MAX
        assert route.read_timeout_ms <= REQUEST_READ_TIMEOUT_MS


async def test_the_description_lists_every_public_address(tmp_path):
    async with served(tmp_path) as api:
        paths = (await api.get("/openapi.json")).json["paths"]
        assert {(path, method) for path, methods in paths.items() for method in methods} == {
            (route.path, route.method.lower()) for route in PUBLIC
        }


async def test_no_route_lets_in_who_must_sign_and_does_not(tmp_path):
    async with served(tmp_path) as api:
        for route in PUBLIC:
            if route.rights is not Rights.ANYONE:
                headers = {"Content-Type": route.takes} if route.takes else {}
                body = b"\x90" if route.takes else b""
                answer = await api.ask(route.method, path_of(route), body, headers=headers)
                assert (answer.status, answer.code) == (401, "node.unauthenticated"), route


async def test_private_addresses_are_not_on_the_public_port(tmp_path):
    async with served(tmp_path) as api:
        assert (await api.get("/metrics")).code == "node.not_found"
        assert (await api.get("/status")).code == "node.not_found"
        private = await api.ask("GET", "/metrics", port="private")
        assert b"civreg_height 0" in private.body
        assert (await api.ask("GET", "/status", port="private")).json["findings"] is not None
        assert (await api.ask("GET", "/v1/status", port="private")).status == 404


async def test_reads_are_shared_with_other_origins_and_writes_are_not(tmp_path):
    async with served(tmp_path) as api:
        assert (await api.get("/v1/status")).headers["Access-Control-Allow-Origin"] == "*"
        assert (await api.ask("OPTIONS", "/v1/status")).status == 204
        for path in ("/v1/entries", "/v1/drafts", "/v1/state"):
            assert (await api.ask("OPTIONS", path)).status == 405
        refused = await api.post("/v1/entries", b"\x90")
        assert "Access-Control-Allow-Origin" not in refused.headers
        assert refused.headers["X-Content-Type-Options"] == "nosniff"


# --- bad input ---


async def test_a_body_up_to_its_limit_is_read_and_a_byte_more_is_refused(tmp_path):
    async with served(tmp_path) as api:
        fits = await api.post("/v1/entries", bytes(REQUEST_BODY_BYTES_MAX))
        assert (fits.status, fits.code) == (400, "ledger.not_canonical")
        over = await api.post("/v1/entries", bytes(REQUEST_BODY_BYTES_MAX + 1))
        assert (over.status, over.code) == (413, "node.body_too_large")
        assert over.json["maximum"] == REQUEST_BODY_BYTES_MAX


async def test_a_body_that_does_not_say_its_length_is_bounded_too(tmp_path):
    async with served(tmp_path) as api:

        async def endless():
            for _ in range(64):
                yield bytes(64 * 1024)

        async with api.session.post(
            api.url("/v1/entries"),
            data=endless(),
            headers={"Content-Type": "application/msgpack"},
        ) as answer:
            assert (answer.status, (await answer.json(content_type=None))["code"]) == (
                413,
                "node.body_too_large",
            )


async def test_other_media_types_methods_and_parameters_are_refused(tmp_path):
    async with served(tmp_path) as api:
        wrong = await api.post("/v1/entries", b"{}", media="application/json")
        assert (wrong.status, wrong.code) == (415, "node.media_type")
        assert (await api.ask("PUT", "/v1/entries")).code == "node.wrong_method"
        assert (await api.get("/v1/status?x=1")).code == "node.malformed_request"
        assert (await api.get("/v1/headers?from=1&from=2")).code == "node.malformed_request"
        assert (await api.get("/v1/headers?limit=65")).code == "node.malformed_request"
        assert (await api.get("/v1/entries/zz")).code == "node.malformed_request"
        assert (await api.get("/v1/records/zz")).code == "node.malformed_request"
        late = await api.post("/v1/entries?wait=never", b"\x92\x01\x90")
        assert late.code == "node.malformed_request"


async def test_a_body_that_comes_too_slowly_is_cut_off(tmp_path):
    async with served(tmp_path) as api:
        hasty = [replace(route, read_timeout_ms=1) for route in ROUTES]
        listener = HttpListener(
            api.side.public._handlers,
            api.side.public._doorkeeper,
            api.side.access,
            api.side._listener_ports(),
            routes=hasty,
        )
        port = await listener.start("127.0.0.1", 0)
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                b"POST /v1/entries HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n"
                b"Content-Type: application/msgpack\r\n\r\n\x90"
            )
            answer = await asyncio.wait_for(reader.read(), 20)
            assert answer.startswith(b"HTTP/1.1 408")
            assert b"node.too_slow" in answer
            writer.close()
        finally:
            await listener.stop()


async def test_a_connection_that_sends_no_request_is_closed_in_time(tmp_path):
    async with served(tmp_path) as api:
        listener = api.side.public
        reader, writer = await asyncio.open_connection("127.0.0.1", api.ports["public"])
        writer.write(b"GET /v1/status HT")
        while not listener._runner.server.connections:
            await asyncio.sleep(0)
        listener.close_idle(0)
        listener.close_idle(REQUEST_READ_TIMEOUT_MS - 1)
        assert not reader.at_eof()
        listener.close_idle(REQUEST_READ_TIMEOUT_MS)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 20) == b""
        assert reader.at_eof() or reader.exception() is not None
        writer.close()


async def test_random_bytes_at_every_route_are_problem_documents(tmp_path):
    """Signed, so that they reach the handlers."""
    async with served(tmp_path) as api:
        await put(api, person(api.town))
        noise = st.binary(max_size=200)

        async def throw(route, body):
            headers = {"Content-Type": route.takes}
            path = path_of(route)
            answer = await api.ask("POST", path, body, signer=OFFICER, headers=headers)
            if answer.status >= 400:
                assert answer.code != "node.internal", (route, body)
                assert b"Traceback" not in answer.body
                assert len(answer.body) < 2_000
            return answer

        loop = asyncio.get_running_loop()
        for route in PUBLIC:
            if not route.takes:
                continue
            found = await asyncio.to_thread(examples, noise)
            for body in [b"", b"\x90", b"\xc1", *found]:
                await throw(route, body)
        assert loop.is_running()


def examples(strategy):
    """A few values of a strategy."""
    found = []

    @settings(max_examples=12, database=None)
    @given(strategy)
    def collect(value):
        found.append(value)

    collect()
    return found


async def test_strange_paths_are_problem_documents(tmp_path):
    async with served(tmp_path) as api:
        for path in ("/", "/v1", "/v1/entries/", "/v1/..%2f", "/%00", "/v1/records/" + "é" * 10):
            answer = await api.get(path)
            assert answer.status in {400, 404}, path
            assert answer.code in {"node.not_found", "node.malformed_request"}


async def test_too_many_requests_are_told_when_to_come_back(tmp_path):
    async with served(tmp_path) as api:
        api.side.public._limits._burst = 1
        api.side.public._limits._rate = 1
        answers = [await api.get("/v1/status") for _ in range(3)]
        assert answers[-1].code == "node.too_many_requests"
        assert int(answers[-1].headers["Retry-After"]) >= 1
