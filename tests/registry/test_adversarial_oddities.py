"""Small things that would stand in the register for ever: expired rights, invented old books."""

from dataclasses import replace

import pytest

from registry.civil_calendar import add_days
from tests.registry.town import SEEN, Town, shares, two_officers

LEGACY = {"legacy": {"system": "old", "id": "1", "year": 1950}}


@pytest.fixture
def town() -> Town:
    return Town()


def test_a_right_whose_term_is_over_is_not_registered_for_the_first_time(town):
    owner = town.adult("owner")
    over = town.title_entry({owner: "owner"}, member={"term_until": town.day})
    assert town.refuse(over) == "registry.term_over"
    town.title({owner: "owner"}, member={"term_until": add_days(town.day, 1)})


@pytest.mark.parametrize("kind", ["birth/register", "birth/declare"])
def test_a_birth_of_today_comes_from_no_old_book(town, kind):
    given = {"evidence": replace(SEEN, official=True)}
    invented = town.birth(kind, member=LEGACY, **given)
    assert town.refuse(invented) == "registry.field_not_writable"
    town.accept(town.birth(kind, **given))


def test_an_identity_made_today_comes_from_no_old_book(town):
    hands, act = two_officers(), town.new_act()
    identity = town.created_id(hands, act)
    part = town.part("identity", identity, member={"birth_date": "1990-05-05", **LEGACY})
    entry = town.entry("identity/create", hands, [part], act=act)
    assert town.refuse(entry) == "registry.field_not_writable"


def test_an_only_owner_has_no_mortgage_over_the_own_land_but_a_part_owner_has(town):
    owner, other = town.adult("owner"), town.adult("other")
    alone = town.title({owner: "owner"}, parcel="1")
    own = town.mortgage(alone, ["owner"], owner, "owner")
    assert town.refuse(own) == "registry.link_wrong"
    town.accept(town.mortgage(alone, ["owner"], other, "other"))
    both = {owner: "owner", other: "other"}
    holders = shares(sorted(both), [(1, 2), (1, 2)])
    shared = town.title(both, parcel="2", holders=holders)
    town.accept(town.mortgage(shared, ["owner", "other"], owner, "owner"))
