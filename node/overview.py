"""What an operator wants to know of a running node: its findings, gauges and details."""

import shutil
from collections import deque
from typing import Final

from ledger.limits import POOL_ENTRIES_MAX
from node.admission import Admission
from node.admission_queue import AdmissionQueue
from node.app import Node
from node.application import Committed
from node.health import (
    Finding,
    Health,
    check_behind,
    check_disk,
    check_peers,
    check_pool,
    check_progress,
    check_skew,
)
from node.metrics import Metrics
from node.peers import Lane
from node.routes import Json

QUEUED: Final = (Lane.VOTES, Lane.BLOCKS, Lane.BULK)
SKEW_BLOCKS: Final = 32
"""Newest blocks from which the clock is judged."""
SKEW_ALLOWED_MS: Final = 1_000
"""What a block may take to be decided and to arrive on a slow network."""
IDLE_MS_MIN: Final = 2_000
"""A network that makes blocks faster is still not watched more closely than this."""


class Overview:
    """Looks at a node.

    Args:
        node: The node.
        queue: Where submissions wait to be examined.
        admission: Who waits for commits.
        metrics: Kept up to date here.
    """

    def __init__(
        self, node: Node, queue: AdmissionQueue, admission: Admission, metrics: Metrics
    ) -> None:
        self._node = node
        self._queue = queue
        self._admission = admission
        self._metrics = metrics
        self.health = Health(
            (
                lambda: check_disk(self._disk_free()),
                lambda: check_pool(len(node.pool), POOL_ENTRIES_MAX),
                self._probe_peers,
                self._probe_progress,
                lambda: check_skew(self.skew_ms),
                lambda: check_behind(node.application.tip_height, node.world.sync.goal),
            )
        )
        self._delays_ms: deque[int] = deque(maxlen=SKEW_BLOCKS)
        metrics.refreshers.append(self._refresh)

    def committed(self, committed: Committed) -> None:
        """Count a block; called before its entries leave the pool."""
        header, metrics = committed.block.header, self._metrics
        now_ms = self._node.clock.now_ms()
        for entry in committed.block.entries:
            pooled = self._node.pool.get(entry.entry_digest)
            if pooled is not None:
                metrics.finality.observe(max(0, now_ms - pooled.received_ms) / 1_000)
        metrics.committed.add(len(committed.block.entries))
        metrics.rounds.add(header.round)
        metrics.round.set(header.round)
        self._count_missed(committed.height)
        if header.round == 0 and not self._node.world.sync.is_active:
            self._delays_ms.append(now_ms - header.time_ms)

    @property
    def skew_ms(self) -> int:
        """How far this node's clock is ahead of the blocks, at least: 0 within what is normal.

        A block is stamped before it travels, so a node sees it later; the quickest of the newest
        blocks shows the clock. Behind is who sees blocks from the future.
        """
        if not self._delays_ms:
            return 0
        quickest_ms = min(self._delays_ms)
        return quickest_ms if quickest_ms < 0 else max(0, quickest_ms - SKEW_ALLOWED_MS)

    def _count_missed(self, height: int) -> None:
        application = self._node.application
        certificate = application.store.quorum_certificate(height)
        signed = {index for index, _signature in certificate.signatures}
        for index, validator in enumerate(application.validators_at(height).validators):
            if index not in signed:
                self._metrics.missed.add(1, validator=validator.agency_id.hex())

    def _probe_peers(self) -> Finding | None:
        health = self._node.peers.health.values()
        reachable = 1 + sum(1 for peer in health if peer.failures == 0)
        total = 1 + len(health)
        return check_peers(reachable, 2 * total // 3 + 1, total)

    def _probe_progress(self) -> Finding | None:
        application = self._node.application
        age_ms = max(0, self._node.clock.now_ms() - application.tip_time_ms)
        idle_ms = application.parameters_at(application.tip_height + 1).idle_ms
        return check_progress(age_ms, max(idle_ms, IDLE_MS_MIN), len(self._node.pool))

    def _disk_free(self) -> int:
        return shutil.disk_usage(self._node.config.data_folder).free

    def _refresh(self) -> None:
        node, metrics = self._node, self._metrics
        metrics.height.set(node.application.tip_height)
        age_ms = max(0, node.clock.now_ms() - node.application.tip_time_ms)
        metrics.block_age.set(age_ms / 1_000)
        metrics.pool_entries.set(len(node.pool))
        metrics.pool_bytes.set(node.pool.bytes)
        metrics.queue_bytes.set(self._queue.bytes)
        metrics.waiting.set(len(self._admission.waiting))
        metrics.clock_skew.set(self.skew_ms / 1_000)
        metrics.disk_free.set(self._disk_free())
        for agency, health in node.peers.health.items():
            metrics.peers.set(health.failures, peer=agency.hex())
            for lane in QUEUED:
                metrics.peer_queue.set(
                    node.peers.queued(agency, lane), peer=agency.hex(), lane=lane
                )

    def details(self) -> dict[str, Json]:
        """Return more than health says: peers, pool, disk."""
        node = self._node
        peers: list[Json] = [
            {
                "agency": agency.hex(),
                "failures": health.failures,
                "sent": health.sent,
                "last_error": health.last_error,
            }
            for agency, health in sorted(node.peers.health.items())
        ]
        return {
            "peers": peers,
            "pool": {
                "entries": len(node.pool),
                "bytes": node.pool.bytes,
                "signers": node.pool.signers,
            },
            "waiting": len(self._admission.waiting),
            "disk_free_bytes": self._disk_free(),
        }
