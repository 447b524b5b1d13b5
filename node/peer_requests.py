"""The body of a peer's request within bounds, and refusals after which nothing more is read."""

import asyncio
from typing import Final

from aiohttp import web

from ledger.errors import InvalidDataError
from node.public_errors import TooSlowError

READ_TIMEOUT_S: Final = 20.0
"""Within which a body must come; what its sender allows itself, see `node.http_transport`."""


async def read_body(
    request: web.Request, bytes_max: int, timeout_s: float = READ_TIMEOUT_S
) -> bytes:
    """Return the whole body of a peer's request.

    Raises:
        InvalidDataError: It is too long, declared or in fact.
        TooSlowError: It did not come in time.
    """
    if request.content_length is not None and request.content_length > bytes_max:
        raise InvalidDataError(f"a body of {request.content_length} bytes, over {bytes_max}")
    if not request.can_read_body:
        return b""  # all bodiless requests share one stream, and its chunks never end
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout_s):
            async for piece, _end in request.content.iter_chunks():
                size += len(piece)
                if size > bytes_max:
                    raise InvalidDataError(f"a body over {bytes_max} bytes")
                pieces.append(piece)
    except TimeoutError as error:
        raise TooSlowError(f"a body did not come within {timeout_s:.0f} s") from error
    return b"".join(pieces)


def body_bytes(response: web.StreamResponse | None) -> int:
    """Return how long the body of an answer is."""
    body = response.body if isinstance(response, web.Response) else None
    return len(body) if isinstance(body, bytes) else 0


def closing(status: int, code: str, wait_ms: int = 0) -> web.Response:
    """Return a refusal after which nothing more is read from the connection."""
    headers = {"Retry-After": str(wait_ms // 1_000 + 1)} if wait_ms else None
    response = web.Response(status=status, text=code, headers=headers)
    response.force_close()
    return response
