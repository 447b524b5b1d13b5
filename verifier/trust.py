"""The trust bundle: genesis, and every change of the validator set vouched for by the set before.

Source: docs/formats.md, section 12.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from verifier.encoding import decode, encode
from verifier.genesis import Charter, read_charter
from verifier.hashes import hashed
from verifier.headers import (
    Certified,
    Header,
    ValidatorSet,
    read_certified,
    read_validator_set,
)
from verifier.ids import print_id
from verifier.refusals import CannotCheckError, MismatchError
from verifier.shapes import fixed, integer, listed, versioned

TRUST_BYTES_MAX: Final = 16 * 1024 * 1024
CHANGES_MAX: Final = 16_384
OLD_MS: Final = 180 * 24 * 3_600_000
_ID_BYTES: Final = 16


class Change(NamedTuple):
    """A certified header that names the set in force from the next height on."""

    certified: Certified
    validators: ValidatorSet


@dataclass(frozen=True, slots=True)
class Trust:
    """A bundle whose chain holds; only `read_trust` makes it."""

    charter: Charter
    changes: tuple[Change, ...]
    newest: Header | None
    valid_until_ms: int

    @property
    def network_id(self) -> bytes:
        """The network, 32 bytes."""
        return self.charter.network_id

    @property
    def fingerprint(self) -> str:
        """What people compare with an official source: genesis and all validator sets."""
        changes = [change.certified.header.digest for change in self.changes]
        return print_id(hashed("trust", encode([1, self.network_id, changes]))[:_ID_BYTES])

    def set_at(self, height: int) -> ValidatorSet:
        """Return the set of a height; above the newest header, the last known one."""
        found = self.charter.validators
        for change in self.changes:
            if change.certified.header.height < height:
                found = change.validators
        return found

    def set_of(self, header: Header) -> ValidatorSet:
        """Return the set that must have certified a header of this network.

        Raises:
            CannotCheckError: The header is of another network, or of a set that the bundle, which
                has seen less, does not know.
            MismatchError: At its height another set was in force.
        """
        if header.network_id != self.network_id:
            raise CannotCheckError("network", "the header is of another network")
        validators = self.set_at(header.height)
        if header.validators != validators.digest:
            if self.newest is None or header.height > self.newest.height:
                raise CannotCheckError("unknown_set", "the header is by a set that is not known")
            raise MismatchError("wrong_set", "another set was in force at that height")
        return validators

    def check_time(self, now_ms: int) -> None:
        """Refuse after the end of the bundle's time.

        Raises:
            CannotCheckError: It is over.
        """
        if now_ms > self.valid_until_ms:
            raise CannotCheckError("trust_over", "the trust bundle's time is over")

    def check_age(self, header: Header) -> None:
        """Refuse a header too old to be believed by its own certificate.

        Raises:
            CannotCheckError: Over 180 days older than the newest header.
        """
        newest_ms = self.charter.time_ms if self.newest is None else self.newest.time_ms
        if header.time_ms < newest_ms - OLD_MS:
            raise CannotCheckError("needs_anchor", "the header is too old to stand alone")


def read_trust(raw: bytes) -> Trust:
    """Return a bundle after its whole chain was checked; to believe its genesis is up to people.

    Raises:
        UnreadableError: Not canonical, another shape, or out of bounds or order.
        MismatchError: A link of the chain does not hold.
        CannotCheckError: A key of an algorithm that this program does not have.
    """
    template, parts, signatures, changes, newest, certificate, until = versioned(
        decode(raw, TRUST_BYTES_MAX), "trust-bundle", 7
    )
    charter = read_charter(template, parts, signatures)
    read_changes = []
    for one in listed(changes, 0, CHANGES_MAX, "trust.changes"):
        header, its_certificate, validators = fixed(one, 3, "trust.change")
        certified = read_certified(header, its_certificate, "trust.change")
        read_changes.append(Change(certified, read_validator_set(validators)))
    last = None
    if newest is not None or certificate is not None:
        last = read_certified(newest, certificate, "trust.newest")
    trust = Trust(
        charter,
        tuple(read_changes),
        None if last is None else last.header,
        integer(until, "trust.valid_until_ms"),
    )
    _check_changes(trust)
    _check_newest(trust, last)
    return trust


def _check_changes(trust: Trust) -> None:
    heights = [change.certified.header.height for change in trust.changes]
    if any(first >= second for first, second in pairwise(heights)):
        raise MismatchError("trust_order", "changes do not ascend by height")
    for change in trust.changes:
        header = change.certified.header
        validators = trust.set_at(header.height)
        _check_certified(trust, change.certified, validators)
        if header.next_validators != change.validators.digest:
            raise MismatchError("trust_next", "a change names another next set")
        if change.validators.digest == validators.digest:
            raise MismatchError("trust_same", "a change changes nothing")


def _check_newest(trust: Trust, last: Certified | None) -> None:
    if last is None:
        if trust.changes:
            raise MismatchError("trust_newest", "changes without a newest header")
        return
    if trust.changes and last.header.height < trust.changes[-1].certified.header.height:
        raise MismatchError("trust_newest", "the newest header is below the last change")
    _check_certified(trust, last, trust.set_at(last.header.height))
    if last.header.next_validators != trust.set_at(last.header.height + 1).digest:
        raise MismatchError("trust_next", "the newest header names a set that is not here")


def _check_certified(trust: Trust, certified: Certified, validators: ValidatorSet) -> None:
    if certified.header.network_id != trust.network_id:
        raise MismatchError("trust_network", "a header of the bundle is of another network")
    if certified.header.validators != validators.digest:
        raise MismatchError("trust_set", "a header of the bundle is by another set")
    certified.check(trust.network_id, validators)
