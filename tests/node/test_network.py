"""Four whole nodes over real sockets with TLS and real disks: in one process, and in four."""

import asyncio
import contextlib
import json
import shutil
import signal

import pytest

from node.app import Options, open_node, run_node
from node.clock import SystemClock
from node.errors import ConfigError, GuardMissingError, WrongHomeError
from tests.node.homes import make_homes
from tests.node.processes import Process, check_one_chain
from tests.node.town_chain import make_town, make_town_homes, pooled

pytestmark = pytest.mark.asyncio
PATIENCE_S = 60


class Running:
    """A node that runs in this process."""

    def __init__(self, home, options=None):
        self.node = open_node(home, options or Options())
        self.block_ids = {}
        self._grown = asyncio.Event()
        self.node.application.on_committed.append(self._committed)
        self.ended = asyncio.ensure_future(self.node.run())
        self.ended.add_done_callback(lambda _ended: self._grown.set())

    def _committed(self, committed):
        self.block_ids[committed.height] = committed.block.header.digest
        self._grown.set()

    @property
    def height(self):
        return self.node.application.tip_height

    async def reach(self, height):
        while self.height < height:
            assert not self.ended.done(), self.ended
            self._grown.clear()
            await self._grown.wait()

    async def stop(self):
        self.node.request_stop()
        await self.ended


@contextlib.asynccontextmanager
async def running(folders):
    nodes = [Running(home) for home in folders]
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield nodes
    finally:
        for one in nodes:
            if not one.ended.done():
                await one.stop()


async def reach(nodes, height):
    await asyncio.gather(*[one.reach(height) for one in nodes])


def check_agreement(nodes):
    """Invariant: one block for each height, over all nodes."""
    found: dict[int, bytes] = {}
    for one in nodes:
        for height, block_id in one.block_ids.items():
            assert found.setdefault(height, block_id) == block_id


async def test_four_nodes_over_real_sockets_agree_on_blocks(tmp_path):
    async with running(make_homes(tmp_path).folders) as nodes:
        await reach(nodes, 3)
        check_agreement(nodes)
        assert {one.node.application.store.state_root for one in nodes} != set()


async def test_three_go_on_without_the_fourth_and_it_catches_up_and_votes(tmp_path):
    homes = make_homes(tmp_path)
    async with running(homes.folders) as nodes:
        await reach(nodes, 2)
        late = nodes.pop()
        await late.stop()
        left_at = late.height
        await reach(nodes, left_at + 6)
        nodes.append(Running(homes.folders[3]))
        await reach(nodes, left_at + 12)
        check_agreement([*nodes, late])


async def test_entries_of_one_pool_and_their_bodies_reach_every_node(tmp_path):
    """No gossip here: blocks are pulled from their proposer, and bodies before a prevote."""
    town = make_town(SystemClock().now_ms() - 60_000)
    entries = [entry for number in range(12) for entry in town_people(town, number)]
    async with running(make_town_homes(tmp_path, town)) as nodes:
        first = nodes[0].node
        for digest, body in town.bodies.items():
            first.storage.vault.put_bodies({digest: body})
        for entry in entries:
            first.pool.add(pooled(first.application, entry.raw))
        while any(one.node.application.store.tip.log.size < len(entries) for one in nodes):
            await reach(nodes, max(one.height for one in nodes) + 1)
        await reach(nodes, max(one.height for one in nodes) + 2)
        check_agreement(nodes)
        for one in nodes:
            vault = one.node.storage.vault
            assert {digest: vault.body(digest) for digest in town.bodies} == town.bodies
            heights = {one.node.application.store.locate(entry.entry_digest) for entry in entries}
            assert None not in heights


def town_people(town, number):
    before = len(town.blocks)
    town.adult(f"person {number}")
    return [entry for _height, _time_ms, entries in town.blocks[before:] for entry in entries]


async def test_a_network_of_one_starts_without_waiting_for_anybody(tmp_path):
    async with running(make_homes(tmp_path, count=1).folders) as nodes:
        await reach(nodes, 2)


async def test_all_nodes_restart_from_their_disks(tmp_path):
    homes = make_homes(tmp_path)
    async with running(homes.folders) as nodes:
        await reach(nodes, 2)
        before = nodes[0].block_ids
    async with running(homes.folders) as nodes:
        await reach(nodes, max(before) + 2)
        check_agreement(nodes)


async def test_a_key_without_its_guard_starts_only_when_told(tmp_path):
    home = make_homes(tmp_path, count=1).folders[0]
    (home / "data" / "guard").unlink()
    with pytest.raises(GuardMissingError):
        open_node(home, Options())
    alone = Running(home, Options(new_guard=True))
    await alone.reach(1)
    await alone.stop()


async def test_a_chain_of_another_network_is_refused(tmp_path):
    one, other = make_homes(tmp_path / "one", count=1), make_homes(tmp_path / "other", count=2)
    first = Running(one.folders[0])
    await first.reach(1)
    await first.stop()
    shutil.copy(other.folders[0] / "genesis.civreg", one.folders[0] / "genesis.civreg")
    with pytest.raises((WrongHomeError, ConfigError)):
        open_node(one.folders[0], Options())


async def test_everything_that_is_wrong_with_keys_is_named_at_once(tmp_path):
    home = make_homes(tmp_path, count=1).folders[0]
    (home / "keys" / "peer.pem").unlink()
    (home / "keys" / "seal.pem").chmod(0o644)
    with pytest.raises(ConfigError) as caught:
        open_node(home, Options())
    assert {problem.partition(":")[0] for problem in caught.value.problems} == {
        "keys/peer.pem",
        "keys/seal.pem",
    }


@pytest.mark.slow
async def test_four_processes_survive_a_sigkill_and_the_killed_one_catches_up(tmp_path):
    homes = make_homes(tmp_path)
    nodes = [await Process(home).start() for home in homes.folders]
    async with asyncio.timeout(PATIENCE_S):
        await reach(nodes, 3)
        killed = nodes.pop()
        assert await killed.stop(signal.SIGKILL) == -signal.SIGKILL
        await reach(nodes, max(killed.blocks) + 5)
        again = await Process(killed.home).start()
        await reach([*nodes, again], max(killed.blocks) + 12)
        assert [await one.stop() for one in (*nodes, again)] == [0, 0, 0, 0]
    check_one_chain(*nodes, again, killed)


@pytest.mark.slow
async def test_a_killed_node_that_comes_back_is_enough_where_another_one_is_down(tmp_path):
    """Three of four are a quorum only if the third votes at once: nobody else can go on."""
    homes = make_homes(tmp_path)
    nodes = [await Process(home).start() for home in homes.folders]
    async with asyncio.timeout(PATIENCE_S):
        await reach(nodes, 3)
        killed = nodes.pop()
        await killed.stop(signal.SIGKILL)
        await reach(nodes, max(killed.blocks) + 5)
        down = nodes.pop()
        await down.stop(signal.SIGKILL)
        again = await Process(killed.home).start()
        await reach([*nodes, again], max(down.blocks) + 4)
        assert [await one.stop() for one in (*nodes, again)] == [0, 0, 0]
    check_one_chain(*nodes, again, killed, down)


async def test_wrong_settings_and_damage_are_told_with_codes_of_their_own(tmp_path, capsys):
    home = make_homes(tmp_path, count=1).folders[0]
    alone = Running(home)
    await alone.reach(1)
    await alone.stop()
    wal = home / "data" / "wal"
    wal.write_bytes(b"not a log at all, but long enough to be read" + wal.read_bytes())
    assert getattr(await asyncio.to_thread(run_node, home), "code", "") == "ledger.corrupt_wal"
    (home / "config.toml").write_text("version = 2\nsurprise = 1\n")
    assert getattr(await asyncio.to_thread(run_node, home), "code", "") == "node.bad_config"
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    refused = [line["code"] for line in lines if line["event"] == "refused"]
    assert refused == ["ledger.corrupt_wal", "node.bad_config", "node.bad_config"]
