"""What the write-ahead log of consensus holds: events, and the bytes of blocks that they name.

A frame is one letter and the rest: `E` and an event (`consensus.journal`), or `B` and the bytes of
a block, which stand before the verdict or the value that names it. Before all others stands `O` and
the agency id of the node (nothing for an observer): a log that was swapped with another node's
would take the place of what this one has locked. The first event is the
StartHeight of the height that is worked on; when a height is stored, the log begins anew. So a log
whose height is not above the chain's tip is of the past, and harmless.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from consensus import journal
from consensus.events import Event, StartHeight
from ledger.errors import CorruptWalError, InvalidDataError

_EVENT: Final = b"E"
_BLOCK: Final = b"B"
_OWNER: Final = b"O"


class Journal(Protocol):
    """The write-ahead log as the driver uses it; `ledger.wal` is the real one."""

    def append(self, frame: bytes) -> None:
        """Write a frame; it is safe only after `sync`."""

    def sync(self) -> None:
        """Return when all that was written survives a power cut."""

    def restart(self, frames: Iterable[bytes]) -> None:
        """Put these frames in the place of all, durably, all or nothing."""


def event_frame(event: Event) -> bytes:
    """Return the frame of an event."""
    return _EVENT + journal.print_event(event)


def block_frame(raw: bytes) -> bytes:
    """Return the frame of a block's bytes."""
    return _BLOCK + raw


def owner_frame(agency: bytes | None) -> bytes:
    """Return the frame that says whose log it is; None is an observer."""
    return _OWNER + (agency or b"")


def check_owner(frames: Sequence[bytes], agency: bytes | None) -> None:
    """Refuse the log of another node.

    Raises:
        CorruptWalError: It is one.
    """
    if not frames or frames[0][:1] != _OWNER or agency is None:
        return
    if frames[0][1:] not in {b"", agency}:
        raise CorruptWalError("the consensus log is that of another node")


def log_height(read: Sequence[Event | bytes]) -> int:
    """Return the height that a log is about, 0 for an empty one; see `read_frames`."""
    return max((one.height for one in read if isinstance(one, StartHeight)), default=0)


def read_own(
    frames: Sequence[bytes], agency: bytes | None, chain_height: int
) -> tuple[Event | bytes, ...]:
    """Read back the log of a node, as `read_frames` does; refuse one that its chain does not bear.

    Args:
        frames: Of the log.
        agency: Whose node it is; None for an observer.
        chain_height: Of the newest stored block.

    Raises:
        CorruptWalError: It is another node's, is ahead of the chain, or does not read.
    """
    check_owner(frames, agency)
    events = read_frames(frames)
    height = log_height(events)
    if height > chain_height + 1:
        raise CorruptWalError(
            f"the consensus log is at height {height}, the chain at {chain_height}: "
            "one of the two was restored from a backup",
            log_height=height,
            chain_height=chain_height,
        )
    return events


def lock_height(read: Sequence[Event | bytes]) -> int:
    """Return the highest height of which a log knows all that we said, 0 if of none.

    A height that was begun in silence was begun anew: what we said and locked before is not in it.
    """
    starts = [one for one in read if isinstance(one, StartHeight)]
    return max((one.height if one.may_vote else one.height - 1 for one in starts), default=0)


def read_frames(frames: Sequence[bytes]) -> tuple[Event | bytes, ...]:
    """Read a log back; events in their order, bytes are blocks; the owner is `check_owner`'s.

    Raises:
        CorruptWalError: A frame is none of ours, or the first is no StartHeight.
    """
    read: list[Event | bytes] = []
    for index, frame in enumerate(frames):
        if frame[:1] == _BLOCK:
            read.append(frame[1:])
            continue
        if frame[:1] == _OWNER and index == 0:
            continue
        if frame[:1] != _EVENT:
            raise CorruptWalError(f"frame {index} is neither event nor block", index=index)
        try:
            read.append(journal.parse_event(frame[1:]))
        except InvalidDataError as error:
            raise CorruptWalError(
                f"frame {index} of the consensus log does not read", index=index
            ) from error
    if read and not isinstance(read[0], StartHeight):
        raise CorruptWalError("the consensus log does not begin with a height", index=0)
    return tuple(read)
