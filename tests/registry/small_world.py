"""A network small enough for a test of drafting: one agency, one office, two officers, two adults.

Rows are written into an empty state by hand; no genesis and no blocks are needed for what happens
before an entry is submitted.
"""

import hashlib
from itertools import count

from keys.signing import Algorithm, SoftwareKey
from registry import catalogue
from registry.authority_rows import AgencyRow, KeyRow, OfficeRow
from registry.code_names import find_in
from registry.custodian import HeldBody, Knowledge, check_draft
from registry.custodian_answers import MadeTag, answer_request, open_request, tag_tasks
from registry.drafting import (
    Desk,
    compose_act,
    custodian_request,
    prepare_act,
    seal_act,
)
from registry.errors import UnknownKindError
from registry.form_kinds import find_form
from registry.readers import readers_of
from registry.rows import NamespaceRow, RecordRow
from registry.schema_reader import read_record_type
from registry.signer_plan import CustodyForm, Hands
from registry.state import State
from registry.state_key_names import agency_key, key_key, namespace_key, office_key, record_key
from registry.tags import TagStatement, inner_tag, outer_tag, prove_tag

DAY = "2026-03-20"
NOT_AFTER_MS = 1_780_000_000_000
NETWORK = bytes(range(32))
AGENCY, OFFICE = b"agency".ljust(16, b"\x00"), b"office".ljust(16, b"\x00")
MOTHER, FATHER = b"mother".ljust(16, b"\x00"), b"father".ljust(16, b"\x00")
TABLES = find_in({name: catalogue.table_text(name).decode() for name in catalogue.table_names()})
TYPES = {name: read_record_type(catalogue.type_text(name)) for name in catalogue.TYPES}
TAG_KEYS = (bytes([1]) * 32, bytes([2]) * 32)


def software_key(name, algorithm=Algorithm.P256):
    return SoftwareKey.from_private_bytes(algorithm, hashlib.sha256(name.encode()).digest())


KEYS = {
    name: software_key(name)
    for name in (
        "register", "approve", "custodian", "tag", "mother sign", "mother seal", "father sign",
        "father seal", "stranger",
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
        "type_name": type_name, "schema_version": 1, "version": 1, "last_entry": bytes([7]) * 32,
        "first_entry": bytes([7]) * 32, "status": "active", "flags": (), "office": OFFICE,
        "member": {}, "holders": (), "links": {}, "seal": None, "engine": {}, "claims": (),
        "encumbrances": (), "registration_number": None, "created": (1, 0, "2026-01-02"),
        "registered": None, "officers": (),
    }  # fmt: skip
    return RecordRow(**(fields | changes))


def world():
    state = State(lambda _key: None)
    keys = {"custodian": key_id("custodian"), "seal": key_id("agency seal"), "tag": key_id("tag")}
    state.write(
        agency_key(AGENCY),
        AgencyRow("Justice", "justice", 1, 1, (), keys, "", 0, "2026-01-01", None),
    )
    state.write(
        office_key(OFFICE),
        OfficeRow(AGENCY, "Hoàn Kiếm", "00070", DAY, "commune", None, "2026-01-01", None, (), 0),
    )
    for name, purpose in (("custodian", "custodian"), ("agency seal", "seal"), ("tag", "tag")):
        state.write(key_key(key_id(name)), key_row(name, purpose, "agency", AGENCY))
    for namespace in ("person.number", "birth.name"):
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


OFFICERS = {
    "officer(register)": key_id("register"),
    "second_officer(approve)": key_id("approve"),
}
FORM = CustodyForm((key_id("register"), key_id("approve")), bytes([3]) * 32)
HANDS = Hands(officers=OFFICERS, informant=FORM, custodian=key_id("custodian"))


def desk(name="act"):
    act_id = hashlib.sha256(name.encode()).digest()[:16]
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

__all__ = ["HeldBody", "check_draft"]
