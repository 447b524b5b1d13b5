"""`civreg governance` on running nodes: what is refused, tried and shown; nothing here passes."""

import pytest

from cli.exit_codes import ExitCode
from ledger.ids import print_id


def test_the_committee_shows_members_with_weight_address_and_standing(desk, network):
    (found,) = desk.ask("governance", "committee")
    assert {one["agency"]: one["validator"] for one in found["members"]} == {
        node.agency: "votes" for node in network.nodes
    }
    assert found["total_weight"] == 4
    assert found["coming"] == []
    shown = desk.run("governance", "committee", "--lang", "vi")
    assert "biểu quyết" in shown.stdout


def test_a_ballot_that_is_tried_is_not_opened_and_one_that_is_opened_is_listed_and_shown(desk):
    before = len(desk.ask("governance", "list"))
    words = ("governance", "propose", "parameter", "proposed_days", "61", "--by", "land")
    (tried,) = desk.ask(*words, "--dry-run")
    assert tried["dry_run"] is True
    assert len(desk.ask("governance", "list")) == before
    (opened,) = desk.ask(*words, "--yes")
    newest = desk.ask("governance", "list")[0]
    assert newest["id"] == opened["ballot"]
    (shown,) = desk.ask("governance", "show", opened["ballot"])
    assert shown == newest
    assert (shown["status"], shown["for"], shown["against"]) == ("open", ["land"], [])
    (voted,) = desk.ask("governance", "vote", opened["ballot"], "against", "--by", "bank", "--yes")
    assert voted["in_force_height"] is None
    for by in ("bank", "land"):
        status, error = desk.refused(
            "governance", "vote", opened["ballot"], "for", "--by", by, "--yes"
        )
        assert (status, error["code"]) == (ExitCode.CONFLICT, "registry.ballot_closed")
    said = desk.run("governance", "show", opened["ballot"]).stdout
    assert "land" in said
    assert "bank" in said


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("propose", "validator", "nobody", "--weight", "1"), "cli.not_found"),
        (("propose", "validator", "land", "--weight", "-1"), "cli.bad_parameter"),
        (("propose", "validator", "land"), "cli.missing_parameter"),
        (("propose", "remove", "justice"), "registry.agency_needed"),
        (("propose", "parameter", "received_days", "1.5"), "cli.invalid_input"),
        (("propose", "parameter", "ballot_days", "0"), "registry.parameter"),
        (("propose", "parameter", "nonsense", "1"), "registry.parameter"),
        (("propose", "parameter", "development", "true"), "registry.parameter"),
        (("propose", "parameter", "received_days", "3", "--by", "nobody"), "cli.not_found"),
        (("vote", "nonsense", "for"), "cli.invalid_input"),
        (("vote", print_id(bytes(16)), "for"), "cli.not_found"),
        (("show", print_id(bytes(16))), "cli.not_found"),
        (("move", "nowhere"), "registry.field_value"),
        (("change-key", "consensus", "no-such-key"), "cli.not_found"),
    ],
)
def test_what_cannot_be_is_refused(desk, words, code):
    changes = words[0] != "show"
    _status, error = desk.refused("governance", *words, *(("--yes",) if changes else ()))
    assert error["code"] == code


def test_an_application_for_another_network_or_rubbish_is_refused(desk, tmp_path):
    rubbish = tmp_path / "rubbish.application"
    rubbish.write_bytes(b"rubbish")
    words = ("governance", "propose", "admit", rubbish, "--name", "x", "--kind", "x", "--yes")
    _status, error = desk.refused(*words)
    assert error["code"] == "cli.invalid_input"


def test_without_a_terminal_and_without_yes_nothing_is_signed(desk):
    words = ("governance", "propose", "parameter", "proposed_days", "62")
    status, error = desk.refused(*words)
    assert (status, error["code"]) == (ExitCode.CANCELLED, "cli.cancelled")


def test_a_bundle_is_updated_from_the_nodes_and_a_network_without_changes_adds_none(desk):
    (grown,) = desk.ask("trust", "update")
    assert grown["new_changes"] == 0
    assert grown["newest_height"] > 0
