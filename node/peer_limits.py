"""How much one peer may ask for at once and each second: it is made to wait, never blamed for it.

Rates slow down and do not blame: an honest peer that was cut off sends much when it comes back, and
a node that is slow itself sees floods where there are none. Votes have a rate and places of their
own, so nothing that a peer asks for in bulk delays its votes, or anybody's.
"""

from collections import Counter
from typing import Final

from ledger.ids import AgencyId
from node.peers import MESSAGES_PATH
from node.rate_limits import RateLimits

VOTES_AT_ONCE: Final = 4
BULK_AT_ONCE: Final = 16
"""Requests under way of one peer; an honest one has one connection for votes and six others."""
TOKENS_PER_SECOND: Final = 2_000
TOKENS_BURST: Final = 20_000
BYTES_PER_TOKEN: Final = 8_192
"""Of what is asked and answered."""
BYTES_PER_SECOND: Final = TOKENS_PER_SECOND * BYTES_PER_TOKEN
"""Which one peer may read and send in bulk for long; ten seconds of it at once after a rest."""
COSTS: Final = {
    "/peer/v1/block": 60,
    "/peer/v1/entries": 20,
    "/peer/v1/offers": 100,
    "/peer/v1/sealed": 20,
}
"""In tokens, of addresses that cost more than one token: looking up, checking roots."""
WAIT_MS_MAX: Final = 1_000
"""How long a request is made to wait; one that would wait longer is turned away."""


class PeerLimits:
    """Counts what peers have under way, and what they have asked for lately."""

    def __init__(self) -> None:
        self._at_once: Counter[tuple[AgencyId, bool]] = Counter()
        self._votes = RateLimits(TOKENS_PER_SECOND, TOKENS_BURST)
        self._bulk = RateLimits(TOKENS_PER_SECOND, TOKENS_BURST)

    def enters(self, peer: AgencyId, path: str) -> bool:
        """Begin a request, if there is a place for it; return whether. `leaves` must follow."""
        is_votes = path == MESSAGES_PATH
        if self._at_once[peer, is_votes] >= (VOTES_AT_ONCE if is_votes else BULK_AT_ONCE):
            return False
        self._at_once[peer, is_votes] += 1
        return True

    def leaves(self, peer: AgencyId, path: str) -> None:
        """End a request."""
        place = (peer, path == MESSAGES_PATH)
        self._at_once[place] -= 1
        if not self._at_once[place]:
            del self._at_once[place]

    def wait_ms(self, peer: AgencyId, path: str, now_ms: int) -> int:
        """Return how long a request has to wait before it is read, 0 if not at all."""
        return self._rates(path).wait_ms(peer.hex(), now_ms)

    def spend(self, peer: AgencyId, path: str, size_bytes: int, now_ms: int) -> None:
        """Have a peer pay for a request, with all bytes of question and answer."""
        tokens = COSTS.get(path, 1) + size_bytes // BYTES_PER_TOKEN
        self._rates(path).spend(peer.hex(), tokens, now_ms)

    def _rates(self, path: str) -> RateLimits:
        return self._votes if path == MESSAGES_PATH else self._bulk
