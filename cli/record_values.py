"""A record's values as JSON has them: as a form takes them, in the order of the form.

Areas are whole numbers on the ledger, scaled by ten, and ids are bytes. Nobody outside should have
to know that, so a program reads here what a person would type.
"""

from ledger.canonical import Value
from ledger.ids import ID_BYTES, print_id
from registry.field_specs import FieldSpec, print_decimal


def form_value(spec: FieldSpec | None, value: Value) -> object:
    """Return a value as a form takes it.

    Args:
        spec: What the schema says of it; None if it says nothing.
        value: Of the state, of an opened body, or of JSON that a node gave.
    """
    match value:
        case bytes():
            return print_id(value) if len(value) == ID_BYTES else value.hex()
        case tuple() | list():
            item = None if spec is None else spec.item
            return [form_value(item, each) for each in value]
        case dict():
            parts = {} if spec is None else {part.name: part for part in spec.parts}
            return {name: form_value(parts.get(name), each) for name, each in value.items()}
        case int() if spec is not None and spec.kind == "decimal":
            return print_decimal(value, spec.decimals)
        case _:
            return value
