"""Whose word stands behind an officer's number: another agency's, whoever made the record."""

from ledger.entries import Claim
from tests.registry.test_acceptance_entries import grant_role
from tests.registry.town import CALM, Town, by, office, officer_id, two_officers

ASKED = {**CALM, "officer_number_claim": 1}


def test_who_wrote_a_number_vouches_for_it_and_not_who_made_the_record():
    town = Town(ASKED)
    anna = town.adult("anna")

    def supplement(agency):
        hands = [*two_officers(agency), by("subject", "anna")]
        claims = [Claim(*town.tag("person.number", "001190000001", anna, hands[0]))]
        part = town.part("identity", anna, claims=claims)
        return town.entry("identity/supplement", hands, [part], agency=agency)

    town.accept(supplement("police"))
    assert town.row(anna).engine["claimed_at"] == {"person.number": office("police")}
    refused = grant_role(town, anna, "register", "k", "police")
    assert town.refuse(refused) == "registry.officer_identity"
    town.accept(grant_role(town, anna, "register", "k", "justice"))


def test_an_officer_of_one_agency_is_asked_for_a_number_again_by_another_one():
    town = Town(ASKED)
    anna = town.create_identity(number="001190000001")
    town.accept(grant_role(town, anna, "register", "k", "police"))
    town.accept(grant_role(town, anna, "approve", "k", "police"))
    refused = grant_role(town, anna, "register", "another key", "justice")
    assert town.refuse(refused) == "registry.officer_identity"
    founder = officer_id("tax", "declare")
    refused = grant_role(town, founder, "register", "founder's key", "justice")
    assert town.refuse(refused) == "registry.officer_identity"
    town.accept(grant_role(town, founder, "register", "founder's key", "tax"))


def test_a_founding_identity_is_completed_with_a_number_and_by_another_agency():
    town = Town({**ASKED, "founding_officer_days": 90})
    founder = officer_id("justice", "declare")

    def completed(agency, number):
        hands = two_officers(agency)
        claims = [] if number is None else [town.tag("person.number", number, founder, hands[0])]
        part = town.part(
            "identity",
            founder,
            member={"birth_date": "1980-01-01"},
            claims=[Claim(*one) for one in claims],
        )
        return town.entry("identity/complete", hands, [part], agency=agency)

    assert town.refuse(completed("justice", "001180000001")) == "registry.officer_identity"
    assert town.refuse(completed("police", None)) == "registry.officer_identity"
    town.accept(completed("police", "001180000001"))
