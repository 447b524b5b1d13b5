"""Who signed what: every signature of the simulation, honest or not, as it is made.

The checks ask it whether a polka can exist, who equivocated, and whose proposal a block was. It
knows more than any node: also what was signed and never sent.
"""

from collections import defaultdict
from typing import Any

from consensus.messages import VoteType
from keys.hashing import domain
from ledger.canonical import decode
from tests.sim.town import Network

_KINDS = {
    domain("proposal"): "proposal",
    domain("prevote"): VoteType.PREVOTE,
    domain("precommit"): VoteType.PRECOMMIT,
}


class Witness:
    """Sees all signatures of consensus keys."""

    def __init__(self, network: Network) -> None:
        count = len(network.members)
        self._index = {network.public(index).public: index for index in range(count)}
        for index in range(count):
            following = network.next_public(index)
            if following is not None:
                self._index[following.public] = index
        self.quorum = 2 * count // 3 + 1
        self.votes: dict[tuple[Any, int, int], dict[bytes | None, set[int]]] = defaultdict(dict)
        self.proposals: dict[tuple[int, int], dict[bytes, tuple[int, int, int]]] = defaultdict(dict)
        self.said: dict[tuple[int, Any, int, int], set[Any]] = defaultdict(set)
        self.proposed: dict[bytes, set[int]] = defaultdict(set)
        self.signatures = 0

    def signed(self, public: bytes, message: bytes, _signature: bytes) -> None:
        """Remember a message that was signed."""
        self.signatures += 1
        prefix = message[: message.index(0) + 1]
        kind = _KINDS[prefix]
        value: Any = decode(message[len(prefix) :], 1_000)
        index = self._index[public]
        height, round_number, block_id = value[2], value[3], value[4]
        if kind == "proposal":
            content: Any = (block_id, value[5], value[6])
            self.proposals[height, round_number][block_id] = (value[5], value[6], index)
            self.proposed[block_id].add(index)
        else:
            content = block_id
            self.votes[kind, height, round_number].setdefault(block_id, set()).add(index)
        self.said[index, kind, height, round_number].add(content)

    def has_quorum(
        self, kind: VoteType, height: int, round_number: int, block_id: bytes | None
    ) -> bool:
        """Tell whether enough votes for a value were ever signed."""
        signers = self.votes.get((kind, height, round_number), {}).get(block_id, ())
        return len(signers) >= self.quorum

    def has_polka_between(self, height: int, after: int, before: int, block_id: bytes) -> bool:
        """Tell whether there is a polka for a block in a round after <= round < before."""
        return any(
            self.has_quorum(VoteType.PREVOTE, height, number, block_id)
            for number in range(after, before)
        )

    def equivocated(self, index: int) -> bool:
        """Tell whether a validator ever signed two messages for one place."""
        return any(place[0] == index and len(said) > 1 for place, said in self.said.items())
