"""Filling a form by hand: what may be left out, codes, scans, and what is suggested next."""

import shlex
from hashlib import sha256

import pytest

from cli.exit_codes import ExitCode
from cli.output import suggested
from registry.catalogue import table_names
from tests.cli.conftest import Desk

IDENTITY = """
birth_date = 1980-05-06
sex = "male"
nationality = "VN"
residence = "Xã Tân Lập"
[name]
family = "Mẫu"
given = "Điền"
"""
"""Of nobody whom other tests make: a second identity of one person is refused."""
CREATE = ("identity", "create", "-", "--office", "police")


def test_codes_are_found_by_a_word_without_case_or_accents(tmp_path):
    desk = Desk(tmp_path)
    found = desk.ask("codes", "admin_unit", "ba dinh")
    assert [row["code"] for row in found if row["name_vi"] == "Phường Ba Đình"] == ["00004"]
    assert [row["code"] for row in desk.ask("codes", "sex")] == ["male", "female", "undetermined"]
    for words, code in ((("seks",), "cli.not_found"), (("sex", "zzz"), "cli.not_found"),
                        (("sex", "--on", "soon"), "cli.bad_parameter")):  # fmt: skip
        assert desk.refused("codes", *words)[1]["code"] == code


def test_codes_are_told_with_one_blank_between_words_in_both_languages(tmp_path):
    desk = Desk(tmp_path)
    assert desk.run("codes", "admin_unit", "12745").stdout == "12745 Xã Bắc Đông Quan, Hưng Yên\n"
    for lang in ("vi", "en"):
        for table in table_names():
            assert "  " not in desk.run("codes", table, "--lang", lang).stdout


def test_a_code_that_is_no_longer_in_force_is_found_on_its_day_only(tmp_path):
    status, _error = Desk(tmp_path).refused("codes", "admin_unit", "01", "--on", "2025-06-30")
    assert status == ExitCode.NOT_FOUND


@pytest.mark.slow
def test_an_act_without_a_date_is_of_today_and_one_without_checked_papers_is_told_where(desk):
    status, error = desk.refused(*CREATE, "--dry-run", stdin=IDENTITY)
    assert status == ExitCode.INVALID_INPUT
    (problem,) = error["problems"]
    assert problem.startswith("act.sufficient: is required")
    checked = ("--set", "act.sufficient=true")
    (tried,) = desk.ask(*CREATE, "--dry-run", *checked, stdin=IDENTITY)
    assert tried["dry_run"] is True


@pytest.mark.slow
def test_papers_said_to_be_insufficient_are_refused_with_the_path_to_fill(desk):
    refused = desk.refused(*CREATE, "--dry-run", "--set", "act.sufficient=false", stdin=IDENTITY)
    assert refused[1]["code"] == "registry.evidence"
    assert "--set act.sufficient=true" in refused[1]["hint"]


@pytest.mark.slow
def test_a_scan_is_evidence_by_its_digest(desk, tmp_path):
    scan = tmp_path / "scan.png"
    scan.write_bytes(b"a paper")
    words = (*CREATE, "--dry-run", "--set", "act.sufficient=true")

    def papers(*more):
        (tried,) = desk.ask(*words, *more, stdin=IDENTITY)
        return [line for line in tried["explanation"] if "sufficient" in line]

    digest = sha256(b"a paper").hexdigest()
    assert papers("--scan", scan) == papers("--set", f"act.evidence={digest}") != papers()
    both = papers("--scan", scan, "--set", f"act.evidence={digest}")
    assert both == papers("--scan", scan), "the same scan twice is one"


@pytest.mark.slow
def test_what_is_suggested_next_works_in_the_home_that_was_named(desk):
    shown = desk.run(*CREATE, "--yes", "--set", "act.sufficient=true", stdin=IDENTITY)
    (suggested,) = [line for line in shown.stderr.splitlines() if line.startswith("next: ")]
    assert suggested.startswith(f"next: civreg --home {desk.home} show ")
    assert desk.run(*shlex.split(suggested.removeprefix("next: civreg "))).exit_code == 0


@pytest.mark.slow
def test_an_edit_that_changes_nothing_is_refused_before_anybody_signs(desk):
    another = ("--set", "name.given=Khác")
    made = desk.ask(*CREATE, "--yes", "--set", "act.sufficient=true", *another, stdin=IDENTITY)
    identity = made[0]["records"][0]["id"]
    words = ("identity", "change-residence", identity, "--office", "police", "--yes")
    for form in ("", 'residence = "Xã Tân Lập"'):
        status, error = desk.refused(*words, "-", stdin=form)
        assert (status, error["code"]) == (ExitCode.INVALID_INPUT, "cli.invalid_input")


@pytest.mark.slow
def test_a_mistyped_id_is_a_mistake_on_the_command_line(desk):
    status, error = desk.refused("show", "000G4-0R40M-30E20-9185G-R38E1W-7")
    assert (status, error["code"]) == (ExitCode.USAGE, "cli.bad_parameter")


def test_a_suggested_command_is_what_a_shell_reads_back_word_for_word():
    words = ["show", "PERS-2*", "A~", "$B", "a folder's name", "--kind", "KIND"]
    assert shlex.split(suggested(*words)) == ["civreg", *words]
