"""P-256 signatures in other people's formats, where S may be high: COSE, JOSE, X.509, tokens.

Never for anything that the ledger identifies: whoever sees a signature here can make a second form
of it. Ledger signatures go through `keys.signing.verify`.
"""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from keys import curves
from keys.errors import BadSignatureError
from keys.signing import PublicKey, load_public_key

_ECDSA: Final = ec.ECDSA(hashes.SHA256())


def verify_either_s(key: PublicKey, message: bytes, signature: bytes) -> None:
    """Check a raw 64-byte P-256 signature of a COSE or JOSE envelope, where S may be high.

    Raises:
        BadSignatureError: Not 64 bytes, out of range, or not by this key over this message.
    """
    _verify_p256(key, message, curves.der_from_raw(signature, curves.P256_ORDER - 1))


def verify_der(key: PublicKey, message: bytes, signature: bytes) -> None:
    """Check a DER-coded P-256 signature of an X.509 certificate or a token, where S may be high.

    Raises:
        BadSignatureError: Not the one DER form, out of range, or not by this key over this message.
    """
    curves.check_der_signature(signature)
    _verify_p256(key, message, signature)


def _verify_p256(key: PublicKey, message: bytes, der: bytes) -> None:
    public = load_public_key(key)
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise BadSignatureError(
            f"a P-256 signature cannot be by a key of algorithm {key.algorithm}"
        )
    try:
        public.verify(der, message, _ECDSA)
    except InvalidSignature as error:
        raise BadSignatureError("the signature is not by this key over this message") from error
