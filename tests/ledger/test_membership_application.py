"""Applications for membership: the frozen ones, and every changed byte of one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import BadSignatureError
from keys.signing import KEY_ID_BYTES
from ledger.errors import InvalidDataError
from ledger.membership import APPLICATION_BYTES_MAX, parse_application
from tests.networks import founding_part
from tests.vectors.make_vectors import FOLDER

VECTORS = json.loads((FOLDER / "membership.json").read_text(encoding="utf-8"))
NETWORK_ID = bytes.fromhex(VECTORS["network_id"])
RAW = bytes.fromhex(VECTORS["application"])


def test_the_frozen_application_reads_as_it_says():
    read = parse_application(RAW, NETWORK_ID)
    assert read.part == founding_part("e")
    told = [[one.key_id.hex(), one.signature.hex()] for one in read.signatures]
    assert told == VECTORS["signatures"]
    assert all(len(one.key_id) == KEY_ID_BYTES for one in read.signatures)


@pytest.mark.parametrize("name", sorted(VECTORS["refused"]))
def test_a_frozen_application_is_refused(name):
    with pytest.raises(InvalidDataError):
        parse_application(bytes.fromhex(VECTORS["refused"][name]), NETWORK_ID)


@given(st.integers(0, len(RAW) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused(at, change):
    changed = bytearray(RAW)
    changed[at] ^= change
    with pytest.raises((InvalidDataError, BadSignatureError)):
        parse_application(bytes(changed), NETWORK_ID)


@given(st.binary(max_size=300))
def test_random_bytes_are_no_application(raw):
    with pytest.raises(InvalidDataError):
        parse_application(raw, NETWORK_ID)


def test_an_application_has_at_most_so_many_bytes():
    with pytest.raises(InvalidDataError, match=str(APPLICATION_BYTES_MAX)):
        parse_application(bytes(APPLICATION_BYTES_MAX + 1), NETWORK_ID)
