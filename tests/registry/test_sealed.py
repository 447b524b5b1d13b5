"""Sealed bodies and wraps: what was sealed opens, whatever was changed does not."""

import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import CivregError, SealError
from keys.signing import Algorithm, SoftwareKey
from ledger import merkle
from ledger.canonical import Value, encode_opaque
from ledger.parts import Seal
from registry.problems import BodyError
from registry.sealed import (
    BodyPlace,
    body_digest,
    check_openings,
    open_body,
    parse_body,
    parse_openings,
    seal_record,
    show_openings,
)
from registry.wraps import Reader, make_wraps, open_wraps, parse_wraps, wraps_digest
from tests.registry.plain_bytes import sixteen, thirty_two

PLACE = BodyPlace(thirty_two(0), sixteen(7), 3)
PATHS = ("address", "name.family", "name.given", "notes", "sex")
VALUES: dict[str, Value] = {
    "name.family": "Nguyễn",
    "name.given": "\u6797 An",
    "sex": "male",
    "notes": ("x" * 90, 7),
}
SALTS = tuple(hashlib.sha256(path.encode()).digest()[:16] for path in PATHS)
DATA_KEY = bytes(range(32))
OWNER = SoftwareKey.from_private_bytes(Algorithm.P256, thirty_two(7))
AGENCY = SoftwareKey.from_private_bytes(Algorithm.MLKEM768_X25519, thirty_two(8))


def sealed():
    return seal_record(PLACE, PATHS, VALUES, DATA_KEY, SALTS)


def test_a_body_opens_to_all_fields_with_absent_ones_as_nil():
    record = sealed()
    opened = open_body(PLACE, PATHS, record.body, record.seal(thirty_two(0)), DATA_KEY)
    assert opened == record.opened
    assert opened.values == {"address": None, **VALUES}
    assert len(parse_body(record.body)) == len(PATHS)


def test_the_commitment_is_the_root_of_the_format_document():
    leaves = [
        merkle.leaf_hash(b"civreg/field/v1\x00" + encode_opaque([path, salt, VALUES.get(path)]))
        for path, salt in zip(PATHS, SALTS, strict=True)
    ]
    assert sealed().commitment == merkle.root(leaves)
    assert sealed().opened.leaf("sex") == leaves[-1]


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_body_with_any_changed_byte_is_refused(position, mask):
    """Invariant: what differs from what the entry names does not open, even with a new digest."""
    record = sealed()
    changed = bytearray(record.body)
    changed[position % len(changed)] ^= mask
    seal = record.seal(thirty_two(0))
    with pytest.raises(BodyError):
        open_body(PLACE, PATHS, bytes(changed), seal, DATA_KEY)
    other = Seal(body_digest(bytes(changed)), seal.key_check, seal.commitment, thirty_two(0))
    with pytest.raises(BodyError):
        open_body(PLACE, PATHS, bytes(changed), other, DATA_KEY)


@pytest.mark.parametrize("part", ["body_digest", "key_check", "commitment"])
def test_a_seal_with_another_digest_is_refused(part):
    record = sealed()
    seal = record.seal(thirty_two(0))
    parts = {name: getattr(seal, name) for name in ("body_digest", "key_check", "commitment")}
    wrong = Seal(**(parts | {part: thirty_two(0)}), wraps_digest=thirty_two(0))
    with pytest.raises(BodyError):
        open_body(PLACE, PATHS, record.body, wrong, DATA_KEY)


def test_a_body_opens_only_at_its_place_with_its_key_and_for_its_type():
    record = sealed()
    seal = record.seal(thirty_two(0))
    for place in (
        BodyPlace(thirty_two(1), PLACE.record_id, 3),
        BodyPlace(PLACE.network_id, sixteen(0), 3),
        BodyPlace(PLACE.network_id, PLACE.record_id, 4),
    ):
        with pytest.raises(BodyError):
            open_body(place, PATHS, record.body, seal, DATA_KEY)
    with pytest.raises(BodyError):
        open_body(PLACE, PATHS, record.body, seal, thirty_two(0))
    with pytest.raises(BodyError):
        open_body(PLACE, PATHS[:-1], record.body, seal, DATA_KEY)
    with pytest.raises(BodyError):
        open_body(PLACE, (*PATHS[:-1], "sexx"), record.body, seal, DATA_KEY)


def test_values_for_unknown_fields_are_not_sealed():
    with pytest.raises(BodyError):
        seal_record(PLACE, PATHS, {"phone": "1"}, DATA_KEY, SALTS)


@given(st.sets(st.sampled_from(PATHS)))
def test_openings_show_the_chosen_fields_and_lead_to_the_commitment(shown):
    """Invariant: for every choice the shown fields come back and no other value is in the bytes."""
    record = sealed()
    raw = show_openings(record.opened, shown)
    values = check_openings(parse_openings(raw), record.commitment)
    assert set(values) == shown
    assert ("Nguyễn".encode() in raw) == ("name.family" in shown)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_openings_with_any_changed_byte_are_refused(position, mask):
    """Invariant: one changed byte leads to another root or to no openings at all."""
    record = sealed()
    raw = bytearray(show_openings(record.opened, {"sex", "notes"}))
    raw[position % len(raw)] ^= mask
    with pytest.raises(CivregError):
        check_openings(parse_openings(bytes(raw)), record.commitment)


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_at_every_door(raw):
    """Invariant: only errors of civreg come out."""
    for parse in (parse_body, parse_wraps, parse_openings):
        with suppress(CivregError):
            parse(raw)


def test_each_reader_opens_the_data_key_and_nobody_else():
    record = sealed()
    readers = (Reader(OWNER.public, "owner"), Reader(AGENCY.public, "agency"))
    raw = make_wraps(PLACE, DATA_KEY, (*readers, readers[0]))
    wraps = parse_wraps(raw)
    assert [len(wrap.wrapped) for wrap in sorted(wraps, key=lambda wrap: wrap.purpose)] == [
        1168,
        113,
    ]
    for key in (OWNER, AGENCY):
        assert open_wraps(wraps, PLACE, key, record.key_check) == DATA_KEY
    stranger = SoftwareKey.from_private_bytes(Algorithm.P256, thirty_two(9))
    with pytest.raises(SealError):
        open_wraps(wraps, PLACE, stranger, record.key_check)
    with pytest.raises(SealError):
        open_wraps(wraps, BodyPlace(PLACE.network_id, PLACE.record_id, 4), OWNER, record.key_check)
    with pytest.raises(SealError):
        open_wraps(wraps, PLACE, OWNER, thirty_two(0))
    assert wraps_digest(raw) != wraps_digest(make_wraps(PLACE, DATA_KEY, readers))
