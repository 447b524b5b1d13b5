"""What the state machine refuses, case by case: each code once, with the state untouched."""

from dataclasses import replace
from typing import Any

import pytest

from keys.hashing import Digest
from ledger import entries
from ledger.entries import Claim, Evidence, Match, sort_claims
from ledger.parts import AttestedRule, ObjectPart, sort_rules
from registry.apply import apply
from registry.kinship import Steps, are_relatives
from registry.rows import FamilyRow
from registry.rule_pack import PACK_DIGEST
from registry.state import State
from registry.state_key_names import family_key
from tests.registry.town import (
    SEEN,
    Town,
    about,
    by,
    child_id,
    form,
    identifier,
    key_object,
    officer,
    officer_id,
    seed,
    shares,
    two_officers,
)


@pytest.fixture(scope="module")
def town():
    town: Any = Town()
    town.anna = town.adult("anna")
    town.paul = town.adult("paul")
    town.title_id = town.title({town.anna: "anna"})
    registered = town.birth(mother=town.anna, father=town.paul)
    town.accept(registered)
    town.birth_id = registered.records[0].record_id
    town.wait(300)
    declared = town.birth("birth/declare", mother=town.anna)
    town.accept(declared)
    town.declared_id = declared.records[0].record_id
    town.wait(30)
    return town


HEADS: dict[str, dict[str, Any]] = {
    "expired": {"not_after_ms": 1},
    "not_after_too_far": {"not_after_ms": 10**15},
    "schema_version": {"schema_version": 7},
    "office_not_in_force": {"office": None},
    "empty_basis": {"basis": ()},
    "wrong_parts": {"about": about(bytes(16))},
    "received_on": {"received_on": "2030-01-01"},
    "attestation_incomplete": {"rules": ("name_letters",)},
    "evidence": {"evidence": replace(SEEN, sufficient=False)},
}


@pytest.mark.parametrize("code", HEADS)
def test_a_birth_with_one_thing_wrong_in_head_or_context_is_refused(town, code):
    entry = town.birth(mother=town.adult(f"mother {code}"), **HEADS[code])
    assert town.refuse(entry) == f"registry.{code}"


def test_an_entry_of_another_network_is_refused(town):
    entry = town.contact(town.anna, by("subject", "anna"), network_id=bytes(32))
    assert town.refuse(entry) == "registry.wrong_network"


MEMBERS: dict[str, tuple[dict[str, Any], str]] = {
    "an event that the head does not name": (
        {"member": {"event_date": "2026-02-02"}},
        "registry.date_order",
    ),
    "an event in the future": (
        {"event_date": "2029-01-01"},
        "registry.date_order",
    ),
    "a unit that no table has": ({"member": {"place_unit": "99999"}}, "registry.unit_invalid"),
    "a province of before": ({"member": {"place_unit": 70}}, "registry.field_value"),
    "no place": ({"no_place": True}, "registry.missing_field"),
    "a mother who is a title": ({"mother": "title"}, "registry.link_wrong"),
    "a mother who does not exist": ({"mother": identifier("none")}, "registry.link_wrong"),
    "one person as both parents": ({"father": "anna"}, "registry.parent_impossible"),
    "a mother not older than the child": (
        {"event_date": "1990-05-05"},
        "registry.parent_impossible",
    ),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_a_birth_that_cannot_be_is_refused(town, name):
    given, code = dict(MEMBERS[name][0]), MEMBERS[name][1]
    names = {"anna": town.anna, "title": town.title_id}
    for role in ("mother", "father"):
        if role in given:
            given[role] = names.get(given[role], given[role])
    given.setdefault("mother", town.anna)
    if given.pop("no_place", False):
        act = town.new_act()
        entry = town.birth("birth/declare", act=act, **given)
        part = replace(entry.records[0], member={"event_date": town.day})
        entry = town.entry("birth/declare", town.birth_hands("birth/declare"), [part], act=act)
    else:
        entry = town.birth("birth/declare", **given)
    assert town.refuse(entry) == code


def test_a_child_without_parents_needs_an_official_report(town):
    assert town.refuse(town.birth("birth/declare")) == "registry.evidence"
    official = Evidence(sufficient=True, official=True, digests=())
    town.accept(town.birth("birth/declare", evidence=official))


def test_the_wrong_records_objects_links_or_seals_are_refused(town):
    birth = town.birth(mother=town.paul)
    hands = town.birth_hands()
    part, child = birth.records
    for records, objects, code in (
        ([part], [], "wrong_parts"),
        ([part, part_of_title(town)], [], "wrong_parts"),
        ([part, child], [key_object("k", "sign")], "wrong_parts"),
        ([replace(part, seal=None), child], [], "seal_wrong"),
        ([replace(part, links={"aunt": town.anna}), child], [], "unknown_field"),
        ([replace(part, links={"mother": (town.anna,)}), child], [], "field_value"),
        ([replace(part, holders=shares([town.anna], [(1, 1)])), child], [], "holder_wrong"),
        ([replace(part, record_version=2), child], [], "stale_version"),
        ([replace(part, previous_entry=bytes(32)), child], [], "stale_version"),
        ([part, replace(child, record_version=2)], [], "stale_version"),
        ([replace(part, record_id=identifier("wish"), matches=()), child], [], "wrong_id"),
        ([part, replace(child, member={"birth_date": "2020-01-01"})], [], "date_order"),
        ([replace(part, matches=()), child], [], "claim_wrong"),
        ([part, replace(child, matches=part.matches)], [], "tag_unsigned"),
        ([replace(part, claims=child.claims), child], [], "tag_unsigned"),
    ):
        entry = town.entry(
            "birth/register", hands, records, objects, act=birth.head.act_id, event_date=town.day
        )
        assert town.refuse(entry) == f"registry.{code}", (code, objects)


def part_of_title(town):
    return town.part("land_title", town.title_id)


def test_an_identity_of_another_record_or_version_is_not_written_over(town):
    hands = [*two_officers(), by("subject", "anna")]
    part = replace(town.part("identity", town.anna), record_id=town.title_id)
    wrong_type = town.entry("identity/correct", hands, [part], reason="x")
    assert town.refuse(wrong_type) == "registry.record_unknown"
    nobody = town.part("identity", identifier("none"), member={"birth_date": "1990-01-01"})
    unknown = town.entry("identity/correct", hands, [nobody], reason="x")
    assert town.refuse(unknown) == "registry.record_unknown"


def test_a_correction_needs_reason_and_evidence_and_changes_only_what_it_may(town):
    hands = [*two_officers(), by("subject", "anna")]
    part = town.part("identity", town.anna)
    assert town.refuse(town.entry("identity/correct", hands, [part])) == "registry.reason_missing"
    clear = town.entry("identity/correct", hands, [part], reason="number_001090123456")
    assert town.refuse(clear) == "registry.personal_number_in_clear"
    bare = Evidence(sufficient=True, official=False, digests=())
    without = town.entry("identity/correct", hands, [part], reason="x", evidence=bare)
    assert town.refuse(without) == "registry.evidence"
    residence = [officer("declare"), by("subject", "anna")]
    older = replace(part, member={"birth_date": "1991-01-01"})
    moved = town.entry("identity/change_residence", residence, [older])
    assert town.refuse(moved) == "registry.field_not_writable"
    number = Claim(*town.tag("person.number", "001090000009", town.anna, residence[0]))
    claimed = town.entry("identity/change_residence", residence, [replace(part, claims=(number,))])
    assert town.refuse(claimed) == "registry.claim_wrong"


def test_a_supplement_overwrites_nothing(town):
    birth = town.row(town.birth_id)
    parent = by("representative", "anna", acting_for=child_id(town.birth_id))
    hands = [*two_officers(), parent]
    part = town.part("birth", town.birth_id, member={**birth.member, "place_unit": "00004"})
    over = town.entry("birth/supplement", hands, [part])
    assert town.refuse(over) == "registry.supplement_overwrites"
    twin = {"multiple": {"count": 2, "order": 1}}
    filled = town.part("birth", town.birth_id, member={**birth.member, **twin})
    supplemented = town.entry("birth/supplement", hands, [filled])
    apply(town.state.fork(), town.verified(supplemented), town.block())


def test_attested_rules_name_a_pack_that_is_in_force(town):
    entry = town.birth(mother=town.paul)
    rules = entry.context.rules
    assert {rule.pack_digest for rule in rules} == {PACK_DIGEST}
    hands = town.birth_hands()
    head = town.head("birth/register", [*hands, by("custodian", "justice", "custodian")])
    others = sort_rules(
        AttestedRule(rule.rule, Digest(seed("pack")), warned=False) for rule in rules
    )
    context = replace(entry.context, rules=others)
    head = replace(head, act_id=entry.head.act_id)
    blinds = [seed("blind", number)[:16] for number in range(4)]
    unsigned = entries.compose(head, entry.records, (), context, blinds)
    signed = unsigned.signed(
        town.slots(head, [*hands, by("custodian", "justice", "custodian")], unsigned.sign_message)
    )
    assert town.refuse(signed) == "registry.pack_not_in_force"


def test_officers_of_other_places_and_custody_forms_that_do_not_hold_are_refused(town):
    anna = town.anna
    hands = town.birth_hands()
    for changed, code in (
        ([by("officer(register)", "police", "register"), *hands[1:]], "not_officer"),
        ([by("officer(register)", "anna"), *hands[1:]], "not_officer"),
        ([by("officer(register)", "nobody"), *hands[1:]], "key_unknown"),
        ([*hands[:2], by("informant", "justice", "declare")], "signer_wrong"),
        ([*hands[:2], form("informant", ("justice", "register"), ("anna",))], "not_officer"),
        ([form("officer(register)", ("justice", "register")), *hands[1:]], "signer_wrong"),
    ):
        assert town.refuse(town.birth(mother=town.paul, hands=changed)) == f"registry.{code}"
    upper = by("upper_office(approve)", "police", "approve")
    idle = town.birth(mother=town.paul, hands=[*hands, upper])
    assert town.refuse(idle) == "registry.signer_idle"
    part = town.part("identity", anna)
    with_form = [*two_officers(), officer("approve", "police", "other_agency")]
    with_form.append(form("new_key", ("justice", "register"), ("justice", "approve")))
    entry = town.entry("identity/enrol_key", with_form, [part], [key_object("x", "sign")])
    assert town.refuse(entry) == "registry.signer_wrong"


def test_keys_that_are_taken_none_or_sealing_only_are_not_enrolled(town):
    hands = [*two_officers(), officer("approve", "police", "other_agency")]
    part = town.part("identity", town.anna)
    seal_only = town.entry("identity/enrol_key", hands, [part], [key_object("x", "seal")])
    assert town.refuse(seal_only) == "registry.field_value"
    taken = town.entry(
        "identity/enrol_key", [*hands, by("new_key", "paul")], [part], [key_object("paul", "sign")]
    )
    assert town.refuse(taken) == "registry.key_taken"
    none = ObjectPart("key", {"algorithm": 1, "public": bytes(33), "purpose": "sign"})
    broken = town.entry("identity/enrol_key", [*hands, by("new_key", "x")], [part], [none])
    assert town.refuse(broken) == "registry.key_unknown"
    sealing = ObjectPart("key", {"algorithm": 1, "public": bytes(33), "purpose": "seal"})
    half = [key_object("x", "sign"), sealing]
    entry = town.entry("identity/enrol_key", [*hands, by("new_key", "x")], [part], half)
    assert town.refuse(entry) == "registry.field_value"
    closing = [ObjectPart("closing", {"key_id": bytes(16)})]
    entry = town.entry("identity/close_key", [by("subject", "anna")], [part], closing)
    assert town.refuse(entry) == "registry.object_unknown"


def test_what_stands_against_a_transfer_of_land(town):
    buyers, title = {town.paul: "paul"}, town.title_id
    for given, code in (
        ({"member": {"obligation_open": True}}, "obligation_open"),
        ({"member": {"area": 999}}, "field_not_writable"),
        ({"event_date": "2027-12-31"}, "date_order"),
        ({"event_date": "2026-01-01"}, "late_without_reason"),
        ({"holders": shares([identifier("none")], [(1, 1)])}, "holder_wrong"),
        ({"member": {"certificate_serial": "AA 9"}}, "claim_wrong"),
    ):
        assert town.refuse(town.sale(title, ["anna"], buyers, **given)) == f"registry.{code}"
    empty = town.part("land_title", title, holders=())
    entry = town.entry(
        "land_title/correct", two_officers("land"), [empty], reason="x", agency="land"
    )
    assert town.refuse(entry) == "registry.holder_wrong"
    moved = town.part("land_title", title, holders=shares([town.paul], [(1, 1)]))
    hands = [*two_officers("land"), by("owners", "anna")]
    entry = town.entry("land_title/correct", hands, [moved], reason="x", agency="land")
    assert town.refuse(entry) == "registry.field_not_writable"


def test_claims_that_are_missing_twice_or_of_another_value_are_refused(town):
    entry = town.title_entry({town.anna: "anna"}, parcel="88")
    part = entry.records[0]
    hands = [*two_officers("land"), by("new_owners", "anna")]
    parcel, serial = part.claims
    for claims, code in (
        ((parcel,), "claim_wrong"),
        ((), "claim_wrong"),
        ((replace(parcel, value="00070/7/89"), serial), "claim_wrong"),
        (sort_claims((parcel, replace(parcel, value="x"), serial)), "claim_wrong"),
        (sort_claims((parcel, serial, Claim("land.name", 0, "x", None))), "claim_wrong"),
    ):
        changed = town.entry(
            "land_title/first_register", hands, [replace(part, claims=claims)],
            act=entry.head.act_id, agency="land",
        )  # fmt: skip
        assert town.refuse(changed) == f"registry.{code}"


def test_a_number_is_claimed_by_its_tag_and_not_in_clear(town):
    clear = Claim("person.number", 0, "no tag", None)
    entry = town.birth(mother=town.paul, claims=[clear])
    assert town.refuse(entry) == "registry.tag_unsigned"


def test_a_release_names_a_live_mortgage_of_its_lender(town):
    assert (
        town.refuse(town.release(town.title_id, 1, town.paul, "paul")) == "registry.object_unknown"
    )
    nobody = town.mortgage(town.title_id, ["anna"], identifier("none"), "paul")
    assert town.refuse(nobody) == "registry.link_wrong"


def test_a_declaration_is_archived_by_time_and_operations_ask_for_their_status(town):
    part = town.part("birth", town.declared_id)
    hands = [officer("register")]
    before = town.time_ms
    town.wait(60)
    lapsed = town.entry("birth/validate", hands, [part])
    assert town.refuse(lapsed) == "registry.wrong_status"
    town.time_ms = before
    registered = town.part("birth", town.birth_id)
    again = town.entry("birth/validate", hands, [registered])
    assert town.refuse(again) == "registry.wrong_status"
    town.accept(town.entry("birth/validate", hands, [part]))
    unflagged = town.entry(
        "birth/mark_not_duplicate",
        hands,
        [town.part("birth", town.declared_id)],
        [ObjectPart("duplicate", {"other": town.birth_id})],
        reason="x",
    )
    town.accept(unflagged)
    rejected = town.entry(
        "birth/reject", hands, [town.part("birth", town.declared_id)], reason="incomplete"
    )
    town.accept(rejected)
    assert town.row(town.declared_id).status == "archived"


@pytest.mark.parametrize(
    "kind", ["birth/explode", "dragon/register", "office/certify", "side/certify"]
)
def test_a_kind_that_no_type_in_force_has_is_unknown(town, kind):
    entry = town.birth(mother=town.paul)
    hands = [*town.birth_hands(), by("custodian", "justice", "custodian")]
    head = replace(entry.head, kind=kind, act_id=town.new_act())
    blinds = [seed("blind", kind, number)[:16] for number in range(4)]
    unsigned = entries.compose(head, entry.records, (), entry.context, blinds)
    signed = unsigned.signed(town.slots(head, hands, unsigned.sign_message))
    assert town.refuse(signed) == "registry.unknown_kind"


def test_spouses_are_relatives_while_they_are_married(town):
    fork = town.state.fork()
    clerk = officer_id("justice", "register")
    row = FamilyRow((), (), ((town.anna, identifier("marriage"), "2026-01-01", "2026-06-01"),))
    fork.write(family_key(clerk), row)
    assert are_relatives(fork, clerk, town.anna, "2026-05-31", Steps())
    assert not are_relatives(fork, clerk, town.anna, "2026-06-01", Steps())
    assert are_relatives(fork, clerk, clerk, "2026-06-01", Steps())


def family(children: dict[str, tuple[str, ...]]):
    """A state in which these children have these parents."""
    state = State(lambda _key: None)
    for child, parents in children.items():
        links = tuple((identifier(parent), "birth", identifier("b")) for parent in parents)
        state.write(family_key(identifier(child)), FamilyRow(links, (), ()))
    return state


def test_relatives_are_the_direct_line_and_kin_within_three_generations():
    state = family(
        {
            "child": ("mother",),
            "mother": ("granny",),
            "aunt": ("granny",),
            "cousin": ("aunt",),
            "cousin's child": ("cousin",),
            "granny": ("old",),
            "old": ("older",),
        }
    )
    for other, related in (
        ("mother", True),
        ("granny", True),
        ("older", True),
        ("aunt", True),
        ("cousin", True),
        ("cousin's child", False),
        ("stranger", False),
    ):
        found = are_relatives(state, identifier("child"), identifier(other), "2026-01-01", Steps())
        assert found is related, other


def test_a_match_tag_of_another_namespace_is_refused(town):
    hands = town.birth_hands("birth/declare")
    act = town.new_act()
    birth = town.created_id(hands, act)
    wrong = Match(*town.tag("person.number", "x", birth, hands[0]))
    entry = town.birth("birth/declare", mother=town.paul, hands=hands, act=act, matches=[wrong])
    assert town.refuse(entry) == "registry.claim_wrong"
