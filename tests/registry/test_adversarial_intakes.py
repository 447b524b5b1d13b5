"""One notice for many births, one filed to be in the way, an office that leaves its citizens."""

from dataclasses import replace

import pytest

from keys.hashing import Digest
from ledger.parts import ObjectPart
from registry.civil_calendar import add_days
from tests.registry.test_acceptance_entries import lower_office
from tests.registry.test_governance import govern
from tests.registry.town import (
    SEEN,
    Town,
    identifier,
    office,
    officer,
    seed,
    two_officers,
)

DIGESTS = (Digest(seed("intake")), Digest(seed("another intake")))


@pytest.fixture
def town() -> Town:
    return Town()


def intake(town, agency="justice", digest=DIGESTS[0]):
    made = [ObjectPart("notice", {"purpose": "intake", "digest": digest})]
    return town.entry("birth/notice", [officer("declare", agency)], objects=made, agency=agency)


def birth(town, received_on, digests=DIGESTS[:1], kind="birth/register", **given):
    evidence = replace(SEEN, official=True, digests=tuple(sorted(digests)))
    given.setdefault("event_date", received_on)
    return town.birth(kind, received_on=received_on, evidence=evidence, **given)


def test_one_intake_backs_the_day_of_receipt_of_one_record(town):
    day = town.day
    town.accept(intake(town))
    town.wait(6)
    assert town.refuse(birth(town, day, DIGESTS[1:])) == "registry.received_on"
    town.accept(birth(town, day))
    for kind in ("birth/register", "birth/declare"):
        assert town.refuse(birth(town, day, kind=kind)) == "registry.received_on"


def test_a_second_intake_of_the_same_day_backs_a_second_birth(town):
    day = town.day
    town.accept(intake(town))
    town.accept(intake(town, digest=DIGESTS[1]))
    town.wait(6)
    town.accept(birth(town, day, DIGESTS))
    town.accept(birth(town, day, DIGESTS))
    assert town.refuse(birth(town, day, DIGESTS)) == "registry.received_on"


def test_a_declaration_and_the_registration_of_it_have_one_intake(town):
    day = town.day
    town.accept(intake(town))
    town.wait(2)
    declared = birth(town, day, kind="birth/declare")
    town.accept(declared)
    part = declared.records[0]
    same = {"version": 2, "previous": declared.entry_digest}
    town.accept(birth(town, day, birth=part.record_id, version=same))


def test_another_office_files_the_same_digest_and_is_in_nobodys_way(town):
    day = town.day
    town.accept(intake(town, "police"))
    town.accept(intake(town))
    assert town.refuse(intake(town)) == "registry.notice_filed"
    town.wait(1)
    town.accept(birth(town, day))


def test_an_intake_of_another_office_backs_nothing_here(town):
    day = town.day
    town.accept(intake(town, "police"))
    assert town.refuse(birth(town, day)) == "registry.received_on"


# --- offices that close -------------------------------------------------------------------------


def closing(town, closed, *successors, days=1):
    fields = {"office": closed, "to_date": add_days(town.day, days), "succeeded_by": successors}
    if not successors:
        del fields["succeeded_by"]
    return town.entry(
        "office/close", govern(), objects=[ObjectPart("closing", fields)], office=None
    )


def test_an_office_with_tasks_closes_only_with_one_that_takes_over_its_citizens(town):
    anna = town.create_identity()
    assert town.refuse(closing(town, office())) == "registry.governance_conflict"
    assert town.refuse(closing(town, office(), office())) == "registry.governance_conflict"
    unknown = identifier("office", "nobody's")
    assert town.refuse(closing(town, office(), unknown)) == "registry.office_not_in_force"
    town.accept(closing(town, office(), office("police")))
    town.wait(1)
    hands = {"officers": two_officers("police"), "agency": "police", "third": "land"}
    elsewhere = {"officers": two_officers("tax"), "agency": "tax", "third": "land"}
    assert town.refuse(town.enrol_entry(anna, "anna", **elsewhere)) == "registry.wrong_custody"
    town.accept(town.enrol_entry(anna, "anna", **hands))


def test_who_takes_over_is_there_on_the_day_and_stays(town):
    lower = lower_office(town)
    town.accept(closing(town, lower, office(), days=5))
    leaving = closing(town, office(), lower, days=2)
    assert town.refuse(leaving) == "registry.office_not_in_force"
    town.accept(closing(town, office(), office("tax"), days=2))


def test_an_office_that_never_had_a_task_closes_without_another_one(town):
    fields = {
        "name": "Desk", "unit": "00070", "unit_date": town.day, "level": "commune",
        "from_date": add_days(town.day, 1),
    }  # fmt: skip
    made = town.entry("office/name", govern(), objects=[ObjectPart("office", fields)], office=None)
    town.accept(made)
    town.accept(closing(town, made.created_record_id))


def test_an_office_named_for_later_takes_over_from_its_first_day_on(town):
    first = add_days(town.day, 10)
    fields = {
        "name": "New", "unit": "00070", "unit_date": town.day, "level": "commune",
        "from_date": first,
    }  # fmt: skip
    made = town.entry("office/name", govern(), objects=[ObjectPart("office", fields)], office=None)
    town.accept(made)
    early = closing(town, office(), made.created_record_id, days=9)
    assert town.refuse(early) == "registry.office_not_in_force"
    town.accept(closing(town, office(), made.created_record_id, days=10))
