"""Canonical MessagePack, decoded by hand so that only the one encoding of a value has a way in.

Source: docs/formats.md, section 1.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import msgpack

from verifier.refusals import UnreadableError

Value: TypeAlias = "bool | int | str | bytes | list[Value] | dict[str, Value] | None"

DEPTH_MAX: Final = 16

# The table of section 1: first and last code point of each range.
_RANGES: Final = (
    (0x0020, 0x007E), (0x00A1, 0x00A1), (0x00A7, 0x00A7), (0x00AB, 0x00AB), (0x00B7, 0x00B7),
    (0x00BB, 0x00BB), (0x00BF, 0x00D6), (0x00D8, 0x00F6), (0x00F8, 0x0131), (0x0134, 0x013E),
    (0x0141, 0x0148), (0x014A, 0x017E), (0x01A0, 0x01A1), (0x01AF, 0x01B0), (0x01CD, 0x01DC),
    (0x01DE, 0x01E3), (0x01E6, 0x01F0), (0x01F4, 0x01F5), (0x01F8, 0x021B), (0x021E, 0x021F),
    (0x0226, 0x0233), (0x1E00, 0x1E99), (0x1E9E, 0x1E9E), (0x1EA0, 0x1EF9), (0x2013, 0x2014),
    (0x2018, 0x2019), (0x201C, 0x201E), (0x2026, 0x2026),
)  # fmt: skip
_ALLOWED: Final = frozenset(chr(point) for low, high in _RANGES for point in range(low, high + 1))

_STR, _BIN, _ARRAY, _MAP = "str", "bin", "array", "map"
# First byte -> kind, bytes of its length, least length that needs this form.
_LENGTHS: Final = {
    0xC4: (_BIN, 1, 0), 0xC5: (_BIN, 2, 1 << 8), 0xC6: (_BIN, 4, 1 << 16),
    0xD9: (_STR, 1, 32), 0xDA: (_STR, 2, 1 << 8), 0xDB: (_STR, 4, 1 << 16),
    0xDC: (_ARRAY, 2, 16), 0xDD: (_ARRAY, 4, 1 << 16),
    0xDE: (_MAP, 2, 16), 0xDF: (_MAP, 4, 1 << 16),
}  # fmt: skip
# First byte -> bytes of the integer, signed, range that needs this form.
_INTEGERS: Final = {
    0xCC: (1, False, 1 << 7, 1 << 8), 0xCD: (2, False, 1 << 8, 1 << 16),
    0xCE: (4, False, 1 << 16, 1 << 32), 0xCF: (8, False, 1 << 32, 1 << 64),
    0xD0: (1, True, -(1 << 7), -(1 << 5)), 0xD1: (2, True, -(1 << 15), -(1 << 7)),
    0xD2: (4, True, -(1 << 31), -(1 << 15)), 0xD3: (8, True, -(1 << 63), -(1 << 31)),
}  # fmt: skip
# First byte -> the whole value.
_WHOLE: Final[dict[int, bool | int | None]] = {
    **{first: first for first in range(0x80)},
    **{first: first - 0x100 for first in range(0xE0, 0x100)},
    0xC0: None, 0xC2: False, 0xC3: True,
}  # fmt: skip
# First byte -> kind and length of short texts, arrays and maps.
_SHORT: Final = {
    **{0xA0 + length: (_STR, length) for length in range(32)},
    **{0x90 + length: (_ARRAY, length) for length in range(16)},
    **{0x80 + length: (_MAP, length) for length in range(16)},
}


def encode(value: object) -> bytes:
    """Return the canonical bytes of a value without maps; msgpack packs in the shortest form."""
    packed: bytes = msgpack.packb(value)
    return packed


def decode(raw: bytes, bytes_max: int, *, opaque: bool = False) -> Value:
    """Return the value of canonical bytes.

    Args:
        raw: From anywhere.
        bytes_max: Longer ones are refused unread.
        opaque: Allow any valid UTF-8 instead of the table's code points.

    Raises:
        UnreadableError: Too long, or not the one encoding of a value.
    """
    if len(raw) > bytes_max:
        raise UnreadableError("too_long", f"{len(raw)} bytes, at most {bytes_max} are allowed")
    decoder = _Decoder(raw, opaque=opaque)
    value = decoder.value(0)
    if decoder.at != len(raw):
        raise UnreadableError("trailing_bytes", "bytes follow the value")
    return value


@dataclass(slots=True)
class _Decoder:
    """Reads one value after the other from `at` on."""

    raw: bytes
    opaque: bool
    at: int = 0

    def value(self, depth: int) -> Value:
        """Return the next value; `depth` containers are around it."""
        first = self.take(1)[0]
        if first in _WHOLE:
            return _WHOLE[first]
        if first in _INTEGERS:
            return self.integer(*_INTEGERS[first])
        kind, length = self.length(first)
        if kind == _BIN:
            return self.take(length)
        if kind == _STR:
            return self.text(length)
        if depth >= DEPTH_MAX:
            raise UnreadableError("too_deep", f"nested over {DEPTH_MAX} deep")
        if length > len(self.raw) - self.at:
            raise UnreadableError("cut", "more elements than bytes")
        if kind == _ARRAY:
            return [self.value(depth + 1) for _ in range(length)]
        return self.map(length, depth + 1)

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        taken = self.raw[self.at : self.at + count]
        if len(taken) != count:
            raise UnreadableError("cut", "the bytes end within a value")
        self.at += count
        return taken

    def integer(self, size: int, signed: bool, low: int, high: int) -> int:  # noqa: FBT001
        """Return an integer in the form for `low <= value < high`."""
        value = int.from_bytes(self.take(size), signed=signed)
        if not low <= value < high:
            raise UnreadableError("not_shortest", "an integer is not in its shortest form")
        return value

    def length(self, first: int) -> tuple[str, int]:
        """Return kind and length of what `first` begins."""
        if first in _SHORT:
            return _SHORT[first]
        if first not in _LENGTHS:
            raise UnreadableError("forbidden_type", f"values of type {first:#x} are not allowed")
        kind, size, least = _LENGTHS[first]
        length = int.from_bytes(self.take(size))
        if length < least:
            raise UnreadableError("not_shortest", "a length is not in its shortest form")
        return kind, length

    def text(self, length: int) -> str:
        """Return a text of so many bytes."""
        try:
            text = self.take(length).decode("utf-8")
        except UnicodeDecodeError as error:
            raise UnreadableError("not_utf8", "a text is not UTF-8") from error
        if not self.opaque and not _ALLOWED.issuperset(text):
            raise UnreadableError("text", "a text holds a character that is not in the table")
        return text

    def map(self, length: int, depth: int) -> dict[str, Value]:
        """Return a map whose keys ascend by their UTF-8 bytes."""
        found: dict[str, Value] = {}
        before: bytes | None = None
        for _ in range(length):
            key = self.value(depth)
            if not isinstance(key, str):
                raise UnreadableError("key_type", "a key is no text")
            if before is not None and key.encode() <= before:
                raise UnreadableError("key_order", "keys do not ascend, or one is there twice")
            before = key.encode()
            found[key] = self.value(depth)
        return found
