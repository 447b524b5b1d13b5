"""What the ledger would say of a draft is told to whoever writes, reads or signs it."""

import re

import pytest

from cli.exit_codes import ExitCode
from tests.cli.test_clerk import (  # noqa: F401 - fixtures
    citizen,
    land_form,
    mother,
    paper,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def owner(mother, paper):  # noqa: F811 - fixtures
    """A woman without a key, and the words with which two offices attest her form."""
    return mother, ("--custody", f"{mother}=land-1,police-1", "--paper", paper)


def test_a_second_title_to_one_parcel_is_warned_of_before_anybody_signs(
    desk, new_desk, owner, tmp_path
):
    identity, attested = owner
    first, second = new_desk("first", "land-1", "police-1"), new_desk("second", "land-2")
    form, draft = land_form(identity), tmp_path / "title.draft"
    words = ("land-title", "first-register", "-", "--office", "land", "--yes", *attested)
    desk.ask(*words, stdin=form)
    drafting = (*words, "--as", "second_officer=land-2", "--draft")
    (written,) = first.ask(*drafting, draft, stdin=form)
    assert written["trial"]["result"] == "refused"
    assert written["trial"]["code"] == "registry.taken"
    for said in (
        first.run(*drafting, tmp_path / "again.draft", stdin=form).stderr,
        second.run("draft", "sign", draft, "--yes", "--dry-run").stderr,
    ):
        assert "Warning: the ledger would refuse this" in said
        assert "[registry.taken]" in said
    shown = second.run("draft", "show", draft, "--lang", "vi")
    assert "Cảnh báo: theo trạng thái hiện nay, sổ cái sẽ từ chối" in shown.stdout
    assert "draft" not in shown.stderr, "nothing is suggested that would fall"


GROUNDS = ("--set", "act.reason=typing", "--set", "act.sufficient=true",
           "--set", f"act.evidence={'ab' * 32}")  # fmt: skip


def test_a_draft_whose_record_has_moved_on_says_so(desk, citizen, tmp_path):  # noqa: F811
    own, identity = citizen("doi")
    drafts = tmp_path / "one.draft", tmp_path / "two.draft"
    for draft in drafts:
        desk.ask("identity", "correct", identity, "--office", "police", "--yes", *GROUNDS,
                 "--set", f"residence=Xã {draft.stem}", "--draft", draft)  # fmt: skip
    late, first = drafts
    (shown,) = desk.ask("draft", "show", late)
    assert shown["trial"] == {"result": "accepted"}
    (shown,) = own.ask("draft", "show", late)
    assert shown["trial"] == {"result": "untried", "reason": "hidden"}
    own.ask("draft", "sign", first, "--yes")
    desk.ask("draft", "submit", first, "--yes")
    for reader in (desk, own):
        (shown,) = reader.ask("draft", "show", late)
        assert shown["trial"]["code"] == "registry.stale_version"
        assert shown["trial"]["details"]["current"] == 3
    (signed,) = own.ask("draft", "sign", late, "--yes")
    assert signed["trial"]["result"] == "refused", "a warning, for the ledger may move again"


def test_where_no_node_answers_a_draft_says_that_it_was_not_tried(desk, citizen, tmp_path):  # noqa: F811
    own, identity = citizen("xa")
    draft = tmp_path / "away.draft"
    desk.ask("identity", "correct", identity, "--office", "police", "--yes", *GROUNDS,
             "--set", "residence=Xã Xa", "--draft", draft)  # fmt: skip
    network = own.home / "network.toml"
    network.write_text(re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9", network.read_text()))
    shown = own.run("draft", "show", draft)
    assert "Not tried by the rules of the ledger: no node answers." in shown.stdout
    assert own.ask("draft", "sign", draft, "--yes")[0]["trial"]["reason"] == "no_node"


def test_a_sealed_field_that_weighs_needs_the_office_above_before_the_custodian_is_asked(
    desk,
    citizen,  # noqa: F811 - a fixture
    tmp_path,
):
    """A dry run promises nothing that the custodian refuses, and says what only that one sees."""
    own, identity = citizen("can")
    words = ("identity", "correct", identity, "--office", "police", "--yes", *GROUNDS)
    weighty = (*words, "--set", "sex=female", "--log-access")
    for more in (("--dry-run",), ("--draft", tmp_path / "no.draft")):
        status, error = desk.refused(*weighty, *more)
        assert (status, error["code"]) == (ExitCode.NOT_AUTHORISED, "registry.signer_missing")
        assert error["details"]["term"] == "upper_office(correct_senior)"
    draft = tmp_path / "light.draft"
    drafting = (*words, "--set", "residence=Xã Nhẹ", "--draft", draft)
    (tried,) = desk.ask(*drafting, "--dry-run")
    assert tried["unchecked"] == [], "the version before was opened here"
    desk.ask(*drafting)
    own.ask("draft", "sign", draft, "--yes")
    (tried,) = desk.ask("draft", "submit", draft, "--dry-run")
    assert "upper_office(correct_senior)" in tried["unchecked"][0]
    said = desk.run("draft", "submit", draft, "--dry-run").stdout
    assert "Not checked: whether this changes" in said


def test_who_has_signed_is_told_so_and_not_that_a_key_is_missing(desk, citizen, tmp_path):  # noqa: F811
    own, identity = citizen("hai")
    draft = tmp_path / "twice.draft"
    desk.ask("identity", "correct", identity, "--office", "police", "--yes", *GROUNDS,
             "--set", "residence=Xã Hai", "--draft", draft)  # fmt: skip
    own.ask("draft", "sign", draft, "--yes")
    for more in ((), ("--key", "hai-sign")):
        status, error = own.refused("draft", "sign", draft, "--yes", *more)
        assert (status, error["code"]) == (ExitCode.CONFLICT, "cli.already_signed")
        assert error["details"]["names"] == "hai-sign"
        assert error["message"].endswith("still to sign: police")


def test_one_officer_is_not_two_who_attest_a_form(desk, owner):
    identity, attested = owner
    form = (attested[0], f"{identity}=land-1,land-1", *attested[2:])
    status, error = desk.refused("land-title", "first-register", "-", "--office", "land", "--yes",
                                 *form, stdin=land_form(identity))  # fmt: skip
    assert (status, error["code"]) == (ExitCode.USAGE, "cli.bad_parameter")
    assert "two different officers" in error["message"]


def test_the_entry_that_writes_a_certificate_again_is_told(desk, owner, tmp_path):
    identity, _attested = owner
    words = ("identity", "certify", identity, "--office", "police", "--yes")
    said = desk.run(*words, "--set", "act.reason=school").stdout
    (entry,) = re.findall(r"entry ([0-9a-f]{64})", said)
    assert f"entry {entry}" in desk.run("record", "history", identity).stdout
    out = tmp_path / "again.certificate"
    desk.ask(*words, "--of", entry, "--out", out)
    assert out.exists()


def test_who_mistypes_a_passphrase_is_told_so_before_anything_is_shown(desk, citizen, tmp_path):  # noqa: F811
    own, identity = citizen("mo")
    draft = tmp_path / "one.draft"
    desk.ask("identity", "correct", identity, "--office", "police", "--yes", *GROUNDS,
             "--set", "residence=Xã Mo", "--draft", draft)  # fmt: skip
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    for file in (right, wrong):
        file.touch(mode=0o600)
        file.write_text(f"the {file.name} one\n")
    for name in ("mo-sign", "mo-auth", "mo-seal"):
        own.ask("key", "change-passphrase", name, "--new-passphrase-file", right, "--yes")
    for words in (("show", draft), ("sign", draft, "--yes")):
        refused = own.run("draft", *words, "--passphrase-file", wrong)
        assert refused.exit_code == ExitCode.KEY_NEEDED
        assert refused.stdout == ""
        assert "UNSEEN" not in refused.stderr
        assert "[keys.wrong_passphrase]" in refused.stderr
    (shown,) = own.ask("draft", "show", draft, "--passphrase-file", right)
    assert not shown["unseen"]
    (signed,) = own.ask("draft", "sign", draft, "--yes", "--passphrase-file", right)
    assert signed["signed_by"] == ["mo-sign"]
