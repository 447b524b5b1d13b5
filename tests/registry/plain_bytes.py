"""Ids and digests for tests: plain bytes that a checker takes for any of the named kinds."""

from typing import Any


def sixteen(byte: int) -> Any:
    """Return 16 equal bytes: an id."""
    return bytes([byte]) * 16


def thirty_two(byte: int) -> Any:
    """Return 32 equal bytes: a digest or key."""
    return bytes([byte]) * 32


def named(text: str) -> Any:
    """Return 16 bytes that begin with a readable name: an id."""
    return text.encode().ljust(16, b"\x00")
