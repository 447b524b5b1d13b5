"""Does a block follow the chain before it: links, roots, time, proposer, quorum certificate.

`ChainTip` is all that must be remembered of a chain to go on: a few hundred bytes, so a walk can
stop and resume. `check_header` asks whether a header follows a tip (a proposal has no certificate
yet); `advance` asks the same of a whole block with its certificate and returns the next tip; `walk`
does that for a stream of blocks. State and outcomes are the registry's business: whoever replays a
block knows `state_root`, `outcomes_root` and the next validator set, and hands the latter back.

Source: docs/formats.md, section 7; the design's formats.md, section 6.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol, Self

from keys.hashing import Digest
from ledger import merkle
from ledger.blocks import Block, Header
from ledger.canonical import Value
from ledger.entries import Entry
from ledger.errors import InvalidBlockError
from ledger.fields import INTEGER_MAX, read_array, read_digest, read_int
from ledger.genesis import Charter
from ledger.merkle import Frontier
from ledger.quorum import QuorumCertificate
from ledger.trust import TrustBundle
from ledger.validators import ValidatorSet


class BlockNetworkError(InvalidBlockError):
    """The block is of another network."""

    code = "ledger.block_wrong_network"


class BlockHeightError(InvalidBlockError):
    """The block is not of the next height."""

    code = "ledger.block_wrong_height"


class BlockParentError(InvalidBlockError):
    """The block has another parent: one of the two chains is not ours."""

    code = "ledger.block_wrong_parent"


class BlockTimeError(InvalidBlockError):
    """The block is not later than its parent."""

    code = "ledger.block_wrong_time"


class BlockHeadersRootError(InvalidBlockError):
    """The header holds other earlier headers than the chain has."""

    code = "ledger.block_wrong_headers_root"


class BlockLogError(InvalidBlockError):
    """Size or root of the log after the block is another."""

    code = "ledger.block_wrong_log"


class BlockValidatorsError(InvalidBlockError):
    """The header names another validator set, for its own height or for the next."""

    code = "ledger.block_wrong_validators"


class BlockProposerError(InvalidBlockError):
    """The header's proposer is not the one whose turn it was."""

    code = "ledger.block_wrong_proposer"


class BlockQuorumError(InvalidBlockError):
    """The quorum certificate is for another header or height."""

    code = "ledger.block_wrong_quorum"


class ProposerSchedule(Protocol):
    """Says whose turn it is."""

    def __call__(self, validators: ValidatorSet, height: int, round_number: int, /) -> int:
        """Return the index of the proposer of a round in the set of its height."""


def take_turns(validators: ValidatorSet, height: int, round_number: int) -> int:
    """Return the index of the proposer: (height + round) mod n."""
    return (height + round_number) % len(validators)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainTip:
    """Where a chain ends, and all that the next block is measured by.

    Attributes:
        network_id: The network.
        height: Of the newest block; 0 before the first.
        time_ms: Of the newest block; before the first, of genesis.
        parent: What the next header must name: the newest header's digest, or network_id.
        headers: Frontier over the digests of all headers so far.
        log: Frontier over all log leaves so far.
        validators: The set of the next height.
    """

    network_id: Digest
    height: int
    time_ms: int
    parent: Digest
    headers: Frontier
    log: Frontier
    validators: ValidatorSet

    def to_value(self) -> Value:
        """Return the value of a saved tip, for a walk that resumes."""
        return (
            *(self.network_id, self.height, self.time_ms, self.parent),
            *(self.headers.to_value(), self.log.to_value(), self.validators.to_value()),
        )

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Read what `to_value` returns.

        Raises:
            InvalidDataError: Another shape, or sizes that contradict each other.
        """
        network_id, height, time_ms, parent, headers, log, validators = read_array(value, "tip", 7)
        tip = cls(
            network_id=read_digest(network_id, "tip.network_id"),
            height=read_int(height, "tip.height", 0, INTEGER_MAX),
            time_ms=read_int(time_ms, "tip.time_ms", 0, INTEGER_MAX),
            parent=read_digest(parent, "tip.parent"),
            headers=Frontier.from_value(headers),
            log=Frontier.from_value(log),
            validators=ValidatorSet.from_value(validators),
        )
        if tip.headers.size != tip.height:
            raise BlockHeightError(f"a tip of height {tip.height} has {tip.headers.size} headers")
        return tip


class VerifiedBlock(NamedTuple):
    """A block that follows the chain and is final.

    Attributes:
        block: The block.
        quorum_certificate: By the set of its height.
        before: The tip that it follows; `before.validators` is the set of its height.
    """

    block: Block
    quorum_certificate: QuorumCertificate
    before: ChainTip

    @property
    def header(self) -> Header:
        """The block's header."""
        return self.block.header

    def tip(self, next_validators: ValidatorSet) -> ChainTip:
        """Return the tip after this block.

        Args:
            next_validators: The set of the next height, as replaying this block gives it.

        Raises:
            BlockValidatorsError: The header names another next set.
        """
        return tip_after(self.before, self.block, next_validators)


def genesis_tip(charter: Charter) -> ChainTip:
    """Return the tip before the first block of a network."""
    return ChainTip(
        network_id=charter.network_id,
        height=0,
        time_ms=charter.template.time_ms,
        parent=charter.network_id,
        headers=Frontier(),
        log=Frontier(),
        validators=charter.validators,
    )


def check_header(tip: ChainTip, header: Header, schedule: ProposerSchedule = take_turns) -> None:
    """Refuse a header that does not follow a tip; its roots over the block are not looked at.

    Raises:
        InvalidBlockError: Its subclasses say what is wrong; details: height, and what was expected.
    """
    height = tip.height + 1
    if header.network_id != tip.network_id:
        raise BlockNetworkError(
            f"the block at height {height} is of another network", height=height
        )
    if header.height != height:
        raise BlockHeightError(
            f"a block of height {header.height} where {height} is expected",
            height=header.height,
            expected=height,
        )
    if header.parent != tip.parent:
        raise BlockParentError(f"the block of height {height} has another parent", height=height)
    if header.time_ms <= tip.time_ms:
        raise BlockTimeError(
            f"the block of height {height} is of {header.time_ms}, its parent of {tip.time_ms}",
            height=height,
        )
    if header.headers_root != tip.headers.root():
        raise BlockHeadersRootError(
            f"headers_root at height {height} is not that of the chain", height=height
        )
    if header.validators != tip.validators.digest:
        raise BlockValidatorsError(
            f"the block of height {height} is by another validator set", height=height
        )
    proposer = schedule(tip.validators, height, header.round)
    if header.proposer != proposer:
        raise BlockProposerError(
            f"height {height} was proposed by {header.proposer}, but it was the turn of {proposer}",
            height=height,
            expected=proposer,
        )


def log_after(tip: ChainTip, entries: Sequence[Entry]) -> Frontier:
    """Return the log's frontier after these entries are appended to it."""
    return _extended(tip.log, tuple([entry.log_leaf_hash for entry in entries]))


@lru_cache(maxsize=8)
def _extended(log: Frontier, leaves: tuple[Digest, ...]) -> Frontier:
    """Extend once what is asked for when a block is built, checked and stored."""
    return log.extend(leaves)


def check_block(tip: ChainTip, block: Block, schedule: ProposerSchedule = take_turns) -> Frontier:
    """Refuse a block that does not follow a tip; that it agrees with itself, `parse_block` checked.

    Returns:
        The log's frontier after the block.

    Raises:
        InvalidBlockError: Its subclasses say what is wrong.
    """
    header = block.header
    check_header(tip, header, schedule)
    log = log_after(tip, block.entries)
    if (header.log_size, header.log_root) != (log.size, log.root()):
        raise BlockLogError(
            f"log_size or log_root at height {header.height} is not that of the chain",
            height=header.height,
            expected=log.size,
        )
    return log


def advance(
    tip: ChainTip,
    block: Block,
    quorum_certificate: QuorumCertificate,
    schedule: ProposerSchedule = take_turns,
) -> VerifiedBlock:
    """Accept only a block that follows a tip and is final by the set of its height.

    Raises:
        InvalidBlockError: Its subclasses say which link is broken.
        InvalidQuorumError: The quorum certificate does not hold.
    """
    check_block(tip, block, schedule)
    header = block.header
    if (quorum_certificate.height, quorum_certificate.block_id) != (header.height, header.digest):
        raise BlockQuorumError(
            f"the quorum certificate of height {header.height} is for another header",
            height=header.height,
        )
    quorum_certificate.check(tip.network_id, tip.validators)
    return VerifiedBlock(block, quorum_certificate, tip)


def tip_after(tip: ChainTip, block: Block, next_validators: ValidatorSet) -> ChainTip:
    """Return the tip after a block that follows `tip`.

    Raises:
        BlockValidatorsError: The header names another next set.
    """
    header = block.header
    if header.next_validators != next_validators.digest:
        raise BlockValidatorsError(
            f"the block of height {header.height} names another next validator set",
            height=header.height,
        )
    return ChainTip(
        network_id=tip.network_id,
        height=header.height,
        time_ms=header.time_ms,
        parent=header.digest,
        headers=tip.headers.append(merkle.leaf_hash(header.digest)),
        log=log_after(tip, block.entries),
        validators=next_validators,
    )


def walk(
    blocks: Iterable[tuple[Block, QuorumCertificate]],
    tip: ChainTip,
    next_validators: Callable[[VerifiedBlock], ValidatorSet],
    schedule: ProposerSchedule = take_turns,
) -> Iterator[VerifiedBlock]:
    """Yield each block once it is known to follow the one before and to be final.

    Args:
        blocks: Ascending from `tip.height + 1`, without gap.
        tip: Where to begin, `genesis_tip` or a saved one.
        next_validators: Asked for the set of the next height when the consumer comes back for the
            next block, so that it can replay the yielded one first; asked only where the header
            says that the set changes. See `sets_of_trust` for those who do not replay.
        schedule: Whose turn it is to propose.

    Raises:
        InvalidBlockError: Its subclasses say which link is broken, and at which height.
        InvalidQuorumError: A quorum certificate does not hold.
    """
    for block, quorum_certificate in blocks:
        verified = advance(tip, block, quorum_certificate, schedule)
        yield verified
        validators = tip.validators
        if block.header.next_validators != validators.digest:
            validators = next_validators(verified)
        tip = verified.tip(validators)


def sets_of_trust(trust: TrustBundle) -> Callable[[VerifiedBlock], ValidatorSet]:
    """Return a `next_validators` for `walk` that takes changed sets from a trust bundle."""
    return lambda verified: trust.validators_at(verified.header.height + 1)
