"""What a person wrote in a form, turned into the values of a field; all mistakes collected.

Values come from TOML or JSON (numbers with a point as text, never as floats) or from CSV (all
text), so a number may stand as text. Text is composed to its one Unicode form. Each mistake becomes
a `Problem` with a correct example; nothing is raised here.
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ledger.canonical import Value
from ledger.errors import InvalidDataError, NotCanonicalError
from ledger.ids import parse_id, print_id
from ledger.text import check_text
from registry.civil_calendar import is_date
from registry.code_names import FindTable
from registry.field_specs import LIST_ITEMS_MAX, FieldSpec, print_decimal
from registry.form_examples import find_example
from registry.problems import Problem, Text
from registry.spelling import compose

ARTICLE_OF_TABLES: Final = "dated code table"
EXAMPLE_ID: Final = print_id(bytes(range(16)))
_VALUE_CHARS_SHOWN: Final = 64
_DATETIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9]")
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
_DECIMAL: Final = re.compile(r"([0-9]{1,15})(?:[.,]([0-9]{1,9}))?")
_BOOLS: Final = {"true": True, "yes": True, "có": True, "false": False, "no": False, "không": False}

_WRONG: Final[Mapping[str, Text]] = {
    "required": ("chưa có giá trị", "is required"),
    "unknown": ("biểu mẫu không có trường này", "is no field of this form"),
    "text": ("phải là chữ, không quá dài", "must be text, not too long"),
    "characters": ("có ký tự không được phép", "holds a character that is not allowed"),
    "pattern": ("không đúng dạng", "is not of the form asked for"),
    "date": ("phải là ngày có thật, năm-tháng-ngày", "must be a real date, year-month-day"),
    "datetime": ("phải là ngày và giờ", "must be a date and time of day"),
    "int": ("phải là số nguyên trong khoảng cho phép", "must be a whole number within bounds"),
    "decimal": ("phải là số không âm, đủ chữ số lẻ", "must be a number with few enough decimals"),
    "bool": ("phải là true hoặc false", "must be true or false"),
    "code": ("không có trong bảng mã vào ngày đó", "is not in its code table on that date"),
    "link": ("không phải mã hồ sơ đúng", "is not a correct record id"),
    "bytes": ("phải là chữ số hệ 16", "must be hexadecimal digits"),
    "list": ("phải là danh sách, không quá dài", "must be a list, not too long"),
    "group": ("phải là nhóm trường", "must be a group of fields"),
    "map": ("phải là nhóm trường", "must be a group of fields"),
}


@dataclass(frozen=True, slots=True)
class FormReader:
    """Reads the values of one form and collects what is wrong.

    Attributes:
        find_table: Code tables by name.
        day: ISO date of the event.
        today: ISO date; codes must be in force on this date or on that of the event.
        article: Law that the record type names, for problems; may be empty.
        problems: What is wrong so far.
    """

    find_table: FindTable
    day: str
    today: str
    article: str
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, path: str, rule: str, raw: object, example: str, article: str = "") -> None:
        """Note one problem; `rule` is a key of the sentences here, perhaps with an argument."""
        self.problems.append(
            Problem(
                field=path,
                value="" if raw is None else str(raw)[:_VALUE_CHARS_SHOWN],
                rule=rule,
                sentence=_WRONG[rule.partition("(")[0]],
                article=article or self.article,
                example=example,
            )
        )

    def read(self, spec: FieldSpec, raw: object, path: str) -> Value:
        """Return the value of a field, or None if it is absent or wrong.

        Args:
            spec: What the schema says of it.
            raw: From the form; None or an empty text is absent.
            path: For the problems.
        """
        if raw is None or raw in ("", [], {}):
            if spec.required:
                self.refuse(path, "required", None, self.example(spec, path))
            return None
        if spec.kind == "list":
            return self._read_list(spec, raw, path)
        if spec.kind == "group":
            return self._read_group(spec, raw, path)
        value = _convert(spec, raw)
        if value is None:
            self.refuse(path, spec.kind, raw, self.example(spec, path))
            return None
        return self._checked(spec, value, path)

    def _read_list(self, spec: FieldSpec, raw: object, path: str) -> Value:
        assert spec.item is not None, "the loader made lists with their items"
        if isinstance(raw, str):
            raw = [part.strip() for part in raw.split(";")]
        if not isinstance(raw, list) or len(raw) > LIST_ITEMS_MAX:
            self.refuse(path, "list", raw, self.example(spec, path))
            return None
        items = [self.read(spec.item, item, f"{path}[{at}]") for at, item in enumerate(raw)]
        return tuple([item for item in items if item is not None])

    def _read_group(self, spec: FieldSpec, raw: object, path: str) -> Value:
        if not isinstance(raw, dict):
            self.refuse(path, "group", raw, self.example(spec, path))
            return None
        names = {part.name for part in spec.parts}
        for name in raw:
            if name not in names:
                self.refuse(f"{path}.{name}", "unknown", raw[name], ", ".join(sorted(names)))
        found: dict[str, Value] = {}
        for part in spec.parts:
            value = self.read(part, raw.get(part.name), f"{path}.{part.name}")
            if value is not None:
                found[part.name] = value
        return found or None

    def _checked(self, spec: FieldSpec, value: Value, path: str) -> Value:
        if isinstance(value, str) and spec.visibility != "sealed":
            try:
                check_text(value)
            except NotCanonicalError:
                self.refuse(path, "characters", value, self.example(spec, path))
                return None
        if spec.pattern is not None and re.fullmatch(spec.pattern, str(value)) is None:
            self.refuse(path, f"pattern({spec.pattern})", value, self.example(spec, path))
            return None
        if spec.kind == "code" and spec.table is not None and not self._has_code(spec, str(value)):
            rule = f"code({spec.table})"
            self.refuse(path, rule, value, self.example(spec, path), ARTICLE_OF_TABLES)
            return None
        return value

    def _has_code(self, spec: FieldSpec, code: str) -> bool:
        table = self.find_table(spec.table or "")
        return table is not None and any(
            table.find(code, day) is not None for day in (self.day, self.today)
        )

    def example(self, spec: FieldSpec, path: str = "") -> str:
        """Return a correct value as it would stand in a form.

        Args:
            spec: What the schema says of the field.
            path: Where it stands in the form.
        """
        named = None if spec.kind == "group" else find_example(path, spec.name)
        if named is not None:
            return named
        match spec.kind:
            case "code":
                table = self.find_table(spec.table or "")
                return "" if table is None else table.first_code(self.today)
            case "list":
                return "" if spec.item is None else f'["{self.example(spec.item)}"]'
            case "group":
                return ", ".join(part.name for part in spec.parts)
            case "int":
                return str(max(spec.minimum, 1))
            case "bytes":
                return "00" * (spec.chars_max or 2)
            case "text" if spec.choices:
                return spec.choices[0]
            case "decimal":
                return "85." + "5".ljust(spec.decimals, "0") if spec.decimals else "85"
            case _:
                return _KIND_EXAMPLES.get(spec.kind, "")


_KIND_EXAMPLES: Final[Mapping[str, str]] = {
    "date": "2026-03-15",
    "datetime": "2026-03-15T08:30",
    "bool": "true",
    "link": EXAMPLE_ID,
    "text": "…",
}


def _convert(spec: FieldSpec, raw: object) -> Value:
    """Return the value that a person meant, or None."""
    if isinstance(raw, dt.datetime):
        raw = raw.strftime("%Y-%m-%dT%H:%M") if spec.kind == "datetime" else None
    elif isinstance(raw, dt.date | dt.time):
        raw = raw.isoformat()
    match spec.kind:
        case "bool":
            return raw if isinstance(raw, bool) else _BOOLS.get(str(raw).strip().lower())
        case "map":
            return raw if isinstance(raw, dict) else None
        case "int":
            return None if isinstance(raw, bool) else _whole(spec, str(raw).strip())
        case "decimal":
            return None if isinstance(raw, bool) else _scaled(spec, str(raw).strip())
        case _:
            return _from_text(spec, raw)


def _from_text(spec: FieldSpec, raw: object) -> Value:
    if isinstance(raw, int) and not isinstance(raw, bool) and spec.kind in {"text", "code"}:
        raw = str(raw)
    if not isinstance(raw, str):
        return None
    text = compose(raw).strip()
    match spec.kind:
        case "date":
            return text if is_date(text) else None
        case "datetime":
            fits = _DATETIME.fullmatch(text) is not None and is_date(text[:10])
            return text.replace(" ", "T") if fits else None
        case "link":
            return _id_of(text)
        case "bytes":
            return _hexadecimal(spec, text)
        case _:
            return text if 0 < len(text) <= spec.chars_max else None


def _id_of(text: str) -> bytes | None:
    try:
        return parse_id(text)
    except InvalidDataError:
        return None


def _hexadecimal(spec: FieldSpec, text: str) -> bytes | None:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        return None
    return value if not spec.chars_max or len(value) == spec.chars_max else None


def _whole(spec: FieldSpec, text: str) -> int | None:
    if _INTEGER.fullmatch(text) is None:
        return None
    number = int(text)
    return number if spec.minimum <= number <= spec.maximum else None


def _scaled(spec: FieldSpec, text: str) -> int | None:
    """Return a number times 10^decimals, exactly; None if it has more decimals than that."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        return None
    whole, fraction = match.group(1), (match.group(2) or "").rstrip("0")
    if len(fraction) > spec.decimals:
        return None
    number = int(whole + fraction.ljust(spec.decimals, "0"))
    return number if spec.minimum <= number <= spec.maximum else None


def print_value(spec: FieldSpec, value: Value, find_table: FindTable, day: str) -> tuple[str, str]:
    """Return a value as people read it, in Vietnamese and English; codes with their names.

    Args:
        spec: What the schema says of the field.
        value: The value; None is shown as a dash.
        find_table: Code tables by name.
        day: ISO date on which codes are looked up.
    """
    if value is None:
        return "—", "—"
    if isinstance(value, str) and spec.table is not None:
        table = find_table(spec.table)
        row = None if table is None else table.find(value, day)
        if row is not None:
            return f"{row.name[0]} ({value})", f"{row.name[1]} ({value})"
    if isinstance(value, bool):
        return ("có", "yes") if value else ("không", "no")
    if isinstance(value, bytes):
        shown = print_id(value) if spec.kind == "link" else value.hex()
        return shown, shown
    if isinstance(value, tuple | list) and spec.item is not None:
        shown_items = [print_value(spec.item, item, find_table, day) for item in value]
        return ", ".join(vi for vi, _ in shown_items), ", ".join(en for _, en in shown_items)
    if isinstance(value, dict) and spec.parts:
        return _print_group(spec, value, find_table, day)
    if spec.kind == "decimal" and isinstance(value, int):
        shown = print_decimal(value, spec.decimals)
        return shown.replace(".", ","), shown
    return str(value), str(value)


def _print_group(
    spec: FieldSpec, group: Mapping[str, Value], find_table: FindTable, day: str
) -> tuple[str, str]:
    shown = [
        (part, print_value(part, group[part.name], find_table, day))
        for part in spec.parts
        if part.name in group
    ]
    return (
        "; ".join(f"{part.title[0] or part.name}: {words[0]}" for part, words in shown),
        "; ".join(f"{part.title[1] or part.name}: {words[1]}" for part, words in shown),
    )
