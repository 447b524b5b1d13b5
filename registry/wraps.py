"""Wraps: the data key of a body, encrypted to each of its readers.

A wrap is bound to the record version, the recipient and the purpose, so that nobody can hand a key
made for one record to open another. Wraps are made by the custodian and lie in the vault; the entry
has their digest.

Source: docs/formats.md, section 6.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from keys import sealing
from keys.errors import SealError
from keys.hashing import Digest, domain, hash_with
from keys.signing import KEY_ID_BYTES, KeyId, PublicKey, Unsealer
from ledger.canonical import Value, decode, encode
from ledger.errors import InvalidDataError
from ledger.fields import read_array, read_bytes, read_bytes_up_to, read_text, read_version
from ledger.limits import check_limit
from registry.sealed import BodyPlace

WRAP_PURPOSES: Final = ("owner", "representative", "agency", "index", "court", "grant")
WRAPS_MAX: Final = 64
WRAPPED_BYTES_MAX: Final = 1_168
WRAPS_BYTES_MAX: Final = 96 * 1024

_VERSION: Final = 1
_WRAP: Final = domain("wrap")
_WRAPS: Final = domain("wraps")
_PURPOSE_CHARS_MAX: Final = 16


@dataclass(frozen=True, slots=True)
class Reader:
    """A key to which a data key is wrapped, and as what its holder reads.

    Attributes:
        key: P-256 or ML-KEM-768 with X25519.
        purpose: One of `WRAP_PURPOSES`.
    """

    key: PublicKey
    purpose: str


@dataclass(frozen=True, slots=True)
class Wrap:
    """A data key wrapped to one reader."""

    recipient: KeyId
    purpose: str
    wrapped: bytes


def wrap_info(place: BodyPlace, recipient: KeyId, purpose: str) -> bytes:
    """Return what a wrap is bound to."""
    source = (place.network_id, place.record_id, place.record_version, recipient, purpose)
    return _WRAP + encode(source)


def make_wraps(place: BodyPlace, data_key: bytes, readers: Iterable[Reader]) -> bytes:
    """Wrap a data key to its readers; HPKE draws its own randomness.

    Args:
        place: The record version whose body the key opens.
        data_key: 32 bytes.
        readers: At most 64; equal ones count once.

    Returns:
        The bytes for the vault: 113 a P-256 reader, 1,168 an agency's hybrid key, and some.

    Raises:
        SealError: Nothing can be sealed to a reader's key.
        LimitExceededError: More than 64 readers.
    """
    unique = {(reader.key.key_id, reader.purpose): reader for reader in readers}
    check_limit("wraps", len(unique), WRAPS_MAX)
    wraps: list[Value] = []
    for recipient, purpose in sorted(unique):
        info = wrap_info(place, recipient, purpose)
        wrapped = sealing.wrap(data_key, unique[recipient, purpose].key, info)
        wraps.append((recipient, purpose, wrapped))
    return encode((_VERSION, tuple(wraps)))


def wraps_digest(wraps: bytes) -> Digest:
    """Return the digest that the entry has of the wraps."""
    return hash_with(_WRAPS, wraps)


def parse_wraps(raw: bytes) -> tuple[Wrap, ...]:
    """Return the wraps of bytes from anywhere.

    Raises:
        InvalidDataError: Too large, not canonical, another shape, an unknown purpose, or not
            ascending by recipient and purpose.
    """
    value = decode(raw, WRAPS_BYTES_MAX, limit="wraps bytes")
    version, array = read_array(value, "wraps", 2)
    read_version(version, "wraps.version", _VERSION)
    wraps = tuple([_read_wrap(item) for item in read_array(array, "wraps", (0, WRAPS_MAX))])
    places = [(wrap.recipient, wrap.purpose) for wrap in wraps]
    if any(first >= second for first, second in pairwise(places)):
        raise InvalidDataError("the wraps do not ascend by recipient and purpose")
    return wraps


def _read_wrap(value: Value) -> Wrap:
    recipient, purpose, wrapped = read_array(value, "wrap", 3)
    name = read_text(purpose, "wrap.purpose", _PURPOSE_CHARS_MAX)
    if name not in WRAP_PURPOSES:
        raise InvalidDataError("a wrap has an unknown purpose")
    return Wrap(
        KeyId(read_bytes(recipient, "wrap.recipient", KEY_ID_BYTES)),
        name,
        read_bytes_up_to(wrapped, "wrap.wrapped", WRAPPED_BYTES_MAX),
    )


def open_wraps(
    wraps: Iterable[Wrap], place: BodyPlace, unsealer: Unsealer, key_check: Digest
) -> bytes:
    """Return the data key from the first wrap for this key that opens to the right one.

    Args:
        wraps: Of this record version.
        place: The record version.
        unsealer: Holds the reader's private key.
        key_check: From the record's seal.

    Raises:
        SealError: No wrap for this key, or none that opens to the data key of the entry.
    """
    own = unsealer.public.key_id
    for wrap in wraps:
        if wrap.recipient != own:
            continue
        data_key = unsealer.unwrap(wrap.wrapped, wrap_info(place, own, wrap.purpose))
        sealing.check_data_key(data_key, key_check)
        return data_key
    raise SealError("there is no wrap for this key")
