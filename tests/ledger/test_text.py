"""The frozen table of characters."""

import hashlib
import unicodedata

import pytest

from ledger.errors import NotCanonicalError
from ledger.text import CODE_POINT_RANGES, PUNCTUATION, check_text

TABLE = [chr(point) for first, last in CODE_POINT_RANGES for point in range(first, last + 1)]


def test_the_table_is_frozen():
    """Changing it is a new version of the format and a decision record."""
    points = ",".join(f"{ord(character):04X}" for character in sorted(TABLE))
    assert len(TABLE) == 629
    assert (
        hashlib.sha256(points.encode()).hexdigest()
        == "85ceaafac908f06c58042d6ab8009a72528c873f036e47640ba9d59b06f3de85"
    )


def test_the_ranges_do_not_overlap():
    assert len(set(TABLE)) == len(TABLE)


def test_every_character_is_its_own_nfc_and_none_combines():
    for character in TABLE:
        assert unicodedata.is_normalized("NFC", character)
        assert unicodedata.combining(character) == 0


def test_no_two_neighbours_compose():
    """Only marks, which the table lacks, compose with what stands before them."""
    for character in TABLE:
        text = "".join(first + character for first in TABLE[::7])
        assert unicodedata.is_normalized("NFC", text)


def test_characters_beyond_ascii_are_letters_or_listed_punctuation():
    for character in TABLE:
        if ord(character) > 0x7E and character not in PUNCTUATION:
            assert unicodedata.category(character) in {"Lu", "Ll", "Lt", "Lo"}, hex(ord(character))
            assert "LATIN" in unicodedata.name(character)


def test_digits_are_ascii_digits_only():
    assert [c for c in TABLE if unicodedata.category(c).startswith("N")] == list("0123456789")


def test_every_vietnamese_letter_is_allowed():
    marks = ("", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323")
    for vowel in "aăâeêioôơuưy":
        for mark in marks:
            letter = unicodedata.normalize("NFC", vowel + mark)
            assert len(letter) == 1
            check_text(letter + letter.upper())
    check_text("đĐ bcdghklmnpqrstvx")
    check_text("Luật Hộ tịch số 60/2014/QH13, “Điều 16” \u2013 khoản 1…")


def test_every_character_of_the_table_is_allowed_and_no_other_of_the_basic_plane():
    allowed = set(TABLE)
    check_text("".join(TABLE))
    check_text("")
    for point in (*range(0x10000), 0x105D2, 0x1F37A, 0x10FFFF):
        if chr(point) not in allowed:
            with pytest.raises(NotCanonicalError) as caught:
                check_text("a" + chr(point) + "b")
            assert caught.value.details["code_point"] == point


@pytest.mark.parametrize("text", ["a\n", "\n", "a\x00", "a\u0301", "\u200d", "\u202e", "\ufeff"])
def test_controls_marks_and_what_cannot_be_seen_are_refused(text):
    with pytest.raises(NotCanonicalError):
        check_text(text)
