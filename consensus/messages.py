"""Proposals, votes and status: what is signed, how it looks on the wire, and how it is opened.

`SignedVote` and `SignedProposal` come off the wire: their shape is right and nothing more. Only
`open_vote` and `open_proposal` verify the signature and make a `Vote` or `Proposal`, and the core
accepts only those. An opened message remembers the digest of the set it was opened under, so that
one opened under the wrong set never counts.

Wire values, canonical MessagePack, version and tag first, nothing optional, nothing extra:

    PROPOSAL   [1, 1, height, round, block_id bin 32, pol_round, time_ms, proposer, signature bin]
    PREVOTE    [1, 2, height, round, block_id bin 32 | nil, validator, signature bin]
    PRECOMMIT  [1, 3, height, round, block_id bin 32 | nil, validator, signature bin]
    STATUS     [1, 6, height, round, phase, last_committed]

height 1 ... 2^63 - 1, round 0 ... 2^31 - 1, pol_round -1 ... round - 1, time_ms 0 ... 2^63 - 1
(milliseconds since 1970), proposer and validator 0 ... 63 (index in the set of that height), phase
0 ... 4, last_committed 0 ... 2^63 - 1. STATUS: round -1 stands for a height that is still WAITing.

Signed bytes (domain prefix, then a canonical array):

    PROPOSAL   civreg/proposal/v1 00   [1, network_id, height, round, block_id, pol_round, time_ms]
    PREVOTE    civreg/prevote/v1 00    [1, network_id, height, round, block_id | nil]
    PRECOMMIT  civreg/precommit/v1 00  [1, network_id, height, round, block_id | nil]

STATUS is not signed: it is a hint, believed only as the word of the peer whose authenticated
connection brought it. The other kinds stand in `consensus.proofs` and `consensus.evidence`.

Source: the design's consensus.md, section Messages; arXiv:1807.04938.
"""

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Final, Self, TypeAlias

from consensus.errors import InvalidMessageError, UnknownValidatorError
from keys.hashing import DIGEST_BYTES, domain
from keys.signing import verify
from ledger.canonical import Value, encode
from ledger.fields import (
    INTEGER_MAX,
    read_array,
    read_digest,
    read_int,
    read_optional_digest,
    read_version,
)
from ledger.limits import VALIDATORS_MAX
from ledger.quorum import HEIGHT_MAX, ROUND_MAX, precommit_message, read_signature
from ledger.validators import ValidatorSet

BlockId: TypeAlias = bytes
"""The header digest of a block, 32 bytes, opaque here."""

MESSAGE_VERSION: Final = 1

_PREVOTE: Final = domain("prevote")
_PROPOSAL: Final = domain("proposal")


@unique
class MessageTag(IntEnum):
    """The kind of a message; second element of its wire value."""

    PROPOSAL = 1
    PREVOTE = 2
    PRECOMMIT = 3
    POLKA_PROOF = 4
    ROUND_PROOF = 5
    STATUS = 6
    EVIDENCE = 7


@unique
class VoteType(IntEnum):
    """Which of the two votes; the same numbers as the message tags."""

    PREVOTE = 2
    PRECOMMIT = 3


@unique
class Phase(IntEnum):
    """Where a validator stands in a round: what the paper calls step, plus WAIT and DECIDED."""

    WAIT = 0
    PROPOSE = 1
    PREVOTE = 2
    PRECOMMIT = 3
    DECIDED = 4


@dataclass(frozen=True, slots=True)
class SignedVote:
    """A prevote or precommit as it stands on the wire; its signature is not verified.

    Value: `[1, type, height, round, block_id | nil, validator, signature]`.

    Attributes:
        type: PREVOTE or PRECOMMIT.
        height: From 1.
        round: From 0.
        block_id: 32 bytes, or None for "no block in this round".
        validator: Index in the set of `height`.
        signature: Of the length that the validator's algorithm has.
    """

    type: VoteType
    height: int
    round: int
    block_id: BlockId | None
    validator: int
    signature: bytes

    def to_value(self) -> Value:
        """Return the value to encode."""
        head = (MESSAGE_VERSION, int(self.type), self.height, self.round)
        return (*head, self.block_id, self.validator, self.signature)

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Read what `to_value` returns.

        Raises:
            InvalidDataError: Another shape.
        """
        version, tag, height, round_number, block_id, validator, signature = read_array(
            value, "vote", 7
        )
        read_version(version, "vote.version", MESSAGE_VERSION)
        return cls(
            VoteType(read_int(tag, "vote.type", VoteType.PREVOTE, VoteType.PRECOMMIT)),
            read_int(height, "vote.height", 1, HEIGHT_MAX),
            read_int(round_number, "vote.round", 0, ROUND_MAX),
            read_optional_digest(block_id, "vote.block_id"),
            read_int(validator, "vote.validator", 0, VALIDATORS_MAX - 1),
            read_signature(signature, "vote.signature"),
        )


@dataclass(frozen=True, slots=True)
class Vote:
    """A vote whose signature was verified; made by `open_vote` only.

    Attributes:
        signed: What came, to send on or to prove with.
        validators_digest: 32 bytes; the set it was verified under.
    """

    signed: SignedVote
    validators_digest: bytes

    @property
    def type(self) -> VoteType:
        """PREVOTE or PRECOMMIT."""
        return self.signed.type

    @property
    def height(self) -> int:
        """From 1."""
        return self.signed.height

    @property
    def round(self) -> int:
        """From 0."""
        return self.signed.round

    @property
    def block_id(self) -> BlockId | None:
        """32 bytes, or None for nil."""
        return self.signed.block_id

    @property
    def validator(self) -> int:
        """Index in the set."""
        return self.signed.validator


@dataclass(frozen=True, slots=True)
class SignedProposal:
    """A proposal as it stands on the wire; its signature is not verified.

    Value: `[1, 1, height, round, block_id, pol_round, time_ms, proposer, signature]`.

    Attributes:
        height: From 1.
        round: From 0.
        block_id: 32 bytes; the bytes of the block travel apart.
        pol_round: The round of the polka that allows a re-proposal, below `round`; -1 for none.
        time_ms: The block's time; a re-proposal keeps it.
        proposer: Index in the set of `height`.
        signature: The proposer's.
    """

    height: int
    round: int
    block_id: BlockId
    pol_round: int
    time_ms: int
    proposer: int
    signature: bytes

    def to_value(self) -> Value:
        """Return the value to encode."""
        head = (MESSAGE_VERSION, int(MessageTag.PROPOSAL), self.height, self.round, self.block_id)
        return (*head, self.pol_round, self.time_ms, self.proposer, self.signature)

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Read what `to_value` returns.

        Raises:
            InvalidDataError: Another shape, or a pol_round that is not below the round.
        """
        version, tag, height, round_value, *rest = read_array(value, "proposal", 9)
        block_id, pol_round, time_ms, proposer, signature = rest
        read_version(version, "proposal.version", MESSAGE_VERSION)
        read_int(tag, "proposal.tag", MessageTag.PROPOSAL, MessageTag.PROPOSAL)
        round_number = read_int(round_value, "proposal.round", 0, ROUND_MAX)
        return cls(
            read_int(height, "proposal.height", 1, HEIGHT_MAX),
            round_number,
            read_digest(block_id, "proposal.block_id"),
            read_int(pol_round, "proposal.pol_round", -1, round_number - 1),
            read_int(time_ms, "proposal.time_ms", 0, INTEGER_MAX),
            read_int(proposer, "proposal.proposer", 0, VALIDATORS_MAX - 1),
            read_signature(signature, "proposal.signature"),
        )


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal whose signature was verified; made by `open_proposal` only.

    Attributes:
        signed: What came. Whether it was this proposer's turn is the engine's question.
        validators_digest: 32 bytes; the set it was verified under.
    """

    signed: SignedProposal
    validators_digest: bytes

    @property
    def height(self) -> int:
        """From 1."""
        return self.signed.height

    @property
    def round(self) -> int:
        """From 0."""
        return self.signed.round

    @property
    def block_id(self) -> BlockId:
        """32 bytes."""
        return self.signed.block_id


@dataclass(frozen=True, slots=True)
class Status:
    """Where a peer stands; unsigned, every few seconds, to find out who is behind.

    Value: `[1, 6, height, round, phase, last_committed]`.

    Attributes:
        height: The height it works on, from 1.
        round: Its round there, -1 while it WAITs.
        phase: Its phase there.
        last_committed: The height of its last stored block, 0 for none.
    """

    height: int
    round: int
    phase: Phase
    last_committed: int

    def to_value(self) -> Value:
        """Return the value to encode."""
        tag = int(MessageTag.STATUS)
        head = (MESSAGE_VERSION, tag, self.height, self.round, int(self.phase))
        return (*head, self.last_committed)

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Read what `to_value` returns.

        Raises:
            InvalidDataError: Another shape.
        """
        version, tag, height, round_number, phase, committed = read_array(value, "status", 6)
        read_version(version, "status.version", MESSAGE_VERSION)
        read_int(tag, "status.tag", MessageTag.STATUS, MessageTag.STATUS)
        return cls(
            read_int(height, "status.height", 1, HEIGHT_MAX),
            read_int(round_number, "status.round", -1, ROUND_MAX),
            Phase(read_int(phase, "status.phase", Phase.WAIT, Phase.DECIDED)),
            read_int(committed, "status.last_committed", 0, HEIGHT_MAX),
        )


def vote_message(
    network_id: bytes, vote_type: VoteType, height: int, round_number: int, block_id: BlockId | None
) -> bytes:
    """Return the bytes that a vote signs, domain prefix included; see the module's docstring."""
    if vote_type is VoteType.PRECOMMIT:
        return precommit_message(network_id, height, round_number, block_id)
    assert len(network_id) == DIGEST_BYTES
    return _PREVOTE + encode((MESSAGE_VERSION, network_id, height, round_number, block_id))


def proposal_message(network_id: bytes, proposal: SignedProposal) -> bytes:
    """Return the bytes that a proposal signs, domain prefix included; its signature is not read."""
    assert len(network_id) == DIGEST_BYTES
    head = (MESSAGE_VERSION, network_id, proposal.height, proposal.round)
    return _PROPOSAL + encode((*head, proposal.block_id, proposal.pol_round, proposal.time_ms))


def open_vote(signed: SignedVote, validators: ValidatorSet, network_id: bytes) -> Vote:
    """Verify a vote.

    Args:
        signed: From the wire.
        validators: The set of its height.
        network_id: 32 bytes.

    Raises:
        UnknownValidatorError: The index is outside the set.
        BadSignatureError: Not signed by that validator on this network.
    """
    _check_member(signed.validator, validators)
    message = vote_message(network_id, signed.type, signed.height, signed.round, signed.block_id)
    verify(validators[signed.validator].key, message, signed.signature)
    return Vote(signed, validators.digest)


def open_proposal(signed: SignedProposal, validators: ValidatorSet, network_id: bytes) -> Proposal:
    """Verify a proposal.

    Args:
        signed: From the wire.
        validators: The set of its height.
        network_id: 32 bytes.

    Raises:
        InvalidMessageError: `pol_round` is not below the round.
        UnknownValidatorError: The index is outside the set.
        BadSignatureError: Not signed by that validator on this network.
    """
    if not -1 <= signed.pol_round < signed.round:
        raise InvalidMessageError("a proposal's pol_round is not below its round")
    _check_member(signed.proposer, validators)
    verify(validators[signed.proposer].key, proposal_message(network_id, signed), signed.signature)
    return Proposal(signed, validators.digest)


def _check_member(index: int, validators: ValidatorSet) -> None:
    if not 0 <= index < len(validators):
        raise UnknownValidatorError(
            f"validator {index} is outside a set of {len(validators)}", index=index
        )
