"""Typed readers: the right value comes back, every other one is refused by the field's name."""

from typing import Any

import pytest

from keys.errors import CivregError
from ledger import fields
from ledger.errors import InvalidDataError

EVERYTHING: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    5,
    -1,
    2**64 - 1,
    b"",
    b"12345",
    "",
    "12345",
    (),
    (1, 2),
    {},
    {"a": 1},
)

READERS = {
    "int": (lambda v: fields.read_int(v, "f", 0, 5), (0, 5)),
    "bool": (lambda v: fields.read_bool(v, "f"), (True, False)),
    "bytes": (lambda v: fields.read_bytes(v, "f", 5), (b"12345",)),
    "bytes up to": (lambda v: fields.read_bytes_up_to(v, "f", 4), (b"",)),
    "text": (lambda v: fields.read_text(v, "f", 5, chars_min=1), ("12345",)),
    "short text": (lambda v: fields.read_text(v, "f", 4), ("",)),
    "array": (lambda v: fields.read_array(v, "f", 2), ((1, 2),)),
    "array within": (lambda v: fields.read_array(v, "f", (0, 1)), ((),)),
    "map": (lambda v: fields.read_map(v, "f"), ({}, {"a": 1})),
    "map up to": (lambda v: fields.read_map(v, "f", 0), ({},)),
    "version": (lambda v: fields.read_version(v, "f", 5), (5,)),
    "optional": (
        lambda v: fields.read_optional(v, lambda w: fields.read_bool(w, "f")),
        (None, True, False),
    ),
    "optional int": (lambda v: fields.read_optional_int(v, "f", 5, 5), (None, 5)),
    "optional bytes": (lambda v: fields.read_optional_bytes(v, "f", 0), (None, b"")),
    "optional text": (lambda v: fields.read_optional_text(v, "f", 4), (None, "")),
    "optional array": (lambda v: fields.read_optional_array(v, "f", 0), (None, ())),
}


@pytest.mark.parametrize("name", READERS)
def test_a_reader_takes_its_values_and_refuses_all_others(name):
    read, good = READERS[name]
    for value in EVERYTHING:
        if any(value == g and type(value) is type(g) for g in good):
            assert read(value) is value
        else:
            with pytest.raises(InvalidDataError, match=r"^f "):
                read(value)


def test_digests_have_32_bytes():
    assert fields.read_digest(bytes(32), "f") == bytes(32)
    assert fields.read_optional_digest(None, "f") is None
    assert fields.read_optional_digest(bytes(32), "f") == bytes(32)
    for value in (bytes(31), bytes(33), "x" * 32):
        with pytest.raises(CivregError):
            fields.read_digest(value, "f")
