"""The client process of the commit benchmark: submits requests made beforehand, measures answers.

    python -m tests.bench.load REQUESTS ADDRESS...

REQUESTS holds frames: lane, number of entries and length, each a big-endian word, and the body. All
are read before the first is sent. The requests of a lane follow one another, to one node, because
they may build on one another; all lanes run at once. Each request waits for its commit. Prints one
JSON object.
"""

import asyncio
import json
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp

FRAME = struct.Struct(">III")
MSGPACK = "application/msgpack"


@dataclass(frozen=True, slots=True)
class Request:
    """A request made beforehand: its lane, how many entries it submits, its body."""

    lane: int
    entries: int
    body: bytes


def read_requests(path: Path) -> list[Request]:
    """Return all requests of a file."""
    raw, at, found = path.read_bytes(), 0, []
    while at < len(raw):
        lane, entries, size = FRAME.unpack_from(raw, at)
        at += FRAME.size
        found.append(Request(lane, entries, raw[at : at + size]))
        at += size
    return found


def write_requests(path: Path, requests: list[Request]) -> None:
    """Write what `read_requests` reads."""
    with path.open("wb") as file:
        for one in requests:
            file.write(FRAME.pack(one.lane, one.entries, len(one.body)) + one.body)


class Load:
    """Sends requests and keeps the time of each."""

    def __init__(self, requests: list[Request], addresses: list[str]) -> None:
        self._lanes: dict[int, list[Request]] = {}
        for request in requests:
            self._lanes.setdefault(request.lane, []).append(request)
        self._addresses = addresses
        self.latencies_s: list[float] = []
        self.refused: dict[str, int] = {}
        self.committed = 0
        self.last_s = 0.0

    async def run(self) -> float:
        """Send everything; return the seconds from the first request to the last answer."""
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=300)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            began_s = time.perf_counter()
            lanes = [self._run_lane(session, lane) for lane in self._lanes]
            await asyncio.gather(*lanes)
            return self.last_s - began_s

    async def _run_lane(self, session: aiohttp.ClientSession, lane: int) -> None:
        address = self._addresses[lane % len(self._addresses)]
        for request in self._lanes[lane]:
            await self._send(session, address, request)

    async def _send(self, session: aiohttp.ClientSession, address: str, request: Request) -> None:
        began_s = time.perf_counter()
        answers = await self._until_decided(session, address, request.body)
        self.last_s = time.perf_counter()
        self.latencies_s += [self.last_s - began_s] * request.entries
        for answer in answers:
            if answer["status"] == "committed" or answer.get("code") == "registry.replayed":
                self.committed += 1
            else:
                code = str(answer.get("code", answer["status"]))
                self.refused[code] = self.refused.get(code, 0) + 1

    async def _until_decided(
        self, session: aiohttp.ClientSession, address: str, body: bytes
    ) -> list[dict[str, object]]:
        """Submit, and again where a node has no room now or the wait ended before the commit."""
        while True:
            url = f"{address}/v1/entries?wait=commit"
            headers = {"Content-Type": MSGPACK}
            async with session.post(url, data=body, headers=headers) as response:
                said = await response.json(content_type=None)
            results: list[dict[str, object]] = said.get("results") or [
                {"status": "refused", **said}
            ]
            waiting = [one for one in results if one["status"] == "pending" or _is_full(one)]
            if not waiting:
                return results
            await asyncio.sleep(0.1)


def _is_full(answer: dict[str, object]) -> bool:
    return str(answer.get("code", "")) in {
        "node.pool_full",
        "node.signer_limit",
        "node.record_depth",
        "node.too_many_requests",
        "node.unavailable",
    }


def main() -> None:
    """Run and print the result."""
    load = Load(read_requests(Path(sys.argv[1])), sys.argv[2:])
    began_s = time.process_time()
    seconds = asyncio.run(load.run())
    latencies = sorted(load.latencies_s)
    print(  # noqa: T201 - this is what the process is for
        json.dumps(
            {
                "seconds": seconds,
                "cpu_seconds": time.process_time() - began_s,
                "committed": load.committed,
                "refused": load.refused,
                "median_ms": round(1_000 * latencies[len(latencies) // 2]),
                "p95_ms": round(1_000 * latencies[len(latencies) * 95 // 100]),
            }
        )
    )


if __name__ == "__main__":
    main()
