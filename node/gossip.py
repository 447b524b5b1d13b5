"""Entries and their bodies on the way between validators: packed, unpacked, sent once.

Validators are fully connected, so an entry is sent by the node where it was submitted, to all
others, and passed on by nobody. What was lost on the way is told again by `node.retelling`.

    parcel = canonical([[entry bin, [body bin ...]] ...])          1 ... 4,096 entries
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ledger.canonical import Value, decode, encode
from ledger.fields import read_array, read_bytes_up_to
from ledger.limits import BODY_BYTES_MAX, ENTRY_BYTES_MAX, ENTRY_PARTS_MAX
from node.ports import Network
from node.submissions import Submission

ENTRIES_PATH: Final = "/peer/v1/entries"
PARCEL_BYTES: Final = 1024 * 1024
"""Bytes at which a parcel is full; one entry with its bodies may be larger."""
PARCEL_BYTES_MAX: Final = 16 * 1024 * 1024
PARCEL_ENTRIES_MAX: Final = 4_096
BODIES_MAX: Final = ENTRY_PARTS_MAX


class Gossip:
    """Tells the other nodes what was admitted here.

    Args:
        network: The other nodes.
    """

    def __init__(self, network: Network) -> None:
        self._network = network

    def spread(self, submissions: Iterable[Submission]) -> None:
        """Send entries with their bodies to every peer."""
        for parcel in pack_parcels(submissions):
            self._network.broadcast_bulk(ENTRIES_PATH, parcel)


def pack_parcels(submissions: Iterable[Submission]) -> Iterator[bytes]:
    """Yield parcels that hold the submissions in their order."""
    waiting: list[Value] = []
    size = 0
    for submission in submissions:
        weight = len(submission.entry_raw) + sum(map(len, submission.bodies))
        if waiting and (size + weight > PARCEL_BYTES or len(waiting) >= PARCEL_ENTRIES_MAX):
            yield encode(tuple(waiting))
            waiting, size = [], 0
        waiting.append((submission.entry_raw, submission.bodies))
        size += weight
    if waiting:
        yield encode(tuple(waiting))


def parse_parcel(raw: bytes) -> list[Submission]:
    """Return what a peer sent; its entries were executed there and are not executed again here.

    Raises:
        InvalidDataError: Too long, not canonical, or another shape.
    """
    value = decode(raw, PARCEL_BYTES_MAX, limit="bytes of gossiped entries")
    pairs = read_array(value, "entries", (1, PARCEL_ENTRIES_MAX))
    return read_submissions(pairs, trusted=True)


def read_submissions(pairs: Sequence[Value], *, trusted: bool) -> list[Submission]:
    """Read `[[entry bin, [body bin ...]] ...]`, as peers and clients send it.

    Raises:
        InvalidDataError: Another shape, or an entry or body that is too long.
    """
    return [_read_submission(pair, trusted=trusted) for pair in pairs]


def _read_submission(pair: Value, *, trusted: bool) -> Submission:
    entry, bodies = read_array(pair, "submission", 2)
    listed = read_array(bodies, "submission.bodies", (0, BODIES_MAX))
    return Submission(
        read_bytes_up_to(entry, "submission.entry", ENTRY_BYTES_MAX),
        tuple([read_bytes_up_to(body, "submission.body", BODY_BYTES_MAX) for body in listed]),
        trusted=trusted,
    )
