"""Blocks: do they agree with their header, are they final, do they follow the one before.

Source: docs/formats.md, sections 7, 8 and 13.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from verifier.encoding import decode
from verifier.entries import ENTRY_BYTES_MAX, EntryFacts, read_entry
from verifier.evidence import EVIDENCE_BYTES_MAX, Evidence, read_evidence
from verifier.hashes import leaf_of, list_root
from verifier.headers import (
    HEADER_BYTES_MAX,
    Certified,
    Header,
    read_header,
    read_quorum_certificate,
)
from verifier.refusals import CannotCheckError, MismatchError, RefusedError, UnreadableError
from verifier.shapes import fixed, listed, octets_to
from verifier.trust import Trust
from verifier.verdicts import Verdict, attempt, unreadable, verdict_of

BLOCK_BYTES_MAX: Final = 5 * 1024 * 1024
ENTRIES_MAX: Final = 1_024
EVIDENCE_MAX: Final = 16
EVIDENCE_HEIGHTS: Final = 100


@dataclass(frozen=True, slots=True)
class Block:
    """A block of which only the shape was checked."""

    header: Header
    entries: tuple[EntryFacts, ...]
    evidence: tuple[bytes, ...]


def check_block(
    block_raw: bytes, certificate_raw: bytes, trust: Trust, parent: Header | None = None
) -> Verdict:
    """Return the answer about a single block of a chain.

    Args:
        block_raw: The block.
        certificate_raw: Its quorum certificate.
        trust: A bundle that was read before; its time is not asked for.
        parent: The header before, if the caller has it; for the first block it is not needed.
    """
    try:
        block = read_block(block_raw)
        certified = Certified(block.header, read_quorum_certificate(certificate_raw))
    except RefusedError as error:
        return unreadable(error)
    return verdict_of(
        (
            attempt("network", lambda: _check_network(block, trust)),
            attempt("entries", lambda: _check_entries(block)),
            attempt("evidence", lambda: _check_evidence(block, trust)),
            attempt("link", lambda: _check_link(block.header, trust, parent)),
            attempt(
                "quorum",
                lambda: certified.check(trust.network_id, trust.set_of(block.header)),
            ),
        )
    )


def read_block(raw: bytes) -> Block:
    """Return a block.

    Raises:
        UnreadableError: Not canonical, another shape, or out of bounds.
    """
    header, entries, evidence = fixed(decode(raw, BLOCK_BYTES_MAX), 3, "block")
    return Block(
        header=read_header(octets_to(header, HEADER_BYTES_MAX, "block.header")),
        entries=tuple(
            [
                read_entry(octets_to(one, ENTRY_BYTES_MAX, "block.entry"))
                for one in listed(entries, 0, ENTRIES_MAX, "block.entries")
            ]
        ),
        evidence=tuple(
            [
                octets_to(one, EVIDENCE_BYTES_MAX, "block.evidence")
                for one in listed(evidence, 0, EVIDENCE_MAX, "block.evidence")
            ]
        ),
    )


def _check_network(block: Block, trust: Trust) -> None:
    if block.header.network_id != trust.network_id:
        raise CannotCheckError("network", "the block is of another network")
    if any(entry.parts[0].network_id != trust.network_id for entry in block.entries):
        raise MismatchError("entry_network", "an entry of the block is of another network")


def _check_entries(block: Block) -> None:
    leaves = [leaf_of(entry.log_leaf) for entry in block.entries]
    if len(leaves) != block.header.entries_count:
        raise MismatchError("entries_count", "the header counts other entries")
    if list_root(leaves) != block.header.entries_root:
        raise MismatchError("entries_root", "the entries are not those of the header")


def _check_evidence(block: Block, trust: Trust) -> None:
    if list_root([leaf_of(one) for one in block.evidence]) != block.header.evidence_root:
        raise MismatchError("evidence_root", "the evidence is not that of the header")
    pieces = [_read_piece(one) for one in block.evidence]
    if any(first.order >= second.order for first, second in pairwise(pieces)):
        raise MismatchError("evidence_order", "the evidence of a block is not in order")
    if len({piece.first.place for piece in pieces}) != len(pieces):
        raise MismatchError("evidence_twice", "one equivocation stands in the block twice")
    for piece in pieces:
        if not block.header.height - EVIDENCE_HEIGHTS < piece.height <= block.header.height:
            raise MismatchError("evidence_height", "evidence is too old, or of a later height")
        _check_piece(piece, trust)


def _read_piece(raw: bytes) -> Evidence:
    """Return a piece; what is none contradicts the rule that a block holds evidence only."""
    try:
        return read_evidence(raw)
    except UnreadableError as error:
        raise MismatchError("evidence_form", f"a piece of evidence is none: {error}") from error


def _check_piece(piece: Evidence, trust: Trust) -> None:
    """Refuse a piece by the set of its height, as far as the bundle knows it for certain."""
    known = 1 if trust.newest is None else trust.newest.height + 1
    try:
        piece.check(trust.network_id, trust.set_at(piece.height))
    except MismatchError as error:
        if piece.height > known:
            raise CannotCheckError("unknown_set", "newer evidence than the bundle") from error
        raise


def _check_link(header: Header, trust: Trust, parent: Header | None) -> None:
    turn = (header.height + header.round) % len(trust.set_of(header).members)
    if header.proposer != turn:
        raise MismatchError("proposer", "it was the turn of another proposer")
    if header.next_validators != trust.set_at(header.height + 1).digest:
        newest = 0 if trust.newest is None else trust.newest.height
        if header.height > newest:
            raise CannotCheckError("unknown_set", "the next set is not known")
        raise MismatchError("next_set", "the header names another next set")
    if header.height == 1:
        before = (0, trust.network_id, trust.charter.time_ms, 0)
    elif parent is not None:
        before = (parent.height, parent.digest, parent.time_ms, parent.log_size)
    else:
        return
    height, digest, time_ms, log_size = before
    if (header.height, header.parent) != (height + 1, digest):
        raise MismatchError("parent", "the block does not follow that parent")
    if header.time_ms <= time_ms:
        raise MismatchError("time", "the block is not later than its parent")
    if header.log_size != log_size + header.entries_count:
        raise MismatchError("log_size", "the log grew by another number of entries")
