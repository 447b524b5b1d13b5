"""Connections on which the header of a request does not come whole in time are closed.

That of the first request is awaited from the beginning, that of a later one from its first byte: in
between a connection may rest for as long as `node.routing` lets it.
"""

from collections.abc import Iterable
from typing import Final

from aiohttp import web

from ledger.limits import REQUEST_READ_TIMEOUT_MS
from node.routing import Connection

WATCH_EVERY_S: Final = 2.0


class IdleConnections:
    """Knows since when each connection owes the header of which request."""

    def __init__(self) -> None:
        self._owed: dict[Connection, tuple[int, int]] = {}

    def close_idle(self, connections: Iterable[web.RequestHandler], now_ms: int) -> None:
        """Close those on which a header is under way for too long.

        Args:
            connections: All that are open.
            now_ms: Monotonic time.
        """
        before, self._owed = self._owed, {}
        for connection in connections:
            assert isinstance(connection, Connection), "our listeners make no others"
            number = connection.awaited
            if number is None:
                continue
            known, since_ms = before.get(connection, (number, now_ms))
            since_ms = since_ms if known == number else now_ms
            self._owed[connection] = number, since_ms
            if now_ms - since_ms >= REQUEST_READ_TIMEOUT_MS and connection.transport is not None:
                connection.transport.close()
