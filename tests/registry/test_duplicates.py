"""Similar names and births, records.md section 8."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.duplicates import BirthSketch, similar_births, similar_names, similar_words
from registry.spelling import name_tokens
from tests.registry.plain_bytes import sixteen

BIRTH = BirthSketch(
    record_id=sixteen(0),
    child_name="Nguyễn Thị Hương",
    birth_date="2026-03-01",
    mother_name="Trần Thị Phượng",
    mother_born="1996-05-05",
    mother=None,
)
OTHER = replace(BIRTH, record_id=sixteen(1))
MOTHER, STRANGER = sixteen(2), sixteen(3)


def distance(first, second):
    """Levenshtein by the book: the naive twin."""
    row = list(range(len(second) + 1))
    for i, left in enumerate(first, 1):
        before, row[0] = row[0], i
        for j, right in enumerate(second, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (left != right))
    return row[-1]


@given(st.text("abc", max_size=7), st.text("abc", max_size=7))
def test_similar_words_are_at_most_one_edit_apart(first, second):
    """Invariant: the clever comparison says what edit distance says."""
    long = min(len(first), len(second)) >= 4
    assert similar_words(first, second) == (distance(first, second) <= (1 if long else 0))


@given(
    st.lists(st.sampled_from(["tran", "trann", "tranh", "an", "anh", "thuyy", "thuy"]), max_size=4),
    st.lists(st.sampled_from(["tran", "trann", "tranh", "an", "anh", "thuyy", "thuy"]), max_size=4),
)
def test_names_are_similar_when_some_order_pairs_similar_words(first, second):
    """Invariant: matching agrees with trying all orders."""
    naive = len(first) == len(second) and any(
        all(similar_words(a, b) for a, b in zip(first, order, strict=True))
        for order in itertools.permutations(second)
    )
    assert similar_names(" ".join(first), " ".join(second)) == naive


def test_marks_case_and_order_of_words_do_not_count():
    assert similar_names("Nguyễn Thị Hương", "HUONG nguyen thi")
    assert similar_names("Nguyễn Thị Hương", "Nguyễn Thị Hươngg")
    assert not similar_names("Lê Thị An", "Lê Thị Ân Bình")
    assert not similar_names("Lê An", "Lê Ai")
    assert name_tokens("") == ()


@pytest.mark.parametrize(
    ("change", "similar"),
    [
        ({}, True),
        ({"birth_date": "2026-03-06"}, True),
        ({"birth_date": "2026-03-07"}, False),
        ({"mother_born": "1997-05-05"}, True),
        ({"mother_born": "1997-05-06"}, False),
        ({"mother_born": "1997"}, True),
        ({"mother_born": None}, False),
        ({"mother_name": None}, False),
        ({"mother_name": "Tran Thi Phuongg"}, True),
        ({"child_name": "Nguyễn Thị Hà"}, False),
        ({"mother": MOTHER}, True),
        ({"record_id": sixteen(0)}, False),
    ],
)
def test_a_birth_is_similar_only_if_all_conditions_hold(change, similar):
    found = similar_births(BIRTH, [replace(OTHER, **change)])
    assert found == ((OTHER.record_id,) if similar else ())


def test_two_different_mothers_make_two_births():
    first = replace(BIRTH, mother=MOTHER)
    assert similar_births(first, [replace(OTHER, mother=MOTHER)])
    assert not similar_births(first, [replace(OTHER, mother=STRANGER)])


def test_a_birth_with_its_parents_exchanged_is_similar():
    father = {"father_name": "Lê Văn Bình", "father_born": "1994", "father": STRANGER}
    first = replace(BIRTH, mother=MOTHER, **father)
    typed = replace(first.exchanged(), record_id=OTHER.record_id)
    assert similar_births(first, [typed])
    assert similar_births(typed, [first])
    assert typed.exchanged() == replace(first, record_id=OTHER.record_id)
    assert not similar_births(first, [replace(typed, mother=sixteen(4))])
