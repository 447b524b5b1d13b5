"""Births that may be one: same mother too close in time, or same name and mother; and persons.

Rules 2 and 3 of records.md, section 8; rule 1 needs sealed text and is attested. Identities are
compared by name and day of birth.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NoReturn

from ledger.canonical import Value
from ledger.ids import OfficeId, RecordId, print_id
from ledger.limits import ENTRY_STEPS_MAX
from registry import parameters
from registry.authority import Task, find_competence
from registry.authority_rows import OfficeRow
from registry.civil_calendar import add_days, days_between
from registry.claims import found_by_match
from registry.code_tables import record_type
from registry.content_errors import PotentialDuplicateError, SamePersonError
from registry.rows import IndexRow, RecordRow
from registry.running import NewRecord, Run
from registry.state_key_names import index_key, office_key
from registry.work_limits import check_work

TOO_CLOSE_DAYS: Final = 270
TWINS_DAYS: Final = 5
SAME_NAME_DAYS: Final = 1_095
POTENTIAL_DUPLICATE: Final = "potential-duplicate"
"""The flag of a record that waits for an officer's decision."""
RESOLVED: Final = "not_duplicate"
"""Engine field: records that an officer has decided to be others."""
FOUND: Final = "possible_duplicates"
"""Engine field: records that may be the same, of which nobody has decided; only while there are."""
NAMED_MAX: Final = 8
"""Ids that a refusal names, and officers at most; there are hardly ever two."""


def clashes(run: Run, record: NewRecord, parent_links: Sequence[str]) -> list[RecordId]:
    """Return the records that may be about the same birth and of which nobody has decided, sorted.

    A father who is the mother in another birth counts like her: one of the two has its parents
    exchanged.

    Args:
        run: The entry.
        record: The birth as it would be.
        parent_links: Names of the links to mother and father; births are indexed by the first.
    """
    record_type, mother_link = record.record_type, parent_links[0]
    found: list[RecordId] = []
    offices = _Offices(run)
    for parent in [one for link in parent_links for one in record.linked(link)]:
        row = run.state.read(index_key(record_type.name, mother_link, parent), IndexRow)
        for other_id in () if row is None else row.record_ids:
            other = _counted(run, record, other_id, offices)
            if other is not None and _too_close(record.part.member, other.member):
                found.append(other_id)
    for other_id in found_by_match(run, record_type, record.part.matches).record_ids:
        other = _counted(run, record, other_id, offices)
        if other is not None and _within(record.part.member, other.member, SAME_NAME_DAYS):
            found.append(other_id)
    return sorted(dict.fromkeys(found))


def undecided(run: Run, record: NewRecord, parent_links: Sequence[str]) -> list[RecordId]:
    """Return what `clashes` finds, with what was found when the birth was declared, sorted.

    The entry of a decision brings no tag of the name, so it finds nobody by that.
    """
    offices = _Offices(run)
    known = [RecordId(one) for one in found_before(record.engine)]
    left = [one for one in known if _counted(run, record, one, offices) is not None]
    return sorted(dict.fromkeys((*clashes(run, record, parent_links), *left)))


def namesakes(run: Run, record: NewRecord) -> list[RecordId]:
    """Return the records that may be about the same person, sorted: equal match tags.

    Two persons of one name and day of birth are told apart by their numbers: where both records
    claim one, it is not the same, for the claims would have collided.
    """
    record_type = record.record_type
    tagged = {one.namespace for one in record_type.unique if one.mode == "tag"}
    numbered = tagged.intersection([claim.namespace for claim in record.part.claims])
    found: list[RecordId] = []
    offices = _Offices(run)
    for other_id in found_by_match(run, record_type, record.part.matches).record_ids:
        other = _counted(run, record, other_id, offices)
        if other is None:
            continue
        if numbered.intersection([claim[0] for claim in other.claims]):
            continue
        found.append(other_id)
    return found


class _Offices:
    """Which offices may register births: asked once for each, for an entry meets many of theirs."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._known: dict[tuple[str, OfficeId], bool] = {}
        self._competences = 0

    def may_register(self, type_name: str, office_id: OfficeId) -> bool:
        """Tell whether an office is competent to register records of a type.

        Raises:
            TooMuchWorkError: The offices asked for have too many competences together.
        """
        known = self._known.get((type_name, office_id))
        if known is not None:
            return known
        run = self._run
        office = run.state.read(office_key(office_id), OfficeRow)
        task = Task(type_name, "register", run.day, run.block.height)
        if office is not None:
            self._competences += office.competences
            check_work("competences to look through", self._competences, ENTRY_STEPS_MAX)
        found = office is not None and (
            find_competence(run.state, office_id, office, task) is not None
        )
        self._known[type_name, office_id] = found
        return found


def _counted(
    run: Run, record: NewRecord, other_id: RecordId, offices: _Offices
) -> RecordRow | None:
    """Return the other record if it counts: live, or proposed by a competent office."""
    own_id = record.part.record_id
    other = None if other_id == own_id else run.record(other_id)
    if other is None or other_id in resolved(record.engine) or own_id in resolved(other.engine):
        return None
    status = record.record_type.statuses.get(other.status, "ended")
    if status == "ended":
        return None
    if status == "proposed":
        if other.office is None or has_lapsed(run, other):
            return None
        return other if offices.may_register(other.type_name, other.office) else None
    return other


def counts(run: Run, record_id: RecordId) -> bool:
    """Tell whether a record can still be one of two: neither ended nor, proposed, lapsed."""
    row = run.record(record_id)
    if row is None:
        return False
    status = record_type(run.state, row.type_name, run.block.height).statuses.get(row.status)
    return status == "live" or (status == "proposed" and not has_lapsed(run, row))


def has_lapsed(run: Run, row: RecordRow) -> bool:
    """Tell whether a proposed record has been archived by block time."""
    days = parameters.number(run.state, "proposed_days", run.block.height)
    return run.day > add_days(row.created[2], days)


def resolved(engine: Mapping[str, Value]) -> tuple[bytes, ...]:
    """Return the records that an officer has decided to be others."""
    return _listed(engine, RESOLVED)


def found_before(engine: Mapping[str, Value]) -> tuple[bytes, ...]:
    """Return the records that were found when a birth was declared, as far as nobody decided."""
    return _listed(engine, FOUND)


def note_found(record: NewRecord, found: Sequence[RecordId]) -> None:
    """Let a record say which others may be the same, for the officer who looks at them."""
    if found:
        record.set_engine(FOUND, tuple(found))
    else:
        record.engine = {name: value for name, value in record.engine.items() if name != FOUND}


def refuse_duplicate(found: Sequence[bytes]) -> NoReturn:
    """Refuse a record that may be one of those that were found, which the refusal names.

    Raises:
        PotentialDuplicateError: Always.
    """
    raise PotentialDuplicateError(
        "another record may be about the same birth", records=_named(found)
    )


def refuse_same_person(found: Sequence[bytes]) -> NoReturn:
    """Refuse an identity for a person who may have one of those that were found.

    Raises:
        SamePersonError: Always; names them.
    """
    raise SamePersonError("another record may be about the same person", records=_named(found))


def _named(found: Sequence[bytes]) -> str:
    ids = ", ".join([print_id(one) for one in found[:NAMED_MAX]])
    return ids if len(found) <= NAMED_MAX else f"{ids}, …"


def _listed(engine: Mapping[str, Value], name: str) -> tuple[bytes, ...]:
    found = engine.get(name, ())
    assert isinstance(found, tuple), "written by rules and effects about duplicates"
    return tuple(one for one in found if isinstance(one, bytes))


def _too_close(one: object, other: dict[str, Value]) -> bool:
    assert isinstance(one, dict), "a member map"
    if not _within(one, other, TOO_CLOSE_DAYS):
        return False
    first, second = one.get("multiple"), other.get("multiple")
    if not isinstance(first, dict) or not isinstance(second, dict):
        return True
    are_twins = first["count"] == second["count"] and first["order"] != second["order"]
    are_twins = are_twins and max(first["order"], second["order"]) <= first["count"]
    return not (are_twins and _within(one, other, TWINS_DAYS))


def _within(one: object, other: dict[str, Value], days: int) -> bool:
    assert isinstance(one, dict), "a member map"
    return abs(days_between(one["event_date"], str(other["event_date"]))) <= days
