"""A small committee for tests: deterministic keys, votes and proposals, verified or only shaped.

The core takes opened messages, so most tests make them without signing; whatever is about
signatures signs for real.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from consensus import engine
from consensus.events import (
    BlockVerdict,
    BodiesHeld,
    Effect,
    Event,
    PoolNotEmpty,
    ProposalReceived,
    StartHeight,
    VoteReceived,
)
from consensus.messages import (
    Proposal,
    SignedProposal,
    SignedVote,
    Vote,
    VoteType,
    proposal_message,
    vote_message,
)
from consensus.parameters import DEFAULT
from consensus.proofs import Quorum
from consensus.schedule import round_robin
from consensus.state import Identity, State
from keys.signing import Algorithm, SoftwareKey
from ledger.ids import AgencyId
from ledger.validators import Validator, ValidatorSet

NETWORK_ID = hashlib.sha256(b"a network of tests").digest()
PREVIOUS_MS = 1_000_000
NOW_MS = PREVIOUS_MS + 1_000
TIME_MS = PREVIOUS_MS + 1_000
NO_SIGNATURE = bytes(64)

PREVOTE, PRECOMMIT = VoteType.PREVOTE, VoteType.PRECOMMIT


def agency(index: int) -> AgencyId:
    return AgencyId(bytes([index + 1]) * 16)


def key(index: int) -> SoftwareKey:
    return SoftwareKey.from_private_bytes(Algorithm.ED25519, bytes([index + 1]) * 32)


def committee(*weights: int) -> ValidatorSet:
    """A set with these weights; four of weight 1 if none are given."""
    return ValidatorSet(
        tuple(
            Validator(agency(index), key(index).public, weight)
            for index, weight in enumerate(weights or (1, 1, 1, 1))
        )
    )


FOUR = committee()


def block(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


A, B, C = block("a"), block("b"), block("c")


def vote(
    validator: int,
    vote_type: VoteType,
    block_id: bytes | None,
    round_number: int = 0,
    *,
    height: int = 1,
    validators: ValidatorSet = FOUR,
) -> Vote:
    """A vote that counts as verified."""
    signed = SignedVote(vote_type, height, round_number, block_id, validator, NO_SIGNATURE)
    return Vote(signed, validators.digest)


def signed_vote(
    validator: int,
    vote_type: VoteType,
    block_id: bytes | None,
    round_number: int = 0,
    *,
    height: int = 1,
) -> SignedVote:
    """A vote with a real signature."""
    message = vote_message(NETWORK_ID, vote_type, height, round_number, block_id)
    signature = key(validator).sign(message)
    return SignedVote(vote_type, height, round_number, block_id, validator, signature)


def proposal(
    block_id: bytes,
    round_number: int = 0,
    *,
    pol_round: int = -1,
    time_ms: int = TIME_MS,
    height: int = 1,
    proposer: int | None = None,
) -> Proposal:
    """A proposal that counts as verified, by the right proposer unless another is named."""
    right = round_robin(FOUR, height, round_number)
    signed = SignedProposal(
        height,
        round_number,
        block_id,
        pol_round,
        time_ms,
        right if proposer is None else proposer,
        NO_SIGNATURE,
    )
    return Proposal(signed, FOUR.digest)


def signed_proposal(
    block_id: bytes,
    round_number: int = 0,
    *,
    pol_round: int = -1,
    time_ms: int = TIME_MS,
    proposer: int | None = None,
) -> SignedProposal:
    """A proposal with a real signature."""
    unsigned = proposal(
        block_id, round_number, pol_round=pol_round, time_ms=time_ms, proposer=proposer
    ).signed
    place = (unsigned.height, unsigned.round, block_id, pol_round, time_ms, unsigned.proposer)
    signature = key(unsigned.proposer).sign(proposal_message(NETWORK_ID, unsigned))
    return SignedProposal(*place, signature)


def quorum(
    vote_type: VoteType,
    block_id: bytes | None,
    round_number: int = 0,
    signers: tuple[int, ...] = (1, 2, 3),
    *,
    height: int = 1,
    validators: ValidatorSet = FOUR,
) -> Quorum:
    """Votes that count as a whole and as verified."""
    signatures = tuple((index, NO_SIGNATURE) for index in signers)
    return Quorum(vote_type, height, round_number, block_id, signatures, validators.digest)


def start(height: int = 1, **changes) -> StartHeight:
    told = {
        "validators": FOUR,
        "parameters": DEFAULT,
        "previous_time_ms": PREVIOUS_MS,
        "now_ms": NOW_MS,
    }
    return StartHeight(height=height, **{**told, **changes})


def verdict(
    block_id: bytes,
    *,
    valid: bool = True,
    header_round: int = 0,
    time_ms: int = TIME_MS,
    proposer: int | None = None,
    height: int = 1,
) -> BlockVerdict:
    right = round_robin(FOUR, height, header_round)
    return BlockVerdict(
        height=height,
        block_id=block_id,
        valid=valid,
        header_round=header_round,
        time_ms=time_ms,
        proposer=right if proposer is None else proposer,
    )


@dataclass
class Node:
    """One engine and all that it asked for."""

    state: State
    effects: list[Effect] = field(default_factory=list)
    latest: tuple[Effect, ...] = ()

    @classmethod
    def of(cls, index: int | None = 0, *, awake: bool = True, **changes) -> "Node":
        """Validator `index` of FOUR at height 1, in round 0 unless it shall still WAIT."""
        agency_id = None if index is None else agency(index)
        identity = Identity(agency_id, changes.pop("proposer_of", round_robin))
        state, effects = engine.begin(identity, start(**changes))
        node = cls(state, list(effects), effects)
        if awake:
            node.wake()
        return node

    def wake(self) -> None:
        self.give(PoolNotEmpty(self.state.height))

    def give(self, *events: Event) -> tuple[Effect, ...]:
        """Step through events; return the effects of all of them."""
        given: list[Effect] = []
        for event in events:
            self.state, self.latest = engine.step(self.state, event)
            given += self.latest
        self.effects += given
        return tuple(given)

    def votes(self, vote_type: VoteType, *choices: tuple[int, bytes | None], **place):
        """Give votes: (validator, block or None) each."""
        return self.give(
            *(
                VoteReceived(vote(index, vote_type, block_id, **place))
                for index, block_id in choices
            )
        )

    def offer(
        self, block_id: bytes, round_number: int = 0, *, header_round: int | None = None, **place
    ):
        """Give a proposal, a good verdict and its bodies."""
        made = proposal(block_id, round_number, **place)
        in_round = round_number if header_round is None else header_round
        return self.give(
            ProposalReceived(made, made.signed.time_ms),
            verdict(block_id, header_round=in_round, time_ms=made.signed.time_ms),
            BodiesHeld(1, block_id),
        )

    def all(self, kind: type) -> list[Any]:
        """All effects of a kind so far."""
        return [effect for effect in self.effects if isinstance(effect, kind)]
