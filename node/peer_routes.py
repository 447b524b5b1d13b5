"""A route of /peer/v1 from a function of bytes, for what other modules hang into the listener."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web

from keys.errors import CivregError
from ledger.errors import InvalidDataError
from ledger.ids import AgencyId
from node.http_peer import PEER
from node.peer_requests import read_body
from node.problems import status_of
from node.public_errors import TooSlowError

WebHandler: TypeAlias = Callable[[web.Request], Awaitable[web.Response]]


def peer_route(answer: Callable[[AgencyId, bytes], bytes], bytes_max: int) -> WebHandler:
    """Return the handler of a route.

    Args:
        answer: Takes who asks and the question; may raise a CivregError. An InvalidDataError is
            held against the peer, another becomes a status.
        bytes_max: Of the question.
    """

    async def handle(request: web.Request) -> web.Response:
        raw = await read_body(request, bytes_max)
        try:
            body = answer(request[PEER], raw)
        except (InvalidDataError, TooSlowError):
            raise
        except CivregError as error:
            return web.Response(status=status_of(error), text=error.code)
        return web.Response(body=body, content_type="application/msgpack")

    return handle
