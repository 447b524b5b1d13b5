"""Messages from peers: parsed, looked up among the known, verified, given to the driver.

Duplicates are dropped before any signature is checked: by the hash of their bytes first, then by
what the core says it knows. A message of a height that is over is late, not wrong; one of a height
too far ahead means nothing. What does not parse or verify counts against the peer that sent it:
peers send their own messages and what they verified themselves, so no third party can make an
honest one look bad.

What a liar can sign without end, or make us verify without blame, has a budget, so that neither
processor nor log is his: votes and proposals of far rounds and of later heights for each validator
that *signed* them (counted only once the signature holds, so nobody spends another's budget), later
heights that do not verify for each peer that *sent* them, STATUS for each peer. What is over a
budget is dropped and nobody's fault; an honest node never comes near one.
"""

from typing import TYPE_CHECKING, Final

from consensus.events import (
    Event,
    PolkaProofReceived,
    ProposalReceived,
    ReportEvidence,
    RoundProofReceived,
    VoteReceived,
)
from consensus.evidence import Evidence
from consensus.future import FUTURE_HEIGHTS_MAX
from consensus.messages import SignedProposal, SignedVote, Status, open_proposal, open_vote
from consensus.proofs import (
    SignedPolkaProof,
    SignedRoundProof,
    open_polka_proof,
    open_round_proof,
)
from consensus.wire import SignedMessage, parse_message
from keys.errors import BadSignatureError
from keys.hashing import sha256
from ledger.errors import InvalidDataError
from ledger.ids import AgencyId
from ledger.validators import ValidatorSet
from node.driver import Driver
from node.peer_reports import PeerReports
from node.rate_limits import RateLimits

if TYPE_CHECKING:
    from node.world import NodeWorld, Ports

SEEN_MAX: Final = 16_384
"""Hashes of messages that were taken in lately."""
FAR_PER_SECOND: Final = 32
FAR_BURST: Final = 256
"""Messages of far rounds and later heights that are taken of one validator."""
UNEXPLAINED_PER_SECOND: Final = 1
UNEXPLAINED_BURST: Final = 32
"""Messages of later heights that do not verify, of one peer: the set may change there."""
STATUS_PER_SECOND: Final = 2
STATUS_BURST: Final = 16


class Intake:
    """Takes messages of authenticated peers.

    Args:
        world: Sets of heights, votes seen, sync.
        driver: Who gets the events.
        ports: Clock, network, log.
    """

    def __init__(self, world: "NodeWorld", driver: Driver, ports: "Ports") -> None:
        self._world = world
        self._driver = driver
        self._ports = ports
        self.reports = PeerReports()
        self._far = RateLimits(FAR_PER_SECOND, FAR_BURST)
        self._unexplained = RateLimits(UNEXPLAINED_PER_SECOND, UNEXPLAINED_BURST)
        self._statuses = RateLimits(STATUS_PER_SECOND, STATUS_BURST)
        self._seen: set[bytes] = set()
        self._seen_at = 0

    def take(self, peer: AgencyId, messages: tuple[bytes, ...]) -> None:
        """Take a batch of messages, then let the driver work once.

        Raises:
            InvalidDataError: One of them is none; those before it were taken.
            BadSignatureError: One of them is not signed by who it names; likewise.
        """
        try:
            for raw in messages:
                self._take_one(peer, raw)
        finally:
            self._world.turn()

    def _take_one(self, peer: AgencyId, raw: bytes) -> None:
        name = sha256(raw)
        if name in self._seen and self._seen_at == self._driver.height:
            return
        message = parse_message(raw)
        now_ms = self._ports.clock.monotonic_ms()
        if isinstance(message, Status):
            if self._statuses.take(peer.hex(), now_ms):
                return
            self.reports.saw_status(peer, message, now_ms)
            self._world.sync.status(peer, message)
            return
        if isinstance(message, SignedVote):
            height_max = self._world.tip_height + 1 + FUTURE_HEIGHTS_MAX
            self.reports.saw_vote(peer, message, now_ms, height_max)
        event = self._open(peer, message, now_ms)
        if event is not None:
            self._driver.put(event)
            self._remember(name)

    def _remember(self, name: bytes) -> None:
        """Know these bytes again while this height lasts; at the next all may be needed anew."""
        if self._seen_at != self._driver.height or len(self._seen) >= SEEN_MAX:
            self._seen.clear()
            self._seen_at = self._driver.height
        self._seen.add(name)

    def _open(self, peer: AgencyId, message: SignedMessage, now_ms: int) -> Event | None:
        """Verify a message that would change something; None for all others."""
        next_height = self._world.tip_height + 1
        if isinstance(message, Evidence):
            if message.height <= next_height and self._world.evidence.wants(message):
                self._take_evidence(message)
            return None
        if not next_height <= message.height < next_height + FUTURE_HEIGHTS_MAX + 1:
            return None
        validators = self._world.validators_at(message.height)
        if self._world.sync.is_active or self._driver.is_known(message, validators.digest):
            return None
        signer = self._far_signer(message, validators)
        if signer is not None and self._far.wait_ms(signer, now_ms):
            return None
        is_later = message.height > next_height
        if is_later and self._unexplained.wait_ms(peer.hex(), now_ms):
            return None
        try:
            event = self._verified(message, validators)
        except (InvalidDataError, BadSignatureError):
            if is_later:
                self._unexplained.spend(peer.hex(), 1, now_ms)
                return None  # perhaps the set changes there: nobody's fault
            raise
        if signer is not None:
            self._far.spend(signer, 1, now_ms)
        return event

    def _far_signer(self, message: SignedMessage, validators: ValidatorSet) -> str | None:
        """Return who is to have signed a vote or proposal that lies far ahead; None for others.

        By agency: an index is somebody else's after the set has changed.
        """
        state = self._driver.state
        if isinstance(message, SignedVote):
            index = message.validator
        elif isinstance(message, SignedProposal):
            index = message.proposer
        else:
            return None
        is_far = state is None or message.height > state.height or message.round > state.round + 1
        is_member = index < len(validators)  # who is none is refused when it is opened
        return validators[index].agency_id.hex() if is_far and is_member else None

    def _verified(self, message: SignedMessage, validators: ValidatorSet) -> Event | None:
        network_id = self._world.application.network_id
        match message:
            case SignedVote():
                vote = open_vote(message, validators, network_id)
                self._world.latest_votes.saw(validators[vote.validator].agency_id, message)
                return VoteReceived(vote)
            case SignedProposal():
                proposal = open_proposal(message, validators, network_id)
                return ProposalReceived(proposal, self._ports.clock.now_ms())
            case SignedPolkaProof():
                return PolkaProofReceived(open_polka_proof(message, validators, network_id))
            case SignedRoundProof():
                proof = open_round_proof(message, validators, network_id)
                for vote in proof.votes:
                    agency = validators[vote.validator].agency_id
                    self._world.latest_votes.saw(agency, vote.signed)
                return RoundProofReceived(proof)
            case _:
                return None

    def _take_evidence(self, evidence: Evidence) -> None:
        evidence.check(
            self._world.validators_at(evidence.height), self._world.application.network_id
        )
        self._world.report(ReportEvidence(evidence))
