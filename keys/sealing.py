"""Sealed fields and wrapped keys: each field under a key of its own, the data key to each reader.

A record version has a fresh random 256-bit data key. From it comes one key for each field path, so
a field can be opened (or granted to somebody) alone:

    field key  = HKDF-SHA256(data key, no salt, info = `civreg/field-key/v1` 00 path in UTF-8)
    plaintext  = length of the value (4 bytes, big-endian) || value || zero bytes up to a size class
    ciphertext = AES-256-GCM(field key, nonce = 12 zero bytes, plaintext, additional data) || tag

Size classes are 64, 128, 256, … 262,144 bytes, doubling. The smallest holds a value of 60 bytes, so
that an absent field, a date and most names look alike. Ciphertext is 16 bytes longer.

Why a fixed nonce is right: GCM breaks when one key and nonce seal two plaintexts. A data key is
made for one version of one record, each path is sealed once under it, and the nonce has nothing to
add; a random one would cost 12 bytes a field. Hence the one duty of the caller: **never reuse a
data key**, not even for a corrected draft.

GCM does not bind its key: one ciphertext can be made to open under two keys. So every reader checks
`key_check` of the data key, and the commitment of the fields.
"""

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import constant_time, hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keys import hpke
from keys.errors import SealError
from keys.hashing import Digest, domain, hash_with
from keys.signing import PublicKey, load_public_key

DATA_KEY_BYTES: Final = 32
SIZE_CLASS_BYTES_MIN: Final = 64
SIZE_CLASS_BYTES_MAX: Final = 262_144
TAG_BYTES: Final = 16
LENGTH_BYTES: Final = 4
FIELD_VALUE_BYTES_MAX: Final = SIZE_CLASS_BYTES_MAX - LENGTH_BYTES

_NONCE: Final = bytes(12)
_FIELD_KEY_DOMAIN: Final = domain("field-key")
_DATA_KEY_DOMAIN: Final = domain("data-key")


def wrap(key32: bytes, recipient: PublicKey, info: bytes) -> bytes:
    """Encrypt a data key or a field key to one reader.

    Args:
        key32: 32 bytes.
        recipient: A P-256 key (the result has 113 bytes) or a hybrid one (1,168 bytes).
        info: What the wrap is for, with its domain prefix; opening needs the same.

    Raises:
        SealError: `key32` has another length, or nothing can be sealed to such a key.
        InvalidKeyError: `recipient` never went through `parse_public_key` and is no key.
    """
    _check_key(key32)
    public = load_public_key(recipient)
    if not isinstance(public, ec.EllipticCurvePublicKey | MLKEM768X25519PublicKey):
        raise SealError(f"nothing can be sealed to keys of algorithm {recipient.algorithm}")
    return hpke.seal_to(public, key32, info)


def key_check(data_key: bytes) -> Digest:
    """Return H(`civreg/data-key/v1`, data key), which stands in the entry.

    Raises:
        SealError: The data key has not 32 bytes.
    """
    _check_key(data_key)
    return hash_with(_DATA_KEY_DOMAIN, data_key)


def check_data_key(data_key: bytes, expected: Digest) -> None:
    """Check that this is the data key which the entry names by its `key_check`.

    Raises:
        SealError: It is another one.
    """
    if not constant_time.bytes_eq(key_check(data_key), expected):
        raise SealError("the data key is not the one that the entry names")


def field_key(data_key: bytes, path: str) -> bytes:
    """Return the 32-byte key of one field; a grant wraps this and never the data key.

    Raises:
        SealError: The data key has not 32 bytes.
    """
    _check_key(data_key)
    info = _FIELD_KEY_DOMAIN + path.encode()
    return HKDF(hashes.SHA256(), DATA_KEY_BYTES, salt=None, info=info).derive(data_key)


def seal_field(data_key: bytes, path: str, value: bytes, additional: bytes) -> bytes:
    """Seal the value of one field; call it once for each path of a data key (see above).

    Args:
        data_key: 32 fresh random bytes, of this record version only.
        path: The field's path in the schema, such as `mother.name`.
        value: At most 262,140 bytes.
        additional: What the ciphertext belongs to; opening needs the same.

    Returns:
        A size class plus 16 bytes: 80 for a value of at most 60 bytes.

    Raises:
        SealError: Wrong length of the data key, or a value that is too long.
    """
    return AESGCM(field_key(data_key, path)).encrypt(_NONCE, _pad(value), additional)


def open_field(data_key: bytes, path: str, ciphertext: bytes, additional: bytes) -> bytes:
    """Return the value that `seal_field` sealed under the same data key, path and `additional`.

    Raises:
        SealError: Anything differs, was changed, or is not padded as it must be.
    """
    return open_field_with_key(field_key(data_key, path), ciphertext, additional)


def open_field_with_key(field_key: bytes, ciphertext: bytes, additional: bytes) -> bytes:
    """Like `open_field`, for a reader who was granted this field's key only.

    Raises:
        SealError: Anything differs, was changed, or is not padded as it must be.
    """
    _check_key(field_key)
    size = len(ciphertext) - TAG_BYTES
    if not SIZE_CLASS_BYTES_MIN <= size <= SIZE_CLASS_BYTES_MAX:
        raise SealError(f"a sealed field of {len(ciphertext)} bytes is of no size class")
    try:
        padded = AESGCM(field_key).decrypt(_NONCE, ciphertext, additional)
    except InvalidTag as error:
        raise SealError("the field does not open with this key, or was changed") from error
    return _unpad(padded)


def _check_key(key: bytes) -> None:
    if len(key) != DATA_KEY_BYTES:
        raise SealError(f"a data key or field key has {DATA_KEY_BYTES} bytes, not {len(key)}")


def _pad(value: bytes) -> bytes:
    if len(value) > FIELD_VALUE_BYTES_MAX:
        raise SealError(f"a field of {len(value)} bytes is over {FIELD_VALUE_BYTES_MAX}")
    content = len(value).to_bytes(LENGTH_BYTES, "big") + value
    size = max(SIZE_CLASS_BYTES_MIN, 1 << (len(content) - 1).bit_length())
    return content.ljust(size, b"\x00")


def _unpad(padded: bytes) -> bytes:
    """Undo `_pad`, and accept nothing that it does not make."""
    length = int.from_bytes(padded[:LENGTH_BYTES], "big")
    value = padded[LENGTH_BYTES : LENGTH_BYTES + length]
    if length > FIELD_VALUE_BYTES_MAX or _pad(value) != padded:
        raise SealError("the sealed field is not padded as it must be")
    return value
