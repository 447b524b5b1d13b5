"""The chain as three plain files: genesis, blocks with their quorum certificates, a trust bundle.

The export of a node that began with a snapshot has a fourth file, `start.civreg`, which names its
first block; an auditor needs the blocks before it from another node.

Everything an auditor needs. Blocks are written and read one at a time, so memory does not grow with
the chain. An export that was interrupted resumes: what the end of the file lacks is cut off, and
the next block is written behind the last whole one.

Source: docs/formats.md, section 13.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, Self

from ledger.blocks import parse_header, split_block
from ledger.canonical import decode, encode
from ledger.errors import InvalidDataError
from ledger.fields import INTEGER_MAX, read_array, read_bytes_up_to, read_int, read_version
from ledger.genesis import GENESIS_BYTES_MAX, Genesis, parse_genesis
from ledger.limits import BLOCK_BYTES_MAX, check_limit
from ledger.quorum import QUORUM_CERTIFICATE_BYTES_MAX
from ledger.trust import TRUST_BYTES_MAX, TrustBundle, parse_trust

GENESIS_FILE: Final = "genesis.civreg"
BLOCKS_FILE: Final = "blocks.civreg"
TRUST_FILE: Final = "trust.civreg"
START_FILE: Final = "start.civreg"
FRAME_BYTES_MAX: Final = BLOCK_BYTES_MAX + QUORUM_CERTIFICATE_BYTES_MAX + 16

_LENGTH: Final = struct.Struct(">I")
_START_BYTES_MAX: Final = 64


class InvalidExportError(InvalidDataError):
    """The export lacks a file, has a gap, or ends within a block."""

    code = "ledger.invalid_export"


class PartialExportError(InvalidExportError):
    """The export begins after the first block, so nobody can replay it; details: first_height."""

    code = "ledger.export_partial"


class ExportedBlock(NamedTuple):
    """A block of an export as bytes; nothing is verified.

    Attributes:
        height: Counted from 1, without gaps; that the header says so is `ledger.chain`'s to check.
        block: The block's bytes.
        quorum_certificate: The certificate's bytes.
        end: Where the next block begins in the file, to resume from.
    """

    height: int
    block: bytes
    quorum_certificate: bytes
    end: int


class ExportWriter:
    """Writes an export folder; open it with `open`, again and again until it is complete.

    Attributes:
        height: Of the newest block in the file; the next one must follow it.
    """

    def __init__(self, folder: Path, blocks: BinaryIO, height: int) -> None:
        self._folder = folder
        self._blocks = blocks
        self.height = height

    @classmethod
    def open(cls, folder: Path, genesis_raw: bytes, first_height: int = 1) -> Self:
        """Begin an export, or go on with one of the same network.

        Args:
            folder: Made if it is not there.
            genesis_raw: The genesis document.
            first_height: The lowest block that the writer can give; an export that was begun with
                a lower one is gone on with.

        Raises:
            InvalidExportError: The folder holds an export of another network, or a damaged one.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / GENESIS_FILE
        if path.is_file() and path.read_bytes() != genesis_raw:
            raise InvalidExportError("the folder holds an export of another network")
        _write_whole(path, genesis_raw)
        (folder / BLOCKS_FILE).touch()
        frames, end = _last_whole(folder / BLOCKS_FILE)
        if not frames:
            (folder / START_FILE).unlink(missing_ok=True)
            if first_height > 1:
                _write_whole(folder / START_FILE, encode((1, "start", first_height)))
        height = read_start(folder) - 1 + frames
        blocks = (folder / BLOCKS_FILE).open("r+b")
        blocks.truncate(end)
        blocks.seek(end)
        return cls(folder, blocks, height)

    def append(self, block: bytes, quorum_certificate: bytes) -> None:
        """Write the next block.

        Raises:
            InvalidExportError: The block is not of the next height.
            InvalidDataError: The bytes are no block.
        """
        header = parse_header(split_block(block)[0])
        if header.height != self.height + 1:
            raise InvalidExportError(
                f"block {header.height} does not follow {self.height}", height=header.height
            )
        frame = encode((block, quorum_certificate))
        self._blocks.write(_LENGTH.pack(len(frame)) + frame)
        self.height = header.height

    def finish(self, trust: TrustBundle) -> None:
        """Write the trust bundle and see that everything is on the disk."""
        self._blocks.flush()
        os.fsync(self._blocks.fileno())
        _write_whole(self._folder / TRUST_FILE, trust.to_bytes())

    def close(self) -> None:
        """Close the file of blocks; what was appended stays."""
        self._blocks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()


def read_genesis(folder: Path) -> Genesis:
    """Return the genesis document of an export, checked.

    Raises:
        InvalidExportError: There is none.
        InvalidDataError: It does not hold.
    """
    return parse_genesis(_read_whole(folder / GENESIS_FILE, GENESIS_BYTES_MAX))


def read_trust(folder: Path) -> TrustBundle:
    """Return the trust bundle of an export, its chain verified; to believe it is another matter.

    Raises:
        InvalidExportError: There is none.
        InvalidDataError: It does not hold.
    """
    return parse_trust(_read_whole(folder / TRUST_FILE, TRUST_BYTES_MAX))


def read_start(folder: Path) -> int:
    """Return the height of the first block of an export: 1, but where a snapshot began the node.

    Raises:
        InvalidDataError: The file that says so is malformed.
    """
    path = folder / START_FILE
    if not path.is_file():
        return 1
    version, word, height = read_array(
        decode(_read_whole(path, _START_BYTES_MAX), _START_BYTES_MAX), "start", 3
    )
    read_version(version, "start.version", 1)
    if word != "start":
        raise InvalidExportError("the file does not say where the export begins")
    return read_int(height, "start.height", 1, INTEGER_MAX)


def check_whole(folder: Path) -> None:
    """Refuse an export that does not begin with the first block.

    Raises:
        PartialExportError: It begins later.
    """
    first = read_start(folder)
    if first > 1:
        raise PartialExportError(
            f"the export begins with block {first}: its node began with a snapshot",
            first_height=first,
        )


def read_blocks(folder: Path, height: int = 0, position: int = 0) -> Iterator[ExportedBlock]:
    """Yield the blocks of an export in order, one at a time.

    Args:
        folder: The export.
        height: The last height that was read before, to resume; 0 begins at the first.
        position: `end` of that block.

    Raises:
        InvalidExportError: There is no file of blocks, or it ends within a block.
        InvalidDataError: A frame is malformed or too long.
    """
    path = folder / BLOCKS_FILE
    if not path.is_file():
        raise InvalidExportError(f"the export has no {BLOCKS_FILE}")
    height = height or read_start(folder) - 1
    with path.open("rb") as blocks:
        blocks.seek(position)
        while prefix := blocks.read(_LENGTH.size):
            height += 1
            if len(prefix) < _LENGTH.size:
                raise InvalidExportError(f"the export ends within block {height}", height=height)
            (length,) = _LENGTH.unpack(prefix)
            check_limit("bytes of an exported block", length, FRAME_BYTES_MAX)
            frame = blocks.read(length)
            if len(frame) < length:
                raise InvalidExportError(f"the export ends within block {height}", height=height)
            yield _read_frame(frame, height, blocks.tell())


def _read_frame(frame: bytes, height: int, end: int) -> ExportedBlock:
    pair = decode(frame, FRAME_BYTES_MAX, limit="bytes of an exported block")
    block, quorum_certificate = read_array(pair, "exported block", 2)
    return ExportedBlock(
        height,
        read_bytes_up_to(block, "exported block", BLOCK_BYTES_MAX),
        read_bytes_up_to(quorum_certificate, "quorum certificate", QUORUM_CERTIFICATE_BYTES_MAX),
        end,
    )


def _last_whole(path: Path) -> tuple[int, int]:
    """Return how many whole frames a file of blocks has, and where they end."""
    height = end = 0
    size = path.stat().st_size
    with path.open("rb") as blocks:
        while len(prefix := blocks.read(_LENGTH.size)) == _LENGTH.size:
            (length,) = _LENGTH.unpack(prefix)
            after = end + _LENGTH.size + length
            if length > FRAME_BYTES_MAX:
                raise InvalidExportError(f"block {height + 1} of the export is damaged")
            if after > size:
                break
            height, end = height + 1, after
            blocks.seek(end)
    return height, end


def _read_whole(path: Path, bytes_max: int) -> bytes:
    if not path.is_file():
        raise InvalidExportError(f"the export has no {path.name}")
    check_limit(f"bytes of {path.name}", path.stat().st_size, bytes_max)
    return path.read_bytes()


def _write_whole(path: Path, content: bytes) -> None:
    """Replace a file at once, so that nobody ever reads half of it."""
    beside = path.with_suffix(".part")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
