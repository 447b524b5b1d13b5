"""Byzantine members that forge: polkas that never were, evidence, entries of the past as new."""

from types import SimpleNamespace
from typing import Any

from consensus.evidence import evidence_of
from consensus.messages import SignedProposal, SignedVote
from consensus.wire import print_message
from ledger.blocks import Block
from node.application import Turn
from node.proposals import build_proposal
from tests.sim.behaviours import Behaviour
from tests.sim.liars import OtherBlocks
from tests.sim.network import Payload


class MadeUpPolka(OtherBlocks):
    """When it is its turn in a later round, claims a polka of an earlier one for a block of its."""

    name = "made-up polka"

    def applies_to(self, to: bytes) -> bool:
        del to
        return True

    def message(self, to: Any, raw: bytes) -> list[bytes]:
        said = self.own(raw)
        if not isinstance(said, SignedProposal) or said.round == 0:
            return [raw]
        other = self.early(said)
        if other is None:
            return [raw]
        self.acted()
        self.show(to, other)
        pol_round = said.round - 1
        place = (said.height, said.round)
        return [self.proposal(place, other.header.digest, pol_round, other.header.time_ms)]

    def early(self, said: SignedProposal) -> Block | None:
        """Return a block whose header says that it is of the round before."""
        process = self.machine.process
        if said.block_id not in self._made and process is not None:
            self._made[said.block_id] = None
            application = process.application
            number = said.round - 1
            if application.tip_height + 1 == said.height:
                turn = Turn(
                    round=number,
                    proposer=self.machine.committee_at(said.height).proposer(said.height, number),
                    time_ms=max(said.time_ms, application.tip_time_ms + 1),
                )
                made = build_proposal(application, process.pool.take, turn, lambda: 0)
                self._made[said.block_id] = made.block
        return self._made.get(said.block_id)


class FalseAccusation(Behaviour):
    """Shows two votes of an honest member of which it signed one itself."""

    name = "false accusation"
    every_ms = 900

    def __init__(self, machine: Any) -> None:
        super().__init__(machine)
        self._votes: list[SignedVote] = []

    def heard(self, sender: Any, payload: Payload) -> None:
        for raw in payload.parts if payload.kind == "messages" else ():
            vote = self.vote_of(raw)
            if vote is not None and vote.validator == sender.index_at(vote.height):
                self._votes = [*self._votes[-20:], vote]

    def tick(self) -> None:
        if not self._votes:
            return
        vote = self.dice.choice(self._votes)
        other = None if vote.block_id is not None else bytes(32)
        forged = self.forged(vote, other)
        self.acted()
        self.send([self.dice.choice(self.peers)], print_message(evidence_of(vote, forged)))

    def forged(self, vote: SignedVote, block_id: bytes | None) -> SignedVote:
        """Return another vote of the same place, under a signature of our own."""
        key = self.machine.key_at(vote.height)
        signature = key.sign(self.message_of(vote.type, vote.height, vote.round, block_id))
        place = (vote.type, vote.height, vote.round, block_id, vote.validator)
        return SignedVote(*place, signature)


class RepeatedEntries(OtherBlocks):
    """When it is its turn, puts entries of the chain into its block again, if its node lets it."""

    name = "entries again"

    def applies_to(self, to: bytes) -> bool:
        del to
        return True

    def make(self, block: Block) -> Block | None:
        process = self.machine.process
        application = None if process is None else process.application
        if application is None or application.tip_height + 1 != block.header.height:
            return None
        old = [
            entry
            for height in range(1, application.tip_height + 1)
            for entry in application.store.block(height).entries
        ]
        state = application.state()
        again = [
            SimpleNamespace(
                verified=application.verified(state, entry), entry_digest=entry.entry_digest
            )
            for entry in old[-2:]
        ]

        def take(_entries_max: int, _bytes_max: int) -> Any:
            return again

        header = block.header
        turn = Turn(round=header.round, proposer=header.proposer, time_ms=header.time_ms + 1)
        return build_proposal(application, take, turn, lambda: 0).block
