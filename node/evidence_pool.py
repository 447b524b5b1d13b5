"""Equivocations that were seen, on their way into a block; and the check of those that are in one.

Evidence in a block ascends by its sort key; each piece is of the block's height or at most 99
below, and is verified under the set of its height. One equivocation, which is one validator at one
height, round and kind, stands in the chain once: a block that repeats one of the 100 blocks before
it is invalid, whatever signatures or values the repetition shows. So it is checked the same way by
every node, with nothing but the chain, and a piece that is sent round again fills no further block.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Final, TypeAlias

from consensus.evidence import Evidence
from consensus.wire import parse_message, print_message
from keys.hashing import Digest
from ledger.blocks import Block
from ledger.errors import InvalidBlockError, InvalidDataError
from ledger.limits import BLOCK_EVIDENCE_MAX
from ledger.validators import ValidatorSet

Deed: TypeAlias = tuple[int, int, int, int]
"""An equivocation by its height, round, tag and validator."""

WAITING_MAX: Final = 256
"""Pieces that wait for a block; more of one kind of liar add nothing."""
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


class EvidencePool:
    """Evidence that no block holds yet.

    Args:
        recent: What the chain holds.
    """

    def __init__(self, recent: RecentEvidence) -> None:
        self._recent = recent
        self._waiting: dict[Deed, Evidence] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, evidence: Evidence) -> bool:
        """Take verified evidence in; return whether it is new and can come into a block."""
        deed = deed_of(evidence)
        if deed in self._waiting or deed in self._recent or evidence.height < self._recent.lowest:
            return False
        if len(self._waiting) >= WAITING_MAX:
            return False
        self._waiting[deed] = evidence
        return True

    def take(self, height: int) -> tuple[bytes, ...]:
        """Return what a block of a height should hold, in order, without removing it."""
        fitting = [one for one in self._waiting.values() if one.height <= height]
        chosen = sorted(fitting, key=_order)[:BLOCK_EVIDENCE_MAX]
        return tuple([print_message(one) for one in chosen])

    def settle(self) -> None:
        """Forget what a stored block holds, and what is too old for the next one."""
        lowest = self._recent.lowest
        self._waiting = {
            deed: one
            for deed, one in self._waiting.items()
            if deed not in self._recent and one.height >= lowest
        }


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
        InvalidBlockError: A piece does not read or verify, is of a later height or too old, stands
            in one of the last 100 blocks or twice in this one, or out of order.
    """
    pieces: list[Evidence] = []
    for raw in block.evidence:
        try:
            piece = parse_message(raw)
            if isinstance(piece, Evidence) and piece.height <= block.header.height:
                piece.check(validators_at(piece.height), network_id)
                pieces.append(piece)
        except InvalidDataError as error:
            raise InvalidBlockError(f"a piece of evidence does not hold: {error}") from error
    if len(pieces) != len(block.evidence):
        raise InvalidBlockError("a piece of evidence is none, or of a later height")
    if any(_order(left) >= _order(right) for left, right in pairwise(pieces)):
        raise InvalidBlockError("the evidence of a block is not in order")
    deeds = [deed_of(piece) for piece in pieces]
    if len(set(deeds)) != len(deeds) or any(deed in recent for deed in deeds):
        raise InvalidBlockError("an equivocation stands in the chain already")
    if any(piece.height <= block.header.height - EVIDENCE_HEIGHTS for piece in pieces):
        raise InvalidBlockError("a piece of evidence is too old")


def _order(evidence: Evidence) -> tuple[int, int, int, int, bytes]:
    return evidence.sort_key
