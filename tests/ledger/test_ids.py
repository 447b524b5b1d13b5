"""Ids: nobody chooses them, and people can type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.hashing import Digest
from keys.signing import KeyId
from ledger.errors import InvalidDataError
from ledger.ids import ActId, RecordId, derived_id, parse_id, print_id, record_id

CHARACTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ids = st.binary(min_size=16, max_size=16)


@given(ids)
def test_an_id_that_was_printed_reads_back(identifier):
    text = print_id(identifier)
    assert [len(group) for group in text.split("-")] == [5, 5, 5, 5, 6, 1]
    assert parse_id(text) == identifier
    assert parse_id(text.lower().replace("-", "")) == identifier


def test_letters_that_look_like_digits_are_forgiven():
    text = print_id(bytes(16))
    assert text == "00000-00000-00000-00000-000000-0"
    assert parse_id(text.replace("0", "O")) == bytes(16)
    one = print_id((1 << 123).to_bytes(16))
    assert one.startswith("1")
    assert parse_id("I" + one[1:]) == parse_id("l" + one[1:]) == (1 << 123).to_bytes(16)


@given(ids, st.integers(0, 25), st.sampled_from(CHARACTERS))
def test_one_wrong_character_is_always_noticed(identifier, place, character):
    text = print_id(identifier).replace("-", "")
    wrong = text[:place] + character + text[place + 1 :]
    if wrong != text:
        with pytest.raises(InvalidDataError):
            parse_id(wrong)


@given(ids, st.integers(0, 24))
def test_two_swapped_neighbours_are_always_noticed(identifier, place):
    text = print_id(identifier).replace("-", "")
    wrong = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    if wrong != text:
        with pytest.raises(InvalidDataError):
            parse_id(wrong)


@given(st.text(max_size=70))
def test_any_other_text_is_refused_or_is_the_id_that_it_prints(text):
    try:
        identifier = parse_id(text)
    except InvalidDataError:
        return
    assert len(identifier) == 16


@given(ids, ids, ids)
def test_a_record_id_depends_on_network_signer_and_act(network, signer, act):
    made = record_id(Digest(network * 2), KeyId(signer), ActId(act))
    other = bytes(16 - 1) + b"\x01"
    assert made != record_id(Digest(bytes(32)), KeyId(signer), ActId(act)) or network == bytes(16)
    assert made != record_id(Digest(network * 2), KeyId(other), ActId(act)) or signer == other
    assert made != record_id(Digest(network * 2), KeyId(signer), ActId(other)) or act == other


def test_things_made_by_one_effect_have_different_ids():
    record = RecordId(bytes(16))
    made = {
        derived_id(record, version, effect, index)
        for version in (1, 2)
        for effect in ("companion", "claim")
        for index in range(3)
    }
    assert len(made) == 12


def test_a_text_that_is_much_too_long_is_refused_at_once():
    with pytest.raises(InvalidDataError):
        parse_id("0" * 65)
