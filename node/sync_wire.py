"""Certified blocks on the wire between nodes: one by its height, or a range of them.

    GET /peer/v1/blocks/{height}            canonical [block bin, quorum_certificate bin]
    GET /peer/v1/blocks/{first}/{count}     canonical [[block bin, quorum_certificate bin] ...]

A range holds 1 ... `count` blocks from `first` on, ascending, as many as fit into the bytes of one
answer; whoever has none of them answers 404. Nothing is verified here but the shape.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from ledger.canonical import Value, decode, encode
from ledger.errors import InvalidDataError
from ledger.fields import read_array, read_bytes_up_to
from ledger.limits import BLOCK_BYTES_MAX
from ledger.quorum import QUORUM_CERTIFICATE_BYTES_MAX, QuorumCertificate, parse_quorum_certificate
from node.ports import Question

BLOCKS_PATH: Final = "/peer/v1/blocks/"
CERTIFIED_BLOCK_BYTES_MAX: Final = BLOCK_BYTES_MAX + QUORUM_CERTIFICATE_BYTES_MAX + 64
RANGE_MAX: Final = 32
"""Blocks in one answer."""
RANGE_BYTES_MAX: Final = CERTIFIED_BLOCK_BYTES_MAX + 64
"""Bytes of one answer: any one block fits, and many small ones do."""

CertifiedBlock: TypeAlias = tuple[bytes, QuorumCertificate]
ReadCertified: TypeAlias = Callable[[int], tuple[bytes, bytes] | None]


def question_for(height: int) -> Question:
    """Return what a peer is asked for a stored block with its certificate."""
    return Question(f"{BLOCKS_PATH}{height}", CERTIFIED_BLOCK_BYTES_MAX)


def question_for_range(first: int, count: int) -> Question:
    """Return what a peer is asked for `count` stored blocks from `first` on."""
    return Question(f"{BLOCKS_PATH}{first}/{count}", RANGE_BYTES_MAX)


def answer_range(first: int, count: int, read: ReadCertified) -> bytes | None:
    """Return a range of certified blocks as bytes; None if the first one is not here.

    Args:
        first: From 1.
        count: `1 ... RANGE_MAX`.
        read: Returns block and certificate of a height as bytes, or None.

    Raises:
        InvalidDataError: Another count.
    """
    if not 1 <= count <= RANGE_MAX:
        raise InvalidDataError(f"a range has 1 to {RANGE_MAX} blocks, not {count}")
    found: list[Value] = []
    left = RANGE_BYTES_MAX
    for height in range(first, first + count):
        pair = read(height)
        left -= 0 if pair is None else len(pair[0]) + len(pair[1]) + 32
        if pair is None or (left < 0 and found):
            break
        found.append(pair)
    return encode(tuple(found)) if found else None


def parse_certified_block(raw: bytes) -> CertifiedBlock:
    """Read canonical [block bin, quorum_certificate bin].

    Raises:
        InvalidDataError: Too long, or another shape.
    """
    return _read_pair(decode(raw, CERTIFIED_BLOCK_BYTES_MAX, limit="bytes of a certified block"))


def parse_range(raw: bytes, count: int) -> tuple[CertifiedBlock, ...]:
    """Read what `answer_range` returned.

    Raises:
        InvalidDataError: Too long, another shape, no block or more than `count`.
    """
    value = decode(raw, RANGE_BYTES_MAX, limit="bytes of a range of blocks")
    return tuple([_read_pair(one) for one in read_array(value, "range of blocks", (1, count))])


def _read_pair(value: Value) -> CertifiedBlock:
    block, certificate = read_array(value, "certified_block", 2)
    return (
        read_bytes_up_to(block, "certified_block.block", BLOCK_BYTES_MAX),
        parse_quorum_certificate(
            read_bytes_up_to(
                certificate, "certified_block.certificate", QUORUM_CERTIFICATE_BYTES_MAX
            )
        ),
    )
