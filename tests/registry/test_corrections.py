"""Edits of what was registered: who else must sign for a date of birth, and for a child's name."""

from dataclasses import replace
from typing import Any

import pytest

from registry.custodian import CustodianRefusedError
from tests.registry import small_world as small
from tests.registry.test_acceptance_entries import grant_role, lower_office
from tests.registry.test_drafting import checked, corrected
from tests.registry.town import Town, by, child_id, form, two_officers

LOWER = [
    by("officer(register)", "lower", "register"),
    by("second_officer(approve)", "lower", "approve"),
]
SENIOR = "upper_office(correct_senior)"


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
def birth(town):
    entry = town.birth(mother=town.adult("anna"))
    town.accept(entry)
    return entry.records[0].record_id


def edit(town: Town, birth: Any, operation: str, hands, **member):
    mother = by("representative", "anna", acting_for=child_id(birth))
    part = town.part("birth", birth, member={**town.row(birth).member, **member})
    place = {"office": town.lower} if hands[0] in LOWER else {}  # type: ignore[attr-defined]
    return town.entry(f"birth/{operation}", [*hands, mother], [part], reason="clerical", **place)


def senior_officer(town) -> None:
    """Appoint an officer for corrections in the office above the one that corrects."""
    town.lower = lower_office(town)
    person = town.adult("person")
    town.accept(grant_role(town, person, "correct_senior", "senior"))
    town.wait(1)


# --- a date of birth or a sex is corrected one level up ----


def test_a_corrected_date_of_birth_needs_the_senior_officer_of_the_office_above(town, birth):
    senior_officer(town)
    another_day = {"event_date": "2025-12-31"}
    alone = edit(town, birth, "correct", LOWER, **another_day)
    refusal = town.refusal(alone)
    assert (refusal.code, refusal.details["term"]) == ("registry.signer_missing", SENIOR)
    for signer, code in (
        (by(SENIOR, "justice", "approve"), "registry.role_missing"),
        (by(SENIOR, "lower", "approve"), "registry.not_officer"),
    ):
        entry = edit(town, birth, "correct", [*LOWER, signer], **another_day)
        assert town.refuse(entry) == code
    town.accept(edit(town, birth, "correct", [*LOWER, by(SENIOR, "senior")], **another_day))
    assert town.row(birth).member["event_date"] == "2025-12-31"


def test_a_correction_of_other_fields_takes_the_senior_officer_or_none(town, birth):
    """Only the custodian sees whether it is the sex that changes."""
    senior_officer(town)
    town.accept(edit(town, birth, "correct", LOWER, place_unit="00070"))
    town.accept(edit(town, birth, "correct", [*LOWER, by(SENIOR, "senior")]))
    idle = edit(town, birth, "supplement", [*LOWER, by(SENIOR, "senior")])
    assert town.refuse(idle) == "registry.signer_idle"


def test_an_identitys_date_of_birth_needs_the_senior_officer_too(town):
    anna = town.adult("anna")
    part = town.part("identity", anna, member={"birth_date": "1990-06-06"})
    hands = [*two_officers(), by("subject", "anna")]
    entry = town.entry("identity/correct", hands, [part], reason="clerical")
    refusal = town.refusal(entry)
    assert (refusal.code, refusal.details["term"]) == ("registry.signer_missing", SENIOR)


def test_the_custodian_refuses_another_sex_without_the_senior_officer():
    entry, held, previous = corrected({"sex": "female"})
    before = {record: {**values, "sex": "female"} for record, values in previous.items()}
    assert checked(entry, held, previous=before)
    other = {record: {**values, "sex": "male"} for record, values in previous.items()}
    with pytest.raises(CustodianRefusedError) as caught:
        checked(entry, held, previous=other)
    assert caught.value.details["path"] == "sex"


@pytest.mark.parametrize("operation", ["supplement", "change_name"])
def test_what_another_agency_sealed_is_not_sealed_anew_unseen(operation):
    entry, held, previous = corrected({}, operation)
    assert checked(entry, held, previous=previous)
    with pytest.raises(CustodianRefusedError) as caught:
        checked(entry, held, previous={})
    assert caught.value.details["record"] == entry.records[0].record_id.hex()


def test_a_correction_of_what_is_not_seen_counts_as_one_of_the_sex(monkeypatch):
    entry, held, _previous = corrected({})
    with pytest.raises(CustodianRefusedError) as caught:
        checked(entry, held, previous={})
    assert caught.value.details["term"] == SENIOR
    hands = replace(
        small.HANDS, officers={**small.HANDS.officers, SENIOR: small.key_id("stranger")}
    )
    monkeypatch.setattr(small, "HANDS", hands)
    entry, held, _previous = corrected({})
    assert checked(entry, held, previous={})


def test_a_draft_names_the_senior_officer_who_is_there(monkeypatch):
    hands = replace(
        small.HANDS, officers={**small.HANDS.officers, SENIOR: small.key_id("stranger")}
    )
    monkeypatch.setattr(small, "HANDS", hands)
    entry, held, previous = corrected({"sex": "female"})
    assert SENIOR in [signer.term for signer in entry.head.signers]
    other = {record: {**values, "sex": "male"} for record, values in previous.items()}
    assert checked(entry, held, previous=other)


# --- a child of nine agrees to another name ----


def years(town: Town, count: int) -> None:
    """Let a child that was born today turn so many years old."""
    year, rest = int(town.day[:4]) + count, town.day[4:]
    while town.day < f"{year}{rest}":
        town.wait()


CONSENT = form("consent", ("justice", "register"), ("justice", "approve"))


@pytest.mark.parametrize("age", [1, 8])
def test_case_30_a_younger_child_is_not_asked_about_its_name(town, birth, age):
    years(town, age)
    town.accept(edit(town, birth, "change_name", two_officers()))
    asked = edit(town, birth, "change_name", [*two_officers(), CONSENT])
    assert town.refuse(asked) == "registry.signer_idle"


@pytest.mark.parametrize("age", [9, 14])
def test_case_30_a_child_of_nine_agrees_to_another_name(town, birth, age):
    years(town, age)
    without = edit(town, birth, "change_name", two_officers())
    refusal = town.refusal(without)
    assert (refusal.code, refusal.details["term"]) == ("registry.signer_missing", "consent")
    mothers = edit(town, birth, "change_name", [*two_officers(), by("consent", "anna")])
    assert town.refuse(mothers) == "registry.signer_wrong"
    town.accept(edit(town, birth, "change_name", [*two_officers(), CONSENT]))


def test_a_child_with_a_key_agrees_with_it_as_the_subject(town, birth):
    years(town, 9)
    child = child_id(birth)
    town.accept(town.enrol_entry(child, "child"))
    asked = edit(town, birth, "change_name", [*two_officers(), CONSENT])
    assert town.refuse(asked) in {"registry.signer_missing", "registry.signer_idle"}
    town.accept(edit(town, birth, "change_name", [*two_officers(), by("subject", "child")]))


def test_people_of_fifteen_change_their_name_themselves(town, birth):
    years(town, 15)
    with_mother = edit(town, birth, "change_name", two_officers())
    assert town.refuse(with_mother) == "registry.not_capable"
    hands = [*two_officers(), form("subject", ("justice", "register"), ("justice", "approve"))]
    part = town.part("birth", birth)
    town.accept(town.entry("birth/change_name", hands, [part], reason="clerical"))


def test_a_change_of_the_name_changes_nothing_else(town, birth):
    entry = edit(town, birth, "change_name", two_officers(), place_unit="00004")
    assert town.refuse(entry) == "registry.field_not_writable"


# --- a correction is no supplement (case 11) ----


def test_case_11_a_supplement_of_a_filled_field_is_refused_and_so_is_a_correction_without_evidence(
    town, birth
):
    filled = edit(town, birth, "supplement", two_officers(), event_date="2025-12-31")
    assert town.refuse(filled) == "registry.supplement_overwrites"
    mother = by("representative", "anna", acting_for=child_id(birth))
    part = town.part("birth", birth)
    unseen = replace(town.context("birth/correct").evidence, sufficient=False)
    without = town.entry(
        "birth/correct", [*two_officers(), mother], [part], reason="clerical", evidence=unseen
    )
    assert town.refuse(without) == "registry.evidence"


def test_case_11_an_identity_is_supplemented_where_it_is_empty(town):
    anna = town.adult("anna")
    hands = [*two_officers(), by("subject", "anna")]
    part = town.part("identity", anna, member={"birth_date": "1990-06-06"})
    over = town.entry("identity/supplement", hands, [part])
    assert town.refuse(over) == "registry.supplement_overwrites"
    town.accept(town.entry("identity/supplement", hands, [town.part("identity", anna)]))
