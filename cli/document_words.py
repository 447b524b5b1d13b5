"""What a document shows, in words of both languages: names of acts, fields and codes.

The names are those of the record types and code tables that ship with the program. A code that they
do not know, of a newer table or another country's register, stands as it is. Loaded only when a
person reads, so that `verify --json` starts at once.
"""

from collections.abc import Mapping

from cli.languages import Language, catalogue
from cli.output import Context
from ledger.canonical import Value
from registry.catalogue import TYPES, table_names, table_text, type_text
from registry.code_names import CodeTable, parse_code_table
from registry.field_specs import FieldSpec, spec_at
from registry.form_values import print_value
from registry.problems import in_language
from registry.schema import RecordType
from registry.schema_reader import read_record_type

_SIDE = "side"
_LIST_MARK = ", "
_FLAGS = {"true": True, "false": False}


def act_words(kind: str, language: Language) -> str:
    """Return what people call an act, such as `birth/register`; the kind itself if unknown."""
    type_name, _, operation_name = kind.partition("/")
    record_type = _type(type_name)
    if record_type is None:
        return kind
    operation = record_type.operations.get(operation_name)
    if operation is None:
        side = _type(_SIDE)
        operation = None if side is None else side.operations.get(operation_name)
    if operation is None:
        return kind
    title = in_language(operation.title, language) or operation_name
    return f"{in_language(record_type.title, language)}: {title}"


def type_words(name: str, language: Language) -> str:
    """Return what people call a record type; the name itself if unknown."""
    record_type = _type(name)
    return name if record_type is None else in_language(record_type.title, language)


def state_words(context: Context, name: str) -> str:
    """Return what people call a status or flag of a record, with its name in the record type."""
    words = catalogue(context.lang).texts.get(f"state.{name}")
    return name if words in {None, name} else f"{words} ({name})"


def language_words(code: str, day: str, language: Language) -> str:
    """Return the name of a language."""
    table = _find_table("language")
    row = None if table is None else table.find(code, day)
    return code if row is None else in_language(row.name, language)


def field_lines(
    context: Context, type_name: str, fields: Mapping[str, Value], day: str
) -> list[str]:
    """Return a line for each shown field, with its title and the names of its codes.

    In the order in which the paper has them, for whoever compares the two.

    Args:
        context: Whose language.
        type_name: Record type of the document; empty if it names none.
        fields: Path -> value, as `registry.certificates` shows them: member fields are text.
        day: On which codes are looked up.
    """
    record_type = _type(type_name)
    printed = () if record_type is None else record_type.printed
    order = {path: at for at, path in enumerate(printed)}
    return [
        f"  {_title(context, record_type, path)}: {_value(context, record_type, path, value, day)}"
        for path, value in sorted(fields.items(), key=lambda one: order.get(one[0], len(order)))
    ]


def _type(name: str) -> RecordType | None:
    return read_record_type(type_text(name)) if name in TYPES else None


def _find_table(name: str) -> CodeTable | None:
    return parse_code_table(table_text(name).decode()) if name in table_names() else None


def _spec(record_type: RecordType | None, path: str) -> FieldSpec | None:
    if record_type is None:
        return None
    sealed = record_type.sealed_paths.get(path)
    if sealed is not None:
        return sealed
    try:
        return spec_at(record_type.fields, path)
    except (KeyError, StopIteration):
        return None


def _title(context: Context, record_type: RecordType | None, path: str) -> str:
    spec = _spec(record_type, path)
    if record_type is None or spec is None:
        known = {"registration_no", "registered_on", "intended.recipient", "intended.purpose"}
        return context.say(f"verify.field.{path}") if path in known else path
    title = in_language(spec.title, context.lang) or path
    group = record_type.fields.get(path.partition(".")[0])
    if "." in path and group is not None:
        return f"{in_language(group.title, context.lang)}, {title}"
    return title


def _value(
    context: Context, record_type: RecordType | None, path: str, value: Value, day: str
) -> str:
    spec = _spec(record_type, path)
    if spec is None:
        return str(value)
    if isinstance(value, str):
        if spec.kind == "list" and spec.item is not None:
            value = tuple(value.split(_LIST_MARK))
        elif spec.kind == "bool":
            value = _FLAGS.get(value, value)
        elif spec.kind == "decimal" and context.lang == "vi":
            value = value.replace(".", ",")
    return in_language(print_value(spec, value, _find_table, day), context.lang)
