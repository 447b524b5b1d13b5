"""Readers of single values: each returns what it asks for or refuses, and names the place."""

import datetime as dt
import re
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Final, TypeVar

from verifier.encoding import Value
from verifier.refusals import UnreadableError

Item = TypeVar("Item")

INTEGER_MAX: Final = 2**63 - 1
NAME_CHARS_MAX: Final = 64
LONG_TEXT_CHARS_MAX: Final = 4_096
ELEMENTS_MAX: Final = 1_024
SIGNATURE_BYTES: Final = (64, 3_309)

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def refuse(place: str, what: str) -> UnreadableError:
    """Return the error that a place of a format holds something else."""
    return UnreadableError("shape", f"{place}: {what}")


def fixed(value: Value, count: int, place: str) -> list[Value]:
    """Return an array of exactly so many elements."""
    return listed(value, count, count, place)


def listed(value: Value, low: int, high: int, place: str) -> list[Value]:
    """Return an array of `low` to `high` elements."""
    if not isinstance(value, list):
        raise refuse(place, "no array")
    if not low <= len(value) <= high:
        raise refuse(place, f"{len(value)} elements, {low} to {high} are allowed")
    return value


def versioned(value: Value, name: str, count: int) -> list[Value]:
    """Return the elements behind version 1 and a name, `count` of them."""
    found = fixed(value, count + 2, name)
    if integer(found[0], name) != 1 or found[1] != name:
        raise refuse(name, "another version or another kind of document")
    return found[2:]


def integer(value: Value, place: str, low: int = 0, high: int = INTEGER_MAX) -> int:
    """Return an integer within bounds, both included."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise refuse(place, "no integer")
    if not low <= value <= high:
        raise refuse(place, f"{value}, allowed is {low} to {high}")
    return value


def octets(value: Value, size: int, place: str) -> bytes:
    """Return a byte string of exactly so many bytes."""
    if not isinstance(value, bytes) or len(value) != size:
        raise refuse(place, f"no byte string of {size} bytes")
    return value


def octets_to(value: Value, high: int, place: str) -> bytes:
    """Return a byte string of at most so many bytes."""
    if not isinstance(value, bytes) or len(value) > high:
        raise refuse(place, f"no byte string of up to {high} bytes")
    return value


def signature(value: Value, place: str) -> bytes:
    """Return a signature: it has the length of some algorithm that signs."""
    if not isinstance(value, bytes) or len(value) not in SIGNATURE_BYTES:
        raise refuse(place, "no signature")
    return value


def words(value: Value, place: str, low: int = 1, high: int = NAME_CHARS_MAX) -> str:
    """Return a text of `low` to `high` characters."""
    if not isinstance(value, str) or not low <= len(value) <= high:
        raise refuse(place, f"no text of {low} to {high} characters")
    return value


def mapping(value: Value, place: str, high: int = ELEMENTS_MAX) -> dict[str, Value]:
    """Return a map of at most so many keys."""
    if not isinstance(value, dict) or len(value) > high:
        raise refuse(place, f"no map of up to {high} keys")
    return value


def truth(value: Value, place: str) -> bool:
    """Return a truth value."""
    if not isinstance(value, bool):
        raise refuse(place, "neither true nor false")
    return value


def day(value: Value, place: str) -> str:
    """Return a real day of the Gregorian calendar, `YYYY-MM-DD`."""
    text = words(value, place, 10, 10)
    if not _DATE.fullmatch(text):
        raise refuse(place, "no date")
    try:
        dt.date(int(text[:4]), int(text[5:7]), int(text[8:]))
    except ValueError as error:
        raise refuse(place, "no day of the calendar") from error
    return text


def maybe(value: Value, read: Callable[[Value], Item]) -> Item | None:
    """Return nil as None, and everything else as `read` does."""
    return None if value is None else read(value)


def ascending(keys: Iterable[bytes] | Iterable[int], place: str) -> None:
    """Refuse keys that do not strictly ascend."""
    if any(first >= second for first, second in pairwise(list(keys))):  # type: ignore[operator]  # one type each
        raise refuse(place, "not in ascending order, or one is there twice")


def distinct(items: Iterable[bytes], place: str) -> None:
    """Refuse items of which two are equal."""
    found = list(items)
    if len(set(found)) != len(found):
        raise refuse(place, "two are equal")
