"""One entry while it is being applied: what it was given, what it will write.

Rules read a `Run`, effects write to it; `registry.apply` makes it and turns its records into rows.
It lives for one entry and is thrown away with its fork of the state if anything refuses.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from keys.hashing import Digest
from keys.signing import KeyId
from ledger.canonical import Value
from ledger.entries import Entry
from ledger.frozen import quick_init
from ledger.ids import AgencyId, OfficeId, RecordId
from ledger.parts import Head, ObjectPart, RecordPart
from registry.authority import ActingOfficer, Task
from registry.kinship import Steps
from registry.rows import Encumbrance, HeldClaim, Links, Place, RecordRow
from registry.schema import NOTHING, Operation, RecordType
from registry.state import State
from registry.state_key_names import record_key
from registry.vocabulary import PARTIES, SELF

NO_STATUS: Final = NOTHING
RECEIVED_ON: Final = "received_on"
"""Engine field: the day on which the record was received, where that was before its first block."""
CLAIMED_AT: Final = "claimed_at"
"""Engine field: namespace -> office of the tag, where that is not the record's own."""
LIVE: Final = "live"
"""The status of an encumbrance that stands."""
HeaderDigests: TypeAlias = Callable[[int], Digest | None]
"""The digest of the chain's header of a height below the block's; None where it is not known."""


def no_headers(_height: int) -> Digest | None:
    """Know no header: for entries that ask for none, and for a chain that begins."""
    return None


@quick_init
@dataclass(frozen=True, slots=True)
class BlockContext:
    """The block in which an entry is applied.

    Attributes:
        height: From 1.
        index: Of the entry in the block, from 0.
        time_ms: Block time, milliseconds since 1970 UTC.
        network_id: 32 bytes.
        header_digest: The chain below the block, at least its newest 100 headers.
    """

    height: int
    index: int
    time_ms: int
    network_id: Digest
    header_digest: HeaderDigests = no_headers

    def at(self, index: int) -> "BlockContext":
        """Return the context of another entry of the same block."""
        return replace(self, index=index)


@dataclass(slots=True)
class NewRecord:
    """A record as the entry is about to leave it.

    Attributes:
        record_type: Its type, in force.
        part: What the entry says of it.
        before: Its row so far, None if the entry creates it.
        status: After the entry.
        flags: After the entry; sorted when written.
        links: After the entry.
        engine: What effects set.
        claims: What it holds.
        encumbrances: In the order of registration.
        registration_number: If it has one.
        registered: Where that was given.
    """

    record_type: RecordType
    part: RecordPart
    before: RecordRow | None
    status: str = NO_STATUS
    flags: list[str] = field(default_factory=list)
    links: Links = field(default_factory=dict)
    engine: dict[str, Value] = field(default_factory=dict)
    claims: list[HeldClaim] = field(default_factory=list)
    encumbrances: tuple[Encumbrance, ...] = ()
    registration_number: str | None = None
    registered: Place | None = None

    @classmethod
    def of(cls, record_type: RecordType, part: RecordPart, before: RecordRow | None) -> "NewRecord":
        """Begin with what the record was."""
        if before is None:
            return cls(record_type, part, None, links=dict(part.links))
        kept = {
            name: target
            for name, target in before.links.items()
            if name in record_type.engine_fields
        }
        return cls(
            record_type,
            part,
            before,
            status=before.status,
            flags=list(before.flags),
            links={**part.links, **kept},
            engine=before.engine,
            claims=list(before.claims),
            encumbrances=before.encumbrances,
            registration_number=before.registration_number,
            registered=before.registered,
        )

    def set_flag(self, flag: str) -> None:
        """Set a flag, once."""
        if flag not in self.flags:
            self.flags.append(flag)

    def clear_flag(self, flag: str) -> None:
        """Clear a flag if it is set."""
        if flag in self.flags:
            self.flags.remove(flag)

    def set_engine(self, name: str, value: Value) -> None:
        """Set what only effects set; the row before is never changed."""
        self.engine = {**self.engine, name: value}

    def linked(self, name: str) -> tuple[RecordId, ...]:
        """Return the records a link leads to: none, one or several."""
        found = self.links.get(name)
        if found is None:
            return ()
        return found if isinstance(found, tuple) else (found,)


@dataclass(slots=True)
class Run:
    """One entry being applied.

    Attributes:
        state: The entry's own fork.
        entry: The entry, its signatures verified.
        block: The block.
        day: Civil date of the block.
        record_type: Of the kind's first half; for side acts the type of the record.
        operation: Of the kind's second half.
        owner_type: The type whose schema has the operation: `record_type`, or that of side acts.
        records: What it writes, the subject first; none for side acts.
        about: The record that a side act is about, or None.
        target: The record whose owners and subject the policy means: the subject's row so far, or
            `about`; for a companion the record beside which it stands.
        target_id: Its id.
        target_type: Its type.
        agency: The agency of the head's office, or whose governance keys signed.
        officers: Who signed as officers, in the order of the policy.
        is_late_by: Days since the event, when the act is late, else None.
        warnings: In the order in which they were given.
        touched_flags: What the entry set, for the outcome.
        registration_number: Given by this entry.
        steps: Family links it may still follow.
    """

    state: State
    entry: Entry
    block: BlockContext
    day: str
    record_type: RecordType
    operation: Operation
    owner_type: RecordType
    records: list[NewRecord] = field(default_factory=list)
    about: RecordRow | None = None
    target: RecordRow | None = None
    target_id: RecordId | None = None
    target_type: RecordType | None = None
    agency: AgencyId | None = None
    officers: list[ActingOfficer] = field(default_factory=list)
    is_late_by: int | None = None
    warnings: list[str] = field(default_factory=list)
    touched_flags: list[str] = field(default_factory=list)
    registration_number: str | None = None
    steps: Steps = field(default_factory=Steps)

    @property
    def head(self) -> Head:
        """The entry's head."""
        return self.entry.head

    @property
    def subject(self) -> NewRecord:
        """The first record that the entry writes."""
        return self.records[0]

    @property
    def place(self) -> Place:
        """Where the entry stands: height, index, civil date."""
        return self.block.height, self.block.index, self.day

    @property
    def office(self) -> OfficeId:
        """The head's office, which has been checked to be there."""
        office = self.head.office
        assert office is not None, "operations with officers were checked to name their office"
        return office

    @property
    def task(self) -> Task:
        """What mandate and competence must cover: kind, date, and the units the matter lies in."""
        units: tuple[str, ...] = ()
        if self.target_type is not None and self.target_type.territory:
            top, _, part = self.target_type.territory.partition(".")
            found = [] if self.target is None else [self.target.member.get(top)]
            found += [record.part.member.get(top) for record in self.records[:1]]
            named = [value.get(part) if isinstance(value, dict) else value for value in found]
            units = tuple(dict.fromkeys([unit for unit in named if isinstance(unit, str)]))
        return Task(self.record_type.name, self.operation.name, self.day, self.block.height, units)

    @property
    def counted_day(self) -> str:
        """The day to which duties count: received_on, else of the declaration, else now.

        Source: records.md, section 5.
        """
        if self.head.received_on is not None:
            return self.head.received_on
        before = self.records[0].before if self.records else None
        if before is None or not self._is_proposed(before):
            return self.day
        return before.created[2]

    @property
    def recorded_on(self) -> str:
        """The day on which the subject was first received: it tells of nothing that came later.

        The record's first entry says it, or the block of that; while the record is proposed, an
        entry that brings an intake of an earlier day does too.

        Source: records.md, sections 5 and 6.1.
        """
        before, received = self.subject.before, self.head.received_on
        if before is None:
            return received or self.day
        known = str(before.engine.get(RECEIVED_ON, before.created[2]))
        if received is None or not self._is_proposed(before):
            return known
        return min(known, received)

    def _is_proposed(self, row: RecordRow) -> bool:
        return self.record_type.statuses.get(row.status) == "proposed"

    def objects(self, kind: str) -> list[ObjectPart]:
        """Return the entry's objects of a kind, in its order."""
        return [item for item in self.entry.objects if item.kind == kind]

    def created(self, link: str) -> NewRecord:
        """Return the record part that the operation creates under an engine's link."""
        for write, record in zip(self.operation.writes, self.records, strict=True):
            if write.kind == "create" and write.link == link:
                return record
        raise AssertionError("the loader checked that the operation writes it")

    def value(self, name: str) -> Value:
        """Return a member field of the subject, `group.part`, or a date of the entry; else None."""
        if name == "block_date":
            return self.day
        if name == "received_on":
            return self.head.received_on or self.counted_day
        if name == "recorded_on":
            return self.recorded_on
        if name == "head_event_date":
            return self.head.event_date
        top, _, part = name.partition(".")
        value = self.subject.part.member.get(top)
        if part and isinstance(value, dict):
            return value.get(part)
        return value

    def links(self, name: str) -> tuple[RecordId, ...]:
        """Return whom a link of the subject leads to; `self` is the subject, `parties` all."""
        if name == SELF:
            return (self.subject.part.record_id,)
        return self._parties() if name == PARTIES else self.subject.linked(name)

    def _parties(self) -> tuple[RecordId, ...]:
        """Return who gains, loses or has a right by this entry, ascending."""
        subject = self.subject
        before = () if subject.before is None else subject.before.holders
        found = [party for holder in (*before, *subject.part.holders) for party in holder.parties]
        found += [item.holder for item in subject.encumbrances if item.status == LIVE]
        for item in self.entry.objects:
            for name, spec in self.owner_type.objects[item.kind].items():
                value = item.fields.get(name)
                if spec.kind == "link" and isinstance(value, bytes):
                    found.append(RecordId(value))
        return tuple(sorted(dict.fromkeys(found)))

    def record(self, record_id: RecordId) -> RecordRow | None:
        """Return the row of a record as the state has it."""
        return self.state.read(record_key(record_id), RecordRow)

    def officer_keys(self) -> list[KeyId]:
        """Return the keys with which officers signed."""
        return [officer.key_id for officer in self.officers]
