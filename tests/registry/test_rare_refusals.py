"""Refusals that need a state which no short story leads to; it is written by hand where needed."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from ledger.errors import InvalidGenesisError
from ledger.parts import ObjectPart
from registry import catalogue, state
from registry.authority_rows import AgencyRow, KeyRow, MandateRow, OfficerRow
from registry.ballots import HISTORY_MAX
from registry.code_tables import code_table, text_pieces
from registry.committee import validator_set_at
from registry.content_errors import LinkWrongError
from registry.errors import CorruptStateError
from registry.genesis_state import initial_state
from registry.parameters import number
from registry.replay import Replayer
from registry.rows import NamespaceRow, PackRow, ParameterRow, RecordRow, ValidatorsRow
from registry.rules import RULES
from registry.schema_reader import text_digest
from registry.state import State
from registry.state_key_names import (
    VALIDATORS,
    agency_key,
    claim_key,
    key_key,
    mandate_key,
    namespace_key,
    officer_key,
    pack_key,
    parameter_key,
    record_key,
)
from tests.registry.test_acceptance_entries import grant_role, lower_office
from tests.registry.test_governance import (
    decide,
    govern,
    import_window,
    legacy_title,
    open_ballot,
    opening,
    vote,
)
from tests.registry.test_replay import Chain
from tests.registry.town import (
    CALM,
    Town,
    about,
    by,
    form,
    founding,
    identifier,
    key,
    land_claims,
    land_member,
    office,
    officer,
    officer_id,
    seed,
    stored_genesis,
    two_officers,
)


@pytest.fixture
def town() -> Town:
    return Town()


def put(town: Town, where: Any, row: Any) -> None:
    """Write or delete a row, past all entries."""
    fork = town.state.fork()
    if row is None:
        fork.delete(where)
    else:
        fork.write(where, row)
    fork.seal_writes(seed("by hand"))  # type: ignore[arg-type]
    town.state.absorb(fork)


def read(town: Town, where: Any, kind: Any) -> Any:
    row = town.state.read(where, kind)
    assert row is not None
    return row


def agency_of(name: str) -> Any:
    return agency_key(identifier("agency", name))


# --- authority ----------------------------------------------------------------------------------


def test_an_agency_that_has_left_registers_nothing(town):
    anna = town.adult("anna")
    put(
        town,
        agency_of("justice"),
        replace(read(town, agency_of("justice"), AgencyRow), to_date=town.day),
    )
    assert town.refuse(town.birth(mother=anna)) == "registry.office_not_in_force"


def test_case_16_without_a_mandate_there_is_no_registration_and_no_competence(town):
    anna = town.adult("anna")
    where = mandate_key(identifier("agency", "justice"), 0)
    put(town, where, replace(read(town, where, MandateRow), types=("identity",)))
    assert town.refuse(town.birth(mother=anna)) == "registry.no_mandate"
    wider: dict[str, Any] = {
        "office": office(),
        "type": "birth",
        "operations": ("*",),
        "from_date": "2026-02-01",
        "legal_basis": "60/2014/QH13 art. 7",
    }
    entry = town.entry(
        "competence/grant", govern(), objects=[ObjectPart("competence", wider)], office=None
    )
    assert town.refuse(entry) == "registry.wider_than_mandate"


def test_a_key_without_an_officer_signs_nothing(town):
    anna = town.adult("anna")
    put(town, officer_key(officer_id("justice", "register")), None)
    assert town.refuse(town.birth(mother=anna)) == "registry.not_officer"


def test_other_office_and_other_agency_mean_another_one(town):
    owner = town.adult("owner")
    import_window(town)
    town.accept(opening(town))
    third = town.create_identity()
    town.accept(grant_role(town, third, "approve", "third", "land"))
    town.wait(1)
    entry = legacy_title(town, owner, 1)
    hands = [*two_officers("land"), by("other_office(approve)", "third")]
    act = town.new_act()
    part = replace(entry.records[0], record_id=town.created_id(hands, act))
    same = town.entry("land_title/import_legacy", hands, [part], act=act, agency="land")
    assert town.refuse(same) == "registry.same_office"
    lower_office(town)
    enrol = town.enrol_entry(town.create_identity(), "anna")
    hands = [
        *two_officers(),
        by("other_agency(approve)", "lower", "approve"),
        by("new_key", "anna"),
    ]
    below = town.entry("identity/enrol_key", hands, list(enrol.records), list(enrol.objects))
    assert town.refuse(below) == "registry.same_agency"


def test_a_custody_form_needs_two_officers_with_a_role(town):
    anna = town.adult("anna")
    for informant in (
        form("informant", ("justice", "register")),
        form("informant", ("justice", "register"), ("justice", "approve"), ("justice", "declare")),
    ):
        entry = town.birth(mother=anna, hands=[*two_officers(), informant])
        assert town.refuse(entry) == "registry.custody_form"
    town.accept(grant_role(town, town.create_identity(), "statistics", "counter"))
    town.wait(1)
    entry = town.birth(
        mother=anna,
        hands=[*two_officers(), form("informant", ("justice", "register"), ("counter",))],
    )
    assert town.refuse(entry) == "registry.custody_form"


def test_an_officers_key_is_a_key(town):
    entry = grant_role(town, town.create_identity(), "register", "k")
    fields = {**entry.objects[0].fields, "public": b"\x05" + bytes(32)}
    agreed = form("appointee", ("justice", "declare"), ("police", "declare"))
    hands = [*govern(), agreed]
    wrong = town.entry("officer/grant", hands, objects=[ObjectPart("role", fields)], office=None)
    assert town.refuse(wrong) == "registry.field_value"


# --- ballots ------------------------------------------------------------------------------------


def test_a_later_change_that_is_decided_is_not_overtaken(town):
    decide(town, "parameter", {"name": "received_days", "value": 3, "height": 500})
    ballot = open_ballot(town, "parameter", {"name": "received_days", "value": 4})
    town.accept(ballot)
    town.accept(vote(town, ballot.created_record_id, "police"))
    last = vote(town, ballot.created_record_id, "land")
    assert town.refuse(last) == "registry.governance_conflict"
    assert number(town.state, "received_days", 499) == 7
    assert number(town.state, "received_days", 500) == 3


def test_what_has_changed_too_often_stays(town):
    put(town, parameter_key("received_days"), ParameterRow(((7, 0),) * HISTORY_MAX))
    assert (
        refused_at_last(town, "parameter", {"name": "received_days", "value": 4})
        == "registry.governance_conflict"
    )


def refused_at_last(town: Town, action: str, fields: dict[str, Any]) -> str:
    """The refusal of the vote with which a ballot would pass."""
    ballot = open_ballot(town, action, fields)
    town.accept(ballot)
    town.accept(vote(town, ballot.created_record_id, "police"))
    return town.refuse(vote(town, ballot.created_record_id, "land"))


def test_an_agency_without_a_weight_has_no_vote(town):
    voters = [
        one
        for one in validator_set_at(town.state, 1).validators
        if one.agency_id != identifier("agency", "tax")
    ]
    small = replace(validator_set_at(town.state, 1), validators=tuple(voters))
    put(town, VALIDATORS, ValidatorsRow(((1, small.to_value()),)))
    ballot = open_ballot(town, "parameter", {"name": "received_days", "value": 4}, "tax")
    assert town.refuse(ballot) == "registry.ballot_closed"


def test_a_ballot_on_nothing_that_is_there_does_not_pass(town):
    mandate = {
        "agency": bytes(16),
        "types": ("birth",),
        "operations": ("*",),
        "units": ("*",),
        "from_date": "2026-01-01",
        "legal_basis": "ballot",
    }
    window = {
        "office": bytes(16),
        "source": "old",
        "type": "birth",
        "from_date": "2026-01-01",
        "to_date": "2026-02-01",
    }
    for action, fields in (
        ("mandate", mandate),
        ("import_window", window),
        ("table", {"name": "sex", "digest": seed("nothing")}),
        ("pack", {"name": "pack", "digest": seed("nothing")}),
    ):
        assert refused_at_last(town, action, fields) == "registry.object_unknown"
    import_window(town)
    again = {**window, "office": office("land"), "type": "land_title"}
    assert refused_at_last(town, "import_window", again) == "registry.governance_conflict"


def publish(town: Town, text: bytes) -> bytes:
    digest = text_digest(text)
    for entry in publishing(town, text):
        town.accept(entry)
    return digest


def publishing(town: Town, text: bytes):
    pieces = text_pieces(text)
    for at, piece in enumerate(pieces):
        fields: dict[str, Any] = {
            "digest": text_digest(text),
            "number": at,
            "pieces": len(pieces),
            "bytes": piece,
        }
        yield town.entry(
            "text/publish", govern(), objects=[ObjectPart("piece", fields)], office=None
        )


def test_a_table_and_a_pack_come_into_force_by_ballot_and_broken_ones_do_not(town):
    shipped = dict(catalogue.genesis_attachments())
    table = publish(town, shipped["table/sex"] + b"\n")
    decide(town, "table", {"name": "sex", "digest": table})
    assert code_table(town.state, "sex", town.height + 1) is not None
    pack = publish(town, b"rules of tomorrow")
    decide(town, "pack", {"name": "tomorrow", "digest": pack})
    row = read(town, pack_key(pack), PackRow)  # type: ignore[arg-type]
    assert row.name == "tomorrow"
    assert (
        refused_at_last(town, "pack", {"name": "x", "digest": pack})
        == "registry.governance_conflict"
    )
    broken = publish(town, b"no table at all: \xff")
    assert (
        refused_at_last(town, "table", {"name": "sex", "digest": broken}) == "registry.field_value"
    )
    old = text_digest(shipped["type/birth"])
    assert refused_at_last(town, "schema", {"digest": old}) == "registry.governance_conflict"


def test_pieces_of_a_text_come_in_order(town):
    entries = list(publishing(town, b"x" * 100_000))
    assert town.refuse(entries[1]) == "registry.field_value"
    town.accept(entries[0])
    town.accept(entries[1])


# --- claims and entries -------------------------------------------------------------------------


def test_a_tag_of_a_past_epoch_is_refused(town):
    anna = town.adult("anna")
    where = namespace_key("birth.name")
    put(town, where, replace(read(town, where, NamespaceRow), epoch=2))
    assert town.refuse(town.birth(mother=anna)) == "registry.tag_unsigned"


def test_a_corrected_parcel_frees_the_one_before(town):
    owner = town.adult("owner")
    title = town.title({owner: "owner"})
    member = {**town.row(title).member, "parcel": {**land_member("x", "2")["parcel"]}}
    hands = [*two_officers("land"), by("owners", "owner")]
    claims = [one for one in land_claims(member) if one.namespace == "land.parcel"]
    part = town.part("land_title", title, member=member, claims=claims)
    town.accept(town.entry("land_title/correct", hands, [part], agency="land", reason="clerical"))
    assert town.state.get(claim_key("land.parcel", 0, "00070/7/1")) is None
    town.title({owner: "owner"}, serial="another")


def test_side_acts_have_the_parts_that_they_have_and_no_custodian(town):
    entry = town.birth(mother=town.adult("anna"))
    town.accept(entry)
    birth = entry.records[0].record_id
    looked = [ObjectPart("logged", {"digest": seed("purpose")})]
    part = town.part("birth", birth)
    with_record = town.entry(
        "birth/access", [officer("declare")], [part], looked, about=about(birth)
    )
    assert town.refuse(with_record) == "registry.wrong_parts"
    twice = town.entry("birth/access", [officer("declare")], objects=looked * 2, about=about(birth))
    assert town.refuse(twice) == "registry.wrong_parts"
    hands = [officer("declare"), by("custodian", "justice", "custodian")]
    watched = town.entry("birth/access", hands, objects=looked, about=about(birth))
    assert town.refuse(watched) == "registry.signer_idle"
    fields: dict[str, Any] = {
        "action": "parameter",
        "fields": {"name": "received_days", "value": 3},
    }
    ballot = [ObjectPart("ballot", fields)]
    about_one = town.entry("ballot/open", govern(), objects=ballot, office=None, about=about(birth))
    assert town.refuse(about_one) == "registry.wrong_parts"


def test_a_founding_identity_has_no_body_to_wrap(town):
    wraps = [ObjectPart("wraps", {"wraps_digest": bytes(32)})]
    founder = about(officer_id("justice", "register"))
    entry = town.entry(
        "wrap/add", [by("custodian", "justice", "custodian")], objects=wraps, about=founder
    )
    assert town.refuse(entry) == "registry.object_unknown"


# --- births -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "days_after", "code"),
    [("mother", 1, "registry.parent_impossible"), ("father", 301, "registry.parent_impossible"),
     ("father", 300, None)],
)  # fmt: skip
def test_a_mother_is_alive_and_a_father_has_died_at_most_300_days_before(
    town, role, days_after, code
):
    parent = town.adult("parent")
    died = town.day
    row = town.row(parent)
    put(
        town,
        record_key(parent),
        replace(row, status="deceased", engine={**row.engine, "died_on": died}),
    )
    town.wait(days_after)
    entry = town.birth(**{role: parent})
    if code is None:
        town.accept(entry)
    else:
        assert town.refuse(entry) == code


def test_a_parent_whose_identity_is_cancelled_is_none(town):
    parent = town.adult("parent")
    put(town, record_key(parent), replace(town.row(parent), status="cancelled"))
    assert town.refuse(town.birth(mother=parent)) == "registry.not_alive"


def test_the_rule_link_status_which_no_shipped_type_calls():
    rows = {b"a": SimpleNamespace(status="live"), b"b": SimpleNamespace(status="ended")}
    for name, passes in ((b"a", True), (b"b", False), (b"c", False)):
        run: Any = SimpleNamespace(links=lambda _name, name=name: (name,), record=rows.get)
        if passes:
            RULES["link_status"](run, ("title", "live"))
        else:
            with pytest.raises(LinkWrongError):
                RULES["link_status"](run, ("title", "live"))


# --- genesis, state, replay ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("type/other", b"type = 'x'"),
        ("type/wrong_name", None),
        ("table/none", b"\xff"),
        ("word/x", b"x"),
    ],
)
def test_a_genesis_with_an_attachment_that_is_none_is_refused(monkeypatch, name, content):
    shipped = dict(catalogue.genesis_attachments())
    wrong = {**shipped, name: shipped["type/birth"] if content is None else content}
    monkeypatch.setattr(catalogue, "genesis_attachments", lambda: wrong)
    with pytest.raises(InvalidGenesisError):
        initial_state(founding.__wrapped__(tuple(CALM.items())))


def test_a_state_that_keeps_few_rows_says_the_same(monkeypatch):
    monkeypatch.setattr(state, "CACHED_ROWS_MAX", 3)
    small, large = Town(), Town()
    for town in (small, large):
        town.accept(town.birth(mother=town.adult("anna")))
        monkeypatch.setattr(state, "CACHED_ROWS_MAX", 200_000)
    assert small.state.tree_changes() == large.state.tree_changes()


def test_a_stored_value_of_another_shape_stops_the_node(town):
    where = key_key(key("justice", "register").public.key_id)
    stored = dict(stored_genesis(town.genesis))
    for kind in (RecordRow, MandateRow):
        with pytest.raises(CorruptStateError):
            State(stored.get).read(where, kind)
    assert State(stored.get).read(where, KeyRow) is not None
    wrong = State(stored.get)
    with pytest.raises(CorruptStateError):
        wrong.read(VALIDATORS, OfficerRow)


def test_a_replay_goes_on_from_the_rows_of_another_one(town):
    town.adult("anna")
    chain = Chain(town)
    first = Replayer(town.genesis)
    first.replay_block(chain.blocks[0])
    second = Replayer(town.genesis, dict(first.rows))
    assert second.state_root == first.state_root
    second.replay_block(chain.blocks[1])
    assert second.state_root == chain.blocks[1].header.state_root
