"""Who signs: from a policy and the keys and forms at hand, the exact signer list of an entry.

The state machine refuses a missing, an idle and a relabelled signer, so a draft needs exactly what
`registry.signers` will ask for. This file answers that question before there is an entry; the state
machine has the last word.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from keys.hashing import Digest
from keys.signing import KeyId, Purpose
from ledger.canonical import Value
from ledger.ids import RecordId
from ledger.parts import CUSTODIAN_TERM, CustodySigner, KeySigner, Signer, sort_signers
from registry.acts import Act
from registry.added_signers import changes_weighty, weighty_changes
from registry.authority_errors import SignerMissingError, SignerRefusedError
from registry.authority_rows import KeyRow
from registry.civil_calendar import days_between, in_range
from registry.officer_keys import (
    appointed,
    new_officer_keys,
    office_key_of,
    officer_items,
)
from registry.ownership import (
    Voice,
    consents,
    is_about_somebody,
    keys_of,
    represented,
    speaks_alone,
    supervisors,
    voices,
)
from registry.policies import OFFICER_TERMS, Term
from registry.rows import RecordRow
from registry.schema import Operation, RecordType, Senior
from registry.state import State
from registry.state_key_names import key_key, record_key

LIVE_MORTGAGE: Final = ("mortgage", "live")
_PERSONAL: Final = frozenset({"subject", "representative", "consent"})
"""Terms for the person whom a record is about."""


@dataclass(frozen=True, slots=True)
class CustodyForm:
    """A paper form that a person without a key signed, and the two officers who attest it.

    Attributes:
        officers: Their key ids.
        form_digest: Digest of the form.
    """

    officers: tuple[KeyId, ...]
    form_digest: Digest


Hand: TypeAlias = KeyId | CustodyForm
"""How a person signs: with a key, or by a custody form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """Whoever is ready to sign.

    Attributes:
        officers: Label of the term, such as `officer(register)`, -> the officer's key.
        persons: Identity -> how that person signs; who is not in it signs with the key that the
            state lists.
        informant: Who reports, or None.
        new_keys: Keys to be enrolled, which prove that someone holds them.
        governance: Governance keys of the agency that decides.
        consensus: The consensus key of the agency that decides, where that one signs.
        custodian: The custodian's key of the office's agency; None if nothing is sealed.
        at_hand: Private keys that are here; an alternative whose keys are all here comes before
            one that waits for others. Empty: the first that can be fulfilled at all.
    """

    officers: Mapping[str, KeyId] = field(default_factory=dict)
    persons: Mapping[RecordId, Hand] = field(default_factory=dict)
    informant: Hand | None = None
    new_keys: Sequence[KeyId] = ()
    governance: Sequence[KeyId] = ()
    consensus: KeyId | None = None
    custodian: KeyId | None = None
    at_hand: frozenset[KeyId] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What the policy's terms are about.

    Attributes:
        state: Where identities and keys lie.
        day: Civil date on which the entry will be in a block.
        record_type: Type of the record whose owners and subject count; for a companion the type
            beside which it stands.
        record_id: That record; None if the act creates it.
        row: Its row so far, or None.
        act: What is done.
        operation: Of the act's kind.
        sealed_before: Sealed values of the version that is changed; None where they did not open.
    """

    state: State
    day: str
    record_type: RecordType
    record_id: RecordId | None
    row: RecordRow | None
    act: Act
    operation: Operation
    sealed_before: Mapping[str, Value] | None = field(default=None, repr=False)


def plan_signers(scene: Scene, hands: Hands) -> tuple[Signer, ...]:
    """Return the signers of the first alternative of the policy that the hands can fulfil.

    One whose keys are all at hand is preferred.

    Args:
        scene: What the act is about.
        hands: Who is ready to sign.

    Returns:
        Signers in the order of a head, the custodian last.

    Raises:
        SignerRefusedError: No alternative can be fulfilled; says what the first one lacks.
    """
    operation = scene.operation
    refusal: SignerRefusedError | None = None
    found: list[tuple[Signer, ...]] = []
    for terms in _alternatives(scene, hands):
        try:
            signers = [signer for term in terms for signer in _signers_of(term, scene, hands)]
        except SignerRefusedError as error:
            refusal = refusal or error
            continue
        here = not hands.at_hand or hands.at_hand.issuperset(
            signer.key_id for signer in signers if isinstance(signer, KeySigner)
        )
        if hands.custodian is not None and operation.signers.text != CUSTODIAN_TERM:
            signers.append(KeySigner(CUSTODIAN_TERM, None, hands.custodian))
        if here:
            return sort_signers(signers)
        found.append(sort_signers(signers))
    if found:
        return found[0]
    assert refusal is not None, "a policy has at least one alternative"
    raise refusal


def _alternatives(scene: Scene, hands: Hands) -> list[tuple[Term, ...]]:
    """Return the policy's alternatives, with the signers that a late or weighty act adds."""
    found = _meant(scene)
    late, senior = scene.operation.late, scene.operation.senior
    if senior is not None and _is_weighty(scene, hands, senior):
        found = [terms + more for terms in found for more in senior.adds_signer.alternatives]
    if late is None or late.after_days is None or late.adds_signer is None:
        return found
    counted = scene.act.received_on or (scene.row.created[2] if scene.row else scene.day)
    if days_between(scene.act.event_date, counted) <= late.after_days:
        return found
    return [terms + more for terms in found for more in late.adds_signer.alternatives]


def _meant(scene: Scene) -> list[tuple[Term, ...]]:
    """Return the alternatives that this record type can fulfil at all.

    Side acts have one policy for all types: where a record is about no person, such as a title over
    a parcel, its owners are who `subject or representative or owners` means.
    """
    found = list(scene.operation.signers.alternatives)
    if is_about_somebody(scene.record_type):
        return found
    return [terms for terms in found if _PERSONAL.isdisjoint(term.name for term in terms)] or found


def _is_weighty(scene: Scene, hands: Hands, senior: Senior) -> bool:
    """Tell whether a weighty field changes, or the one who signs for it is there.

    Sealed fields are compared where the version before is at hand; else who changes one brings the
    signer, or the custodian refuses.
    """
    if senior.adds_signer.labels & hands.officers.keys():
        return True
    if not scene.act.records:
        return False
    after, before = scene.act.records[0], None if scene.row is None else scene.row.member
    if changes_weighty(scene.operation, before, after.member):
        return True
    return scene.sealed_before is not None and bool(
        weighty_changes(senior, scene.sealed_before, after.sealed)
    )


def _signers_of(term: Term, scene: Scene, hands: Hands) -> list[Signer]:
    if term.name in OFFICER_TERMS:
        key_id = hands.officers.get(term.label)
        if key_id is None:
            raise SignerMissingError(f"nobody is there as {term.label}", term=term.label)
        return [KeySigner(term.label, None, key_id)]
    find = _TERMS.get(term.name)
    if find is None:
        raise SignerMissingError(f"the term {term.label} cannot be planned", term=term.label)
    return find(term, scene, hands)


def _hand(label: str, acting_for: RecordId | None, hand: Hand) -> Signer:
    if isinstance(hand, CustodyForm):
        officers = tuple(sorted(hand.officers))
        return CustodySigner(label, acting_for, officers, hand.form_digest)
    return KeySigner(label, acting_for, hand)


def _voice(label: str, voice: Voice, scene: Scene, hands: Hands) -> Signer:
    """Return the signature of the first person of a voice who is there."""
    for person in voice.persons:
        hand = hands.persons.get(person)
        if hand is not None:
            return _hand(label, voice.acting_for, hand)
    for person in voice.persons:
        key_id = sign_key_of(scene.state, person, scene.day)
        if key_id is not None:
            return _hand(label, voice.acting_for, key_id)
    raise SignerMissingError(f"nobody is there as {label}", term=label)


def sign_key_of(state: State, identity_id: RecordId, day: str) -> KeyId | None:
    """Return a person's newest signing key in force on a day, or None."""
    row = state.read(record_key(identity_id), RecordRow)
    for purpose, key_id in reversed(() if row is None else keys_of(row)):
        if purpose == Purpose.SIGN:
            key = state.read(key_key(key_id), KeyRow)
            if key is not None and in_range(day, key.from_date, key.to_date):
                return key_id
    return None


def _subject_of(scene: Scene) -> RecordId:
    if not is_about_somebody(scene.record_type):
        raise SignerMissingError("a record of this type is about no person", term="subject")
    if scene.record_type.subject == "self" and scene.record_id is not None:
        return scene.record_id
    linked = () if scene.row is None else scene.row.linked(scene.record_type.subject)
    if not linked:
        raise SignerMissingError("this record has no subject yet", term="subject")
    return linked[0]


def _subject(term: Term, scene: Scene, hands: Hands) -> list[Signer]:
    person = _subject_of(scene)
    if not scene.operation.any_capacity:
        speaks_alone(scene.state, person, scene.day)
    return [_voice(term.label, Voice(None, (person,)), scene, hands)]


def _representative(term: Term, scene: Scene, hands: Hands) -> list[Signer]:
    found = represented(scene.state, _subject_of(scene), scene.day)
    return [
        _voice(term.label if voice.acting_for else "subject", voice, scene, hands)
        for voice in found
    ]


def _consent(term: Term, scene: Scene, hands: Hands) -> list[Signer]:
    person = _subject_of(scene)
    if not consents(scene.state, person, scene.day, int(term.arguments[0])):
        return []
    return [_voice(term.label, Voice(None, (person,)), scene, hands)]


def _speak(
    term: Term, persons: Sequence[RecordId], scene: Scene, hands: Hands, *, in_property: bool
) -> list[Signer]:
    return [
        _voice(term.label, voice, scene, hands)
        for person in sorted(set(persons))
        for voice in voices(scene.state, person, scene.day, in_property=in_property)
    ]


def _owners(term: Term, scene: Scene, hands: Hands) -> list[Signer]:
    holders = () if scene.row is None else scene.row.holders
    parties = sorted({party for holder in holders for party in holder.parties})
    if term.arguments == ("any",):
        own = [party for party in parties if party in hands.persons] or parties
        parties = own[:1]
    if not parties:
        raise SignerMissingError("this record has no owners", term=term.label)
    return _speak(term, parties, scene, hands, in_property=scene.operation.property)


def _new_owners(term: Term, scene: Scene, hands: Hands) -> list[Signer]:
    holders = scene.act.records[0].holders if scene.act.records else ()
    parties = [party for holder in holders for party in holder.parties]
    return _speak(term, parties, scene, hands, in_property=scene.operation.property)


def _lenders(term: Term, scene: Scene, hands: Hands) -> list[Signer]:
    found = () if scene.row is None else scene.row.encumbrances
    lenders = [item.holder for item in found if (item.kind, item.status) == LIVE_MORTGAGE]
    return _speak(term, lenders, scene, hands, in_property=False)


def _links(term: Term, scene: Scene, hands: Hands) -> list[Signer]:
    persons: list[RecordId] = []
    for name in term.arguments:
        linked = scene.act.records[0].links.get(name) if scene.act.records else None
        found = [] if linked is None else list(linked) if isinstance(linked, tuple) else [linked]
        values = [made.fields.get(name) for made in scene.act.objects]
        found += [RecordId(value) for value in values if isinstance(value, bytes)]
        if not found:
            raise SignerMissingError(f"nobody is named as {name}", term=term.label)
        persons += found
    return _speak(term, persons, scene, hands, in_property=False)


def _supervisor(term: Term, scene: Scene, hands: Hands) -> list[Signer]:
    holders = () if scene.row is None else scene.row.holders
    parties = sorted({party for holder in holders for party in holder.parties})
    return [
        _voice(term.label, voice, scene, hands)
        for party in parties
        for voice in supervisors(scene.state, party, scene.day)
    ]


def _informant(term: Term, _scene: Scene, hands: Hands) -> list[Signer]:
    if hands.informant is None:
        raise SignerMissingError("there is no informant", term=term.label)
    return [_hand(term.label, None, hands.informant)]


def _appointee(term: Term, scene: Scene, hands: Hands) -> list[Signer]:
    """Who is to be an officer signs as `hands` says, with the own key, or as officer elsewhere."""
    found: list[Signer] = []
    for person in appointed(officer_items(scene.act.objects)):
        hand = hands.persons.get(person) or sign_key_of(scene.state, person, scene.day)
        hand = hand or office_key_of(scene.state, person, scene.day, hands.at_hand)
        if hand is None:
            raise SignerMissingError(f"nobody is there as {term.label}", term=term.label)
        found.append(_hand(term.label, None, hand))
    return found


def _new_key(term: Term, scene: Scene, hands: Hands) -> list[Signer]:
    new = new_officer_keys(scene.state, officer_items(scene.act.objects))
    return [KeySigner(term.label, None, key_id) for key_id in (*hands.new_keys, *new)]


def _agency(term: Term, _scene: Scene, hands: Hands) -> list[Signer]:
    if not hands.governance:
        raise SignerMissingError("no governance key is there", term=term.label)
    return [KeySigner(term.label, None, key_id) for key_id in hands.governance]


def _consensus_key(term: Term, _scene: Scene, hands: Hands) -> list[Signer]:
    if hands.consensus is None:
        raise SignerMissingError("no consensus key is there", term=term.label)
    return [KeySigner(term.label, None, hands.consensus)]


def _custodian(term: Term, _scene: Scene, hands: Hands) -> list[Signer]:
    if hands.custodian is None:
        raise SignerMissingError("the custodian is not there", term=term.label)
    return [KeySigner(term.label, None, hands.custodian)]


_TERMS: Final[Mapping[str, Callable[[Term, Scene, Hands], list[Signer]]]] = {
    "agency": _agency,
    "appointee": _appointee,
    "consensus_key": _consensus_key,
    "consent": _consent,
    "custodian": _custodian,
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
