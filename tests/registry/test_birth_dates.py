"""One date of birth in two records, the keys that end on a birthday, and names found again."""

from typing import Any

import pytest

from ledger.ids import RecordId
from ledger.parts import Match
from registry.authority_rows import KeyRow
from registry.object_rows import CertificateRow
from registry.rows import IndexRow
from registry.state_key_names import certificate_key, key_key, match_key
from tests.registry.test_corrections import LOWER, SENIOR, edit, senior_officer, years
from tests.registry.town import Town, by, child_id, form, key, two_officers


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
def birth(town):
    entry = town.birth(mother=town.adult("anna"))
    town.accept(entry)
    return entry.records[0].record_id


def correct(town: Town, birth: Any, date: str) -> None:
    town.accept(edit(town, birth, "correct", [*LOWER, by(SENIOR, "senior")], event_date=date))


def test_a_corrected_birth_corrects_the_childs_identity_in_the_same_block(town, birth):
    senior_officer(town)
    child = child_id(birth)
    before = town.row(child)
    certify = town.certificate(child)
    town.accept(certify)
    correct(town, birth, "2025-12-31")
    after = town.row(child)
    assert after.member["birth_date"] == town.row(birth).member["event_date"] == "2025-12-31"
    assert (after.version, after.seal) == (before.version, before.seal)
    certificate = certificate_key(certify.objects[0].fields["certificate_id"])
    row = town.state.read(certificate, CertificateRow)
    assert row is not None
    assert row.status == "replaced"


def test_an_identity_with_a_birth_record_is_not_dated_by_itself(town, birth):
    senior_officer(town)
    child = child_id(birth)
    mother = by("representative", "anna", acting_for=child)

    def entry(date):
        part = town.part("identity", child, member={"birth_date": date})
        hands = [*LOWER, by(SENIOR, "senior"), mother]
        return town.entry("identity/correct", hands, [part], office=town.lower, reason="clerical")

    assert town.refuse(entry("2025-12-31")) == "registry.date_order"
    town.accept(entry(town.row(birth).member["event_date"]))


def ends(town: Town, name: str) -> str | None:
    row = town.state.read(key_key(key(name).public.key_id), KeyRow)
    assert row is not None
    return row.to_date


def test_a_childs_key_ends_on_the_birthday_that_it_turns_out_to_have(town, birth):
    years(town, 10)
    child = child_id(birth)
    town.accept(town.enrol_entry(child, "child"))
    assert ends(town, "child") == "2041-01-01"
    senior_officer(town)
    signs = by("subject", "child")
    mother = by("representative", "anna", acting_for=child)
    part = town.part("birth", birth, member={**town.row(birth).member, "event_date": "2020-02-29"})
    hands = [*LOWER, by(SENIOR, "senior"), signs, mother]
    town.accept(town.entry("birth/correct", hands, [part], reason="clerical", office=town.lower))
    assert ends(town, "child") == "2038-03-01", "enrolled at fifteen, so until eighteen"


@pytest.mark.parametrize(
    ("born", "end"),
    [("2008-02-29", "2026-03-01"), ("2008-03-01", "2026-03-01"), ("1990-01-01", None)],
)
def test_an_identitys_own_date_moves_the_end_of_its_keys_too(town, born, end):
    young = town.create_identity("2009-06-01")
    town.accept(town.enrol_entry(young, "young"))
    assert ends(town, "young") == "2027-06-01"
    senior_officer(town)
    part = town.part("identity", young, member={"birth_date": born})
    hands = [*LOWER, by(SENIOR, "senior"), by("subject", "young")]
    town.accept(town.entry("identity/correct", hands, [part], reason="x", office=town.lower))
    assert ends(town, "young") == end


def late_birth(town: Town, **given: Any) -> Any:
    """Register a birth of long ago; returns the birth record."""
    informant = form("informant", ("lower", "register"), ("lower", "approve"))
    hands = [*LOWER, informant, by("upper_office(approve)", "justice", "approve")]
    member = {"late_code": "distance"}
    entry = town.birth(hands=hands, office=town.lower, member=member, **given)  # type: ignore[attr-defined]
    town.accept(entry)
    return entry.records[0].record_id


def test_no_corrected_birth_makes_a_mother_younger_than_her_child(town):
    senior_officer(town)
    birth = late_birth(town, mother=town.adult("anna", "1960-01-01"), event_date="1995-05-05")
    lan = child_id(birth)
    late_birth(town, mother=lan, event_date="2015-05-05")

    def corrected(date: str) -> Any:
        part = town.part("birth", birth, member={**town.row(birth).member, "event_date": date})
        herself = form("subject", ("lower", "register"), ("lower", "approve"))
        hands = [*LOWER, by(SENIOR, "senior"), herself]
        return town.entry("birth/correct", hands, [part], reason="x", office=town.lower)

    assert town.refuse(corrected("2015-05-05")) == "registry.parent_impossible"
    town.accept(corrected("1996-05-05"))


def test_no_corrected_identity_makes_a_father_younger_than_his_child(town):
    senior_officer(town)
    paul = town.adult("paul", "1960-01-01")
    late_birth(town, father=paul, event_date="1995-05-05")

    def corrected(date: str) -> Any:
        part = town.part("identity", paul, member={"birth_date": date})
        hands = [*LOWER, by(SENIOR, "senior"), by("subject", "paul")]
        return town.entry("identity/correct", hands, [part], reason="x", office=town.lower)

    assert town.refuse(corrected("1995-05-05")) == "registry.parent_impossible"
    town.accept(corrected("1961-01-01"))


@pytest.mark.parametrize("operation", ["change_name", "correct", "supplement"])
def test_a_birth_is_found_under_the_name_it_now_has_and_the_one_it_had(town, birth, operation):
    officers = two_officers()
    tag = Match(*town.tag("birth.name", "new name", birth, officers[0]))
    part = town.part("birth", birth, matches=(tag,))
    hands = [*officers, by("representative", "anna", acting_for=child_id(birth))]
    old = town.tag("birth.name", birth.hex(), birth, officers[0])
    town.accept(town.entry(f"birth/{operation}", hands, [part], reason="clerical"))
    for one in (tag.tag, old[2]):
        row = town.state.read(match_key("birth.name", 1, one), IndexRow)
        assert row is not None
        assert row.record_ids == (RecordId(birth),)


def test_an_edit_of_a_birth_that_names_nobody_under_a_tag_is_refused(town, birth, monkeypatch):
    monkeypatch.setattr(town, "tagged", lambda _kind, part, _hands: part)
    entry = edit(town, birth, "change_name", two_officers())
    assert town.refuse(entry) == "registry.claim_wrong"
