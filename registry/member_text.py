"""What is refused in any text that validators see: a personal number, and codes of no table.

Source: records.md, section 2.1.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from ledger.canonical import Value
from registry.code_tables import check_code
from registry.errors import (
    PersonalNumberInClearError,
)
from registry.field_specs import FieldSpec
from registry.running import Run

_TWELVE_DIGITS: Final = re.compile(r"(?<![0-9])[0-9]{12}(?![0-9])")


def check_no_number(text: str, field: str) -> None:
    """Refuse a text with a run of exactly 12 digits.

    Raises:
        PersonalNumberInClearError: Names the field.
    """
    if _TWELVE_DIGITS.search(text) is not None:
        raise PersonalNumberInClearError("a run of 12 digits may be a personal number", field=field)


def check_member_text(
    run: Run, specs: Mapping[str, FieldSpec], values: Mapping[str, Value]
) -> None:
    """Refuse a personal number in clear, and codes that no table has.

    Raises:
        PersonalNumberInClearError: A run of exactly 12 digits; names the field.
        UnitInvalidError: A code that its table lacks on every day.
    """
    for name, value in values.items():
        spec = specs[name]
        for text in _texts(value):
            check_no_number(text, name)
        for named in _codes(spec, value):
            check_code(run.state, name, named, run.block.height, None)


def _texts(value: Value) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from _texts(item)


def _codes(spec: FieldSpec, value: Value) -> Iterable[tuple[str, str]]:
    if spec.table is not None and isinstance(value, str):
        yield spec.table, value
    elif spec.item is not None and isinstance(value, tuple):
        for item in value:
            yield from _codes(spec.item, item)
    elif isinstance(value, dict):
        for part in spec.parts:
            if part.name in value:
                yield from _codes(part, value[part.name])
