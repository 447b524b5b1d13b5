"""A snapshot of a folder is judged and restored by one and the same manifest."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from ledger.snapshot_files import MANIFEST_FILE, read_manifest, write_snapshot
from ledger.store import ChainStore
from ledger.store_proofs import trust_bundle
from ledger.trust import TrustBundle
from node.config import load_config
from node.snapshot_join import restore_folder
from tests.node.grown_chain import grow_chain
from tests.node.town_chain import make_town, make_town_homes

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
