"""A certificate from the desk to a stranger, on four running nodes: issued, shown, replaced."""

import json
import shutil

import pytest
from click.testing import CliRunner

from cli.exit_codes import ExitCode
from cli.main import program
from ledger.ids import parse_id
from registry.catalogue import TYPES, type_text
from registry.certificates import parse_certificate
from registry.schema_reader import read_record_type
from tests.cli.test_clerk import YESTERDAY, birth_form, custody, identity_form, land_form

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    path = tmp_path_factory.mktemp("paper") / "scan.png"
    path.write_bytes(b"a scan of the signed form")
    return path


@pytest.fixture
def person(desk, new_desk):
    """Make a citizen with keys at home; the desk has them too, as a phone beside the counter."""

    def make(name, *identity):
        own = new_desk(name)
        own.ask("key", "new", name, "--person", "--unencrypted")
        shutil.copytree(own.home / "keys", desk.home / "keys", dirs_exist_ok=True)
        (made,) = desk.ask("identity", "create", "-", "--office", "police", "--yes",
                           stdin=identity_form(*identity))  # fmt: skip
        identifier = made["records"][0]["id"]
        desk.ask("identity", "enrol-key", identifier, "--enrol", name, "--office", "police",
                 "--yes")  # fmt: skip
        return own, identifier

    return make


def verified(home, *words):
    """Run `verify` on another machine; return its word, exit status and the whole answer."""
    shown = CliRunner().invoke(program, ["--home", str(home), "verify", *map(str, words), "--json"])
    answer = json.loads(shown.stdout)
    return answer["word"], shown.exit_code, answer


def read_aloud(home, *words):
    """Run `verify` on another machine; return what people read."""
    return CliRunner().invoke(program, ["--home", str(home), "verify", *map(str, words)]).stdout


@pytest.fixture
def stranger(desk, tmp_path):
    """A folder with nothing but the trust bundle of the network."""
    home = tmp_path / "stranger"
    home.mkdir()
    shutil.copy(desk.home / "trust.civreg", home / "trust.civreg")
    return home


def test_case_22_a_birth_is_certified_shown_and_opened_by_both_parents_until_it_is_corrected(
    desk, person, stranger, network, tmp_path
):
    anna, mother = person("anna", "Trần", 1995, "female")
    paul, father = person("paul", "Nguyễn", 1990)
    form = birth_form(mother, "Ân", father=father)
    (made,) = desk.ask("birth", "register", "-", "--office", "justice", "--yes",
                       "--as", "informant=anna-sign", stdin=form)  # fmt: skip
    birth, child = (record["id"] for record in made["records"])
    for parent, name in ((anna, "anna"), (paul, "paul")):
        (opened,) = parent.ask("record", "open", birth, "--auth", name)
        assert opened["sealed"]["name.given"] == "Ân"
        (opened,) = parent.ask("record", "open", child, "--auth", name)
        assert opened["sealed"]["name.given"] == "Ân"

    file = tmp_path / "child.certificate"
    words = ("birth", "certify", birth, "--office", "justice", "--yes")
    (certified,) = desk.ask(*words, "--person", f"{mother}=anna-sign",
                            "--out", file, "--recipient", "Trường Tân Lập",
                            "--purpose", "nhập học")  # fmt: skip
    word, status, answer = verified(stranger, file)
    assert (word, status) == ("GENUINE", 0)
    assert answer["certificate"] == certified["made"]["id"]
    fields = answer["fields"]
    assert (fields["name.given"], fields["event_date"]) == ("Ân", YESTERDAY)
    parents = [fields[f"{parent}_details.name"] for parent in ("mother", "father")]
    assert parents == ["Trần Thị Lan", "Nguyễn Văn Bình"]
    assert fields["registration_no"] == made["registration_no"]
    assert fields["intended.recipient"] == "Trường Tân Lập"
    raw = file.read_bytes()
    for identifier in (birth, child, mother, father):
        assert parse_id(identifier) not in raw

    address = network.nodes[2].address
    word, _status, answer = verified(stranger, file, "--status", address)
    assert (word, answer["in_force"], answer["status_from"]) == ("GENUINE", "GENUINE", address)
    assert f"by the answer of {address}" in read_aloud(stranger, file, "--status", address)
    assert "nobody was asked" in read_aloud(stranger, file)
    desk.ask("birth", "correct", birth, "--office", "justice", "--yes", "--set",
             "name.given=An", "--set", "act.reason=clerical", "--set", "act.sufficient=true",
             "--set", f"act.evidence={'00' * 32}", "--person", f"{mother}=anna-sign")  # fmt: skip
    assert verified(stranger, file)[:2] == ("GENUINE", 0), "offline nobody can know"
    word, status, answer = verified(stranger, file, "--status", address)
    assert (word, status) == ("CHANGED", ExitCode.CHANGED)
    word, status, answer = verified(stranger, file, "--status", f"{address}/x")
    assert (word, status) == ("CANNOT CHECK NOW", ExitCode.CANNOT_CHECK)
    assert (answer["offline_word"], answer["status_error"]["code"]) == ("GENUINE", "cli.no_network")
    again = tmp_path / "again.certificate"
    status, error = desk.refused(*words, "--of", certified["entry"], "--out", again)
    assert (status, error["code"]) == (ExitCode.INVALID_INPUT, "cli.invalid_input")
    assert not again.exists()


def test_the_holder_chooses_what_a_certificate_shows(desk, person, stranger, tmp_path):
    _own, identity = person("lan", "Lê", 1988, "female")
    words = ("identity", "certify", identity, "--office", "justice", "--yes")
    first = tmp_path / "first.certificate"
    (made,) = desk.ask(*words, "--set", "act.reason=bank", "--out", first,
                       "--fields", "name.family,birth_date")  # fmt: skip
    _word, _status, answer = verified(stranger, first)
    assert (answer["word"], answer["exit"]) == ("CANNOT CHECK NOW", 19), "an identity: 0 days"
    assert answer["fields"] == {"birth_date": "1988-05-06", "name.family": "Lê"}
    other = tmp_path / "other.certificate"
    desk.ask(*words, "--of", made["entry"], "--out", other, "--fields", "sex")
    assert verified(stranger, other)[2]["fields"] == {"sex": "female"}
    shown = parse_certificate(other.read_bytes())
    assert len(shown.receipt.parts) == 1, "the birth date is a part that it does not show"
    taken = desk.refused(*words, "--of", made["entry"], "--out", other)
    assert taken[1]["code"] == "cli.file_exists"
    unknown = desk.refused(*words, "--out", tmp_path / "no", "--fields", "name")
    assert (unknown[0], unknown[1]["code"]) == (ExitCode.INVALID_INPUT, "cli.invalid_input")
    nowhere = desk.refused(*words, "--recipient", "school")
    assert nowhere[1]["code"] == "cli.invalid_input"


def certified_types():
    """Return the shipped types of which there are certificates."""
    shipped = [read_record_type(type_text(name)) for name in TYPES]
    return sorted(one.name for one in shipped if one.role == "record")


def test_a_record_of_every_type_that_can_be_certified_is(
    desk, person, stranger, scan, network, tmp_path
):
    """By two officers for a reason, even where the record is about a parcel."""
    _home, owner = person("hang", "Lê", 1991, "female")
    birth, _child = desk.ask(
        "birth", "register", "-", "--office", "justice", "--yes", *custody(scan),
        stdin=birth_form(owner, "Bảo"),
    )[0]["records"]  # fmt: skip
    (title,) = desk.ask(
        "land-title", "first-register", "-", "--office", "land", "--yes",
        "--person", f"{owner}=hang-sign", stdin=land_form(owner),
    )[0]["records"]  # fmt: skip
    made = {"birth": (birth["id"], "justice"), "identity": (owner, "police"),
            "land_title": (title["id"], "land")}  # fmt: skip
    assert sorted(made) == certified_types(), "a new type is certified here too"
    for name, (record, office) in made.items():
        file = tmp_path / f"{name}.certificate"
        desk.ask(name.replace("_", "-"), "certify", record, "--office", office, "--out", file,
                 "--yes", "--set", "act.reason=bank")  # fmt: skip
        assert verified(stranger, file, "--status", network.nodes[2].address)[0] == "GENUINE"
