"""Births that cannot be, twins without end, keys that cannot do what they are for; midnight."""

from dataclasses import replace

import pytest

from keys.signing import Algorithm, SoftwareKey
from ledger.parts import ObjectPart
from registry import indexes
from registry.civil_calendar import DAY_MS, add_days
from registry.rows import IndexRow
from registry.state_key_names import index_key
from tests.registry.test_acceptance_births import declare, registration_of, twins
from tests.registry.test_acceptance_entries import appointment, grant_role
from tests.registry.test_corrections import LOWER, SENIOR, edit, senior_officer
from tests.registry.town import (
    Town,
    by,
    key_object,
    officer,
    officer_id,
    seed,
    two_officers,
)

MIDNIGHT_MS = 1_782_752_400_000
"""2026-06-30, 00:00 at UTC+07:00, which is 17:00 of 29 June in UTC."""
NEW_YEAR_MS = 1_798_736_400_000
"""2027-01-01, 00:00 at UTC+07:00."""


@pytest.fixture
def town() -> Town:
    return Town()


# --- births -------------------------------------------------------------------------------------


def test_a_pair_of_twins_has_no_third_child(town):
    mother = town.adult("anna")
    town.accept(town.birth(mother=mother, member=twins(1)))
    third = town.birth(mother=mother, member=twins(3))
    assert town.refuse(third) == "registry.potential_duplicate"
    town.accept(town.birth(mother=mother, member=twins(2)))
    for order in (3, 9):
        more = town.birth(mother=mother, member=twins(order))
        assert town.refuse(more) == "registry.potential_duplicate"


def test_a_correction_makes_no_birth_of_tomorrow_nor_before_the_mothers(town):
    entry = town.birth(mother=town.adult("anna"))
    town.accept(entry)
    senior_officer(town)
    birth, hands = entry.records[0].record_id, [*LOWER, by(SENIOR, "senior")]
    for event_date, code in (
        (add_days(town.day, 1), "registry.date_order"),
        ("1990-05-05", "registry.parent_impossible"),
    ):
        wrong = edit(town, birth, "correct", hands, event_date=event_date)
        assert town.refuse(wrong) == code
    town.accept(edit(town, birth, "correct", hands, event_date="2025-12-31"))


def test_a_declaration_of_another_mother_is_looked_at_again_when_it_is_registered(town):
    anna, berta = town.adult("anna"), town.adult("berta")
    town.accept(town.birth(mother=berta))
    declared, outcome = declare(town, mother=anna)
    assert outcome.flags == ()
    moved = registration_of(town, declared, links={"mother": berta})
    assert town.refuse(moved) == "registry.potential_duplicate"


# --- keys ---------------------------------------------------------------------------------------


def key_of(algorithm, name, purpose):
    public = SoftwareKey.from_private_bytes(algorithm, seed(name)).public
    return ObjectPart(
        "key", {"algorithm": int(algorithm), "public": public.public, "purpose": purpose}
    )


def test_a_key_that_cannot_seal_is_no_sealing_key_and_one_that_cannot_sign_no_signing_key(town):
    anna = town.create_identity()
    hands = [*two_officers(), officer("approve", "police", "other_agency"), by("new_key", "anna")]
    part = town.part("identity", anna)
    sign = key_object("anna", "sign")
    for algorithm in (Algorithm.ED25519, Algorithm.MLDSA65):
        objects = [sign, key_of(algorithm, "seal", "seal")]
        entry = town.entry("identity/enrol_key", hands, [part], objects)
        assert town.refuse(entry) == "registry.field_value"
    hybrid = [sign, key_of(Algorithm.MLKEM768_X25519, "seal", "seal")]
    town.accept(town.entry("identity/enrol_key", hands, [part], hybrid))


def test_an_officers_key_is_one_that_signs(town):
    entry = grant_role(town, town.adult("clerk"), "register", "clerk key")
    fields = {**entry.objects[0].fields, **key_of(Algorithm.MLKEM768_X25519, "k", "").fields}
    del fields["purpose"]
    hands = [by("agency", "justice", "govern", number) for number in range(2)]
    hands.append(by("appointee", "clerk"))
    sealing = town.entry("officer/grant", hands, objects=[ObjectPart("role", fields)], office=None)
    assert town.refuse(sealing) == "registry.field_value"


# --- midnight -----------------------------------------------------------------------------------


def test_case_05_a_role_of_tomorrow_with_a_key_of_today_is_refused_today(town):
    anna = town.adult("anna")
    declarer = officer_id("justice", "declare")
    granted = grant_role(town, declarer, "register", "x")
    public = by("", "justice", "declare").keys[0].public
    fields = {**granted.objects[0].fields, "public": public.public}
    town.accept(appointment(town, [ObjectPart("role", fields)]))
    hands = [by("officer(register)", "justice", "declare"), *town.birth_hands()[1:]]
    assert town.refuse(town.birth(mother=anna, hands=hands)) == "registry.role_not_in_force"
    town.wait(1)
    town.accept(town.birth(mother=anna, hands=hands))


def test_case_06_a_role_to_30_june_ends_with_the_first_block_of_that_day(town):
    anna, clerk = town.adult("anna"), town.adult("clerk")
    town.accept(grant_role(town, clerk, "register", "clerk key", to_date="2026-06-30"))
    town.time_ms = MIDNIGHT_MS - 1
    hands = [by("officer(register)", "clerk key"), *town.birth_hands()[1:]]
    given = {"mother": anna, "hands": hands, "event_date": "2026-06-01"}
    signed_on_the_29th = town.birth(**given, not_after_ms=MIDNIGHT_MS + DAY_MS)
    assert town.day == "2026-06-29"
    last = town.birth(**{**given, "mother": town.adult("berta")})
    town.time_ms = MIDNIGHT_MS - 1
    town.accept(last)
    town.time_ms = MIDNIGHT_MS
    assert town.day == "2026-06-30"
    assert town.refuse(signed_on_the_29th) == "registry.role_not_in_force"


def test_case_09_the_first_block_of_the_year_begins_the_book_anew(town):
    mothers = [town.adult(f"mother {number}") for number in range(3)]
    town.accept(town.birth(mother=mothers[0]))
    for time_ms, mother, number in (
        (NEW_YEAR_MS - 1, mothers[1], "birth/2/2026"),
        (NEW_YEAR_MS, mothers[2], "birth/1/2027"),
    ):
        town.time_ms = time_ms
        assert town.accept(town.birth(mother=mother)).registration_number == number


def test_case_03_a_replay_after_the_record_has_moved_on_gets_no_second_number(town):
    entry = town.birth(mother=town.adult("anna"))
    town.accept(entry)
    birth = entry.records[0].record_id
    first = edit(town, birth, "correct", two_officers())
    town.accept(first)
    town.accept(edit(town, birth, "correct", two_officers()))
    assert town.refuse(entry) == "registry.replayed"
    refusal = town.refusal(first)
    assert (refusal.code, refusal.details["current"]) == ("registry.stale_version", 3)
    assert town.row(birth).registration_number == "birth/1/2026"


def test_case_22_the_same_parents_stand_on_the_identity_and_the_birth(town):
    anna, paul = town.adult("anna"), town.adult("paul")
    entry = town.birth(mother=anna, father=paul)
    part, child = entry.records
    elsewhere = replace(child, links={"birth_record": part.record_id})
    hands = town.birth_hands()
    set_by_hand = town.entry(
        "birth/register", hands, [part, elsewhere], act=entry.head.act_id, event_date=town.day
    )
    assert town.refuse(set_by_hand) == "registry.unknown_field"
    town.accept(entry)


# --- spam ---------------------------------------------------------------------------------------


def test_an_index_is_bounded_and_forgets_what_has_ended_or_lapsed(town, monkeypatch):
    monkeypatch.setattr(indexes, "INDEXED_MAX", 3)
    mother = town.adult("anna")
    for _ in range(3):
        declare(town, mother=mother)
    spam = town.birth("birth/declare", mother=mother)
    refusal = town.refusal(spam)
    assert (refusal.code, refusal.details) == (
        "registry.too_much_work",
        {"limit": "indexed records", "value": 4, "maximum": 3},
    )
    first = town.blocks[-1][2][0].records[0].record_id
    rejected = town.entry(
        "birth/reject", [officer("register")], [town.part("birth", first)], reason="spam"
    )
    town.accept(rejected)
    declare(town, mother=mother)
    town.wait(61)
    for _ in range(3):
        declare(town, mother=mother)
    row = town.state.read(index_key("birth", "mother", mother), IndexRow)
    assert row is not None
    assert len(row.record_ids) == 3
