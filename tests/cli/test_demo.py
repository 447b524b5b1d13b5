"""The demonstration end to end: its numbers, crashes at any moment, and no word about a person."""

import json
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import plyvel
import pytest

import cli.demo
from cli.client import Call
from cli.demo import play, steps
from cli.development_agencies import AGENCIES
from cli.errors import NoNetworkError
from cli.exit_codes import ExitCode
from cli.local_nodes import LocalNodes
from cli.output import Context
from ledger.database_rows import scan_rows
from ledger.store import ChainStore
from tests.cli.conftest import Desk
from tests.cli.test_import import deed, register, write_register

pytestmark = pytest.mark.slow

BIRTHS = 12
NODES = [plan.name for plan in AGENCIES[:4]]
KEYS = {
    "nodes", "births", "identities", "titles", "transfers", "refused", "killed_node_caught_up",
    "state_roots_equal", "receipt_verified", "audit", "entries", "blocks", "seconds",
}  # fmt: skip
REFUSED = {"registry.replayed": 4, "registry.signer_wrong": 4, "registry.stale_version": 8}


def check(tally, births=BIRTHS):
    """What every demonstration must give, whatever was killed in it."""
    assert tally.births == births
    assert tally.identities > births
    assert tally.titles >= 4
    own = tally.register
    sold, before = (tally.titles, 0) if own is None else (min(4, own.titles), own.transfers)
    assert tally.transfers == before + sold + (sold + 1) // 2 + 1
    assert dict(tally.refused) == REFUSED
    assert tally.caught_up
    assert tally.roots_equal
    assert tally.receipt_verified
    assert tally.audit == "ok"


def test_the_last_line_of_the_json_is_one_object_with_all_figures(tmp_path):
    shown = Desk(tmp_path).run(
        "demo", "--json", "--births", BIRTHS, "--dir", tmp_path / "stage", "--kill", "justice"
    )
    assert shown.exit_code == 0, shown.stderr
    said = json.loads(shown.stdout.splitlines()[-1])
    assert set(said) >= KEYS
    assert (said["nodes"], said["births"], said["refused"]) == (4, BIRTHS, REFUSED)
    assert said["killed_node"] == "justice"
    assert said["killed_node_caught_up"]
    assert said["state_roots_equal"]
    assert said["receipt_verified"]
    assert said["audit"] == "ok"
    for name in range(4):
        with ChainStore.open(tmp_path / "stage" / f"node-{name}" / "data", read_only=True) as store:
            assert store.height == said["blocks"]
            assert store.tip.log.size == said["entries"]


def number_in_register(record):
    """The number that a title had in the register it was taken over from."""
    legacy = record.member["legacy"]
    assert isinstance(legacy, dict)
    return legacy["id"]


# --- the user's own land file ---------------------------------------------------------------------


def test_with_an_own_register_all_titles_come_from_it_and_it_is_those_that_are_sold(tmp_path):
    """Six places, two of them sold twice more, one row that is wrong; plain counts agree."""
    file, stage = tmp_path / "mine.csv", tmp_path / "stage"
    rows = register("demo", 6)
    wrong = {**deed(random.Random(1), 77, "2022-04-01"), "district": "ATLANTIS"}
    write_register(file, [*rows, wrong])
    shown = Desk(tmp_path).run(
        "demo", "--json", "--births", BIRTHS, "--dir", stage, "--data", file
    )  # fmt: skip
    assert shown.exit_code == 0, shown.stderr
    said = json.loads(shown.stdout.splitlines()[-1])
    assert said["register"] == {
        "file": str(file), "records": 11, "titles": 6, "transfers": 4, "owners": 10,
        "problems": 1, "report": str(stage / "import.errors.csv"),
    }  # fmt: skip
    assert (said["titles"], said["transfers"]) == (6, 4 + 4 + 2 + 1)
    assert said["refused"] == REFUSED
    assert said["audit"] == "ok"
    assert "ATLANTIS" in (stage / "import.errors.csv").read_text(encoding="utf-8")
    legacy: set[str] = set()
    kinds: Counter[str] = Counter()
    with ChainStore.open(stage / "node-0" / "data", read_only=True) as store:
        for height in range(1, store.height + 1):
            for index in range(store.header(height).entries_count):
                entry = store.entry(height, index)
                kinds[entry.head.kind] += 1
                if entry.head.type_name == "land_title" and entry.records:
                    legacy.add(number_in_register(entry.records[0]))
    firsts = {row["unique_id"] for row in rows if row["deed_date"] == "2022-03-01"}
    assert legacy == firsts, "every title, sold or not, is one of the file"
    assert kinds["land_title/import_legacy"] == 6
    assert kinds["land_title/transfer"] == said["transfers"]


@pytest.mark.parametrize("language", ["en", "vi"])
def test_a_register_of_which_nothing_can_come_in_is_refused_before_any_node_runs(
    language, tmp_path, monkeypatch
):
    """Invariant: each refusal names line, column, value and remedy, in the person's language."""
    monkeypatch.setattr(LocalNodes, "start_all", lambda _nodes: pytest.fail("a node was started"))
    good = deed(random.Random(2), 1, "2022-04-01")
    cases = {
        "header": (None, "line 1, column unique_id, value 'id;price'", "--map"),
        "empty": (None, "line 1, whole line, value -: the file has no record", ""),
        "none": ([], "line 2, whole line, value -: the file has no record", ""),
        "date": (
            [{**good, "deed_date": "1 April"}],
            "line 2, column deed_date, value '1 April'",
            "2022-02-25",
        ),
    }  # fmt: skip
    for name, (rows, sentence, remedy) in cases.items():
        file, stage = tmp_path / f"{name}.csv", tmp_path / f"{language}-{name}"
        if rows is None:
            file.write_text("id;price\n1;2\n" if name == "header" else "", encoding="utf-8")
        else:
            write_register(file, rows)
        status, error = Desk(tmp_path).refused(
            "--lang", language, "demo", "--dir", stage, "--data", file
        )
        assert (status, error["code"]) == (6, "cli.register_unusable"), name
        (problem,) = error["problems"]
        assert remedy in problem
        if language == "en":
            assert problem.startswith(sentence)
        else:
            assert "cách sửa: " in problem


def test_a_mapping_for_something_else_than_land_is_refused(tmp_path):
    file = tmp_path / "births.csv"
    file.touch()
    status, error = Desk(tmp_path).refused(
        "demo", "--dir", tmp_path / "stage", "--data", file, "--map", "births"
    )
    assert (status, error["code"]) == (6, "cli.invalid_input")


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / "mine.txt").touch()
    status, error = Desk(tmp_path).refused("demo", "--dir", tmp_path)
    assert (status, error["code"]) == (7, "cli.file_exists")


def test_a_victim_that_is_no_node_is_refused(tmp_path):
    status, error = Desk(tmp_path).refused("demo", "--dir", tmp_path / "stage", "--kill", "nobody")
    assert (status, error["code"]) == (3, "cli.not_found")


@pytest.mark.parametrize("victim", NODES)
def test_a_node_that_is_killed_at_any_moment_loses_nothing(victim, tmp_path, monkeypatch):
    """The victim dies after a random number of committed blocks, on top of the crash in the play.

    Whatever was answered as committed is in all four chains, or the play's own checks would fail.
    """
    dice = random.Random(f"{victim} {tmp_path}")
    after_blocks = dice.randrange(1, 14)
    other = NODES[(NODES.index(victim) + 1) % 4]
    original = LocalNodes.start_all
    crashed = threading.Event()
    done = threading.Event()

    def start_all(nodes):
        original(nodes)

        def crash():
            while not done.wait(0.02):
                if (nodes.height(victim) or 0) >= after_blocks:
                    nodes.crash(victim)
                    crashed.set()
                    done.wait()  # A node is told to stop when the thread that started it ends.

        threading.Thread(target=crash, daemon=True).start()

    monkeypatch.setattr(LocalNodes, "start_all", start_all)
    try:
        tally = play(Context(as_json=True), tmp_path / "stage", births=BIRTHS, victim=other)
    finally:
        done.set()
    assert crashed.is_set(), f"never reached block {after_blocks}"
    check(tally)


def test_who_waits_while_a_node_crashes_does_not_take_it_for_gone(tmp_path, monkeypatch):
    place = SimpleNamespace(agency="bank", address="", home=tmp_path)
    network = SimpleNamespace(nodes=[place], node_of=lambda _agency: place)
    sleeper = (sys.executable, "-c", "import time; time.sleep(60)")
    start = LocalNodes.start
    with LocalNodes(cast("Any", network), cast("Any", None), sleeper) as nodes:
        nodes.start("bank")

        def start_late(nodes, agency):
            time.sleep(0.3)
            start(nodes, agency)

        monkeypatch.setattr(LocalNodes, "start", start_late)
        crashed, done = threading.Event(), threading.Event()

        def crash():
            nodes.crash("bank")
            crashed.set()
            done.wait()  # A node is told to stop when the thread that started it ends.

        threading.Thread(target=crash, daemon=True).start()
        nodes._wait(crashed.is_set, "bank", 30)
        assert nodes.is_running("bank")
        nodes.kill("bank")
        with pytest.raises(NoNetworkError, match="ended with -9"):
            nodes.wait_for_height("bank", 1, 30)
        done.set()


# --- privacy --------------------------------------------------------------------------------------

PLANTED = "TỪ-KHÓA-KIỂM-CHỨNG-7f3a"


class Search:
    """Looks for words in every byte that nodes left: files, LevelDB values, metrics."""

    def __init__(self, folders):
        self.pieces = list(self._pieces(folders))

    def _pieces(self, folders):
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    yield str(path), path.read_bytes()
            for current in sorted(folder.rglob("CURRENT")):
                yield from self._database(current.parent)

    @staticmethod
    def _database(path: Path):
        """The values as they are before compression; what LevelDB deleted is in the raw files."""
        database = plyvel.DB(str(path))
        try:
            for key, value in scan_rows(database):
                yield f"{path} {key[:24]!r}", key + b"\x00" + value
        finally:
            database.close()

    def find(self, words):
        """Return the words that stand somewhere, with a place of each."""
        found: dict[str, str] = {}
        wanted = [word.encode() for word in words]
        pattern = re.compile(b"|".join(re.escape(word) for word in wanted))
        for place, raw in self.pieces:
            for hit in pattern.findall(raw):
                found.setdefault(hit.decode(), place)
        return found


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A finished demonstration: its folder, everybody in it, the metrics of its nodes."""
    folder = tmp_path_factory.mktemp("privacy") / "stage"
    people = []
    metrics = folder / "node-0" / "metrics.txt"

    def look(scene):
        people.extend(scene.maker.made)
        text = []
        for place in scene.actor.network.nodes:
            ports = json.loads((place.home / "run" / "ports.json").read_text())
            for path in ("/metrics", "/status"):
                call = Call(address=f"http://127.0.0.1:{ports['private']}", path=path)
                text.append(scene.actor.client.send(call).body.decode())
        metrics.write_text("\n".join(text), encoding="utf-8")

    look.__name__ = "compare_roots"  # The title under which the play announces it.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli.demo, "steps", lambda register: [*steps(register), look])
        check(play(Context(as_json=True), folder, births=BIRTHS, victim="land"))
    return folder, people, metrics


def test_no_name_number_or_address_is_in_any_file_log_or_metric_of_a_node(played):
    """Invariant: whatever went in about a person is on the nodes only as ciphertext."""
    folder, people, metrics = played
    assert metrics.read_text(encoding="utf-8").count("civreg_") > 20
    words = set()
    for person in people:
        words |= {person.full_name, person.number, person.street, person.phone, person.email}
        words |= {f"{person.middle} {person.given}", person.home_town}
    search = Search([folder / f"node-{number}" for number in range(4)])
    assert len(people) > 2 * BIRTHS
    assert search.find(words) == {}


def test_the_search_does_find_what_is_there(played, tmp_path):
    """Positive control: a planted word in a file and in a database, and a word of the ledger."""
    folder, _people, _metrics = played
    nodes = [folder / f"node-{number}" for number in range(4)]
    (tmp_path / "planted.log").write_text(f"x {PLANTED} y", encoding="utf-8")
    database = plyvel.DB(str(tmp_path / "db"), create_if_missing=True)
    database.put(b"planted", f"{PLANTED}-2 ".encode() * 50)
    database.close()
    search = Search([*nodes, tmp_path])
    assert set(search.find([PLANTED, f"{PLANTED}-2"])) == {PLANTED}
    assert set(search.find([f"{PLANTED}-2"])) == {f"{PLANTED}-2"}
    assert set(search.find(["DC 000001", "committed", "identity/enrol_key"])) == {
        "DC 000001", "committed", "identity/enrol_key",
    }  # fmt: skip


# --- Ctrl-C ---------------------------------------------------------------------------------------


def nodes_of(folder):
    """Return the processes that run a node of a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if any(word.startswith(f"{folder}/node-") for word in words):
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_node_outlives_the_demonstration(number, tmp_path):
    """Ctrl-C ends it with status 9; even after SIGKILL the nodes are told to stop."""
    # The background job of a shell ignores Ctrl-C, and what it starts inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = tmp_path / "stage"
    command = [sys.executable, "-m", "cli.main", "demo", "--births", "12", "--dir", str(folder)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while len(nodes_of(folder)) < len(NODES):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    status = process.wait(60)
    assert number == signal.SIGKILL or status == ExitCode.CANCELLED
    until_s = time.monotonic() + 60
    while nodes_of(folder):
        assert time.monotonic() < until_s, "a node is still running"
        time.sleep(0.05)
