"""Whose word stands behind an officer's number: never that of the agency the officer serves.

An agency that could both register a person and name that person its officer would need nobody to
fill its offices. So another agency must have claimed the number, whoever made the record: a record
of another office into which the agency itself wrote the number shows nothing.

Source: records.md, section 3.
"""

from typing import Final

from ledger.ids import AgencyId, OfficeId, RecordId
from registry import parameters
from registry.authority_errors import OfficerIdentityError
from registry.authority_rows import OfficeRow, OfficerRow
from registry.rows import RecordRow
from registry.running import CLAIMED_AT, NewRecord, Run
from registry.state_key_names import office_key, officer_key

NUMBER: Final = "person.number"


def check_named(run: Run, identity: RecordId, row: RecordRow, agency: AgencyId) -> None:
    """Refuse a new officer of an agency whose number no other agency has registered (policy).

    Who serves the agency already was judged when that began; a founding officer when the founding
    identity is completed.

    Args:
        run: The act that names the officer.
        identity: The person.
        row: Of that person.
        agency: Which names the officer.

    Raises:
        OfficerIdentityError: No number, or one that this agency registered.
    """
    if not _is_asked(run):
        return
    officer = run.state.read(officer_key(identity), OfficerRow)
    if officer is not None and _serves(run, officer, agency):
        return
    maker = row.engine.get(CLAIMED_AT, {})
    assert isinstance(maker, dict), "only effects write it"
    office = maker.get(NUMBER, row.office)
    has_number = any(claim[0] == NUMBER for claim in row.claims)
    by = (
        run.state.read(office_key(OfficeId(office)), OfficeRow)
        if isinstance(office, bytes)
        else None
    )
    if not has_number or by is None or by.agency == agency:
        raise OfficerIdentityError("the officer's number was not registered by another agency")


def check_completed(run: Run, record: NewRecord, officer: OfficerRow) -> None:
    """Refuse to complete a founding officer's identity without a number, or by the own agency.

    Raises:
        OfficerIdentityError: The one or the other.
    """
    if not _is_asked(run):
        return
    has_number = any(claim[0] == NUMBER for claim in record.claims)
    if not has_number or (run.agency is not None and _serves(run, officer, run.agency)):
        raise OfficerIdentityError("the officer's number was not registered by another agency")


def _is_asked(run: Run) -> bool:
    return parameters.number(run.state, "officer_number_claim", run.block.height) == 1


def _serves(run: Run, officer: OfficerRow, agency: AgencyId) -> bool:
    """Tell whether a role of the officer is, or was, in an office of an agency."""
    for role in officer.roles:
        office = run.state.read(office_key(role.office), OfficeRow)
        if office is not None and office.agency == agency:
            return True
    return False
