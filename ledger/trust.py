"""What an offline verifier believes beforehand: genesis, and how the validators changed since.

A bundle is a chain. The charter of genesis gives the first set; a change is a header that names the
next set, certified by the set in force at its height; the new set is in force from the following
height. The newest header, also certified, says how far the bundle has seen. Nobody signs
`valid_until_ms`: whoever hands out the bundle sets it, so a bundle is pinned by its fingerprint,
from an official source or from several agencies that say the same, and an update must extend the
one that is held.

Source: docs/formats.md, section 12.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from keys.hashing import Digest, domain, hash_with
from ledger.blocks import HEADER_BYTES_MAX, Header, parse_header
from ledger.canonical import Value, decode, encode
from ledger.errors import InvalidProofError, InvalidQuorumError, UntrustedError
from ledger.fields import INTEGER_MAX, read_array, read_bytes_up_to, read_int, read_version
from ledger.genesis import Charter, Genesis, read_charter
from ledger.ids import ID_BYTES, print_id
from ledger.quorum import (
    QUORUM_CERTIFICATE_BYTES_MAX,
    QuorumCertificate,
    parse_quorum_certificate,
    print_quorum_certificate,
)
from ledger.validators import ValidatorSet

TRUST_BYTES_MAX: Final = 16 * 1024 * 1024
"""Bytes of a trust bundle; each change of the set takes about 700."""
CHANGES_MAX: Final = 16_384
OLD_HEADER_MS: Final = 180 * 24 * 3_600_000
"""A header older than the newest one by more needs an anchor: its signers' keys may be gone."""

_VERSION: Final = 1
_SHOWN_CHARS: Final = 16
_TRUST: Final = domain("trust")


class ForkedTrustError(UntrustedError):
    """Two trust bundles of one network tell different histories: somebody lies."""

    code = "ledger.trust_forked"


class OtherTrustNetworkError(UntrustedError):
    """Two trust bundles are of different networks; details: held, told, how their ids begin."""

    code = "ledger.trust_wrong_network"


class StaleTrustError(UntrustedError):
    """The trust bundle's time is over: a fresh one is needed before anything is believed."""

    code = "ledger.trust_stale"


class OldHeaderError(UntrustedError):
    """The header is too old to be believed by its own quorum certificate: it needs an anchor."""

    code = "ledger.trust_needs_anchor"


class UnknownValidatorsError(UntrustedError):
    """The header is newer than the bundle and by a validator set that the bundle does not know."""

    code = "ledger.trust_unknown_validators"


class WrongValidatorsError(InvalidProofError):
    """The header names another validator set than the one that was in force at its height."""

    code = "ledger.trust_wrong_validators"


class CertifiedHeader(NamedTuple):
    """A header and the quorum certificate that makes it final."""

    header: Header
    quorum_certificate: QuorumCertificate


class ValidatorChange(NamedTuple):
    """A change of the set: in force from the height after its header."""

    certified: CertifiedHeader
    validators: ValidatorSet


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustBundle:
    """A certified chain of validator sets from genesis on; see `make_trust` and `parse_trust`.

    Attributes:
        charter: Genesis without attachments.
        changes: Ascending by height.
        newest: The newest header that the maker knew, or None for genesis alone.
        valid_until_ms: After this time nothing is believed by this bundle.
    """

    charter: Charter
    changes: tuple[ValidatorChange, ...]
    newest: CertifiedHeader | None
    valid_until_ms: int

    @property
    def network_id(self) -> Digest:
        """The network that the bundle is for, 32 bytes."""
        return self.charter.network_id

    @property
    def newest_height(self) -> int:
        """How far the bundle has seen; 0 for genesis alone."""
        return 0 if self.newest is None else self.newest.header.height

    @property
    def newest_time_ms(self) -> int:
        """Time of the newest header, or of genesis."""
        return self.charter.template.time_ms if self.newest is None else self.newest.header.time_ms

    @property
    def fingerprint(self) -> str:
        """What people compare: covers genesis and all validator sets, changes only with them."""
        changes = tuple([change.certified.header.digest for change in self.changes])
        digest = hash_with(_TRUST, encode((_VERSION, self.network_id, changes)))
        return print_id(digest[:ID_BYTES])

    def validators_at(self, height: int) -> ValidatorSet:
        """Return the set of a height; past `newest_height` the last known, which may be outdated.

        Args:
            height: From 1.
        """
        assert height >= 1, "heights count from 1"
        for change in reversed(self.changes):
            if height > change.certified.header.height:
                return change.validators
        return self.charter.validators

    def check_fresh(self, now_ms: int) -> None:
        """Refuse to believe anything after the end of the bundle's time.

        Raises:
            StaleTrustError: `valid_until_ms` has passed.
        """
        if now_ms > self.valid_until_ms:
            raise StaleTrustError(
                f"the trust bundle was valid until {self.valid_until_ms}",
                valid_until_ms=self.valid_until_ms,
            )

    def check_header(self, header: Header) -> ValidatorSet:
        """Return the set that must have certified a header.

        Raises:
            UntrustedError: It is of another network.
            WrongValidatorsError: It names another set than that of its height.
            UnknownValidatorsError: It is newer than the bundle and names a set that is unknown.
        """
        if header.network_id != self.network_id:
            raise UntrustedError("the header is of another network than the trust bundle")
        validators = self.validators_at(header.height)
        if header.validators != validators.digest:
            if header.height > self.newest_height:
                raise UnknownValidatorsError(
                    f"the header of height {header.height} is by a set that the bundle, which has"
                    f" seen {self.newest_height}, does not know",
                    height=header.height,
                    newest_height=self.newest_height,
                )
            raise WrongValidatorsError(
                f"the set of height {header.height} is another", height=header.height
            )
        return validators

    def check_young(self, header: Header) -> None:
        """Refuse a header that its own certificate can no longer vouch for.

        Raises:
            OldHeaderError: Over 180 days older than the newest header.
        """
        if header.time_ms < self.newest_time_ms - OLD_HEADER_MS:
            raise OldHeaderError(
                f"the header of height {header.height} is over 180 days older than the newest",
                height=header.height,
            )

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        newest = (None, None) if self.newest is None else _certified_values(self.newest)
        changes = [
            (*_certified_values(change.certified), change.validators.to_value())
            for change in self.changes
        ]
        return encode(
            (
                *(_VERSION, "trust-bundle", *self.charter.to_values()),
                *(tuple(changes), *newest, self.valid_until_ms),
            )
        )

    def extended_by(self, newer: "TrustBundle") -> "TrustBundle":
        """Return `newer` if it continues this bundle.

        Raises:
            OtherTrustNetworkError: It is of another network.
            ForkedTrustError: It tells another history of validator sets.
            UntrustedError: It has seen less than this bundle.
        """
        if newer.network_id != self.network_id:
            raise OtherTrustNetworkError(
                "the two trust bundles are of different networks",
                held=self.network_id.hex()[:_SHOWN_CHARS],
                told=newer.network_id.hex()[:_SHOWN_CHARS],
            )
        held = [change.certified.header.digest for change in self.changes]
        told = [change.certified.header.digest for change in newer.changes]
        common = min(len(held), len(told))
        if held[:common] != told[:common] or any(
            change.certified.header.height <= self.newest_height
            for change in newer.changes[common:]
        ):
            raise ForkedTrustError("the newer trust bundle tells another history of validator sets")
        if len(told) < len(held) or newer.newest_height < self.newest_height:
            raise UntrustedError("the other trust bundle is older than the one that is held")
        same_height = newer.newest_height == self.newest_height
        if same_height and _block_id(newer.newest) != _block_id(self.newest):
            raise ForkedTrustError("the two trust bundles have different headers at one height")
        return newer


def make_trust(
    charter: Charter,
    changes: Sequence[ValidatorChange],
    newest: CertifiedHeader | None,
    valid_until_ms: int,
) -> TrustBundle:
    """Make a bundle and verify its whole chain.

    Args:
        charter: Of a checked genesis document.
        changes: Ascending by height.
        newest: At or above the last change, or None.
        valid_until_ms: Chosen by the maker.

    Raises:
        UntrustedError: A link of the chain does not hold.
        InvalidQuorumError: A quorum certificate does not.
    """
    begun = TrustBundle(charter=charter, changes=(), newest=None, valid_until_ms=valid_until_ms)
    return grow_trust(begun, changes, newest, valid_until_ms)


def grow_trust(
    held: TrustBundle,
    changes: Sequence[ValidatorChange],
    newest: CertifiedHeader | None,
    valid_until_ms: int,
) -> TrustBundle:
    """Make a bundle of a verified one and what came after it; only that is verified.

    Args:
        held: What `make_trust`, `parse_trust` or this function returned.
        changes: Above those of `held`, ascending by height.
        newest: At or above the last change and the newest header of `held`, or None.
        valid_until_ms: Chosen by the maker.

    Raises:
        UntrustedError: A link of the chain does not hold.
        InvalidQuorumError: A quorum certificate does not.
    """
    bundle = replace(
        held, changes=(*held.changes, *changes), newest=newest, valid_until_ms=valid_until_ms
    )
    height, validators = 0, held.charter.validators
    if held.changes:
        height, validators = held.changes[-1].certified.header.height, held.changes[-1].validators
    for change in changes:
        header = change.certified.header
        if header.height <= height:
            raise UntrustedError("the changes of the validator set do not ascend by height")
        check_certified(bundle.network_id, validators, change.certified)
        if header.next_validators != change.validators.digest:
            raise UntrustedError(f"the header of height {header.height} names another next set")
        if change.validators.digest == validators.digest:
            raise UntrustedError(f"the set does not change after height {header.height}")
        height, validators = header.height, change.validators
    if newest is not None:
        if newest.header.height < height:
            raise UntrustedError("the newest header is below the last change of the validator set")
        check_certified(bundle.network_id, bundle.validators_at(newest.header.height), newest)
        _check_next(bundle, newest.header)
    elif bundle.changes:
        raise UntrustedError("a trust bundle with changes has no newest header")
    return bundle


def trust_genesis(genesis: Genesis, valid_until_ms: int) -> TrustBundle:
    """Return the bundle of a network that has only begun."""
    return make_trust(genesis.charter, (), None, valid_until_ms)


def check_certified(
    network_id: Digest, validators: ValidatorSet, certified: CertifiedHeader
) -> None:
    """Accept only a header that this set made final.

    Raises:
        UntrustedError: The header is of another network, or names another set as its own.
        InvalidQuorumError: The certificate is for another header, or does not hold.
    """
    header, quorum_certificate = certified
    if header.network_id != network_id:
        raise UntrustedError("a header of the trust bundle is of another network")
    if header.validators != validators.digest:
        raise UntrustedError(f"the header of height {header.height} is by another set")
    if (quorum_certificate.height, quorum_certificate.block_id) != (header.height, header.digest):
        raise InvalidQuorumError(f"a quorum certificate is not of the header {header.height}")
    quorum_certificate.check(network_id, validators)


def parse_trust(raw: bytes) -> TrustBundle:
    """Make a bundle of bytes from anywhere, and verify its whole chain from genesis on.

    Whether to believe in this genesis is the caller's question: compare `network_id` or
    `fingerprint` with what an official source says, or use `extended_by`.

    Raises:
        UntrustedError: A link of the chain does not hold.
        InvalidDataError: Too long, not canonical, a shape is wrong, or genesis or a quorum
            certificate does not hold.
    """
    fields = read_array(decode(raw, TRUST_BYTES_MAX, limit="trust bundle bytes"), "trust", 9)
    read_version(fields[0], "trust.version", _VERSION)
    if fields[1] != "trust-bundle":
        raise UntrustedError("not a trust bundle")
    changes = read_array(fields[5], "trust.changes", (0, CHANGES_MAX))
    newest = None
    if fields[6] is not None or fields[7] is not None:
        newest = read_certified(fields[6], fields[7], "trust.newest")
    return make_trust(
        read_charter(fields[2], fields[3], fields[4]),
        [_read_change(change) for change in changes],
        newest,
        read_int(fields[8], "trust.valid_until_ms", 0, INTEGER_MAX),
    )


def read_certified(header: Value, quorum_certificate: Value, name: str) -> CertifiedHeader:
    """Make a header and its certificate of two byte strings; nothing is verified.

    Raises:
        InvalidDataError: One of them is malformed.
    """
    certificate_raw = read_bytes_up_to(
        quorum_certificate, f"{name}.quorum_certificate", QUORUM_CERTIFICATE_BYTES_MAX
    )
    return CertifiedHeader(
        parse_header(read_bytes_up_to(header, f"{name}.header", HEADER_BYTES_MAX)),
        parse_quorum_certificate(certificate_raw),
    )


def _read_change(value: Value) -> ValidatorChange:
    header, quorum_certificate, validators = read_array(value, "trust.change", 3)
    return ValidatorChange(
        read_certified(header, quorum_certificate, "trust.change"),
        ValidatorSet.from_value(validators),
    )


def _certified_values(certified: CertifiedHeader) -> tuple[bytes, bytes]:
    return certified.header.raw, print_quorum_certificate(certified.quorum_certificate)


def _check_next(bundle: TrustBundle, newest: Header) -> None:
    following = bundle.validators_at(newest.height + 1)
    if newest.next_validators != following.digest:
        raise UntrustedError("the newest header names a next set that the bundle does not have")


def _block_id(certified: CertifiedHeader | None) -> Digest | None:
    return None if certified is None else certified.header.digest
