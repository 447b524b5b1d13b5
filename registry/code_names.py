"""Code tables as people read them: code -> names, and on which dates the code was in force.

For forms, explanations and office rules. The text of a table is a CSV file with the columns `code`,
`name`, `valid_from`, `valid_to` and others; a code may stand in several rows with different dates,
for a code is not a unit (records.md, section 7).
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from registry.civil_calendar import in_range, is_date
from registry.errors import SchemaError
from registry.problems import Text

TABLE_ROWS_MAX: Final = 65_536
_NEEDED: Final = ("code", "name", "valid_from", "valid_to")


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One code in one period.

    Attributes:
        code: The code.
        name: In Vietnamese and English; equal where the table has one name.
        valid_from: First date.
        valid_to: First date after it, or None.
        parent: The code above, empty if there is none.
    """

    code: str
    name: Text
    valid_from: str
    valid_to: str | None
    parent: str


@dataclass(frozen=True, slots=True)
class CodeTable:
    """A table: code -> its rows, in the order of the text."""

    rows: Mapping[str, tuple[CodeRow, ...]]

    def find(self, code: str, day: str) -> CodeRow | None:
        """Return the row of a code that is in force on a date, or None."""
        for row in self.rows.get(code, ()):
            if in_range(day, row.valid_from, row.valid_to):
                return row
        return None

    def in_force(self, day: str) -> list[CodeRow]:
        """Return the rows in force on a date, in the order of the text."""
        found = [self.find(code, day) for code in self.rows]
        return [row for row in found if row is not None]

    def first_code(self, day: str) -> str:
        """Return the first code in force on a date, as an example; empty if there is none."""
        for code in self.rows:
            if self.find(code, day) is not None:
                return code
        return ""


FindTable = Callable[[str], CodeTable | None]
"""Returns the table with a name, or None."""


@lru_cache(maxsize=64)
def parse_code_table(text: str) -> CodeTable:
    """Read the text of a code table.

    Raises:
        SchemaError: A column is missing, a row is short or long, or a date is none.
    """
    lines = text.splitlines()
    if len(lines) > TABLE_ROWS_MAX:
        raise SchemaError(f"a code table of over {TABLE_ROWS_MAX} rows")
    reader = csv.DictReader(lines)
    if any(column not in (reader.fieldnames or ()) for column in _NEEDED):
        raise SchemaError(f"a code table lacks one of the columns {', '.join(_NEEDED)}")
    rows: dict[str, tuple[CodeRow, ...]] = {}
    for cells in reader:
        if None in cells or None in cells.values():
            raise SchemaError(f"line {reader.line_num} of a code table is short or long")
        row = _read_row(cells, reader.line_num)
        rows[row.code] = (*rows.get(row.code, ()), row)
    return CodeTable(rows)


def _read_row(cells: Mapping[str, str], line: int) -> CodeRow:
    valid_to = cells["valid_to"] or None
    dates = (cells["valid_from"], valid_to or cells["valid_from"])
    name = _one_blank(cells["name"])
    if not cells["code"] or not name or not all(map(is_date, dates)):
        raise SchemaError(f"line {line} of a code table lacks a code, a name or a date")
    return CodeRow(
        code=cells["code"],
        name=(name, _one_blank(cells.get("name_en", "")) or name),
        valid_from=cells["valid_from"],
        valid_to=valid_to,
        parent=cells.get("parent", ""),
    )


def _one_blank(name: str) -> str:
    """Return a name with one blank between its words: some are published with two."""
    return " ".join(name.split())


def find_in(texts: Mapping[str, str]) -> FindTable:
    """Return a finder over table texts by name."""

    def find(name: str) -> CodeTable | None:
        text = texts.get(name)
        return None if text is None else parse_code_table(text)

    return find
