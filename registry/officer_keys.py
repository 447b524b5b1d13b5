"""Who is named an officer, with which keys: read in one way by who plans, asks and enrols.

Source: records.md, section 3.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from keys.errors import InvalidKeyError
from keys.signing import KeyId, PublicKey, Purpose, parse_public_key
from ledger.canonical import Value
from ledger.ids import RecordId
from ledger.parts import ObjectPart
from registry.authority_rows import KeyRow, OfficerRow
from registry.civil_calendar import in_range
from registry.effects import fits_purpose
from registry.errors import FieldValueError
from registry.state import State
from registry.state_key_names import key_key, officer_key
from registry.vocabulary import OFFICER_OBJECTS


def officer_items(objects: Iterable[ObjectPart]) -> list[Mapping[str, Value]]:
    """Return the fields of the objects that make keys an officer's: `role` and `auth_key`."""
    return [item.fields for item in objects if item.kind in OFFICER_OBJECTS]


def appointed(items: Sequence[Mapping[str, Value]]) -> list[RecordId]:
    """Return whom such objects name, each once, ascending."""
    return sorted({RecordId(cast("bytes", item["identity"])) for item in items})


def officer_key_of(item: Mapping[str, Value]) -> PublicKey:
    """Return the key of a `role` or `auth_key` object.

    Args:
        item: Its fields, checked against the record type.

    Raises:
        FieldValueError: It is no key, or of an algorithm that cannot sign.
    """
    try:
        key = parse_public_key(cast("int", item["algorithm"]), cast("bytes", item["public"]))
    except InvalidKeyError as error:
        raise FieldValueError("the officer's key is none", field="public") from error
    if not fits_purpose(key, Purpose.SIGN):
        raise FieldValueError("keys of this algorithm cannot sign", field="algorithm")
    return key


def new_officer_keys(state: State, items: Sequence[Mapping[str, Value]]) -> list[KeyId]:
    """Return the keys of such objects that the state does not know yet, each once.

    Raises:
        FieldValueError: One is no key that signs.
    """
    named = dict.fromkeys([officer_key_of(item).key_id for item in items])
    return [key_id for key_id in named if state.read(key_key(key_id), KeyRow) is None]


def office_key_of(
    state: State, person: RecordId, day: str, preferred: frozenset[KeyId]
) -> KeyId | None:
    """Return a key in force of an office in which a person serves, or None.

    Args:
        state: Where officers and keys lie.
        person: Who serves.
        day: Civil date.
        preferred: Keys that come first, such as those at hand.
    """
    row = state.read(officer_key(person), OfficerRow)
    found: list[KeyId] = []
    for role in () if row is None else row.roles:
        key = state.read(key_key(role.key_id), KeyRow)
        if key is not None and in_range(day, key.from_date, key.to_date):
            found.append(role.key_id)
    return next((key_id for key_id in found if key_id in preferred), next(iter(found), None))
