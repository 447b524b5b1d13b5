"""What stands in a genesis document: the template, and one part for each founding agency.

Classes, and their arrays both ways. That parts fit the template and carry the signatures of their
agencies is checked in `ledger.genesis`.

Source: docs/formats.md, section 10.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from keys.errors import InvalidKeyError
from keys.hashing import Digest
from keys.signing import (
    PUBLIC_KEY_BYTES,
    SIGNATURE_BYTES,
    Algorithm,
    PublicKey,
    parse_public_key,
)
from ledger.canonical import Value, decode, encode
from ledger.errors import InvalidGenesisError
from ledger.fields import (
    INTEGER_MAX,
    read_array,
    read_bytes,
    read_bytes_up_to,
    read_digest,
    read_int,
    read_map,
    read_text,
    read_version,
)
from ledger.ids import ID_BYTES, AgencyId, OfficeId, RecordId
from ledger.limits import VALIDATORS_MAX
from ledger.part_readers import NAME_CHARS_MAX, TEXT_CHARS_MAX, read_date
from ledger.validators import WEIGHT_MAX

FOUNDING_VERSION: Final = 1
AGENCIES_MAX: Final = 256
LIST_MAX: Final = 4_096
"""Elements of any other list of a genesis document."""
OFFICERS_MIN: Final = 2
"""Founding officers of an agency: registering takes two."""
KEY_NAMES: Final = frozenset({"consensus", "peer", "custodian", "seal", "tag", "checkpoint"})
"""The keys that each founding agency names; consensus only with a weight."""

_PUBLIC_BYTES_MAX: Final = max(PUBLIC_KEY_BYTES.values())
_ALGORITHM_MAX: Final = 255
_ADDRESS_CHARS_MAX: Final = 256
_Texts: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mandate:
    """One row of what an agency may do. A `*` among types, operations or units stands for all.

    Attributes:
        types: Record types.
        operations: Operations on them.
        units: Administrative units.
        valid_from: ISO date of the first day.
        valid_to: ISO date of the last day, or None.
        legal_basis: The article that says so.
    """

    types: _Texts
    operations: _Texts
    units: _Texts
    valid_from: str
    valid_to: str | None
    legal_basis: str


@dataclass(frozen=True, slots=True)
class Agency:
    """A founding agency as the template names it; weight 0: it has no validator."""

    agency_id: AgencyId
    name: str
    kind: str
    weight: int
    mandate: tuple[Mandate, ...]


@dataclass(frozen=True, slots=True)
class Namespace:
    """Who holds the two keys of a namespace of keyed tags; the second agency signs the tags."""

    name: str
    first: AgencyId
    second: AgencyId


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What the founders agree on before each makes its part.

    Attributes:
        name: The network's.
        time_ms: Genesis time; the first block is later.
        parameters: Governed parameters by name; `development: true` allows fewer than 4 validators.
        agencies: Strictly ascending by id.
        namespaces: Strictly ascending by name.
        attachments: Name and digest of each attachment, in the order of the document.
    """

    name: str
    time_ms: int
    parameters: Mapping[str, Value]
    agencies: tuple[Agency, ...]
    namespaces: tuple[Namespace, ...]
    attachments: tuple[tuple[str, Digest], ...]


@dataclass(frozen=True, slots=True)
class Office:
    """The root office of an agency."""

    office_id: OfficeId
    name: str
    unit: str
    unit_date: str
    level: str


@dataclass(frozen=True, slots=True)
class Role:
    """What an officer may do, for which record types, from when to when (ISO dates; None: open)."""

    role: str
    types: _Texts
    valid_from: str
    valid_to: str | None


@dataclass(frozen=True, slots=True)
class FoundingOfficer:
    """A founding identity with a role: the first who can sign for an agency."""

    identity_id: RecordId
    roles: tuple[Role, ...]
    sign_key: PublicKey
    auth_key: PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundingPart:
    """What a founding agency says of itself, signed by k of its governance keys.

    Attributes:
        agency_id: Whose part.
        governance_k: How many governance keys act together, from 1.
        governance_keys: All of them, in the agency's order.
        keys: By name, see `KEY_NAMES`.
        peer_address: Where the other nodes find its node.
        office: Its root office.
        officers: Two at least.
    """

    agency_id: AgencyId
    governance_k: int
    governance_keys: tuple[PublicKey, ...]
    keys: Mapping[str, PublicKey]
    peer_address: str
    office: Office
    officers: tuple[FoundingOfficer, ...]

    @property
    def all_keys(self) -> tuple[PublicKey, ...]:
        """Every public key of the part."""
        personal = [
            key for officer in self.officers for key in (officer.sign_key, officer.auth_key)
        ]
        return (*self.governance_keys, *self.keys.values(), *personal)


def template_value(template: Template) -> Value:
    """Return the array of a template."""
    agencies = [
        (
            one.agency_id,
            one.name,
            one.kind,
            one.weight,
            [_mandate_value(row) for row in one.mandate],
        )
        for one in template.agencies
    ]
    return [
        *(FOUNDING_VERSION, "genesis-template", template.name, template.time_ms),
        dict(template.parameters),
        list(agencies),
        [(one.name, one.first, one.second) for one in template.namespaces],
        [(name, digest) for name, digest in template.attachments],
    ]


def read_template(value: Value) -> Template:
    """Make a template of its array.

    Raises:
        InvalidDataError: A shape or bound is wrong; names the field.
    """
    fields = read_array(value, "template", 8)
    read_version(fields[0], "template.version", FOUNDING_VERSION)
    _read_tag(fields[1], "genesis-template")
    agencies = read_array(fields[5], "template.agencies", (1, AGENCIES_MAX))
    namespaces = read_array(fields[6], "template.namespaces", (0, LIST_MAX))
    attachments = read_array(fields[7], "template.attachments", (0, LIST_MAX))
    return Template(
        name=_read_name(fields[2], "template.name"),
        time_ms=read_int(fields[3], "template.time_ms", 0, INTEGER_MAX),
        parameters=read_map(fields[4], "template.parameters", LIST_MAX),
        agencies=tuple([_read_agency(agency) for agency in agencies]),
        namespaces=tuple([_read_namespace(namespace) for namespace in namespaces]),
        attachments=tuple([_read_attachment(attachment) for attachment in attachments]),
    )


def part_value(part: FoundingPart) -> Value:
    """Return the array of a founding part."""
    office = part.office
    return [
        *(FOUNDING_VERSION, "genesis-part", part.agency_id, part.governance_k),
        [_key_value(key) for key in part.governance_keys],
        {name: _key_value(key) for name, key in part.keys.items()},
        part.peer_address,
        (office.office_id, office.name, office.unit, office.unit_date, office.level),
        tuple([_officer_value(officer) for officer in part.officers]),
    ]


def print_part(part: FoundingPart) -> bytes:
    """Return the canonical bytes of a founding part, which its agency signs.

    Raises:
        InvalidDataError: A shape or bound is wrong; names the field.
    """
    raw = encode(part_value(part))
    read_part(decode(raw, len(raw)))
    return raw


def read_part(value: Value) -> FoundingPart:
    """Make a founding part of its array.

    Raises:
        InvalidDataError: A shape or bound is wrong, or a key is none; names the field.
    """
    fields = read_array(value, "part", 9)
    read_version(fields[0], "part.version", FOUNDING_VERSION)
    _read_tag(fields[1], "genesis-part")
    governance = read_array(fields[4], "part.governance_keys", (1, VALIDATORS_MAX))
    officers = read_array(fields[8], "part.officers", (OFFICERS_MIN, LIST_MAX))
    return FoundingPart(
        agency_id=AgencyId(read_bytes(fields[2], "part.agency_id", ID_BYTES)),
        governance_k=read_int(fields[3], "part.governance_k", 1, len(governance)),
        governance_keys=tuple([_read_signing_key(key, "governance key") for key in governance]),
        keys=_read_keys(fields[5]),
        peer_address=read_text(fields[6], "part.peer_address", _ADDRESS_CHARS_MAX, chars_min=1),
        office=_read_office(fields[7]),
        officers=tuple([_read_officer(officer) for officer in officers]),
    )


def _mandate_value(row: Mandate) -> Value:
    rights = (row.types, row.operations, row.units)
    return (*rights, row.valid_from, row.valid_to, row.legal_basis)


def _officer_value(officer: FoundingOfficer) -> Value:
    roles = [(row.role, row.types, row.valid_from, row.valid_to) for row in officer.roles]
    keys = (_key_value(officer.sign_key), _key_value(officer.auth_key))
    return (officer.identity_id, tuple(roles), *keys)


def _key_value(key: PublicKey) -> tuple[Value, Value]:
    return int(key.algorithm), key.public


def _read_tag(value: Value, tag: str) -> None:
    if value != tag:
        raise InvalidGenesisError(f"not a {tag}")


def _read_name(value: Value, name: str) -> str:
    return read_text(value, name, TEXT_CHARS_MAX, chars_min=1)


def _read_texts(value: Value, name: str) -> _Texts:
    array = read_array(value, name, (0, LIST_MAX))
    return tuple([read_text(text, name, NAME_CHARS_MAX, chars_min=1) for text in array])


def _read_optional_date(value: Value, name: str) -> str | None:
    return None if value is None else read_date(value, name)


def _read_agency(value: Value) -> Agency:
    agency_id, name, kind, weight, mandate = read_array(value, "agency", 5)
    rows = read_array(mandate, "agency.mandate", (0, LIST_MAX))
    return Agency(
        AgencyId(read_bytes(agency_id, "agency.id", ID_BYTES)),
        _read_name(name, "agency.name"),
        _read_name(kind, "agency.kind"),
        read_int(weight, "agency.weight", 0, WEIGHT_MAX),
        tuple([_read_mandate(row) for row in rows]),
    )


def _read_mandate(value: Value) -> Mandate:
    types, operations, units, valid_from, valid_to, legal_basis = read_array(value, "mandate", 6)
    return Mandate(
        _read_texts(types, "mandate.types"),
        _read_texts(operations, "mandate.operations"),
        _read_texts(units, "mandate.units"),
        read_date(valid_from, "mandate.from"),
        _read_optional_date(valid_to, "mandate.to"),
        read_text(legal_basis, "mandate.legal_basis", TEXT_CHARS_MAX),
    )


def _read_namespace(value: Value) -> Namespace:
    name, first, second = read_array(value, "namespace", 3)
    return Namespace(
        read_text(name, "namespace.name", NAME_CHARS_MAX, chars_min=1),
        AgencyId(read_bytes(first, "namespace.first", ID_BYTES)),
        AgencyId(read_bytes(second, "namespace.second", ID_BYTES)),
    )


def _read_attachment(value: Value) -> tuple[str, Digest]:
    name, digest = read_array(value, "attachment", 2)
    return _read_name(name, "attachment.name"), read_digest(digest, "attachment.digest")


def _read_keys(value: Value) -> dict[str, PublicKey]:
    named = read_map(value, "part.keys", len(KEY_NAMES))
    if not named.keys() <= KEY_NAMES or not named.keys() >= KEY_NAMES - {"consensus"}:
        raise InvalidGenesisError("part.keys lacks a key or has an unknown one")
    keys: dict[str, PublicKey] = {}
    for name, key in named.items():
        keys[name] = _read_key(key, name) if name == "seal" else _read_signing_key(key, name)
    if keys["checkpoint"].algorithm is not Algorithm.ED25519:
        raise InvalidGenesisError("the checkpoint key is not Ed25519, which signed notes need")
    if keys["seal"].algorithm not in {Algorithm.P256, Algorithm.MLKEM768_X25519}:
        raise InvalidGenesisError("nothing can be sealed to the seal key")
    return keys


def _read_key(value: Value, name: str) -> PublicKey:
    number, public = read_array(value, name, 2)
    algorithm = read_int(number, f"{name}.algorithm", 1, _ALGORITHM_MAX)
    try:
        return parse_public_key(
            algorithm, read_bytes_up_to(public, f"{name}.public", _PUBLIC_BYTES_MAX)
        )
    except InvalidKeyError as error:
        raise InvalidGenesisError(f"{name} is no public key: {error}") from error


def _read_signing_key(value: Value, name: str) -> PublicKey:
    key = _read_key(value, name)
    if key.algorithm not in SIGNATURE_BYTES:
        raise InvalidGenesisError(f"{name} is of an algorithm that cannot sign")
    return key


def _read_office(value: Value) -> Office:
    office_id, name, unit, unit_date, level = read_array(value, "part.office", 5)
    return Office(
        OfficeId(read_bytes(office_id, "office.id", ID_BYTES)),
        _read_name(name, "office.name"),
        _read_name(unit, "office.unit"),
        read_date(unit_date, "office.unit_date"),
        _read_name(level, "office.level"),
    )


def _read_officer(value: Value) -> FoundingOfficer:
    identity_id, roles, sign_key, auth_key = read_array(value, "officer", 4)
    rows = read_array(roles, "officer.roles", (1, LIST_MAX))
    return FoundingOfficer(
        RecordId(read_bytes(identity_id, "officer.identity_id", ID_BYTES)),
        tuple([_read_role(row) for row in rows]),
        _read_signing_key(sign_key, "officer.sign_key"),
        _read_signing_key(auth_key, "officer.auth_key"),
    )


def _read_role(value: Value) -> Role:
    role, types, valid_from, valid_to = read_array(value, "role", 4)
    return Role(
        read_text(role, "role.name", NAME_CHARS_MAX, chars_min=1),
        _read_texts(types, "role.types"),
        read_date(valid_from, "role.from"),
        _read_optional_date(valid_to, "role.to"),
    )
