"""Signed requests: RFC 9421 over method, authority, path, query, network and body, once.

Both halves stand here: `sign_request` for clients, `Doorkeeper` for the node. A request is signed
with an `auth` or `peer` key of the state, for one node, at one time, with a nonce of its own:

    Civreg-Network: <64 hexadecimal digits>
    Content-Digest: sha-256=:<base64>:                        where there is a body (RFC 9530)
    Signature-Input: sig1=("@method" "@authority" "@path" "@query" "civreg-network"
        "content-digest");created=<seconds>;keyid="<32 hexadecimal digits>";nonce="<32 ...>"
    Signature: sig1=:<base64>:

All components are always covered, in this order; `content-digest` is left out where there is no
body, `@query` is `?` where there is no query. Exactly this form is accepted: a verifier that
understands one form has nothing to be talked into. Keys of this kind are never ledger keys, so the
signature base needs no domain prefix.

Source: RFC 9421 sections 2, 3; RFC 9530; the design's users.md, section 3.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from keys.errors import BadSignatureError, InvalidKeyError
from keys.hashing import Digest
from keys.signing import KeyId, PublicKey, Purpose, Signer, verify
from ledger.ids import AgencyId
from node.public_errors import ReplayedRequestError, UnauthenticatedError, UnavailableError

CREATED_TOLERANCE_S: Final = 60
"""How far `created` may be from the node's time, both ways."""
NONCE_BYTES: Final = 16
NONCES_MAX: Final = 200_000
"""Nonces that are remembered; each is forgotten when its request could no longer be replayed."""
SIGNATURE_HEADERS: Final = ("Civreg-Network", "Content-Digest", "Signature-Input", "Signature")
PURPOSES: Final = frozenset({Purpose.AUTH, Purpose.PEER})
_INPUT: Final = re.compile(
    r'sig1=(?P<params>\("@method" "@authority" "@path" "@query" "civreg-network"'
    r'(?P<body> "content-digest")?\);created=(?P<created>[0-9]{1,12})'
    r';keyid="(?P<key>[0-9a-f]{32})";nonce="(?P<nonce>[0-9a-f]{32})")'
)
_SIGNATURE: Final = re.compile(r"sig1=:(?P<signature>[A-Za-z0-9+/]{1,4500}={0,2}):")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a signature covers, besides time and nonce.

    Attributes:
        method: In capitals.
        authority: Host and, unless it is the scheme's own, port; in small letters.
        path: With its leading slash, as it is sent.
        query: Without its question mark; "" for none.
        body: The bytes, empty for none.
    """

    method: str
    authority: str
    path: str
    query: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key of the state that is in force, and whose it is.

    Attributes:
        public: The key.
        purpose: `auth` or `peer` open this door.
        holder_kind: `identity`, `officer` or `agency`.
        holder: Identity of the person, or id of the agency.
        agency: The member for which the holder asks today, or None for a person.
    """

    public: PublicKey
    purpose: str
    holder_kind: str
    holder: bytes
    agency: AgencyId | None


class KeyBook(Protocol):
    """Where the doorkeeper looks keys up."""

    def key_in_force(self, key_id: KeyId) -> KnownKey | None:
        """Return a key in force today whose holder may ask with it today, or None."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who signed a request."""

    key_id: KeyId
    key: KnownKey

    @property
    def agency(self) -> AgencyId | None:
        """The agency for which somebody asks, or None for a person."""
        return self.key.agency


def sign_request(
    request: Request, network_id: Digest, signer: Signer, created_s: int, nonce: bytes
) -> dict[str, str]:
    """Return the headers that make a request a signed one.

    Args:
        request: What will be sent, exactly.
        network_id: 32 bytes.
        signer: Holds an auth or peer key.
        created_s: Now, in seconds since 1970 UTC.
        nonce: 16 random bytes, other ones for each request.
    """
    assert len(nonce) == NONCE_BYTES
    components = '"@method" "@authority" "@path" "@query" "civreg-network"'
    if request.body:
        components += ' "content-digest"'
    key_id = signer.public.key_id.hex()
    params = f'({components});created={created_s};keyid="{key_id}";nonce="{nonce.hex()}"'
    signature = signer.sign(signature_base(request, network_id, params))
    headers = {
        "Civreg-Network": network_id.hex(),
        "Signature-Input": f"sig1={params}",
        "Signature": f"sig1=:{base64.b64encode(signature).decode()}:",
    }
    if request.body:
        headers["Content-Digest"] = content_digest(request.body)
    return headers


def content_digest(body: bytes) -> str:
    """Return the value of the Content-Digest header: SHA-256 of the body (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def signature_base(request: Request, network_id: Digest, params: str) -> bytes:
    """Return what is signed: RFC 9421, section 2.5."""
    lines = [
        f'"@method": {request.method}',
        f'"@authority": {request.authority}',
        f'"@path": {request.path}',
        f'"@query": ?{request.query}',
        f'"civreg-network": {network_id.hex()}',
    ]
    if request.body:
        lines.append(f'"content-digest": {content_digest(request.body)}')
    lines.append(f'"@signature-params": {params}')
    return "\n".join(lines).encode()


class Nonces:
    """Remembers the nonces of requests that could be replayed; bounded.

    Args:
        nonces_max: How many at once.
    """

    def __init__(self, nonces_max: int = NONCES_MAX) -> None:
        self._nonces_max = nonces_max
        self._seen: dict[tuple[KeyId, bytes], int] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def use(self, key_id: KeyId, nonce: bytes, created_s: int, now_s: int) -> None:
        """Take a nonce, once.

        Raises:
            ReplayedRequestError: It was used.
            UnavailableError: Too many are remembered; a minute later there is room.
        """
        if (key_id, nonce) in self._seen:
            raise ReplayedRequestError("the nonce of this signed request was used before")
        if len(self._seen) >= self._nonces_max:
            oldest_s = now_s - CREATED_TOLERANCE_S
            self._seen = {used: at_s for used, at_s in self._seen.items() if at_s >= oldest_s}
            if len(self._seen) >= self._nonces_max:
                raise UnavailableError(
                    "too many signed requests in a minute",
                    limit="nonces",
                    value=len(self._seen),
                    maximum=self._nonces_max,
                )
        self._seen[key_id, nonce] = created_s


class Doorkeeper:
    """Says who signed a request.

    Args:
        network_id: Of this network.
        keys: Where keys are looked up.
        nonces: Which were used.
    """

    def __init__(self, network_id: Digest, keys: KeyBook, nonces: Nonces | None = None) -> None:
        self._network_id = network_id
        self._keys = keys
        self._nonces = Nonces() if nonces is None else nonces

    def asker(self, request: Request, headers: Mapping[str, str], now_s: int) -> Asker | None:
        """Return who signed a request, or None if it is not signed.

        Args:
            request: As it came.
            headers: Its headers, in any capitals.
            now_s: The node's time in seconds.

        Raises:
            UnauthenticatedError: It bears a signature that does not count: another form, network,
                time or body, a key that is unknown, not in force or of another purpose, or a
                signature that does not verify.
            ReplayedRequestError: Its nonce was used.
        """
        if "Signature" not in headers and "Signature-Input" not in headers:
            return None
        given = _INPUT.fullmatch(headers.get("Signature-Input", ""))
        signed = _SIGNATURE.fullmatch(headers.get("Signature", ""))
        if given is None or signed is None:
            raise UnauthenticatedError("the signature of the request is not in the known form")
        self._check_form(request, headers, covers_body=given["body"] is not None)
        created_s = int(given["created"])
        if abs(now_s - created_s) > CREATED_TOLERANCE_S:
            raise UnauthenticatedError(
                f"the request was signed at {created_s}, the node's time is {now_s}",
                created=created_s,
                now=now_s,
            )
        key_id = KeyId(bytes.fromhex(given["key"]))
        key = self._keys.key_in_force(key_id)
        if key is None or key.purpose not in PURPOSES:
            raise UnauthenticatedError("no auth or peer key in force has this key id")
        base = signature_base(request, self._network_id, given["params"])
        try:
            verify(key.public, base, base64.b64decode(signed["signature"], validate=True))
        except (BadSignatureError, InvalidKeyError, binascii.Error) as error:
            raise UnauthenticatedError("the signature of the request does not verify") from error
        self._nonces.use(key_id, bytes.fromhex(given["nonce"]), created_s, now_s)
        return Asker(key_id, key)

    def _check_form(
        self, request: Request, headers: Mapping[str, str], *, covers_body: bool
    ) -> None:
        if headers.get("Civreg-Network") != self._network_id.hex():
            raise UnauthenticatedError("the request was signed for another network")
        if covers_body != bool(request.body):
            raise UnauthenticatedError("the signature does not cover the body of the request")
        if request.body and headers.get("Content-Digest") != content_digest(request.body):
            raise UnauthenticatedError("the body is another one than the one that was signed")
