"""A desk that cannot open a record files no access of it: no owner sees what did not happen."""

import shutil

import pytest

from cli.exit_codes import ExitCode
from tests.cli.test_clerk import YESTERDAY, land_form, mother, paper  # noqa: F401 - fixtures

pytestmark = pytest.mark.slow


@pytest.fixture
def title(desk, mother, paper):  # noqa: F811 - fixtures
    """A title of a woman without a key, and the words by which two offices attest her form."""
    attested = ("--custody", f"{mother}=land-1,police-1", "--paper", paper)
    (made,) = desk.ask("land-title", "first-register", "-", "--office", "land", "--yes", *attested,
                       stdin=land_form(mother))  # fmt: skip
    return made["records"][0]["id"], mother, attested


def acts(desk, record):
    return [act["kind"].partition("/")[2] for act in desk.ask("record", "history", record)]


def test_an_officer_without_the_agencys_seal_key_is_told_which_key_is_missing(
    desk, new_desk, network, title
):
    record, _owner, _attested = title
    clerk = new_desk("desk1", "land-1")
    for words in (("record", "open", record), ("record", "open", record, "--purpose", "search")):
        status, error = clerk.refused(*words)
        assert (status, error["code"]) == (ExitCode.KEY_NEEDED, "cli.seal_key_needed")
        assert "seal key of land" in error["sentence"]
        assert "keys/seal.pem" in error["hint"]
    assert "access" not in acts(desk, record)
    node = next(one for one in network.nodes if one.agency == "land")
    (clerk.home / "keys").mkdir(exist_ok=True)
    shutil.copy(node.home / "keys" / "seal.pem", clerk.home / "keys" / "seal.pem")
    (opened,) = clerk.ask("record", "open", record)
    assert opened["sealed"]["address"] == "Phố Hàng Lụa"
    assert acts(desk, record)[-1] == "access"


def test_an_officer_of_an_agency_to_which_nothing_is_sealed_is_told_to_whom_it_is(
    desk, new_desk, network, title
):
    record, _owner, _attested = title
    bank = new_desk("bankdesk", "bank-1")
    node = next(one for one in network.nodes if one.agency == "bank")
    shutil.copytree(node.home / "keys", bank.home / "keys", dirs_exist_ok=True)
    status, error = bank.refused("record", "open", record)
    assert (status, error["code"]) == (ExitCode.NOT_AUTHORISED, "cli.not_a_reader")
    assert error["sentence"] == "This record is not sealed to bank, but to land."
    assert "access" not in acts(desk, record)


def test_a_change_where_the_record_does_not_open_says_so_and_not_that_fields_are_missing(
    new_desk, title, tmp_path
):
    record, owner, attested = title
    clerk = new_desk("desk1", "land-1", "land-2", "police-1")
    form = f"""
deal = "sale"
certificate_serial = "ZZ 1"
area = 3
[[holders]]
parties = ["{owner}"]
share = "1/1"
[act]
event_date = {YESTERDAY}
sufficient = true
"""
    words = ("land-title", "transfer", record, "-", "--office", "land", "--yes", *attested,
             "--draft", tmp_path / "sale.draft")  # fmt: skip
    status, error = clerk.refused(*words, stdin=form)
    assert (status, error["code"]) == (ExitCode.INVALID_INPUT, "registry.form_invalid")
    first, *others = error["problems"]
    assert "the record did not open here" in first
    assert "seal key of land" in first
    assert "required" not in "".join(others), "what a form leaves out would have stayed"
    assert any(problem.startswith("area") for problem in others), "its other mistakes are told"
