"""Snapshots over real sockets with TLS: given out whole, a few at a time to each peer."""

import asyncio

import pytest

from keys.hashing import Digest
from ledger.snapshot_files import MANIFEST_FILE, read_manifest, write_snapshot
from node.clock import SystemClock
from node.conduct import Conduct
from node.config import Address
from node.errors import PeerUnreachableError
from node.http_peer import PeerListener
from node.http_snapshots import PEER_SERVED_MAX, snapshot_routes
from node.http_transport import HttpTransport
from node.logs import SilentLog
from node.peers import Lane, PeerNode
from node.snapshots import CHUNKS_PATH, SNAPSHOTS_PATH, SnapshotShelf, parse_listing
from node.tls import PeerTls
from tests.node.grown_chain import grow_chain
from tests.node.test_http_peer import FRIEND, FRIEND_ID, SERVER, SERVER_ID, Service
from tests.node.town_chain import make_town

pytestmark = pytest.mark.asyncio
BIG_MS = 10**14


@pytest.fixture
def shelf(tmp_path):
    """The shelf of a node that has one snapshot, of height 3."""
    town = make_town()
    application = grow_chain(tmp_path / "node", town, 3, people=4)
    write_snapshot(application.store, tmp_path / "snapshots" / "3", BIG_MS)
    made = SnapshotShelf(tmp_path / "snapshots", application, 0, SystemClock(), SilentLog())
    yield made, tmp_path / "snapshots" / "3"
    made.stop()
    application.close()


async def test_lists_manifests_and_chunks_come_whole_and_strange_names_are_refused(shelf):
    kept, folder = shelf
    manifest = read_manifest(folder)
    listener = PeerListener(
        Service(),
        lambda _key_id: FRIEND_ID,
        conduct=Conduct(),
        clock=SystemClock(),
        log=SilentLog(),
        routes=snapshot_routes(kept),
    )
    tls = PeerTls(SERVER).server_context([FRIEND.public])
    port = await listener.start("127.0.0.1", 0, tls)
    node = PeerNode(SERVER_ID, SERVER.public, Address("127.0.0.1", port))
    try:
        async with HttpTransport(PeerTls(FRIEND)) as transport:

            async def get(path):
                return await transport.get(node, Lane.FETCH, path, 10**8)

            snapshot_id = manifest.content.snapshot_id
            assert parse_listing(await get(SNAPSHOTS_PATH)) == ((3, snapshot_id),)
            raw = await get(f"{SNAPSHOTS_PATH}/{snapshot_id.hex()}")
            assert raw == (folder / MANIFEST_FILE).read_bytes()
            paths = [f"{CHUNKS_PATH}{one.digest.hex()}" for one in manifest.content.chunks]
            found = await asyncio.gather(*[get(path) for path in paths[:PEER_SERVED_MAX]])
            assert [len(one) for one in found] == [
                one.size for one in manifest.content.chunks[:PEER_SERVED_MAX]
            ]
            assert await get(f"{CHUNKS_PATH}{Digest(bytes(32)).hex()}") is None
            for strange in ("nothing", "AB" * 32, "00" * 33):
                with pytest.raises(PeerUnreachableError):
                    await get(f"{CHUNKS_PATH}{strange}")
    finally:
        await listener.stop()
