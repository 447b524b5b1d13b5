"""Public keys, signatures by algorithm number, and the software key behind two small interfaces.

What is signed is always `domain prefix + payload`, see `keys.hashing.domain`; the caller puts both
together. A signature is checked for the length that its key's algorithm demands before anything
else. P-256 signatures are 64 bytes `r || s` with low S (s <= q // 2): ECDSA accepts two forms of
each signature, and a ledger must know only one.

`verify` is the hot spot of the whole system. OpenSSL needs about 76 µs for P-256 and holds no lock
meanwhile, so several threads verify at once; loading a compressed point costs another third of
that, hence the bounded caches of loaded keys.
"""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum, unique
from functools import lru_cache
from typing import Final, NewType, Protocol, Self, TypeAlias, cast

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from keys import curves, hpke
from keys.errors import BadSignatureError, InvalidKeyError, SealError
from keys.hashing import domain, hash_with
from keys.hpke import HybridPrivateKey

KeyId = NewType("KeyId", bytes)
"""16 bytes that name a public key everywhere in the state."""

KEY_ID_BYTES: Final = 16

LOADED_CURVE_KEYS_MAX: Final = 8_192
LOADED_LATTICE_KEYS_MAX: Final = 256

_KEY_DOMAIN: Final = domain("key")
_CURVE: Final = ec.SECP256R1()
_ECDSA: Final = ec.ECDSA(hashes.SHA256())

_HYBRID_PKCS8_PREFIX: Final = bytes.fromhex("3034020100300d060b2b0601040183e62d81c87a0420")
"""PKCS#8 with id-XWing (1.3.6.1.4.1.62253.25722); the 32 bytes of the seed follow."""

_Loaded: TypeAlias = (
    ec.EllipticCurvePublicKey | Ed25519PublicKey | MLKEM768X25519PublicKey | MLDSA65PublicKey
)
_Private: TypeAlias = (
    ec.EllipticCurvePrivateKey | Ed25519PrivateKey | HybridPrivateKey | MLDSA65PrivateKey
)


@unique
class Algorithm(IntEnum):
    """What kind of key; the number is in the state, so it never changes its meaning."""

    P256 = 1
    ED25519 = 2
    MLKEM768_X25519 = 3
    MLDSA65 = 4


@unique
class Purpose(StrEnum):
    """What a key in the state may be used for; one purpose for each key."""

    SIGN = "sign"
    AUTH = "auth"
    SEAL = "seal"
    RECOVER = "recover"
    GOVERN = "govern"
    CONSENSUS = "consensus"
    PEER = "peer"
    CHECKPOINT = "checkpoint"
    CUSTODIAN = "custodian"
    TAG = "tag"


PUBLIC_KEY_BYTES: Final = {
    Algorithm.P256: 33,
    Algorithm.ED25519: 32,
    Algorithm.MLKEM768_X25519: hpke.HYBRID_PUBLIC_BYTES,
    Algorithm.MLDSA65: 1952,
}
SIGNATURE_BYTES: Final = {
    Algorithm.P256: curves.P256_SIGNATURE_BYTES,
    Algorithm.ED25519: 64,
    Algorithm.MLDSA65: 3309,
}
"""Algorithms that are absent here cannot sign."""

PRIVATE_KEY_BYTES: Final = 32
"""Of the raw private key, the same for every algorithm: a scalar for P-256, else a seed."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key as it stands in the state; make one from foreign bytes with `parse_public_key`.

    Attributes:
        algorithm: What kind of key.
        public: `PUBLIC_KEY_BYTES[algorithm]` bytes; for P-256 the compressed point of SEC 1.
    """

    algorithm: Algorithm
    public: bytes
    _key_id: KeyId | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def key_id(self) -> KeyId:
        """First 16 bytes of H(`civreg/key/v1`, algorithm as one byte, public); computed once."""
        if self._key_id is None:
            digest = hash_with(_KEY_DOMAIN, bytes([self.algorithm]), self.public)
            object.__setattr__(self, "_key_id", KeyId(digest[:KEY_ID_BYTES]))
        return cast("KeyId", self._key_id)


class Signer(Protocol):
    """Something that holds a private signing key: software, a token, an HSM."""

    @property
    def public(self) -> PublicKey:
        """The public half."""

    def sign(self, message: bytes) -> bytes:
        """Sign `message`, which begins with its domain prefix; the result passes `verify`."""


class Unsealer(Protocol):
    """Something that holds a private key to which data keys are wrapped."""

    @property
    def public(self) -> PublicKey:
        """The public half."""

    def unwrap(self, wrapped: bytes, info: bytes) -> bytes:
        """Open what `keys.sealing.wrap` made for this key with equal `info`, or raise SealError."""


def parse_public_key(algorithm: int, public: bytes) -> PublicKey:
    """Check foreign bytes and make a public key of them.

    Args:
        algorithm: A number of `Algorithm`.
        public: For P-256 the 33-byte compressed point, which must be on the curve; for Ed25519 32
            bytes, on the curve, canonical and not of small order; 1,216 bytes for ML-KEM-768
            followed by X25519; 1,952 bytes for ML-DSA-65.

    Raises:
        InvalidKeyError: Unknown algorithm, wrong length, or no point of the curve.
    """
    try:
        known = Algorithm(algorithm)
    except ValueError as error:
        raise InvalidKeyError(f"unknown key algorithm {algorithm}", algorithm=algorithm) from error
    key = PublicKey(known, bytes(public))
    load_public_key(key)
    return key


def load_public_key(key: PublicKey) -> _Loaded:
    """Return the OpenSSL object of a key, from a bounded cache.

    Raises:
        InvalidKeyError: The bytes are no key of that algorithm.
    """
    if key.algorithm is Algorithm.P256:
        return _load_p256(key.public)
    if key.algorithm is Algorithm.ED25519:
        return _load_ed25519(key.public)
    if key.algorithm is Algorithm.MLDSA65:
        return _load_mldsa65(key.public)
    return _load_hybrid(key.public)


@lru_cache(maxsize=LOADED_CURVE_KEYS_MAX)
def _load_p256(public: bytes) -> ec.EllipticCurvePublicKey:
    _check_public_length(Algorithm.P256, public)
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, public)
    except ValueError as error:
        raise InvalidKeyError("the bytes are no compressed point of the P-256 curve") from error


@lru_cache(maxsize=LOADED_CURVE_KEYS_MAX)
def _load_ed25519(public: bytes) -> Ed25519PublicKey:
    _check_public_length(Algorithm.ED25519, public)
    curves.check_ed25519_point(public)
    return Ed25519PublicKey.from_public_bytes(public)


@lru_cache(maxsize=LOADED_LATTICE_KEYS_MAX)
def _load_mldsa65(public: bytes) -> MLDSA65PublicKey:
    _check_public_length(Algorithm.MLDSA65, public)
    return MLDSA65PublicKey.from_public_bytes(public)


@lru_cache(maxsize=LOADED_LATTICE_KEYS_MAX)
def _load_hybrid(public: bytes) -> MLKEM768X25519PublicKey:
    _check_public_length(Algorithm.MLKEM768_X25519, public)
    try:
        return hpke.load_hybrid_public(public)
    except ValueError as error:
        raise InvalidKeyError("the bytes are no ML-KEM-768 and X25519 key") from error


def _check_public_length(algorithm: Algorithm, public: bytes) -> None:
    wanted = PUBLIC_KEY_BYTES[algorithm]
    if len(public) != wanted:
        raise InvalidKeyError(
            f"a public key of algorithm {algorithm} has {wanted} bytes, not {len(public)}"
        )


def verify(key: PublicKey, message: bytes, signature: bytes) -> None:
    """Check a ledger signature.

    Args:
        key: The signer's key.
        message: Domain prefix and payload, as it was signed.
        signature: `SIGNATURE_BYTES[key.algorithm]` bytes; for P-256 `r || s` with low S.

    Raises:
        BadSignatureError: Wrong length, high S, or not by this key over this message.
        InvalidKeyError: `key` never went through `parse_public_key` and is no key.
    """
    try:
        if key.algorithm is Algorithm.P256:
            der = curves.der_from_raw(signature, curves.P256_HALF_ORDER)
            _load_p256(key.public).verify(der, message, _ECDSA)
        else:
            _verify_other(key, message, signature)
    except InvalidSignature as error:
        raise BadSignatureError("the signature is not by this key over this message") from error


def _verify_other(key: PublicKey, message: bytes, signature: bytes) -> None:
    wanted = SIGNATURE_BYTES.get(key.algorithm)
    if wanted is None:
        raise BadSignatureError(f"keys of algorithm {key.algorithm} cannot sign")
    if len(signature) != wanted:
        raise BadSignatureError(
            f"a signature of algorithm {key.algorithm} has {wanted} bytes, not {len(signature)}"
        )
    if key.algorithm is Algorithm.ED25519:
        _load_ed25519(key.public).verify(signature, message)
    else:
        _load_mldsa65(key.public).verify(signature, message)


class SoftwareKey:
    """A private key in this process's memory; a Signer, an Unsealer, or both, by its algorithm.

    P-256 signs and unseals, Ed25519 and ML-DSA-65 sign, ML-KEM-768 with X25519 unseals. What it
    signs with P-256 has low S, and is deterministic (RFC 6979) where OpenSSL can do that.
    """

    __slots__ = ("_private", "_public")

    def __init__(self, private: _Private) -> None:
        self._private = private
        self._public = _public_of(private)

    @classmethod
    def generate(cls, algorithm: Algorithm = Algorithm.P256) -> Self:
        """Make a new key from the system's randomness."""
        if algorithm is Algorithm.P256:
            return cls(ec.generate_private_key(_CURVE))
        if algorithm is Algorithm.ED25519:
            return cls(Ed25519PrivateKey.generate())
        if algorithm is Algorithm.MLDSA65:
            return cls(MLDSA65PrivateKey.generate())
        return cls(hpke.generate_hybrid())

    @classmethod
    def from_private_bytes(cls, algorithm: Algorithm, private: bytes) -> Self:
        """Load a raw private key of 32 bytes: the big-endian scalar of P-256, else the seed.

        Raises:
            InvalidKeyError: Another length, or a P-256 scalar that is not in 1..q-1.
        """
        if len(private) != PRIVATE_KEY_BYTES:
            raise InvalidKeyError(f"a private key has {PRIVATE_KEY_BYTES} bytes")
        if algorithm is Algorithm.P256:
            scalar = int.from_bytes(private, "big")
            if not 0 < scalar < curves.P256_ORDER:
                raise InvalidKeyError("the P-256 scalar is out of range")
            return cls(ec.derive_private_key(scalar, _CURVE))
        if algorithm is Algorithm.ED25519:
            return cls(Ed25519PrivateKey.from_private_bytes(private))
        if algorithm is Algorithm.MLDSA65:
            return cls(MLDSA65PrivateKey.from_seed_bytes(private))
        return cls(hpke.hybrid_from_seed(private))

    @classmethod
    def from_private_der(cls, der: bytes) -> Self:
        """Load the PKCS#8 bytes that `to_private_der` or `openssl` made, unencrypted.

        Raises:
            InvalidKeyError: No PKCS#8 of one of the four algorithms.
        """
        prefix = len(_HYBRID_PKCS8_PREFIX)
        if der[:prefix] == _HYBRID_PKCS8_PREFIX:
            return cls.from_private_bytes(Algorithm.MLKEM768_X25519, der[prefix:])
        try:
            private = load_der_private_key(der, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise InvalidKeyError("the bytes are no PKCS#8 private key") from error
        if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name == _CURVE.name:
            return cls(private)
        if isinstance(private, Ed25519PrivateKey | MLDSA65PrivateKey):
            return cls(private)
        raise InvalidKeyError(
            "the private key is of an algorithm or curve that civreg does not use"
        )

    def to_private_der(self) -> bytes:
        """Return the unencrypted PKCS#8 bytes; `keys.keyring` encrypts them for the disk."""
        if isinstance(self._private, HybridPrivateKey):
            return _HYBRID_PKCS8_PREFIX + self._private.seed
        return self._private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return self._public

    def sign(self, message: bytes) -> bytes:
        """Sign a message that begins with its domain prefix.

        Raises:
            InvalidKeyError: Keys of this algorithm cannot sign.
        """
        private = self._private
        if isinstance(private, ec.EllipticCurvePrivateKey):
            return curves.low_s_raw_from_der(private.sign(message, _ECDSA_FOR_SIGNING))
        if isinstance(private, HybridPrivateKey):
            raise InvalidKeyError(f"keys of algorithm {self._public.algorithm} cannot sign")
        return private.sign(message)

    def unwrap(self, wrapped: bytes, info: bytes) -> bytes:
        """Open what `keys.sealing.wrap` made for this key.

        Raises:
            SealError: Not for this key, other `info`, changed, or a key that cannot unseal.
        """
        if isinstance(self._private, ec.EllipticCurvePrivateKey | HybridPrivateKey):
            return hpke.open_with(self._private, wrapped, info)
        raise SealError(f"keys of algorithm {self._public.algorithm} cannot unseal")

    def __repr__(self) -> str:
        return f"<SoftwareKey {self._public.algorithm.name} {self._public.key_id.hex()}>"


def _public_of(private: _Private) -> PublicKey:
    if isinstance(private, HybridPrivateKey):
        return PublicKey(Algorithm.MLKEM768_X25519, private.public)
    if isinstance(private, ec.EllipticCurvePrivateKey):
        point = private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        return PublicKey(Algorithm.P256, point)
    raw = private.public_key().public_bytes_raw()
    is_edwards = isinstance(private, Ed25519PrivateKey)
    return PublicKey(Algorithm.ED25519 if is_edwards else Algorithm.MLDSA65, raw)


def _ecdsa_for_signing() -> ec.ECDSA:
    """Deterministic (RFC 6979) where OpenSSL can do it; nothing relies on that."""
    try:
        return ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    except UnsupportedAlgorithm:
        return ec.ECDSA(hashes.SHA256())


_ECDSA_FOR_SIGNING: Final = _ecdsa_for_signing()
