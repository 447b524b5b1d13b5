"""The ports of `node.ports` on an asyncio loop and real sockets: the thin outer layer.

Whatever goes wrong inside a call back is no peer's fault: it stops the node, by `on_failure`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Final

from ledger.ids import AgencyId
from node.block_exchange import BLOCK_PATH
from node.clock import Clock
from node.conduct import Conduct
from node.errors import PeerError, PeerMisbehavedError
from node.logs import Log
from node.peers import Lane, Peers
from node.ports import Question

OnFailure = Callable[[BaseException], None]
QUESTIONS_MAX: Final = 256
"""Questions to peers that are open at once; a further one is answered with None."""


class LoopTimers:
    """Timers of the running loop.

    Args:
        on_failure: Told when a call back raises.
    """

    def __init__(self, on_failure: OnFailure) -> None:
        self._on_failure = on_failure
        self._pending: set[asyncio.TimerHandle] = set()
        self._is_stopped = False

    def after(self, delay_ms: int, fire: Callable[[], None]) -> None:
        """Call `fire` once after so many milliseconds."""
        if self._is_stopped:
            return

        def run() -> None:
            self._pending.discard(handle)
            protect(fire, self._on_failure)

        handle = asyncio.get_running_loop().call_later(delay_ms / 1_000, run)
        self._pending.add(handle)

    def stop(self) -> None:
        """Fire nothing any more."""
        self._is_stopped = True
        for handle in self._pending:
            handle.cancel()
        self._pending.clear()


class LoopNetwork:
    """The network through `node.peers`.

    Args:
        peers: Queues and transport.
        conduct: Where blame is kept.
        clock: Measures conduct.
        log: Takes notes.
        on_failure: Told when a call back raises.
    """

    def __init__(
        self,
        peers: Peers,
        conduct: Conduct[AgencyId],
        *,
        clock: Clock,
        log: Log,
        on_failure: OnFailure,
    ) -> None:
        self._peers = peers
        self._conduct = conduct
        self._clock = clock
        self._log = log
        self._on_failure = on_failure
        self._tasks: set[asyncio.Future[None]] = set()

    @property
    def peers(self) -> tuple[AgencyId, ...]:
        """The other nodes, ascending."""
        return self._peers.names

    def broadcast_messages(self, messages: Iterable[bytes]) -> None:
        """Send consensus messages to every peer."""
        self._peers.broadcast_messages(messages)

    def broadcast_bulk(self, path: str, body: bytes) -> None:
        """Send something large to every peer; blocks do not wait behind gossip."""
        self._peers.broadcast(Lane.BLOCKS if path == BLOCK_PATH else Lane.BULK, path, body)

    def ask(
        self, peer: AgencyId, question: Question, answer: Callable[[bytes | None], None]
    ) -> None:
        """Ask a peer; `answer` is called once."""
        if len(self._tasks) >= QUESTIONS_MAX:
            asyncio.get_running_loop().call_soon(
                lambda: protect(lambda: answer(None), self._on_failure)
            )
            return
        self._start(self._ask(peer, question, answer))

    def blame(self, peer: AgencyId, reason: str) -> None:
        """Hold something against a peer."""
        now_ms = self._clock.monotonic_ms()
        if self._conduct.mark(peer, reason, now_ms):
            cut_off_ms = self._conduct.cut_off_ms(peer, now_ms)
            self._log.warning("peer_cut_off", peer=peer, reason=reason, cut_off_ms=cut_off_ms)

    async def stop(self) -> None:
        """Give up open questions."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, asking: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(asking)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(
        self, peer: AgencyId, question: Question, answer: Callable[[bytes | None], None]
    ) -> None:
        raw: bytes | None = None
        try:
            raw = await self._peers.ask(peer, question)
        except PeerMisbehavedError as error:
            self.blame(peer, error.code)
        except PeerError:
            pass
        protect(lambda: answer(raw), self._on_failure)


def protect(action: Callable[[], None], on_failure: OnFailure) -> None:
    """Run a call back; what it raises stops the node instead of vanishing in the loop."""
    try:
        action()
    except Exception as error:  # noqa: BLE001 - handed on, never swallowed
        on_failure(error)
