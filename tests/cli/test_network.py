"""`civreg network` and `civreg node`: networks in a folder, the ceremony, the doctor."""

import json
import shutil
import signal
import subprocess
import sys
import tomllib
from dataclasses import replace

import pytest

from cli.ceremony_parts import print_part_file, read_part_file
from cli.exit_codes import ExitCode
from cli.network_file import load_network, render_network
from keys.did import print_did
from keys.signing import SoftwareKey
from ledger.genesis import (
    compose_template,
    parse_genesis,
    parse_template,
    sign_part,
)
from ledger.ids import print_id
from ledger.trust import parse_trust
from node.config import load_config
from registry.catalogue import genesis_attachments
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
        assert desk.ask("node", "doctor", desk.home / f"node-{number}")[0]["level"] == "ok"


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
    assert desk.ask("node", "doctor", desk.home / "node-0")[0]["level"] == "ok"


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


SERVICES = ("consensus", "peer", "custodian", "seal", "tag", "checkpoint")
AGREED = """
name = "ceremony"
time = "2026-01-01T00:00:00Z"
[parameters]
received_days = 3
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
NAMESPACE = "".join(
    f'[[namespaces]]\nname = "{name}"\nfirst = "a"\nsecond = "b"\n'
    for name in ("person.number", "birth.name", "identity.name")
)
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


def agreed_template(folder, text=None, name="agreed"):
    """All agree on a file, by default with the agencies a, b, c and d."""
    agreed = folder / f"{name}.toml"
    agencies = "".join(AGENCY.format(name=name) for name in "abcd")
    agreed.write_text(text or AGREED + agencies + NAMESPACE)
    out = folder / f"{name}.civreg"
    Desk(folder).ask("network", "template", agreed, "--out", out)
    return out


@pytest.fixture(scope="module")
def ceremony(tmp_path_factory):
    """A template and the signed parts of its four agencies, by name."""
    folder = tmp_path_factory.mktemp("ceremony")
    template = agreed_template(folder)
    return folder, template, {name: own_part(folder, template, name) for name in "abcd"}


def merge_words(template, parts, folder):
    return (
        "network", "merge", template, *parts, "--out", folder / "genesis.civreg",
        "--trust", folder / "trust.civreg", "--network-file", folder / "network.toml",
    )  # fmt: skip


def test_the_ceremony_gives_one_genesis_whoever_merges(ceremony, tmp_path):
    _folder, template, parts = ceremony
    ids = set()
    for number, order in enumerate((list(parts.values()), [*parts.values()][::-1])):
        folder = tmp_path / f"merged-{number}"
        (result,) = Desk(folder).ask("network", "merge", template, *order)
        ids.add((result["network_id"], result["fingerprint"]))
        assert load_network(folder).network_id.hex() == result["network_id"]
    assert len(ids) == 1


def test_who_tries_the_first_or_the_third_step_is_told_that_nothing_was_written(ceremony, tmp_path):
    folder, template, parts = ceremony
    out = tmp_path / "again.civreg"
    desk = Desk(tmp_path)
    tried = desk.run("network", "template", folder / "agreed.toml", "--out", out, "--dry-run")
    assert tried.stdout.startswith(f"would be written: {out}\n")
    tried = desk.run(*merge_words(template, parts.values(), tmp_path), "--dry-run", "--json")
    assert json.loads(tried.stdout)["would_write"] == [
        str(tmp_path / name) for name in ("genesis.civreg", "trust.civreg", "network.toml")
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("language", ["en", "vi"])
def test_a_missing_part_is_named_and_nothing_is_written(ceremony, tmp_path, language):
    _folder, template, parts = ceremony
    words = merge_words(template, [parts["a"], parts["c"], parts["d"]], tmp_path)
    status, error = Desk(tmp_path).refused(*words, "--lang", language)
    assert (status, error["code"]) == (ExitCode.INVALID_INPUT, "cli.part_missing")
    assert error["details"] == {"agency": "b"}
    assert "b" in error["sentence"].split(".")[0].split()
    assert list(tmp_path.iterdir()) == []


def test_a_part_given_twice_is_named_with_both_files(ceremony, tmp_path):
    _folder, template, parts = ceremony
    again = tmp_path / "again.part"
    again.write_bytes(parts["b"].read_bytes())
    words = merge_words(template, [*parts.values(), again], tmp_path)
    _status, error = Desk(tmp_path).refused(*words)
    assert error["code"] == "cli.part_twice"
    assert error["details"] == {"agency": "b", "name": "b.part", "other": "again.part"}


def test_a_part_of_another_template_is_named(ceremony, tmp_path):
    _folder, _template, parts = ceremony
    other = agreed_template(tmp_path)
    status, error = Desk(tmp_path).refused(*merge_words(other, parts.values(), tmp_path))
    assert (status, error["code"]) == (ExitCode.INVALID_INPUT, "cli.part_foreign")
    assert error["details"] == {"name": "a.part"}


def test_a_part_signed_with_another_template_of_the_same_agencies_is_named(ceremony, tmp_path):
    _folder, template, parts = ceremony
    agreed = parse_template(template.read_bytes())
    other = tmp_path / "other.civreg"
    content = dict(genesis_attachments())
    other.write_bytes(compose_template(replace(agreed, name="other"), content))
    status, error = Desk(tmp_path).refused(*merge_words(other, parts.values(), tmp_path))
    assert (status, error["code"]) == (ExitCode.SIGNATURE_BAD, "cli.part_signature")
    assert error["details"] == {"name": "a.part", "agency": "a"}


def test_too_few_signatures_warn_at_once_and_are_named_at_the_merge(ceremony, tmp_path):
    folder, template, parts = ceremony
    home = Desk(folder / "home-d")
    home.ask("key", "new", "second", "--unencrypted")
    text = (folder / "d.toml").read_text()
    own, out = tmp_path / "d.toml", tmp_path / "d.part"
    two = text.replace("governance_needed = 1", "governance_needed = 2")
    own.write_text(two.replace('["d-govern"]', '["d-govern", "second"]'))
    sign = ("network", "part", template, own, "--sign", "d-govern", "--sign", "d-govern")
    assert "1 of 2 governors" in home.run(*sign, "--out", out).stderr, "one key counts once"
    words = merge_words(template, [parts["a"], parts["b"], parts["c"], out], tmp_path)
    status, error = home.refused(*words)
    assert (status, error["code"]) == (ExitCode.INVALID_INPUT, "cli.part_unsigned")
    assert error["details"] == {"name": "d.part", "agency": "d", "needed": 2}
    (second,) = home.ask("key", "show", "second")
    assert second["fingerprint"] in error["message"]
    out.unlink()
    (made,) = home.ask(*sign, "--sign", "second", "--out", out)
    assert (made["signed"], made["needed"]) == (2, 2)
    home.ask(*words)


def test_a_second_governor_signs_the_part_on_another_machine(ceremony, tmp_path):
    folder, template, parts = ceremony
    first, second = Desk(folder / "home-d"), Desk(tmp_path / "second")
    (fresh,) = second.ask("key", "new", "governor", "--unencrypted")
    text = (folder / "d.toml").read_text().replace("governance_needed = 1", "governance_needed = 2")
    own, out = tmp_path / "d.toml", tmp_path / "d.part"
    own.write_text(text.replace('["d-govern"]', f'["d-govern", "{fresh["public"]}"]'))
    words = ("network", "part", template, own, "--sign", "d-govern", "--out", out)
    shown = first.run(*words)
    assert f"network sign-part {template} {out} --sign KEY" in shown.stderr
    before = out.read_bytes()
    sign = ("network", "sign-part", template, out, "--sign", "governor")
    tried = second.run(*sign, "--dry-run")
    for said in ("part of d, node at d.example:7400", "2 of 2 governors", fresh["fingerprint"]):
        assert said in tried.stderr
    assert out.read_bytes() == before
    assert tried.stdout.startswith(f"would be written: {out}\n")
    assert "next:" not in tried.stderr, "there is nothing to merge yet"
    status, error = second.refused(*sign)
    assert (status, error["code"]) == (ExitCode.CANCELLED, "cli.cancelled"), "nobody agreed"
    (made,) = second.ask(*sign, "--yes")
    assert (made["signed"], made["needed"]) == (2, 2)
    assert read_part_file(out).raw == read_part_file_of(before, tmp_path).raw, "the same part"
    status, error = second.refused(*sign, "--yes")
    assert (status, error["code"]) == (ExitCode.CONFLICT, "cli.already_signed")
    second.ask(*merge_words(template, [parts["a"], parts["b"], parts["c"], out], tmp_path))


def read_part_file_of(raw, folder):
    (folder / "before").write_bytes(raw)
    return read_part_file(folder / "before")


def test_a_part_of_another_template_or_with_a_bad_signature_is_signed_by_nobody(ceremony, tmp_path):
    folder, template, parts = ceremony
    agencies = "".join(AGENCY.format(name=name) for name in "abce")
    other = agreed_template(tmp_path, AGREED + agencies + NAMESPACE, "other")
    desk = Desk(folder / "home-d")
    words = ("--sign", "d-govern", "--yes")
    _status, error = desk.refused("network", "sign-part", other, parts["d"], *words)
    assert error["code"] == "cli.part_foreign"
    kept = read_part_file(parts["d"])
    (good,) = kept.signatures
    forged = tmp_path / "d.part"
    bad = good._replace(signature=bytes(len(good.signature)))
    forged.write_bytes(print_part_file(kept.raw, [bad]))
    status, error = desk.refused("network", "sign-part", template, forged, *words)
    assert (status, error["code"]) == (ExitCode.SIGNATURE_BAD, "cli.part_signature")


def test_a_signature_of_a_stranger_is_named(ceremony, tmp_path):
    _folder, template, parts = ceremony
    part = read_part_file(parts["a"]).raw
    stranger = sign_part(template.read_bytes(), part, SoftwareKey.generate())
    forged = tmp_path / "a.part"
    forged.write_bytes(print_part_file(part, [stranger]))
    words = merge_words(template, [forged, parts["b"], parts["c"], parts["d"]], tmp_path)
    _status, error = Desk(tmp_path).refused(*words)
    assert error["code"] == "cli.part_unsigned"
    assert error["details"]["agency"] == "a"
    assert stranger.key_id.hex() in error["message"]


@pytest.mark.parametrize("content", [b"", b"agreed", b"\x92\xc4\x00\x90"])
def test_a_file_that_is_no_part_is_named(ceremony, tmp_path, content):
    _folder, template, parts = ceremony
    odd = tmp_path / "odd.part"
    odd.write_bytes(content)
    words = merge_words(template, [*parts.values(), odd], tmp_path)
    status, error = Desk(tmp_path).refused(*words)
    assert (status, error["code"]) == (ExitCode.INVALID_INPUT, "cli.invalid_input")
    assert "odd.part is no signed part" in error["message"]


def test_two_agencies_with_one_key_are_told_by_their_files(ceremony, tmp_path):
    folder, template, parts = ceremony
    text = (folder / "a.toml").read_text()
    peer = read_part_file(parts["b"]).part.keys["peer"]
    own, out = tmp_path / "a.toml", tmp_path / "a.part"
    own.write_text(text.replace('"a-peer"', f'"{print_did(peer)}"'))
    words = ("network", "part", template, own, "--sign", "a-govern", "--out", out)
    Desk(folder / "home-a").ask(*words)
    words = merge_words(template, [out, parts["b"], parts["c"], parts["d"]], tmp_path)
    _status, error = Desk(tmp_path).refused(*words)
    assert "a.part and b.part name the same key" in error["message"]


def test_who_does_not_govern_a_part_cannot_sign_it(ceremony, tmp_path):
    folder, template, _parts = ceremony
    out = tmp_path / "a.part"
    words = ("network", "part", template, folder / "a.toml", "--sign", "a-1-sign", "--out", out)
    status, error = Desk(folder / "home-a").refused(*words)
    assert (status, error["code"]) == (ExitCode.INVALID_INPUT, "cli.invalid_input")
    assert "'a-1-sign' is none of the governance keys" in error["message"]
    assert not out.exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('agency = "a"', 'agency = "nobody"', "no agency 'nobody'; there are"),
        ("governance_needed = 1", "governance_needed = 2", "governance_needed is 2 of 1 keys"),
        ("governance_needed = 1", "", "governance_needed is missing or no whole number"),
        ("a.example:7400", "a.example", "peer_address: it is not host:port"),
        ('"a-tag"', '"a-peer"', "keys.peer and keys.tag are the same key"),
        ('tag = "a-tag"', "", "keys: there is none for tag"),
        ('tag = "a-tag"', 'tag = "a-tag"\nage = "a-tag"', "no service has a key called age"),
        ('consensus = "a-consensus"', "", "keys: a has a validator and so needs a consensus key"),
        ('peer = "a-peer"', 'peer = "a-checkpoint"', "peer key is not of the algorithm p256"),
        ('types = ["*"]', 'types = ["brith"]', "the role register: there is no record type"),
    ],
)
def test_a_part_that_would_not_fit_is_refused_before_it_is_signed(
    ceremony, tmp_path, old, new, said
):
    folder, template, _parts = ceremony
    own, out = tmp_path / "a.toml", tmp_path / "a.part"
    text = (folder / "a.toml").read_text()
    assert old in text
    own.write_text(text.replace(old, new))
    words = ("network", "part", template, own, "--sign", "a-govern", "--out", out)
    status, error = Desk(folder / "home-a").refused(*words)
    assert (status, error["code"]) == (ExitCode.INVALID_INPUT, "cli.invalid_input")
    assert said in error["message"]
    assert not out.exists()


def test_one_founding_officer_is_too_few_and_the_error_says_why(ceremony, tmp_path):
    folder, template, _parts = ceremony
    own = tmp_path / "a.toml"
    own.write_text((folder / "a.toml").read_text().partition('[[officers]]\nsign = "a-2')[0])
    words = ("network", "part", template, own, "--sign", "a-govern", "--out", tmp_path / "a.part")
    _status, error = Desk(folder / "home-a").refused(*words)
    assert "at least 2 founding officers" in error["message"]
    shown = Desk(folder / "home-a").run(*words, "--lang", "vi")
    assert "ít nhất 2 cán bộ sáng lập" in shown.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('first = "a"', 'first = "police"', "person.number: no agency is called 'police'"),
        ("received_days = 3", "idle_ms = 1000", "parameters: none is called 'idle_ms'"),
        ("received_days = 3", "received_days = -1", "parameters.received_days: "),
        ("received_days = 3", 'received_days = "3"', "parameters.received_days: "),
        ("received_days = 3", "holidays = [2026-02-01, 2026-01-01]", "parameters.holidays: "),
        ('name = "b"', 'name = "a"', "agencies: two are called 'a'"),
        ("weight = 1", "weight = 1.5", "weight is missing or no whole number"),
        ('name = "identity.name"', 'name = "x"', "namespaces: identity.name is missing: "),
        ('types = ["birth"]', 'types = ["brith"]', "mandate of a: there is no record type 'brith'"),
        ("[parameters]", 'unit_table = "x"\n[parameters]', "unit_table is 'x'; there are"),
    ],
)
def test_what_nodes_would_refuse_is_refused_before_anybody_signs(tmp_path, old, new, said):
    agreed = tmp_path / "agreed.toml"
    text = AGREED + "".join(AGENCY.format(name=name) for name in "abcd") + NAMESPACE
    assert old in text
    agreed.write_text(text.replace(old, new, 1))
    out = tmp_path / "template.civreg"
    status, error = Desk(tmp_path).refused("network", "template", agreed, "--out", out)
    assert (status, error["code"]) == (ExitCode.INVALID_INPUT, "cli.invalid_input")
    assert said in error["message"]
    assert not out.exists()


def test_two_agencies_of_one_id_and_two_namespaces_of_one_name_are_refused(tmp_path):
    agreed, words = tmp_path / "agreed.toml", []
    text = AGREED + "".join(AGENCY.format(name=name) for name in "abcd") + NAMESPACE
    same = f'id = "{print_id(bytes(16))}"\n'
    both = text.replace('name = "a"', f'name = "a"\n{same}').replace(
        'name = "c"', f'name = "c"\n{same}'
    )
    for wrong in (both, text + NAMESPACE):
        agreed.write_text(wrong)
        words += [Desk(tmp_path).refused("network", "template", agreed, "--out", tmp_path / "t")]
    assert "a and c have the same id" in words[0][1]["message"]
    assert "namespaces: two are called 'person.number'" in words[1][1]["message"]


def test_parameters_may_be_lists_and_days(tmp_path):
    text = AGREED.replace("received_days = 3", "holidays = [2026-01-01, 2026-04-30]")
    agencies = "".join(AGENCY.format(name=name) for name in "abcd")
    template = parse_template(agreed_template(tmp_path, text + agencies + NAMESPACE).read_bytes())
    assert template.parameters == {"holidays": ("2026-01-01", "2026-04-30")}


@pytest.fixture
def founder(ceremony, tmp_path):
    """The home folder of the agency a, with its keys and the merged genesis."""
    folder, template, parts = ceremony
    home = Desk(tmp_path / "home")
    shutil.copytree(folder / "home-a" / "keys", home.home / "keys")
    home.ask("network", "merge", template, *parts.values())
    return home


def node_words(folder, *more):
    return ("network", "node", folder, "--agency", "a", "--unencrypted", *more)


def test_the_home_of_a_founders_node_is_all_that_a_node_needs(founder, tmp_path):
    folder = tmp_path / "node"
    founder.ask(*node_words(folder, "--dry-run"))
    assert not folder.exists()
    shown = founder.run(*node_words(folder))
    assert "first start of a new network only" in shown.stdout
    config = load_config(folder)
    assert (config.name, str(config.peer), str(config.private)) == (
        "a", "0.0.0.0:7400", "127.0.0.1:7402",
    )  # fmt: skip
    agencies = parse_genesis((folder / "genesis.civreg").read_bytes()).template.agencies
    assert config.agency in {agency.agency_id for agency in agencies}
    keys = {path.name for path in (folder / "keys").iterdir()}
    assert keys == {f"{name}.pem" for name in SERVICES} | {"tag.secret"}
    assert founder.ask("node", "doctor", folder)[0]["level"] == "ok"


def test_a_node_listens_where_it_is_told(founder, tmp_path):
    words = node_words(tmp_path / "node", "--listen", "127.0.0.1", "--peer-port", "9000")
    (made,) = founder.ask(*words)
    assert (made["peer"], made["public"], made["private"]) == (
        "127.0.0.1:9000", "127.0.0.1:9001", "127.0.0.1:9002",
    )  # fmt: skip


@pytest.mark.parametrize("beside", [True, False], ids=["beside", "in the home folder"])
@pytest.mark.parametrize("damaged", [True, False], ids=["damaged", "whole"])
def test_a_consensus_key_gets_no_second_home(founder, tmp_path, beside, damaged):
    first = (tmp_path if beside else founder.home) / "first"
    founder.ask(*node_words(first))
    if damaged:
        (first / "data" / "guard").write_bytes(b"?")
    status, error = founder.refused(*node_words(tmp_path / "second"))
    assert (status, error["code"]) == (ExitCode.CONFLICT, "cli.consensus_key_used")
    assert error["details"]["name"] == str(first)
    assert not (tmp_path / "second").exists()


def test_the_home_of_another_agency_beside_it_is_no_hindrance(founder, ceremony, tmp_path):
    folder, _template, _parts = ceremony
    other = Desk(tmp_path / "other")
    shutil.copytree(folder / "home-b" / "keys", other.home / "keys")
    shutil.copy(founder.home / "genesis.civreg", other.home)
    other.ask("network", "node", tmp_path / "node-b", "--agency", "b", "--unencrypted")
    founder.ask(*node_words(tmp_path / "node-a"))


def test_a_folder_with_something_in_it_becomes_no_node(founder, tmp_path):
    folder = tmp_path / "node"
    folder.mkdir()
    (folder / "config.toml").write_text("version = 1")
    status, error = founder.refused(*node_words(folder))
    assert (status, error["code"]) == (ExitCode.CONFLICT, "cli.file_exists")


def test_the_service_keys_that_are_missing_are_named(founder, tmp_path):
    for name in ("seal", "peer"):
        (founder.home / "keys" / f"a-{name}.pem").unlink()
    status, error = founder.refused(*node_words(tmp_path / "node"))
    assert (status, error["code"]) == (ExitCode.KEY_NEEDED, "cli.service_keys_missing")
    assert error["details"] == {"agency": "a", "names": "peer, seal"}
    assert not (tmp_path / "node").exists()


def test_a_home_without_genesis_and_an_agency_that_did_not_found_are_refused(founder, tmp_path):
    status, error = Desk(tmp_path / "empty").refused(*node_words(tmp_path / "node"))
    assert (status, error["code"]) == (ExitCode.NOT_FOUND, "cli.not_found")
    assert "no genesis.civreg" in error["message"]
    words = ("network", "node", tmp_path / "node", "--agency", "z", "--unencrypted")
    status, error = founder.refused(*words)
    assert (status, error["details"]) == (ExitCode.NOT_FOUND, {"name": "z"})


def test_an_agency_without_a_validator_has_a_node_without_consensus_key_and_guard(
    ceremony, tmp_path
):
    folder, _template, _parts = ceremony
    agencies = [AGENCY.format(name=name) for name in "abcde"]
    agencies[0] = agencies[0].replace("weight = 1", "weight = 0")
    template = agreed_template(tmp_path, AGREED + "".join(agencies) + NAMESPACE)
    shutil.copytree(folder, tmp_path / "homes", ignore=shutil.ignore_patterns("*.part"))
    own = tmp_path / "homes" / "a.toml"
    own.write_text(own.read_text().replace('consensus = "a-consensus"\n', ""))
    parts = [tmp_path / f"{name}.part" for name in "abcd"]
    for name, out in zip("abcd", parts, strict=True):
        words = (template, tmp_path / "homes" / f"{name}.toml", "--sign", f"{name}-govern")
        Desk(tmp_path / "homes" / f"home-{name}").ask("network", "part", *words, "--out", out)
    parts.append(own_part(tmp_path, template, "e"))
    home = Desk(tmp_path / "homes" / "home-a")
    home.ask("network", "merge", template, *parts)
    home.ask(*node_words(tmp_path / "node"))
    assert not (tmp_path / "node" / "data" / "guard").exists()
    assert home.ask("node", "doctor", tmp_path / "node")[0]["level"] == "ok"


@pytest.mark.slow
def test_keys_with_a_passphrase_keep_one_in_the_nodes_home(founder, tmp_path):
    passphrase = tmp_path / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text("one for all\n")
    words = ("--new-passphrase-file", passphrase)
    founder.ask("key", "change-passphrase", "a-tag", *words, "--yes")
    status, _error = founder.refused("network", "node", tmp_path / "node", "--agency", "a")
    assert status == ExitCode.KEY_NEEDED
    founder.ask(
        "network", "node", tmp_path / "node", "--agency", "a", "--passphrase-file", passphrase
    )
    keys = (tmp_path / "node" / "keys").glob("*.pem")
    assert all(b"ENCRYPTED" in path.read_bytes() for path in keys)
    assert founder.ask("node", "doctor", tmp_path / "node")[0]["level"] == "ok"


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
