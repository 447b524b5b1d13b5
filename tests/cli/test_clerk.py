"""Commands of clerks and owners on four running nodes: births, people, land, drafts."""

import itertools
import json
import shlex
from datetime import datetime, timedelta, timezone
from hashlib import sha256

import pytest

from cli.accesses import JOURNAL_FILE, digest_of
from cli.acting import Actor
from cli.certificate_files import registered_entry
from cli.errors import NoNetworkError
from cli.exit_codes import ExitCode
from keys.hashing import Digest
from registry.drafts import parse_draft

pytestmark = pytest.mark.slow

_NUMBERS = itertools.count(100)
_VIETNAM = timezone(timedelta(hours=7))
TODAY = datetime.now(_VIETNAM).date().isoformat()
YESTERDAY = (datetime.now(_VIETNAM) - timedelta(days=1)).date().isoformat()


def birth_form(mother, given="Hương", **changes):
    """A form of a birth of yesterday."""
    fields = {
        "event_date": YESTERDAY,
        "place_unit": "01",
        "sex": "female",
        "ethnicity": "01",
        "nationality": "VN",
        "home_town": "Xã Tân Lập",
        "place_detail": "Bệnh viện Phụ sản",
        "evidence_kind": "birth_notice",
        "mother": mother,
        **changes,
    }
    lines = [f'{name} = "{value}"' for name, value in fields.items()]
    lines += ["[name]", 'family = "Nguyễn"', f'given = "{given}"']
    lines += ["[mother_details]", 'name = "Trần Thị Lan"', "birth_year = 1995"]
    if "father" in changes:
        lines += ["[father_details]", 'name = "Nguyễn Văn Bình"', "birth_year = 1990"]
    lines += ["[informant]", 'name = "Trần Thị Lan"', 'relation = "mother"']
    lines += ["[created.child]", 'residence = "Xã Tân Lập"', "[act]", "sufficient = true"]
    return "\n".join(lines)


def identity_form(family="Nguyễn", year=1980, sex="male"):
    number = f"001{int(sex == 'female')}{year % 100:02}{next(_NUMBERS):06}"
    return f"""
birth_date = {year}-05-06
personal_number = "{number}"
sex = "{sex}"
nationality = "VN"
residence = "Xã Tân Lập"
[name]
family = "{family}"
given = "An"
[act]
sufficient = true
event_date = {YESTERDAY}
"""


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    path = tmp_path_factory.mktemp("paper") / "form.png"
    path.write_bytes(b"a scan of the signed form")
    return path


@pytest.fixture
def mother(desk):
    """A woman with an identity and without a key; another one for each birth."""
    (made,) = desk.ask("identity", "create", "-", "--office", "police", "--yes",
                       stdin=identity_form("Trần", 1995, "female"))  # fmt: skip
    return made["records"][0]["id"]


@pytest.fixture
def citizen(desk, new_desk, tmp_path):
    """Make a citizen with keys in an own home; returns the home and the identity.

    The private keys never leave it: the office drafts the enrolment, the citizen signs the draft.
    """

    def make(name="lan"):
        own = new_desk(name)
        made = own.ask("key", "new", name, "--person", "--unencrypted")
        (created,) = desk.ask(
            "identity", "create", "-", "--office", "police", "--yes", stdin=identity_form()
        )
        identity = created["records"][0]["id"]
        draft = tmp_path / f"{name}.draft"
        enrol = [f"{one['name'].partition('-')[2]}={one['public']}" for one in made]
        words = [word for one in enrol for word in ("--enrol", one)]
        desk.ask("identity", "enrol-key", identity, *words, "--office", "police", "--yes",
                 "--draft", draft)  # fmt: skip
        (shown,) = own.ask("draft", "show", draft)
        (signed,) = own.ask("draft", "sign", draft, "--yes")
        assert not shown["unseen"], "she reads her own record before she signs"
        assert not signed["unseen"]
        said = "\n".join(shown["explanation"])
        assert "Given name: An" in said
        assert "Makes key: to sign, fingerprint " in said, "what she compares with her own"
        desk.ask("draft", "submit", draft)
        return own, identity

    return make


def custody(paper, who="informant"):
    return ("--custody", f"{who}=justice-1,justice-2", "--paper", paper)


def test_a_clerk_registers_a_birth_and_the_child_has_an_identity(desk, paper, mother):
    (made,) = desk.ask("birth", "register", "-", "--office", "justice", "--yes", *custody(paper),
                       stdin=birth_form(mother, "Hạnh"))  # fmt: skip
    assert made["status"] == "committed"
    assert [record["type"] for record in made["records"]] == ["birth", "identity"]
    assert made["registration_no"]
    birth, child = (record["id"] for record in made["records"])
    (shown,) = desk.ask("show", birth)
    assert shown["status"] == "registered"
    assert shown["fields"]["child"] == [child]
    assert shown["sealed"] is None, "showing opens nothing"
    (opened,) = desk.ask("record", "open", birth)
    assert opened["sealed"]["name.given"] == "Hạnh"
    act, seen = desk.ask("record", "history", birth)
    assert seen["kind"] == "birth/access", "who opens leaves a trace"
    assert (act["kind"], act["version"]) == ("birth/register", 1)
    assert opened["access"]["purpose"] == "inspection"
    (again,) = desk.ask("record", "open", birth)
    assert again["access"] is None, "an access counts for a day"
    assert again["sealed"] == opened["sealed"]
    assert len(desk.ask("record", "history", birth)) == 2


def test_parents_known_by_their_identities_are_named_too_for_the_certificate(desk, paper, mother):
    form = birth_form(mother, "Hòa").replace("[mother_details]", "[father_details]")
    status, error = desk.refused("birth", "register", "-", "--office", "justice", "--yes",
                                 *custody(paper), stdin=form)  # fmt: skip
    assert (status, error["code"]) == (ExitCode.RULE_VIOLATED, "registry.office_rule")
    assert "mother_details.name" in "".join(error["problems"])


def test_a_person_gets_no_second_identity_unless_the_officers_say_who_is_another(desk):
    create = ("identity", "create", "-", "--office", "police", "--yes")
    form = "\n".join(
        line for line in identity_form("Hồ", 1971).splitlines() if "personal_number" not in line
    )
    (made,) = desk.ask(*create, stdin=form)
    known = made["records"][0]["id"]
    status, error = desk.refused(*create, stdin=form)
    assert (status, error["code"]) == (ExitCode.CONFLICT, "registry.same_person")
    assert known in error["sentence"]
    different = ("--set", f"objects.different.other={known}", "--set", "act.reason=namesake")
    (another,) = desk.ask(*create, *different, stdin=form)
    assert another["records"][0]["id"] != known


def test_who_corrects_a_name_in_a_birth_is_told_that_the_identity_keeps_the_old_one(
    desk, paper, mother
):
    (made,) = desk.ask("birth", "register", "-", "--office", "justice", "--yes", *custody(paper),
                       stdin=birth_form(mother, "Hậu"))  # fmt: skip
    birth, child = (record["id"] for record in made["records"])
    correct = ("birth", "correct", birth, "--office", "justice", "--yes", "--set",
               "act.reason=clerical", "--set", "act.sufficient=true", "--set",
               f"act.evidence={'00' * 32}", *custody(paper, mother))  # fmt: skip
    (other,) = desk.ask(*correct, "--set", "place_detail=Trạm y tế")
    assert "follow_command" not in other, "of the place the identity says nothing"
    (named,) = desk.ask(*correct, "--set", "name.given=Hạ")
    assert shlex.split(named["follow_command"])[-3:] == ["identity", "correct", child]
    said = desk.run(*correct, "--set", "name.given=Hà").stdout
    assert f"The identity {child} made with this birth says still what it said" in said


def test_an_act_that_stands_is_told_though_its_record_cannot_be_looked_at_again(
    desk, paper, mother, monkeypatch
):
    def cut_off(_actor, _record_id, *, companion=False):  # noqa: ARG001
        raise NoNetworkError("no node answers", address="http://127.0.0.1:1")

    monkeypatch.setattr(Actor, "target", cut_off)
    (made,) = desk.ask("birth", "register", "-", "--office", "justice", "--yes", *custody(paper),
                       stdin=birth_form(mother, "Hiền"))  # fmt: skip
    assert made["status"] == "committed"


def test_a_birth_that_may_be_there_already_is_told_with_the_record_to_look_at(desk, paper, mother):
    register = ("birth", "register", "-", "--office", "justice", "--yes", *custody(paper))
    (first,) = desk.ask(*register, stdin=birth_form(mother, "Hoa"))
    known = first["records"][0]["id"]
    status, error = desk.refused(*register, stdin=birth_form(mother, "Huệ"))
    assert (status, error["code"]) == (ExitCode.CONFLICT, "registry.potential_duplicate")
    assert error["details"]["records"] == known
    assert known in error["sentence"]
    declare = ("birth", "declare", "-", "--office", "justice", "--yes", *custody(paper))
    form = "\n".join(
        line for line in birth_form(mother, "Huệ").splitlines()
        if not line.startswith(("[created", "residence"))
    )  # fmt: skip
    (declared,) = desk.ask(*declare, stdin=form)
    assert declared["possible_duplicates"] == [known]
    birth = declared["records"][0]["id"]
    (shown,) = desk.ask("show", birth)
    assert shown["possible_duplicates"] == [known]
    assert f"may be the same as {known}" in desk.run("show", birth).stdout


def test_a_record_is_found_by_the_number_on_its_paper(desk, citizen, paper, mother):
    (made,) = desk.ask("birth", "register", "-", "--office", "justice", "--yes", *custody(paper),
                       stdin=birth_form(mother, "Số"))  # fmt: skip
    birth, number = made["records"][0]["id"], made["registration_no"]
    (found,) = desk.ask("record", "find", number, "--office", "justice")
    assert (found["record"], found["registration_no"]) == (birth, number)
    said = desk.run("record", "find", number, "--office", "justice", "--lang", "vi")
    assert said.stdout.startswith(f"Khai sinh {birth}, phiên bản 1, ")
    assert f"show {shlex.quote(birth)}" in said.stderr
    stranger, _identity = citizen("la")
    for word in (number, "birth/999999/2026"):
        status, error = stranger.refused("record", "find", word, "--office", "justice")
        assert (status, error["code"]) == (ExitCode.NOT_FOUND, "node.not_found")
    for words in (("41/2026", "--office", "justice"), (number,)):
        status, error = desk.refused("record", "find", *words)
        assert (status, error["code"]) == (ExitCode.USAGE, "cli.bad_parameter")


def test_a_dry_run_opens_no_record_without_a_trace(desk, mother):
    identity = mother
    history = desk.ask("record", "history", identity)
    correct = ("identity", "correct", identity, "--office", "police", "--set",
               "residence=Xã Mới", "--set", "act.sufficient=true")  # fmt: skip
    for words in (correct, ("record", "open", identity)):
        status, error = desk.refused(*words, "--dry-run")
        assert (status, error["code"]) == (ExitCode.NOT_AUTHORISED, "cli.access_needed")
        assert "--log-access" in error["hint"]
    assert desk.ask("record", "history", identity) == history, "a dry run files nothing"
    (opened,) = desk.ask("record", "open", identity, "--dry-run", "--log-access")
    assert opened["access"]["entry"]
    (act,) = desk.ask("record", "history", identity)[len(history) :]
    assert act["kind"] == "identity/access"
    assert desk.ask("record", "open", identity, "--dry-run")[0]["access"] is None


def test_an_access_says_why_under_a_salted_digest_that_the_office_can_open(desk, citizen, network):
    own, identity = citizen("viec")
    (opened,) = desk.ask("record", "open", identity, "--purpose", "court/12")
    (later,) = desk.ask("record", "open", identity, "--purpose", "pension")
    assert later["access"]["entry"] != opened["access"]["entry"], "another purpose, another access"
    kept = [json.loads(line) for line in (desk.home / JOURNAL_FILE).read_text().splitlines()]
    lines = [line for line in kept if line["record"] == identity]
    enrolled, *lines = lines
    assert enrolled["purpose"] == "identity/enrol_key", "an edit opens what stood there before"
    assert [line["purpose"] for line in lines] == ["court/12", "pension"]
    with Actor.open(network.folder) as actor:
        for line, filed in zip(lines, (opened["access"], later["access"]), strict=True):
            assert line["entry"] == filed["entry"]
            entry = registered_entry(actor, Digest(bytes.fromhex(filed["entry"])))
            said = digest_of(bytes.fromhex(line["salt"]), line["purpose"], line["legal_basis"])
            assert entry.objects[0].fields["digest"] == said
            assert entry.context.reason is None, "the purpose is not for every agency"
    (mine,) = own.ask("record", "open", identity, "--auth", "viec")
    assert mine["access"] is None, "owners file nothing"
    assert not (own.home / JOURNAL_FILE).exists()
    status, error = desk.refused("record", "open", identity, "--purpose", "Tòa án")
    assert (status, error["code"]) == (ExitCode.USAGE, "cli.bad_parameter")


def test_an_owner_sees_who_read_when_and_why_once_the_office_says_it(desk, citizen, tmp_path):
    """The reason is checked against what the officer's program committed to before it read."""
    own, identity = citizen("hoi")
    (opened,) = desk.ask("record", "open", identity, "--purpose", "pension/12")
    access, enrolment = own.ask("who-read", identity)
    assert access["entry"] == opened["access"]["entry"]
    assert (access["reason"], enrolment["reason"]) == ("sealed", "sealed")
    (officer,), (name,) = access["officers"], access["officer_names"]
    assert name.endswith(f"({officer})"), "an id as every command takes it"
    assert access["office_name"].endswith(f"({access['office']})")
    (act,) = [act for act in desk.ask("record", "history", identity)
              if act["entry"] == access["entry"]]  # fmt: skip
    assert act["office_id"] == access["office"]
    kept = (desk.home / JOURNAL_FILE).read_text(encoding="utf-8").splitlines()
    lines = [line for line in kept if json.loads(line)["record"] == identity]
    file = tmp_path / "reasons.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    access, enrolment = own.ask("record", "accesses", identity, "--reasons", file)
    assert (access["reason"], access["purpose"]) == ("proved", "pension/12")
    assert (enrolment["reason"], enrolment["purpose"]) == ("proved", "identity/enrol_key")
    for lang, words in (("en", "why: Identity: "), ("vi", "để làm gì: ")):
        said = own.run("who-read", identity, "--reasons", file, "--lang", lang)
        assert words in said.stdout
        assert "pension/12" in said.stdout
    file.write_text("\n".join(lines).replace("pension/12", "court/12"), encoding="utf-8")
    said = own.run("who-read", identity, "--reasons", file)
    assert said.exit_code == ExitCode.FORGED
    assert "is NOT what it said" in said.stdout
    status, error = desk.refused("who-read", identity)
    assert (status, error["code"]) == (ExitCode.NOT_FOUND, "node.not_found"), "owners only"


def test_a_clerk_reads_words_where_the_ledger_has_codes(desk, paper, mother):
    """Acts, types, statuses, rules, signers: none of them by its code alone, in both languages."""
    form = birth_form(mother, "Lời")
    tried = desk.run("birth", "register", "-", "--office", "justice", "--dry-run", "--lang", "vi",
                     *custody(paper), stdin=form)  # fmt: skip
    assert "Quy tắc: tuổi của mẹ: đạt" in tried.stdout
    made = desk.run("birth", "register", "-", "--office", "justice", "--yes", "--lang", "vi",
                    *custody(paper), stdin=form)  # fmt: skip
    assert "Đã đăng ký: Khai sinh: Đăng ký, trong khối" in made.stdout
    birth = next(line for line in made.stdout.splitlines() if line.startswith("Khai sinh "))
    identifier = birth.removeprefix("Khai sinh ").partition(",")[0]
    for lang, status, act in (
        ("en", "status: registered, ", "Birth: "), ("vi", "đã đăng ký (registered)", "Khai sinh: ")
    ):  # fmt: skip
        shown = desk.run("show", identifier, "--lang", lang).stdout
        assert status in shown
        assert f"civreg --home {desk.home} record open {shlex.quote(identifier)}" in shown
        assert act in desk.run("record", "history", identifier, "--lang", lang).stdout


def test_what_one_person_signs_is_over_within_a_day_and_a_draft_of_several_lasts_longer(
    citizen, new_desk, paper, mother, tmp_path
):
    _own, identity = citizen("han")
    first = new_desk("first", "justice-1")
    drafts = [tmp_path / "contact.draft", tmp_path / "birth.draft"]
    first.ask("identity", "update-contact", identity, "--set", "phone=0901234567", "--yes",
              "--draft", drafts[0])  # fmt: skip
    birth_draft(first, paper, drafts[1], mother, "Hạn")
    ends = [parse_draft(one.read_bytes()).entry.head.not_after_ms for one in drafts]
    days = [(end / 1_000 - datetime.now(_VIETNAM).timestamp()) / 86_400 for end in ends]
    assert 0 < days[0] < 1
    assert 7 < days[1] < 30


def test_a_person_lists_the_own_records_without_naming_a_key(citizen):
    own, identity = citizen("kho")
    own.ask("identity", "update-contact", identity, "--set", "phone=0901234567", "--yes")
    listed = own.ask("record", "list", identity)
    assert {one["type"] for one in listed} >= {"identity_contact"}
    assert "0901234567" not in json.dumps(listed)
    for one in listed:
        (shown,) = own.ask("show", one["record"])
        assert (one["type"], one["record"]) == (shown["type"], shown["record"])
        assert one["office"] == shown["office_id"], "an id as every command takes it"
        assert one["office"] is None or one["office"] in one["office_name"]
    said = own.run("record", "list", identity, "--lang", "vi")
    assert "phiên bản 1" in said.stdout
    assert all(one["record"] in said.stdout for one in listed)


def test_people_are_told_that_a_reading_is_logged(desk, mother):
    assert "This reading is logged" in desk.run("record", "open", mother).stdout
    again = desk.run("record", "open", mother, "--lang", "vi").stdout
    assert "24 giờ" in again
    words = ("identity", "correct", mother, "--office", "police", "--dry-run", "--set",
             "residence=Xã Mới", "--set", "act.sufficient=true", "--log-access")  # fmt: skip
    said = desk.run(*words, "--purpose", "typing").stderr
    assert "purpose typing, basis" in said


def test_what_people_read_is_in_their_language(desk, paper, mother):
    words = ("birth", "register", "-", "--office", "justice", "--dry-run", *custody(paper))
    vietnamese = desk.run(*words, "--lang", "vi", stdin=birth_form(mother, "Vân")).stdout
    english = desk.run(*words, stdin=birth_form(mother, "Vân")).stdout
    assert "Khai sinh" in vietnamese
    assert "Birth" in english
    for said in (vietnamese, english):
        assert "Vân" in said, "the clerk sees what will be sealed"


def test_a_dry_run_checks_the_rules_and_registers_nothing(desk, paper, mother):
    before = desk.ask("status")[0]["log_size"]
    form = birth_form(mother, "Thử")
    (said,) = desk.ask("birth", "register", "-", "--office", "justice", "--dry-run",
                       *custody(paper), stdin=form)  # fmt: skip
    assert said["dry_run"] is True
    status, error = desk.refused(
        "birth", "register", "-", "--office", "land", "--dry-run",
        "--custody", "informant=land-1,land-2", "--paper", paper, stdin=form,
    )  # fmt: skip
    assert (status, error["code"]) == (ExitCode.NOT_AUTHORISED, "registry.no_mandate")
    assert desk.ask("status")[0]["log_size"] == before


def test_every_mistake_of_a_form_is_named_at_once_with_law_and_example(desk, paper, mother):
    form = birth_form(mother, "", sex="robot", place_unit="99999", nonsense="x")
    status, error = desk.refused("birth", "register", "-", "--office", "justice", "--yes",
                                 *custody(paper), stdin=form)  # fmt: skip
    assert (status, error["code"]) == (ExitCode.INVALID_INPUT, "registry.form_invalid")
    said = "\n".join(error["problems"])
    for word in ("sex (robot)", "place_unit (99999)", "nonsense", "name.given", "60/2014", "male"):
        assert word in said


def test_nothing_is_registered_without_an_agreement_to_sign(desk, paper, mother):
    status, error = desk.refused("birth", "register", "-", "--office", "justice", *custody(paper),
                                 stdin=birth_form(mother, "Không"))  # fmt: skip
    assert (status, error["code"]) == (ExitCode.CANCELLED, "cli.cancelled")


def test_an_owner_updates_an_own_field_and_nobody_else_can(citizen, new_desk):
    own, identity = citizen("lan")
    words = ("identity", "update-contact", identity, "--auth", "lan", "--yes")
    (made,) = own.ask(*words, "--set", "phone=0901234567", "--set", "language=vi")
    assert made["records"][0]["version"] == 1
    (made,) = own.ask(*words, "--set", "phone=0907654321")
    assert made["records"][0]["version"] == 2
    contact = made["records"][0]["id"]
    (opened,) = own.ask("record", "open", contact, "--auth", "lan")
    assert opened["sealed"] == {"phone": "0907654321", "language": "vi"}, "the rest stays"
    clerk = new_desk("desk", "police-1", "police-2")
    status, error = clerk.refused(
        "identity", "update-contact", identity, "--set", "phone=0900000000", "--yes",
        "--person", f"{identity}=police-1",
    )  # fmt: skip
    assert status == ExitCode.NOT_AUTHORISED
    assert error["code"].startswith("registry.signer")
    (opened,) = own.ask("record", "open", contact, "--auth", "lan")
    assert opened["version"] == 2


def test_a_stranger_learns_nothing_about_a_person(citizen, new_desk):
    _own, identity = citizen("mai")
    stranger = new_desk("stranger")
    status, error = stranger.refused("show", identity)
    assert (status, error["code"]) == (ExitCode.NOT_FOUND, "node.not_found")
    status, error = stranger.refused("record", "open", identity)
    assert (status, error["code"]) == (ExitCode.KEY_NEEDED, "cli.key_needed")


def test_the_same_number_twice_is_refused_as_taken(desk):
    form = identity_form("Lê")
    desk.ask("identity", "create", "-", "--office", "police", "--yes", stdin=form)
    status, error = desk.refused("identity", "create", "-", "--office", "police", "--yes",
                                 stdin=form)  # fmt: skip
    assert (status, error["code"]) == (ExitCode.CONFLICT, "registry.taken")


def test_three_people_on_three_machines_sign_one_draft(new_desk, paper, tmp_path, mother):
    """Acceptance case 14: each program shows the same act; the last signature makes the entry."""
    first = new_desk("first", "justice-1")
    second = new_desk("second", "justice-2")
    third = new_desk("third", "justice-3")
    draft = tmp_path / "birth.draft"
    (written,) = first.ask(
        "birth", "register", "-", "--office", "justice", "--yes", "--draft", draft,
        "--as", "second_officer=justice-3", "--custody", "informant=justice-1,justice-2",
        "--paper", paper, stdin=birth_form(mother, "Nháp"),
    )  # fmt: skip
    assert sorted(written["missing_signatures"])[:2] == ["justice", "justice-2"]
    shown = [one.ask("draft", "show", draft)[0] for one in (first, second, third)]
    assert len({"\n".join(one["explanation"]) for one in shown}) == 1
    assert "Nháp" in "\n".join(shown[0]["explanation"])
    assert not shown[0]["unseen"]
    status, error = first.refused("draft", "submit", draft, "--yes")
    assert (status, error["code"]) == (ExitCode.NOT_AUTHORISED, "registry.signer_missing")
    second.ask("draft", "sign", draft, "--yes")
    (signed,) = third.ask("draft", "sign", draft, "--key", "justice-3", "--yes")
    assert signed["missing_signatures"] == ["justice"], "only the custodian is left"
    (made,) = first.ask("draft", "submit", draft, "--yes")
    assert made["status"] == "committed"
    assert made["entry"] == written["entry"]


def birth_draft(first, paper, draft, mother, name):
    """Have the first officer draft a birth that two others sign as well."""
    (written,) = first.ask(
        "birth", "register", "-", "--office", "justice", "--yes", "--draft", draft,
        "--as", "second_officer=justice-3", "--custody", "informant=justice-1,justice-2",
        "--paper", paper, stdin=birth_form(mother, name),
    )  # fmt: skip
    return written["entry"]


def test_three_people_on_three_machines_sign_one_draft_at_the_offices_node(
    new_desk, paper, tmp_path, mother
):
    """As by files, and a mix of both: one signs at the node, one takes the file home and back."""
    first, second, third = (new_desk(f"at-{at}", f"justice-{at}") for at in (1, 2, 3))
    stranger = new_desk("at-bank", "bank-1")
    draft = tmp_path / "birth.draft"
    entry = birth_draft(first, paper, draft, mother, "Nút")
    assert "would" not in first.run("draft", "send", draft, "--dry-run").stdout
    assert [one for one in second.ask("draft", "list") if one["entry"] == entry] == []
    status, error = second.refused("draft", "show", entry)
    assert (status, error["code"]) == (ExitCode.NOT_FOUND, "cli.not_found")
    (left,) = first.ask("draft", "send", draft, "--yes")
    assert left["entry"] == entry
    (waiting,) = [one for one in second.ask("draft", "list") if one["entry"] == entry]
    assert waiting["node"] == "justice"
    assert waiting["you_sign"] == ["justice-2"]
    (shown,) = second.ask("draft", "show", entry)
    assert not shown["unseen"]
    assert "Nút" in "\n".join(shown["explanation"])
    second.ask("draft", "sign", entry, "--yes")
    mine = tmp_path / "mine.draft"
    (fetched,) = third.ask("draft", "fetch", entry, "--out", mine)
    assert sorted(fetched["missing_signatures"]) == ["justice", "justice-3"]
    third.ask("draft", "sign", mine, "--yes")
    (left,) = third.ask("draft", "send", mine, "--yes")
    assert left["missing_signatures"] == ["justice"], "only the custodian is left"
    for lang, words in (("en", "still to sign: justice"), ("vi", "còn phải ký: justice")):
        assert words in first.run("draft", "list", "--lang", lang).stdout
    assert stranger.ask("draft", "list") == []
    status, error = stranger.refused("draft", "fetch", entry, "--out", tmp_path / "no.draft")
    assert (status, error["code"]) == (ExitCode.NOT_FOUND, "cli.not_found")
    (made,) = first.ask("draft", "submit", entry, "--yes")
    assert (made["status"], made["entry"]) == ("committed", entry)
    assert [one for one in first.ask("draft", "list") if one["entry"] == entry] == []


@pytest.mark.parametrize("word", ["nothing.draft", "00", "zz" * 32, "."])
def test_what_is_neither_a_draft_file_nor_a_digest_is_refused(desk, word):
    status, error = desk.refused("draft", "show", word)
    assert (status, error["code"]) == (ExitCode.NOT_FOUND, "cli.no_such_file")


def test_a_program_that_cannot_open_a_draft_says_unseen(new_desk, paper, tmp_path, mother):
    first = new_desk("first", "justice-1")
    stranger = new_desk("bank", "bank-1")
    draft = tmp_path / "birth.draft"
    first.ask("birth", "register", "-", "--office", "justice", "--yes", "--draft", draft,
              "--as", "second_officer=justice-3", "--custody", "informant=justice-1,justice-2",
              "--paper", paper, stdin=birth_form(mother, "Kín"))  # fmt: skip
    (shown,) = stranger.ask("draft", "show", draft)
    assert shown["unseen"]
    assert "Kín" not in "\n".join(shown["explanation"])
    assert "unseen" in shown["explanation"][0]
    status, error = stranger.refused("draft", "sign", draft, "--key", "bank-1", "--yes")
    assert (status, error["code"]) == (ExitCode.NOT_AUTHORISED, "registry.signer_idle")


def test_one_changed_byte_of_a_draft_is_noticed_by_who_signs(new_desk, paper, tmp_path, mother):
    first, second = new_desk("first", "justice-1"), new_desk("second", "justice-2")
    draft = tmp_path / "birth.draft"
    first.ask("birth", "register", "-", "--office", "justice", "--yes", "--draft", draft,
              "--as", "second_officer=justice-3", "--custody", "informant=justice-1,justice-2",
              "--paper", paper, stdin=birth_form(mother, "Sửa"))  # fmt: skip
    raw = draft.read_bytes()
    item = parse_draft(raw).bodies[0]
    assert item is not None
    at = raw.index(item.body) + len(item.body) // 2
    draft.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
    status, _error = second.refused("draft", "sign", draft, "--yes")
    assert status == ExitCode.INVALID_INPUT
    draft.write_bytes(raw)
    assert second.ask("draft", "sign", draft, "--yes")


LAND = """
certificate_serial = "AA {serial}"
area = 85.5
land_use = ["ODT"]
geometry_digest = "{digest}"
geometry = '{geometry}'
form_of_use = "private"
obligation_open = false
address = "Phố Hàng Lụa"
origin_of_use = "Công nhận"
obligation = "paid"
[parcel]
unit = "{unit}"
map_sheet_no = "12"
parcel_no = "{serial}"
[[holders]]
parties = ["{owner}"]
share = "1/1"
[act]
event_date = {day}
sufficient = true
"""


def land_form(owner):
    geometry = '{"type":"Point","coordinates":[105.8,21.0]}'
    return LAND.format(serial=next(_NUMBERS), digest=sha256(geometry.encode()).hexdigest(),
                       geometry=geometry, unit="00004", owner=owner, day=YESTERDAY)  # fmt: skip


def test_land_is_registered_sold_and_cannot_be_sold_twice(desk, citizen, new_desk, signs_here):
    seller_home, seller = citizen("ban")
    buyer_home, buyer = citizen("mua")
    signs_here(seller_home, "ban")
    signs_here(buyer_home, "mua")
    (made,) = desk.ask("land-title", "first-register", "-", "--office", "land", "--yes",
                       stdin=land_form(seller))  # fmt: skip
    title = made["records"][0]["id"]
    transfer = f"""
deal = "sale"
certificate_serial = "AB {next(_NUMBERS)}"
[[holders]]
parties = ["{buyer}"]
share = "1/1"
[act]
event_date = {YESTERDAY}
sufficient = true
"""
    words = ("land-title", "transfer", title, "-", "--office", "land", "--yes")
    (sold,) = desk.ask(*words, stdin=transfer)
    assert sold["records"][0]["version"] == 2
    (shown,) = desk.ask("show", title)
    assert shown["holders"] == [{"share": "1/1", "parties": [buyer]}]
    assert shown["fields"]["area"] == "85.5"
    assert list(shown["fields"])[:3] == ["parcel", "area", "land_use"], "as the form asks for them"
    (opened,) = desk.ask("record", "open", title)
    assert opened["sealed"]["address"] == "Phố Hàng Lụa", "what the form leaves out stays"
    assert list(opened["sealed"]) == ["geometry", "address", "origin_of_use", "obligation"]
    stranger = new_desk("stranger")
    (public,) = stranger.ask("show", title)
    assert public["fields"]["area"] == "85.5"
    assert (public["record"], public["office_id"]) == (title, shown["office_id"])
    assert "Diện tích (m²): 85,5" in stranger.run("show", title, "--lang", "vi").stdout
    bare = ("land-title", "transfer", title, "-", "--office", "land", "--yes")
    status, error = desk.refused(*bare, "--person", f"{buyer}=ban-sign",
                                 stdin=transfer.replace(buyer, seller))  # fmt: skip
    assert status == ExitCode.NOT_AUTHORISED, "the seller's key is no longer the owner's"
    assert error["code"] == "registry.signer_wrong"


@pytest.fixture
def signs_here(desk):
    """Let people sign at the clerk's machine; their keys are gone from it afterwards."""
    lent = []

    def lend(home, name, *uses):
        for use in uses or ("sign", "seal"):
            target = desk.home / "keys" / f"{name}-{use}.pem"
            target.parent.mkdir(exist_ok=True)
            target.hardlink_to(home.home / "keys" / target.name)
            lent.append(target)

    yield lend
    for path in lent:
        path.unlink()


def test_a_mortgage_stands_in_the_way_until_the_lender_releases_it(desk, citizen, signs_here):
    owner_home, owner = citizen("chu")
    lender_home, lender = citizen("vay")
    signs_here(owner_home, "chu")
    (made,) = desk.ask("land-title", "first-register", "-", "--office", "land", "--yes",
                       stdin=land_form(owner))  # fmt: skip
    title = made["records"][0]["id"]
    words = ("land-title", "mortgage", title, "--office", "land", "--yes", "--set",
             "act.sufficient=true", "--set", f"objects.encumbrance.holder={lender}")  # fmt: skip
    signs_here(lender_home, "vay")
    desk.ask(*words, "--set", "secured_amount=500000000")
    (shown,) = desk.ask("show", title)
    assert [one["status"] for one in shown["encumbrances"]] == ["live"]
    desk.ask("land-title", "release", title, "--office", "land", "--yes", "--set",
             "act.sufficient=true", "--set", "objects.release.number=1", "--set",
             f"objects.release.holder={lender}")  # fmt: skip
    (shown,) = desk.ask("show", title)
    assert [one["status"] for one in shown["encumbrances"]] == ["released"]
    history = desk.ask("record", "history", title)
    acts = [act["kind"].partition("/")[2] for act in history]
    assert [act for act in acts if act != "access"] == ["first_register", "mortgage", "release"]
    assert "access" in acts, "officers who open a title leave a trace"


def test_a_correction_needs_the_person_and_a_reason(desk, citizen, signs_here):
    own, identity = citizen("sai")
    words = ("identity", "correct", identity, "--office", "police", "--yes",
             "--set", "residence=Xã Mới", "--set", "act.sufficient=true")  # fmt: skip
    grounds = ("--set", "act.reason=typing", "--set", f"act.evidence={'ab' * 32}")
    status, error = desk.refused(*words, *grounds)
    assert status == ExitCode.NOT_AUTHORISED, "the person's key is not here"
    assert error["code"] == "registry.signer_missing"
    signs_here(own, "sai", "sign")
    status, error = desk.refused(*words, "--dry-run")
    assert (status, error["code"]) == (ExitCode.INVALID_INPUT, "registry.form_invalid")
    assert "reason" in "".join(error["problems"]), "the papers and the reason are missing"
    desk.ask(*words, *grounds)
    (opened,) = desk.ask("record", "open", identity)
    assert opened["sealed"]["residence"] == "Xã Mới"
    assert opened["sealed"]["name.given"] == "An", "the rest stays"


def test_an_office_is_named_and_listed(desk):
    form = f"""
name = "Ủy ban nhân dân phường"
unit = "00004"
unit_date = 2025-07-01
level = "commune"
parent = "justice"
from_date = {TODAY}
"""
    (made,) = desk.ask("office", "name", "-", "--agency", "justice", "--yes", stdin=form)
    assert made["made"]["kind"] == "office"
    listed = desk.ask("office", "list")
    assert any(made["made"]["id"] in row["id"] for row in listed)
    assert any(row["parent_name"] == "justice" for row in listed if row["parent"])
    status, _error = desk.refused("office", "name", "-", "--agency", "bank", "--yes", stdin=form)
    assert status == ExitCode.NOT_AUTHORISED, "the office above is another agency's"


def approver(desk):
    """Return the key id of an officer of justice who approves, as another machine must say it."""
    rows = [row for row in desk.ask("officer", "list") if row["id_name"] == "justice-2"]
    return rows[0]["roles"][0]["key"]


def works_at_her_own_desk(desk, own, identity, folder, scan, birth):
    """A new officer gets a key to ask nodes with, and begins a registration without any other's."""
    begins = ("birth", "register", "-", "--office", "justice", "--yes", "--auth", "moi-office",
              "--as", "officer=moi-office", "--as", f"second_officer={approver(desk)}",
              *custody(scan))  # fmt: skip
    (made,) = own.ask("key", "new", "moi-office-auth", "--unencrypted")
    own.refused(*begins, "--draft", folder / "early.draft", stdin=birth)
    draft = folder / "auth.draft"
    desk.ask("officer", "enrol-key", "--agency", "justice", "--yes", "--set",
             f"identity={identity}", "--set", "office=justice", "--set",
             f"public={made['public']}", "--draft", draft)  # fmt: skip
    said = "\n".join(own.ask("draft", "show", draft)[0]["explanation"])
    assert f"Makes auth key: to ask nodes, fingerprint {made['fingerprint']}" in said
    own.ask("draft", "sign", draft, "--yes")
    own.ask("draft", "submit", draft, "--yes")
    begun = folder / "birth.draft"
    own.ask(*begins, "--draft", begun, stdin=birth)
    desk.ask("draft", "sign", begun, "--yes")
    (registered,) = desk.ask("draft", "submit", begun, "--yes")
    assert registered["status"] == "committed"


def test_an_officer_agrees_gets_a_role_signs_and_loses_the_key(
    desk, citizen, mother, paper, signs_here, tmp_path
):
    own, identity = citizen("moi")
    (made,) = own.ask("key", "new", "moi-office", "--unencrypted")
    words = ("officer", "grant", "--agency", "justice", "--yes", "--set", f"identity={identity}",
             "--set", "role=register", "--set", "types=birth", "--set", "office=justice",
             "--set", f"public={made['public']}", "--set", f"from_date={TODAY}")  # fmt: skip
    status, error = desk.refused(*words)
    assert (status, error["code"]) == (ExitCode.NOT_AUTHORISED, "registry.signer_missing")
    draft = tmp_path / "role.draft"
    (written,) = desk.ask(*words, "--draft", draft)
    assert len(written["missing_signatures"]) == 2
    (shown,) = own.ask("draft", "show", draft)
    said = "\n".join(shown["explanation"])
    assert f"Makes role: to sign, fingerprint {made['fingerprint']}" in said, "it is the own key"
    assert "Office: justice (" in said, "she reads for whom she is to work"
    vietnamese = own.run("draft", "show", draft, "--lang", "vi").stdout
    assert "Vai trò: đăng ký (register)" in vietnamese
    assert "Loại hồ sơ: Khai sinh (birth)" in vietnamese
    desk.ask("draft", "send", draft, "--node", "justice", "--auth", "justice-1", "--yes")
    (signed,) = own.ask("draft", "sign", written["entry"], "--yes")
    assert signed["missing_signatures"] == []
    own.ask("draft", "submit", written["entry"], "--yes")
    signs_here(own, "moi", "office")
    rows = [row for row in desk.ask("officer", "list") if identity in row["id"]]
    assert [role["role"] for role in rows[0]["roles"]] == ["register"]
    registers = ("birth", "register", "-", "--office", "justice", "--yes", "--as",
                 "officer=moi-office", *custody(paper))  # fmt: skip
    works_at_her_own_desk(desk, own, identity, tmp_path, paper, birth_form(mother, "Mới"))
    desk.ask("officer", "revoke-key", "--agency", "justice", "--yes", "--set",
             "key_id=moi-office")  # fmt: skip
    status, error = desk.refused(*registers, stdin=birth_form(mother, "Sau", birth_time="08:30"))
    assert status == ExitCode.NOT_AUTHORISED
    assert error["code"] in {"registry.key_not_in_force", "registry.signer_wrong"}


def test_a_certificate_is_made_of_a_birth(desk, paper, mother):
    (made,) = desk.ask("birth", "register", "-", "--office", "justice", "--yes", *custody(paper),
                       stdin=birth_form(mother, "Giấy"))  # fmt: skip
    birth = made["records"][0]["id"]
    words = ("birth", "certify", birth, "--office", "justice", "--yes", "--lang", "vi")
    status, error = desk.refused(*words)
    assert (status, error["code"]) == (ExitCode.RULE_VIOLATED, "registry.reason_missing")
    (certified,) = desk.ask(*words, "--set", "act.reason=school", "--set", "form=original")
    assert certified["made"]["kind"] == "certificate"
    status, error = desk.refused(*words, "--set", "act.reason=school", "--set", "status=ended")
    assert error["code"] == "registry.certificate_wrong"


def test_agencies_decide_by_ballot(desk):
    form = """
action = "parameter"
[fields]
name = "received_days"
value = 9
"""
    (opened,) = desk.ask("ballot", "open", "-", "--agency", "justice", "--yes", stdin=form)
    ballot = opened["made"]["id"]
    for agency in ("police", "land"):
        desk.ask("ballot", "vote", "--set", f"ballot={ballot}", "--set", "yes=true",
                 "--agency", agency, "--yes")  # fmt: skip
    status, error = desk.refused("ballot", "vote", "--set", f"ballot={ballot}", "--set",
                                 "yes=true", "--agency", "bank", "--yes")  # fmt: skip
    assert (status, error["code"]) == (ExitCode.CONFLICT, "registry.ballot_closed")
    (row,) = [row for row in desk.ask("ballot", "list") if ballot in row["id"]]
    assert row["in_force_height"]


def test_an_import_window_is_opened_by_the_office_after_a_ballot(desk):
    form = f"""
action = "import_window"
[fields]
office = "office:justice"
source = "book-1"
type = "birth"
from_date = "{TODAY}"
to_date = "2099-01-01"
"""
    (opened,) = desk.ask("ballot", "open", "-", "--agency", "justice", "--yes", stdin=form)
    for agency in ("police", "land"):
        desk.ask("ballot", "vote", "--set", f"ballot={opened['made']['id']}", "--set", "yes=true",
                 "--agency", agency, "--yes")  # fmt: skip
    (row,) = [row for row in desk.ask("ballot", "list") if opened["made"]["id"] in row["id"]]
    while desk.ask("status")[0]["height"] + 1 < row["in_force_height"]:
        desk.ask("identity", "create", "-", "--office", "police", "--yes", stdin=identity_form())
    desk.ask("import-window", "open", "--office", "justice", "--yes", "--set", "source=book-1",
             "--set", f"scans_root={'ab' * 32}", "--set", "count=3")  # fmt: skip
    (window,) = [one for one in desk.ask("import-window", "list") if one["id_name"] == "justice"]
    assert window["count"] == 3


def test_a_notice_of_an_intake_is_filed(desk, paper):
    (made,) = desk.ask("notice", "file", "birth", paper, "--purpose", "intake",
                       "--office", "justice", "--yes")  # fmt: skip
    assert made["status"] == "committed"


def test_an_owner_tries_alone_what_an_owner_does_alone(citizen):
    """A citizen sees few rows of the state, but all that a dry run of the own acts needs."""
    own, identity = citizen("thu")
    contact = ("identity", "update-contact", identity, "--auth", "thu", "--set")
    for phone, wanted in (("0912345678", 1), ("0912345679", 2)):
        (tried,) = own.ask(*contact, f"phone={phone}", "--dry-run")
        assert tried["missing_signatures"] == ["thu-sign", "police"]
        (made,) = own.ask(*contact, f"phone={phone}", "--yes")
        assert made["records"][0]["version"] == wanted, "what was tried has done nothing"
    grant = ("identity", "grant", identity, "--auth", "thu",
             "--set", "objects.grant.until=2099-01-01",
             "--set", f"objects.grant.recipient={'11' * 16}",
             "--set", f"objects.grant.wraps_digest={'22' * 32}")  # fmt: skip
    assert own.ask(*grant, "--dry-run")[0]["dry_run"]
    own.ask(*grant, "--yes")
    status, error = own.refused("identity", "withdraw-grant", identity, "--auth", "thu", "--set",
                                f"objects.withdrawal.grant={'33' * 16}", "--dry-run")  # fmt: skip
    assert error["code"] == "registry.object_unknown"
    assert status == ExitCode.NOT_FOUND
