"""Who signs for a person on a date: capacity by age, representatives, guardians, supervisors.

Source: records.md, section 4.2; Civil Code 91/2015/QH13 arts 21-22, 46-59.
"""

from dataclasses import dataclass
from typing import Final, cast

from keys.signing import KeyId, Purpose
from ledger.frozen import quick_init
from ledger.ids import RecordId
from registry.authority_errors import NotAliveError, NotCapableError
from registry.authority_rows import KeyRow
from registry.civil_calendar import age, in_range
from registry.content_errors import LinkWrongError
from registry.rows import RecordRow
from registry.schema import RecordType
from registry.state import State
from registry.state_key_names import key_key, record_key

IDENTITY: Final = "identity"
ACTIVE: Final = "active"
INCAPABLE: Final = "incapable"
LOCKED: Final = "locked"
PARENT: Final = "parent"
GUARDIAN: Final = "guardian"
DECIDES_WITH_PARENT_AGE: Final = 6
DECIDES_AGE: Final = 15
ADULT_AGE: Final = 18


@quick_init
@dataclass(frozen=True, slots=True)
class Voice:
    """One signature that stands for a person.

    Attributes:
        acting_for: The ward, or None when people sign for themselves.
        persons: Whose key or custody form will do; any one of them.
    """

    acting_for: RecordId | None
    persons: tuple[RecordId, ...]


def living(state: State, identity_id: RecordId) -> RecordRow:
    """Return the row of a person who is alive and active or incapable.

    Raises:
        LinkWrongError: There is no such identity.
        NotAliveError: Dead, cancelled or superseded.
    """
    row = state.read(record_key(identity_id), RecordRow)
    if row is None or row.type_name != IDENTITY:
        raise LinkWrongError("a person who must sign is no identity of this ledger", field=IDENTITY)
    if row.status not in {ACTIVE, INCAPABLE}:
        raise NotAliveError(f"a person who must sign is {row.status}", status=row.status)
    return row


def is_about_somebody(record_type: RecordType) -> bool:
    """Tell whether `subject` means a person: an identity itself, or whom a link leads to.

    A title is about a parcel; what persons have to do with it is said by its holders.
    """
    return record_type.subject != "self" or record_type.name == IDENTITY


def is_represented(row: RecordRow, day: str) -> bool:
    """Tell whether others act, and read, for a person: under 18, or incapable."""
    birth_date = row.member.get("birth_date")
    is_minor = isinstance(birth_date, str) and age(birth_date, day) < ADULT_AGE
    return is_minor or row.status == INCAPABLE


def may_represent(state: State, identity_id: RecordId) -> None:
    """Refuse a representative, guardian or supervisor who cannot act for others.

    Raises:
        NotAliveError: Dead, cancelled, superseded or locked.
        NotCapableError: Incapable.
    """
    row = living(state, identity_id)
    if row.status == INCAPABLE:
        raise NotCapableError("an incapable person represents nobody")
    if LOCKED in row.flags:
        raise NotAliveError("a locked identity cannot sign", status=LOCKED)


def years_old(row: RecordRow, day: str) -> int:
    """Return a person's full years on a day.

    Raises:
        NotCapableError: The birth date is unknown, or later.
    """
    birth_date = row.member.get("birth_date")
    if not isinstance(birth_date, str):
        raise NotCapableError("the birth date of a person who must sign is not registered")
    years = age(birth_date, day)
    if years < 0:
        raise NotCapableError("a person who must sign is not born yet")
    return years


def voices(state: State, identity_id: RecordId, day: str, *, in_property: bool) -> list[Voice]:
    """Return who must sign so that a person's consent is given.

    Args:
        state: Where identities lie.
        identity_id: The person.
        day: Civil date of the block.
        in_property: Whether the act is about real estate or registrable movables.

    Raises:
        LinkWrongError: No such identity.
        NotAliveError: Dead, cancelled, superseded, or locked and signing alone.
        NotCapableError: Unknown birth date, or no representative in force.
    """
    row = living(state, identity_id)
    own = Voice(None, (identity_id,))
    if row.status == INCAPABLE:
        return [_representatives(identity_id, row, day)]
    years = years_old(row, day)
    if years < DECIDES_WITH_PARENT_AGE:
        return [_representatives(identity_id, row, day)]
    if years < DECIDES_AGE:
        enrolled = LOCKED not in row.flags and has_sign_key(state, row, day)
        found = [_representatives(identity_id, row, day)]
        return [own, *found] if enrolled else found
    if LOCKED in row.flags:
        raise NotAliveError("a locked identity cannot sign", status=LOCKED)
    if years < ADULT_AGE and in_property:
        return [own, _representatives(identity_id, row, day)]
    return [own]


def speaks_alone(state: State, identity_id: RecordId, day: str) -> None:
    """Refuse a person who cannot sign alone in what concerns them.

    Raises:
        As `voices`, and NotCapableError: under 15 or incapable.
    """
    row = living(state, identity_id)
    if row.status == INCAPABLE or years_old(row, day) < DECIDES_AGE:
        raise NotCapableError("this person is represented by others")
    if LOCKED in row.flags:
        raise NotAliveError("a locked identity cannot sign", status=LOCKED)


def represented(state: State, identity_id: RecordId, day: str) -> list[Voice]:
    """Return who signs for a ward; of 6 to 14 years the ward too, if enrolled.

    Raises:
        As `voices`, and NotCapableError: the person signs alone.
    """
    row = living(state, identity_id)
    if row.status == ACTIVE and years_old(row, day) >= DECIDES_AGE:
        raise NotCapableError("this person has no representative any more")
    return voices(state, identity_id, day, in_property=False)


def consents(state: State, identity_id: RecordId, day: str, from_age: int) -> bool:
    """Tell whether a child must agree beside the representative, with a custody form.

    From an age on (9 for a change of name, Civil Code arts 27.2, 28.2) and before 15, from when on
    people sign themselves; a child with a key signs beside the representative in any case.

    Raises:
        As `living`, and NotCapableError: the birth date is unknown.
    """
    row = living(state, identity_id)
    if row.status != ACTIVE or has_sign_key(state, row, day):
        return False
    return from_age <= years_old(row, day) < DECIDES_AGE


def supervisors(state: State, identity_id: RecordId, day: str) -> list[Voice]:
    """Return the supervisor's voice if a guardian signs for the person; else none.

    Raises:
        NotCapableError: There is a guardian and no supervisor.
    """
    row = living(state, identity_id)
    is_ward = row.status == INCAPABLE or years_old(row, day) < ADULT_AGE
    if not is_ward or GUARDIAN not in [role for _who, role in _in_force(row, day)]:
        return []
    supervisor = row.engine.get("supervisor")
    if not isinstance(supervisor, bytes):
        raise NotCapableError("the guardianship has no supervisor")
    return [Voice(identity_id, (RecordId(supervisor),))]


def has_sign_key(state: State, row: RecordRow, day: str) -> bool:
    """Tell whether a person has a signing key in force."""
    for purpose, key_id in keys_of(row):
        if purpose == Purpose.SIGN:
            key = state.read(key_key(key_id), KeyRow)
            if key is not None and in_range(day, key.from_date, key.to_date):
                return True
    return False


def keys_of(row: RecordRow) -> tuple[tuple[str, KeyId], ...]:
    """Return purpose and id of all keys that a person ever enrolled, oldest first."""
    return cast("tuple[tuple[str, KeyId], ...]", row.engine.get("keys", ()))


def representatives_of(row: RecordRow) -> tuple[tuple[RecordId, str, str, str | None], ...]:
    """Return a person's representatives: who, `parent` or `guardian`, from date, to date."""
    found = row.engine.get("representatives", ())
    return cast("tuple[tuple[RecordId, str, str, str | None], ...]", found)


def representatives_in_force(row: RecordRow, day: str) -> tuple[RecordId, ...]:
    """Return who acts, and reads, for a person on a day: guardians, else a minor's parents.

    Nobody for who is of age: the representatives' power ends by itself on the 18th birthday.
    """
    if not is_represented(row, day):
        return ()
    guardians = tuple([who for who, role in _in_force(row, day) if role == GUARDIAN])
    if guardians or row.status == INCAPABLE:
        return guardians
    return tuple([who for who, role in _in_force(row, day) if role == PARENT])


def _in_force(row: RecordRow, day: str) -> list[tuple[RecordId, str]]:
    return [
        (who, role)
        for who, role, first, end in representatives_of(row)
        if in_range(day, first, end)
    ]


def _representatives(identity_id: RecordId, row: RecordRow, day: str) -> Voice:
    persons = representatives_in_force(row, day)
    if not persons:
        raise NotCapableError("this person needs a representative and has none in force")
    return Voice(identity_id, persons)
