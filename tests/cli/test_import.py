"""Imports into four running nodes: once and for all, after a kill too; plain counts agree."""

import csv
import json
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing

import pytest

from cli.client import Client
from cli.development import DEMONSTRATION_UNITS, Wish, make_development
from cli.local_nodes import LocalNodes
from ledger.store import ChainStore
from tests.cli.conftest import Desk

pytestmark = pytest.mark.slow

COLUMNS = (
    "unique_id", "price_paid", "deed_date", "postcode", "property_type", "new_build",
    "estate_type", "saon", "paon", "street", "locality", "town", "district", "county",
    "transaction_category", "linked_data_uri",
)  # fmt: skip
BIRTH_COLUMNS = (
    "number", "family", "middle", "given", "sex", "birth_date", "place_unit", "place_detail",
    "ethnicity", "nationality", "home_town", "residence", "mother", "mother_birth_year", "father",
    "father_birth_year",
)  # fmt: skip
LAND = ("--type", "land_title", "--map", "hmlr_price_paid")
KILL_AFTER_DEEDS = 48


class Town:
    """A network whose nodes can be stopped, to look at what they stored."""

    def __init__(self, network, nodes):
        self.network = network
        self.nodes = nodes
        self.desk = Desk(network.folder)

    def land(self, file, source, *words):
        """Import a land register; return exit status and result."""
        report = file.with_suffix(".report")
        shown = self.desk.run(
            "import", file, *LAND, "--source", source, "--report", report, "--yes", "--json", *words
        )
        assert shown.exit_code in {0, 6}, shown.stderr
        return shown.exit_code, json.loads(shown.stdout.splitlines()[-1]), report

    def kinds(self, number):
        """Count what stands in the chain of one node, by kind of entry."""
        self.nodes.stop_all()
        found: Counter[str] = Counter()
        with ChainStore.open(
            self.network.folder / f"node-{number}" / "data", read_only=True
        ) as store:
            for height in range(1, store.height + 1):
                for index in range(store.header(height).entries_count):
                    found[store.entry(height, index).head.kind] += 1
        self.nodes.start_all()
        return found


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    folder = tmp_path_factory.mktemp("foreign") / "net"
    wish = Wish(
        name="foreign",
        nodes=4,
        time_ms=time.time_ns() // 1_000_000,
        unit_table=DEMONSTRATION_UNITS,
    )
    made, _genesis = make_development(folder, wish)
    with Client(made.network_id) as client, LocalNodes(made, client) as nodes:
        nodes.start_all()
        yield Town(made, nodes)


def deed(dice, place, day):
    digits = f"{dice.randrange(16**32):032X}"
    name = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    return {
        "unique_id": name, "price_paid": str(100_000 + dice.randrange(400_000)), "deed_date": day,
        "postcode": f"ZZ{place % 90 + 1} 9ZZ", "property_type": "T", "new_build": "N",
        "estate_type": "FL"[place % 2], "saon": "", "paon": str(place), "street": "NO SUCH LANE",
        "locality": "", "town": "NOWHERE", "district": "GATESHEAD", "county": "TYNE AND WEAR",
        "transaction_category": "A", "linked_data_uri": f"http://example.invalid/{name}",
    }  # fmt: skip


def write_register(path, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(COLUMNS) + "\n")
        writer = csv.DictWriter(file, COLUMNS, quoting=csv.QUOTE_ALL)
        writer.writerows(rows)


def register(seed, places):
    """Rows of which every fifth place is sold twice more."""
    dice = random.Random(seed)
    rows = []
    for place in range(places):
        rows.append(deed(dice, place, "2022-03-01"))
        if place % 5 == 0:
            rows += [deed(dice, place, "2022-05-01"), deed(dice, place, "2022-06-01")]
    dice.shuffle(rows)
    return rows


def test_a_register_comes_in_once_however_often_it_is_imported(town, tmp_path):
    path = tmp_path / "register.csv"
    write_register(path, register("once", 20))
    before = town.kinds(3)
    status, first, _report = town.land(path, "once")
    assert (status, first["firsts_new"], first["laters_new"], first["owners_new"]) == (0, 20, 8, 28)
    status, again, _report = town.land(path, "once")
    assert (status, again["firsts_new"], again["laters_new"], again["owners_new"]) == (0, 0, 0, 0)
    assert (again["firsts_registered"], again["laters_registered"]) == (20, 8)
    stored = town.kinds(3) - before
    assert stored["land_title/import_legacy"] == 20
    assert stored["land_title/transfer"] == 8
    assert stored["identity/create"] == 28


def test_another_program_without_the_journal_registers_nothing_twice(town, tmp_path):
    """Invariant: the ledger knows what it has, whoever lost a journal."""
    path = tmp_path / "register.csv"
    rows = [row for row in register("journal", 8) if row["deed_date"] == "2022-03-01"]
    write_register(path, rows)
    town.land(path, "journal")
    for journal in (town.network.folder / "imports").glob("*journal*"):
        journal.unlink()
    _status, again, _report = town.land(path, "journal")
    assert (again["firsts_new"], again["known_before"]) == (0, 8)


def test_a_bad_row_is_reported_mended_and_comes_in_alone(town, tmp_path):
    path = tmp_path / "register.csv"
    rows = register("mended", 6)
    good = [row["unique_id"] for row in rows]
    rows[0] = {**rows[0], "deed_date": "1 March 2022"}
    write_register(path, rows)
    status, first, report = town.land(path, "mended")
    assert status == 6
    with report.open(encoding="utf-8", newline="") as file:
        reported = list(csv.DictReader(file))
    assert ("deed_date", "1 March 2022") in [(one["column"], one["value"]) for one in reported]
    assert first["firsts_new"] + first["laters_new"] + len(reported) == len(rows)
    rows[0] = {**rows[0], "deed_date": "2022-03-01"}
    write_register(path, rows)
    status, second, _report = town.land(path, "mended")
    assert status == 0
    assert second["firsts_registered"] + second["laters_registered"] == len(good)


def test_what_is_wrong_with_a_file_is_said_at_once_in_both_languages(town, tmp_path):
    """A trial sends nothing, says the first problems and writes all of them."""
    path = tmp_path / "register.csv"
    rows = register("wrong", 8)
    for number in range(7):
        rows[number] = {**rows[number], "price_paid": f"{number} pounds"}
    write_register(path, rows)
    report = tmp_path / "all.csv"
    for lang, words in (
        ("en", ("column price_paid, value '0 pounds': must be a whole number", "... and ")),
        ("vi", ("cột price_paid, giá trị '0 pounds': phải là số nguyên", "vấn đề nữa")),
    ):
        shown = town.desk.run("import", path, *LAND, "--dry-run", "--report", report,
                              "--lang", lang)  # fmt: skip
        assert shown.exit_code == 6
        assert [word for word in words if word not in shown.stdout] == []
        assert words[0].partition(": ")[2] in report.read_text(encoding="utf-8")


def test_a_report_is_for_its_owner_and_a_trial_writes_none_unless_asked(
    town, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "register.csv"
    rows = register("quiet", 2)
    rows[0] = {**rows[0], "price_paid": "cheap"}
    write_register(path, rows)
    report = tmp_path / "register.csv.errors.csv"
    shown = town.desk.run("import", path, *LAND, "--dry-run")
    assert shown.exit_code == 6
    assert "--report FILE" in shown.stdout
    assert not report.exists()
    report.write_text("mine")
    report.chmod(0o644)
    shown = town.desk.run("import", path, *LAND, "--dry-run", "--json")
    assert json.loads(shown.stdout)["report"] is None
    assert report.read_text() == "mine"
    for words in (("--dry-run", "--report", report), ("--source", "quiet", "--yes")):
        report.chmod(0o644)
        assert town.desk.run("import", path, *LAND, *words).exit_code == 6
        assert "cheap" in report.read_text(encoding="utf-8")
        assert stat.S_IMODE(report.stat().st_mode) == 0o600


def test_a_killed_import_is_resumed_without_a_double_registration(town, tmp_path):
    path = tmp_path / "register.csv"
    rows = register("killed", 120)
    write_register(path, rows)
    before = town.kinds(2)
    folder = town.network.folder
    words = ["import", path, *LAND, "--source", "killed", "--yes"]
    command = [sys.executable, "-m", "cli.main", "--home", folder, *words]
    process = subprocess.Popen([str(word) for word in command], stderr=subprocess.DEVNULL)
    try:
        wait_for_deeds(folder, "killed", process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    status, error = town.desk.refused(*words)
    assert (status, error["code"]) == (7, "cli.import_unfinished")
    status, said, _report = town.land(path, "killed", "--resume")
    assert (status, said["firsts_registered"], said["laters_registered"]) == (0, 120, 48)
    assert said["firsts_new"] < 120, "the kill came before anything was registered"
    stored = town.kinds(2) - before
    assert stored["land_title/import_legacy"] == 120
    assert stored["land_title/transfer"] == 48
    assert stored["identity/create"] == len(rows)


def test_an_import_stopped_by_ctrl_c_says_how_it_goes_on_and_nothing_else(town, tmp_path):
    path = tmp_path / "register.csv"
    write_register(path, register("stopped", 120))
    words = ["import", path, *LAND, "--source", "stopped", "--yes"]
    command = [sys.executable, "-m", "cli.main", "--home", town.network.folder, *words, "--json"]
    process = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for_deeds(town.network.folder, "stopped", process)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (8, "")
    (line,) = stderr.splitlines()
    error = json.loads(line)["error"]
    assert error["code"] == "cli.import_stopped"
    assert error["details"]["under_way"] > 0
    assert "--resume" in error["hint"]
    status, said, _report = town.land(path, "stopped", "--resume")
    assert (status, said["firsts_registered"], said["laters_registered"]) == (0, 120, 48)


def wait_for_deeds(folder, source, process):
    """Wait until the journal holds some committed deeds, and more are under way."""
    while process.poll() is None:
        for path in (folder / "imports").glob(f"*-{source}.sqlite"):
            with closing(sqlite3.connect(path)) as journal:
                query = "SELECT count(*) FROM steps WHERE step = 'deed' AND status = 'committed'"
                try:
                    (count,) = journal.execute(query).fetchone()
                except sqlite3.OperationalError:
                    count = 0
            if count >= KILL_AFTER_DEEDS:
                return
        time.sleep(0.02)
    raise AssertionError("the import ended before it could be killed")


def write_births(path, rows):
    """Write births by their numbers, each with what differs from a good one."""
    good = ("", "Nguyễn", "Thị", "Hoa", "Nữ", "2026-01-11", "00070", "Trạm y tế", "01", "VN",
            "Thôn Đông", "Thôn Đông", "Lê Thị Mai", "1996", "", "")  # fmt: skip
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, BIRTH_COLUMNS)
        writer.writeheader()
        for number, other in rows.items():
            whole = dict(zip(BIRTH_COLUMNS, good, strict=True))
            writer.writerow(whole | {"number": number, **other})


def test_births_come_in_from_a_file(town, tmp_path):
    path = tmp_path / "births.csv"
    write_births(path, {"1/2026": {}, "2/2026": {"birth_date": "2026-02-11"},
                        "3/2026": {"place_unit": "99999"}})  # fmt: skip
    before = town.kinds(1)
    report = tmp_path / "report.csv"
    words = ("import", path, "--type", "birth", "--map", "births", "--report", report, "--yes")
    shown = town.desk.run(*words)
    assert shown.exit_code == 6, shown.stderr
    with report.open(encoding="utf-8", newline="") as file:
        (problem,) = csv.DictReader(file)
    assert (problem["line"], problem["column"], problem["value"]) == ("4", "place_unit", "99999")
    assert (town.kinds(1) - before)["birth/import_legacy"] == 2


def test_births_of_a_lost_journal_are_known_by_their_old_numbers(town, tmp_path):
    """A number is claimed in one spelling, without slashes: so it must be looked for."""
    path = tmp_path / "lost.csv"
    write_births(path, {"1/O-l": {}, "02/L": {}})
    words = ("import", path, "--type", "birth", "--map", "births", "--source", "lost", "--yes")
    town.desk.ask(*words)
    for journal in (town.network.folder / "imports").glob("*-lost.*"):
        journal.unlink()
    (again,) = town.desk.ask(*words)
    assert (again["firsts_new"], again["known_before"], again["problems"]) == (0, 2, 0)


def test_rows_come_in_under_another_source_name_only_if_somebody_insists(town, tmp_path):
    """Known by the journal row by row, and by the ledger where the journal is lost."""
    path, longer = tmp_path / "named.csv", tmp_path / "longer.csv"
    rows: dict[str, dict[str, str]] = {"1/N": {}, "2/N": {}}
    write_births(path, rows)
    write_births(longer, {"9/N": {"given": "Mai"}, **rows})
    words = ("--type", "birth", "--map", "births", "--yes")
    town.desk.ask("import", path, *words, "--source", "named")
    for file in (path, longer):
        status, error = town.desk.refused("import", file, *words, "--source", "renamed")
        assert (status, error["code"]) == (7, "cli.import_elsewhere")
        assert error["details"] == {"source": "named", "count": 2}
        assert "--source named" in error["hint"]
    for journal in (town.network.folder / "imports").glob("*-named.*"):
        journal.unlink()
    status, error = town.desk.refused("import", path, *words, "--source", "renamed")
    assert error["details"] == {"source": "named", "count": 2}
    (said,) = town.desk.ask("import", path, *words, "--source", "renamed", "--again")
    assert (said["firsts_new"], said["known_before"]) == (2, 0)


def test_a_finished_import_says_that_nothing_was_to_do(town, tmp_path):
    """Also where rows were refused, also with --resume, and nobody is asked for a yes."""
    path = tmp_path / "finished.csv"
    words = ("import", path, "--type", "birth", "--map", "births", "--source", "finished")
    write_births(path, {"1/F": {}, "2/F": {"birth_date": "2099-01-01"}})
    assert town.desk.run(*words, "--report", tmp_path / "r.csv", "--yes").exit_code == 6
    write_births(path, {"1/F": {}})
    for more, sentence in (((), "This import is finished"), (("--lang", "vi"), "đã xong"),
                           (("--resume",), "nothing was to do")):  # fmt: skip
        shown = town.desk.run(*words, *more)
        assert (shown.exit_code, sentence in shown.stdout) == (0, True), shown.stderr
    write_births(path, {"1/F": {}, "2/F": {"place_unit": "99999"}})
    shown = town.desk.run(*words, "--report", tmp_path / "r.csv")
    assert (shown.exit_code, "Nothing was to do: every good row" in shown.stdout) == (6, True)


def test_a_trial_finds_what_the_import_will_find_and_changes_nothing(town, tmp_path):
    """Invariant: the reports of trial and import are the same, row for row."""
    births, land = tmp_path / "tried.csv", tmp_path / "tried-land.csv"
    write_births(births, {"1/T": {}, "2/T": {"birth_date": "2099-01-01"}, "3/T": {"given": "X1"},
                          "4/T": {"place_unit": "99999"}})  # fmt: skip
    rows = register("tried", 6)
    late = next(row for row in rows if row["deed_date"] == "2022-05-01")
    late["deed_date"] = "2099-05-01"
    write_register(land, rows)
    for path, kind, passing in ((births, ("--type", "birth", "--map", "births"), 1),
                                (land, LAND, 18)):  # fmt: skip
        words = ("import", path, *kind, "--source", path.stem)
        reports = [tmp_path / "trial.csv", tmp_path / "import.csv"]
        shown = town.desk.run(*words, "--dry-run", "--json", "--report", reports[0])
        assert shown.exit_code == 6, shown.stderr
        trial = json.loads(shown.stdout)["trial"]
        assert (trial["result"], trial["entries"], trial["numbers_tried"]) == (
            "tried",
            passing,
            True,
        )
        assert not list((town.network.folder / "imports").glob(f"*-{path.stem}.*"))
        shown = town.desk.run(*words, "--yes", "--json", "--report", reports[1])
        said = json.loads(shown.stdout)
        assert said["owners_new"] + said["firsts_new"] + said["laters_new"] == passing
        before, after = [report.read_text(encoding="utf-8") for report in reports]
        assert before == after
        lines = [int(one["line"]) for one in csv.DictReader(after.splitlines())]
        assert lines == sorted(lines), "whoever mends the file goes through it once"
        assert said["problems"] > 1
        again = json.loads(town.desk.run(*words, "--dry-run", "--json").stdout)["trial"]
        assert again["entries"] == 0
        assert again["known"] == said["firsts_registered"] + said["laters_registered"] > 0


def test_a_trial_says_what_it_could_not_try(town, tmp_path):
    path = tmp_path / "untried.csv"
    write_births(path, {"1/U": {}})
    words = ("import", path, "--type", "birth", "--map", "births", "--dry-run")
    shown = town.desk.run(*words)
    assert "Not tried: the signatures" in shown.stdout
    town.desk.ask("network", "home", tmp_path / "clerk", "--officer", "justice-1")
    shown = Desk(tmp_path / "clerk").run(*words)
    assert (shown.exit_code, "NOT tried, for the keys" in shown.stdout) == (0, True)
    town.nodes.stop_all()
    try:
        shown = town.desk.run(*words, "--lang", "vi")
    finally:
        town.nodes.start_all()
    assert (shown.exit_code, "CHƯA thử" in shown.stdout) == (0, True)


def test_rows_that_the_rules_refuse_are_reported_as_fully_as_malformed_ones(town, tmp_path):
    """At the door of a node, or before anything is sent; the others come in."""
    path, report = tmp_path / "refused.csv", tmp_path / "report.csv"
    write_births(path, {"1/R": {}, "2/R": {"birth_date": "2099-01-01"}, "3/R": {"given": "X1"}})
    words = ("import", path, "--type", "birth", "--map", "births", "--source", "refused",
             "--report", report, "--yes")  # fmt: skip
    for _run in range(2):
        assert town.desk.run(*words).exit_code == 6
        with report.open(encoding="utf-8", newline="") as file:
            late, name = csv.DictReader(file)
        assert [late[at] for at in ("line", "row", "column", "value")] == [
            "3", "2", "birth_date", "2099-01-01",
        ]  # fmt: skip
        assert "[registry.date_order]" in late["problem"]
        assert (name["row"], name["column"], name["value"]) == ("3", "given", "X1")
        assert "name_letters]" in name["problem"]
        assert all(one["fix"] and one["text"].startswith(one["row"]) for one in (late, name))


def test_newcastle_gives_the_numbers_of_a_plain_count(town, data_folder):
    """Two runs, one result; the network has as many titles and transfers as the file."""
    path = data_folder / "land" / "hmlr_ppd_newcastle_2022.csv"
    with path.open(newline="") as file:
        keys = Counter(
            (row["postcode"], row["saon"], row["paon"], row["street"], row["estate_type"])
            for row in csv.DictReader(file)
        )
    titles, transfers = len(keys), sum(keys.values()) - len(keys)
    before = town.kinds(0)
    words = ("import", path, *LAND, "--source", "newcastle", "--yes")
    for _run in range(2):
        (said,) = town.desk.ask(*words)
        assert (said["firsts_registered"], said["laters_registered"]) == (titles, transfers)
        stored = town.kinds(0) - before
        assert stored["land_title/import_legacy"] == titles
        assert stored["land_title/transfer"] == transfers
