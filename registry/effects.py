"""The named effects on records that record types call, in the order written.

All effects of an entry happen or none do: they write to the entry's own fork of the state.

Source: records.md, section 2.3.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final, TypeAlias, cast

from keys.errors import InvalidKeyError
from keys.signing import Algorithm, KeyId, PublicKey, Purpose, parse_public_key
from ledger.ids import RecordId, derived_id
from ledger.limits import PERSON_CHILDREN_MAX, PERSON_KEYS_MAX
from ledger.parts import KeySigner
from registry import parameters
from registry.authority_errors import (
    KeyProvisionalError,
    KeyTakenError,
    NotCapableError,
    OfficersNotDistinctError,
)
from registry.authority_rows import KeyRow, OfficerRow
from registry.birth_dates import date_identity, date_keys, end_of_key
from registry.civil_calendar import add_days, in_range
from registry.claims import one_spelling, settle_claims, take_claim
from registry.content_errors import DateOrderError, ImportNotOpenError, LinkWrongError
from registry.errors import (
    FieldValueError,
    ObjectUnknownError,
    RecordUnknownError,
    WrongIdError,
)
from registry.import_windows import legacy_source, open_window
from registry.indexes import add_to_index, settle_matches, take_from_index
from registry.officer_numbers import check_completed
from registry.ownership import (
    DECIDES_WITH_PARENT_AGE,
    LOCKED,
    PARENT,
    keys_of,
    living,
    years_old,
)
from registry.possible_duplicates import (
    POTENTIAL_DUPLICATE,
    RESOLVED,
    note_found,
    resolved,
    undecided,
)
from registry.rows import Encumbrance, FamilyRow
from registry.rules import provisional_until
from registry.running import NewRecord, Run
from registry.state_key_names import (
    family_key,
    import_key,
    index_key,
    key_key,
    officer_key,
    record_key,
)
from registry.work_limits import check_work

LIVE: Final = "live"
CUSTODY_OFFICE: Final = "office"
CUSTODY_OWN: Final = "own"
ENCUMBRANCES_MAX: Final = 1_024
"""Of one record, those that are over among them."""
SEALING: Final = (Algorithm.P256, Algorithm.MLKEM768_X25519)
SIGNING: Final = (Algorithm.P256, Algorithm.ED25519, Algorithm.MLDSA65)
ACTING: Final = frozenset({Purpose.SIGN.value, Purpose.AUTH.value, Purpose.RECOVER.value})
"""For acts in a person's name. A sealing key only reads: it stays until another one comes."""

PARENT_LINKS: Final = ("mother", "father")
LOCKS: Final = "locks"
"""Engine field: records whose end has locked this one, ascending."""
_Locks: TypeAlias = tuple[RecordId, ...]
Effect: TypeAlias = Callable[[Run, tuple[str, ...]], None]


def create_identity(run: Run, arguments: tuple[str, ...]) -> None:
    """The record part under this link is the child's identity: its id is derived, it is live."""
    subject, child = run.subject, run.created(arguments[0])
    wanted = derived_id(subject.part.record_id, subject.part.record_version, "create_identity", 0)
    if child.part.record_id != wanted:
        raise WrongIdError("the id of the child's identity is not the derived one")
    if child.part.member.get("birth_date") != subject.part.member.get("event_date"):
        raise DateOrderError("the identity has another birth date than the birth")
    subject.links[arguments[0]] = child.part.record_id
    child.links["birth_record"] = subject.part.record_id
    child.status = "active"
    _in_office_custody(run, child)
    settle_claims(run, child)
    for match_tag in child.record_type.match:
        _settle_match(run, child, match_tag.namespace)


def own_identity(run: Run, _arguments: tuple[str, ...]) -> None:
    """A new or completed identity is in the custody of the office until a key is enrolled."""
    subject = run.subject
    if "keys" not in subject.engine:
        _in_office_custody(run, subject)
    key = officer_key(subject.part.record_id)
    officer = run.state.read(key, OfficerRow)
    if officer is not None and officer.founding_until is not None:
        check_completed(run, subject, officer)
        run.state.write(key, OfficerRow(officer.roles, None))


def _in_office_custody(run: Run, record: NewRecord) -> None:
    record.set_engine("custody", CUSTODY_OFFICE)
    record.set_engine("custody_office", run.head.office)


def link_family(run: Run, arguments: tuple[str, ...]) -> None:
    """Parents and child know each other, and the parents represent the child."""
    child_link, *parent_links = arguments
    child = run.created(child_link)
    child_id, birth = child.part.record_id, run.subject.part.record_id
    parents = [parent for link in parent_links for parent in run.links(link)]
    family = run.state.read(family_key(child_id), FamilyRow) or FamilyRow((), (), ())
    links = tuple((parent, "birth", birth) for parent in parents)
    run.state.write(family_key(child_id), FamilyRow(links, family.children, family.spouses))
    for parent in parents:
        row = run.state.read(family_key(parent), FamilyRow) or FamilyRow((), (), ())
        children = (*row.children, (child_id, "birth", birth))
        check_work("children of a person", len(children), PERSON_CHILDREN_MAX)
        run.state.write(family_key(parent), FamilyRow(row.parents, children, row.spouses))
    child.set_engine(
        "representatives", tuple((parent, PARENT, run.day, None) for parent in parents)
    )


def index(run: Run, arguments: tuple[str, ...]) -> None:
    """The record is found under whom its link leads to."""
    record, link = run.subject, arguments[0]
    before = () if record.before is None else record.before.linked(link)
    for target in sorted(dict.fromkeys((*before, *record.linked(link)))):
        change = add_to_index if target in record.linked(link) else take_from_index
        change(run, index_key(record.record_type.name, link, target), record.part.record_id)


def match(run: Run, arguments: tuple[str, ...]) -> None:
    """The record is found under its match tag; for imports only if they bring one."""
    _settle_match(run, run.subject, arguments[0])


def _settle_match(run: Run, record: NewRecord, namespace: str) -> None:
    if record.part.matches or not run.operation.may_be_unknown:
        settle_matches(run, record, namespace)


def enrol_keys(run: Run, _arguments: tuple[str, ...]) -> None:
    """Keys of a person come into the state; the first that signs ends the office's custody.

    The owner's present key does not sign this: it is lost or stolen. So where a signing key comes
    in, the earlier ones end at once and prove past signatures only.
    """
    subject = run.subject
    objects = run.objects("key")
    purposes = {str(item.fields["purpose"]) for item in objects}
    if purposes == {Purpose.SEAL}:
        raise FieldValueError("a sealing key comes together with a signing key", field="purpose")
    _check_years(subject, run)
    until = end_of_key(str(subject.part.member["birth_date"]), run.day)
    wait_days = parameters.number(run.state, "key_provisional_days", run.block.height)
    keys = cast("tuple[tuple[str, bytes], ...]", subject.engine.get("keys", ()))
    if Purpose.SIGN in purposes:
        _end_keys(run, purposes | ACTING)
        subject.set_engine("custody", CUSTODY_OWN)
    for item in objects:
        algorithm, public = item.fields["algorithm"], item.fields["public"]
        try:
            key = parse_public_key(cast("int", algorithm), cast("bytes", public))
        except InvalidKeyError as error:
            raise FieldValueError("a key is none", field="public") from error
        if not fits_purpose(key, str(item.fields["purpose"])):
            raise FieldValueError("keys of this algorithm cannot do this", field="purpose")
        if run.state.read(key_key(key.key_id), KeyRow) is not None:
            raise KeyTakenError("the key is in the state already")
        row = KeyRow(
            algorithm=int(key.algorithm),
            public=key.public,
            purpose=str(item.fields["purpose"]),
            holder_kind="identity",
            holder=subject.part.record_id,
            office=None,
            from_date=run.day,
            to_date=until,
            settled_from=add_days(run.day, wait_days) if wait_days else None,
            compromised_since_ms=None,
        )
        run.state.write(key_key(key.key_id), row)
        keys = (*keys, (row.purpose, key.key_id))
    check_work("keys of a person", len(keys), PERSON_KEYS_MAX)
    subject.set_engine("keys", keys)


def _end_keys(run: Run, purposes: Collection[str]) -> None:
    """End the keys of these purposes that the person has had in force so far."""
    before = run.subject.before
    for purpose, key_id in () if before is None else keys_of(before):
        row = run.state.read(key_key(key_id), KeyRow)
        if purpose in purposes and row is not None and in_range(run.day, run.day, row.to_date):
            run.state.write(key_key(key_id), replace(row, to_date=run.day))


def fits_purpose(key: PublicKey, purpose: str) -> bool:
    """Tell whether keys of this algorithm can do what they are for: seal or sign."""
    return key.algorithm in (SEALING if purpose == Purpose.SEAL else SIGNING)


def _check_years(subject: NewRecord, run: Run) -> None:
    assert subject.before is not None, "keys are enrolled for a record that exists"
    if years_old(subject.before, run.day) < DECIDES_WITH_PARENT_AGE:
        raise NotCapableError("a child under 6 has no key of its own")


def close_keys(run: Run, _arguments: tuple[str, ...]) -> None:
    """Keys of the person end at once; what they signed and was not registered is refused."""
    before = run.subject.before
    known = [] if before is None else [key_id for _purpose, key_id in keys_of(before)]
    provisional = {
        one.key_id: settled
        for one in run.head.signers
        if isinstance(one, KeySigner) and (settled := provisional_until(run, one)) is not None
    }
    for item in run.objects("closing"):
        key_id = KeyId(cast("bytes", item.fields["key_id"]))
        if provisional and key_id not in provisional:
            raise KeyProvisionalError(
                "a newly enrolled key closes no other key yet",
                settled_from=max(provisional.values()),
            )
        row = run.state.read(key_key(key_id), KeyRow)
        if row is None or key_id not in known or not in_range(run.day, run.day, row.to_date):
            raise ObjectUnknownError("the person has no such key in force")
        run.state.write(key_key(key_id), replace(row, to_date=run.day))


def add_encumbrance(run: Run, arguments: tuple[str, ...]) -> None:
    """A right of another is registered behind those that are there: rank is block order."""
    subject = run.subject
    for item in run.objects("encumbrance"):
        holder = RecordId(cast("bytes", item.fields["holder"]))
        living(run.state, holder)
        if all(owner.parties == (holder,) for owner in subject.part.holders):
            raise LinkWrongError("an owner has no right over the own record", field="holder")
        number = len(subject.encumbrances) + 1
        check_work("encumbrances", number, ENCUMBRANCES_MAX)
        added = Encumbrance(number, arguments[0], holder, run.place, LIVE)
        subject.encumbrances = (*subject.encumbrances, added)


def change_encumbrance(run: Run, arguments: tuple[str, ...]) -> None:
    """A live right of another is released."""
    subject = run.subject
    for item in run.objects("release"):
        number, holder = item.fields["number"], item.fields["holder"]
        found = [
            one
            for one in subject.encumbrances
            if one.number == number and one.holder == holder and one.status == LIVE
        ]
        if not found:
            raise ObjectUnknownError("the record has no such live encumbrance of this holder")
        subject.encumbrances = tuple(
            replace(one, status=arguments[0]) if one is found[0] else one
            for one in subject.encumbrances
        )


def lock_link(run: Run, arguments: tuple[str, ...]) -> None:
    """Whom the link leads to cannot sign any more while this record does not stand."""
    _set_locks(run, arguments[0], lambda locks, own: (*locks, own))


def free_link(run: Run, arguments: tuple[str, ...]) -> None:
    """This record's lock on whom the link leads to is over; locks of others stay."""
    _set_locks(run, arguments[0], lambda locks, own: tuple(one for one in locks if one != own))


def _set_locks(run: Run, link: str, change: Callable[[_Locks, RecordId], _Locks]) -> None:
    for target in run.subject.linked(link):
        row = run.record(target)
        if row is None:
            raise RecordUnknownError("a link leads to no record")
        locks = change(cast("_Locks", row.engine.get(LOCKS, ())), run.subject.part.record_id)
        engine = {name: value for name, value in row.engine.items() if name != LOCKS}
        flags = [flag for flag in row.flags if flag != LOCKED]
        if locks:
            engine[LOCKS] = tuple(sorted(dict.fromkeys(locks)))
            flags.append(LOCKED)
        changed = replace(row, engine=engine, flags=tuple(sorted(flags)))
        run.state.write(record_key(target), changed)


def use_import(run: Run, _arguments: tuple[str, ...]) -> None:
    """One more record of the announced ones has come; its old id is claimed for ever."""
    source, window = legacy_source(run), open_window(run)
    if source is None or window is None:
        raise ImportNotOpenError("no window is open for this office and source")
    system, legacy_id = source
    run.state.write(import_key(run.office, system), replace(window, used=window.used + 1))
    namespace = f"legacy.{run.record_type.name}.{system}"
    take_claim(run, run.subject, (namespace, 0, one_spelling(legacy_id)))


def resolve_duplicate(run: Run, arguments: tuple[str, ...]) -> None:
    """An officer who did not declare it decides whether two births are one.

    Flagged or not: what a custodian finds by names (`duplicate_search`) never comes into a block.
    """
    subject = run.subject
    before = subject.before
    assert before is not None, "the operation begins with a declared birth"
    if any(officer.identity in before.officers for officer in run.officers):
        raise OfficersNotDistinctError("who declared the birth does not decide")
    (item,) = run.objects("duplicate")
    other = RecordId(cast("bytes", item.fields["other"]))
    row = run.record(other)
    if row is None or row.type_name != run.record_type.name:
        raise RecordUnknownError("the other record is not known")
    if arguments[0] == "different":
        decided = sorted(dict.fromkeys((*resolved(subject.engine), other)))
        subject.set_engine(RESOLVED, tuple(decided))
        left = undecided(run, subject, PARENT_LINKS)
        note_found(subject, left)
        if not left:
            subject.clear_flag(POTENTIAL_DUPLICATE)


EFFECTS: Final[dict[str, Effect]] = {
    effect.__name__: effect
    for effect in (
        add_encumbrance,
        change_encumbrance,
        close_keys,
        create_identity,
        date_identity,
        date_keys,
        enrol_keys,
        free_link,
        index,
        link_family,
        lock_link,
        match,
        own_identity,
        resolve_duplicate,
        use_import,
    )
}
