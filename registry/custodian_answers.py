"""What the custodian does before there is an entry: open bodies, name the tags, make the wraps.

The two tag services make the tags between `tag_tasks` and `answer_request`; the node asks them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from keys.errors import SealError
from keys.hashing import Digest
from keys.signing import Unsealer
from ledger.parts import (
    Claim,
    Head,
    Match,
    RecordPart,
    Seal,
    TagProof,
    sort_claims,
    sort_matches,
)
from registry.custodian_messages import (
    CustodianReply,
    CustodianRequest,
    SubmittedRecord,
    TagWish,
)
from registry.form_kinds import FindType, find_form
from registry.office_rules import full_name
from registry.opened_records import (
    OpenedRecord,
    beside_name,
    beside_names,
    check_sealed_values,
    check_shape,
    needed_tags,
    tag_signatures,
    tagged_paths,
)
from registry.problems import BodyError
from registry.schema import Operation, RecordType
from registry.sealed import BodyPlace, open_body
from registry.tags import name_value, number_value, person_value
from registry.wraps import Reader, make_wraps, wrap_info, wraps_digest

_NO_WRAPS: Final = Digest(bytes(32))


@dataclass(frozen=True, slots=True)
class TagTask:
    """A tag to be made: of which value, for which record and field.

    Attributes:
        record: Index of the record in the request.
        wish: Namespace, and whether it will be a claim.
        value: Canonical value; personal, for the two tag services only.
        leaf: The field's leaf in the commitment, 32 bytes.
    """

    record: int
    wish: TagWish
    value: str = field(repr=False)
    leaf: Digest


@dataclass(frozen=True, slots=True)
class MadeTag:
    """What the tag services answered to a task."""

    epoch: int
    tag: Digest
    proof: TagProof


@dataclass(frozen=True, slots=True)
class HeldBody:
    """What the custodian keeps of a record between request and signature.

    Attributes:
        body: Sealed.
        data_key: Opens it.
        wraps: Of the data key, for each reader.
        tag_signatures: Of the tags that were made for it (`opened_records.tag_signatures`).
        beside_names: With what names were tagged (`opened_records.beside_names`).
    """

    body: bytes
    data_key: bytes = field(repr=False)
    wraps: bytes
    tag_signatures: tuple[bytes, ...]
    beside_names: tuple[bytes, ...]


def open_request(
    request: CustodianRequest, find_type: FindType, unsealer: Unsealer
) -> tuple[OpenedRecord, ...]:
    """Open and check the bodies of a request.

    Args:
        request: From an office.
        find_type: Record types in force.
        unsealer: Holds the agency's seal key.

    Raises:
        UnknownKindError: The act's type or operation is not in force.
        BodyError: A data key, body, commitment or field is not what it must be, or other tags are
            asked for than the fields need.
    """
    form_kind = find_form(request.head.kind, find_type)
    check_shape(form_kind, [record.part for record in request.records])
    opened = tuple(
        [
            _open_submitted(request.head, form_kind.operation, record_type, record, unsealer)
            for record_type, record in zip(form_kind.written, request.records, strict=True)
        ]
    )
    for record, found in zip(request.records, opened, strict=True):
        needed = needed_tags(form_kind, found.record_type, found.values)
        if sorted(record.tags, key=_place) != sorted(needed, key=_place):
            raise BodyError("the tags asked for are not those that the fields need")
    return opened


def _place(wish: TagWish) -> tuple[str, bool]:
    return wish.namespace, wish.unique


def _open_submitted(
    head: Head,
    operation: Operation,
    record_type: RecordType,
    record: SubmittedRecord,
    unsealer: Unsealer,
) -> OpenedRecord:
    if bool(record_type.sealed_paths) != (record.body is not None):
        raise BodyError("a record type with sealed fields has a body, and no other")
    if record.body is None:
        return OpenedRecord(record.part, record_type, None, b"")
    part, body = record.part, record.body
    place = BodyPlace(head.network_id, part.record_id, part.record_version)
    info = wrap_info(place, unsealer.public.key_id, "agency")
    try:
        data_key = unsealer.unwrap(body.wrapped_key, info)
    except SealError as error:
        raise BodyError("the data key does not open with the agency's seal key") from error
    seal = Seal(body.body_digest, body.key_check, body.commitment, _NO_WRAPS)
    opened = open_body(place, tuple(record_type.sealed_paths), body.body, seal, data_key)
    check_sealed_values(record_type, operation, opened.values, is_new=part.record_version == 1)
    return OpenedRecord(part, record_type, opened, data_key)


def tag_tasks(request: CustodianRequest, opened: Sequence[OpenedRecord]) -> tuple[TagTask, ...]:
    """Return the tags that a request needs, with values taken from the opened bodies.

    Raises:
        BodyError: A tag that the record type does not have, or of a field that is absent, or of a
            name without the date that belongs to it.
    """
    tasks: list[TagTask] = []
    for index, (record, found) in enumerate(zip(request.records, opened, strict=True)):
        tasks += [_tag_task(index, wish, found) for wish in record.tags]
    return tuple(tasks)


def _tag_task(index: int, wish: TagWish, record: OpenedRecord) -> TagTask:
    paths = tagged_paths(record.record_type, wish)
    filled = [path for path in paths if record.values.get(path) is not None]
    if record.opened is None or not filled:
        raise BodyError("a tag is asked for of a field that is absent", namespace=wish.namespace)
    if wish.unique:
        value = number_value(str(record.values[filled[0]]))
    else:
        value = _name_value(record, wish.namespace)
    return TagTask(index, wish, value, record.opened.leaf(paths[0]))


def _name_value(record: OpenedRecord, namespace: str) -> str:
    """Return a name with what stands beside it: a link, as to the mother, or a date of birth."""
    name = full_name(record.values)
    beside = beside_name(record.record_type, record.part, namespace)
    return person_value(name, beside) if isinstance(beside, str) else name_value(name, beside)


def answer_request(
    request: CustodianRequest,
    opened: Sequence[OpenedRecord],
    tags: Sequence[tuple[TagTask, MadeTag]],
    readers: Sequence[Sequence[Reader]],
) -> tuple[CustodianReply, tuple[HeldBody | None, ...]]:
    """Return the reply to the office, and what the custodian keeps.

    Args:
        request: From the office.
        opened: By `open_request`.
        tags: Each task of `tag_tasks` with what the tag services made.
        readers: For each record who gets a wrap (`registry.readers`).

    Raises:
        SealError: Nothing can be sealed to a reader's key.
    """
    parts: list[RecordPart] = []
    held: list[HeldBody | None] = []
    for index, (record, found) in enumerate(zip(request.records, opened, strict=True)):
        own = [(task.wish, made) for task, made in tags if task.record == index]
        wraps = _wrap(request.head, record, found, readers[index])
        part = _complete(record, wraps, own)
        parts.append(part)
        held.append(_hold(record, found, wraps, part))
    return CustodianReply(tuple(parts)), tuple(held)


def _wrap(
    head: Head, record: SubmittedRecord, opened: OpenedRecord, readers: Sequence[Reader]
) -> bytes | None:
    """Make the wraps of a record's body; None if it has none."""
    if record.body is None:
        return None
    part = record.part
    place = BodyPlace(head.network_id, part.record_id, part.record_version)
    return make_wraps(place, opened.data_key, readers)


def _hold(
    record: SubmittedRecord, opened: OpenedRecord, wraps: bytes | None, part: RecordPart
) -> HeldBody | None:
    if record.body is None or wraps is None:
        return None
    beside = beside_names(opened.record_type, part)
    return HeldBody(record.body.body, opened.data_key, wraps, tag_signatures(part), beside)


def _complete(
    record: SubmittedRecord, wraps: bytes | None, tags: Sequence[tuple[TagWish, MadeTag]]
) -> RecordPart:
    """Return the record part with its seal, claims and match tags."""
    claims = [
        Claim(wish.namespace, made.epoch, made.tag, made.proof)
        for wish, made in tags
        if wish.unique
    ]
    matches = [
        Match(wish.namespace, made.epoch, made.tag, made.proof)
        for wish, made in tags
        if not wish.unique
    ]
    seal: Seal | None = None
    if record.body is not None and wraps is not None:
        body = record.body
        digest = wraps_digest(wraps)
        seal = Seal(body.body_digest, body.key_check, body.commitment, digest)
    return replace(
        record.part,
        claims=sort_claims([*record.part.claims, *claims]),
        matches=sort_matches(matches),
        seal=seal,
    )
