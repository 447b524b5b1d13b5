"""Vietnamese numbers: the personal number, the tax code, and the QR line of the identity card.

None of these functions quotes the number in what it raises: errors are logged, and a personal
number says sex, century, birth year and province to anyone who reads it.

Source: records.md, section 7; Decree 137/2015 art. 13; Circular 59/2021; Circular 105/2020.
"""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Final

from keys.errors import CivregError

PERSONAL_NUMBER_DIGITS: Final = 12
TAX_CODE_WEIGHTS: Final = (31, 29, 23, 19, 17, 13, 7, 5, 3)
TAX_CODE_MODULUS: Final = 11
CARD_LINE_CHARS_MAX: Final = 512
CARD_LINE_FIELDS: Final = 7

_FIRST_CENTURY: Final = 19
_CENTURY_YEARS: Final = 100
_LAST_CENTURY_DIGIT: Final = 9
_NEVER_ISSUED: Final = 10
_PERSONAL_NUMBER: Final = re.compile(r"[0-9]{12}")
_OLD_CARD_NUMBER: Final = re.compile(r"[0-9]{9}|[0-9]{12}|")
_TAX_CODE: Final = re.compile(r"([0-9]{9})([0-9])(?:-([0-9]{3}))?")
_CARD_DATE: Final = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{4})")
_SEX_OF_CARD: Final = {"Nam": "male", "Nữ": "female"}


class InvalidNumberError(CivregError):
    """A personal number, tax code or card line is not of its form, or its check digit is wrong."""

    code = "registry.invalid_number"


@dataclass(frozen=True, slots=True)
class PersonalNumber:
    """What the twelve digits `PPP G YY SSSSSS` say; there is no check digit among them.

    Attributes:
        place: Three digits: province or country of the birth's registration.
        sex: `male` or `female`.
        birth_year: From 1900 to 2399.
    """

    place: str
    sex: str
    birth_year: int


@dataclass(frozen=True, slots=True)
class CardLine:
    """The QR line of an identity card. It is unsigned: it fills forms, it proves nothing.

    Attributes:
        personal_number: Twelve digits.
        old_number: Number of the card before, or None.
        full_name: As printed.
        birth_date: ISO date.
        sex: `male` or `female`.
        address: As printed.
        issued_on: ISO date.
    """

    personal_number: str
    old_number: str | None
    full_name: str
    birth_date: str
    sex: str
    address: str
    issued_on: str


def parse_personal_number(number: str) -> PersonalNumber:
    """Return what a personal number says.

    Args:
        number: Twelve ASCII digits.

    Raises:
        InvalidNumberError: Another form.
    """
    if _PERSONAL_NUMBER.fullmatch(number) is None:
        raise InvalidNumberError("a personal number has twelve digits")
    century_and_sex = int(number[3])
    century = _FIRST_CENTURY + century_and_sex // 2
    return PersonalNumber(
        place=number[:3],
        sex="female" if century_and_sex % 2 else "male",
        birth_year=_CENTURY_YEARS * century + int(number[4:6]),
    )


def personal_number_prefix(place: str, sex: str, birth_year: int) -> str:
    """Return the first six digits of the numbers of these persons.

    Args:
        place: Three digits.
        sex: `male` or `female`.
        birth_year: From 1900 to 2399.

    Raises:
        InvalidNumberError: No number can be given to such a person.
    """
    digit = 2 * (birth_year // _CENTURY_YEARS - _FIRST_CENTURY) + (sex == "female")
    known = sex in {"male", "female"} and 0 <= digit <= _LAST_CENTURY_DIGIT
    if not known or re.fullmatch("[0-9]{3}", place) is None:
        raise InvalidNumberError("no personal number begins with this place, sex and year")
    return f"{place}{digit}{birth_year % _CENTURY_YEARS:02}"


def tax_check_digit(stem: str) -> int:
    """Return the tenth digit of a tax code.

    Args:
        stem: The first nine digits.

    Raises:
        InvalidNumberError: Not nine digits, or a stem that is never issued: its remainder is 0 and
            the check digit would be 10.
    """
    if re.fullmatch("[0-9]{9}", stem) is None:
        raise InvalidNumberError("the stem of a tax code has nine digits")
    weighted = sum(
        weight * int(digit) for weight, digit in zip(TAX_CODE_WEIGHTS, stem, strict=True)
    )
    check = TAX_CODE_MODULUS - 1 - weighted % TAX_CODE_MODULUS
    if check == _NEVER_ISSUED:
        raise InvalidNumberError("tax codes with this stem are never issued")
    return check


def check_tax_code(code: str) -> None:
    """Refuse a tax code of another form than `NNNNNNNNNN` or `NNNNNNNNNN-NNN`.

    Raises:
        InvalidNumberError: Wrong form, wrong check digit, or branch 000.
    """
    match = _TAX_CODE.fullmatch(code)
    if match is None:
        raise InvalidNumberError("a tax code has ten digits, a branch three more after a hyphen")
    stem, check, branch = match.groups()
    if tax_check_digit(stem) != int(check):
        raise InvalidNumberError("the check digit of the tax code is wrong")
    if branch == "000":
        raise InvalidNumberError("branches are numbered from 001")


def parse_card_line(line: str) -> CardLine:
    """Read the QR line of an identity card: seven fields with `|` between.

    Args:
        line: At most 512 characters: number, old number (may be empty), full name, birth date,
            sex, address, issue date; dates as `ddmmyyyy`.

    Raises:
        InvalidNumberError: Another form.
    """
    fields = line.strip("\r\n").split("|") if len(line) <= CARD_LINE_CHARS_MAX else []
    if len(fields) != CARD_LINE_FIELDS:
        raise InvalidNumberError("the line of an identity card has seven fields")
    number, old, name, born, sex, address, issued = fields
    parse_personal_number(number)
    if _OLD_CARD_NUMBER.fullmatch(old) is None:
        raise InvalidNumberError("the old number of an identity card has nine or twelve digits")
    if sex not in _SEX_OF_CARD or not name:
        raise InvalidNumberError("the line of an identity card lacks name or sex")
    return CardLine(
        personal_number=number,
        old_number=old or None,
        full_name=name,
        birth_date=_card_date(born),
        sex=_SEX_OF_CARD[sex],
        address=address,
        issued_on=_card_date(issued),
    )


def _card_date(digits: str) -> str:
    match = _CARD_DATE.fullmatch(digits)
    if match is None:
        raise InvalidNumberError("a date on an identity card has eight digits")
    day, month, year = (int(part) for part in match.groups())
    try:
        return dt.date(year, month, day).isoformat()
    except ValueError as error:
        raise InvalidNumberError("a date on an identity card does not exist") from error
