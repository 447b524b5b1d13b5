"""Two governors of one agency, each with a key and a machine of their own, decide together."""

import shutil

import pytest

from cli.exit_codes import ExitCode
from keys.did import print_did
from keys.keyring import read_public_key


@pytest.fixture
def governor(new_desk, network):
    """Make a home folder with one governance key of an agency, and perhaps an officer's keys."""

    def make(agency, number, *officers):
        desk = new_desk(f"{agency}-{number}", *officers)
        name = f"{agency}-{number}.pem"
        shutil.copy2(network.folder / "governance" / name, desk.home / "officers" / name)
        return desk

    return make


PROPOSAL = ("governance", "propose", "parameter", "proposed_days")


def test_governors_on_two_machines_open_a_ballot_and_vote_one_after_another(governor, tmp_path):
    first, second = governor("land", 1, "land-1"), governor("land", 2)
    file = tmp_path / "ballot.draft"
    (begun,) = first.ask(*PROPOSAL, "61", "--governor", did(second), "--draft", file, "--yes")
    assert begun["missing_signatures"] == ["agency " + public(second).key_id.hex()]
    before = first.ask("governance", "list")
    shown = second.run("draft", "show", file).stdout
    assert "Action: parameter" in shown
    assert "proposed_days" in shown
    (signed,) = second.ask("draft", "sign", file, "--yes")
    assert signed["missing_signatures"] == []
    (done,) = second.ask("draft", "submit", file)
    assert done["status"] == "committed"
    (opened, *older) = first.ask("governance", "list")
    assert older == before
    assert (opened["fields"]["value"], opened["for"]) == (61, ["land"])
    vote = tmp_path / "vote.draft"
    police = governor("police", 1, "police-1")
    other = governor("police", 2, "police-2")
    words = ("governance", "vote", opened["id"], "against", "--governor", did(other))
    police.ask(*words, "--draft", vote, "--yes")
    other.ask("draft", "sign", vote, "--yes")
    other.ask("draft", "submit", vote)
    (seen,) = first.ask("governance", "show", opened["id"])
    assert seen["against"] == ["police"]


def public(desk):
    """The public key of the only governor of a home folder."""
    (path,) = [one for one in (desk.home / "officers").iterdir() if one.stem == desk.home.name]
    return read_public_key(path)


def did(desk):
    return print_did(public(desk))


def test_a_form_of_governors_is_no_act_of_the_office_at_the_same_desk(governor, tmp_path):
    first, *others = governor("bank", 1, "bank-1"), governor("bank", 2), governor("bank", 3)
    form, file = tmp_path / "ballot.toml", tmp_path / "ballot.draft"
    form.write_text(
        '[[objects.ballot]]\naction = "parameter"\n'
        'fields = { name = "proposed_days", value = 63 }\n'
    )
    (begun,) = first.ask("ballot", "open", form, "--draft", file, "--yes")
    assert begun["trial"]["result"] == "accepted", begun["trial"]
    (named,) = begun["missing_signatures"]
    (second,) = [one for one in others if public(one).key_id.hex() in named]
    second.ask("draft", "sign", file, "--yes")
    (done,) = second.ask("draft", "submit", file)
    assert done["status"] == "committed"


def test_the_third_governor_signs_where_the_first_names_him(governor, tmp_path, network):
    first, third = governor("land", 1, "land-1"), governor("land", 3)
    file = tmp_path / "ballot.draft"
    words = (*PROPOSAL, "62", "--draft", file, "--yes")
    (begun,) = first.ask(*words, "--governor", did(third))
    assert begun["missing_signatures"] == ["agency " + public(third).key_id.hex()]
    (signed,) = third.ask("draft", "sign", file, "--yes")
    assert signed["missing_signatures"] == []
    status, error = first.refused(*words)
    assert (status, error["code"]) == (ExitCode.CONFLICT, "cli.file_exists")
    foreign = print_did(read_public_key(network.folder / "governance" / "bank-1.pem"))
    other = (*PROPOSAL, "62", "--draft", tmp_path / "other.draft", "--yes")
    status, error = first.refused(*other, "--governor", foreign)
    assert (status, error["code"]) == (ExitCode.USAGE, "cli.bad_parameter")


def test_without_a_draft_one_governor_of_two_is_refused_and_told_of_it(governor):
    first = governor("land", 1, "land-1")
    status, error = first.refused(*PROPOSAL, "64", "--yes")
    assert (status, error["code"]) == (ExitCode.NOT_AUTHORISED, "registry.signer_missing")
    assert "--draft FILE" in error["message"]
    assert list((first.home / "sent").glob("*")) == [], "nothing is on its way"
