"""The record parts of an entry against the state and their record types: versions, fields, edits.

Nothing here knows a record type by name; the schema says everything.

Source: records.md, sections 1, 2 and 5; formats.md, section 4.
"""

from typing import Final

from ledger.ids import RecordId, derived_id
from registry.code_tables import record_type
from registry.content_errors import HolderWrongError, LinkWrongError
from registry.errors import (
    FieldNotWritableError,
    FieldValueError,
    MissingFieldError,
    RecordUnknownError,
    ReplayedError,
    SealWrongError,
    StaleVersionError,
    SupplementOverwritesError,
    UnknownFieldError,
    WrongIdError,
    WrongPartsError,
    WrongStatusError,
)
from registry.field_specs import check_fields
from registry.member_text import check_member_text
from registry.possible_duplicates import has_lapsed
from registry.rows import RecordRow
from registry.running import NewRecord, Run
from registry.schema import NOTHING, Operation, Write
from registry.state_key_names import record_key

ARCHIVED: Final = "archived"


def load_records(run: Run) -> None:
    """Read what the records were; refuse what was done before, or names another version.

    Raises:
        ReplayedError: This very entry is in the chain.
        WrongPartsError: Not the record parts that the operation writes.
        StaleVersionError: A record has moved on.
        RecordUnknownError: There is no such record of this type.
        WrongIdError: The id of a new record does not follow from the entry.
        WrongStatusError: The operation is not for this status.
    """
    entry, writes = run.entry, run.operation.writes
    if run.head.about is not None:
        raise WrongPartsError("a content act writes its record instead of being about it")
    if len(entry.records) != len(writes):
        raise WrongPartsError(f"the operation writes {len(writes)} records")
    for write, part in zip(writes, entry.records, strict=True):
        if part.type_name != write.type_name:
            raise WrongPartsError(f"a record part is no {write.type_name}", type=part.type_name)
        before = run.state.read(record_key(part.record_id), RecordRow)
        if before is not None and entry.entry_digest in {before.last_entry, before.first_entry}:
            raise ReplayedError("this entry is in the chain already")
        own_type = (
            run.record_type
            if write.type_name == run.record_type.name
            else record_type(run.state, write.type_name, run.block.height)
        )
        run.records.append(NewRecord.of(own_type, part, before))


def check_versions(run: Run) -> None:
    """Compare and set: versions, previous entries, ids of new records, and the status.

    Raises:
        As `load_records`.
    """
    for write, record in zip(run.operation.writes, run.records, strict=True):
        if record.before is None:
            _check_new(run, write, record)
        else:
            _check_next(write, record, record.before)
    _set_target(run)
    target = run.target
    status = NOTHING if target is None else _present_status(run, target)
    if status not in run.operation.from_statuses:
        raise WrongStatusError(f"the operation is not for a record {status!r}", status=status)


def _check_new(run: Run, write: Write, record: NewRecord) -> None:
    part = record.part
    if write.kind == "self" and NOTHING not in run.operation.from_statuses:
        raise RecordUnknownError("there is no such record")
    if part.record_version != 1 or part.previous_entry is not None:
        raise StaleVersionError("a new record has version 1", current=0)
    if write.kind == "self" and part.record_id != run.entry.created_record_id:
        raise WrongIdError("the id of the new record does not follow from the entry")


def _check_next(write: Write, record: NewRecord, before: RecordRow) -> None:
    part = record.part
    if before.type_name != part.type_name:
        raise RecordUnknownError("the record is of another type")
    if write.kind == "create":
        raise WrongIdError("a record with this id exists")
    if part.record_version != before.version + 1 or part.previous_entry != before.last_entry:
        raise StaleVersionError(
            f"the record is at version {before.version}", current=before.version
        )


def _set_target(run: Run) -> None:
    """Find the record whose owners and subject the policy means."""
    subject = run.subject
    if run.operation.writes[0].kind == "companion":
        (owner,) = subject.linked(subject.record_type.subject) or (RecordId(b""),)
        known = (
            None if subject.before is None else subject.before.linked(subject.record_type.subject)
        )
        if known != (owner,) and subject.part.record_id != companion_id(owner):
            raise WrongIdError("the companion is not beside this record")
        run.target = run.state.read(record_key(owner), RecordRow)
        run.target_id = owner
        if run.target is None:
            raise RecordUnknownError("there is no record beside which the companion stands")
    else:
        run.target = subject.before
        run.target_id = subject.part.record_id
    run.target_type = run.record_type


def companion_id(owner: RecordId) -> RecordId:
    """Return the id of the owner-controlled record beside a record."""
    return derived_id(owner, 1, "companion", 0)


def _present_status(run: Run, row: RecordRow) -> str:
    """Return a record's status by block time: a proposed record is archived after 60 days."""
    if run.record_type.statuses.get(row.status) == "proposed" and has_lapsed(run, row):
        return ARCHIVED
    return row.status


def check_records(run: Run) -> None:
    """Refuse member fields, links, holders and seals that the record types do not allow.

    Raises:
        EntryRefusedError: One of its subclasses says what.
        HolderWrongError: Holders where none belong, or none where some must be.
        LinkWrongError: A link leads to no record of its type.
    """
    for at, record in enumerate(run.records):
        own, part = record.record_type, record.part
        if part.member or own.member_fields:
            check_fields(own.member_fields, part.member, run.operation.may_be_unknown)
            check_member_text(run, own.member_fields, part.member)
        _check_links(run, record)
        _check_holders(run, record)
        if bool(own.sealed_paths) != (part.seal is not None):
            raise SealWrongError("sealed fields come with a sealed body, and only they")
        if at == 0 and run.operation.writes[0].kind == "self":
            _check_edit(run, record)


def _check_links(run: Run, record: NewRecord) -> None:
    specs, links = record.record_type.link_fields, record.part.links
    for name, target in links.items():
        spec = specs.get(name)
        if spec is None:
            raise UnknownFieldError(f"there is no link {name!r} here", field=name)
        if isinstance(target, tuple) != spec.many:
            raise FieldValueError("a link leads to one record, or to several", field=name)
        for record_id in record.linked(name):
            row = run.record(record_id)
            if row is None or spec.target not in {"", row.type_name}:
                raise LinkWrongError(f"{name} leads to no {spec.target}", field=name)
    for name, spec in specs.items():
        if spec.required and name not in links and name not in run.operation.may_be_unknown:
            raise MissingFieldError(f"the link {name!r} is required", field=name)


def _check_holders(run: Run, record: NewRecord) -> None:
    holders = record.part.holders
    if (record.record_type.holders == "required") != bool(holders):
        raise HolderWrongError("holders stand where the record type has owners, and only there")
    for holder in holders:
        for party in holder.parties:
            row = run.record(party)
            if row is None or row.type_name not in {"identity", "organization"}:
                raise HolderWrongError("a holder is no identity or organization")


def _check_edit(run: Run, record: NewRecord) -> None:
    """Refuse a change of what the operation may not change."""
    before, part, operation = record.before, record.part, run.operation
    old_member = {} if before is None else before.member
    old_links = {} if before is None else before.links
    for name in record.record_type.member_fields:
        _check_change(operation, name, old_member.get(name), part.member.get(name))
    for name in record.record_type.link_fields:
        _check_change(operation, name, old_links.get(name), part.links.get(name))
    if before is not None and part.holders != before.holders and "holders" not in operation.fields:
        raise FieldNotWritableError("the operation may not change the holders", field="holders")


def _check_change(operation: Operation, name: str, old: object, new: object) -> None:
    if old == new:
        return
    if not operation.may_write(name):
        raise FieldNotWritableError(f"the operation may not change {name!r}", field=name)
    if operation.edit == "supplement" and old is not None:
        raise SupplementOverwritesError(
            "a supplement fills empty fields only; this is a correction", field=name
        )
