"""The form of a receipt: its classes, its bytes both ways, and how one is made.

Nothing is verified here but shapes; `ledger.receipts` checks what a receipt claims.

Source: docs/formats.md, section 11.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from keys.hashing import Digest
from ledger import merkle
from ledger.blocks import Block, Header
from ledger.canonical import Value, decode, encode
from ledger.entries import BLIND_BYTES, Entry, Part, parse_part
from ledger.errors import InvalidDataError
from ledger.fields import (
    INTEGER_MAX,
    read_array,
    read_bytes,
    read_bytes_up_to,
    read_digest,
    read_int,
    read_version,
)
from ledger.limits import ENTRY_BYTES_MAX, ENTRY_PARTS_MAX
from ledger.outcomes import OUTCOME_BYTES_MAX, Outcome, parse_outcome
from ledger.quorum import QuorumCertificate, print_quorum_certificate
from ledger.trust import CertifiedHeader, read_certified

RECEIPT_BYTES_MAX: Final = 1024 * 1024
"""Bytes of a receipt."""
BLOCK_PATH_MAX: Final = 10
"""Hashes of a path in a block of 1,024 entries."""
HEADERS_PATH_MAX: Final = 63

_VERSION: Final = 1
_PARTS_MIN: Final = 2

Shown: TypeAlias = Part | Digest
"""A part with its blind, or the leaf hash that hides it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A newer certified header that holds an old one among its earlier headers.

    Attributes:
        path: From the old header's digest to `headers_root`, lowest first.
        certified: The newer header.
    """

    path: tuple[Digest, ...]
    certified: CertifiedHeader


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was registered, as it came; believe it only after `check_receipt`.

    Attributes:
        shown: One for each part of the entry, in order.
        signatures_digest: Digest of the entry's signatures.
        index: Place of the entry in its block, from 0.
        entry_path: To `entries_root`, lowest hash first.
        outcome: What executing the entry gave.
        outcome_path: To `outcomes_root`, lowest hash first.
        certified: The block's header and quorum certificate.
        anchor: For an old header, else None.
    """

    shown: tuple[Shown, ...]
    signatures_digest: Digest
    index: int
    entry_path: tuple[Digest, ...]
    outcome: Outcome
    outcome_path: tuple[Digest, ...]
    certified: CertifiedHeader
    anchor: Anchor | None

    @property
    def header(self) -> Header:
        """The header of the entry's block."""
        return self.certified.header

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts that are shown, in order."""
        return tuple([one for one in self.shown if isinstance(one, Part)])

    @property
    def entry_digest(self) -> Digest:
        """The digest of the entry that the shown and the hidden parts make."""
        return merkle.root(
            [
                merkle.leaf_hash(one.leaf_data) if isinstance(one, Part) else one
                for one in self.shown
            ]
        )


def build_receipt(
    block: Block,
    outcomes: Sequence[bytes],
    index: int,
    quorum_certificate: QuorumCertificate,
) -> Receipt:
    """Make the receipt of an entry of a committed block; it shows all parts, see `hide_parts`.

    Args:
        block: With at least `index + 1` entries.
        outcomes: The encoded outcomes of the block, parallel to its entries.
        index: Which entry, from 0.
        quorum_certificate: Of this block.

    Raises:
        InvalidProofError: There is no such entry.
    """
    leaves = [entry.log_leaf_hash for entry in block.entries]
    path = merkle.inclusion_path(leaves, index)
    certified = CertifiedHeader(block.header, quorum_certificate)
    return assemble_receipt(block.entries[index], index, path, outcomes, certified)


def assemble_receipt(
    entry: Entry,
    index: int,
    entry_path: Sequence[Digest],
    outcomes: Sequence[bytes],
    certified: CertifiedHeader,
) -> Receipt:
    """Make the receipt of an entry whose path is known already, without the rest of its block.

    Args:
        entry: The entry.
        index: Its place in the block, from 0.
        entry_path: From its log leaf to `entries_root`, lowest hash first.
        outcomes: The encoded outcomes of the block, parallel to its entries.
        certified: Header and quorum certificate of the block.

    Raises:
        InvalidProofError: There are fewer outcomes.
    """
    outcome_leaves = [merkle.leaf_hash(outcome) for outcome in outcomes]
    return Receipt(
        shown=entry.parts,
        signatures_digest=entry.signatures_digest,
        index=index,
        entry_path=tuple(entry_path),
        outcome_path=merkle.inclusion_path(outcome_leaves, index),
        outcome=parse_outcome(outcomes[index]),
        certified=certified,
        anchor=None,
    )


def hide_parts(receipt: Receipt, shown: Collection[int]) -> Receipt:
    """Return a receipt that shows, of the parts it showed, only those at these positions."""
    parts: list[Shown] = [
        merkle.leaf_hash(one.leaf_data) if isinstance(one, Part) and at not in shown else one
        for at, one in enumerate(receipt.shown)
    ]
    return replace(receipt, shown=tuple(parts))


def print_receipt(receipt: Receipt) -> bytes:
    """Return the canonical bytes of a receipt."""
    anchor = receipt.anchor
    shown = [tuple(one) if isinstance(one, Part) else one for one in receipt.shown]
    return encode(
        (
            *(_VERSION, "receipt", tuple(shown), receipt.signatures_digest, receipt.index),
            *(receipt.entry_path, receipt.outcome.to_bytes(), receipt.outcome_path),
            *_certified_values(receipt.certified),
            None if anchor is None else (anchor.path, *_certified_values(anchor.certified)),
        )
    )


def parse_receipt(raw: bytes) -> Receipt:
    """Make a receipt of bytes from anywhere; nothing is verified but shapes.

    Raises:
        InvalidDataError: Too long, not canonical, or something in it is malformed.
    """
    fields = read_array(decode(raw, RECEIPT_BYTES_MAX, limit="receipt bytes"), "receipt", 11)
    read_version(fields[0], "receipt.version", _VERSION)
    if fields[1] != "receipt":
        raise InvalidDataError("not a receipt")
    shown = read_array(fields[2], "receipt.shown", (_PARTS_MIN, ENTRY_PARTS_MAX))
    outcome = read_bytes_up_to(fields[6], "receipt.outcome", OUTCOME_BYTES_MAX)
    return Receipt(
        shown=tuple([_read_shown(one) for one in shown]),
        signatures_digest=read_digest(fields[3], "receipt.signatures_digest"),
        index=read_int(fields[4], "receipt.index", 0, INTEGER_MAX),
        entry_path=_read_path(fields[5], "receipt.entry_path", BLOCK_PATH_MAX),
        outcome=parse_outcome(outcome),
        outcome_path=_read_path(fields[7], "receipt.outcome_path", BLOCK_PATH_MAX),
        certified=read_certified(fields[8], fields[9], "receipt"),
        anchor=None if fields[10] is None else _read_anchor(fields[10]),
    )


def _read_shown(value: Value) -> Shown:
    if type(value) is bytes:
        return read_digest(value, "receipt.hidden part")
    blind, raw = read_array(value, "receipt.shown part", 2)
    part = Part(
        read_bytes(blind, "receipt.blind", BLIND_BYTES),
        read_bytes_up_to(raw, "receipt.part", ENTRY_BYTES_MAX),
    )
    parse_part(part.raw)
    return part


def _read_path(value: Value, name: str, hashes_max: int) -> tuple[Digest, ...]:
    array = read_array(value, name, (0, hashes_max))
    return tuple([read_digest(digest, name) for digest in array])


def _read_anchor(value: Value) -> Anchor:
    path, header, quorum_certificate = read_array(value, "receipt.anchor", 3)
    return Anchor(
        path=_read_path(path, "anchor.path", HEADERS_PATH_MAX),
        certified=read_certified(header, quorum_certificate, "anchor"),
    )


def _certified_values(certified: CertifiedHeader) -> tuple[bytes, bytes]:
    return certified.header.raw, print_quorum_certificate(certified.quorum_certificate)
