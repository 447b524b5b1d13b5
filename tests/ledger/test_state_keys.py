"""State keys and values: hashed with their purpose, stored with their blind, read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.hashing import Digest, domain, hash_with, sha256
from ledger.canonical import encode
from ledger.errors import InvalidDataError
from ledger.state_keys import (
    STATE_KEY_BYTES_MAX,
    blind_for,
    blind_seed,
    key_bytes,
    key_hash,
    parse_key,
    read_stored_value,
    stored_value,
    stored_value_hash,
    value_hash,
)
from tests.ledger.values import scalars, table_texts, values
from tests.networks import seed, small_entry

keys = st.tuples(table_texts, scalars, scalars)
blinds = st.binary(min_size=16, max_size=16)


@given(keys, keys)
def test_a_key_reads_back_and_different_keys_have_different_hashes(key, other):
    assert parse_key(key_bytes(key)) == key
    assert (key_hash(key) == key_hash(other)) == (key_bytes(key) == key_bytes(other))


@given(blinds, values())
def test_a_stored_value_reads_back_and_hashes_as_the_format_says(blind, value):
    stored = stored_value(blind, value)
    assert stored == encode((blind, value))
    assert read_stored_value(stored) == (blind, value)
    expected = hash_with(domain("state"), blind + encode(value))
    assert stored_value_hash(stored) == value_hash(blind, value) == expected


@pytest.mark.parametrize("value", [(), "record", (1, "record"), None, {"a": 1}])
def test_what_does_not_begin_with_a_kind_is_no_key(value):
    with pytest.raises(InvalidDataError):
        parse_key(encode(value))


def test_a_key_has_at_most_1024_bytes():
    fits = STATE_KEY_BYTES_MAX - len(key_bytes(("kind", bytes(900)))) + 900
    assert parse_key(key_bytes(("kind", bytes(fits))))
    with pytest.raises(InvalidDataError):
        parse_key(key_bytes(("kind", bytes(fits + 1))))


@given(st.binary(max_size=40))
def test_other_bytes_are_no_stored_value(raw):
    with pytest.raises(InvalidDataError):
        read_stored_value(raw)


def test_a_stored_value_without_its_value_is_refused():
    with pytest.raises(InvalidDataError):
        read_stored_value(stored_value(bytes(16), None)[:-1])


def test_blinds_follow_from_the_blinds_of_the_writing_entry_and_from_the_key():
    entry = small_entry(Digest(seed("network")), "one")
    other = small_entry(Digest(seed("network")), "two")
    assert blind_seed(entry) == sha256(b"".join(part.blind for part in entry.parts))
    made = {
        blind_for(blind_seed(one), key_hash(("record", number)))
        for one in (entry, other)
        for number in range(2)
    }
    assert len(made) == 4
    assert all(len(blind) == 16 for blind in made)
