"""Numbers of records.md, section 7, with its vectors."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.vietnamese_numbers import (
    InvalidNumberError,
    check_tax_code,
    parse_card_line,
    parse_personal_number,
    personal_number_prefix,
    tax_check_digit,
)

LINE = "001204000123|012345678|Nguyễn Văn An|05092004|Nam|Hà Nội|01012022"


@pytest.mark.parametrize(
    ("digit", "sex", "century"),
    [
        (2 * step + odd, ("male", "female")[odd], 1900 + 100 * step)
        for step in range(5)
        for odd in (0, 1)
    ],
)
def test_the_fourth_digit_says_century_and_sex(digit, sex, century):
    parsed = parse_personal_number(f"001{digit}04000123")
    assert (parsed.place, parsed.sex, parsed.birth_year) == ("001", sex, century + 4)
    assert personal_number_prefix("001", sex, century + 4) == f"001{digit}04"


@pytest.mark.parametrize(
    "number", ["", "00120400012", "0012040001234", "00120400012a", "\uff10\uff101204000123"]
)
def test_a_personal_number_is_twelve_ascii_digits(number):
    with pytest.raises(InvalidNumberError):
        parse_personal_number(number)


@pytest.mark.parametrize("code", ["0312345673", "0100000010", "0312345673-001", "0312345673-999"])
def test_valid_tax_codes_are_accepted(code):
    check_tax_code(code)


@pytest.mark.parametrize(
    "code",
    ["0312345670", "031234567", "0312345673-000", "0312345673-1", "0312345673\n"]
    + [f"010000005{check}" for check in range(10)],
)
def test_wrong_tax_codes_are_refused(code):
    with pytest.raises(InvalidNumberError):
        check_tax_code(code)


def test_a_stem_with_remainder_zero_is_never_issued():
    with pytest.raises(InvalidNumberError):
        tax_check_digit("010000005")
    assert tax_check_digit("031234567") == 3


@given(st.text("0123456789", min_size=9, max_size=9), st.integers(0, 8), st.integers(1, 9))
def test_one_wrong_digit_of_a_tax_code_is_always_noticed(stem, place, shift):
    """Invariant: every weight is prime to 11, so a changed digit changes the check digit."""
    try:
        check = tax_check_digit(stem)
    except InvalidNumberError:
        return
    digit = (int(stem[place]) + shift) % 10
    wrong = stem[:place] + str(digit) + stem[place + 1 :]
    with pytest.raises(InvalidNumberError):
        check_tax_code(f"{wrong}{check}")


def test_a_card_line_fills_a_form():
    card = parse_card_line(LINE + "\n")
    assert card.personal_number == "001204000123"
    assert (card.birth_date, card.issued_on) == ("2004-09-05", "2022-01-01")
    assert (card.full_name, card.sex, card.old_number) == ("Nguyễn Văn An", "male", "012345678")
    assert parse_card_line(LINE.replace("012345678|", "|")).old_number is None


@pytest.mark.parametrize(
    "line",
    ["", LINE + "|", LINE[4:], LINE.replace("05092004", "31022004"), LINE.replace("|Nam|", "|X|")],
)
def test_a_damaged_card_line_is_refused(line):
    with pytest.raises(InvalidNumberError):
        parse_card_line(line)


@given(st.text(max_size=60))
def test_no_text_makes_a_number_parser_fail_otherwise(text):
    for parse in (parse_personal_number, check_tax_code, parse_card_line, tax_check_digit):
        with suppress(InvalidNumberError):
            parse(text)
