"""A node that began with a snapshot: what it serves, says of what is older, and fetches."""

import pytest

from ledger.snapshot_files import restore_snapshot, write_snapshot
from ledger.store import ChainStore
from ledger.vault import Vault
from node.application import Application
from node.bodies import Bodies, answer_question
from node.body_backlog import FRESH_MAX, BodyBacklog, named_bodies
from node.entry_cache import EntryCache
from node.logs import SilentLog
from tests.node.grown_chain import grow_chain
from tests.node.invented_ports import InventedNetwork, InventedTimers
from tests.node.invented_world import AGENCIES
from tests.node.public_town import plain, served
from tests.node.town_chain import make_town
from tests.registry.town import key

HEIGHTS = 103
FIRST = 4
BIG_MS = 10**14
MEMBER = key("justice", "peer")


@pytest.fixture
def began(tmp_path):
    """A function that gives a home the state of a chain of 103 blocks, and remembers the chain."""
    kept = {}

    def prepare(home, town):
        source = grow_chain(tmp_path / "source", town, HEIGHTS, people=3, first_ms=town.time_ms)
        write_snapshot(source.store, tmp_path / "snapshot", BIG_MS)
        restore_snapshot(tmp_path / "snapshot", home / "data", town.genesis)
        kept["source"] = source

    yield prepare, kept
    kept["source"].close()


@pytest.mark.asyncio
async def test_what_is_older_is_refused_by_a_code_of_its_own_and_the_rest_is_served(
    began, tmp_path
):
    prepare, kept = began
    async with served(tmp_path / "town", prepare=prepare) as api:
        source = kept["source"]
        for path in (
            "/v1/blocks/1",
            f"/v1/blocks/{FIRST - 1}",
            "/v1/headers?from=1&limit=5",
            "/v1/events?from=1",
        ):
            answer = await api.get(path, signer=MEMBER)
            assert (answer.status, answer.code) == (404, "ledger.history_missing"), path
            assert answer.json["first_height"] == FIRST
        block = await api.get(f"/v1/blocks/{FIRST}", signer=MEMBER)
        assert block.status == 200
        assert plain(block.body)[0] == source.store.block_raw(FIRST)
        headers = await api.get(f"/v1/headers?from={FIRST}&limit=64")
        assert len(plain(headers.body)) == 64
        trust = await api.get("/v1/trust-bundle")
        assert trust.status == 200
        unknown = await api.get(f"/v1/entries/{bytes(32).hex()}")
        assert (unknown.status, unknown.code) == (404, "node.not_found")
        assert unknown.json["first_height"] == FIRST
        assert api.node.application.tip_height == HEIGHTS


@pytest.fixture
def restored(tmp_path):
    """An application that a snapshot began, and its town with all bodies."""
    town = make_town()
    source = grow_chain(tmp_path / "source", town, HEIGHTS, people=3)
    write_snapshot(source.store, tmp_path / "snapshot", BIG_MS)
    source.close()
    (tmp_path / "data").mkdir()
    restore_snapshot(tmp_path / "snapshot", tmp_path / "data", town.genesis)
    application = Application(ChainStore.open(tmp_path / "data"), EntryCache())
    yield town, application
    application.close()


def test_the_bodies_of_all_present_records_are_fetched_and_then_the_mark_moves(restored, tmp_path):
    town, application = restored
    wanted = set(named_bodies(application))
    assert 3 <= len(wanted) <= FRESH_MAX
    network, timers = InventedNetwork(AGENCIES[1:]), InventedTimers()
    vault = Vault.open(tmp_path / "vault")
    bodies = Bodies(vault, network, timers, SilentLog())
    backlog = BodyBacklog(vault.mark, application, bodies, timers, SilentLog())
    for peer in network.peers:
        network.served[peer, "/peer/v1/sealed"] = lambda raw: answer_question(raw, town.bodies.get)
    backlog.start()
    for _round in range(2 * HEIGHTS):
        network.answer_all()
        timers.fire_all()
    assert all(vault.body_size(digest) for digest in wanted)
    backlog.stop()
    assert vault.mark.height == HEIGHTS
    vault.close()


def test_a_backlog_that_is_stopped_in_the_middle_lets_go_of_the_store(restored, tmp_path):
    _town, application = restored
    timers = InventedTimers()
    vault = Vault.open(tmp_path / "vault")
    bodies = Bodies(vault, InventedNetwork(AGENCIES[1:]), timers, SilentLog())
    backlog = BodyBacklog(vault.mark, application, bodies, timers, SilentLog())
    backlog.start()
    backlog.stop()
    assert vault.mark.height == 0
    vault.close()
