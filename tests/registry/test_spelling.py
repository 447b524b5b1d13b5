"""Composition and folding agree with the interpreter's Unicode tables, without asking them."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from ledger.text import CODE_POINT_RANGES
from registry.spelling import LETTERS, MARK_CLASSES, compose, fold, name_tokens

_TABLE = [chr(point) for first, last in CODE_POINT_RANGES for point in range(first, last + 1)]
_MARKS = "".join(MARK_CLASSES.values())


def test_every_letter_of_the_text_table_is_a_letter_of_names():
    letters = {character for character in _TABLE if unicodedata.category(character)[0] == "L"}
    assert letters | {"\u01b7", "\u0292"} == LETTERS  # the two: bases of letters of the table


def test_a_mark_has_the_combining_class_of_the_unicode_database():
    for order, marks in MARK_CLASSES.items():
        assert {unicodedata.combining(mark) for mark in marks} == {order}


@given(st.text(st.sampled_from(_TABLE)))
def test_decomposed_text_composes_to_what_it_was(text):
    """Invariant: compose(NFD(text)) is NFC for every text of the table."""
    assert compose(unicodedata.normalize("NFD", text)) == text
    assert compose(text) == text


@given(st.text(st.sampled_from("aeiouydAEOUDđ " + "ăâêôơưệ" + _MARKS), max_size=12))
def test_letters_and_marks_in_any_order_compose_as_in_the_unicode_standard(text):
    """Invariant: for the table's letters and marks composition is NFC."""
    assert compose(text) == unicodedata.normalize("NFC", text)


def test_folding_takes_away_marks_and_case():
    assert fold("Nguyễn Thị Đào") == "nguyen thi dao"
    assert fold("NGUYE\u0302\u0303N") == "nguyen"
    assert fold("Ærø Łódź Straße") == "aero lodz strasse"
    assert name_tokens("Trần  Văn-An") == name_tokens("an van TRAN") == ("an", "tran", "van")
