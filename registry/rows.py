"""The rows of the state: what each key's value means, as frozen classes.

A row is flat: an array of its fields in order. Fields are plain values of the format, so reading
and writing a row moves no data; where a field is made of smaller rows, the class says how. Keys are
made by the functions of `registry.state_key_names`; `docs/records.md` lists both.
"""

from dataclasses import dataclass, fields
from functools import cache
from typing import Any, Self, TypeAlias, cast

from keys.hashing import Digest
from keys.signing import Algorithm, KeyId, PublicKey
from ledger.canonical import Value
from ledger.ids import AgencyId, ObjectId, OfficeId, RecordId
from ledger.merkle import Frontier
from ledger.parts import Holder, Seal
from registry.errors import CorruptStateError

Links: TypeAlias = dict[str, RecordId | tuple[RecordId, ...]]
HeldClaim: TypeAlias = tuple[str, int, str | Digest]
"""Namespace, epoch (0 for a value in clear), value or tag."""
Place: TypeAlias = tuple[int, int, str]
"""Height, index in the block and civil date of the entry that did something."""


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple([field.name for field in fields(kind)])


class FlatRow:
    """A row whose fields are plain values, in the order of its class."""

    __slots__ = ()

    def to_value(self) -> Value:
        """Return the fields as an array."""
        return tuple([getattr(self, name) for name in _names(type(self))])

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Read what `to_value` returned.

        Raises:
            CorruptStateError: Another number of fields.
        """
        if type(value) is not tuple or len(value) != len(_names(cls)):
            raise CorruptStateError(f"a stored state value is no {cls.__name__}")
        return cls(*cast("Any", value))


@dataclass(frozen=True, slots=True)
class Encumbrance(FlatRow):
    """A right of another over the record: mortgage, lease, easement; rank is the order of `place`.

    Attributes:
        number: From 1, in the order of registration; never used twice in a record.
        kind: Code, such as `mortgage`.
        holder: The identity or organization that holds it.
        place: Where it was registered: height, index, civil date.
        status: `live`, `released` or `annulled`.
    """

    number: int
    kind: str
    holder: RecordId
    place: Place
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """The current version of a record.

    Attributes:
        type_name: Record type.
        schema_version: Of the schema under which this version was written.
        version: From 1.
        last_entry: Digest of the entry that wrote this version.
        first_entry: Digest of the entry that wrote version 1.
        status: One of the type's statuses.
        flags: Ascending.
        office: The office that keeps the record, None for a founding identity.
        member: Member and public fields as the entry gave them.
        holders: Owners with their shares.
        links: Other records by role, those set by effects too.
        seal: Digests of the sealed body, or None.
        engine: What effects set: keys, representatives, resolved duplicates.
        claims: Unique values and tags that the record holds.
        encumbrances: In the order of registration.
        registration_number: Once registered.
        created: Where version 1 was written.
        registered: Where the number was given, or None.
        officers: Identities of the officers of the creating entry.
    """

    type_name: str
    schema_version: int
    version: int
    last_entry: Digest
    first_entry: Digest
    status: str
    flags: tuple[str, ...]
    office: OfficeId | None
    member: dict[str, Value]
    holders: tuple[Holder, ...]
    links: Links
    seal: Seal | None
    engine: dict[str, Value]
    claims: tuple[HeldClaim, ...]
    encumbrances: tuple[Encumbrance, ...]
    registration_number: str | None
    created: Place
    registered: Place | None
    officers: tuple[RecordId, ...]

    def to_value(self) -> Value:
        """Return the fields as an array."""
        seal = self.seal
        return (
            *(self.type_name, self.schema_version, self.version, self.last_entry),
            *(self.first_entry, self.status, self.flags, self.office, self.member),
            tuple([(item.parties, item.numerator, item.denominator) for item in self.holders]),
            cast("dict[str, Value]", self.links),
            None
            if seal is None
            else (seal.body_digest, seal.key_check, seal.commitment, seal.wraps_digest),
            *(self.engine, self.claims, tuple([item.to_value() for item in self.encumbrances])),
            *(self.registration_number, self.created, self.registered, self.officers),
        )

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Read what `to_value` returned.

        Raises:
            CorruptStateError: Another number of fields.
        """
        if type(value) is not tuple or len(value) != len(_names(cls)):
            raise CorruptStateError("a stored state value is no RecordRow")
        given = dict(zip(_names(cls), cast("Any", value), strict=True))
        given["holders"] = tuple(Holder(*holder) for holder in given["holders"])
        given["seal"] = None if given["seal"] is None else Seal(*given["seal"])
        given["encumbrances"] = tuple(map(Encumbrance.from_value, given["encumbrances"]))
        return cls(**given)

    def linked(self, name: str) -> tuple[RecordId, ...]:
        """Return the records a link leads to: none, one or several."""
        found = self.links.get(name)
        if found is None:
            return ()
        return found if isinstance(found, tuple) else (found,)


@dataclass(frozen=True, slots=True)
class KeyRow(FlatRow):
    """A public key that the network knows.

    Attributes:
        algorithm: Number of `keys.signing.Algorithm`.
        public: Its bytes.
        purpose: Of `keys.signing.Purpose`.
        holder_kind: `identity`, `officer` or `agency`.
        holder: Identity of the person (for an officer too), or id of the agency.
        office: The one office that an officer's key serves, else None.
        from_date: First civil date on which it is in force.
        to_date: First civil date on which it no longer is, or None.
        settled_from: First civil date on which it may dispose of things; None: at once.
        compromised_since_ms: Block time since when it was in foreign hands, or None.
    """

    algorithm: int
    public: bytes
    purpose: str
    holder_kind: str
    holder: bytes
    office: OfficeId | None
    from_date: str
    to_date: str | None
    settled_from: str | None
    compromised_since_ms: int | None

    @property
    def public_key(self) -> PublicKey:
        """The key as `keys.signing.verify` takes it."""
        return PublicKey(Algorithm(self.algorithm), self.public)


@dataclass(frozen=True, slots=True)
class AgencyRow(FlatRow):
    """A member institution.

    Attributes:
        name: For people.
        kind: justice, police, land, business, court, …
        weight: Of its validator; 0 without one.
        governance_k: How many of its governance keys make a decision.
        governance_keys: Their key ids, ascending.
        keys: Purpose -> key id, for the keys of its services.
        peer_address: Where its node answers.
        mandates: Number of mandate rows, counted from 0.
        from_date: First date of membership.
        to_date: First date after it, or None.
    """

    name: str
    kind: str
    weight: int
    governance_k: int
    governance_keys: tuple[KeyId, ...]
    keys: dict[str, KeyId]
    peer_address: str
    mandates: int
    from_date: str
    to_date: str | None


@dataclass(frozen=True, slots=True)
class MandateRow(FlatRow):
    """What ballots let an agency do; `*` stands for all.

    Attributes:
        types: Record types.
        operations: Operations.
        units: Administrative units.
        from_date: First date.
        to_date: First date after it, or None.
        legal_basis: Article.
        from_height: First height, for mandates made by a ballot.
    """

    types: tuple[str, ...]
    operations: tuple[str, ...]
    units: tuple[str, ...]
    from_date: str
    to_date: str | None
    legal_basis: str
    from_height: int


@dataclass(frozen=True, slots=True)
class OfficeRow(FlatRow):
    """A place of an agency that registers.

    Attributes:
        agency: Whose.
        name: For people.
        unit: Code of its administrative unit on `unit_date`.
        unit_date: A code is not a unit: the date says which.
        level: commune, province, …
        parent: The office above, or None.
        from_date: First date.
        to_date: First date after it, or None.
        succeeded_by: Offices that took over, when it closed.
        competences: Number of competence rows, counted from 0.
    """

    agency: AgencyId
    name: str
    unit: str
    unit_date: str
    level: str
    parent: OfficeId | None
    from_date: str
    to_date: str | None
    succeeded_by: tuple[OfficeId, ...]
    competences: int


@dataclass(frozen=True, slots=True)
class CompetenceRow(FlatRow):
    """What an agency lets its office do, within the mandate.

    Attributes:
        type_name: Record type, `*` for all.
        operations: Operations, `*` for all.
        from_date: First date.
        to_date: First date after it, or None.
        legal_basis: Article.
    """

    type_name: str
    operations: tuple[str, ...]
    from_date: str
    to_date: str | None
    legal_basis: str


@dataclass(frozen=True, slots=True)
class OfficerRole(FlatRow):
    """One role of an officer, in one office, with one key."""

    role: str
    types: tuple[str, ...]
    office: OfficeId
    key_id: KeyId
    from_date: str
    to_date: str | None


@dataclass(frozen=True, slots=True)
class OfficerRow:
    """All roles of a person who signs for offices, past ones too.

    Attributes:
        roles: In the order in which they were given.
        founding_until: First date on which a founding officer's identity must be complete, or None.
    """

    roles: tuple[OfficerRole, ...]
    founding_until: str | None

    def to_value(self) -> Value:
        """Return the fields as an array."""
        return tuple([role.to_value() for role in self.roles]), self.founding_until

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Read what `to_value` returned."""
        roles, founding_until = cast("Any", value)
        return cls(tuple(map(OfficerRole.from_value, roles)), founding_until)


@dataclass(frozen=True, slots=True)
class FamilyRow(FlatRow):
    """Family links of an identity.

    Attributes:
        parents: `(identity, "birth" or "adoptive", record that says so)`.
        children: Likewise.
        spouses: `(identity, marriage record, from date, to date or None)`.
    """

    parents: tuple[tuple[RecordId, str, RecordId], ...]
    children: tuple[tuple[RecordId, str, RecordId], ...]
    spouses: tuple[tuple[RecordId, RecordId, str, str | None], ...]


@dataclass(frozen=True, slots=True)
class ClaimRow(FlatRow):
    """The record that holds a unique value or tag."""

    record_id: RecordId


@dataclass(frozen=True, slots=True)
class NamespaceRow(FlatRow):
    """The two agencies that make a namespace's tags; the second one's tag key signs them."""

    first_agency: AgencyId
    second_agency: AgencyId
    epoch: int


@dataclass(frozen=True, slots=True)
class IndexRow(FlatRow):
    """Records found under one key: births of a mother, births with one match tag; ascending."""

    record_ids: tuple[RecordId, ...]


@dataclass(frozen=True, slots=True)
class BookRow:
    """A book of one office, series and civil year: its frontier counts the numbers given."""

    frontier: Frontier

    def to_value(self) -> Value:
        """Return the frontier's array."""
        return self.frontier.to_value()

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Read what `to_value` returned."""
        return cls(Frontier.from_value(value))


@dataclass(frozen=True, slots=True)
class ParameterRow(FlatRow):
    """A network parameter: `(value, first height)`, oldest first; the last one reached counts."""

    history: tuple[tuple[Value, int], ...]


@dataclass(frozen=True, slots=True)
class TypeRow(FlatRow):
    """The schema versions of a record type: `(version, digest, first height)`, oldest first."""

    versions: tuple[tuple[int, Digest, int], ...]


@dataclass(frozen=True, slots=True)
class TextRow(FlatRow):
    """A piece of a schema's, table's or rule pack's text, at most 48 KiB of UTF-8.

    Attributes:
        piece: The bytes.
        pieces: How many pieces the text has.
    """

    piece: bytes
    pieces: int


@dataclass(frozen=True, slots=True)
class TableRow(FlatRow):
    """A code table: the digests of its texts, `(digest, first height)`, oldest first."""

    versions: tuple[tuple[Digest, int], ...]


@dataclass(frozen=True, slots=True)
class PackRow(FlatRow):
    """A pack of office rules: in force at heights `[from_height, to_height)`."""

    name: str
    from_height: int
    to_height: int | None


@dataclass(frozen=True, slots=True)
class BallotRow(FlatRow):
    """A decision of the agencies.

    Attributes:
        action: What it would do, see `registry.ballots`.
        fields: The object's fields.
        opened_height: Where it was opened.
        opened_ms: When; it lapses after the parameter `ballot_days`.
        yes: Agencies for it, ascending.
        no: Agencies against it, ascending.
        in_force_height: From which height it counts, None while it has not passed.
    """

    action: str
    fields: dict[str, Value]
    opened_height: int
    opened_ms: int
    yes: tuple[AgencyId, ...]
    no: tuple[AgencyId, ...]
    in_force_height: int | None


@dataclass(frozen=True, slots=True)
class ActRow(FlatRow):
    """A side act or an act of governance that happened; kept against replay."""

    entry_digest: Digest
    not_after_ms: int


@dataclass(frozen=True, slots=True)
class CertificateRow(FlatRow):
    """A certificate of a record version.

    Attributes:
        record_id: Of which record.
        version: Of which version; a newer one makes the certificate *replaced*.
        form: `original` or `copy`.
        office: Which office made it.
        entry_digest: The certify entry.
        place: Where it stands.
    """

    record_id: RecordId
    version: int
    form: str
    office: OfficeId
    entry_digest: Digest
    place: Place


@dataclass(frozen=True, slots=True)
class CertificateCountRow(FlatRow):
    """How many live certificates a record version has."""

    version: int
    count: int


@dataclass(frozen=True, slots=True)
class NoticeRow(FlatRow):
    """A notice that an officer filed: to the residence office, to an owner, of an intake.

    Attributes:
        office: Whose officer.
        agency: Of that office.
        digest: Salted digest of what was said.
        place: Where it stands.
    """

    office: OfficeId
    agency: AgencyId
    digest: Digest
    place: Place


@dataclass(frozen=True, slots=True)
class GrantRow(FlatRow):
    """Access that an owner gave: named fields of a version, wrapped to a key.

    Attributes:
        record_id: Of which record.
        version: Of which version.
        recipient: Key id of who may open.
        wraps_digest: Digest of the wrapped field keys in the vault.
        until: First date on which it no longer counts.
        status: `live` or `withdrawn`.
    """

    record_id: RecordId
    version: int
    recipient: KeyId
    wraps_digest: Digest
    until: str
    status: str


@dataclass(frozen=True, slots=True)
class WrapsRow(FlatRow):
    """Digests of the wraps that were added to a record version later, in order."""

    digests: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class LoggedRow(FlatRow):
    """An access or an annotation that an officer put on record."""

    record_id: RecordId
    version: int
    kind: str
    office: OfficeId
    officer: RecordId
    digest: Digest
    place: Place


@dataclass(frozen=True, slots=True)
class ImportRow(FlatRow):
    """A window through which an office may bring in old books of one source.

    Attributes:
        type_name: Record type.
        from_date: First date.
        to_date: First date after it.
        from_height: First height.
        scans_root: Root of the scans, None before `import/open`.
        count: How many records were announced.
        used: How many came.
    """

    type_name: str
    from_date: str
    to_date: str
    from_height: int
    scans_root: Digest | None
    count: int
    used: int


@dataclass(frozen=True, slots=True)
class ValidatorsRow(FlatRow):
    """The validator sets, `(first height, value of the set)`, oldest first."""

    sets: tuple[tuple[int, Value], ...]


__all__ = [
    "ActRow", "AgencyRow", "BallotRow", "BookRow", "CertificateCountRow", "CertificateRow",
    "ClaimRow", "CompetenceRow", "Encumbrance", "FamilyRow", "FlatRow", "GrantRow", "HeldClaim",
    "ImportRow", "IndexRow", "KeyRow", "Links", "LoggedRow", "MandateRow", "NamespaceRow",
    "NoticeRow", "ObjectId", "OfficeRow", "OfficerRole", "OfficerRow", "PackRow", "ParameterRow",
    "Place", "RecordRow", "TableRow", "TextRow", "TypeRow", "ValidatorsRow", "WrapsRow",
]  # fmt: skip
