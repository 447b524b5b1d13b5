"""The routes by which peers get snapshots; see `node.snapshots` for their answers.

An answer is at most one chunk or one manifest, and only `SERVED_MAX` are under way at once: whoever
comes then asks another node.
"""

from collections.abc import Iterable
from typing import Final

from aiohttp import web

from keys.hashing import Digest
from ledger.errors import InvalidDataError
from node.snapshots import CHUNKS_PATH, SNAPSHOTS_PATH, SnapshotShelf, digest_of

SERVED_MAX: Final = 8
"""Manifests and chunks that are being sent at once."""
_BUSY: Final = 503


def snapshot_routes(shelf: SnapshotShelf) -> Iterable[web.RouteDef]:
    """Return the routes for the listener of peers."""
    served = 0

    async def listing(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=shelf.listing(), content_type="application/msgpack")

    async def send(request: web.Request, raw: bytes | None) -> web.StreamResponse:
        nonlocal served
        if raw is None:
            return web.Response(status=404)
        if served >= SERVED_MAX:
            return web.Response(status=_BUSY, text="node.unavailable")
        served += 1
        try:
            answer = web.Response(body=raw, content_type="application/msgpack")
            await answer.prepare(request)
            await answer.write_eof()
        finally:
            served -= 1
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
