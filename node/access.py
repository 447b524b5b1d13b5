"""Who may read what of records: member agencies all but sealed content, owners their own.

A member is whoever signs a request with an agency's peer key, or with the auth key of an officer
with a role in force; `registry.asking` says so, at the door and for each request. An owner is a
person whose record it is: its holder, its subject, or whoever represents one of them today, as
`registry.ownership` has it. No rule of the ledger is repeated here. Anyone else is a stranger, and
to a stranger a record that is not public by law looks like one that does not exist.

Source: the design's users.md, section 3.
"""

from collections.abc import Iterable

from keys.signing import KeyId, Purpose
from ledger.entries import EntryContent
from ledger.ids import RecordId
from node.application import Application
from node.clock import Clock
from node.public_errors import ForbiddenError, UnauthenticatedError
from node.request_auth import Asker, KnownKey
from registry.asking import agency_that_asks
from registry.authority import key_in_force
from registry.authority_rows import AgencyRow
from registry.civil_calendar import civil_date
from registry.code_tables import record_type
from registry.errors import RuleError, UnknownKindError
from registry.ownership import keys_of, may_represent, representatives_in_force
from registry.rows import RecordRow
from registry.schema import RecordType
from registry.state import State
from registry.state_key_names import agency_key, record_key


class Access:
    """Answers questions of rights from the committed state.

    Args:
        application: The chain.
        clock: Says which day it is.
    """

    def __init__(self, application: Application, clock: Clock) -> None:
        self._application = application
        self._clock = clock
        self._types: dict[str, RecordType] = {}
        self._types_height = -1

    @property
    def state(self) -> State:
        """The committed state."""
        return self._application.state()

    @property
    def today(self) -> str:
        """The civil date of now."""
        return civil_date(max(self._clock.now_ms(), self._application.tip_time_ms))

    def key_in_force(self, key_id: KeyId) -> KnownKey | None:
        """Return a key whose holder may ask with it today, or None; a `request_auth.KeyBook`."""
        state, today = self.state, self.today
        try:
            agency = agency_that_asks(state, key_id, today)
            row = key_in_force(state, key_id, today)
        except RuleError:
            return None
        return KnownKey(row.public_key, row.purpose, row.holder_kind, row.holder, agency)

    def is_member(self, asker: Asker | None) -> bool:
        """Tell whether an agency or one of its officers asks."""
        return asker is not None and asker.agency is not None

    def require_member(self, asker: Asker | None) -> None:
        """Refuse everybody but agencies and their officers.

        Raises:
            UnauthenticatedError: The request is not signed.
            ForbiddenError: Somebody else signed it.
        """
        if not self.is_member(require_asker(asker)):
            raise ForbiddenError("only member agencies and their officers may have this")

    def keys_of_holder(self, asker: Asker) -> frozenset[KeyId]:
        """Return the seal keys of whoever asks: the agency's, or the person's own, ended ones too.

        An officer reads with the agency's key, which only the custodian holds.
        """
        agency_id = asker.agency
        if agency_id is not None:
            agency = self.state.read(agency_key(agency_id), AgencyRow)
            seal = None if agency is None else agency.keys.get(Purpose.SEAL)
            return frozenset(() if seal is None else (seal,))
        row = self.record(RecordId(asker.key.holder))
        if row is None:
            return frozenset()
        return frozenset(key_id for purpose, key_id in keys_of(row) if purpose == Purpose.SEAL)

    def record(self, record_id: RecordId) -> RecordRow | None:
        """Return the current version of a record, or None."""
        return self.state.read(record_key(record_id), RecordRow)

    def type_of(self, row: RecordRow) -> RecordType | None:
        """Return the schema in force of a record's type, or None."""
        try:
            return self.type_named(row.type_name)
        except UnknownKindError:
            return None

    def type_named(self, name: str) -> RecordType:
        """Return the schema in force of a type.

        Raises:
            UnknownKindError: There is none.
        """
        height = self._application.tip_height + 1
        if height != self._types_height:
            self._types, self._types_height = {}, height
        found = self._types.get(name)
        if found is None:
            found = self._types[name] = record_type(self.state, name, height)
        return found

    def may_read(self, asker: Asker | None, record_id: RecordId) -> bool:
        """Tell whether somebody may see the parts of a record's entries."""
        if asker is None:
            return False
        return self.is_member(asker) or self.is_owner(asker, record_id)

    def is_owner(self, asker: Asker, record_id: RecordId) -> bool:
        """Tell whether a record is the asker's, or of somebody whom the asker represents today."""
        if asker.key.holder_kind == "agency":
            return False
        person = RecordId(asker.key.holder)
        return any(
            owner == person or self.represents(person, owner) for owner in self.owners(record_id)
        )

    def owners(self, record_id: RecordId) -> tuple[RecordId, ...]:
        """Return whose record it is: its holders and its subject, ascending."""
        row = self.record(record_id)
        return () if row is None else self.owners_of(record_id, row)

    def owners_of(self, record_id: RecordId, row: RecordRow) -> tuple[RecordId, ...]:
        """Return whose record a row is, as `owners`."""
        found = {party for holder in row.holders for party in holder.parties}
        schema = self.type_of(row)
        if schema is not None:
            if "self" in (schema.subject, schema.holders) and not row.holders:
                found.add(record_id)
            elif schema.subject != "self":
                found.update(row.linked(schema.subject))
        return tuple(sorted(found))

    def may_read_entry(self, asker: Asker | None, entry: EntryContent) -> bool:
        """Tell whether somebody may see the parts of an entry."""
        if asker is None:
            return False
        return self.is_member(asker) or any(
            self.is_owner(asker, record_id) for record_id in entry_records(entry)
        )

    def represents(self, person: RecordId, ward: RecordId) -> bool:
        """Tell whether a person is a representative of another today."""
        row = self.record(ward)
        if row is None or person not in representatives_in_force(row, self.today):
            return False
        try:
            may_represent(self.state, person)
        except RuleError:
            return False
        return True


def require_asker(asker: Asker | None) -> Asker:
    """Return who asks.

    Raises:
        UnauthenticatedError: The request is not signed.
    """
    if asker is None:
        raise UnauthenticatedError("this request must be signed")
    return asker


def entry_records(entry: EntryContent) -> Iterable[RecordId]:
    """Return the records that an entry writes or is about."""
    about = entry.head.about
    return [
        *(record.record_id for record in entry.records),
        *(() if about is None else (about.record_id,)),
    ]
