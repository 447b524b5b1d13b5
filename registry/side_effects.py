"""Effects of side acts: certificates, notices, accesses, grants, wraps. They move no version.

Source: records.md, section 5, the last two rows of the operations that every type has.
"""

from dataclasses import replace
from typing import Final, cast

from keys.hashing import Digest
from keys.signing import KeyId
from ledger.ids import AgencyId, ObjectId
from ledger.state_keys import StateKey
from registry.authority_errors import SameAgencyError, SignerWrongError
from registry.authority_rows import OfficeRow
from registry.certification import issue
from registry.content_errors import DateOrderError, NoticeFiledError
from registry.effects import Effect
from registry.errors import (
    ObjectUnknownError,
    StaleVersionError,
    WrongIdError,
    WrongPartsError,
)
from registry.object_rows import (
    GrantRow,
    LoggedRow,
    NoticeRow,
    WrapsRow,
)
from registry.rows import RecordRow
from registry.running import Run
from registry.state import Row
from registry.state_key_names import (
    grant_key,
    intake_key,
    logged_key,
    notice_key,
    office_key,
    wraps_key,
)

LIVE: Final = "live"
WITHDRAWN: Final = "withdrawn"
INTAKE: Final = "intake"
IMPORT: Final = "import"
COUNTED: Final = frozenset({INTAKE, IMPORT})
"""Notices from which days count: nobody files them again and moves the first day."""


def made_id(run: Run) -> ObjectId:
    """Return the id of the object that a side act makes: as that of a record it would create."""
    return ObjectId(run.entry.created_record_id)


def check_new(run: Run, key: StateKey, kind: type[Row]) -> None:
    """Refuse an object whose id is taken: its act id was used before and has been forgotten.

    Raises:
        WrongIdError: The state has a row there.
    """
    if run.state.read(key, kind) is not None:
        raise WrongIdError("the act id was used before: an object has its id")


def _write_made(run: Run, key: StateKey, row: Row) -> None:
    check_new(run, key, type(row))
    run.state.write(key, row)


def _about(run: Run) -> RecordRow:
    if run.about is None:
        raise WrongPartsError("this act must say what it is about")
    return run.about


def _check_current(run: Run, row: RecordRow) -> None:
    about = run.head.about
    if about is None or about.version != row.version:
        raise StaleVersionError("the act is about an old version", current=row.version)


def _digest(run: Run, kind: str, field: str) -> Digest:
    (item,) = run.objects(kind)
    return Digest(cast("bytes", item.fields[field]))


def issue_certificate(run: Run, _arguments: tuple[str, ...]) -> None:
    """A certificate of the record's current version says what the state says; see its module."""
    row, about = _about(run), run.head.about
    assert about is not None, "checked with run.about"
    _check_current(run, row)
    issue(run, about.record_id, row)


def file_notice(run: Run, _arguments: tuple[str, ...]) -> None:
    """A notice about a record, or of an intake, which is about none yet."""
    (item,) = run.objects("notice")
    purpose, digest = str(item.fields["purpose"]), _digest(run, "notice", "digest")
    assert run.agency is not None, "the office was checked"
    made = NoticeRow(run.office, run.agency, digest, run.place, None)
    if (purpose == INTAKE) != (run.head.about is None):
        raise WrongPartsError("an intake is about no record, every other notice is about one")
    about = run.head.about
    key = intake_key(run.office, digest) if about is None else notice_key(about.record_id, purpose)
    if purpose in COUNTED and run.state.read(key, NoticeRow) is not None:
        raise NoticeFiledError("this notice has been filed; its days are running")
    if purpose == IMPORT and _keeper(run) == run.agency:
        raise SameAgencyError("another agency states that the owner was told of the import")
    run.state.write(key, made)


def _keeper(run: Run) -> AgencyId | None:
    """Return the agency of the office that keeps the record."""
    office = None if run.about is None else run.about.office
    row = None if office is None else run.state.read(office_key(office), OfficeRow)
    return None if row is None else row.agency


def log(run: Run, arguments: tuple[str, ...]) -> None:
    """An access or an annotation stands on record, visible to the subject."""
    _about(run)
    about, officer = run.head.about, run.officers[0]
    assert about is not None, "checked with run.about"
    made = LoggedRow(
        record_id=about.record_id,
        version=about.version,
        kind=arguments[0],
        office=run.office,
        officer=officer.identity,
        digest=_digest(run, "logged", "digest"),
        place=run.place,
    )
    _write_made(run, logged_key(made_id(run)), made)


def make_grant(run: Run, _arguments: tuple[str, ...]) -> None:
    """Named fields of a version are opened to someone until a date."""
    _check_current(run, _about(run))
    about = run.head.about
    assert about is not None, "checked with run.about"
    (item,) = run.objects("grant")
    until = str(item.fields["until"])
    if until <= run.day:
        raise DateOrderError("the grant would be over already", field="until")
    made = GrantRow(
        record_id=about.record_id,
        version=about.version,
        recipient=KeyId(cast("bytes", item.fields["recipient"])),
        wraps_digest=_digest(run, "grant", "wraps_digest"),
        until=until,
        status=LIVE,
    )
    _write_made(run, grant_key(made_id(run)), made)


def withdraw_grant(run: Run, _arguments: tuple[str, ...]) -> None:
    """A grant of this record no longer counts."""
    about = run.head.about
    (item,) = run.objects("withdrawal")
    key = grant_key(ObjectId(cast("bytes", item.fields["grant"])))
    row = run.state.read(key, GrantRow)
    if row is None or about is None or row.record_id != about.record_id or row.status != LIVE:
        raise ObjectUnknownError("the record has no such live grant")
    run.state.write(key, replace(row, status=WITHDRAWN))


def add_wraps(run: Run, _arguments: tuple[str, ...]) -> None:
    """The custodian has wrapped the data key of the current version to more readers."""
    row, about = _about(run), run.head.about
    assert about is not None, "checked with run.about"
    _check_current(run, row)
    if row.seal is None:
        raise ObjectUnknownError("this version has no sealed body")
    if row.sealed_by != run.agency:
        raise SignerWrongError("another agency's custodian holds this body", term="custodian")
    key = wraps_key(about.record_id, about.version)
    known = run.state.read(key, WrapsRow) or WrapsRow(())
    digest = _digest(run, "wraps", "wraps_digest")
    run.state.write(key, WrapsRow((*known.digests, digest)))


SIDE_EFFECTS: Final[dict[str, Effect]] = {
    effect.__name__: effect
    for effect in (
        add_wraps,
        file_notice,
        issue_certificate,
        log,
        make_grant,
        withdraw_grant,
    )
}
