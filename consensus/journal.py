"""Events as bytes and back, for the write-ahead log.

One record is one event, canonical MessagePack: `[1, tag, field ...]`, fields in the order of the
event's class. Signed messages stand as their wire values; an opened one adds the digest of the set
it was opened under, and is not verified again when it is read: these bytes come from our own disk,
where the log's checksums find damage. Never feed a stranger's bytes to `parse_event`.

    1 StartHeight                [height, validator_set, parameters, previous_time_ms, now_ms,
                                  may_vote bool, [kept event ...]]     kept: tags 3, 4, 5
    2 PoolNotEmpty               [height]
    3 VoteReceived               [vote, validators_digest]
    4 ProposalReceived           [proposal, validators_digest, received_ms]
    5 Quorum                     [type 2 | 3, height, round, block_id | nil, [[index, sig] ...],
                                  validators_digest]        a polka proof or a quorum certificate
    6 RoundProofReceived         [round_proof, validators_digest]
    7 BlockVerdict               [height, block_id, valid bool, header_round, time_ms, proposer]
    8 BodiesHeld                 [height, block_id]
    9 ValueBuilt                 [height, round, block_id, time_ms]
    10 BuildFailed               [height, round]
    11 TimerFired                [kind, height, round]

Source: the design's consensus.md, section Disk before wire.
"""

from typing import Final, TypeAlias

from consensus.events import (
    BlockVerdict,
    BodiesHeld,
    BuildFailed,
    Event,
    PolkaProofReceived,
    PoolNotEmpty,
    ProposalReceived,
    QuorumCertificateReceived,
    RoundProofReceived,
    StartHeight,
    TimerFired,
    TimerKind,
    ValueBuilt,
    VoteReceived,
)
from consensus.future import DatedProposal, Kept
from consensus.messages import Proposal, SignedProposal, SignedVote, Vote, VoteType
from consensus.parameters import Parameters
from consensus.proofs import Quorum, RoundProof, SignedRoundProof
from ledger.canonical import Value, decode, encode
from ledger.errors import InvalidDataError
from ledger.fields import (
    INTEGER_MAX,
    read_array,
    read_bool,
    read_digest,
    read_int,
    read_optional_digest,
    read_version,
)
from ledger.limits import VALIDATORS_MAX
from ledger.quorum import ROUND_MAX, read_signatures
from ledger.validators import ValidatorSet

EVENT_BYTES_MAX: Final = 8 * 1024 * 1024
"""Of one record; a StartHeight with everything that may be kept for it is far below."""

Fields: TypeAlias = tuple[Value, ...]

_VERSION: Final = 1
_KEPT_MAX: Final = 16 * VALIDATORS_MAX


def print_event(event: Event) -> bytes:
    """Return the record of an event."""
    return encode((_VERSION, *_fields_of(event)))


def parse_event(raw: bytes) -> Event:
    """Read a record of our own log.

    Raises:
        InvalidDataError: No record that `print_event` writes; the log is damaged or of another
            version.
    """
    return _read_event(decode(raw, EVENT_BYTES_MAX, limit="bytes of a log record"))


def _fields_of(event: Event) -> Fields:
    match event:
        case StartHeight():
            return _start_fields(event)
        case VoteReceived(vote=vote):
            return _kept_fields(vote)
        case ProposalReceived(proposal=proposal, received_ms=received_ms):
            return _kept_fields(DatedProposal(proposal, received_ms))
        case PolkaProofReceived(quorum=quorum) | QuorumCertificateReceived(quorum=quorum):
            return _kept_fields(quorum)
        case RoundProofReceived(proof=proof):
            return (6, proof.signed.to_value(), proof.validators_digest)
        case _:
            return _local_fields(event)


def _start_fields(event: StartHeight) -> Fields:
    kept = tuple((_VERSION, *_kept_fields(one)) for one in event.kept)
    sets = (event.validators.to_value(), event.parameters.to_value())
    return (
        1,
        event.height,
        *sets,
        event.previous_time_ms,
        event.now_ms,
        event.may_vote,
        kept,
    )


def _kept_fields(message: Kept) -> Fields:
    match message:
        case Vote():
            return (3, message.signed.to_value(), message.validators_digest)
        case DatedProposal(proposal=proposal, received_ms=received_ms):
            return (4, proposal.signed.to_value(), proposal.validators_digest, received_ms)
        case Quorum():
            place = (int(message.type), message.height, message.round, message.block_id)
            return (5, *place, message.signatures, message.validators_digest)


def _local_fields(event: Event) -> Fields:
    match event:
        case PoolNotEmpty():
            return (2, event.height)
        case BlockVerdict():
            place = (event.height, event.block_id, event.valid)
            return (7, *place, event.header_round, event.time_ms, event.proposer)
        case BodiesHeld():
            return (8, event.height, event.block_id)
        case ValueBuilt():
            return (9, event.height, event.round, event.block_id, event.time_ms)
        case BuildFailed():
            return (10, event.height, event.round)
        case TimerFired():
            return (11, int(event.kind), event.height, event.round)
        case _:  # pragma: no cover
            raise AssertionError(event)


def _read_event(value: Value) -> Event:
    if not isinstance(value, tuple) or len(value) < len(("version", "tag")):
        raise InvalidDataError("a log record is no array of version, tag and fields")
    read_version(value[0], "record.version", _VERSION)
    tag = read_int(value[1], "record.tag", min(_READERS), max(_READERS))
    return _READERS[tag](value[2:])


def _read_start(fields: Fields) -> Event:
    height, validators, parameters, *rest = read_array(fields, "start_height", 7)
    previous_time_ms, now_ms, may_vote, kept = rest
    return StartHeight(
        height=_height(height),
        validators=ValidatorSet.from_value(validators),
        parameters=Parameters.from_value(parameters),
        previous_time_ms=_time(previous_time_ms),
        now_ms=_time(now_ms),
        may_vote=read_bool(may_vote, "start_height.may_vote"),
        kept=tuple(
            _read_kept(one) for one in read_array(kept, "start_height.kept", (0, _KEPT_MAX))
        ),
    )


def _read_kept(value: Value) -> Kept:
    match _read_event(value):
        case VoteReceived(vote=vote):
            return vote
        case ProposalReceived(proposal=proposal, received_ms=received_ms):
            return DatedProposal(proposal, received_ms)
        case PolkaProofReceived(quorum=quorum) | QuorumCertificateReceived(quorum=quorum):
            return quorum
        case _:
            raise InvalidDataError("start_height.kept holds no message")


def _read_pool(fields: Fields) -> Event:
    (height,) = read_array(fields, "pool_not_empty", 1)
    return PoolNotEmpty(_height(height))


def _read_vote(fields: Fields) -> Event:
    vote, digest = read_array(fields, "vote_received", 2)
    return VoteReceived(Vote(SignedVote.from_value(vote), read_digest(digest, "digest")))


def _read_proposal(fields: Fields) -> Event:
    signed, digest, received_ms = read_array(fields, "proposal_received", 3)
    proposal = Proposal(SignedProposal.from_value(signed), read_digest(digest, "digest"))
    return ProposalReceived(proposal, _time(received_ms))


def _read_quorum(fields: Fields) -> Event:
    vote_type, height, round_number, block_id, signatures, digest = read_array(fields, "quorum", 6)
    quorum = Quorum(
        VoteType(read_int(vote_type, "quorum.type", VoteType.PREVOTE, VoteType.PRECOMMIT)),
        _height(height),
        _round(round_number),
        read_optional_digest(block_id, "quorum.block_id"),
        read_signatures(signatures, "quorum.signatures"),
        read_digest(digest, "digest"),
    )
    if quorum.type is VoteType.PREVOTE:
        return PolkaProofReceived(quorum)
    return QuorumCertificateReceived(quorum)


def _read_round_proof(fields: Fields) -> Event:
    value, raw_digest = read_array(fields, "round_proof_received", 2)
    signed, digest = SignedRoundProof.from_value(value), read_digest(raw_digest, "digest")
    votes = tuple(Vote(vote, digest) for vote in signed.votes)
    return RoundProofReceived(RoundProof(signed, votes, digest))


def _read_verdict(fields: Fields) -> Event:
    height, block_id, valid, header_round, time_ms, proposer = read_array(
        fields, "block_verdict", 6
    )
    return BlockVerdict(
        height=_height(height),
        block_id=read_digest(block_id, "block_verdict.block_id"),
        valid=read_bool(valid, "block_verdict.valid"),
        header_round=_round(header_round),
        time_ms=_time(time_ms),
        proposer=read_int(proposer, "block_verdict.proposer", 0, INTEGER_MAX),
    )


def _read_bodies(fields: Fields) -> Event:
    height, block_id = read_array(fields, "bodies_held", 2)
    return BodiesHeld(_height(height), read_digest(block_id, "bodies_held.block_id"))


def _read_built(fields: Fields) -> Event:
    height, round_number, block_id, time_ms = read_array(fields, "value_built", 4)
    digest = read_digest(block_id, "value_built.block_id")
    return ValueBuilt(_height(height), _round(round_number), digest, _time(time_ms))


def _read_failed(fields: Fields) -> Event:
    height, round_number = read_array(fields, "build_failed", 2)
    return BuildFailed(_height(height), _round(round_number))


def _read_timer(fields: Fields) -> Event:
    kind, height, round_number = read_array(fields, "timer_fired", 3)
    number = read_int(kind, "timer_fired.kind", min(TimerKind), max(TimerKind))
    place = read_int(round_number, "timer_fired.round", -1, ROUND_MAX)
    return TimerFired(TimerKind(number), _height(height), place)


def _height(value: Value) -> int:
    return read_int(value, "record.height", 0, INTEGER_MAX)


def _round(value: Value) -> int:
    return read_int(value, "record.round", 0, ROUND_MAX)


def _time(value: Value) -> int:
    return read_int(value, "record.time_ms", 0, INTEGER_MAX)


_READERS: Final = {
    1: _read_start,
    2: _read_pool,
    3: _read_vote,
    4: _read_proposal,
    5: _read_quorum,
    6: _read_round_proof,
    7: _read_verdict,
    8: _read_bodies,
    9: _read_built,
    10: _read_failed,
    11: _read_timer,
}
