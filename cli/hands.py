"""Who signs: what a person says on the command line, made into the hands of a signer plan.

    --as TERM=WHO              an officer for a term: --as second_officer=justice-2
    --as informant=WHO         who reports, with a key
    --person ID=WHO            with which key a person of the ledger signs
    --custody ID=OFFICER,OFFICER     a person without a key, whose form two officers attest
    --custody informant=OFFICER,OFFICER

WHO is an officer of network.toml, a key of the home folder, a key file, a did:key, or a key id in
hex. Officers who are not named are chosen from those whose keys are at hand; who signs for the
office above is always named.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cli.errors import BadParameterError, KeyNeededError
from cli.key import find_key
from cli.network_view import NetworkView
from keys.did import parse_did
from keys.errors import CivregError
from keys.hashing import Digest, domain, hash_with
from keys.signing import KEY_ID_BYTES, KeyId, PublicKey
from ledger.errors import InvalidDataError
from ledger.genesis import FoundingOfficer, FoundingPart
from ledger.ids import OfficeId, RecordId, parse_id
from ledger.parts import KeySigner
from registry.authority import covers
from registry.drafts import Draft
from registry.explain_words import term_words
from registry.policies import OFFICER_TERMS, Term
from registry.problems import Language, in_language
from registry.schema import Operation
from registry.signer_plan import CustodyForm, Hand, Hands

INFORMANT: Final = "informant"
CUSTODY_OFFICERS: Final = 2
_FORM: Final = domain("act-form")
_OWN_OFFICE: Final = frozenset({"officer", "second_officer"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the person said of signers.

    Attributes:
        terms: `TERM=WHO` words.
        persons: `ID=WHO` words.
        custody: `ID=OFFICER,OFFICER` words.
        draft: Whether those whose keys are elsewhere sign a draft.
        paper: The scanned form behind custody.
        agency: Whose governance keys decide.
        new_keys: Keys to be enrolled that prove themselves.
        kind: What is done, `type/operation`.
    """

    terms: Sequence[str] = ()
    persons: Sequence[str] = ()
    custody: Sequence[str] = ()
    paper: Path | None = None
    agency: str = ""
    new_keys: Sequence[KeyId] = ()
    kind: str = ""
    draft: bool = False


def key_of(view: NetworkView, who: str) -> KeyId:
    """Return the key id that a word means; a key file that it names comes onto the ring.

    Raises:
        NotFoundError: It means nothing.
    """
    officer = view.network.officer(who)
    if officer is not None:
        return _officer_key(view, officer.identity, officer.sign)
    if who.startswith("did:"):
        return parse_did(who).key_id
    key_id = _key_id(who)
    if key_id is not None:
        return key_id
    found = find_key(view.network.folder, who)
    return view.ring.add_file(found.path).key_id


def _key_id(word: str) -> KeyId | None:
    """Return the key id that a word is, as lists print it or in hexadecimal, or None."""
    for parse in (parse_id, bytes.fromhex):
        try:
            raw = parse(word)
        except (InvalidDataError, ValueError):
            continue
        if len(raw) == KEY_ID_BYTES:
            return KeyId(raw)
    return None


def public_key_of(view: NetworkView, word: str) -> PublicKey:
    """Return the public key that a did:key, a key of the home folder or a key file means.

    Raises:
        NotFoundError: It means nothing.
        InvalidKeyError: It is a did:key with a mistake.
    """
    return (
        parse_did(word) if word.startswith("did:") else find_key(view.network.folder, word).public
    )


def _officer_key(view: NetworkView, identity: RecordId, path: Path) -> KeyId:
    for part in view.genesis.parts:
        for officer in part.officers:
            if officer.identity_id == identity:
                return officer.sign_key.key_id
    return view.ring.add_file(path).key_id


def make_hands(
    view: NetworkView, operation: Operation, office: OfficeId | None, wishes: Wishes
) -> Hands:
    """Return who is ready to sign an operation.

    Args:
        view: The network with the keys at hand.
        operation: Whose policy asks for signers.
        office: The office that acts.
        wishes: What the person said.

    Raises:
        BadParameterError: A word is malformed or names a term that the policy lacks.
        NotFoundError: A word names a key that is not there.
    """
    terms = _officer_terms(operation)
    officers, informant = _named_terms(view, terms, wishes)
    _fill_officers(view, terms, office, officers, wishes.kind)
    persons: dict[RecordId, Hand] = {}
    for word in wishes.persons:
        shown, who = split_word(word, "--person")
        persons[_person(shown)] = key_of(view, who)
    for word in wishes.custody:
        shown, names = split_word(word, "--custody")
        form = _custody(view, names, wishes.paper)
        if shown == INFORMANT:
            informant = form
        else:
            persons[_person(shown)] = form
    governance: tuple[KeyId, ...] = ()
    if any(term.name == "agency" for terms_ in operation.signers.alternatives for term in terms_):
        governance = _governance(view, wishes.agency)
    return Hands(
        officers=officers,
        persons=persons,
        informant=informant,
        new_keys=wishes.new_keys,
        governance=governance,
        at_hand=frozenset() if persons or wishes.draft else frozenset(view.ring),
    )


def _officer_terms(operation: Operation) -> dict[str, Term]:
    """Return the officer terms that may be asked for, by label."""
    alternatives = list(operation.signers.alternatives)
    if operation.late is not None and operation.late.adds_signer is not None:
        alternatives += operation.late.adds_signer.alternatives
    if operation.senior is not None:
        alternatives += operation.senior.adds_signer.alternatives
    return {
        term.label: term for terms in alternatives for term in terms if term.name in OFFICER_TERMS
    }


def _named_terms(
    view: NetworkView, terms: Mapping[str, Term], wishes: Wishes
) -> tuple[dict[str, KeyId], Hand | None]:
    officers: dict[str, KeyId] = {}
    informant: Hand | None = None
    for word in wishes.terms:
        said, who = split_word(word, "--as")
        if said == INFORMANT:
            informant = key_of(view, who)
            continue
        labels = [label for label, term in terms.items() if said in {label, term.name}]
        if not labels:
            known = ", ".join([*terms, INFORMANT])
            raise BadParameterError(f"no signer is called {said!r} here; known: {known}",
                                    name="--as")  # fmt: skip
        for label in labels:
            officers[label] = key_of(view, who)
    return officers, informant


def _fill_officers(
    view: NetworkView,
    terms: Mapping[str, Term],
    office: OfficeId | None,
    officers: dict[str, KeyId],
    kind: str,
) -> None:
    """Choose an officer at hand for each term that nobody was named for; no one twice.

    Of other offices only one whose agency has a founding mandate for what is done; who signs for
    the office above is always named.
    """
    for label, term in terms.items():
        if label in officers or term.name == "upper_office":
            continue
        own = term.name in _OWN_OFFICE
        taken = set(officers.values())
        parts = [
            part
            for part in view.genesis.parts
            if (part.office.office_id == office) == own and (own or _may(view, part, kind))
        ]
        if term.name == "other_agency":
            agencies = {part.agency_id for part in view.genesis.parts if _has_any(part, taken)}
            parts = [part for part in parts if part.agency_id not in agencies]
        for officer in (one for part in parts for one in part.officers):
            key_id = officer.sign_key.key_id
            if key_id not in taken and key_id in view.ring and _has_role(officer, term):
                officers[label] = key_id
                break


def _may(view: NetworkView, part: FoundingPart, kind: str) -> bool:
    """Tell whether an agency has a founding mandate for a kind of act."""
    type_name, _, operation = kind.partition("/")
    return any(
        covers(mandate.types, type_name) and covers(mandate.operations, operation)
        for agency in view.genesis.template.agencies
        if agency.agency_id == part.agency_id
        for mandate in agency.mandate
    )


def _has_any(part: FoundingPart, keys: Iterable[KeyId]) -> bool:
    return any(officer.sign_key.key_id in keys for officer in part.officers)


def _has_role(officer: FoundingOfficer, term: Term) -> bool:
    return any(role.role == term.arguments[0] for role in officer.roles)


def _custody(view: NetworkView, names: str, paper: Path | None) -> CustodyForm:
    if paper is None:
        raise BadParameterError("a custody form needs the scan of the paper", name="--paper")
    officers = tuple(sorted(key_of(view, name) for name in names.split(",")))
    if len(officers) != CUSTODY_OFFICERS:
        raise BadParameterError("a custody form is attested by two officers", name="--custody")
    if len(set(officers)) != CUSTODY_OFFICERS:
        raise BadParameterError(
            f"a custody form is attested by two different officers: {names} is one",
            name="--custody",
        )
    return CustodyForm(officers, form_digest(paper.read_bytes()))


def form_digest(scan: bytes) -> Digest:
    """Return the digest by which an entry names the paper that a person without a key signed."""
    return hash_with(_FORM, scan)


def _governance(view: NetworkView, agency: str) -> tuple[KeyId, ...]:
    """Return as many governance keys of an agency as are needed, those at hand first."""
    named = {place.agency_id: place.agency for place in view.network.nodes}
    for part in view.genesis.parts:
        if agency and named.get(part.agency_id) != agency:
            continue
        keys = [key.key_id for key in part.governance_keys]
        at_hand = [key for key in keys if key in view.ring]
        if at_hand or agency:
            others = [key for key in keys if key not in at_hand]
            return tuple([*at_hand, *others][: part.governance_k])
    for place in view.network.governance:  # of an agency that joined after genesis
        if agency in {"", place.agency}:
            return tuple([view.ring.add_file(path).key_id for path in place.keys[: place.needed]])
    raise KeyNeededError("no governance key is at hand", purpose="govern")


def split_word(word: str, option: str) -> tuple[str, str]:
    """Return both sides of a word such as `ID=WHO`.

    Raises:
        BadParameterError: One of them is missing.
    """
    left, equals, right = word.partition("=")
    if right.startswith("="):  # One id in 37 ends with "=", its check character.
        left, right = left + equals, right[1:]
    if not equals or not left or not right:
        raise BadParameterError(f"{option} {word!r} is not NAME=WHO", name=option)
    return left, right


def _person(shown: str) -> RecordId:
    try:
        return RecordId(parse_id(shown))
    except InvalidDataError as error:
        raise BadParameterError(f"{shown!r} is no id: {error}", name="ID") from error


def named_office(view: NetworkView, name: str | None) -> OfficeId | None:
    """Return the office that is named; else that of the only office whose officers are at hand.

    Raises:
        NotFoundError: It is neither the id of an office nor the name of one.
    """
    if name:
        try:
            return OfficeId(parse_id(name))
        except InvalidDataError:
            return view.network.office(name).office_id
    found = {
        part.office.office_id
        for part in view.genesis.parts
        if any(officer.sign_key.key_id in view.ring for officer in part.officers)
    }
    return next(iter(found)) if len(found) == 1 else None


def who_is(view: NetworkView, identifier: bytes) -> str | None:
    """Return what people call an office, officer, agency or key, or None."""
    for office in view.network.offices:
        if office.office_id == identifier:
            return office.name
    for node in view.network.nodes:
        if node.agency_id == identifier:
            return node.agency
    for officer in view.network.officers:
        if officer.identity == identifier:
            return officer.name
        try:
            keys = (_officer_key(view, officer.identity, officer.sign),)
        except CivregError:
            continue
        if identifier in keys:
            return officer.name
    path = view.ring.path_of(KeyId(identifier))
    if path is not None:
        return path.stem
    custodians = {part.keys["custodian"].key_id: part.agency_id for part in view.genesis.parts}
    agency = custodians.get(KeyId(identifier))
    return None if agency is None else who_is(view, agency)


def name_of_signer(
    view: NetworkView, draft: Draft, key_id: KeyId, language: Language = "en"
) -> str:
    """Return who a key of a draft belongs to; of an unknown one what it signs as, and its id."""
    known = who_is(view, key_id)
    if known is not None:
        return known
    terms = [
        signer.term
        for signer in draft.entry.head.signers
        if isinstance(signer, KeySigner) and signer.key_id == key_id
    ]
    words = [in_language(term_words(term), language) for term in terms[:1]]
    return " ".join([*words, key_id.hex()])
