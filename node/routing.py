"""Finds the route of a path, and speaks HTTP for us without telling anybody what broke.

The HTTP server of aiohttp answers malformed requests by itself, with their bytes in answer and log.
`Connection` answers them with a problem document instead and logs nothing but a count. Every
listener makes one of each connection.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from aiohttp import web

from keys.errors import CivregError
from ledger.limits import REQUEST_HEADER_BYTES_MAX
from node.problems import PROBLEM_TYPE, problem_of
from node.public_errors import InternalError, MalformedRequestError
from node.request_headers import BoundedParser
from node.routes import Route

PATH_CHARS_MAX: Final = 512
KEEP_ALIVE_S: Final = 75.0
"""For which a connection may rest between two requests."""
LINGER_S: Final = 2.0
"""For which the rest of a refused body is read, so that its sender sees the answer."""
_SERVER_ERRORS: Final = 500


class Router:
    """Matches paths with the table of routes.

    Args:
        routes: Those of one listener.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        by_path: dict[str, dict[str, Route]] = {}
        for route in routes:
            by_path.setdefault(route.path, {})[route.method] = route
        self._patterns = [(_pattern(path), methods) for path, methods in by_path.items()]

    def match(self, path: str) -> tuple[Mapping[str, Route], dict[str, str]] | None:
        """Return the routes of a path by method, and the values of its names; None if unknown."""
        if len(path) <= PATH_CHARS_MAX:
            for pattern, methods in self._patterns:
                found = pattern.fullmatch(path)
                if found is not None:
                    return methods, found.groupdict()
        return None


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path.replace(".", r"\.")))


class Connection(web.RequestHandler):
    """One connection; what aiohttp itself refuses leaves as a problem document.

    Args:
        manager: The server that it belongs to.
    """

    __slots__ = ()

    def __init__(self, manager: web.Server) -> None:
        super().__init__(
            manager,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]
            keepalive_timeout=KEEP_ALIVE_S,
            lingering_time=LINGER_S,
            max_line_size=REQUEST_HEADER_BYTES_MAX,
            max_field_size=REQUEST_HEADER_BYTES_MAX,
        )
        assert self._parser is not None, "a new connection has one"
        self._parser = BoundedParser(self._parser)  # type: ignore[assignment]

    @property
    def awaited(self) -> int | None:
        """Number of the request whose header should come whole now; None if there is none."""
        parser: object = self._parser  # ours, until the connection is lost
        return parser.awaited if isinstance(parser, BoundedParser) else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a new connection, or drop it before anything of it is read."""
        if isinstance(self._manager, Server) and self._manager.is_full:
            assert isinstance(transport, asyncio.Transport), "TCP has one of these"
            self._manager = None
            transport.abort()
        else:
            super().connection_made(transport)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """Answer a request that is no HTTP or over its bounds, or that we failed to answer."""
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already") from exc
        problem = problem_of(_reason(status, exc))
        response = web.Response(status=problem.status, body=problem.body, content_type=PROBLEM_TYPE)
        response.force_close()
        return response

    def log_exception(self, *args: object, **kwargs: object) -> None:
        """Write nothing: the exception quotes the request."""


def _reason(status: int, error: BaseException | None) -> CivregError:
    if status >= _SERVER_ERRORS:
        return InternalError("the node failed to answer")
    cause = None if error is None else error.__cause__
    if isinstance(cause, CivregError):
        return cause
    return MalformedRequestError("the request is not HTTP as we speak it")


class Server(web.Server):
    """Makes a `Connection` of each connection; over the limit a new one is dropped at once.

    Args:
        answer: Answers a request.
        connections_max: How many may be open.
    """

    def __init__(self, answer: Callable[..., object], connections_max: int) -> None:
        super().__init__(answer)  # type: ignore[arg-type]
        self._connections_max = connections_max

    @property
    def is_full(self) -> bool:
        """Whether as many connections are open as may be."""
        return len(self._connections) >= self._connections_max
