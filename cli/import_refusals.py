"""What the rules say of a row, told as the reader of the file tells what is malformed.

Whoever refuses, the program before anything is sent, the custodian, or the ledger: the report names
line, row, column where the refusal names a field, the value that stands there, the rule with its
stable code, and what to do. A field of the record is a column by way of the mapping.
"""

from collections.abc import Sequence

from cli.errors import code_of
from cli.import_mapping import ImportMapping
from cli.import_plan import Deed
from cli.import_problems import Advised, Problem, Refused, Said, said
from cli.import_rows import split_line
from keys.errors import CivregError
from registry.legal_words import basis_words
from registry.problems import Problem as Found
from registry.schema import Unique

EVENT_DATE = "event_date"
_LEGACY = "legacy"
_LEGACY_YEAR = "legacy.year"
_CREATED = "created."
"""Stands before the fields of a record that an operation creates beside the row's own."""


def refusals(
    deed: Deed, mapping: ImportMapping, unique: Sequence[Unique], error: CivregError
) -> list[Problem]:
    """Return why a row was refused: one problem for each thing that is wrong.

    Args:
        deed: The row.
        mapping: How its columns became fields.
        unique: What the record type claims, to find the columns of a number that is taken.
        error: Of the program, the custodian or the ledger.
    """
    found = [one for one in getattr(error, "problems", ()) if isinstance(one, Found)]
    if found:
        told = [_of_office_rule(deed, mapping, code_of(error), one) for one in found]
        return [one for at, one in enumerate(told) if one not in told[:at]]  # birth and identity
    code, details = code_of(error), error.details
    paths = [str(details["field"])] if "field" in details else []
    if "namespace" in details:
        paths = _claimed(str(details["namespace"]), unique)
    rule = Refused(code, details, str(error))
    return [row_problem(deed, mapping, rule, Advised(code, details), paths)]


def _of_office_rule(deed: Deed, mapping: ImportMapping, code: str, found: Found) -> Problem:
    values = {"sentence": found.sentence, "code": code, "rule": found.rule}
    rule = said("by_basis", **values, basis=basis_words(found.article)) if found.article else None
    fix = said("fix_like", example=found.example) if found.example else said("fix_value")
    path = found.field.removeprefix(_CREATED)
    return row_problem(
        deed, mapping, rule or said("by_rule", **values), said("fix_again", fix=fix), [path]
    )


def _claimed(namespace: str, unique: Sequence[Unique]) -> list[str]:
    """Return the fields of which a claim is made; the old number's is made of the row's id."""
    if namespace.startswith(f"{_LEGACY}."):
        return [_LEGACY]
    return [path for one in unique if one.namespace == namespace for path in one.fields]


def row_problem(
    deed: Deed,
    mapping: ImportMapping,
    rule: Said | Refused,
    fix: Said | Advised,
    paths: Sequence[str] = (),
) -> Problem:
    """Return a problem of a row that the file's reader found good.

    Args:
        deed: The row.
        mapping: How its columns became fields.
        rule: What is wrong.
        fix: What to do.
        paths: The record's fields that it is about, as far as they are known.
    """
    columns = list(dict.fromkeys(name for path in paths for name in _columns(deed, mapping, path)))
    values = dict(zip(mapping.header, split_line(deed.row.text) or (), strict=False))
    return Problem(
        line=deed.row.line,
        row=deed.row.number,
        column=",".join(columns),
        value=", ".join(values.get(name, "") for name in columns),
        rule=rule,
        fix=fix,
        raw=deed.row.text,
    )


def _columns(deed: Deed, mapping: ImportMapping, path: str) -> list[str]:
    """Return the columns of which a field is made; none if the mapping states it or lacks it."""
    if path == _LEGACY_YEAR:
        return [mapping.date_column]
    if path == _LEGACY or path.startswith(f"{_LEGACY}."):
        return [mapping.id_column]
    sources = {**mapping.created_fields, **mapping.fields}
    if deed.rank:
        sources |= mapping.later_fields
    found: list[str] = []
    for name, source in sources.items():
        if name == path or name.startswith(f"{path}.") or path.startswith(f"{name}."):
            found += [source.column] if source.column is not None else source.join
    if not found and path == EVENT_DATE:
        return [mapping.date_column]
    return found
