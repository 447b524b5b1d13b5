"""Which record has a registration number: an index in memory, made from the state at the start.

The chain answers which number a record has. A clerk with a certificate in the hand asks the other
way, and the number on it is all that is printed. The state needs no row for that: every node has
the records, and the index is filled while they are read for the index of owners.

A number is of the book of the office that registered. Where another office made the record, as that
of a birth which was declared elsewhere, the entry that registered it says which one it was.
"""

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
        self._is_filled = False

    def consider(self, record_id: RecordId, row: RecordRow) -> None:
        """Take in a record as it is now, once: a number never changes. One without is no loss."""
        if row.registration_number is not None and record_id not in self._numbered:
            self._add(record_id, row.registration_number, self._book(row))

    def _add(self, record_id: RecordId, number: str, office: OfficeId | None) -> None:
        self._numbered.add(record_id)
        if office is not None:
            known = self._records.get((office, number), ())
            self._records[office, number] = (*known, record_id)

    def _book(self, row: RecordRow) -> OfficeId | None:
        """Return in the books of which office a record has its number."""
        if row.registered is None or row.registered == row.created:
            return row.office
        height, index, _day = row.registered
        try:
            return self._store.entry(height, index).head.office
        except HistoryMissingError:  # a node that began later: the maker's is the likeliest
            return row.office

    def scanned(self) -> None:
        """Note that all records of the state were considered."""
        self._is_filled = True

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
