"""Bytes from a node or a file, for what needs no key: trust bundles, state proofs.

Kept apart from `cli.client`, and imported where it is used, so that `civreg verify` starts at once.
"""

import http.client
import urllib.error
import urllib.request
from typing import Final

from cli.errors import InvalidInputError, NoNetworkError

TIMEOUT_SECONDS: Final = 20.0
SCHEMES: Final = ("http://", "https://")
MSGPACK: Final = "application/msgpack"
JSON: Final = "application/json"


def is_address(source: str) -> bool:
    """Tell whether a word is the address of a node rather than the name of a file."""
    return source.startswith(SCHEMES)


def fetch(source: str, path: str, bytes_max: int, accept: str = MSGPACK) -> bytes:
    """Return what a node answers, without a signature.

    Args:
        source: Its address, `http://…` or `https://…`, with or without the path.
        path: With its leading slash.
        bytes_max: Longer answers are refused.
        accept: Which kind of content.

    Raises:
        NoNetworkError: The node does not answer, or with an error.
        InvalidInputError: The answer is too long.
    """
    address = source if source.rstrip("/").endswith(path) else source.rstrip("/") + path
    request = urllib.request.Request(address, headers={"Accept": accept})  # noqa: S310 - the caller looked at the scheme
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - http(s) only
            raw: bytes = answer.read(bytes_max + 1)
    except urllib.error.HTTPError as error:
        error.close()  # it is an answer, and holds its connection
        raise NoNetworkError(f"{address} answers {error.code}", address=address) from error
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise NoNetworkError(f"no answer from {address}: {error}", address=address) from error
    if len(raw) > bytes_max:
        raise InvalidInputError("the answer is too long", name=address)
    return raw
