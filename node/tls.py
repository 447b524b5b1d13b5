"""Mutual TLS 1.3 between nodes in which only pinned peer keys get in, with no authority at all.

Each node makes a certificate from its peer key when it starts, signed by that key itself. What
counts is the public key: the other side must hold it as a pin (genesis, later the state). Python's
`ssl` cannot be handed a bare key to trust, so for each pin we write an *anchor*, a certificate of
our own making that says "the key K is called K", and let OpenSSL verify the peer's certificate
under it (partial chains allowed). So a stranger is refused inside the handshake, before a byte of
HTTP. Whose key it was is read afterwards with `presented_key`, for a pin can be withdrawn later.

Names are derived from key ids; dates span all years, for a skewed clock must not cut a node off.
"""

import asyncio
import ssl
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from secrets import token_bytes
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from keys.errors import InvalidKeyError
from keys.signing import Algorithm, PublicKey, SoftwareKey, load_public_key, parse_public_key
from node.errors import PeerUnknownError

_FROM: Final = datetime(2000, 1, 1, tzinfo=UTC)
_TO: Final = datetime(9999, 12, 31, tzinfo=UTC)
_SERIAL_LEAF: Final = 2
_SERIAL_ANCHOR: Final = 1
_Private: TypeAlias = ec.EllipticCurvePrivateKey


class PeerTls:
    """This node's side of every TLS connection with another node.

    Args:
        key: The peer key, P-256.

    Raises:
        InvalidKeyError: The key is of another algorithm.
    """

    __slots__ = ("_certificate", "_private", "_public")

    def __init__(self, key: SoftwareKey) -> None:
        self.use(key)

    @property
    def public(self) -> PublicKey:
        """The key by which this node is known now."""
        return self._public

    def use(self, key: SoftwareKey) -> None:
        """Be known by another key: for contexts that are made, or `renew`ed, from now on.

        Raises:
            InvalidKeyError: The key is of another algorithm.
        """
        private = serialization.load_der_private_key(key.to_private_der(), password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise InvalidKeyError("a peer key is of algorithm 1, P-256")
        self._private = private
        self._public = key.public
        name = _name(key.public)
        self._certificate = _certificate(
            subject=_name(key.public, "leaf of "), issuer=name, public=key.public, signed_by=private
        )

    def server_context(self, pins: Iterable[PublicKey]) -> ssl.SSLContext:
        """Return what a listener for peers uses: a client must hold one of the pinned keys."""
        context = self._context(ssl.PROTOCOL_TLS_SERVER)
        self.pin(context, pins)
        return context

    def client_context(self, peer: PublicKey) -> ssl.SSLContext:
        """Return what connections to one peer use: the server must hold exactly this key."""
        context = self._context(ssl.PROTOCOL_TLS_CLIENT)
        self.pin(context, (peer,))
        return context

    def renew(self, context: ssl.SSLContext) -> None:
        """Show the present key on new connections of a context that was made before."""
        self._load_own(context)

    def pin(self, context: ssl.SSLContext, pins: Iterable[PublicKey]) -> None:
        """Let further keys in; takes effect for new connections."""
        anchors = [
            _certificate(
                subject=_name(key),
                issuer=_name(self._public, "anchors of "),
                public=key,
                signed_by=self._private,
            ).public_bytes(serialization.Encoding.PEM)
            for key in pins
        ]
        if anchors:
            context.load_verify_locations(cadata=b"".join(anchors).decode("ascii"))

    def _context(self, protocol: int) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        self._load_own(context)
        return context

    def _load_own(self, context: ssl.SSLContext) -> None:
        """Hand certificate and key over by file: `ssl` has no other way. The key is encrypted."""
        passphrase = token_bytes(32).hex().encode("ascii")
        pem = self._private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(passphrase),
        ) + self._certificate.public_bytes(serialization.Encoding.PEM)
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:  # mode 0600
            file.write(pem)
            file.flush()
            context.load_cert_chain(file.name, password=passphrase)


def presented_key(connection: ssl.SSLObject | ssl.SSLSocket | None) -> PublicKey:
    """Return the public key that the other side of a connection proved to hold.

    Raises:
        PeerUnknownError: No TLS, no certificate, or no P-256 key in it.
    """
    raw = None if connection is None else connection.getpeercert(binary_form=True)
    if raw is None:
        raise PeerUnknownError("the peer presented no certificate")
    public: object = None
    with suppress(ValueError):
        public = x509.load_der_x509_certificate(raw).public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise PeerUnknownError("the peer's certificate holds no P-256 key")
    point = public.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )
    try:
        return parse_public_key(Algorithm.P256, point)
    except InvalidKeyError as error:
        raise PeerUnknownError("the peer's certificate holds no P-256 key") from error


def _name(key: PublicKey, prefix: str = "") -> x509.Name:
    text = f"{prefix}{key.key_id.hex()}"
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    *, subject: x509.Name, issuer: x509.Name, public: PublicKey, signed_by: _Private
) -> x509.Certificate:
    """Make a leaf (issuer: the key's own name) or an anchor (subject: the key's own name)."""
    is_anchor = subject == _name(public)
    loaded = load_public_key(public)
    assert isinstance(loaded, ec.EllipticCurvePublicKey), "peer keys are P-256"
    usage = x509.KeyUsage(
        digital_signature=not is_anchor,
        key_cert_sign=is_anchor,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(loaded)
        .serial_number(_SERIAL_ANCHOR if is_anchor else _SERIAL_LEAF)
        .not_valid_before(_FROM)
        .not_valid_after(_TO)
        .add_extension(x509.BasicConstraints(ca=is_anchor, path_length=None), critical=True)
        .add_extension(usage, critical=True)
    )
    return builder.sign(signed_by, hashes.SHA256())


def abort_connection(transport: asyncio.BaseTransport) -> None:
    """Close a connection now, without a goodbye; one that is closed stays closed.

    In Python 3.11.2 a TLS transport that is closed already has no protocol, and raises.
    """
    if isinstance(transport, asyncio.Transport):
        with suppress(AttributeError):
            transport.abort()
