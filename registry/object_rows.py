"""Rows of the state that side acts and governance make: ballots, certificates, notices, grants."""

from dataclasses import dataclass

from keys.hashing import Digest
from keys.signing import KeyId
from ledger.canonical import Value
from ledger.ids import ActId, AgencyId, ObjectId, OfficeId, RecordId
from registry.rows import FlatRow, Place


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
    """A side act or an act of governance that happened; kept against replay.

    Attributes:
        entry_digest: Its entry.
        not_after_ms: Until when somebody might replay it.
        before: The act before it whose `not_after_ms` lies in the same hour, or None.
    """

    entry_digest: Digest
    not_after_ms: int
    before: ActId | None


@dataclass(frozen=True, slots=True)
class ActHourRow(FlatRow):
    """The newest act of one hour of `not_after_ms`."""

    newest: ActId


@dataclass(frozen=True, slots=True)
class ActHoursRow(FlatRow):
    """The hours since 1970 UTC of which acts are kept, ascending."""

    hours: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CertificateRow(FlatRow):
    """Whether a certificate counts; whoever has its id is shown this row, so it names no record.

    Attributes:
        status: `valid`, `replaced` or `revoked`.
        height: Since which height.
        entry_digest: The certify entry.
    """

    status: str
    height: int
    entry_digest: Digest


@dataclass(frozen=True, slots=True)
class CertificatesRow(FlatRow):
    """The valid certificates of a record's current version, ascending; at most 64."""

    certificates: tuple[ObjectId, ...]


@dataclass(frozen=True, slots=True)
class NoticeRow(FlatRow):
    """A notice that an officer filed: to the residence office, to an owner, of an intake.

    Attributes:
        office: Whose officer.
        agency: Of that office.
        digest: Salted digest of what was said.
        place: Where it stands.
        backs: The one record whose day of receipt an intake has backed, or None.
    """

    office: OfficeId
    agency: AgencyId
    digest: Digest
    place: Place
    backs: RecordId | None


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
