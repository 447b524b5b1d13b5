"""Headers and blocks: what validators sign, and the entries and evidence that it fixes.

A header's digest is the block id. `parse_block` believes nothing: it computes entries_root,
entries_count and evidence_root again, so a block that was parsed agrees with itself. Whether it
follows the chain before it is `ledger.chain`'s question; whether its entries are valid is the
registry's.

Source: docs/formats.md, section 7.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from keys.hashing import Digest, domain, hash_with
from ledger import merkle
from ledger.canonical import Value, decode, encode
from ledger.entries import Entry, parse_entry
from ledger.errors import InvalidBlockError, InvalidDataError
from ledger.fields import (
    INTEGER_MAX,
    read_array,
    read_bytes_up_to,
    read_digest,
    read_int,
    read_version,
)
from ledger.limits import (
    BLOCK_BYTES_MAX,
    BLOCK_ENTRIES_MAX,
    BLOCK_EVIDENCE_MAX,
    ENTRY_BYTES_MAX,
    MESSAGE_BYTES_MAX,
    VALIDATORS_MAX,
    check_limit,
)
from ledger.outcomes import Outcome, encoded_outcomes_root, outcomes_root, parse_outcome
from ledger.quorum import ROUND_MAX

__all__ = [
    "Block", "Header", "Outcome", "assemble_block", "build_block", "encoded_outcomes_root",
    "entries_root", "evidence_root", "header_digest", "outcomes_root", "parse_block",
    "parse_header", "parse_outcome", "split_block",
]  # fmt: skip

HEADER_BYTES_MAX: Final = 1_024
"""Bytes of a header; ten digests and seven numbers need at most 412."""

_VERSION: Final = 1
_HEADER: Final = domain("header")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What stands above a block; its digest is what validators sign.

    Attributes:
        network_id: Digest of the genesis document.
        height: Position in the chain, from 1.
        round: The round in which this header was first proposed, from 0.
        time_ms: Strictly greater than the parent's.
        parent: Digest of the header before; at height 1 the network_id.
        headers_root: List root of the digests of all earlier headers.
        entries_root: List root of the log leaves of this block's entries.
        entries_count: How many entries, at most 1,024.
        outcomes_root: List root of the outcomes.
        log_size: Log leaves since genesis, this block's included.
        log_root: List root over all of them.
        state_root: Root of the state tree after this block.
        validators: Digest of the set of this height.
        next_validators: Digest of the set of the next height.
        proposer: Index in the set of this height: the proposer of (height, round).
        evidence_root: List root of the evidence.
    """

    network_id: Digest
    height: int
    round: int
    time_ms: int
    parent: Digest
    headers_root: Digest
    entries_root: Digest
    entries_count: int
    outcomes_root: Digest
    log_size: int
    log_root: Digest
    state_root: Digest
    validators: Digest
    next_validators: Digest
    proposer: int
    evidence_root: Digest
    _raw: bytes = field(init=False, repr=False, compare=False, default=b"")
    _digest: bytes = field(init=False, repr=False, compare=False, default=b"")

    @property
    def raw(self) -> bytes:
        """The canonical bytes; computed once."""
        if not self._raw:
            object.__setattr__(self, "_raw", encode(_header_value(self)))
        return self._raw

    @property
    def digest(self) -> Digest:
        """The block id, 32 bytes: H(header, raw); computed once."""
        if not self._digest:
            object.__setattr__(self, "_digest", header_digest(self.raw))
        return Digest(self._digest)


@dataclass(frozen=True, slots=True)
class Block:
    """A block that agrees with itself; made by `parse_block` or `build_block`.

    Attributes:
        header: With the roots of what follows.
        entries: At most 1,024.
        evidence: At most 16 pieces, opaque here.
        raw: The canonical bytes, at most 5 MiB.
    """

    header: Header
    entries: tuple[Entry, ...]
    evidence: tuple[bytes, ...]
    raw: bytes = field(repr=False)


def header_digest(raw: bytes) -> Digest:
    """Return the block id of a header given by its bytes."""
    return hash_with(_HEADER, raw)


def parse_header(raw: bytes) -> Header:
    """Make a header of bytes from anywhere.

    Raises:
        InvalidDataError: Too long, not canonical, or a shape or bound is wrong.
    """
    fields = read_array(decode(raw, HEADER_BYTES_MAX, limit="header bytes"), "header", 17)
    read_version(fields[0], "header.version", _VERSION)
    return Header(
        network_id=read_digest(fields[1], "header.network_id"),
        height=read_int(fields[2], "header.height", 1, INTEGER_MAX),
        round=read_int(fields[3], "header.round", 0, ROUND_MAX),
        time_ms=read_int(fields[4], "header.time_ms", 0, INTEGER_MAX),
        parent=read_digest(fields[5], "header.parent"),
        headers_root=read_digest(fields[6], "header.headers_root"),
        entries_root=read_digest(fields[7], "header.entries_root"),
        entries_count=read_int(fields[8], "header.entries_count", 0, BLOCK_ENTRIES_MAX),
        outcomes_root=read_digest(fields[9], "header.outcomes_root"),
        log_size=read_int(fields[10], "header.log_size", 0, INTEGER_MAX),
        log_root=read_digest(fields[11], "header.log_root"),
        state_root=read_digest(fields[12], "header.state_root"),
        validators=read_digest(fields[13], "header.validators"),
        next_validators=read_digest(fields[14], "header.next_validators"),
        proposer=read_int(fields[15], "header.proposer", 0, VALIDATORS_MAX - 1),
        evidence_root=read_digest(fields[16], "header.evidence_root"),
    )


def entries_root(entries: Sequence[Entry]) -> Digest:
    """Return the list root of the log leaves of entries, in their order."""
    return merkle.root([entry.log_leaf_hash for entry in entries])


def evidence_root(evidence: Sequence[bytes]) -> Digest:
    """Return the list root of pieces of evidence, in their order."""
    return merkle.root([merkle.leaf_hash(piece) for piece in evidence])


def split_block(raw: bytes) -> tuple[bytes, tuple[bytes, ...], tuple[bytes, ...]]:
    """Return header, entries and evidence of a block as bytes, without a look into them.

    Raises:
        InvalidDataError: The block is too long, not canonical, or one of the three lists is too
            long.
    """
    header, entries, evidence = read_array(
        decode(raw, BLOCK_BYTES_MAX, limit="block bytes"), "block", 3
    )
    return (
        read_bytes_up_to(header, "block.header", HEADER_BYTES_MAX),
        _read_pieces(entries, "entries of a block", BLOCK_ENTRIES_MAX, ENTRY_BYTES_MAX),
        _read_pieces(evidence, "pieces of evidence", BLOCK_EVIDENCE_MAX, MESSAGE_BYTES_MAX),
    )


def parse_block(raw: bytes, parse: Callable[[bytes], Entry] = parse_entry) -> Block:
    """Make a block of bytes from anywhere and check that it agrees with itself.

    Args:
        raw: At most 5 MiB.
        parse: Makes an entry of its bytes; a node hands in one that remembers what it parsed
            before.

    Raises:
        LimitExceededError: Too many bytes, entries or pieces of evidence.
        InvalidBlockError: An entry is malformed, or a root or the count in the header is another.
        InvalidDataError: Not canonical, or the header is malformed.
    """
    header_raw, encoded, evidence = split_block(raw)
    header = parse_header(header_raw)
    entries: list[Entry] = []
    for index, entry_raw in enumerate(encoded):
        try:
            entries.append(parse(entry_raw))
        except InvalidDataError as error:
            raise InvalidBlockError(f"entry {index} is malformed: {error}", index=index) from error
    return _agreeing(header, tuple(entries), evidence, raw)


def assemble_block(header: Header, entries: Sequence[Entry], evidence: Sequence[bytes]) -> Block:
    """Put a block together of what somebody else's header fixes, and check that it does.

    Args:
        header: Complete, from anywhere.
        entries: Parsed before, at most 1,024.
        evidence: At most 16 pieces.

    Raises:
        LimitExceededError: Too many bytes, entries or pieces of evidence.
        InvalidBlockError: A root or the count in the header is another.
    """
    raw = _print_block(header, entries, evidence)
    return _agreeing(header, tuple(entries), tuple(evidence), raw)


def _agreeing(
    header: Header, entries: tuple[Entry, ...], evidence: tuple[bytes, ...], raw: bytes
) -> Block:
    """Return the block if its header is about these entries and this evidence."""
    if header.entries_count != len(entries):
        raise InvalidBlockError(
            f"the header counts {header.entries_count} entries, the block has {len(entries)}"
        )
    if header.entries_root != entries_root(entries):
        raise InvalidBlockError("entries_root of the header is not that of the entries")
    if header.evidence_root != evidence_root(evidence):
        raise InvalidBlockError("evidence_root of the header is not that of the evidence")
    return Block(header, entries, evidence, raw)


def build_block(header: Header, entries: Sequence[Entry], evidence: Sequence[bytes]) -> Block:
    """Put a block together.

    Args:
        header: Complete but for entries_root, entries_count and evidence_root, which are computed.
        entries: At most 1,024, valid after the chain that `header` continues.
        evidence: At most 16 pieces.

    Raises:
        LimitExceededError: Too many bytes, entries or pieces of evidence.
    """
    complete = replace(
        header,
        entries_root=entries_root(entries),
        entries_count=len(entries),
        evidence_root=evidence_root(evidence),
    )
    raw = _print_block(complete, entries, evidence)
    return Block(complete, tuple(entries), tuple(evidence), raw)


def _print_block(header: Header, entries: Sequence[Entry], evidence: Sequence[bytes]) -> bytes:
    check_limit("entries of a block", len(entries), BLOCK_ENTRIES_MAX)
    check_limit("pieces of evidence", len(evidence), BLOCK_EVIDENCE_MAX)
    raw = encode((header.raw, [entry.raw for entry in entries], list(evidence)))
    check_limit("block bytes", len(raw), BLOCK_BYTES_MAX)
    return raw


def _header_value(header: Header) -> Value:
    return (
        *(_VERSION, header.network_id, header.height, header.round, header.time_ms),
        *(header.parent, header.headers_root, header.entries_root, header.entries_count),
        *(header.outcomes_root, header.log_size, header.log_root, header.state_root),
        *(header.validators, header.next_validators, header.proposer, header.evidence_root),
    )


def _read_pieces(value: Value, name: str, pieces_max: int, bytes_max: int) -> tuple[bytes, ...]:
    array = read_array(value, name, (0, max(pieces_max, BLOCK_BYTES_MAX)))
    check_limit(name, len(array), pieces_max)
    return tuple([read_bytes_up_to(piece, name, bytes_max) for piece in array])
