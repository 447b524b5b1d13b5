"""What an operator wants to know of a running node: its findings, gauges and details."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from consensus.events import ReportEvidence
from ledger.ids import AgencyId
from ledger.limits import POOL_BYTES_MAX, POOL_ENTRIES_MAX, POOL_SIGNER_ENTRIES_MAX
from node.admission import Admission
from node.admission_queue import AdmissionQueue
from node.app import Node
from node.application import Committed
from node.clock_watch import ClockWatch
from node.disk_trend import DiskTrend
from node.file_watch import certificate_end_ms, exposed_files, file_bytes
from node.health import Finding, Health
from node.machine_findings import (
    check_certificate,
    check_disk,
    check_exposed,
    check_key,
    check_log,
    check_log_made,
    check_pool,
    check_skew,
    check_vault_made,
)
from node.metrics import Metrics
from node.network_findings import (
    LAGGING_HEIGHTS,
    SILENT_MS,
    VOTES_LATE,
    check_behind,
    check_conduct,
    check_equivocation,
    check_known,
    check_lagging,
    check_peer_clock,
    check_peers,
    check_permission,
    check_progress,
    check_round,
    check_silent,
    check_votes,
)
from node.peer_rows import PeerRow, name_of, peer_rows
from node.round_watch import RoundView, RoundWatch
from node.routes import Json
from node.storage import WAL_FILE

IDLE_MS_MIN: Final = 2_000
"""A network that makes blocks faster is still not watched more closely than this."""
_MEMORY: Final = Path("/proc/self/statm")


class Overview:
    """Looks at a node.

    Args:
        node: The node.
        queue: Where submissions wait to be examined.
        admission: Who waits for commits.
        metrics: Kept up to date here.
        clocks: The peers' clocks.
    """

    def __init__(
        self,
        node: Node,
        queue: AdmissionQueue,
        admission: Admission,
        metrics: Metrics,
        clocks: ClockWatch,
    ) -> None:
        self._node = node
        self._queue = queue
        self._admission = admission
        self._metrics = metrics
        self._clocks = clocks
        self._rounds = RoundWatch()
        self._disk = DiskTrend()
        self._began_ms = node.clock.monotonic_ms()
        self._blocks_seen = 0
        self._equivocated: dict[str, None] = {}
        self.health = Health((self._machine, self._consensus, self._peers))
        node.world.on_evidence = self._evidence
        metrics.refreshers.append(self._refresh)

    # --- told as things happen --------------------------------------------------------------------

    def committed(self, committed: Committed) -> None:
        """Count a block; called before its entries leave the pool."""
        header, metrics = committed.block.header, self._metrics
        now_ms = self._node.clock.now_ms()
        for entry in committed.block.entries:
            pooled = self._node.pool.get(entry.entry_digest)
            if pooled is not None:
                metrics.finality.observe(max(0, now_ms - pooled.received_ms) / 1_000)
        self._blocks_seen += 1
        metrics.committed.add(len(committed.block.entries))
        metrics.rounds.add(header.round)
        metrics.round.set(header.round)
        self._count_missed(committed.height)

    def watch(self) -> None:
        """Look at what is only known to whoever looks now and then; about once a second."""
        now_ms = self._node.clock.monotonic_ms()
        if self._node.driver.state is not None:
            self._rounds.look(self._node.driver.state, now_ms)
        self._disk.note(self._disk_free(), now_ms)

    def _evidence(self, effect: ReportEvidence) -> None:
        evidence = effect.evidence
        validators = self._node.application.validators_at(evidence.height)
        if evidence.validator < len(validators):
            agency = validators[evidence.validator].agency_id
            self._equivocated[self._name(agency)] = None
            self._metrics.evidence.add(1, validator=agency.hex())

    def _count_missed(self, height: int) -> None:
        application = self._node.application
        certificate = application.store.quorum_certificate(height)
        signed = {index for index, _signature in certificate.signatures}
        for index, validator in enumerate(application.validators_at(height).validators):
            if index not in signed:
                self._metrics.missed.add(1, validator=validator.agency_id.hex())

    # --- probes -----------------------------------------------------------------------------------

    def _machine(self) -> Iterable[Finding | None]:
        node, now_ms = self._node, self._node.clock.monotonic_ms()
        free = self._disk_free()
        yield check_disk(free, self._disk.full_in_s(free, now_ms))
        skew = self._clocks.skew()
        if skew is not None:
            yield check_skew(skew.offset_ms, skew.error_ms, self._precision_ms())
        yield check_pool(
            (len(node.pool), POOL_ENTRIES_MAX),
            (node.pool.bytes, POOL_BYTES_MAX),
            (node.pool.largest_signer, POOL_SIGNER_ENTRIES_MAX),
        )
        yield check_log(self._log_bytes())
        yield check_log_made(node.lost_log_at)
        if node.config.agency is not None:  # only validators are given bodies
            mark = node.storage.vault.mark
            yield check_vault_made(mark.made_at, mark.height)
        yield check_exposed(exposed_files(node.config.keys_folder))
        for path in node.config.certificates:
            end_ms = certificate_end_ms(path)
            left_ms = None if end_ms is None else end_ms - node.clock.now_ms()
            yield check_certificate(path.name, left_ms)

    def _consensus(self) -> Iterable[Finding | None]:
        node, application = self._node, self._node.application
        view = self._view()
        if view is not None:
            yield check_round(view, [self._name_of(index) for index in view.missing])
        missing = node.key_watch.missing()
        yield check_key(None if missing is None else missing.key_id.hex())
        state, own = node.driver.state, node.driver.own
        is_asking = node.interrogation is not None and not node.interrogation.is_over
        is_silent = state is not None and state.own_index is not None and not state.start.may_vote
        if own is not None and (is_asking or is_silent):
            height = application.tip_height + 1
            yield check_permission(is_asking=is_asking, votes_from=height + 1, height=height)
        up_ms = node.clock.monotonic_ms() - self._began_ms  # what was before, nobody here knows
        age_ms = min(up_ms, max(0, node.clock.now_ms() - application.tip_time_ms))
        idle_ms = application.parameters_at(application.tip_height + 1).idle_ms
        yield check_progress(age_ms, max(idle_ms, IDLE_MS_MIN), len(node.pool))
        yield check_behind(application.tip_height, node.world.sync.goal)
        yield check_equivocation(sorted(self._equivocated))

    def _peers(self) -> Iterable[Finding | None]:
        rows = peer_rows(self._node, self._clocks)
        validators = [row for row in rows if row.index is not None]
        yield self._check_reach([row for row in validators if row.failures])
        yield check_silent([row.name for row in validators if self._is_silent(row)])
        application = self._node.application
        tip, age_ms = application.tip_height, self._node.clock.now_ms() - application.tip_time_ms
        yield check_known(len(rows), sum(not row.failures for row in rows), age_ms)
        lagging = [
            (row.name, row.height)
            for row in rows
            if row.height is not None and row.height + LAGGING_HEIGHTS <= tip
        ]
        yield check_lagging(lagging, tip)
        late = [row.name for row in validators if self._votes_late(row, tip)]
        yield check_votes(late, VOTES_LATE)
        skew = self._clocks.skew()
        for row in rows:
            yield check_conduct(row.name, row.marks, row.cut_off_ms, row.reason)
            if row.clock_offset_ms is not None and skew is not None:
                yield check_peer_clock(
                    row.name,
                    row.clock_offset_ms + skew.offset_ms,
                    row.clock_error_ms + skew.error_ms,
                    self._precision_ms(),
                )

    def _check_reach(self, gone: list[PeerRow]) -> Finding | None:
        application = self._node.application
        everybody = application.validators_at(application.tip_height + 1)
        lost = sum(everybody[row.index].weight for row in gone if row.index is not None)
        return check_peers(
            everybody.total_weight - lost,
            everybody.quorum_weight,
            everybody.total_weight,
            [row.name for row in gone],
        )

    def _is_silent(self, row: PeerRow) -> bool:
        """Tell whether a peer that takes what we send has said nothing for a while."""
        up_ms = self._node.clock.monotonic_ms() - self._began_ms
        heard_ms = up_ms if row.heard_ms is None else row.heard_ms
        return not row.failures and heard_ms >= SILENT_MS

    def _votes_late(self, row: PeerRow, tip: int) -> bool:
        """Tell whether a validator that is in touch has not voted for some heights."""
        is_known = row.voted is not None or self._blocks_seen >= VOTES_LATE
        return not row.failures and is_known and (row.voted or 0) + VOTES_LATE <= tip

    # --- shown ------------------------------------------------------------------------------------

    def details(self) -> dict[str, Json]:
        """Return more than health says: consensus, peers, pool, machine."""
        node, skew = self._node, self._clocks.skew()
        free = self._disk_free()
        now_ms = node.clock.monotonic_ms()
        own = node.config.agency
        return {
            "node": node.config.name,
            "agency": None if own is None else own.hex(),
            "agency_name": None if own is None else self._name(own),
            "block_age_ms": max(0, node.clock.now_ms() - node.application.tip_time_ms),
            "consensus": self._consensus_json(),
            "sync": {"active": node.world.sync.is_active, "goal": node.world.sync.goal},
            "peers": [row.to_json() for row in peer_rows(node, self._clocks)],
            "pool": {
                "entries": len(node.pool),
                "entries_max": POOL_ENTRIES_MAX,
                "bytes": node.pool.bytes,
                "bytes_max": POOL_BYTES_MAX,
                "signers": node.pool.signers,
                "largest_signer_entries": node.pool.largest_signer,
            },
            "waiting": len(self._admission.waiting),
            "clock_skew_ms": None if skew is None else skew.offset_ms,
            "clock_error_ms": None if skew is None else skew.error_ms,
            "disk_free_bytes": free,
            "disk_full_in_s": self._disk.full_in_s(free, now_ms),
            "consensus_log_bytes": self._log_bytes(),
            "resident_memory_bytes": resident_memory_bytes(),
        }

    def _consensus_json(self) -> Json:
        view = self._view()
        if view is None:
            return None
        return {
            "height": view.height,
            "round": view.round,
            "phase": view.phase,
            "height_ms": view.height_ms,
            "round_ms": view.round_ms,
            "waits_for": view.waits_for.value,
            "missing": [self._name_of(index) for index in view.missing],
            "weight": view.weight,
            "weight_needed": view.weight_needed,
            "votes": view.may_vote,
        }

    def _refresh(self) -> None:
        node, metrics = self._node, self._metrics
        metrics.height.set(node.application.tip_height)
        age_ms = max(0, node.clock.now_ms() - node.application.tip_time_ms)
        metrics.block_age.set(age_ms / 1_000)
        metrics.syncing.set(int(node.world.sync.is_active))
        metrics.pool_entries.set(len(node.pool))
        metrics.pool_bytes.set(node.pool.bytes)
        metrics.pool_used.set(
            max(len(node.pool) / POOL_ENTRIES_MAX, node.pool.bytes / POOL_BYTES_MAX)
        )
        metrics.pool_largest.set(node.pool.largest_signer)
        metrics.queue_bytes.set(self._queue.bytes)
        metrics.waiting.set(len(self._admission.waiting))
        metrics.disk_free.set(self._disk_free())
        metrics.log_bytes.set(self._log_bytes())
        metrics.memory.set(resident_memory_bytes())
        self._refresh_consensus()
        self._refresh_clock()
        for row in peer_rows(node, self._clocks):
            _refresh_peer(metrics, row)
        metrics.findings.clear()
        for finding in self.health.findings():
            metrics.findings.set(1, code=finding.code, level=finding.level.value)

    def _refresh_consensus(self) -> None:
        view, metrics = self._view(), self._metrics
        if view is None:
            return
        metrics.consensus_round.set(view.round)
        metrics.consensus_age.set(view.height_ms / 1_000)
        for index, validator in enumerate(self._validators()):
            awaited = int(index in view.missing)
            metrics.vote_awaited.set(awaited, validator=validator.hex())

    def _refresh_clock(self) -> None:
        skew, metrics = self._clocks.skew(), self._metrics
        if skew is not None:
            metrics.clock_skew.set(skew.offset_ms / 1_000)
            metrics.clock_error.set(skew.error_ms / 1_000)
        for path in self._node.config.certificates:
            end_ms = certificate_end_ms(path)
            if end_ms is not None:
                metrics.certificate_expiry.set(end_ms // 1_000, file=path.name)

    # --- inside -----------------------------------------------------------------------------------

    def _view(self) -> RoundView | None:
        state = self._node.driver.state
        if state is None:
            return None
        return self._rounds.look(state, self._node.clock.monotonic_ms())

    def _validators(self) -> list[AgencyId]:
        application = self._node.application
        listed = application.validators_at(application.tip_height + 1).validators
        return [one.agency_id for one in listed]

    def _name(self, agency: bytes) -> str:
        return name_of(self._node, AgencyId(agency))

    def _name_of(self, index: int) -> str:
        validators = self._validators()
        return self._name(validators[index]) if index < len(validators) else str(index)

    def _precision_ms(self) -> int:
        application = self._node.application
        return application.parameters_at(application.tip_height + 1).precision_ms

    def _disk_free(self) -> int:
        return shutil.disk_usage(self._node.config.data_folder).free

    def _log_bytes(self) -> int:
        return file_bytes(self._node.config.data_folder / WAL_FILE)


def resident_memory_bytes() -> int:
    """Return the memory that this process holds; 0 where the system does not say."""
    try:
        pages = int(_MEMORY.read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _refresh_peer(metrics: Metrics, row: PeerRow) -> None:
    peer = row.agency.hex()
    metrics.peers.set(row.failures, peer=peer)
    for lane, queued in row.queued.items():
        metrics.peer_queue.set(queued, peer=peer, lane=lane)
        metrics.peer_dropped.set(row.dropped[lane], peer=peer, lane=lane)
    metrics.peer_marks.set(row.marks_total, peer=peer)
    metrics.peer_cut_off.set(int(row.cut_off_ms > 0), peer=peer)
    if row.height is not None:
        metrics.peer_height.set(row.height, peer=peer)
    if row.heard_ms is not None:
        metrics.peer_heard.set(row.heard_ms / 1_000, peer=peer)
    if row.clock_offset_ms is not None:
        metrics.peer_clock.set(row.clock_offset_ms / 1_000, peer=peer)
