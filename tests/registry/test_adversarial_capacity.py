"""Who is locked or too young and signs all the same; births undone though others rely on them."""

from typing import Any

import pytest

from ledger.parts import ObjectPart
from tests.registry.test_endings import birth, end, parcel, town
from tests.registry.town import (
    about,
    by,
    child_id,
    key,
    land_claims,
    land_member,
    shares,
    two_officers,
)

__all__ = ["birth", "town"]


def land_of_child(town, child, mother="anna"):
    """The first title of a child for whom the mother signs."""
    hands = [*two_officers("land"), by("new_owners", mother, acting_for=child)]
    act, member = town.new_act(), land_member("S1", "9")
    part = town.part(
        "land_title", town.created_id(hands, act), member=member,
        holders=shares([child], [(1, 1)]), claims=land_claims(member),
    )  # fmt: skip
    return town.entry("land_title/first_register", hands, [part], act=act, agency="land")


@pytest.mark.parametrize("operation", ["revoke", "annul"])
def test_a_birth_on_whose_child_land_stands_is_not_undone_by_offices(town, birth, operation):
    child = child_id(birth)
    title = town.accept(land_of_child(town, child)) and town.blocks[-1][2][0].records[0].record_id
    town.wait(365 * 18 + 10)
    town.accept(town.enrol_entry(child, "kid"))
    assert town.refuse(end(town, f"birth/{operation}", birth)) == "registry.court_needed"
    buyer = town.adult("buyer")
    town.accept(town.sale(title, ["kid"], {buyer: "buyer"}))
    town.accept(end(town, f"birth/{operation}", birth))
    assert town.row(child).flags == ("locked",)


def test_a_birth_whose_child_has_lent_on_land_is_undone_only_once_that_is_released(town, birth):
    child = child_id(birth)
    owner = town.adult("owner")
    town.wait(365 * 18 + 10)
    town.accept(town.enrol_entry(child, "kid"))
    title = town.title({owner: "owner"})
    town.accept(town.mortgage(title, ["owner"], child, "kid"))
    assert town.refuse(end(town, "birth/revoke", birth)) == "registry.court_needed"
    town.accept(town.release(title, 1, child, "kid"))
    town.accept(end(town, "birth/revoke", birth))


def test_a_birth_whose_child_became_a_parent_is_undone_only_after_that_birth(town, birth):
    child = child_id(birth)
    town.wait(365 * 18 + 10)
    grandchild = town.birth(mother=child)
    town.accept(grandchild)
    assert town.refuse(end(town, "birth/revoke", birth)) == "registry.court_needed"
    town.accept(end(town, "birth/revoke", grandchild.records[0].record_id))
    town.accept(end(town, "birth/revoke", birth))


def test_a_title_that_ended_stands_on_nobody_until_it_is_back(town, birth):
    child = child_id(birth)
    town.accept(land_of_child(town, child))
    title = town.blocks[-1][2][0].records[0].record_id
    town.accept(end(town, "land_title/revoke", title))
    town.accept(end(town, "land_title/restore", title, claims=parcel("9")))
    assert town.refuse(end(town, "birth/revoke", birth)) == "registry.court_needed"
    town.accept(end(town, "land_title/revoke", title))
    town.accept(end(town, "birth/revoke", birth))


def grant(town, person, *hands):
    fields: dict[str, Any] = {
        "recipient": bytes(16), "wraps_digest": bytes(32), "until": "2099-01-01",
    }  # fmt: skip
    made = [ObjectPart("grant", fields)]
    return town.entry(
        "identity/grant", hands, objects=made, about=about(person, town.row(person).version)
    )


def test_who_is_locked_reports_nothing_grants_nothing_and_changes_no_contact(town, birth):
    child = child_id(birth)
    town.wait(365 * 19)
    town.accept(town.enrol_entry(child, "kid"))
    hands = [*two_officers(), by("informant", "kid")]
    town.accept(town.birth(mother=town.adult("one"), hands=hands))
    town.accept(town.contact(child, by("subject", "kid")))
    town.accept(grant(town, child, by("subject", "kid")))
    town.accept(end(town, "birth/revoke", birth))
    mother = town.adult("two")
    for entry in (
        town.birth(mother=mother, hands=hands),
        town.contact(child, by("subject", "kid")),
        grant(town, child, by("subject", "kid")),
    ):
        refused = town.refusal(entry)
        assert (refused.code, refused.details["status"]) == ("registry.not_alive", "locked")
    closing = [ObjectPart("closing", {"key_id": key("kid").public.key_id})]
    part = town.part("identity", child)
    town.accept(town.entry("identity/close_key", [by("subject", "kid")], [part], closing))


def test_a_child_grants_only_together_with_a_parent_and_from_fifteen_alone(town, birth):
    child = child_id(birth)
    town.wait(365 * 7 + 10)
    town.accept(town.enrol_entry(child, "kid"))
    alone = by("subject", "kid")
    parent = by("representative", "anna", acting_for=child)
    assert town.refuse(grant(town, child, alone)) == "registry.not_capable"
    assert town.refuse(town.contact(child, alone)) == "registry.not_capable"
    assert town.refuse(grant(town, child, parent)) == "registry.signer_missing"
    town.accept(grant(town, child, alone, parent))
    town.wait(365 * 8 + 10)
    town.accept(town.enrol_entry(child, "again"))
    town.accept(grant(town, child, by("subject", "again")))
    town.accept(town.contact(child, by("subject", "again")))


def test_a_child_reports_no_birth_by_the_own_key_but_from_fifteen_does(town, birth):
    child, anna = child_id(birth), town.adult("mother")
    town.wait(365 * 14)
    town.accept(town.enrol_entry(child, "kid"))
    young = town.birth(mother=anna, hands=[*two_officers(), by("informant", "kid")])
    assert town.refuse(young) == "registry.not_capable"
    town.wait(370)
    town.accept(town.enrol_entry(child, "older"))
    town.accept(town.birth(mother=anna, hands=[*two_officers(), by("informant", "older")]))


def test_a_locked_child_stands_by_the_parents_alone(town, birth):
    child = child_id(birth)
    town.wait(365 * 7 + 10)
    town.accept(town.enrol_entry(child, "kid"))
    town.accept(end(town, "birth/revoke", birth))
    parent = by("representative", "anna", acting_for=child)
    both = grant(town, child, by("subject", "kid"), parent)
    assert town.refuse(both) == "registry.signer_idle"
    town.accept(grant(town, child, parent))
