"""Officers in a policy: each with the role, of the right office, and no two of them one person.

Source: records.md, sections 2.2 and 3.
"""

from typing import Final

from ledger.parts import KeySigner, Signer
from registry.authority import (
    ActingOfficer,
    check_authority,
    check_role,
    officer_of_key,
)
from registry.authority_errors import (
    NotOfficerError,
    OfficersNotDistinctError,
    SameAgencyError,
    SameOfficeError,
    SignerWrongError,
)
from registry.authority_rows import OfficeRow
from registry.policies import OFFICER_TERMS, Term
from registry.running import Run
from registry.state_key_names import office_key

ELSEWHERE: Final = frozenset({"other_office", "other_agency"})
"""Terms of officers whose office, too, must be competent for what is done."""


def check_officer(run: Run, term: Term, signer: Signer) -> ActingOfficer:
    """Return the officer who signs for a term.

    Raises:
        SignerWrongError: A custody form, or someone acting for another.
        NotOfficerError: Not an officer of the office that the term asks for.
        NoMandateError: The other agency has no mandate for what is done.
        NoCompetenceError: The other office has no competence for it.
        AuthorityRefusedError: The role is missing or not in force.
    """
    if not isinstance(signer, KeySigner):
        raise SignerWrongError("officers sign with their own keys", term=term.label)
    officer = officer_of_key(run.state, signer.key_id, run.day, term.label)
    office = run.head.office
    if term.name in {"officer", "second_officer"} and officer.office != office:
        raise NotOfficerError("the officer is of another office", term=term.label)
    if term.name == "upper_office":
        row = None if office is None else run.state.read(office_key(office), OfficeRow)
        if row is None or row.parent is None or officer.office != row.parent:
            raise NotOfficerError("the officer is not of the office above", term=term.label)
    if term.name in ELSEWHERE and not run.operation.any_office:
        check_authority(run.state, officer.office, run.task)
    check_role(run.state, officer, term.arguments[0], run.record_type.name, run.day)
    return officer


def check_together(run: Run, terms: tuple[Term, ...]) -> None:
    """Refuse one person as two officers, and an officer who is not of another office or agency.

    Raises:
        OfficersNotDistinctError: One person twice.
        SameOfficeError: `other_office` of an office to which another officer belongs.
        SameAgencyError: `other_agency` of an agency to which another officer belongs.
    """
    officers = run.officers
    if not officers:
        return
    if len({officer.identity for officer in officers}) != len(officers):
        raise OfficersNotDistinctError("one person stands as two officers")
    named = [term.name for term in terms if term.name in OFFICER_TERMS]
    for at, (name, officer) in enumerate(zip(named, officers, strict=True)):
        others = officers[:at] + officers[at + 1 :]
        if name == "other_office" and officer.office in [one.office for one in others]:
            raise SameOfficeError("this officer must be of another office")
        if name == "other_agency" and officer.agency in [one.agency for one in others]:
            raise SameAgencyError("this officer must be of another agency")
