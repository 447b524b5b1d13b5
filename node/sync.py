"""A node that is behind leaves voting, fetches certified blocks, and comes back by itself.

Behind is who is two heights or more below what more than a third of the weight says it has stored
(one of them is honest), or below a quorum certificate that verifies. One height behind is normal
for a moment; whoever stays there for `PATIENCE_MS` catches up the same way.

Blocks are asked of several peers ahead of time and applied strictly in order: certificate under
the set of its height, links, execution, one batch. A peer that gives a bad block is blamed and that
block is asked of another; a lying peer costs time and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from consensus.messages import Status
from consensus.schedule import height_reached_by_some_honest
from keys.errors import BadSignatureError
from ledger.canonical import decode
from ledger.errors import InvalidDataError
from ledger.fields import read_array, read_bytes_up_to
from ledger.ids import AgencyId
from ledger.limits import BLOCK_BYTES_MAX
from ledger.quorum import QUORUM_CERTIFICATE_BYTES_MAX, QuorumCertificate, parse_quorum_certificate
from ledger.validators import ValidatorSet
from node.errors import InvalidProposalError
from node.logs import Log
from node.ports import Network, Question, Timers

BLOCKS_PATH: Final = "/peer/v1/blocks/"
CERTIFIED_BLOCK_BYTES_MAX: Final = BLOCK_BYTES_MAX + QUORUM_CERTIFICATE_BYTES_MAX + 64
AHEAD_MAX: Final = 8
"""Blocks asked for before the ones before them are applied."""
BEHIND_MIN: Final = 2
PATIENCE_MS: Final = 1_000
PAUSE_MS: Final = 200
PROBE_EVERY_MS: Final = 5_000


class SyncTarget(Protocol):
    """The chain that is to grow, and the voting that stands still meanwhile."""

    @property
    def tip_height(self) -> int:
        """The highest stored height."""

    def validators_at(self, height: int) -> ValidatorSet:
        """Return the set of a height up to tip + 1."""

    def check_certificate(self, certificate: QuorumCertificate) -> None:
        """Verify a certificate under the set that we believe its height to have.

        Raises:
            InvalidQuorumError: It does not hold.
        """

    def apply_certified(self, block_raw: bytes, certificate: QuorumCertificate) -> None:
        """Verify the certificate, execute and store the block after the tip.

        Raises:
            InvalidDataError: The bytes are not what they claim to be.
            InvalidProposalError: The block does not continue the chain.
        """

    def leave_voting(self) -> None:
        """Stop taking part."""

    def return_to_voting(self) -> None:
        """Begin the height after the tip."""


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A block that waits for its turn."""

    peer: AgencyId
    raw: bytes


class Sync:
    """Notices that this node is behind, and catches up.

    Args:
        target: What grows.
        network: The other nodes.
        timers: For pauses.
        log: Takes notes.
    """

    def __init__(self, target: SyncTarget, network: Network, timers: Timers, log: Log) -> None:
        self._target = target
        self._network = network
        self._timers = timers
        self._log = log
        self._statuses: dict[AgencyId, Status] = {}
        self._fetched: dict[int, _Fetched] = {}
        self._asked: dict[int, AgencyId] = {}
        self._refused: dict[int, set[AgencyId]] = {}
        self._goal = 0
        self._probed: set[AgencyId] = set()
        self._is_suspicious = False
        self.is_active = False

    @property
    def goal(self) -> int:
        """The height to reach; 0 if this node was never behind."""
        return self._goal

    def status(self, peer: AgencyId, status: Status) -> None:
        """Take the word of a peer on where it stands."""
        self._statuses[peer] = status
        self._consider(self._honest_height())
        if status.last_committed >= self._target.tip_height + BEHIND_MIN:
            self._probe(peer, status.last_committed)

    def _probe(self, peer: AgencyId, claimed: int) -> None:
        """Let a single peer prove with one certificate that we are behind."""
        if self.is_active or peer in self._probed:
            return
        self._probed.add(peer)

        def take(raw: bytes | None) -> None:
            self._timers.after(PROBE_EVERY_MS, lambda: self._probed.discard(peer))
            if raw is None:
                return
            try:
                _block, certificate = parse_certified_block(raw)
                self._target.check_certificate(certificate)
            except (InvalidDataError, BadSignatureError):
                return  # the set may have changed since our tip: nobody's fault
            if certificate.height == claimed:
                self._consider(claimed)

        self._network.ask(peer, question_for(claimed), take)

    def _honest_height(self) -> int:
        validators = self._target.validators_at(self._target.tip_height + 1)
        by_index: dict[int, Status] = {}
        for peer, status in self._statuses.items():
            index = validators.index_of(peer)
            if index is not None:
                by_index[index] = status
        return height_reached_by_some_honest(by_index, validators)

    def _consider(self, reached: int) -> None:
        behind = reached - self._target.tip_height
        if behind >= BEHIND_MIN:
            self._activate(reached)
        elif behind > 0 and not self.is_active and not self._is_suspicious:
            self._is_suspicious = True
            height = self._target.tip_height
            self._timers.after(PATIENCE_MS, lambda: self._still_behind(height, reached))

    def _still_behind(self, height: int, reached: int) -> None:
        self._is_suspicious = False
        if self._target.tip_height == height:
            self._activate(reached)

    def _activate(self, reached: int) -> None:
        self._goal = max(self._goal, reached)
        if not self.is_active:
            self.is_active = True
            self._log.info("sync_started", tip=self._target.tip_height, goal=self._goal)
            self._target.leave_voting()
            self._advance()

    def _advance(self) -> None:
        if not self.is_active:
            return
        tip = self._target.tip_height
        if tip >= self._goal:
            self._finish()
            return
        for height in range(tip + 1, min(self._goal, tip + AHEAD_MAX) + 1):
            if height not in self._fetched and height not in self._asked:
                self._ask(height)

    def _ask(self, height: int) -> None:
        peer = self._choose(height)
        if peer is None:
            self._refused.pop(height, None)
            self._timers.after(PAUSE_MS, self._advance)
            return
        self._asked[height] = peer
        self._network.ask(peer, question_for(height), self._taker(height, peer))

    def _choose(self, height: int) -> AgencyId | None:
        """Return a peer that says it has the height and has not failed on it, in turn."""
        refused = self._refused.get(height, set())
        candidates = [
            peer
            for peer in self._network.peers
            if peer not in refused
            and (peer not in self._statuses or self._statuses[peer].last_committed >= height)
        ]
        return candidates[height % len(candidates)] if candidates else None

    def _taker(self, height: int, peer: AgencyId) -> Callable[[bytes | None], None]:
        def take(raw: bytes | None) -> None:
            if self._asked.pop(height, None) is None or not self.is_active:
                return
            if raw is None:
                self._refused.setdefault(height, set()).add(peer)
            else:
                self._fetched[height] = _Fetched(peer, raw)
                self._apply_ready()
            self._advance()

        return take

    def _apply_ready(self) -> None:
        """Apply what continues the tip; a bad block is asked of somebody else."""
        while (fetched := self._fetched.pop(self._target.tip_height + 1, None)) is not None:
            height = self._target.tip_height + 1
            try:
                block_raw, certificate = parse_certified_block(fetched.raw)
                self._target.apply_certified(block_raw, certificate)
            except (InvalidDataError, BadSignatureError, InvalidProposalError) as error:
                self._network.blame(fetched.peer, error.code)
                self._log.warning("sync_refused", peer=fetched.peer, height=height, code=error.code)
                self._refused.setdefault(height, set()).add(fetched.peer)
                return
            self._refused.pop(height, None)

    def _finish(self) -> None:
        self.is_active = False
        self._fetched.clear()
        self._asked.clear()
        self._refused.clear()
        self._log.info("sync_done", tip=self._target.tip_height)
        self._target.return_to_voting()
        self._consider(self._honest_height())


def question_for(height: int) -> Question:
    """Return what a peer is asked for a stored block with its certificate."""
    return Question(f"{BLOCKS_PATH}{height}", CERTIFIED_BLOCK_BYTES_MAX)


def parse_certified_block(raw: bytes) -> tuple[bytes, QuorumCertificate]:
    """Read canonical [block bin, quorum_certificate bin].

    Raises:
        InvalidDataError: Too long, or another shape.
    """
    value = decode(raw, CERTIFIED_BLOCK_BYTES_MAX, limit="bytes of a certified block")
    block, certificate = read_array(value, "certified_block", 2)
    return (
        read_bytes_up_to(block, "certified_block.block", BLOCK_BYTES_MAX),
        parse_quorum_certificate(
            read_bytes_up_to(
                certificate, "certified_block.certificate", QUORUM_CERTIFICATE_BYTES_MAX
            )
        ),
    )
