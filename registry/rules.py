"""The named ledger rules that record types call; each returns or raises.

A rule may use heads, member maps, links, statuses, flags and the state; never a sealed field. What
every entry must keep (versions, authority, signers, claims) is in `registry.apply`, without a name.

Source: records.md, sections 2.3, 6, 8 and 9.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Final, TypeAlias, cast

from ledger.ids import OfficeId, RecordId
from ledger.parts import KeySigner
from registry import parameters
from registry.authority_errors import (
    KeyProvisionalError,
    NotAliveError,
    RelativeError,
    WrongCustodyError,
)
from registry.authority_rows import KeyRow, OfficeRow
from registry.birth_dates import agrees_with_birth, older_than_children
from registry.civil_calendar import add_days, days_between, deadline, in_range
from registry.code_tables import check_code, code_table
from registry.content_errors import (
    DateOrderError,
    EvidenceError,
    HolderWrongError,
    ImportNotOpenError,
    LateWithoutReasonError,
    LinkWrongError,
    ObligationOpenError,
    ParentImpossibleError,
    SharesSumError,
    TermOverError,
    WaitNotOverError,
)
from registry.errors import ReasonMissingError, RecordUnknownError
from registry.field_specs import spec_at
from registry.import_windows import open_window
from registry.kinship import are_relatives
from registry.object_rows import NoticeRow
from registry.ownership import IDENTITY
from registry.possible_duplicates import (
    NAMED_MAX,
    POTENTIAL_DUPLICATE,
    clashes,
    namesakes,
    note_found,
    refuse_duplicate,
    refuse_same_person,
)
from registry.running import Run
from registry.standing import nothing_stands_on
from registry.state_key_names import key_key, notice_key, office_key

UNIT_UNVERIFIED: Final = "unit-unverified"
SUCCESSIONS_MAX: Final = 64
"""Offices that one may be followed by, one after the other, until nobody looks further."""
FATHER_DEAD_DAYS: Final = 300

Rule: TypeAlias = Callable[[Run, tuple[str, ...]], None]


def lateness(run: Run) -> int | None:
    """Return the days since the event if the duty was done late, else None.

    Source: records.md, section 9.
    """
    for call in run.operation.rules:
        if call.name == "late_after":
            event = _date(run, call.arguments[0])
            last = deadline(event, int(call.arguments[1]), _holidays(run))
            if run.counted_day > last:
                return days_between(event, run.counted_day)
    return None


def _holidays(run: Run) -> tuple[str, ...]:
    return parameters.holidays(run.state, run.block.height)


def _date(run: Run, name: str) -> str:
    value = run.value(name)
    if not isinstance(value, str):
        raise DateOrderError(f"the date {name!r} is missing", field=name)
    return value


def date_order(run: Run, arguments: tuple[str, ...]) -> None:
    """The first date is not after the second."""
    first, second = arguments
    if _date(run, first) > _date(run, second):
        raise DateOrderError(f"{first} is after {second}", field=first)


def event_date_is(run: Run, arguments: tuple[str, ...]) -> None:
    """The head's event date is this field's."""
    if run.value(arguments[0]) != run.head.event_date:
        raise DateOrderError("the head names another date of the event", field=arguments[0])


def unit_valid_on(run: Run, arguments: tuple[str, ...]) -> None:
    """The code of a field is in its table on a date; a date older than the table sets a flag."""
    name, day_name = arguments
    value = run.value(name)
    if not isinstance(value, str):
        return
    table, day = spec_at(run.subject.record_type.fields, name).table, _date(run, day_name)
    assert table is not None, "the field is a code"
    known = code_table(run.state, table, run.block.height)
    if known is not None and day < known.first_date:
        run.subject.set_flag(UNIT_UNVERIFIED)
        run.touched_flags.append(UNIT_UNVERIFIED)
    else:
        check_code(run.state, name, (table, value), run.block.height, day)


def evidence(run: Run, arguments: tuple[str, ...]) -> None:
    """The evidence is sufficient, or an official report."""
    found = run.entry.context.evidence
    if not (found.official if arguments[0] == "official" else found.sufficient):
        raise EvidenceError(f"the evidence is not marked {arguments[0]}", kind=arguments[0])


def parent_possible(run: Run, arguments: tuple[str, ...]) -> None:
    """Parents are older identities, not dead; both absent only with an official report.

    A record that is registered had its report; its corrections need none for that.
    """
    mothers, fathers = (run.links(name) for name in arguments[:2])
    before = run.subject.before
    is_live = before is not None and run.record_type.statuses.get(before.status) == "live"
    if not (mothers or fathers or is_live or run.entry.context.evidence.official):
        raise EvidenceError("a child without parents needs an official report", kind="official")
    if mothers and mothers == fathers:
        raise ParentImpossibleError("mother and father are one person")
    event = _date(run, arguments[2])
    named = [(name, person) for name in arguments[:2] for person in run.links(name)]
    for name, person in named:
        row = run.record(person)
        if row is None or row.type_name != IDENTITY:
            raise LinkWrongError("a parent is no identity of this ledger", field=name)
        born = row.member.get("birth_date")
        if isinstance(born, str) and born >= event:
            raise ParentImpossibleError("a parent is not older than the child")
        died = row.engine.get("died_on")
        if isinstance(died, str):
            grace = FATHER_DEAD_DAYS if person in fathers else 0
            if event > add_days(died, grace):
                raise ParentImpossibleError("a parent had died before")
        elif row.status not in {"active", "incapable"}:
            raise NotAliveError("a parent's identity is not in force", status=row.status)


def not_relative(run: Run, arguments: tuple[str, ...]) -> None:
    """No officer is a party or a relative of one."""
    for officer in run.officers:
        for name in arguments:
            for person in run.links(name):
                if are_relatives(run.state, officer.identity, person, run.day, run.steps):
                    raise RelativeError("an officer is a party or a relative of one", field=name)


def in_custody(run: Run, arguments: tuple[str, ...]) -> None:
    """The identity so far is in this kind of custody, such as that of genesis."""
    before = run.subject.before
    if before is None or before.engine.get("custody") != arguments[0]:
        raise WrongCustodyError(f"the identity is not in the custody {arguments[0]!r}")


def at_custody_office(run: Run, _arguments: tuple[str, ...]) -> None:
    """The office is the one that has, or had, custody of the identity, or took over from it."""
    before = run.subject.before
    named = None if before is None else before.engine.get("custody_office")
    offices = [OfficeId(named)] if isinstance(named, bytes) else []
    for at in range(SUCCESSIONS_MAX):
        if at >= len(offices):
            break
        if offices[at] == run.head.office:
            return
        row = run.state.read(office_key(offices[at]), OfficeRow)
        if row is not None and not in_range(run.day, row.from_date, row.to_date):
            offices += [one for one in row.succeeded_by if one not in offices]
    raise WrongCustodyError("another office has custody of this identity")


def key_settled(run: Run, _arguments: tuple[str, ...]) -> None:
    """What the record has said so far is changed by no provisional key; something first may be.

    Raises:
        KeyProvisionalError: Says from which day on the key may.
    """
    if run.subject.before is None:
        return
    for signer in run.head.signers:
        settled = None if not isinstance(signer, KeySigner) else provisional_until(run, signer)
        if settled is not None:
            raise KeyProvisionalError(
                "a newly enrolled key may not do this yet", settled_from=settled
            )


def provisional_until(run: Run, signer: KeySigner) -> str | None:
    """Return from which day on a signer's new key counts fully; None if it does."""
    row = run.state.read(key_key(signer.key_id), KeyRow)
    settled = None if row is None else row.settled_from
    return settled if settled is not None and run.day < settled else None


def late_after(run: Run, _arguments: tuple[str, ...]) -> None:
    """A late duty needs a reason code and sets the flag; it never refuses for lateness alone."""
    late = run.operation.late
    if late is None or run.is_late_by is None:
        if late is not None:
            run.subject.clear_flag(late.flag)
        return
    if late.needs not in run.subject.part.member:
        raise LateWithoutReasonError("the duty was done late: a reason is needed", field=late.needs)
    run.subject.set_flag(late.flag)
    run.touched_flags.append(late.flag)


def duplicate_births(run: Run, arguments: tuple[str, ...]) -> None:
    """Another birth may be the same: flag a declaration, refuse a registration."""
    found = clashes(run, run.subject, arguments)
    if not found:
        return
    if POTENTIAL_DUPLICATE in run.operation.blocked_by:
        refuse_duplicate(found)
    note_found(run.subject, found)
    run.subject.set_flag(POTENTIAL_DUPLICATE)
    run.touched_flags.append(POTENTIAL_DUPLICATE)


def duplicate_identities(run: Run, _arguments: tuple[str, ...]) -> None:
    """The person has no identity yet, or the officers name who else has this name and birthday.

    Whom they name must be there, and they give a reason. Of many they name the first ones.
    """
    said = {RecordId(cast("bytes", item.fields["other"])) for item in run.objects("different")}
    for other in sorted(said):
        row = run.record(other)
        if row is None or row.type_name != run.record_type.name:
            raise RecordUnknownError("the other record is not known")
    if said and run.entry.context.reason is None:
        raise ReasonMissingError("the operation needs a reason")
    found = namesakes(run, run.subject)
    if not said.issuperset(found[:NAMED_MAX]):
        refuse_same_person([one for one in found if one not in said])


def shares_sum_one(run: Run, _arguments: tuple[str, ...]) -> None:
    """The holders' shares sum to exactly one, and nobody stands in two of them."""
    holders = run.subject.part.holders
    parties = [party for holder in holders for party in holder.parties]
    if len(dict.fromkeys(parties)) != len(parties):
        raise HolderWrongError("a party holds two shares")
    if sum(Fraction(item.numerator, item.denominator) for item in holders) != 1:
        raise SharesSumError("the shares do not sum to exactly one")


def no_obligation_open(run: Run, arguments: tuple[str, ...]) -> None:
    """No financial obligation was open before or is after this entry."""
    before = None if run.subject.before is None else run.subject.before.member.get(arguments[0])
    if before is True or run.value(arguments[0]) is True:
        raise ObligationOpenError("a financial obligation is open", field=arguments[0])


def obligation_settled(run: Run, arguments: tuple[str, ...]) -> None:
    """A financial obligation that was open is so no more."""
    before = None if run.subject.before is None else run.subject.before.member.get(arguments[0])
    if before is not True:
        raise ObligationOpenError("no financial obligation was open", field=arguments[0])
    if run.value(arguments[0]) is True:
        raise ObligationOpenError("the financial obligation stays open", field=arguments[0])


def term_running(run: Run, arguments: tuple[str, ...]) -> None:
    """The term of the right is not over on the block's date; it is over from its end's first hour.

    Ranges are half-open: the field is the first day without the right. None: without end.
    """
    until = run.value(arguments[0])
    if isinstance(until, str) and run.day >= until:
        raise TermOverError("the term of the right is over", field=arguments[0])


def link_status(run: Run, arguments: tuple[str, ...]) -> None:
    """What a link leads to has a status."""
    for target in run.links(arguments[0]):
        row = run.record(target)
        if row is None or row.status != arguments[1]:
            raise LinkWrongError(f"{arguments[0]} is not {arguments[1]}", field=arguments[0])


def import_open(run: Run, _arguments: tuple[str, ...]) -> None:
    """The office has an open window for this source, with room for one more."""
    if open_window(run) is None:
        raise ImportNotOpenError("no window is open for this office and source")


def import_settled(run: Run, _arguments: tuple[str, ...]) -> None:
    """An imported record is disposed of only some time after a notice of the import."""
    wait_days = parameters.number(run.state, "import_wait_days", run.block.height)
    before = run.subject.before
    if before is None or "imported" not in before.flags or wait_days == 0:
        return
    notice = run.state.read(notice_key(run.subject.part.record_id, "import"), NoticeRow)
    if notice is None or run.day <= add_days(notice.place[2], wait_days):
        raise WaitNotOverError("the wait after the import's notice is not over", days=wait_days)


RULES: Final[dict[str, Rule]] = {
    rule.__name__: rule
    for rule in (
        agrees_with_birth,
        at_custody_office,
        date_order,
        duplicate_births,
        duplicate_identities,
        event_date_is,
        evidence,
        import_open,
        import_settled,
        in_custody,
        key_settled,
        late_after,
        link_status,
        no_obligation_open,
        not_relative,
        nothing_stands_on,
        obligation_settled,
        older_than_children,
        parent_possible,
        shares_sum_one,
        term_running,
        unit_valid_on,
    )
}
