"""The light client: believing a header far ahead of the one that is believed, without the blocks.

A *trusted point* is a header that is believed, reduced to what the next step needs. A *light block*
is a certified header with its own validator set and the next one. From a point a light block is
believed

* if it is the next one: by the set that the point names as the next;
* if it is further ahead (skipping): if its certificate holds under the set that it brings, and
  those of its signers who are in the point's next set hold more than a third of that set's weight,
  so that one honest validator of a set that is believed has signed.

Both hold only while the point is younger than the trusting period, in which nobody who has signed
may take their stake, or here their mandate, and walk away. What is well formed and has too little
trust is tried by way of a header in between: `climb`.

Pure: the clock's value is an argument, and what has to be fetched is yielded.

Source: docs/formats.md, section 16; Braithwaite et al., *A Tendermint Light Client*,
arXiv:2010.07031; the published steps of `lightclient` among the test vectors.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Final, NamedTuple

from keys.hashing import Digest
from ledger.canonical import decode, encode
from ledger.errors import InvalidDataError, InvalidProofError, InvalidQuorumError, UntrustedError
from ledger.fields import read_array, read_version
from ledger.limits import BLOCK_BYTES_MAX
from ledger.quorum import print_quorum_certificate
from ledger.trust import CertifiedHeader, TrustBundle, read_certified
from ledger.validators import ValidatorSet

LIGHT_BLOCK_BYTES_MAX: Final = BLOCK_BYTES_MAX
"""A header, a certificate and two sets need at most a fifth of it."""
DAY_MS: Final = 24 * 3_600_000

_VERSION: Final = 1
_WORD: Final = "light-block"
_ELEMENTS: Final = 6


class LightNetworkError(UntrustedError):
    """The header is of another network than the trusted one."""

    code = "ledger.light_wrong_network"


class LightExpiredError(UntrustedError):
    """The trusted header is older than the trusting period: nothing follows from it any more."""

    code = "ledger.light_expired"


class LightNotNewerError(UntrustedError):
    """The header is not above the trusted one."""

    code = "ledger.light_not_newer"


class LightTimeError(InvalidProofError):
    """The header is above the trusted one, but not later."""

    code = "ledger.light_wrong_time"


class LightFutureError(UntrustedError):
    """The header's time has not come yet, by the verifier's clock."""

    code = "ledger.light_from_future"


class LightSetError(InvalidProofError):
    """A set beside the header is not the one that the header, or the one before it, names."""

    code = "ledger.light_wrong_set"


class LightParentError(InvalidProofError):
    """The next header does not name the trusted one as its parent."""

    code = "ledger.light_wrong_parent"


class LightAnswerError(InvalidProofError):
    """The light block is of another height than was asked for."""

    code = "ledger.light_wrong_answer"


class NotEnoughTrustError(UntrustedError):
    """Well formed, but most of those who signed it are unknown: go in smaller steps."""

    code = "ledger.light_not_enough_trust"


@dataclass(frozen=True, slots=True, kw_only=True)
class LightPolicy:
    """How far a light client trusts.

    Attributes:
        trusting_period_ms: From the time of a header on; at its end nothing follows any more.
        clock_drift_ms: By how much less than this a header may be ahead of the verifier's clock.
        trust_part: Numerator and denominator: signers need more than this part of the trusted
            set's weight. At least a third, or nobody honest may be among them.
    """

    trusting_period_ms: int = 180 * DAY_MS
    clock_drift_ms: int = 10_000
    trust_part: tuple[int, int] = (1, 3)

    def __post_init__(self) -> None:
        """Refuse a policy that trusts too easily; it is set by programs, never by strangers."""
        numerator, denominator = self.trust_part
        assert self.trusting_period_ms > 0, "a trusting period is positive"
        assert self.clock_drift_ms >= 0, "a clock drift is not negative"
        assert denominator <= 3 * numerator <= 3 * denominator, "a third to the whole"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedPoint:
    """A header that is believed, reduced to what the next step needs.

    Attributes:
        network_id: 32 bytes.
        height: Of the header; 0 for genesis.
        time_ms: Of the header.
        block_id: Its digest; for genesis the network_id.
        next_validators: The set of `height + 1`.
    """

    network_id: Digest
    height: int
    time_ms: int
    block_id: Digest
    next_validators: ValidatorSet


class LightBlock(NamedTuple):
    """A certified header with the sets that it names; believed only after `check_light`.

    Attributes:
        certified: The header and its certificate.
        validators: The set of its height.
        next_validators: The set of the next height.
    """

    certified: CertifiedHeader
    validators: ValidatorSet
    next_validators: ValidatorSet

    @property
    def height(self) -> int:
        """Of the header."""
        return self.certified.header.height

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        header, certificate = self.certified
        sets = (self.validators.to_value(), self.next_validators.to_value())
        return encode((_VERSION, _WORD, header.raw, print_quorum_certificate(certificate), *sets))


def parse_light_block(raw: bytes) -> LightBlock:
    """Read bytes from anywhere; nothing is verified but the shape.

    Raises:
        InvalidDataError: Too long, not canonical, another shape, or an impossible set.
    """
    value = decode(raw, LIGHT_BLOCK_BYTES_MAX, limit="bytes of a light block")
    fields = read_array(value, _WORD, _ELEMENTS)
    read_version(fields[0], f"{_WORD}.version", _VERSION)
    if fields[1] != _WORD:
        raise InvalidDataError("not a light block")
    return LightBlock(
        read_certified(fields[2], fields[3], _WORD),
        ValidatorSet.from_value(fields[4]),
        ValidatorSet.from_value(fields[5]),
    )


def trusted_point(trust: TrustBundle) -> TrustedPoint:
    """Return the newest point that a trust bundle vouches for: genesis if it has no header."""
    newest = trust.newest
    return TrustedPoint(
        network_id=trust.network_id,
        height=trust.newest_height,
        time_ms=trust.newest_time_ms,
        block_id=trust.network_id if newest is None else newest.header.digest,
        next_validators=trust.validators_at(trust.newest_height + 1),
    )


def check_light(
    trusted: TrustedPoint, block: LightBlock, policy: LightPolicy, now_ms: int
) -> TrustedPoint:
    """Believe a light block because of a trusted point, and return it as the next one.

    Args:
        trusted: What is believed.
        block: From anywhere.
        policy: How far to trust.
        now_ms: The verifier's clock, milliseconds since 1970.

    Raises:
        NotEnoughTrustError: All else holds, but signers known to the point have too little weight.
        UntrustedError: Another network, the point has expired, not above it, or from the future.
        InvalidProofError: Not later than the point, a wrong set beside it, or another parent.
        InvalidQuorumError: The certificate is of another header, or does not hold.
    """
    header = block.certified.header
    _check_place(trusted, block, policy, now_ms)
    _check_sets(trusted, block)
    _check_final(block)
    if header.height > trusted.height + 1:
        _check_overlap(trusted, block, policy)
    return TrustedPoint(
        network_id=header.network_id,
        height=header.height,
        time_ms=header.time_ms,
        block_id=header.digest,
        next_validators=block.next_validators,
    )


def climb(
    trusted: TrustedPoint, height: int, policy: LightPolicy, now_ms: int
) -> Generator[int, LightBlock, tuple[TrustedPoint, ...]]:
    """Go up to a height in as few steps as trust allows, by halving the way where it does not.

    Yields heights; send the light block of each. At most 63 light blocks wait at a time.

    Args:
        trusted: Where to begin, below `height`.
        height: Where to end.
        policy: How far to trust.
        now_ms: The verifier's clock.

    Returns:
        The points that were believed on the way, ascending; the last is of `height`.

    Raises:
        LightAnswerError: A light block is of another height than was asked for.
        InvalidDataError: As `check_light`, for whatever smaller steps do not mend.
    """
    if height <= trusted.height:
        raise LightNotNewerError(f"height {height} is not above {trusted.height}")
    believed: list[TrustedPoint] = []
    waiting = [_answer(height, (yield height))]
    while waiting:
        block = waiting[-1]
        try:
            trusted = check_light(trusted, block, policy, now_ms)
        except NotEnoughTrustError:
            middle = (trusted.height + block.height) // 2
            waiting.append(_answer(middle, (yield middle)))
        else:
            waiting.pop()
            believed.append(trusted)
    return tuple(believed)


def weight_in(known: ValidatorSet, block: LightBlock) -> int:
    """Return the weight that a light block's signers hold in another set, where their keys stand.

    Args:
        known: The set whose members count, with their weight in it.
        block: Its certificate was checked: no signer is outside its set.
    """
    signatures = block.certified.quorum_certificate.signatures
    signers = {block.validators[index].key for index, _signature in signatures}
    return sum(one.weight for one in known.validators if one.key in signers)


def _answer(height: int, block: LightBlock) -> LightBlock:
    if block.height != height:
        raise LightAnswerError(
            f"a light block of height {block.height} where {height} was asked for",
            height=block.height,
            expected=height,
        )
    return block


def _check_place(
    trusted: TrustedPoint, block: LightBlock, policy: LightPolicy, now_ms: int
) -> None:
    header = block.certified.header
    if header.network_id != trusted.network_id:
        raise LightNetworkError("the header is of another network than the trusted one")
    if trusted.time_ms + policy.trusting_period_ms <= now_ms:
        raise LightExpiredError(
            f"the trusted header of height {trusted.height} is older than the trusting period",
            height=trusted.height,
        )
    if header.height <= trusted.height:
        raise LightNotNewerError(
            f"the header of height {header.height} is not above the trusted {trusted.height}",
            height=header.height,
        )
    if header.time_ms <= trusted.time_ms:
        raise LightTimeError(
            f"the header of height {header.height} is not later than that of {trusted.height}",
            height=header.height,
        )
    if header.time_ms >= now_ms + policy.clock_drift_ms:
        raise LightFutureError(
            f"the header of height {header.height} is of {header.time_ms}, now is {now_ms}",
            height=header.height,
        )


def _check_sets(trusted: TrustedPoint, block: LightBlock) -> None:
    header = block.certified.header
    named = (header.validators, header.next_validators)
    if named != (block.validators.digest, block.next_validators.digest):
        raise LightSetError("the sets beside the header are not those that it names")
    if header.height == trusted.height + 1:
        if header.validators != trusted.next_validators.digest:
            raise LightSetError("the next header is by another set than the trusted one names")
        if header.parent != trusted.block_id:
            raise LightParentError("the next header has another parent than the trusted one")


def _check_final(block: LightBlock) -> None:
    header, certificate = block.certified
    if (certificate.height, certificate.block_id) != (header.height, header.digest):
        raise InvalidQuorumError(f"the quorum certificate is not of the header {header.height}")
    certificate.check(header.network_id, block.validators)


def _check_overlap(trusted: TrustedPoint, block: LightBlock, policy: LightPolicy) -> None:
    known = trusted.next_validators
    weight = weight_in(known, block)
    if not known.is_above(weight, policy.trust_part):
        raise NotEnoughTrustError(
            f"the signers of height {block.height} hold {weight} of {known.total_weight} of the"
            f" trusted set",
            height=block.height,
            weight=weight,
            total=known.total_weight,
        )
