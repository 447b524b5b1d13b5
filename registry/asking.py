"""For which agency the holder of a key asks: the ground on which the rights to read stand.

Whoever could not act on a day may not read on it either: an officer without a role in force, an
officer or a service of an agency that is no member, a person who is dead or cancelled.

Source: records.md, section 3; the design's users.md, section 3.
"""

from keys.signing import KeyId, Purpose
from ledger.ids import AgencyId, RecordId
from registry.authority import (
    ActingOfficer,
    find_member,
    key_in_force,
    office_in_force,
    officer_of_key,
)
from registry.authority_errors import AuthorityRefusedError, OfficeNotInForceError
from registry.authority_rows import KeyRow, OfficerRole, OfficerRow
from registry.civil_calendar import in_range
from registry.ownership import living
from registry.state import State
from registry.state_key_names import officer_key


def agency_that_asks(state: State, key_id: KeyId, day: str) -> AgencyId | None:
    """Return the agency for which the holder of a key asks on a day, or None for a person.

    Args:
        state: Where keys and their holders lie.
        key_id: An agency's key, or the `auth` key of an officer or a person.
        day: Civil date.

    Raises:
        KeyUnknownError: The state has no such key.
        KeyNotInForceError: The key is not in force.
        NotOfficerError: An officer's key that is for something else.
        OfficeNotInForceError: The officer's office is not in force, or its agency is no member.
        OfficerIdentityError: A founding officer's identity was not completed in time.
        AuthorityRefusedError: The agency is no member, or the officer has no role in force in it.
        LinkWrongError: The person is no identity of this ledger.
        NotAliveError: The person is dead, cancelled or superseded.
    """
    row = key_in_force(state, key_id, day)
    match row.holder_kind:
        case "agency":
            return _member(state, row, day)
        case "officer":
            officer = officer_of_key(state, key_id, day, "asker", Purpose.AUTH)
            _check_serves(state, officer, day)
            return officer.agency
        case _:
            living(state, RecordId(row.holder))
            return None


def _member(state: State, row: KeyRow, day: str) -> AgencyId:
    agency = AgencyId(row.holder)
    if find_member(state, agency, day) is None:
        raise AuthorityRefusedError("the agency is no member")
    return agency


def _check_serves(state: State, officer: ActingOfficer, day: str) -> None:
    """Refuse an officer to whom the agency has left no role, whatever the role would be.

    The role may be in another office of the agency: who is moved there goes on reading, for what is
    read is shown to the agency, and moving an officer makes no new `auth` key.
    """
    row = state.read(officer_key(officer.identity), OfficerRow)
    roles = () if row is None else row.roles
    in_force = [role for role in roles if in_range(day, role.from_date, role.to_date)]
    # The own office is known to be in force: most officers cost no further read.
    in_force.sort(key=lambda role: role.office != officer.office)
    if not any(_is_of(state, role, officer, day) for role in in_force):
        raise AuthorityRefusedError("the officer has no role in force in the agency")


def _is_of(state: State, role: OfficerRole, officer: ActingOfficer, day: str) -> bool:
    if role.office == officer.office:
        return True
    try:
        return office_in_force(state, role.office, day).agency == officer.agency
    except OfficeNotInForceError:
        return False
