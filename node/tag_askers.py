"""For whom a custodian has tags made, and whether the tag services would answer."""

from keys.signing import KeyId
from ledger.ids import AgencyId
from ledger.parts import CustodySigner, Head, KeySigner
from node.access import Access
from registry.authority import Task, check_mandated_somewhere, officer_of_key


def check_author(access: Access, agency_id: AgencyId, head: Head, height: int) -> None:
    """Refuse here, with the ledger's reason, whom the tag services would not answer.

    Args:
        access: The state and the day.
        agency_id: Whose custodian asks.
        head: Of the act.
        height: Of the next block.

    Raises:
        NoMandateError: No mandate of the agency covers the act.
        RegistryError: The officer is none in force; as `registry.authority.officer_of_key`.
    """
    type_name, _slash, operation = head.kind.partition("/")
    task = Task(type_name, operation, access.today, height)
    check_mandated_somewhere(access.state, agency_id, task)
    officer_of_key(access.state, officer_of(head), access.today, "officer")


def officer_of(head: Head) -> KeyId:
    """Return the officer for whom tags are made: the office's own, else one of a custody form."""
    keys = [signer for signer in head.signers if isinstance(signer, KeySigner)]
    for signer in keys:
        if signer.term.startswith("officer("):
            return signer.key_id
    for form in head.signers:
        if isinstance(form, CustodySigner):
            return form.officers[0]
    return head.first_key_id
