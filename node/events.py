"""The feed of blocks as server-sent events, resumable from any height.

    id: 17
    event: block
    data: {"height": 17, "time_ms": ..., "block": "<digest>", "entries": ["<digest>", ...]}

Only what every header and log leaf shows is told, so anyone may listen. A slow listener holds no
memory: it reads the chain at its own pace and is only woken when there is more.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Final

from ledger.store import ChainStore
from node.public_errors import UnavailableError

LISTENERS_MAX: Final = 256
KEEP_ALIVE_S: Final = 15.0
_COMMENT: Final = b": still here\n\n"


class Events:
    """Tells listeners of blocks.

    Args:
        store: The chain.
        keep_alive_s: After which silence a comment is sent.
    """

    def __init__(self, store: ChainStore, keep_alive_s: float = KEEP_ALIVE_S) -> None:
        self._store = store
        self._keep_alive_s = keep_alive_s
        self._wakers: set[asyncio.Event] = set()
        self._stopped = False

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._wakers)

    def committed(self) -> None:
        """Tell that the chain has grown."""
        for waker in self._wakers:
            waker.set()

    def stop(self) -> None:
        """End all streams, so that the listener can close."""
        self._stopped = True
        self.committed()

    def follow(self, first: int) -> AsyncIterator[bytes]:
        """Return the events from a height on, without end.

        Args:
            first: Height from 1; one that is not there yet is waited for.

        Raises:
            UnavailableError: Too many listen already.
            HistoryMissingError: The height is older than this node's history.
        """
        self._store.check_held(max(first, 1))
        if len(self._wakers) >= LISTENERS_MAX:
            raise UnavailableError(
                "too many listen to events",
                limit="listeners",
                value=len(self._wakers),
                maximum=LISTENERS_MAX,
            )
        return self._stream(max(first, 1))

    async def _stream(self, height: int) -> AsyncIterator[bytes]:
        waker = asyncio.Event()
        self._wakers.add(waker)
        try:
            yield _COMMENT
            while not self._stopped:
                waker.clear()
                while height <= self._store.height and not self._stopped:
                    yield event_of(self._store, height)
                    height += 1
                try:
                    async with asyncio.timeout(self._keep_alive_s):
                        await waker.wait()
                except TimeoutError:
                    yield _COMMENT
        finally:
            self._wakers.discard(waker)


def event_of(store: ChainStore, height: int) -> bytes:
    """Return the event of a stored block."""
    header = store.header(height)
    first = header.log_size - header.entries_count
    digests = [store.log_leaf(first + at)[4:36].hex() for at in range(header.entries_count)]
    data = {
        "height": height,
        "time_ms": header.time_ms,
        "block": header.digest.hex(),
        "entries": digests,
    }
    return f"id: {height}\nevent: block\ndata: {json.dumps(data)}\n\n".encode()
