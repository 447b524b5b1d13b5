"""Where an audit stands, in a file: tip, place in the copy and all rows of the state.

    checkpoint = u32 length ‖ canonical([2, "audit-checkpoint", tip, position, entries, rows, sets])
                 sets = [[height, validator set] …] of the last 100 heights and the next one
                 (u32 length ‖ canonical([[key bin, stored bin] …])) …  ‖ SHA-256 of all before it

It is the auditor's own file. Its state must have the `state_root` of the header that the tip
names, and that header must stand in the copy, so an altered checkpoint stops the audit.
"""

import os
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from cli.audit_evidence import SETS_MAX
from cli.errors import InvalidInputError
from ledger.canonical import Value, decode, encode
from ledger.chain import ChainTip
from ledger.errors import InvalidDataError
from ledger.fields import INTEGER_MAX, read_array, read_bytes_up_to, read_int, read_version
from ledger.limits import check_limit
from ledger.validators import ValidatorSet

FRAME_BYTES_MAX: Final = 64 * 1024 * 1024
ROWS_IN_FRAME: Final = 256
ROW_BYTES_MAX: Final = 16 * 1024 * 1024

_LENGTH: Final = struct.Struct(">I")
_VERSION: Final = 2
_WORD: Final = "audit-checkpoint"
_DIGEST_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where an audit stands.

    Attributes:
        tip: After the last block that holds.
        position: `ExportedBlock.end` of it.
        entries: How many were replayed so far.
        rows: All rows of the state.
        sets: Height -> validator set of the last heights up to the next one.
    """

    tip: ChainTip
    position: int
    entries: int
    rows: Mapping[bytes, bytes]
    sets: Mapping[int, ValidatorSet]


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace a checkpoint file at once, so that nobody ever reads half of it."""
    beside = path.with_name(f"{path.name}.part")
    with beside.open("wb") as file:
        digest = sha256()
        for frame in _frames(checkpoint):
            piece = _LENGTH.pack(len(frame)) + frame
            digest.update(piece)
            file.write(piece)
        file.write(digest.digest())
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def read_checkpoint(path: Path) -> Checkpoint:
    """Return what `write_checkpoint` wrote.

    Raises:
        InvalidInputError: The file is damaged, or no checkpoint.
    """
    try:
        with path.open("rb") as file:
            return _read(file, path.stat().st_size - _DIGEST_BYTES)
    except InvalidDataError as error:
        raise InvalidInputError(f"no checkpoint of an audit: {error}", name=str(path)) from error


def _frames(checkpoint: Checkpoint) -> Iterator[bytes]:
    rows = iter(checkpoint.rows.items())
    numbers = (checkpoint.position, checkpoint.entries, len(checkpoint.rows))
    sets = tuple([(height, one.to_value()) for height, one in checkpoint.sets.items()])
    yield encode((_VERSION, _WORD, checkpoint.tip.to_value(), *numbers, sets))
    while piece := tuple(islice(rows, ROWS_IN_FRAME)):
        yield encode(piece)


def _read(file: BinaryIO, end: int) -> Checkpoint:
    digest = sha256()
    frames = _read_frames(file, end, digest.update)
    value = read_array(next(frames, None), _WORD, 7)
    read_version(value[0], f"{_WORD}.version", _VERSION)
    if value[1] != _WORD:
        raise InvalidDataError("not a checkpoint")
    count = read_int(value[5], f"{_WORD}.rows", 0, INTEGER_MAX)
    rows: dict[bytes, bytes] = {}
    for frame in frames:
        for row in read_array(frame, f"{_WORD}.rows", (1, ROWS_IN_FRAME)):
            key, stored = read_array(row, f"{_WORD}.row", 2)
            rows[read_bytes_up_to(key, "key", ROW_BYTES_MAX)] = read_bytes_up_to(
                stored, "stored", ROW_BYTES_MAX
            )
    if len(rows) != count or file.read() != digest.digest():
        raise InvalidDataError("the file is damaged")
    return Checkpoint(
        ChainTip.from_value(value[2]),
        read_int(value[3], f"{_WORD}.position", 0, INTEGER_MAX),
        read_int(value[4], f"{_WORD}.entries", 0, INTEGER_MAX),
        rows,
        dict(_read_set(one) for one in read_array(value[6], f"{_WORD}.sets", (0, SETS_MAX + 1))),
    )


def _read_set(value: Value) -> tuple[int, ValidatorSet]:
    height, validators = read_array(value, f"{_WORD}.set", 2)
    return read_int(height, f"{_WORD}.set", 1, INTEGER_MAX), ValidatorSet.from_value(validators)


def _read_frames(file: BinaryIO, end: int, seen: Callable[[bytes], None]) -> Iterator[Value]:
    while file.tell() < end:
        prefix = file.read(_LENGTH.size)
        if len(prefix) < _LENGTH.size:
            raise InvalidDataError("the file ends within a frame")
        (length,) = _LENGTH.unpack(prefix)
        check_limit("bytes of a frame", length, FRAME_BYTES_MAX)
        frame = file.read(length)
        seen(prefix + frame)
        yield decode(frame, FRAME_BYTES_MAX, limit="bytes of a frame")
