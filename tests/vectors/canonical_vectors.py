"""Frozen vectors of the one encoding, for `tests.vectors.make_vectors`."""

from typing import Any, Final

from ledger.canonical import Value, encode, encode_opaque
from ledger.limits import NESTING_MAX

INTEGERS: Final = (
    *(0, 127, 128, 255, 256, 2**16 - 1, 2**16, 2**32 - 1, 2**32, 2**63, 2**64 - 1),
    *(-1, -32, -33, -128, -129, -(2**15), -(2**15) - 1, -(2**31), -(2**31) - 1, -(2**63)),
)
OPAQUE_ONLY: Final = ("\u6797", "e\u0301", "\u200b", "\u0661", "\t", "\U0001f600")


def canonical_vectors() -> dict[str, Any]:
    """Values at the borders of the forms, and bytes that are the encoding of none."""
    return {
        "integers": [{"value": str(one), "raw": encode(one).hex()} for one in INTEGERS],
        "others": {name: encode(value).hex() for name, value in _others().items()},
        "opaque_only": [{"text": text, "raw": encode_opaque(text).hex()} for text in OPAQUE_ONLY],
        "refused": REFUSED,
    }


def _others() -> dict[str, Value]:
    return {
        "nil": None,
        "false": False,
        "true": True,
        "an empty text": "",
        "a text of 31 bytes": "a" * 31,
        "a text of 32 bytes": "a" * 32,
        "a text of 256 bytes": "a" * 256,
        "Vietnamese text": "Nguyễn Thị Ân \u2013 “Đức”…",
        "empty bytes": b"",
        "256 bytes": bytes(256),
        "an empty array": (),
        "an array of 15": (0,) * 15,
        "an array of 16": (0,) * 16,
        "a map whose keys ascend by their bytes": {"b": 1, "aa": 2, "đ": 3, "a": 4},
        "a map of 16": {chr(ord("a") + at): at for at in range(16)},
        "nested 16 deep": _nested(NESTING_MAX),
    }


def _nested(depth: int) -> Value:
    value: Value = 0
    for _ in range(depth):
        value = (value,)
    return value


REFUSED: Final = {
    "no value": "",
    "a value and a byte": "c0c0",
    "a cut text": "a261",
    "an integer in a longer form": "cc7f",
    "a negative integer in a longer form": "d0e0",
    "an integer >= 0 in a signed form": "d17fff",
    "a text length in a longer form": "d90161",
    "a bytes length in a longer form": "c5000100",
    "an array length in a longer form": "dc0001c0",
    "a map length in a longer form": "de0001a161c0",
    "a float": "cb3ff0000000000000",
    "an extension": "d40100",
    "a timestamp": "d6ff00000000",
    "the unused first byte": "c1",
    "map keys out of order": "82a162c0a161c0",
    "a map key twice": "82a161c0a161c0",
    "a map key that is no text": "8101c0",
    "text that is not UTF-8": "a1ff",
    "a surrogate in UTF-8": "a3eda080",
    "nested 17 deep": "91" * 17 + "00",
}
