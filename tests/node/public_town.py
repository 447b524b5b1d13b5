"""A node of the town with its public side, and blocks made by hand: no consensus is needed here."""

import contextlib
import io
import json
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from consensus.schedule import round_robin
from keys.signing import SoftwareKey
from ledger.canonical import decode, encode
from node.admission import Admission
from node.app import Node, Options, open_node
from node.application import Application, Turn
from node.clock import SystemClock
from node.logs import SilentLog
from node.mempool import Mempool
from node.public_side import PublicSide
from node.request_auth import NONCE_BYTES, Request, sign_request
from tests.node.town_chain import certificate, make_application, make_town, make_town_homes
from tests.registry.town import Town, seed

NOW_MS = 1_780_000_000_000
HOUR_MS = 3_600_000


@dataclass
class HandClock:
    """Shows what it is set to."""

    now: int = NOW_MS
    monotonic: int = 0

    def now_ms(self):
        return self.now

    def monotonic_ms(self):
        return self.monotonic


def plain(raw: bytes) -> Any:
    """The value of canonical bytes."""
    return decode(raw, len(raw))


def town_at(now_ms=NOW_MS):
    """A town whose entries are valid around a moment."""
    return make_town(now_ms)


def make_block(application: Application, town: Town, pool: Mempool, time_ms: int):
    """Commit a block of everything in the pool that applies; return it."""
    draft = application.begin_draft()
    failed = []
    for pooled in pool.take(1_024, 10**7):
        try:
            application.try_entry(draft, pooled.verified, time_ms)
        except Exception:  # noqa: BLE001 - whatever the rules refuse
            failed.append(pooled.entry_digest)
    validators = application.validators_at(application.tip_height + 1)
    proposer = round_robin(validators, application.tip_height + 1, 0)
    turn = Turn(round=0, proposer=proposer, time_ms=time_ms, evidence=())
    block = application.finish_draft(draft, turn)
    pool.drop_failed(failed)
    height = application.tip_height + 1
    return application.commit(block, certificate(town, height, block.header.digest))


@dataclass
class Door:
    """An admission over a chain store and a vault in a folder."""

    town: Town
    application: Application
    admission: Admission
    pool: Mempool
    clock: HandClock = field(default_factory=HandClock)

    def commit(self):
        self.clock.now += 1_000
        committed = make_block(self.application, self.town, self.pool, self.clock.now)
        self.admission.committed(committed)
        return committed


def open_door(folder, vault, town=None):
    town = town or town_at()
    application = make_application(folder, town)
    pool, clock = Mempool(), HandClock()
    admission = Admission(application, pool, vault, clock, SilentLog())
    return Door(town, application, admission, pool, clock)


@dataclass
class Served:
    """A node with its public side, and a client."""

    town: Town
    node: Node
    side: PublicSide
    session: aiohttp.ClientSession
    ports: dict[str, int]

    @property
    def address(self):
        return f"127.0.0.1:{self.ports['public']}"

    def url(self, path, port="public"):
        return f"http://127.0.0.1:{self.ports[port]}{path}"

    async def get(self, path, signer=None, **more):
        return await self.ask("GET", path, signer=signer, **more)

    async def post(self, path, body, signer=None, media="application/msgpack"):
        return await self.ask("POST", path, body, signer, {"Content-Type": media})

    async def ask(self, method, path, body=b"", signer=None, headers=None, port="public"):
        headers = dict(headers or {})
        if signer is not None:
            headers |= self.signed(method, path, body, signer)
        async with self.session.request(
            method, self.url(path, port), data=io.BytesIO(body) if body else None, headers=headers
        ) as answer:
            return Answer(answer.status, await answer.read(), dict(answer.headers))

    def signed(self, method, path, body, signer: SoftwareKey):
        bare, _, query = path.partition("?")
        request = Request(method=method, authority=self.address, path=bare, query=query, body=body)
        now_s = self.node.clock.now_ms() // 1_000
        nonce = seed("nonce", next(_NONCES))[:NONCE_BYTES]
        return sign_request(request, self.node.genesis.network_id, signer, now_s, nonce)

    def commit(self):
        """Make a block of what waits."""
        time_ms = max(self.node.clock.now_ms(), self.node.application.tip_time_ms + 1)
        return make_block(self.node.application, self.town, self.node.pool, time_ms)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["code"]


_NONCES = iter(range(10**9))


def submission(*entries, bodies=None):
    """The body of POST /v1/entries."""
    listed = []
    for entry in entries:
        own = [
            (bodies or {})[record.seal.body_digest]
            for record in entry.records
            if record.seal is not None and bodies is not None
        ]
        listed.append((entry.raw, tuple(own)))
    return encode((1, tuple(listed)))


@contextlib.asynccontextmanager
async def served(folder, agency="police", prepare=None):
    """Serve the public API of one of the town's nodes; nobody else runs.

    `prepare` may change its home before it is opened.
    """
    town = make_town(SystemClock().now_ms())
    (home,) = [one for one in make_town_homes(folder, town) if one.name == agency]
    if prepare is not None:
        prepare(home, town)
    node = open_node(home, Options())
    side = PublicSide(node)
    ports = dict(await side.start())
    session = aiohttp.ClientSession(auto_decompress=False)
    try:
        yield Served(town, node, side, session, ports)
    finally:
        await session.close()
        await side.stop()
        node.timers.stop()
        await node.network.stop()
        await node._transport.close()
        node.threads.shutdown()
        node.storage.close()
