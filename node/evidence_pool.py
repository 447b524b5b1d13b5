"""Equivocations that were seen, on their way into a block.

What may stand in a block is `consensus.block_evidence`'s rule.
"""

from typing import Final

from consensus.block_evidence import Deed, RecentEvidence, deed_of
from consensus.evidence import Evidence
from consensus.wire import print_message
from ledger.limits import BLOCK_EVIDENCE_MAX

WAITING_OF_ONE_MAX: Final = 16
"""Pieces against one validator; one is enough to show what it is."""
WAITING_MAX: Final = 256
"""Pieces that wait for a block; more of one kind of liar add nothing."""


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

    def wants(self, evidence: Evidence) -> bool:
        """Tell whether evidence would be taken in, before its signatures are checked.

        It must be new, not too old, and there must be room: for all liars, and for this one.
        """
        deed = deed_of(evidence)
        if deed in self._waiting or deed in self._recent or evidence.height < self._recent.lowest:
            return False
        of_one = sum(one.validator == evidence.validator for one in self._waiting.values())
        return len(self._waiting) < WAITING_MAX and of_one < WAITING_OF_ONE_MAX

    def add(self, evidence: Evidence) -> bool:
        """Take verified evidence in; return whether it is new and can come into a block."""
        if not self.wants(evidence):
            return False
        self._waiting[deed_of(evidence)] = evidence
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


def _order(evidence: Evidence) -> tuple[int, int, int, int, bytes]:
    return evidence.sort_key
