"""Who signed what: every signature of the simulation, honest or not, as it is made.

The checks ask it whether a polka can exist, who equivocated, and whose proposal a block was. It
knows more than any node: also what was signed and never sent.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from consensus.messages import VoteType
from keys.hashing import domain
from ledger.canonical import decode
from tests.sim.committees import Committee
from tests.sim.town import Network

_KINDS = {
    domain("proposal"): "proposal",
    domain("prevote"): VoteType.PREVOTE,
    domain("precommit"): VoteType.PRECOMMIT,
}


class Witness:
    """Sees all signatures of consensus keys."""

    def __init__(self, network: Network, committee_at: Callable[[int], Committee]) -> None:
        self._member = {
            network.public(member, is_next).public: member
            for member in range(len(network.members))
            for is_next in (False, True)
        }
        self._committee_at = committee_at
        self.votes: dict[tuple[Any, int, int], dict[bytes | None, set[bytes]]] = defaultdict(dict)
        self.proposals: dict[tuple[int, int], dict[bytes, tuple[int, int, int]]] = defaultdict(dict)
        self.said: dict[tuple[int, Any, int, int], set[Any]] = defaultdict(set)
        self.proposed: dict[bytes, set[int]] = defaultdict(set)
        self.voted_at: dict[bytes, int] = {}
        self.signatures = 0

    def signed(self, public: bytes, message: bytes, _signature: bytes) -> int | None:
        """Remember a message of consensus that was signed; return the height that it is about."""
        self.signatures += 1
        prefix = message[: message.index(0) + 1]
        kind = _KINDS.get(prefix)
        if kind is None:
            return None  # an entry of the chain
        value: Any = decode(message[len(prefix) :], 1_000)
        member = self._member[public]
        height, round_number, block_id = value[2], value[3], value[4]
        if kind == "proposal":
            content: Any = (block_id, value[5], value[6])
            self.proposals[height, round_number][block_id] = (value[5], value[6], member)
            self.proposed[block_id].add(member)
        else:
            content = block_id
            self.votes[kind, height, round_number].setdefault(block_id, set()).add(public)
            self.voted_at[public] = max(height, self.voted_at.get(public, 0))
        self.said[member, kind, height, round_number].add(content)
        return int(height)

    def has_quorum(
        self, kind: VoteType, height: int, round_number: int, block_id: bytes | None
    ) -> bool:
        """Tell whether enough votes for a value were ever signed."""
        signers = self.votes.get((kind, height, round_number), {}).get(block_id, ())
        return self._committee_at(height).is_quorum(signers)

    def has_polka_between(self, height: int, after: int, before: int, block_id: bytes) -> bool:
        """Tell whether there is a polka for a block in a round after <= round < before."""
        return any(
            self.has_quorum(VoteType.PREVOTE, height, number, block_id)
            for number in range(after, before)
        )

    def equivocated(self, member: int) -> bool:
        """Tell whether a validator ever signed two messages for one place."""
        return any(place[0] == member and len(said) > 1 for place, said in self.said.items())
