"""Light blocks: a header far ahead of a trusted one, believed by a third of the trusted weight.

Source: docs/formats.md, section 16.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from verifier.encoding import decode
from verifier.headers import Certified, ValidatorSet, read_certified, read_validator_set
from verifier.refusals import CannotCheckError, MismatchError
from verifier.shapes import versioned

LIGHT_BYTES_MAX: Final = 5 * 1024 * 1024


class Light(NamedTuple):
    """A light block of which only the shape was checked."""

    certified: Certified
    validators: ValidatorSet
    next_validators: ValidatorSet


@dataclass(frozen=True, slots=True)
class Point:
    """A header that is believed: what the next step asks of it."""

    network_id: bytes
    height: int
    time_ms: int
    digest: bytes
    next_validators: ValidatorSet


@dataclass(frozen=True, slots=True)
class Policy:
    """How far to trust: period and drift in milliseconds, and the part of the trusted weight."""

    period_ms: int
    drift_ms: int
    part: tuple[int, int] = (1, 3)


def read_light(raw: bytes) -> Light:
    """Return a light block.

    Raises:
        UnreadableError: Not canonical, another shape, or an impossible set.
    """
    header, certificate, validators, following = versioned(
        decode(raw, LIGHT_BYTES_MAX), "light-block", 4
    )
    return Light(
        read_certified(header, certificate, "light-block"),
        read_validator_set(validators),
        read_validator_set(following),
    )


def check_light(trusted: Point, light: Light, policy: Policy, now_ms: int) -> Point:
    """Believe a light block because of a trusted point, and return it as the next one.

    Raises:
        CannotCheckError: Reason `not_enough_trust`: all else holds, try a header in between. Any
            other reason: another network, the point is too old, not above it, from the future.
        MismatchError: Its parts, or it and the point, do not belong together.
    """
    header = light.certified.header
    _check_place(trusted, light, policy, now_ms)
    named = (header.validators, header.next_validators)
    if named != (light.validators.digest, light.next_validators.digest):
        raise MismatchError("light_set", "the header names other sets than those beside it")
    is_next = header.height == trusted.height + 1
    if is_next and header.validators != trusted.next_validators.digest:
        raise MismatchError("light_set", "the next header is by another set")
    if is_next and header.parent != trusted.digest:
        raise MismatchError("light_parent", "the next header has another parent")
    light.certified.check(header.network_id, light.validators)
    if not is_next:
        _check_overlap(trusted, light, policy)
    return Point(
        header.network_id, header.height, header.time_ms, header.digest, light.next_validators
    )


def _check_place(trusted: Point, light: Light, policy: Policy, now_ms: int) -> None:
    header = light.certified.header
    if header.network_id != trusted.network_id:
        raise CannotCheckError("network", "the header is of another network")
    if now_ms >= trusted.time_ms + policy.period_ms:
        raise CannotCheckError("light_expired", "the trusted header is too old")
    if header.height <= trusted.height:
        raise CannotCheckError("light_height", "the header is not above the trusted one")
    if header.time_ms <= trusted.time_ms:
        raise MismatchError("light_time", "the header is not later than the trusted one")
    if header.time_ms >= now_ms + policy.drift_ms:
        raise CannotCheckError("light_future", "the header's time has not come")


def _check_overlap(trusted: Point, light: Light, policy: Policy) -> None:
    signed = {light.validators.members[at].key for at, _ in light.certified.certificate.signatures}
    members = trusted.next_validators.members
    weight = sum(member.weight for member in members if member.key in signed)
    numerator, denominator = policy.part
    if weight * denominator <= numerator * sum(member.weight for member in members):
        raise CannotCheckError("not_enough_trust", "too few signers are known")
