"""Books: gapless numbers per office, series and civil year, each book with its frontier.

A number is taken when everything else about the entry has succeeded; so a refusal leaves no gap. A
book closes by itself: the first registration of a year takes number 1.

Source: records.md, section 5; Civil Status Law 60/2014/QH13, art. 58.
"""

from ledger import merkle
from ledger.canonical import encode
from ledger.ids import OfficeId, RecordId
from ledger.merkle import Frontier
from registry.rows import BookRow
from registry.running import Run
from registry.state import State
from registry.state_key_names import book_key


def take_number(run: Run, series: str, record_id: RecordId) -> str:
    """Take the next number of the office's book of this year and series.

    Args:
        run: The entry that registers.
        series: Such as `birth` or `land.imported`.
        record_id: The record that gets the number.

    Returns:
        `series/number/year`, unique within the office.
    """
    year = int(run.day[:4])
    key = book_key(run.office, series, year)
    row = run.state.read(key, BookRow) or BookRow(Frontier())
    number = row.frontier.size + 1
    leaf = merkle.leaf_hash(encode((number, record_id, run.entry.entry_digest)))
    run.state.write(key, BookRow(row.frontier.append(leaf)))
    return f"{series}/{number}/{year}"


def book(state: State, office_id: OfficeId, series: str, year: int) -> Frontier:
    """Return the frontier of a book: its size is the last number given."""
    row = state.read(book_key(office_id, series, year), BookRow)
    return Frontier() if row is None else row.frontier
