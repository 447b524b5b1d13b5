"""Rows of the state about who may act: keys, agencies, mandates, offices, competences, officers."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self, cast

from keys.signing import LOADED_CURVE_KEYS_MAX, Algorithm, KeyId, PublicKey
from ledger.canonical import Value
from ledger.ids import AgencyId, OfficeId
from registry.rows import FlatRow


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
        return _public_key(self.algorithm, self.public)


@lru_cache(maxsize=LOADED_CURVE_KEYS_MAX)
def _public_key(algorithm: int, public: bytes) -> PublicKey:
    return PublicKey(Algorithm(algorithm), public)


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
class KeyChangesRow(FlatRow):
    """When an agency changed a key of its node, as far as that still counts.

    Attributes:
        dates: Ascending; one twice for two changes on a day.
    """

    dates: tuple[str, ...]


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
