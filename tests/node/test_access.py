"""Rights to read end on the day on which their ground ends, and not a day before."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from keys.signing import SoftwareKey
from ledger.parts import ObjectPart
from node.access import Access
from node.request_auth import Asker
from registry.authority_rows import KeyRow
from registry.civil_calendar import add_days
from registry.readers import readers_for
from registry.state_key_names import key_key, record_key
from tests.registry.test_acceptance_entries import grant_role, lower_office
from tests.registry.test_governance import decide, govern
from tests.registry.town import (
    CALM,
    Town,
    by,
    child_id,
    identifier,
    key,
    key_object,
    office,
    officer,
    officer_id,
    two_officers,
)

BORN = "2026-01-01"
"""The day of genesis: a child born on it is of age on 2044-01-01."""


@dataclass
class Tip:
    """A town as the node sees its chain; its own clock."""

    town: Town

    @property
    def tip_time_ms(self):
        return self.town.time_ms

    @property
    def tip_height(self):
        return self.town.height

    def state(self):
        return self.town.state

    def now_ms(self):
        return self.town.time_ms


@pytest.fixture
def town() -> Town:
    return Town()


def access_to(town: Town) -> Access:
    tip: Any = Tip(town)
    return Access(tip, tip)


def asker(town: Town, signer: SoftwareKey) -> Asker | None:
    """Who asks with a key today; None: the door stays shut."""
    key_id = signer.public.key_id
    known = access_to(town).key_in_force(key_id)
    return None if known is None else Asker(key_id, known)


def served(town: Town, signer: SoftwareKey) -> Any:
    """The agency for which a key opens the door today."""
    found = asker(town, signer)
    return None if found is None else found.agency


def until(town: Town, day: str) -> None:
    """Go on to the first block of a day."""
    while town.day < day:
        town.wait(1)
    assert town.day == day


def enrol(town, identity, name, *purposes):
    hands = [*two_officers(), officer("approve", "police", "other_agency")]
    hands += [by("new_key", f"{name} {purpose}") for purpose in purposes if purpose != "seal"]
    objects = [key_object(f"{name} {purpose}", purpose) for purpose in purposes]
    town.accept(town.entry("identity/enrol_key", hands, [town.part("identity", identity)], objects))


@pytest.fixture
def family(town):
    """A mother with keys, her child of the day of genesis, and the birth record."""
    mother = town.create_identity()
    enrol(town, mother, "mother", "sign", "auth", "seal")
    town.accept(town.birth(mother=mother))
    birth = town.blocks[-1][2][0].records[0].record_id
    return mother, child_id(birth), birth


def end_role(town, name, whose, day, place=None):
    """The agency ends a role: of a founding officer, by the name of its first one."""
    person, role = whose
    fields = {
        "identity": officer_id(name, person),
        "role": role,
        "office": place or office(name),
        "to_date": day,
    }
    ends = [ObjectPart("role_end", fields)]
    town.accept(town.entry("officer/revoke", govern(name), objects=ends, office=None))


# --- representatives ------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "reads"), [("2043-12-31", True), ("2044-01-01", False)])
def test_a_parent_reads_for_a_child_until_the_day_before_the_eighteenth_birthday(
    town, family, day, reads
):
    mother, child, birth = family
    until(town, day)
    access, asking = access_to(town), asker(town, key("mother auth"))
    assert access.represents(mother, child) is reads
    assert access.may_read(asking, child) is reads
    assert access.may_read(asking, birth) is reads
    assert access.may_read(asking, mother)


@pytest.mark.parametrize(("day", "count"), [("2043-12-31", 1), ("2044-01-01", 0)])
def test_bodies_of_an_adult_without_keys_are_wrapped_to_no_parent(town, family, day, count):
    _mother, child, _birth = family
    until(town, day)
    assert len(readers_for(town.state, child, town.day)) == count


@pytest.mark.parametrize("changed", [{"status": "incapable"}, {"flags": ("locked",)}])
def test_a_parent_who_may_act_for_nobody_reads_for_nobody(town, family, changed):
    mother, child, _birth = family
    assert access_to(town).represents(mother, child)
    town.state.write(record_key(mother), replace(town.row(mother), **changed))
    assert not access_to(town).represents(mother, child)


def test_a_guardian_reads_for_a_ward_in_place_of_the_parents(town, family):
    mother, child, _birth = family
    guardian = town.create_identity()
    row = town.row(child)
    listed = (*row.engine["representatives"], (guardian, "guardian", add_days(town.day, 1), None))
    town.state.write(
        record_key(child), replace(row, engine={**row.engine, "representatives": listed})
    )
    for first, second in ((mother, guardian), (guardian, mother)):
        assert access_to(town).represents(first, child)
        assert not access_to(town).represents(second, child)
        town.wait(1)


@pytest.mark.parametrize("status", ["deceased", "cancelled", "superseded"])
def test_the_key_of_a_person_who_is_none_any_more_opens_nothing(town, family, status):
    mother, _child, _birth = family
    assert asker(town, key("mother auth")) is not None
    town.state.write(record_key(mother), replace(town.row(mother), status=status))
    assert asker(town, key("mother auth")) is None


# --- officers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["register", "approve", "declare"])
def test_an_officer_with_any_role_reads_for_the_agency(town, role):
    asking = asker(town, key("land", role, "auth"))
    assert asking is not None
    assert asking.agency == identifier("agency", "land")
    assert access_to(town).may_read(asking, town.create_identity())


def test_an_officer_reads_until_the_day_before_the_last_role_ends(town):
    signer = key("land", "declare", "auth")
    town.accept(grant_role(town, officer_id("land", "declare"), "approve", "second", "land"))
    first, last = add_days(town.day, 2), add_days(town.day, 5)
    end_role(town, "land", ("declare", "declare"), first)
    end_role(town, "land", ("declare", "approve"), last)
    until(town, first)
    assert served(town, signer) == identifier("agency", "land")
    until(town, add_days(last, -1))
    assert served(town, signer) == identifier("agency", "land")
    until(town, last)
    assert served(town, signer) is None
    assert asker(town, signer) is None


def test_an_officer_who_comes_back_reads_from_the_day_of_the_new_role_on(town):
    signer, tomorrow = key("land", "declare", "auth"), add_days(town.day, 1)
    end_role(town, "land", ("declare", "declare"), tomorrow)
    until(town, tomorrow)
    again = grant_role(town, officer_id("land", "declare"), "declare", "again", "land")
    town.accept(again)
    assert served(town, signer) is None
    town.wait(1)
    assert served(town, signer) == identifier("agency", "land")


def test_an_officer_moved_within_the_agency_reads_on_and_one_moved_to_another_does_not(town):
    lower = lower_office(town)
    tomorrow, signer = add_days(town.day, 1), key("justice", "declare", "auth")
    town.wait(1)
    mover = officer_id("justice", "declare")
    town.accept(grant_role(town, mover, "declare", "moved", "justice", office=lower))
    end_role(town, "justice", ("declare", "declare"), add_days(tomorrow, 1))
    town.wait(1)
    assert served(town, signer) == identifier("agency", "justice")
    town.accept(grant_role(town, mover, "declare", "elsewhere", "tax"))
    end_role(town, "justice", ("declare", "declare"), add_days(town.day, 1), lower)
    town.wait(1)
    assert served(town, signer) is None


def test_an_officer_key_for_signing_opens_no_door(town):
    assert asker(town, key("land", "declare")) is None


def test_a_key_revoked_as_stolen_opens_no_door_from_its_block_on(town):
    signer = key("land", "declare", "auth")
    assert asker(town, signer) is not None
    fields = {"key_id": signer.public.key_id, "compromised_since_ms": town.time_ms}
    ends = [ObjectPart("key_end", fields)]
    town.accept(town.entry("officer/revoke_key", govern("land"), objects=ends, office=None))
    assert asker(town, signer) is None


@pytest.mark.parametrize(("days", "reads"), [(89, True), (90, False)])
def test_a_founding_officer_reads_while_the_identity_may_still_be_completed(days, reads):
    town = Town({**CALM, "founding_officer_days": 90})
    town.wait(days)
    assert (asker(town, key("land", "declare", "auth")) is not None) is reads


def test_a_founding_officer_whose_identity_is_complete_reads_after_that_time():
    town = Town({**CALM, "founding_officer_days": 90})
    part = town.part("identity", officer_id("land", "declare"), member={"birth_date": "1980-01-01"})
    town.accept(town.entry("identity/complete", two_officers(), [part]))
    town.wait(90)
    assert served(town, key("land", "declare", "auth")) == identifier("agency", "land")


def test_an_officer_of_a_closed_office_reads_until_the_day_before_it_closes(town):
    closed_on, signer = add_days(town.day, 3), key("land", "declare", "auth")
    closing = [
        ObjectPart(
            "closing",
            {"office": office("land"), "to_date": closed_on, "succeeded_by": (office("justice"),)},
        )
    ]
    town.accept(town.entry("office/close", govern("land"), objects=closing, office=None))
    until(town, add_days(closed_on, -1))
    assert served(town, signer) == identifier("agency", "land")
    until(town, closed_on)
    assert asker(town, signer) is None


# --- agencies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("tax", "peer"), ("tax", "declare", "auth")])
def test_a_removed_agency_reads_until_the_day_before_its_removal_counts(names):
    town = Town({**CALM, "development": True})
    removed = town.day
    decide(town, "remove", {"agency": identifier("agency", "tax")})
    assert town.day == removed
    assert served(town, key(*names)) == identifier("agency", "tax")
    town.wait(1)
    assert asker(town, key(*names)) is None


def test_a_key_of_a_removed_agency_that_nobody_ended_opens_no_door_either():
    town = Town({**CALM, "development": True})
    decide(town, "remove", {"agency": identifier("agency", "tax")})
    place = key_key(key("tax", "peer").public.key_id)
    row = town.state.read(place, KeyRow)
    assert row is not None
    town.state.write(place, replace(row, to_date=None))
    assert asker(town, key("tax", "peer")) is not None
    town.wait(1)
    assert asker(town, key("tax", "peer")) is None


@pytest.mark.parametrize("names", [("tax", "peer"), ("tax", "declare", "auth")])
def test_an_agency_without_a_validator_is_a_member_still(names):
    town = Town({**CALM, "development": True})
    decide(town, "validator", {"agency": identifier("agency", "tax"), "weight": 0})
    town.wait(400)
    assert served(town, key(*names)) == identifier("agency", "tax")


# --- the price ------------------------------------------------------------------------------------


def test_a_request_reads_four_rows_at_the_door_and_none_to_learn_for_whom_it_is(town, monkeypatch):
    read, plain = [], type(town.state).read

    def counted(state, state_key, kind):
        read.append(state_key)
        return plain(state, state_key, kind)

    monkeypatch.setattr(type(town.state), "read", counted)
    asking = asker(town, key("land", "declare", "auth"))
    assert len(set(read)) == 4
    read.clear()
    assert access_to(town).is_member(asking)
    assert access_to(town).may_read(asking, identifier("anybody"))
    assert read == []
