"""What nodes said and stored, and whether it contradicts itself."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from consensus import journal
from consensus.events import (
    PolkaProofReceived,
    ProposalReceived,
    QuorumCertificateReceived,
    VoteReceived,
)
from consensus.messages import VoteType, proposal_message, vote_message
from ledger.canonical import decode
from ledger.store import ChainStore
from node.signer import Place, SignedKind
from node.startup import place_of

_HEAD_BYTES = 5


@dataclass
class Said:
    """Every signed message that anybody has seen, by whose key and for which place."""

    network_id: bytes
    messages: dict[tuple[int, Place], set[bytes]] = field(default_factory=dict)
    signed: dict[int, set[bytes]] = field(default_factory=dict)

    def add(self, validator, place, message):
        self.messages.setdefault((validator, place), set()).add(message)

    def add_event(self, event):
        """Take in a signed message of a log; whatever else there is is none of ours."""
        if isinstance(event, VoteReceived):
            vote = event.vote.signed
            message = vote_message(
                self.network_id, vote.type, vote.height, vote.round, vote.block_id
            )
            self.add(vote.validator, place_of(vote), message)
        elif isinstance(event, ProposalReceived):
            said = event.proposal.signed
            place = Place(said.height, said.round, SignedKind.PROPOSAL)
            self.add(said.proposer, place, proposal_message(self.network_id, said))
        elif isinstance(event, PolkaProofReceived | QuorumCertificateReceived):
            self.add_quorum(event.quorum)

    def add_quorum(self, quorum):
        """Take in the votes that a proof or certificate is made of."""
        message = vote_message(
            self.network_id, quorum.type, quorum.height, quorum.round, quorum.block_id
        )
        is_prevote = quorum.type is VoteType.PREVOTE
        kind = SignedKind.PREVOTE if is_prevote else SignedKind.PRECOMMIT
        for validator, _signature in quorum.signatures:
            self.add(validator, Place(quorum.height, quorum.round, kind), message)

    def read(self, validator, raw):
        """Take in the file that `watch_messages` wrote for a node."""
        for letter, content in records(raw):
            if letter == b"S":
                fields: Any = decode(content, len(content))
                height, round_number, kind, message = fields
                self.signed.setdefault(validator, set()).add(message)
                self.add(validator, Place(height, round_number, SignedKind(kind)), message)
            else:
                self.add_event(journal.parse_event(content))

    def contradictions(self):
        """Places for which one key has signed two different messages."""
        return [key for key, messages in self.messages.items() if len(messages) > 1]

    def check(self):
        """Refuse a key that contradicts itself, or a message of ours that the guard never saw."""
        assert self.contradictions() == []
        for (validator, place), messages in self.messages.items():
            if validator in self.signed:
                assert messages <= self.signed[validator], (validator, place)


def records(raw):
    """The records of a witness file; a last one that was cut short is none."""
    found, at = [], 0
    while at + _HEAD_BYTES <= len(raw):
        end = at + _HEAD_BYTES + int.from_bytes(raw[at : at + 4])
        if end > len(raw):
            break
        found.append((raw[at + 4 : at + 5], raw[at + 5 : end]))
        at = end
    return found


@dataclass(frozen=True)
class Stored:
    """What the chain of a stopped node holds."""

    blocks: tuple[bytes, ...]
    entries: tuple[bytes, ...]
    root: bytes


def stored(home):
    """Read the chain of a stopped node."""
    with ChainStore.open(home / "data", read_only=True) as store:
        blocks = [store.block(height) for height in range(1, store.height + 1)]
        entries = [entry.entry_digest for block in blocks for entry in block.entries]
        return Stored(
            tuple([block.header.digest for block in blocks]), tuple(entries), store.state_root
        )


def check_stored(chains, acknowledged):
    """Refuse a lost or doubled entry, or two nodes that are not of one mind."""
    assert len(set(chains)) == 1
    counts = Counter(chains[0].entries)
    assert [digest for digest in acknowledged if counts[digest] != 1] == []
    assert set(counts.values()) <= {1}
