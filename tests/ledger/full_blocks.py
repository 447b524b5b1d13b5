"""Blocks of an exact number of bytes, right in all but perhaps their size."""

from collections.abc import Sequence
from dataclasses import replace

from ledger.blocks import entries_root, evidence_root
from ledger.canonical import encode
from ledger.entries import Entry
from tests.networks import ChainBuilder, small_entry, small_network

_NETWORK = small_network()
_BLOCK, _CERTIFICATE = ChainBuilder(_NETWORK).next_block()
_PIECE_BYTES = 30_000
_PIECES = 16


def block_of(size: int) -> bytes:
    """Bytes of a block with as many large entries as fit; the last piece of evidence fills it."""
    fat = small_entry(_NETWORK.genesis.network_id, "fat", records=60)
    count = (size - _PIECES * (_PIECE_BYTES + 3) - 1_024) // (len(fat.raw) + 3)
    evidence = [bytes(_PIECE_BYTES)] * _PIECES
    missing = size - len(_printed([fat] * count, evidence))
    evidence[-1] = bytes(_PIECE_BYTES + missing)
    raw = _printed([fat] * count, evidence)
    assert len(raw) == size
    return raw


def _printed(entries: Sequence[Entry], evidence: Sequence[bytes]) -> bytes:
    header = replace(
        _BLOCK.header,
        entries_root=entries_root(entries),
        entries_count=len(entries),
        evidence_root=evidence_root(evidence),
    )
    return encode((header.raw, [entry.raw for entry in entries], list(evidence)))
