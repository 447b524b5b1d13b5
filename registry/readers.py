"""To whom the data key of a body is wrapped: owners or their representatives, agency, index agency.

An owner without a key, and under age, is read for by the representatives; an adult without a seal
key reads at the office until one is enrolled (`wrap/add`). Courts read on order, grantees by a
grant; neither is a reader from the start.

Source: records.md, section 5; formats.md of the design, section 5.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from keys.signing import PublicKey, Purpose
from ledger.ids import AgencyId, OfficeId, RecordId
from ledger.parts import RecordPart
from registry.authority_rows import AgencyRow, KeyRow, OfficeRow
from registry.civil_calendar import in_range
from registry.errors import RecordUnknownError
from registry.ownership import keys_of, representatives_in_force
from registry.rows import NamespaceRow, RecordRow
from registry.schema import RecordType
from registry.state import State
from registry.state_key_names import agency_key, key_key, namespace_key, office_key, record_key
from registry.wraps import Reader

INDEX_NAMESPACES: Final = {"birth": "birth.name"}
"""Record types with an index agency: the first agency of this namespace of tags."""


def seal_key_of_agency(state: State, agency_id: AgencyId, day: str) -> PublicKey:
    """Return the vault key of an agency.

    Raises:
        RecordUnknownError: No such agency, or it has no seal key in force.
    """
    agency = state.read(agency_key(agency_id), AgencyRow)
    key_id = None if agency is None else agency.keys.get(Purpose.SEAL)
    row = None if key_id is None else state.read(key_key(key_id), KeyRow)
    if row is None or not in_range(day, row.from_date, row.to_date):
        raise RecordUnknownError("the agency has no seal key in force")
    return row.public_key


def agency_of_office(state: State, office_id: OfficeId) -> AgencyId:
    """Return whose an office is.

    Raises:
        RecordUnknownError: There is no such office.
    """
    office = state.read(office_key(office_id), OfficeRow)
    if office is None:
        raise RecordUnknownError("there is no such office")
    return office.agency


def readers_of(
    state: State,
    record_type: RecordType,
    part: RecordPart,
    office: OfficeId,
    day: str,
    *,
    parents: Iterable[RecordId] = (),
) -> tuple[Reader, ...]:
    """Return the readers of a record version that is being made.

    Args:
        state: Where identities, agencies and keys lie.
        record_type: Of the record.
        part: The record part in the making: its holders and links count, not those before.
        office: The office that registers; its agency reads.
        day: Civil date on which keys and representatives must be in force.
        parents: For a record about a newborn: who will represent the child.

    Raises:
        RecordUnknownError: The office or its agency's seal key is not in force.
    """
    agency = agency_of_office(state, office)
    readers = [Reader(seal_key_of_agency(state, agency, day), "agency")]
    readers += _index_readers(state, record_type.name, day)
    for person in _owners(state, record_type, part):
        readers += readers_for(state, person, day)
    for parent in parents:
        readers += [Reader(key, "representative") for key in seal_keys(state, parent, day)]
    unique = {(reader.key.key_id, reader.purpose): reader for reader in readers}
    return tuple(unique[place] for place in sorted(unique))


def seal_keys(state: State, identity_id: RecordId, day: str) -> list[PublicKey]:
    """Return a person's seal keys in force on a day; none for an unknown person."""
    row = state.read(record_key(identity_id), RecordRow)
    return [] if row is None else list(_seal_keys(state, row, day))


def _seal_keys(state: State, row: RecordRow, day: str) -> Iterator[PublicKey]:
    for purpose, key_id in keys_of(row):
        if purpose == Purpose.SEAL:
            key = state.read(key_key(key_id), KeyRow)
            if key is not None and in_range(day, key.from_date, key.to_date):
                yield key.public_key


def readers_for(state: State, person: RecordId, day: str) -> list[Reader]:
    """Return the person's own keys, or the representatives' where there is none.

    Args:
        state: Where identities and keys lie.
        person: An owner of a record; none who is unknown has readers.
        day: Civil date on which keys and representatives must be in force.
    """
    row = state.read(record_key(person), RecordRow)
    if row is None:
        return []
    own = [Reader(key, "owner") for key in _seal_keys(state, row, day)]
    return own or [
        Reader(key, "representative")
        for who in representatives_in_force(row, day)
        for key in seal_keys(state, who, day)
    ]


def _owners(state: State, record_type: RecordType, part: RecordPart) -> list[RecordId]:
    """Return whose record it is, ascending: the holders, the subject, or the person itself."""
    found = [party for holder in part.holders for party in holder.parties]
    if record_type.holders == "self":
        found.append(part.record_id)
    elif record_type.subject != "self":
        found += _linked(part, record_type.subject)
        before = state.read(record_key(part.record_id), RecordRow)
        if before is not None:
            found += before.linked(record_type.subject)
    return sorted(set(found))


def _linked(part: RecordPart, link: str) -> tuple[RecordId, ...]:
    found = part.links.get(link)
    if found is None:
        return ()
    return found if isinstance(found, tuple) else (found,)


def _index_readers(state: State, type_name: str, day: str) -> list[Reader]:
    name = INDEX_NAMESPACES.get(type_name)
    row = None if name is None else state.read(namespace_key(name), NamespaceRow)
    if row is None:
        return []
    return [Reader(seal_key_of_agency(state, row.first_agency, day), "index")]
