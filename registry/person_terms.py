"""Terms of a policy that persons fulfil: whose signature each of them needs, on the block's date.

Source: records.md, sections 2.2, 4.1 and 4.2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from keys.errors import InvalidKeyError
from keys.signing import KeyId, Purpose, parse_public_key
from ledger.frozen import quick_init
from ledger.ids import RecordId
from ledger.parts import Signer
from registry.authority_errors import (
    NotCapableError,
    SignerMissingError,
    SignerRefusedError,
    SignerWrongError,
)
from registry.content_errors import LinkWrongError
from registry.errors import FieldValueError
from registry.officer_keys import appointed, new_officer_keys, officer_items
from registry.ownership import (
    IDENTITY,
    Voice,
    consents,
    is_about_somebody,
    is_represented,
    living,
    may_represent,
    represented,
    speaks_alone,
    supervisors,
    voices,
)
from registry.policies import Term
from registry.running import Run

MORTGAGE: Final = "mortgage"
LIVE: Final = "live"


@quick_init
@dataclass(frozen=True, slots=True)
class Need:
    """One signature that is needed.

    Attributes:
        label: What the signer's term must say.
        acting_for: Whom the signer must act for.
        persons: Whose key or custody form will do; None: that of anybody who signs alone.
        key_id: The one key that will do, for keys about to be enrolled.
        as_officer: Whether an officer's key of theirs will do as well.
        settled: Whether a provisional key is refused.
    """

    label: str
    acting_for: RecordId | None = None
    persons: tuple[RecordId, ...] | None = ()
    key_id: KeyId | None = None
    as_officer: bool = False
    settled: bool = False


def _subject_id(run: Run) -> RecordId:
    """Return the identity whom `subject` and `representative` mean."""
    assert run.target_type is not None, "an act about nothing has no term for persons"
    if not is_about_somebody(run.target_type):
        raise SignerWrongError("a record of this type is about no person", term="subject")
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
    if run.operation.any_capacity:
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


def _consent(run: Run, term: Term, _signers: list[Signer]) -> list[Need]:
    """A child from this age on agrees; one who is enrolled, or 15, signs as the subject anyway."""
    person = _subject_id(run)
    if not consents(run.state, person, run.day, int(term.arguments[0])):
        return []
    return [Need(term.label, None, (person,))]


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
        given = [signer.acting_for for signer in signers if signer.term == term.label]
        ward = next((person for person in given if person is not None), None)
        if ward is None:
            alone = tuple([party for party in parties if _is_alone(run, party)])
            return [Need(term.label, None, alone, settled=settled)]
        parties = [party for party in parties if party == ward]
    found = [
        voice
        for party in parties
        for voice in voices(run.state, party, run.day, in_property=in_property)
    ]
    return _needs(term, found, settled=settled)


def _is_alone(run: Run, person: RecordId) -> bool:
    """Tell whether a person's own signature is enough, by age, judgment and locks."""
    try:
        speaks_alone(run.state, person, run.day)
    except SignerRefusedError:
        return False
    return True


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
        for person in found:
            _check_person(run, person, name)
        persons += found
    losing = _encumbrance_holders(run) if run.operation.disposal else []
    return [
        need
        for person in sorted(set(persons))
        for need in _needs(
            term, voices(run.state, person, run.day, in_property=False), settled=person in losing
        )
    ]


def _check_person(run: Run, person: RecordId, name: str) -> None:
    """Refuse who has no identity: an agency, or a company, which no record of this engine is."""
    row = run.record(person)
    if row is None or row.type_name != IDENTITY:
        raise LinkWrongError("only a person with an identity is a party", field=name)


def _encumbrance_holders(run: Run) -> list[RecordId]:
    """Return who has a right over the record that its owners do not have."""
    found = () if run.target is None else run.target.encumbrances
    return [item.holder for item in found if item.status == LIVE]


def _supervisor(run: Run, term: Term, _signers: list[Signer]) -> list[Need]:
    found = [voice for party in _parties(run) for voice in supervisors(run.state, party, run.day)]
    return _needs(term, found, settled=False)


def _informant(_run: Run, term: Term, _signers: list[Signer]) -> list[Need]:
    return [Need(term.label, None, None)]


def _appointee(run: Run, term: Term, _signers: list[Signer]) -> list[Need]:
    """Who is to be an officer agrees, with the own key or one of an office served already."""
    persons = appointed(officer_items(run.entry.objects))
    for person in persons:
        may_represent(run.state, person)
        if is_represented(living(run.state, person), run.day):
            raise NotCapableError("an officer is of age")
    return [Need(term.label, None, (person,), as_officer=True) for person in persons]


def _new_key(run: Run, term: Term, _signers: list[Signer]) -> list[Need]:
    items = officer_items(run.entry.objects)
    found = [
        Need(term.label, None, (), key_id=key_id) for key_id in new_officer_keys(run.state, items)
    ]
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


NEEDS: Final[dict[str, Callable[[Run, Term, list[Signer]], list[Need]]]] = {
    "appointee": _appointee,
    "consent": _consent,
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
