"""Frozen vectors of snapshots, for `tests.vectors.make_vectors`."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger import merkle
from ledger.canonical import Value, encode
from ledger.merkle import Frontier
from ledger.snapshot_files import MANIFEST_FILE, read_chunk, write_snapshot
from tests.ledger.stored_chain import StoredChain
from tests.networks import small_network

if TYPE_CHECKING:
    from ledger.state_keys import StateKey

HEIGHTS = 5
CHUNK_BYTES = 1_500
VALID_UNTIL_MS = 1_800_000_000_000
FRONTIERS = (0, 1, 2, 3, 7, 8, 11, 100)


def snapshot_vectors() -> dict[str, Any]:
    """A snapshot of a small chain in more chunks than usual, and frontiers of several sizes."""
    with tempfile.TemporaryDirectory() as folder:
        network = small_network()
        chain = StoredChain(Path(folder) / "node", network)
        for height in range(1, HEIGHTS + 1):
            written: dict[StateKey, Value] = {
                ("k", height, at): f"{height} {at}" for at in range(8)
            }
            chain.commit(written, entries=height % 2)
        out = Path(folder) / "snapshot"
        manifest = write_snapshot(chain.store, out, VALID_UNTIL_MS, CHUNK_BYTES)
        state_root = chain.store.state_root
        chain.store.close()
        return {
            "genesis": network.genesis.raw.hex(),
            "chunk_bytes": CHUNK_BYTES,
            "manifest": (out / MANIFEST_FILE).read_bytes().hex(),
            "snapshot_id": manifest.content.snapshot_id.hex(),
            "state_root": state_root.hex(),
            "chunks": [
                {
                    "kind": int(info.kind),
                    "digest": info.digest.hex(),
                    "raw": read_chunk(out, info.digest).hex(),
                }
                for info in manifest.content.chunks
            ],
            "frontiers": [_frontier(size) for size in FRONTIERS],
        }


def _frontier(size: int) -> dict[str, Any]:
    """The frontier over the leaves with data 00, 01, 02 ..."""
    frontier = Frontier().extend([merkle.leaf_hash(bytes([at])) for at in range(size)])
    return {"leaves": size, "value": encode(frontier.to_value()).hex()}
