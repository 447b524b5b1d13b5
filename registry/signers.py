"""Whether the signers of an entry are exactly those its policy needs, on the block's date.

Each alternative of the policy becomes needs, one for each signature. Every signer must fulfil
one need and every need must be fulfilled: a missing, an idle and a relabelled signer are refused.

Source: records.md, sections 2.2 and 4.
"""

from typing import Final

from keys.signing import KeyId, Purpose
from ledger.ids import AgencyId, RecordId
from ledger.parts import CUSTODIAN_TERM, CustodySigner, KeySigner, Signer
from registry import officer_terms
from registry.authority import key_in_force, officer_of_key
from registry.authority_errors import (
    CustodianMissingError,
    KeyProvisionalError,
    LenderMissingError,
    SignerIdleError,
    SignerMissingError,
    SignerRefusedError,
    SignerWrongError,
)
from registry.authority_rows import AgencyRow
from registry.custody_forms import check_custody_form
from registry.ownership import may_represent, speaks_alone
from registry.person_terms import NEEDS, Need
from registry.policies import OFFICER_TERMS, Policy, Term
from registry.running import Run
from registry.state_key_names import agency_key

MORTGAGE: Final = "mortgage"
LIVE: Final = "live"


def check_signers(run: Run, policy: Policy) -> None:
    """Refuse an entry whose signers are not exactly those that the policy needs.

    Fills `run.officers`, and `run.agency` for acts of governance.

    Raises:
        SignerRefusedError: One of its subclasses says what is wrong.
        AuthorityRefusedError: An officer's office, role or date is wrong.
    """
    signers = list(run.head.signers)
    _check_custodian(run, signers)
    if policy.text == CUSTODIAN_TERM:
        _refuse_idle(signers)
        return
    labels = {signer.term for signer in signers}
    candidates = [terms for terms in policy.alternatives if _may_fit(terms, labels)]
    if not candidates:
        raise _by_label(policy, labels)
    refusal: SignerRefusedError | None = None
    for terms in candidates:
        run.officers.clear()
        try:
            _check_alternative(run, terms, signers.copy())
        except SignerRefusedError as error:
            refusal = refusal or error
        else:
            return
    assert refusal is not None, "a candidate that was not refused has returned"
    raise refusal


def custodian_key(run: Run) -> KeyId | None:
    """Return the custodian's key of the agency that acts."""
    agency = None if run.agency is None else run.state.read(agency_key(run.agency), AgencyRow)
    return None if agency is None else agency.keys.get(Purpose.CUSTODIAN)


def _check_custodian(run: Run, signers: list[Signer]) -> None:
    needed = run.operation.signers.text == CUSTODIAN_TERM or any(
        record.part.seal is not None for record in run.records
    )
    last = signers[-1]
    if last.term != CUSTODIAN_TERM:
        if needed:
            raise CustodianMissingError("the agency's custodian has not signed")
        return
    if not needed:
        raise SignerIdleError("nothing is sealed, so no custodian signs", term=CUSTODIAN_TERM)
    if (
        not isinstance(last, KeySigner)
        or last.acting_for is not None
        or last.key_id != custodian_key(run)
    ):
        raise SignerWrongError(
            "the custodian is not the one of the office's agency", term=CUSTODIAN_TERM
        )
    key_in_force(run.state, last.key_id, run.day)
    signers.pop()


_MAYBE: Final = frozenset({"consent", "lenders", "supervisor", "new_key"})
"""Terms that may come to nobody."""


def _may_fit(terms: tuple[Term, ...], labels: set[str]) -> bool:
    allowed = {term.label for term in terms}
    must = {term.label for term in terms if term.name not in _MAYBE}
    if "representative" in allowed:
        allowed.add("subject")
    return must <= labels <= allowed


def _by_label(policy: Policy, labels: set[str]) -> SignerRefusedError:
    """Return why no alternative fits: what the one that comes nearest lacks, or has too much."""

    def difference(terms: tuple[Term, ...]) -> int:
        return len({term.label for term in terms} ^ labels)

    nearest = min(policy.alternatives, key=difference)
    for term in nearest:
        if term.name not in _MAYBE and term.label not in labels:
            return SignerMissingError(f"a signature as {term.label!r} is missing", term=term.label)
    idle = min(labels - {term.label for term in nearest})
    return SignerIdleError(f"the signature as {idle!r} is not needed", term=idle)


def _check_alternative(run: Run, terms: tuple[Term, ...], signers: list[Signer]) -> None:
    for term in terms:
        if term.name in OFFICER_TERMS:
            signer = _take(signers, Need(term.label))
            run.officers.append(officer_terms.check_officer(run, term, signer))
    officer_terms.check_together(run, terms)
    for term in terms:
        if term.name == "agency":
            _check_agency(run, signers)
        elif term.name == "consensus_key":
            _check_consensus_key(run, signers)
        elif term.name not in OFFICER_TERMS:
            _fulfil_all(run, NEEDS[term.name](run, term, signers), signers)
    _refuse_idle(signers)


def _fulfil_all(run: Run, needs: list[Need], signers: list[Signer]) -> None:
    """Remove the signers that fulfil these needs; who is left over cannot hide who is missing."""
    refusals = [_fulfil(run, need, signers) for need in needs]
    if all(refusal is None for refusal in refusals):
        return
    again = [
        _fulfil(run, need, signers)
        for need, refusal in zip(needs, refusals, strict=True)
        if refusal is not None
    ]
    raise next(refusal for refusal in again if refusal is not None)


def _refuse_idle(signers: list[Signer]) -> None:
    if signers:
        term = signers[0].term
        raise SignerIdleError(f"the signature as {term!r} is not needed", term=term)


def _take(signers: list[Signer], need: Need) -> Signer:
    """Remove and return the first signer with the need's label and person acted for."""
    for at, signer in enumerate(signers):
        if signer.term == need.label and signer.acting_for == need.acting_for:
            return signers.pop(at)
    raise _missing(need, signers)


def _missing(need: Need, signers: list[Signer]) -> SignerRefusedError:
    if any(signer.term == need.label for signer in signers):
        return SignerWrongError(
            f"a signature as {need.label!r} is given for another", term=need.label
        )
    kind = LenderMissingError if need.label == "lenders" else SignerMissingError
    return kind(f"a signature as {need.label!r} is missing", term=need.label)


def _fulfil(run: Run, need: Need, signers: list[Signer]) -> SignerRefusedError | None:
    """Remove the signer that fulfils a need; return why if there is none."""
    refusal: SignerRefusedError | None = None
    for at, signer in enumerate(signers):
        if signer.term != need.label or signer.acting_for != need.acting_for:
            continue
        try:
            _check_person(run, need, signer)
        except SignerRefusedError as error:
            refusal = refusal or error
        else:
            signers.pop(at)
            return None
    return refusal or _missing(need, signers)


def _check_person(run: Run, need: Need, signer: Signer) -> None:
    if isinstance(signer, CustodySigner):
        if need.key_id is not None:
            raise SignerWrongError("a new key is proved by itself", term=need.label)
        check_custody_form(run, signer, need.persons)
        return
    if need.key_id is not None:
        if signer.key_id != need.key_id:
            raise SignerWrongError("not the key that is to be enrolled", term=need.label)
        return
    _check_key_of(run, need, signer.key_id)


def _check_key_of(run: Run, need: Need, key_id: KeyId) -> None:
    row = key_in_force(run.state, key_id, run.day)
    if need.as_officer and row.holder_kind == "officer":
        _check_own_office(run, need, key_id)
        return
    if row.holder_kind != "identity" or row.purpose != Purpose.SIGN:
        raise SignerWrongError("the key is no person's signing key", term=need.label)
    holder = RecordId(row.holder)
    if need.persons is None:
        speaks_alone(run.state, holder, run.day)
    elif holder not in need.persons:
        raise SignerWrongError("the key is another person's", term=need.label)
    elif need.acting_for is not None:
        may_represent(run.state, holder)
    if need.settled and row.settled_from is not None and run.day < row.settled_from:
        raise KeyProvisionalError(
            "a newly enrolled key may not do this yet", settled_from=row.settled_from
        )


def _check_own_office(run: Run, need: Need, key_id: KeyId) -> None:
    """A person may stand with the key of an office in which the person serves already."""
    officer = officer_of_key(run.state, key_id, run.day, need.label)
    if officer.identity not in (need.persons or ()):
        raise SignerWrongError("the key is another person's", term=need.label)


def _check_agency(run: Run, signers: list[Signer]) -> None:
    """Take k governance keys of one agency, exactly k."""
    given = [signer for signer in signers if signer.term == "agency"]
    found: AgencyId | None = None
    for signer in given:
        if not isinstance(signer, KeySigner) or signer.acting_for is not None:
            raise SignerWrongError("an agency signs with governance keys", term="agency")
        row = key_in_force(run.state, signer.key_id, run.day)
        if row.purpose != Purpose.GOVERN or (found is not None and row.holder != found):
            raise SignerWrongError("not a governance key of one agency", term="agency")
        found = AgencyId(row.holder)
        signers.remove(signer)
    agency = None if found is None else run.state.read(agency_key(found), AgencyRow)
    if agency is None or len(given) < agency.governance_k:
        raise SignerMissingError("too few governance keys have signed", term="agency")
    if len(given) > agency.governance_k:
        raise SignerIdleError("more governance keys than needed have signed", term="agency")
    run.agency = found


def _check_consensus_key(run: Run, signers: list[Signer]) -> None:
    """Take the signature of the present consensus key of an agency."""
    signer = _take(signers, Need("consensus_key"))
    if not isinstance(signer, KeySigner):
        raise SignerWrongError("a validator signs with its consensus key", term="consensus_key")
    row = key_in_force(run.state, signer.key_id, run.day)
    if row.purpose != Purpose.CONSENSUS:
        raise SignerWrongError("the key is no validator's", term="consensus_key")
    run.agency = AgencyId(row.holder)
