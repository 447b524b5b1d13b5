"""Talking to nodes: one HTTP session with keep-alive in a loop of its own, used from plain code.

A refusal of a node comes out as `RemoteRefusalError` with the node's stable code, so people get the
same sentence as if the rule had been checked here. What a node cannot do now (503, 429, no answer)
is tried again for a while. Requests are signed where a key is given (`node.request_auth`).
"""

import asyncio
import json
import secrets
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

import aiohttp

from cli.errors import NoNetworkError, RemoteRefusalError
from keys.hashing import Digest
from keys.signing import Signer
from node.request_auth import NONCE_BYTES, Request, sign_request

CONNECTIONS_MAX: Final = 64
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
TRIES_SECONDS: Final = 20.0
"""How long a node that cannot answer now is asked again."""
REQUEST_SECONDS: Final = 90.0
MSGPACK: Final = "application/msgpack"
JSON: Final = "application/json"
_RETRY_STATUSES: Final = frozenset({429, 502, 503, 504})
_REFUSED_FROM: Final = 400
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request.

    Attributes:
        address: Base address of a node, such as `http://127.0.0.1:7480`.
        path: With its leading slash, without query.
        query: Without its question mark.
        method: In capitals.
        body: Bytes, empty for none.
        media_type: Of the body.
        accept: What should come back.
        signer: Holds an auth key; None: the request is not signed.
        tries_s: How long to try again; 0: once.
    """

    address: str
    path: str
    query: str = ""
    method: str = "GET"
    body: bytes = b""
    media_type: str = MSGPACK
    accept: str = JSON
    signer: Signer | None = field(default=None, repr=False)
    tries_s: float = TRIES_SECONDS


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node answered, a success."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON is any of its values
        """The body as JSON.

        Raises:
            NoNetworkError: It is none: whatever answers there is no node.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise NoNetworkError("the answer is not JSON", address="") from error


class LoopThread:
    """An event loop in a thread; plain code hands it coroutines."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="civreg-client", daemon=True
        )
        self._thread.start()

    def start(self, work: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Begin a coroutine; its future may be waited for in plain code."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine and return what it returns; Ctrl-C cancels it."""
        assert threading.current_thread() is not self._thread, "it would wait for itself"
        future = self.start(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def cancel_all(self) -> None:
        """End everything that is under way, and wait until it has ended."""
        self.run(_end_others())

    def close(self) -> None:
        """Stop the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class SeenHeights:
    """Up to which height nodes were seen: one may answer before it has a block of another."""

    def __init__(self) -> None:
        self._of: dict[str, int] = {}

    @property
    def newest(self) -> int:
        """The highest block of which any node has told."""
        return max(self._of.values(), default=0)

    def saw(self, address: str, height: int) -> None:
        """Know that a node has a block."""
        self._of[address] = max(height, self._of.get(address, 0))

    def is_behind(self, address: str) -> bool:
        """Tell whether a node may lack blocks of which others have told."""
        return self._of.get(address, 0) < self.newest


class Client:
    """Sends requests to nodes; a context manager.

    Attributes:
        heights: Which blocks nodes were seen to have.

    Args:
        network_id: For signed requests, 32 bytes.
        clock_s: Seconds since 1970.
    """

    def __init__(self, network_id: bytes, clock_s: Callable[[], float] = time.time) -> None:
        self._network_id = Digest(network_id)
        self._clock_s = clock_s
        self._loop = LoopThread()
        self._session = self._loop.run(_open_session())
        self._is_open = True
        self.heights = SeenHeights()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; may be called twice."""
        if self._is_open:
            self._is_open = False
            self._loop.cancel_all()
            self._loop.run(self._session.close())
            self._loop.close()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine that uses `send_async` in the client's loop."""
        return self._loop.run(work)

    def start(self, work: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Begin such a coroutine and return its future at once."""
        return self._loop.start(work)

    def send(self, call: Call) -> Answer:
        """Send a request and wait for its answer.

        Raises:
            RemoteRefusalError: The node refused; `remote_code` says why.
            NoNetworkError: No node answers there; details: address.
        """
        return self._loop.run(self.send_async(call))

    async def send_async(self, call: Call) -> Answer:
        """As `send`, in the client's loop."""
        deadline_s = time.monotonic() + call.tries_s
        pause_s = 0.1
        while True:
            problem: NoNetworkError | RemoteRefusalError
            try:
                answer = await self._once(call)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                problem = NoNetworkError(
                    f"no node answers at {call.address}: {type(error).__name__}",
                    address=call.address,
                )
            else:
                if answer.status < _REFUSED_FROM:
                    return answer
                problem = _refusal(answer)
                if answer.status not in _RETRY_STATUSES:
                    raise problem
            if time.monotonic() + pause_s > deadline_s:
                raise problem
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 2.0)

    async def _once(self, call: Call) -> Answer:
        target = f"{call.address}{call.path}{'?' if call.query else ''}{call.query}"
        headers = {"Accept": call.accept}
        if call.body:
            headers["Content-Type"] = call.media_type
        if call.signer is not None:
            request = Request(
                method=call.method,
                authority=urlsplit(call.address).netloc.lower(),
                path=call.path,
                query=call.query,
                body=call.body,
            )
            nonce = secrets.token_bytes(NONCE_BYTES)
            now_s = int(self._clock_s())
            headers |= sign_request(request, self._network_id, call.signer, now_s, nonce)
        async with self._session.request(
            call.method, target, data=call.body or None, headers=headers, allow_redirects=False
        ) as response:
            pieces = bytearray()
            async for piece in response.content.iter_any():
                pieces += piece
                if len(pieces) > ANSWER_BYTES_MAX:
                    raise NoNetworkError("the answer has no end", address=call.address)
            return Answer(response.status, bytes(pieces), dict(response.headers))


async def _end_others() -> None:
    """Cancel all tasks of this loop but this one."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _open_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, limit_per_host=CONNECTIONS_MAX),
        timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS, sock_connect=5),
    )


def _refusal(answer: Answer) -> RemoteRefusalError:
    """Return the error that a problem document says, or one with the bare status."""
    try:
        document = json.loads(answer.body)
    except ValueError:
        document = None
    return refusal_of(document if isinstance(document, dict) else {}, answer.status)


def refusal_of(document: Mapping[str, object], status: int) -> RemoteRefusalError:
    """Return the error that a problem document (RFC 9457) tells of."""
    code = document.get("code")
    detail = document.get("detail") or document.get("title") or f"the node answered {status}"
    fixed = {"type", "title", "status", "detail", "code", "instance"}
    details = {
        name: value
        for name, value in document.items()
        if name not in fixed and isinstance(value, int | str) and name.isidentifier()
    }
    details.pop("message", None)
    details.pop("remote_code", None)
    known = code if isinstance(code, str) else "node.error"
    return RemoteRefusalError(known, str(detail), **details)
