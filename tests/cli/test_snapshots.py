"""`civreg node snapshot`: from one stopped node into the empty home of another, or a refusal."""

import shutil
import subprocess
import sys

import pytest

from cli.exit_codes import ExitCode
from ledger.snapshot_files import MANIFEST_FILE
from ledger.store import ChainStore, StoreMissingError
from ledger.store_proofs import trust_bundle
from node.config import load_config
from node.signer import GuardedSigner, GuardFile, Place, SignedKind
from node.storage import load_keys
from tests.cli.conftest import Desk
from tests.node.grown_chain import grow_chain
from tests.node.town_chain import make_town, make_town_homes

HEIGHTS = 104


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """Four homes of a town, the first with a chain of 104 blocks; no node ever runs."""
    folder, town = tmp_path_factory.mktemp("homes"), make_town()
    made = make_town_homes(folder, town)
    grow_chain(made[0] / "data", town, HEIGHTS, people=4).close()
    return made


@pytest.fixture(scope="module")
def desk(homes):
    return Desk(homes[0].parent)


@pytest.fixture(scope="module")
def snapshot(desk, homes):
    folder = homes[0].parent / "snapshot"
    (said,) = desk.ask("node", "snapshot", "create", homes[0], folder)
    assert (said["height"], said["first_height"]) == (HEIGHTS, HEIGHTS - 99)
    return folder


@pytest.fixture
def home(homes, tmp_path):
    """The home of a node that was wiped: keys, settings and guard are left."""
    copied = tmp_path / "home"
    shutil.copytree(homes[1], copied)
    return copied


def test_a_wiped_node_begins_with_the_snapshot_of_another(desk, homes, snapshot, home):
    guard = (home / "data" / "guard").read_bytes()
    (said,) = desk.ask("node", "snapshot", "restore", home, snapshot, "--yes")
    assert said["height"] == HEIGHTS
    assert (home / "data" / "guard").read_bytes() == guard
    with ChainStore.open(home / "data") as store, ChainStore.open(homes[0] / "data") as source:
        assert store.tip == source.tip
        assert store.began.first_height == HEIGHTS - 99
    status, error = desk.refused("node", "snapshot", "restore", home, snapshot, "--yes")
    assert (status, error["code"]) == (ExitCode.CONFLICT, "ledger.snapshot_place_taken")


def test_the_export_of_such_a_node_says_where_it_starts_and_is_not_replayed(
    desk, homes, snapshot, home, tmp_path
):
    desk.ask("node", "snapshot", "restore", home, snapshot, "--yes")
    for written in (100, 0):
        (said,) = desk.ask("export", "chain", tmp_path / "export", "--from", home)
        assert (said["first"], said["height"], said["written"]) == (5, HEIGHTS, written)
    status, error = desk.refused("audit", "replay", tmp_path / "export")
    assert (status, error["code"]) == (ExitCode.CANNOT_CHECK, "ledger.export_partial")
    status, error = desk.refused("audit", "replay", home)
    assert (status, error["code"]) == (ExitCode.NOT_FOUND, "ledger.history_missing")
    (whole,) = desk.ask("export", "chain", tmp_path / "whole", "--from", homes[0])
    assert whole["first"] == 1


def test_a_snapshot_older_than_what_the_key_has_signed_is_refused(desk, snapshot, home):
    config = load_config(home)
    key = next(key for purpose, key in load_keys(config).items() if purpose == "consensus")
    signer = GuardedSigner(key, GuardFile(config.data_folder / "guard"))
    signer.sign(Place(HEIGHTS + 2, 0, SignedKind.PREVOTE), b"a vote")
    status, error = desk.refused("node", "snapshot", "restore", home, snapshot, "--yes")
    assert (status, error["code"]) == (ExitCode.CONFLICT, "node.snapshot_too_old")
    assert not (home / "data" / "chain").exists()


def test_a_vote_at_the_height_after_the_snapshot_does_not_stop_it(desk, snapshot, home):
    config = load_config(home)
    key = next(key for purpose, key in load_keys(config).items() if purpose == "consensus")
    signer = GuardedSigner(key, GuardFile(config.data_folder / "guard"))
    signer.sign(Place(HEIGHTS + 1, 0, SignedKind.PREVOTE), b"a vote")
    desk.ask("node", "snapshot", "restore", home, snapshot, "--yes")


def test_what_was_changed_is_refused_by_its_code(desk, snapshot, home, tmp_path):
    folder = tmp_path / "changed"
    shutil.copytree(snapshot, folder)
    chunk = next(folder.glob("*.chunk"))
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"\x00")
    status, error = desk.refused("node", "snapshot", "restore", home, folder, "--yes")
    assert (status, error["code"]) == (ExitCode.FORGED, "ledger.snapshot_wrong_chunk")
    assert error["hint"]
    (folder / MANIFEST_FILE).write_bytes(b"\x90")
    status, error = desk.refused("node", "snapshot", "restore", home, folder, "--yes")
    assert (status, error["code"]) == (ExitCode.FORGED, "ledger.snapshot_wrong_manifest")
    assert not (home / "data" / "chain").exists()


def test_a_snapshot_of_another_network_is_refused(desk, snapshot, tmp_path):
    other_desk = Desk(tmp_path / "other")
    other_desk.ask("network", "init", other_desk.home)
    node = other_desk.home / "node-0"
    status, error = desk.refused("node", "snapshot", "restore", node, snapshot, "--yes")
    assert (status, error["code"]) == (ExitCode.INVALID_INPUT, "ledger.snapshot_wrong_network")


def test_a_snapshot_must_continue_the_bundle_that_is_named(desk, homes, snapshot, home, tmp_path):
    with ChainStore.open(homes[0] / "data") as store:
        (tmp_path / "same").write_bytes(trust_bundle(store, 10**14).to_bytes())
        genesis = store.genesis
    longer, town = tmp_path / "longer", make_town()
    assert town.genesis.network_id == genesis.network_id
    grown = grow_chain(longer, town, HEIGHTS + 1, people=4)
    (tmp_path / "newer").write_bytes(trust_bundle(grown.store, 10**14).to_bytes())
    grown.close()
    restore = ("node", "snapshot", "restore", home, snapshot, "--yes", "--trust")
    status, error = desk.refused(*restore, tmp_path / "newer")
    assert (status, error["code"]) == (ExitCode.CANNOT_CHECK, "ledger.untrusted")
    assert not (home / "data" / "chain").exists()
    desk.ask(*restore, tmp_path / "same")


def test_nothing_is_written_without_a_yes_or_with_a_dry_run(desk, homes, snapshot, home, tmp_path):
    desk.ask("node", "snapshot", "create", homes[0], tmp_path / "dry", "--dry-run")
    assert not (tmp_path / "dry").exists()
    desk.ask("node", "snapshot", "restore", home, snapshot, "--dry-run")
    status, error = desk.refused("node", "snapshot", "create", homes[0], snapshot)
    assert (status, error["code"]) == (ExitCode.CONFLICT, "cli.file_exists")
    status, error = desk.refused("node", "snapshot", "create", home, tmp_path / "none")
    assert (status, error["code"]) == (ExitCode.NOT_FOUND, "ledger.store_missing")
    assert not (home / "data" / "chain").exists()


def count_files(folder):
    """How many files a folder has now; it may come and go meanwhile."""
    try:
        return len(list(folder.iterdir()))
    except FileNotFoundError:
        return 0


@pytest.mark.slow
def test_a_command_that_is_killed_at_any_moment_can_be_given_again(desk, snapshot, home, homes):
    """SIGKILL after this many files were touched: either there is no chain, or all of it."""
    words = ["node", "snapshot", "restore", str(home), str(snapshot), "--yes", "--json"]
    command = [sys.executable, "-c", "from cli.main import main; main()", *words]
    for moment in (1, 2, 4, 8, 10**9):
        beside = home / "data" / "restoring" / "chain"
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            while process.poll() is None and count_files(beside) < moment:
                pass
            process.kill()
            process.communicate()
        if (home / "data" / "chain").exists():
            break
        with pytest.raises(StoreMissingError):
            ChainStore.open(home / "data")
    if not (home / "data" / "chain").exists():
        desk.ask("node", "snapshot", "restore", home, snapshot, "--yes")
    with ChainStore.open(home / "data") as store, ChainStore.open(homes[0] / "data") as source:
        assert store.tip == source.tip
