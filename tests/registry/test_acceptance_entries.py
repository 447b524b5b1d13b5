"""The acceptance cases of records.md, section 10, marked (spine): entries (1 to 9)."""

import pytest

from ledger.entries import Claim
from ledger.parts import ObjectPart
from registry.civil_calendar import add_days
from tests.registry.town import (
    DAY_MS,
    Town,
    about,
    by,
    child_id,
    form,
    key,
    office,
    officer,
    officer_id,
    two_officers,
)


@pytest.fixture
def town() -> Town:
    return Town()


def correction(town, identity, *hands, **given):
    part = town.part("identity", identity, **given.pop("part", {}))
    given.setdefault("reason", "clerical")
    return town.entry("identity/correct", [*two_officers(), *hands], [part], **given)


def test_case_01_a_correction_signed_by_a_stranger_is_refused_and_changes_nothing(town):
    anna = town.adult("anna")
    town.adult("stranger")
    assert town.refuse(correction(town, anna, by("subject", "stranger"))) == "registry.signer_wrong"
    town.accept(correction(town, anna, by("subject", "anna")))
    assert town.row(anna).version == 3


def test_case_02_an_edit_of_an_old_version_is_refused_and_the_answer_names_the_current(town):
    anna = town.adult("anna")
    for _ in range(2):
        town.accept(correction(town, anna, by("subject", "anna")))
    assert town.row(anna).version == 4
    stale = correction(town, anna, by("subject", "anna"), part={"version": 4})
    refusal = town.refusal(stale)
    assert refusal.code == "registry.stale_version"
    assert refusal.details["current"] == 4


def test_case_03_the_same_entry_again_is_a_replay_a_block_or_a_year_later(town):
    birth = town.birth(mother=town.adult("anna"))
    outcome = town.accept(birth)
    assert outcome.registration_number == "birth/1/2026"
    assert town.refuse(birth) == "registry.replayed"
    town.wait(365)
    assert town.refuse(birth) == "registry.replayed"
    again = town.accept(town.birth(mother=town.adult("berta")))
    assert again.registration_number == "birth/1/2027"


def test_case_03_a_side_act_again_is_a_replay(town):
    birth = town.birth(mother=town.adult("anna"))
    town.accept(birth)
    notice = ObjectPart("notice", {"purpose": "residence", "digest": bytes(32)})
    filed = town.entry(
        "birth/notice",
        [officer("declare")],
        objects=[notice],
        about=about(birth.records[0].record_id),
    )
    town.accept(filed)
    assert town.refuse(filed) == "registry.replayed"


def test_case_04_a_signer_missing_one_too_many_or_relabelled_is_refused(town):
    anna = town.adult("anna")
    hands = town.birth_hands()
    assert town.refuse(town.birth(mother=anna, hands=hands[:2])) == "registry.signer_missing"
    extra = [*hands, by("subject", "anna")]
    assert town.refuse(town.birth(mother=anna, hands=extra)) == "registry.signer_idle"
    relabelled = [hands[0], by("second_officer(register)", "justice", "approve"), hands[2]]
    assert town.refuse(town.birth(mother=anna, hands=relabelled)) == "registry.signer_missing"
    for_another = [*hands[:2], by("informant", "anna", acting_for=anna)]
    assert town.refuse(town.birth(mother=anna, hands=for_another)) == "registry.signer_wrong"
    town.accept(town.birth(mother=anna, hands=[*hands[:2], by("informant", "anna")]))


def test_case_04_an_entry_with_a_body_needs_the_custodian_of_its_agency_and_no_other(town):
    anna = town.adult("anna")
    without = town.birth(mother=anna, no_custodian=True)
    assert town.refuse(without) == "registry.custodian_missing"
    foreign = [*town.birth_hands(), by("custodian", "police", "custodian")]
    wrong = town.birth(mother=anna, hands=foreign, no_custodian=True)
    assert town.refuse(wrong) == "registry.signer_wrong"


def grant_role(town, identity, role, name, agency="justice", **dates):
    return appointment(town, [role_part(town, identity, role, name, agency, **dates)], agency)


def role_part(town, identity, role, name, agency="justice", **dates):
    """What an act says that names an officer, from the day after."""
    public = key(name).public
    fields = {
        "identity": identity,
        "role": role,
        "types": ("*",),
        "office": office(agency),
        "algorithm": int(public.algorithm),
        "public": public.public,
        "from_date": add_days(town.day, 1),
        **dates,
    }
    return ObjectPart("role", fields)


def appointment(town, roles, agency="justice"):
    """Governors name officers, and these agree."""
    hands = [by("agency", agency, "govern", number) for number in range(2)]
    hands += town.consents(roles, agency)
    return town.entry("officer/grant", hands, objects=roles, office=None)


def test_case_05_a_role_that_is_missing_or_begins_tomorrow_does_not_count_today(town):
    anna = town.adult("anna")
    declarer = officer_id("justice", "declare")
    hands = [by("officer(register)", "justice", "declare"), *town.birth_hands()[1:]]
    assert town.refuse(town.birth(mother=anna, hands=hands)) == "registry.role_missing"
    town.accept(grant_role(town, declarer, "register", "second key"))
    new_hands = [by("officer(register)", "second key"), *town.birth_hands()[1:]]
    today = town.birth(mother=anna, hands=new_hands)
    assert town.refuse(today) == "registry.key_not_in_force"
    town.wait(1)
    town.accept(town.birth(mother=anna, hands=new_hands))


def test_case_06_a_role_fails_from_the_first_block_of_its_last_date(town):
    anna = town.adult("anna")
    person = town.adult("clerk")
    last = add_days(town.day, 30)
    town.accept(grant_role(town, person, "register", "clerk key", to_date=last))
    town.wait(29)
    hands = [by("officer(register)", "clerk key"), *town.birth_hands()[1:]]
    signed_the_day_before = town.birth(
        mother=anna, hands=hands, not_after_ms=town.time_ms + 5 * DAY_MS
    )
    town.wait(1)
    assert town.day == last
    assert town.refuse(signed_the_day_before) == "registry.role_not_in_force"


def test_case_07_an_officer_registers_neither_self_nor_relatives_nor_as_two_persons(town):
    grandmother = town.adult("grandmother", "1950-01-01")
    sister = register_child(town, grandmother, "1990-02-01")
    clerk = register_child(town, grandmother, "1992-02-01")
    town.accept(town.enrol_entry(sister, "sister", officers=LOWER, office=town.lower))
    town.accept(grant_role(town, clerk, "register", "clerk key"))
    town.accept(grant_role(town, clerk, "approve", "clerk second key"))
    town.wait(1)
    clerk_hands = [by("officer(register)", "clerk key"), *town.birth_hands()[1:]]
    assert town.refuse(town.birth(mother=sister, hands=clerk_hands)) == "registry.relative"
    town.accept(town.birth(mother=sister))
    other = town.adult("other")
    twice = [
        by("officer(register)", "clerk key"),
        by("second_officer(approve)", "clerk second key"),
        town.birth_hands()[2],
    ]
    refused = town.birth(mother=other, hands=twice)
    assert town.refuse(refused) == "registry.officers_not_distinct"


LOWER = [
    by("officer(register)", "lower", "register"),
    by("second_officer(approve)", "lower", "approve"),
]


def register_child(town, mother, born):
    """An adult whose mother is known: declared decades late, with the upper office."""
    ensure_lower_office(town)
    hands = [
        by("officer(register)", "lower", "register"),
        by("second_officer(approve)", "lower", "approve"),
        by("upper_office(approve)", "justice", "approve"),
        form("informant", ("lower", "register"), ("lower", "approve")),
    ]
    entry = town.birth(
        mother=mother, event_date=born, hands=hands, office=town.lower,
        member={"late_code": "distance", "place_unit": "00070", "event_date": born},
    )  # fmt: skip
    town.accept(entry)
    return child_id(entry.records[0].record_id)


def ensure_lower_office(town):
    if getattr(town, "lower", None) is not None:
        return
    town.lower = lower_office(town)


def lower_office(town):
    """An office below the justice agency's root office, with two officers, from tomorrow on."""
    govern = [by("agency", "justice", "govern", number) for number in range(2)]
    tomorrow = add_days(town.day, 1)
    fields = {
        "name": "Lower",
        "unit": "00070",
        "unit_date": town.day,
        "level": "commune",
        "parent": office("justice"),
        "from_date": tomorrow,
    }
    named = town.entry("office/name", govern, objects=[ObjectPart("office", fields)], office=None)
    town.accept(named)
    made = named.created_record_id
    competences = [
        ObjectPart(
            "competence",
            {
                "office": made,
                "type": name,
                "operations": ("*",),
                "from_date": tomorrow,
                "legal_basis": "60/2014/QH13 art. 7",
            },
        )
        for name in ("birth", "identity")
    ]
    town.accept(town.entry("competence/grant", govern, objects=competences, office=None))
    roles = []
    for role in ("register", "approve"):
        person = town.adult(f"lower {role}")
        public = key("lower", role).public
        fields = {
            "identity": person,
            "role": role,
            "types": ("*",),
            "office": made,
            "algorithm": int(public.algorithm),
            "public": public.public,
            "from_date": tomorrow,
        }
        roles.append(ObjectPart("role", fields))
    town.accept(appointment(town, roles))
    town.wait(1)
    return made


def test_case_08_an_empty_basis_an_unknown_field_and_a_number_in_clear_are_refused(town):
    anna = town.adult("anna")
    assert town.refuse(town.birth(mother=anna, basis=())) == "registry.empty_basis"
    unknown = town.birth(mother=anna, member={"weight": 3_000})
    assert town.refuse(unknown) == "registry.unknown_field"
    number = {"system": "hospital", "id": "no 001090123456", "year": 2026}
    clear = town.birth(mother=anna, member={"legacy": number})
    assert town.refuse(clear) == "registry.personal_number_in_clear"
    sealed = town.birth(mother=anna, member={"home_town": "Huế"})
    assert town.refuse(sealed) == "registry.unknown_field"


def test_case_09_ten_registrations_with_the_fourth_refused_leave_no_gap(town):
    numbers = []
    for at in range(10):
        mother = town.adult(f"mother {at}")
        if at == 3:
            assert town.refuse(town.birth(mother=mother, basis=())) == "registry.empty_basis"
        else:
            numbers.append(town.accept(town.birth(mother=mother)).registration_number)
    assert numbers == [f"birth/{number}/2026" for number in range(1, 10)]
    mother = town.adult("mother of the new year")
    town.wait(364)
    assert town.day == "2026-12-31"
    last = town.accept(town.birth(mother=town.adult("mother of the old year")))
    assert last.registration_number == "birth/10/2026"
    town.wait(1)
    assert town.day == "2027-01-01"
    assert town.accept(town.birth(mother=mother)).registration_number == "birth/1/2027"


def test_case_09_a_claim_that_fails_after_everything_else_takes_no_number(town):
    first = town.birth(mother=town.adult("anna"), number="twin number")
    assert town.accept(first).registration_number == "birth/1/2026"
    second = town.birth(mother=town.adult("berta"), number="twin number")
    assert town.refuse(second) == "registry.taken"
    third = town.birth(mother=town.adult("clara"))
    assert town.accept(third).registration_number == "birth/2/2026"
    assert isinstance(third.records[1].claims[0], Claim)
