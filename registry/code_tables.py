"""Texts that the state holds: record types, dated code tables; parsed once in a process.

A text lies in the state in pieces under its digest. A table is CSV with a header; the columns
`code`, `valid_from` and `valid_to` count here, the rest is for people.

Source: records.md, sections 2.1 and 7.
"""

import csv
from dataclasses import dataclass
from typing import Final

from keys.hashing import Digest
from registry.civil_calendar import in_range, is_date
from registry.content_errors import UnitInvalidError
from registry.errors import CorruptStateError, SchemaError, UnknownKindError
from registry.rows import TableRow, TextRow, TypeRow
from registry.schema import RecordType
from registry.schema_reader import read_record_type
from registry.state import State
from registry.state_key_names import table_key, text_key, type_key

PIECE_BYTES_MAX: Final = 48 * 1024
TABLES_KEPT_MAX: Final = 64
TYPES_KEPT_MAX: Final = 256
ROWS_MAX: Final = 200_000


@dataclass(frozen=True, slots=True)
class CodeTable:
    """A dated code table: code -> ranges `[from, to)`; one code may mean several units.

    Attributes:
        ranges: By code.
        first_date: The first date of which the table knows anything.
        parents: Code -> first date, end and code of what it was a part of, where the table has
            the column `parent`.
    """

    ranges: dict[str, tuple[tuple[str, str | None], ...]]
    first_date: str
    parents: dict[str, tuple[tuple[str, str | None, str], ...]]

    def is_valid(self, code: str, day: str) -> bool:
        """Tell whether a code is in the table on a day."""
        return any(in_range(day, first, end) for first, end in self.ranges.get(code, ()))

    def above(self, code: str, day: str) -> str | None:
        """Return what a code is a part of on a day, or None."""
        for first, end, parent in self.parents.get(code, ()):
            if in_range(day, first, end):
                return parent
        return None


def parse_table(text: bytes) -> CodeTable:
    """Make a code table of its CSV text.

    Raises:
        SchemaError: Not UTF-8, a column is missing, a code is empty, or a date is none.
    """
    try:
        rows = csv.DictReader(text.decode().splitlines(), strict=True)
        if not {"code", "valid_from", "valid_to"}.issubset(rows.fieldnames or ()):
            raise SchemaError("a code table lacks a column")
        ranges: dict[str, list[tuple[str, str | None]]] = {}
        parents: dict[str, tuple[tuple[str, str | None, str], ...]] = {}
        for number, row in enumerate(rows):
            code, first, end = row["code"], row["valid_from"], row["valid_to"]
            if not code or not is_date(first) or (end and not is_date(end)) or number >= ROWS_MAX:
                raise SchemaError(f"row {number} of a code table is wrong")
            ranges.setdefault(code, []).append((first, end or None))
            if row.get("parent"):
                parents[code] = (*parents.get(code, ()), (first, end or None, row["parent"]))
    except (UnicodeDecodeError, csv.Error, TypeError) as error:
        raise SchemaError("a code table is no CSV text") from error
    firsts = [first for found in ranges.values() for first, _end in found]
    known = {code: tuple(found) for code, found in ranges.items()}
    return CodeTable(known, min(firsts, default=""), parents)


def text_pieces(text: bytes) -> tuple[bytes, ...]:
    """Return the pieces of a text as the state keeps them, at least one."""
    starts = range(0, max(len(text), 1), PIECE_BYTES_MAX)
    return tuple(text[start : start + PIECE_BYTES_MAX] for start in starts)


def read_text(state: State, digest: Digest) -> bytes | None:
    """Return a text of the state, None while a piece of it is missing."""
    first = state.read(text_key(digest, 0), TextRow)
    if first is None:
        return None
    pieces = [first.piece]
    for number in range(1, first.pieces):
        row = state.read(text_key(digest, number), TextRow)
        if row is None:
            return None
        pieces.append(row.piece)
    return b"".join(pieces)


_TABLES: dict[Digest, CodeTable] = {}
_TYPES: dict[Digest, RecordType] = {}
"""Parsed texts by digest: a cache only, what is in it follows from the key."""


def record_type(state: State, name: str, height: int) -> RecordType:
    """Return the schema of a type that is in force at a height.

    Raises:
        UnknownKindError: No version of the type is in force.
    """
    row = state.read(type_key(name), TypeRow)
    found: Digest | None = None
    if row is not None:
        for _version, digest, from_height in reversed(row.versions):
            if from_height <= height:
                found = digest
                break
    if found is None:
        raise UnknownKindError(f"there is no record type {name!r}", type=name)
    return type_of_digest(state, found)


def type_of_digest(state: State, digest: Digest) -> RecordType:
    """Return the schema with a digest, whose text is in the state."""
    known = _TYPES.get(digest)
    if known is None:
        text = read_text(state, digest)
        if text is None:
            raise CorruptStateError("the text of a record type is not in the state")
        known = read_record_type(text)
        if len(_TYPES) >= TYPES_KEPT_MAX:
            _TYPES.clear()
        _TYPES[digest] = known
    return known


def code_table(state: State, name: str, height: int) -> CodeTable | None:
    """Return the code table that is in force at a height, or None."""
    row = state.read(table_key(name), TableRow)
    found: Digest | None = None
    if row is not None:
        for digest, from_height in row.versions:
            if from_height <= height:
                found = digest
    if found is None:
        return None
    known = _TABLES.get(found)
    if known is None:
        text = read_text(state, found)
        if text is None:
            raise CorruptStateError("the text of a code table is not in the state")
        known = parse_table(text)
        if len(_TABLES) >= TABLES_KEPT_MAX:
            _TABLES.clear()
        _TABLES[found] = known
    return known


def check_code(
    state: State, field: str, named: tuple[str, str], height: int, day: str | None
) -> None:
    """Refuse a code that is not in its table.

    Args:
        state: Where the table lies.
        field: What a refusal calls it.
        named: Name of the table, and the code.
        height: Of the block.
        day: On which it must be valid; None: on any day.

    Raises:
        UnitInvalidError: No such table, no such code, or not on that day; details: field.
    """
    table, code = named
    found = code_table(state, table, height)
    known = found is not None and (
        code in found.ranges if day is None else found.is_valid(code, day)
    )
    if not known:
        when = "" if day is None else f" on {day}"
        raise UnitInvalidError(f"the code is not in the table {table!r}{when}", field=field)
