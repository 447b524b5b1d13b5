"""What the chain store's keys and values look like; pure bytes, no database.

    m format                       version of this layout; another one for a restored store
    a                              where a restored store begins: canonical([1, first height, state
                                   height, leaves of the log before the first block])
    k  height                      a header below the first block, where the validator set changes
    g                              the genesis document
    t                              canonical(ChainTip) after the newest block
    b, q, o, u  height             block; quorum certificate; outcomes; what undoing the block needs
    c  height                      a height whose header changes the validator set: the new set
    d  index                       log leaf: entry_digest, signatures_digest
    l, h  level index              inner nodes of the log tree; nodes of the tree of headers
    s  key bytes                   a stored state value: canonical([blind, value])
    p  page key                    a page of the state tree
    e  entry digest                height, index
    r  record id, version, height, index
    n  registration number         height, index
    v  height                      a height whose block holds evidence

Numbers are big-endian, so that ranges are in order. `u` holds the state values and pages as they
were before the block, for the newest 1,000 heights.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ledger import merkle, state_tree
from ledger.blocks import Block
from ledger.canonical import decode, encode
from ledger.chain import ChainTip
from ledger.errors import CorruptStoreError
from ledger.fields import read_array, read_bytes_up_to
from ledger.limits import BLOCK_ENTRIES_MAX
from ledger.outcomes import OUTCOME_BYTES_MAX, encoded_outcomes_root
from ledger.validators import ValidatorSet, print_validator_set

LAYOUT_VERSION: Final = b"1"
RESTORED_VERSION: Final = b"2"
"""Of a store that a snapshot began: programs that look for its old blocks do not open it."""
UNDO_HEIGHTS: Final = 1_000
"""State proofs are served for the newest height and so many before it."""

FORMAT: Final = b"m"
GENESIS: Final = b"g"
HISTORY: Final = b"a"
HEADER: Final = b"k"
TIP: Final = b"t"
BLOCK: Final = b"b"
QUORUM: Final = b"q"
OUTCOMES: Final = b"o"
UNDO: Final = b"u"
CHANGE: Final = b"c"
CHANGES_END: Final = b"d"
LEAF: Final = b"d"
LOG: Final = b"l"
HEADERS: Final = b"h"
STATE: Final = b"s"
PAGE: Final = b"p"
ENTRY: Final = b"e"
RECORD: Final = b"r"
NUMBER: Final = b"n"
EVIDENCE: Final = b"v"

_HEIGHT: Final = struct.Struct(">Q")
_NODE: Final = struct.Struct(">BQ")
_PLACE: Final = struct.Struct(">QI")
_HISTORY: Final = struct.Struct(">QQI")
_UNDO: Final = struct.Struct(">HI")
_ABSENT: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitBatch:
    """One decided block with all that executing it gave; nothing in it is encoded again.

    Attributes:
        block: The block.
        quorum_certificate: Its canonical bytes.
        outcomes: The encoded outcomes, parallel to the entries.
        registration_numbers: Parallel to the entries; None where an entry got none.
        state: Stored values by key bytes; None: the key is gone.
        pages: From `state_tree.update`.
        next_validators: The set of the next height.
        history: More rows for the history of records: (record id, version, index of the entry), for
            effects on records that have no part in the entry.
    """

    block: Block
    quorum_certificate: bytes
    outcomes: Sequence[bytes]
    registration_numbers: Sequence[str | None]
    state: Mapping[bytes, bytes | None]
    pages: Mapping[bytes, bytes | None]
    next_validators: ValidatorSet
    history: Sequence[tuple[bytes, int, int]] = field(default=())


def height_key(prefix: bytes, height: int) -> bytes:
    """Return the key of something that each height has, or of a log leaf by its index."""
    return prefix + _HEIGHT.pack(height)


def node_key(prefix: bytes, level: int, index: int) -> bytes:
    """Return the key of a complete node of the log tree or the tree of headers."""
    return prefix + _NODE.pack(level, index)


def number_key(registration_number: str) -> bytes:
    """Return the key of a registration number."""
    return NUMBER + registration_number.encode()


def read_place(value: bytes) -> tuple[int, int]:
    """Return height and index of an entry."""
    height, index = _PLACE.unpack(value)
    return height, index


def read_history_key(key: bytes) -> tuple[int, int, int]:
    """Return version, height and index of a row of a record's history."""
    version, height, index = _HISTORY.unpack(key[-_HISTORY.size :])
    return version, height, index


def height_of(key: bytes) -> int:
    """Return the height (or index) at the end of a key."""
    height: int = _HEIGHT.unpack(key[-_HEIGHT.size :])[0]
    return height


def block_rows(batch: CommitBatch) -> Iterator[tuple[bytes, bytes]]:
    """Yield what a block adds: itself, certificate, outcomes, and the indexes to find it by."""
    header = batch.block.header
    height = header.height
    yield height_key(BLOCK, height), batch.block.raw
    yield height_key(QUORUM, height), batch.quorum_certificate
    yield height_key(OUTCOMES, height), encode(tuple(batch.outcomes))
    if header.next_validators != header.validators:
        yield height_key(CHANGE, height), print_validator_set(batch.next_validators)
    if batch.block.evidence:
        yield height_key(EVIDENCE, height), b""
    for index, entry in enumerate(batch.block.entries):
        yield ENTRY + entry.entry_digest, _PLACE.pack(height, index)
        for record in entry.records:
            row = _HISTORY.pack(record.record_version, height, index)
            yield RECORD + record.record_id + row, b""
        if entry.head.about is not None:
            about = entry.head.about
            yield RECORD + about.record_id + _HISTORY.pack(about.version, height, index), b""
    for record_id, version, index in batch.history:
        yield RECORD + record_id + _HISTORY.pack(version, height, index), b""
    for index, number in enumerate(batch.registration_numbers):
        if number is not None:
            yield number_key(number), _PLACE.pack(height, index)


def tree_rows(batch: CommitBatch, tip: ChainTip) -> Iterator[tuple[bytes, bytes]]:
    """Yield the log leaves and tree nodes that a block completes after a tip."""
    entries = batch.block.entries
    for at, entry in enumerate(entries, tip.log.size):
        yield height_key(LEAF, at), entry.entry_digest + entry.signatures_digest
    leaves = [entry.log_leaf_hash for entry in entries]
    for level, index, digest in merkle.completed_nodes(tip.log, leaves):
        if level:
            yield node_key(LOG, level, index), digest
    header_leaf = merkle.leaf_hash(batch.block.header.digest)
    for level, index, digest in merkle.completed_nodes(tip.headers, [header_leaf]):
        yield node_key(HEADERS, level, index), digest


def parse_outcomes(raw: bytes) -> tuple[bytes, ...]:
    """Return the encoded outcomes of a block.

    Raises:
        InvalidDataError: Not what `block_rows` wrote.
    """
    value = decode(raw, BLOCK_ENTRIES_MAX * OUTCOME_BYTES_MAX)
    array = read_array(value, "outcomes", (0, BLOCK_ENTRIES_MAX))
    return tuple([read_bytes_up_to(one, "outcome", OUTCOME_BYTES_MAX) for one in array])


def print_undo(old: Mapping[bytes, bytes | None]) -> bytes:
    """Return what rows held before a block, None for absent ones."""
    pieces: list[bytes] = []
    for key, value in old.items():
        if value is None:
            pieces += (_UNDO.pack(len(key), _ABSENT), key)
        else:
            pieces += (_UNDO.pack(len(key), len(value)), key, value)
    return b"".join(pieces)


def parse_undo(raw: bytes) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield what `print_undo` was given.

    Raises:
        CorruptStoreError: The bytes end within a row.
    """
    at, end = 0, len(raw)
    while at < end:
        if at + _UNDO.size > end:
            raise CorruptStoreError("what undoing a block needs ends within a row")
        key_length, length = _UNDO.unpack_from(raw, at)
        start = at + _UNDO.size + key_length
        key, at = raw[at + _UNDO.size : start], start + (0 if length == _ABSENT else length)
        if at > end:
            raise CorruptStoreError("what undoing a block needs ends within a row")
        yield key, None if length == _ABSENT else raw[start:at]


def check_batch(
    batch: CommitBatch, before: ChainTip, after: ChainTip, read_page: state_tree.PageReader
) -> None:
    """Refuse a batch that does not follow the store, or whose pieces are not those of its header.

    Args:
        batch: What is to be written.
        before: The store's tip.
        after: The tip that the block leads to.
        read_page: Knows the current pages.

    Raises:
        CorruptStoreError: Something that does not belong together, or a page is damaged.
    """
    header, pages = batch.block.header, batch.pages
    if (header.height, header.parent) != (before.height + 1, before.parent):
        raise CorruptStoreError(f"block {header.height} does not follow {before.height}")
    if (header.log_size, header.log_root) != (after.log.size, after.log.root()):
        raise CorruptStoreError(f"block {header.height} has another log than the store")
    entries = len(batch.block.entries)
    if len(batch.outcomes) != entries or len(batch.registration_numbers) != entries:
        raise CorruptStoreError(f"block {header.height} has another number of outcomes")
    if header.outcomes_root != encoded_outcomes_root(batch.outcomes):
        raise CorruptStoreError(f"block {header.height} has other outcomes than its header")
    root = state_tree.root_of(lambda key: pages[key] if key in pages else read_page(key))
    if header.state_root != root:
        raise CorruptStoreError(f"block {header.height} has another state than its header")
