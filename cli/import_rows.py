"""Reading a register's file line by line: good rows, and a report of what is wrong with the others.

Every line is a record of its own, so one broken line costs no other. Nothing is guessed: a line
that is not exactly one record is reported with line, column, value and remedy, and is not imported;
its text stands in the report, so nothing is lost. Text is brought into its composed Unicode form
(NFC) here, at the office's door.
"""

import csv
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cli.errors import InvalidInputError
from cli.import_mapping import Column, ImportMapping
from registry.civil_calendar import is_date

LINE_BYTES_MAX: Final = 64 * 1024
WHOLE_NUMBER_DIGITS_MAX: Final = 15
BYTE_ORDER_MARK: Final = "\ufeff"

IsCode = Callable[[str, str], bool]
"""Tells whether a code stands in a table: `is_code(table, code)`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with a line, for the report.

    Attributes:
        line: From 1.
        row: Number of the record in the file, from 1; 0 for the header.
        column: Name, or empty if the line as a whole is meant.
        value: What stands there.
        rule: What must stand there.
        fix: What to do.
        raw: The whole line or the part of it that is not imported.
    """

    line: int
    row: int
    column: str
    value: str
    rule: str
    fix: str
    raw: str


@dataclass(frozen=True, slots=True)
class Row:
    """A good record.

    Attributes:
        line: From 1.
        key: Which record it is about: its text in the key columns.
        values: Column -> checked value: text or whole number; empty ones are not in it.
    """

    line: int
    key: tuple[str, ...]
    values: Mapping[str, str | int]


@dataclass(slots=True)
class Reading:
    """What a file gave.

    Attributes:
        rows: Good records, in the order of the file.
        problems: Of the others.
        records: How many records the file has, good and bad.
        doubtful: Keys of records that are bad, as far as they can be read: rows with the same key
            cannot be put in order.
    """

    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    records: int = 0
    doubtful: set[tuple[str, ...]] = field(default_factory=set)


def read_register(path: Path, mapping: ImportMapping, is_code: IsCode) -> Reading:
    """Read a whole file.

    Raises:
        InvalidInputError: Its header is not the mapping's, so no line can be understood.
    """
    reading = Reading()
    numbers: dict[str, int] = {}
    header_seen = False
    with path.open("rb") as file:
        for line, raw in enumerate(iter(lambda: file.readline(LINE_BYTES_MAX + 1), b""), start=1):
            text = _decode(raw, line, reading)
            if text is None or not text.strip():
                continue
            if not header_seen:
                header_seen = True
                glued = _check_header(text, mapping, line)
                if glued:
                    _report_glued(glued, mapping, line, reading)
                continue
            _take_line(text, line, mapping, is_code, reading, numbers)
    if not header_seen:
        raise InvalidInputError("the file is empty", name=str(path))
    return _hold_back(reading, mapping)


def _decode(raw: bytes, line: int, reading: Reading) -> str | None:
    if len(raw) > LINE_BYTES_MAX:
        raise InvalidInputError(
            f"line {line} is longer than {LINE_BYTES_MAX} bytes: this is no such register",
            name=f"line {line}",
        )
    try:
        text = raw.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        reading.records += 1
        reading.problems.append(
            Problem(
                line=line,
                row=reading.records,
                column="",
                value=raw[error.start : error.end].hex(),
                rule=f"byte {error.start + 1} is not UTF-8",
                fix="save the file as UTF-8",
                raw=raw.decode(errors="replace").rstrip("\r\n"),
            )
        )
        return None
    text = text.removeprefix(BYTE_ORDER_MARK) if line == 1 else text
    return unicodedata.normalize("NFC", text)


def _check_header(text: str, mapping: ImportMapping, line: int) -> str:
    """Return what is glued behind the header, empty if nothing is.

    Raises:
        InvalidInputError: It is another header; says in which column.
    """
    wanted = ",".join(mapping.header)
    if text == wanted or tuple(_split(text) or ()) == mapping.header:
        return ""
    if text.startswith(wanted + '"'):
        return text[len(wanted) :]
    found = text.split(",")
    for number, name in enumerate(mapping.header):
        has = found[number] if number < len(found) else ""
        if has != name:
            raise InvalidInputError(
                f"line {line}, column {number + 1}: the header says {has[:40]!r}, "
                f"the mapping {mapping.name} says {name!r}",
                name=f"line {line}",
            )
    raise InvalidInputError(
        f"line {line}: the header has {len(found)} columns instead of {len(mapping.header)}",
        name=f"line {line}",
    )


def _report_glued(glued: str, mapping: ImportMapping, line: int, reading: Reading) -> None:
    """Report a record that stands in the header's line, without importing it by guess."""
    last, start = mapping.header[-1], len(",".join(mapping.header)) + 1
    reading.records += 1
    reading.problems.append(
        Problem(
            line=line,
            row=reading.records,
            column=last,
            value=f"{last}{glued[:60]}",
            rule="a header line ends after its last column",
            fix=f'insert a line break after "{last}" in line {line}, before character {start}',
            raw=glued,
        )
    )
    _doubt(_split(glued), mapping, reading)


def _doubt(fields: Sequence[str] | None, mapping: ImportMapping, reading: Reading) -> None:
    if fields is not None and len(fields) == len(mapping.header):
        reading.doubtful.add(_key(fields, mapping))


def _key(fields: Sequence[str], mapping: ImportMapping) -> tuple[str, ...]:
    values = dict(zip(mapping.header, fields, strict=True))
    return tuple([values[column].strip() for column in mapping.key])


def _split(text: str) -> list[str] | None:
    """Return the fields of a line, None if its quotes are wrong."""
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def _take_line(
    text: str,
    line: int,
    mapping: ImportMapping,
    is_code: IsCode,
    reading: Reading,
    numbers: dict[str, int],
) -> None:
    reading.records += 1
    fields = _split(text)
    if fields is None or len(fields) != len(mapping.header):
        reading.problems.append(_wrong_shape(text, fields, line, mapping, reading.records))
        return
    values: dict[str, str | int] = {}
    problems: list[Problem] = []
    for column, value in zip(mapping.columns, fields, strict=True):
        checked, rule = check_value(column, value.strip(), is_code)
        if rule:
            fix = f"write it as {column.example!r}" if column.example else "correct the value"
            problems.append(_wrong_value(reading, line, text, (column.name, value, rule, fix)))
        elif checked != "":
            values[column.name] = checked
    name = str(values.get(mapping.id_column, ""))
    if not problems and name in numbers:
        rule = f"stands in line {numbers[name]} already"
        fix = "remove one of the two lines, or give it its own number"
        problems.append(_wrong_value(reading, line, text, (mapping.id_column, name, rule, fix)))
    if problems:
        reading.problems += problems
        _doubt(fields, mapping, reading)
        return
    numbers[name] = line
    reading.rows.append(Row(line, _key(fields, mapping), values))


def _wrong_value(
    reading: Reading, line: int, text: str, said: tuple[str, str, str, str]
) -> Problem:
    """Return the problem of a value: column, value, rule and remedy."""
    column, value, rule, fix = said
    return Problem(
        line=line, row=reading.records, column=column, value=value, rule=rule, fix=fix, raw=text
    )


def _wrong_shape(
    text: str, fields: Sequence[str] | None, line: int, mapping: ImportMapping, row: int
) -> Problem:
    wanted = len(mapping.header)
    if fields is None:
        quote = text.rfind('"')
        rule = f"quotation marks do not match, the last one is character {quote + 1}"
        fix = "close the quotation marks of each value; write one inside a value twice"
        column, value = "", text[-60:]
    else:
        at = min(len(fields), wanted) - 1
        rule = f"{len(fields)} values where the header has {wanted} columns"
        fix = "put a line break between records, and quotation marks around commas"
        column, value = mapping.header[at], fields[at]
    return Problem(line=line, row=row, column=column, value=value, rule=rule, fix=fix, raw=text)


def check_value(column: Column, value: str, is_code: IsCode) -> tuple[str | int, str]:
    """Return a value as the field takes it, and what is wrong with it, or empty."""
    if not value:
        return "", "must not be empty" if column.required else ""
    if column.pattern is not None and column.pattern.fullmatch(value) is None:
        return "", f"must match {column.pattern.pattern}"
    if column.lookup is not None:
        found = column.lookup.get(value)
        return ("", "is not in the mapping's lookup") if found is None else (found, "")
    if column.table is not None and not is_code(column.table, value):
        return "", f"is not in the table {column.table}"
    if column.transform == "whole_number":
        is_number = value.isascii() and value.isdigit() and len(value) <= WHOLE_NUMBER_DIGITS_MAX
        return (int(value), "") if is_number else ("", "must be a whole number")
    if column.transform == "iso_date":
        return (value, "") if is_date(value) else ("", "must be a date, year-month-day")
    return value, ""


def _hold_back(reading: Reading, mapping: ImportMapping) -> Reading:
    """Take out good rows whose record has a bad row too: their order would be a guess."""
    if not reading.doubtful:
        return reading
    kept: list[Row] = []
    for row in reading.rows:
        if row.key in reading.doubtful:
            reading.problems.append(
                Problem(
                    line=row.line,
                    row=0,
                    column=",".join(mapping.key),
                    value=str(row.values[mapping.id_column]),
                    rule="another line about the same record is wrong",
                    fix="mend that line first, then import the file again",
                    raw="",
                )
            )
        else:
            kept.append(row)
    reading.rows = kept
    reading.problems.sort(key=lambda problem: problem.line)
    return reading


def problems_csv(problems: Sequence[Problem]) -> Iterator[list[str]]:
    """Yield the lines of the report, its header first."""
    yield ["line", "row", "column", "value", "problem", "fix", "text"]
    for one in problems:
        row = str(one.row) if one.row else ""
        yield [str(one.line), row, one.column, one.value, one.rule, one.fix, one.raw]
