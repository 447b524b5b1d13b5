"""A snapshot of a folder: judged and restored by one manifest; the way out for who was left behind.

`docs/operations.md`, *Nobody that a node knows is left*, is what the last tests go through.
"""

import shutil
from pathlib import Path
from typing import Any

import pytest

from consensus.events import StartHeight
from ledger.errors import CorruptWalError
from ledger.snapshot_files import MANIFEST_FILE, read_manifest, write_snapshot
from ledger.store import ChainStore
from ledger.store_files import FOLDER
from ledger.store_proofs import trust_bundle
from ledger.trust import TrustBundle
from node.app import Options, open_node
from node.config import load_config
from node.journal import event_frame, owner_frame
from node.snapshot_join import restore_folder
from node.storage import open_storage
from tests.node.grown_chain import grow_chain
from tests.node.town_chain import FAST, make_town, make_town_homes

HEIGHTS = 6
OLDER = 3
BIG_MS = 10**14


class Swapping:
    """Trust that, once it has been asked for its judgement, puts another manifest in the place."""

    def __init__(self, folder: Path, other: Path):
        self._folder, self._other = folder, other

    def extended_by(self, _bundle: TrustBundle) -> None:
        shutil.copy(self._other / MANIFEST_FILE, self._folder / MANIFEST_FILE)


@pytest.fixture
def snapshots(tmp_path):
    """A town, the folder of a snapshot with the chunks of an older one too, and the older one."""
    town = make_town()
    older = grow_chain(tmp_path / "older", town, OLDER, people=0)
    write_snapshot(older.store, tmp_path / "older-snapshot", BIG_MS)
    older.close()
    newer = grow_chain(tmp_path / "newer", town, HEIGHTS, people=3)
    folder = tmp_path / "snapshot"
    write_snapshot(newer.store, folder, BIG_MS)
    trust = trust_bundle(newer.store, BIG_MS)
    newer.close()
    for chunk in (tmp_path / "older-snapshot").glob("*.chunk"):
        shutil.copy(chunk, folder)
    return town, folder, tmp_path / "older-snapshot", trust


def test_a_manifest_that_is_exchanged_after_it_was_judged_is_not_the_one_restored(
    snapshots, tmp_path
):
    town, folder, older, _trust = snapshots
    config = load_config(make_town_homes(tmp_path / "homes", town)[0])
    swapping: Any = Swapping(folder, older)
    manifest = restore_folder(config, folder, lambda _done, _all: None, swapping)
    assert read_manifest(folder).content.height == OLDER, "it was exchanged in between"
    assert manifest.content.height == HEIGHTS
    with ChainStore.open(config.data_folder) as store:
        assert store.height == HEIGHTS


def test_a_snapshot_that_continues_the_given_bundle_is_restored(snapshots, tmp_path):
    town, folder, _older, trust = snapshots
    config = load_config(make_town_homes(tmp_path / "homes", town)[0])
    restore_folder(config, folder, lambda _done, _all: None, trust)
    with ChainStore.open(config.data_folder) as store:
        assert store.height == HEIGHTS


@pytest.fixture
def left_behind(snapshots, tmp_path):
    """The settings of a node with a chain of three blocks, and a log of the fourth height."""
    town = snapshots[0]
    config = load_config(make_town_homes(tmp_path / "homes", town)[0])
    shutil.copytree(tmp_path / "older" / FOLDER, config.data_folder / FOLDER)
    storage = open_storage(config, town.genesis)
    start = StartHeight(
        height=OLDER + 1,
        validators=town.genesis.validator_set,
        parameters=FAST,
        previous_time_ms=town.time_ms,
        now_ms=town.time_ms + 1,
    )
    storage.wal.restart([owner_frame(config.agency), event_frame(start)])
    storage.close()
    return config


async def begun(config):
    """Start a node without waiting for anybody, stop it at once; return where its chain was."""
    node = open_node(config.home, Options(end_wait=True))
    node.request_stop()
    await node.run()
    return node.application.tip_height


@pytest.mark.asyncio
async def test_who_was_left_behind_goes_on_from_the_snapshot_of_a_present_member(
    snapshots, left_behind
):
    assert await begun(left_behind) == OLDER
    chain = left_behind.data_folder / FOLDER
    chain.rename(chain.with_name("chain-old"))
    _town, folder, _older, trust = snapshots
    restore_folder(left_behind, folder, lambda _done, _all: None, trust)
    assert await begun(left_behind) == HEIGHTS


@pytest.mark.asyncio
async def test_without_the_snapshot_the_log_is_ahead_and_the_node_refuses(left_behind):
    """Negative control."""
    chain = left_behind.data_folder / FOLDER
    chain.rename(chain.with_name("chain-old"))
    with pytest.raises(CorruptWalError):
        await begun(left_behind)
