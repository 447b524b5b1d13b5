"""The asyncio around the door: submissions of many requests go through it together.

One task takes all that waits, up to a few hundred entries, through `node.admission`: signatures and
bodies in worker threads, executing in short slices with pauses, so that votes never wait long.
What comes meanwhile is the next batch; so under load the work for a request is shared, and without
load nothing waits. Sources (an address, a peer) take turns, one request each, so that nobody waits
behind a flood of somebody else.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from node.admission import Admission
from node.public_errors import UnavailableError
from node.submissions import Admitted, Candidate, Result, Submission

BATCH_ENTRIES_MAX: Final = 512
SLICE_ENTRIES: Final = 24
"""Entries parsed or executed between two pauses of the loop."""
QUEUE_BYTES_MAX: Final = 32 * 1024 * 1024
"""Bytes of submissions that wait for their turn."""
SOURCE_BYTES_MAX: Final = 20 * 1024 * 1024
"""Of them, from one address or peer: room for the largest parcel, and for others beside it."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Request:
    submissions: tuple[Submission, ...]
    size: int
    source: str
    results: "asyncio.Future[list[Result]]"


class AdmissionQueue:
    """Takes submissions and answers when they went through the door.

    Args:
        admission: The door.
        threads: Worker threads for signature checks.
        thread_count: How many there are.
        spread: Told of what is new in the pool, to pass it on.
    """

    def __init__(
        self,
        admission: Admission,
        threads: ThreadPoolExecutor,
        thread_count: int,
        spread: Callable[[Sequence[Submission]], None],
    ) -> None:
        self._admission = admission
        self._threads = threads
        self._thread_count = max(1, thread_count)
        self._spread = spread
        self._requests: dict[str, deque[_Request]] = {}
        self._bytes = 0
        self._source_bytes: Counter[str] = Counter()
        self._arrived = asyncio.Event()

    @property
    def bytes(self) -> int:
        """Bytes of submissions that wait for their turn or go through."""
        return self._bytes

    async def submit(self, submissions: Sequence[Submission], source: str = "") -> list[Result]:
        """Take submissions through the door; return the answers in their order.

        Args:
            submissions: One or many.
            source: Where they come from; "" for this node itself.

        Raises:
            UnavailableError: Too much waits already, of all or of this source.
        """
        size = sum(_size(submission) for submission in submissions)
        waiting = ((self._bytes, QUEUE_BYTES_MAX), (self._source_bytes[source], SOURCE_BYTES_MAX))
        for used, maximum in waiting:
            if used + size > maximum:
                raise UnavailableError(
                    "too many submissions wait to be examined",
                    limit="bytes of waiting submissions",
                    value=used + size,
                    maximum=maximum,
                )
        future: asyncio.Future[list[Result]] = asyncio.get_running_loop().create_future()
        request = _Request(tuple(submissions), size, source, future)
        self._requests.setdefault(source, deque()).append(request)
        self._bytes += size
        self._source_bytes[source] += size
        self._arrived.set()
        return await request.results

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            while True:
                await self._arrived.wait()
                await self._work(self._take())
        finally:
            for request in (one for waiting in self._requests.values() for one in waiting):
                request.results.cancel()

    def _take(self) -> list[_Request]:
        """Return the next requests, at least one: of each source one, then of each another one."""
        taken: list[_Request] = []
        entries = 0
        while self._requests:
            source, waiting = next(iter(self._requests.items()))
            count = len(waiting[0].submissions)
            if taken and entries + count > BATCH_ENTRIES_MAX:
                break
            taken.append(waiting.popleft())
            entries += count
            del self._requests[source]
            if waiting:
                self._requests[source] = waiting  # behind all others
        if not self._requests:
            self._arrived.clear()
        return taken

    async def _work(self, requests: list[_Request]) -> None:
        try:
            submissions = [one for request in requests for one in request.submissions]
            results: list[Result] = []
            for batch in slices(submissions, BATCH_ENTRIES_MAX):
                results += await self._go_through(batch)
            answers = iter(results)
            for request in requests:
                own = [next(answers) for _ in request.submissions]
                if not request.results.done():
                    request.results.set_result(own)
        finally:
            for request in requests:
                self._bytes -= request.size
                self._source_bytes[request.source] -= request.size
                if not self._source_bytes[request.source]:
                    del self._source_bytes[request.source]
                if not request.results.done():
                    request.results.cancel()

    async def _go_through(self, submissions: Sequence[Submission]) -> list[Result]:
        candidates: list[Candidate] = []
        for part in slices(submissions, SLICE_ENTRIES):
            candidates += self._admission.prepare(part)
            await asyncio.sleep(0)
        await self._verify([one for one in candidates if one.result is None])
        results: list[Result] = []
        for some in slices(candidates, SLICE_ENTRIES):
            results += self._admission.finish(some)
            await asyncio.sleep(0)
        new = [
            Submission(one.submission.entry_raw, tuple(one.bodies.values()))
            for one in candidates
            if isinstance(one.result, Admitted) and one.result.is_new and not one.submission.trusted
        ]
        if new:
            self._spread(new)
        return results

    async def _verify(self, candidates: Sequence[Candidate]) -> None:
        """Check signatures and stage bodies in worker threads."""
        if not candidates:
            return
        loop = asyncio.get_running_loop()
        share = -(-len(candidates) // self._thread_count)
        await asyncio.gather(
            *[
                loop.run_in_executor(self._threads, self._admission.verify, part)
                for part in slices(candidates, share)
            ]
        )


def slices(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield consecutive pieces of at most `size` items."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _size(submission: Submission) -> int:
    return len(submission.entry_raw) + sum(map(len, submission.bodies))
