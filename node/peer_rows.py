"""One row for each peer: what is known of it, gathered from everywhere, for operators to read."""

from dataclasses import dataclass

from ledger.ids import AgencyId
from node.app import Node
from node.clock_watch import ClockWatch
from node.directory import agency_name
from node.peers import Lane
from node.routes import Json

QUEUED = (Lane.VOTES, Lane.BLOCKS, Lane.BULK)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRow:
    """What is known of one peer.

    Attributes:
        agency: Its id.
        name: Of its agency in genesis.
        index: In the present set of validators, or None.
        failures: Failed sends in a row.
        last_error: Of the last failure.
        sent: Successful POSTs.
        queued: Parcels that wait for it, by lane.
        dropped: Parcels dropped, by lane.
        heard_ms: Since it last said anything, or None.
        height: Its newest block as it says, or None.
        round: Its round as it says, or None.
        voted: The highest height in which it sent a vote of its own, or None.
        clock_offset_ms: Its clock against ours, positive: ahead; or None.
        clock_error_ms: How far that may be off.
        marks: Held against it and not yet faded.
        marks_total: All since the start.
        cut_off_ms: For how long it is still cut off.
        reason: Code of the last mark.
    """

    agency: AgencyId
    name: str
    index: int | None
    failures: int
    last_error: str
    sent: int
    queued: dict[str, int]
    dropped: dict[str, int]
    heard_ms: int | None
    height: int | None
    round: int | None
    voted: int | None
    clock_offset_ms: int | None
    clock_error_ms: int
    marks: int
    marks_total: int
    cut_off_ms: int
    reason: str

    def to_json(self) -> Json:
        """Return the row for the status page."""
        return {
            "agency": self.agency.hex(),
            "name": self.name,
            "validator": self.index is not None,
            "failures": self.failures,
            "last_error": self.last_error,
            "sent": self.sent,
            "queued": dict(self.queued),
            "dropped": dict(self.dropped),
            "heard_ms": self.heard_ms,
            "height": self.height,
            "round": self.round,
            "voted_height": self.voted,
            "clock_offset_ms": self.clock_offset_ms,
            "clock_error_ms": self.clock_error_ms,
            "marks": self.marks,
            "marks_total": self.marks_total,
            "cut_off_ms": self.cut_off_ms,
            "reason": self.reason,
        }


def peer_rows(node: Node, clocks: ClockWatch) -> list[PeerRow]:
    """Return a row for each peer, ascending by agency."""
    return [_row(node, clocks, agency) for agency in sorted(node.peers.health)]


def name_of(node: Node, agency: AgencyId) -> str:
    """Return what an agency is called in the state; its id where nobody has named it."""
    return agency_name(node.application, agency) or agency.hex()


def _row(node: Node, clocks: ClockWatch, agency: AgencyId) -> PeerRow:
    now_ms = node.clock.monotonic_ms()
    health = node.peers.health[agency]
    report = node.world.intake.reports.of(agency)
    status = None if report is None else report.status
    index = node.application.validators_at(node.application.tip_height + 1).index_of(agency)
    offset = clocks.offset(agency)
    record = node.conduct.record(agency, now_ms)
    return PeerRow(
        agency=agency,
        name=name_of(node, agency),
        index=index,
        failures=health.failures,
        last_error=health.last_error,
        sent=health.sent,
        queued={lane: node.peers.queued(agency, lane) for lane in QUEUED},
        dropped={lane: node.peers.dropped(agency, lane) for lane in QUEUED},
        heard_ms=None if report is None else now_ms - report.heard_ms,
        height=None if status is None else status.last_committed,
        round=None if status is None else status.round,
        voted=None if report is None or index is None else report.voted.get(index),
        clock_offset_ms=None if offset is None else offset.offset_ms,
        clock_error_ms=0 if offset is None else offset.error_ms,
        marks=record.marks,
        marks_total=record.marks_total,
        cut_off_ms=node.conduct.cut_off_ms(agency, now_ms),
        reason=record.reason,
    )
