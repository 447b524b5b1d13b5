"""What each peer last said of itself: where it stands, and up to where it voted.

Only what came over a peer's own authenticated connection is noted against its name, and only for
operators to read: consensus and sync judge for themselves. Bounded: one record for each pinned
peer, 64 numbers in it.

Pure: the time is an argument.
"""

from dataclasses import dataclass, field

from consensus.messages import SignedVote, Status
from ledger.ids import AgencyId


@dataclass(slots=True)
class PeerReport:
    """What one peer said.

    Attributes:
        status: Its latest STATUS, or None.
        status_ms: When that came, monotonic.
        heard_ms: When any message of consensus came from it, monotonic.
        voted: The highest height of votes that it sent, by the validator index they name. They are
            not verified: whose index is its own is asked when it is read.
    """

    status: Status | None = None
    status_ms: int = 0
    heard_ms: int = 0
    voted: dict[int, int] = field(default_factory=dict)


class PeerReports:
    """Keeps the reports of all peers."""

    def __init__(self) -> None:
        self._reports: dict[AgencyId, PeerReport] = {}

    def of(self, peer: AgencyId) -> PeerReport | None:
        """Return what a peer said, or None if it has said nothing since the start."""
        return self._reports.get(peer)

    def saw_status(self, peer: AgencyId, status: Status, now_ms: int) -> None:
        """Note a STATUS."""
        report = self._heard(peer, now_ms)
        report.status = status
        report.status_ms = now_ms

    def saw_vote(self, peer: AgencyId, vote: SignedVote, now_ms: int, height_max: int) -> None:
        """Note that a peer sent a vote; one of a height that nobody can have reached is ignored.

        Args:
            peer: Whose connection it came over.
            vote: Not verified.
            now_ms: Monotonic time.
            height_max: The highest height that is worth noting.
        """
        report = self._heard(peer, now_ms)
        if report.voted.get(vote.validator, 0) < vote.height <= height_max:
            report.voted[vote.validator] = vote.height

    def _heard(self, peer: AgencyId, now_ms: int) -> PeerReport:
        report = self._reports.setdefault(peer, PeerReport())
        report.heard_ms = now_ms
        return report
