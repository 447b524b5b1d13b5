"""Entries that peers pass on: taken in pieces, and what no honest peer passes on held against them.

A peer checks signatures before it passes an entry on, so an entry whose bytes or signatures are bad
is its own doing, whoever made it. What depends on the state, on time or on room here is nobody's.
A parcel is worked off in pieces and left at the first bad one: a parcel full of bad signatures
costs a hundred checks, not thousands.
"""

from collections.abc import Callable
from typing import Final

from keys.errors import BadSignatureError, CivregError
from ledger.errors import InvalidDataError
from ledger.ids import AgencyId
from node.admission_queue import AdmissionQueue, slices
from node.gossip import parse_parcel
from node.submissions import Result, is_final
from registry.authority_errors import SignatureWrongError

PIECE_ENTRIES: Final = 128
BAD_MARKS_MAX: Final = 10
"""Marks for one parcel: each bad entry of the piece counts, since each was checked."""


class PeerEntries:
    """Takes parcels of entries.

    Args:
        queue: The way to the door.
        blame: Holds something against a peer.
    """

    def __init__(self, queue: AdmissionQueue, blame: Callable[[AgencyId, str], None]) -> None:
        self._queue = queue
        self._blame = blame

    async def take(self, peer: AgencyId, raw: bytes) -> None:
        """Take what a peer gossips.

        Raises:
            InvalidDataError: Not a parcel of entries.
            UnavailableError: Too much waits already.
        """
        for piece in slices(parse_parcel(raw), PIECE_ENTRIES):
            results = await self._queue.submit(piece, peer.hex())
            bad = [one for one in results if isinstance(one, CivregError) and is_shameful(one)]
            for error in bad[:BAD_MARKS_MAX]:
                self._blame(peer, error.code)
            if bad:
                return


def is_shameful(result: Result) -> bool:
    """Tell whether no honest peer passes such an entry on.

    Its bytes are bad, or a signature of its signers: these hold or do not in every state. The
    signature of a tag is not among them: which key it is checked with stands in the state.
    """
    bad = InvalidDataError | BadSignatureError | SignatureWrongError
    return isinstance(result, bad) and is_final(result)
