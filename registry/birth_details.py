"""What an identity says of its person again after the birth record: name, sex and nationality.

All papers of a person follow the birth record. The details are sealed, so only who has opened the
birth can compare: the custodian of the agency that keeps it. The date is a member field, which
every validator compares (`registry.birth_dates`).

Source: records.md, section 6.4; decree 123/2015/ND-CP art. 6.2.
"""

from collections.abc import Mapping
from typing import Final

from ledger.canonical import Value
from ledger.ids import RecordId
from registry.rows import RecordRow

BIRTH_RECORD: Final = "birth_record"
SAME_AS_BIRTH: Final = "same_as_birth"
"""The office rule that compares."""
COMPARED: Final = (("name.family", "name.middle", "name.given"), ("sex",), ("nationality",))
"""Sealed paths that both record types have, together what is known or unknown as a whole."""


def birth_of(row: RecordRow | None) -> RecordId | None:
    """Return the birth record that an identity came of; None for any other, or a new record."""
    found = None if row is None else row.links.get(BIRTH_RECORD)
    return RecordId(found) if isinstance(found, bytes) else None


def unopened_birth(row: RecordRow | None) -> Mapping[str, Value] | None:
    """Return what somebody who opens no birth knows of it: none to compare with, or None."""
    return {} if birth_of(row) is None else None


def differing_paths(said: Mapping[str, Value], birth: Mapping[str, Value]) -> list[str]:
    """Return where an identity says something else than the birth, which may know less.

    Args:
        said: Sealed values of the identity.
        birth: Sealed values of the birth record's present version; empty if there is none.
    """
    return [
        path
        for paths in COMPARED
        if any(birth.get(one) is not None for one in paths)
        for path in paths
        if said.get(path) != birth.get(path)
    ]
