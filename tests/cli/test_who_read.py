"""What an office says of its readings: read line by line, and held against the chain's digest."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.accesses import digest_of
from cli.errors import InvalidInputError
from cli.who_read import Reason, read_reasons

LINE = {
    "entry": "00" * 32, "day": "2026-01-01", "record": "X", "purpose": "birth/correct",
    "legal_basis": ["60/2014/QH13 art. 28"], "salt": "11" * 32,
}  # fmt: skip


_WORDS = st.text(alphabet="abcđ/ .-12", min_size=1)


@given(_WORDS, st.lists(_WORDS), st.binary(min_size=32, max_size=32))
def test_what_was_committed_to_matches_and_anything_else_does_not(purpose, basis, salt):
    committed = {"digest": digest_of(salt, purpose, basis).hex()}
    said = json.dumps({**LINE, "purpose": purpose, "legal_basis": basis, "salt": salt.hex()})
    (reason,) = read_reasons(said.encode(), "file").values()
    assert reason.matches(committed)
    assert not Reason(purpose + "x", tuple(basis), salt).matches(committed)
    assert not Reason(purpose, (*basis, "x"), salt).matches(committed)
    assert not Reason(purpose, tuple(basis), salt[:-1] + bytes([salt[-1] ^ 1])).matches(committed)
    assert not reason.matches({"digest": None})


WRONG: list[object] = [None, 7, {}, ["a", 1]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, value) for name in ("entry", "purpose", "legal_basis", "salt") for value in WRONG],
        ("legal_basis", "zz"),
        ("salt", "zz"),
    ],
)
def test_a_line_with_a_wrong_value_is_refused_with_its_number(name, value):
    raw = json.dumps(LINE) + "\n\n" + json.dumps({**LINE, name: value})
    with pytest.raises(InvalidInputError, match="line 3"):
        read_reasons(raw.encode(), "file")


@given(st.binary(max_size=200))
def test_rubbish_is_refused_or_says_nothing(raw):
    with contextlib.suppress(InvalidInputError):
        assert isinstance(read_reasons(raw, "file"), dict)


@given(st.text(), st.lists(st.text()), st.binary(max_size=40))
def test_what_nobody_can_have_committed_to_matches_nothing(purpose, basis, salt):
    assert not Reason(purpose, tuple(basis), salt).matches({"digest": "00" * 32})
