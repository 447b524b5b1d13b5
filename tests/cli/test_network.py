"""`civreg network` and `civreg node`: networks in a folder, the ceremony, the doctor."""

import json
import signal
import subprocess
import sys
import tomllib

import pytest

from cli.exit_codes import ExitCode
from cli.network_file import load_network, render_network
from ledger.genesis import parse_genesis
from ledger.trust import parse_trust
from registry.genesis_state import initial_values
from tests.cli.conftest import Desk


@pytest.fixture
def made(tmp_path):
    desk = Desk(tmp_path / "net")
    (result,) = desk.ask("network", "init", desk.home, "--nodes", "4")
    return desk, result


def test_a_development_network_has_all_that_four_agencies_need(made):
    desk, result = made
    genesis = parse_genesis((desk.home / "genesis.civreg").read_bytes())
    assert genesis.network_id.hex() == result["network_id"]
    assert [agency.weight for agency in genesis.template.agencies] == [1, 1, 1, 1]
    assert all(len(part.officers) >= 2 for part in genesis.parts)
    assert initial_values(genesis), "the registry makes a state of it"
    trust = parse_trust((desk.home / "trust.civreg").read_bytes())
    assert trust.network_id == genesis.network_id
    (shown,) = desk.ask("network", "show")
    assert shown["fingerprint"] == trust.fingerprint
    assert [node["agency"] for node in shown["nodes"]] == ["justice", "police", "land", "bank"]
    for number in range(4):
        assert desk.ask("node", "doctor", desk.home / f"node-{number}") == [{"level": "ok"}]


def test_what_network_toml_says_can_be_read_back(made):
    desk, _result = made
    network = load_network(desk.home)
    text = render_network(network)
    assert text == (desk.home / "network.toml").read_text()
    assert tomllib.loads(text)["network_id"] == network.network_id.hex()


def test_a_folder_with_something_in_it_is_left_alone(made):
    desk, _result = made
    status, error = desk.refused("network", "init", desk.home)
    assert (status, error["code"]) == (ExitCode.CONFLICT, "cli.file_exists")


@pytest.mark.slow
def test_keys_of_a_network_with_a_passphrase_are_encrypted(tmp_path):
    passphrase = tmp_path / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text("one for all\n")
    desk = Desk(tmp_path / "net")
    words = ("network", "init", desk.home, "--passphrase-file", passphrase)
    desk.ask(*words)
    keys = sorted(desk.home.rglob("*.pem"))
    assert keys
    assert all(b"ENCRYPTED" in path.read_bytes() for path in keys)
    assert desk.ask("node", "doctor", desk.home / "node-0") == [{"level": "ok"}]


def test_the_doctor_names_everything_that_is_wrong_with_its_cure(made):
    desk, _result = made
    home = desk.home / "node-1"
    (home / "data" / "guard").unlink()
    (home / "keys" / "seal.pem").chmod(0o644)
    (home / "keys" / "consensus.pem").unlink()
    shown = desk.run("node", "doctor", home, "--json")
    found = [json.loads(line) for line in shown.stdout.splitlines()]
    assert shown.exit_code == ExitCode.FAILED
    said = " ".join(one["what"] for one in found)
    for word in ("consensus.pem", "seal.pem", "guard"):
        assert word in said
    assert all(one["cure"] for one in found)
    (home / "config.toml").write_text("version = 2\nnonsense = 1\n")
    shown = desk.run("node", "doctor", home, "--json")
    assert len(shown.stdout.splitlines()) == 2, "every wrong setting is named"


@pytest.mark.slow
def test_nodes_that_run_already_are_not_started_again_and_ctrl_c_ends_them_quietly(made):
    desk, _result = made
    command = [sys.executable, "-m", "cli.main", "network", "run", desk.home]
    runs = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert runs.stdout is not None
    assert runs.stderr is not None
    try:
        told = [runs.stdout.readline() for _agency in range(4)]
        assert "All nodes run; Ctrl-C stops them." in runs.stderr.readline(), told
        status, error = desk.refused("network", "run", desk.home)
        assert (status, error["code"]) == (ExitCode.CONFLICT, "cli.nodes_running")
        assert error["details"]["name"] == "justice, police, land, bank"
        again = desk.run("network", "run", desk.home)
        assert again.stdout == "", "nothing is started"
        assert "run already" in again.stderr
        assert desk.ask("status"), "the first ones run on"
    finally:
        runs.send_signal(signal.SIGINT)
        _stdout, stderr = runs.communicate(timeout=60)
    assert (runs.returncode, stderr) == (0, "")


def test_a_node_that_does_not_run_has_no_status(made):
    desk, _result = made
    status, error = desk.refused("node", "status", desk.home / "node-0")
    assert (status, error["code"]) == (ExitCode.NO_NETWORK, "cli.no_network")
    status, error = desk.refused("status")
    assert status == ExitCode.NO_NETWORK


def test_a_home_without_a_network_says_so(tmp_path):
    status, error = Desk(tmp_path).refused("network", "show")
    assert (status, error["code"]) == (ExitCode.NOT_FOUND, "cli.not_found")


@pytest.mark.parametrize("text", ["", "version = 1", "version = 1\nname = 3", "[[", "nodes = 1"])
def test_a_damaged_network_file_is_refused_with_a_code(text, tmp_path):
    (tmp_path / "network.toml").write_text(text)
    status, error = Desk(tmp_path).refused("network", "show")
    assert (status, error["code"]) == (ExitCode.INVALID_INPUT, "cli.invalid_input")


AGREED = """
name = "ceremony"
time = "2026-01-01T00:00:00Z"
[parameters]
idle_ms = 1000
"""
AGENCY = """
[[agencies]]
name = "{name}"
kind = "{name}"
weight = 1
[[agencies.mandate]]
types = ["birth"]
operations = ["*"]
units = ["*"]
from = 2026-01-01
basis = "60/2014/QH13 art. 7"
"""
NAMESPACE = '[[namespaces]]\nname = "person.number"\nfirst = "a"\nsecond = "b"\n'
PART = """
agency = "{name}"
governance_needed = 1
governance = ["{name}-govern"]
peer_address = "{name}.example:7400"
[keys]
consensus = "{name}-consensus"
peer = "{name}-peer"
custodian = "{name}-custodian"
seal = "{name}-seal"
tag = "{name}-tag"
checkpoint = "{name}-checkpoint"
[office]
name = "Office of {name}"
unit = "01"
unit_date = 2025-07-01
level = "province"
"""
OFFICER = """
[[officers]]
sign = "{name}-{number}-sign"
auth = "{name}-{number}-auth"
[[officers.roles]]
role = "register"
types = ["*"]
from = 2026-01-01
"""


def own_part(folder, template, name):
    """One agency makes its keys and its part on its own machine."""
    desk = Desk(folder / f"home-{name}")
    names = ["govern", "consensus", "peer", "custodian", "seal", "tag"]
    names += [f"{number}-{use}" for number in (1, 2) for use in ("sign", "auth")]
    for each in names:
        desk.ask("key", "new", f"{name}-{each}", "--unencrypted")
    desk.ask("key", "new", f"{name}-checkpoint", "--unencrypted", "--algorithm", "ed25519")
    own = folder / f"{name}.toml"
    officers = "".join(OFFICER.format(name=name, number=number) for number in (1, 2))
    own.write_text(PART.format(name=name) + officers)
    out = folder / f"{name}.part"
    desk.ask("network", "part", template, own, "--sign", f"{name}-govern", "--out", out)
    return out


def test_the_ceremony_in_three_steps_gives_one_genesis_whoever_merges(tmp_path):
    agreed = tmp_path / "agreed.toml"
    agencies = "".join(AGENCY.format(name=name) for name in "abcd")
    agreed.write_text(AGREED + agencies + NAMESPACE)
    desk = Desk(tmp_path)
    template = tmp_path / "template.civreg"
    desk.ask("network", "template", agreed, "--out", template)
    parts = [own_part(tmp_path, template, name) for name in "abcd"]
    ids = set()
    for number, order in enumerate((parts, parts[::-1])):
        folder = tmp_path / f"merged-{number}"
        folder.mkdir()
        (result,) = desk.ask(
            "network", "merge", template, *order, "--out", folder / "genesis.civreg",
            "--trust", folder / "trust.civreg", "--network-file", folder / "network.toml",
        )  # fmt: skip
        ids.add((result["network_id"], result["fingerprint"]))
        assert load_network(folder).network_id.hex() == result["network_id"]
    assert len(ids) == 1
    status, _error = desk.refused(
        "network", "merge", template, *parts[:3], "--out", tmp_path / "g", "--trust",
        tmp_path / "t", "--network-file", tmp_path / "n",
    )  # fmt: skip
    assert status == ExitCode.INVALID_INPUT, "a part is missing"
    assert not (tmp_path / "g").exists()


def test_a_part_that_nobody_who_governs_signed_is_refused(tmp_path):
    agreed = tmp_path / "agreed.toml"
    agreed.write_text(AGREED + "".join(AGENCY.format(name=name) for name in "abcd"))
    desk = Desk(tmp_path)
    template = tmp_path / "template.civreg"
    desk.ask("network", "template", agreed, "--out", template)
    parts = [own_part(tmp_path, template, name) for name in "abcd"]
    stranger = Desk(tmp_path / "home-a")
    parts[0].unlink()
    stranger.ask("network", "part", template, tmp_path / "a.toml", "--sign", "a-1-sign",
                 "--out", parts[0])  # fmt: skip
    status, error = desk.refused("network", "merge", template, *parts, "--out", tmp_path / "g",
                                 "--trust", tmp_path / "t", "--network-file", tmp_path / "n",
                                 )  # fmt: skip
    assert (status, error["code"]) == (ExitCode.INVALID_INPUT, "ledger.invalid_genesis")


def test_a_template_that_lacks_something_says_what(tmp_path):
    agreed = tmp_path / "agreed.toml"
    agreed.write_text('name = "x"\n')
    status, error = Desk(tmp_path).refused("network", "template", agreed, "--out", tmp_path / "t")
    assert (status, error["code"]) == (ExitCode.INVALID_INPUT, "cli.invalid_input")
    assert "time" in error["message"]


def test_an_empty_form_of_every_kind_can_be_printed():
    desk = Desk("/nowhere")
    for kind in (("birth", "register"), ("land-title", "transfer"), ("identity", "enrol-key"),
                 ("office", "name"), ("birth", "certify")):  # fmt: skip
        for language in ("vi", "en"):
            text = desk.run("form", *kind, "--lang", language).stdout
            assert tomllib.loads(text) is not None
    status, _error = desk.refused("form", "marriage", "register")
    assert status == ExitCode.NOT_FOUND
