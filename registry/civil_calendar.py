"""Civil dates: block time at UTC+07:00, working days, deadlines, anniversaries.

A date is text `YYYY-MM-DD`; such texts of the years 0001 to 9999 compare as dates do. Periods in
days exclude their first day and end on the next working day if the last one is none. Ranges of
dates are half-open, `[from, to)`.

Source: records.md, introduction; Civil Code 91/2015/QH13 arts 147, 148.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

DAY_MS: Final = 86_400_000
_OFFSET_MS: Final = 7 * 3_600_000
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_LAST_DAY: Final = date.max.toordinal()
_SATURDAY: Final = 5
_DATE_CHARS: Final = 10


def civil_date(time_ms: int) -> str:
    """Return the civil date of a block time (milliseconds since 1970 UTC)."""
    return _civil_day((time_ms + _OFFSET_MS) // DAY_MS)


@lru_cache(maxsize=64)
def _civil_day(days: int) -> str:
    return date.fromordinal(min(_EPOCH_ORDINAL + days, _LAST_DAY)).isoformat()


def is_date(text: str) -> bool:
    """Tell whether a text is a real date of the Gregorian calendar, written YYYY-MM-DD."""
    if len(text) != _DATE_CHARS:
        return False
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def in_range(day: str, first: str, end: str | None) -> bool:
    """Tell whether a day is in `[first, end)`; None: without end."""
    return first <= day and (end is None or day < end)


def add_days(day: str, days: int) -> str:
    """Return the date some days later, or earlier if negative; never after 9999-12-31."""
    ordinal = date.fromisoformat(day).toordinal() + days
    return date.fromordinal(max(1, min(ordinal, _LAST_DAY))).isoformat()


def days_between(first: str, second: str) -> int:
    """Return how many days the second date is after the first; negative if before."""
    return date.fromisoformat(second).toordinal() - date.fromisoformat(first).toordinal()


def is_working_day(day: str, holidays: Sequence[str]) -> bool:
    """Tell whether a day is Monday to Friday and no holiday."""
    return date.fromisoformat(day).weekday() < _SATURDAY and day not in holidays


def deadline(start: str, days: int, holidays: Sequence[str]) -> str:
    """Return the last day of a period of calendar days that begins after `start`."""
    last = date.fromisoformat(add_days(start, days))
    while not is_working_day(last.isoformat(), holidays) and last < date.max:
        last += timedelta(days=1)
    return last.isoformat()


def working_deadline(start: str, days: int, holidays: Sequence[str]) -> str:
    """Return the last day of a period of working days that begins after `start`."""
    day = date.fromisoformat(start)
    left = days
    while left and day < date.max:
        day += timedelta(days=1)
        left -= is_working_day(day.isoformat(), holidays)
    return day.isoformat()


def birthday(birth_date: str, years: int) -> str:
    """Return the day on which somebody turns so old; of 29 February 1 March in a common year."""
    year = int(birth_date[:4]) + years
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    day = "03-01" if birth_date[5:] == "02-29" and not is_leap else birth_date[5:]
    return f"{year:04}-{day}"


def age(birth_date: str, day: str) -> int:
    """Return the full years on a day; one born on 29 February has the day on 1 March otherwise.

    Before the birth it is negative.
    """
    years = int(day[:4]) - int(birth_date[:4])
    return years if day[5:] >= birth_date[5:] else years - 1
