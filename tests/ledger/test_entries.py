"""Entries: what is composed parses, what is damaged is refused, and one part shows alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.hashing import Digest
from keys.signing import KeyId
from ledger import merkle
from ledger.canonical import Value, decode, encode
from ledger.entries import (
    About,
    CustodySigner,
    KeySigner,
    Part,
    compose,
    parse_entry,
    parse_part,
    signature_slots,
    sort_signers,
)
from ledger.errors import InvalidDataError, LimitExceededError
from ledger.ids import RecordId
from ledger.limits import ENTRY_BYTES_MAX
from ledger.parts import signer_value
from tests.ledger.entry_strategies import ids, signed_entries, signers, unsigned_entries
from tests.networks import seed, small_entry, small_record

NETWORK = Digest(seed("network"))
ENTRY = small_entry(NETWORK, "one")


def array(raw: bytes) -> list[Value]:
    value = decode(raw, ENTRY_BYTES_MAX)
    assert isinstance(value, tuple)
    return list(value)


@given(signed_entries())
def test_an_entry_that_was_printed_reads_back(entry):
    """Invariant: parsing gives the same entry, and its bytes are those of its content."""
    assert parse_entry(entry.raw) == entry
    blinds = [part.blind for part in entry.parts]
    again = compose(entry.head, entry.records, entry.objects, entry.context, blinds)
    assert again.signed(entry.slots).raw == entry.raw
    assert entry.log_leaf == encode((1, entry.entry_digest, entry.signatures_digest))
    assert len(entry.log_leaf) == 70
    assert entry.log_leaf_hash == merkle.leaf_hash(entry.log_leaf)


@given(signed_entries(), st.data())
def test_a_changed_byte_is_refused_or_makes_another_entry(entry, data):
    at = data.draw(st.integers(0, len(entry.raw) - 1))
    raw = bytearray(entry.raw)
    raw[at] ^= data.draw(st.integers(1, 255))
    try:
        other = parse_entry(bytes(raw))
    except InvalidDataError:
        return
    assert other.raw == bytes(raw)
    assert other.log_leaf != entry.log_leaf


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(raw):
    with pytest.raises(InvalidDataError):
        parse_entry(raw)


@given(st.data())
def test_any_canonical_value_in_a_part_is_read_or_refused(data):
    """Invariant: whatever a stranger puts into a part, the answer is a part or a refusal."""
    value = array(data.draw(st.sampled_from(ENTRY.parts)).raw)
    at = data.draw(st.integers(0, len(value) - 1))
    value[at] = data.draw(
        st.none() | st.booleans() | st.integers(-1, 2) | st.binary(max_size=33) | st.just({"a": 1})
        | st.lists(st.just({}) | st.lists(st.integers(0, 1), max_size=3), max_size=3)
        | st.sampled_from(["head", "record", "2026-02-30", "2026-W01-1"])
    )  # fmt: skip
    raw = encode(value)
    try:
        part = parse_part(raw)
    except InvalidDataError:
        return
    assert part is not None


@given(st.lists(signers, unique=True, max_size=6))
def test_signers_ascend_by_their_canonical_bytes_with_custodians_last(given_signers):
    """The naive twin: encode each signer and compare."""
    naive = sorted(
        given_signers, key=lambda one: (one.term == "custodian", encode(signer_value(one)))
    )
    assert list(sort_signers(given_signers)) == naive


@given(unsigned_entries())
def test_every_part_can_be_shown_without_the_others(unsigned):
    for shown in range(len(unsigned.parts)):
        hashes = [
            merkle.leaf_hash(b"civreg/part/v1\x00" + part.blind + part.raw)
            if at == shown
            else merkle.leaf_hash(part.leaf_data)
            for at, part in enumerate(unsigned.parts)
        ]
        assert merkle.root(hashes) == unsigned.entry_digest


def test_what_is_signed_names_network_and_digest():
    assert ENTRY.sign_message == b"civreg/entry/v1\x00" + NETWORK + ENTRY.entry_digest
    assert ENTRY.head.type_name == "birth"
    assert ENTRY.head.operation == "register"


def test_a_custody_form_gives_a_slot_for_each_officer():
    officers = tuple(sorted(KeyId(seed("officer", number)[:16]) for number in range(2)))
    form = CustodySigner("informant", None, officers, Digest(seed("form")))
    alone = KeySigner("officer(register)", None, KeyId(seed("alone")[:16]))
    head = replace(ENTRY.head, signers=sort_signers([form, alone]))
    blinds = [part.blind for part in ENTRY.parts]
    unsigned = compose(head, ENTRY.records, (), ENTRY.context, blinds)
    slots = [b"a" * 64 if one is alone else (b"b" * 64, b"c" * 64) for one in head.signers]
    entry = unsigned.signed(slots)
    assert parse_entry(entry.raw) == entry
    found = {slot.key_id: slot.signature[:1] for slot in signature_slots(entry)}
    assert found == {alone.key_id: b"a", officers[0]: b"b", officers[1]: b"c"}
    for wrong in ([b"a" * 64] * 2, [(b"b" * 64,)] * 2, slots[:1], [*slots, b"a" * 64], [b"", b""]):
        with pytest.raises(InvalidDataError):
            unsigned.signed(wrong)


def recomposed(**changes):
    head = changes.get("head", ENTRY.head)
    records = changes.get("records", ENTRY.records)
    context = changes.get("context", ENTRY.context)
    blinds = changes.get("blinds", [seed("blind", at)[:16] for at in range(len(records) + 2)])
    return compose(head, records, changes.get("objects", ()), context, blinds)


def head_with(**changes):
    return {"head": replace(ENTRY.head, **changes)}


def record_with(**changes):
    return {"records": [replace(ENTRY.records[0], **changes)]}


def owners(count):
    return sort_signers(KeySigner("owner", None, KeyId(seed(at)[:16])) for at in range(count))


def form_of(count):
    officers = tuple(sorted(KeyId(seed("officer", at)[:16]) for at in range(count)))
    return CustodySigner("informant", None, officers, Digest(seed("form")))


SIGNERS = ENTRY.head.signers
REFUSED = {
    "custodian first": head_with(signers=tuple(reversed(SIGNERS))),
    "a signer twice": head_with(signers=(SIGNERS[0], SIGNERS[0])),
    "no signer": head_with(signers=()),
    "65 signers": head_with(signers=owners(65)),
    "65 officers of a custody form": head_with(signers=(form_of(65),)),
    "a kind without slash": head_with(kind="birth"),
    "a kind with two": head_with(kind="birth/register/now"),
    "a kind in capitals": head_with(kind="Birth/register"),
    "a day that is none": head_with(event_date="2026-02-29"),
    "a week date": head_with(event_date="2026-W01-1"),
    "a short date": head_with(event_date="20260228"),
    "no date": head_with(event_date=""),
    "a wrong second date": head_with(received_on="2026-13-01"),
    "a negative time": head_with(not_after_ms=-1),
    "a short network": head_with(network_id=Digest(bytes(31))),
    "a long act": head_with(act_id=bytes(17)),
    "version 0 of another record": head_with(about=About(RecordId(bytes(16)), 0)),
    "an empty article": head_with(legal_basis=("",)),
    "record version 0": record_with(record_version=0),
    "a type without name": record_with(type_name=""),
    "a long type": record_with(type_name="x" * 65),
    "a short link": record_with(links={"mother": bytes(15)}),
    "a link without name": record_with(links={"": bytes(16)}),
    "a record twice": {"records": [ENTRY.records[0]] * 2},
    "a blind twice": {"blinds": [bytes(16)] * 3},
    "a short blind": {"blinds": [bytes([at]) * 15 for at in range(3)]},
    "too few blinds": {"blinds": [bytes(16)]},
}


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED)
def test_an_entry_is_refused_with(changes):
    assert recomposed().entry_digest
    with pytest.raises(InvalidDataError):
        recomposed(**changes)


@pytest.mark.parametrize(
    ("signers", "slot"), [(owners(64), b"a" * 64), ((form_of(64),), (b"a" * 64,) * 64)]
)
def test_an_entry_has_64_signers_and_a_custody_form_64_officers(signers, slot):
    unsigned = recomposed(**head_with(signers=signers))
    entry = unsigned.signed([slot] * len(signers))
    assert parse_entry(entry.raw) == entry
    assert len(signature_slots(entry)) == 64


def test_a_refusal_of_a_signer_too_many_says_how_many_there_are_and_may_be():
    with pytest.raises(
        InvalidDataError, match=r"head\.signers has 65 elements instead of 1 \.\.\. 64"
    ):
        recomposed(**head_with(signers=owners(65)))


def shuffled(order, parts=ENTRY.parts):
    return encode(([tuple(parts[at]) for at in order], ENTRY.slots))


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 2, 1), (0, 1), (1, 2), (0,), (), (0, 0, 2)])
def test_parts_in_another_order_are_refused(order):
    assert parse_entry(shuffled((0, 1, 2))) == ENTRY
    with pytest.raises(InvalidDataError):
        parse_entry(shuffled(order))


def test_a_record_behind_an_object_is_refused():
    made = Part(seed("o")[:16], encode((1, "object", "grant", {})))
    head, record, context = ENTRY.parts
    assert parse_entry(shuffled(range(4), [head, record, made, context])).objects
    with pytest.raises(InvalidDataError):
        parse_entry(shuffled(range(4), [head, made, record, context]))


def filled(count):
    return recomposed(records=[replace(ENTRY.records[0], member={"a": b"x" * count})])


def test_an_entry_has_at_most_65535_bytes():
    fits = ENTRY_BYTES_MAX - len(filled(60_000).signed(ENTRY.slots).raw) + 60_000
    largest = filled(fits).signed(ENTRY.slots)
    assert len(largest.raw) == ENTRY_BYTES_MAX
    assert parse_entry(largest.raw) == largest
    too_large = filled(fits + 1)
    with pytest.raises(LimitExceededError):
        too_large.signed(ENTRY.slots)
    with pytest.raises(LimitExceededError):
        parse_entry(encode(([tuple(part) for part in too_large.parts], ENTRY.slots)))


def test_an_entry_has_at_most_64_parts():
    records = [small_record("many", number) for number in range(62)]
    assert len(recomposed(records=records).parts) == 64
    with pytest.raises(InvalidDataError):
        recomposed(records=[*records, small_record("many", 62)])


@given(ids)
def test_a_created_record_has_the_id_of_its_first_signer_and_act(act_id):
    entry = recomposed(**head_with(act_id=act_id))
    again = recomposed(**head_with(act_id=act_id), context=replace(ENTRY.context, reason="other"))
    assert entry.created_record_id == again.created_record_id
    assert entry.entry_digest != again.entry_digest


def part_with(at, value, part=0):
    """The bytes of a part of ENTRY with another element at a place."""
    elements = array(ENTRY.parts[part].raw)
    elements[at] = value
    return encode(elements)


@pytest.mark.parametrize(
    "raw",
    [
        part_with(1, "herd"),
        part_with(1, None),
        part_with(0, 2),
        part_with(12, [("owner", None, b"x" * 16, ())]),
        part_with(12, [("owner", None, "custard", (b"x" * 16,), bytes(32))]),
        part_with(12, [("owner", None, "custody", (), bytes(32))]),
        part_with(12, [("owner", None, "custody", (b"x" * 16,) * 2, bytes(32))]),
        part_with(1, "contest", 2),
        part_with(2, [("rule", bytes(32), "fail")], 2),
        part_with(2, [("rule", bytes(32), "pass"), ("rule", bytes(31) + b"x", "pass")], 2),
        part_with(3, (True, True, (b"b" * 32, b"a" * 32)), 2),
        part_with(3, (1, True, ()), 2),
        part_with(7, [((b"b" * 16, b"a" * 16), 1, 1)], 1),
        part_with(7, [((), 1, 1)], 1),
        part_with(7, [((b"a" * 16,), 0, 1)], 1),
        part_with(9, [("n", 1, "value", None)], 1),
        part_with(9, [("n", 0, "b", None), ("n", 0, "a", None)], 1),
        part_with(9, [("n", 0, "a", None)] * 2, 1),
        part_with(11, (bytes(32),) * 3, 1),
        encode(()),
        encode("head"),
    ],
)
def test_a_part_is_refused_if_one_element_is_wrong(raw):
    with pytest.raises(InvalidDataError):
        parse_part(raw)


@pytest.mark.parametrize(("at", "kind"), [(0, "object"), (2, "head")])
def test_the_first_part_is_a_head_and_the_last_a_context(at, kind):
    parts: list[Value] = [tuple(part) for part in ENTRY.parts]
    parts[at] = (ENTRY.parts[at].blind, part_with(1, kind, at))
    with pytest.raises(InvalidDataError):
        parse_entry(encode((parts, ENTRY.slots)))


def test_a_wrong_context_is_refused_each_time_and_right_ones_are_equal():
    """Short contexts are remembered by their bytes; a refusal is not."""
    right, wrong = ENTRY.parts[2].raw, part_with(3, (1, True, ()), 2)
    for raw in (wrong, right, wrong, right):
        parts: list[Value] = [tuple(part) for part in ENTRY.parts]
        parts[2] = (ENTRY.parts[2].blind, raw)
        given_bytes = encode((parts, ENTRY.slots))
        if raw == right:
            assert parse_entry(given_bytes).context == ENTRY.context == parse_part(right)
        else:
            with pytest.raises(InvalidDataError):
                parse_entry(given_bytes)
