"""The records of a form: its fields, over the values that a record has already."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, cast

from ledger.canonical import Value
from ledger.errors import InvalidDataError
from ledger.ids import RecordId, parse_id
from ledger.parts import Holder
from registry.acts import RecordContent
from registry.field_specs import FieldSpec
from registry.form_kinds import FormKind, derive_content
from registry.form_values import EXAMPLE_ID, FormReader
from registry.geometry import geometry_digest
from registry.schema import Operation, RecordType, Write
from registry.spelling import compose

SPECIAL_TABLES: Final = ("act", "holders", "created", "objects")
HOLDERS_MAX: Final = 64
SHARE_CHARS_MAX: Final = 18
GEOMETRY: Final = "geometry"
GEOMETRY_DIGEST: Final = "geometry_digest"

_HOLDER_KEYS: Final = {"parties", "share"}


@dataclass(frozen=True, slots=True)
class _Target:
    """One record that a form fills.

    Attributes:
        record_type: Its type.
        raw: What the form says, by field.
        path: In front of its fields in problems.
        start: The values that it has already.
        fields: The fields that the form may have.
    """

    record_type: RecordType
    raw: Mapping[str, object]
    path: str
    start: RecordContent
    fields: Mapping[str, FieldSpec]


def writable_fields(
    form_kind: FormKind, write: Write, record_type: RecordType
) -> dict[str, FieldSpec]:
    """Return the fields that a form may have for one of the operation's records.

    Of the subject those that the operation may change; of a created or companion record all but the
    engine's. What an import may leave unknown is not required, nor the digest of a geometry, which
    follows from it.
    """
    operation = form_kind.operation
    found: dict[str, FieldSpec] = {}
    for name, spec in record_type.fields.items():
        if name in record_type.engine_fields:
            continue
        if write.kind == "companion" and name == record_type.subject:
            continue
        if write.kind == "self" and not operation.may_write(name):
            continue
        optional = spec.required and (
            name in operation.may_be_unknown or _is_computed(name, operation, record_type)
        )
        found[name] = replace(spec, required=False) if optional else spec
    return found


def _is_computed(name: str, operation: Operation, record_type: RecordType) -> bool:
    geometry = record_type.fields.get(GEOMETRY)
    return (
        name == GEOMETRY_DIGEST
        and geometry is not None
        and geometry.required
        and GEOMETRY not in operation.may_be_unknown
    )


def _with_digest(
    own: Mapping[str, object], operation: Operation, record_type: RecordType
) -> dict[str, object]:
    """Return the fields of a form, the digest of a geometry with them that it names without it."""
    written = own.get(GEOMETRY)
    known = GEOMETRY_DIGEST in record_type.fields and operation.may_write(GEOMETRY_DIGEST)
    if not known or own.get(GEOMETRY_DIGEST) or not isinstance(written, str) or not written:
        return dict(own)
    digest = geometry_digest(compose(written).strip())
    return {**own, GEOMETRY_DIGEST: digest.hex()}


def read_records(
    reader: FormReader,
    form_kind: FormKind,
    form: Mapping[str, object],
    previous: RecordContent | None,
) -> tuple[RecordContent, ...]:
    """Return the records that a form fills, in the order of the operation's writes.

    Problems are collected in the reader.
    """
    created = as_table(form.get("created"))
    writes = form_kind.operation.writes
    links = {write.link for write in writes if write.kind == "create"}
    for name in created:
        if name not in links:
            reader.refuse(f"created.{name}", "unknown", "", ", ".join(sorted(links)))
    own = {key: value for key, value in form.items() if key not in SPECIAL_TABLES}
    if writes:
        own = _with_digest(own, form_kind.operation, form_kind.written[0])
    else:
        _refuse_unknown(reader, own, {}, "")
    found: list[RecordContent] = []
    for write, record_type in zip(writes, form_kind.written, strict=True):
        fields = writable_fields(form_kind, write, record_type)
        if write.kind == "create":
            start = derive_content(found[0], record_type, reader.day)
            raw, path = as_table(created.get(write.link)), f"created.{write.link}."
            fields = _without_told(fields, own)
            target = _Target(record_type, raw, path, start, fields)
        else:
            target = _Target(record_type, own, "", previous or RecordContent(), fields)
        content = _read_record(reader, target)
        if write.kind == "self" and record_type.holders == "required":
            may_write = form_kind.operation.may_write("holders")
            content = _read_holders(reader, form.get("holders"), content, may_write=may_write)
        found.append(content)
    return tuple(found)


def _without_told(
    fields: Mapping[str, FieldSpec], told: Mapping[str, object]
) -> dict[str, FieldSpec]:
    """Return fields, not required where the subject's field of that name was filled, if wrongly."""
    return {
        name: replace(spec, required=False) if spec.required and name in told else spec
        for name, spec in fields.items()
    }


def _refuse_unknown(
    reader: FormReader, raw: Mapping[str, object], known: Mapping[str, FieldSpec], path: str
) -> None:
    for name in raw:
        if name not in known:
            reader.refuse(f"{path}{name}", "unknown", raw[name], ", ".join(known))


def _read_record(reader: FormReader, target: _Target) -> RecordContent:
    _refuse_unknown(reader, target.raw, target.fields, target.path)
    start = target.start
    member, sealed, links = dict(start.member), dict(start.sealed), dict(start.links)
    for name, spec in target.fields.items():
        path = f"{target.path}{name}"
        if spec.visibility == "sealed":
            _read_sealed(reader, spec, target.raw, path, sealed)
        elif name not in target.raw and (name in member or name in links):
            continue
        elif spec.kind == "link":
            found = _read_link(reader, spec, target.raw.get(name), path)
            links.pop(name, None)
            if found is not None:
                links[name] = found
        else:
            value = reader.read(spec, target.raw.get(name), path)
            member.pop(name, None)
            if value is not None:
                member[name] = value
    return RecordContent(member=member, sealed=sealed, links=links, holders=start.holders)


def _read_sealed(
    reader: FormReader,
    spec: FieldSpec,
    raw: Mapping[str, object],
    path: str,
    sealed: dict[str, Value],
) -> None:
    """Read a sealed field over the values it has; parts of a group that are left out stay."""
    own = [own_path for own_path, _spec in spec.sealed_paths()]
    has_values = any(sealed.get(own_path) is not None for own_path in own)
    if spec.name not in raw and has_values:
        return
    written = raw.get(spec.name)
    if spec.kind != "group":
        sealed.pop(spec.name, None)
        value = reader.read(spec, written, path)
        if value is not None:
            sealed[spec.name] = value
        return
    group = dict(as_table(written)) if isinstance(written, dict) else written
    kept: dict[str, Value] = {}
    if isinstance(group, dict) and group:
        for part in spec.parts:
            value = sealed.get(f"{spec.name}.{part.name}")
            if part.name not in group and value is not None:
                kept[part.name] = value
        spec = replace(spec, parts=tuple(part for part in spec.parts if part.name not in kept))
    for own_path in own:
        sealed.pop(own_path, None)
    read = reader.read(spec, group, path)
    for name, value in {**kept, **(read if isinstance(read, dict) else {})}.items():
        sealed[f"{spec.name}.{name}"] = value


def _read_link(
    reader: FormReader, spec: FieldSpec, raw: object, path: str
) -> RecordId | tuple[RecordId, ...] | None:
    if not spec.many:
        return cast("RecordId | None", reader.read(spec, raw, path))
    listed = raw if isinstance(raw, list) else [raw] if raw else []
    if spec.required and not listed:
        reader.refuse(path, "required", None, f'["{EXAMPLE_ID}"]')
    single = replace(spec, many=False, required=False)
    ids = [reader.read(single, item, f"{path}[{at}]") for at, item in enumerate(listed)]
    return cast("tuple[RecordId, ...]", tuple(found for found in ids if found is not None)) or None


def _read_holders(
    reader: FormReader, raw: object, content: RecordContent, *, may_write: bool
) -> RecordContent:
    if raw is None and content.holders:
        return content
    if not may_write:
        reader.refuse("holders", "unknown", raw, "")
        return content
    listed = raw if isinstance(raw, list) else []
    holders = [_read_holder(reader, item, f"holders[{at}]") for at, item in enumerate(listed)]
    if not 1 <= len(listed) <= HOLDERS_MAX:
        example = f'[{{ parties = ["{EXAMPLE_ID}"], share = "1/1" }}]'
        reader.refuse("holders", "required", None, example)
    return replace(content, holders=tuple(holder for holder in holders if holder is not None))


def _read_holder(reader: FormReader, raw: object, path: str) -> Holder | None:
    table = as_table(raw)
    parties = table.get("parties")
    share = _share(str(table.get("share", "1/1")))
    try:
        ids = sorted({RecordId(parse_id(str(party))) for party in cast("list[object]", parties)})
    except (InvalidDataError, TypeError):
        ids = []
    if share is None or not ids or not _HOLDER_KEYS.issuperset(table):
        reader.refuse(path, "group", raw, f'{{ parties = ["{EXAMPLE_ID}"], share = "1/2" }}')
        return None
    return Holder(tuple(ids), *share)


def _share(text: str) -> tuple[int, int] | None:
    """Return numerator and denominator of `1/2`, both at least 1."""
    numerator, _, denominator = text.partition("/")
    digits = numerator + denominator
    if len(text) > SHARE_CHARS_MAX or not (digits.isascii() and digits.isdecimal()):
        return None
    if not numerator or not denominator or int(numerator) < 1 or int(denominator) < 1:
        return None
    return int(numerator), int(denominator)


def as_table(raw: object) -> Mapping[str, object]:
    """Return a table of a form, an empty one if something else stands there."""
    return raw if isinstance(raw, dict) else {}
