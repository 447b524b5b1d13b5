"""Who votes at a height, with what weight, and "more than two thirds" in one place.

Wire form, docs/formats.md section 8:

    validator      = [agency_id bin 16, algorithm int, public bin, weight int 1 ... 2^31 - 1]
    validator_set  = [1, [validator ...]]                  1 ... 64, strictly ascending by agency_id

A proposer, a vote and a quorum certificate name a validator by its index in this order. The digest
of a set is `H(validators, canonical(validator_set))`; headers hold it. Weights are integers and
exactly two thirds is no quorum; so every question about thirds is asked here and nowhere else.

Source: the design's consensus.md (Rules) and formats.md, section 6.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Self

from keys.errors import InvalidKeyError
from keys.hashing import Digest, domain, hash_with
from keys.signing import PublicKey, parse_public_key
from ledger.canonical import Value, decode, encode
from ledger.errors import InvalidDataError
from ledger.fields import read_array, read_bytes, read_bytes_up_to, read_int, read_version
from ledger.ids import ID_BYTES, AgencyId
from ledger.limits import VALIDATORS_MAX, check_limit

WEIGHT_MAX: Final = 2**31 - 1
"""Of one validator; 64 of them times three still fit every integer of the format."""
VALIDATOR_SET_BYTES_MAX: Final = 256 * 1024
"""Bytes of an encoded set: 64 validators with the longest keys need half of it."""

_VERSION: Final = 1
_PUBLIC_BYTES_MAX: Final = 4_096
_ALGORITHM_MAX: Final = 255
_VALIDATORS: Final = domain("validators")


@dataclass(frozen=True, slots=True)
class Validator:
    """One member of a set.

    Attributes:
        agency_id: 16 bytes; the agency whose node votes.
        key: Its consensus key.
        weight: `1 ... WEIGHT_MAX`.
    """

    agency_id: AgencyId
    key: PublicKey
    weight: int


@dataclass(frozen=True, slots=True)
class ValidatorSet:
    """The validators of one height, sorted by agency id; make one with `validator_set`.

    Attributes:
        validators: Strictly ascending by agency id, 1 ... 64, keys unique.
        total_weight: The sum of all weights.
        digest: 32 bytes; H(validators, canonical value).
    """

    validators: tuple[Validator, ...]
    total_weight: int = field(init=False, compare=False)
    digest: Digest = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse an impossible set; compute weight and digest once.

        Raises:
            InvalidDataError: Empty, not sorted, an id or key twice, or a weight out of bounds.
            LimitExceededError: More than 64.
        """
        _check(self.validators)
        object.__setattr__(self, "total_weight", sum(one.weight for one in self.validators))
        object.__setattr__(self, "digest", hash_with(_VALIDATORS, encode(self.to_value())))

    def __len__(self) -> int:
        return len(self.validators)

    def __getitem__(self, index: int) -> Validator:
        return self.validators[index]

    def index_of(self, agency_id: bytes) -> int | None:
        """Return the index of an agency's validator, or None if it is no member."""
        for index, validator in enumerate(self.validators):
            if validator.agency_id == agency_id:
                return index
        return None

    def is_quorum(self, weight: int) -> bool:
        """Tell whether a weight is more than two thirds of the whole: Q(w), 3w > 2W."""
        return 3 * weight > 2 * self.total_weight

    @property
    def quorum_weight(self) -> int:
        """The least weight that is a quorum."""
        return 2 * self.total_weight // 3 + 1

    def is_skip(self, weight: int) -> bool:
        """Tell whether a weight is more than one third: S(w), 3w > W; one honest is among them."""
        return 3 * weight > self.total_weight

    def is_above(self, weight: int, part: tuple[int, int]) -> bool:
        """Tell whether a weight is more than a part (numerator, denominator) of the whole."""
        numerator, denominator = part
        return denominator * weight > numerator * self.total_weight

    def to_value(self) -> Value:
        """Return `[1, [[agency_id, algorithm, public, weight] ...]]`."""
        return (
            _VERSION,
            tuple(
                (one.agency_id, int(one.key.algorithm), one.key.public, one.weight)
                for one in self.validators
            ),
        )

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Read what `to_value` returns.

        Raises:
            InvalidDataError: Another shape, a key that is none, or a rule of the set is broken.
        """
        version, members = read_array(value, "validator_set", 2)
        read_version(version, "validator_set.version", _VERSION)
        array = read_array(members, "validator_set.validators", (1, VALIDATORS_MAX))
        return cls(tuple(_read_validator(member) for member in array))


def validator_set(validators: tuple[Validator, ...]) -> ValidatorSet:
    """Return the set of validators that may come in any order.

    Raises:
        InvalidDataError: Empty, an id or key twice, or a weight out of bounds.
        LimitExceededError: More than 64.
    """
    return ValidatorSet(tuple(sorted(validators, key=lambda one: one.agency_id)))


def print_validator_set(validators: ValidatorSet) -> bytes:
    """Return the canonical bytes of a set."""
    return encode(validators.to_value())


def parse_validator_set(raw: bytes) -> ValidatorSet:
    """Read canonical bytes from anywhere.

    Raises:
        InvalidDataError: Too long, not canonical, another shape, or a rule of the set is broken.
    """
    return ValidatorSet.from_value(
        decode(raw, VALIDATOR_SET_BYTES_MAX, limit="bytes of a validator set")
    )


def _read_validator(value: Value) -> Validator:
    agency_id, algorithm, public, weight = read_array(value, "validator", 4)
    number = read_int(algorithm, "validator.algorithm", 1, _ALGORITHM_MAX)
    raw = read_bytes_up_to(public, "validator.public", _PUBLIC_BYTES_MAX)
    try:
        key = parse_public_key(number, raw)
    except InvalidKeyError as error:
        raise InvalidDataError("validator.public is no key of its algorithm") from error
    return Validator(
        AgencyId(read_bytes(agency_id, "validator.agency_id", ID_BYTES)),
        key,
        read_int(weight, "validator.weight", 1, WEIGHT_MAX),
    )


def _check(validators: tuple[Validator, ...]) -> None:
    if not validators:
        raise InvalidDataError("a validator set is empty")
    check_limit("validators of a set", len(validators), VALIDATORS_MAX)
    ids = [one.agency_id for one in validators]
    if any(len(agency_id) != ID_BYTES for agency_id in ids):
        raise InvalidDataError(f"an agency id of a validator set is not {ID_BYTES} bytes")
    if any(left >= right for left, right in pairwise(ids)):
        raise InvalidDataError("a validator set is not strictly ascending by agency id")
    if len({one.key for one in validators}) != len(validators):
        raise InvalidDataError("two validators of a set have the same key")
    for one in validators:
        if not 1 <= one.weight <= WEIGHT_MAX:
            raise InvalidDataError(f"a validator's weight is {one.weight}")
