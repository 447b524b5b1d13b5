"""Officers who misuse what they may do: over other people's identities, themselves, their kin."""

from dataclasses import replace

import pytest

from ledger.entries import Claim, compose
from ledger.parts import ObjectPart
from registry.catalogue import type_text
from registry.certification import certified_fields
from registry.civil_calendar import add_days
from registry.schema_reader import read_record_type
from tests.registry.test_acceptance_entries import LOWER, grant_role, lower_office, register_child
from tests.registry.town import (
    Town,
    about,
    by,
    form,
    identifier,
    officer,
    officer_id,
    seed,
    shares,
    two_officers,
)


@pytest.fixture
def town() -> Town:
    return Town()


# --- other people's identities ------------------------------------------------------------------


def test_two_officers_complete_a_founding_identity_once_and_nobody_elses(town):
    anna = town.adult("anna")
    number = Claim(*town.tag("person.number", "001190000001", anna, two_officers()[0]))
    part = replace(town.part("identity", anna), claims=(number,))
    rewritten = town.entry("identity/complete", two_officers(), [part])
    assert town.refuse(rewritten) == "registry.wrong_custody"
    keyless = town.create_identity()
    part = town.part("identity", keyless)
    rewritten = town.entry("identity/complete", two_officers(), [part])
    assert town.refuse(rewritten) == "registry.wrong_custody"
    founder = officer_id("police", "declare")
    for code in (None, "registry.wrong_custody"):
        part = town.part("identity", founder, member={"birth_date": "1980-01-01"})
        entry = town.entry("identity/complete", two_officers(), [part])
        if code is None:
            town.accept(entry)
        else:
            assert town.refuse(entry) == code


def enrolment(town, identity, name, agency):
    """Keys enrolled by an agency's office with an officer of another one."""
    third = "tax" if agency == "police" else "police"
    officers = two_officers(agency)
    return town.enrol_entry(identity, name, officers=officers, third=third, agency=agency)


def test_keys_are_enrolled_by_the_office_that_has_custody_and_by_no_other(town):
    anna = town.create_identity(agency="police")
    assert town.refuse(enrolment(town, anna, "anna", "justice")) == "registry.wrong_custody"
    town.accept(enrolment(town, anna, "anna", "police"))
    town.wait(1)
    assert town.refuse(enrolment(town, anna, "thief", "justice")) == "registry.wrong_custody"
    town.accept(enrolment(town, anna, "anna's second", "police"))


def test_the_office_that_took_over_from_the_custody_office_enrols_keys(town):
    lower = lower_office(town)
    hands = LOWER
    act = town.new_act()
    anna = town.created_id(hands, act)
    part = town.part("identity", anna, member={"birth_date": "1990-05-05"})
    town.accept(town.entry("identity/create", hands, [part], act=act, office=lower))
    assert town.refuse(enrolment(town, anna, "anna", "justice")) == "registry.wrong_custody"
    fields = {"office": lower, "to_date": add_days(town.day, 1), "succeeded_by": (OFFICE,)}
    govern = [by("agency", "justice", "govern", number) for number in range(2)]
    closing = [ObjectPart("closing", fields)]
    town.accept(town.entry("office/close", govern, objects=closing, office=None))
    town.wait(1)
    town.accept(enrolment(town, anna, "anna", "justice"))


OFFICE = identifier("office", "justice")


# --- themselves and their kin -------------------------------------------------------------------


def clerk_of(town, identity, agency="land"):
    """Make a person an officer of the land office, from tomorrow on."""
    town.accept(grant_role(town, identity, "register", "clerk key", agency))
    town.wait(1)
    return [by("officer(register)", "clerk key"), two_officers(agency)[1]]


def with_hands(entry, town, hands):
    """The same act signed by other officers, in the names of the same parties."""
    return town.entry(
        entry.head.kind, hands, entry.records, entry.objects,
        act=entry.head.act_id, agency="land",
    )  # fmt: skip


def test_an_officer_does_not_register_land_for_self_or_relatives(town):
    grandmother = town.adult("grandmother", "1950-01-01")
    clerk = register_child(town, grandmother, "1990-02-01")
    sister = register_child(town, grandmother, "1992-02-01")
    town.accept(town.enrol_entry(sister, "sister", officers=LOWER, office=town.lower))
    officers = clerk_of(town, clerk)
    colleague = town.adult("colleague")
    title = town.title({sister: "sister"})
    sale = town.sale(title, ["sister"], {colleague: "colleague"})
    parties = [by("owners", "sister"), by("new_owners", "colleague")]
    assert town.refuse(with_hands(sale, town, [*officers, *parties])) == "registry.relative"
    town.accept(sale)
    back = town.sale(title, ["colleague"], {sister: "sister"})
    parties = [by("owners", "colleague"), by("new_owners", "sister")]
    assert town.refuse(with_hands(back, town, [*officers, *parties])) == "registry.relative"
    lent = town.mortgage(title, ["colleague"], sister, "sister")
    parties = [by("owners", "colleague"), by("links", "sister")]
    assert town.refuse(with_hands(lent, town, [*officers, *parties])) == "registry.relative"
    town.accept(lent)
    released = town.release(title, 1, sister, "sister")
    by_clerk = with_hands(released, town, [*officers, by("links", "sister")])
    assert town.refuse(by_clerk) == "registry.relative"
    town.accept(released)


def test_an_officer_does_not_attest_a_custody_form_for_self_or_relatives(town):
    owner = town.create_identity()
    town.accept(grant_role(town, owner, "declare", "owner's office key", "tax"))
    town.wait(1)
    hands = [
        *two_officers("land"),
        form("new_owners", ("land", "declare"), ("owner's office key",)),
    ]
    act = town.new_act()
    title = town.created_id(hands, act)
    model = town.title_entry({owner: "owner"}).records[0]
    part = replace(model, record_id=title)
    entry = town.entry("land_title/first_register", hands, [part], act=act, agency="land")
    assert town.refuse(entry) == "registry.relative"


# --- certificates, notices, court orders --------------------------------------------------------


def test_nothing_is_certified_that_is_only_declared(town):
    declared = town.birth("birth/declare", mother=town.adult("anna"))
    town.accept(declared)
    birth = declared.records[0].record_id
    row = replace(town.row(birth), status="registered")
    certified = certified_fields(read_record_type(type_text("birth")), row)
    assert town.refuse(town.certificate(birth, certified=certified)) == "registry.wrong_status"


def test_a_side_act_is_named_by_the_type_of_its_record_and_not_by_side(town):
    anna = town.adult("anna")
    looked = ObjectPart("logged", {"digest": seed("purpose")})
    hands = [officer("declare")]
    town.accept(town.entry("identity/access", hands, objects=[looked], about=about(anna, 2)))
    head = replace(town.head("identity/access", hands, about=about(anna, 2)), kind="side/access")
    blinds = [seed("blind", number)[:16] for number in range(3)]
    unsigned = compose(head, [], [looked], town.context("identity/access"), blinds)
    entry = unsigned.signed(town.slots(head, hands, unsigned.sign_message))
    assert town.refuse(entry) == "registry.unknown_kind"


def test_an_intake_is_filed_once_so_nobody_moves_its_day(town):
    anna, born = town.adult("anna"), town.day
    digest = town.context("birth/register").evidence.digests[0]
    intake = ObjectPart("notice", {"purpose": "intake", "digest": digest})
    town.accept(town.entry("birth/notice", [officer("declare")], objects=[intake]))
    town.wait(3)
    again = town.entry("birth/notice", [officer("declare")], objects=[intake])
    assert town.refuse(again) == "registry.notice_filed"
    by_another = town.entry(
        "birth/notice", [officer("declare", "tax")], objects=[intake], agency="tax"
    )
    town.accept(by_another)
    town.accept(town.birth(mother=anna, received_on=born, event_date=born))


def test_the_wait_after_an_import_begins_once_and_by_another_agencys_notice(town):
    title = town.title({town.adult("anna"): "anna"})
    told = ObjectPart("notice", {"purpose": "import", "digest": seed("told")})
    for agency, code in (
        ("land", "registry.same_agency"),
        ("tax", None),
        ("tax", "registry.notice_filed"),
    ):
        entry = town.entry(
            "land_title/notice", [officer("declare", agency)], objects=[told],
            about=about(title), agency=agency,
        )  # fmt: skip
        if code is None:
            town.accept(entry)
        else:
            assert town.refuse(entry) == code


def test_a_court_order_that_nobody_recorded_is_not_named(town):
    anna = town.adult("anna")
    hands = [*two_officers(), by("subject", "anna"), by("custodian", "justice", "custodian")]
    part = town.part("identity", anna)
    head = town.head("identity/correct", hands)
    context = town.context("identity/correct", reason="clerical")
    ordered = replace(context, court_order=identifier("order"))
    blinds = [seed("blind", number)[:16] for number in range(3)]
    unsigned = compose(head, [part], [], ordered, blinds)
    entry = unsigned.signed(town.slots(head, hands, unsigned.sign_message))
    assert town.refuse(entry) == "registry.object_unknown"


def test_new_owners_who_are_nobodys_kin_are_registered_by_the_same_officers(town):
    one, two = town.adult("one"), town.adult("two")
    clerk = town.adult("clerk")
    officers = clerk_of(town, clerk)
    title = town.title({one: "one"})
    sale = town.sale(title, ["one"], {two: "two"}, holders=shares([two], [(1, 1)]))
    town.accept(with_hands(sale, town, [*officers, by("owners", "one"), by("new_owners", "two")]))
