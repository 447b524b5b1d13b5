"""Says in our errors what the disk or the system refused: never that something is damaged.

A full disk, a missing right, too many open files, a failing device: whoever takes these for damage
mends what is whole.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from ledger.errors import DiskRefusedError


@contextmanager
def system_refusals(sentence: str) -> Iterator[None]:
    """Turn a refusal of the operating system into ours.

    Args:
        sentence: What could not be done, without a full stop.

    Raises:
        DiskRefusedError: With the file and the system's words.
    """
    try:
        yield
    except OSError as error:
        raise of_system(error, sentence) from error


def of_system(error: OSError, sentence: str) -> DiskRefusedError:
    """Return what a refusal of the operating system means."""
    reason = error.strerror or str(error) or type(error).__name__
    return refused(sentence, "" if error.filename is None else str(error.filename), reason)


def refused(sentence: str, file: str, reason: str) -> DiskRefusedError:
    """Return the error for what could not be done, with the file, if known, and the reason."""
    where = f"{file}: {reason}" if file else reason
    return DiskRefusedError(f"{sentence}: {where}", file=file, reason=reason)
