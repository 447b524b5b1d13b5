"""The 16-byte names of records, agencies, offices and acts: made, shown to people, read back.

Nobody chooses the id of a record: it follows from the entry that creates it, or from the effect
that does, and every node computes it again. So nobody can take another's pending id.

People see 26 characters of Crockford's base32 in groups and a check character, for example
`MNGMA-9RCWT-SVXF8-XT09B-EEA8CW-X`. The check finds every single wrong character and every swap of
two neighbours among the 26; reading forgives lower case, missing hyphens, `I` or `L` for 1 and `O`
for 0.

Source: docs/formats.md, section 4; Crockford, "Base 32".
"""

from itertools import pairwise
from typing import Final, NewType

from keys.hashing import Digest, domain, hash_with
from keys.signing import KeyId
from ledger.canonical import encode
from ledger.errors import InvalidDataError

RecordId = NewType("RecordId", bytes)
"""16 bytes that name a record; identities of people are records too."""
AgencyId = NewType("AgencyId", bytes)
"""16 random bytes that name an agency; validators are sorted by it."""
OfficeId = NewType("OfficeId", bytes)
"""16 bytes that name an office of an agency; random in genesis."""
ActId = NewType("ActId", bytes)
"""16 random bytes that make one act different from all others."""
ObjectId = NewType("ObjectId", bytes)
"""16 bytes that name an object: a certificate, a grant, a ballot, a notice."""

ID_BYTES: Final = 16

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CHECK_ALPHABET: Final = _ALPHABET + "*~$=U"
_CHARACTERS: Final = 26
_PADDING_BITS: Final = 2
_GROUPS: Final = (0, 5, 10, 15, 20, 26)
_TEXT_CHARS_MAX: Final = 64
_FORGIVEN: Final = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzILO", "ABCDEFGH1JK1MN0PQRSTUVWXYZ110", "-"
)
_RECORD_ID: Final = domain("record-id")
_DERIVED_ID: Final = domain("derived-id")


def record_id(network_id: Digest, first_signer_key_id: KeyId, act_id: ActId) -> RecordId:
    """Return the id of the record that an entry creates.

    Args:
        network_id: Digest of the genesis document, 32 bytes.
        first_signer_key_id: Key id of the head's first signer, 16 bytes; of a custody form its
            first officer's.
        act_id: The head's act id, 16 bytes.

    Source: docs/formats.md, section 4.
    """
    return RecordId(hash_with(_RECORD_ID, network_id, first_signer_key_id, act_id)[:ID_BYTES])


def derived_id(creating_record_id: RecordId, new_version: int, effect: str, index: int) -> RecordId:
    """Return the id of the record or object that an effect makes.

    Args:
        creating_record_id: The record whose entry caused the effect, 16 bytes.
        new_version: That record's version after the entry, from 1.
        effect: The effect's name.
        index: Counts the things that this effect makes in this entry, from 0.

    Source: docs/formats.md, section 4.
    """
    source = encode((creating_record_id, new_version, effect, index))
    return RecordId(hash_with(_DERIVED_ID, source)[:ID_BYTES])


def print_id(identifier: bytes) -> str:
    """Return the form for people: 26 characters in groups and a check character, 32 in all.

    Args:
        identifier: 16 bytes.
    """
    assert len(identifier) == ID_BYTES, "every id has 16 bytes"
    number = int.from_bytes(identifier)
    shifted = number << _PADDING_BITS
    text = "".join(_ALPHABET[shifted >> 5 * place & 31] for place in range(_CHARACTERS - 1, -1, -1))
    groups = [text[start:end] for start, end in pairwise(_GROUPS)]
    return "-".join([*groups, _CHECK_ALPHABET[number % 37]])


def parse_id(text: str) -> bytes:
    """Return the 16 bytes of an id that a person typed or a scanner read.

    Args:
        text: As `print_id` shows it; lower case, missing hyphens, I or L for 1 and O for 0 are
            forgiven.

    Returns:
        16 bytes, to be named a RecordId, AgencyId, … by the caller.

    Raises:
        InvalidDataError: Another length or character, a wrong check character, or set padding bits.
    """
    if len(text) > _TEXT_CHARS_MAX:
        raise InvalidDataError(f"an id of {len(text)} characters, over {_TEXT_CHARS_MAX}")
    characters = text.translate(_FORGIVEN)
    if len(characters) != _CHARACTERS + 1:
        raise InvalidDataError(
            f"an id has {_CHARACTERS} characters and a check character, this has {len(characters)}"
        )
    shifted = 0
    for character in characters[:-1]:
        digit = _ALPHABET.find(character)
        if digit < 0:
            raise InvalidDataError("an id holds a character that ids never hold")
        shifted = shifted << 5 | digit
    number, padding = divmod(shifted, 1 << _PADDING_BITS)
    if padding:
        raise InvalidDataError("the last character of an id is impossible")
    if _CHECK_ALPHABET[number % 37] != characters[-1]:
        raise InvalidDataError("the check character of an id is wrong: a typing or reading error")
    return number.to_bytes(ID_BYTES)
