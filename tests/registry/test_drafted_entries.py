"""What drafting makes, the state machine accepts: the whole way, for each kind of operation."""

from dataclasses import replace

import pytest

from keys.signing import Algorithm
from ledger.entries import parse_entry
from ledger.parts import Evidence, Holder, ObjectPart
from ledger.receipts import build_receipt, check_receipt
from registry.acts import Act, RecordContent
from registry.authority_errors import CustodyFormError, SignerWrongError
from registry.certificates import parse_certificate, print_certificate
from registry.certification import certified_fields, stated_values
from registry.civil_calendar import add_days
from registry.code_tables import record_type
from registry.content_errors import LateWithoutReasonError, TakenError
from registry.custodian import check_draft
from registry.drafting import Target, compose_act, custodian_request, prepare_act, seal_act
from registry.errors import StaleVersionError
from registry.form_kinds import find_form
from registry.geometry import geometry_digest
from registry.readers import readers_of
from registry.record_checks import companion_id
from registry.rows import RecordRow
from registry.sealed import OpenedBody, show_openings
from registry.signer_plan import CustodyForm, Hands, Scene, plan_signers
from registry.state_key_names import record_key
from tests.agreement.documents import NOW_MS, genesis_bundle, only_objects, p256_network
from tests.networks import ChainBuilder
from tests.registry import small_world as small
from tests.registry.plain_bytes import named, thirty_two
from tests.registry.test_drafting import birth_act

SCANS = Evidence(sufficient=True, official=False, digests=(thirty_two(0),))
GEOMETRY = '{"type":"Point","coordinates":[105.85,21.03]}'
HANDS = Hands(officers=small.OFFICERS, custodian=small.key_id("custodian"))

BODIES: dict[bytes, OpenedBody] = {}
"""Commitment -> body that a test has sealed, as whoever can read it has it."""


@pytest.fixture
def state():
    return small.full_world()


def row_of(state, record_id):
    return state.read(record_key(record_id), RecordRow)


def types_of(state):
    return lambda type_name: record_type(state, type_name, 2)


def seal(state, act, hands, target=None, name="act"):
    """Plan the signers of an act and seal it, as an honest office does."""
    form_kind = find_form(act.kind, types_of(state))
    scene = Scene(
        state=state,
        day=small.DAY,
        record_type=form_kind.record_type,
        record_id=None if target is None else target.record_id,
        row=None if target is None else target.row,
        act=act,
        operation=form_kind.operation,
    )
    signers = plan_signers(scene, hands)
    prepared = prepare_act(form_kind, act, small.desk(name), signers, target)
    return seal_act(prepared, small.drawer(name))


def draft(state, act, hands, target=None, name="act"):
    """Draft, ask the custodian, check as the custodian: the unsigned entry."""
    sealed = seal(state, act, hands, target, name)
    BODIES.update((one.commitment, one.opened) for one in sealed.sealed if one is not None)
    if not sealed.needs_custodian:
        return compose_act(sealed, None, small.drawer(name + " blinds"))
    request = custodian_request(sealed, small.KEYS["agency seal"].public)
    reply, held = small.ask_custodian(state, request)
    entry = compose_act(sealed, reply, small.drawer(name + " blinds"))
    previous = {}
    if target is not None and target.row.seal is not None:
        previous[target.record_id] = BODIES[target.row.seal.commitment].values
    check_draft(entry, held, types_of(state), replace(small.KNOWLEDGE, previous=previous))
    return entry


def register_birth(state, act_name="birth", **changes):
    entry = draft(state, birth_act(**changes), small.HANDS, name=act_name)
    return entry, small.submit(state, entry)


def test_a_birth_is_registered_with_the_childs_identity(state):
    entry, outcome = register_birth(state)
    assert outcome.registration_number is not None
    birth, child = (row_of(state, part.record_id) for part in entry.records)
    assert birth.status == "registered"
    assert birth.links["child"] == entry.records[1].record_id
    assert [claim[0] for claim in child.claims] == ["person.number"]
    assert {who for who, *_ in child.engine["representatives"]} == {small.MOTHER, small.FATHER}


def test_the_same_number_is_refused_for_a_second_child(state):
    """Acceptance case 25, first half."""
    register_birth(state)
    with pytest.raises(TakenError):
        register_birth(state, "again", mother="", name={"family": "Lê", "given": "An"})


def test_a_late_birth_needs_its_reason(state):
    late = {"event_date": "2025-12-20", "personal_number": "001325000123"}
    with pytest.raises(LateWithoutReasonError):
        register_birth(state, "late", **late)
    _entry, outcome = register_birth(state, "late", **late, late_code="distance")
    assert "late" in outcome.flags


def land(owner, kind="land_title/first_register", serial="A 1", **changes):
    content = RecordContent(
        member={
            "parcel": {"unit": "00070", "map_sheet_no": "1", "parcel_no": "2"}, "area": 855,
            "land_use": ("ODT",), "geometry_digest": geometry_digest(GEOMETRY),
            "certificate_serial": serial, "form_of_use": "private", "obligation_open": False,
        },
        sealed={"geometry": GEOMETRY, "address": "Phố Hàng Lụa", "origin_of_use": "x",
                "obligation": "none"},
        holders=(Holder((owner,), 1, 1),),
    )  # fmt: skip
    act = Act(kind=kind, event_date=small.DAY, records=(content,), evidence=SCANS)
    return replace(act, **changes)


def current(state, record_id):
    return Target(record_id, row_of(state, record_id))


def test_a_title_is_registered_mortgaged_released_and_sold(state):
    """Acceptance case 55, as far as one office goes."""
    entry = draft(state, land(small.MOTHER), HANDS)
    title = entry.records[0].record_id
    small.submit(state, entry)

    lender = ObjectPart("encumbrance", {"holder": small.FATHER})
    mortgage = land(small.MOTHER, "land_title/mortgage", objects=(lender,))
    small.submit(state, draft(state, mortgage, HANDS, current(state, title), "mortgage"))
    assert row_of(state, title).encumbrances[0].status == "live"

    release = ObjectPart("release", {"number": 1, "holder": small.FATHER})
    released = land(small.MOTHER, "land_title/release", objects=(release,))
    small.submit(state, draft(state, released, HANDS, current(state, title), "release"))

    sale = land(small.FATHER, "land_title/transfer", "A 2")
    first = draft(state, sale, HANDS, current(state, title), "sale")
    second = draft(state, sale, HANDS, current(state, title), "second sale")
    small.submit(state, first)
    row = row_of(state, title)
    assert row.holders[0].parties == (small.FATHER,)
    assert (row.version, {claim[2] for claim in row.claims}) == (4, {"00070/1/2", "A2"})
    with pytest.raises(StaleVersionError) as caught:
        small.submit(state, second)
    assert caught.value.details["current"] == 4


def contact(phone):
    content = RecordContent(sealed={"phone": phone, "language": "vi"})
    return Act(kind="identity/update_contact", event_date=small.DAY, records=(content,))


def test_an_owner_updates_the_own_contact_alone_and_nobody_else_can(state):
    """Acceptance case 42."""
    alone = Hands(custodian=small.key_id("custodian"))
    before = current(state, small.MOTHER)
    small.submit(state, draft(state, contact("0901"), alone, before))
    companion = companion_id(small.MOTHER)
    again = Target(small.MOTHER, before.row, row_of(state, companion))
    small.submit(state, draft(state, contact("0902"), alone, again, "again"))
    assert row_of(state, companion).version == 2
    assert row_of(state, small.MOTHER) == before.row
    other = Hands(
        persons={small.MOTHER: small.key_id("father sign")}, custodian=small.key_id("custodian")
    )
    third = Target(small.MOTHER, before.row, row_of(state, companion))
    with pytest.raises(SignerWrongError):
        small.submit(state, draft(state, contact("0903"), other, third, "third"))


def test_a_new_adult_enrols_keys_and_then_reads_the_own_body(state):
    """Acceptance case 39."""
    sealed = {"name.family": "Lê", "name.given": "An", "sex": "male", "nationality": "VN",
              "residence": "Hà Nội", "personal_number": "001090000123"}  # fmt: skip
    content = RecordContent(member={"birth_date": "1990-02-02"}, sealed=sealed)
    made = Act(kind="identity/create", event_date=small.DAY, records=(content,), evidence=SCANS)
    entry = draft(state, made, HANDS)
    small.submit(state, entry)
    person = entry.records[0].record_id

    small.KEYS["new sign"] = small.software_key("new sign")
    small.KEYS["new seal"] = small.software_key("new seal", Algorithm.MLKEM768_X25519)
    objects = tuple(
        ObjectPart(
            "key",
            {
                "algorithm": int(key.algorithm),
                "public": key.public,
                "purpose": purpose,
            },
        )
        for purpose, key in (
            ("sign", small.KEYS["new sign"].public),
            ("seal", small.KEYS["new seal"].public),
        )
    )
    officers = small.OFFICERS | {"other_agency(approve)": small.key_id("other agency")}
    hands = replace(HANDS, officers=officers, new_keys=(small.key_id("new sign"),))
    enrol = replace(made, kind="identity/enrol_key", objects=objects)
    small.submit(state, draft(state, enrol, hands, current(state, person), "enrol"))
    part = entry.records[0]
    readers = readers_of(state, small.TYPES["identity"], part, small.OFFICE, small.DAY)
    assert {reader.purpose for reader in readers} == {"agency", "owner"}
    assert small.KEYS["new seal"].public in [reader.key for reader in readers]


def certify(state, birth, at_hand=frozenset()):
    """Make the certificate of a birth with all printed member fields; the unsigned entry."""
    row, birth_type = row_of(state, birth), small.TYPES["birth"]
    fields = {
        **certified_fields(birth_type, row),
        "certificate_id": named("certificate"),
        "form": "copy",
        "language": "vi",
        "office": small.OFFICE,
        "expires_on": add_days(small.DAY, 30),
    }
    stated = [
        ObjectPart("stated", {"name": name, "value": value})
        for name, value in stated_values(birth_type, row).items()
    ]
    act = Act(
        kind="birth/certify",
        event_date=small.DAY,
        records=(),
        reason="asked_for_in_writing",
        objects=(ObjectPart("certificate", fields), *stated),
    )
    officers = {"officer(declare)": small.key_id("register"), **small.OFFICERS}
    hands = Hands(officers=officers, at_hand=at_hand)
    return draft(state, act, hands, current(state, birth), "certify")


def test_officers_who_can_sign_without_the_owner_do_so_when_the_owners_key_is_elsewhere(state):
    birth = register_birth(state)[0].records[0].record_id
    officers = frozenset({small.key_id("register"), *small.OFFICERS.values()})
    terms = {
        name: [signer.term for signer in certify(state, birth, keys).head.signers]
        for name, keys in {
            "nothing known": frozenset(),
            "officers here": officers,
            "all here": officers | {small.key_id("mother sign")},
        }.items()
    }
    assert "second_officer(approve)" in terms["officers here"]
    assert "representative" in terms["all here"]
    assert terms["nothing known"] == terms["all here"], "the first that can be fulfilled"


def test_case_22_a_registered_birth_is_certified_and_the_certificate_is_genuine(state):
    """Both parents open both bodies: `test_drafting`, the same case before the chain."""
    entry, outcome = register_birth(state)
    birth = entry.records[0]
    side = certify(state, birth.record_id)
    assert side.records == ()
    small.submit(state, side, height=3)
    network = p256_network()
    chain = ChainBuilder(network)
    block, quorum_certificate = chain.next_block([parse_entry(small.sign(side).raw)])
    outcomes = [one.to_bytes() for one in chain.outcomes[0]]
    receipt = only_objects(build_receipt(block, outcomes, 0, quorum_certificate))
    check_receipt(receipt, genesis_bundle(network), NOW_MS)
    opened = BODIES[birth.seal.commitment]
    raw = print_certificate(receipt, show_openings(opened, {"name.given", "sex"}))
    assert parse_certificate(raw).shown_fields() == {
        "registration_no": outcome.registration_number,
        "registered_on": small.DAY,
        "event_date": birth.member["event_date"],
        "place_unit": birth.member["place_unit"],
        "name.given": "Hương",
        "sex": "female",
    }
    assert birth.record_id not in raw


def test_a_new_owner_without_a_key_is_attested_by_two_offices(state):
    """Acceptance case 44, second half."""
    entry = draft(state, land(small.MOTHER), HANDS)
    title = entry.records[0].record_id
    small.submit(state, entry)
    keyless = named("keyless")
    row = small.record_row("identity", member={"birth_date": "1970-01-01"})
    state.write(record_key(keyless), row)
    gift = land(keyless, "land_title/transfer", "A 2")
    for second, refused in (("approve", True), ("other office", False)):
        form = CustodyForm((small.key_id("register"), small.key_id(second)), thirty_two(4))
        sold = draft(
            state, gift, replace(HANDS, persons={keyless: form}), current(state, title), second
        )
        if refused:
            with pytest.raises(CustodyFormError):
                small.submit(state, sold)
        else:
            small.submit(state, sold)
    assert row_of(state, title).holders[0].parties == (keyless,)


def test_a_childs_land_is_signed_for_by_a_parent(state):
    child = register_birth(state)[0].records[1].record_id
    entry = draft(state, land(child), HANDS, name="land")
    (voice,) = [signer for signer in entry.head.signers if signer.term == "new_owners"]
    assert (voice.acting_for, voice.key_id) == (child, small.key_id("mother sign"))
    small.submit(state, entry)
    readers = readers_of(
        state, small.TYPES["land_title"], entry.records[0], small.OFFICE, small.DAY
    )
    assert sorted(reader.purpose for reader in readers) == [
        "agency", "representative", "representative",
    ]  # fmt: skip
