"""A restoring that is killed at any step leaves nothing, or all of it, and is begun again."""

import pytest

from ledger.snapshot_files import write_snapshot
from ledger.store import ChainStore
from ledger.store_check import check_store
from node.clock import SystemClock
from node.mempool import Mempool
from tests.crash.killed_program import Program, preload
from tests.crash.steps import Kind, of_kind
from tests.node.public_town import make_block
from tests.node.town_chain import make_application, make_town, make_town_homes

DAY_MS = 86_400_000
BLOCKS = 105
POINTS = [*[f"{name}:1" for name in of_kind(Kind.RESTORING)], "restore.finish.during:2"]


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    """A snapshot of a chain longer than what it keeps, its town, and the root of its state."""
    folder = tmp_path_factory.mktemp("taken")
    now_ms = SystemClock().now_ms()
    town = make_town(now_ms - 60_000)
    application, pool = make_application(folder / "store", town), Mempool()
    for number in range(BLOCKS):
        make_block(application, town, pool, now_ms - 50_000 + number)
    write_snapshot(application.store, folder / "snapshot", now_ms + DAY_MS)
    root = application.store.state_root
    application.store.close()
    preload()
    return town, folder / "snapshot", root


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_a_restoring_killed_at_a_step_is_begun_again_or_was_done(taken, tmp_path, point):
    town, snapshot, root = taken
    home = make_town_homes(tmp_path, town)[0]
    words = ["node", "snapshot", "restore", home, snapshot, "--yes"]
    killed = Program(words, home, point, home / "log")
    killed.wait()
    assert killed.killed_at == point.partition(":")[0]
    is_done = (home / "data" / "chain").exists()
    assert is_done == (point.partition(":")[0] == "restore.rename.after")
    if not is_done:
        assert Program(words, home, "", home / "log").wait() == 0, (home / "log").read_text()
    with ChainStore.open(home / "data") as store:
        assert (store.height, store.state_root) == (BLOCKS, root)
        assert store.began.first_height > 1
        check_store(store)
