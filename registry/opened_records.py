"""Records whose bodies are open, and the check of their fields against the record type."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ledger.canonical import Value
from ledger.ids import RecordId
from ledger.parts import RecordPart
from registry.civil_calendar import is_date
from registry.custodian_messages import TagWish
from registry.errors import RegistryError
from registry.field_specs import FieldSpec, check_value
from registry.form_kinds import FormKind
from registry.problems import BodyError
from registry.schema import Operation, RecordType
from registry.sealed import OpenedBody


@dataclass(frozen=True, slots=True)
class OpenedRecord:
    """A submitted record whose body is open; `opened` is None if it has no body."""

    part: RecordPart
    record_type: RecordType
    opened: OpenedBody | None
    data_key: bytes = field(repr=False)

    @property
    def values(self) -> Mapping[str, Value]:
        """Sealed values by path."""
        return {} if self.opened is None else self.opened.values


def check_shape(form_kind: FormKind, parts: Sequence[RecordPart]) -> None:
    """Refuse record parts that are not those which the operation writes, in its order.

    Raises:
        BodyError: Others, or in another order.
    """
    wanted = [record_type.name for record_type in form_kind.written]
    if [part.type_name for part in parts] != wanted:
        raise BodyError("the records are not those that the operation writes")


def check_dates(record_type: RecordType, part: RecordPart) -> None:
    """Refuse a date in clear that is none: rules count with it before any validator has seen it.

    Raises:
        BodyError: Names the field.
    """
    for name, spec in record_type.member_fields.items():
        if spec.kind != "date" or name not in part.member:
            continue
        value = part.member[name]
        if not isinstance(value, str) or not is_date(value):
            raise BodyError("a field is not of its kind", path=name)


def check_sealed_values(
    record_type: RecordType, operation: Operation, values: Mapping[str, Value], *, is_new: bool
) -> None:
    """Refuse opened fields that do not fit the record type.

    Required fields may be absent only where the operation says so, or in later versions where an
    import may have left them out; the parts of a group are required if something stands in it.

    Raises:
        BodyError: Names the path, never the value.
    """
    unknown = set(operation.may_be_unknown)
    if not is_new:
        unknown.update(*[one.may_be_unknown for one in record_type.operations.values()])
    for name, spec in record_type.fields.items():
        paths = spec.sealed_paths()
        filled = [path for path, _part in paths if values.get(path) is not None]
        needed = bool(paths) and spec.required and name not in unknown
        if needed and not filled:
            raise BodyError("a required field is absent", path=name)
        for path, part in paths:
            value = values.get(path)
            if value is not None:
                _check_sealed_value(part, value, path)
            elif part.required and spec.kind == "group" and filled:
                raise BodyError("a required field is absent", path=path)


def _check_sealed_value(spec: FieldSpec, value: Value, path: str) -> None:
    try:
        check_value(spec, value, path)
    except RegistryError as error:
        raise BodyError("a field is not of its kind", path=path) from error


def tagged_paths(record_type: RecordType, wish: TagWish) -> tuple[str, ...]:
    """Return the sealed paths that a tag is made of; the leaf of the first stands in its proof.

    Raises:
        BodyError: The record type has no such tag.
    """
    if wish.unique:
        for unique in record_type.unique:
            if unique.namespace == wish.namespace and unique.mode == "tag":
                return unique.fields
    else:
        for match in record_type.match:
            if match.namespace == wish.namespace:
                return match.fields
    raise BodyError("the record type has no such tag", namespace=wish.namespace)


def needed_tags(
    form_kind: FormKind, record_type: RecordType, sealed: Mapping[str, Value]
) -> tuple[TagWish, ...]:
    """Return the tags that a record must have: no more, and none may be left out.

    A number that is sealed and not claimed could be registered twice, a name without its match tag
    would be compared with nothing.

    Args:
        form_kind: What is done.
        record_type: Of the record.
        sealed: Its sealed values by path.

    Returns:
        A claim for each unique field that is filled in; of the subject, the matches that the
        operation takes, of a record that it creates all that its type has.
    """
    wishes = [
        TagWish(unique.namespace, unique=True)
        for unique in record_type.unique
        if unique.mode == "tag" and any(sealed.get(path) is not None for path in unique.fields)
    ]
    if record_type is form_kind.record_type:
        known = {match.namespace for match in record_type.match}
        wishes += [
            TagWish(call.arguments[0], unique=False)
            for call in form_kind.operation.effects
            if call.name == "match" and call.arguments[0] in known
        ]
    elif any(write.kind == "create" for write in form_kind.operation.writes):
        wishes += [TagWish(match.namespace, unique=False) for match in record_type.match]
    return tuple(wishes)


def beside_name(record_type: RecordType, part: RecordPart, namespace: str) -> str | RecordId | None:
    """Return what a name is tagged together with: a date's text, or whom a link leads to, if so.

    Args:
        record_type: Of the record; it has a match tag of this namespace.
        part: Perhaps not yet compared with the record type.
        namespace: Of the tag.

    Raises:
        BodyError: The date is absent, or none.
    """
    name = next(match.link for match in record_type.match if match.namespace == namespace)
    if record_type.fields[name].kind == "date":
        day = part.member.get(name)
        if not isinstance(day, str) or not is_date(day):
            raise BodyError("a name is tagged together with this date", path=name)
        return day
    linked = part.links.get(name)
    return RecordId(linked) if isinstance(linked, bytes) else None


def beside_names(record_type: RecordType, part: RecordPart) -> tuple[bytes, ...]:
    """Return what the names of a part's match tags were tagged with; no proof of a tag says it.

    Raises:
        BodyError: As `beside_name`.
    """
    found = [beside_name(record_type, part, match.namespace) for match in part.matches]
    return tuple([one.encode() if isinstance(one, str) else one or b"" for one in found])


def tag_signatures(part: RecordPart) -> tuple[bytes, ...]:
    """Return the tag services' signatures in a record part: of claims, then of matches."""
    claimed = [claim.proof.signature for claim in part.claims if claim.proof is not None]
    return (*claimed, *[match.proof.signature for match in part.matches])
