"""The chain over HTTP: headers and trust for everybody, blocks for members, events, health."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from ledger.canonical import Value, encode
from ledger.ids import print_id
from ledger.store_proofs import trust_bundle
from ledger.trust import TrustBundle
from node.application import Application
from node.call_values import json_reply, msgpack_reply, number_of, query_number
from node.clock import Clock
from node.committed_evidence import EVIDENCE_MAX, committed_evidence
from node.events import Events
from node.health import Health, Level
from node.metrics import Metrics
from node.openapi import describe
from node.public_errors import MalformedRequestError, NotFoundError
from node.routes import EVENTS, JSON, ROUTES, TEXT, Call, Handler, Json, Reply

HEADERS_MAX: Final = 64
TRUST_VALID_MS: Final = 30 * 24 * 3_600_000
"""How long a trust bundle from this node may be used."""
API_VERSION: Final = "1"
_NOT_READY: Final = 503


@dataclass(slots=True)
class ChainRoutes:
    """The handlers that show the chain and the node.

    Attributes:
        application: The chain.
        events: The feed.
        health: What is wrong, if anything.
        metrics: For the private port.
        clock: For the end of a trust bundle's time.
        details: More for the private status: peers, pool.
    """

    application: Application
    events: Events
    health: Health
    metrics: Metrics
    clock: Clock
    details: Callable[[], dict[str, Json]]
    _trust: TrustBundle | None = field(default=None, init=False)
    _trust_reply: tuple[int, bytes] | None = field(default=None, init=False)

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers by the names of their routes."""
        return {
            "block": self.block,
            "headers": self.headers,
            "evidence": self.evidence,
            "trust_bundle": self.trust,
            "status": self.status,
            "events": self.follow,
            "openapi": self.openapi,
            "healthz": self.healthz,
            "readyz": self.readyz,
            "metrics": self.show_metrics,
            "details": self.show_details,
        }

    async def block(self, call: Call) -> Reply:
        """Return a block with its certificate."""
        pair = self.application.certified_block(number_of(call.path["height"], "height"))
        if pair is None:
            raise NotFoundError("there is no block of this height")
        return msgpack_reply(encode(pair))

    async def headers(self, call: Call) -> Reply:
        """Return a range of headers with their certificates."""
        first = max(1, query_number(call, "from", 1))
        limit = query_number(call, "limit", HEADERS_MAX)
        if not 1 <= limit <= HEADERS_MAX:
            raise MalformedRequestError(f"limit is not within 1 ... {HEADERS_MAX}")
        store = self.application.store
        pairs: list[Value] = []
        for height in range(first, min(first + limit - 1, store.height) + 1):
            pairs.append((store.header(height).raw, store.quorum_certificate_raw(height)))
            await asyncio.sleep(0)
        return msgpack_reply(encode(tuple(pairs)))

    async def evidence(self, call: Call) -> Reply:
        """Return the evidence that blocks hold, the newest first."""
        before = query_number(call, "before", self.application.tip_height + 1)
        limit = query_number(call, "limit", EVIDENCE_MAX)
        if not 1 <= limit <= EVIDENCE_MAX:
            raise MalformedRequestError(f"limit is not within 1 ... {EVIDENCE_MAX}")
        return json_reply({"evidence": list(committed_evidence(self.application, before, limit))})

    async def trust(self, call: Call) -> Reply:  # noqa: ARG002
        """Return the trust bundle of the newest block, made once for each."""
        height = self.application.tip_height
        if self._trust_reply is None or self._trust_reply[0] != height:
            valid_until_ms = self.clock.now_ms() + TRUST_VALID_MS
            self._trust = trust_bundle(self.application.store, valid_until_ms, self._trust)
            self._trust_reply = (height, self._trust.to_bytes())
        return msgpack_reply(self._trust_reply[1])

    async def status(self, call: Call) -> Reply:  # noqa: ARG002
        """Say where the chain is and in one word how the node does."""
        return json_reply(self._status())

    def _status(self) -> dict[str, Json]:
        store = self.application.store
        header = store.tip_header()
        return {
            "network_id": self.application.network_id.hex(),
            "name": store.genesis.template.name,
            "height": store.height,
            "first_height": store.began.first_height,
            "time_ms": store.tip.time_ms,
            "block": None if header is None else header.digest.hex(),
            "state_root": (store.state_root if header is None else header.state_root).hex(),
            "log_size": store.tip.log.size,
            "validators": [
                {"agency": print_id(one.agency_id), "weight": one.weight}
                for one in store.tip.validators.validators
            ],
            "health": self.health.word().value,
            "api": API_VERSION,
        }

    async def follow(self, call: Call) -> Reply:
        """Stream events."""
        first = query_number(call, "from", self.application.tip_height + 1)
        return Reply(media=EVENTS, stream=self.events.follow(first))

    async def openapi(self, call: Call) -> Reply:  # noqa: ARG002
        """Return the description of the API."""
        return json_reply(describe(ROUTES, API_VERSION))

    async def healthz(self, call: Call) -> Reply:  # noqa: ARG002
        """Say that the process lives."""
        return Reply(body=b'{"alive": true}', media=JSON)

    async def readyz(self, call: Call) -> Reply:  # noqa: ARG002
        """Say whether the node serves."""
        word = self.health.word()
        status = _NOT_READY if word is Level.BAD else 200
        return json_reply({"ready": word is not Level.BAD, "health": word.value}, status)

    async def show_metrics(self, call: Call) -> Reply:  # noqa: ARG002
        """Return the counters."""
        return Reply(body=self.metrics.render().encode(), media=TEXT)

    async def show_details(self, call: Call) -> Reply:  # noqa: ARG002
        """Return health with causes and cures, and all that an operator asks for."""
        findings: list[Json] = [finding.to_json() for finding in self.health.findings()]
        newest = list(committed_evidence(self.application, self.application.tip_height + 1, 3))
        said = {**self._status(), **self.details(), "findings": findings, "evidence": newest}
        return json_reply(said)
