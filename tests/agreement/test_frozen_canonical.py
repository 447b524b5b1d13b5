"""The frozen vectors of the one encoding: both implementations read and refuse the same bytes."""

import pytest

from ledger.canonical import decode, decode_opaque, encode, encode_opaque
from ledger.errors import InvalidDataError
from tests.ledger.test_vectors import frozen
from tests.vectors.canonical_vectors import REFUSED
from verifier import encoding
from verifier.refusals import UnreadableError

SIZE_MAX = 1_000


@pytest.fixture(scope="module")
def vectors():
    return frozen("canonical")


def test_frozen_integers_have_their_shortest_form_in_both_implementations(vectors):
    for one in vectors["integers"]:
        raw, value = bytes.fromhex(one["raw"]), int(one["value"])
        assert encode(value) == encoding.encode(value) == raw
        assert decode(raw, SIZE_MAX) == encoding.decode(raw, SIZE_MAX) == value
    assert len(vectors["integers"]) == 21


def test_other_frozen_values_are_read_by_both_and_encode_to_themselves(vectors):
    for raw in map(bytes.fromhex, vectors["others"].values()):
        value = decode(raw, SIZE_MAX)
        assert encode(value) == raw
        theirs = encoding.decode(raw, SIZE_MAX)
        assert encode(theirs) == raw  # type: ignore[arg-type]  # lists for tuples
    assert len(vectors["others"]) == 16


def test_frozen_texts_outside_the_table_are_read_in_opaque_form_only(vectors):
    for one in vectors["opaque_only"]:
        raw = bytes.fromhex(one["raw"])
        assert encode_opaque(one["text"]) == encoding.encode(one["text"]) == raw
        assert decode_opaque(raw, SIZE_MAX) == one["text"]
        assert encoding.decode(raw, SIZE_MAX, opaque=True) == one["text"]
        with pytest.raises(InvalidDataError):
            decode(raw, SIZE_MAX)
        with pytest.raises(UnreadableError):
            encoding.decode(raw, SIZE_MAX)
    assert len(vectors["opaque_only"]) == 6


@pytest.mark.parametrize("name", REFUSED)
def test_frozen_bytes_that_are_no_encoding_are_refused_by_both_in_both_forms(vectors, name):
    raw = bytes.fromhex(vectors["refused"][name])
    for ours in (decode, decode_opaque):
        with pytest.raises(InvalidDataError):
            ours(raw, SIZE_MAX)
    for opaque in (False, True):
        with pytest.raises(UnreadableError):
            encoding.decode(raw, SIZE_MAX, opaque=opaque)
