"""Entries that still wait are offered to the other nodes again, until a block holds them.

Gossip sends an entry once, to whoever listens at that moment. What waits longer than a block takes
is offered by its digest, oldest first, whoever brought it; a peer answers which of them it lacks
and gets those with their bodies. So an entry reaches every validator as soon as one node that has
it and one that lacks it can speak, and a node that restarted or was cut off is told all that waits.

    question = canonical([entry digest bin 32 ...])    1 ... 1,024
    answer   = canonical([entry digest bin 32 ...])    those of them that are lacking, in that order

It is cheap where nothing is missing: a page of digests for each peer and second. A peer that lacked
something is offered page after page without a pause. A digest is asked for once in ten seconds,
whoever offers it; a peer that is still reading gossip is offered nothing, and a node that is busy
with entries asks for none, so nothing is sent twice because it is slow.

Plain and synchronous, on the ports of `node.ports`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from keys.hashing import Digest
from ledger.canonical import decode, encode
from ledger.errors import InvalidDataError, PurgedError
from ledger.fields import read_array, read_digest
from ledger.ids import AgencyId
from node.clock import Clock
from node.gossip import ENTRIES_PATH, pack_parcels
from node.mempool import Mempool, PooledEntry
from node.ports import Network, Question, Timers
from node.submissions import Submission

OFFERS_PATH: Final = "/peer/v1/offers"
EVERY_MS: Final = 1_000
OFFER_AFTER_MS: Final = 2_000
"""How long an entry waits before it is offered: gossip and a block usually were faster."""
PAGE_ENTRIES: Final = 1_024
"""Digests in one question."""
OFFER_BYTES_MAX: Final = 34 * PAGE_ENTRIES + 16
ASK_AGAIN_MS: Final = 10_000
"""After which a digest that was asked for and has not come is asked for again."""
ASKED_MAX: Final = 65_536
"""Digests that were asked for and are remembered."""
_ANSWER_BYTES_MAX: Final = 1_024


class Retelling:
    """Offers what waits here, and answers what is lacking here.

    Args:
        network: The other nodes.
        timers: For the next offer.
        clock: How long entries have waited.
        pool: What waits here.
        body: Returns a sealed body by its digest, or None; `Vault.body`.
    """

    def __init__(
        self,
        network: Network,
        timers: Timers,
        clock: Clock,
        pool: Mempool,
        body: Callable[[Digest], bytes | None],
    ) -> None:
        self._network = network
        self._timers = timers
        self._clock = clock
        self._pool = pool
        self._body = body
        self._positions: dict[AgencyId, int] = {}
        self._engaged: set[AgencyId] = set()
        self._asked: dict[Digest, int] = {}
        self.is_known: Callable[[Digest], bool] = pool.__contains__
        self.is_busy: Callable[[], bool] = _never
        self.is_reading: Callable[[AgencyId], bool] = _never_of

    def start(self) -> None:
        """Offer what waits, now and from time to time."""
        waiting = self._waiting()
        for peer in self._network.peers if waiting else ():
            if peer not in self._engaged and not self.is_reading(peer):
                self._offer(peer, waiting)
        self._timers.after(EVERY_MS, self.start)

    def answer(self, peer: AgencyId, raw: bytes) -> bytes:  # noqa: ARG002 - all are answered alike
        """Return which of the offered entries are lacking here; what a peer asks.

        Raises:
            InvalidDataError: Not 1 ... 1,024 digests.
        """
        offered = parse_digests(raw, 1)
        if self.is_busy():
            return encode(())
        now_ms = self._clock.monotonic_ms()
        lacking = [one for one in offered if self._is_lacking(one, now_ms)]
        for digest in lacking:
            self._asked.pop(digest, None)
            self._asked[digest] = now_ms
        while len(self._asked) > ASKED_MAX:
            del self._asked[next(iter(self._asked))]
        return encode(tuple(lacking))

    def _is_lacking(self, digest: Digest, now_ms: int) -> bool:
        asked_ms = self._asked.get(digest)
        if asked_ms is not None and now_ms - asked_ms < ASK_AGAIN_MS:
            return False
        return not self.is_known(digest)

    def _waiting(self) -> list[Digest]:
        """Return what has waited for a while, oldest first."""
        before_ms = self._clock.now_ms() - OFFER_AFTER_MS
        return [one.entry_digest for one in self._pool.entries() if one.received_ms <= before_ms]

    def _offer(self, peer: AgencyId, waiting: Sequence[Digest]) -> None:
        """Offer the next page; after the last one comes the first again."""
        position = self._positions.get(peer, 0)
        page = waiting[position : position + PAGE_ENTRIES]
        if not page:
            self._positions[peer] = 0
            return
        self._engaged.add(peer)

        def take(raw: bytes | None) -> None:
            self._engaged.discard(peer)
            self._positions[peer] = 0  # whoever does not answer is told everything later
            if raw is None:
                return
            try:
                lacking = set(parse_digests(raw, 0))
            except InvalidDataError as error:
                self._network.blame(peer, error.code)
                return
            self._positions[peer] = position + len(page)
            if lacking:
                self._engaged.add(peer)
                self._send(peer, self._parcels([one for one in page if one in lacking]))

        question = Question(OFFERS_PATH, OFFER_BYTES_MAX, encode(tuple(page)))
        self._network.ask(peer, question, take)

    def _send(self, peer: AgencyId, parcels: Iterator[bytes]) -> None:
        """Send parcels one after another, then offer the next page at once."""
        parcel = next(parcels, None)
        if parcel is None:
            self._engaged.discard(peer)
            self._timers.after(0, lambda: self._go_on(peer))
            return

        def take(raw: bytes | None) -> None:
            if raw is None:
                self._engaged.discard(peer)
                self._positions[peer] = 0
            else:
                self._send(peer, parcels)

        self._network.ask(peer, Question(ENTRIES_PATH, _ANSWER_BYTES_MAX, parcel), take)

    def _go_on(self, peer: AgencyId) -> None:
        if peer not in self._engaged:
            self._offer(peer, self._waiting())

    def _parcels(self, digests: Sequence[Digest]) -> Iterator[bytes]:
        found = (self._pool.get(digest) for digest in digests)
        packed = (self._packed(pooled) for pooled in found if pooled is not None)
        return pack_parcels(one for one in packed if one is not None)

    def _packed(self, pooled: PooledEntry) -> Submission | None:
        """Return an entry with its bodies; None where one of them was purged meanwhile."""
        try:
            bodies = [self._body(digest) for digest in pooled.body_digests]
        except PurgedError:
            return None
        here = tuple([body for body in bodies if body is not None])
        return Submission(pooled.verified.entry.raw, here) if len(here) == len(bodies) else None


def parse_digests(raw: bytes, least: int) -> tuple[Digest, ...]:
    """Read a question or an answer.

    Raises:
        InvalidDataError: Too long, not canonical, or not `least` ... 1,024 digests.
    """
    value = decode(raw, OFFER_BYTES_MAX, limit="bytes of offered digests")
    listed = read_array(value, "offers", (least, PAGE_ENTRIES))
    return tuple([read_digest(one, "offers[]") for one in listed])


def _never() -> bool:
    """Stand in for a question that nobody has answered."""
    return False


def _never_of(peer: AgencyId) -> bool:  # noqa: ARG001
    """Stand in for a question that nobody has answered."""
    return False
