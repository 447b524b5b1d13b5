"""Which form belongs to an operation, and what a created record takes over from its creator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from registry.acts import RecordContent
from registry.errors import UnknownKindError
from registry.field_specs import FieldSpec
from registry.schema import NOTHING, Operation, RecordType

SIDE_TYPE: Final = "side"
"""The type whose operations every record type has."""

FindType = Callable[[str], RecordType]
"""Returns the record type with a name, as it is in force; raises UnknownKindError."""


@dataclass(frozen=True, slots=True)
class FormKind:
    """Which form: the operation, and the record types it writes.

    Attributes:
        record_type: The subject's type.
        operation: What is done.
        written: The types of `operation.writes`, in that order.
        owner: The type whose schema has the operation: the subject's, or that of side acts.
    """

    record_type: RecordType
    operation: Operation
    written: tuple[RecordType, ...]
    owner: RecordType

    @property
    def objects(self) -> Mapping[str, dict[str, FieldSpec]]:
        """Kind of object -> its fields."""
        return self.owner.objects

    @property
    def kind(self) -> str:
        """`type/operation`."""
        return f"{self.record_type.name}/{self.operation.name}"

    @property
    def creates(self) -> bool:
        """Whether the operation can begin from nothing."""
        return NOTHING in self.operation.from_statuses

    @property
    def article(self) -> str:
        """The first article of the operation's default basis; empty if it has none."""
        return next(iter(self.operation.basis), "")


def find_form(kind: str, find_type: FindType) -> FormKind:
    """Return what a form of this kind asks for.

    Raises:
        UnknownKindError: No such type or operation.
    """
    type_name, _, name = kind.partition("/")
    record_type = source = find_type(type_name)
    if name not in record_type.operations and record_type.role == "record":
        source = find_type(SIDE_TYPE)
    operation = source.operations.get(name)
    if operation is None:
        raise UnknownKindError(f"{type_name} has no operation {name!r}", kind=kind)
    types = tuple(
        [
            record_type if write.type_name == type_name else find_type(write.type_name)
            for write in operation.writes
        ]
    )
    return FormKind(record_type, operation, types, source)


def needed_in_act(operation: Operation) -> frozenset[str]:
    """Return which fields of the act itself a form of this operation must fill.

    Of `sufficient`, `official`, `evidence` (scans) and `reason`.
    """
    found = [call.arguments[0] for call in operation.rules if call.name == "evidence"]
    if "evidence" in operation.needs:
        found += ["sufficient", "evidence"]
    if "reason" in operation.needs:
        found.append("reason")
    return frozenset(found)


def derived_names(source: RecordType, created: RecordType) -> frozenset[str]:
    """Return the fields of a created record that `derive_content` takes from its creator."""
    told = {
        name
        for name, spec in created.fields.items()
        if name in source.fields and source.fields[name].visibility == spec.visibility
    }
    return frozenset({*told, "birth_date"})


def derive_content(source: RecordContent, record_type: RecordType, day: str) -> RecordContent:
    """Return what a created record takes over from the record that creates it.

    Fields of the same name or path are copied; `birth_date` is the date of the event.

    Args:
        source: The creating record's content.
        record_type: Of the created record.
        day: ISO date of the event.
    """
    member = {
        name: source.member[name] for name in record_type.member_fields if name in source.member
    }
    if "birth_date" in record_type.member_fields:
        member["birth_date"] = day
    sealed = {
        path: source.sealed[path]
        for path in record_type.sealed_paths
        if source.sealed.get(path) is not None
    }
    return RecordContent(member=member, sealed=sealed)
