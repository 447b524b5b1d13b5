"""The charter of genesis: template, parts and signatures, down to network id and first set.

Source: docs/formats.md, section 10.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple

from verifier.encoding import Value, decode, encode
from verifier.hashes import hashed, prefix
from verifier.headers import Validator, ValidatorSet, make_validator_set
from verifier.refusals import MismatchError
from verifier.shapes import (
    LONG_TEXT_CHARS_MAX,
    ascending,
    day,
    distinct,
    fixed,
    integer,
    listed,
    mapping,
    maybe,
    octets,
    octets_to,
    refuse,
    signature,
    versioned,
    words,
)
from verifier.signatures import (
    ED25519,
    MLKEM768_X25519,
    P256,
    SIGNING,
    PublicKey,
    check_signature,
    read_key,
)

LIST_MAX: Final = 4_096
TEMPLATE_BYTES_MAX: Final = 4 * 1024 * 1024
PART_BYTES_MAX: Final = 1024 * 1024
VALIDATORS_MIN: Final = 4

_ID: Final = 16
_GOVERNORS_MAX: Final = 64
_KEY_PURPOSES: Final = {
    "checkpoint": (ED25519,),
    "consensus": SIGNING,
    "custodian": SIGNING,
    "peer": SIGNING,
    "seal": (P256, MLKEM768_X25519),
    "tag": SIGNING,
}


@dataclass(frozen=True, slots=True)
class Charter:
    """What every other check begins with."""

    network_id: bytes
    time_ms: int
    validators: ValidatorSet


class _Agency(NamedTuple):
    agency_id: bytes
    weight: int


class _Template(NamedTuple):
    time_ms: int
    development: bool
    agencies: tuple[_Agency, ...]


class _Part(NamedTuple):
    agency_id: bytes
    governance_k: int
    governors: tuple[PublicKey, ...]
    keys: dict[str, PublicKey]
    ids: tuple[bytes, ...]
    officers: tuple[PublicKey, ...]


def read_charter(template: Value, parts: Value, signatures: Value) -> Charter:
    """Return the charter of the three values that genesis and trust bundles begin with.

    Raises:
        UnreadableError: Not canonical, another shape, or out of bounds or order.
        MismatchError: Parts do not fit the template, or a signature is wrong.
        CannotCheckError: A governance key of an algorithm that this program does not have.
    """
    template_raw = octets_to(template, TEMPLATE_BYTES_MAX, "template")
    agreed = _read_template(template_raw)
    listed_parts = listed(parts, 1, LIST_MAX, "genesis.parts")
    raws = [octets_to(one, PART_BYTES_MAX, "genesis.part") for one in listed_parts]
    read = [_read_part(raw) for raw in raws]
    if [part.agency_id for part in read] != [agency.agency_id for agency in agreed.agencies]:
        raise MismatchError("genesis_parts", "not one part for each agency of the template")
    distinct([one for part in read for one in part.ids], "genesis.ids")
    distinct([key.key_id for part in read for key in _keys_of(part)], "genesis.keys")
    template_digest = hashed("genesis-template", template_raw)
    signed = listed(signatures, len(raws), len(raws), "genesis.signatures")
    for part, raw, one in zip(read, raws, signed, strict=True):
        _check_signatures(part, prefix("genesis-part") + template_digest + raw, one)
    return Charter(
        hashed("genesis", template_digest, sha256(encode(raws)).digest()),
        agreed.time_ms,
        _first_set(agreed, read),
    )


def _first_set(agreed: _Template, parts: Iterable[_Part]) -> ValidatorSet:
    members = []
    for agency, part in zip(agreed.agencies, parts, strict=True):
        if ("consensus" in part.keys) != (agency.weight > 0):
            raise MismatchError("genesis_consensus", "a consensus key without weight, or no key")
        if agency.weight:
            key = part.keys["consensus"]
            members.append(Validator(agency.agency_id, key, agency.weight))
    if len(members) < (1 if agreed.development else VALIDATORS_MIN):
        raise MismatchError("genesis_few", "too few validators")
    return make_validator_set(members)


def _check_signatures(part: _Part, message: bytes, value: Value) -> None:
    governors = {key.key_id: key for key in part.governors}
    found = []
    for one in listed(value, 1, _GOVERNORS_MAX, "genesis.signatures"):
        key_id, signed = fixed(one, 2, "genesis.signature")
        found.append(octets(key_id, _ID, "genesis.signature"))
        raw = signature(signed, "genesis.signature")
        if found[-1] not in governors:
            raise MismatchError("genesis_stranger", "somebody signed who does not govern")
        check_signature(governors[found[-1]], message, raw, "genesis_signature")
    ascending(found, "genesis.signatures")
    if len(found) < part.governance_k:
        raise MismatchError("genesis_few_signatures", "fewer signatures than governance_k")


def _read_template(raw: bytes) -> _Template:
    name, time_ms, parameters, agencies, namespaces, attachments = versioned(
        decode(raw, TEMPLATE_BYTES_MAX), "genesis-template", 6
    )
    words(name, "template.name", 1, LONG_TEXT_CHARS_MAX)
    chosen = mapping(parameters, "template.parameters", LIST_MAX)
    found = [_read_agency(one) for one in listed(agencies, 1, LIST_MAX, "template.agencies")]
    ascending([agency.agency_id for agency in found], "template.agencies")
    _read_namespaces(namespaces, {agency.agency_id for agency in found})
    names = []
    for one in listed(attachments, 0, LIST_MAX, "template.attachments"):
        attachment, digest = fixed(one, 2, "template.attachment")
        names.append(words(attachment, "template.attachment", 1, LONG_TEXT_CHARS_MAX).encode())
        octets(digest, 32, "template.attachment")
    distinct(names, "template.attachments")
    return _Template(
        integer(time_ms, "template.time_ms"), chosen.get("development") is True, tuple(found)
    )


def _read_agency(value: Value) -> _Agency:
    agency_id, name, kind, weight, mandates = fixed(value, 5, "agency")
    words(name, "agency.name", 1, LONG_TEXT_CHARS_MAX)
    words(kind, "agency.kind", 1, LONG_TEXT_CHARS_MAX)
    for mandate in listed(mandates, 0, LIST_MAX, "agency.mandates"):
        types, operations, units, start, end, basis = fixed(mandate, 6, "mandate")
        for names in (types, operations, units):
            for one in listed(names, 0, LIST_MAX, "mandate"):
                words(one, "mandate", 1, LONG_TEXT_CHARS_MAX)
        day(start, "mandate.from")
        maybe(end, lambda last: day(last, "mandate.to"))
        words(basis, "mandate.legal_basis", 1, LONG_TEXT_CHARS_MAX)
    return _Agency(
        octets(agency_id, _ID, "agency.agency_id"),
        integer(weight, "agency.weight", 0, 2**31 - 1),
    )


def _read_namespaces(value: Value, agencies: set[bytes]) -> None:
    names = []
    for one in listed(value, 0, LIST_MAX, "template.namespaces"):
        name, first, second = fixed(one, 3, "namespace")
        names.append(words(name, "namespace.name", 1, LONG_TEXT_CHARS_MAX).encode())
        holders = {octets(holder, _ID, "namespace") for holder in (first, second)}
        if len(holders) == 1 or not holders <= agencies:
            raise refuse("namespace", "not two agencies of the template")
    ascending(names, "template.namespaces")


def _read_part(raw: bytes) -> _Part:
    agency_id, governance_k, governors, keys, address, office, officers = versioned(
        decode(raw, PART_BYTES_MAX), "genesis-part", 7
    )
    found = [
        read_key(one, SIGNING, "part.governors")
        for one in listed(governors, 1, _GOVERNORS_MAX, "part.governors")
    ]
    words(address, "part.peer_address", 1, LONG_TEXT_CHARS_MAX)
    ids = [octets(agency_id, _ID, "part.agency_id"), _read_office(office)]
    officer_keys: list[PublicKey] = []
    for one in listed(officers, 2, LIST_MAX, "part.officers"):
        identity_id, of_officer = _read_officer(one)
        ids.append(identity_id)
        officer_keys += of_officer
    return _Part(
        agency_id=ids[0],
        governance_k=integer(governance_k, "part.governance_k", 1, len(found)),
        governors=tuple(found),
        keys=_read_keys(keys),
        ids=tuple(ids),
        officers=tuple(officer_keys),
    )


def _read_keys(value: Value) -> dict[str, PublicKey]:
    found = mapping(value, "part.keys")
    if set(found) | {"consensus"} != set(_KEY_PURPOSES):
        raise refuse("part.keys", "not a key for each purpose")
    return {
        purpose: read_key(one, _KEY_PURPOSES[purpose], "part.keys")
        for purpose, one in found.items()
    }


def _read_office(value: Value) -> bytes:
    office_id, *texts = fixed(value, 5, "office")
    name, unit, unit_date, level = texts
    for one in (name, unit, level):
        words(one, "office", 1, LONG_TEXT_CHARS_MAX)
    day(unit_date, "office.unit_date")
    return octets(office_id, _ID, "office.office_id")


def _read_officer(value: Value) -> tuple[bytes, list[PublicKey]]:
    identity_id, roles, sign, auth = fixed(value, 4, "officer")
    for one in listed(roles, 1, LIST_MAX, "officer.roles"):
        role, types, start, end = fixed(one, 4, "officer.role")
        words(role, "officer.role", 1, LONG_TEXT_CHARS_MAX)
        for name in listed(types, 0, LIST_MAX, "officer.role"):
            words(name, "officer.role", 1, LONG_TEXT_CHARS_MAX)
        day(start, "officer.role")
        maybe(end, lambda last: day(last, "officer.role"))
    keys = [read_key(one, SIGNING, "officer.key") for one in (sign, auth)]
    return octets(identity_id, _ID, "officer.identity_id"), keys


def _keys_of(part: _Part) -> Iterable[PublicKey]:
    return (*part.governors, *part.keys.values(), *part.officers)
