"""Acts of an agency over its own offices, competences and officers, and import openings.

An agency acts within its mandate and from the next day on; revoking a key counts at once.

Source: records.md, section 3; architecture.md, section 7.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, cast

from keys.hashing import Digest
from keys.signing import KeyId, PublicKey, Purpose
from ledger.canonical import Value, encode
from ledger.ids import AgencyId, OfficeId, RecordId
from ledger.limits import COMPETENCES_MAX, OFFICER_ROLES_BYTES_MAX, OFFICER_ROLES_MAX
from registry import parameters
from registry.authority import ALL, mandates, office_in_force
from registry.authority_errors import (
    GovernanceConflictError,
    GovernanceDateError,
    OfficeNotInForceError,
    WiderThanMandateError,
)
from registry.authority_rows import (
    CompetenceRow,
    KeyRow,
    OfficeRow,
    OfficerRole,
    OfficerRow,
)
from registry.civil_calendar import add_days, in_range
from registry.code_tables import check_code
from registry.content_errors import ImportNotOpenError
from registry.effects import Effect
from registry.object_rows import ImportRow
from registry.officer_keys import officer_key_of
from registry.officer_numbers import check_named
from registry.ownership import living
from registry.running import Run
from registry.side_effects import check_new, made_id
from registry.state_key_names import (
    competence_key,
    import_key,
    key_key,
    office_key,
    officer_key,
)
from registry.work_limits import check_work


def _fields(run: Run, kind: str) -> list[Mapping[str, Value]]:
    return [item.fields for item in run.objects(kind)]


def _text(value: Value) -> str:
    assert isinstance(value, str), "objects were checked against their fields"
    return value


def _optional_text(value: Value) -> str | None:
    return None if value is None else _text(value)


def _texts(value: Value) -> tuple[str, ...]:
    assert isinstance(value, tuple), "objects were checked against their fields"
    return tuple(map(_text, value))


def _office_id(value: Value) -> OfficeId:
    assert isinstance(value, bytes), "objects were checked against their fields"
    return OfficeId(value)


def agency_of(run: Run) -> AgencyId:
    """Return the agency whose governance keys signed."""
    assert run.agency is not None, "the policy agency(k) has set it"
    return run.agency


def _own_office(run: Run, office_id: OfficeId) -> OfficeRow:
    row = run.state.read(office_key(office_id), OfficeRow)
    if row is None or row.agency != agency_of(run):
        raise OfficeNotInForceError("the agency has no such office")
    return row


def _check_from(run: Run, from_date: str, to_date: str | None) -> None:
    """An agency's act counts from the next day on, and for at least a day."""
    wait_days = parameters.number(run.state, "governance_wait_days", run.block.height)
    earliest = add_days(run.day, wait_days)
    if from_date < earliest or (to_date is not None and to_date <= from_date):
        raise GovernanceDateError(f"this can count from {earliest} on", earliest=earliest)


def name_office(run: Run, _arguments: tuple[str, ...]) -> None:
    """A new office; its id is made like a record's."""
    (given,) = _fields(run, "office")
    from_date, unit_date = _text(given["from_date"]), _text(given["unit_date"])
    _check_from(run, from_date, None)
    parent = given.get("parent")
    if parent is not None:
        _own_office(run, _office_id(parent))
    unit = _text(given["unit"])
    check_code(run.state, "unit", ("admin_unit", unit), run.block.height, unit_date)
    row = OfficeRow(
        agency=agency_of(run),
        name=_text(given["name"]),
        unit=unit,
        unit_date=unit_date,
        level=_text(given["level"]),
        parent=None if parent is None else _office_id(parent),
        from_date=from_date,
        to_date=None,
        succeeded_by=(),
        competences=0,
    )
    key = office_key(OfficeId(made_id(run)))
    check_new(run, key, OfficeRow)
    run.state.write(key, row)


def close_office(run: Run, _arguments: tuple[str, ...]) -> None:
    """An office ends; others may take over."""
    (given,) = _fields(run, "closing")
    office_id = _office_id(given["office"])
    row = _own_office(run, office_id)
    to_date = _text(given["to_date"])
    _check_from(run, to_date, None)
    if row.to_date is not None:
        raise GovernanceConflictError("the office has been closed already")
    successors = cast("tuple[OfficeId, ...]", given.get("succeeded_by", ()))
    if row.competences and not successors:
        raise GovernanceConflictError("an office that had a task names an office that takes over")
    for successor in successors:
        if successor == office_id:
            raise GovernanceConflictError("an office does not take over from itself")
        _check_successor(run, successor, to_date)
    run.state.write(office_key(office_id), replace(row, to_date=to_date, succeeded_by=successors))


def _check_successor(run: Run, office_id: OfficeId, day: str) -> None:
    """Who takes over, of any agency, is there on the day and has no end.

    Citizens without a key are in the custody of the office that closes: somebody must enrol them.
    """
    if office_in_force(run.state, office_id, day).to_date is not None:
        raise OfficeNotInForceError("an office that takes over has an end itself")


def give_competence(run: Run, _arguments: tuple[str, ...]) -> None:
    """Offices may do more, never more than a mandate of the agency allows at all times."""
    for given in _fields(run, "competence"):
        office_id = _office_id(given["office"])
        office = _own_office(run, office_id)
        check_work("competences of an office", office.competences + 1, COMPETENCES_MAX)
        row = CompetenceRow(
            type_name=_text(given["type"]),
            operations=_texts(given["operations"]),
            from_date=_text(given["from_date"]),
            to_date=_optional_text(given.get("to_date")),
            legal_basis=_text(given["legal_basis"]),
        )
        _check_from(run, row.from_date, row.to_date)
        _check_within_mandate(run, row)
        run.state.write(competence_key(office_id, office.competences), row)
        run.state.write(office_key(office_id), replace(office, competences=office.competences + 1))


def _check_within_mandate(run: Run, row: CompetenceRow) -> None:
    for _key, mandate in mandates(run.state, agency_of(run)):
        has_type = ALL in mandate.types or row.type_name in mandate.types
        has_all = ALL in mandate.operations or all(
            operation in mandate.operations for operation in row.operations
        )
        lasts = mandate.to_date is None or (
            row.to_date is not None and row.to_date <= mandate.to_date
        )
        is_known = mandate.from_height <= run.block.height and mandate.from_date <= row.from_date
        if has_type and has_all and lasts and is_known:
            return
    raise WiderThanMandateError("no mandate of the agency covers this competence")


def close_competence(run: Run, _arguments: tuple[str, ...]) -> None:
    """A competence ends on a later date."""
    (given,) = _fields(run, "competence_end")
    office_id, number = _office_id(given["office"]), cast("int", given["number"])
    _own_office(run, office_id)
    row = run.state.read(competence_key(office_id, number), CompetenceRow)
    to_date = _text(given["to_date"])
    _check_from(run, to_date, None)
    if row is None or not in_range(to_date, row.from_date, row.to_date):
        raise GovernanceConflictError("no such competence would be in force then")
    run.state.write(competence_key(office_id, number), replace(row, to_date=to_date))


def give_role(run: Run, _arguments: tuple[str, ...]) -> None:
    """People get roles in an office, with a key that serves this office alone; they have agreed."""
    agencies: dict[OfficeId, AgencyId | None] = {}
    for given in _fields(run, "role"):
        identity, office_id = RecordId(cast("bytes", given["identity"])), given["office"]
        office = _office_id(office_id)
        _own_office(run, office)
        from_date, to_date = _text(given["from_date"]), _optional_text(given.get("to_date"))
        _check_from(run, from_date, to_date)
        check_named(run, identity, living(run.state, identity), agency_of(run))
        key = officer_key_of(given)
        _enrol_officer_key(run, key, _Use(Purpose.SIGN, identity, office, from_date))
        role = OfficerRole(
            role=_text(given["role"]),
            types=_texts(given["types"]),
            office=office,
            key_id=key.key_id,
            from_date=from_date,
            to_date=to_date,
        )
        row = run.state.read(officer_key(identity), OfficerRow) or OfficerRow((), None)
        roles = (*row.roles, role)
        _check_own_roles(run, roles, agencies)
        run.state.write(officer_key(identity), OfficerRow(roles, row.founding_until))


def _check_own_roles(
    run: Run, roles: Sequence[OfficerRole], agencies: dict[OfficeId, AgencyId | None]
) -> None:
    """Refuse more roles than one agency may give a person: all agencies' stand in one row.

    Whose an office is, is read once in an entry: there may be thousands of roles.
    """
    own, agency = [], agency_of(run)
    for role in roles:
        if role.office not in agencies:
            office = run.state.read(office_key(role.office), OfficeRow)
            agencies[role.office] = None if office is None else office.agency
        if agencies[role.office] == agency:
            own.append(role.to_value())
    check_work("roles of a person at an agency", len(own), OFFICER_ROLES_MAX)
    check_work("bytes of a person's roles", len(encode(tuple(own))), OFFICER_ROLES_BYTES_MAX)


def give_auth_key(run: Run, _arguments: tuple[str, ...]) -> None:
    """Officers get the key with which they ask nodes: without it nobody works at an own desk."""
    for given in _fields(run, "auth_key"):
        identity, office = RecordId(cast("bytes", given["identity"])), _office_id(given["office"])
        _own_office(run, office)
        row = run.state.read(officer_key(identity), OfficerRow)
        roles = () if row is None else row.roles
        if not any(
            role.office == office and (role.to_date is None or run.day < role.to_date)
            for role in roles
        ):
            raise GovernanceConflictError("the person has no role in this office")
        key = officer_key_of(given)
        _enrol_officer_key(run, key, _Use(Purpose.AUTH, identity, office, run.day))


class _Use(NamedTuple):
    """What an officer's key is for."""

    purpose: Purpose
    identity: RecordId
    office: OfficeId
    from_date: str


def _enrol_officer_key(run: Run, key: PublicKey, use: _Use) -> None:
    known = run.state.read(key_key(key.key_id), KeyRow)
    if known is None:
        row = KeyRow(
            algorithm=int(key.algorithm),
            public=key.public,
            purpose=use.purpose.value,
            holder_kind="officer",
            holder=use.identity,
            office=use.office,
            from_date=use.from_date,
            to_date=None,
            settled_from=None,
            compromised_since_ms=None,
        )
        run.state.write(key_key(key.key_id), row)
    elif (known.holder_kind, known.purpose, known.holder, known.office, known.to_date) != (
        "officer",
        use.purpose,
        use.identity,
        use.office,
        None,
    ):
        raise GovernanceConflictError("the key serves another person, office or purpose")


def close_role(run: Run, _arguments: tuple[str, ...]) -> None:
    """Roles end on a later date; history is not edited."""
    for given in _fields(run, "role_end"):
        identity, office = RecordId(cast("bytes", given["identity"])), _office_id(given["office"])
        _own_office(run, office)
        to_date = _text(given["to_date"])
        _check_from(run, to_date, None)
        row = run.state.read(officer_key(identity), OfficerRow)
        roles = () if row is None else row.roles
        ended = [
            role.role == given["role"]
            and role.office == office
            and in_range(to_date, role.from_date, role.to_date)
            for role in roles
        ]
        if row is None or not any(ended):
            raise GovernanceConflictError("no such role would be in force then")
        changed = tuple(
            replace(role, to_date=to_date) if ends else role
            for role, ends in zip(roles, ended, strict=True)
        )
        run.state.write(officer_key(identity), OfficerRow(changed, row.founding_until))


def revoke_key(run: Run, _arguments: tuple[str, ...]) -> None:
    """An officer's key ends at once; since when it was in foreign hands is read from its row."""
    (given,) = _fields(run, "key_end")
    key_id = KeyId(cast("bytes", given["key_id"]))
    row = run.state.read(key_key(key_id), KeyRow)
    if row is None or row.office is None or not in_range(run.day, run.day, row.to_date):
        raise GovernanceConflictError("no officer has such a key in force")
    _own_office(run, row.office)
    since = cast("int | None", given.get("compromised_since_ms"))
    run.state.write(key_key(key_id), replace(row, to_date=run.day, compromised_since_ms=since))


def open_import(run: Run, _arguments: tuple[str, ...]) -> None:
    """The office commits to the scans and the count of what it will bring in."""
    (given,) = _fields(run, "opening")
    key = import_key(run.office, _text(given["source"]))
    row = run.state.read(key, ImportRow)
    if row is None or row.from_height > run.block.height or row.scans_root is not None:
        raise ImportNotOpenError("no ballot has opened such a window, or it was committed before")
    if not in_range(run.day, row.from_date, row.to_date):
        raise ImportNotOpenError("the window is not open on this date")
    root = Digest(cast("bytes", given["scans_root"]))
    run.state.write(key, replace(row, scans_root=root, count=cast("int", given["count"])))


GOVERNANCE_EFFECTS: Final[dict[str, Effect]] = {
    effect.__name__: effect
    for effect in (
        close_competence,
        close_office,
        close_role,
        give_auth_key,
        give_competence,
        give_role,
        name_office,
        open_import,
        revoke_key,
    )
}
