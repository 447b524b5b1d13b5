"""Drafts and custodian messages: round trips, refusals, signatures one after another."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import BadSignatureError, CivregError
from keys.signing import Algorithm, SoftwareKey
from ledger.entries import compose, parse_entry
from ledger.errors import InvalidDataError
from ledger.parts import (
    Claim,
    Context,
    CustodySigner,
    Evidence,
    Head,
    KeySigner,
    RecordPart,
    Seal,
    sort_signers,
)
from registry.authority_errors import SignerIdleError, SignerMissingError
from registry.custodian_messages import (
    CustodianReply,
    CustodianRequest,
    SubmittedBody,
    SubmittedRecord,
    TagWish,
    parse_reply,
    parse_request,
    print_reply,
    print_request,
)
from registry.drafts import (
    Draft,
    DraftBody,
    add_signature,
    custodian_is_next,
    finish_draft,
    missing_keys,
    parse_draft,
    print_draft,
)
from tests.registry.plain_bytes import sixteen, thirty_two

KEYS = [SoftwareKey.from_private_bytes(Algorithm.P256, thirty_two(n)) for n in range(1, 6)]
REGISTER, APPROVE, OWNER, CUSTODIAN, STRANGER = KEYS
FORM = thirty_two(9)
HEAD = Head(
    network_id=thirty_two(0),
    kind="birth/register",
    schema_version=1,
    act_id=sixteen(5),
    about=None,
    office=sixteen(6),
    event_date="2026-03-01",
    received_on=None,
    not_after_ms=1_800_000_000_000,
    legal_basis=("60/2014/QH13 art. 16.2",),
    signers=sort_signers(
        [
            KeySigner("officer(register)", None, REGISTER.public.key_id),
            KeySigner("second_officer(approve)", None, APPROVE.public.key_id),
            KeySigner("owners", sixteen(1), OWNER.public.key_id),
            CustodySigner(
                "informant",
                sixteen(2),
                tuple(sorted([REGISTER.public.key_id, APPROVE.public.key_id])),
                FORM,
            ),
            KeySigner("custodian", None, CUSTODIAN.public.key_id),
        ]
    ),
)
PART = RecordPart(
    type_name="birth",
    record_id=sixteen(7),
    record_version=1,
    previous_entry=None,
    member={"event_date": "2026-03-01"},
    holders=(),
    links={},
    claims=(),
    matches=(),
    seal=None,
)
CONTEXT = Context((), Evidence(sufficient=True, official=False, digests=()), None, None)
BODY = SubmittedBody(
    body=b"body", body_digest=thirty_two(0), key_check=thirty_two(0), commitment=thirty_two(0),
    wrapped_key=bytes(113),
)  # fmt: skip
REQUEST = CustodianRequest(
    HEAD,
    (
        SubmittedRecord(
            PART, BODY, (TagWish("person.number", unique=True), TagWish("birth.name", unique=False))
        ),
        SubmittedRecord(replace(PART, record_id=sixteen(0)), None, ()),
    ),
    (),
    CONTEXT,
)
REPLY = CustodianReply((replace(PART, seal=Seal(*(thirty_two(0),) * 3, FORM)),))


def draft():
    part = replace(PART, seal=Seal(thirty_two(0), thirty_two(0), thirty_two(0), thirty_two(0)))
    blinds = [sixteen(n) for n in range(3)]
    entry = compose(HEAD, [part], [], CONTEXT, blinds)
    return Draft(entry, (DraftBody(b"body", b"wraps"),), {})


def signed(made, *keys):
    for key in keys:
        made = add_signature(made, key.public, key.sign(made.entry.sign_message))
    return made


def test_three_machines_sign_one_after_another_and_the_custodian_last():
    made = draft()
    for key in (OWNER, APPROVE, REGISTER):
        assert not custodian_is_next(made)
        made = signed(parse_draft(print_draft(made)), key)
    assert custodian_is_next(made)
    assert missing_keys(made) == (CUSTODIAN.public.key_id,)
    with pytest.raises(SignerMissingError):
        finish_draft(made)
    entry = finish_draft(signed(made, CUSTODIAN))
    assert parse_entry(entry.raw).entry_digest == made.entry.entry_digest
    custody = entry.slots[[type(s) for s in HEAD.signers].index(CustodySigner)]
    assert len(custody) == 2


def test_a_strangers_or_false_signature_is_refused():
    with pytest.raises(SignerIdleError):
        signed(draft(), STRANGER)
    with pytest.raises(BadSignatureError):
        add_signature(draft(), OWNER.public, APPROVE.sign(draft().entry.sign_message))


def test_a_draft_with_a_strangers_signature_or_without_a_body_is_refused():
    made = replace(draft(), signatures={STRANGER.public.key_id: bytes(64)})
    with pytest.raises(InvalidDataError):
        parse_draft(print_draft(made))
    with pytest.raises(InvalidDataError):
        parse_draft(print_draft(replace(draft(), bodies=())))


@given(st.integers(0, 100_000), st.integers(1, 255))
def test_one_changed_byte_of_a_draft_makes_another_act_or_none(position, mask):
    """Acceptance case 14: whatever still parses has another digest, or differs beside the parts."""
    made = signed(draft(), OWNER)
    raw = bytearray(print_draft(made))
    raw[position % len(raw)] ^= mask
    try:
        other = parse_draft(bytes(raw))
    except CivregError:
        return
    same_act = other.entry.entry_digest == made.entry.entry_digest
    assert not same_act or (other.bodies, other.signatures) != (made.bodies, made.signatures)


def test_request_and_reply_come_back_as_they_were():
    assert parse_request(print_request(REQUEST)) == REQUEST
    assert parse_reply(print_reply(REPLY)) == REPLY


def test_a_request_that_already_has_seal_or_tags_is_refused():
    sealed_part = REPLY.records[0]
    tagged = replace(PART, claims=(Claim("person.number", 1, thirty_two(0), None),))
    for part in (sealed_part, tagged):
        record = SubmittedRecord(part, BODY, ())
        with pytest.raises(CivregError):
            parse_request(print_request(replace(REQUEST, records=(record,))))


@given(st.binary(max_size=300))
def test_random_bytes_are_refused_at_the_doors(raw):
    """Invariant: only errors of civreg come out."""
    for parse in (parse_request, parse_reply, parse_draft):
        with suppress(CivregError):
            parse(raw)


@given(
    st.sampled_from([(print_request(REQUEST), parse_request), (print_reply(REPLY), parse_reply)]),
    st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 255)), max_size=3),
    st.integers(0, 100_000),
)
def test_mutated_messages_parse_to_themselves_or_are_refused(message, changes, cut):
    """Invariant: what parses prints to the very same bytes; all else is an error of civreg."""
    raw, parse = message
    changed = bytearray(raw)
    for position, byte in changes:
        changed[position % len(changed)] = byte
    if cut % 3 == 0:
        del changed[cut % len(changed) :]
    with suppress(CivregError):
        parsed = parse(bytes(changed))
        printed = print_request if parse is parse_request else print_reply
        assert printed(parsed) == bytes(changed)
