"""Many votes sent as one: polka proofs, round proofs, and what they are once opened.

Wire values, canonical MessagePack, bounds as in `consensus.messages`:

    POLKA_PROOF  [1, 4, height, round, block_id bin 32, [[index, signature bin] ...]]
    ROUND_PROOF  [1, 5, height, round, [[validator, type, round, block_id bin 32 | nil,
                  signature bin] ...]]

Both lists hold 1 ... 64 elements that strictly ascend by index. The signatures of a polka proof are
those of prevotes for the block by more than two thirds of the weight. The votes of a round proof
are either of rounds >= its round, of both types, by more than one third of the weight, or
precommits of the round before it, for anything, by more than two thirds. type is 2 or 3.

An opened polka proof and an opened quorum certificate are the same thing, a `Quorum`: verified
votes of one type for one value of one round, which count as a whole. The votes of a round proof are
single votes, each verified.

Source: the design's consensus.md, section Messages.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from consensus.errors import InvalidMessageError
from consensus.messages import (
    MESSAGE_VERSION,
    BlockId,
    MessageTag,
    SignedVote,
    Vote,
    VoteType,
    open_vote,
    vote_message,
)
from ledger.canonical import Value
from ledger.errors import InvalidDataError
from ledger.fields import (
    read_array,
    read_digest,
    read_int,
    read_optional_digest,
    read_version,
)
from ledger.limits import VALIDATORS_MAX
from ledger.quorum import (
    HEIGHT_MAX,
    ROUND_MAX,
    QuorumCertificate,
    check_signatures,
    read_signature,
    read_signatures,
)
from ledger.validators import ValidatorSet


@dataclass(frozen=True, slots=True)
class SignedPolkaProof:
    """Prevotes for one block, as they came; believe them only after `open_polka_proof`.

    Value: `[1, 4, height, round, block_id, [[index, signature] ...]]`.

    Attributes:
        height: From 1.
        round: The round of the prevotes.
        block_id: 32 bytes.
        signatures: (validator index, signature), strictly ascending by index.
    """

    height: int
    round: int
    block_id: BlockId
    signatures: tuple[tuple[int, bytes], ...]

    def to_value(self) -> Value:
        """Return the value to encode."""
        head = (MESSAGE_VERSION, int(MessageTag.POLKA_PROOF), self.height, self.round)
        return (*head, self.block_id, self.signatures)

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Read what `to_value` returns.

        Raises:
            InvalidDataError: Another shape.
        """
        version, tag, height, round_number, block_id, signatures = read_array(
            value, "polka_proof", 6
        )
        read_version(version, "polka_proof.version", MESSAGE_VERSION)
        read_int(tag, "polka_proof.tag", MessageTag.POLKA_PROOF, MessageTag.POLKA_PROOF)
        return cls(
            read_int(height, "polka_proof.height", 1, HEIGHT_MAX),
            read_int(round_number, "polka_proof.round", 0, ROUND_MAX),
            read_digest(block_id, "polka_proof.block_id"),
            read_signatures(signatures, "polka_proof.signatures"),
        )


@dataclass(frozen=True, slots=True)
class Quorum:
    """Verified votes of one type for one value of one round, by more than two thirds.

    Made by `open_polka_proof` and `open_quorum_certificate` only.

    Attributes:
        type: PREVOTE for a polka, PRECOMMIT for what makes a block final.
        height: From 1.
        round: From 0.
        block_id: 32 bytes, or None where somebody proves a nil polka.
        signatures: (validator index, signature), strictly ascending by index.
        validators_digest: 32 bytes; the set they were verified under.
    """

    type: VoteType
    height: int
    round: int
    block_id: BlockId | None
    signatures: tuple[tuple[int, bytes], ...]
    validators_digest: bytes

    def votes(self) -> tuple[SignedVote, ...]:
        """Return the votes one by one, ascending by validator."""
        return tuple(
            SignedVote(self.type, self.height, self.round, self.block_id, index, signature)
            for index, signature in self.signatures
        )


@dataclass(frozen=True, slots=True)
class SignedRoundProof:
    """Votes that shall show that others have reached a round; believe them after opening.

    Value: `[1, 5, height, round, [[validator, type, round, block_id | nil, signature] ...]]`.

    Attributes:
        height: From 1.
        round: The round that is justified, from 1.
        votes: One for each validator, strictly ascending, all of `height`.
    """

    height: int
    round: int
    votes: tuple[SignedVote, ...]

    def to_value(self) -> Value:
        """Return the value to encode."""
        votes = tuple(
            (vote.validator, int(vote.type), vote.round, vote.block_id, vote.signature)
            for vote in self.votes
        )
        return (MESSAGE_VERSION, int(MessageTag.ROUND_PROOF), self.height, self.round, votes)

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Read what `to_value` returns.

        Raises:
            InvalidDataError: Another shape, or validators that do not strictly ascend.
        """
        version, tag, raw_height, round_number, elements = read_array(value, "round_proof", 5)
        read_version(version, "round_proof.version", MESSAGE_VERSION)
        read_int(tag, "round_proof.tag", MessageTag.ROUND_PROOF, MessageTag.ROUND_PROOF)
        height = read_int(raw_height, "round_proof.height", 1, HEIGHT_MAX)
        votes = tuple(
            _read_vote(element, height)
            for element in read_array(elements, "round_proof.votes", (1, VALIDATORS_MAX))
        )
        for left, right in pairwise(votes):
            if left.validator >= right.validator:
                raise InvalidDataError("round_proof.votes does not strictly ascend")
        return cls(height, read_int(round_number, "round_proof.round", 1, ROUND_MAX), votes)


@dataclass(frozen=True, slots=True)
class RoundProof:
    """A round proof whose votes were all verified and suffice; made by `open_round_proof` only.

    Attributes:
        signed: What came, to send on.
        votes: Its votes, each opened, ascending by validator.
        validators_digest: 32 bytes; the set they were verified under.
    """

    signed: SignedRoundProof
    votes: tuple[Vote, ...]
    validators_digest: bytes


def open_polka_proof(
    signed: SignedPolkaProof, validators: ValidatorSet, network_id: bytes
) -> Quorum:
    """Verify that a polka happened.

    Args:
        signed: From the wire.
        validators: The set of its height.
        network_id: 32 bytes.

    Raises:
        InvalidQuorumError: As `ledger.quorum.check_signatures`.
    """
    message = vote_message(
        network_id, VoteType.PREVOTE, signed.height, signed.round, signed.block_id
    )
    check_signatures(message, signed.signatures, validators)
    return Quorum(
        VoteType.PREVOTE,
        signed.height,
        signed.round,
        signed.block_id,
        signed.signatures,
        validators.digest,
    )


def open_quorum_certificate(
    certificate: QuorumCertificate, validators: ValidatorSet, network_id: bytes
) -> Quorum:
    """Verify a quorum certificate for the core.

    Args:
        certificate: From the wire or the store.
        validators: The set of its height.
        network_id: 32 bytes.

    Raises:
        InvalidQuorumError: As `QuorumCertificate.check`.
    """
    certificate.check(network_id, validators)
    return Quorum(
        VoteType.PRECOMMIT,
        certificate.height,
        certificate.round,
        certificate.block_id,
        certificate.signatures,
        validators.digest,
    )


def open_round_proof(
    signed: SignedRoundProof, validators: ValidatorSet, network_id: bytes
) -> RoundProof:
    """Verify that enough others have reached a round.

    Args:
        signed: From the wire.
        validators: The set of its height.
        network_id: 32 bytes.

    Raises:
        UnknownValidatorError: A validator outside the set.
        InvalidMessageError: Too little weight, or votes of another height or of too low rounds;
            found before any signature is checked.
        BadSignatureError: A vote does not verify.
    """
    check_justifies(signed, validators)
    votes = tuple(open_vote(vote, validators, network_id) for vote in signed.votes)
    return RoundProof(signed, votes, validators.digest)


def check_justifies(proof: SignedRoundProof, validators: ValidatorSet) -> None:
    """Accept a round proof whose votes, if genuine, justify its round.

    Raises:
        InvalidMessageError: They do not, or do not strictly ascend, or are of another height.
    """
    last, weight = -1, 0
    for vote in proof.votes:
        if not last < vote.validator < len(validators) or vote.height != proof.height:
            raise InvalidMessageError("a round proof's votes are out of order or foreign")
        last, weight = vote.validator, weight + validators[vote.validator].weight
    if all(vote.round >= proof.round for vote in proof.votes) and validators.is_skip(weight):
        return
    ended = all(
        vote.type is VoteType.PRECOMMIT and vote.round == proof.round - 1 for vote in proof.votes
    )
    if not (ended and validators.is_quorum(weight)):
        raise InvalidMessageError("a round proof's votes do not justify its round")


def _read_vote(value: Value, height: int) -> SignedVote:
    validator, vote_type, round_number, block_id, signature = read_array(
        value, "round_proof.votes[]", 5
    )
    return SignedVote(
        VoteType(
            read_int(vote_type, "round_proof.votes[].type", VoteType.PREVOTE, VoteType.PRECOMMIT)
        ),
        height,
        read_int(round_number, "round_proof.votes[].round", 0, ROUND_MAX),
        read_optional_digest(block_id, "round_proof.votes[].block_id"),
        read_int(validator, "round_proof.votes[].validator", 0, VALIDATORS_MAX - 1),
        read_signature(signature, "round_proof.votes[].signature"),
    )
