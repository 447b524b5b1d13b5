"""One person, one identity: equal names and birthdays are found; officers say who is another."""

import pytest

from ledger.ids import RecordId, print_id
from ledger.parts import Match, ObjectPart
from registry import indexes
from registry.possible_duplicates import NAMED_MAX
from tests.registry.town import Town, by, identifier, officer_id, two_officers

NAME = "nguyen van an|1990-05-05"


@pytest.fixture
def town() -> Town:
    return Town()


def different(*others):
    return [ObjectPart("different", {"other": other}) for other in others]


def test_a_person_who_has_an_identity_gets_no_second_one(town):
    first = town.create_identity(name=NAME)
    refusal = town.refusal(town.identity_entry(name=NAME))
    assert refusal.code == "registry.same_person"
    assert refusal.details == {"records": print_id(first)}, "which one to look at"
    town.create_identity(name="nguyen van an|1990-05-06")


def test_the_officers_say_that_it_is_another_person_and_why(town):
    first = town.create_identity(name=NAME)
    silent = town.identity_entry(name=NAME, objects=different(first))
    assert town.refuse(silent) == "registry.reason_missing"
    stranger = town.create_identity()
    for others, code in (
        ([stranger], "registry.same_person"),
        ([first, identifier("nobody")], "registry.record_unknown"),
    ):
        entry = town.identity_entry(name=NAME, objects=different(*others), reason="namesake")
        assert town.refuse(entry) == code
    second = town.create_identity(name=NAME, objects=different(first), reason="namesake")
    refusal = town.refusal(town.identity_entry(name=NAME))
    assert refusal.details == {"records": ", ".join(map(print_id, sorted([first, second])))}
    town.create_identity(name=NAME, objects=different(first, second), reason="namesake")


def test_numbers_tell_two_persons_of_one_name_and_birthday_apart(town):
    town.create_identity(name=NAME, number="001090000001")
    town.create_identity(name=NAME, number="001090000002")
    assert town.refuse(town.identity_entry(name=NAME)) == "registry.same_person"
    bare = town.create_identity(name="le thi ba|1991-01-01")
    numbered = town.identity_entry(name="le thi ba|1991-01-01", number="001191000001")
    refusal = town.refusal(numbered)
    assert (refusal.code, refusal.details["records"]) == ("registry.same_person", print_id(bare))


def test_a_child_whose_birth_is_registered_gets_no_second_identity(town):
    entry = town.birth(mother=town.adult("anna"), child_name="le an|2026-01-01")
    town.accept(entry)
    _birth, child = (part.record_id for part in entry.records)
    refusal = town.refusal(town.identity_entry(town.day, name="le an|2026-01-01"))
    assert (refusal.code, refusal.details) == (
        "registry.same_person",
        {"records": print_id(child)},
    )
    untagged = town.birth(mother=town.adult("berta"), child_matches=())
    assert town.refuse(untagged) == "registry.claim_wrong"


def test_a_name_and_birthday_of_very_many_keeps_nobody_out(town, monkeypatch):
    """On the first of January there are more than an index holds, or than an officer can name."""
    monkeypatch.setattr(indexes, "INDEXED_MAX", 10)
    known: list[RecordId] = []
    for _number in range(13):
        said = different(*sorted(known[:10])[:NAMED_MAX])
        known.append(town.create_identity(name=NAME, objects=said, reason="namesake"))
    refusal = town.refusal(town.identity_entry(name=NAME))
    named = refusal.details["records"].split(", ")
    assert named == [*map(print_id, sorted(known[:10])[:NAMED_MAX]), "…"]


def test_a_corrected_person_is_found_under_the_name_of_now_and_the_one_before(town):
    anna = town.create_identity(name="anna|1990-05-05")
    town.accept(town.enrol_entry(anna, "anna"))
    hands = [*two_officers(), by("subject", "anna")]
    tag = Match(*town.tag("identity.name", "hanna|1990-05-05", anna, hands[0]))
    part = town.part("identity", anna, matches=[tag])
    town.accept(town.entry("identity/correct", hands, [part], reason="clerical"))
    for name in ("anna|1990-05-05", "hanna|1990-05-05"):
        assert town.refuse(town.identity_entry(name=name)) == "registry.same_person"


def test_a_founding_officer_who_has_an_identity_already_is_told_so(town):
    first = town.create_identity(name=NAME)
    founding = officer_id("police", "declare")
    hands = two_officers()
    tag = Match(*town.tag("identity.name", NAME, founding, hands[0]))
    part = town.part("identity", founding, member={"birth_date": "1990-05-05"}, matches=[tag])
    assert town.refuse(town.entry("identity/complete", hands, [part])) == "registry.same_person"
    said = different(first)
    town.accept(town.entry("identity/complete", hands, [part], said, reason="namesake"))


def test_an_identity_is_made_with_its_match_tag(town):
    hands = two_officers()
    act = town.new_act()
    identity = town.created_id(hands, act)
    wrong = Match(*town.tag("birth.name", NAME, identity, hands[0]))
    part = town.part("identity", identity, member={"birth_date": "1990-05-05"}, matches=[wrong])
    assert town.refuse(town.entry("identity/create", hands, [part], act=act)) == (
        "registry.claim_wrong"
    )
