"""What this node does for its peers behind /peer/v1: hands bytes to the world, gives out blocks.

Purged bodies are never given out; bodies go to validators of the present set only, never wraps.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from keys.hashing import Digest
from ledger.canonical import encode
from ledger.ids import AgencyId
from node.bodies import answer_question, readable_bodies
from node.errors import AdmissionError
from node.sync_wire import answer_range
from node.world import NodeWorld

TakeEntries: TypeAlias = Callable[[AgencyId, bytes], Awaitable[None]]
ReadBody: TypeAlias = Callable[[Digest], bytes | None]
RECENT_BLOCKS: Final = 4
"""Stored heights among which a block is looked for by its id."""


class NodeService:
    """Implements `node.http_peer.PeerService`.

    Args:
        world: The node.
        read_body: `Vault.body`.
    """

    def __init__(self, world: NodeWorld, read_body: ReadBody) -> None:
        self._world = world
        self._read_body = readable_bodies(read_body)
        self.entries_taker: TakeEntries = _not_yet

    def take_messages(self, peer: AgencyId, messages: tuple[bytes, ...]) -> None:
        """Take consensus messages; see `node.intake`."""
        self._world.intake.take(peer, messages)

    async def take_block(self, peer: AgencyId, raw: bytes) -> None:
        """Take a proposed block in short form."""
        self._world.exchange.take_short(peer, raw)

    async def take_entries(self, peer: AgencyId, raw: bytes) -> None:
        """Take gossiped entries with their bodies; a block may be waiting for these."""
        await self.entries_taker(peer, raw)
        self._world.bodies.recheck()

    def block_bytes(self, block_id: Digest) -> bytes | None:
        """Return a proposed block, or one of the newest stored ones, by its id."""
        held = self._world.exchange.get(block_id)
        if held is not None:
            return held.raw
        store = self._world.application.store
        for height in range(store.height, max(0, store.height - RECENT_BLOCKS), -1):
            if store.quorum_certificate(height).block_id == block_id:
                return store.block_raw(height)
        return None

    def certified_block(self, height: int) -> bytes | None:
        """Return canonical [block, quorum certificate] of a stored height."""
        pair = self._world.application.certified_block(height)
        return None if pair is None else encode(pair)

    def certified_blocks(self, first: int, count: int) -> bytes | None:
        """Return a range of stored blocks with their certificates, see `node.sync_wire`."""
        return answer_range(first, count, self._world.application.certified_block)

    def sealed_body(self, peer: AgencyId, digest: Digest) -> bytes | None:
        """Return a sealed body to a validator of the present set."""
        return self._read_body(digest) if self._is_validator(peer) else None

    def sealed_bodies(self, peer: AgencyId, question: bytes) -> bytes:
        """Return many sealed bodies to a validator of the present set, see `node.bodies`."""
        may_have = self._is_validator(peer)
        return answer_question(question, lambda one: self._read_body(one) if may_have else None)

    def _is_validator(self, peer: AgencyId) -> bool:
        application = self._world.application
        return application.validators_at(application.tip_height + 1).index_of(peer) is not None

    def status(self, peer: AgencyId) -> bytes:
        """Return what a starting peer wants to know, see `node.startup`."""
        return self._world.latest_votes.answer(self._world.tip_height, peer)


async def _not_yet(peer: AgencyId, raw: bytes) -> None:  # noqa: ARG001
    raise AdmissionError("this node takes no entries yet")
