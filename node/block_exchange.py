"""Blocks by their id: proposed ones on their way to the other validators, and back from them.

The proposer pushes the *short form* of its block to every peer: header, log leaves instead of
entries, evidence. Gossip brought the entries before, so a peer usually puts the block together from
what it has; if one entry is missing it pulls the whole block by its id. Whoever checks a block that
nobody pushed pulls it as well.

    short form = canonical([header bin, [log leaf bin 70 ...], [evidence bin ...]])

What is pulled is believed when header, entries and evidence have the digests that its id fixes.

A proposer may sign as many headers as it likes. So of what only came by a push the newest two of a
proposer are held, and what consensus has asked for is never dropped for them: whoever floods with
proposals drops his own.
"""

from collections.abc import Callable
from typing import Final

from keys.hashing import Digest
from ledger import merkle
from ledger.blocks import (
    Block,
    Header,
    assemble_block,
    header_digest,
    parse_block,
    parse_header,
    split_block,
)
from ledger.canonical import decode, encode
from ledger.entries import LOG_LEAF_BYTES
from ledger.errors import InvalidBlockError
from ledger.fields import read_array, read_bytes, read_bytes_up_to
from ledger.ids import AgencyId
from ledger.limits import (
    BLOCK_BYTES_MAX,
    BLOCK_ENTRIES_MAX,
    BLOCK_EVIDENCE_MAX,
    MESSAGE_BYTES_MAX,
    VALIDATORS_MAX,
)
from node.entry_cache import EntryCache
from node.fetch import Fetcher
from node.ports import Network, Timers

BLOCK_PATH: Final = "/peer/v1/block"
BLOCK_BYTES_PATH: Final = "/peer/v1/block-bytes/"
PUSHED_MAX: Final = 2
"""Blocks of one proposer held, and pulled, that consensus has not asked for."""
WANTED_MAX: Final = 64
"""Blocks held that consensus has asked for in one height; the oldest goes first."""
SHORT_BYTES_MAX: Final = (
    BLOCK_ENTRIES_MAX * (LOG_LEAF_BYTES + 2) + BLOCK_EVIDENCE_MAX * MESSAGE_BYTES_MAX + 2_048
)
HELD_MAX: Final = WANTED_MAX + PUSHED_MAX * VALIDATORS_MAX
_HEADER_BYTES_MAX: Final = 1_024


class BlockExchange:
    """Holds proposed blocks, pushes ours, pulls what we lack.

    Args:
        network: The other nodes.
        timers: For pauses between questions.
        entries: Parsed entries.
        may_push: Tells whether a peer may push a block with this header: it is the proposer that
            the header names, at a height that we work on.
    """

    def __init__(
        self,
        network: Network,
        timers: Timers,
        entries: EntryCache,
        may_push: Callable[[AgencyId, Header], bool],
    ) -> None:
        self._network = network
        self._entries = entries
        self._may_push = may_push
        self._held: dict[Digest, Block] = {}
        self._wanted: set[Digest] = set()
        self._pulled: dict[AgencyId, list[Digest]] = {}
        self._fetcher = Fetcher(network, timers, BLOCK_BYTES_PATH, BLOCK_BYTES_MAX, self._accept)

    def __len__(self) -> int:
        return len(self._held)

    def get(self, block_id: Digest) -> Block | None:
        """Return a proposed block that is held."""
        return self._held.get(block_id)

    def hold(self, block: Block) -> None:
        """Hold a block that parsed; whoever waits for it is told."""
        block_id = block.header.digest
        if block_id not in self._held:
            self._held[block_id] = block
            self._make_room(block.header.proposer)
        self._fetcher.came(block_id)

    def restore(self, raw: bytes) -> None:
        """Hold a block whose bytes were on our own disk.

        Raises:
            InvalidDataError: The bytes are no block.
        """
        block = parse_block(raw, self._entries.parse)
        self._wanted.add(block.header.digest)
        self.hold(block)

    def push(self, block: Block) -> None:
        """Hold a block of ours and send its short form to every peer."""
        self._wanted.add(block.header.digest)
        self.hold(block)
        self._network.broadcast_bulk(BLOCK_PATH, short_form(block))

    def want(self, block_id: Digest, first: AgencyId | None, done: Callable[[], None]) -> None:
        """Call `done` when the block is held: at once if it is, else when a peer gave it."""
        self._wanted.add(block_id)
        if block_id in self._held:
            done()
        else:
            self._fetcher.want(block_id, first, done)

    def take_short(self, peer: AgencyId, raw: bytes) -> None:
        """Take a pushed block; pull it where an entry is missing.

        Raises:
            InvalidDataError: Not the short form of a block that this peer may push.
        """
        header, leaves, evidence = parse_short(raw)
        if header.digest in self._held or not self._may_push(peer, header):
            return
        found = [self._entries.by_leaf(leaf) for leaf in leaves]
        entries = [entry for entry in found if entry is not None]
        if len(entries) < len(leaves):
            self._pull(peer, header.digest)
            return
        self.hold(assemble_block(header, entries, evidence))

    def forget_through(self, height: int) -> None:
        """Drop proposed blocks up to a height: it is decided; nothing is fetched any longer."""
        self._held = {
            block_id: block
            for block_id, block in self._held.items()
            if block.header.height > height
        }
        self._wanted.intersection_update(self._held)
        self._pulled.clear()
        self._fetcher.forget_all()

    def _pull(self, peer: AgencyId, block_id: Digest) -> None:
        """Ask for a pushed block ahead of being asked for it; the newest two of a peer."""
        pulled = self._pulled.setdefault(peer, [])
        if block_id in pulled:
            return
        pulled.append(block_id)
        if len(pulled) > PUSHED_MAX:
            given_up = pulled.pop(0)
            if given_up not in self._wanted:
                self._fetcher.forget(given_up)
        self._fetcher.want(block_id, peer, _nothing)

    def _make_room(self, proposer: int) -> None:
        """Drop what one proposer pushed beyond its share, and wanted blocks beyond all reason."""
        pushed = [
            block_id
            for block_id, block in self._held.items()
            if block_id not in self._wanted and block.header.proposer == proposer
        ]
        for block_id in pushed[:-PUSHED_MAX]:
            del self._held[block_id]
        wanted = [block_id for block_id in self._held if block_id in self._wanted]
        for block_id in wanted[:-WANTED_MAX]:
            del self._held[block_id]

    def _accept(self, block_id: Digest, raw: bytes) -> None:
        header_raw, _entries, _evidence = split_block(raw)
        if header_digest(header_raw) != block_id:
            raise InvalidBlockError("another block than the one that was asked for")
        self.hold(parse_block(raw, self._entries.parse))


def short_form(block: Block) -> bytes:
    """Return what the proposer pushes."""
    leaves = tuple([entry.log_leaf for entry in block.entries])
    return encode((block.header.raw, leaves, block.evidence))


def parse_short(raw: bytes) -> tuple[Header, tuple[bytes, ...], tuple[bytes, ...]]:
    """Return header, log leaves and evidence of a short form.

    Raises:
        InvalidDataError: Too long, another shape, or leaves that the header does not fix.
    """
    value = decode(raw, SHORT_BYTES_MAX, limit="bytes of a short block")
    header_raw, leaves_value, evidence_value = read_array(value, "short_block", 3)
    header = parse_header(read_bytes_up_to(header_raw, "short_block.header", _HEADER_BYTES_MAX))
    array = read_array(leaves_value, "short_block.leaves", (0, BLOCK_ENTRIES_MAX))
    leaves = tuple([read_bytes(leaf, "short_block.leaf", LOG_LEAF_BYTES) for leaf in array])
    pieces = read_array(evidence_value, "short_block.evidence", (0, BLOCK_EVIDENCE_MAX))
    evidence = tuple(
        [read_bytes_up_to(one, "short_block.evidence[]", MESSAGE_BYTES_MAX) for one in pieces]
    )
    if header.entries_root != merkle.root([merkle.leaf_hash(leaf) for leaf in leaves]):
        raise InvalidBlockError("the leaves of a short block are not those of its header")
    return header, leaves, evidence


def _nothing() -> None:
    """Nobody waits: the block was pulled ahead of being asked for."""
