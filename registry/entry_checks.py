"""What every entry must keep, before anybody asks who signed: its parts against its record type.

Nothing here knows a record type by name; the schema says everything.

Source: records.md, sections 1, 2 and 5; formats.md, section 4.
"""

import re
from dataclasses import replace
from typing import Final

from ledger.ids import RecordId
from registry import parameters
from registry.civil_calendar import add_days
from registry.code_tables import record_type
from registry.content_errors import EvidenceError
from registry.entry_time import check_not_after
from registry.errors import (
    AttestationIncompleteError,
    EmptyBasisError,
    FieldValueError,
    ObjectUnknownError,
    PackNotInForceError,
    ReasonMissingError,
    ReceivedOnError,
    RecordUnknownError,
    ReplayedError,
    SchemaVersionError,
    StaleVersionError,
    UnknownKindError,
    WrongNetworkError,
    WrongPartsError,
)
from registry.field_specs import check_fields
from registry.member_text import check_member_text, check_no_number
from registry.object_rows import ActRow, NoticeRow
from registry.rows import PackRow, RecordRow
from registry.running import Run
from registry.schema import Operation, RecordType
from registry.state import State
from registry.state_key_names import act_key, intake_key, pack_key, record_key

REASON_PATTERN: Final = "[a-z][a-z0-9_]{0,63}"
"""Of the reason: a code that every member agency reads. The reason in words is a sealed field."""


def find_operation(
    state: State, kind: tuple[str, str], height: int
) -> tuple[RecordType, Operation, RecordType]:
    """Return the record type of a kind, its operation, and the type whose schema has that.

    Raises:
        UnknownKindError: No record type in force has the operation.
    """
    type_name, name = kind
    found = record_type(state, type_name, height)
    operation = None if found.role == "side" else found.operations.get(name)
    if operation is not None:
        return found, operation, found
    if found.role == "record":
        side = record_type(state, "side", height)
        operation = side.operations.get(name)
        if operation is not None:
            return found, operation, side
    raise UnknownKindError(f"{type_name} has no operation {name!r}", kind="/".join(kind))


def check_network(run: Run) -> None:
    """Refuse an entry of another network."""
    if run.head.network_id != run.block.network_id:
        raise WrongNetworkError("the entry was made for another network")


def check_head(run: Run) -> None:
    """Refuse what the head says wrongly: time, schema version, legal basis, day of receipt.

    Raises:
        EntryRefusedError: One of its subclasses says what.
    """
    head = run.head
    check_not_after(run.operation, head, run.block.time_ms)
    if head.schema_version != run.owner_type.version:
        raise SchemaVersionError(
            "another version of the record type is in force", current=run.owner_type.version
        )
    if not head.legal_basis:
        raise EmptyBasisError("no legal basis is given")
    for text in head.legal_basis:
        check_no_number(text, "legal_basis")
    if head.received_on is not None:
        _use_intake(run, head.received_on)


def _use_intake(run: Run, received_on: str) -> None:
    """The day of receipt is backed by the office's intake of that day, for this record alone."""
    days = parameters.number(run.state, "received_days", run.block.height)
    if not add_days(run.day, -days) <= received_on <= run.day:
        raise ReceivedOnError(f"received_on is over {days} days back, or in the future", days=days)
    office, record_id = run.head.office, _record_meant(run)
    keys = []
    if office is not None:
        keys = [intake_key(office, digest) for digest in run.entry.context.evidence.digests]
    for key in keys:
        notice = run.state.read(key, NoticeRow)
        if notice is None or notice.place[2] != received_on:
            continue
        if notice.backs in {None, record_id}:
            run.state.write(key, replace(notice, backs=record_id))
            return
    raise ReceivedOnError("no intake notice of that day backs received_on", days=days)


def _record_meant(run: Run) -> RecordId | None:
    """Return the record that an entry writes first or is about."""
    if run.entry.records:
        return run.entry.records[0].record_id
    return None if run.head.about is None else run.head.about.record_id


def load_side_act(run: Run) -> None:
    """Read what a side act is about; refuse one that happened before.

    Raises:
        ReplayedError: The act is in the chain.
        WrongPartsError: It writes records, or names about wrongly.
        RecordUnknownError: There is no such record.
        StaleVersionError: It names a version that does not exist yet.
    """
    head = run.head
    if run.state.read(act_key(head.act_id), ActRow) is not None:
        raise ReplayedError("this act is in the chain already")
    if run.entry.records:
        raise WrongPartsError("a side act writes no record")
    if head.about is None:
        if run.operation.about == "record":
            raise WrongPartsError("this act must say what it is about")
        return
    if run.operation.about == "none":
        raise WrongPartsError("this act is about no record")
    row = run.state.read(record_key(head.about.record_id), RecordRow)
    wanted = run.record_type.name if run.record_type.role == "record" else None
    if row is None or wanted not in {None, row.type_name}:
        raise RecordUnknownError("there is no such record of this type")
    if head.about.version > row.version:
        raise StaleVersionError("the record has no such version yet", current=row.version)
    run.about = run.target = row
    run.target_id = head.about.record_id
    run.target_type = record_type(run.state, row.type_name, run.block.height)


def check_objects(run: Run) -> None:
    """Refuse object parts that the operation does not have, or with wrong fields.

    Raises:
        WrongPartsError: A kind too often, too seldom, or unknown.
        EntryRefusedError: A field is wrong.
    """
    counts: dict[str, int] = {}
    for item in run.entry.objects:
        counts[item.kind] = counts.get(item.kind, 0) + 1
    for use in run.operation.objects:
        if not use.minimum <= counts.pop(use.kind, 0) <= use.maximum:
            raise WrongPartsError(f"the operation needs another number of {use.kind}")
    for kind in counts:
        raise WrongPartsError("the operation has no such object", kind=kind)
    for item in run.entry.objects:
        specs = run.owner_type.objects[item.kind]
        check_fields(specs, item.fields)
        check_member_text(run, specs, item.fields)


def _check_reason(reason: str) -> None:
    if re.fullmatch(REASON_PATTERN, reason) is None:
        raise FieldValueError("a reason is a code of small letters, digits and _", field="reason")
    check_no_number(reason, "reason")


def check_context(run: Run) -> None:
    """Refuse a context without what the operation needs, or with other attested rules.

    Raises:
        ReasonMissingError: No reason code.
        FieldValueError: The reason is no code.
        EvidenceError: No evidence.
        ObjectUnknownError: A court order is named, and this engine records none yet.
        AttestationIncompleteError: A rule is missing, or one too many is there.
        PackNotInForceError: A rule was run under a pack that is not in force.
    """
    context, operation = run.entry.context, run.operation
    if "reason" in operation.needs and context.reason is None:
        raise ReasonMissingError("the operation needs a reason")
    if context.court_order is not None:
        raise ObjectUnknownError("no such court order has been recorded")
    if context.reason is not None:
        _check_reason(context.reason)
    if "evidence" in operation.needs and not (
        context.evidence.sufficient and context.evidence.digests
    ):
        raise EvidenceError("the operation needs evidence", kind="sufficient")
    if tuple(item.rule for item in context.rules) != operation.attested:
        listed = [item.rule for item in context.rules]
        wrong = sorted(dict.fromkeys((*operation.attested, *listed)))
        names = [name for name in wrong if (name in listed) != (name in operation.attested)]
        raise AttestationIncompleteError(
            "the attested rules are not those of the operation", rule=names[0]
        )
    for item in context.rules:
        pack = run.state.read(pack_key(item.pack_digest), PackRow)
        height = run.block.height
        if pack is None or not (
            pack.from_height <= height and (pack.to_height is None or height < pack.to_height)
        ):
            raise PackNotInForceError("a rule was run under a pack that is not in force")
