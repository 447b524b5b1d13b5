"""Finds the route of a path, and speaks HTTP for us without telling anybody what broke.

The HTTP server of aiohttp answers malformed requests by itself, with their bytes in answer and log.
`Connection` answers them with a problem document instead and logs nothing but a count.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from aiohttp import web

from node.problems import PROBLEM_TYPE, problem_of
from node.public_errors import MalformedRequestError
from node.routes import Route

PATH_CHARS_MAX: Final = 512


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
    """One connection; what aiohttp itself refuses leaves as a problem document."""

    __slots__ = ()

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
        status: int = 500,  # noqa: ARG002
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """Answer a request that is no HTTP, or too large in its headers."""
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already") from exc
        problem = problem_of(MalformedRequestError("the request is not HTTP within our bounds"))
        response = web.Response(status=400, body=problem.body, content_type=PROBLEM_TYPE)
        response.force_close()
        return response

    def log_exception(self, *args: object, **kwargs: object) -> None:
        """Write nothing: the exception quotes the request."""


class Server(web.Server):
    """Makes a `Connection` of each connection; over the limit a new one is dropped at once.

    Args:
        answer: Answers a request.
        options: As `aiohttp.web.Server` takes them.
        connections_max: How many may be open.
    """

    def __init__(
        self, answer: Callable[..., object], options: Mapping[str, object], connections_max: int
    ) -> None:
        super().__init__(answer, **options)  # type: ignore[arg-type]
        self._options = options
        self._connections_max = connections_max

    @property
    def is_full(self) -> bool:
        """Whether as many connections are open as may be."""
        return len(self._connections) >= self._connections_max

    def __call__(self) -> web.RequestHandler:
        """Return the protocol of a new connection."""
        return Connection(self, loop=self._loop, **self._options)  # type: ignore[arg-type]
