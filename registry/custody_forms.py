"""The custody form: two officers attest that a person without a key appeared and signed.

Source: records.md, sections 2.2 and 4.1.
"""

from typing import Final

from ledger.ids import RecordId
from ledger.parts import CustodySigner
from registry.authority import ActingOfficer, covers, officer_of_key
from registry.authority_errors import CustodyFormError, RelativeError
from registry.authority_rows import OfficerRow
from registry.civil_calendar import in_range
from registry.kinship import are_relatives
from registry.ownership import has_sign_key, living, may_represent
from registry.running import Run
from registry.state_key_names import officer_key

OFFICERS: Final = 2
ROLES: Final = ("declare", "register", "approve")
"""Roles of which an officer of a custody form has at least one for the record type."""


def check_custody_form(
    run: Run, signer: CustodySigner, persons: tuple[RecordId, ...] | None
) -> None:
    """Refuse a custody form that may not stand for one of these persons.

    Args:
        run: The entry.
        signer: The form.
        persons: For whom it may stand; None: for anybody, an informant unknown to the ledger.

    Raises:
        CustodyFormError: Forms are not allowed here, the person has a key, or the two officers are
            not two people with a role, of the offices that the operation asks for.
        RelativeError: An officer is the person, or a relative.
        AuthorityRefusedError: An officer's key or office is not in force.
    """
    rule = run.operation.custody
    if rule == "none":
        raise CustodyFormError("only the person's own key will do")
    if persons is not None:
        _check_keyless(run, signer, persons)
    officers = [
        officer_of_key(run.state, key_id, run.day, signer.term) for key_id in signer.officers
    ]
    if len(officers) != OFFICERS or len({one.identity for one in officers}) != OFFICERS:
        raise CustodyFormError("a custody form is attested by two officers")
    for officer in officers:
        _check_any_role(run, officer)
        _check_unrelated(run, signer, officer, persons or ())
    home = run.head.office
    if rule == "other_office" and all(officer.office == home for officer in officers):
        raise CustodyFormError("one officer of the form must be of another office")
    if rule == "other_agency" and all(officer.agency == run.agency for officer in officers):
        raise CustodyFormError("one officer of the form must be of another agency")


def _check_keyless(run: Run, signer: CustodySigner, persons: tuple[RecordId, ...]) -> None:
    keyless = [person for person in persons if _is_keyless(run, person)]
    if not keyless:
        raise CustodyFormError("the person has a key")
    if signer.acting_for is not None:
        for person in keyless:
            may_represent(run.state, person)


def _check_unrelated(
    run: Run, signer: CustodySigner, officer: ActingOfficer, persons: tuple[RecordId, ...]
) -> None:
    for person in persons:
        if are_relatives(run.state, officer.identity, person, run.day, run.steps):
            raise RelativeError("an officer attests the form of a relative", field=signer.term)


def _is_keyless(run: Run, person: RecordId) -> bool:
    return not has_sign_key(run.state, living(run.state, person), run.day)


def _check_any_role(run: Run, officer: ActingOfficer) -> None:
    row = run.state.read(officer_key(officer.identity), OfficerRow)
    for role in () if row is None else row.roles:
        if (
            role.key_id == officer.key_id
            and role.role in ROLES
            and covers(role.types, run.record_type.name)
            and in_range(run.day, role.from_date, role.to_date)
        ):
            return
    raise CustodyFormError("an officer of the form has no role for this record type")
