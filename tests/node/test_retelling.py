"""Entries are told again until a block holds them, whoever was away and whoever is gone."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.hashing import Digest, sha256
from ledger.canonical import encode
from ledger.errors import InvalidDataError, PurgedError
from node import retelling as module
from node.app import Options, open_node
from node.application import Application
from node.clock import SystemClock
from node.gossip import ENTRIES_PATH, parse_parcel
from node.mempool import Mempool
from node.public_side import open_public_side
from node.retelling import OFFER_AFTER_MS, OFFERS_PATH, Retelling, parse_digests
from tests.node.invented_ports import InventedNetwork, InventedTimers
from tests.node.invented_world import AGENCIES
from tests.node.public_town import HandClock, submission
from tests.node.town_chain import make_application, make_town, make_town_homes, pooled

OTHER, THIRD = AGENCIES[1], AGENCIES[2]
PATIENCE_S = 90


@dataclass
class Teller:
    """One node's offers on an invented network, with real entries of the town in its pool."""

    entries: list[Any]
    network: InventedNetwork
    application: Application
    timers: InventedTimers = field(default_factory=InventedTimers)
    clock: HandClock = field(default_factory=HandClock)
    pool: Mempool = field(default_factory=Mempool)
    bodies: dict[Digest, bytes] = field(default_factory=dict)

    def __post_init__(self):
        self.retelling = Retelling(
            self.network, self.timers, self.clock, self.pool, self.bodies.get
        )

    def paths(self):
        return [path for _peer, path in self.network.asked]


@pytest.fixture(name="teller")
def _teller(tmp_path):
    town = make_town()
    for number in range(3):
        town.create_identity(born=f"199{number}-01-01")
    application = make_application(tmp_path, town)
    entries = [block[2][0] for block in town.blocks]
    teller = Teller(entries, InventedNetwork([OTHER]), application, bodies=dict(town.bodies))
    for entry in entries:
        teller.pool.add(pooled(application, entry.raw))
    yield teller
    application.close()


def digests(teller):
    return [entry.entry_digest for entry in teller.entries]


def test_what_waits_is_offered_and_what_is_lacking_is_sent_in_order(teller):
    lacking = digests(teller)[1:]
    teller.network.served[OTHER, OFFERS_PATH] = encode(tuple(lacking))
    sent: list[bytes] = []

    def take(parcel):
        sent.append(parcel)
        return b""

    teller.network.served[OTHER, ENTRIES_PATH] = take
    teller.retelling.start()
    teller.network.answer_all()
    assert [one.entry_raw for raw in sent for one in parse_parcel(raw)] == [
        entry.raw for entry in teller.entries[1:]
    ]


def test_a_peer_that_lacks_nothing_is_sent_nothing_and_one_page_at_a_time(teller):
    teller.network.served[OTHER, OFFERS_PATH] = encode(())
    teller.retelling.start()
    teller.network.answer_all()
    assert teller.paths() == [OFFERS_PATH]
    teller.timers.fire_all()
    teller.timers.fire_all()
    assert teller.paths() == [OFFERS_PATH, OFFERS_PATH]


def test_a_peer_that_lacks_something_gets_all_pages_at_once(teller, monkeypatch):
    monkeypatch.setattr(module, "PAGE_ENTRIES", 1)
    offered: list[bytes] = []

    def lack_all(question):
        offered.extend(parse_digests(question, 1))
        return question

    teller.network.served[OTHER, OFFERS_PATH] = lack_all
    teller.network.served[OTHER, ENTRIES_PATH] = b""
    teller.retelling.start()
    for _page in teller.entries:
        teller.network.answer_all()
        for timer in [one for one in teller.timers.pending if one[0] == 0]:
            teller.timers.pending.remove(timer)
            timer[1]()
    assert offered == digests(teller)


def test_a_peer_that_was_away_is_told_everything_from_the_beginning(teller, monkeypatch):
    monkeypatch.setattr(module, "PAGE_ENTRIES", 1)
    teller.network.served[OTHER, OFFERS_PATH] = encode(())
    offered: list[bytes] = []
    for _second in range(2):
        teller.retelling.start()
        teller.network.answer_all()
    del teller.network.served[OTHER, OFFERS_PATH]
    teller.retelling.start()
    teller.network.answer_all()

    def lack_nothing(question):
        offered.append(question)
        return encode(())

    teller.network.served[OTHER, OFFERS_PATH] = lack_nothing
    teller.retelling.start()
    teller.network.answer_all()
    assert offered == [encode((digests(teller)[0],))]


def test_an_entry_that_came_just_now_is_not_offered_yet(teller):
    teller.clock.now = 0
    teller.pool = Mempool()
    for entry in teller.entries[:1]:
        teller.pool.add(pooled(teller.application, entry.raw))
    fresh = Retelling(teller.network, teller.timers, teller.clock, teller.pool, teller.bodies.get)
    fresh.start()
    assert teller.paths() == []
    teller.clock.now = OFFER_AFTER_MS
    fresh.start()
    assert teller.paths() == [OFFERS_PATH]


def test_a_peer_that_still_reads_gossip_is_offered_nothing(teller):
    teller.retelling.is_reading = lambda peer: peer == OTHER
    teller.retelling.start()
    assert teller.paths() == []


def test_a_busy_node_asks_for_nothing(teller):
    teller.retelling.is_busy = lambda: True
    assert teller.retelling.answer(OTHER, encode((bytes(32),))) == encode(())


def test_a_digest_is_asked_of_one_peer_at_a_time(teller):
    unknown = bytes(32)
    question = encode((*digests(teller), unknown))
    assert teller.retelling.answer(OTHER, question) == encode((unknown,))
    assert teller.retelling.answer(THIRD, question) == encode(())
    teller.clock.monotonic += module.ASK_AGAIN_MS
    assert teller.retelling.answer(THIRD, question) == encode((unknown,))


def test_what_was_asked_for_is_remembered_within_bounds(teller, monkeypatch):
    monkeypatch.setattr(module, "ASKED_MAX", 4)
    for number in range(20):
        teller.retelling.answer(OTHER, encode((sha256(b"%d" % number),)))
    assert len(teller.retelling._asked) == 4


def test_an_answer_that_is_none_is_held_against_the_peer(teller):
    teller.network.served[OTHER, OFFERS_PATH] = b"\xc1"
    teller.retelling.start()
    teller.network.answer_all()
    assert [peer for peer, _code in teller.network.blamed] == [OTHER]


def test_what_was_not_offered_is_not_sent(teller):
    teller.network.served[OTHER, OFFERS_PATH] = encode((bytes(32),))
    teller.network.served[OTHER, ENTRIES_PATH] = b""
    teller.retelling.start()
    teller.network.answer_all()
    assert ENTRIES_PATH not in teller.paths()


def test_an_entry_whose_body_was_purged_is_not_sent(teller):
    def purged(_digest):
        raise PurgedError("gone")

    entry = teller.entries[0]
    holder = pooled(teller.application, entry.raw)
    digest = entry.records[0].seal.body_digest
    object.__setattr__(holder, "body_digests", (digest,))
    teller.retelling._body = purged
    assert teller.retelling._packed(holder) is None
    teller.retelling._body = lambda _digest: None
    assert teller.retelling._packed(holder) is None
    teller.retelling._body = lambda _digest: b"body"
    assert teller.retelling._packed(holder).bodies == (b"body",)


@given(st.binary(max_size=300))
def test_no_bytes_offered_raise_anything_else(raw):
    try:
        found = parse_digests(raw, 1)
    except InvalidDataError:
        return
    assert encode(found) == raw


class Whole:
    """A whole node with its public side, in this process."""

    def __init__(self, home):
        self.home = home
        self.node = open_node(home, Options())
        self.ended = asyncio.ensure_future(self.node.run(open_public_side))

    async def url(self):
        while True:
            try:
                ports = json.loads((self.home / "run" / "ports.json").read_text())
            except (OSError, ValueError):
                await asyncio.sleep(0.01)
            else:
                return f"http://127.0.0.1:{ports['public']}"

    async def until(self, done):
        while not done(self.node):
            assert not self.ended.done(), self.ended
            await asyncio.sleep(0.02)

    async def stop(self):
        self.node.request_stop()
        await self.ended


@pytest.mark.asyncio
async def test_an_entry_outlives_the_only_node_that_it_was_submitted_to(tmp_path):
    """A has it while all are down; B starts, A dies; C and D start: B's telling reaches them."""
    town = make_town(SystemClock().now_ms() - 60_000)
    town.create_identity()
    entry = town.blocks[0][2][0]
    digest = entry.entry_digest
    homes = make_town_homes(tmp_path, town)
    nodes = [Whole(homes[0])]
    async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as session:
        try:
            async with session.post(
                f"{await nodes[0].url()}/v1/entries",
                data=submission(entry, bodies=town.bodies),
                headers={"Content-Type": "application/msgpack"},
            ) as answer:
                assert answer.status == 202, await answer.text()
            nodes.append(Whole(homes[1]))
            await nodes[1].until(lambda node: digest in node.pool)
            await nodes.pop(0).stop()
            nodes += [Whole(home) for home in homes[2:]]
            for one in nodes:
                await one.until(lambda node: node.application.store.locate(digest) is not None)
                await one.until(lambda node: not node.world.bodies.missing)
                vault = one.node.storage.vault
                assert {name: vault.body(name) for name in town.bodies} == town.bodies
        finally:
            await asyncio.gather(*[one.stop() for one in nodes])
