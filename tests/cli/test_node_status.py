"""`civreg node status` and `node doctor`: what an operator reads, in both languages."""

import copy
import json
import os
import re
import time

import pytest

from cli.exit_codes import ExitCode
from cli.health_checks import LOG_AGE_WARN_S
from cli.languages import LANGUAGES
from cli.node_status import status_lines
from cli.output import Context
from node.config import load_config
from node.machine_findings import check_disk
from node.network_findings import check_votes
from node.storage import load_genesis, open_storage
from tests.cli.conftest import Desk

PEER = {
    "agency": "ab" * 16, "name": "Sở Địa chính", "validator": True, "failures": 0,
    "last_error": "", "sent": 9, "queued": {}, "dropped": {}, "heard_ms": 900, "height": 41,
    "round": -1, "voted_height": 41, "clock_offset_ms": 3, "clock_error_ms": 1, "marks": 0,
    "marks_total": 0, "cut_off_ms": 0, "reason": "",
}  # fmt: skip
SAID = {
    "name": "test", "network_id": "00" * 32, "height": 41, "health": "ok", "node": "node-0",
    "agency": "cd" * 16, "agency_name": "Sở Tư pháp", "block_age_ms": 2_400,
    "consensus": {
        "height": 42, "round": 0, "phase": "prevote", "height_ms": 31_000, "round_ms": 31_000,
        "waits_for": "prevotes", "missing": ["Sở Địa chính"], "weight": 2, "weight_needed": 3,
        "votes": True,
    },
    "sync": {"active": False, "goal": 0}, "peers": [PEER],
    "pool": {
        "entries": 50, "entries_max": 100, "bytes": 0, "bytes_max": 100, "signers": 1,
        "largest_signer_entries": 50,
    },
    "waiting": 0, "clock_skew_ms": -3, "clock_error_ms": 1, "disk_free_bytes": 10 * 1024**3,
    "disk_full_in_s": None, "consensus_log_bytes": 1024, "resident_memory_bytes": 80 * 1024**2,
    "findings": [],
}  # fmt: skip


def shown(language="en", **changed):
    said = {**copy.deepcopy(SAID), **changed}
    return "\n".join(status_lines(said, Context(lang=language)))


@pytest.mark.parametrize("language", LANGUAGES)
def test_whose_vote_a_round_waits_for_is_read_at_a_glance(language):
    text = shown(language)
    assert "Sở Địa chính" in text.splitlines()[1]
    assert "42" in text.splitlines()[1]
    assert len(text.splitlines()) <= 12, "one screen"


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({}, "ok"),
        ({"failures": 2}, "out of touch"),
        ({"heard_ms": 60_000}, "silent"),
        ({"heard_ms": None}, "silent"),
        ({"height": 30}, "11 behind"),
        ({"marks": 1, "reason": "keys.bad_signature"}, "misbehaves (keys.bad_signature)"),
        ({"cut_off_ms": 9_001}, "cut off, 10 s more"),
    ],
)
def test_the_state_of_a_peer_is_one_word(changed, word):
    rows = [line for line in shown(peers=[{**PEER, **changed}]).splitlines() if "Địa" in line]
    assert word in rows[-1]
    vietnamese = shown("vi", peers=[{**PEER, **changed}])
    assert word == "ok" or word not in vietnamese


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_finding_is_shown_with_its_next_action_in_the_language_of_the_reader(language):
    found = check_votes(["Sở Địa chính"], 10)
    assert found is not None
    text = shown(language, findings=[found.to_json()], health="warn")
    at = LANGUAGES.index(language)
    assert found.cause[at] in text
    assert found.cure[at] in text
    assert found.cause[1 - at] not in text


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"sync": {"active": True, "goal": 99}}, "catching up to block 99"),
        ({"consensus": None}, "not begun"),
        ({"consensus": {**SAID["consensus"], "round": -1}}, "waits for entries"),  # type: ignore[dict-item]
        ({"clock_skew_ms": None, "agency_name": None}, "observer"),
        ({"block_age_ms": 3 * 3_600_000}, "3 h old"),
    ],
)
def test_where_the_chain_stands_is_said_in_words(changed, word):
    assert word in shown(**changed)


def test_a_running_node_says_how_it_is_to_people_and_to_programs(desk):
    home = desk.home / "node-0"
    (said,) = desk.ask("node", "status", home)
    assert {"consensus", "peers", "pool", "findings", "clock_skew_ms"} <= set(said)
    assert set(said) >= set(SAID)
    assert len(said["peers"]) == 3
    assert set(said["peers"][0]) == set(PEER)
    people = desk.run("node", "status", home)
    assert said["peers"][0]["name"] in people.stdout
    assert "{" not in people.stdout, "no raw lists"
    assert "{" not in desk.run("--lang", "vi", "node", "status", home).stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A network whose first node has run once."""
    desk = Desk(tmp_path_factory.mktemp("doctor") / "net")
    desk.ask("network", "init", desk.home)
    config = load_config(desk.home / "node-0")
    open_storage(config, load_genesis(config)).close()
    return desk


ENGLISH = re.compile(r"\b(the|is|are|cannot|wanted|missing|readable|others)\b")


def test_the_doctor_speaks_vietnamese_without_a_word_of_english(made):
    home = made.home / "node-1"
    (home / "data" / "guard").unlink()
    (home / "keys" / "seal.pem").chmod(0o644)
    (home / "keys" / "peer.pem").write_bytes(b"no key")
    (home / "keys" / "peer.pem").chmod(0o600)
    spoken = made.run("--lang", "vi", "node", "doctor", home)
    assert spoken.exit_code == ExitCode.FAILED
    assert len(spoken.stdout.splitlines()) >= 6
    assert ENGLISH.findall(spoken.stdout) == []
    (home / "config.toml").write_text('version = 2\nagency = 3\n[listen]\npeer = "x"\nodd = 1\n')
    spoken = made.run("--lang", "vi", "node", "doctor", home)
    assert len(spoken.stdout.splitlines()) == 8, "two lines for each wrong setting"
    assert ENGLISH.findall(spoken.stdout) == []


def test_a_log_that_was_not_written_for_a_week_is_named(made):
    home = made.home / "node-0"
    path = home / "data" / "wal"
    path.write_bytes(b"")
    kept = path.stat()
    assert [one["code"] for one in made.ask("node", "doctor", home)] == ["log_empty"]
    path.unlink()
    config = load_config(home)
    open_storage(config, load_genesis(config)).close()
    before_s = time.time() - LOG_AGE_WARN_S - 5
    os.utime(path, (before_s, before_s))
    (said,) = made.ask("node", "doctor", home)
    assert (said["code"], "7 days" in said["what"]) == ("log_old", True)
    os.utime(path, (kept.st_atime, time.time()))
    assert made.ask("node", "doctor", home) == [{"level": "ok", "stores": "opened", "height": 0}]


def test_a_certificate_that_the_configuration_names_is_watched(made):
    home = made.home / "node-2"
    text = (home / "config.toml").read_text()
    (home / "config.toml").write_text(text + '\n[watch]\ncertificates = ["site.pem"]\n')
    shown = made.run("node", "doctor", home, "--json")
    found = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [one["code"] for one in found] == ["certificate_expiry"]


def test_what_a_running_node_finds_is_in_the_words_of_the_node():
    found = check_disk(0)
    assert found is not None
    text = shown("vi", findings=[found.to_json()], health="bad")
    assert text.splitlines()[0].endswith("HỎNG")
