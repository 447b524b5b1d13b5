"""What evidence may stand in a block: checked by every node, and again by every auditor.

Evidence in a block ascends by its sort key; each piece is of the block's height or at most 99
below, and is verified under the set of its height. One equivocation, which is one validator at one
height, round and kind, stands in the chain once: a block that repeats one of the 100 blocks before
it is invalid, whatever signatures or values the repetition shows. So it is checked the same way by
everybody, with nothing but the chain, and a piece that is sent round again fills no further block.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Final, TypeAlias

from consensus.errors import BlockEvidenceError
from consensus.evidence import Evidence
from consensus.wire import parse_message
from keys.hashing import Digest
from ledger.blocks import Block
from ledger.errors import InvalidDataError
from ledger.validators import ValidatorSet

Deed: TypeAlias = tuple[int, int, int, int]
"""An equivocation by its height, round, tag and validator."""

EVIDENCE_HEIGHTS: Final = 100
"""Blocks in which none is repeated; evidence of so many heights below a block is too old for it."""


class RecentEvidence:
    """The equivocations that stand in the newest 100 blocks.

    Args:
        height: Of the chain's tip.
        block: Returns a stored block.
    """

    def __init__(self, height: int, block: Callable[[int], Block]) -> None:
        self._deeds: dict[Deed, int] = {}
        self._height = height
        for one in range(max(1, height - EVIDENCE_HEIGHTS + 1), height + 1):
            self.committed(block(one))

    def __contains__(self, deed: Deed) -> bool:
        return deed in self._deeds

    @property
    def lowest(self) -> int:
        """The lowest height of which evidence may stand in the next block."""
        return self._height + 2 - EVIDENCE_HEIGHTS

    def committed(self, block: Block) -> None:
        """Remember what a stored block holds, forget what lies too far back."""
        self._height = block.header.height
        for raw in block.evidence:
            piece = parse_message(raw)
            assert isinstance(piece, Evidence), "a stored block was checked"
            self._deeds[deed_of(piece)] = self._height
        while self._deeds:
            oldest = next(iter(self._deeds))
            if self._deeds[oldest] > self._height - EVIDENCE_HEIGHTS:
                return
            del self._deeds[oldest]


def deed_of(evidence: Evidence) -> Deed:
    """Return what makes two pieces of evidence the same equivocation."""
    return evidence.height, evidence.round, int(evidence.tag), evidence.validator


def check_evidence(
    block: Block,
    network_id: Digest,
    validators_at: Callable[[int], ValidatorSet],
    recent: RecentEvidence,
) -> None:
    """Refuse a block with evidence that is none, or that the chain has already.

    Raises:
        BlockEvidenceError: A piece does not read or verify, is of a later height or too old,
            stands in one of the last 100 blocks or twice in this one, or out of order.
    """
    height = block.header.height
    pieces = [_checked(raw, height, validators_at, network_id) for raw in block.evidence]
    if any(left.sort_key >= right.sort_key for left, right in pairwise(pieces)):
        raise BlockEvidenceError("the evidence of a block is not in order", height=height)
    deeds = [deed_of(piece) for piece in pieces]
    if len(set(deeds)) != len(deeds) or any(deed in recent for deed in deeds):
        raise BlockEvidenceError("an equivocation stands in the chain already", height=height)


def _checked(
    raw: bytes, height: int, validators_at: Callable[[int], ValidatorSet], network_id: Digest
) -> Evidence:
    """Return one piece that holds and may stand in a block of this height."""
    try:
        piece = parse_message(raw)
    except InvalidDataError as error:
        raise BlockEvidenceError(
            f"a piece of evidence does not read: {error}", height=height
        ) from error
    if not isinstance(piece, Evidence):
        raise BlockEvidenceError("a piece of evidence is another message", height=height)
    if not height - EVIDENCE_HEIGHTS < piece.height <= height:
        raise BlockEvidenceError(
            "a piece of evidence is too old, or of a later height", height=height
        )
    try:
        piece.check(validators_at(piece.height), network_id)
    except InvalidDataError as error:
        raise BlockEvidenceError(
            f"a piece of evidence does not hold: {error}", height=height
        ) from error
    return piece
