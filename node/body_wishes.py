"""Which sealed bodies are waited for, and what for: the books of `node.bodies`, without a network.

A body is wanted for *undecided blocks*, before a prevote for them, or for a *stored* block. What
comes for an undecided one is only staged: on account of its entry's first signer, who signed for
it, until the entry's `not_after_ms`. So a block that is never decided leaves nothing behind. Where
somebody has used up his account, the proposer's takes it: else one client could keep every block
that holds an entry of his from being voted for, and a liar who proposes what is never decided
fills his own account and harms himself.

Everything is bounded. Wishes for undecided blocks end with their height, and of more than
`BLOCKS_MAX` the oldest block is forgotten. Of more than `STORED_MAX` bodies of stored blocks those
go that were asked for in vain most often; `node.body_backlog` comes back to them.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from keys.hashing import Digest
from ledger.entries import Entry
from ledger.ids import AgencyId
from ledger.limits import BLOCK_BODIES_BYTES_MAX

BLOCKS_MAX: Final = 64
"""Undecided blocks whose bodies are waited for."""
STORED_MAX: Final = 4_096
"""Bodies of stored blocks that are waited for."""
_PROPOSER_ACCOUNT: Final = b"proposer"


class Claim(NamedTuple):
    """On whose account a body is staged, and until when.

    Attributes:
        signer_key_id: The first signer of the entry that names it.
        not_after_ms: Of this entry.
    """

    signer_key_id: bytes
    not_after_ms: int


@dataclass(slots=True, eq=False)
class BlockWish:
    """An undecided block that waits for its bodies.

    Attributes:
        height: Of the block.
        block_id: Its header digest.
        account: Of its proposer, for what its signers' accounts do not take.
        done: Called once all its bodies are here.
        left: Those that are not.
        size: Bytes of those that are.
        is_told: Whether the log says already that one found no room.
    """

    height: int
    block_id: Digest
    account: bytes
    done: Callable[[], None]
    left: dict[Digest, Claim]
    size: int = 0
    is_told: bool = False

    @property
    def is_too_large(self) -> bool:
        """Tell whether the bodies seen so far are more than a block may have."""
        return self.size > BLOCK_BODIES_BYTES_MAX


@dataclass(slots=True)
class Wish:
    """A body that is waited for.

    Attributes:
        first: Whom to ask first.
        blocks: Undecided blocks that name it.
        is_stored: Whether a stored block names it.
        candidates: Whom else to ask in this turn, the next one last.
        turns: How often all peers were asked in vain.
        is_resting: All were asked in vain; it waits for the next turn.
        has_no_room: It came, and no account took it.
    """

    first: AgencyId | None
    blocks: list[BlockWish] = field(default_factory=list)
    is_stored: bool = False
    candidates: list[AgencyId] = field(default_factory=list)
    turns: int = 0
    is_resting: bool = False
    has_no_room: bool = False

    @property
    def is_patient(self) -> bool:
        """Tell whether no prevote waits for it, or asking soon would not help."""
        return self.has_no_room or not self.blocks


class BodyWishes:
    """All that is waited for.

    Attributes:
        dropped: How many bodies of stored blocks were given up so far for want of room.
    """

    def __init__(self) -> None:
        self._wishes: dict[Digest, Wish] = {}
        self._blocks: list[BlockWish] = []
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._wishes)

    def __contains__(self, digest: Digest) -> bool:
        return digest in self._wishes

    def get(self, digest: Digest) -> Wish | None:
        """Return a wish, or None."""
        return self._wishes.get(digest)

    def __iter__(self) -> Iterator[Digest]:
        return iter(self._wishes)

    def items(self) -> Iterable[tuple[Digest, Wish]]:
        """Return all wishes, in the order in which they were made."""
        return self._wishes.items()

    def values(self) -> Iterable[Wish]:
        """Return all wishes without their digests."""
        return self._wishes.values()

    def claim(self, digest: Digest) -> tuple[Claim, BlockWish]:
        """Return the claim on a body that lasts longest, and the undecided block it comes from."""
        blocks = self._wishes[digest].blocks
        block = max(blocks, key=lambda one: one.left[digest].not_after_ms)
        return block.left[digest], block

    def set_no_room(self, digest: Digest) -> None:
        """Take note that a body came and found no room: nobody need be asked for it soon."""
        wish = self._wishes[digest]
        wish.has_no_room = True
        wish.candidates = []

    def stored(self) -> tuple[Digest, ...]:
        """Return what stored blocks lack."""
        return tuple([digest for digest, wish in self._wishes.items() if wish.is_stored])

    @property
    def fresh(self) -> int:
        """How many bodies of stored blocks are likely to come yet: not all peers were asked."""
        return sum(one.is_stored and one.turns == 0 for one in self._wishes.values())

    def want(self, block: BlockWish, first: AgencyId | None) -> None:
        """Wait for what is left of a block."""
        for digest in sorted(block.left):
            wish = self._wishes.setdefault(digest, Wish(first))
            wish.first = wish.first or first
            wish.blocks.append(block)
            wish.is_resting = wish.has_no_room = False
        self._blocks.append(block)
        while len(self._blocks) > BLOCKS_MAX:
            self.forget(self._blocks[0])

    def want_stored(self, digests: Iterable[Digest]) -> None:
        """Wait for bodies of a stored block."""
        for digest in digests:
            self._wishes.setdefault(digest, Wish(None)).is_stored = True
        self._make_room()

    def came(self, digest: Digest, size: int) -> list[BlockWish]:
        """Count a body that is here now; return the blocks that have it all, or too much of it."""
        wish = self._wishes.pop(digest, None)
        over: list[BlockWish] = []
        for block in () if wish is None else tuple(wish.blocks):
            del block.left[digest]
            block.size += size
            if block.is_too_large or not block.left:
                self.forget(block)
                over.append(block)
        return over

    def forget(self, block: BlockWish) -> None:
        """Wait no longer for the bodies of an undecided block; stored ones may still need them."""
        if block in self._blocks:
            self._blocks.remove(block)
        for digest in block.left:
            wish = self._wishes[digest]
            wish.blocks.remove(block)
            wish.is_resting = wish.has_no_room = False
            if not wish.blocks and not wish.is_stored:
                del self._wishes[digest]

    def forget_through(self, height: int) -> None:
        """Wait no longer for undecided blocks up to a height: it is decided."""
        for block in [one for one in self._blocks if one.height <= height]:
            self.forget(block)

    def _make_room(self) -> None:
        """Give up bodies of stored blocks beyond their limit: first what was asked for most."""
        stored = list(self.stored())
        over = len(stored) - STORED_MAX
        if over > 0:
            stored.sort(key=lambda digest: -self._wishes[digest].turns)
            for digest in stored[:over]:
                wish = self._wishes[digest]
                wish.is_stored = False
                if not wish.blocks:
                    del self._wishes[digest]
            self.dropped += over


def claims_of(entries: Iterable[Entry]) -> dict[Digest, Claim]:
    """Return the claims of all sealed bodies that entries name; of two the one that lasts."""
    claims: dict[Digest, Claim] = {}
    for entry in entries:
        claim = Claim(entry.head.first_key_id, entry.head.not_after_ms)
        for record in entry.records:
            if record.seal is not None:
                before = claims.setdefault(record.seal.body_digest, claim)
                if before.not_after_ms < claim.not_after_ms:
                    claims[record.seal.body_digest] = claim
    return claims


def account_of(proposer: AgencyId | None) -> bytes:
    """Return the account of a proposer; None where only votes name the block."""
    return _PROPOSER_ACCOUNT + (proposer or b"")
