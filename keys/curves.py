"""Checks that OpenSSL leaves to its caller: ranges, low S, one DER form, weak Ed25519 points.

Sources: SEC 1 and FIPS 186-5 for P-256, RFC 8032 for Ed25519. All integers are big-endian unless a
line says otherwise.
"""

from typing import Final

from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
)

from keys.errors import BadSignatureError, InvalidKeyError

P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_HALF_ORDER: Final = P256_ORDER // 2
P256_SIGNATURE_BYTES: Final = 64
P256_SCALAR_BYTES: Final = 32

_DER_SIGNATURE_BYTES_MAX: Final = 72
_ZERO: Final = bytes(P256_SCALAR_BYTES)
_ORDER: Final = P256_ORDER.to_bytes(P256_SCALAR_BYTES)
"""Big-endian numbers of one length compare as their bytes do."""

_ED25519_PRIME: Final = 2**255 - 19
_ED25519_D: Final = -121665 * pow(121666, -1, _ED25519_PRIME) % _ED25519_PRIME
_ED25519_ORDER_8_Y: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_ED25519_WEAK_Y: Final = frozenset(
    {0, 1, _ED25519_PRIME - 1, _ED25519_ORDER_8_Y, _ED25519_PRIME - _ED25519_ORDER_8_Y}
)


def der_from_raw(signature: bytes, s_max: int) -> bytes:
    """Turn a raw P-256 signature `r || s` (64 bytes) into the DER form that OpenSSL reads.

    Args:
        signature: r and s, 32 bytes each.
        s_max: The largest s allowed: `P256_HALF_ORDER` for ledger signatures, else order minus 1.

    Raises:
        BadSignatureError: Another length, r not in 1..q-1 or s not in 1..s_max.
    """
    if len(signature) != P256_SIGNATURE_BYTES:
        raise BadSignatureError(
            f"a P-256 signature has {P256_SIGNATURE_BYTES} bytes, not {len(signature)}"
        )
    r, s = signature[:P256_SCALAR_BYTES], signature[P256_SCALAR_BYTES:]
    if not (_ZERO < r < _ORDER and _ZERO < s <= s_max.to_bytes(P256_SCALAR_BYTES)):
        raise BadSignatureError("r or s of the P-256 signature is out of range, or s is high")
    integers = _der_integer(r) + _der_integer(s)
    return b"\x30" + len(integers).to_bytes() + integers


def _der_integer(scalar: bytes) -> bytes:
    """Return the DER INTEGER of a big-endian number over 0: no needless zero in front."""
    content = scalar.lstrip(b"\0")
    if content[0] & 0x80:
        content = b"\0" + content
    return b"\x02" + len(content).to_bytes() + content


def low_s_raw_from_der(signature: bytes) -> bytes:
    """Turn a DER signature that we just made into 64 bytes `r || s` with the lower of both s."""
    r, s = decode_dss_signature(signature)
    low = min(s, P256_ORDER - s)
    return r.to_bytes(P256_SCALAR_BYTES, "big") + low.to_bytes(P256_SCALAR_BYTES, "big")


def check_der_signature(signature: bytes) -> None:
    """Check that `signature` is the one DER form of an r and s in 1..q-1; high s is allowed.

    Raises:
        BadSignatureError: BER variants, wrong padding, trailing bytes, r or s out of range.
    """
    if len(signature) > _DER_SIGNATURE_BYTES_MAX:
        raise BadSignatureError(f"{len(signature)} bytes are too many for a DER P-256 signature")
    try:
        r, s = decode_dss_signature(signature)  # Strict: no BER, nothing behind the end.
    except ValueError as error:
        raise BadSignatureError("the signature is not DER") from error
    if not (0 < r < P256_ORDER and 0 < s < P256_ORDER):
        raise BadSignatureError("r or s of the P-256 signature is out of range")


def check_ed25519_point(public: bytes) -> None:
    """Check that 32 bytes are a point of edwards25519, in its one encoding and not of small order.

    OpenSSL loads any 32 bytes. A point of small order is refused because one signature by such a
    "key" fits many messages; a second encoding because one key would have two ids.

    Raises:
        InvalidKeyError: Anything else than 32 bytes of such a point.
    """
    encoded = int.from_bytes(public, "little")
    y = encoded & (2**255 - 1)
    if y >= _ED25519_PRIME or y in _ED25519_WEAK_Y:
        raise InvalidKeyError("the Ed25519 point is of small order or in a second encoding")
    numerator = (y * y - 1) % _ED25519_PRIME
    denominator = (_ED25519_D * y * y + 1) % _ED25519_PRIME
    # x^2 = numerator / denominator; both are squares or both are not, exactly if x exists.
    if pow(numerator * denominator, (_ED25519_PRIME - 1) // 2, _ED25519_PRIME) != 1:
        raise InvalidKeyError("the bytes are no point of the Ed25519 curve")
