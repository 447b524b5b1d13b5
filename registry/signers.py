"""Whether the signers of an entry are exactly those its policy needs, on the block's date.

Each alternative of the policy becomes needs, one for each signature. Every signer must fulfil
one need and every need must be fulfilled: a missing, an idle and a relabelled signer are refused.

Source: records.md, sections 2.2 and 4.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from keys.errors import InvalidKeyError
from keys.signing import KeyId, Purpose, parse_public_key
from ledger.ids import AgencyId, RecordId
from ledger.parts import CUSTODIAN_TERM, CustodySigner, KeySigner, Signer
from registry import officer_terms
from registry.authority import key_in_force
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
from registry.errors import FieldValueError
from registry.ownership import (
    Voice,
    living,
    represented,
    speaks_alone,
    supervisors,
    voices,
)
from registry.policies import OFFICER_TERMS, Policy, Term
from registry.running import Run
from registry.state_key_names import agency_key

MORTGAGE: Final = "mortgage"
LIVE: Final = "live"


@dataclass(frozen=True, slots=True)
class Need:
    """One signature that is needed.

    Attributes:
        label: What the signer's term must say.
        acting_for: Whom the signer must act for.
        persons: Whose key or custody form will do; None: any living person's.
        key_id: The one key that will do, for keys about to be enrolled.
        settled: Whether a provisional key is refused.
    """

    label: str
    acting_for: RecordId | None = None
    persons: tuple[RecordId, ...] | None = ()
    key_id: KeyId | None = None
    settled: bool = False


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
        candidates = [_nearest(policy, labels)]
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


_MAYBE: Final = frozenset({"lenders", "supervisor", "new_key"})
"""Terms that may come to nobody."""


def _may_fit(terms: tuple[Term, ...], labels: set[str]) -> bool:
    allowed = {term.label for term in terms}
    must = {term.label for term in terms if term.name not in _MAYBE}
    if "representative" in allowed:
        allowed.add("subject")
    return must <= labels <= allowed


def _nearest(policy: Policy, labels: set[str]) -> tuple[Term, ...]:
    """Return the alternative that shares most labels with the entry, for a helpful refusal."""
    return max(policy.alternatives, key=lambda terms: len({t.label for t in terms} & labels))


def _check_alternative(run: Run, terms: tuple[Term, ...], signers: list[Signer]) -> None:
    for term in terms:
        if term.name in OFFICER_TERMS:
            signer = _take(signers, Need(term.label))
            run.officers.append(officer_terms.check_officer(run, term, signer))
    officer_terms.check_together(run, terms)
    for term in terms:
        if term.name == "agency":
            _check_agency(run, signers)
        elif term.name not in OFFICER_TERMS:
            _fulfil_all(run, _NEEDS[term.name](run, term, signers), signers)
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
    row = key_in_force(run.state, signer.key_id, run.day)
    if row.holder_kind != "identity" or row.purpose != Purpose.SIGN:
        raise SignerWrongError("the key is no person's signing key", term=need.label)
    holder = RecordId(row.holder)
    if need.persons is None:
        living(run.state, holder)
    elif holder not in need.persons:
        raise SignerWrongError("the key is another person's", term=need.label)
    if need.settled and row.settled_from is not None and run.day < row.settled_from:
        raise KeyProvisionalError(
            "a newly enrolled key may not do this yet", settled_from=row.settled_from
        )


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


def _subject_id(run: Run) -> RecordId:
    """Return the identity whom `subject` and `representative` mean."""
    assert run.target_type is not None, "an act about nothing has no term for persons"
    if run.target_type.subject == "self":
        assert run.target_id is not None, "made together with target_type"
        return run.target_id
    if run.target is not None:
        linked = run.target.linked(run.target_type.subject)
        if linked:
            return linked[0]
    raise SignerWrongError("this record has no subject yet", term="subject")


def _needs(term: Term, found: list[Voice], *, settled: bool) -> list[Need]:
    return [Need(term.label, voice.acting_for, voice.persons, settled=settled) for voice in found]


def _subject(run: Run, term: Term, _signers: list[Signer]) -> list[Need]:
    person = _subject_id(run)
    if run.operation.wait_free:
        living(run.state, person)
    else:
        speaks_alone(run.state, person, run.day)
    return [Need(term.label, None, (person,), settled=run.operation.disposal)]


def _representative(run: Run, term: Term, _signers: list[Signer]) -> list[Need]:
    person = _subject_id(run)
    found = represented(run.state, person, run.day)
    return [
        Need(term.label if voice.acting_for else "subject", voice.acting_for, voice.persons)
        for voice in found
    ]


def _parties(run: Run) -> list[RecordId]:
    """Return the present owners, each once, ascending."""
    holders = () if run.target is None else run.target.holders
    return sorted({party for holder in holders for party in holder.parties})


def _owners(run: Run, term: Term, signers: list[Signer]) -> list[Need]:
    parties = _parties(run)
    if not parties:
        raise SignerWrongError("this record has no owners", term=term.label)
    in_property, settled = run.operation.property, run.operation.disposal
    if term.arguments == ("any",):
        first = next((signer for signer in signers if signer.term == term.label), None)
        ward = None if first is None else first.acting_for
        if ward is None:
            return [Need(term.label, None, tuple(parties), settled=settled)]
        parties = [party for party in parties if party == ward]
    found = [
        voice
        for party in parties
        for voice in voices(run.state, party, run.day, in_property=in_property)
    ]
    return _needs(term, found, settled=settled)


def _new_owners(run: Run, term: Term, _signers: list[Signer]) -> list[Need]:
    holders = run.subject.part.holders
    parties = sorted({party for holder in holders for party in holder.parties})
    in_property = run.operation.property
    return [
        need
        for party in parties
        for need in _needs(
            term, voices(run.state, party, run.day, in_property=in_property), settled=False
        )
    ]


def _lenders(run: Run, term: Term, _signers: list[Signer]) -> list[Need]:
    found = () if run.target is None else run.target.encumbrances
    holders = sorted(
        {item.holder for item in found if item.kind == MORTGAGE and item.status == LIVE}
    )
    return [
        need
        for holder in holders
        for need in _needs(
            term, voices(run.state, holder, run.day, in_property=False), settled=True
        )
    ]


def _links(run: Run, term: Term, _signers: list[Signer]) -> list[Need]:
    """Whom links of the record or of its objects lead to."""
    persons: list[RecordId] = []
    for name in term.arguments:
        found = list(run.subject.linked(name)) if run.records else []
        for item in run.entry.objects:
            value = item.fields.get(name)
            if isinstance(value, bytes):
                found.append(RecordId(value))
        if not found:
            raise SignerMissingError(f"nobody is named as {name!r}", term=term.label)
        persons += found
    return [
        need
        for person in sorted(set(persons))
        for need in _needs(
            term, voices(run.state, person, run.day, in_property=False), settled=False
        )
    ]


def _supervisor(run: Run, term: Term, _signers: list[Signer]) -> list[Need]:
    found = [voice for party in _parties(run) for voice in supervisors(run.state, party, run.day)]
    return _needs(term, found, settled=False)


def _informant(_run: Run, term: Term, _signers: list[Signer]) -> list[Need]:
    return [Need(term.label, None, None)]


def _new_key(run: Run, term: Term, _signers: list[Signer]) -> list[Need]:
    found: list[Need] = []
    for item in run.objects("key"):
        if item.fields.get("purpose") != Purpose.SEAL:
            try:
                key = parse_public_key(_int(item.fields["algorithm"]), _raw(item.fields["public"]))
            except InvalidKeyError as error:
                raise FieldValueError("a key is none", field="public") from error
            found.append(Need(term.label, None, (), key_id=key.key_id))
    return found


def _int(value: object) -> int:
    assert isinstance(value, int), "objects were checked against their fields"
    return value


def _raw(value: object) -> bytes:
    assert isinstance(value, bytes), "objects were checked against their fields"
    return value


_NEEDS: Final[dict[str, Callable[[Run, Term, list[Signer]], list[Need]]]] = {
    "informant": _informant,
    "lenders": _lenders,
    "links": _links,
    "new_key": _new_key,
    "new_owners": _new_owners,
    "owners": _owners,
    "representative": _representative,
    "subject": _subject,
    "supervisor": _supervisor,
}
