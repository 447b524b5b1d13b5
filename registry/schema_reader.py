"""The text of a record type into a `RecordType`, strictly; parsed once for each text.

Unknown keys, unknown rules and effects, and a ledger rule that reads a sealed field are refused.

Source: records.md, section 2; `docs/records.md` has the keys one by one.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, cast

from keys.hashing import Digest, domain, hash_with
from registry.errors import SchemaError
from registry.field_specs import (
    INTEGER_MAX,
    SCALAR_KINDS,
    TEXT_CHARS_MAX,
    VISIBILITIES,
    FieldSpec,
    spec_at,
)
from registry.operation_reader import Names, read_operation
from registry.schema import (
    ClaimMode,
    ClaimScope,
    HoldersRule,
    MatchTag,
    RecordType,
    StatusClass,
    TypeRole,
    Unique,
)
from registry.schema_tables import Table
from registry.vocabulary import ENGINE_VERSION, UNITS

TEXT_BYTES_MAX: Final = 256 * 1024
PARSED_TYPES_MAX: Final = 256
NESTING_MAX: Final = 32
DOTS_MAX: Final = 16
VALID_DAYS: Final = 365
"""Days after which a certificate expires where its type says nothing else (policy)."""
VALID_DAYS_MAX: Final = 36_600
GIVEN_NAMES: Final = ("registration_no", "registered_on")
"""What a certificate may show that no field holds: the engine gives it at registration."""
_NO_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"([{}])")
_HOLDERS: Final = ("none", "required", "self")
STATUS_CLASSES: Final = ("proposed", "live", "ended")

_ATTACHMENT: Final = domain("genesis-attachment")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


def text_digest(text: bytes) -> Digest:
    """Return the digest by which the state knows a schema's or table's text, 32 bytes."""
    return hash_with(_ATTACHMENT, text)


@lru_cache(maxsize=PARSED_TYPES_MAX)
def read_record_type(text: bytes) -> RecordType:
    """Make a record type of its TOML text.

    Args:
        text: UTF-8, at most 256 KiB.

    Raises:
        SchemaError: Not TOML, a key that schemas do not have, or a contradiction; names the place.
    """
    if len(text) > TEXT_BYTES_MAX:
        raise SchemaError(f"a schema of {len(text)} bytes, over {TEXT_BYTES_MAX}")
    _check_depth(text)
    try:
        top = Table(tomllib.loads(text.decode()), "schema")
    except ValueError as error:  # what tomllib and integers of 5,000 digits raise
        raise SchemaError("a schema is no TOML text") from error
    return _read_type(top, text_digest(text))


def _check_depth(text: bytes) -> None:
    """Refuse what is nested so deeply that it would depend on the stack whether it is read.

    Brackets are counted wherever they stand, in texts and patterns too.
    """
    depth = 0
    for byte in text.translate(None, _NO_BRACKETS):
        depth = depth + 1 if byte in b"([{" else max(depth - 1, 0)
        if depth > NESTING_MAX:
            raise SchemaError(f"a schema is nested over {NESTING_MAX} levels deep")
    keys = [line.partition(b"=")[0] for line in text.split(b"\n")]
    if any(key.count(b".") > DOTS_MAX for key in keys):
        raise SchemaError(f"a schema has a key of over {DOTS_MAX} dots")


def _read_type(top: Table, digest: Digest) -> RecordType:
    name = top.take("type", str)
    fields = _read_fields(top.take_tables("fields"))
    objects = {
        kind: _read_fields(table.all_tables()) for kind, table in top.take_tables("objects").items()
    }
    statuses = _read_statuses(top)
    unique = tuple(_read_unique(table, fields) for table in top.take_list("unique"))
    match = tuple(_read_match(table, fields) for table in top.take_list("match"))
    book = top.take("book", str, "")
    names = Names(name, fields, objects, statuses, book)
    role = top.take_choice("role", ("record", "companion", "side", "governance"), "record")
    operations = {
        operation: read_operation(operation, table, names)
        for operation, table in top.take_tables("operations").items()
    }
    record_type = RecordType(
        name=name,
        role=cast("TypeRole", role),
        title=top.take_title(),
        version=top.take("version", int),
        valid_from=top.take_date("valid_from"),
        engine_version=top.take("engine_version", int),
        digest=digest,
        laws=top.take_words("laws"),
        book=book,
        certificate=top.take("certificate", str, ""),
        fresh_for=top.take("fresh_for", int, 0),
        valid_for=top.take("valid_for", int, VALID_DAYS),
        printed=top.take_words("printed"),
        statuses=cast("Mapping[str, StatusClass]", statuses),
        subject=top.take("subject", str, "self"),
        holders=cast(
            "HoldersRule", top.take_choice("holders", ("none", "required", "self"), "none")
        ),
        companion_of=top.take("companion_of", str, ""),
        territory=top.take("territory", str, ""),
        fields=fields,
        member_fields={n: spec for n, spec in fields.items() if _is_member(spec)},
        link_fields={n: spec for n, spec in fields.items() if _is_link(spec)},
        engine_fields=frozenset(n for n, spec in fields.items() if spec.set_by_engine),
        sealed_paths=_sealed_paths(fields),
        unique=unique,
        match=match,
        objects=objects,
        operations=operations,
    )
    top.finish()
    _check_type(record_type)
    return record_type


def _is_member(spec: FieldSpec) -> bool:
    return spec.visibility != "sealed" and spec.kind != "link" and not spec.set_by_engine


def _is_link(spec: FieldSpec) -> bool:
    return spec.visibility != "sealed" and spec.kind == "link" and not spec.set_by_engine


def _sealed_paths(fields: Mapping[str, FieldSpec]) -> dict[str, FieldSpec]:
    found = [pair for spec in fields.values() for pair in spec.sealed_paths()]
    return dict(sorted(found, key=lambda pair: pair[0].encode()))


def _check_type(record_type: RecordType) -> None:
    if _NAME.fullmatch(record_type.name) is None:
        raise SchemaError(f"{record_type.name!r} is no name of a type")
    if not 1 <= record_type.engine_version <= ENGINE_VERSION:
        raise SchemaError(f"{record_type.name} needs another engine version")
    if record_type.version < 1:
        raise SchemaError(f"{record_type.name} has no version from 1 on")
    if record_type.subject not in ("self", *record_type.fields):
        raise SchemaError(f"{record_type.name}.subject is neither self nor a field")
    if not 0 <= record_type.fresh_for <= record_type.valid_for <= VALID_DAYS_MAX:
        raise SchemaError(f"{record_type.name}: a certificate is fresh no longer than it is valid")
    _check_printed(record_type)
    _check_territory(record_type)
    if (record_type.role == "companion") != bool(record_type.companion_of):
        raise SchemaError(f"{record_type.name}: companions, and only they, name companion_of")


def _check_territory(record_type: RecordType) -> None:
    """The unit that decides about mandates is a code of the table of units in the member map."""
    path = record_type.territory
    if not path:
        return
    try:
        spec = spec_at(record_type.member_fields, path)
    except (KeyError, StopIteration) as error:
        raise SchemaError(f"{record_type.name} has no member field {path!r}") from error
    if spec.table != UNITS:
        raise SchemaError(f"{record_type.name}.territory is no code of a unit")


def _check_printed(record_type: RecordType) -> None:
    """A certificate shows only fields of the record, and no group as a whole."""
    for path in record_type.printed:
        if path in record_type.sealed_paths or path in GIVEN_NAMES:
            continue
        try:
            spec = spec_at(record_type.member_fields, path)
        except (KeyError, StopIteration) as error:
            raise SchemaError(f"{record_type.name} has no field {path!r} to print") from error
        if spec.kind in {"group", "map"}:
            raise SchemaError(f"{record_type.name}: {path!r} is printed by its parts")


def _read_statuses(top: Table) -> dict[str, str]:
    table = top.take_table("statuses")
    found: dict[str, str] = {}
    if table is not None:
        for status in table.left():
            found[status] = table.take_choice(status, STATUS_CLASSES, "")
        table.finish()
    return found


def _read_unique(table: Table, fields: Mapping[str, FieldSpec]) -> Unique:
    mode = table.take_choice("mode", ("value", "tag"), "")
    unique = Unique(
        namespace=table.take("namespace", str),
        fields=table.take_words("fields"),
        mode=cast("ClaimMode", mode),
        scope=cast("ClaimScope", table.take_choice("scope", ("live", "forever"), "")),
        required=table.take("required", bool, default=False),
    )
    _check_named(table, unique.fields, fields)
    tops = [fields[path.partition(".")[0]] for path in unique.fields]
    if mode == "value" and any(spec.visibility == "sealed" for spec in tops):
        raise table.wrong("fields", "a sealed field is claimed by its tag, never in clear")
    table.finish()
    return unique


def _read_match(table: Table, fields: Mapping[str, FieldSpec]) -> MatchTag:
    match = MatchTag(
        namespace=table.take("namespace", str),
        fields=table.take_words("fields"),
        link=table.take("with", str, ""),
    )
    _check_named(table, match.fields, fields)
    beside = fields.get(match.link)
    if beside is None or beside.visibility == "sealed" or beside.kind not in {"link", "date"}:
        raise table.wrong("with", "a link or date of the member map stands beside a tagged name")
    table.finish()
    return match


def _check_named(table: Table, paths: tuple[str, ...], fields: Mapping[str, FieldSpec]) -> None:
    for path in paths:
        name, _, part = path.partition(".")
        spec = fields.get(name)
        if spec is None or (part and part not in {piece.name for piece in spec.parts}):
            raise table.wrong("fields", f"there is no field {path}")
    if not paths:
        raise table.wrong("fields", "no field is named")


def _read_fields(tables: Mapping[str, Table]) -> dict[str, FieldSpec]:
    return {name: _read_field(name, table) for name, table in tables.items()}


def _read_field(name: str, table: Table, *, inside: bool = False) -> FieldSpec:
    if _NAME.fullmatch(name) is None:
        raise table.wrong(name, "no name of a field")
    kind = table.take("type", str)
    if kind not in SCALAR_KINDS | {"list", "group"}:
        raise table.wrong("type", f"{kind!r} is no type of a field")
    if inside and kind in {"group", "list"}:
        raise table.wrong("type", "groups and lists are made of scalars")
    parts = table.take_tables("parts") if kind == "group" else {}
    item = table.take_table("item") if kind == "list" else None
    if (kind == "group" and not parts) or (kind == "list" and item is None):
        raise table.wrong("type", "a group names its parts, a list its item")
    chars = table.take("chars", int, 0 if kind == "bytes" else TEXT_CHARS_MAX)
    spec = FieldSpec(
        name=name,
        kind=kind,
        required=table.take("required", bool, default=False),
        visibility=table.take_choice("visibility", tuple(sorted(VISIBILITIES)), "member"),
        title=table.take_title(),
        table=table.take_optional("table", str),
        target=table.take("to", str, ""),
        many=table.take("many", bool, default=False),
        set_by_engine=table.take_choice("set_by", ("clerk", "engine"), "clerk") == "engine",
        owner_controlled=table.take_choice("control", ("office", "owner"), "office") == "owner",
        minimum=table.take("min", int, 0),
        maximum=table.take("max", int, INTEGER_MAX),
        chars_max=chars,
        pattern=table.take_optional("pattern", str),
        decimals=table.take("decimals", int, 0),
        item=None if item is None else _read_field("item", item, inside=True),
        parts=tuple(_read_field(part, inner, inside=True) for part, inner in parts.items()),
    )
    table.finish()
    _check_field(spec, table)
    return spec


def _check_field(spec: FieldSpec, table: Table) -> None:
    if (spec.kind == "code") != (spec.table is not None):
        raise table.wrong("table", "codes, and only they, name their table")
    if spec.pattern is not None:
        try:
            re.compile(spec.pattern)
        except (re.error, OverflowError) as error:
            raise table.wrong("pattern", "no regular expression") from error
