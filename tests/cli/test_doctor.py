"""`civreg node doctor` of a stopped node: it opens the stores, and says what it did not look at."""

import json
import shutil

import pytest

from cli.exit_codes import ExitCode
from cli.languages import catalogue
from node.config import load_config
from node.signer import Place, SignedKind
from node.storage import load_genesis, load_keys, open_signer, open_storage
from tests.cli.conftest import Desk


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A development network; its first node has run once, so that it has stores."""
    desk = Desk(tmp_path_factory.mktemp("doctor") / "net")
    desk.ask("network", "init", desk.home)
    opened(desk.home / "node-0").close()
    return desk


@pytest.fixture
def home(made, tmp_path):
    """A copy of that node's folder."""
    shutil.copytree(made.home / "node-0", tmp_path / "home")
    return tmp_path / "home"


def opened(home):
    config = load_config(home)
    return open_storage(config, load_genesis(config))


def examined(made, home):
    """Return the exit status, the complaints by their codes, and what was looked at."""
    shown = made.run("node", "doctor", home, "--json")
    found = [json.loads(line) for line in shown.stdout.splitlines()]
    said = made.run("node", "doctor", home)
    assert said.exit_code == shown.exit_code
    return shown.exit_code, {one.get("code"): one for one in found}, said.stderr


def test_what_was_and_was_not_looked_at_is_said(made, home):
    status, found, said = examined(made, home)
    assert (status, set(found)) == (0, {None})
    assert found[None] == {"level": "ok", "stores": "opened", "height": 0}
    assert "Looked at: settings, genesis, keys" in said
    assert f"up to block 0; not every block and body was read: civreg --home {made.home}" in said
    assert f"node repair {home} --dry-run" in said
    vietnamese = made.run("--lang", "vi", "node", "doctor", home).stderr
    assert "Đã mở chuỗi và kho, tới khối 0" in vietnamese


def test_a_node_that_has_never_run_has_no_chain_yet(made):
    _, found, said = examined(made, made.home / "node-1")
    assert found[None]["stores"] == "absent"
    assert "There is no chain yet" in said


def test_the_stores_of_a_running_node_are_not_opened(made, home):
    storage = opened(home)
    try:
        status, found, said = examined(made, home)
    finally:
        storage.close()
    assert (status, found[None]["stores"], found[None]["height"]) == (0, "runs", None)
    assert "were not opened, because the node runs" in said


def test_the_stores_of_another_user_are_not_written_into(made, home, monkeypatch):
    before = {path.name for path in (home / "data" / "chain").iterdir()}
    monkeypatch.setattr("cli.store_checks.os.geteuid", lambda: 54_321)
    _, found, said = examined(made, home)
    assert found[None]["stores"] == "foreign"
    assert "they are another user's" in said
    assert {path.name for path in (home / "data" / "chain").iterdir()} == before


def test_a_genesis_of_another_network_than_the_chain_is_found(made, home, tmp_path):
    other = Desk(tmp_path / "other")
    other.ask("network", "init", other.home)
    shutil.rmtree(home / "data")
    shutil.copytree(made.home / "node-0" / "data", other.home / "node-0" / "data",
                    dirs_exist_ok=True, ignore=shutil.ignore_patterns("guard*"))  # fmt: skip
    status, found, _ = examined(other, other.home / "node-0")
    assert (status, set(found)) == (ExitCode.FAILED, {"other_network"})
    shown = other.run("node", "run", other.home / "node-0")
    assert "node.wrong_home" in shown.stderr, "and so the node does not start"


@pytest.mark.parametrize("store", ["chain", "vault"])
def test_a_store_that_cannot_be_opened_is_found(made, home, store):
    (manifest,) = (home / "data" / store).glob("MANIFEST-*")
    manifest.write_bytes(b"no manifest")
    status, found, said = examined(made, home)
    assert (status, set(found)) == (ExitCode.FAILED, {"store_damaged"})
    assert f"data/{store}" in found["store_damaged"]["what"]
    assert "node repair" in found["store_damaged"]["cure"]
    assert ("could not be opened" in said) == (store == "chain")


@pytest.mark.parametrize(
    ("name", "mode", "level", "wanted"),
    [
        ("keys", 0o755, "warn", "700"),
        ("keys", 0o770, "bad", "700"),
        ("keys", 0o600, "bad", "700"),
        ("data", 0o750, "warn", "700"),
        ("data/guard", 0o644, "warn", "600"),
        ("data/guard", 0o666, "bad", "600"),
    ],
)
def test_wrong_modes_of_folders_and_guard_are_found(made, home, name, mode, level, wanted):
    (home / name).chmod(mode)
    status, found, _ = examined(made, home)
    (home / name).chmod(int(wanted, 8))
    assert found["wrong_mode"]["level"] == level
    assert status == (ExitCode.FAILED if level == "bad" else 0)
    assert found["wrong_mode"]["what"] == f"{home / name} has the mode {mode:04o}"
    assert found["wrong_mode"]["cure"] == f"chmod {wanted} {home / name}"


def test_a_deleted_log_of_a_key_that_has_signed_is_found_before_the_start(made, home):
    config = load_config(home)
    signer = open_signer(config, load_keys(config), {}, allow_missing_guard=False)
    assert signer is not None
    (home / "data" / "wal").unlink()
    assert set(examined(made, home)[1]) == {None}, "nothing was signed yet"
    signer.sign(Place(7, 0, SignedKind.PREVOTE), b"a vote")
    status, found, _ = examined(made, home)
    assert (status, set(found)) == (ExitCode.FAILED, {"log_missing"})
    assert "up to height 7" in found["log_missing"]["what"]
    assert "--end-wait" in found["log_missing"]["cure"]


def test_wrong_settings_are_said_to_be_all_that_was_looked_at(made, home):
    (home / "config.toml").write_text("version = 2\n")
    said = made.run("node", "doctor", home).stderr
    assert said.splitlines()[-1].startswith("Nothing else was looked at")
    assert "Looked at:" not in said


@pytest.mark.parametrize("lang", ["en", "vi"])
def test_doctor_start_and_help_give_the_same_advice_where_the_guard_is_missing(made, home, lang):
    """Invariant: nobody is told to start a used key without its guard."""
    (home / "data" / "guard").unlink()
    found = json.loads(made.run("--lang", lang, "node", "doctor", home, "--json").stdout)
    assert found["code"] == "guard"
    hint = catalogue(lang).errors["node.guard_missing"].hint
    assert hint.startswith(found["cure"])
    never = {"en": "never signed", "vi": "chưa từng ký"}[lang]
    shown = made.run("--lang", lang, "node", "run", "--help").stdout
    for text in (found["cure"], " ".join(shown.split())):
        assert text.index("--new-guard") < text.index(never)
