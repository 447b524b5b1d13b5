"""Notices that the set of validators names this agency by a key that this node does not hold.

Such a node runs, answers and catches up as if it were well, and never votes. A consensus key may be
missing because its file is, because it is another agency's, or because the one that follows it in a
rotation was not put beside it in time.
"""

from collections.abc import Callable
from typing import Protocol

from keys.signing import PublicKey
from ledger.ids import AgencyId
from ledger.validators import ValidatorSet
from node.logs import Log


class KeyHolder(Protocol):
    """`node.signer.GuardedSigner`, as far as this is concerned."""

    def holds(self, key: PublicKey) -> bool:
        """Tell whether the private half of a key is here."""


class KeyWatch:
    """Compares the key that the next height wants of this node with those that are here.

    Args:
        agency: Whose node this is; None for one of no agency.
        signer: The consensus keys; None where there are none.
        voters: Returns the set of the next height.
        log: Takes notes.
    """

    def __init__(
        self,
        agency: AgencyId | None,
        signer: KeyHolder | None,
        voters: Callable[[], ValidatorSet],
        log: Log,
    ) -> None:
        self._agency = agency
        self._signer = signer
        self._voters = voters
        self._log = log
        self._told: PublicKey | None = None

    def missing(self) -> PublicKey | None:
        """Return the key that the next height wants of this node and that is not here, if any."""
        voters = self._voters()
        index = None if self._agency is None else voters.index_of(self._agency)
        if index is None:
            return None
        key = voters[index].key
        return None if self._signer is not None and self._signer.holds(key) else key

    def look(self, height: int) -> None:
        """Log a key that is missing from a height on, once until another one is wanted."""
        missing = self.missing()
        if missing is not None and missing != self._told:
            self._log.error("consensus_key_missing", height=height, key=missing.key_id)
        self._told = missing
