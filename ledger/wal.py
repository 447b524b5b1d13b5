"""The write-ahead log: checksummed frames of opaque bytes, on disk before they have an effect.

A file begins with `MAGIC` (16 bytes, the version in it). A record is a head of 20 bytes and a
frame of up to 8 MiB. The head, big-endian: length (32 bits), CRC-32 of the frame, how many bytes of
the file were on the disk when the record was written (64 bits), CRC-32 of these 16 bytes. It has a
checksum of its own because a wrong length would otherwise take all records behind it along.

What a crash can do is to lose what was not yet synced, all of it or some pages: records that run
past the end of the file, zeros, holes with whole records behind them. That is *torn*, and nobody
has acted on it; opening cuts it off at the first record that is not whole and tells how much. Where
the whole head of a record, before or behind, says that the place was on the disk, no crash explains
it. That is
*damage* and refuses, because a vote that was cast may be in it: an operator decides, with `repair`,
which keeps a copy.

CRC-32 finds accidents, not malice: whoever can write this file can do worse. A head that somebody
hides in a frame can, where the frame's own head is lost, make a torn end look like damage.

Source: formats.md, section 8; architecture of etcd's and CometBFT's logs.
"""

import fcntl
import os
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.disk_refusals import system_refusals
from ledger.errors import CorruptWalError, DiskRefusedError, StoreInUseError
from ledger.limits import check_limit

MAGIC: Final = b"civreg/wal/v2\x00\r\n"
"""The first 16 bytes of a log."""

FRAME_BYTES_MAX: Final = 8 * 1024 * 1024
"""Bytes of one frame."""

_HEAD: Final = struct.Struct(">IIQI")
_CHECKED_HEAD: Final = struct.Struct(">IIQ")


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What `repair` did.

    Attributes:
        frames: Number of whole frames that are left.
        cut_at: Offset of the first damage in the old file; its size if there was none.
        cut_bytes: How many bytes were cut off.
        copy: Where the damaged file was copied to; None if nothing was wrong.
    """

    frames: int
    cut_at: int
    cut_bytes: int
    copy: Path | None


@dataclass(frozen=True, slots=True)
class _Scan:
    """What a log's bytes hold: whole frames up to `end`, behind it a torn end or damage."""

    frames: tuple[bytes, ...]
    end: int
    damage: str | None


@dataclass(frozen=True, slots=True)
class _Record:
    """A whole record: its frame, and how much of the file was on the disk before it was written."""

    frame: bytes
    synced: int


class WriteAheadLog:
    """An open log; one process at a time.

    Attributes:
        frames: The frames that were in the file when it was opened, oldest first.
        torn_bytes: How many bytes of an unfinished last record were cut off at opening.
    """

    def __init__(self, path: Path, lock: int, scan: _Scan, torn_bytes: int) -> None:
        """Take over an opened lock; use `open`."""
        self.frames = scan.frames
        self.torn_bytes = torn_bytes
        self._path = path
        self._lock = lock
        self._broken = False
        self._size = self._synced = scan.end
        self._file = _open_end(path)

    @classmethod
    def open(cls, path: Path) -> "WriteAheadLog":
        """Open a log, or create an empty one; cut off a torn end; make all that is read durable.

        A process that was killed may have left frames which no disk holds yet. Whoever acts on them
        would forget, in a power cut, what it has said because of them.

        Args:
            path: The file; beside it there will be `<name>.lock`.

        Raises:
            StoreInUseError: Another process has the log open.
            CorruptWalError: Damage that no crash explains; names the offset.
            DiskRefusedError: The disk did not take a write.
        """
        lock = _lock(path)
        try:
            with system_refusals("the write-ahead log cannot be opened"):
                if not path.exists():
                    _replace(path, ())
                raw = path.read_bytes()
                scan = _scan_whole(raw)
                if scan.end < len(raw):
                    _truncate(path, scan.end)
                _make_durable(path)
                return cls(path, lock, scan, len(raw) - scan.end)
        except BaseException:
            os.close(lock)
            raise

    def append(self, frame: bytes) -> None:
        """Write a frame at the end; it survives a power cut only after `sync`.

        Args:
            frame: At most 8 MiB; may be empty.

        Raises:
            LimitExceededError: The frame is too long; nothing was written.
            DiskRefusedError: The disk did not take it, now or earlier. The log takes nothing more
                until it is opened anew, so that nothing is ever written behind half a frame.
        """
        check_limit("FRAME_BYTES_MAX", len(frame), FRAME_BYTES_MAX)
        self._check_usable()
        self._broken = True  # until the whole frame is written
        record = _print_record(frame, self._synced)
        with system_refusals("the disk did not take a frame of the log"):
            _write(self._file, record)
        self._size += len(record)
        self._broken = False

    def sync(self) -> None:
        """Wait until all appended frames are on the disk.

        Raises:
            DiskRefusedError: The disk failed, now or earlier; what was appended since the last sync
                may or may not be there.
        """
        self._check_usable()
        self._broken = True  # until the disk says that it is done
        size = self._size
        with system_refusals("the disk did not sync the log"):
            os.fsync(self._file)
        self._synced = size
        self._broken = False

    def restart(self, frames: Iterable[bytes]) -> None:
        """Put a new log that holds only these frames in the place of this one, all or nothing.

        Args:
            frames: Oldest first, 8 MiB each at most; they are synced when this returns.

        Raises:
            LimitExceededError: A frame is too long; the log is as before.
            DiskRefusedError: The disk did not take it; the old log is in place, or the new one.
        """
        kept = tuple(frames)
        for frame in kept:
            check_limit("FRAME_BYTES_MAX", len(frame), FRAME_BYTES_MAX)
        self._check_usable()
        self._broken = True  # until the new file is open
        with system_refusals("the disk did not take a new log"):
            self._size = self._synced = _replace(self._path, kept)
            old, self._file = self._file, _open_end(self._path)
            os.close(old)
        self.frames = kept
        self._broken = False

    def close(self) -> None:
        """Close the file and free the lock; closing twice does nothing."""
        if self._lock >= 0:
            os.close(self._file)
            os.close(self._lock)
            self._lock = -1
            self._broken = True

    def _check_usable(self) -> None:
        if self._broken:
            raise DiskRefusedError("the log is closed, or the disk has refused a write before")


def repair(path: Path) -> RepairReport:
    """Cut a damaged log at the first damage; keep a copy of the damaged file beside it.

    Only for an operator who knows that the frames behind the damage are lost, own votes perhaps
    among them; the node's guard of signatures is a file of its own and stays.

    Args:
        path: The log; no process may have it open.

    Returns:
        What was cut. A torn log is cut too; one without fault is left alone.

    Raises:
        StoreInUseError: A process has the log open.
        DiskRefusedError: There is no such file, or the disk did not take the copy or the new file.
    """
    lock = _lock(path)
    try:
        with system_refusals("the write-ahead log cannot be repaired"):
            raw = path.read_bytes()
            scan = _scan(raw)
            cut = len(raw) - scan.end
            copy = None
            if cut:
                copy = unused_name(path)
                _write_new(copy, raw)
                _replace_kept(path, scan.frames, copy)
            return RepairReport(len(scan.frames), scan.end, cut, copy)
    finally:
        os.close(lock)


def check_log(path: Path) -> tuple[bytes, ...]:
    """Return the frames of a log as it stands, and change nothing; a torn end is no damage.

    Raises:
        CorruptWalError: Damage that no crash explains; names the offset.
        DiskRefusedError: It cannot be read.
    """
    with system_refusals("the write-ahead log cannot be read"):
        raw = path.read_bytes()
    return _scan_whole(raw).frames


def _scan_whole(raw: bytes) -> _Scan:
    """Read all records; refuse damage."""
    scan = _scan(raw)
    if scan.damage is not None:
        raise CorruptWalError(
            f"the write-ahead log is damaged at offset {scan.end}: {scan.damage}", offset=scan.end
        )
    return scan


def _scan(raw: bytes) -> _Scan:
    """Read whole records from the start as far as they go; behind them may be a torn end."""
    if not raw.startswith(MAGIC):
        return _Scan((), 0, "it does not begin as a log of this version does")
    frames: list[bytes] = []
    at, synced = len(MAGIC), 0
    while at < len(raw):
        record = _read_record(raw, at)
        if record is None:
            is_damage = max(synced, _synced_behind(raw, at)) > at
            damage = "a record is not whole that was on the disk" if is_damage else None
            return _Scan(tuple(frames), at, damage)
        frames.append(record.frame)
        at += _HEAD.size + len(record.frame)
        synced = max(synced, record.synced)
    return _Scan(tuple(frames), at, None)


def _read_record(raw: bytes, at: int) -> _Record | None:
    """Return the record at an offset, if there is a whole one."""
    head = _read_head(raw, at)
    if head is None:
        return None
    length, frame_sum, synced = head
    start = at + _HEAD.size
    frame = raw[start : start + length]
    if len(frame) != length or zlib.crc32(frame) != frame_sum:
        return None
    return _Record(frame, synced)


def _read_head(raw: bytes, at: int) -> tuple[int, int, int] | None:
    """Return length, checksum and synced bytes of the head at an offset, if it is whole."""
    if len(raw) - at < _HEAD.size:
        return None
    length, frame_sum, synced, head_sum = _HEAD.unpack_from(raw, at)
    if length > FRAME_BYTES_MAX or zlib.crc32(raw[at : at + _CHECKED_HEAD.size]) != head_sum:
        return None
    return length, frame_sum, synced


def _synced_behind(raw: bytes, at: int) -> int:
    """Return the most that a whole head from an offset on, wherever it begins, says was synced.

    What lies in the frame of a whole head is content, which a peer may have chosen, and no head.
    Frames are not verified: whatever the bytes are, this takes one pass.
    """
    head = _read_head(raw, at)
    first, synced = (at + 1, 0) if head is None else (at + _HEAD.size + head[0], head[2])
    for place in range(first, len(raw) - _HEAD.size + 1):
        head = _read_head(raw, place)
        synced = synced if head is None else max(synced, head[2])
    return synced


def _print_record(frame: bytes, synced: int) -> bytes:
    head = _CHECKED_HEAD.pack(len(frame), zlib.crc32(frame), synced)
    return head + zlib.crc32(head).to_bytes(4) + frame


def _lock(path: Path) -> int:
    """Return a file descriptor that holds the lock until it is closed."""
    with system_refusals("the lock of the write-ahead log cannot be opened"):
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise StoreInUseError("another process has the write-ahead log open") from error
    return lock


def _replace(path: Path, frames: tuple[bytes, ...]) -> int:
    """Put a new file in place of `path`, synced, all or nothing; return its size."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    size = len(MAGIC) + sum(_HEAD.size + len(frame) for frame in frames)
    _write_new(new, MAGIC + b"".join(_print_record(frame, size) for frame in frames))
    new.replace(path)
    _sync_folder(path)
    return size


def _replace_kept(path: Path, frames: tuple[bytes, ...], copy: Path) -> None:
    """Put a new file in place of a copied one; where that was refused, the copy goes again."""
    damaged = copy.read_bytes()
    try:
        _replace(path, frames)
    except OSError:
        if path.read_bytes() == damaged:
            copy.unlink()
        raise


def _open_end(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)


def _write_new(path: Path, raw: bytes) -> None:
    """Write a file that is not there yet, synced; half of one does not stay where that fails."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        _write(file, raw)
        os.fsync(file)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(file)


def _write(file: int, raw: bytes) -> None:
    left = memoryview(raw)
    while left:
        left = left[os.write(file, left) :]


def _truncate(path: Path, size: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.ftruncate(file, size)
        os.fsync(file)
    finally:
        os.close(file)


def _make_durable(path: Path) -> None:
    """Wait until a file as it reads now, and its name, are on the disk."""
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
    _sync_folder(path)


def _sync_folder(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def unused_name(path: Path) -> Path:
    """Return a name beside a damaged file or folder, for the copy that is kept of it."""
    number = 1
    while (copy := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return copy
