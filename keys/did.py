"""Public keys as people see them: `did:key` texts to pass on, short fingerprints to compare.

Source: the did:key method (w3c-ccg), multibase `z` (base58btc) around a multicodec number and the
public key. A did:key has no checksum (of 400 keys with one wrong letter 173 still parsed), so show
the fingerprint wherever people compare keys.
"""

from typing import Final

from keys.errors import InvalidKeyError
from keys.signing import Algorithm, PublicKey, parse_public_key

DID_CHARACTERS_MAX: Final = 128
FINGERPRINT_CHARACTERS: Final = 20

_PREFIX: Final = "did:key:z"
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_VALUES: Final = {character: value for value, character in enumerate(_BASE58)}
_BASE32: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_GROUP_CHARACTERS: Final = 4

# The multicodec numbers as varints, two bytes each.
_CODECS: Final = {Algorithm.P256: b"\x80\x24", Algorithm.ED25519: b"\xed\x01"}
_ALGORITHMS: Final = {codec: algorithm for algorithm, codec in _CODECS.items()}
_REFUSED: Final = {
    b"\x81\x24": "P-384",
    b"\x82\x24": "P-521",
    b"\xe7\x01": "secp256k1",
    b"\xec\x01": "X25519",
}
_CODEC_BYTES: Final = 2


def print_did(key: PublicKey) -> str:
    """Return `did:key:zDn…` for P-256, `did:key:z6Mk…` for Ed25519.

    Raises:
        InvalidKeyError: did:key has no settled number for the other algorithms.
    """
    codec = _CODECS.get(key.algorithm)
    if codec is None:
        raise InvalidKeyError(f"keys of algorithm {key.algorithm} have no did:key form")
    return _PREFIX + _base58_encode(codec + key.public)


def parse_did(text: str) -> PublicKey:
    """Read a did:key of P-256 or Ed25519; `print_did` gives the same text again.

    Args:
        text: At most 128 characters, without fragment and without space around it.

    Raises:
        InvalidKeyError: Another method, base or kind of key (P-384 and P-521 are named), characters
            outside base58btc, too long, or no point of the curve.
    """
    if len(text) > DID_CHARACTERS_MAX:
        raise InvalidKeyError(f"a did:key of {len(text)} characters is too long")
    if not text.startswith(_PREFIX):
        raise InvalidKeyError(f"the text does not begin with {_PREFIX}")
    data = _base58_decode(text.removeprefix(_PREFIX))
    codec = data[:_CODEC_BYTES]
    if codec in _REFUSED:
        kind = _REFUSED[codec]
        raise InvalidKeyError(f"civreg does not use {kind} keys; use P-256 or Ed25519", kind=kind)
    if codec not in _ALGORITHMS:
        raise InvalidKeyError("the did:key is of an unknown kind; use P-256 or Ed25519")
    return parse_public_key(_ALGORITHMS[codec], data[_CODEC_BYTES:])


def fingerprint(key: PublicKey) -> str:
    """Return the first 100 bits of the key id as 20 characters of Crockford base32, in fours.

    100 bits are enough to compare by eye or by telephone: an attacker needs a key that hashes to
    the same value as a given one, not just two equal ones. Example: `9TNB-8C2R-0W5D-K1ZQ-MX4F`.
    """
    bits = int.from_bytes(key.key_id, "big") >> (8 * len(key.key_id) - 5 * FINGERPRINT_CHARACTERS)
    shifts = range(5 * (FINGERPRINT_CHARACTERS - 1), -1, -5)
    letters = "".join(_BASE32[bits >> shift & 31] for shift in shifts)
    groups = range(0, FINGERPRINT_CHARACTERS, _GROUP_CHARACTERS)
    return "-".join(letters[at : at + _GROUP_CHARACTERS] for at in groups)


def _base58_encode(data: bytes) -> str:
    """Encode bytes whose first one is not zero, as every multicodec number here."""
    number, letters = int.from_bytes(data, "big"), ""
    while number:
        number, value = divmod(number, 58)
        letters = _BASE58[value] + letters
    return letters


def _base58_decode(text: str) -> bytes:
    """Decode; a leading `1` (a zero byte) is refused, so that each value has one text."""
    if not text or text[0] == "1" or not _BASE58_VALUES.keys() >= set(text):
        raise InvalidKeyError("the did:key is not in canonical base58btc")
    number = 0
    for character in text:
        number = number * 58 + _BASE58_VALUES[character]
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
