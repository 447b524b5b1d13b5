"""Nobody becomes an officer who has not agreed, and no key an officer's that has not signed."""

from dataclasses import replace

import pytest

from keys.hashing import Digest
from ledger.parts import KeySigner, ObjectPart
from registry.acts import Act
from registry.asking import agency_that_asks
from registry.authority import officer_of_key
from registry.authority_errors import NotOfficerError, SignerMissingError
from registry.civil_calendar import add_days
from registry.code_tables import record_type as find_type
from registry.explain import Reading, explain_entry
from registry.signer_plan import CustodyForm, Hands, Scene, plan_signers
from registry.state_key_names import record_key
from tests.registry.test_acceptance_entries import role_part
from tests.registry.test_governance import govern
from tests.registry.town import KEYS, Town, by, form, identifier, key, office, officer_id


@pytest.fixture
def town() -> Town:
    return Town()


def role(town, identity, name="desk", agency="justice", role="register"):
    return role_part(town, identity, role, name, agency)


def grant(town, roles, hands, agency="justice"):
    hands = [*govern(agency), *hands]
    return town.entry("officer/grant", hands, objects=roles, office=None, agency=agency)


def missing(town, entry):
    refusal = town.refusal(entry)
    return refusal.code, refusal.details["term"]


def test_governors_alone_make_no_citizen_their_officer(town):
    anna, _other = town.adult("anna"), town.adult("other")
    roles = [role(town, anna)]
    proof, agreed = by("new_key", "desk"), by("appointee", "anna")
    assert missing(town, grant(town, roles, [])) == ("registry.signer_missing", "appointee")
    assert missing(town, grant(town, roles, [proof])) == ("registry.signer_missing", "appointee")
    for stranger in (by("appointee", "other"), by("appointee", "justice", "register")):
        refused = grant(town, roles, [proof, stranger])
        assert missing(town, refused) == ("registry.signer_wrong", "appointee")
    with_the_new_key = grant(town, roles, [proof, by("appointee", "desk")])
    assert town.refuse(with_the_new_key) == "registry.key_unknown"
    town.accept(grant(town, roles, [proof, agreed]))


def test_an_agency_takes_no_key_that_another_one_is_about_to_enrol(town):
    anna = town.adult("anna")
    refused = grant(town, [role(town, anna, "their key")], [by("appointee", "anna")])
    assert missing(town, refused) == ("registry.signer_missing", "new_key")
    false_proof = [by("appointee", "anna"), by("new_key", "anna")]
    refused = grant(town, [role(town, anna, "their key")], false_proof)
    assert missing(town, refused) == ("registry.signer_wrong", "new_key")


def test_a_person_without_a_key_agrees_before_officers_of_two_agencies(town):
    anna, proof = town.create_identity(), by("new_key", "desk")
    own = form("appointee", ("justice", "declare"), ("justice", "approve"))
    refused = grant(town, [role(town, anna)], [proof, own])
    assert town.refuse(refused) == "registry.custody_form"
    both = form("appointee", ("justice", "declare"), ("police", "approve"))
    town.accept(grant(town, [role(town, anna)], [proof, both]))
    enrolled = town.adult("ben")
    refused = grant(town, [role(town, enrolled, "b")], [by("new_key", "b"), both])
    assert town.refuse(refused) == "registry.custody_form"


def test_who_serves_already_agrees_with_the_key_of_that_office_and_with_no_one_elses(town):
    founder, colleague = officer_id("justice", "declare"), by("appointee", "justice", "approve")
    same_key = role(town, founder)
    public = key("justice", "declare").public
    same_key = ObjectPart("role", {**same_key.fields, "public": public.public})
    assert missing(town, grant(town, [same_key], [colleague])) == (
        "registry.signer_wrong",
        "appointee",
    )
    own = by("appointee", "justice", "declare")
    idle = grant(town, [same_key], [own, by("new_key", "justice", "declare")])
    assert missing(town, idle) == ("registry.signer_idle", "new_key")
    town.accept(grant(town, [same_key], [own]))
    elsewhere = role(town, founder, "tax desk", "tax")
    town.accept(grant(town, [elsewhere], [own, by("new_key", "tax desk")], "tax"))


def test_each_of_several_people_agrees_once_and_each_key_proves_itself_once(town):
    anna, ben = town.adult("anna"), town.adult("ben")
    roles = [
        role(town, anna, "a"),
        role(town, anna, "a", role="declare"),
        role(town, ben, "b"),
    ]
    hands = [by("appointee", "anna"), by("new_key", "a"), by("new_key", "b")]
    assert missing(town, grant(town, roles, hands)) == ("registry.signer_missing", "appointee")
    town.accept(grant(town, roles, [*hands, by("appointee", "ben")]))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"status": "incapable"}, "registry.not_capable"),
        ({"status": "deceased"}, "registry.not_alive"),
        ({"flags": ("locked",)}, "registry.not_alive"),
        ({"member": {"birth_date": "2010-01-01"}}, "registry.not_capable"),
    ],
)
def test_an_officer_is_of_age_alive_and_free_to_sign(town, change, code):
    anna = town.adult("anna")
    town.state.write(record_key(anna), replace(town.row(anna), **change))
    town.state.seal_writes(bytes(32))
    hands = [by("appointee", "anna"), by("new_key", "desk")]
    assert town.refuse(grant(town, [role(town, anna)], hands)) == code


def planned(town, roles, **hands):
    """The signers, by term and key, that a program plans for an appointment."""
    record_type = find_type(town.state, "officer", town.height + 1)
    scene = Scene(
        state=town.state,
        day=town.day,
        record_type=record_type,
        record_id=None,
        row=None,
        act=Act(kind="officer/grant", event_date=town.day, records=(), objects=tuple(roles)),
        operation=record_type.operations["grant"],
    )
    governors = [one.keys[0].public.key_id for one in govern()]
    return [
        (signer.term, KEYS[signer.key_id] if isinstance(signer, KeySigner) else signer.officers)
        for signer in plan_signers(scene, Hands(governance=governors, **hands))
        if signer.term != "agency"
    ]


def test_a_program_plans_what_the_ledger_asks_for(town):
    anna, ben = town.adult("anna"), town.create_identity()
    wanted = {"appointee": key("anna"), "new_key": key("desk")}
    assert dict(planned(town, [role(town, anna)])) == wanted
    with pytest.raises(SignerMissingError) as missing_form:
        planned(town, [role(town, ben)])
    assert missing_form.value.details["term"] == "appointee"
    both = tuple(sorted(key(agency, "declare").public.key_id for agency in ("justice", "police")))
    attested = {ben: CustodyForm(both, Digest(bytes(32)))}
    assert ("appointee", both) in planned(town, [role(town, ben)], persons=attested)
    founder = officer_id("justice", "declare")
    town.accept(
        grant(
            town,
            [role(town, founder, "second")],
            [by("appointee", "justice", "declare"), by("new_key", "second")],
        )
    )
    town.wait()
    assert planned(town, [role(town, founder, "second", role="approve")]) == [
        ("appointee", key("justice", "declare")),
    ]
    here = frozenset({key("second").public.key_id})
    chosen = planned(town, [role(town, founder, "second", role="approve")], at_hand=here)
    assert chosen == [("appointee", key("second"))]


def auth_key(identity, name="desk auth", agency="justice"):
    public = key(name).public
    fields = {
        "identity": identity,
        "office": office(agency),
        "algorithm": int(public.algorithm),
        "public": public.public,
    }
    return ObjectPart("auth_key", fields)


def enrol(town, items, hands, agency="justice"):
    hands = [*govern(agency), *hands]
    return town.entry("officer/enrol_key", hands, objects=items, office=None, agency=agency)


def test_who_became_an_officer_after_genesis_asks_nodes_with_an_own_key(town):
    anna = town.adult("anna")
    hands = [by("appointee", "anna"), by("new_key", "desk auth")]
    early = enrol(town, [auth_key(anna)], hands)
    assert town.refuse(early) == "registry.governance_conflict", "no officer of this office"
    town.accept(grant(town, [role(town, anna)], [by("appointee", "anna"), by("new_key", "desk")]))
    for lacking, term in ((hands[:1], "new_key"), (hands[1:], "appointee")):
        refused = enrol(town, [auth_key(anna)], lacking)
        assert missing(town, refused) == ("registry.signer_missing", term)
    town.accept(enrol(town, [auth_key(anna)], hands))
    key_id, tomorrow = key("desk auth").public.key_id, add_days(town.day, 1)
    assert agency_that_asks(town.state, key_id, tomorrow) == identifier("agency", "justice")
    with pytest.raises(NotOfficerError):
        officer_of_key(town.state, key_id, tomorrow, "officer(register)")
    with pytest.raises(NotOfficerError):
        agency_that_asks(town.state, key("desk").public.key_id, tomorrow)


def test_an_auth_key_becomes_no_signing_key_and_none_of_another_officer(town):
    anna, ben = town.adult("anna"), town.adult("ben")
    roles = [role(town, anna, "a"), role(town, ben, "b")]
    agreed = [by("appointee", "anna"), by("appointee", "ben")]
    town.accept(grant(town, roles, [*agreed, by("new_key", "a"), by("new_key", "b")]))
    for name in ("a", "b"):
        refused = enrol(town, [auth_key(anna, name)], [by("appointee", "anna")])
        assert town.refuse(refused) == "registry.governance_conflict"
    hands = [by("appointee", "anna"), by("new_key", "desk auth")]
    town.accept(enrol(town, [auth_key(anna)], hands))
    again = grant(town, [role(town, anna, "desk auth")], [by("appointee", "anna")])
    assert town.refuse(again) == "registry.governance_conflict"


def test_who_agrees_reads_the_role_and_the_record_types_in_words(town):
    asked = role(town, town.adult("anna"))
    asked = ObjectPart("role", {**asked.fields, "types": ("birth", "dragon", "*")})
    reading = Reading(
        find_type=lambda name: find_type(town.state, name, town.height + 1),
        find_table=lambda _name: None, name_of=lambda _found: None, opened={}, before={},
    )  # fmt: skip
    said = explain_entry(grant(town, [asked], []), reading)
    vietnamese, english = said.text("vi"), said.text("en")
    assert "Vai trò: đăng ký (register)" in vietnamese
    assert "Loại hồ sơ: Khai sinh (birth), dragon, tất cả (*)" in vietnamese
    assert "Role: registers (register)" in english
    assert "Record types: Birth (birth), dragon, all (*)" in english
