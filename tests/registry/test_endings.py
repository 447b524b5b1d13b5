"""Revoked, void from the start, and back: never by two officers of one office."""

from typing import Any

import pytest

from ledger.parts import Claim, ObjectPart
from registry.civil_calendar import add_days
from tests.registry.test_acceptance_entries import lower_office
from tests.registry.town import Town, by, child_id, two_officers

LOWER = [
    by("officer(register)", "lower", "register"),
    by("second_officer(approve)", "lower", "approve"),
]
UPPER = by("upper_office(approve)", "justice", "approve")


@pytest.fixture
def town() -> Town:
    made = Town()
    made.lower = lower_office(made)  # type: ignore[attr-defined]
    competence = {
        "office": made.lower,  # type: ignore[attr-defined]
        "type": "land_title",
        "operations": ("*",),
        "from_date": add_days(made.day, 1),
        "legal_basis": "31/2024/QH15 art. 136",
    }
    hands = [by("agency", "justice", "govern", number) for number in range(2)]
    objects = [ObjectPart("competence", competence)]
    made.accept(made.entry("competence/grant", hands, objects=objects, office=None))
    made.wait()
    return made


@pytest.fixture
def birth(town):
    entry = town.birth(mother=town.adult("anna"), number="first")
    town.accept(entry)
    return entry.records[0].record_id


def end(town: Any, kind: str, record: Any, hands=(*LOWER, UPPER), **given):
    given = {"reason": "void", "office": town.lower, **given}
    claims = given.pop("claims", ())
    part = town.part(kind.split("/", maxsplit=1)[0], record, claims=claims)
    return town.entry(kind, list(hands), [part], **given)


def parcel(number: str = "1"):
    return [Claim("land.parcel", 0, f"00070/7/{number}", None)]


@pytest.mark.parametrize(("operation", "flags"), [("revoke", ()), ("annul", ("annulled",))])
def test_a_birth_ends_and_comes_back_with_its_number_and_its_dates(town, birth, operation, flags):
    before = town.row(birth)
    outcome = town.accept(end(town, f"birth/{operation}", birth))
    row = town.row(birth)
    assert (row.status, row.flags, outcome.registration_number) == ("revoked", flags, None)
    assert (row.registration_number, row.registered) == (
        before.registration_number,
        before.registered,
    )
    mother = by("representative", "anna", acting_for=child_id(birth))
    correction = town.entry(
        "birth/correct", [*two_officers(), mother], [town.part("birth", birth)], reason="clerical"
    )
    assert town.refuse(correction) == "registry.wrong_status"
    town.accept(end(town, "birth/restore", birth))
    back = town.row(birth)
    assert (back.status, back.flags, back.version) == ("registered", (), 3)
    assert (back.created, back.registered) == (before.created, before.registered)


@pytest.mark.parametrize("operation", ["birth/revoke", "birth/annul"])
def test_no_record_ends_without_the_office_above_a_reason_and_evidence(town, birth, operation):
    assert town.refuse(end(town, operation, birth, LOWER)) == "registry.signer_missing"
    same = by("upper_office(approve)", "lower", "approve")
    assert town.refuse(end(town, operation, birth, [*LOWER, same])) == "registry.not_officer"
    assert town.refuse(end(town, operation, birth, reason=None)) == "registry.reason_missing"
    restore = end(town, "birth/restore", birth)
    assert town.refuse(restore) == "registry.wrong_status"


def test_the_child_of_a_revoked_birth_cannot_sign_until_it_is_restored(town):
    mother, born = town.adult("anna"), town.day
    entry = town.birth(mother=mother)
    town.accept(entry)
    birth = entry.records[0].record_id
    child = child_id(birth)
    while town.day < f"{int(born[:4]) + 19}{born[4:]}":
        town.wait(30)
    town.accept(town.enrol_entry(child, "child"))
    town.accept(town.contact(child, by("subject", "child")))
    version = town.row(child).version
    town.accept(end(town, "birth/revoke", birth))
    assert town.row(child).flags == ("locked",)
    assert town.row(child).engine["locks"] == (birth,)
    as_buyer = town.title_entry({child: "child"})
    assert town.refuse(as_buyer) == "registry.not_alive"
    town.accept(end(town, "birth/restore", birth))
    assert (town.row(child).flags, town.row(child).version) == ((), version)
    assert "locks" not in town.row(child).engine
    town.accept(town.title_entry({child: "child"}))


def test_a_birth_that_another_has_taken_the_place_of_does_not_come_back(town, birth):
    town.accept(end(town, "birth/revoke", birth))
    again = town.birth(mother=town.row(birth).linked("mother")[0], event_date=town.day)
    town.accept(again)
    assert town.refuse(end(town, "birth/restore", birth)) == "registry.potential_duplicate"


def test_a_revoked_title_frees_its_parcel_and_takes_it_back_with_its_mortgage(town):
    owner, bank = town.adult("owner"), town.adult("bank")
    title = town.title({owner: "owner"})
    town.accept(town.mortgage(title, ["owner"], bank, "bank"))
    rank = town.row(title).encumbrances
    serial = town.row(title).member["certificate_serial"]
    town.accept(end(town, "land_title/revoke", title))
    assert town.row(title).status == "revoked"
    assert [claim[0] for claim in town.row(title).claims] == ["land.serial"]
    without = end(town, "land_title/restore", title)
    assert town.refuse(without) == "registry.claim_wrong"
    town.accept(end(town, "land_title/restore", title, claims=parcel()))
    back = town.row(title)
    assert (back.status, back.encumbrances) == ("registered", rank)
    assert back.claims == (("land.parcel", 0, "00070/7/1"), ("land.serial", 0, serial.upper()))


def test_a_title_whose_parcel_another_holds_does_not_come_back(town):
    owner = town.adult("owner")
    title = town.title({owner: "owner"})
    town.accept(end(town, "land_title/revoke", title))
    town.title({owner: "owner"}, serial="another")
    back = end(town, "land_title/restore", title, claims=parcel())
    assert town.refuse(back) == "registry.taken"
