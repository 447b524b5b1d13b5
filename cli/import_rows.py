"""Reading a register's file line by line: good rows, and a report of what is wrong with the others.

Every line is a record of its own, so one broken line costs no other. Nothing is guessed: a line
that is not exactly one record is reported with line, column, value and remedy, and is not imported;
its text stands in the report, so nothing is lost. Text is brought into its composed Unicode form
(NFC) here, at the office's door.
"""

import csv
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cli.errors import InvalidInputError
from cli.import_mapping import Column, ImportMapping
from cli.import_problems import Problem, RegisterFileError, Said, said
from cli.languages import catalogue
from keys.hashing import Digest, sha256
from ledger.canonical import encode
from registry.civil_calendar import is_date
from registry.claims import one_spelling

LINE_BYTES_MAX: Final = 64 * 1024
WHOLE_NUMBER_DIGITS_MAX: Final = 15
BYTE_ORDER_MARK: Final = "\ufeff"

IsCode = Callable[[str, str], bool]
"""Tells whether a code stands in a table: `is_code(table, code)`."""


@dataclass(frozen=True, slots=True)
class Row:
    """A good record.

    Attributes:
        line: From 1.
        key: Which record it is about: its text in the key columns.
        values: Column -> checked value: text or whole number; empty ones are not in it.
        number: Of the record in the file, from 1.
        text: The whole line.
    """

    line: int
    key: tuple[str, ...]
    values: Mapping[str, str | int]
    number: int
    text: str = field(repr=False)

    @property
    def digest(self) -> Digest:
        """What the row says, in 32 bytes; wherever in a file it stands, however it is quoted."""
        return sha256(encode(tuple(sorted(self.values.items()))))


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
        RegisterFileError: It is empty, or its header is not the mapping's, so that no line can be
            understood.
        InvalidInputError: A line is longer than 64 KiB.
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
        raise RegisterFileError("the file is empty", [no_row(1)], path.name)
    return _hold_back(reading, mapping)


def no_row(line: int) -> Problem:
    """Return the problem of a file without a record."""
    return Problem(
        line=line,
        row=0,
        column="",
        value="",
        rule=said("no_row"),
        fix=said("fix_no_row"),
        raw="",
    )


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
                rule=said("not_utf8", byte=error.start + 1),
                fix=said("fix_utf8"),
                raw=raw.decode(errors="replace").rstrip("\r\n"),
            )
        )
        return None
    text = text.removeprefix(BYTE_ORDER_MARK) if line == 1 else text
    return unicodedata.normalize("NFC", text)


def _check_header(text: str, mapping: ImportMapping, line: int) -> str:
    """Return what is glued behind the header, empty if nothing is.

    Raises:
        RegisterFileError: It is another header; says in which column.
    """
    wanted = ",".join(mapping.header)
    if text == wanted or tuple(split_line(text) or ()) == mapping.header:
        return ""
    if text.startswith(wanted + '"'):
        return text[len(wanted) :]
    found = text.split(",")
    for number, name in enumerate(mapping.header):
        has = found[number] if number < len(found) else ""
        if has != name:
            rule = said("header_column", number=number + 1, wanted=name, mapping=mapping.name)
            raise _header_error(text, line, (name, has), rule)
    rule = said("header_count", found=len(found), wanted=len(mapping.header))
    raise _header_error(text, line, (mapping.header[-1], found[-1]), rule)


def _header_error(text: str, line: int, at: tuple[str, str], rule: Said) -> RegisterFileError:
    """Return why a header is not the mapping's; `at` names the column and what stands there."""
    problem = Problem(
        line=line,
        row=0,
        column=at[0],
        value=at[1],
        rule=rule,
        fix=said("fix_header"),
        raw=text,
    )
    return RegisterFileError("the header is not the mapping's", [problem], f"line {line}")


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
            rule=said("header_ends"),
            fix=said("fix_header_ends", last=last, line=line, start=start),
            raw=glued,
        )
    )
    _doubt(split_line(glued), mapping, reading)


def _doubt(fields: Sequence[str] | None, mapping: ImportMapping, reading: Reading) -> None:
    if fields is not None and len(fields) == len(mapping.header):
        reading.doubtful.add(_key(fields, mapping))


def _key(fields: Sequence[str], mapping: ImportMapping) -> tuple[str, ...]:
    values = dict(zip(mapping.header, fields, strict=True))
    return tuple([values[column].strip() for column in mapping.key])


def split_line(text: str) -> list[str] | None:
    """Return the values of a line, None if its quotes are wrong."""
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
    fields = split_line(text)
    if fields is None or len(fields) != len(mapping.header):
        reading.problems.append(_wrong_shape(text, fields, line, mapping, reading.records))
        return
    values: dict[str, str | int] = {}
    problems: list[Problem] = []
    for column, value in zip(mapping.columns, fields, strict=True):
        checked, rule = check_value(column, value.strip(), is_code)
        if rule is not None:
            fix = _remedy(column, rule)
            problems.append(_wrong_value(reading, line, text, (column.name, value, rule, fix)))
        elif checked != "":
            values[column.name] = checked
    name = str(values.get(mapping.id_column, ""))
    claimed = one_spelling(name)  # As the ledger claims it: 7 and 007 are one number.
    if not problems and claimed in numbers:
        rule = said("twice", line=numbers[claimed])
        fix = said("fix_twice")
        problems.append(_wrong_value(reading, line, text, (mapping.id_column, name, rule, fix)))
    if problems:
        reading.problems += problems
        _doubt(fields, mapping, reading)
        return
    numbers[claimed] = line
    key = _key(fields, mapping)
    reading.rows.append(Row(line, key, values, reading.records, text))


def _wrong_value(
    reading: Reading, line: int, text: str, what: tuple[str, str, Said, Said]
) -> Problem:
    """Return the problem of a value: column, value, rule and remedy."""
    column, value, rule, fix = what
    return Problem(
        line=line, row=reading.records, column=column, value=value, rule=rule, fix=fix, raw=text
    )


def _wrong_shape(
    text: str, fields: Sequence[str] | None, line: int, mapping: ImportMapping, row: int
) -> Problem:
    wanted = len(mapping.header)
    if fields is None:
        quote = text.rfind('"')
        rule = said("quotes", character=quote + 1)
        fix = said("fix_quotes")
        column, value = "", text[-60:]
    else:
        at = min(len(fields), wanted) - 1
        rule = said("values_count", found=len(fields), wanted=wanted)
        fix = said("fix_values_count")
        column, value = mapping.header[at], fields[at]
    return Problem(line=line, row=row, column=column, value=value, rule=rule, fix=fix, raw=text)


def _table_name(table: str) -> Said | str:
    """Return what people call a code table; a later one has its name only."""
    key = f"table_name.{table}"
    return said(key) if f"import.{key}" in catalogue("en").texts else table


def _remedy(column: Column, rule: Said) -> Said:
    """Return what form the value must have; an example is named as one: it is not the answer."""
    fix = said(f"fix_{rule.key}", **rule.values)
    return said("with_example", fix=fix, example=column.example) if column.example else fix


def check_value(column: Column, value: str, is_code: IsCode) -> tuple[str | int, Said | None]:
    """Return a value as the field takes it, and what is wrong with it, or None."""
    if not value:
        return "", said("required") if column.required else None
    if column.pattern is not None and column.pattern.fullmatch(value) is None:
        if column.form is not None:
            return "", said("form", form=column.form)
        return "", said("pattern", pattern=column.pattern.pattern)
    if column.lookup is not None:
        found = column.lookup.get(value)
        known = ", ".join(column.lookup)
        return ("", said("lookup", known=known)) if found is None else (found, None)
    if column.table is not None and not is_code(column.table, value):
        return "", said("table", table=column.table, title=_table_name(column.table))
    if column.transform == "whole_number":
        is_number = value.isascii() and value.isdigit() and len(value) <= WHOLE_NUMBER_DIGITS_MAX
        return (int(value), None) if is_number else ("", said("whole_number"))
    if column.transform == "iso_date":
        return (value, None) if is_date(value) else ("", said("iso_date"))
    return value, None


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
                    row=row.number,
                    column=",".join(mapping.key),
                    value=", ".join(row.key),
                    rule=said("sibling"),
                    fix=said("fix_sibling"),
                    raw=row.text,
                )
            )
        else:
            kept.append(row)
    reading.rows = kept
    reading.problems.sort(key=lambda problem: problem.line)
    return reading
