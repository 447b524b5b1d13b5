"""Ids and fingerprints as people compare them.

Source: docs/formats.md, section 4.
"""

from itertools import pairwise
from typing import Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CHECK_ALPHABET: Final = _ALPHABET + "*~$=U"
_CHARACTERS: Final = 26
_PADDING_BITS: Final = 2
_GROUPS: Final = (0, 5, 10, 15, 20, 26)


def print_id(identifier: bytes) -> str:
    """Return 16 bytes as 26 characters of Crockford base32 in groups, and a check character."""
    number = int.from_bytes(identifier)
    shifted = number << _PADDING_BITS
    text = "".join(_ALPHABET[shifted >> 5 * place & 31] for place in range(_CHARACTERS - 1, -1, -1))
    groups = [text[start:end] for start, end in pairwise(_GROUPS)]
    return "-".join([*groups, _CHECK_ALPHABET[number % len(_CHECK_ALPHABET)]])
