"""Generated persons: numbers and telephones of their own, and offices take their names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.generated_acts import identity_act
from cli.import_owners import Owners
from cli.people import PeopleMaker, communes
from ledger.ids import RecordId
from registry import catalogue
from registry.civil_calendar import age
from registry.office_rules import OpenedAct, run_rules
from registry.vietnamese_numbers import parse_personal_number

TODAY = "2026-07-01"
UNITS = communes(catalogue.table_text("admin_unit").decode())


def check_accepted(person):
    act = identity_act(person, TODAY)
    opened = OpenedAct(act=act, types=("identity",), record_id=RecordId(bytes(16)), edit="none")
    for ruling in run_rules(["name_letters", "number_matches_person"], opened):
        assert not ruling.warned


@given(st.integers(0, 10**6))
def test_office_rules_accept_any_person_whoever_rolls_the_dice(seed):
    maker = PeopleMaker(UNITS, TODAY, seed)
    mother, father = maker.adult("female"), maker.adult("male")
    child = maker.child(mother, father, 7)
    twin = maker.twin(child)
    for person in (mother, father, child, twin):
        check_accepted(person)
    assert 18 <= age(mother.birth_date, TODAY) <= 45
    assert (child.family, child.birth_date) == (father.family, "2026-06-24")
    assert (twin.middle, twin.given) != (child.middle, child.given)
    said = parse_personal_number(child.number)
    assert (said.sex, said.birth_year) == (child.sex, 2026)


def test_no_two_persons_share_a_number_or_a_telephone():
    maker = PeopleMaker(UNITS[:1], TODAY, 1)
    people = [maker.adult() for _ in range(2_000)]
    assert len({person.number for person in people}) == 2_000
    assert len({person.phone for person in people}) == 2_000
    assert people == maker.made


def test_equal_seeds_give_equal_persons():
    one, other, third = (PeopleMaker(UNITS, TODAY, seed).adult() for seed in (5, 5, 6))
    assert one == other
    assert one != third


def test_a_resumed_import_has_the_same_owner_with_the_same_keys():
    owners, again = Owners(bytes(32), UNITS), Owners(bytes(32), UNITS)
    assert owners.person("row 1", 0) == again.person("row 1", 0)
    assert owners.person("row 1", 1).number != owners.person("row 1", 0).number
    assert owners.keys("row 1").sign.public == again.keys("row 1").sign.public
    assert owners.keys("row 1").sign.public != owners.keys("row 2").sign.public
    assert Owners(bytes([1] * 32), UNITS).person("row 1", 0) != owners.person("row 1", 0)


@pytest.mark.parametrize("table", ["admin_unit", "demonstration_unit"])
def test_people_live_in_units_of_viet_nam_only(table):
    found = communes(catalogue.table_text(table).decode())
    assert all(unit.province.isdigit() for unit in found)
    assert bool(found) == (table == "admin_unit")
