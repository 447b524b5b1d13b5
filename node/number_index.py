"""Which record has a registration number: an index in memory, made from the state at the start.

The chain answers which number a record has. A clerk with a certificate in the hand asks the other
way, and the number on it is all that is printed. The state needs no row for that: every node has
the records, and the index is filled while they are read for the index of owners.

A number is of the book of the office that registered. Where another office made the record, as that
of a birth which was declared elsewhere, the entry that registered it says which one it was.
"""

import asyncio
from collections.abc import Mapping

from ledger.blocks import split_block
from ledger.entries import parse_entry
from ledger.errors import HistoryMissingError
from ledger.ids import OfficeId, RecordId
from ledger.store import ChainStore
from node.access import Access
from node.application import Committed
from node.public_errors import UnavailableError
from registry.rows import RecordRow


class NumberIndex:
    """Records by office and registration number.

    Args:
        access: Has the records as they are now.
        store: Has the entries that registered them.
    """

    def __init__(self, access: Access, store: ChainStore) -> None:
        self._access = access
        self._store = store
        self._records: dict[tuple[OfficeId, str], tuple[RecordId, ...]] = {}
        self._numbered: set[RecordId] = set()
        self._elsewhere: dict[int, dict[RecordId, RecordRow]] = {}
        self._is_filled = False

    def consider(self, record_id: RecordId, row: RecordRow) -> None:
        """Take in a record as it is now, once: a number never changes. One without is no loss."""
        if row.registration_number is None or record_id in self._numbered:
            return
        if row.registered is None or row.registered == row.created:
            self._add(record_id, row.registration_number, row.office)
        else:
            self._elsewhere.setdefault(row.registered[0], {})[record_id] = row

    async def settle(self) -> None:
        """Note that all records were considered; look up who registered what others had made.

        Each block is read once, and others have a turn between two.
        """
        while self._elsewhere:
            height = min(self._elsewhere)
            self._read_block(height, self._elsewhere.pop(height))
            await asyncio.sleep(0)
        self._is_filled = True

    def _read_block(self, height: int, rows: Mapping[RecordId, RecordRow]) -> None:
        try:
            entries = split_block(self._store.block_raw(height))[1]
        except HistoryMissingError:  # a node that began later: the maker's book is the likeliest
            entries = None
        for record_id, row in rows.items():
            assert row.registered is not None, "it waits for the block that registered it"
            assert row.registration_number is not None, "and gave it a number"
            office = row.office
            if entries is not None:
                office = parse_entry(entries[row.registered[1]]).head.office
            self._add(record_id, row.registration_number, office)

    def _add(self, record_id: RecordId, number: str, office: OfficeId | None) -> None:
        if office is not None and record_id not in self._numbered:
            known = self._records.get((office, number), ())
            self._records[office, number] = (*known, record_id)
        self._numbered.add(record_id)

    def committed(self, committed: Committed) -> None:
        """Take in the records that a block wrote; of those it registered it says itself where."""
        for index, entry in enumerate(committed.block.entries):
            for part in entry.records:
                row = self._access.record(part.record_id)
                if row is None or row.registration_number is None:
                    continue
                is_here = row.registered is not None and row.registered[:2] == (
                    committed.height,
                    index,
                )
                if is_here and part.record_id not in self._numbered:
                    self._add(part.record_id, row.registration_number, entry.head.office)
                else:
                    self.consider(part.record_id, row)

    def find(self, office: OfficeId, number: str) -> tuple[RecordId, ...]:
        """Return the records of a number in the books of an office; none if there is none.

        Args:
            office: Whose books.
            number: As it is printed: `series/number/year`.

        Raises:
            UnavailableError: Records are still being read.
        """
        if not self._is_filled:
            raise UnavailableError("the node still reads the numbers of records: ask again soon")
        return self._records.get((office, number), ())
