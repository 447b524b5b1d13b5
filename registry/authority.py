"""Mandate, competence, officer: who may do what, where and on which date.

Each entry is checked down this line on the block's civil date, so an agency cannot give itself a
task that the others have not given it.

Source: records.md, section 3.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from keys.signing import KeyId, Purpose
from ledger.frozen import quick_init
from ledger.ids import AgencyId, OfficeId, RecordId
from ledger.state_keys import StateKey
from registry.authority_errors import (
    KeyNotInForceError,
    KeyUnknownError,
    NoCompetenceError,
    NoMandateError,
    NotOfficerError,
    OfficeNotInForceError,
    OfficerIdentityError,
    RoleMissingError,
    RoleNotInForceError,
)
from registry.authority_rows import (
    AgencyRow,
    CompetenceRow,
    KeyRow,
    MandateRow,
    OfficeRow,
    OfficerRole,
    OfficerRow,
)
from registry.civil_calendar import in_range
from registry.code_tables import code_table
from registry.state import State
from registry.state_key_names import (
    agency_key,
    competence_key,
    key_key,
    mandate_key,
    office_key,
    officer_key,
)
from registry.vocabulary import UNITS

ALL = "*"
UNITS_ABOVE_MAX = 8


@dataclass(frozen=True, slots=True)
class ActingOfficer:
    """An officer as one signature shows them.

    Attributes:
        identity: The person.
        office: The office whose key signed.
        agency: Of that office.
        key_id: The key.
    """

    identity: RecordId
    office: OfficeId
    agency: AgencyId
    key_id: KeyId


@quick_init
@dataclass(frozen=True, slots=True)
class Task:
    """What an office is about to do, on the block's date.

    Attributes:
        type_name: Record type.
        operation: Operation on it.
        day: Civil date of the block.
        height: Of the block.
        units: Where the matter lies, if member fields say so; none: where the office is.
    """

    type_name: str
    operation: str
    day: str
    height: int
    units: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Type and operation, as in a head."""
        return f"{self.type_name}/{self.operation}"


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether an office was allowed to do something on a date, and why.

    Attributes:
        allowed: Yes or no.
        mandate: State key of the mandate row that covers it, or None.
        competence: State key of the competence row that covers it, or None.
        legal_basis: Of both rows, as far as found.
    """

    allowed: bool
    mandate: StateKey | None
    competence: StateKey | None
    legal_basis: tuple[str, ...]


def answer(state: State, office_id: OfficeId, task: Task) -> Answer:
    """Say whether an office was allowed to issue a type on a date.

    Args:
        state: At or after the task's height.
        office_id: The office.
        task: What it did, on which civil date and at which height.

    Source: records.md, section 3.
    """
    day = task.day
    office = state.read(office_key(office_id), OfficeRow)
    if office is None or not in_range(day, office.from_date, office.to_date):
        return Answer(allowed=False, mandate=None, competence=None, legal_basis=())
    mandate = find_mandate(state, office, task)
    competence = find_competence(state, office_id, office, task)
    found = [row for row in (mandate, competence) if row is not None]
    return Answer(
        allowed=len(found) == 2,  # noqa: PLR2004 - both
        mandate=None if mandate is None else mandate[0],
        competence=None if competence is None else competence[0],
        legal_basis=tuple(row.legal_basis for _key, row in found),
    )


def office_in_force(state: State, office_id: OfficeId | None, day: str) -> OfficeRow:
    """Return the office that an entry names, whose agency must be a member.

    Raises:
        OfficeNotInForceError: None is named, or it is not in force on that day.
    """
    office = None if office_id is None else state.read(office_key(office_id), OfficeRow)
    if office is None or not in_range(day, office.from_date, office.to_date):
        raise OfficeNotInForceError("the entry names no office that is in force")
    if find_member(state, office.agency, day) is None:
        raise OfficeNotInForceError("the office's agency is no member")
    return office


def find_member(state: State, agency_id: AgencyId, day: str) -> AgencyRow | None:
    """Return an agency that is a member on a day, with a validator or without one, or None."""
    agency = state.read(agency_key(agency_id), AgencyRow)
    if agency is None or not in_range(day, agency.from_date, agency.to_date):
        return None
    return agency


def check_authority(state: State, office_id: OfficeId, task: Task) -> None:
    """Refuse what the office's agency has no mandate, or the office no competence for.

    Args:
        state: Where the rows lie.
        office_id: An office.
        task: What it does.

    Raises:
        OfficeNotInForceError: The office is not in force.
        NoMandateError: No mandate covers it, in these units; details: kind.
        NoCompetenceError: No competence covers it; details: kind.
    """
    office = office_in_force(state, office_id, task.day)
    if find_mandate(state, office, task) is None:
        raise NoMandateError(f"the agency has no mandate for {task.kind} there", kind=task.kind)
    if find_competence(state, office_id, office, task) is None:
        raise NoCompetenceError(f"the office has no competence for {task.kind}", kind=task.kind)


def check_mandated_somewhere(state: State, agency_id: AgencyId, task: Task) -> None:
    """Refuse what no mandate of an agency covers in any unit: others need not be asked then.

    Raises:
        NoMandateError: Details: kind.
    """
    for _key, row in mandates(state, agency_id):
        is_known = row.from_height <= task.height and in_range(task.day, row.from_date, row.to_date)
        if (
            is_known
            and covers(row.types, task.type_name)
            and covers(row.operations, task.operation)
        ):
            return
    raise NoMandateError(f"the agency has no mandate for {task.kind}", kind=task.kind)


def mandates(state: State, agency_id: AgencyId) -> Iterator[tuple[StateKey, MandateRow]]:
    """Yield all mandates of an agency, oldest first."""
    agency = state.read(agency_key(agency_id), AgencyRow)
    for number in range(0 if agency is None else agency.mandates):
        key = mandate_key(agency_id, number)
        row = state.read(key, MandateRow)
        if row is not None:
            yield key, row


def find_mandate(state: State, office: OfficeRow, task: Task) -> tuple[StateKey, MandateRow] | None:
    """Return the first mandate of the office's agency that covers a task, or None."""
    units = task.units or (office.unit,)
    for key, row in mandates(state, office.agency):
        if (
            row.from_height <= task.height
            and in_range(task.day, row.from_date, row.to_date)
            and covers(row.types, task.type_name)
            and covers(row.operations, task.operation)
            and (ALL in row.units or all(_lies_in(state, row, unit, task) for unit in units))
        ):
            return key, row
    return None


def _lies_in(state: State, row: MandateRow, unit: str, task: Task) -> bool:
    """Tell whether a mandate names a unit, or one above it on the day."""
    table = code_table(state, UNITS, task.height)
    at: str | None = unit
    for _ in range(UNITS_ABOVE_MAX):
        if at is None or at in row.units:
            return at is not None
        at = None if table is None else table.above(at, task.day)
    return False


def find_competence(
    state: State, office_id: OfficeId, office: OfficeRow, task: Task
) -> tuple[StateKey, CompetenceRow] | None:
    """Return the first competence that covers type and operation on a day, or None."""
    for number in range(office.competences):
        key = competence_key(office_id, number)
        row = state.read(key, CompetenceRow)
        if (
            row is not None
            and in_range(task.day, row.from_date, row.to_date)
            and row.type_name in {ALL, task.type_name}
            and covers(row.operations, task.operation)
        ):
            return key, row
    return None


def covers(listed: tuple[str, ...], name: str) -> bool:
    """Tell whether a list of names has one, or `*`."""
    return name in listed or ALL in listed


def key_in_force(state: State, key_id: KeyId, day: str) -> KeyRow:
    """Return the row of a key that is in force on a day.

    Raises:
        KeyUnknownError: The state has no such key.
        KeyNotInForceError: It has not begun, or has ended.
    """
    row = state.read(key_key(key_id), KeyRow)
    if row is None:
        raise KeyUnknownError("the state knows no such key")
    if not in_range(day, row.from_date, row.to_date):
        raise KeyNotInForceError("the key is not in force on the block's date")
    return row


def officer_of_key(
    state: State, key_id: KeyId, day: str, label: str, purpose: Purpose = Purpose.SIGN
) -> ActingOfficer:
    """Return the officer whose key this is, of an office in force.

    Args:
        state: Where keys, offices and officers lie.
        key_id: The key.
        day: Civil date.
        label: What the officer does, for the refusal.
        purpose: What the key must be for: `sign` for entries, `auth` for requests.

    Raises:
        KeyUnknownError: The state has no such key.
        KeyNotInForceError: The key is not in force.
        NotOfficerError: It is no officer's key of this purpose.
        OfficeNotInForceError: Its office is not in force.
        OfficerIdentityError: A founding officer's identity was not completed in time.
    """
    row = key_in_force(state, key_id, day)
    if row.holder_kind != "officer" or row.purpose != purpose or row.office is None:
        raise NotOfficerError(f"the key is no officer's {purpose} key", term=label)
    office = office_in_force(state, row.office, day)
    identity = RecordId(row.holder)
    officer = state.read(officer_key(identity), OfficerRow)
    if officer is None:
        raise NotOfficerError("the person is no officer", term=label)
    if officer.founding_until is not None and day >= officer.founding_until:
        raise OfficerIdentityError("a founding officer's identity is not complete")
    return ActingOfficer(identity, row.office, office.agency, key_id)


def check_role(
    state: State, officer: ActingOfficer, role: str, type_name: str, day: str
) -> OfficerRole:
    """Return the role under which an officer signs.

    Raises:
        RoleMissingError: The officer has no such role for this type with this key.
        RoleNotInForceError: The role has not begun, or has ended.
    """
    row = state.read(officer_key(officer.identity), OfficerRow)
    roles = [
        item
        for item in (() if row is None else row.roles)
        if item.role == role and item.key_id == officer.key_id and covers(item.types, type_name)
    ]
    if not roles:
        raise RoleMissingError(f"the officer has no role {role!r} for {type_name}", role=role)
    for item in roles:
        if in_range(day, item.from_date, item.to_date):
            return item
    raise RoleNotInForceError(f"the role {role!r} is not in force on this date", role=role)
