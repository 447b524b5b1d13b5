"""What a validator asks its peers before it votes: where is the chain, and what did I say last?

A restored machine image brings back key, guard and log together, so none of them can tell that this
key has signed since. The peers can. On every start a validator waits for answers of more than two
thirds of the weight, its own included (an operator's explicit command ends the wait), and then

* votes in no height at or below the highest that is certified;
* votes in no height at or below the highest in which a peer has seen a vote of its that its own
  guard does not know: then it was restored from a backup;
* if the guard is older than what its key has signed, does not vote within two heights of the
  highest certified one either. That it is older shows in such a vote; in a stored certificate with
  a signature of ours that the guard does not know (`GuardCheck`); and is supposed where the
  operator says that there never was a guard.

A guard that is merely behind the chain, because the others went on while this node was down, is not
older: whoever was killed votes at once in the height that comes next. If it had to stay silent for
two heights, these could not come while another node is down, and the network would stand for ever.

The guard remembers what was signed, the log what it was signed upon: a lock. A guard that knows a
place above the tip of which there is no log any more keeps us silent in that height: the log was
lost, a damaged one was set aside, or an earlier start of this height was to be silent and began it
anew. (Without the last, one peer that lies at the second start would have us vote without a lock.)

A single peer may lie. It can only keep us silent for heights, never make us vote; so a claim about
the certified height counts when more than a third of the weight makes it, and a vote of ours that
was seen is shown with its signature, which we check.

    answer = canonical([1, tip height, [[agency_id bin 16, vote value] ...]])

The votes are the latest that the peer has seen of each validator, see `LatestVotes`. Who is asked,
and when enough have answered, is decided in `node.interrogation`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from consensus.events import RoundProofReceived, StartHeight, VoteReceived
from consensus.messages import SignedVote, Vote, VoteType, vote_message
from keys.errors import BadSignatureError, CivregError
from keys.signing import PublicKey
from keys.signing import verify as verify_signature
from ledger.canonical import decode, encode
from ledger.fields import INTEGER_MAX, read_array, read_bytes, read_int, read_version
from ledger.ids import ID_BYTES, AgencyId
from ledger.limits import MESSAGE_BYTES_MAX, VALIDATORS_MAX
from ledger.quorum import QuorumCertificate
from ledger.validators import ValidatorSet
from node.errors import PeerMisbehavedError
from node.logs import Log
from node.ports import Question
from node.signer import Place, SignedKind

STATUS_PATH: Final = "/peer/v1/status"
STATUS_BYTES_MAX: Final = 8 * MESSAGE_BYTES_MAX
STATUS: Final = Question(STATUS_PATH, STATUS_BYTES_MAX)
OLD_GUARD_DISTANCE: Final = 2
"""Heights after the highest certified one in which a node with an older guard stays silent."""
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    """What one peer said.

    Attributes:
        tip_height: The highest height that it has stored with a certificate.
        votes: The latest vote it has seen of each validator.
    """

    tip_height: int
    votes: Mapping[AgencyId, SignedVote]


class LatestVotes:
    """The latest vote seen of each validator, by height, round and type; for those who restart.

    It remembers every agency that ever was in a set whose votes came here: as many as ballots have
    admitted. An answer holds as many as a set may have: that of whoever asks, and the newest.
    """

    def __init__(self) -> None:
        self._votes: dict[AgencyId, SignedVote] = {}

    def saw(self, agency: AgencyId, vote: SignedVote) -> None:
        """Remember a verified vote if it is later than the one known."""
        known = self._votes.get(agency)
        if known is None or place_of(vote) > place_of(known):
            self._votes[agency] = vote

    def restore(self, events: Iterable[object]) -> None:
        """Remember the votes of a log, so that a restart of ours makes no peer forget its own.

        Each counts for who it is in the set under which it was opened: that of the log's height, or
        another one of a later height, which the log may not know; then it is passed over.

        Args:
            events: Of the consensus log, after a crash.
        """
        sets: dict[bytes, ValidatorSet] = {}
        for event in events:
            if isinstance(event, StartHeight):
                sets[event.validators.digest] = event.validators
            for vote in _votes_of(event):
                validators = sets.get(vote.validators_digest)
                if validators is not None and vote.validator < len(validators):
                    self.saw(validators[vote.validator].agency_id, vote.signed)

    def answer(self, tip_height: int, asker: AgencyId | None = None) -> bytes:
        """Return what `GET /peer/v1/status` gives.

        Args:
            tip_height: The highest height that is stored with a certificate.
            asker: Whose own vote must be in it, however old; None: nobody's.
        """
        newest = sorted(
            self._votes.items(),
            key=lambda one: (one[0] == asker, place_of(one[1]), one[0]),
            reverse=True,
        )
        chosen = sorted(newest[:VALIDATORS_MAX], key=lambda one: one[0])
        votes = tuple((agency, vote.to_value()) for agency, vote in chosen)
        return encode((_VERSION, tip_height, votes))


def _votes_of(event: object) -> Iterable[Vote]:
    """Return the votes that an event of a log brings."""
    match event:
        case VoteReceived(vote=vote):
            return (vote,)
        case RoundProofReceived(proof=proof):
            return proof.votes
        case StartHeight(kept=kept):
            return tuple(one for one in kept if isinstance(one, Vote))
        case _:
            return ()


def parse_answer(raw: bytes) -> PeerAnswer:
    """Read what a peer answered; nothing in it is verified.

    Raises:
        InvalidDataError: Too long, or another shape.
    """
    value = decode(raw, STATUS_BYTES_MAX, limit="bytes of a status")
    version, tip_height, votes = read_array(value, "status", 3)
    read_version(version, "status.version", _VERSION)
    found: dict[AgencyId, SignedVote] = {}
    for pair in read_array(votes, "status.votes", (0, VALIDATORS_MAX)):
        agency, vote = read_array(pair, "status.votes[]", 2)
        found[AgencyId(read_bytes(agency, "status.agency", ID_BYTES))] = SignedVote.from_value(vote)
    return PeerAnswer(read_int(tip_height, "status.tip_height", 0, INTEGER_MAX), found)


def place_of(vote: SignedVote) -> Place:
    """Return the place of a vote in the order in which a key signs."""
    is_prevote = vote.type is VoteType.PREVOTE
    return Place(
        vote.height, vote.round, SignedKind.PREVOTE if is_prevote else SignedKind.PRECOMMIT
    )


@dataclass(frozen=True, slots=True)
class Permission:
    """Where this validator may vote.

    Attributes:
        from_height: The lowest height.
        is_asked: Whether peers were asked; not where the set did not know this node at its tip and
            its guard knew nothing.
    """

    from_height: int
    is_asked: bool = True


@dataclass(frozen=True, slots=True)
class Guard:
    """What a validator's last-signed guard says at the start.

    Attributes:
        last: The last place signed, or None if nothing was.
        is_made_up: Whether there was no guard and the operator said to go on without; it means
            nothing any more once the guard knows a place.
        log_height: The highest height of which the consensus log knows what we said, 0 if of none
            (`node.journal.lock_height`); None where an operator ended the wait: it does not count.
    """

    last: Place | None
    is_made_up: bool = False
    log_height: int | None = None


def decide_permission(
    own: AgencyId,
    guard: Guard,
    answers: Mapping[AgencyId, PeerAnswer],
    validators: ValidatorSet,
    verify: Callable[[SignedVote], None],
) -> Permission:
    """Return from which height on a validator may vote.

    Args:
        own: Whose key it is.
        guard: What its guard says.
        answers: By peer.
        validators: The present set.
        verify: Raises a CivregError if a vote is not signed by our key.
    """
    certified = certified_height(answers, validators)
    is_older = guard.is_made_up and guard.last is None and certified > 0
    guard_height = 0 if guard.last is None else guard.last.height
    from_height = certified + 1 if guard_height < certified else 1
    for answer in answers.values():
        seen = answer.votes.get(own)
        if seen is None or (guard.last is not None and place_of(seen) <= guard.last):
            continue
        try:
            verify(seen)
        except CivregError:
            continue
        is_older = True
        from_height = max(from_height, seen.height + 1)
    if is_older:
        from_height = max(from_height, certified + OLD_GUARD_DISTANCE + 1)
    if guard.log_height is not None and guard.log_height < guard_height:
        from_height = max(from_height, guard_height + 1)
    return Permission(from_height)


class GuardCheck:
    """Where this validator may vote, after each certificate that it sees.

    Whose own signature in a certificate is news to its guard, that one's guard is older than its
    key: machine or file were restored. So it is supposed where nobody was asked, because this node
    was in no set when it started, and it now fetches a block of whose set it was: a certificate
    may leave its signature out. A new member fetches such a block as well, and others may wait for
    its vote: so it asks before it goes back to voting, and what is answered ends the supposition.

    Args:
        own: This validator, or None for an observer.
        last_signed: Returns the last place that the guard knows.
        validators_at: The set of a height.
        log: Takes notes.

    Attributes:
        permission: So far; from `decide_permission` at first.
    """

    def __init__(
        self,
        own: AgencyId | None,
        last_signed: Callable[[], Place | None],
        validators_at: Callable[[int], ValidatorSet],
        log: Log,
    ) -> None:
        self._own = own
        self._last_signed = last_signed
        self._validators_at = validators_at
        self._log = log
        self._supposed_from = 0
        self.permission = Permission(1)

    def learn(self, permission: Permission) -> None:
        """Take in what later answers say: it can only forbid more, but for what was supposed."""
        from_height = max(self.permission.from_height, permission.from_height)
        self.permission = replace(permission, from_height=from_height)
        self._supposed_from = 0

    def may_vote(self, height: int) -> bool:
        """Tell whether votes in a height are permitted."""
        return height >= max(self.permission.from_height, self._supposed_from)

    def mind(self, certificate: QuorumCertificate) -> None:
        """Look at a verified certificate; most change nothing."""
        last, index = self._last_signed(), None
        if self._own is not None:
            index = self._validators_at(certificate.height).index_of(self._own)
        signed = index is not None and index in [place for place, _ in certificate.signatures]
        if last is not None and last.height >= certificate.height:
            return
        is_supposed = index is not None and last is None and not self.permission.is_asked
        if not signed and not is_supposed:
            return
        from_height = max(self.permission.from_height, certificate.height + OLD_GUARD_DISTANCE + 1)
        self._log.warning("guard_older", height=certificate.height, votes_from=from_height)
        if signed:
            self.permission = replace(self.permission, from_height=from_height)
        else:
            self._supposed_from = from_height


def certified_height(answers: Mapping[AgencyId, PeerAnswer], validators: ValidatorSet) -> int:
    """Return the highest height that more than one third of the weight says it has."""
    weight = 0
    for answer_height, agency in sorted(
        ((answer.tip_height, agency) for agency, answer in answers.items()), reverse=True
    ):
        index = validators.index_of(agency)
        if index is not None:
            weight += validators[index].weight
            if validators.is_skip(weight):
                return answer_height
    return 0


def own_vote_verifier(
    own: AgencyId,
    validators: ValidatorSet,
    network_id: bytes,
    keys: Iterable[PublicKey] = (),
) -> Callable[[SignedVote], None]:
    """Return what checks that a vote which a peer shows was signed by a key of ours.

    The index in a vote is that of the set of its height, which may not be known yet; no signature
    covers it, so whose vote it is shows by the key alone.

    Args:
        own: Whose votes.
        validators: The present set; its key for `own` counts, if it has one.
        network_id: 32 bytes.
        keys: Further keys of this node: the next one, or those of one that is not in the set yet.
    """
    index = validators.index_of(own)
    candidates = [*keys, *(() if index is None else (validators[index].key,))]

    def verify(vote: SignedVote) -> None:
        place = (vote.type, vote.height, vote.round, vote.block_id)
        message = vote_message(network_id, *place)
        for key in candidates:
            try:
                verify_signature(key, message, vote.signature)
            except BadSignatureError:
                continue
            return
        raise PeerMisbehavedError("a vote that a peer shows is by no key of this node")

    return verify
