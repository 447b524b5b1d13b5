"""What a schema says of a field, and the check of a member value against it.

A field is a scalar, a list of one kind of scalar, or a group of named scalars. Sealed fields have
paths: the field's name, or `group.part` for each part of a group; a sealed list is one path.

Source: records.md, section 2.1.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from ledger.canonical import Value
from ledger.ids import ID_BYTES
from registry.civil_calendar import is_date
from registry.errors import FieldValueError, MissingFieldError, UnknownFieldError

SCALAR_KINDS: Final = frozenset(
    {"text", "date", "datetime", "int", "decimal", "bool", "code", "link", "bytes", "map"}
)
"""`link` is an id of 16 bytes; `decimal` an integer scaled by 10^decimals; `map` plain values."""
VISIBILITIES: Final = frozenset({"public", "member", "sealed"})
TEXT_CHARS_MAX: Final = 1_024
LIST_ITEMS_MAX: Final = 256
INTEGER_MAX: Final = 2**53
BYTES_MAX: Final = 49_152
"""Bytes of a field without a fixed length, such as a piece of a schema's text."""

_Value = TypeVar("_Value")
_CHOICES: Final = re.compile(r"[a-z_]+(?:\|[a-z_]+)*")
_DATETIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """One field of a record type or of an object.

    Attributes:
        name: Its name, for a part of a group the part's.
        kind: A scalar kind, `list` or `group`.
        required: Whether it must be there.
        visibility: `public`, `member` or `sealed`.
        title: What people call it, in Vietnamese and English.
        table: For codes: the dated table.
        target: For links: the record type it must lead to; empty for any.
        many: For links: several may stand there.
        set_by_engine: Only effects set it.
        owner_controlled: Only the owner's key may set it (records.md, section 4.4).
        minimum: For numbers.
        maximum: For numbers.
        chars_max: For texts; for bytes their exact number, 0 for any up to 4,096.
        pattern: For texts: what the whole text must match, or None.
        decimals: For decimals.
        item: For lists: what each item is.
        parts: For groups.
    """

    name: str
    kind: str
    required: bool = False
    visibility: str = "member"
    title: tuple[str, str] = ("", "")
    table: str | None = None
    target: str = ""
    many: bool = False
    set_by_engine: bool = False
    owner_controlled: bool = False
    minimum: int = 0
    maximum: int = INTEGER_MAX
    chars_max: int = TEXT_CHARS_MAX
    pattern: str | None = None
    decimals: int = 0
    item: "FieldSpec | None" = None
    parts: tuple["FieldSpec", ...] = ()

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that a pattern of plain words allows; empty for any other pattern."""
        pattern = self.pattern or ""
        return tuple(pattern.split("|")) if _CHOICES.fullmatch(pattern) else ()

    def sealed_paths(self) -> tuple[tuple[str, "FieldSpec"], ...]:
        """Return the paths of a sealed field with what stands there; none if it is not sealed."""
        if self.visibility != "sealed":
            return ()
        if self.kind == "group":
            return tuple((f"{self.name}.{part.name}", part) for part in self.parts)
        return ((self.name, self),)


def spec_at(specs: Mapping[str, FieldSpec], path: str) -> FieldSpec:
    """Return the spec of a field, or of a part of a group: `name` or `name.part`."""
    name, _, part = path.partition(".")
    spec = specs[name]
    return next(item for item in spec.parts if item.name == part) if part else spec


def in_schema_order(
    specs: Mapping[str, FieldSpec], values: Mapping[str, _Value]
) -> list[tuple[str, FieldSpec | None, _Value]]:
    """Return name, spec and value of what stands in a map, in the order in which forms ask for it.

    The one encoding sorts maps by name; people know the order of the form.

    Args:
        specs: Name -> spec, in the order of the schema.
        values: What stands there; what `specs` lacks comes last.
    """
    known = [(name, spec, values[name]) for name, spec in specs.items() if name in values]
    return [*known, *((name, None, value) for name, value in values.items() if name not in specs)]


def print_decimal(scaled: int, decimals: int) -> str:
    """Return a number that the ledger has times 10^decimals as a form takes it: `85.5` of 855."""
    whole, fraction = divmod(abs(scaled), 10**decimals)
    digits = f".{fraction:0{decimals}}" if decimals else ""
    return f"{'-' if scaled < 0 else ''}{whole}{digits}"


def check_fields(
    specs: Mapping[str, FieldSpec], values: Mapping[str, Value], optional: tuple[str, ...] = ()
) -> None:
    """Refuse a map of values that does not fit its specs.

    Args:
        specs: Name -> spec of the fields that may stand in the map.
        values: What stands there.
        optional: Required fields that may be absent this time, as for imports.

    Raises:
        UnknownFieldError: A field that `specs` lacks.
        MissingFieldError: A required field is absent.
        FieldValueError: A value does not fit; names the field, never the value.
    """
    for name, value in values.items():
        spec = specs.get(name)
        if spec is None:
            raise UnknownFieldError(f"there is no field {name!r} here", field=name)
        check_value(spec, value, name)
    for name, spec in specs.items():
        if spec.required and name not in values and name not in optional:
            raise MissingFieldError(f"the field {name!r} is required", field=name)


def check_value(spec: FieldSpec, value: Value, name: str) -> None:
    """Refuse a value that is not of the field's kind or out of its bounds.

    Args:
        spec: What the schema says.
        value: Never None: an absent member field is not in its map.
        name: The path for the refusal.

    Raises:
        UnknownFieldError: A group has a part that the schema lacks.
        MissingFieldError: A group lacks a required part.
        FieldValueError: Anything else.
    """
    if spec.kind == "list":
        _check_list(spec, value, name)
    elif spec.kind == "group":
        _check_group(spec, value, name)
    elif not _fits(spec, value):
        raise _wrong(name)


def _check_list(spec: FieldSpec, value: Value, name: str) -> None:
    assert spec.item is not None, "the loader made lists with their items"
    if type(value) is not tuple or len(value) > LIST_ITEMS_MAX:
        raise _wrong(name)
    if spec.required and not value:
        raise MissingFieldError(f"the field {name!r} is required", field=name)
    for item in value:
        check_value(spec.item, item, name)


def _check_group(spec: FieldSpec, value: Value, name: str) -> None:
    if type(value) is not dict:
        raise _wrong(name)
    parts = {part.name: part for part in spec.parts}
    for part in value:
        if part not in parts:
            raise UnknownFieldError(f"there is no field {name}.{part}", field=f"{name}.{part}")
    for part, part_spec in parts.items():
        if part in value:
            check_value(part_spec, value[part], f"{name}.{part}")
        elif part_spec.required:
            raise MissingFieldError(f"{name}.{part} is required", field=f"{name}.{part}")


def _fits(spec: FieldSpec, value: Value) -> bool:
    match spec.kind:
        case "bool":
            return type(value) is bool
        case "int" | "decimal":
            return type(value) is int and spec.minimum <= value <= spec.maximum
        case "text" | "code":
            return (
                type(value) is str
                and 0 < len(value) <= spec.chars_max
                and (spec.pattern is None or re.fullmatch(spec.pattern, value) is not None)
            )
        case "date":
            return type(value) is str and is_date(value)
        case "datetime":
            return (
                type(value) is str
                and _DATETIME.fullmatch(value) is not None
                and is_date(value[:10])
                and value[11:13] < "24"
                and value[14:] < "60"
            )
        case "link":
            return type(value) is bytes and len(value) == ID_BYTES
        case "bytes":
            return type(value) is bytes and (
                len(value) == spec.chars_max if spec.chars_max else len(value) <= BYTES_MAX
            )
        case _:
            return type(value) is dict


def _wrong(name: str) -> FieldValueError:
    return FieldValueError(f"the value of {name!r} is of another kind or out of bounds", field=name)
