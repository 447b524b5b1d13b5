"""Sockets that listen within bounds: so many connections at all, so many of one address.

The limits hold from the moment a connection is accepted, so before TLS and HTTP: whoever opens
connections and says nothing takes up places and nothing else. A listener that knows its clients by
key tells the gate who is known; of those who are not, the oldest is closed when there are too many.
A handshake takes milliseconds, so a flood has to be very fast to push out one that is under way.

An IPv6 address counts as its /64: one customer has all of it.
"""

import asyncio
import contextlib
import ipaddress
import os
import socket
import ssl
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from typing import Final

from aiohttp import web

from node.errors import AddressUnusableError
from node.routing import Connection

HANDSHAKE_TIMEOUT_S: Final = 5.0
"""For TLS; without it a silent stranger keeps a place for a minute."""
SHUTDOWN_TIMEOUT_S: Final = 2.0
_IPV6_PREFIX: Final = 64


class Gate:
    """Counts the connections of a listener.

    Args:
        total_max: Of all.
        address_max: Of one address.
        strangers_max: Of those that are not known yet; None where nobody ever is.
        may_arrive: Tells whether an address may open another connection now; None: always.

    Attributes:
        refused: Connections closed at once, and strangers pushed out.
        ended: Connections that were closed after they were let in.
    """

    def __init__(
        self,
        total_max: int,
        address_max: int,
        strangers_max: int | None = None,
        may_arrive: Callable[[str], bool] | None = None,
    ) -> None:
        self._total_max = total_max
        self._address_max = address_max
        self._strangers_max = strangers_max
        self._by_address: Counter[str] = Counter()
        self._strangers: OrderedDict[int, AcceptedSocket] = OrderedDict()
        self._may_arrive = may_arrive
        self._open = 0
        self.refused = 0
        self.ended = 0

    def __len__(self) -> int:
        return self._open

    @property
    def strangers(self) -> int:
        """How many connections are not known yet."""
        return len(self._strangers)

    def enters(self, accepted: "AcceptedSocket", address: str) -> bool:
        """Let a connection in, if there is a place; return whether."""
        name = address_name(address)
        is_full = self._open >= self._total_max or self._by_address[name] >= self._address_max
        if is_full or (self._may_arrive is not None and not self._may_arrive(name)):
            self.refused += 1
            return False
        self._open += 1
        self._by_address[name] += 1
        number = accepted.fileno()
        accepted.on_close = lambda: self._leaves(number, name)
        if self._strangers_max is not None:
            self._strangers[number] = accepted
            while len(self._strangers) > self._strangers_max:
                _number, oldest = self._strangers.popitem(last=False)
                self.refused += 1
                with contextlib.suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)
        return True

    def knows(self, transport: asyncio.BaseTransport | None) -> None:
        """Take a connection out of the strangers: its key is known."""
        held = None if transport is None else transport.get_extra_info("socket")
        if held is not None:
            self._strangers.pop(held.fileno(), None)

    def _leaves(self, number: int, name: str) -> None:
        self._open -= 1
        self.ended += 1
        self._strangers.pop(number, None)
        self._by_address[name] -= 1
        if self._by_address[name] <= 0:
            del self._by_address[name]


class AcceptedSocket(socket.socket):
    """A connection that tells its gate when it is closed."""

    on_close: Callable[[], None] | None = None

    def close(self) -> None:
        """Close, and free the place."""
        told, self.on_close = self.on_close, None
        if told is not None:
            told()
        super().close()


class ListeningSocket(socket.socket):
    """A socket whose `accept` asks a gate first."""

    gate: Gate | None = None

    def accept(self) -> tuple[socket.socket, object]:
        """Accept a connection.

        Raises:
            ConnectionAbortedError: There was no place for it; it is closed.
        """
        number, address = self._accept()  # type: ignore[attr-defined]
        accepted = AcceptedSocket(self.family, self.type, self.proto, fileno=number)
        if self.gate is not None and not self.gate.enters(accepted, str(address[0])):
            accepted.close()
            raise ConnectionAbortedError("no place for another connection")
        return accepted, address


class GatedSite(web.BaseSite):
    """One listening address behind a gate; aiohttp's own sites know no limits.

    Args:
        runner: What serves the connections.
        listening: Bound, not listening yet.
        context: For TLS, or None.
        backlog: Connections that wait to be accepted.
    """

    __slots__ = ("_listening",)

    def __init__(
        self,
        runner: web.BaseRunner,
        listening: ListeningSocket,
        context: ssl.SSLContext | None,
        backlog: int,
    ) -> None:
        super().__init__(runner, ssl_context=context, backlog=backlog)
        self._listening = listening

    @property
    def name(self) -> str:
        """Where it listens."""
        return f"{self._listening.getsockname()}"

    async def start(self) -> None:
        """Listen."""
        await super().start()
        server = self._runner.server
        assert server is not None, "the runner was set up"
        served = server
        is_tls = self._ssl_context is not None
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Connection(served),
            sock=self._listening,
            ssl=self._ssl_context,
            backlog=self._backlog,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S if is_tls else None,
            ssl_shutdown_timeout=SHUTDOWN_TIMEOUT_S if is_tls else None,
        )


@contextlib.contextmanager
def address_of(setting: str, host: str, port: int) -> Iterator[None]:
    """Say which setting names an address that cannot be listened on.

    Args:
        setting: As in config.toml.
        host: What it names.
        port: Likewise.

    Raises:
        AddressUnusableError: It is taken, or none of this machine.
    """
    try:
        yield
    except OSError as error:
        is_system = error.errno is not None and error.errno > 0  # asyncio's words name it again
        reason = os.strerror(error.errno or 0) if is_system else str(error.strerror)
        raise AddressUnusableError(
            f"{setting} = {host}:{port} cannot be used: {reason}",
            setting=setting,
            address=f"{host}:{port}",
            reason=reason,
        ) from error


async def listen(
    runner: web.BaseRunner,
    host: str,
    port: int,
    gate: Gate,
    *,
    context: ssl.SSLContext | None = None,
    backlog: int = 128,
) -> int:
    """Listen on all addresses of a host; return the port, chosen freely where `port` is 0.

    Raises:
        OSError: The address cannot be used.
    """
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    chosen = port
    for family, kind, protocol, _name, address in dict.fromkeys(found):
        listening = ListeningSocket(family, kind, protocol)
        try:
            listening.setblocking(False)  # noqa: FBT003 - socket's own signature
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.bind((address[0], chosen, *address[2:]))
            listening.gate = gate
            chosen = int(listening.getsockname()[1])
            await GatedSite(runner, listening, context, backlog).start()
        except BaseException:
            listening.close()
            raise
    return chosen


def address_name(address: str) -> str:
    """Return what an address is counted by: itself, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_PREFIX), strict=False))
    return str(parsed)
