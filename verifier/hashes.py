"""SHA-256 with purposes, and the list tree.

Source: docs/formats.md, section 2; RFC 9162, section 2.1.
"""

from collections.abc import Sequence
from hashlib import sha256

from verifier.refusals import MismatchError

EMPTY_ROOT = sha256(b"").digest()


def prefix(purpose: str) -> bytes:
    """Return what every hashed or signed message of a purpose begins with."""
    return f"civreg/{purpose}/v1".encode("ascii") + b"\x00"


def hashed(purpose: str, *pieces: bytes) -> bytes:
    """Return H(purpose, pieces joined), 32 bytes."""
    return sha256(prefix(purpose) + b"".join(pieces)).digest()


def leaf_of(data: bytes) -> bytes:
    """Return the leaf hash of leaf data."""
    return sha256(b"\x00" + data).digest()


def node_of(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def list_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes, by the recursive definition of the RFC."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_of(list_root(leaves[:split]), list_root(leaves[split:]))


def path_root(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root that an inclusion path leads to, by RFC 9162, section 2.1.3.2.

    Args:
        leaf: Leaf hash.
        index: From 0.
        size: Leaves of the tree.
        path: Lowest hash first.

    Raises:
        MismatchError: The index is outside the tree, or the path has another length.
    """
    if not 0 <= index < size:
        raise MismatchError("path_index", f"a tree of {size} has no leaf {index}")
    at, last, found = index, size - 1, leaf
    for hash_beside in path:
        if last == 0:
            raise MismatchError("path_length", "the path is too long")
        if at & 1 or at == last:
            found = node_of(hash_beside, found)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            found = node_of(found, hash_beside)
        at, last = at >> 1, last >> 1
    if last:
        raise MismatchError("path_length", "the path is too short")
    return found
