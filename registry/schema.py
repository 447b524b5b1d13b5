"""Record types: what a schema says, as frozen classes; `registry.schema_reader` makes them.

Source: records.md, section 2.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from keys.hashing import Digest
from registry.field_specs import FieldSpec
from registry.policies import Policy

StatusClass: TypeAlias = Literal["proposed", "live", "ended"]
EditKind: TypeAlias = Literal["none", "change", "correction", "supplement", "redetermination"]
WriteKind: TypeAlias = Literal["self", "create", "companion"]
AboutKind: TypeAlias = Literal["record", "optional", "none"]
CustodyRule: TypeAlias = Literal["any", "other_office", "other_agency", "none"]
TypeRole: TypeAlias = Literal["record", "companion", "side", "governance"]
HoldersRule: TypeAlias = Literal["none", "required", "self"]
ClaimMode: TypeAlias = Literal["value", "tag"]
ClaimScope: TypeAlias = Literal["live", "forever"]
NOTHING = ""
"""The status of a record that does not exist yet, in `Operation.from_statuses`."""


@dataclass(frozen=True, slots=True)
class Call:
    """A named rule or effect with its arguments, such as `late_after(60)`."""

    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """One record part of an operation's entry.

    Attributes:
        kind: `self` the subject; `create` a record that an effect makes; `companion` the
            owner-controlled record beside the subject, which itself is not written.
        type_name: Its record type.
        link: For `create`: the engine's link from the subject to it.
    """

    kind: WriteKind
    type_name: str
    link: str


@dataclass(frozen=True, slots=True)
class ObjectUse:
    """How many object parts of a kind an operation's entry has."""

    kind: str
    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Late:
    """What a missed duty asks for.

    Attributes:
        flag: Set on the record.
        needs: The member field with the reason code.
        after_days: From how many days after the event another signer is needed, or None.
        adds_signer: That signer's term as a policy, or None.
    """

    flag: str
    needs: str
    after_days: int | None
    adds_signer: Policy | None


@dataclass(frozen=True, slots=True)
class Senior:
    """A change of these fields needs one more signer.

    Attributes:
        fields: Member fields: every node sees the change.
        sealed: Sealed fields: the custodian sees it.
        adds_signer: That signer's term as a policy.
    """

    fields: tuple[str, ...]
    sealed: tuple[str, ...]
    adds_signer: Policy


@dataclass(frozen=True, slots=True)
class Unique:
    """A claim on a value or tag that only one record may hold.

    Attributes:
        namespace: Such as `person.number`.
        fields: Of a value the fields it is made of, joined by `/`; of a tag the sealed field.
        mode: `value` or `tag`.
        scope: `live`: free again when the record ends; `forever`.
        required: Whether each record must hold one.
    """

    namespace: str
    fields: tuple[str, ...]
    mode: ClaimMode
    scope: ClaimScope
    required: bool


@dataclass(frozen=True, slots=True)
class MatchTag:
    """A tag of which equal ones are found: of which sealed fields, with which link or date."""

    namespace: str
    fields: tuple[str, ...]
    link: str


@dataclass(frozen=True, slots=True)
class Limit:
    """A service deadline of the office, in working days; missing it sets `overdue`."""

    working_days: int
    extend: int
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What may be done with a record, or as a side act or act of governance.

    Attributes:
        name: The second half of the kind.
        title: What people call it, in Vietnamese and English.
        side: Moves no version; names `about` unless `about` is `none`.
        about: For side acts: `record`, `optional` or `none`.
        from_statuses: From which status; `""`: from nothing.
        to_status: The status after it, or None: unchanged.
        edit: Which of the four edits it is.
        fields: Fields it may change, `*` for all.
        except_fields: Fields it may not change although `*` says so.
        writes: Record parts, the subject's first.
        objects: Object parts.
        signers: The policy, without the custodian.
        rules: Ledger rules.
        attested: Office rules that the entry must list.
        effects: In this order.
        late: What a missed duty asks for, or None.
        senior: Which changes need one more signer, or None.
        limit: The office's deadline, or None.
        blocked_by: Flags that stand against it.
        sets: Flags it sets.
        clears: Flags it clears.
        needs: Of `reason` and `evidence`.
        number: The series of the book in which it takes a number, or None.
        disposal: Whether keys of owners must be settled.
        property: Whether owners of 15 to 17 need their representative, and wards their supervisor.
        custody: Where the two officers of a custody form come from: `any`, or one of them from
            `other_office` or `other_agency`; `none`: only a key will do.
        any_office: The office needs no competence of its own for it.
        wait_free: Neither mandate nor competence is asked, for what the owner alone does.
        any_capacity: The subject signs though under age or locked, as for closing a stolen key.
        not_after_hours: How far ahead `not_after_ms` may be; None: by how many sign, see
            `registry.entry_time`.
        may_be_unknown: Required fields that may be absent.
        basis: Default legal basis.
    """

    name: str
    title: tuple[str, str]
    side: bool
    about: AboutKind
    from_statuses: tuple[str, ...]
    to_status: str | None
    edit: EditKind
    fields: tuple[str, ...]
    except_fields: tuple[str, ...]
    writes: tuple[Write, ...]
    objects: tuple[ObjectUse, ...]
    signers: Policy
    rules: tuple[Call, ...]
    attested: tuple[str, ...]
    effects: tuple[Call, ...]
    late: Late | None
    senior: Senior | None
    limit: Limit | None
    blocked_by: tuple[str, ...]
    sets: tuple[str, ...]
    clears: tuple[str, ...]
    needs: tuple[str, ...]
    number: str | None
    disposal: bool
    property: bool
    custody: CustodyRule
    any_office: bool
    wait_free: bool
    any_capacity: bool
    not_after_hours: int | None
    may_be_unknown: tuple[str, ...]
    basis: tuple[str, ...]

    def may_write(self, field: str) -> bool:
        """Tell whether the operation may change a field."""
        listed = field in self.fields or "*" in self.fields
        return listed and field not in self.except_fields


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordType:
    """A record type, or a class of side acts or acts of governance.

    Attributes:
        name: The first half of the kind.
        role: `record`, `companion` (only written beside another record), `side` (its operations
            are every record type's) or `governance`.
        title: What people call it, in Vietnamese and English.
        version: Schema version, from 1.
        valid_from: ISO date.
        engine_version: The lowest that understands it.
        digest: Of the text, 32 bytes.
        laws: Articles.
        book: Name of its book, empty for none.
        certificate: Layout, empty for none.
        fresh_for: Days that an offline certificate counts as current.
        valid_for: Days after which a certificate expires at the latest.
        printed: What a certificate shows, in order: sealed paths, member fields or their parts,
            `registration_no` and `registered_on`.
        statuses: Status -> engine class.
        subject: Where the person is whom `subject` means: `self`, or the name of a link.
        holders: `none`, `required` (shares) or `self`.
        companion_of: For companions: the record type beside which it stands.
        territory: The member field with the unit in which the matter lies, so that mandates must
            cover it; empty: the unit of the office decides.
        fields: All fields by name.
        member_fields: Those in the member map.
        link_fields: Those in the links, set by the clerk.
        engine_fields: Names of those that only effects set.
        sealed_paths: Path -> spec, in path order.
        unique: Claims.
        match: Match tags.
        objects: Kind of object -> its fields.
        operations: By name.
    """

    name: str
    role: TypeRole
    title: tuple[str, str]
    version: int
    valid_from: str
    engine_version: int
    digest: Digest
    laws: tuple[str, ...]
    book: str
    certificate: str
    fresh_for: int
    valid_for: int
    printed: tuple[str, ...]
    statuses: Mapping[str, StatusClass]
    subject: str
    holders: HoldersRule
    companion_of: str
    territory: str
    fields: Mapping[str, FieldSpec]
    member_fields: dict[str, FieldSpec]
    link_fields: dict[str, FieldSpec]
    engine_fields: frozenset[str]
    sealed_paths: Mapping[str, FieldSpec]
    unique: tuple[Unique, ...]
    match: tuple[MatchTag, ...]
    objects: Mapping[str, dict[str, FieldSpec]]
    operations: Mapping[str, Operation]
