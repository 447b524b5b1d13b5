"""Evidence inside the blocks of a copy, checked again: the same rule as every node's.

Needs the validator sets of the last 100 heights and the equivocations that stand in them. A
checkpoint carries the sets; the equivocations are read again from the copy, whose last blocks must
lead by their digests to the checkpoint's tip.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Final

from cli.errors import InvalidInputError
from consensus.block_evidence import EVIDENCE_HEIGHTS, RecentEvidence, check_evidence
from ledger.blocks import Block, parse_block
from ledger.chain import ChainTip
from ledger.export import ExportedBlock
from ledger.validators import ValidatorSet

SETS_MAX: Final = EVIDENCE_HEIGHTS
"""Of a checkpoint: one for each height of which evidence may still come."""


class EvidenceAuditor:
    """Goes along with a replay and judges the evidence of each block.

    Args:
        tip: Where the replay begins.
        sets: Set of each of the last heights up to `tip.height`; empty at genesis.
        blocks: Of the same heights, ascending.
    """

    def __init__(
        self,
        tip: ChainTip,
        sets: Mapping[int, ValidatorSet] | None = None,
        blocks: Iterable[Block] = (),
    ) -> None:
        self._sets = dict(sets or {})
        self._sets[tip.height + 1] = tip.validators
        held = {block.header.height: block for block in blocks}
        self._recent = RecentEvidence(tip.height, held.__getitem__)
        self.pieces = 0

    @property
    def sets(self) -> dict[int, ValidatorSet]:
        """The set of each height of which evidence may still come, ascending."""
        return dict(self._sets)

    def check(self, block: Block, tip: ChainTip) -> None:
        """Refuse a block whose evidence does not hold.

        Args:
            block: The next one.
            tip: Before it; its set is that of the block.

        Raises:
            BlockEvidenceError: As every node refuses it.
        """
        height = block.header.height
        self._sets[height] = tip.validators
        check_evidence(block, tip.network_id, self._sets.__getitem__, self._recent)
        self._recent.committed(block)
        self._sets.pop(height - EVIDENCE_HEIGHTS, None)
        self.pieces += len(block.evidence)


def last_blocks(exported: Iterable[ExportedBlock], tip: ChainTip, name: str) -> tuple[Block, ...]:
    """Return the last blocks up to a checkpoint's tip, which must lead to it by their digests.

    Args:
        exported: The blocks of the copy from its first one on.
        tip: Of the checkpoint.
        name: Of the copy.

    Raises:
        InvalidInputError: The copy does not have the tip's block, or not the blocks before it.
        InvalidDataError: One of them is malformed.
    """
    last: deque[ExportedBlock] = deque(maxlen=EVIDENCE_HEIGHTS)
    for one in exported:
        if one.height > tip.height:
            break
        last.append(one)
    blocks = tuple([parse_block(one.block) for one in last])
    broken = any(left.header.digest != right.header.parent for left, right in pairwise(blocks))
    parents = [block.header.digest for block in blocks[-1:]] or [tip.network_id]
    if broken or parents != [tip.parent]:
        raise InvalidInputError("the checkpoint is not of this copy", name=name)
    return blocks


def check_sets(sets: Mapping[int, ValidatorSet], blocks: Iterable[Block], name: str) -> None:
    """Accept only the sets that the headers of a copy name.

    Raises:
        InvalidInputError: One is missing or another.
    """
    for block in blocks:
        held = sets.get(block.header.height)
        if held is None or held.digest != block.header.validators:
            raise InvalidInputError("the checkpoint has another validator set", name=name)
