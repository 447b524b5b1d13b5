"""One date of birth in two records, and the keys that end on a birthday.

A birth and the identity that came of it say the same date; a correction of the birth writes it into
both. Keys enrolled before 15 or 18 end on that birthday, so a corrected date moves their end.

Source: records.md, sections 4.1 and 6.1.
"""

from collections.abc import Iterable
from dataclasses import replace

from keys.signing import KeyId
from registry.authority_rows import KeyRow
from registry.certification import turn_listed
from registry.civil_calendar import age, birthday, in_range
from registry.content_errors import DateOrderError, ParentImpossibleError
from registry.ownership import ADULT_AGE, DECIDES_AGE, keys_of
from registry.rows import FamilyRow
from registry.running import Run
from registry.state_key_names import family_key, key_key, record_key

BIRTH_DATE = "birth_date"


def date_identity(run: Run, arguments: tuple[str, ...]) -> None:
    """Whom the link leads to is born on the date that the subject's field says.

    The identity keeps its version: nobody has signed a new one. Its certificates are replaced.
    """
    link, name = arguments
    born = str(run.value(name))
    for target in run.subject.linked(link):
        row = run.record(target)
        if row is None or row.member.get(BIRTH_DATE) == born:
            continue
        changed = replace(row, member={**row.member, BIRTH_DATE: born})
        run.state.write(record_key(target), changed)
        turn_listed(run, target, has_ended=False)
        _move_ends(run, [key_id for _purpose, key_id in keys_of(row)], born)


def date_keys(run: Run, _arguments: tuple[str, ...]) -> None:
    """Keys of an identity whose birth date changes end on the birthdays that it now has."""
    subject, before = run.subject, run.subject.before
    born = subject.part.member.get(BIRTH_DATE)
    if before is not None and isinstance(born, str) and before.member.get(BIRTH_DATE) != born:
        _move_ends(run, [key_id for _purpose, key_id in keys_of(before)], born)


def agrees_with_birth(run: Run, arguments: tuple[str, ...]) -> None:
    """The birth date is that of the birth record, if there is one: it is corrected there."""
    link, name = arguments
    for target in run.links(link):
        row = run.record(target)
        if row is not None and row.member.get("event_date") != run.value(name):
            raise DateOrderError("the birth record says another date of birth", field=name)


def older_than_children(run: Run, arguments: tuple[str, ...]) -> None:
    """Whom the link leads to is older than each child after another birth date is given.

    What is not dated anew is not judged: books of before may hold what no rule has seen.
    """
    link, name = arguments
    born = str(run.value(name))
    for person in run.links(link):
        row = run.record(person)
        if row is None or row.member.get(BIRTH_DATE) == born:
            continue
        family = run.state.read(family_key(person), FamilyRow) or FamilyRow((), (), ())
        for child_id, _kind, _record in family.children:
            child = run.record(child_id)
            if child is not None and str(child.member.get(BIRTH_DATE, born)) <= born:
                raise ParentImpossibleError("a child of this person would not be younger")


def _move_ends(run: Run, key_ids: Iterable[KeyId], born: str) -> None:
    """Give keys in force the end that they would have had from the beginning, today at once."""
    for key_id in key_ids:
        row = run.state.read(key_key(key_id), KeyRow)
        if row is None or not in_range(run.day, row.from_date, row.to_date):
            continue
        end = end_of_key(born, row.from_date)
        if end != row.to_date:
            end = None if end is None else max(end, run.day)
            run.state.write(key_key(key_id), replace(row, to_date=end))


def end_of_key(born: str, day: str) -> str | None:
    """Return when a key ends that is enrolled on a day: on the 15th or 18th birthday, or never."""
    years = age(born, day)
    if years >= ADULT_AGE:
        return None
    return birthday(born, DECIDES_AGE if years < DECIDES_AGE else ADULT_AGE)
