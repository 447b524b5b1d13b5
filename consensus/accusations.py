"""Evidence as a file: what an equivocation needs to be judged by somebody who has only a bundle.

Wire form, docs/formats.md section 16:

    equivocation = canonical([1, "equivocation", evidence bin, header bin, quorum_certificate bin,
                              validator_set value])

`evidence` is the message EVIDENCE. The set is that of its height; a certified header says so,
either that of the height by `validators` or the one before by `next_validators`. The other file
of this kind, two headers of one height, is `ledger.conflicts`'s.

Old evidence proves nothing by itself: keys that were replaced long ago may be in anybody's hands.
What stands in a block was judged when the block was made, and is judged again by an audit.

Source: the design's consensus.md, Invariants.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from consensus.errors import InvalidEvidenceError, OldEvidenceError
from consensus.evidence import Evidence
from consensus.wire import parse_message, print_message
from keys.hashing import Digest
from ledger.canonical import Value, decode, encode
from ledger.conflicts import CONFLICT_BYTES_MAX, HeaderConflict, conflict_from_value
from ledger.errors import InvalidDataError, InvalidQuorumError, UntrustedError
from ledger.fields import read_array, read_bytes_up_to, read_version
from ledger.limits import MESSAGE_BYTES_MAX
from ledger.quorum import print_quorum_certificate
from ledger.receipts import Check
from ledger.trust import CertifiedHeader, OldHeaderError, TrustBundle, read_certified
from ledger.validators import ValidatorSet

ACCUSATION_BYTES_MAX: Final = CONFLICT_BYTES_MAX

_VERSION: Final = 1
_WORD: Final = "equivocation"
_ELEMENTS: Final = 6


@dataclass(frozen=True, slots=True)
class Equivocation:
    """Two messages of one validator with the proof of who it was; believed after `examine`.

    Attributes:
        evidence: The two messages.
        certified: A header of the evidence's height, or of the one before.
        validators: The set of the evidence's height.
    """

    evidence: Evidence
    certified: CertifiedHeader
    validators: ValidatorSet

    @property
    def height(self) -> int:
        """Of both messages."""
        return self.evidence.height

    @property
    def network_id(self) -> Digest:
        """As the header says; its certificate vouches for it."""
        return self.certified.header.network_id

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        header, certificate = self.certified
        evidence, proof = print_message(self.evidence), print_quorum_certificate(certificate)
        return encode((_VERSION, _WORD, evidence, header.raw, proof, self.validators.to_value()))


Accusation: TypeAlias = Equivocation | HeaderConflict


def parse_accusation(raw: bytes) -> Accusation:
    """Read a file of evidence from anywhere; nothing is verified but the shape.

    Args:
        raw: At most ACCUSATION_BYTES_MAX bytes.

    Raises:
        InvalidDataError: Too long, not canonical, neither of the two kinds, or another shape.
    """
    value = decode(raw, ACCUSATION_BYTES_MAX, limit="bytes of a file of evidence")
    if isinstance(value, tuple) and value[1:2] == (_WORD,):
        return _read_equivocation(value)
    return conflict_from_value(value)


def examine(accusation: Accusation, trust: TrustBundle, now_ms: int) -> tuple[Check, ...]:
    """Do every check of a file of evidence and report each one by its name.

    The names are network, set, quorum, messages, trust for an equivocation; network, headers, trust
    for two headers. It holds if none has an error.

    Args:
        accusation: From `parse_accusation`.
        trust: What the verifier believes beforehand.
        now_ms: The verifier's clock.
    """
    checks: tuple[tuple[str, Callable[[], object]], ...]
    if isinstance(accusation, HeaderConflict):
        known, other = accusation.known, accusation.other
        checks = (
            ("network", lambda: _check_network(known, trust)),
            ("headers", lambda: accusation.check(trust)),
            ("trust", lambda: _check_trust((known, other), trust, now_ms)),
        )
    else:
        certified = accusation.certified
        checks = (
            ("network", lambda: _check_network(certified, trust)),
            ("set", lambda: _check_set(accusation)),
            ("quorum", lambda: _check_final(certified, trust)),
            ("messages", lambda: _check_messages(accusation)),
            ("trust", lambda: _check_trust((certified,), trust, now_ms)),
        )
    return tuple([Check(name, _failure_of(check)) for name, check in checks])


def _check_network(certified: CertifiedHeader, trust: TrustBundle) -> None:
    if certified.header.network_id != trust.network_id:
        raise UntrustedError("the evidence is of another network than the trust bundle")


def _check_set(accusation: Equivocation) -> None:
    header, height = accusation.certified.header, accusation.evidence.height
    if header.height == height:
        named = header.validators
    elif header.height == height - 1:
        named = header.next_validators
    else:
        raise InvalidEvidenceError("the header is not of the evidence's height or the one before")
    if named != accusation.validators.digest:
        raise InvalidEvidenceError("the header names another set than the one beside it")


def _check_final(certified: CertifiedHeader, trust: TrustBundle) -> None:
    header, certificate = certified
    if (certificate.height, certificate.block_id) != (header.height, header.digest):
        raise InvalidQuorumError("the quorum certificate is of another header")
    certificate.check(header.network_id, trust.check_header(header))


def _check_messages(accusation: Equivocation) -> None:
    accusation.evidence.check(accusation.validators, accusation.network_id)


def _check_trust(certified: tuple[CertifiedHeader, ...], trust: TrustBundle, now_ms: int) -> None:
    trust.check_fresh(now_ms)
    for one in certified:
        try:
            trust.check_young(one.header)
        except OldHeaderError as error:
            raise OldEvidenceError(
                "the evidence is over 180 days older than the newest header", **error.details
            ) from error


def _failure_of(check: Callable[[], object]) -> InvalidDataError | None:
    try:
        check()
    except InvalidDataError as error:
        return error
    return None


def _read_equivocation(value: Value) -> Equivocation:
    fields = read_array(value, _WORD, _ELEMENTS)
    read_version(fields[0], f"{_WORD}.version", _VERSION)
    raw = read_bytes_up_to(fields[2], f"{_WORD}.evidence", MESSAGE_BYTES_MAX)
    evidence = parse_message(raw)
    if not isinstance(evidence, Evidence):
        raise InvalidDataError("the message of a file of evidence is another one")
    return Equivocation(
        evidence,
        read_certified(fields[3], fields[4], _WORD),
        ValidatorSet.from_value(fields[5]),
    )
