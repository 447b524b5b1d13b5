"""The listeners of /v1 and of the private port: HTTP in, calls to handlers, replies out.

Before a handler is called: the address is in the table, the client is within its rate, the body
came in time and in bounds, the signature (if there is one) counts, and the asker has the rights of
the route. Whatever goes wrong leaves as a problem document; a mistake of ours leaves as
`node.internal` with its traceback in no answer and its class in the log. Connections on which a
request does not come in time are closed.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from keys.errors import CivregError
from node.access import Access, require_asker
from node.clock import Clock
from node.idle_connections import WATCH_EVERY_S, IdleConnections
from node.listening import Gate, address_name, address_of, listen
from node.logs import Log, place_of
from node.metrics import Metrics
from node.problems import PROBLEM_TYPE, Problem, problem_of
from node.public_errors import (
    BodyTooLargeError,
    InternalError,
    MalformedRequestError,
    NotFoundError,
    TooManyRequestsError,
    TooSlowError,
    WrongMediaTypeError,
    WrongMethodError,
)
from node.rate_limits import RateLimits
from node.request_auth import Asker, Doorkeeper, Request
from node.routes import ROUTES, Call, Handler, Reply, Rights, Route
from node.routing import Router, Server

SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}
CONNECTIONS_MAX: Final = 2_048
"""Open connections of a listener, and those that wait to be taken."""
ADDRESS_CONNECTIONS_MAX: Final = 1_024
"""Of them, from one address: whoever opens all that he may leaves half for the others."""
BYTES_PER_TOKEN: Final = 4_096
"""Of a request's body; each costs as much as a request."""
REFUSALS_LOGGED_PER_SECOND: Final = 1
REFUSALS_LOGGED_BURST: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerPorts:
    """What a listener stands on.

    Attributes:
        clock: What time it is.
        log: Takes notes.
        metrics: Counts requests.
        limits: How often an address may ask.
    """

    clock: Clock
    log: Log
    metrics: Metrics
    limits: RateLimits


class HttpListener:
    """Serves the routes of one of the two listeners.

    Args:
        handlers: By name of the route; every route of the listener has one.
        doorkeeper: Says who signed a request.
        access: Says what rights they have.
        ports: What it stands on.
        private: Which of the two listeners this is.
        routes: The table.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        doorkeeper: Doorkeeper,
        access: Access,
        ports: ListenerPorts,
        *,
        private: bool = False,
        routes: Iterable[Route] = ROUTES,
    ) -> None:
        self._handlers = handlers
        self._doorkeeper = doorkeeper
        self._access = access
        self._clock = ports.clock
        self._log = ports.log
        self._metrics = ports.metrics
        self._limits = ports.limits
        self._is_private = private
        self._router = Router([route for route in routes if route.private == private])
        self._runner: web.ServerRunner | None = None
        self._server: Server | None = None
        self._idle = IdleConnections()
        self._logged = RateLimits(REFUSALS_LOGGED_PER_SECOND, REFUSALS_LOGGED_BURST)
        self.gate = Gate(CONNECTIONS_MAX, ADDRESS_CONNECTIONS_MAX)

    # --- starting and stopping ---

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port, which is chosen freely where `port` is 0."""
        self._server = Server(self._door, CONNECTIONS_MAX)
        self._runner = web.ServerRunner(self._server, shutdown_timeout=1)
        await self._runner.setup()
        setting = "listen.private" if self._is_private else "listen.public"
        with address_of(setting, host, port):
            return await listen(self._runner, host, port, self.gate, backlog=CONNECTIONS_MAX)

    async def stop(self) -> None:
        """Stop listening and close what is open."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = self._server = None

    async def watch(self) -> None:
        """Close connections on which a request is late, until cancelled."""
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            self.close_idle(self._clock.monotonic_ms())

    def close_idle(self, now_ms: int) -> None:
        """Close connections on which the header of a request has not come within its time."""
        connections = () if self._server is None else self._server.connections
        self._idle.close_idle(connections, now_ms)

    # --- one request ---

    async def _door(self, request: web.BaseRequest) -> web.StreamResponse:
        found = self._router.match(request.path)
        methods, names = ({}, {}) if found is None else found
        route = methods.get(request.method)
        name = "none" if route is None else route.name
        try:
            if route is None:
                response = self._answer_none(request, methods)
            else:
                response = await self._answer(request, route, names)
        except CivregError as error:
            problem = problem_of(error)
            response = self._refuse(request, problem, route)
            now_ms = self._clock.monotonic_ms()
            if problem.status >= _SERVER_ERRORS and not self._logged.take(error.code, now_ms):
                self._log.warning("request_refused", route=name, code=error.code)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - nobody outside sees what broke
            self._log.warning(
                "request_failed", route=name, error=type(error).__name__, place=place_of(error)
            )
            problem = problem_of(InternalError("the node failed to answer"))
            response = self._refuse(request, problem, route)
        self._metrics.requests.add(1, route=name, status=str(response.status))
        return response

    async def _answer(
        self, request: web.BaseRequest, route: Route, names: Mapping[str, str]
    ) -> web.StreamResponse:
        self._check_rate(request)
        body = await _read_body(request, route)
        address = address_name(request.remote or "")
        self._charge(address, len(body) // BYTES_PER_TOKEN)
        asker = self._asker(request, body)
        self._check_rights(route, asker)
        call = Call(
            path=names,
            query=_query(request, route),
            body=body,
            asker=asker,
            source=address,
            charge=lambda tokens: self._charge(address, tokens),
        )
        reply = await self._handlers[route.name](call)
        if reply.stream is not None:
            return await _stream(request, reply, reply.stream, self._headers(route))
        headers = {**self._headers(route), **reply.headers}
        return web.Response(
            status=reply.status, body=reply.body, content_type=reply.media, headers=headers
        )

    def _answer_none(
        self, request: web.BaseRequest, methods: Mapping[str, Route]
    ) -> web.StreamResponse:
        """Answer a request without a route: a question of another origin, or a refusal.

        Raises:
            NotFoundError: There is nothing here.
            WrongMethodError: There is something, for another method.
        """
        if not methods:
            raise NotFoundError("there is nothing at this address")
        read = methods.get("GET")
        if request.method != "OPTIONS" or read is None or not read.cors:
            raise WrongMethodError("this address does not take this method")
        headers = {
            **self._headers(read),
            "Access-Control-Allow-Methods": "GET",
            "Access-Control-Allow-Headers": "Civreg-Network, Signature, Signature-Input",
            "Access-Control-Max-Age": "600",
        }
        return web.Response(status=204, headers=headers)

    def _charge(self, address: str, tokens: int) -> None:
        """Have an address pay for what its requests cost."""
        self._limits.spend(address, tokens, self._clock.monotonic_ms())

    def _check_rate(self, request: web.BaseRequest) -> None:
        address = address_name(request.remote or "")
        wait_ms = self._limits.take(address, self._clock.monotonic_ms())
        if wait_ms:
            raise TooManyRequestsError(
                "too many requests from this address", retry_after_s=wait_ms // 1_000 + 1
            )

    def _asker(self, request: web.BaseRequest, body: bytes) -> Asker | None:
        signed = Request(
            method=request.method,
            authority=request.host.lower(),
            path=request.rel_url.raw_path,
            query=request.rel_url.raw_query_string,
            body=body,
        )
        now_s = self._clock.now_ms() // 1_000
        return self._doorkeeper.asker(signed, request.headers, now_s)

    def _check_rights(self, route: Route, asker: Asker | None) -> None:
        if route.rights is Rights.SIGNED:
            require_asker(asker)
        elif route.rights is Rights.MEMBER:
            self._access.require_member(asker)

    def _headers(self, route: Route | None) -> dict[str, str]:
        if route is None or not route.cors:
            return dict(SECURITY_HEADERS)
        shared = {
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        return {**SECURITY_HEADERS, **shared}

    def _refuse(
        self, request: web.BaseRequest, problem: Problem, route: Route | None
    ) -> web.StreamResponse:
        response = web.Response(
            status=problem.status,
            body=problem.body,
            content_type=PROBLEM_TYPE,
            headers={**self._headers(route), **problem.headers},
        )
        if not request.content.at_eof():
            response.force_close()
        return response


async def _read_body(request: web.BaseRequest, route: Route) -> bytes:
    """Return the whole body, within the bounds of the route.

    Raises:
        WrongMediaTypeError: There is a body of another type than the route takes.
        BodyTooLargeError: It is too large, declared or in fact.
        TooSlowError: It did not come in time.
    """
    if not request.body_exists:
        return b""
    if request.content_length != 0 and request.content_type != route.takes:
        wanted = route.takes or "no body"
        raise WrongMediaTypeError(f"this address takes {wanted}", wanted=wanted)
    if (request.content_length or 0) > route.body_bytes_max:
        raise _too_large(route, request.content_length or 0)
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(route.read_timeout_ms / 1_000):
            async for piece in request.content.iter_any():
                size += len(piece)
                if size > route.body_bytes_max:
                    raise _too_large(route, size)
                pieces.append(piece)
    except TimeoutError as error:
        raise TooSlowError(
            f"the body did not come within {route.read_timeout_ms} ms",
            limit="time to read",
            maximum=route.read_timeout_ms,
        ) from error
    return b"".join(pieces)


def _too_large(route: Route, size: int) -> BodyTooLargeError:
    return BodyTooLargeError(
        f"the body has {size} bytes or more, over {route.body_bytes_max}",
        limit="request body bytes",
        value=size,
        maximum=route.body_bytes_max,
    )


def _query(request: web.BaseRequest, route: Route) -> dict[str, str]:
    for name in request.query:
        if name not in route.query:
            raise MalformedRequestError("the address has no such parameter")
        if len(request.query.getall(name)) > 1:
            raise MalformedRequestError(f"the parameter {name} stands twice", parameter=name)
    return dict(request.query)


async def _stream(
    request: web.BaseRequest, reply: Reply, pieces: AsyncIterator[bytes], headers: Mapping[str, str]
) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.status, headers={**headers, **reply.headers})
    response.content_type = reply.media
    await response.prepare(request)
    async for piece in pieces:
        await response.write(piece)
    return response


_SERVER_ERRORS: Final = 500
