"""Real processes: one is killed and catches up, one is wiped and joins from a snapshot."""

import asyncio
import shutil
import signal

import pytest

from ledger.errors import HistoryMissingError
from ledger.store import ChainStore
from node.config import load_config
from node.errors import SnapshotTooOldError, SnapshotUnavailableError
from node.logs import SilentLog
from node.snapshot_join import check_not_older, restore_from_peers
from tests.node.homes import make_homes
from tests.node.processes import Process, check_one_chain

pytestmark = pytest.mark.asyncio
PATIENCE_S = 480
EVERY = 40
"""Blocks between two snapshots."""
AWAY = 200
"""Blocks that are made while a node is away."""


class Telling(Process):
    """A process of which all events of the log are kept."""

    def __init__(self, home):
        super().__init__(home)
        self.events: list[str] = []

    def take(self, line):
        super().take(line)
        self.events.append(line.decode().partition('"event": "')[2].partition('"')[0])

    async def until(self, event):
        while event not in self.events:
            line = await self.line()
            assert line, "the node ended"
            self.take(line)


async def started(home):
    return await Telling(home).start()


async def reach(nodes, height):
    await asyncio.gather(*[one.reach(height) for one in nodes])


def set_snapshots(home, every):
    path = home / "config.toml"
    text = path.read_text()
    assert "snapshot_blocks = 10000" in text
    path.write_text(text.replace("snapshot_blocks = 10000", f"snapshot_blocks = {every}"))


@pytest.mark.slow
async def test_a_killed_node_catches_up_and_a_wiped_one_joins_from_a_snapshot_and_both_vote(
    tmp_path,
):
    homes = make_homes(tmp_path).folders
    for home in homes:
        set_snapshots(home, EVERY)
    async with asyncio.timeout(PATIENCE_S):
        nodes = [await started(home) for home in homes]
        await reach(nodes, 5)
        killed = nodes.pop()
        await killed.stop(signal.SIGKILL)
        await reach(nodes, AWAY)
        again = await started(homes[3])
        await again.until("sync_done")
        await again.reach(AWAY)
        assert "voting_left" in again.events

        wiped = nodes.pop()  # without it the others need the votes of the one that came back
        await wiped.stop(signal.SIGKILL)
        signed = wiped.height
        others = [*nodes, again]
        await reach(others, max(one.height for one in others) + EVERY + 5)

        config = load_config(homes[2])
        for name in ("chain", "vault"):
            shutil.rmtree(config.data_folder / name)
        (config.data_folder / "wal").unlink()
        progress: list[int] = []
        manifest = await restore_from_peers(
            config, SilentLog(), lambda done, _all: progress.append(done)
        )
        assert manifest.content.height >= signed - 1
        assert manifest.content.height % EVERY == 0
        assert progress
        with pytest.raises(SnapshotTooOldError):
            check_not_older(config, 1)
        back = await started(homes[2])
        await back.reach(max(one.height for one in others) + 2)

        gone = others.pop(0)  # and now the wiped one's votes are needed
        await gone.stop(signal.SIGKILL)
        left = [*others, back]
        await reach(left, max(one.height for one in left) + 5)
        assert [await one.stop() for one in left] == [0, 0, 0]
    check_one_chain(*nodes, killed, again, wiped, gone, back)
    with ChainStore.open(config.data_folder) as store:
        assert store.began.first_height == manifest.content.first
        with pytest.raises(HistoryMissingError):
            store.block(manifest.content.first - 1)


@pytest.mark.slow
async def test_where_no_peer_has_a_snapshot_that_is_said(tmp_path):
    homes = make_homes(tmp_path).folders
    nodes = [await started(home) for home in homes[:3]]
    async with asyncio.timeout(PATIENCE_S):
        await reach(nodes, 2)
        config = load_config(homes[3])
        with pytest.raises(SnapshotUnavailableError):
            await restore_from_peers(config, SilentLog(), lambda _done, _all: None)
        assert not (config.data_folder / "chain").exists()
        assert [await one.stop() for one in nodes] == [0, 0, 0]
