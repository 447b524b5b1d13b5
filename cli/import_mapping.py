"""Mapping files: how the columns of a register become the fields of records.

    version, type, source, first, later, office, other_office, owners_office, owners_other, units
    id        column that names a row in the old register, claimed once for ever
    date      column with the date of the event
    key       columns that together say which record a row is about
    columns   all columns, in the order of the file's header
    [column.NAME]   required, pattern, form, transform, lookup, table, example: what a value must be
    [field]         field or path -> { column }, { join = [...] }, { value }, { hex }; a column may
                    be `of = "first"`: of the first row with the same key
    [later_field]   further fields of later rows with the same key
    [created_field] fields of the record that the operation creates beside

Two mappings ship with the program, `hmlr_price_paid` and `births`; any other is a file.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NoReturn

from cli.errors import InvalidInputError, NotFoundError
from registry.problems import Text

TRANSFORMS: Final = ("text", "whole_number", "iso_date")
MAPPING_BYTES_MAX: Final = 256 * 1024
_VERSION: Final = 1
_SOURCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_WAYS: Final = ("column", "join", "value", "hex")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What a column's values must be.

    Attributes:
        name: As in the header.
        required: Whether it may not be empty.
        pattern: That the whole value matches, or None.
        form: What the pattern means, in Vietnamese and English, or None.
        transform: One of `TRANSFORMS`.
        lookup: Value of the file -> value of the field; others are refused. None: as it is.
        table: Code table of the network in which the value must stand, or None.
        example: A correct value.
    """

    name: str
    required: bool = False
    pattern: re.Pattern[str] | None = None
    form: Text | None = None
    transform: str = "text"
    lookup: Mapping[str, str] | None = None
    table: str | None = None
    example: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a field's value comes from: exactly one of column, join, value.

    Attributes:
        column: Name of a column.
        of_first: Whether the column is that of the first row with the same key.
        join: Columns whose values stand one after the other, with commas.
        value: A statement of the mapping itself.
    """

    column: str | None = None
    of_first: bool = False
    join: tuple[str, ...] = ()
    value: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportMapping:
    """A mapping file; see the module."""

    name: str
    type_name: str
    source: str
    first: str
    later: str
    office: str
    other_office: str
    owners_office: str
    owners_other: str
    units: str
    id_column: str
    date_column: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    fields: Mapping[str, Source]
    later_fields: Mapping[str, Source] = field(default_factory=dict)
    created_fields: Mapping[str, Source] = field(default_factory=dict)

    @property
    def header(self) -> tuple[str, ...]:
        """The columns' names, in the order of the file."""
        return tuple(column.name for column in self.columns)


def shipped_mappings() -> tuple[str, ...]:
    """Return the names of the mappings that ship with the program."""
    found = files("cli").joinpath("mappings").iterdir()
    return tuple(sorted(item.name[:-5] for item in found if item.name.endswith(".toml")))


def load_mapping(name: str) -> ImportMapping:
    """Return a mapping by the name of a shipped one, or from a file.

    Raises:
        NotFoundError: Neither exists.
        InvalidInputError: It is no mapping; says what is wrong.
    """
    if name in shipped_mappings():
        text = files("cli").joinpath("mappings", f"{name}.toml").read_bytes()
        return parse_mapping(text, name)
    path = Path(name)
    if not path.is_file():
        known = ", ".join(shipped_mappings())
        raise NotFoundError(f"there is no mapping {name!r}; shipped are {known}", name=name)
    with path.open("rb") as file:
        return parse_mapping(file.read(MAPPING_BYTES_MAX + 1), path.name)


def parse_mapping(text: bytes, name: str) -> ImportMapping:
    """Make a mapping of its TOML text.

    Args:
        text: At most 256 KiB of UTF-8.
        name: For messages.

    Raises:
        InvalidInputError: It is no mapping; details: name.
    """
    if len(text) > MAPPING_BYTES_MAX:
        _refuse(name, f"over {MAPPING_BYTES_MAX} bytes")
    try:
        return _read(tomllib.loads(text.decode()), name)
    except KeyError as error:
        _refuse(name, f"{error.args[0]!r} is missing")
    except (ValueError, TypeError, AttributeError, re.error) as error:
        _refuse(name, str(error))


def _refuse(name: str, reason: str) -> NoReturn:
    raise InvalidInputError(f"the mapping {name}: {reason}", name=name)


def _read(table: dict[str, Any], name: str) -> ImportMapping:
    if table["version"] != _VERSION:
        raise ValueError("another version")
    header = tuple(str(column) for column in table["columns"])
    given = table.get("column", {})
    unknown = sorted(set(given) - set(header))
    if unknown or len(set(header)) != len(header):
        raise ValueError(f"columns that are not in the header, or twice: {unknown}")
    mapping = ImportMapping(
        name=name,
        type_name=str(table["type"]),
        source=str(table["source"]),
        first=str(table["first"]),
        later=str(table.get("later", "")),
        office=str(table["office"]),
        other_office=str(table["other_office"]),
        owners_office=str(table.get("owners_office", "")),
        owners_other=str(table.get("owners_other", "")),
        units=str(table.get("units", "admin_unit")),
        id_column=str(table["id"]),
        date_column=str(table["date"]),
        key=tuple(str(column) for column in table["key"]),
        columns=tuple(_column(column, given.get(column, {})) for column in header),
        fields=_sources(table["field"], header),
        later_fields=_sources(table.get("later_field", {}), header),
        created_fields=_sources(table.get("created_field", {}), header),
    )
    if _SOURCE.fullmatch(mapping.source) is None:
        raise ValueError("source is not 1 to 64 letters, digits, dots, hyphens or underscores")
    for column in (mapping.id_column, mapping.date_column, *mapping.key):
        if column not in header:
            raise ValueError(f"there is no column {column!r}")
    return mapping


def _column(name: str, table: dict[str, Any]) -> Column:
    transform = str(table.get("transform", "text"))
    if transform not in TRANSFORMS:
        raise ValueError(f"column {name}: the transform is none of {', '.join(TRANSFORMS)}")
    pattern, form = table.get("pattern"), table.get("form")
    return Column(
        name=name,
        required=table.get("required", False) is True,
        pattern=None if pattern is None else re.compile(str(pattern)),
        form=None if form is None else (str(form["vi"]), str(form["en"])),
        transform=transform,
        lookup=table.get("lookup"),
        table=table.get("table"),
        example=str(table.get("example", "")),
    )


def _sources(table: dict[str, Any], header: tuple[str, ...]) -> dict[str, Source]:
    return {path: _source(path, given, header) for path, given in table.items()}


def _source(path: str, given: dict[str, Any], header: tuple[str, ...]) -> Source:
    ways = [way for way in _WAYS if way in given]
    if len(ways) != 1:
        raise ValueError(f"field {path}: exactly one of {', '.join(_WAYS)}")
    join = tuple(str(column) for column in given.get("join", ()))
    column = given.get("column")
    for named in (*join, *(() if column is None else (column,))):
        if named not in header:
            raise ValueError(f"field {path}: there is no column {named!r}")
    value = given.get("value")
    if "hex" in given:
        value = bytes.fromhex(given["hex"])
    elif isinstance(value, list):
        value = tuple(value)
    return Source(column=column, of_first=given.get("of") == "first", join=join, value=value)
