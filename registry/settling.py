"""From what an entry says and its effects set to the rows of its records.

Source: records.md, section 5.
"""

from typing import Final

from registry import parameters
from registry.civil_calendar import working_deadline
from registry.rows import RecordRow
from registry.running import RECEIVED_ON, NewRecord, Run

OVERDUE: Final = "overdue"


def set_subject(run: Run) -> None:
    """Give the subject its status, its flags, and the day of receipt if its row does not say it."""
    operation, subject = run.operation, run.subject
    if operation.writes[0].kind == "companion":
        subject.status = next(iter(subject.record_type.statuses))
        return
    first_day = run.day if subject.before is None else subject.before.created[2]
    if run.recorded_on != first_day:
        subject.set_engine(RECEIVED_ON, run.recorded_on)
    if operation.to_status is not None:
        subject.status = operation.to_status
    for flag in operation.sets:
        subject.set_flag(flag)
        run.touched_flags.append(flag)
    for flag in operation.clears:
        subject.clear_flag(flag)
    if operation.limit is not None and run.head.received_on is not None:
        holidays = parameters.holidays(run.state, run.block.height)
        last = working_deadline(run.head.received_on, operation.limit.working_days, holidays)
        subject.clear_flag(OVERDUE)
        if run.day > last:
            subject.set_flag(OVERDUE)
            run.touched_flags.append(OVERDUE)


def record_row(run: Run, record: NewRecord) -> RecordRow:
    """Return the row of a record as the entry leaves it."""
    before, part, digest = record.before, record.part, run.entry.entry_digest
    officers = tuple([officer.identity for officer in run.officers])
    return RecordRow(
        type_name=part.type_name,
        schema_version=record.record_type.version,
        version=part.record_version,
        last_entry=digest,
        first_entry=digest if before is None else before.first_entry,
        status=record.status,
        flags=tuple(sorted(record.flags)),
        office=(None if before is None else before.office) or run.head.office,
        member=dict(part.member),
        holders=part.holders,
        links=record.links,
        seal=part.seal,
        engine=record.engine,
        claims=tuple(sorted(record.claims)),
        encumbrances=record.encumbrances,
        registration_number=record.registration_number,
        created=run.place if before is None else before.created,
        registered=record.registered,
        officers=officers if before is None else before.officers,
        sealed_by=None if part.seal is None else run.agency,
    )
