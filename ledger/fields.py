"""One line for each check of a decoded value's shape.

Every parser above `ledger.canonical` reads its fields with these, so each refusal is one sentence
that names the field, and no parser forgets that `True` is an `int` in Python. `name` is the
field's path as `docs/formats.md` spells it; contents are never quoted, for errors are logged.
"""

from collections.abc import Callable
from typing import TypeVar

from keys.hashing import DIGEST_BYTES, Digest
from ledger.canonical import Value
from ledger.errors import InvalidDataError

T = TypeVar("T")

INTEGER_MAX = 2**63 - 1
"""Heights, sizes and times end here: what other languages hold as a signed integer."""


def read_int(value: Value, name: str, minimum: int, maximum: int) -> int:
    """Return an integer within `minimum ... maximum`, both included; a bool is none.

    Raises:
        InvalidDataError: Another type, or out of bounds.
    """
    if type(value) is not int:
        raise InvalidDataError(f"{name} is not an integer")
    if not minimum <= value <= maximum:
        raise InvalidDataError(f"{name} is {value}, not within {minimum} ... {maximum}")
    return value


def read_bool(value: Value, name: str) -> bool:
    """Return a bool.

    Raises:
        InvalidDataError: Another type.
    """
    if type(value) is not bool:
        raise InvalidDataError(f"{name} is neither true nor false")
    return value


def read_bytes(value: Value, name: str, length: int) -> bytes:
    """Return bytes of exactly `length`.

    Raises:
        InvalidDataError: Another type or length.
    """
    if type(value) is bytes and len(value) == length:
        return value
    if type(value) is not bytes:
        raise InvalidDataError(f"{name} is not bytes")
    raise InvalidDataError(f"{name} has {len(value)} bytes instead of {length}")


def read_digest(value: Value, name: str) -> Digest:
    """Return a digest of 32 bytes.

    Raises:
        InvalidDataError: Another type or length.
    """
    if type(value) is bytes and len(value) == DIGEST_BYTES:
        return value  # type: ignore[return-value]  # a Digest; calling it would cost as much again
    return Digest(read_bytes(value, name, DIGEST_BYTES))


def read_bytes_up_to(value: Value, name: str, bytes_max: int) -> bytes:
    """Return bytes of at most `bytes_max`.

    Raises:
        InvalidDataError: Another type, or longer.
    """
    if type(value) is not bytes:
        raise InvalidDataError(f"{name} is not bytes")
    if len(value) > bytes_max:
        raise InvalidDataError(f"{name} has {len(value)} bytes, over {bytes_max}")
    return value


def read_text(value: Value, name: str, chars_max: int, *, chars_min: int = 0) -> str:
    """Return a text of `chars_min ... chars_max` characters, both included.

    Raises:
        InvalidDataError: Another type or length.
    """
    if type(value) is not str:
        raise InvalidDataError(f"{name} is not text")
    if not chars_min <= len(value) <= chars_max:
        raise InvalidDataError(
            f"{name} has {len(value)} characters, not within {chars_min} ... {chars_max}"
        )
    return value


def read_array(value: Value, name: str, length: int | tuple[int, int]) -> tuple[Value, ...]:
    """Return an array of exactly `length` elements, or of a number within `(minimum, maximum)`.

    Raises:
        InvalidDataError: Another type or number of elements.
    """
    if type(value) is not tuple:
        raise InvalidDataError(f"{name} is not an array")
    if len(value) == length:
        return value
    minimum, maximum = (length, length) if isinstance(length, int) else length
    if not minimum <= len(value) <= maximum:
        wanted = f"{minimum}" if minimum == maximum else f"{minimum} ... {maximum}"
        raise InvalidDataError(f"{name} has {len(value)} elements instead of {wanted}")
    return value


def read_map(value: Value, name: str, entries_max: int | None = None) -> dict[str, Value]:
    """Return a map, of at most `entries_max` entries if given.

    Raises:
        InvalidDataError: Another type, or more entries.
    """
    if type(value) is not dict:
        raise InvalidDataError(f"{name} is not a map")
    if entries_max is not None and len(value) > entries_max:
        raise InvalidDataError(f"{name} has {len(value)} entries, over {entries_max}")
    return value


def read_version(value: Value, name: str, version: int) -> int:
    """Return the version number, which must be the one given: unknown versions are refused.

    Raises:
        InvalidDataError: Another type or version.
    """
    if type(value) is not int or value != version:
        raise InvalidDataError(f"{name} is not version {version}")
    return value


def read_optional(value: Value, read: Callable[[Value], T]) -> T | None:
    """Return None for nil, else what `read` makes of the value.

    Raises:
        InvalidDataError: As `read` does.
    """
    return None if value is None else read(value)


def read_optional_int(value: Value, name: str, minimum: int, maximum: int) -> int | None:
    """Return None for nil, else as `read_int`.

    Raises:
        InvalidDataError: Neither nil nor such an integer.
    """
    return None if value is None else read_int(value, name, minimum, maximum)


def read_optional_bytes(value: Value, name: str, length: int) -> bytes | None:
    """Return None for nil, else as `read_bytes`.

    Raises:
        InvalidDataError: Neither nil nor bytes of this length.
    """
    if value is None or (type(value) is bytes and len(value) == length):
        return value
    return read_bytes(value, name, length)


def read_optional_digest(value: Value, name: str) -> Digest | None:
    """Return None for nil, else as `read_digest`.

    Raises:
        InvalidDataError: Neither nil nor a digest.
    """
    return None if value is None else read_digest(value, name)


def read_optional_text(value: Value, name: str, chars_max: int) -> str | None:
    """Return None for nil, else as `read_text`.

    Raises:
        InvalidDataError: Neither nil nor a text of at most this length.
    """
    return None if value is None else read_text(value, name, chars_max)


def read_optional_array(
    value: Value, name: str, length: int | tuple[int, int]
) -> tuple[Value, ...] | None:
    """Return None for nil, else as `read_array`.

    Raises:
        InvalidDataError: Neither nil nor an array of this length.
    """
    return None if value is None else read_array(value, name, length)
