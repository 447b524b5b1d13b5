"""Carries bytes to other nodes over HTTP with mutual TLS: one keep-alive connection a lane.

What a peer answers is read up to a limit and within a time; everything that goes wrong is a
PeerError, so that nobody above knows about HTTP.

A cut in the network says nothing: TCP waits twice as long after each silence, so a connection of
before a long cut could rest for as long again when all is well. So the kernel is told to give up
what brings no sign of life for five seconds; the next try begins anew, with short waits.
"""

import socket
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import aiohttp

from ledger.ids import AgencyId
from node.errors import PeerMisbehavedError, PeerUnreachableError
from node.peers import ANSWER_BYTES_MAX, Lane, PeerNode
from node.tls import PeerTls

if TYPE_CHECKING:
    import ssl


TIMEOUT_MS: Final = {
    Lane.VOTES: 3_000,
    Lane.BLOCKS: 10_000,
    Lane.BULK: 20_000,
    Lane.FETCH: 10_000,
}
SILENCE_MS: Final = 5_000
"""After which a connection is lost whose other end acknowledges nothing."""
PROBE_AFTER_S: Final = 2
"""Silence after which an end that only waits for an answer asks whether the other one is there."""
PROBE_EVERY_S: Final = 1
_CONNECTIONS: Final = {Lane.VOTES: 1, Lane.BLOCKS: 1, Lane.BULK: 1, Lane.FETCH: 4}
_CHUNK_BYTES: Final = 256 * 1024
_OK: Final = 200
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_ERRORS_FROM: Final = 300


class HttpTransport:
    """Opens a session for each peer and lane when it is first needed.

    Args:
        tls: This node's side of TLS.

    Attributes:
        on_answer: Told of each answer whose it is, and whether the peer let us in.
    """

    def __init__(self, tls: PeerTls) -> None:
        self._tls = tls
        self._contexts: dict[AgencyId, ssl.SSLContext] = {}
        self._sessions: dict[tuple[AgencyId, Lane], aiohttp.ClientSession] = {}
        self._leaving: set[aiohttp.ClientSession] = set()
        self._is_closed = False
        self.on_answer: Callable[[AgencyId, bool], None] = _ignore

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def forget(self, agencies: Iterable["AgencyId"]) -> None:
        """Close the connections with some peers: keys have changed; new ones begin anew."""
        for agency in agencies:
            self._contexts.pop(agency, None)
            places = [(agency, lane) for lane in Lane if (agency, lane) in self._sessions]
            self._leaving.update([self._sessions.pop(place) for place in places])
        await self._close_leaving()

    async def close(self) -> None:
        """Close every connection, for good: who asks later learns that no peer is reached."""
        self._is_closed = True
        self._leaving.update(self._sessions.values())
        self._sessions.clear()
        await self._close_leaving()

    async def _close_leaving(self) -> None:
        """Close what nobody uses any more; what a cancelled call has left, too."""
        for session in tuple(self._leaving):
            await session.close()
            self._leaving.discard(session)

    async def post(
        self, peer: PeerNode, lane: Lane, path: str, body: bytes, bytes_max: int = ANSWER_BYTES_MAX
    ) -> bytes:
        """Send and return the answer's bytes.

        Raises:
            PeerUnreachableError: No connection, not the pinned key, too slow, or an error status.
            PeerMisbehavedError: The answer is too long.
        """
        answer = await self._request(peer, lane, "POST", path, body, bytes_max)
        return b"" if answer is None else answer

    async def get(self, peer: PeerNode, lane: Lane, path: str, bytes_max: int) -> bytes | None:
        """Ask and return the answer's bytes; None if the peer does not have it.

        Raises:
            PeerUnreachableError: As `post`.
            PeerMisbehavedError: The answer is over `bytes_max`.
        """
        return await self._request(peer, lane, "GET", path, None, bytes_max)

    async def _request(
        self, peer: PeerNode, lane: Lane, verb: str, path: str, body: bytes | None, bytes_max: int
    ) -> bytes | None:
        session = self._session(peer, lane)
        try:
            async with session.request(verb, f"https://{peer.address}{path}", data=body) as answer:
                self.on_answer(peer.agency_id, answer.status != _FORBIDDEN)
                if answer.status == _NOT_FOUND and verb == "GET":
                    return None
                if answer.status >= _ERRORS_FROM:
                    raise PeerUnreachableError(
                        f"the peer answered with status {answer.status}", status=answer.status
                    )
                return await _read(answer, bytes_max)
        except RuntimeError as error:  # the session was closed because a key has changed
            raise PeerUnreachableError(f"the connection to {peer.address} was closed") from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise PeerUnreachableError(
                f"no answer from {peer.address}: {type(error).__name__}"
            ) from error

    def _session(self, peer: PeerNode, lane: Lane) -> aiohttp.ClientSession:
        place = (peer.agency_id, lane)
        session = self._sessions.get(place)
        if self._is_closed:
            raise PeerUnreachableError("this node is stopping")
        if session is None:
            context = self._contexts.get(peer.agency_id)
            if context is None:
                context = self._tls.client_context(peer.key)
                self._contexts[peer.agency_id] = context
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=_CONNECTIONS[lane],
                    ssl=context,
                    keepalive_timeout=60,
                    socket_factory=_open_socket,
                ),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_MS[lane] / 1_000),
                auto_decompress=False,
                trust_env=False,
            )
            self._sessions[place] = session
        return session


def _ignore(agency: AgencyId, is_let_in: bool) -> None:  # noqa: FBT001 - a callback
    """Stand in for a callback that nobody has set."""


def _open_socket(place: aiohttp.AddrInfoType) -> socket.socket:
    opened = socket.socket(*place[:3])
    notice_silence(opened)
    return opened


def notice_silence(opened: socket.socket) -> None:
    """Have the kernel give up a connection that brings no sign of life, where it can (Linux)."""
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE_MS)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_AFTER_S)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_EVERY_S)


async def _read(answer: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in answer.content.iter_chunked(_CHUNK_BYTES):
        size += len(piece)
        if size > bytes_max:
            raise PeerMisbehavedError(f"a peer's answer is over {bytes_max} bytes")
        pieces.append(piece)
    return b"".join(pieces)
