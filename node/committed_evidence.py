"""The evidence that stands in blocks, told to operators: who contradicted himself, where, and how.

The pieces are found by an index of the store, so this costs nothing where there is none.
"""

from collections.abc import Iterator
from typing import Final

from consensus.evidence import Evidence, content_of
from consensus.wire import parse_message
from ledger.ids import print_id
from node.application import Application
from node.directory import agency_name
from node.routes import Json

EVIDENCE_MAX: Final = 64


def committed_evidence(application: Application, before: int, limit: int) -> Iterator[Json]:
    """Yield what blocks below a height hold, the newest block first.

    Args:
        application: The chain.
        before: Only of blocks below this height.
        limit: How many pieces.
    """
    left = limit
    for height in application.store.evidence_heights():
        if height >= before:
            continue
        block = application.store.block(height)
        for raw in block.evidence:
            if not left:
                return
            left -= 1
            piece = parse_message(raw)
            assert isinstance(piece, Evidence), "a stored block was checked"
            yield _told(application, piece, raw, height, block.header.time_ms)


def _told(application: Application, piece: Evidence, raw: bytes, height: int, time_ms: int) -> Json:
    accused = application.validators_at(piece.height)[piece.validator].agency_id
    blocks = [content_of(message)[0] for message in (piece.first, piece.second)]
    return {
        "block": height,
        "block_time_ms": time_ms,
        "height": piece.height,
        "round": piece.round,
        "message": piece.tag.name.lower(),
        "agency": print_id(accused),
        "name": agency_name(application, accused),
        "said": [None if one is None else one.hex() for one in blocks],
        "digest": piece.digest.hex(),
        "evidence": raw.hex(),
    }
