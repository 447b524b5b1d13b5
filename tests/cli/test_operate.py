"""`civreg node`: copies of a stopped node, a damaged log, and files that are not what they say."""

import json
import shutil
import socket
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.exit_codes import ExitCode
from consensus.events import StartHeight
from consensus.parameters import LAN
from ledger.wal import WriteAheadLog
from node.config import load_config
from node.journal import event_frame
from node.storage import load_genesis, open_storage
from tests.cli.conftest import Desk
from tests.node.homes import free_port


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A development network; its first node has run once, so that it has stores."""
    desk = Desk(tmp_path_factory.mktemp("operate") / "net")
    desk.ask("network", "init", desk.home)
    config = load_config(desk.home / "node-0")
    open_storage(config, load_genesis(config)).close()
    return desk


def test_a_backup_has_everything_but_guard_and_log_of_votes(made, tmp_path):
    node = made.home / "node-0"
    (said,) = made.ask("node", "backup", node, tmp_path / "copy")
    assert said["height"] == 0
    copied = {str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*")}
    assert {"config.toml", "genesis.civreg", "keys/consensus.pem", "data/chain"} <= copied
    assert not {"data/guard", "data/wal"} & copied
    shown = made.run("node", "doctor", tmp_path / "copy", "--json")
    found = [json.loads(line) for line in shown.stdout.splitlines()]
    assert ["guard" in one["what"] for one in found] == [True], "the operator must decide"
    status, error = made.refused("node", "backup", node, tmp_path / "copy")
    assert (status, error["code"]) == (ExitCode.CONFLICT, "cli.file_exists")


def test_a_backup_leaves_out_what_a_repair_has_set_aside_and_says_so(made, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(made.home / "node-0", home)
    for name in ("vault.damaged-1", "chain.damaged-2", "snapshots", "drafts"):
        (home / "data" / name).mkdir()
        (home / "data" / name / "file").write_bytes(b"old")
    shown = made.run("node", "backup", home, tmp_path / "copy")
    assert shown.exit_code == 0
    copied = {path.name for path in (tmp_path / "copy" / "data").iterdir()}
    assert copied == {"chain", "vault", "drafts"}
    assert shown.stdout.splitlines()[-1].endswith("chain.damaged-2, vault.damaged-1")
    (said,) = made.ask("node", "backup", home, tmp_path / "other")
    assert said["left_out"] == ["chain.damaged-2", "vault.damaged-1"]


def test_a_running_node_cannot_be_copied(made, tmp_path):
    config = load_config(made.home / "node-0")
    storage = open_storage(config, load_genesis(config))
    try:
        status, error = made.refused("node", "backup", made.home / "node-0", tmp_path / "copy")
    finally:
        storage.close()
    assert (status, error["code"]) == (ExitCode.CONFLICT, "ledger.store_in_use")
    assert not (tmp_path / "copy").exists()


def examined(made, word):
    """Whether each thing that the doctor finds names a cure with this word."""
    shown = made.run("node", "doctor", made.home / "node-0", "--json")
    found = [json.loads(line) for line in shown.stdout.splitlines()]
    return [word in one["cure"] for one in found if one["level"] == "bad"]


def test_a_key_file_that_others_may_read_is_to_be_closed_and_perhaps_replaced(made):
    path = made.home / "node-0" / "keys" / "consensus.pem"
    path.chmod(0o644)
    try:
        assert examined(made, "chmod 600") == [True]
    finally:
        path.chmod(0o600)
    assert examined(made, "") == []


def test_a_damaged_log_is_cut_and_kept(made):
    path = load_config(made.home / "node-0").data_folder / "wal"
    log = WriteAheadLog.open(path)
    for frame in (b"one", b"two", b"three"):
        log.append(frame)
        log.sync()
    log.close()
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"two")] ^= 1
    path.write_bytes(raw)
    assert examined(made, "`civreg node repair`") == [True], "the doctor sees what stops the node"
    assert path.read_bytes() == raw, "and changes nothing"
    status, error = made.refused("node", "repair-wal", made.home / "node-0")
    assert (status, error["code"]) == (ExitCode.CANCELLED, "cli.cancelled"), "nobody agreed"
    (said,) = made.ask("node", "repair-wal", made.home / "node-0", "--yes")
    assert said["frames"] == 1
    assert said["cut_bytes"] > 0
    log = WriteAheadLog.open(path)
    assert list(log.frames) == [b"one"]
    log.close()
    (said,) = made.ask("node", "repair-wal", made.home / "node-0", "--yes")
    assert said["copy"] is None, "nothing is wrong any more"


def test_a_damaged_guard_is_seen_and_replaced_by_one_that_is_known_to_be_made_up(made):
    node = made.home / "node-0"
    path = load_config(node).data_folder / "guard"
    path.with_name("wal").unlink()  # of the test before: no events are in it
    raw = path.read_bytes()
    path.write_bytes(raw[:-1])
    try:
        assert examined(made, "node repair") == [True]
        shown = made.run("node", "repair", node, "--dry-run", "--json")
        assert shown.exit_code == ExitCode.CHAIN_BROKEN, "a script can tell"
        found = json.loads(shown.stdout)
        assert found == {"damaged": [{"part": "guard", "code": "node.guard_damaged"}]}
        status, error = made.refused("node", "repair", node)
        assert (status, error["code"]) == (ExitCode.CANCELLED, "cli.cancelled"), "nobody agreed"
        (said,) = made.ask("node", "repair", node, "--yes")
        assert said["part"] == "guard"
        assert path.with_name("guard.damaged-1").read_bytes() == raw[:-1]
        assert path.with_name("guard-supposed").exists()
        assert made.ask("node", "repair", node) == [{"damaged": []}]
    finally:
        path.write_bytes(raw)
        path.with_name("guard-supposed").unlink(missing_ok=True)


def test_a_running_node_is_not_repaired(made):
    config = load_config(made.home / "node-0")
    storage = open_storage(config, load_genesis(config))
    try:
        status, error = made.refused("node", "repair", made.home / "node-0", "--yes")
    finally:
        storage.close()
    assert (status, error["code"]) == (ExitCode.CONFLICT, "ledger.store_in_use")


def test_a_second_start_of_a_home_that_is_in_use_ends_with_the_status_of_a_conflict(made):
    config = load_config(made.home / "node-0")
    storage = open_storage(config, load_genesis(config))
    try:
        shown = made.run("node", "run", made.home / "node-0")
    finally:
        storage.close()
    assert shown.exit_code == ExitCode.CONFLICT
    assert '"ledger.store_in_use"' in shown.stderr


@pytest.fixture
def unread(made):
    """A home of which the system does not let us read the vault."""
    current = made.home / "node-0" / "data" / "vault" / "CURRENT"
    kept = current.read_bytes()
    current.unlink()
    current.mkdir()
    yield made.home / "node-0"
    current.rmdir()
    current.write_bytes(kept)


def test_what_the_system_refuses_is_named_and_no_repair_is_advised(made, unread):
    before = {one.name for one in (unread / "data").iterdir()}
    shown = made.run("node", "run", unread)
    assert shown.exit_code == ExitCode.FAILED
    (line,) = [json.loads(one) for one in shown.stderr.splitlines() if '"refused"' in one]
    assert (line["code"], line["cure"]) == ("ledger.disk_refused", None)
    assert line["detail"].endswith("vault/CURRENT: Is a directory")
    for words in (("--dry-run",), ("--yes",)):
        status, error = made.refused("node", "repair", unread, *words)
        assert (status, error["code"]) == (ExitCode.FAILED, "ledger.disk_refused")
        assert error["details"]["reason"] == "Is a directory"
        assert "b'" not in error["message"]
    assert {one.name for one in (unread / "data").iterdir()} == before


def test_a_store_that_is_lost_or_lost_files_is_seen_before_the_start(made):
    data = made.home / "node-0" / "data"
    current = data / "vault" / "CURRENT"
    kept = current.read_bytes()
    current.unlink()
    try:
        assert examined(made, "node repair") == [True]
        shown = made.run("node", "run", made.home / "node-0")
        assert shown.exit_code == ExitCode.CHAIN_BROKEN
        assert '"civreg node repair"' in shown.stderr
    finally:
        current.write_bytes(kept)
    assert examined(made, "") == []


@pytest.mark.parametrize("lost", ["chain", "vault"])
def test_a_chain_or_vault_that_is_away_is_missed_where_the_log_tells_of_it(made, tmp_path, lost):
    home = tmp_path / "home"
    shutil.copytree(made.home / "node-0", home)
    config = load_config(home)
    validators = load_genesis(config).validator_set
    path = config.data_folder / "wal"
    path.unlink(missing_ok=True)
    log = WriteAheadLog.open(path)
    height = 2 if lost == "chain" else 1
    start = StartHeight(
        height=height, validators=validators, parameters=LAN, previous_time_ms=0, now_ms=0
    )
    log.append(event_frame(start))
    log.close()
    shutil.rmtree(config.data_folder / lost)
    shown = made.run("node", "doctor", home, "--json")
    assert [json.loads(one)["code"] for one in shown.stdout.splitlines()] == [f"{lost}_missing"]
    assert not (config.data_folder / lost).exists()


def test_a_guard_and_a_key_that_do_not_belong_together_are_seen_and_no_repair_is_advised(
    made, tmp_path
):
    home = tmp_path / "home"
    shutil.copytree(made.home / "node-0", home)
    shutil.copy(made.home / "node-1" / "keys" / "consensus.pem", home / "keys" / "consensus.pem")
    shown = made.run("node", "doctor", home, "--json")
    found = {one["code"]: one for one in map(json.loads, shown.stdout.splitlines())}
    assert set(found) == {"other_key", "guard_damaged"}
    assert "repair" not in found["guard_damaged"]["cure"]
    shown = made.run("node", "run", home)
    (line,) = [json.loads(one) for one in shown.stderr.splitlines() if '"refused"' in one]
    assert (line["code"], line["cure"]) == ("node.guard_mismatch", None)
    assert shown.exit_code == ExitCode.KEY_NEEDED


@pytest.mark.parametrize("is_own", [False, True])
def test_an_address_that_is_taken_is_named_with_its_setting(made, tmp_path, is_own):
    home = tmp_path / "home"
    shutil.copytree(made.home / "node-0", home)
    text = (home / "config.toml").read_text()
    config = load_config(home)
    peer, public = f'"{config.peer}"', f'"{config.public}"'
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        own = f"127.0.0.1:{free_port()}"
        text = text.replace(peer, f'"{own}"')
        text = text.replace(public, f'"{own if is_own else address}"')
        (home / "config.toml").write_text(text)
        shown = made.run("node", "run", home)
    (line,) = [json.loads(one) for one in shown.stderr.splitlines() if '"refused"' in one]
    assert (line["code"], shown.exit_code) == ("node.address_unusable", ExitCode.CONFLICT)
    named = own if is_own else address
    assert line["detail"] == f"listen.public = {named} cannot be used: Address already in use"


def test_a_backup_of_a_node_whose_vault_is_missing_makes_no_empty_one(made, tmp_path):
    vault = made.home / "node-0" / "data" / "vault"
    vault.rename(tmp_path / "kept")
    try:
        status, error = made.refused("node", "backup", made.home / "node-0", tmp_path / "copy")
        assert (status, error["code"]) == (ExitCode.NOT_FOUND, "cli.no_such_file")
        assert not vault.exists()
    finally:
        (tmp_path / "kept").rename(vault)


def test_the_free_space_that_counts_is_that_of_the_data(made, monkeypatch):
    asked = []

    def usage(path):
        asked.append(path)
        return SimpleNamespace(free=1)

    monkeypatch.setattr("cli.health_checks.disk_usage", usage)
    config = load_config(made.home / "node-0")
    shown = made.run("node", "doctor", config.home, "--json")
    assert asked == [config.data_folder]
    assert [json.loads(line)["code"] for line in shown.stdout.splitlines()] == ["disk_low"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.binary(max_size=200))
def test_whatever_calls_itself_a_draft_is_shown_or_refused_with_a_code(made, tmp_path, raw):
    path = tmp_path / "any.draft"
    path.write_bytes(raw)
    status, error = made.refused("draft", "show", path)
    assert status == ExitCode.INVALID_INPUT
    assert error["code"].startswith("ledger.")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.text(max_size=60))
def test_whatever_calls_itself_a_form_is_refused_with_a_code_before_anything_is_sent(made, text):
    status, error = made.refused("birth", "register", "-", "--office", "justice", "--yes",
                                 stdin=text)  # fmt: skip
    assert status == ExitCode.INVALID_INPUT
    assert error["code"] in {"registry.form_invalid", "cli.file_access"}


@pytest.mark.parametrize("name", ["genesis.civreg", "network.toml"])
def test_a_home_with_a_damaged_file_says_which(name, made, tmp_path):
    for each in ("genesis.civreg", "network.toml"):
        (tmp_path / each).write_bytes((made.home / each).read_bytes())
    (tmp_path / name).write_bytes(b"\x00not what it says")
    status, error = Desk(tmp_path).refused("status")
    assert (status, error["code"]) == (ExitCode.INVALID_INPUT, "cli.invalid_input")
    assert name.partition(".")[0] in error["message"]


def test_without_nodes_a_clerk_learns_that_nobody_answers(made):
    status, error = made.refused("show", "000G4-0R40M-30E20-9185G-R38E1W-6")
    assert (status, error["code"]) == (ExitCode.NO_NETWORK, "cli.no_network")


def test_a_node_lists_the_evidence_in_its_blocks_or_says_that_there_is_none(desk):
    assert desk.ask("node", "evidence", desk.home / "node-1") == [{"evidence": 0}]
    shown = desk.run("node", "evidence", desk.home / "node-1", "--before", "9", "--lang", "vi")
    assert "bằng chứng" in shown.stdout
