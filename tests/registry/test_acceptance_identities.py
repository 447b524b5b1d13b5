"""The acceptance cases of records.md, section 10, marked (spine): identities (39, 42)."""

from dataclasses import replace
from typing import Any

import pytest

from keys.signing import KeyId
from ledger.ids import AgencyId
from ledger.parts import ObjectPart
from registry.authority_rows import AgencyRow, KeyRow
from registry.civil_calendar import add_days
from registry.record_checks import companion_id
from registry.rows import RecordRow
from registry.state_key_names import agency_key, key_key, record_key
from tests.registry.town import CALM, Town, about, by, form, identifier, key, seed, two_officers


@pytest.fixture
def town() -> Town:
    return Town()


def test_case_39_three_officers_of_two_agencies_and_proof_of_possession_enrol_a_key(town):
    anna = town.create_identity()
    assert town.row(anna).engine["custody"] == "office"
    town.accept(town.enrol_entry(anna, "anna"))
    row = town.row(anna)
    assert row.engine["custody"] == "own"
    known = [purpose for purpose, _key_id in row.engine["keys"]]
    assert known == ["sign", "seal"]
    key_row = town.state.read(key_key(KeyId(key("anna").public.key_id)), KeyRow)
    assert key_row is not None
    assert (key_row.holder, key_row.purpose) == (anna, "sign")
    wraps = ObjectPart("wraps", {"wraps_digest": bytes(32)})
    wrapped = {"objects": [wraps], "about": about(anna, 2)}
    foreign = town.entry(
        "wrap/add", [by("custodian", "police", "custodian")], agency="police", **wrapped
    )
    assert town.refuse(foreign) == "registry.signer_wrong"
    town.accept(town.entry("wrap/add", [by("custodian", "justice", "custodian")], **wrapped))


def test_case_39_the_third_officer_is_of_another_agency(town):
    anna = town.create_identity()
    same = town.enrol_entry(anna, "anna", third="justice")
    assert town.refuse(same) == "registry.officers_not_distinct"


def test_case_40_enrolment_without_proof_or_with_another_keys_proof_is_refused(town):
    anna = town.create_identity()
    assert town.refuse(town.enrol_entry(anna, "anna", no_proof=True)) == "registry.signer_missing"
    town.adult("berta")
    other = town.enrol_entry(anna, "anna", proof="berta")
    assert town.refuse(other) == "registry.signer_wrong"


def test_case_41_a_provisional_key_declares_births_but_sells_nothing_for_fifteen_days():
    town = Town({**CALM, "key_provisional_days": 15})
    owner, buyer = town.adult("owner"), town.adult("buyer")
    title = town.title({owner: "owner"})
    town.wait(13)
    sale: dict[str, Any] = {"sellers": ["owner"], "buyers": {buyer: "buyer"}}
    assert town.refuse(town.sale(title, **sale)) == "registry.key_provisional"
    hands = [*two_officers(), by("informant", "owner")]
    town.accept(town.birth(mother=owner, hands=hands))
    town.wait(2)
    town.accept(town.sale(title, **sale))


def test_case_42_owners_update_their_contact_with_their_own_key_alone(town):
    anna = town.adult("anna")
    version = town.row(anna).version
    for expected in (1, 2):
        outcome = town.accept(town.contact(anna, by("subject", "anna")))
        assert len(outcome.changes) == 1
        companion = companion_id(anna)
        row = town.state.read(record_key(companion), RecordRow)
        assert row is not None
        assert (row.version, row.status, row.type_name) == (expected, "live", "identity_contact")
    assert town.row(anna).version == version


def test_case_42_nobody_elses_key_nor_two_officers_update_a_persons_contact(town):
    anna = town.adult("anna")
    town.adult("stranger")
    by_stranger = town.contact(anna, by("subject", "stranger"))
    assert town.refuse(by_stranger) == "registry.signer_wrong"
    by_officers = town.contact(anna, *two_officers())
    assert town.refuse(by_officers) == "registry.signer_missing"
    both = town.contact(anna, by("subject", "anna"), *two_officers())
    assert town.refuse(both) == "registry.signer_idle"
    attested = town.contact(anna, form("subject", ("justice", "register"), ("justice", "approve")))
    assert town.refuse(attested) == "registry.custody_form"


def test_a_provisional_key_gives_a_first_contact_and_changes_none_for_fifteen_days():
    town = Town({**CALM, "key_provisional_days": 15})
    anna = town.adult("anna")
    town.accept(town.contact(anna, by("subject", "anna")))
    refusal = town.refusal(town.contact(anna, by("subject", "anna")))
    assert refusal.code == "registry.key_provisional"
    assert refusal.details == {"settled_from": add_days(town.day, 15)}
    town.wait(15)
    town.accept(town.contact(anna, by("subject", "anna")))
    town.accept(town.enrol_entry(anna, "thief"))
    stolen = town.contact(anna, by("subject", "thief"))
    assert town.refuse(stolen) == "registry.key_provisional"


def test_case_42_the_agency_that_keeps_the_record_takes_the_contact_and_no_other_does(town):
    anna = kept_by_the_police(town, "anna")
    elsewhere = town.contact(anna, by("subject", "anna"))
    assert town.refuse(elsewhere) == "registry.other_keeper"
    town.accept(town.contact(anna, by("subject", "anna"), agency="police"))
    elsewhere = town.contact(anna, by("subject", "anna"), agency="tax")
    assert town.refuse(elsewhere) == "registry.other_keeper"


def test_owners_close_their_keys_through_the_agency_that_keeps_their_record(town):
    anna = town.adult("anna")
    closing = [ObjectPart("closing", {"key_id": key("anna").public.key_id})]
    hands = [by("subject", "anna")]
    part = town.part("identity", anna)
    elsewhere = town.entry("identity/close_key", hands, [part], closing, agency="land")
    assert town.refuse(elsewhere) == "registry.other_keeper"
    town.accept(town.entry("identity/close_key", hands, [part], closing))


def test_the_contact_of_a_record_whose_agency_has_left_goes_through_another(town):
    anna = kept_by_the_police(town, "anna")
    town.accept(town.contact(anna, by("subject", "anna"), agency="police"))
    police = agency_key(AgencyId(identifier("agency", "police")))
    row = town.state.read(police, AgencyRow)
    assert row is not None
    leave(town, police, replace(row, to_date=town.day))
    town.accept(town.contact(anna, by("subject", "anna"), agency="tax"))


def kept_by_the_police(town, name):
    """An adult who was created and enrolled by the police."""
    identity = town.create_identity(agency="police")
    officers = {"officers": two_officers("police"), "third": "justice"}
    town.accept(town.enrol_entry(identity, name, agency="police", **officers))
    return identity


def leave(town, police, row):
    """Agencies leave by a decision that this version does not have: written by hand."""
    fork = town.state.fork()
    fork.write(police, row)
    fork.seal_writes(seed("leave"))
    town.state.absorb(fork)


def test_case_42_a_contact_stands_only_beside_its_own_identity(town):
    anna, berta = town.adult("anna"), town.adult("berta")
    part = town.part("identity_contact", companion_id(anna), links={"identity": berta})
    entry = town.entry("identity/update_contact", [by("subject", "berta")], [part])
    assert town.refuse(entry) == "registry.wrong_id"
    nobody = identifier("nobody")
    part = town.part("identity_contact", companion_id(nobody), links={"identity": nobody})
    entry = town.entry("identity/update_contact", [by("subject", "berta")], [part])
    assert town.refuse(entry) in {"registry.record_unknown", "registry.link_wrong"}


def test_a_stale_contact_and_a_replayed_one_are_told_apart(town):
    anna = town.adult("anna")
    first = town.contact(anna, by("subject", "anna"))
    also_first = town.contact(anna, by("subject", "anna"))
    town.accept(first)
    assert town.refuse(first) == "registry.replayed"
    refusal = town.refusal(also_first)
    assert (refusal.code, refusal.details["current"]) == ("registry.stale_version", 1)
