"""Two certified headers of one height: proof that more than a third of the weight has lied.

Wire form, docs/formats.md section 16:

    conflict = canonical([1, "conflict", header bin, quorum_certificate bin, header bin,
                          quorum_certificate bin, set_height int >= 1, validator_set value | nil])

The first header is the one that the verifier's trust bundle vouches for. The second is

* by the same set, which is left out (nil). In the same round, whoever signed both has signed two
  precommits that contradict each other: **equivocation**, and they are named for certain. In
  different rounds the same people are **suspects**: each must show the polka that let it change
  its mind, and at least one of them cannot;
* or by a set that was made up, which stands beside it: a header for a light client that skips
  (**made-up set**). Those of its signers who were validators of `set_height` have signed for a
  header of a set that never was, which nobody honest does. Together they hold more than a third
  of that set, or no light client would have believed it.

Source: the design's consensus.md, Invariants; arXiv:2010.07031, sections on attacks.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from ledger.canonical import Value, decode, encode
from ledger.errors import InvalidDataError, InvalidProofError, InvalidQuorumError
from ledger.fields import INTEGER_MAX, read_array, read_int, read_version
from ledger.quorum import print_quorum_certificate
from ledger.trust import CertifiedHeader, TrustBundle, WrongValidatorsError, read_certified
from ledger.validators import Validator, ValidatorSet

CONFLICT_BYTES_MAX: Final = 1024 * 1024
"""Two headers with certificates and one set need at most three quarters of it."""

_VERSION: Final = 1
_WORD: Final = "conflict"
_ELEMENTS: Final = 8


class NoConflictError(InvalidProofError):
    """The two headers do not contradict each other, or prove nothing about anybody."""

    code = "ledger.no_conflict"


@unique
class ConflictKind(StrEnum):
    """What the two certificates prove."""

    EQUIVOCATION = "equivocation"
    AMNESIA = "amnesia"
    MADE_UP_SET = "made-up-set"


@dataclass(frozen=True, slots=True)
class Guilt:
    """What came of a conflict that holds; only `HeaderConflict.check` makes it.

    Attributes:
        kind: What the certificates prove.
        validators: The set whose members are accused.
        accused: Ascending indexes in it; suspects, not more, if the kind is AMNESIA.
        weight: Of the accused: more than a third of the set's.
    """

    kind: ConflictKind
    validators: ValidatorSet
    accused: tuple[int, ...]
    weight: int

    def members(self) -> tuple[Validator, ...]:
        """Return the accused, ascending by index."""
        return tuple([self.validators[index] for index in self.accused])


@dataclass(frozen=True, slots=True)
class HeaderConflict:
    """Two certified headers of one height, as they came; believe them only after `check`.

    Attributes:
        known: The one that the trust bundle vouches for.
        other: The one that contradicts it.
        set_height: Whose set is accused: the height of both, or for a made-up set a lower one at
            which those who signed were validators.
        made_up: The set that `other` names; None if it is that of its height.
    """

    known: CertifiedHeader
    other: CertifiedHeader
    set_height: int
    made_up: ValidatorSet | None

    @property
    def height(self) -> int:
        """Of both headers."""
        return self.known.header.height

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        made_up = None if self.made_up is None else self.made_up.to_value()
        pairs = (*_values(self.known), *_values(self.other))
        return encode((_VERSION, _WORD, *pairs, self.set_height, made_up))

    def check(self, trust: TrustBundle) -> Guilt:
        """Accept only two headers that cannot both be honest, and say who is accused.

        Whether the bundle is over, or the headers old, is the caller's question.

        Raises:
            NoConflictError: They are of two heights or the same, or accuse too little weight.
            UntrustedError: Of another network, or the bundle does not know the set.
            WrongValidatorsError: The known header is not by the set of its height.
            InvalidQuorumError: A certificate does not hold.
        """
        known, other = self.known.header, self.other.header
        if known.height != other.height or known.digest == other.digest:
            raise NoConflictError("two headers of one height that differ are needed")
        if known.network_id != other.network_id:
            raise NoConflictError("the headers are of different networks")
        validators = trust.check_header(known)
        _check_final(self.known, validators)
        guilt = (
            self._by_the_set(validators)
            if self.made_up is None
            else self._by_a_made_up_set(trust, self.made_up)
        )
        if not guilt.validators.is_skip(guilt.weight):
            raise NoConflictError(f"those who signed both hold {guilt.weight}, a third at most")
        return guilt

    def _by_the_set(self, validators: ValidatorSet) -> Guilt:
        if self.other.header.validators != validators.digest or self.set_height != self.height:
            raise WrongValidatorsError("the other header is not by the set of its height")
        _check_final(self.other, validators)
        ours, theirs = (one.quorum_certificate for one in (self.known, self.other))
        both = {index for index, _ in ours.signatures} & {index for index, _ in theirs.signatures}
        same_round = ours.round == theirs.round
        kind = ConflictKind.EQUIVOCATION if same_round else ConflictKind.AMNESIA
        return _guilt(kind, validators, both)

    def _by_a_made_up_set(self, trust: TrustBundle, made_up: ValidatorSet) -> Guilt:
        header = self.other.header
        if header.validators != made_up.digest or header.validators == self.known.header.validators:
            raise NoConflictError("the set beside the other header is not a made-up one of it")
        if self.set_height > self.height:
            raise NoConflictError("the accused set is of a later height")
        _check_final(self.other, made_up)
        validators = trust.validators_at(self.set_height)
        signatures = self.other.quorum_certificate.signatures
        signers = {made_up[index].key for index, _signature in signatures}
        accused = {at for at, one in enumerate(validators.validators) if one.key in signers}
        return _guilt(ConflictKind.MADE_UP_SET, validators, accused)


def conflict_of(
    known: CertifiedHeader, other: CertifiedHeader, made_up: ValidatorSet | None, set_height: int
) -> HeaderConflict:
    """Put two contradicting headers together.

    Args:
        known: The one that a trust bundle vouches for.
        other: The one that was told instead.
        made_up: The set that `other` names if it is not that of its height.
        set_height: Of whose set the signers of a made-up one were; else ignored.
    """
    names_the_same = known.header.validators == other.header.validators
    if names_the_same or made_up is None:
        return HeaderConflict(known, other, known.header.height, None)
    return HeaderConflict(known, other, set_height, made_up)


def find_conflict(trust: TrustBundle, other: TrustBundle) -> HeaderConflict | None:
    """Return the lowest contradiction between two trust bundles of one network, if there is one.

    Both bundles hold by themselves. Only heights of which both have a header can contradict.
    """
    theirs = {one.header.height: one for one in _certified_of(other)}
    for known in sorted(_certified_of(trust), key=lambda one: one.header.height):
        height = known.header.height
        told = theirs.get(height)
        if told is not None and told.header.digest != known.header.digest:
            return conflict_of(known, told, other.validators_at(height), height)
    return None


def parse_conflict(raw: bytes) -> HeaderConflict:
    """Read bytes from anywhere; nothing is verified but the shape.

    Raises:
        InvalidDataError: Too long, not canonical, or another shape.
    """
    return conflict_from_value(decode(raw, CONFLICT_BYTES_MAX, limit="bytes of a conflict"))


def conflict_from_value(value: Value) -> HeaderConflict:
    """Read a decoded value whose size the caller has bounded.

    Raises:
        InvalidDataError: Another shape.
    """
    fields = read_array(value, _WORD, _ELEMENTS)
    read_version(fields[0], f"{_WORD}.version", _VERSION)
    if fields[1] != _WORD:
        raise InvalidDataError("not a conflict of headers")
    return HeaderConflict(
        read_certified(fields[2], fields[3], f"{_WORD}.known"),
        read_certified(fields[4], fields[5], f"{_WORD}.other"),
        read_int(fields[6], f"{_WORD}.set_height", 1, INTEGER_MAX),
        None if fields[7] is None else ValidatorSet.from_value(fields[7]),
    )


def _certified_of(trust: TrustBundle) -> Iterable[CertifiedHeader]:
    newest = [] if trust.newest is None else [trust.newest]
    return (*[change.certified for change in trust.changes], *newest)


def _values(certified: CertifiedHeader) -> tuple[bytes, bytes]:
    return certified.header.raw, print_quorum_certificate(certified.quorum_certificate)


def _check_final(certified: CertifiedHeader, validators: ValidatorSet) -> None:
    header, certificate = certified
    if (certificate.height, certificate.block_id) != (header.height, header.digest):
        raise InvalidQuorumError(f"a quorum certificate is not of the header {header.height}")
    certificate.check(header.network_id, validators)


def _guilt(kind: ConflictKind, validators: ValidatorSet, accused: Iterable[int]) -> Guilt:
    indexes = tuple(sorted(accused))
    weight = sum(validators[index].weight for index in indexes)
    return Guilt(kind, validators, indexes, weight)
