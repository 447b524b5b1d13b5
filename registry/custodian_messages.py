"""What an office's program sends to the custodian before there is an entry, and what comes back.

The custodian opens the bodies with data keys wrapped to the agency's seal key, makes the wraps for
the readers, has the tags of unique numbers made by the two agencies of each namespace, and answers
with what the parts still lack: digests of wraps, claims, match tags. Values to be tagged are not
sent: the custodian takes them from the opened body, so a tag is always of what was sealed.

    request = canonical([1, "custodian-request", head, [record ...], [object ...], context])
    record  = [part, [body, body_digest, key_check, commitment, wrapped key]|nil,
               [[namespace, unique bool] ...]]
    reply   = canonical([1, "custodian-reply", [part ...]])

Head, part, object and context are the bytes of parts, see docs/formats.md, section 5. In a request
a record part's seal is nil, and it has no matches and only claims of mode value; in the reply it is
whole.
"""

from dataclasses import dataclass
from typing import Final, TypeVar

from keys.hashing import Digest
from ledger.canonical import Value, decode, encode
from ledger.entries import parse_part
from ledger.errors import InvalidDataError
from ledger.fields import (
    read_array,
    read_bool,
    read_bytes_up_to,
    read_digest,
    read_text,
    read_version,
)
from ledger.limits import (
    BODY_BYTES_MAX,
    ENTRY_BYTES_MAX,
    ENTRY_PARTS_MAX,
    REQUEST_BODY_BYTES_MAX,
)
from ledger.part_readers import NAME_CHARS_MAX
from ledger.parts import (
    Context,
    Head,
    ObjectPart,
    RecordPart,
    context_value,
    head_value,
    object_value,
    record_value,
)
from registry.wraps import WRAPPED_BYTES_MAX

REQUEST_BYTES_MAX: Final = REQUEST_BODY_BYTES_MAX
REPLY_BYTES_MAX: Final = 512 * 1024
TAGS_MAX: Final = 16
"""Tags of one record."""

_VERSION: Final = 1
_P = TypeVar("_P", Head, RecordPart, ObjectPart, Context)


@dataclass(frozen=True, slots=True)
class TagWish:
    """A tag that a record needs: unique ones become claims, the others match tags."""

    namespace: str
    unique: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmittedBody:
    """A sealed body with what opens it.

    Attributes:
        body: The bytes for the vault.
        body_digest: As the entry will say.
        key_check: As the entry will say.
        commitment: As the entry will say.
        wrapped_key: The data key, wrapped to the agency's seal key with the purpose `agency`.
    """

    body: bytes
    body_digest: Digest
    key_check: Digest
    commitment: Digest
    wrapped_key: bytes


@dataclass(frozen=True, slots=True)
class SubmittedRecord:
    """A record part that lacks wraps and tags, its body, and the tags it needs."""

    part: RecordPart
    body: SubmittedBody | None
    tags: tuple[TagWish, ...]


@dataclass(frozen=True, slots=True)
class CustodianRequest:
    """All of an act that is known before the custodian has seen it."""

    head: Head
    records: tuple[SubmittedRecord, ...]
    objects: tuple[ObjectPart, ...]
    context: Context


@dataclass(frozen=True, slots=True)
class CustodianReply:
    """The record parts of the request, in its order, with seals, claims of mode tag and matches."""

    records: tuple[RecordPart, ...]


def print_request(request: CustodianRequest) -> bytes:
    """Return the bytes of a request."""
    records: list[Value] = [_submitted_value(record) for record in request.records]
    objects: list[Value] = [encode(object_value(item)) for item in request.objects]
    head, context = encode(head_value(request.head)), encode(context_value(request.context))
    return encode((_VERSION, "custodian-request", head, tuple(records), tuple(objects), context))


def parse_request(raw: bytes) -> CustodianRequest:
    """Make a request of bytes from anywhere.

    Args:
        raw: At most 2 MiB.

    Raises:
        InvalidDataError: Too large, not canonical, or of another shape; names the field.
    """
    value = decode(raw, REQUEST_BYTES_MAX, limit="custodian request bytes")
    version, word, head, records, objects, context = read_array(value, "custodian request", 6)
    read_version(version, "custodian request.version", _VERSION)
    _read_word(word, "custodian-request")
    listed = read_array(records, "custodian request.records", (0, ENTRY_PARTS_MAX))
    made = read_array(objects, "custodian request.objects", (0, ENTRY_PARTS_MAX))
    return CustodianRequest(
        head=_read_part(head, Head),
        records=tuple([_read_submitted(record) for record in listed]),
        objects=tuple([_read_part(item, ObjectPart) for item in made]),
        context=_read_part(context, Context),
    )


def _submitted_value(record: SubmittedRecord) -> Value:
    body = record.body
    return (
        encode(record_value(record.part)),
        None
        if body is None
        else (
            *(body.body, body.body_digest, body.key_check, body.commitment),
            body.wrapped_key,
        ),
        tuple([(wish.namespace, wish.unique) for wish in record.tags]),
    )


def _read_submitted(value: Value) -> SubmittedRecord:
    part_value, body, tags = read_array(value, "submitted record", 3)
    part = _read_part(part_value, RecordPart)
    if part.seal is not None or part.matches or any(claim.epoch for claim in part.claims):
        raise InvalidDataError("a submitted record already has what the custodian gives")
    return SubmittedRecord(
        part,
        None if body is None else _read_body(body),
        tuple([_read_wish(wish) for wish in read_array(tags, "tags", (0, TAGS_MAX))]),
    )


def _read_body(value: Value) -> SubmittedBody:
    body, digest, check, commitment, wrapped = read_array(value, "submitted body", 5)
    return SubmittedBody(
        body=read_bytes_up_to(body, "body", BODY_BYTES_MAX),
        body_digest=read_digest(digest, "body_digest"),
        key_check=read_digest(check, "key_check"),
        commitment=read_digest(commitment, "commitment"),
        wrapped_key=read_bytes_up_to(wrapped, "wrapped key", WRAPPED_BYTES_MAX),
    )


def _read_wish(value: Value) -> TagWish:
    namespace, unique = read_array(value, "tag", 2)
    return TagWish(
        read_text(namespace, "tag.namespace", NAME_CHARS_MAX, chars_min=1),
        read_bool(unique, "tag.unique"),
    )


def print_reply(reply: CustodianReply) -> bytes:
    """Return the bytes of a reply."""
    records = tuple([encode(record_value(record)) for record in reply.records])
    return encode((_VERSION, "custodian-reply", records))


def parse_reply(raw: bytes) -> CustodianReply:
    """Make a reply of bytes from anywhere.

    Args:
        raw: At most 512 KiB.

    Raises:
        InvalidDataError: Too large, not canonical, or of another shape; names the field.
    """
    value = decode(raw, REPLY_BYTES_MAX, limit="custodian reply bytes")
    version, word, records = read_array(value, "custodian reply", 3)
    read_version(version, "custodian reply.version", _VERSION)
    _read_word(word, "custodian-reply")
    listed = read_array(records, "custodian reply.records", (0, ENTRY_PARTS_MAX))
    return CustodianReply(tuple([_read_part(record, RecordPart) for record in listed]))


def _read_part(value: Value, kind: type[_P]) -> _P:
    part = parse_part(read_bytes_up_to(value, "part", ENTRY_BYTES_MAX))
    if not isinstance(part, kind):
        raise InvalidDataError("a part stands in the place of another")
    return part


def _read_word(value: Value, word: str) -> None:
    if value != word:
        raise InvalidDataError(f"not a {word}")
