"""What stands on a person: live records of others that name the person as owner or as a lender.

How many there are is counted as records are written, so nothing is searched. A birth on whose child
something stands is not undone by offices: the rights of third parties are a matter for a court.

Source: records.md, section 6.1, the operations revoke and annul.
"""

from typing import Final

from ledger.ids import RecordId
from ledger.parts import Holder
from registry.code_tables import record_type
from registry.content_errors import CourtNeededError
from registry.rows import Encumbrance, FamilyRow, RecordRow, StandingRow
from registry.running import NewRecord, Run
from registry.schema import RecordType
from registry.state_key_names import family_key, standing_key

LIVE: Final = "live"


def count_standing(run: Run, record: NewRecord) -> None:
    """Count for each owner and lender the record that an entry leaves, and not the one before."""
    before, kind = record.before, record.record_type
    is_held = record.part.holders or record.encumbrances
    if not is_held and (before is None or not (before.holders or before.encumbrances)):
        return  # most records: nobody owns them or lends on them
    was: set[RecordId] = set()
    if before is not None:
        was = _named(kind, before.status, before.holders, before.encumbrances)
    now = _named(kind, record.status, record.part.holders, record.encumbrances)
    for person in sorted(was ^ now):
        key = standing_key(person)
        row = run.state.read(key, StandingRow) or StandingRow(0)
        left = row.records + (1 if person in now else -1)
        if left:
            run.state.write(key, StandingRow(left))
        else:
            run.state.delete(key)


def _named(
    kind: RecordType,
    status: str,
    holders: tuple[Holder, ...],
    encumbrances: tuple[Encumbrance, ...],
) -> set[RecordId]:
    if kind.statuses.get(status) != LIVE:
        return set()
    lenders = {item.holder for item in encumbrances if item.status == LIVE}
    return lenders | {party for holder in holders for party in holder.parties}


def nothing_stands_on(run: Run, arguments: tuple[str, ...]) -> None:
    """Whom the link leads to owns nothing, has lent on nothing and is parent of nobody born."""
    for person in run.links(arguments[0]):
        family = run.state.read(family_key(person), FamilyRow)
        births = [] if family is None else [run.record(birth) for *_who, birth in family.children]
        owned = run.state.read(standing_key(person), StandingRow)
        if owned is not None or any(_is_live(run, row) for row in births):
            raise CourtNeededError("other records stand on this one", field=arguments[0])


def _is_live(run: Run, row: RecordRow | None) -> bool:
    if row is None:
        return False
    kind = record_type(run.state, row.type_name, run.block.height)
    return kind.statuses.get(row.status) == LIVE
