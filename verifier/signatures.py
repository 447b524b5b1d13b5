"""Public keys and signatures, by the `ecdsa` package: slow, pure Python, nothing of OpenSSL.

Source: docs/formats.md, section 3.
"""

from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

import ecdsa
from ecdsa.errors import MalformedPointError

from verifier.encoding import Value
from verifier.hashes import hashed
from verifier.refusals import CannotCheckError, MismatchError
from verifier.shapes import fixed, integer, octets, refuse

P256, ED25519, MLKEM768_X25519, MLDSA65 = 1, 2, 3, 4
PUBLIC_BYTES: Final = {P256: 33, ED25519: 32, MLKEM768_X25519: 1_216, MLDSA65: 1_952}
SIGNING: Final = (P256, ED25519, MLDSA65)

_ORDER: Final = int(ecdsa.NIST256p.order)
_SIGNATURE_BYTES: Final = 64
_ED25519_PRIME: Final = 2**255 - 19
_ED25519_ORDER_8: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_ED25519_WEAK: Final = frozenset(
    y % _ED25519_PRIME for y in (0, 1, -1, _ED25519_ORDER_8, -_ED25519_ORDER_8)
)


class PublicKey(NamedTuple):
    """Algorithm number and public bytes."""

    algorithm: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """First 16 bytes of H(key, byte(algorithm) ‖ public)."""
        return hashed("key", bytes([self.algorithm]), self.public)[:16]


def read_key(value: Value, allowed: tuple[int, ...], place: str) -> PublicKey:
    """Return a public key of one of the allowed algorithms."""
    algorithm_value, public = fixed(value, 2, place)
    return make_key(algorithm_value, public, allowed, place)


def make_key(
    algorithm_value: Value, public: Value, allowed: tuple[int, ...], place: str
) -> PublicKey:
    """Return a public key of one of the allowed algorithms, from two values."""
    algorithm = integer(algorithm_value, place)
    if algorithm not in allowed:
        raise refuse(place, f"no key of algorithm {algorithm} may stand here")
    raw = octets(public, PUBLIC_BYTES[algorithm], place)
    key = PublicKey(algorithm, raw)
    if algorithm in {P256, ED25519}:
        _check_point(key, place)
    return key


def _check_point(key: PublicKey, place: str) -> None:
    """Refuse bytes that are no point of the curve, or one of small order."""
    if key.algorithm == ED25519:
        y = int.from_bytes(key.public, "little") & (2**255 - 1)
        if y >= _ED25519_PRIME or y in _ED25519_WEAK:
            raise refuse(place, "a weak point, or one in a second encoding")
    try:
        _load(key)
    except (MalformedPointError, ValueError, AssertionError) as error:
        raise refuse(place, "no point of the curve") from error


def check_signature(key: PublicKey, message: bytes, signature: bytes, reason: str) -> None:
    """Refuse a signature that `key` did not make over `message`.

    Args:
        key: Of an algorithm that signs.
        message: With its purpose's prefix.
        signature: As it came.
        reason: The stable word of the refusal.

    Raises:
        MismatchError: It does not verify, or has the high one of its two forms.
        CannotCheckError: ML-DSA-65, which this program has no code for.
    """
    if key.algorithm == MLDSA65:
        raise CannotCheckError("algorithm", "this program cannot check ML-DSA-65 signatures")
    if len(signature) != _SIGNATURE_BYTES or not _verifies(key, message, signature):
        raise MismatchError(reason, "a signature does not verify")


@lru_cache(maxsize=4_096)
def _verifies(key: PublicKey, message: bytes, signature: bytes) -> bool:
    try:
        verifying = _load(key)
        if key.algorithm == ED25519:
            return bool(verifying.verify(signature, message))
        if int.from_bytes(signature[32:]) > _ORDER // 2:
            return False
        return bool(verifying.verify_digest(signature, sha256(message).digest()))
    except (ecdsa.BadSignatureError, MalformedPointError, ValueError, AssertionError):
        return False


@lru_cache(maxsize=1_024)
def _load(key: PublicKey) -> ecdsa.VerifyingKey:
    curve = ecdsa.Ed25519 if key.algorithm == ED25519 else ecdsa.NIST256p
    return ecdsa.VerifyingKey.from_string(key.public, curve=curve)
