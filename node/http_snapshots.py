"""The routes by which peers get snapshots; see `node.snapshots` for their answers.

An answer is at most one chunk or one manifest, and only `SERVED_MAX` are under way at once, of them
`PEER_SERVED_MAX` to one peer: whoever comes then asks another node. Who reads too slowly is cut.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from aiohttp import web

from keys.hashing import Digest
from ledger.errors import InvalidDataError
from node.http_peer import PEER
from node.snapshots import CHUNKS_PATH, SNAPSHOTS_PATH, SnapshotShelf, digest_of
from node.tls import abort_connection

if TYPE_CHECKING:
    from ledger.ids import AgencyId

SERVED_MAX: Final = 8
"""Manifests and chunks that are being sent at once."""
PEER_SERVED_MAX: Final = 4
SEND_S: Final = 30.0
"""For which a peer may take to read one."""
_BUSY: Final = 503


def snapshot_routes(shelf: SnapshotShelf) -> Iterable[web.RouteDef]:
    """Return the routes for the listener of peers."""
    served: Counter[AgencyId] = Counter()

    async def listing(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=shelf.listing(), content_type="application/msgpack")

    async def send(request: web.Request, raw: bytes | None) -> web.StreamResponse:
        peer = request[PEER]
        if raw is None:
            return web.Response(status=404)
        if served.total() >= SERVED_MAX or served[peer] >= PEER_SERVED_MAX:
            return web.Response(status=_BUSY, text="node.unavailable")
        answer = web.Response(body=raw, content_type="application/msgpack")
        served[peer] += 1
        try:
            async with asyncio.timeout(SEND_S):
                await answer.prepare(request)
                await answer.write_eof()
        except TimeoutError:
            if request.transport is not None:
                abort_connection(request.transport)
        finally:
            served[peer] -= 1
        return answer

    async def manifest(request: web.Request) -> web.StreamResponse:
        return await send(request, shelf.manifest(_digest(request)))

    async def chunk(request: web.Request) -> web.StreamResponse:
        return await send(request, shelf.chunk(_digest(request)))

    return (
        web.get(SNAPSHOTS_PATH, listing),
        web.get(SNAPSHOTS_PATH + "/{digest}", manifest),
        web.get(CHUNKS_PATH + "{digest}", chunk),
    )


def _digest(request: web.Request) -> Digest:
    digest = digest_of(request.match_info["digest"])
    if digest is None:
        raise InvalidDataError("a digest in a path is not 64 hexadecimal digits")
    return digest
