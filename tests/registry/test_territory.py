"""Where a mandate reaches: units of the matter or of the office, and offices that approve only."""

from dataclasses import replace
from typing import Any

import pytest

from registry import catalogue
from registry.authority_rows import CompetenceRow, MandateRow
from registry.errors import SchemaError
from registry.schema_reader import read_record_type
from registry.state_key_names import competence_key, mandate_key
from tests.registry.test_governance import import_window, legacy_title, opening
from tests.registry.test_rare_refusals import put
from tests.registry.town import (
    Town,
    by,
    identifier,
    land_claims,
    land_member,
    office,
    two_officers,
)


@pytest.fixture
def town() -> Town:
    return Town()


def narrow(town: Town, agency: str, **changes: Any) -> None:
    """Make an agency's mandate another one."""
    key = mandate_key(identifier("agency", agency), 0)
    row = town.state.read(key, MandateRow)
    assert row is not None
    put(town, key, replace(row, **changes))


@pytest.mark.parametrize(
    ("units", "code"),
    [
        (("00070",), None),
        (("01",), None),
        (("*",), None),
        (("00004",), "registry.no_mandate"),
        (("04", "0"), "registry.no_mandate"),
        ((), "registry.no_mandate"),
    ],
)
def test_a_mandate_for_land_covers_the_parcels_unit_or_one_above(town, units, code):
    owner = town.adult("owner")
    narrow(town, "land", units=units)
    entry = town.title_entry({owner: "owner"})
    if code is None:
        town.accept(entry)
    else:
        assert town.refuse(entry) == code


def test_it_is_the_parcel_and_not_the_office_that_decides_about_land(town):
    owner = town.adult("owner")
    narrow(town, "land", units=("00070",))
    member = land_member("s", "1")
    elsewhere = {**member, "parcel": {**member["parcel"], "unit": "00004"}}
    entry = town.title_entry({owner: "owner"}, member=elsewhere)
    assert town.refuse(entry) == "registry.no_mandate"


def test_a_correction_that_moves_a_parcel_needs_a_mandate_for_both_units(town):
    owner = town.adult("owner")
    title = town.title({owner: "owner"})
    member = town.row(title).member
    moved = {**member, "parcel": {**member["parcel"], "unit": "00004"}}
    part = town.part("land_title", title, member=moved, claims=land_claims(moved)[:1])

    def entry():
        hands = [*two_officers("land"), by("owners", "owner")]
        return town.entry("land_title/correct", hands, [part], agency="land", reason="clerical")

    for units in (("00070",), ("00004",)):
        narrow(town, "land", units=units)
        assert town.refuse(entry()) == "registry.no_mandate"
    narrow(town, "land", units=("00070", "00004"))
    town.accept(entry())


def test_the_place_of_birth_is_no_territory_but_the_offices_unit_is(town):
    anna, eve = town.adult("anna"), town.adult("eve")
    narrow(town, "justice", units=("00070",))
    town.accept(town.birth(mother=anna, member={"place_unit": "00004"}))
    narrow(town, "justice", units=("00004",))
    assert town.refuse(town.birth(mother=eve)) == "registry.no_mandate"


# --- offices that only approve ----


def test_who_approves_an_enrolment_from_another_agency_has_a_mandate_for_it(town):
    person = town.create_identity()
    bank = {"types": ("land_title",)}
    narrow(town, "police", **bank)
    assert town.refuse(town.enrol_entry(person, "anna")) == "registry.no_mandate"
    narrow(town, "police", types=("identity",), operations=("create",))
    assert town.refuse(town.enrol_entry(person, "anna")) == "registry.no_mandate"
    narrow(town, "police", operations=("enrol_key",))
    town.accept(town.enrol_entry(person, "anna"))


def test_the_office_that_approves_is_competent_too(town):
    person = town.create_identity()
    key = competence_key(office("police"), 0)
    row = town.state.read(key, CompetenceRow)
    assert row is not None
    put(town, key, replace(row, type_name="land_title"))
    assert town.refuse(town.enrol_entry(person, "anna")) == "registry.no_competence"
    put(town, key, row)
    town.accept(town.enrol_entry(person, "anna"))


def test_the_second_office_of_an_import_is_one_for_land_there(town):
    owner = town.adult("owner")
    import_window(town)
    town.accept(opening(town))
    narrow(town, "tax", units=("00004",))
    assert town.refuse(legacy_title(town, owner, 1)) == "registry.no_mandate"
    narrow(town, "tax", units=("00070",))
    town.accept(legacy_title(town, owner, 1))


# --- schemas ----


@pytest.mark.parametrize("path", ["parcel.map_sheet_no", "address", "nothing", "parcel.nothing"])
def test_a_territory_is_a_code_of_a_unit_in_the_member_map(path):
    text = dict(catalogue.genesis_attachments())["type/land_title"]
    wrong = text.replace(b'territory = "parcel.unit"', f'territory = "{path}"'.encode())
    assert wrong != text
    with pytest.raises(SchemaError):
        read_record_type(wrong)
