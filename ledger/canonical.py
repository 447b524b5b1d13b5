"""Canonical MessagePack: one value has exactly one encoding, and nothing else is accepted.

Allowed are nil, bool, integers from -2^63 to 2^64 - 1, bin, str, arrays and maps with str keys,
nested at most 16 deep. Lengths and integers take their shortest form, integers >= 0 the unsigned
one, map keys are sorted by their UTF-8 bytes. Floats, extension types, timestamps, duplicate keys
and trailing bytes are refused. Whatever is hashed or signed goes through here, so two nodes can
never disagree on bytes.

Two kinds of text: `encode` and `decode` hold every text to the frozen table of `ledger.text`;
`encode_opaque` and `decode_opaque` are for values that are sealed, which validators never see:
there any Unicode text will do.

The C packer of `msgpack` writes shortest forms and keeps the order of a dict; so encoding is one
walk over the containers (not over their scalars) and one call. Decoding is the C unpacker, then
encoding again and comparing. Before that, bytes long enough to make the unpacker reserve much
memory by false lengths are measured by `_check_shape`, which reserves none.

Source: formats.md, section 1.
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

import msgpack

from ledger.errors import NotCanonicalError
from ledger.limits import NESTING_MAX, check_limit
from ledger.text import check_text

Value: TypeAlias = (
    "bool | int | bytes | str | tuple[Value, ...] | list[Value] | dict[str, Value] | None"
)
"""What the format can say. Decoded arrays are tuples, decoded maps are dicts in key order."""

_SHAPE_UNCHECKED_BYTES_MAX: Final = 2_048
"""Up to here false lengths cost at most 8 * 2,048 * 2,048 / 3 bytes, about 11 MB, for a moment."""


def encode(value: Value) -> bytes:
    """Return the one encoding of a value whose texts are all in the frozen table.

    Args:
        value: Nested at most 16 deep. Maps may be in any order. Numbers, texts and bytes may be of
            a subclass (an `IntEnum`, say); containers may not.

    Returns:
        The canonical bytes.

    Raises:
        NotCanonicalError: A float or another type that the format lacks, an integer outside -2^63
            ... 2^64 - 1, a map key that is no text, nesting over 16, or text outside the table.

    Source: formats.md, section 1.
    """
    texts: list[str] = []
    in_order = _walk((value,), texts, NESTING_MAX)
    if texts:
        check_text("".join(texts))
    return _pack(value if in_order else _sorted(value))


def encode_opaque(value: Value) -> bytes:
    """Return the one encoding of a value that will be sealed; its texts may be any Unicode text.

    Args:
        value: As for `encode`.

    Returns:
        The canonical bytes.

    Raises:
        NotCanonicalError: As for `encode`; of texts only those with a lone surrogate are refused.

    Source: formats.md, section 1.
    """
    in_order = _walk((value,), [], NESTING_MAX)
    return _pack(value if in_order else _sorted(value))


def length_of(value: Value) -> int:
    """Return how many bytes `encode` gives for a value that it takes, without looking at its texts.

    The order of a map's keys does not matter for it.
    """
    return len(_pack(value))


def decode(raw: bytes, bytes_max: int, *, limit: str = "encoded bytes") -> Value:
    """Return the value of canonical bytes whose texts are all in the frozen table.

    Args:
        raw: Bytes from anywhere.
        bytes_max: The most bytes that are looked at.
        limit: The name of that limit in the refusal.

    Returns:
        The value; `encode` gives back exactly `raw`.

    Raises:
        LimitExceededError: `raw` is longer than `bytes_max`.
        NotCanonicalError: `raw` is not the one encoding of an allowed value.

    Source: formats.md, section 1.
    """
    if len(raw) > bytes_max:
        check_limit(limit, len(raw), bytes_max)
    value = _unpack(raw)
    texts: list[str] = []
    in_order = _walk((value,), texts, NESTING_MAX)
    if texts:
        check_text("".join(texts))
    if not in_order or _pack(value) != raw:
        raise NotCanonicalError("the bytes are not the canonical form of their value")
    return value


def decode_opaque(raw: bytes, bytes_max: int, *, limit: str = "encoded bytes") -> Value:
    """Return the value of canonical bytes that were sealed; its texts may be any Unicode text.

    Args:
        raw: Bytes from anywhere.
        bytes_max: The most bytes that are looked at.
        limit: The name of that limit in the refusal.

    Returns:
        The value; `encode_opaque` gives back exactly `raw`.

    Raises:
        LimitExceededError: `raw` is longer than `bytes_max`.
        NotCanonicalError: `raw` is not the one encoding of an allowed value.

    Source: formats.md, section 1.
    """
    check_limit(limit, len(raw), bytes_max)
    value = _unpack(raw)
    if encode_opaque(value) != raw:
        raise NotCanonicalError("the bytes are not the canonical form of their value")
    return value


_TEXTLESS: Final = frozenset({bytes, int, bool, type(None)})
"""Types of scalars of which nothing remains to be checked."""


def _walk(items: Iterable[Value], texts: list[str], depth_left: int) -> bool:
    """Collect the texts of items and of what they hold; tell whether all map keys are in order.

    This is the hottest loop of the program: most items are bytes, texts and integers, so their
    exact types come first, and an empty container costs nothing more.
    """
    in_order = True
    for item in items:
        kind = type(item)
        if kind in _TEXTLESS:
            continue
        if kind is str:
            texts.append(item)  # type: ignore[arg-type]  # its exact type has just been compared
        elif kind is tuple or kind is list or kind is dict:
            if not depth_left:
                raise NotCanonicalError(f"nested deeper than {NESTING_MAX}", maximum=NESTING_MAX)
            if kind is dict:
                in_order = _collect_keys(item, texts) and in_order  # type: ignore[arg-type]
                item = item.values()  # type: ignore[union-attr, assignment]  # noqa: PLW2901
            if item:
                in_order = _walk(item, texts, depth_left - 1) and in_order  # type: ignore[arg-type]
        else:
            _collect_subclass(item, texts)
    return in_order


def _collect_subclass(item: Value, texts: list[str]) -> None:
    """Accept subclasses of scalars, collect a text, refuse every other type."""
    if isinstance(item, str):
        texts.append(item)
    elif not isinstance(item, int | bytes):
        raise NotCanonicalError(f"the format has no values of type {type(item).__name__}")


def _collect_keys(items: dict[str, Value], texts: list[str]) -> bool:
    """Tell whether keys are in order: code points sort as their UTF-8 bytes do."""
    if not items:
        return True
    keys = list(items)
    if not set(map(type, keys)) <= {str}:
        raise NotCanonicalError("a map has a key that is no text")
    texts += keys
    return keys == sorted(keys)


def _sorted(value: Value) -> Value:
    """Return an inspected value with its maps in key order."""
    if type(value) is dict:
        return {key: _sorted(value[key]) for key in sorted(value)}
    if type(value) is tuple or type(value) is list:
        return [_sorted(item) for item in value]
    return value


_Packer: Final = msgpack.Packer  # type: ignore[attr-defined]  # mypy does not see the C module
_PACKER_BYTES: Final = 1_024
"""What a packer reserves at first; with the default, 256 KiB, that costs more than packing."""


def _pack(value: Value) -> bytes:
    try:
        packed: bytes = _Packer(buf_size=_PACKER_BYTES).pack(value)
    except (OverflowError, ValueError) as error:  # ValueError: a lone surrogate, or over 4 GiB
        raise NotCanonicalError("an integer or a text is outside what the format has") from error
    return packed


def _unpack(raw: bytes) -> Value:
    if len(raw) > _SHAPE_UNCHECKED_BYTES_MAX:
        _check_shape(raw)
    try:
        value: Value = msgpack.unpackb(raw, use_list=False, ext_hook=_refuse_extension)
    except NotCanonicalError:
        raise
    except (ValueError, TypeError, OverflowError) as error:
        raise NotCanonicalError("the bytes are not one whole MessagePack value") from error
    return value


def _refuse_extension(kind: int, content: bytes) -> Value:
    raise NotCanonicalError("extension types are not allowed", kind=kind, bytes=len(content))


def _scalar_sizes() -> tuple[int, ...]:
    """Return for each first byte how many bytes the scalar takes; 0 where that is not fixed."""
    sizes = [0] * 256
    for first in (*range(0x80), 0xC0, 0xC2, 0xC3, *range(0xE0, 0x100)):
        sizes[first] = 1
    for first in range(0xA0, 0xC0):
        sizes[first] = 1 + (first & 0x1F)
    for first, size in ((0xCC, 2), (0xCD, 3), (0xCE, 5), (0xCF, 9)):
        sizes[first] = sizes[first + 4] = size
    return tuple(sizes)


_SCALAR_SIZES: Final = _scalar_sizes()
_LENGTH_SIZES: Final = {
    0xC4: 1,  # bin 8, 16, 32
    0xC5: 2,
    0xC6: 4,
    0xD9: 1,  # str 8, 16, 32
    0xDA: 2,
    0xDB: 4,
    0xDC: 2,  # array 16, 32
    0xDD: 4,
    0xDE: 2,  # map 16, 32
    0xDF: 4,
}
"""How many bytes the length takes, by first byte."""
_SMALL_CONTAINERS_END: Final = 0xA0
_SMALL_ARRAYS_START: Final = 0x90
_ARRAYS_START: Final = 0xDC
_MAPS_START: Final = 0xDE


def _check_shape(raw: bytes) -> None:
    """Refuse nesting over 16 and lengths that the bytes cannot hold, without reserving memory."""
    outer: list[int] = []
    left, at = 1, 0
    try:
        while left or outer:
            if not left:
                left = outer.pop()
                continue
            left -= 1
            first = raw[at]
            if size := _SCALAR_SIZES[first]:
                at += size
                continue
            at, length, children = _read_length(raw, at)
            if children is None:
                at += length
                continue
            outer.append(left)
            left = children
            if len(outer) > NESTING_MAX or left > len(raw) - at:
                raise NotCanonicalError("nested too deep, or longer than the bytes can hold")
    except IndexError as error:
        raise NotCanonicalError("the bytes end within a value") from error


def _read_length(raw: bytes, at: int) -> tuple[int, int, int | None]:
    """Return where the content begins, its length, and of an array or map the number of values."""
    first = raw[at]
    if first < _SMALL_CONTAINERS_END:
        length = first & 0x0F
        return at + 1, length, length if first >= _SMALL_ARRAYS_START else length * 2
    size = _LENGTH_SIZES.get(first)
    if size is None:
        raise NotCanonicalError("floats and extension types are not allowed", first_byte=first)
    start = at + 1 + size
    length = int.from_bytes(raw[at + 1 : start])
    if first < _ARRAYS_START:
        return start, length, None
    return start, length, length if first < _MAPS_START else length * 2
