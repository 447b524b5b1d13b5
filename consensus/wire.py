"""The one door for consensus messages: bytes to a message of known shape, or a refusal.

A message is one canonical array; `consensus.messages`, `consensus.proofs` and `consensus.evidence`
give the elements of each kind. Over 64 KiB nothing is parsed. What comes out has the right shape
and no verified signature: only the `open_` functions make what the core accepts. The bytes of a
block are no message: they are fetched by digest.

Source: the design's consensus.md, sections Messages and Transport.
"""

from typing import TypeAlias

from consensus.evidence import Evidence
from consensus.messages import MessageTag, SignedProposal, SignedVote, Status
from consensus.proofs import SignedPolkaProof, SignedRoundProof
from ledger.canonical import Value, decode, encode
from ledger.errors import InvalidDataError
from ledger.fields import read_int
from ledger.limits import MESSAGE_BYTES_MAX

SignedMessage: TypeAlias = (
    SignedProposal | SignedVote | SignedPolkaProof | SignedRoundProof | Status | Evidence
)


def print_message(message: SignedMessage) -> bytes:
    """Return the canonical bytes of a message."""
    return encode(message.to_value())


def parse_message(raw: bytes) -> SignedMessage:
    """Read one message from a stranger.

    Args:
        raw: At most MESSAGE_BYTES_MAX bytes.

    Returns:
        The message; `print_message` gives back exactly `raw`.

    Raises:
        InvalidDataError: Too long, not canonical, an unknown kind or version, or another shape.
    """
    return message_from_value(decode(raw, MESSAGE_BYTES_MAX, limit="bytes of a consensus message"))


def message_from_value(value: Value) -> SignedMessage:
    """Read a message from a decoded value whose size the caller has bounded.

    Raises:
        InvalidDataError: An unknown kind or version, or another shape.
    """
    if not isinstance(value, tuple) or len(value) < len(("version", "tag")):
        raise InvalidDataError("a consensus message is no array of version, tag and fields")
    tag = read_int(value[1], "message.tag", min(MessageTag), max(MessageTag))
    match MessageTag(tag):
        case MessageTag.PROPOSAL:
            return SignedProposal.from_value(value)
        case MessageTag.PREVOTE | MessageTag.PRECOMMIT:
            return SignedVote.from_value(value)
        case MessageTag.POLKA_PROOF:
            return SignedPolkaProof.from_value(value)
        case MessageTag.ROUND_PROOF:
            return SignedRoundProof.from_value(value)
        case MessageTag.STATUS:
            return Status.from_value(value)
        case MessageTag.EVIDENCE:
            return Evidence.from_value(value)
