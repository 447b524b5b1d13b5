"""Equivocations that were seen, on their way into a block; and the check of those that are in one.

Evidence in a block ascends by its sort key, none twice, of the block's height or below, each piece
verified under the set of its height. So it is checked the same way by every node and every auditor.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Final

from consensus.evidence import Evidence
from consensus.wire import parse_message, print_message
from keys.hashing import Digest
from ledger.blocks import Block
from ledger.errors import InvalidBlockError, InvalidDataError
from ledger.limits import BLOCK_EVIDENCE_MAX
from ledger.validators import ValidatorSet

WAITING_MAX: Final = 256
"""Pieces that wait for a block; more of one kind of liar add nothing."""


class EvidencePool:
    """Evidence that no block holds yet."""

    def __init__(self) -> None:
        self._waiting: dict[Digest, Evidence] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, evidence: Evidence) -> bool:
        """Take verified evidence in; return whether it is new."""
        digest = evidence.digest
        if digest in self._waiting or len(self._waiting) >= WAITING_MAX:
            return False
        self._waiting[digest] = evidence
        return True

    def take(self, height: int) -> tuple[bytes, ...]:
        """Return what a block of a height should hold, in order, without removing it."""
        fitting = [one for one in self._waiting.values() if one.height <= height]
        chosen = sorted(fitting, key=_order)[:BLOCK_EVIDENCE_MAX]
        return tuple([print_message(one) for one in chosen])

    def remove(self, pieces: Iterable[bytes]) -> None:
        """Forget what a stored block holds."""
        for raw in pieces:
            piece = parse_message(raw)
            if isinstance(piece, Evidence):
                self._waiting.pop(piece.digest, None)


def check_evidence(
    block: Block, network_id: Digest, validators_at: Callable[[int], ValidatorSet]
) -> None:
    """Refuse a block with evidence that is none.

    Raises:
        InvalidBlockError: A piece does not read or verify, is of a later height, or out of order.
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


def _order(evidence: Evidence) -> tuple[int, int, int, int, bytes]:
    return evidence.sort_key
