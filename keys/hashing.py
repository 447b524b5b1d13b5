"""SHA-256 with a purpose in front, so that a hash made for one thing is never valid for another.

Every hash and signature input of civreg begins with `civreg/<purpose>/v1` and a zero byte, except
the Merkle trees (RFC 9162 prefixes) and the nodes of the state tree; `docs/formats.md` lists them.
"""

import hashlib
from typing import NewType

Digest = NewType("Digest", bytes)
"""A SHA-256 digest, 32 bytes."""

DIGEST_BYTES = 32


def domain(purpose: str) -> bytes:
    """Return the domain prefix of a purpose: `civreg/<purpose>/v1` and a zero byte."""
    return b"civreg/" + purpose.encode("ascii") + b"/v1\x00"


def sha256(data: bytes) -> Digest:
    """Return the plain SHA-256 digest of `data`; for structures with a prefix of their own."""
    return hashlib.sha256(data).digest()  # type: ignore[return-value]  # a Digest


def hash_with(prefix: bytes, *pieces: bytes) -> Digest:
    """Return SHA-256 over a domain prefix and the pieces, one after the other.

    All pieces but the last must have a fixed length, or two different lists could hash alike.
    """
    return hashlib.sha256(prefix + b"".join(pieces)).digest()  # type: ignore[return-value]
