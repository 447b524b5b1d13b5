"""Two signed messages of one validator that cannot both be honest.

Wire value, canonical MessagePack:

    EVIDENCE   [1, 7, first, second]

first and second are the wire values of two votes, or of two proposals, of one validator for one
height, round and type, with different contents; their canonical encodings strictly ascend, so one
equivocation by one pair of messages has exactly one encoding. It needs nothing but the validator
set of its height to be checked, today or in ten years. A different signature under the same
contents is no evidence.

Source: the design's consensus.md, sections Messages and Invariants.
"""

from dataclasses import dataclass
from typing import Final, Self, TypeAlias

from consensus.errors import InvalidEvidenceError
from consensus.messages import (
    MESSAGE_VERSION,
    MessageTag,
    SignedProposal,
    SignedVote,
    open_proposal,
    open_vote,
)
from keys.errors import BadSignatureError
from keys.hashing import Digest, domain, hash_with
from ledger.canonical import Value, encode
from ledger.errors import InvalidDataError
from ledger.fields import read_array, read_int, read_version
from ledger.validators import ValidatorSet

Accusable: TypeAlias = SignedVote | SignedProposal

_EVIDENCE: Final = domain("evidence")
_VOTE_ELEMENTS: Final = 7


@dataclass(frozen=True, slots=True)
class Evidence:
    """An equivocation; make one with `evidence_of`, believe one from outside after `check`.

    Value: `[1, 7, first, second]`, encodings strictly ascending.

    Attributes:
        first: The message whose canonical bytes are smaller.
        second: The other one.
    """

    first: Accusable
    second: Accusable

    @property
    def height(self) -> int:
        """The height of both."""
        return self.first.height

    @property
    def round(self) -> int:
        """The round of both."""
        return self.first.round

    @property
    def tag(self) -> MessageTag:
        """The kind of both messages: PROPOSAL, PREVOTE or PRECOMMIT."""
        return tag_of(self.first)

    @property
    def validator(self) -> int:
        """The index of who signed both, in the set of the height."""
        return signer_of(self.first)

    @property
    def digest(self) -> Digest:
        """H(evidence, canonical value), 32 bytes: its name."""
        return hash_with(_EVIDENCE, encode(self.to_value()))

    @property
    def sort_key(self) -> tuple[int, int, int, int, bytes]:
        """Height, round, tag, validator, canonical bytes: one order for all nodes."""
        place = (self.height, self.round, int(self.tag), self.validator)
        return (*place, encode(self.to_value()))

    def to_value(self) -> Value:
        """Return the value to encode."""
        tag = int(MessageTag.EVIDENCE)
        return (MESSAGE_VERSION, tag, self.first.to_value(), self.second.to_value())

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Read what `to_value` returns; nothing is verified but the shape and the order.

        Raises:
            InvalidDataError: Another shape, or two messages that do not contradict each other.
        """
        version, tag, first, second = read_array(value, "evidence", 4)
        read_version(version, "evidence.version", MESSAGE_VERSION)
        read_int(tag, "evidence.tag", MessageTag.EVIDENCE, MessageTag.EVIDENCE)
        evidence = cls(_read_message(first), _read_message(second))
        _check_conflict(evidence)
        return evidence

    def check(self, validators: ValidatorSet, network_id: bytes) -> None:
        """Accept only a real equivocation of a member of the set.

        Args:
            validators: The set of this evidence's height.
            network_id: 32 bytes.

        Raises:
            InvalidEvidenceError: No contradiction, or a signature that does not verify.
            UnknownValidatorError: The accused is outside the set.
        """
        _check_conflict(self)
        for message in (self.first, self.second):
            try:
                if isinstance(message, SignedVote):
                    open_vote(message, validators, network_id)
                else:
                    open_proposal(message, validators, network_id)
            except BadSignatureError as error:
                raise InvalidEvidenceError("a message of the evidence is not signed") from error


def evidence_of(one: Accusable, other: Accusable) -> Evidence:
    """Put two contradicting messages into their one order.

    Raises:
        InvalidEvidenceError: They do not contradict each other.
    """
    first, second = sorted((one, other), key=lambda message: encode(message.to_value()))
    evidence = Evidence(first, second)
    _check_conflict(evidence)
    return evidence


def tag_of(message: Accusable) -> MessageTag:
    """Return the kind of a message that can be part of evidence."""
    if isinstance(message, SignedVote):
        return MessageTag(int(message.type))
    return MessageTag.PROPOSAL


def signer_of(message: Accusable) -> int:
    """Return the index of who signed it."""
    return message.validator if isinstance(message, SignedVote) else message.proposer


def content_of(message: Accusable) -> tuple[bytes | None, int, int]:
    """Return what two honest messages of one place cannot differ in."""
    if isinstance(message, SignedVote):
        return (message.block_id, -1, 0)
    return (message.block_id, message.pol_round, message.time_ms)


def _place(message: Accusable) -> tuple[int, int, int, int]:
    return (message.height, message.round, int(tag_of(message)), signer_of(message))


def _check_conflict(evidence: Evidence) -> None:
    first, second = evidence.first, evidence.second
    if _place(first) != _place(second):
        raise InvalidEvidenceError("the messages are not of one height, round, type and signer")
    if content_of(first) == content_of(second):
        raise InvalidEvidenceError("the messages say the same")
    if encode(first.to_value()) >= encode(second.to_value()):
        raise InvalidEvidenceError("the messages of the evidence are not in order")


def _read_message(value: Value) -> Accusable:
    if not isinstance(value, tuple):
        raise InvalidDataError("evidence.message is not an array")
    if len(value) == _VOTE_ELEMENTS:
        return SignedVote.from_value(value)
    return SignedProposal.from_value(value)
