"""Frozen classes with the quicker constructor behave as those of `dataclass` do."""

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from inspect import signature

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.entries import Entry, UnsignedEntry
from ledger.frozen import quick_init
from ledger.outcomes import Outcome
from ledger.parts import Context, Head, KeySigner, RecordPart, Seal
from registry.rows import RecordRow

QUICK = (Head, RecordPart, Context, KeySigner, Seal, Entry, UnsignedEntry, Outcome, RecordRow)


@dataclass(frozen=True, slots=True)
class Plain:
    kind: str
    self_made: int
    cls: bytes | None = None
    last: tuple[int, ...] = field(default=(), kw_only=True)


@quick_init
@dataclass(frozen=True, slots=True)
class Quick:
    kind: str
    self_made: int
    cls: bytes | None = None
    last: tuple[int, ...] = field(default=(), kw_only=True)


GIVEN = st.fixed_dictionaries(
    {"kind": st.text(), "self_made": st.integers()},
    optional={"cls": st.binary(), "last": st.tuples(st.integers())},
)


def values(instance):
    return [getattr(instance, one.name) for one in fields(instance)]


@given(GIVEN)
def test_the_quick_constructor_sets_what_the_plain_one_sets(given):
    quick = Quick(**given)
    assert type(quick) is Quick
    assert values(quick) == values(Plain(**given))
    assert repr(quick) == repr(Plain(**given)).replace("Plain", "Quick")
    assert quick == Quick(**given)
    assert hash(quick) == hash(Quick(**given))


@given(GIVEN)
def test_copies_and_replacements_are_equal_and_frozen(given):
    quick = Quick(**given)
    for made in (copy.copy(quick), pickle.loads(pickle.dumps(quick)), replace(quick)):
        assert made == quick
        with pytest.raises(FrozenInstanceError):
            made.kind = "another"  # type: ignore[misc]  # that is the test
        with pytest.raises(FrozenInstanceError):
            del made.kind
    assert replace(quick, kind="another").kind == "another"


@pytest.mark.parametrize("given", [{}, {"kind": "a"}, {"kind": "a", "self_made": 1, "other": 2}])
def test_wrong_arguments_are_refused(given):
    for kind in (Plain, Quick):
        with pytest.raises(TypeError):
            kind(**given)


def test_the_keyword_only_field_is_refused_by_place():
    for kind in (Plain, Quick):
        with pytest.raises(TypeError):
            kind("a", 1, None, ())  # type: ignore[call-arg]  # that is the test


@pytest.mark.parametrize("kind", QUICK)
def test_a_quick_class_takes_its_fields_in_their_order(kind):
    given = {one.name: number for number, one in enumerate(fields(kind))}
    assert list(signature(kind).parameters) == list(given)
    made = kind(**given)
    assert type(made) is kind
    assert values(made) == list(given.values())
    for name in given:
        with pytest.raises(FrozenInstanceError):
            setattr(made, name, None)


def test_what_would_be_lost_is_refused():
    @dataclass(frozen=True, slots=True)
    class Checked:
        number: int

        def __post_init__(self):
            raise AssertionError

    @dataclass(frozen=True, slots=True)
    class Made:
        numbers: list[int] = field(default_factory=list)

    for kind in (Checked, Made):
        with pytest.raises(AssertionError):
            quick_init(kind)
