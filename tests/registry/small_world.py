"""A network small enough for a test of drafting: two agencies, four offices, five officers.

Rows are written into an empty state by hand: no genesis, no blocks, no node.
"""

import hashlib
from dataclasses import replace
from itertools import count

from keys.signing import Algorithm, SoftwareKey
from ledger.entries import parse_entry
from ledger.ids import ActId
from ledger.parts import CustodySigner
from registry import catalogue
from registry.apply import apply, resolve_signatures, verify_entry
from registry.authority_rows import (
    AgencyRow,
    CompetenceRow,
    KeyRow,
    MandateRow,
    OfficeRow,
    OfficerRole,
    OfficerRow,
)
from registry.code_names import find_in
from registry.code_tables import text_pieces
from registry.custodian import Knowledge
from registry.custodian_answers import MadeTag, answer_request, open_request, tag_tasks
from registry.drafting import Desk, compose_act, custodian_request, prepare_act, seal_act
from registry.errors import UnknownKindError
from registry.form_kinds import find_form
from registry.readers import readers_of
from registry.rows import NamespaceRow, PackRow, RecordRow, TableRow, TextRow, TypeRow
from registry.rule_pack import PACK_DIGEST, PACK_NAME
from registry.running import BlockContext
from registry.schema_reader import read_record_type, text_digest
from registry.signer_plan import CustodyForm, Hands
from registry.state import State
from registry.state_key_names import (
    agency_key,
    competence_key,
    key_key,
    mandate_key,
    namespace_key,
    office_key,
    officer_key,
    pack_key,
    record_key,
    table_key,
    text_key,
    type_key,
)
from registry.tags import TagStatement, inner_tag, outer_tag, prove_tag
from tests.registry.plain_bytes import named, thirty_two

DAY = "2026-03-20"
TIME_MS = 1_773_979_200_000
"""2026-03-20T04:00:00Z."""
NOT_AFTER_MS = TIME_MS + 86_400_000
NETWORK = thirty_two(5)
AGENCY, POLICE = named("agency"), named("police")
OFFICE, UPPER = named("office"), named("upper")
OTHER, POST = named("other"), named("post")
MOTHER, FATHER = named("mother"), named("father")
TABLES = find_in({name: catalogue.table_text(name).decode() for name in catalogue.table_names()})
TYPES = {name: read_record_type(catalogue.type_text(name)) for name in catalogue.TYPES}
TAG_KEYS = (thirty_two(1), thirty_two(2))


def software_key(name, algorithm=Algorithm.P256):
    return SoftwareKey.from_private_bytes(algorithm, hashlib.sha256(name.encode()).digest())


KEYS = {
    name: software_key(name)
    for name in (
        "register", "approve", "custodian", "tag", "mother sign", "mother seal", "father sign",
        "father seal", "stranger", "upper", "other office", "other agency",
    )
}  # fmt: skip
KEYS["agency seal"] = software_key("agency seal", Algorithm.MLKEM768_X25519)


def key_id(name):
    return KEYS[name].public.key_id


def find_type(name):
    if name not in TYPES:
        raise UnknownKindError("unknown", kind=name)
    return TYPES[name]


def drawer(seed="seed"):
    """Return a `draw` whose bytes follow from the seed."""
    numbers = count()
    return lambda size: hashlib.shake_256(f"{seed} {next(numbers)}".encode()).digest(size)


def key_row(name, purpose, kind, holder):
    public = KEYS[name].public
    return KeyRow(
        algorithm=int(public.algorithm),
        public=public.public,
        purpose=purpose,
        holder_kind=kind,
        holder=holder,
        office=None,
        from_date="2026-01-01",
        to_date=None,
        settled_from=None,
        compromised_since_ms=None,
    )


def record_row(type_name, **changes):
    fields = {
        "type_name": type_name, "schema_version": 1, "version": 1, "last_entry": thirty_two(7),
        "first_entry": thirty_two(7), "status": "active", "flags": (), "office": OFFICE,
        "member": {}, "holders": (), "links": {}, "seal": None, "engine": {}, "claims": (),
        "encumbrances": (), "registration_number": None, "created": (1, 0, "2026-01-02"),
        "registered": None, "officers": (),
    }  # fmt: skip
    return RecordRow(**(fields | changes))


SERVICES = {"custodian": key_id("custodian"), "seal": key_id("agency seal"), "tag": key_id("tag")}


def agency_row(name, keys, mandates):
    return AgencyRow(name, "justice", 1, 1, (), keys, "", mandates, "2026-01-01", None)


def office_row(agency, parent, competences):
    return OfficeRow(
        agency, "Hoàn Kiếm", "00070", DAY, "commune", parent, "2026-01-01", None, (), competences
    )


def world():
    """Return a world with what drafting reads, and no more."""
    state = State(lambda _key: None)
    state.write(agency_key(AGENCY), agency_row("Justice", SERVICES, 0))
    state.write(office_key(OFFICE), office_row(AGENCY, None, 0))
    for name, purpose in (("custodian", "custodian"), ("agency seal", "seal"), ("tag", "tag")):
        state.write(key_key(key_id(name)), key_row(name, purpose, "agency", AGENCY))
    for namespace in ("person.number", "birth.name", "identity.name"):
        state.write(namespace_key(namespace), NamespaceRow(AGENCY, AGENCY, 1))
    for person, identity in (("mother", MOTHER), ("father", FATHER)):
        own = []
        for purpose in ("sign", "seal"):
            name = f"{person} {purpose}"
            own.append((purpose, key_id(name)))
            state.write(key_key(key_id(name)), key_row(name, purpose, "identity", identity))
        row = record_row(
            "identity", member={"birth_date": "1990-05-05"}, engine={"keys": tuple(own)}
        )
        state.write(record_key(identity), row)
    return state


def write_texts(state):
    """Write types, tables and the rule pack as genesis does."""
    for name in catalogue.TYPES:
        text = catalogue.type_text(name)
        state.write(type_key(name), TypeRow(((1, write_text(state, text), 0),)))
    for name in catalogue.table_names():
        digest = write_text(state, catalogue.table_text(name))
        state.write(table_key(name), TableRow(((digest, 0),)))
    state.write(pack_key(PACK_DIGEST), PackRow(PACK_NAME, 0, None))


def write_text(state, text):
    pieces = text_pieces(text)
    for number, piece in enumerate(pieces):
        state.write(text_key(text_digest(text), number), TextRow(piece, len(pieces)))
    return text_digest(text)


def write_officer(state, name, role, office):
    """Make a person an officer; the key and the identity have the officer's name."""
    identity = named(name)
    row = replace(key_row(name, "sign", "officer", identity), office=office)
    state.write(key_key(key_id(name)), row)
    roles = tuple(
        OfficerRole(one, ("*",), office, key_id(name), "2026-01-01", None) for one in role
    )
    state.write(officer_key(identity), OfficerRow(roles, None))
    state.write(record_key(identity), record_row("identity", member={"birth_date": "1985-01-01"}))


def full_world():
    """Return a world in which the state machine accepts entries."""
    state = world()
    write_texts(state)
    everything = MandateRow(("*",), ("*",), ("*",), "2026-01-01", None, "law", 0)
    competence = CompetenceRow("*", ("*",), "2026-01-01", None, "law")
    for agency in (AGENCY, POLICE):
        state.write(mandate_key(agency, 0), everything)
    state.write(agency_key(POLICE), agency_row("Police", {}, 1))
    state.write(agency_key(AGENCY), agency_row("Justice", SERVICES, 1))
    for office, agency, parent in (
        (OFFICE, AGENCY, UPPER), (UPPER, AGENCY, None), (OTHER, AGENCY, None), (POST, POLICE, None)
    ):  # fmt: skip
        state.write(office_key(office), office_row(agency, parent, 1))
        state.write(competence_key(office, 0), competence)
    write_officer(state, "register", ("register", "declare"), OFFICE)
    write_officer(state, "approve", ("approve",), OFFICE)
    write_officer(state, "upper", ("approve",), UPPER)
    write_officer(state, "other office", ("approve",), OTHER)
    write_officer(state, "other agency", ("approve",), POST)
    state.seal_writes(thirty_two(0))
    return state


OFFICERS = {
    "officer(register)": key_id("register"),
    "second_officer(approve)": key_id("approve"),
}
FORM = CustodyForm((key_id("register"), key_id("approve")), thirty_two(3))
HANDS = Hands(officers=OFFICERS, informant=FORM, custodian=key_id("custodian"))


def desk(name="act"):
    act_id = ActId(hashlib.sha256(name.encode()).digest()[:16])
    return Desk(network_id=NETWORK, office=OFFICE, act_id=act_id, not_after_ms=NOT_AFTER_MS)


def make_tag(task, record_id):
    namespace = task.wish.namespace
    tag = outer_tag(TAG_KEYS[1], namespace, inner_tag(TAG_KEYS[0], namespace, task.value))
    statement = TagStatement(
        network_id=NETWORK,
        namespace=namespace,
        epoch=1,
        tag=tag,
        commitment_leaf=task.leaf,
        record_id=record_id,
        officer_key_id=key_id("register"),
        expiry_ms=NOT_AFTER_MS,
    )
    return MadeTag(1, tag, prove_tag(statement, KEYS["tag"]))


def ask_custodian(state, request, parents=()):
    """Answer a request as a node's custodian does."""
    opened = open_request(request, find_type, KEYS["agency seal"])
    tags = [
        (task, make_tag(task, request.records[task.record].part.record_id))
        for task in tag_tasks(request, opened)
    ]
    readers = [
        readers_of(state, one.record_type, one.part, OFFICE, DAY, parents=parents) for one in opened
    ]
    return answer_request(request, opened, tags, readers)


def make_entry(state, act, signers, target=None, parents=()):
    """Draft an act up to the unsigned entry; return it with what the custodian holds."""
    prepared = prepare_act(find_form(act.kind, find_type), act, desk(), signers, target)
    sealed = seal_act(prepared, drawer())
    request = custodian_request(sealed, KEYS["agency seal"].public)
    reply, held = ask_custodian(state, request, parents)
    return compose_act(sealed, reply, drawer("blinds")), held, sealed


KNOWLEDGE = Knowledge(custodian_key=key_id("custodian"))


def sign(entry):
    """Return the entry with the signatures of everyone named in its head."""
    by_id = {key.public.key_id: key for key in KEYS.values()}
    slots = []
    for signer in entry.head.signers:
        keys = signer.officers if isinstance(signer, CustodySigner) else (signer.key_id,)
        given = tuple(by_id[key].sign(entry.sign_message) for key in keys)
        slots.append(given if isinstance(signer, CustodySigner) else given[0])
    return entry.signed(slots)


def submit(state, entry, height=2):
    """Apply a signed entry in a block of its own on `DAY`."""
    signed = parse_entry(sign(entry).raw)
    block = BlockContext(height, 0, TIME_MS, NETWORK)
    return apply(state, verify_entry(signed, resolve_signatures(state, signed)), block)
