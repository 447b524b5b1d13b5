"""The rows of the state: what each key's value means, as frozen classes.

A row is flat: an array of its fields in order. Fields are plain values of the format, so reading
and writing a row moves no data; where a field is made of smaller rows, the class says how. Keys are
made by the functions of `registry.state_key_names`; `docs/records.md` lists both. Rows about
agencies, offices, officers and keys are in `registry.authority_rows`, those of certificates,
notices, ballots and other objects in `registry.object_rows`.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeAlias, cast

from keys.hashing import Digest
from ledger.canonical import Value
from ledger.frozen import quick_init
from ledger.ids import AgencyId, OfficeId, RecordId
from ledger.merkle import Frontier
from ledger.parts import Holder, Seal
from registry.errors import CorruptStateError

Links: TypeAlias = dict[str, RecordId | tuple[RecordId, ...]]
HeldClaim: TypeAlias = tuple[str, int, str | Digest]
"""Namespace, epoch (0 for a value in clear), value or tag."""
Place: TypeAlias = tuple[int, int, str]
"""Height, index in the block and civil date of the entry that did something."""


class FlatRow:
    """A row whose fields are plain values, in the order of its class."""

    __slots__ = ()
    __match_args__: ClassVar[tuple[str, ...]] = ()

    def to_value(self) -> Value:
        """Return the fields as an array."""
        return tuple([getattr(self, name) for name in self.__match_args__])

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Read what `to_value` returned.

        Raises:
            CorruptStateError: Another number of fields.
        """
        if type(value) is not tuple or len(value) != len(cls.__match_args__):
            raise CorruptStateError(f"a stored state value is no {cls.__name__}")
        return cls(*cast("Any", value))


@quick_init
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


@quick_init
@dataclass(frozen=True, slots=True)
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
        sealed_by: The agency whose custodian made the wraps of this version's body, or None.
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
    sealed_by: AgencyId | None = None

    def to_value(self) -> Value:
        """Return the fields as an array; what is empty is nil, for most of it mostly is."""
        seal = self.seal
        holders = [(item.parties, item.numerator, item.denominator) for item in self.holders]
        return (
            *(self.type_name, self.schema_version, self.version, self.last_entry),
            *(self.first_entry, self.status, self.flags or None, self.office, self.member or None),
            tuple(holders) or None,
            cast("dict[str, Value] | None", self.links or None),
            None
            if seal is None
            else (seal.body_digest, seal.key_check, seal.commitment, seal.wraps_digest),
            *(self.engine or None, self.claims or None),
            tuple([item.to_value() for item in self.encumbrances]) or None,
            *(self.registration_number, self.created, self.registered, self.officers or None),
            self.sealed_by,
        )

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Read what `to_value` returned.

        Raises:
            CorruptStateError: Another number of fields.
        """
        if type(value) is not tuple or len(value) != len(cls.__match_args__):
            raise CorruptStateError("a stored state value is no RecordRow")
        given = dict(zip(cls.__match_args__, cast("Any", value), strict=True))
        for name in ("flags", "claims", "officers"):
            given[name] = given[name] or ()
        for name in ("member", "links", "engine"):
            given[name] = given[name] or {}
        given["holders"] = tuple(Holder(*holder) for holder in given["holders"] or ())
        given["seal"] = None if given["seal"] is None else Seal(*given["seal"])
        given["encumbrances"] = tuple(map(Encumbrance.from_value, given["encumbrances"] or ()))
        return cls(**given)

    def linked(self, name: str) -> tuple[RecordId, ...]:
        """Return the records a link leads to: none, one or several."""
        found = self.links.get(name)
        if found is None:
            return ()
        return found if isinstance(found, tuple) else (found,)


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
class StandingRow(FlatRow):
    """How many live records name a person as owner or lender; no row for none."""

    records: int


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
class NamespacesRow(FlatRow):
    """The names of all namespaces, ascending."""

    names: tuple[str, ...]


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
class ValidatorsRow(FlatRow):
    """The validator sets, `(first height, value of the set)`, oldest first."""

    sets: tuple[tuple[int, Value], ...]
