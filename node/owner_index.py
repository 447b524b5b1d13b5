"""Which records may be whose: an index in memory, made from the state at the start.

The chain answers who owns a record, not what a person owns. The index goes the other way: from a
person to the records that name it as holder or subject, and to those whom it represents. It only
grows; whether a record still is the person's is read from the state when somebody asks, so a sale
needs no care here. It is filled in short slices while the node works; until that is done nobody is
given a list that may lack something.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from ledger.canonical import decode
from ledger.fields import read_array, read_bytes
from ledger.ids import ID_BYTES, RecordId
from ledger.state_keys import read_stored_value
from ledger.store import ChainStore
from node.access import Access
from node.application import Committed
from node.public_errors import UnavailableError
from registry.ownership import representatives_of
from registry.rows import RecordRow

SLICE_ROWS: Final = 64
"""Rows that are read between two pauses of the loop."""
_IDENTITY: Final = "identity"


class OwnerIndex:
    """Records and wards by person.

    Args:
        access: Says who a record's owners are.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._records: dict[RecordId, tuple[RecordId, ...]] = {}
        self._wards: dict[RecordId, tuple[RecordId, ...]] = {}
        self._is_filled = False

    async def fill(self, store: ChainStore, tell: Callable[[RecordId, RecordRow], None]) -> None:
        """Read all records of a store as they are now.

        Args:
            store: The chain; a view of it is read, so blocks may come meanwhile.
            tell: Called with every record.
        """
        with store.view() as view:
            for number, (key_raw, stored) in enumerate(view.scan_state("record")):
                record_id = RecordId(id_in_key(key_raw))
                row = RecordRow.from_value(read_stored_value(stored)[1])
                self._add(record_id, row)
                tell(record_id, row)
                if number % SLICE_ROWS == SLICE_ROWS - 1:
                    await asyncio.sleep(0)
        self._is_filled = True

    def committed(self, committed: Committed) -> None:
        """Take in the records that a block wrote."""
        for entry in committed.block.entries:
            for part in entry.records:
                row = self._access.record(part.record_id)
                if row is not None:
                    self._add(part.record_id, row)

    def require_filled(self) -> None:
        """Refuse to answer while records are still being read.

        Raises:
            UnavailableError: Likewise.
        """
        if not self._is_filled:
            raise UnavailableError("the node still reads whose records are whose: ask again soon")

    def records_of(self, person: RecordId) -> tuple[RecordId, ...]:
        """Return the records of which a person is an owner now, ascending."""
        found = self._records.get(person, ())
        return tuple(sorted(one for one in found if person in self._access.owners(one)))

    def wards_of(self, person: RecordId) -> tuple[RecordId, ...]:
        """Return whom a person represents today, ascending."""
        found = self._wards.get(person, ())
        return tuple(sorted(one for one in found if self._access.represents(person, one)))

    def _add(self, record_id: RecordId, row: RecordRow) -> None:
        for owner in self._access.owners_of(record_id, row):
            _note(self._records, owner, record_id)
        if row.type_name == _IDENTITY:
            for who, *_terms in representatives_of(row):
                _note(self._wards, who, record_id)


def id_in_key(key_raw: bytes) -> bytes:
    """Return the id in a state key of the shape [kind, id].

    Raises:
        InvalidDataError: The key has another shape.
    """
    _kind, found = read_array(decode(key_raw, len(key_raw)), "state key", 2)
    return read_bytes(found, "state key", ID_BYTES)


def _note(
    index: dict[RecordId, tuple[RecordId, ...]], person: RecordId, record_id: RecordId
) -> None:
    known = index.get(person, ())
    if record_id not in known:
        index[person] = (*known, record_id)
