"""Headers, outcomes, validator sets and quorum certificates.

Source: docs/formats.md, sections 7 and 8.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from verifier.encoding import Value, decode, encode
from verifier.hashes import hashed, prefix
from verifier.refusals import MismatchError
from verifier.shapes import (
    ascending,
    distinct,
    fixed,
    integer,
    listed,
    maybe,
    octets,
    signature,
    words,
)
from verifier.signatures import SIGNING, PublicKey, check_signature, make_key

HEADER_BYTES_MAX: Final = 1_024
OUTCOME_BYTES_MAX: Final = 512 * 1024
CERTIFICATE_BYTES_MAX: Final = 256 * 1024
ROUND_MAX: Final = 2**31 - 1
VALIDATORS_MAX: Final = 64

_DIGEST: Final = 32
_CHANGES_MAX: Final = 4_096
_NOTES_MAX: Final = 256
_NUMBER_CHARS_MAX: Final = 128
_HEADER_ELEMENTS: Final = 17


@dataclass(frozen=True, slots=True)
class Header:
    """What validators sign; the names are those of the document."""

    digest: bytes
    network_id: bytes
    height: int
    round: int
    time_ms: int
    parent: bytes
    headers_root: bytes
    entries_root: bytes
    entries_count: int
    outcomes_root: bytes
    log_size: int
    log_root: bytes
    state_root: bytes
    validators: bytes
    next_validators: bytes
    proposer: int
    evidence_root: bytes


@dataclass(frozen=True, slots=True)
class QuorumCertificate:
    """Precommits by index in the set of their height."""

    height: int
    round: int
    block_id: bytes
    signatures: tuple[tuple[int, bytes], ...]

    def check(self, network_id: bytes, validators: "ValidatorSet") -> None:
        """Refuse a certificate that does not hold by a set.

        Raises:
            MismatchError: A stranger signed, a signature is wrong, or the weight is too small.
            CannotCheckError: A key of an algorithm that this program does not have.
        """
        signed = encode([1, network_id, self.height, self.round, self.block_id])
        weight = 0
        for index, one in self.signatures:
            if index >= len(validators.members):
                raise MismatchError("quorum_stranger", "somebody outside the set signed")
            member = validators.members[index]
            check_signature(member.key, prefix("precommit") + signed, one, "quorum_signature")
            weight += member.weight
        if 3 * weight <= 2 * sum(member.weight for member in validators.members):
            raise MismatchError("quorum_weight", "the signers hold no more than two thirds")


class Certified(NamedTuple):
    """A header and the certificate that stands beside it."""

    header: Header
    certificate: QuorumCertificate

    def check(self, network_id: bytes, validators: "ValidatorSet") -> None:
        """Refuse a certificate of another header, or that does not hold.

        Raises:
            MismatchError: It is of another height or header, or does not hold.
            CannotCheckError: As `QuorumCertificate.check`.
        """
        if self.certificate.height != self.header.height:
            raise MismatchError("quorum_height", "the certificate is for another height")
        if self.certificate.block_id != self.header.digest:
            raise MismatchError("quorum_header", "the certificate is for another header")
        self.certificate.check(network_id, validators)


class Validator(NamedTuple):
    """An agency with a vote."""

    agency_id: bytes
    key: PublicKey
    weight: int


class ValidatorSet(NamedTuple):
    """Those who vote at a height, and the digest that headers name."""

    members: tuple[Validator, ...]
    digest: bytes


class Outcome(NamedTuple):
    """What executing an entry gave, as far as a verifier asks."""

    entry_digest: bytes
    registration_number: str | None


def read_header(raw: bytes) -> Header:
    """Return a header.

    Raises:
        UnreadableError: Not canonical, another shape, or out of bounds.
    """
    value = fixed(decode(raw, HEADER_BYTES_MAX), _HEADER_ELEMENTS, "header")
    integer(value[0], "header.version", 1, 1)

    def digest(position: int) -> bytes:
        return octets(value[position], _DIGEST, "header")

    return Header(
        digest=hashed("header", raw),
        network_id=digest(1),
        height=integer(value[2], "header.height", 1),
        round=integer(value[3], "header.round", 0, ROUND_MAX),
        time_ms=integer(value[4], "header.time_ms"),
        parent=digest(5),
        headers_root=digest(6),
        entries_root=digest(7),
        entries_count=integer(value[8], "header.entries_count"),
        outcomes_root=digest(9),
        log_size=integer(value[10], "header.log_size"),
        log_root=digest(11),
        state_root=digest(12),
        validators=digest(13),
        next_validators=digest(14),
        proposer=integer(value[15], "header.proposer", 0, VALIDATORS_MAX - 1),
        evidence_root=digest(16),
    )


def read_quorum_certificate(raw: bytes) -> QuorumCertificate:
    """Return a quorum certificate, not yet checked.

    Raises:
        UnreadableError: Not canonical, another shape, or out of bounds.
    """
    version, height, round_number, block_id, signatures = fixed(
        decode(raw, CERTIFICATE_BYTES_MAX), 5, "quorum certificate"
    )
    integer(version, "quorum certificate", 1, 1)
    pairs = []
    for one in listed(signatures, 1, VALIDATORS_MAX, "quorum certificate"):
        index, signed = fixed(one, 2, "quorum certificate")
        place = integer(index, "quorum certificate", 0, VALIDATORS_MAX - 1)
        pairs.append((place, signature(signed, "quorum certificate")))
    ascending([index for index, _ in pairs], "quorum certificate")
    return QuorumCertificate(
        integer(height, "quorum certificate", 1),
        integer(round_number, "quorum certificate", 0, ROUND_MAX),
        octets(block_id, _DIGEST, "quorum certificate"),
        tuple(pairs),
    )


def read_certified(header: Value, certificate: Value, place: str) -> Certified:
    """Return a header and its certificate from two byte strings."""
    if not isinstance(header, bytes) or not isinstance(certificate, bytes):
        header, certificate = octets(header, 0, place), octets(certificate, 0, place)
    return Certified(read_header(header), read_quorum_certificate(certificate))


def read_validator_set(value: Value) -> ValidatorSet:
    """Return a set from its value.

    Raises:
        UnreadableError: Another shape, out of bounds or order, or a key is there twice.
    """
    version, listed_members = fixed(value, 2, "validator set")
    integer(version, "validator set", 1, 1)
    members = []
    for one in listed(listed_members, 1, VALIDATORS_MAX, "validator set"):
        agency_id, algorithm, public, weight = fixed(one, 4, "validator")
        members.append(
            Validator(
                octets(agency_id, 16, "validator.agency_id"),
                make_key(algorithm, public, SIGNING, "validator.key"),
                integer(weight, "validator.weight", 1, 2**31 - 1),
            )
        )
    return make_validator_set(members)


def make_validator_set(members: list[Validator]) -> ValidatorSet:
    """Return a set of its members, which ascend by agency and have keys of their own."""
    ascending([member.agency_id for member in members], "validator set")
    distinct([member.key.key_id for member in members], "validator set")
    values = [[one.agency_id, one.key.algorithm, one.key.public, one.weight] for one in members]
    return ValidatorSet(tuple(members), hashed("validators", encode([1, values])))


def read_outcome(raw: bytes) -> Outcome:
    """Return an outcome.

    Raises:
        UnreadableError: Not canonical, another shape, or out of bounds or order.
    """
    version, entry_digest, number, changes, flags, warnings = fixed(
        decode(raw, OUTCOME_BYTES_MAX), 6, "outcome"
    )
    integer(version, "outcome", 1, 1)
    keys = []
    for change in listed(changes, 0, _CHANGES_MAX, "outcome.changes"):
        key, value_hash = fixed(change, 2, "outcome.change")
        keys.append(octets(key, _DIGEST, "outcome.change"))
        maybe(value_hash, lambda value: octets(value, _DIGEST, "outcome.change"))
    ascending(keys, "outcome.changes")
    for notes in (flags, warnings):
        for one in listed(notes, 0, _NOTES_MAX, "outcome.notes"):
            words(one, "outcome.notes")
    return Outcome(
        octets(entry_digest, _DIGEST, "outcome.entry_digest"),
        maybe(number, lambda value: words(value, "outcome.number", 0, _NUMBER_CHARS_MAX)),
    )
