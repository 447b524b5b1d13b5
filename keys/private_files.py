"""Files that only their owner reads, on the disk when a function returns, and never half-written.

    write_private     new bytes in the place of a file, or a new file
    create_private    a new file; never over another one
    append_private    a line more at the end of a file

A file has mode 0600 before its first byte. It is written beside its place, synced, renamed, and the
folder is synced, so after a power cut there is the old file or the new one. Only an appended line
may be cut off; readers of such files expect that.
"""

import errno
import os
import secrets
from pathlib import Path
from typing import Final

PRIVATE_MODE: Final = 0o600
_NO_SUCH_SYNC: Final = frozenset({errno.EINVAL, errno.ENOTSUP})
"""What file systems of other machines say that cannot sync a folder; the file itself is synced."""


def write_private(path: Path, content: bytes) -> None:
    """Put a private file in its place, or in that of one, all or nothing.

    A link is followed. A pipe or device that a person names is written to as it stands, and keeps
    its mode.

    Args:
        path: In a folder that exists.
        content: All of it.

    Raises:
        OSError: The disk or the folder refuses; nothing is changed.
    """
    place = path.resolve()
    if place.exists() and not place.is_file():
        place.write_bytes(content)
        return
    beside = _write_beside(place, content)
    try:
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)
    _sync_folder(place.parent)


def create_private(path: Path, content: bytes) -> None:
    """Write a new private file, complete or not at all; never over an existing one.

    Args:
        path: In a folder that exists, on a file system with hard links.
        content: All of it.

    Raises:
        FileExistsError: There is something at `path` already.
        OSError: The disk or the folder refuses; nothing is changed.
    """
    beside = _write_beside(path, content)
    try:
        os.link(beside, path)  # Unlike a rename, this fails if there is a file.
    finally:
        beside.unlink()
    _sync_folder(path.parent)


def append_private(path: Path, content: bytes) -> None:
    """Put bytes at the end of a private file, which is made if it is absent.

    Args:
        path: In a folder that exists; an existing file keeps its mode.
        content: What comes to it; with none, the file is only made.

    Raises:
        OSError: The disk or the folder refuses.
    """
    is_new = not path.exists()
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, PRIVATE_MODE), "ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        _sync_folder(path.parent)


def _write_beside(path: Path, content: bytes) -> Path:
    """Write and fsync a new file in the same folder, of mode 0600 from its first moment."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(beside, flags, PRIVATE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        beside.unlink()
        raise
    return beside


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SUCH_SYNC:
            raise
    finally:
        os.close(descriptor)
