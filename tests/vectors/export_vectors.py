"""Frozen vectors of the chain export, whole and begun later, for `tests.vectors.make_vectors`."""

import tempfile
from pathlib import Path
from typing import Any, Final

from ledger.canonical import encode
from ledger.export import (
    BLOCKS_FILE,
    FRAME_BYTES_MAX,
    GENESIS_FILE,
    START_FILE,
    TRUST_FILE,
    ExportWriter,
)
from ledger.quorum import print_quorum_certificate
from ledger.trust import CertifiedHeader, TrustBundle, make_trust
from tests.networks import GENESIS_MS, ChainBuilder, small_entry, small_network

ENTRIES: Final = (1, 0, 2)
"""Of each block."""
FIRST_OF_LATER: Final = 2
_LENGTH_BYTES: Final = 4

Frames = list[tuple[bytes, bytes]]


def chain() -> tuple[Frames, TrustBundle]:
    network = small_network()
    builder = ChainBuilder(network)
    frames, certified = [], None
    for height, count in enumerate(ENTRIES, 1):
        names = [("export", height, at) for at in range(count)]
        entries = [small_entry(network.genesis.network_id, name) for name in names]
        block, certificate = builder.next_block(entries)
        frames.append((block.raw, print_quorum_certificate(certificate)))
        certified = CertifiedHeader(block.header, certificate)
    return frames, make_trust(network.genesis.charter, [], certified, GENESIS_MS + 10**9)


def export_vectors() -> dict[str, Any]:
    frames, trust = chain()
    whole = _written(frames, trust, 1)
    later = _written(frames[FIRST_OF_LATER - 1 :], trust, FIRST_OF_LATER)
    return {
        "files": {name: raw.hex() for name, raw in whole.items()},
        "blocks": [
            {"block": block.hex(), "quorum_certificate": certificate.hex()}
            for block, certificate in frames
        ],
        "begun_later": {
            "first_height": FIRST_OF_LATER,
            "files": {name: later[name].hex() for name in (BLOCKS_FILE, START_FILE)},
        },
        "refused": {
            "blocks": {name: raw.hex() for name, raw in _refused_blocks(frames).items()},
            "start": {name: raw.hex() for name, raw in _refused_starts().items()},
        },
    }


def _written(frames: Frames, trust: TrustBundle, first_height: int) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        genesis = small_network().genesis.raw
        with ExportWriter.open(folder, genesis, first_height) as writer:
            for frame in frames:
                writer.append(*frame)
            writer.finish(trust)
        files = (GENESIS_FILE, BLOCKS_FILE, TRUST_FILE, START_FILE)
        return {one: (folder / one).read_bytes() for one in files if (folder / one).is_file()}


def _framed(*contents: bytes) -> bytes:
    return b"".join(len(one).to_bytes(_LENGTH_BYTES) + one for one in contents)


def _refused_blocks(frames: Frames) -> dict[str, bytes]:
    """Files of blocks that do not read or do not follow one another."""
    good = [encode(frame) for frame in frames]
    block, certificate = frames[0]
    changed = bytearray(block)
    changed[-1] ^= 1
    return {
        "cut within a block": _framed(*good)[:-1],
        "cut within a length": _framed(*good)[: len(_framed(*good[:2])) + 2],
        "a length beyond every block": (FRAME_BYTES_MAX + 1).to_bytes(_LENGTH_BYTES) + good[0],
        "a length in the other order of bytes": len(good[0]).to_bytes(4, "little") + good[0],
        "a gap": _framed(good[0], good[2]),
        "the first block twice": _framed(good[0], *good),
        "a block without its certificate": _framed(encode((block,))),
        "the certificate of another block": _framed(encode((block, frames[1][1]))),
        "a changed byte of a block": _framed(encode((bytes(changed), certificate))),
    }


def _refused_starts() -> dict[str, bytes]:
    return {
        "height 0": encode((1, "start", 0)),
        "version 2": encode((2, "start", 2)),
        "another word": encode((1, "begin", 2)),
        "a byte behind the end": encode((1, "start", 2)) + b"\x00",
    }
