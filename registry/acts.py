"""What an act says, before it is sealed: the values of its records and of its head.

`registry.forms` makes it of a form, importers and demonstrations make it directly, and
`registry.drafting` turns it into an entry: one way for every operation of every record type.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ledger.canonical import Value
from ledger.ids import RecordId
from ledger.parts import Evidence, Holder, ObjectPart


@dataclass(frozen=True, slots=True)
class RecordContent:
    """The fields of one record: what its part shows and what its body seals.

    Attributes:
        member: Member and public fields; absent ones are not in it.
        sealed: Sealed fields by path; absent ones are not in it, or None.
        links: Links that the office sets: one id or several.
        holders: Owners with their shares.
    """

    member: Mapping[str, Value] = field(default_factory=dict)
    sealed: Mapping[str, Value] = field(default_factory=dict)
    links: Mapping[str, RecordId | tuple[RecordId, ...]] = field(default_factory=dict)
    holders: tuple[Holder, ...] = ()


NO_EVIDENCE = Evidence(sufficient=False, official=False, digests=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act on paper: what is done, when, on which grounds, with which values.

    Attributes:
        kind: `type/operation`.
        event_date: ISO date of the event.
        records: The subject first, then those that the operation creates, in the order of the
            schema's `writes`; none for a side act.
        received_on: ISO date on which the office received it, or None.
        legal_basis: Articles; empty takes the operation's default.
        evidence: What the office saw.
        reason: Code, or None.
        court_order: Id of the order, or None.
        objects: What a side act or an act on a right makes.
    """

    kind: str
    event_date: str
    records: tuple[RecordContent, ...]
    received_on: str | None = None
    legal_basis: tuple[str, ...] = ()
    evidence: Evidence = NO_EVIDENCE
    reason: str | None = None
    court_order: RecordId | None = None
    objects: tuple[ObjectPart, ...] = ()

    @property
    def type_name(self) -> str:
        """The first half of the kind."""
        return self.kind.partition("/")[0]

    @property
    def operation(self) -> str:
        """The second half of the kind."""
        return self.kind.partition("/")[2]
