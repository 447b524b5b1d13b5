"""Messages of the next two heights, kept within bounds until those heights begin.

For each height and validator: four votes of each type (the first three that came and the one of the
highest round), two proposals. For each height eight quorums, of the highest rounds. All were
verified under the set that the driver expects for their height, which for the farther one may turn
out to be another. Whoever was verified later was verified by who knew more: such a message takes
the place of all that were verified under another set, and finds none of their room taken. When the
height begins, those verified under another set than its real one are dropped.

Source: the design's consensus.md (Future votes) and architecture.md, section 6.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from consensus.evidence import content_of
from consensus.messages import Proposal, Vote
from consensus.proofs import Quorum

FUTURE_HEIGHTS_MAX: Final = 2
"""Messages of heights h + 1 and h + 2 are kept, of later ones none."""
FUTURE_VOTES_MAX: Final = 4
"""Of one validator, type and future height."""
FUTURE_PROPOSALS_MAX: Final = 2
"""Of one proposer and future height."""
FUTURE_QUORUMS_MAX: Final = 8
"""Of one future height."""


@dataclass(frozen=True, slots=True)
class DatedProposal:
    """A proposal and when it came (driver's clock, ms)."""

    proposal: Proposal
    received_ms: int


Kept: TypeAlias = Vote | DatedProposal | Quorum


@dataclass(frozen=True, slots=True)
class FutureMessages:
    """What came too early, by height, in the order it came."""

    by_height: Mapping[int, tuple[Kept, ...]] = field(default_factory=dict)

    def of(self, height: int) -> tuple[Kept, ...]:
        """Return the messages of a height."""
        return self.by_height.get(height, ())


def keep(future: FutureMessages, height: int, message: Kept) -> FutureMessages:
    """Keep a message of a later height if there is room for it.

    Args:
        future: Before.
        height: The present height.
        message: Of any height.

    Returns:
        What is kept after; the same object if the message was not.
    """
    if refuses(future, height, message):
        return future
    message_height = _height_of(message)
    kept = _of_its_set(future, message)
    rivals = _rivals(future, message)
    if len(rivals) >= _rivals_max(message):
        pick = min if isinstance(message, Quorum) else max
        given_up = pick(rivals, key=_round_of)
        kept = tuple(one for one in kept if one is not given_up)
    return FutureMessages({**future.by_height, message_height: (*kept, message)})


def refuses(future: FutureMessages, height: int, message: Kept) -> bool:
    """Tell whether a message would not be kept: too far, already known, or no room for it.

    One of which nobody has said under which set it is to be verified is compared with all.
    """
    if not height < _height_of(message) <= height + FUTURE_HEIGHTS_MAX:
        return True
    content = _content(message)
    if any(_content(one) == content for one in _of_its_set(future, message)):
        return True
    rivals = _rivals(future, message)
    if len(rivals) < _rivals_max(message):
        return False
    highest = max(_round_of(one) for one in rivals)
    return isinstance(message, DatedProposal) or highest >= _round_of(message)


def kept_for(future: FutureMessages, height: int, validators_digest: bytes) -> tuple[Kept, ...]:
    """Return the messages of a height that is about to begin, in the order they came.

    Args:
        future: What is kept.
        height: The height.
        validators_digest: Of its set; messages verified under another one are left out.
    """
    return tuple(one for one in future.of(height) if _digest_of(one) == validators_digest)


def later_than(future: FutureMessages, height: int) -> FutureMessages:
    """Return what stays when a height begins: the messages of later ones."""
    return FutureMessages(
        {number: kept for number, kept in future.by_height.items() if number > height}
    )


def _height_of(message: Kept) -> int:
    return message.proposal.height if isinstance(message, DatedProposal) else message.height


def _round_of(message: Kept) -> int:
    return message.proposal.round if isinstance(message, DatedProposal) else message.round


def _digest_of(message: Kept) -> bytes:
    if isinstance(message, DatedProposal):
        return message.proposal.validators_digest
    return message.validators_digest


def _rivals_max(message: Kept) -> int:
    match message:
        case Vote():
            return FUTURE_VOTES_MAX
        case DatedProposal():
            return FUTURE_PROPOSALS_MAX
        case Quorum():
            return FUTURE_QUORUMS_MAX


def _of_its_set(future: FutureMessages, message: Kept) -> tuple[Kept, ...]:
    """Return what is kept of a message's height under its set; all of it if it names none."""
    kept, digest = future.of(_height_of(message)), _digest_of(message)
    return kept if not digest else tuple(one for one in kept if _digest_of(one) == digest)


def _rivals(future: FutureMessages, message: Kept) -> tuple[Kept, ...]:
    """Return the kept messages of its height that compete with a message for the same room."""
    kept = _of_its_set(future, message)
    match message:
        case Vote():
            return tuple(
                one
                for one in kept
                if isinstance(one, Vote)
                and one.validator == message.validator
                and one.type is message.type
            )
        case DatedProposal():
            return tuple(
                one
                for one in kept
                if isinstance(one, DatedProposal)
                and one.proposal.signed.proposer == message.proposal.signed.proposer
            )
        case Quorum():
            return tuple(one for one in kept if isinstance(one, Quorum))


def _content(message: Kept) -> tuple[object, ...]:
    match message:
        case Vote():
            return (message.type, message.round, message.validator, message.block_id)
        case DatedProposal(proposal=proposal):
            return (proposal.round, proposal.signed.proposer, *content_of(proposal.signed))
        case Quorum():
            return ("quorum", message.type, message.round, message.block_id)
