"""One operation of a record type, from its table; see `registry.schema_reader`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from registry.errors import SchemaError
from registry.field_specs import FieldSpec
from registry.policies import Policy, compile_policy
from registry.schema import (
    NOTHING,
    AboutKind,
    Call,
    CustodyRule,
    EditKind,
    Late,
    Limit,
    ObjectUse,
    Operation,
    Senior,
    Write,
)
from registry.schema_tables import Table
from registry.vocabulary import (
    CREATING_EFFECTS,
    DATES,
    EFFECTS,
    OBJECTS,
    PARTIES,
    RULES,
    SELF,
    TERM_OBJECTS,
    ObjectNeed,
)

OBJECTS_MAX: Final = 16
_CALL: Final = re.compile(r"([a-z_]+)(?:\(([a-z0-9_.*]+(?:, *[a-z0-9_.*]+)*)\))?")
_USE: Final = re.compile(r"([a-z_]+)([?*+]?)")
_WRITE: Final = re.compile(r"self|companion\([a-z_]+\)|([a-z_]+)\(([a-z_]+)\)")
_USES: Final = {"": (1, 1), "?": (0, 1), "*": (0, OBJECTS_MAX), "+": (1, OBJECTS_MAX)}
_SIDE_FREE: Final = frozenset({"to", "from", "writes", "fields"})


@dataclass(frozen=True, slots=True)
class Names:
    """What the operations of a type may name.

    Attributes:
        type_name: The type.
        fields: Its fields.
        objects: Its kinds of objects with their fields.
        statuses: Its statuses.
        book: Its book, empty for none.
    """

    type_name: str
    fields: Mapping[str, FieldSpec]
    objects: Mapping[str, dict[str, FieldSpec]]
    statuses: Mapping[str, str]
    book: str


def read_operation(name: str, table: Table, names: Names) -> Operation:
    """Make an operation of its table.

    Raises:
        SchemaError: An unknown key, status, field, rule or effect, or a contradiction.
    """
    side = table.take("side", bool, default=False)
    starred = table.take_words("fields")
    operation = Operation(
        name=name,
        title=table.take_title(),
        side=side,
        about=cast(
            "AboutKind", table.take_choice("about", ("record", "optional", "none"), "record")
        ),
        from_statuses=table.take_words("from"),
        to_status=table.take_optional("to", str),
        edit=cast("EditKind", table.take_choice("edit", _EDITS, "none")),
        fields=tuple(word for word in starred if not word.startswith("-")),
        except_fields=tuple(word[1:] for word in starred if word.startswith("-")),
        writes=() if side else _read_writes(table, names),
        objects=tuple(_read_use(word, table, names) for word in table.take_words("objects")),
        signers=compile_policy(table.take("signers", str)),
        rules=_read_calls(table, "rules", RULES, names),
        attested=tuple(sorted(table.take_words("attested"))),
        effects=_read_calls(table, "effects", EFFECTS, names),
        late=_read_late(table.take_table("late"), names),
        senior=_read_senior(table.take_table("senior"), names),
        limit=_read_limit(table.take_table("limit")),
        blocked_by=table.take_words("blocked_by"),
        sets=table.take_words("sets"),
        clears=table.take_words("clears"),
        needs=table.take_words("needs"),
        number=table.take_optional("number", str),
        disposal=table.take("disposal", bool, default=False),
        property=table.take("property", bool, default=False),
        custody=cast("CustodyRule", table.take_choice("custody", _CUSTODY, "any")),
        any_office=table.take("any_office", bool, default=False),
        wait_free=table.take("owner_alone", bool, default=False),
        any_capacity=table.take("any_capacity", bool, default=False),
        not_after_hours=table.take_optional("not_after_hours", int),
        may_be_unknown=table.take_words("may_be_unknown"),
        basis=table.take_words("basis"),
    )
    table.finish()
    _check(operation, table, names)
    return operation


_ABOUT: Final = ("record", "optional", "none")
_EDITS: Final = ("none", "change", "correction", "supplement", "redetermination")
_CUSTODY: Final = ("any", "other_office", "other_agency", "none")


def _check(operation: Operation, table: Table, names: Names) -> None:
    statuses = {NOTHING, *names.statuses}
    if not statuses.issuperset(operation.from_statuses):
        raise table.wrong("from", "an unknown status")
    if operation.to_status is not None and operation.to_status not in names.statuses:
        raise table.wrong("to", "an unknown status")
    named = (*operation.fields, *operation.except_fields, *operation.may_be_unknown)
    if not {"*", "holders", *names.fields}.issuperset(named):
        raise table.wrong("fields", "an unknown field")
    if operation.number is not None and not names.book:
        raise table.wrong("number", "the type has no book")
    if not {"reason", "evidence"}.issuperset(operation.needs):
        raise table.wrong("needs", "only reason and evidence can be needed")
    if not operation.side and not operation.from_statuses:
        raise table.wrong("from", "a content act says from which status")
    created = [write.link for write in operation.writes if write.kind == "create"]
    needed = [call.arguments[0] for call in operation.effects if call.name in CREATING_EFFECTS]
    if not set(needed).issubset(created):
        raise table.wrong("effects", "the operation does not write the record that is created")
    _check_reads(operation, table, names)
    if not operation.basis:
        raise table.wrong("basis", "a default legal basis is needed")


def _check_reads(operation: Operation, table: Table, names: Names) -> None:
    """Refuse effects and terms that would read what no object of the operation has."""
    for call in operation.effects:
        _check_objects(OBJECTS.get(call.name), operation, table, names)
    kinds = [use.kind for use in operation.objects]
    terms = [term.name for alternative in operation.signers.alternatives for term in alternative]
    for term in dict.fromkeys(terms):
        for needed in TERM_OBJECTS.get(term, ()):
            if needed.kind in kinds:
                _check_objects(needed, operation, table, names)


def _check_objects(
    needed: ObjectNeed | None, operation: Operation, table: Table, names: Names
) -> None:
    """Refuse an effect without the object that it reads."""
    if needed is None:
        return
    use = next((use for use in operation.objects if use.kind == needed.kind), None)
    if use is None or (needed.single and (use.minimum, use.maximum) != (1, 1)):
        raise table.wrong("effects", f"an effect reads the object {needed.kind}")
    specs = names.objects[needed.kind]
    for name, kind in needed.fields.items():
        spec = specs.get(name)
        is_certain = spec is not None and spec.required
        if not (is_certain or kind.endswith("?")) or not _is_of(spec, kind.removesuffix("?")):
            raise table.wrong("effects", f"an effect reads {needed.kind}.{name}, a {kind}")


def _is_of(spec: FieldSpec | None, kind: str) -> bool:
    """Tell whether a field, if there is one, is of a kind such as `text` or `list of bytes`."""
    outer, _, inner = kind.partition(" of ")
    return spec is None or (
        spec.kind == outer and (not inner or (spec.item is not None and spec.item.kind == inner))
    )


def _read_writes(table: Table, names: Names) -> tuple[Write, ...]:
    words = table.take_words("writes") or ("self",)
    found: list[Write] = []
    for word in words:
        shape = _WRITE.fullmatch(word)
        if shape is None:
            raise table.wrong("writes", f"{word!r} is not self, companion(type) or type(link)")
        if word == "self":
            found.append(Write("self", names.type_name, ""))
        elif word.startswith("companion("):
            found.append(Write("companion", word[len("companion(") : -1], ""))
        else:
            link = names.fields.get(shape[2])
            if link is None or not link.set_by_engine or link.target != shape[1]:
                raise table.wrong("writes", f"{shape[2]!r} is no link of the engine to {shape[1]}")
            found.append(Write("create", shape[1], shape[2]))
    if found[0].kind == "create" or any(write.kind != "create" for write in found[1:]):
        raise table.wrong("writes", "the subject comes first, created records follow")
    return tuple(found)


def _read_use(word: str, table: Table, names: Names) -> ObjectUse:
    shape = _USE.fullmatch(word)
    if shape is None or shape[1] not in names.objects:
        raise table.wrong("objects", f"{word!r} is no kind of object of this type")
    return ObjectUse(shape[1], *_USES[shape[2]])


def _read_late(table: Table | None, names: Names) -> Late | None:
    if table is None:
        return None
    adds: str | None = table.take_optional("adds_signer", str)
    policy: Policy | None = None if adds is None else compile_policy(adds)
    late = Late(
        flag=table.take("flag", str),
        needs=table.take("needs", str),
        after_days=table.take_optional("after_days", int),
        adds_signer=policy,
    )
    table.finish()
    if late.needs not in names.fields or (late.after_days is None) != (policy is None):
        raise table.wrong("needs", "an unknown field, or a signer without days")
    return late


def _read_senior(table: Table | None, names: Names) -> Senior | None:
    if table is None:
        return None
    listed, found = table.take_words("fields"), names.fields
    is_known = all(
        name in found and found[name].kind != "link" and not found[name].set_by_engine
        for name in listed
    )
    if not listed or not is_known:
        raise table.wrong("fields", "no member or sealed field")
    sealed = tuple(name for name in listed if found[name].visibility == "sealed")
    senior = Senior(
        fields=tuple(name for name in listed if name not in sealed),
        sealed=sealed,
        adds_signer=compile_policy(table.take("adds_signer", str)),
    )
    table.finish()
    return senior


def _read_limit(table: Table | None) -> Limit | None:
    if table is None:
        return None
    limit = Limit(
        working_days=table.take("working_days", int),
        extend=table.take("extend", int, 0),
        basis=table.take("basis", str),
    )
    table.finish()
    return limit


def _read_calls(table: Table, key: str, known: Mapping[str, str], names: Names) -> tuple[Call, ...]:
    calls: list[Call] = []
    for word in table.take_words(key):
        shape = _CALL.fullmatch(word)
        if shape is None or shape[1] not in known:
            raise table.wrong(key, f"{word!r} calls nothing that this engine has")
        arguments = tuple(re.split(", *", shape[2])) if shape[2] else ()
        _check_arguments(known[shape[1]], arguments, names, table.wrong(key, f"{word!r}"))
        calls.append(Call(shape[1], arguments))
    return tuple(calls)


def _check_arguments(
    signature: str, arguments: tuple[str, ...], names: Names, error: SchemaError
) -> None:
    kinds = signature
    if signature.endswith("*"):
        kinds = signature[:-1] + signature[-2] * (len(arguments) - len(signature) + 1)
    if len(kinds) != len(arguments):
        raise error
    for kind, argument in zip(kinds, arguments, strict=True):
        if kind == "n" and not argument.isdecimal():
            raise error
        if kind in FIELD_KINDS and not _is_field(kind, argument, names):
            raise error


def _is_field(kind: str, argument: str, names: Names) -> bool:
    """Tell whether a rule may read this as a field of a kind, and as no sealed one."""
    if argument in _ALWAYS[kind]:
        return True
    name, _, part = argument.partition(".")
    spec = names.fields.get(name)
    if spec is None or spec.visibility == "sealed":
        return False
    found = [piece for piece in spec.parts if piece.name == part] if part else [spec]
    return bool(found) and FIELD_KINDS[kind] in {"", found[0].kind}


FIELD_KINDS: Final = {"f": "", "d": "date", "c": "code", "l": "link"}
"""Letter of an argument -> what the field must be."""
_ALWAYS: Final = {"f": (), "c": (), "d": tuple(sorted(DATES)), "l": (SELF, PARTIES)}
