"""Is this birth registered already? Names and dates that could be one child's.

Names are compared without marks, the order of words ignored, one typing error allowed in each word
of four letters or more. This needs opened bodies, so it is an office rule; the two other rules of
records.md, section 8 (same mother too close, same name and same mother) are ledger rules.

Source: records.md, section 8.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ledger.ids import RecordId
from registry.civil_calendar import days_between
from registry.spelling import name_tokens

BIRTH_DAYS_APART_MAX: Final = 5
MOTHER_DAYS_APART_MAX: Final = 365
FUZZY_TOKEN_LETTERS_MIN: Final = 4
NAME_TOKENS_MAX: Final = 16
"""Longer names are compared exactly: matching words one by one costs their number squared."""

_YEAR_CHARS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class BirthSketch:
    """What two births are compared by.

    Attributes:
        record_id: The birth record.
        child_name: Family, middle and given name with blanks between.
        birth_date: ISO date.
        mother_name: As on the record, or None.
        mother_born: ISO date, or the year alone, or None.
        mother: The mother's identity, or None.
        father_name: Likewise of the father.
        father_born: Likewise.
        father: Likewise.
    """

    record_id: RecordId
    child_name: str
    birth_date: str
    mother_name: str | None
    mother_born: str | None
    mother: RecordId | None
    father_name: str | None = None
    father_born: str | None = None
    father: RecordId | None = None

    def exchanged(self) -> "BirthSketch":
        """Return the same birth with mother and father exchanged, as a clerk may have typed it."""
        return replace(
            self,
            mother_name=self.father_name,
            mother_born=self.father_born,
            mother=self.father,
            father_name=self.mother_name,
            father_born=self.mother_born,
            father=self.mother,
        )


def similar_births(birth: BirthSketch, others: Iterable[BirthSketch]) -> tuple[RecordId, ...]:
    """Return the records that may be the same birth; the birth itself never counts.

    All of these must hold: similar child's name, birth dates at most 5 days apart, similar mother's
    name, mothers' births at most 365 days apart, and equal mother ids where both have one. They may
    hold of the birth with its parents exchanged.
    """
    ways = birth, birth.exchanged()
    return tuple(
        other.record_id
        for other in others
        if other.record_id != birth.record_id and any(_is_similar(one, other) for one in ways)
    )


def _is_similar(birth: BirthSketch, other: BirthSketch) -> bool:
    if birth.mother is not None and other.mother is not None and birth.mother != other.mother:
        return False
    if birth.mother_name is None or other.mother_name is None:
        return False
    return (
        days_apart(birth.birth_date, other.birth_date) <= BIRTH_DAYS_APART_MAX
        and similar_names(birth.child_name, other.child_name)
        and similar_names(birth.mother_name, other.mother_name)
        and _mothers_close(birth.mother_born, other.mother_born)
    )


def _mothers_close(first: str | None, second: str | None) -> bool:
    if first is None or second is None:
        return False
    if len(first) == _YEAR_CHARS or len(second) == _YEAR_CHARS:
        return abs(int(first[:_YEAR_CHARS]) - int(second[:_YEAR_CHARS])) <= 1
    return days_apart(first, second) <= MOTHER_DAYS_APART_MAX


def days_apart(first: str, second: str) -> int:
    """Return the days between two ISO dates, 0 or more."""
    return abs(days_between(first, second))


def similar_names(first: str, second: str) -> bool:
    """Tell whether two names could be one: as many words, and each has a similar partner."""
    words, partners = name_tokens(first), name_tokens(second)
    if words == partners:
        return True
    if len(words) != len(partners) or len(words) > NAME_TOKENS_MAX:
        return False
    choices = [
        [place for place, partner in enumerate(partners) if similar_words(word, partner)]
        for word in words
    ]
    return _has_matching(choices)


def similar_words(first: str, second: str) -> bool:
    """Tell whether two folded words are equal, or long enough and one typing error apart."""
    if first == second:
        return True
    if min(len(first), len(second)) < FUZZY_TOKEN_LETTERS_MIN or abs(len(first) - len(second)) > 1:
        return False
    shorter, longer = sorted((first, second), key=len)
    start = 0
    while start < len(shorter) and shorter[start] == longer[start]:
        start += 1
    skipped = start + (len(longer) == len(shorter))
    return shorter[skipped:] == longer[start + 1 :]


def _has_matching(choices: Sequence[Sequence[int]]) -> bool:
    """Tell whether every word finds a partner of its own (Kuhn's augmenting paths)."""
    taken: dict[int, int] = {}

    def place(word: int, tried: set[int]) -> bool:
        for partner in choices[word]:
            if partner in tried:
                continue
            tried.add(partner)
            if partner not in taken or place(taken[partner], tried):
                taken[partner] = word
                return True
        return False

    return all(place(word, set()) for word in range(len(choices)))
