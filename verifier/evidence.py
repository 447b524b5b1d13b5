"""Evidence: messages of a validator that contradict each other, in a block or as a file.

Source: docs/formats.md, sections 8, 14 and 16.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from verifier.encoding import Value, decode, encode
from verifier.hashes import prefix
from verifier.headers import (
    ROUND_MAX,
    VALIDATORS_MAX,
    Certified,
    ValidatorSet,
    read_certified,
    read_validator_set,
)
from verifier.refusals import CannotCheckError, MismatchError, RefusedError
from verifier.shapes import (
    fixed,
    integer,
    listed,
    maybe,
    octets,
    octets_to,
    refuse,
    signature,
    versioned,
)
from verifier.signatures import check_signature
from verifier.trust import Trust, read_trust
from verifier.verdicts import Verdict, attempt, unreadable, verdict_of

_Checking: TypeAlias = Callable[[], None]

EVIDENCE_BYTES_MAX: Final = 64 * 1024
FILE_BYTES_MAX: Final = 1024 * 1024
PROPOSAL, PREVOTE, PRECOMMIT, EVIDENCE = 1, 2, 3, 7

_PURPOSES: Final = {PROPOSAL: "proposal", PREVOTE: "prevote", PRECOMMIT: "precommit"}
_DIGEST: Final = 32
_VOTE_ELEMENTS: Final = 7
_PROPOSAL_ELEMENTS: Final = 9


@dataclass(frozen=True, slots=True)
class Message:
    """A vote or a proposal, not verified.

    Attributes:
        kind: PROPOSAL, PREVOTE or PRECOMMIT.
        height: From 1.
        round: From 0.
        content: What is signed behind height and round.
        signer: Index in the set of the height.
        signature: As it came.
        raw: Canonical bytes.
    """

    kind: int
    height: int
    round: int
    content: tuple[bytes | int | None, ...]
    signer: int
    signature: bytes
    raw: bytes

    @property
    def place(self) -> tuple[int, int, int, int]:
        """Height, round, kind and signer: where an honest validator speaks once."""
        return self.height, self.round, self.kind, self.signer

    def check(self, network_id: bytes, validators: ValidatorSet) -> None:
        """Refuse a message that its signer did not sign.

        Raises:
            MismatchError: The signer is outside the set, or the signature is wrong.
            CannotCheckError: A key of an algorithm that this program does not have.
        """
        if self.signer >= len(validators.members):
            raise MismatchError("evidence_stranger", "the accused is outside the set")
        value = [1, network_id, self.height, self.round, *self.content]
        message = prefix(_PURPOSES[self.kind]) + encode(value)
        key = validators.members[self.signer].key
        check_signature(key, message, self.signature, "evidence_signature")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two messages that contradict each other; their signatures are not verified."""

    first: Message
    second: Message
    raw: bytes

    @property
    def height(self) -> int:
        """Of both messages."""
        return self.first.height

    @property
    def order(self) -> tuple[int, int, int, int, bytes]:
        """What the pieces of a block ascend by."""
        return (*self.first.place, self.raw)

    def check(self, network_id: bytes, validators: ValidatorSet) -> None:
        """Refuse evidence that one of the two messages' signatures does not bear out."""
        self.first.check(network_id, validators)
        self.second.check(network_id, validators)


@dataclass(frozen=True, slots=True)
class Equivocation:
    """A file about two messages, of which only the shape was checked."""

    evidence: Evidence
    certified: Certified
    validators: ValidatorSet


@dataclass(frozen=True, slots=True)
class Conflict:
    """A file about two headers, of which only the shape was checked."""

    known: Certified
    other: Certified
    set_height: int
    made_up: ValidatorSet | None


File: TypeAlias = Equivocation | Conflict


def check_evidence(raw: bytes, trust_raw: bytes, now_ms: int) -> Verdict:
    """Return the answer about a file of evidence.

    Args:
        raw: The file.
        trust_raw: A trust bundle.
        now_ms: The time of whoever asks.

    Raises:
        RefusedError: The bundle itself does not hold.
    """
    return examine_evidence(raw, read_trust(trust_raw), now_ms)


def examine_evidence(raw: bytes, trust: Trust, now_ms: int) -> Verdict:
    """Return the answer about a file of evidence, with a bundle that was read before."""
    try:
        read = read_file(raw)
    except RefusedError as error:
        return unreadable(error)
    checks: list[tuple[str, _Checking]]
    if isinstance(read, Conflict):
        headers = [read.known, read.other]
        checks = [("headers", lambda: _check_headers(read, trust))]
    else:
        headers = [read.certified]
        checks = [
            ("set", lambda: _check_set(read)),
            ("quorum", lambda: _check_final(read.certified, trust)),
            ("messages", lambda: read.evidence.check(trust.network_id, read.validators)),
        ]
    return verdict_of(
        (
            attempt("network", lambda: _check_network(headers[0], trust)),
            *[attempt(name, check) for name, check in checks],
            attempt("trust", lambda: _check_trust(headers, trust, now_ms)),
        )
    )


def read_file(raw: bytes) -> File:
    """Return a file of evidence.

    Raises:
        UnreadableError: Not canonical, of neither kind, another shape, or no contradiction.
    """
    value = decode(raw, FILE_BYTES_MAX)
    if isinstance(value, list) and value[1:2] == ["equivocation"]:
        message, header, certificate, validators = versioned(value, "equivocation", 4)
        return Equivocation(
            read_evidence(octets_to(message, EVIDENCE_BYTES_MAX, "evidence")),
            read_certified(header, certificate, "evidence"),
            read_validator_set(validators),
        )
    known, known_proof, other, other_proof, height, made_up = versioned(value, "conflict", 6)
    return Conflict(
        read_certified(known, known_proof, "conflict"),
        read_certified(other, other_proof, "conflict"),
        integer(height, "conflict.set_height", 1),
        maybe(made_up, read_validator_set),
    )


def read_evidence(raw: bytes) -> Evidence:
    """Return a message EVIDENCE.

    Raises:
        UnreadableError: Not canonical, another shape, or no contradiction.
    """
    version, kind, first, second = fixed(decode(raw, EVIDENCE_BYTES_MAX), 4, "evidence")
    integer(version, "evidence.version", 1, 1)
    integer(kind, "evidence.kind", EVIDENCE, EVIDENCE)
    evidence = Evidence(_read_message(first), _read_message(second), raw)
    if evidence.first.place != evidence.second.place:
        raise refuse("evidence", "the messages are of different places")
    if evidence.first.content == evidence.second.content:
        raise refuse("evidence", "the messages say the same")
    if evidence.first.raw >= evidence.second.raw:
        raise refuse("evidence", "the messages are not in order")
    return evidence


def _read_message(value: Value) -> Message:
    elements = listed(value, _VOTE_ELEMENTS, _PROPOSAL_ELEMENTS, "evidence.message")
    is_vote = len(elements) == _VOTE_ELEMENTS
    version, kind_value, height, round_value, block = elements[:5]
    integer(version, "message.version", 1, 1)
    low, high = (PREVOTE, PRECOMMIT) if is_vote else (PROPOSAL, PROPOSAL)
    kind = integer(kind_value, "message.kind", low, high)
    round_number = integer(round_value, "message.round", 0, ROUND_MAX)
    content: tuple[bytes | int | None, ...]
    if is_vote:
        content = (maybe(block, lambda found: octets(found, _DIGEST, "message.block_id")),)
    else:
        *_, polka, time_ms, _signer, _signature = fixed(elements, _PROPOSAL_ELEMENTS, "proposal")
        content = (
            octets(block, _DIGEST, "message.block_id"),
            integer(polka, "message.pol_round", -1, round_number - 1),
            integer(time_ms, "message.time_ms"),
        )
    return Message(
        kind=kind,
        height=integer(height, "message.height", 1),
        round=round_number,
        content=content,
        signer=integer(elements[-2], "message.signer", 0, VALIDATORS_MAX - 1),
        signature=signature(elements[-1], "message.signature"),
        raw=encode(elements),
    )


def _check_network(certified: Certified, trust: Trust) -> None:
    if certified.header.network_id != trust.network_id:
        raise CannotCheckError("network", "the evidence is of another network")


def _check_set(read: Equivocation) -> None:
    header = read.certified.header
    named = {header.height: header.validators, header.height + 1: header.next_validators}
    if named.get(read.evidence.height) != read.validators.digest:
        raise MismatchError("evidence_set", "the header does not name this set for that height")


def _check_final(certified: Certified, trust: Trust) -> None:
    certified.check(trust.network_id, trust.set_of(certified.header))


def _check_headers(read: Conflict, trust: Trust) -> None:
    known, other = read.known.header, read.other.header
    if known.height != other.height or known.digest == other.digest:
        raise MismatchError("no_conflict", "two headers of one height that differ are needed")
    if known.network_id != other.network_id:
        raise MismatchError("no_conflict", "the headers are of different networks")
    validators = trust.set_of(known)
    read.known.check(trust.network_id, validators)
    signers = {index for index, _ in read.other.certificate.signatures}
    if read.made_up is None:
        if other.validators != validators.digest or read.set_height != known.height:
            raise MismatchError("wrong_set", "the other header is not by the set of its height")
        read.other.check(trust.network_id, validators)
        accused = signers & {index for index, _ in read.known.certificate.signatures}
    else:
        accused = _signers_of_made_up(read, read.made_up, signers, trust)
        validators = trust.set_at(read.set_height)
    weight = sum(validators.members[index].weight for index in accused)
    if 3 * weight <= sum(member.weight for member in validators.members):
        raise MismatchError("no_conflict", "the accused hold a third at most")


def _signers_of_made_up(
    read: Conflict, made_up: ValidatorSet, signers: set[int], trust: Trust
) -> set[int]:
    other = read.other.header
    if other.validators != made_up.digest or other.validators == read.known.header.validators:
        raise MismatchError("no_conflict", "the set beside the other header is not made up")
    if read.set_height > other.height:
        raise MismatchError("no_conflict", "the accused set is of a later height")
    read.other.check(trust.network_id, made_up)
    keys = {made_up.members[index].key for index in signers}
    members = trust.set_at(read.set_height).members
    return {at for at, member in enumerate(members) if member.key in keys}


def _check_trust(headers: list[Certified], trust: Trust, now_ms: int) -> None:
    trust.check_time(now_ms)
    for one in headers:
        trust.check_age(one.header)
