"""Generated persons: for demonstrations, imports of registers without owners, benchmarks and tests.

Names are from `names.toml`, units from the network's own table. Nobody is meant; the same seed
gives the same persons.
"""

import datetime as dt
import random
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from registry.vietnamese_numbers import personal_number_prefix

ADULT_AGE_MIN: Final = 22
ADULT_AGE_MAX: Final = 44
PROVINCE_DIGITS: Final = 3
_SERIAL_DIGITS: Final = 6
_DAYS_OF_YEAR: Final = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A commune in force, with the province it lies in."""

    code: str
    name: str
    province: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person who does not exist.

    Attributes:
        family, middle, given: The parts of the name.
        sex: `male` or `female`.
        birth_date: ISO date.
        number: Personal number, twelve digits.
        home: Where the person lives.
        home_town: In words.
        street: House and street.
        phone: Of the person's contact data.
    """

    family: str
    middle: str
    given: str
    sex: str
    birth_date: str
    number: str
    home: Unit
    home_town: str
    street: str
    phone: str

    @property
    def full_name(self) -> str:
        """Family, middle and given name."""
        return f"{self.family} {self.middle} {self.given}"

    @property
    def residence(self) -> str:
        """House, street and commune."""
        return f"{self.street}, {self.home.name}"

    @property
    def email(self) -> str:
        """A mail address under a domain that nobody can have."""
        return f"p{self.phone[1:]}@example.invalid"


@cache
def _names() -> dict[str, tuple[str, ...]]:
    text = files("cli").joinpath("names.toml").read_text(encoding="utf-8")
    return {name: tuple(words) for name, words in tomllib.loads(text).items()}


class PeopleMaker:
    """Makes persons; no two have the same number or telephone.

    Args:
        units: Communes in which they live; at least one.
        today: ISO date that ages count to.
        seed: Equal seeds give equal persons.

    Attributes:
        made: Everybody made so far.
    """

    def __init__(self, units: Sequence[Unit], today: str, seed: int | str) -> None:
        self._units = units
        self._today = dt.date.fromisoformat(today)
        self._dice = random.Random(seed)  # noqa: S311 - names, not secrets
        self._numbers: set[str] = set()
        self._phones: set[str] = set()
        self.made: list[Person] = []

    def adult(self, sex: str = "", age_min: int = ADULT_AGE_MIN) -> Person:
        """Return a grown person.

        Args:
            sex: `male`, `female`, or empty for any.
            age_min: In years, below `ADULT_AGE_MAX`.
        """
        sex = sex or self._dice.choice(("male", "female"))
        days = self._dice.randrange(age_min * 366, ADULT_AGE_MAX * _DAYS_OF_YEAR)
        return self._person(sex, self._today - dt.timedelta(days=days))

    def child(self, mother: Person, father: Person | None, days_old: int) -> Person:
        """Return a child of these parents, named after the father, else the mother."""
        named = father or mother
        born = self._today - dt.timedelta(days=days_old)
        sex = self._dice.choice(("male", "female"))
        return self._person(sex, born, named.family, mother.home, named.home_town)

    def twin(self, child: Person) -> Person:
        """Return another child born on the same day to the same parents."""
        born = dt.date.fromisoformat(child.birth_date)
        while True:
            found = self._person(child.sex, born, child.family, child.home, child.home_town)
            if (found.middle, found.given) != (child.middle, child.given):
                return found

    def _person(
        self,
        sex: str,
        born: dt.date,
        family: str = "",
        home: Unit | None = None,
        home_town: str = "",
    ) -> Person:
        names, choose = _names(), self._dice.choice
        lives = home or choose(self._units)
        person = Person(
            family=family or choose(names["family"]),
            middle=choose(names[f"middle_{sex}"]),
            given=choose(names[f"given_{sex}"]),
            sex=sex,
            birth_date=born.isoformat(),
            number=self._number(lives, sex, born.year),
            home=lives,
            home_town=home_town or f"{choose(names['home_towns'])}, {lives.name}",
            street=f"{self._dice.randrange(1, 400)} {choose(names['streets'])}",
            phone=self._phone(),
        )
        self.made.append(person)
        return person

    def _number(self, home: Unit, sex: str, year: int) -> str:
        prefix = personal_number_prefix(home.province.zfill(PROVINCE_DIGITS), sex, year)
        while True:
            number = f"{prefix}{self._dice.randrange(10**_SERIAL_DIGITS):06}"
            if number not in self._numbers:
                self._numbers.add(number)
                return number

    def _phone(self) -> str:
        while True:
            phone = f"09{self._dice.randrange(10**8):08}"
            if phone not in self._phones:
                self._phones.add(phone)
                return phone


def communes(table: str) -> tuple[Unit, ...]:
    """Return the communes in force of a table of Viet Nam's units.

    Args:
        table: CSV text with the columns code, level, name, parent, valid_to.
    """
    import csv  # noqa: PLC0415 - for a command that generates persons only

    found = [
        Unit(code=row["code"], name=row["name"], province=row["parent"])
        for row in csv.DictReader(table.splitlines())
        if row["level"] == "commune" and not row["valid_to"] and row["parent"].isdigit()
    ]
    return tuple(found)
