"""Who is a member, who validates, with which key: ballots, readiness, changes of keys."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.hashing import Digest
from keys.signing import Algorithm, SoftwareKey
from ledger import genesis
from ledger.entries import KeySigner
from ledger.ids import AgencyId
from ledger.membership import print_application, sign_application
from ledger.parts import ObjectPart
from registry.apply import BlockContext
from registry.authority_rows import AgencyRow, KeyRow
from registry.committee import last_set, validator_set_at
from registry.errors import RuleError
from registry.membership import HEADER_AGE_MAX
from registry.object_rows import BallotRow
from registry.rows import ValidatorsRow
from registry.state_key_names import VALIDATORS, agency_key, ballot_key, key_key
from tests.registry.test_governance import decide, govern, open_ballot, vote
from tests.registry.town import (
    AGENCIES,
    CALM,
    Town,
    by,
    founding_part,
    identifier,
    key,
    seed,
    two_officers,
)


class CommitteeTown(Town):
    """A town whose blocks have headers, made up from their heights."""

    def block(self, index: int = 0) -> BlockContext:
        return replace(super().block(index), header_digest=self.header_digest)

    def header_digest(self, height: int) -> Digest | None:
        return Digest(seed("header", height)) if 1 <= height <= self.height else None


@pytest.fixture
def town() -> CommitteeTown:
    return CommitteeTown()


def agency(name: str) -> Any:
    return identifier("agency", name)


def application(town: Town, part: genesis.FoundingPart, *, signers: int = 2, network=None) -> bytes:
    raw = genesis.print_part(part)
    keys = [key(name_of(part), "govern", number) for number in range(signers)]
    network_id = network or town.network_id
    return print_application(raw, [sign_application(network_id, raw, one) for one in keys])


def name_of(part: genesis.FoundingPart) -> str:
    return part.office.name


def admission(town: Town, name: str = "bank", weight: int = 1, **changes: Any) -> dict[str, Any]:
    part = replace(founding_part(name), **changes)
    return {
        "name": name,
        "kind": "bank",
        "weight": weight,
        "application": application(town, part),
    }


def admit(town: Town, name: str = "bank", weight: int = 1) -> None:
    decide(town, "admit", admission(town, name, weight))


def readiness(town: Town, name: str, *, age: int = 0, header: bytes | None = None, **given: Any):
    """The validator names a header; `age` 0 is the newest."""
    height = town.height - age
    item = ObjectPart(
        "readiness", {"height": height, "header": header or seed("header", max(height, 0))}
    )
    hands = given.pop("hands", [by("consensus_key", name, "consensus")])
    return town.entry("validator/ready", hands, objects=[item], office=None, **given)


def members(town: Town, height: int) -> dict[str, int]:
    names = {agency(name): name for name in (*AGENCIES, "bank", "health")}
    return {
        names[one.agency_id]: one.weight for one in validator_set_at(town.state, height).validators
    }


FOUNDERS = dict.fromkeys(AGENCIES, 1)
FOUR = ("justice", "police", "tax", "bank")
"""More than two thirds of five."""


# --- admission ----------------------------------------------------------------------------------


def test_an_admitted_validator_votes_two_heights_after_it_declared_itself_ready(town):
    admit(town)
    assert members(town, town.height + 2) == FOUNDERS
    town.accept(readiness(town, "bank"))
    passed = town.height
    assert members(town, passed + 1) == FOUNDERS
    assert members(town, passed + 2) == {**FOUNDERS, "bank": 1}
    assert town.refuse(readiness(town, "bank")) == "registry.not_ready"


def test_an_admitted_agency_governs_its_own_offices_and_its_founding_officers_wait_for_a_mandate(
    town,
):
    admit(town)
    row = town.state.read(agency_key(agency("bank")), AgencyRow)
    assert (row.name, row.kind, row.weight, row.mandates) == ("bank", "bank", 1, 0)
    mother = town.adult("anna")
    hands = [*two_officers("bank"), by("informant", "anna")]
    birth = town.birth(
        mother=mother, hands=hands, agency="bank", office=identifier("office", "bank")
    )
    assert town.refuse(birth) == "registry.no_mandate"


def test_a_new_member_votes_on_ballots_once_it_validates(town):
    admit(town)
    opened = open_ballot(town, "parameter", {"name": "received_days", "value": 3})
    town.accept(opened)
    early = vote(town, opened.created_record_id, "bank")
    assert town.refuse(early) == "registry.ballot_closed"
    town.accept(readiness(town, "bank"))
    town.height += 1
    town.accept(vote(town, opened.created_record_id, "bank"))


def impossible_admissions(town: Town) -> dict[str, tuple[dict[str, Any], str]]:
    fine = admission(town)
    part = founding_part("bank")
    no_consensus = {name: one for name, one in part.keys.items() if name != "consensus"}
    ed25519 = SoftwareKey.from_private_bytes(Algorithm.ED25519, seed("other")).public
    land = founding_part("land")
    known_office = replace(part, office=replace(part.office, office_id=land.office.office_id))
    known_person = replace(
        part,
        officers=(
            replace(part.officers[0], identity_id=land.officers[0].identity_id),
            *part.officers[1:],
        ),
    )
    twice = replace(
        part,
        officers=(
            part.officers[0],
            replace(part.officers[1], identity_id=part.officers[0].identity_id),
        ),
    )
    raw = genesis.print_part(part)
    foreign = [sign_application(town.network_id, raw, key("land", "govern", n)) for n in range(2)]
    return {
        "rubbish": ({**fine, "application": b"rubbish"}, "registry.field_value"),
        "signed by others": (
            {**fine, "application": print_application(raw, foreign)}, "registry.field_value",
        ),
        "too few governors": (
            {**fine, "application": application(town, part, signers=1)}, "registry.field_value",
        ),
        "another network": (
            {**fine, "application": application(town, part, network=bytes(32))},
            "registry.field_value",
        ),
        "weight without a consensus key": (
            admission(town, keys=no_consensus), "registry.field_value",
        ),
        "a consensus key without weight": (admission(town, weight=0), "registry.field_value"),
        "negative weight": (admission(town, weight=-1), "registry.field_value"),
        "enormous weight": (admission(town, weight=2**31), "registry.field_value"),
        "a peer key that TLS cannot use": (
            admission(town, keys={**part.keys, "peer": ed25519}), "registry.field_value",
        ),
        "an address without a port": (
            admission(town, peer_address="node.example"), "registry.field_value",
        ),
        "a known agency": (
            {**fine, "application": application(town, land)}, "registry.governance_conflict",
        ),
        "a known office": (
            {**fine, "application": application(town, known_office)},
            "registry.governance_conflict",
        ),
        "a known person": (
            {**fine, "application": application(town, known_person)},
            "registry.governance_conflict",
        ),
        "a person twice": (
            {**fine, "application": application(town, twice)}, "registry.governance_conflict",
        ),
        "a known key": (
            admission(town, keys={**part.keys, "peer": key("land", "peer").public}),
            "registry.key_taken",
        ),
        "no name": (
            {name: one for name, one in fine.items() if name != "name"}, "registry.missing_field",
        ),
        "a named height": ({**fine, "height": 90}, "registry.unknown_field"),
    }  # fmt: skip


@pytest.mark.parametrize("case", sorted(impossible_admissions(Town())))
def test_an_impossible_admission_is_refused_when_its_ballot_is_opened(town, case):
    fields, code = impossible_admissions(town)[case]
    assert town.refuse(open_ballot(town, "admit", fields)) == code


def test_two_ballots_for_one_applicant_admit_it_once(town):
    fields = admission(town)
    both = [open_ballot(town, "admit", fields, name) for name in ("justice", "police")]
    for one in both:
        town.accept(one)
    for voter in ("police", "land"):
        town.accept(vote(town, both[0].created_record_id, voter))
    town.accept(vote(town, both[1].created_record_id, "justice"))
    late = vote(town, both[1].created_record_id, "land")
    assert town.refuse(late) == "registry.governance_conflict"


# --- readiness ----------------------------------------------------------------------------------


def test_readiness_names_one_of_the_newest_hundred_headers(town):
    admit(town)
    town.height += HEADER_AGE_MAX + 5
    assert town.refuse(readiness(town, "bank", age=HEADER_AGE_MAX)) == "registry.not_ready"
    assert town.refuse(readiness(town, "bank", age=-1)) == "registry.not_ready"
    assert town.refuse(readiness(town, "bank", header=bytes(32))) == "registry.not_ready"
    town.accept(readiness(town, "bank", age=HEADER_AGE_MAX - 1))


def test_only_the_consensus_key_of_an_admitted_validator_declares_it_ready(town):
    town.height += 1
    assert town.refuse(readiness(town, "land")) == "registry.not_ready"
    admit(town)
    for hands, code in (
        ([by("consensus_key", "bank", "peer")], "registry.signer_wrong"),
        ([by("consensus_key", "bank", "govern", 0)], "registry.signer_wrong"),
        (govern("bank"), "registry.signer_missing"),
        (
            [by("consensus_key", "bank", "consensus"), by("consensus_key", "land", "consensus")],
            "registry.signer_idle",
        ),
        (
            [by("consensus_key", "bank", "consensus", acting_for=bytes(16))],
            "registry.signer_wrong",
        ),
    ):
        assert town.refuse(readiness(town, "bank", hands=hands)) == code


def test_a_member_without_a_validator_is_never_ready(town):
    part = founding_part("bank")
    keys = {name: one for name, one in part.keys.items() if name != "consensus"}
    fields = admission(town, keys=keys) | {"weight": 0}
    decide(town, "admit", fields)
    town.accept(change_key(town, "bank", "consensus", "first"))
    fresh = [by("consensus_key", "bank", "consensus", "first")]
    assert town.refuse(readiness(town, "bank", hands=fresh)) == "registry.not_ready"
    decide(town, "validator", {"agency": agency("bank"), "weight": 2})
    town.accept(readiness(town, "bank", hands=fresh))
    assert members(town, town.height + 2) == {**FOUNDERS, "bank": 2}


# --- weights and removal ------------------------------------------------------------------------


def test_a_validator_leaves_at_a_named_height_and_its_agency_stays_a_member(town):
    admit(town)
    town.accept(readiness(town, "bank"))
    town.height += 1
    at = town.height + 30
    decide(town, "validator", {"agency": agency("land"), "weight": 0, "height": at}, FOUR)
    assert "land" in members(town, at - 1)
    assert "land" not in members(town, at)
    assert town.refuse(readiness(town, "land")) == "registry.not_ready"
    row = town.state.read(agency_key(agency("land")), AgencyRow)
    assert (row.weight, row.to_date) == (0, None)


def test_fewer_than_four_validators_are_refused_and_one_is_enough_for_a_development_network(town):
    opened = open_ballot(town, "validator", {"agency": agency("land"), "weight": 0})
    town.accept(opened)
    town.accept(vote(town, opened.created_record_id, "police"))
    refusal = town.refusal(vote(town, opened.created_record_id, "tax"))
    assert refusal.code == "registry.committee"
    assert refusal.details == {"validators": 3, "minimum": 4}
    small = CommitteeTown({**CALM, "development": True})
    decide(small, "validator", {"agency": agency("land"), "weight": 0})
    decide(small, "validator", {"agency": agency("tax"), "weight": 0}, ("justice", "police", "tax"))
    assert members(small, small.height + 2) == {"justice": 1, "police": 1}


def test_a_removal_that_waits_for_its_height_counts_against_another_removal(town):
    admit(town)
    town.accept(readiness(town, "bank"))
    town.height += 1
    far = town.height + 50
    decide(town, "validator", {"agency": agency("land"), "weight": 0, "height": far}, FOUR)
    opened = open_ballot(town, "validator", {"agency": agency("tax"), "weight": 0})
    town.accept(opened)
    for voter in ("police", "land"):
        town.accept(vote(town, opened.created_record_id, voter))
    last = vote(town, opened.created_record_id, "tax")
    assert town.refuse(last) == "registry.committee"


def test_a_weight_changes_the_tally_two_heights_later(town):
    decide(town, "validator", {"agency": agency("tax"), "weight": 3})
    assert members(town, town.height + 2) == {**FOUNDERS, "tax": 3}
    assert validator_set_at(town.state, town.height + 2).total_weight == 6


@pytest.mark.parametrize(
    ("action", "fields", "code"),
    [
        ("validator", {"agency": bytes(16), "weight": 1}, "registry.object_unknown"),
        ("validator", {"agency": agency("land"), "weight": 2**31}, "registry.field_value"),
        ("validator", {"agency": agency("land"), "weight": -1}, "registry.field_value"),
        ("validator", {"agency": agency("land")}, "registry.missing_field"),
        ("remove", {"agency": bytes(16)}, "registry.object_unknown"),
        ("remove", {"agency": agency("justice")}, "registry.agency_needed"),
        ("remove", {"agency": agency("police")}, "registry.agency_needed"),
        ("remove", {"agency": agency("land"), "height": 90}, "registry.unknown_field"),
    ],
)
def test_a_removal_or_weight_that_makes_no_sense_is_not_opened(town, action, fields, code):
    assert town.refuse(open_ballot(town, action, fields)) == code


def test_a_removed_agency_ends_with_its_validator_offices_and_keys():
    town = CommitteeTown({**CALM, "governance_wait_days": 0})
    admit(town)
    town.accept(readiness(town, "bank"))
    town.height += 1
    decide(town, "remove", {"agency": agency("land")}, FOUR)
    assert set(members(town, town.height + 1)) == {"justice", "police", "tax", "bank"}
    row = town.state.read(agency_key(agency("land")), AgencyRow)
    assert row is not None
    assert (row.weight, row.to_date) == (0, town.day)
    opened = open_ballot(town, "parameter", {"name": "received_days", "value": 3}, "land")
    assert town.refuse(opened) == "registry.key_not_in_force"
    title = town.birth(
        mother=town.adult("anna"), hands=[*two_officers("land"), by("informant", "anna")],
        agency="land", office=identifier("office", "land"),
    )  # fmt: skip
    assert town.refuse(title) == "registry.office_not_in_force"
    assert town.refuse(readiness(town, "land")) == "registry.key_not_in_force"


def test_a_removed_agency_may_act_until_the_day_is_over(town):
    admit(town)
    town.accept(readiness(town, "bank"))
    town.height += 1
    decide(town, "remove", {"agency": agency("land")}, FOUR)
    opened = open_ballot(town, "parameter", {"name": "received_days", "value": 3}, "land")
    assert town.refuse(opened) == "registry.ballot_closed"  # it has no vote any more
    town.wait(1)
    late = open_ballot(town, "parameter", {"name": "received_days", "value": 3}, "land")
    assert town.refuse(late) == "registry.key_not_in_force"


# --- keys and addresses -------------------------------------------------------------------------


def change_key(town: Town, name: str, purpose: str, new: str, **given: Any):
    """The agency replaces a key; the new one signs, too."""
    fresh = given.pop("key", key(name, purpose, new))
    item = ObjectPart(
        "key",
        {
            "purpose": purpose,
            "algorithm": int(fresh.public.algorithm),
            "public": fresh.public.public,
        },
    )
    hands = given.pop("hands", None)
    if hands is None:
        hands = [*govern(name), by("new_key", name, purpose, new)]
    return town.entry("agency/change_key", hands, objects=[item], office=None, **given)


def test_a_consensus_key_is_rotated_by_the_old_key_and_counts_two_heights_later(town):
    old, new = key("land", "consensus").public, key("land", "consensus", "new").public
    hands = [by("consensus_key", "land", "consensus"), by("new_key", "land", "consensus", "new")]
    town.accept(change_key(town, "land", "consensus", "new", hands=hands))
    index = last_set(town.state).index_of(agency("land"))
    assert index is not None
    assert validator_set_at(town.state, town.height + 1)[index].key == old
    assert validator_set_at(town.state, town.height + 2)[index].key == new
    row = town.state.read(key_key(old.key_id), KeyRow)
    assert row.to_date == town.day
    again = [by("consensus_key", "land", "consensus"), by("new_key", "land", "consensus", "third")]
    third = change_key(town, "land", "consensus", "third", hands=again)
    assert town.refuse(third) == "registry.key_not_in_force"


def test_governors_replace_a_consensus_key_that_is_lost(town):
    town.accept(change_key(town, "land", "consensus", "new"))
    index = last_set(town.state).index_of(agency("land"))
    assert index is not None
    assert last_set(town.state)[index].key == key("land", "consensus", "new").public


def test_a_peer_key_is_replaced_by_governors_and_an_address_moves(town):
    town.accept(change_key(town, "land", "peer", "new"))
    place = ObjectPart("place", {"peer_address": "new.example:7400"})
    town.accept(town.entry("agency/move", govern("land"), objects=[place], office=None))
    row = town.state.read(agency_key(agency("land")), AgencyRow)
    assert row.keys["peer"] == key("land", "peer", "new").public.key_id
    assert row.peer_address == "new.example:7400"
    assert members(town, town.height + 2) == FOUNDERS


@pytest.mark.parametrize(
    "address", ["", "node.example", ":", "a b:7400", "node.example:", "x:1234567"]
)
def test_an_address_that_is_none_is_refused(town, address):
    place = ObjectPart("place", {"peer_address": address})
    entry = town.entry("agency/move", govern("land"), objects=[place], office=None)
    assert town.refuse(entry) == "registry.field_value"


def changes_of_keys() -> dict[str, tuple[Any, str]]:
    ed25519 = SoftwareKey.from_private_bytes(Algorithm.ED25519, sha256(b"peer").digest())
    new = by("new_key", "land", "consensus", "new")
    return {
        "nobody proves to hold the new key": (
            {"hands": govern("land")}, "registry.signer_missing",
        ),
        "another key proves it": (
            {"hands": [*govern("land"), by("new_key", "land", "other")]},
            "registry.key_unknown",
        ),
        "only the new key signs": ({"hands": [new]}, "registry.signer_missing"),
        "another agency's governors": (
            {"hands": [*govern("tax"), new], "taken_by": "tax"}, "",
        ),
        "the key of another": (
            {"key": key("tax", "consensus"),
             "hands": [*govern("land"), by("new_key", "tax", "consensus")]},
            "registry.key_taken",
        ),
        "a peer key by the consensus key": (
            {"purpose": "peer",
             "hands": [by("consensus_key", "land", "consensus"),
                       by("new_key", "land", "peer", "new")]},
            "registry.signer_wrong",
        ),
        "a peer key that TLS cannot use": (
            {"purpose": "peer", "key": ed25519,
             "hands": [*govern("land"), KeyHand("new_key", ed25519)]},
            "registry.field_value",
        ),
        "a purpose that is not for here": ({"purpose": "seal"}, "registry.field_value"),
    }  # fmt: skip


class KeyHand:
    """Somebody who signs with a key that has no name."""

    def __init__(self, term: str, one: SoftwareKey) -> None:
        self.term, self.keys, self.acting_for, self.form = term, (one,), None, None

    @property
    def signer(self) -> KeySigner:
        return KeySigner(self.term, None, self.keys[0].public.key_id)


@pytest.mark.parametrize("case", sorted(changes_of_keys()))
def test_a_wrong_change_of_a_key_is_refused(town, case):
    given, code = changes_of_keys()[case]
    given = dict(given)
    taken_by = given.pop("taken_by", None)
    entry = change_key(town, "land", given.pop("purpose", "consensus"), "new", **given)
    if taken_by is None:
        assert town.refuse(entry) == code
        return
    town.accept(entry)  # governors change the keys of their own agency, whatever was meant
    row = town.state.read(agency_key(agency("land")), AgencyRow)
    assert row.keys["consensus"] == key("land", "consensus").public.key_id
    index = last_set(town.state).index_of(agency(taken_by))
    assert index is not None
    assert last_set(town.state)[index].key == key("land", "consensus", "new").public


# --- sets -----------------------------------------------------------------------------------------


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(("justice", "police", "land", "tax")),
        st.integers(0, 3),
        st.integers(0, 6),
    ),
    max_size=8,
)


@given(CHANGES)
@settings(max_examples=25, deadline=None)
def test_sets_decided_ahead_of_time_are_those_of_changes_done_in_their_order(
    changes,
):
    """A naive twin keeps every height's set in full and changes all from a height on."""
    town = CommitteeTown({**CALM, "development": True})
    horizon = 400
    twin = {height: dict(FOUNDERS) for height in range(1, horizon)}
    for name, weight, ahead in changes:
        from_height = try_to_decide(town, name, weight, town.height + 10 * ahead)
        for height in range(from_height or horizon, horizon):
            if weight and name in twin[height]:
                twin[height][name] = weight
            elif not weight:
                twin[height].pop(name, None)
    for height in range(town.height + 1, horizon):
        assert members(town, height) == twin[height]
    row = town.state.read(VALIDATORS, ValidatorsRow)
    assert row is not None
    assert len(row.sets) <= 2 + len(changes)


def try_to_decide(town: Town, name: str, weight: int, named: int) -> int | None:
    """Hold a ballot with all votes there are; return from which height it counts, if it does."""
    fields = {"agency": agency(name), "weight": weight, "height": named}
    first, *others = members(town, town.height + 1)
    opened = open_ballot(town, "validator", fields, first)
    entries = [opened, *(vote(town, opened.created_record_id, one) for one in others)]
    for entry in entries:
        try:
            town.accept(entry)
        except RuleError as error:
            if error.code not in {"registry.committee", "registry.ballot_closed"}:
                raise
            return None
        row = town.state.read(ballot_key(opened.created_record_id), BallotRow)
        assert row is not None
        if row.in_force_height is not None:
            return row.in_force_height
    return None


def test_an_agency_id_of_the_directory_is_what_the_set_names(town):
    admit(town)
    town.accept(readiness(town, "bank"))
    assert last_set(town.state).index_of(AgencyId(agency("bank"))) is not None
