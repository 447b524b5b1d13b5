"""HPKE base mode step by step, for wraps with a given ephemeral key and for opening both kinds.

The node draws its own randomness and cannot be given any, so the wraps to P-256 keys in the vectors
are made here, from ephemeral keys that stand beside them. Nobody makes a hybrid wrap again (OpenSSL
takes no randomness for ML-KEM), so that one was made once; here it is opened.

Source: RFC 9180, sections 4.1, 5.1, 5.2; draft-connolly-cfrg-xwing-kem, section 5.
"""

import hmac
from hashlib import sha3_256, shake_256
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

P256_ENC_BYTES: Final = 65
HYBRID_ENC_BYTES: Final = 1_120

_CURVE: Final = ec.SECP256R1()
_P256_KEM: Final = b"\x00\x10"
_XWING_KEM: Final = b"\x64\x7a"
_KDF_AND_AEAD: Final = b"\x00\x01\x00\x02"
_XWING_LABEL: Final = bytes.fromhex("5c2e2f2f5e5c")  # the ASCII art of its name
_LATTICE_CIPHERTEXT_BYTES: Final = 1_088


def seal_p256(ephemeral: bytes, public: bytes, plaintext: bytes, info: bytes) -> bytes:
    """Seal to a compressed point with a given ephemeral scalar; the result is `enc || ciphertext`.

    An ephemeral key that anybody knows protects nothing: this is for vectors only.
    """
    private = _scalar(ephemeral)
    recipient = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, public)
    enc = _point(private.public_key())
    shared = private.exchange(ec.ECDH(), recipient)
    key, nonce = _schedule(_P256_KEM, _dhkem_secret(shared, enc + _point(recipient)), info)
    return enc + AESGCM(key).encrypt(nonce, plaintext, b"")


def open_p256(private: bytes, wrapped: bytes, info: bytes) -> bytes:
    """Open `enc || ciphertext` with a P-256 scalar."""
    own, enc = _scalar(private), wrapped[:P256_ENC_BYTES]
    shared = own.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, enc))
    key, nonce = _schedule(_P256_KEM, _dhkem_secret(shared, enc + _point(own.public_key())), info)
    return AESGCM(key).decrypt(nonce, wrapped[P256_ENC_BYTES:], b"")


def open_hybrid(seed: bytes, wrapped: bytes, info: bytes) -> bytes:
    """Open `enc || ciphertext` with an X-Wing seed of 32 bytes."""
    expanded = shake_256(seed).digest(96)
    lattice = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    curve = X25519PrivateKey.from_private_bytes(expanded[64:])
    enc = wrapped[:HYBRID_ENC_BYTES]
    from_curve = enc[_LATTICE_CIPHERTEXT_BYTES:]
    secret = sha3_256(
        lattice.decapsulate(enc[:_LATTICE_CIPHERTEXT_BYTES])
        + curve.exchange(X25519PublicKey.from_public_bytes(from_curve))
        + from_curve
        + curve.public_key().public_bytes_raw()
        + _XWING_LABEL
    ).digest()
    key, nonce = _schedule(_XWING_KEM, secret, info)
    return AESGCM(key).decrypt(nonce, wrapped[HYBRID_ENC_BYTES:], b"")


def _scalar(private: bytes) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(private), _CURVE)


def _point(public: ec.EllipticCurvePublicKey) -> bytes:
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _dhkem_secret(shared: bytes, points: bytes) -> bytes:
    suite = b"KEM" + _P256_KEM
    return _expand(suite, _extract(suite, b"", b"eae_prk", shared), b"shared_secret", points, 32)


def _schedule(kem: bytes, secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Return key and nonce of the only message."""
    suite = b"HPKE" + kem + _KDF_AND_AEAD
    context = b"\x00" + _extract(suite, b"", b"psk_id_hash", b"")
    context += _extract(suite, b"", b"info_hash", info)
    schedule = _extract(suite, secret, b"secret", b"")
    key = _expand(suite, schedule, b"key", context, 32)
    return key, _expand(suite, schedule, b"base_nonce", context, 12)


def _extract(suite: bytes, salt: bytes, label: bytes, value: bytes) -> bytes:
    return hmac.digest(salt, b"HPKE-v1" + suite + label + value, "sha256")


def _expand(suite: bytes, secret: bytes, label: bytes, value: bytes, length: int) -> bytes:
    text = length.to_bytes(2) + b"HPKE-v1" + suite + label + value
    return hmac.digest(secret, text + b"\x01", "sha256")[:length]
