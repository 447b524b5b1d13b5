"""Measure how fast a node that is far behind catches up: one block at a time, and in parallel.

A chain of the town with real entries is made once; three processes serve it over mutual TLS, each
answer `--delay-ms` late as over a real distance. The node that catches up verifies certificates,
executes every entry (signatures included) and writes every block. Prints one JSON line.

Example:
    python -m tests.bench.sync --blocks 200 --entries 1200 --delay-ms 20
"""

import argparse
import asyncio
import functools
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from aiohttp import web

from consensus.messages import Phase, Status
from keys.signing import Purpose
from ledger.canonical import encode
from ledger.ids import AgencyId
from ledger.quorum import QuorumCertificate
from ledger.store import ChainStore
from ledger.validators import ValidatorSet
from node.application import Application
from node.clock import SystemClock
from node.conduct import Conduct
from node.config import Address
from node.entry_cache import EntryCache
from node.http_peer import PeerListener
from node.http_transport import HttpTransport
from node.logs import SilentLog
from node.loop_ports import LoopNetwork, LoopTimers
from node.peers import PeerNode, Peers
from node.sync import Sync
from node.sync_checks import check_ahead, open_certified
from node.sync_wire import answer_range, parse_certified_block, question_for
from node.tls import PeerTls
from tests.node.grown_chain import grow_chain
from tests.node.town_chain import make_application, make_town, service_key
from tests.registry.town import AGENCIES, identifier

if TYPE_CHECKING:
    from collections.abc import Callable

LAGGING, *SERVING = sorted(AGENCIES, key=lambda name: identifier("agency", name))


def agency(name: str) -> AgencyId:
    """Return the id of one of the town's agencies."""
    return AgencyId(identifier("agency", name))


class BlocksOnly:
    """A peer that serves blocks."""

    def __init__(self, store: ChainStore) -> None:
        self._application = Application(store, EntryCache())

    def certified_block(self, height: int) -> bytes | None:
        """Return one block."""
        pair = self._application.certified_block(height)
        return None if pair is None else encode(pair)

    def certified_blocks(self, first: int, count: int) -> bytes | None:
        """Return a range of blocks."""
        return answer_range(first, count, self._application.certified_block)


async def serve(name: str, folder: Path, delay_ms: int) -> None:
    """Serve a copy of the chain until the process is ended; says its port on stdout."""
    with ChainStore.open(folder) as store:
        listener = PeerListener(
            cast("Any", BlocksOnly(store)),
            lambda _key_id: agency(LAGGING),
            conduct=Conduct(),
            clock=SystemClock(),
            log=SilentLog(),
        )

        @web.middleware
        async def put_off(request: web.Request, handler: Any) -> web.StreamResponse:
            await asyncio.sleep(delay_ms / 1_000)
            return cast("web.StreamResponse", await handler(request))

        listener.application.middlewares.append(put_off)
        pin = service_key(LAGGING, Purpose.PEER).public
        tls = PeerTls(service_key(name, Purpose.PEER)).server_context([pin])
        port = await listener.start("127.0.0.1", 0, tls)
        print(port, flush=True)  # noqa: T201 - read by the process that started this one
        await asyncio.Event().wait()


class Target:
    """The chain that grows; a `node.sync.SyncTarget`."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.on_back: Callable[[], object] = lambda: None

    @property
    def tip_height(self) -> int:
        """The highest stored height."""
        return self.application.tip_height

    def validators_at(self, height: int) -> ValidatorSet:
        """Return the set of a height."""
        return self.application.validators_at(height)

    def check_certificate(self, certificate: QuorumCertificate) -> None:
        """Believe a probe: what is measured begins after it."""

    def check_ahead(self, height: int, block_raw: bytes, certificate: QuorumCertificate) -> None:
        """See `node.sync.SyncTarget`."""
        check_ahead(self.application, height, block_raw, certificate)

    def apply_certified(self, block_raw: bytes, certificate: QuorumCertificate) -> None:
        """See `node.sync.SyncTarget`."""
        block = open_certified(self.application, block_raw, certificate)
        self.application.commit(block, certificate)

    def leave_voting(self) -> None:
        """Do nothing."""

    def return_to_voting(self) -> None:
        """Know that it is done."""
        self.on_back()


async def one_by_one(target: Target, peers: Peers, blocks: int) -> None:
    """Catch up from one peer: ask, apply, ask for the next."""
    peer = agency(SERVING[0])
    for height in range(1, blocks + 1):
        raw = await peers.ask(peer, question_for(height))
        assert raw is not None
        target.apply_certified(*parse_certified_block(raw))


async def in_parallel(target: Target, peers: Peers, blocks: int) -> None:
    """Catch up by `node.sync`."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    timers = LoopTimers(done.set_exception)
    network = LoopNetwork(
        peers, Conduct(), clock=SystemClock(), log=SilentLog(), on_failure=done.set_exception
    )
    sync = Sync(target, network, timers, SystemClock(), SilentLog())
    for name in SERVING:
        sync.status(agency(name), Status(blocks + 1, 0, Phase.PROPOSE, blocks))
    target.on_back = functools.partial(done.set_result, None)
    await done
    timers.stop()
    await network.stop()


async def measure(folder: Path, ports: list[int], blocks: int, way: Any) -> float:
    """Return the blocks that are caught up a second."""
    nodes = [
        PeerNode(agency(name), service_key(name, Purpose.PEER).public, Address("127.0.0.1", port))
        for name, port in zip(SERVING, ports, strict=True)
    ]
    application = make_application(folder, make_town())
    async with HttpTransport(PeerTls(service_key(LAGGING, Purpose.PEER))) as transport:
        target = Target(application)
        started = time.perf_counter()
        await way(target, Peers(nodes, transport, SilentLog()), blocks)
        seconds = time.perf_counter() - started
    assert application.tip_height == blocks
    application.close()
    return blocks / seconds


async def compare(folder: Path, blocks: int, entries: int, delay_ms: int) -> dict[str, object]:
    """Make the chain, start who serves it, and catch up both ways."""
    people = max(1, entries // 3)  # a person of age is made by three entries
    source = grow_chain(folder / "source", make_town(), blocks, people)
    made = source.store.tip.log.size
    source.close()
    processes = []
    ports: list[int] = []
    try:
        for name in SERVING:
            shutil.copytree(folder / "source", folder / name)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.bench.sync", "--serve", name),
                *("--folder", str(folder / name), "--delay-ms", str(delay_ms)),
                stdout=asyncio.subprocess.PIPE,
            )
            processes.append(process)
            assert process.stdout is not None
            ports.append(int(await process.stdout.readline()))
        sequential = await measure(folder / "one", ports, blocks, one_by_one)
        parallel = await measure(folder / "many", ports, blocks, in_parallel)
    finally:
        for process in processes:
            process.terminate()
            await process.wait()
    return {
        "name": "node.sync",
        "value": round(parallel, 1),
        "unit": "blocks/s",
        "sequential": round(sequential, 1),
        "parameters": {
            "blocks": blocks,
            "entries": made,
            "peers": len(SERVING),
            "delay_ms": delay_ms,
        },
    }


def main() -> None:
    """Measure, or serve for somebody who does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--blocks", type=int, default=300)
    parser.add_argument("--entries", type=int, default=900)
    parser.add_argument("--delay-ms", type=int, default=20)
    parser.add_argument("--serve", metavar="AGENCY", choices=SERVING)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve(arguments.serve, arguments.folder, arguments.delay_ms))
        return
    with tempfile.TemporaryDirectory() as folder:
        line = asyncio.run(
            compare(Path(folder), arguments.blocks, arguments.entries, arguments.delay_ms)
        )
    print(json.dumps(line))  # noqa: T201  # the output of this program


if __name__ == "__main__":
    main()
