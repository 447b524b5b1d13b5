"""Connections that have not sent their first whole request in time are closed.

A later request that does not come whole is cut off by the keep-alive time of the HTTP server.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from ledger.limits import REQUEST_READ_TIMEOUT_MS

WATCH_EVERY_S: Final = 2.0


class IdleConnections:
    """Knows since when each connection has said nothing whole."""

    def __init__(self) -> None:
        self._served: set[asyncio.BaseProtocol] = set()
        self._young: dict[asyncio.BaseProtocol, int] = {}

    def serves(self, connection: asyncio.BaseProtocol) -> None:
        """Note that a connection has sent a request."""
        self._served.add(connection)

    def close_idle(self, connections: Iterable[asyncio.BaseProtocol], now_ms: int) -> None:
        """Close those whose first request has not come within its time.

        Args:
            connections: All that are open.
            now_ms: Monotonic time.
        """
        listed = list(connections)
        self._served.intersection_update(listed)
        young = {one: self._young.get(one, now_ms) for one in listed}
        self._young = {one: since for one, since in young.items() if one not in self._served}
        for connection, since_ms in list(self._young.items()):
            if now_ms - since_ms >= REQUEST_READ_TIMEOUT_MS:
                transport = getattr(connection, "transport", None)
                if transport is not None:
                    transport.close()
