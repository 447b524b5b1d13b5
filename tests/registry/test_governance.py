"""Agencies over their own offices, ballots over everybody, and windows for old books."""

from typing import Any

import pytest

from ledger.parts import ObjectPart
from registry import catalogue
from registry.authority import Task, answer
from registry.civil_calendar import add_days
from registry.code_tables import record_type, text_pieces
from registry.committee import validator_set_at
from registry.parameters import holidays, number
from registry.schema_reader import text_digest
from tests.registry.test_acceptance_entries import grant_role, lower_office
from tests.registry.town import (
    CALM,
    Town,
    about,
    by,
    identifier,
    key,
    land_claims,
    land_member,
    office,
    officer,
    officer_id,
    seed,
    shares,
    two_officers,
)


@pytest.fixture
def town() -> Town:
    return Town()


def govern(agency="justice", count=2):
    return [by("agency", agency, "govern", one) for one in range(count)]


def open_ballot(town, action, fields, agency="justice"):
    objects = [ObjectPart("ballot", {"action": action, "fields": fields})]
    return town.entry("ballot/open", govern(agency), objects=objects, office=None)


def vote(town, ballot, agency, *, yes=True):
    objects = [ObjectPart("vote", {"ballot": ballot, "yes": yes})]
    return town.entry("ballot/vote", govern(agency), objects=objects, office=None)


def decide(town, action, fields, voters=("justice", "police", "land")):
    """A ballot that passes, and the two heights after which it counts."""
    opened = open_ballot(town, action, fields, voters[0])
    town.accept(opened)
    for agency in voters[1:]:
        town.accept(vote(town, opened.created_record_id, agency))
    town.height += 1
    return opened.created_record_id


def test_a_parameter_changes_when_more_than_two_thirds_have_voted_and_two_heights_later(town):
    opened = open_ballot(town, "parameter", {"name": "received_days", "value": 3})
    town.accept(opened)
    ballot = opened.created_record_id
    town.accept(vote(town, ballot, "police"))
    assert number(town.state, "received_days", town.height + 10) == 7
    town.accept(vote(town, ballot, "tax"))
    passed = town.height
    assert number(town.state, "received_days", passed + 1) == 7
    assert number(town.state, "received_days", passed + 2) == 3
    assert town.refuse(vote(town, ballot, "land")) == "registry.ballot_closed"


def test_nobody_votes_twice_nor_after_thirty_days_nor_on_no_ballot(town):
    opened = open_ballot(town, "parameter", {"name": "holidays", "value": ("2026-04-30",)})
    town.accept(opened)
    ballot = opened.created_record_id
    assert town.refuse(vote(town, ballot, "justice")) == "registry.ballot_closed"
    town.accept(vote(town, ballot, "police", yes=False))
    town.wait(31)
    assert town.refuse(vote(town, ballot, "land")) == "registry.ballot_closed"
    assert town.refuse(vote(town, identifier("none"), "land")) == "registry.object_unknown"
    assert holidays(town.state, town.height + 9) == ()


@pytest.mark.parametrize(
    ("action", "fields", "code"),
    [
        ("coup", {}, "registry.field_value"),
        ("parameter", {"name": "received_days", "value": -1}, "registry.parameter"),
        ("parameter", {"name": "received_days"}, "registry.field_value"),
        ("parameter", {"name": "holidays", "value": ("30 April",)}, "registry.parameter"),
        ("parameter", {"name": "holidays", "value": 3}, "registry.parameter"),
        (
            "parameter",
            {"name": "holidays", "value": ("2026-05-01", "2026-04-30")},
            "registry.parameter",
        ),
        ("parameter", {"value": 3}, "registry.missing_field"),
        ("mandate", {"agency": bytes(16)}, "registry.missing_field"),
        ("mandate", {"weight": 9}, "registry.unknown_field"),
    ],
)
def test_a_ballot_on_something_impossible_is_not_opened(town, action, fields, code):
    assert town.refuse(open_ballot(town, action, fields)) == code


def test_too_few_too_many_or_mixed_governance_keys_are_refused(town):
    objects = [ObjectPart("ballot", {"action": "parameter", "fields": {"name": "x", "value": 1}})]
    for hands, code in (
        (govern(count=1), "registry.signer_missing"),
        (govern(count=3), "registry.signer_idle"),
        ([govern()[0], govern("police")[1]], "registry.signer_wrong"),
        ([govern()[0], by("agency", "justice", "register")], "registry.signer_wrong"),
        ([govern()[0], by("agency", "justice", "govern", 1, acting_for=bytes(16))],
         "registry.signer_wrong"),
    ):  # fmt: skip
        entry = town.entry("ballot/open", hands, objects=objects, office=None)
        assert town.refuse(entry) == code


def test_an_agency_gives_its_offices_no_more_than_its_mandate_until_a_ballot_widens_it():
    town = Town()
    fields: dict[str, Any] = {
        "office": office("tax"),
        "type": "birth",
        "operations": ("register",),
        "from_date": add_days(town.day, 1),
        "legal_basis": "60/2014/QH13 art. 7",
    }
    objects = [ObjectPart("competence", fields)]
    own = town.entry("competence/grant", govern("tax"), objects=objects, office=None)
    town.accept(own)
    foreign = town.entry("competence/grant", govern("justice"), objects=objects, office=None)
    assert town.refuse(foreign) == "registry.office_not_in_force"
    today = [ObjectPart("competence", {**fields, "from_date": town.day})]
    early = town.entry("competence/grant", govern("tax"), objects=today, office=None)
    assert town.refuse(early) == "registry.governance_date"
    mandate = {
        "agency": identifier("agency", "tax"),
        "types": ("birth",),
        "operations": ("*",),
        "units": ("*",),
        "from_date": "2026-01-01",
        "to_date": "2030-01-01",
        "legal_basis": "ballot",
    }
    decide(town, "mandate", mandate)
    found = answer(town.state, office("tax"), Task("birth", "register", add_days(town.day, 1), 9))
    assert found.allowed
    assert found.legal_basis[0] == "Law 60/2014"
    nothing = answer(town.state, office("nowhere"), Task("birth", "register", town.day, 9))
    assert not nothing.allowed


def test_competences_roles_offices_and_keys_end_and_history_stays(town):
    lower = lower_office(town)
    mother = town.adult("anna")
    tomorrow = add_days(town.day, 1)
    end = ObjectPart("competence_end", {"office": lower, "number": 0, "to_date": tomorrow})
    town.accept(town.entry("competence/end", govern(), objects=[end], office=None))
    again = town.entry("competence/end", govern(), objects=[end], office=None, event_date=tomorrow)
    assert town.refuse(again) == "registry.governance_conflict"
    hands = [
        by("officer(register)", "lower", "register"),
        by("second_officer(approve)", "lower", "approve"),
        by("informant", "anna"),
    ]
    town.accept(town.birth(mother=mother, hands=hands, office=lower))
    town.wait(1)
    late = town.birth(mother=town.adult("berta"), hands=hands, office=lower)
    assert town.refuse(late) == "registry.no_competence"
    fields = {"office": lower, "to_date": add_days(town.day, 1), "succeeded_by": (office(),)}
    closing = ObjectPart("closing", fields)
    town.accept(town.entry("office/close", govern(), objects=[closing], office=None))
    assert town.refuse(
        town.entry("office/close", govern(), objects=[closing], office=None, event_date=tomorrow)
    ) == "registry.governance_conflict"  # fmt: skip
    town.wait(1)
    closed = town.birth(mother=mother, hands=hands, office=lower)
    assert town.refuse(closed) == "registry.office_not_in_force"


def test_a_role_ends_tomorrow_and_a_stolen_key_at_once(town):
    end = ObjectPart(
        "role_end",
        {
            "identity": officer_id("justice", "register"),
            "role": "register",
            "office": office(),
            "to_date": add_days(town.day, 1),
        },
    )
    anna = town.adult("anna")
    town.accept(town.entry("officer/revoke", govern(), objects=[end], office=None))
    twice = town.entry(
        "officer/revoke", govern(), objects=[end], office=None, event_date="2026-01-05"
    )
    assert town.refuse(twice) == "registry.governance_conflict"
    town.accept(town.birth(mother=anna))
    stolen = ObjectPart(
        "key_end",
        {
            "key_id": key("justice", "approve").public.key_id,
            "compromised_since_ms": town.time_ms - 1_000,
        },
    )
    revoke = town.entry("officer/revoke_key", govern(), objects=[stolen], office=None)
    town.accept(revoke)
    assert town.refuse(town.birth(mother=anna)) == "registry.key_not_in_force"
    again = town.entry(
        "officer/revoke_key", govern(), objects=[stolen], office=None, event_date="2026-01-05"
    )
    assert town.refuse(again) == "registry.governance_conflict"
    town.wait(1)
    assert town.refuse(town.birth(mother=anna)) == "registry.role_not_in_force"


def test_an_officers_number_must_be_registered_by_another_agency():
    town = Town({**CALM, "officer_number_claim": 1})
    without = town.create_identity()
    assert town.refuse(grant_role(town, without, "register", "k")) == "registry.officer_identity"
    own = town.create_identity(number="001090000001")
    assert town.refuse(grant_role(town, own, "register", "k")) == "registry.officer_identity"
    town.accept(grant_role(town, own, "register", "k", "police"))


def test_an_officers_key_serves_one_office_and_one_person(town):
    one, two = town.create_identity(), town.create_identity()
    town.accept(grant_role(town, one, "register", "k"))
    assert town.refuse(grant_role(town, two, "approve", "k")) == "registry.governance_conflict"
    town.accept(grant_role(town, one, "approve", "k"))


def test_a_founding_officer_signs_for_ninety_days_or_completes_the_identity():
    town = Town({**CALM, "founding_officer_days": 90})
    anna = town.adult("anna")
    hands = [officer("register", "police"), officer("approve", "police", "second_officer")]
    for role in ("register", "approve"):
        founder = officer_id("justice", role)
        part = town.part("identity", founder, member={"birth_date": "1980-01-01"})
        town.accept(town.entry("identity/complete", hands, [part], agency="police"))
    town.wait(90)
    attested = town.birth(mother=anna, hands=[*two_officers(), by("informant", "anna")])
    town.accept(attested)
    founder = officer_id("police", "declare")
    part = town.part("identity", founder, member={"birth_date": "1980-01-01"})
    late = town.entry("identity/complete", hands, [part], agency="police")
    assert town.refuse(late) == "registry.officer_identity"


# --- imports ------------------------------------------------------------------------------------


def import_window(town, days=30):
    fields: dict[str, Any] = {
        "office": office("land"),
        "source": "old",
        "type": "land_title",
        "from_date": town.day,
        "to_date": add_days(town.day, days),
    }
    return decide(town, "import_window", fields)


def opening(town, count=2):
    objects = [
        ObjectPart("opening", {"source": "old", "scans_root": seed("scans"), "count": count})
    ]
    return town.entry("import/open", two_officers("land"), objects=objects, agency="land")


def legacy_title(town, owner, number, **given):
    hands = [*two_officers("land"), officer("approve", "tax", "other_office")]
    act = town.new_act()
    title = town.created_id(hands, act)
    legacy = {"system": "old", "id": given.pop("legacy_id", str(number)), "year": 1999}
    member = {**land_member(f"serial {number}", f"{number}"), "legacy": legacy}
    for name in given.pop("unknown", ()):
        del member[name]
    part = town.part(
        "land_title", title, member=member, holders=shares([owner], [(1, 1)]),
        claims=land_claims(member),
    )  # fmt: skip
    return town.entry("land_title/import_legacy", hands, [part], act=act, agency="land", **given)


def test_old_books_come_in_through_a_window_after_the_scans_root_and_each_row_once(town):
    owner = town.adult("owner")
    assert town.refuse(legacy_title(town, owner, 1)) == "registry.import_not_open"
    assert town.refuse(opening(town)) == "registry.import_not_open"
    import_window(town)
    assert town.refuse(legacy_title(town, owner, 1)) == "registry.import_not_open"
    town.accept(opening(town))
    assert town.refuse(opening(town)) == "registry.import_not_open"
    first = legacy_title(town, owner, 1, unknown=["land_use"])
    outcome = town.accept(first)
    assert outcome.registration_number == "land.imported/1/2026"
    assert outcome.flags == ("imported",)
    again = legacy_title(town, owner, 1)
    assert town.refuse(again) == "registry.taken"
    unlisted = legacy_title(town, owner, 2, unknown=["area"])
    assert town.refuse(unlisted) == "registry.missing_field"
    town.accept(legacy_title(town, owner, 2))
    over_count = legacy_title(town, owner, 3)
    assert town.refuse(over_count) == "registry.import_not_open"


def test_a_window_closes_by_its_date(town):
    owner = town.adult("owner")
    import_window(town, days=5)
    town.accept(opening(town))
    town.wait(5)
    assert town.refuse(legacy_title(town, owner, 1)) == "registry.import_not_open"


def test_an_imported_title_is_sold_sixty_days_after_its_notice_and_not_before():
    town = Town({**CALM, "import_wait_days": 60})
    owner, buyer = town.adult("owner"), town.adult("buyer")
    import_window(town)
    town.accept(opening(town))
    entry = legacy_title(town, owner, 1)
    town.accept(entry)
    title = entry.records[0].record_id
    sale: dict[str, Any] = {"sellers": ["owner"], "buyers": {buyer: "buyer"}}
    assert town.refuse(town.sale(title, **sale)) == "registry.wait_not_over"
    notice = ObjectPart("notice", {"purpose": "import", "digest": seed("told")})
    town.accept(
        town.entry(
            "land_title/notice",
            [officer("declare", "tax")],
            objects=[notice],
            about=about(title),
            agency="tax",
        )
    )
    town.wait(59)
    assert town.refuse(town.sale(title, **sale)) == "registry.wait_not_over"
    town.wait(2)
    town.accept(town.sale(title, **sale))


# --- texts --------------------------------------------------------------------------------------


def publish(town, text):
    digest = text_digest(text)
    pieces = text_pieces(text)
    for at, piece in enumerate(pieces):
        fields: dict[str, Any] = {
            "digest": digest,
            "number": at,
            "pieces": len(pieces),
            "bytes": piece,
        }
        town.accept(
            town.entry("text/publish", govern(), objects=[ObjectPart("piece", fields)], office=None)
        )
    return digest


def test_a_new_schema_is_in_force_from_its_height_and_not_before(town):
    text = catalogue.type_text("birth").replace(b"version = 1", b"version = 2", 1)
    digest = publish(town, text)
    decide(town, "schema", {"digest": digest, "height": town.height + 20})
    assert record_type(town.state, "birth", town.height + 1).version == 1
    mother = town.adult("anna")
    old = town.birth(mother=mother)
    assert old.head.schema_version == 1
    town.height += 20
    assert record_type(town.state, "birth", town.height).version == 2
    refusal = town.refusal(old)
    assert (refusal.code, refusal.details["current"]) == ("registry.schema_version", 2)
    town.accept(town.birth(mother=mother))


def test_a_text_that_is_no_schema_or_not_there_is_not_activated(town):
    digest = publish(town, b"type = 'birth'")
    opened = open_ballot(town, "schema", {"digest": digest})
    town.accept(opened)
    town.accept(vote(town, opened.created_record_id, "police"))
    assert town.refuse(vote(town, opened.created_record_id, "land")) == "registry.field_value"
    missing = open_ballot(town, "schema", {"digest": seed("nothing")})
    town.accept(missing)
    town.accept(vote(town, missing.created_record_id, "police"))
    assert town.refuse(vote(town, missing.created_record_id, "land")) == "registry.object_unknown"


def test_the_first_validators_decide_every_height(town):
    assert len(validator_set_at(town.state, 1)) == 4
    assert validator_set_at(town.state, 1_000) == town.genesis.validator_set
