"""Get something by its digest from whoever has it: one peer after the other until it comes.

`want` asks the peer that is likeliest to have it, then the others in turn, and begins again after a
while, until the thing came or nobody wants it any longer. At most a few questions are open at once.
Whoever answers with bytes that are not the thing is blamed, and the next one is asked.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from keys.errors import CivregError
from keys.hashing import Digest
from ledger.ids import AgencyId
from node.ports import Network, Question, Timers

OPEN_MAX: Final = 16
"""Questions that are open at once."""
WANTED_MAX: Final = 16_384
"""Things wanted at once; a further one is refused."""
PAUSE_MS: Final = 250
"""Between asking all peers in vain and asking them again."""


@dataclass(slots=True)
class Wish:
    """Something wanted.

    Attributes:
        digest: Its name.
        candidates: Whom to ask, in order; filled anew after a pause.
        first: Whom to ask first each time.
        done: Called by those who want it, once it came.
    """

    digest: Digest
    first: AgencyId | None
    candidates: deque[AgencyId] = field(default_factory=deque)
    done: list[Callable[[], None]] = field(default_factory=list)


class Fetcher:
    """Fetches one kind of thing.

    Args:
        network: Whom to ask.
        timers: For pauses.
        path: Where a peer serves it, with a slash at the end.
        bytes_max: Of one thing.
        accept: Takes the bytes in, or raises a CivregError if they are not the thing.
    """

    def __init__(
        self,
        network: Network,
        timers: Timers,
        path: str,
        bytes_max: int,
        accept: Callable[[Digest, bytes], None],
    ) -> None:
        self._network = network
        self._timers = timers
        self._path = path
        self._bytes_max = bytes_max
        self._accept = accept
        self._wishes: dict[Digest, Wish] = {}
        self._waiting: deque[Digest] = deque()
        self._open = 0

    def __len__(self) -> int:
        return len(self._wishes)

    def wants(self, digest: Digest) -> bool:
        """Tell whether something is wanted."""
        return digest in self._wishes

    def wanted(self) -> tuple[Digest, ...]:
        """Return all that is wanted, in the order in which it was asked for."""
        return tuple(self._wishes)

    def want(self, digest: Digest, first: AgencyId | None, done: Callable[[], None]) -> None:
        """Fetch a thing and call `done`; asking twice for one thing asks the network once."""
        wish = self._wishes.get(digest)
        if wish is None:
            if len(self._wishes) >= WANTED_MAX:
                return
            wish = Wish(digest, first)
            self._wishes[digest] = wish
            self._waiting.append(digest)
        wish.done.append(done)
        self._ask_more()

    def came(self, digest: Digest) -> None:
        """Tell those who want it that a thing is here, whichever way it came."""
        wish = self._wishes.pop(digest, None)
        if wish is not None:
            for done in wish.done:
                done()

    def forget(self, digest: Digest) -> None:
        """Stop fetching something."""
        self._wishes.pop(digest, None)

    def forget_all(self) -> None:
        """Stop fetching."""
        self._wishes.clear()
        self._waiting.clear()

    def _ask_more(self) -> None:
        while self._open < OPEN_MAX and self._waiting:
            digest = self._waiting.popleft()
            wish = self._wishes.get(digest)
            if wish is not None:
                self._ask(wish)

    def _ask(self, wish: Wish) -> None:
        if not wish.candidates:
            wish.candidates.extend(self._in_order(wish))
        if not wish.candidates:
            self._retry_later(wish)
            return
        peer = wish.candidates.popleft()
        self._open += 1

        def answer(raw: bytes | None) -> None:
            self._open -= 1
            self._answered(wish, peer, raw)
            self._ask_more()

        path = f"{self._path}{wish.digest.hex()}"
        self._network.ask(peer, Question(path, self._bytes_max), answer)

    def _in_order(self, wish: Wish) -> list[AgencyId]:
        """Return all peers, the likeliest first, the others from a place that the digest names."""
        peers = list(self._network.peers)
        if not peers:
            return []
        start = wish.digest[0] % len(peers)
        rotated = peers[start:] + peers[:start]
        return sorted(rotated, key=lambda peer: peer != wish.first)

    def _answered(self, wish: Wish, peer: AgencyId, raw: bytes | None) -> None:
        if self._wishes.get(wish.digest) is not wish:
            return
        if raw is not None:
            try:
                self._accept(wish.digest, raw)
            except CivregError as error:
                self._network.blame(peer, error.code)
            else:
                self.came(wish.digest)
                return
        if wish.candidates:
            self._waiting.appendleft(wish.digest)
        else:
            self._retry_later(wish)

    def _retry_later(self, wish: Wish) -> None:
        def again() -> None:
            if self._wishes.get(wish.digest) is wish:
                self._waiting.append(wish.digest)
                self._ask_more()

        self._timers.after(PAUSE_MS, again)
