"""HPKE (RFC 9180, base mode, single shot) with the two receiver kinds of civreg, on loaded keys.

* P-256: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; a 32-byte key becomes 113 bytes.
* Hybrid (algorithm 3): ML-KEM-768 with X25519, which is X-Wing (draft-connolly-cfrg-xwing-kem, HPKE
  KEM 0x647a), HKDF-SHA256, AES-256-GCM; a 32-byte key becomes 1,168 bytes. Its public key is the
  ML-KEM key (1,184 bytes) and the X25519 key (32 bytes); its private key is X-Wing's 32-byte seed.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from keys.errors import SealError

HYBRID_SEED_BYTES: Final = 32
HYBRID_PUBLIC_BYTES: Final = 1216
WRAPPED_KEY_BYTES_P256: Final = 113
WRAPPED_KEY_BYTES_HYBRID: Final = 1168

_MLKEM_PUBLIC_BYTES: Final = 1184
_X25519_PRIME: Final = 2**255 - 19
_ANY_X25519: Final = X25519PrivateKey.from_private_bytes(bytes(32))
_P256: Final = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_HYBRID: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


@dataclass(frozen=True, slots=True, eq=False)
class HybridPrivateKey:
    """A loaded private key of algorithm 3; `seed` is its only secret and never printed."""

    seed: bytes = field(repr=False)
    loaded: MLKEM768X25519PrivateKey = field(repr=False)
    public: bytes = field(repr=False)


def hybrid_from_seed(seed: bytes) -> HybridPrivateKey:
    """Expand an X-Wing seed of 32 bytes as its draft says (SHAKE-256 to 96 bytes: d, z, x)."""
    expanded = hashlib.shake_256(seed).digest(96)
    lattice = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    curve = X25519PrivateKey.from_private_bytes(expanded[64:])
    public = lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
    return HybridPrivateKey(seed, MLKEM768X25519PrivateKey(lattice, curve), public)


def generate_hybrid() -> HybridPrivateKey:
    """Make a new private key of algorithm 3."""
    return hybrid_from_seed(AESGCM.generate_key(8 * HYBRID_SEED_BYTES))


def load_hybrid_public(public: bytes) -> MLKEM768X25519PublicKey:
    """Load the 1,216 bytes of a public key of algorithm 3.

    OpenSSL checks the ML-KEM half (FIPS 203, 7.2) but takes any X25519 half, and would then fail in
    the middle of wrapping. So a point of small order and a second encoding are refused here.

    Raises:
        ValueError: Another length, or one of the halves is no key.
    """
    curve_half = public[_MLKEM_PUBLIC_BYTES:]
    if int.from_bytes(curve_half, "little") >= _X25519_PRIME:
        raise ValueError("the X25519 half is in a second encoding")
    curve = X25519PublicKey.from_public_bytes(curve_half)
    _ANY_X25519.exchange(curve)  # Raises if the order of the point divides 8.
    lattice = MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_PUBLIC_BYTES])
    return MLKEM768X25519PublicKey(lattice, curve)


def seal_to(
    public: ec.EllipticCurvePublicKey | MLKEM768X25519PublicKey, plaintext: bytes, info: bytes
) -> bytes:
    """Encrypt so that only the holder of the private key opens it, and only with equal `info`."""
    suite = _P256 if isinstance(public, ec.EllipticCurvePublicKey) else _HYBRID
    return suite.encrypt(plaintext, public, info)


def open_with(
    private: ec.EllipticCurvePrivateKey | HybridPrivateKey, ciphertext: bytes, info: bytes
) -> bytes:
    """Open what `seal_to` made of a 32-byte key.

    Raises:
        SealError: Of another length, for another key or another `info`, or changed since.
    """
    hybrid = isinstance(private, HybridPrivateKey)
    wanted = WRAPPED_KEY_BYTES_HYBRID if hybrid else WRAPPED_KEY_BYTES_P256
    if len(ciphertext) != wanted:
        raise SealError(f"a wrapped key has {wanted} bytes, not {len(ciphertext)}")
    try:
        if isinstance(private, HybridPrivateKey):
            return _HYBRID.decrypt(ciphertext, private.loaded, info)
        return _P256.decrypt(ciphertext, private, info)
    except InvalidTag as error:
        raise SealError("the wrapped key does not open with this private key") from error
