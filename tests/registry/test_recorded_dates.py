"""Nothing that a record tells of happened after the day on which it was received."""

from typing import Any

import pytest

from ledger.parts import ObjectPart
from registry.civil_calendar import add_days
from tests.registry.test_acceptance_births import declare, registration_of
from tests.registry.test_corrections import LOWER, SENIOR, senior_officer
from tests.registry.town import Town, by, officer, officer_id, seed, two_officers

REFUSED = "registry.date_order"


@pytest.fixture
def town() -> Any:
    town = Town()
    senior_officer(town)
    return town


def corrected(town: Any, birth: Any, date: str, **given):
    row = town.row(birth)
    mother = by("representative", "anna", acting_for=row.links["child"])
    part = town.part("birth", birth, member={**row.member, "event_date": date})
    hands = [*LOWER, by(SENIOR, "senior"), mother]
    return town.entry("birth/correct", hands, [part], reason="clerical", office=town.lower, **given)


def check_last_day(town: Any, birth: Any, last: str) -> None:
    """A correction takes this day and the one before it, and no later one, however long ago."""
    town.wait(100)
    assert town.refuse(corrected(town, birth, add_days(last, 1))) == REFUSED
    assert town.refuse(corrected(town, birth, town.day)) == REFUSED
    town.accept(corrected(town, birth, add_days(last, -1)))
    town.accept(corrected(town, birth, last))
    assert town.refuse(corrected(town, birth, add_days(last, 1))) == REFUSED


def intake(town: Town) -> str:
    """File the intake that backs the day of receipt of what has `SEEN` as evidence."""
    notice = ObjectPart("notice", {"purpose": "intake", "digest": seed("scan")})
    town.accept(town.entry("birth/notice", [officer("declare")], objects=[notice]))
    return town.day


def test_a_birth_is_never_corrected_to_after_the_day_of_its_registration(town):
    registered = town.birth(mother=town.adult("anna"))
    day = town.day
    town.accept(registered)
    check_last_day(town, registered.records[0].record_id, day)


def test_a_birth_that_was_received_earlier_happened_before_that(town):
    mother, born = town.adult("anna"), town.day
    received = intake(town)
    town.wait(3)
    registered = town.birth(mother=mother, received_on=received, event_date=born)
    town.accept(registered)
    check_last_day(town, registered.records[0].record_id, received)


def test_a_declared_birth_is_registered_with_no_later_day_than_its_declarations(town):
    declared, _outcome = declare(town, mother=town.adult("anna"))
    day = town.day
    town.wait(20)
    part = declared.records[0]

    def registration(born: str, **given):
        links = dict(part.links)
        member = {**part.member, "event_date": born}
        return town.birth(birth=part.record_id, event_date=born, member=member, **links, **given)

    assert town.refuse(registration(add_days(day, 1))) == REFUSED
    received = intake(town)
    later_intake = registration(add_days(day, 1), received_on=received)
    assert town.refuse(later_intake) == REFUSED
    town.accept(registration(day, received_on=received))
    check_last_day(town, part.record_id, day)


def test_an_intake_before_the_declaration_counts_if_the_registration_shows_it(town):
    mother, born = town.adult("anna"), town.day
    received = intake(town)
    town.wait(2)
    declared, _outcome = declare(town, mother=mother, event_date=born)
    town.wait(2)
    town.accept(registration_of(town, declared, received_on=received))
    check_last_day(town, declared.records[0].record_id, received)


@pytest.mark.parametrize("intake_comes", ["before the birth", "after the birth"])
def test_an_intake_of_the_correction_says_nothing_of_the_birth(town, intake_comes):
    def intake_below():
        notice = ObjectPart("notice", {"purpose": "intake", "digest": seed("scan")})
        here = [by("officer(register)", "lower", "register")]
        town.accept(town.entry("birth/notice", here, objects=[notice], office=town.lower))
        return town.day

    mother, received = town.adult("anna"), ""
    if intake_comes == "before the birth":
        received = intake_below()
        town.wait(3)
    registered = town.birth(mother=mother)
    town.accept(registered)
    birth, day = registered.records[0].record_id, town.day
    town.wait(3)
    received = received or intake_below()
    late = corrected(town, birth, add_days(day, 1), received_on=received)
    assert town.refuse(late) == REFUSED
    town.accept(corrected(town, birth, day, received_on=received))
    assert "received_on" not in town.row(birth).engine


def test_an_identity_without_a_birth_record_is_dated_no_later_than_it_was_made(town):
    day = town.day
    anna = town.adult("another anna")
    town.wait(100)
    for date, code in ((add_days(day, 1), REFUSED), (town.day, REFUSED), (day, None)):
        part = town.part("identity", anna, member={"birth_date": date})
        hands = [*LOWER, by(SENIOR, "senior"), by("subject", "another anna")]
        entry = town.entry("identity/correct", hands, [part], reason="x", office=town.lower)
        if code is None:
            town.accept(entry)
        else:
            assert town.refuse(entry) == code


def test_a_founding_identity_is_completed_with_no_later_date_than_the_foundation(town):
    founder, founded = officer_id("police", "declare"), "2026-01-01"
    town.wait(100)
    for date, code in ((add_days(founded, 1), REFUSED), (founded, None)):
        part = town.part("identity", founder, member={"birth_date": date})
        entry = town.entry("identity/complete", two_officers(), [part])
        if code is None:
            town.accept(entry)
        else:
            assert town.refuse(entry) == code
