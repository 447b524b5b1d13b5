"""From an act to an unsigned entry, the custodian's checks, and the words a signer reads."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import CivregError
from ledger.entries import parse_parts
from ledger.ids import derived_id, print_id, record_id
from ledger.parts import CustodySigner, Holder, KeySigner
from registry import drafts
from registry.acts import RecordContent
from registry.authority_errors import SignerMissingError
from registry.custodian import CustodianRefusedError, check_draft
from registry.custodian_messages import (
    TagWish,
    parse_reply,
    parse_request,
    print_reply,
    print_request,
)
from registry.drafting import (
    Target,
    body_place,
    compose_act,
    custodian_request,
    draft_of,
    prepare_act,
    seal_act,
)
from registry.explain import UNSEEN, Reading, explain_entry
from registry.form_kinds import find_form
from registry.forms import read_form
from registry.problems import BodyError, OfficeRuleError
from registry.rows import Encumbrance
from registry.sealed import open_body
from registry.signer_plan import CustodyForm, Hands, Scene, plan_signers
from registry.state_key_names import record_key
from registry.wraps import Reader, open_wraps, parse_wraps
from tests.registry import small_world as small
from tests.registry.plain_bytes import named, sixteen, thirty_two

BIRTH_FORM = {
    "event_date": "2026-03-01",
    "place_unit": "00070",
    "mother": print_id(small.MOTHER),
    "father": print_id(small.FATHER),
    "name": {"family": "Nguyễn", "middle": "Thị", "given": "Hương"},
    "sex": "female",
    "ethnicity": "01",
    "nationality": "VN",
    "home_town": "Hà Nội",
    "place_detail": "Bệnh viện",
    "personal_number": "001326000123",
    "mother_details": {"name": "Trần Thị Phượng", "birth_year": 1990},
    "father_details": {"name": "Nguyễn Văn An", "birth_year": 1990},
    "informant": {"name": "Nguyễn Văn An", "relation": "father"},
    "evidence_kind": "birth_notice",
    "created": {"child": {"residence": "Hà Nội"}},
    "act": {"sufficient": True},
}


def birth_act(**changes):
    return read_form(
        BIRTH_FORM | changes, find_form("birth/register", small.find_type), small.TABLES
    )


def scene(state, act, target=None):
    form_kind = find_form(act.kind, small.find_type)
    return Scene(
        state=state,
        day=small.DAY,
        record_type=form_kind.record_type,
        record_id=None if target is None else target.record_id,
        row=None if target is None else target.row,
        act=act,
        operation=form_kind.operation,
    )


def birth(**changes):
    state, act = small.world(), birth_act(**changes)
    signers = plan_signers(scene(state, act), small.HANDS)
    parents = (small.MOTHER, small.FATHER)
    return small.make_entry(state, act, signers, parents=parents)


def checked(entry, held, **known):
    knowledge = replace(small.KNOWLEDGE, **known)
    return check_draft(entry, held, small.find_type, knowledge)


def test_a_birth_is_one_entry_with_two_records_and_two_bodies():
    """Acceptance case 22, as far as it happens before the chain."""
    entry, held, _sealed = birth()
    first, child = entry.records
    assert first.record_id == record_id(small.NETWORK, entry.head.first_key_id, entry.head.act_id)
    assert child.record_id == derived_id(first.record_id, 1, "create_identity", 0)
    assert [claim.namespace for claim in child.claims] == ["person.number"]
    assert [match.namespace for match in first.matches] == ["birth.name"]
    assert entry.head.legal_basis == ("60/2014/QH13 art. 16.2",)
    assert parse_parts(tuple(tuple(part) for part in entry.parts)) == entry
    for part, kept in zip(entry.records, held, strict=True):
        for parent in ("mother seal", "father seal"):
            place = small_place(part)
            data_key = open_wraps(
                parse_wraps(kept.wraps), place, small.KEYS[parent], part.seal.key_check
            )
            paths = tuple(small.TYPES[part.type_name].sealed_paths)
            opened = open_body(place, paths, kept.body, part.seal, data_key)
            assert opened.values["name.given"] == "Hương"
    assert len(checked(entry, held)) == 2


def small_place(part):
    return body_place(small.NETWORK, part)


def test_the_same_number_gives_the_same_tag_and_another_number_another():
    def tag(**changes):
        return birth(**changes)[0].records[1].claims[0].value

    assert tag() == tag(sex="female")
    assert tag() != tag(personal_number="001326000124")


def test_the_signers_are_exactly_those_of_the_policy_and_the_custodian_is_last():
    entry, _held, _sealed = birth()
    terms = [signer.term for signer in entry.head.signers]
    assert sorted(terms[:-1]) == ["informant", "officer(register)", "second_officer(approve)"]
    assert terms[-1] == "custodian"
    informant = entry.head.signers[terms.index("informant")]
    assert isinstance(informant, CustodySigner)
    assert informant.officers == tuple(sorted(small.FORM.officers))


def test_a_birth_of_over_a_year_ago_also_needs_the_upper_office():
    state = small.world()
    act = replace(birth_act(), event_date="2025-03-01")
    with pytest.raises(SignerMissingError) as caught:
        plan_signers(scene(state, act), small.HANDS)
    assert caught.value.details["term"] == "upper_office(approve)"
    upper = {"upper_office(approve)": small.key_id("stranger")}
    hands = replace(small.HANDS, officers=small.OFFICERS | upper)
    assert len(plan_signers(scene(state, act), hands)) == 5


def test_nobody_as_informant_is_missing():
    state = small.world()
    with pytest.raises(SignerMissingError):
        plan_signers(scene(state, birth_act()), replace(small.HANDS, informant=None))


# --- acceptance case 15: what the custodian does not sign -----------------------------------------


@given(st.integers(0, 1), st.integers(0, 100_000), st.integers(1, 255))
def test_a_body_with_one_changed_byte_gets_no_signature(which, position, mask):
    """Acceptance case 15. Invariant: no changed body passes."""
    entry, held, _sealed = BIRTH
    body = bytearray(held[which].body)
    body[position % len(body)] ^= mask
    changed = list(held)
    changed[which] = replace(held[which], body=bytes(body))
    with pytest.raises(BodyError):
        checked(entry, changed)


BIRTH = birth()


def reseal(change, form=None):
    """Draft a birth whose sealed values are changed after the office's own checks."""
    state, act = small.world(), birth_act(**(form or {}))
    signers = plan_signers(scene(state, act), small.HANDS)
    form_kind = find_form(act.kind, small.find_type)
    prepared = prepare_act(form_kind, act, small.desk(), signers)
    records = [
        replace(record, sealed={**record.sealed, **change.get(record.part.type_name, {})})
        for record in prepared.records
    ]
    sealed = seal_act(replace(prepared, records=tuple(records)), small.drawer())
    return state, sealed


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("sex", 7),
        ("sex", None),
        ("birth_time", "25:00"),
        ("personal_number", "12"),
        ("name.given", ""),
    ],
)
def test_a_body_that_does_not_fit_its_schema_gets_no_wraps(path, value):
    """Acceptance case 15: the schema."""
    state, sealed = reseal({"birth": {path: value}})
    request = custodian_request(sealed, small.KEYS["agency seal"].public)
    with pytest.raises(BodyError):
        small.ask_custodian(state, request)


def compose(state, sealed):
    request = custodian_request(sealed, small.KEYS["agency seal"].public)
    reply, held = small.ask_custodian(state, parse_request(print_request(request)))
    reply = parse_reply(print_reply(reply))
    return compose_act(sealed, reply, small.drawer("blinds")), held


def test_a_rule_that_refuses_the_opened_body_gets_no_signature():
    state, sealed = reseal({"birth": {"sex": "male"}, "identity": {"sex": "male"}})
    entry, held = compose(state, sealed)
    with pytest.raises(OfficeRuleError):
        checked(entry, held)


def test_a_child_that_differs_from_its_birth_gets_no_signature():
    state, sealed = reseal({"identity": {"name.given": "Lan"}})
    entry, held = compose(state, sealed)
    with pytest.raises(CustodianRefusedError):
        checked(entry, held)


def test_other_wraps_another_custodian_or_missing_bodies_get_no_signature():
    entry, held, _sealed = BIRTH
    with pytest.raises(CustodianRefusedError):
        checked(entry, (replace(held[0], wraps=held[1].wraps), held[1]))
    with pytest.raises(CustodianRefusedError):
        checked(entry, held, custodian_key=small.key_id("stranger"))
    with pytest.raises(BodyError):
        checked(entry, (None, held[1]))
    with pytest.raises(CustodianRefusedError):
        checked(entry, held[:1])


def test_a_pass_that_cannot_be_run_again_is_refused_and_stands_as_warn():
    entry, held, _sealed = BIRTH
    attested = {rule.rule: rule.warned for rule in entry.context.rules}
    assert attested["duplicate_search"]
    rules = tuple(replace(rule, warned=False) for rule in entry.context.rules)
    bold = replace(entry, context=replace(entry.context, rules=rules))
    with pytest.raises(CustodianRefusedError) as caught:
        checked(bold, held)
    assert caught.value.details["rule"] == "duplicate_search"
    assert checked(bold, held, births=())
    fewer = replace(entry, context=replace(entry.context, rules=rules[1:]))
    with pytest.raises(CustodianRefusedError):
        checked(fewer, held)


def test_a_tag_of_another_field_is_refused():
    entry, held, _sealed = BIRTH
    first, child = entry.records
    (claim,) = child.claims
    stolen = replace(claim, proof=replace(claim.proof, commitment_leaf=thirty_two(0)))
    records = (first, replace(child, claims=(stolen,)))
    with pytest.raises(CustodianRefusedError):
        checked(replace(entry, records=records), held)


def test_a_tag_of_an_absent_field_is_not_made():
    state, sealed = reseal({})
    records = list(sealed.prepared.records)
    records[0] = replace(records[0], tags=(TagWish("person.number", unique=True),))
    prepared = replace(sealed.prepared, records=tuple(records))
    request = custodian_request(
        replace(sealed, prepared=prepared), small.KEYS["agency seal"].public
    )
    with pytest.raises(BodyError):
        small.ask_custodian(state, request)


def test_a_reply_that_changes_anything_else_is_refused():
    state, sealed = reseal({})
    request = custodian_request(sealed, small.KEYS["agency seal"].public)
    reply, _held = small.ask_custodian(state, request)
    first, child = reply.records
    for wrong in (
        (first,),
        (replace(first, member={**first.member, "place_unit": "00073"}), child),
        (replace(first, seal=replace(first.seal, commitment=thirty_two(0))), child),
        (replace(first, seal=None), child),
        (replace(first, matches=()), child),
        (first, replace(child, claims=())),
    ):
        with pytest.raises(BodyError):
            compose_act(sealed, replace(reply, records=wrong), small.drawer())
    with pytest.raises(BodyError):
        compose_act(sealed, None, small.drawer())


@given(st.integers(0, 100_000), st.integers(0, 255))
def test_a_mutated_request_is_answered_or_refused_never_a_crash(position, byte):
    """Invariant: whatever arrives, only errors of civreg come out."""
    raw = bytearray(REQUEST)
    raw[position % len(raw)] = byte
    try:
        small.ask_custodian(STATE, parse_request(bytes(raw)))
    except CivregError:
        return


STATE, _SEALED = reseal({})
REQUEST = print_request(custodian_request(_SEALED, small.KEYS["agency seal"].public))


# --- edits ----------------------------------------------------------------------------------------


def corrected(change, operation="correct", **act):
    """Draft an edit of a registered birth; return what check_draft says of it."""
    state, base = small.world(), birth_act().records[0]
    before = dict(base.sealed)
    child = named("child")
    state.write(
        record_key(child),
        small.record_row(
            "identity",
            member={"birth_date": "2026-03-01"},
            engine={"representatives": ((small.MOTHER, "parent", "2026-03-02", None),)},
        ),
    )
    row = small.record_row(
        "birth", status="registered", member=dict(base.member), links={**base.links, "child": child}
    )
    target = Target(named("birth"), row)
    state.write(record_key(target.record_id), row)
    made = birth_act()
    content = replace(base, sealed={**base.sealed, **change})
    made = replace(made, kind=f"birth/{operation}", records=(content,), reason="error", **act)
    signers = plan_signers(scene(state, made, target), replace(small.HANDS, informant=None))
    entry, held, _sealed = small.make_entry(state, made, signers, target)
    return entry, held, {target.record_id: before}


def test_a_correction_moves_the_version_and_the_mother_signs_for_the_child():
    entry, held, previous = corrected({"name.given": "Hường"})
    (part,) = entry.records
    assert (part.record_version, part.previous_entry) == (2, thirty_two(7))
    (voice,) = [signer for signer in entry.head.signers if signer.term == "representative"]
    assert voice == KeySigner("representative", named("child"), small.key_id("mother sign"))
    assert checked(entry, held, previous=previous)


def test_a_supplement_may_fill_and_not_overwrite_what_is_sealed():
    """Acceptance case 11 for sealed fields, which no validator can see."""
    entry, held, previous = corrected({"birth_time": "08:30"}, "supplement")
    assert checked(entry, held, previous=previous)
    entry, held, previous = corrected({"home_town": "Huế"}, "supplement")
    with pytest.raises(CustodianRefusedError):
        checked(entry, held, previous=previous)


def test_the_words_say_what_was_before():
    entry, _held, previous = corrected({"name.given": "Hường"})
    target = entry.records[0].record_id
    reading = reading_of({target: {**previous[target], "name.given": "Hường"}}, previous)
    text = explain_entry(entry, reading).text("en")
    assert "Hường (before: Hương)" in text


# --- words ----------------------------------------------------------------------------------------


def reading_of(opened, before=None):
    return Reading(
        find_type=small.find_type,
        find_table=small.TABLES,
        name_of={small.OFFICE: "UBND phường Hoàn Kiếm"}.get,
        opened=opened,
        before=before or {},
    )


def test_the_words_show_every_field_that_was_filled_in_both_languages_and_no_empty_one():
    entry, held, _sealed = BIRTH
    opened = {record.part.record_id: record.values for record in checked(entry, held)}
    explanation = explain_entry(entry, reading_of(opened))
    assert not explanation.unseen
    for language in ("vi", "en"):
        text = explanation.text(language)
        for value in ("Nguyễn", "Hương", "Hà Nội", "Bệnh viện", "001326000123", "Trần Thị Phượng"):
            assert value in text
        for record in entry.records:
            spec = small.TYPES[record.type_name]
            for field in (*spec.member_fields.values(), *spec.fields.values()):
                filled = opened[record.record_id].get(field.name) is not None
                if (field.name in record.member or filled) and field.kind != "group":
                    assert field.title[0 if language == "vi" else 1] in text
        for signer in entry.head.signers:
            assert (
                print_id(signer.officers[0] if isinstance(signer, CustodySigner) else signer.key_id)
                in text
            )
    assert "—" not in explanation.text("vi")
    assert "Phường Hoàn Kiếm (00070)" in explanation.text("en")
    assert "UBND phường Hoàn Kiếm" in explanation.text("vi")
    assert "unverified" in explanation.text("en")


def test_who_cannot_open_is_told_to_sign_unseen():
    entry, held, _sealed = BIRTH
    opened = {record.part.record_id: record.values for record in checked(entry, held)}
    opened.pop(entry.records[1].record_id)
    explanation = explain_entry(entry, reading_of(opened))
    assert explanation.unseen
    assert "you sign unseen" in explanation.text("en").splitlines()[0]
    unseen = [line for line in explanation.lines if line.value == UNSEEN]
    assert len(unseen) == len(small.TYPES["identity"].sealed_paths)
    assert not any("Hương" in line.value[0] for line in explain_entry(entry, reading_of({})).lines)


# --- drafts and land ------------------------------------------------------------------------------


def test_a_draft_opens_for_a_signer_with_a_seal_key():
    entry, _held, sealed = BIRTH
    part = entry.records[0]
    readers = {part.record_id: [Reader(small.KEYS["mother seal"].public, "representative")]}
    draft = drafts.parse_draft(drafts.print_draft(draft_of(sealed, entry, readers)))
    body = draft.bodies[0]
    assert body is not None
    data_key = open_wraps(
        parse_wraps(body.wraps), small_place(part), small.KEYS["mother seal"], part.seal.key_check
    )
    assert (
        open_body(
            small_place(part),
            tuple(small.TYPES["birth"].sealed_paths),
            body.body,
            part.seal,
            data_key,
        ).values["sex"]
        == "female"
    )


def land_act(operation="first_register", owner=small.MOTHER, **member):
    content = RecordContent(
        member={
            "parcel": {"unit": "00070", "map_sheet_no": "1", "parcel_no": "2"}, "area": 855,
            "land_use": ("ODT",), "geometry_digest": thirty_two(0), "certificate_serial": "A 1",
            "form_of_use": "private", "obligation_open": False,
        } | member,
        sealed={"address": "Phố Hàng Lụa", "origin_of_use": "x", "obligation": "none"},
        holders=(Holder((owner,), 1, 1),),
    )  # fmt: skip
    act = birth_act()
    return replace(act, kind=f"land_title/{operation}", records=(content,), event_date=small.DAY)


LAND_HANDS = Hands(officers=small.OFFICERS, custodian=small.key_id("custodian"))


def test_the_words_stand_in_the_order_of_the_form():
    state, act = small.world(), land_act()
    entry, _held, _sealed = small.make_entry(
        state, replace(act, kind="land_title/import_legacy"),
        plan_signers(scene(state, act), LAND_HANDS),
    )  # fmt: skip
    told = [line.label[1] for line in explain_entry(entry, reading_of({})).lines]
    fields = small.TYPES["land_title"].fields.values()
    open_titles = [spec.title[1] for spec in fields if spec.name in entry.records[0].member]
    assert len(open_titles) == 7
    assert [label for label in told if label in open_titles] == open_titles
    assert open_titles[0] == "Parcel", "the encoding begins with the area"


def test_a_first_title_claims_its_parcel_and_a_sale_claims_nothing_anew():
    state, act = small.world(), land_act()
    entry, _held, _sealed = small.make_entry(
        state, replace(act, kind="land_title/import_legacy"),
        plan_signers(scene(state, act), LAND_HANDS),
    )  # fmt: skip
    claims = {claim.namespace: claim.value for claim in entry.records[0].claims}
    assert claims == {"land.parcel": "00070/1/2", "land.serial": "A1"}
    row = small.record_row(
        "land_title", status="registered", holders=act.records[0].holders,
        claims=tuple((name, 0, value) for name, value in claims.items()),
    )  # fmt: skip
    target = Target(entry.records[0].record_id, row)
    sale = land_act("transfer", small.FATHER, certificate_serial="A 2")
    signers = plan_signers(scene(state, sale, target), LAND_HANDS)
    signed = {(one.term, one.key_id) for one in signers if isinstance(one, KeySigner)}
    assert {pair for pair in signed if "owners" in pair[0]} == {
        ("owners", small.key_id("mother sign")), ("new_owners", small.key_id("father sign")),
    }  # fmt: skip
    sold, _held, _sealed = small.make_entry(state, sale, signers, target)
    assert [claim.value for claim in sold.records[0].claims] == ["A2"]
    assert sold.records[0].record_version == 2


def test_a_person_without_a_key_signs_by_form():
    state, act = small.world(), land_act(owner=small.MOTHER)
    form = CustodyForm((small.key_id("approve"), small.key_id("stranger")), thirty_two(0))
    hands = replace(LAND_HANDS, persons={small.MOTHER: form})
    (signer,) = [one for one in plan_signers(scene(state, act), hands) if one.term == "new_owners"]
    assert isinstance(signer, CustodySigner)
    assert signer.acting_for is None


def test_a_mortgagee_must_consent_to_a_sale():
    state, act = small.world(), land_act("transfer", small.FATHER)
    lender = named("bank")
    state.write(
        record_key(lender), small.record_row("identity", member={"birth_date": "1980-01-01"})
    )
    row = small.record_row(
        "land_title", holders=land_act().records[0].holders,
        encumbrances=(Encumbrance(1, "mortgage", lender, (1, 0, small.DAY), "live"),),
    )  # fmt: skip
    target = Target(sixteen(0), row)
    with pytest.raises(SignerMissingError) as caught:
        plan_signers(scene(state, act, target), LAND_HANDS)
    assert caught.value.details["term"] == "lenders"
    hands = replace(LAND_HANDS, persons={lender: small.key_id("stranger")})
    assert "lenders" in [one.term for one in plan_signers(scene(state, act, target), hands)]


DECLARES = {"officer(declare)": small.key_id("register")}


@pytest.mark.parametrize(
    ("kind", "officers", "terms"),
    [
        ("certify", DECLARES, ["officer(declare)", "owners"]),
        ("certify", DECLARES | small.OFFICERS, ["officer(declare)", "second_officer(approve)"]),
        ("grant", {}, ["owners"]),
        ("withdraw_grant", {}, ["owners"]),
    ],
)
def test_who_stands_for_a_title_over_a_parcel_is_its_owner_or_two_officers(kind, officers, terms):
    """The policy of side acts names a subject too; a parcel is nobody."""
    row = small.record_row("land_title", holders=land_act().records[0].holders)
    act = replace(land_act(), kind=f"land_title/{kind}", records=())
    here = frozenset({small.key_id("mother sign")} if len(officers) < 2 else officers.values())
    hands = Hands(officers=officers, at_hand=here)
    signers = plan_signers(scene(small.world(), act, Target(sixteen(0), row)), hands)
    assert sorted(signer.term for signer in signers) == terms


def test_who_certifies_a_title_alone_is_told_whose_signature_is_missing():
    row = small.record_row("land_title", holders=())
    act = replace(land_act(), kind="land_title/certify", records=())
    with pytest.raises(SignerMissingError) as caught:
        plan_signers(scene(small.world(), act, Target(sixteen(0), row)), Hands(officers=DECLARES))
    assert caught.value.details["term"] == "owners"


def test_a_weighty_sealed_field_is_compared_where_the_version_before_is_at_hand():
    """Sex is sealed, so only the custodian would see it; the office asks for the signer before."""
    state = small.world()
    content = RecordContent(
        member={"birth_date": "1990-05-05"}, sealed={"sex": "male", "residence": "Hà Nội"}
    )
    act = replace(birth_act(), kind="identity/correct", records=(content,))
    row = small.record_row("identity", member=content.member)
    asked = scene(state, act, Target(small.MOTHER, row))
    for before, weighs in (({"sex": "female"}, True), (content.sealed, False), (None, False)):
        seen = replace(asked, sealed_before=before)
        if weighs:
            with pytest.raises(SignerMissingError) as caught:
                plan_signers(seen, small.HANDS)
            assert caught.value.details["term"] == "upper_office(correct_senior)"
        else:
            assert "subject" in [one.term for one in plan_signers(seen, small.HANDS)]
