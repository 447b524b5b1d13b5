"""What the state is a map of: keys and values as bytes, as hashes and as they are stored.

A key is an array that begins with its kind, for example `("record", record_id)`. Only hashes stand
in the authenticated tree, and each value is blinded by 16 bytes that follow from the blinds of the
entry that wrote it: a proof shown to one person lets nobody guess the values of its neighbours.

Source: docs/formats.md, section 9.
"""

from typing import TYPE_CHECKING, Final, TypeAlias

from keys.hashing import Digest, domain, hash_with, sha256
from ledger.canonical import Value, decode, encode
from ledger.errors import InvalidDataError

if TYPE_CHECKING:
    from ledger.entries import EntryContent

StateKey: TypeAlias = tuple[Value, ...]
"""`(kind, ...)`: a kind in words, then ids, numbers and texts."""

STATE_BLIND_BYTES: Final = 16
STATE_KEY_BYTES_MAX: Final = 1_024
"""Bytes of an encoded state key."""
STATE_VALUE_BYTES_MAX: Final = 1024 * 1024
"""Bytes of an encoded state value; tables and schemas are written in chunks far below it."""

_STATE_KEY: Final = domain("state-key")
_STATE: Final = domain("state")
_STATE_BLIND: Final = domain("state-blind")
_STORED_PREFIX: Final = b"\x92\xc4\x10"
"""How canonical([blind, value]) begins: an array of two, the first a bin of 16."""
STORED_BEFORE_BYTES: Final = len(_STORED_PREFIX) + STATE_BLIND_BYTES


def key_bytes(key: StateKey) -> bytes:
    """Return the canonical bytes of a state key, under which stores keep it.

    Raises:
        NotCanonicalError: The key holds a value that the format lacks.
    """
    return encode(key)


def key_hash(key: StateKey) -> Digest:
    """Return the 32-byte position of a key in the state tree.

    Raises:
        NotCanonicalError: The key holds a value that the format lacks.
    """
    return key_bytes_hash(encode(key))


def key_bytes_hash(encoded_key: bytes) -> Digest:
    """Return the position in the state tree of a key given by its canonical bytes."""
    return hash_with(_STATE_KEY, encoded_key)


def parse_key(encoded_key: bytes) -> StateKey:
    """Return the key of its canonical bytes.

    Raises:
        InvalidDataError: Too long, not canonical, or no array that begins with a kind.
    """
    key = decode(encoded_key, STATE_KEY_BYTES_MAX, limit="state key bytes")
    if type(key) is not tuple or not key or type(key[0]) is not str:
        raise InvalidDataError("a state key is no array that begins with its kind")
    return key


def value_hash(blind: bytes, value: Value) -> Digest:
    """Return what the state tree holds of a value.

    Args:
        blind: 16 bytes, see `blind_for`.
        value: Nested at most 15 deep, for it is stored in an array with its blind.

    Raises:
        NotCanonicalError: The format lacks such a value.
    """
    return hash_with(_STATE, blind, encode(value))


def stored_value(blind: bytes, value: Value) -> bytes:
    """Return a value as stores keep it: canonical([blind, value]).

    Raises:
        NotCanonicalError: The format lacks such a value, or it is nested over 15 deep.
    """
    return encode((blind, value))


def stored_value_hash(stored: bytes) -> Digest:
    """Return the value hash of bytes that `stored_value` made, without decoding them."""
    assert stored.startswith(_STORED_PREFIX), "made by stored_value"
    return hash_with(_STATE, stored[len(_STORED_PREFIX) :])


def is_stored_value(stored: bytes) -> bool:
    """Tell whether bytes from anywhere begin as `stored_value` makes them."""
    return stored.startswith(_STORED_PREFIX) and len(stored) > STORED_BEFORE_BYTES


def read_stored_value(stored: bytes) -> tuple[bytes, Value]:
    """Return blind and value of stored bytes.

    Raises:
        InvalidDataError: Not canonical([blind, value]).
    """
    if not stored.startswith(_STORED_PREFIX) or len(stored) <= STORED_BEFORE_BYTES:
        raise InvalidDataError("not a stored state value")
    value = decode(stored[STORED_BEFORE_BYTES:], STATE_VALUE_BYTES_MAX, limit="state value bytes")
    return stored[len(_STORED_PREFIX) : STORED_BEFORE_BYTES], value


def blind_for(seed: bytes, hash_of_key: Digest) -> bytes:
    """Return the blind of one value: 16 bytes that follow from the writing entry and the key.

    Args:
        seed: `blind_seed` of the writing entry, 32 bytes; in genesis the network_id.
        hash_of_key: `key_hash` of the key that is written.
    """
    return hash_with(_STATE_BLIND, seed, hash_of_key)[:STATE_BLIND_BYTES]


def blind_seed(entry: "EntryContent") -> Digest:
    """Return what the blinds of all values that an entry writes follow from, 32 bytes."""
    return sha256(b"".join([part.blind for part in entry.parts]))
