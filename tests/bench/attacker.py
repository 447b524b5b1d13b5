"""The attacking process of the benchmark: does one thing to the nodes until SIGTERM, then counts.

    python -m tests.bench.attacker KIND NETWORK ATTACKER REQUESTS

NETWORK is the folder of a development network, ATTACKER the name of the agency whose keys are the
attacker's (a Byzantine validator; used by the attacks on the peers' listeners), REQUESTS a file of
good submissions: those of lane 0 are submitted, those of lane 1 are damaged first. Prints one JSON
object of counts.
"""

import asyncio
import contextlib
import json
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp

from cli.network_file import load_network
from consensus.messages import SignedVote, VoteType, vote_message
from consensus.wire import print_message
from keys.keyring import load_key_file
from keys.signing import SoftwareKey
from ledger.canonical import decode, encode
from ledger.genesis import Genesis, parse_genesis
from node.config import load_config
from node.gossip import ENTRIES_PATH, pack_parcels
from node.peers import MESSAGES_PATH, encode_batch
from node.submissions import Submission
from node.tls import PeerTls
from tests.bench.load import MSGPACK, Request, read_requests

LANES = 4
"""Requests under way to each node."""
BATCH = 1_000
"""Messages in one POST."""
PARCEL_ENTRIES = 300
CONNECTIONS = 400
"""Held open to each node by the slow and the silent."""
ELSEWHERE = "127.0.0.2"
"""Where the attacker sits: another address than the honest nodes and clients."""
PAUSE_S = 0.01
"""After each request: an attacker on this machine shall not take its processor from the nodes."""


class Attack:
    """What an attacker knows and has; the kinds of attack are its methods."""

    def __init__(self, folder: Path, agency: str, requests: Path) -> None:
        self.network = load_network(folder)
        self.genesis: Genesis = parse_genesis((folder / "genesis.civreg").read_bytes())
        own = self.network.node_of(agency)
        assert own.home is not None, "a development network is on this machine"
        self.victims = [node for node in self.network.nodes if node.agency != agency]
        self.keys = {purpose: self._key(own.home, purpose) for purpose in ("peer", "consensus")}
        self.index = self.genesis.validator_set.index_of(own.agency_id)
        self.requests = [one for one in read_requests(requests) if one.lane == 0]
        self.fresh = [self._entry_of(one) for one in read_requests(requests) if one.lane == 1]
        self.counts: Counter[str] = Counter()
        self.height = 1
        self.dice = random.Random(1)

    @staticmethod
    def _entry_of(request: Request) -> bytes:
        value: Any = decode(request.body, len(request.body))
        return bytes(value[1][0][0])

    def _key(self, home: Path, purpose: str) -> SoftwareKey:
        path = load_config(home).keys_folder / f"{purpose}.pem"
        return load_key_file(path, None)

    # --- against the peers' listener ---

    async def far_votes(self) -> None:
        """Votes of ever later rounds and of the next heights, all rightly signed."""
        await self._as_peer(self._far_batch)

    def _far_batch(self) -> tuple[str, bytes]:
        votes = []
        for number in range(BATCH):
            height = self.height + number % 3
            votes.append(self._vote(height, self.dice.randrange(2, 2**31 - 1)))
        return MESSAGES_PATH, encode_batch(votes)

    async def forged_votes(self) -> None:
        """Votes of this height and later ones in the names of others, with worthless signatures."""
        await self._as_peer(self._forged_batch)

    def _forged_batch(self) -> tuple[str, bytes]:
        votes = []
        for number in range(BATCH):
            height = self.height + 1 + number % 2 if number < BATCH - 1 else self.height
            votes.append(self._vote(height, number % 3, number % 4))
        return MESSAGES_PATH, encode_batch(votes)

    def _vote(self, height: int, round_number: int, index: int | None = None) -> bytes:
        own = self.index if index is None else index
        assert own is not None, "the attacker is a validator"
        message = vote_message(
            self.genesis.network_id, VoteType.PREVOTE, height, round_number, None
        )
        unsigned = SignedVote(VoteType.PREVOTE, height, round_number, None, own, b"")
        signature = self._signature(message) if index is None else self.dice.randbytes(64)
        return print_message(replace(unsigned, signature=signature))

    def _signature(self, message: bytes) -> bytes:
        return self.keys["consensus"].sign(message)

    async def garbage(self) -> None:
        """Bytes that are no messages, and bodies that are too long."""
        await self._as_peer(self._garbage)

    def _garbage(self) -> tuple[str, bytes]:
        if self.dice.randrange(2):
            return MESSAGES_PATH, encode_batch([self.dice.randbytes(200)] * BATCH)
        return "/peer/v1/sealed", bytes(4 * 1024 * 1024)

    async def bad_entries(self) -> None:
        """Parcels of entries that look right and are wrongly signed."""
        await self._as_peer(self._bad_parcel)

    def _bad_parcel(self) -> tuple[str, bytes]:
        made = (Submission(self._damaged_entry(), ()) for _ in range(PARCEL_ENTRIES))
        return ENTRIES_PATH, next(iter(pack_parcels(made)))

    def _damaged_entry(self) -> bytes:
        """Return a good entry that nobody has seen, with another byte in the last signature."""
        entry = bytearray(self.dice.choice(self.fresh))
        entry[-1 - self.dice.randrange(40)] ^= 1 + self.dice.randrange(255)
        return bytes(entry)

    async def _as_peer(self, make: Callable[[], tuple[str, bytes]]) -> None:
        """Send what `make` makes to every node over authenticated connections, without end."""
        tls = PeerTls(self.keys["peer"])
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_height())
            for victim in self.victims:
                (part,) = [one for one in self.genesis.parts if one.agency_id == victim.agency_id]
                context = tls.client_context(part.keys["peer"])
                for _lane in range(LANES):
                    url = f"https://127.0.0.1:{victim.ports['peer']}"
                    tasks.create_task(self._flood(url, make, context))

    # --- against the public listener ---

    async def bad_signatures(self) -> None:
        """Submissions to the public API that look right and are wrongly signed."""

        def make() -> tuple[str, bytes]:
            listed = tuple((self._damaged_entry(), ()) for _ in range(64))
            return "/v1/entries", encode((1, listed))

        async with asyncio.TaskGroup() as tasks:
            for victim in self.victims:
                for _lane in range(LANES):
                    tasks.create_task(self._flood(victim.address, make))

    async def stuffing(self) -> None:
        """Good entries of few signers, as many as there are, sent again and again."""
        bodies = iter([request.body for request in self.requests] * 1_000)

        def make() -> tuple[str, bytes]:
            return "/v1/entries", next(bodies)

        async with asyncio.TaskGroup() as tasks:
            for victim in self.victims[:1]:
                tasks.create_task(self._flood(victim.address, make))

    async def _flood(
        self, url: str, make: Callable[[], tuple[str, bytes]], context: object = None
    ) -> None:
        connector = aiohttp.TCPConnector(
            limit=1,
            ssl=context or False,  # type: ignore[arg-type]
            local_addr=(ELSEWHERE, 0),
        )
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            while True:
                path, body = make()
                headers = {"Content-Type": MSGPACK}
                try:
                    async with session.post(url + path, data=body, headers=headers) as answer:
                        await answer.read()
                        self.counts[str(answer.status)] += 1
                except (aiohttp.ClientError, OSError, TimeoutError) as error:
                    self.counts[type(error).__name__] += 1
                await asyncio.sleep(PAUSE_S)

    # --- against both: connections ---

    async def slow(self) -> None:
        """Connections to the public API that send a request byte by byte (slowloris)."""
        await self._hold(
            "public", b"POST /v1/entries HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n"
        )

    async def silent(self) -> None:
        """Connections to the peers' listener that begin a handshake and say no more."""
        await self._hold("peer", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")

    async def _hold(self, port: str, beginning: bytes) -> None:
        async with asyncio.TaskGroup() as tasks:
            for victim in self.victims:
                for _ in range(CONNECTIONS):
                    tasks.create_task(self._drip(victim.ports[port], beginning))

    async def _drip(self, port: int, beginning: bytes) -> None:
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", port, local_addr=(ELSEWHERE, 0)
                )
                self.counts["opened"] += 1
                for at in range(len(beginning)):
                    writer.write(beginning[at : at + 1])
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(1):
                            if not await reader.read(1):
                                self.counts["closed by the node"] += 1
                                break
                writer.close()
            await asyncio.sleep(1)

    async def none(self) -> None:
        """Nothing at all: how it is at rest."""
        await asyncio.Event().wait()

    async def _follow_height(self) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                    async with session.get(f"{self.victims[0].address}/v1/status") as answer:
                        self.height = int((await answer.json())["height"]) + 1
                await asyncio.sleep(0.1)


async def run(attack: Attack, kind: str) -> None:
    """Attack until SIGTERM."""
    work: Callable[[], Awaitable[None]] = getattr(attack, kind)
    task = asyncio.ensure_future(work())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main() -> None:
    """Run and print the counts."""
    kind, folder, agency, requests = sys.argv[1:]
    attack = Attack(Path(folder), agency, Path(requests))
    began_s = time.monotonic()
    asyncio.run(run(attack, kind))
    counts = dict(attack.counts)
    print(json.dumps({"seconds": round(time.monotonic() - began_s, 1), **counts}))  # noqa: T201


if __name__ == "__main__":
    main()
