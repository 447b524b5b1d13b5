"""The acceptance cases of records.md, section 10, marked (spine): births (22 to 26)."""

import pytest

from ledger.entries import Claim
from ledger.ids import print_id
from ledger.parts import ObjectPart
from registry.apply import apply
from registry.civil_calendar import add_days, is_working_day
from registry.ownership import representatives_of
from registry.possible_duplicates import found_before
from registry.rows import ClaimRow
from registry.state_key_names import claim_key
from tests.registry.test_acceptance_entries import grant_role, lower_office
from tests.registry.town import (
    Town,
    by,
    child_id,
    form,
    identifier,
    key,
    officer,
    officer_id,
)


@pytest.fixture
def town() -> Town:
    return Town()


def test_case_22_one_entry_makes_birth_and_identity_with_number_and_representatives(town):
    mother, father = town.adult("anna"), town.adult("paul", "1988-03-03")
    entry = town.birth(mother=mother, father=father, number="004326000001")
    outcome = town.accept(entry)
    birth, child = (part.record_id for part in entry.records)
    assert outcome.registration_number == "birth/1/2026"
    assert town.row(birth).status == "registered"
    identity = town.row(child)
    assert (identity.status, identity.version) == ("active", 1)
    assert town.row(birth).links["child"] == child
    assert identity.links["birth_record"] == birth
    assert [(who, role) for who, role, *_ in representatives_of(identity)] == [
        (mother, "parent"),
        (father, "parent"),
    ]
    claim = entry.records[1].claims[0]
    held = town.state.read(claim_key(claim.namespace, claim.epoch, claim.value), ClaimRow)
    assert held == ClaimRow(child)
    assert all(part.seal is not None for part in entry.records)


def declare(town, **given):
    entry = town.birth("birth/declare", **given)
    town_outcome = town.accept(entry)
    return entry, town_outcome


def registration_of(town, declared, **given):
    """Register what was declared: restated with fresh tags, the child's part beside it."""
    part = declared.records[0]
    links = {**part.links, **given.pop("links", {})}
    given.setdefault("member", dict(part.member))
    return town.birth(
        birth=part.record_id,
        event_date=part.member["event_date"],
        **{role: links[role] for role in links},
        name=given.pop("name", part.record_id.hex()),
        **given,
    )


def test_case_23_declared_and_registered_in_one_block_is_one_record_with_one_number(town):
    declared = town.birth("birth/declare", mother=town.adult("anna"))
    birth = declared.records[0].record_id
    apply(town.state, town.verified(declared), town.block(0))
    registered = registration_of(town, declared)
    outcome = apply(town.state, town.verified(registered), town.block(1))
    assert outcome.registration_number == "birth/1/2026"
    row = town.row(birth)
    assert (row.version, row.status) == (2, "registered")
    assert registered.records[1].record_id == child_id(birth, 2)


def test_case_23_an_identity_under_another_id_than_the_derived_one_is_refused(town):
    declared, _ = declare(town, mother=town.adult("anna"))
    wrong = registration_of(town, declared, child=identifier("wished for"))
    assert town.refuse(wrong) == "registry.wrong_id"
    of_version_one = child_id(declared.records[0].record_id, 1)
    assert town.refuse(registration_of(town, declared, child=of_version_one)) == "registry.wrong_id"


def day_is_a_working_day(town, days):
    """Wait until a period that begins today ends on a working day, as one a day shorter would."""
    while not all(is_working_day(add_days(town.day, one), ()) for one in (days - 1, days)):
        town.wait(1)
    return town.day


def test_case_24_from_day_61_a_declaration_is_late_and_needs_a_reason(town):
    mother = town.adult("anna")
    born = day_is_a_working_day(town, 60)
    town.wait(60)
    on_day_60, outcome = declare(town, mother=mother, event_date=born)
    assert outcome.flags == ()
    assert town.row(on_day_60.records[0].record_id).flags == ()
    town.wait(1)
    other = town.adult("berta")
    without = town.birth("birth/declare", mother=other, event_date=born)
    assert town.refuse(without) == "registry.late_without_reason"
    late, outcome = declare(town, mother=other, event_date=born, member={"late_code": "illness"})
    assert outcome.flags == ("late",)
    assert town.row(late.records[0].record_id).flags == ("late",)


def test_case_24_a_year_late_the_upper_office_signs_too(town):
    lower = lower_office(town)
    mother, born = town.adult("anna"), town.day
    town.wait(400)
    officers = [
        by("officer(register)", "lower", "register"),
        by("second_officer(approve)", "lower", "approve"),
        form("informant", ("lower", "register"), ("lower", "approve")),
    ]
    given = {
        "mother": mother,
        "event_date": born,
        "office": lower,
        "member": {"late_code": "distance"},
    }
    assert town.refuse(town.birth(hands=officers, **given)) == "registry.signer_missing"
    upper = by("upper_office(approve)", "justice", "approve")
    outcome = town.accept(town.birth(hands=[*officers, upper], **given))
    assert outcome.flags == ("late",)
    not_late = {**given, "event_date": town.day, "mother": town.adult("berta"), "member": {}}
    with_upper = town.birth(hands=[*officers, upper], **not_late)
    assert town.refuse(with_upper) == "registry.signer_idle"


def test_case_25_a_second_birth_with_the_same_number_is_refused(town):
    town.accept(town.birth(mother=town.adult("anna"), number="001326000001"))
    second = town.birth(mother=town.adult("berta"), number="001326000001")
    assert town.refuse(second) == "registry.taken"


@pytest.mark.parametrize(
    "damage",
    ["another service", "another record", "another officer", "expired", "unknown namespace"],
)
def test_case_25_a_tag_that_its_service_did_not_sign_for_this_is_refused(town, damage):
    hands, act = town.birth_hands(), town.new_act()
    birth = town.created_id(hands, act)
    child, asked_by, given = child_id(birth), hands[0], {}
    namespace = "person.number"
    match damage:
        case "another service":
            given["service"] = key("justice", "tag")
        case "another record":
            child = identifier("another")
        case "another officer":
            asked_by = officer("declare")
        case "expired":
            given["expiry_ms"] = town.time_ms - 1
        case _:
            namespace = "person.shoe"
    tag = town.tag(namespace, "001326000001", child, asked_by, **given)
    entry = town.birth(mother=town.adult("anna"), hands=hands, act=act, claims=[Claim(*tag)])
    assert town.refuse(entry) == "registry.tag_unsigned"


def twins(order, count=2):
    return {"multiple": {"count": count, "order": order}}


def test_case_26_two_births_of_one_mother_200_days_apart_wait_for_another_officer(town):
    mother = town.adult("anna")
    town.accept(town.birth(mother=mother))
    town.wait(200)
    first = town.blocks[-1][2][0].records[0].record_id
    refusal = town.refusal(town.birth(mother=mother))
    assert refusal.code == "registry.potential_duplicate"
    assert refusal.details == {"records": print_id(first)}, "which one to look at"
    declared, outcome = declare(town, mother=mother)
    assert outcome.flags == ("potential-duplicate",)
    refusal = town.refusal(registration_of(town, declared))
    assert refusal.code == "registry.potential_duplicate"
    assert refusal.details == {"records": print_id(first)}
    birth = declared.records[0].record_id
    assert found_before(town.row(birth).engine) == (first,)
    decision = not_duplicate(town, birth, first, officer("register"))
    town.accept(decision)
    assert town.row(birth).flags == ()
    assert found_before(town.row(birth).engine) == ()
    outcome = town.accept(registration_of(town, declared))
    assert outcome.registration_number == "birth/2/2026"


def test_the_same_birth_with_mother_and_father_exchanged_is_flagged(town):
    anna, paul = town.adult("anna"), town.adult("paul", "1988-03-03")
    town.accept(town.birth(mother=anna, father=paul))
    first = town.blocks[-1][2][0].records[0].record_id
    refusal = town.refusal(town.birth(mother=paul, father=anna))
    assert refusal.code == "registry.potential_duplicate"
    assert refusal.details == {"records": print_id(first)}
    town.accept(town.birth(mother=town.adult("berta"), father=paul))
    declared, outcome = declare(town, mother=paul, father=anna)
    assert outcome.flags == ("potential-duplicate",)
    birth = declared.records[0].record_id
    assert found_before(town.row(birth).engine) == (first,)
    town.accept(not_duplicate(town, birth, first, officer("register")))
    assert town.row(birth).flags == ()


def test_a_birth_found_by_its_name_waits_for_a_decision_of_its_own(town):
    """The decision brings no tag of the name, so what the declaration found is remembered."""
    mother, name = town.adult("anna"), "nguyen van an|anna"
    town.accept(town.birth(mother=mother, name=name))
    town.wait(700)
    town.accept(town.birth(mother=mother))
    named, near = [town.blocks[at][2][0].records[0].record_id for at in (-2, -1)]
    town.wait(100)
    declared, outcome = declare(town, mother=mother, name=name)
    assert outcome.flags == ("potential-duplicate",)
    birth = declared.records[0].record_id
    assert found_before(town.row(birth).engine) == tuple(sorted((named, near)))
    town.accept(not_duplicate(town, birth, near, officer("register")))
    assert town.row(birth).flags == ("potential-duplicate",)
    assert found_before(town.row(birth).engine) == (named,)
    town.accept(not_duplicate(town, birth, named, officer("register")))
    assert (town.row(birth).flags, found_before(town.row(birth).engine)) == ((), ())
    town.accept(registration_of(town, declared, name=name))


def not_duplicate(town, birth, other, hand):
    part = town.part("birth", birth)
    objects = [ObjectPart("duplicate", {"other": other})]
    return town.entry("birth/mark_not_duplicate", [hand], [part], objects, reason="two_pregnancies")


def test_case_26_who_declared_a_birth_does_not_decide_that_it_is_none_of_two(town):
    mother = town.adult("anna")
    entry = town.birth(mother=mother)
    town.accept(entry)
    town.accept(grant_register_role(town))
    town.wait(200)
    declared, _ = declare(town, mother=mother)
    birth, other = declared.records[0].record_id, entry.records[0].record_id
    refused = not_duplicate(town, birth, other, by("officer(register)", "declarer's second"))
    assert town.refuse(refused) == "registry.officers_not_distinct"


def grant_register_role(town):
    return grant_role(town, officer_id("justice", "declare"), "register", "declarer's second")


def test_case_26_twins_in_different_order_are_both_registered(town):
    mother = town.adult("anna")
    town.accept(town.birth(mother=mother, member=twins(1)))
    outcome = town.accept(town.birth(mother=mother, member=twins(2)))
    assert outcome.registration_number == "birth/2/2026"


@pytest.mark.parametrize(("first", "too_far", "near"), [(0, 6, 5), (6, 0, 1)])
def test_case_26_twins_are_born_at_most_five_days_apart(town, first, too_far, near):
    mother, begin = town.adult("anna"), town.day
    town.wait(6)

    def twin(order, day):
        born = add_days(begin, day)
        return town.birth(mother=mother, event_date=born, member=twins(order))

    town.accept(twin(1, first))
    assert town.refuse(twin(2, too_far)) == "registry.potential_duplicate"
    outcome = town.accept(twin(2, near))
    assert outcome.registration_number == "birth/2/2026"


def test_case_26_the_same_order_twice_is_flagged(town):
    mother = town.adult("anna")
    town.accept(town.birth(mother=mother, member=twins(1)))
    again, outcome = declare(town, mother=mother, member=twins(1))
    assert outcome.flags == ("potential-duplicate",)
    assert town.row(again.records[0].record_id).flags == ("potential-duplicate",)
    assert town.refuse(town.birth(mother=mother, member=twins(1))) == "registry.potential_duplicate"


def test_case_26_another_count_is_flagged_and_270_days_later_nothing_is(town):
    mother = town.adult("anna")
    town.accept(town.birth(mother=mother, member=twins(1)))
    other_count = town.birth(mother=mother, member=twins(2, count=3))
    assert town.refuse(other_count) == "registry.potential_duplicate"
    town.wait(270)
    assert town.refuse(town.birth(mother=mother)) == "registry.potential_duplicate"
    town.wait(1)
    town.accept(town.birth(mother=mother))


def test_case_26_the_same_name_and_mother_within_three_years_is_flagged(town):
    mother = town.adult("anna")
    town.accept(town.birth(mother=mother, name="nguyen van an|anna"))
    town.wait(1_095)
    same = town.birth(mother=mother, name="nguyen van an|anna")
    assert town.refuse(same) == "registry.potential_duplicate"
    town.wait(1)
    town.accept(town.birth(mother=mother, name="nguyen van an|anna"))
