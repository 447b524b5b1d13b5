"""From good rows to acts: which row brings a record in, which follow it, and what each act says."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cli.generated_acts import equal_shares, seen
from cli.import_mapping import ImportMapping, Source
from cli.import_problems import Problem, said
from cli.import_rows import Row
from ledger.canonical import Value
from ledger.ids import RecordId
from registry.acts import Act, RecordContent
from registry.form_kinds import FormKind, derive_content
from registry.schema import RecordType

LEGACY: Final = "legacy"
IMPORT_LEGACY: Final = "import_legacy"


@dataclass(frozen=True, slots=True)
class Deed:
    """A row in its chain.

    Attributes:
        name: Its id in the old register.
        row: The row.
        chain: All rows about the same record, in order.
        rank: Its place among them; 0 brings the record in.
    """

    name: str
    row: Row
    chain: tuple[Row, ...]
    rank: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import will do.

    Attributes:
        deeds: In the order of the file.
        mapping: How rows become acts.
        selling: Names of rows whose owners enrol keys too, because they will sign later.
    """

    deeds: tuple[Deed, ...]
    mapping: ImportMapping
    selling: frozenset[str] = frozenset()

    @property
    def firsts(self) -> tuple[Deed, ...]:
        """Rows that bring a record in."""
        return tuple(deed for deed in self.deeds if deed.rank == 0)

    @property
    def laters(self) -> tuple[Deed, ...]:
        """Rows about a record that an earlier row brought in."""
        return tuple(deed for deed in self.deeds if deed.rank > 0)

    @property
    def ranks(self) -> int:
        """Length of the longest chain."""
        return max((deed.rank for deed in self.deeds), default=-1) + 1

    def signing(self, done: Collection[str]) -> set[str]:
        """Return names of rows whose owners sign: who sell or buy in rows that are to come."""
        left = [deed for deed in self.laters if deed.name not in done]
        return {name for deed in left for name in (deed.name, self.before(deed))} | self.selling

    def name_of(self, row: Row) -> str:
        """Return a row's id in the old register."""
        return str(row.values[self.mapping.id_column])

    def before(self, deed: Deed) -> str:
        """Return the name of the row before a later one in its chain."""
        return self.name_of(deed.chain[deed.rank - 1])

    def line_before(self, deed: Deed) -> int:
        """Return the line of the row before a later one in its chain."""
        return deed.chain[deed.rank - 1].line

    def first(self, deed: Deed) -> str:
        """Return the name of the first row of a deed's chain."""
        return self.name_of(deed.chain[0])


def make_plan(rows: Sequence[Row], mapping: ImportMapping) -> tuple[Plan, list[Problem]]:
    """Put rows into chains: by key, ordered by date and then by line.

    Returns:
        The plan, and a problem for each row that follows another where the mapping has no way for
        later rows.
    """
    chains: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        chains.setdefault(row.key, []).append(row)
    ordered = {
        key: tuple(sorted(chain, key=lambda row: (str(row.values[mapping.date_column]), row.line)))
        for key, chain in chains.items()
    }
    deeds: list[Deed] = []
    problems: list[Problem] = []
    for row in rows:
        chain = ordered[row.key]
        rank, name = chain.index(row), str(row.values[mapping.id_column])
        if rank and not mapping.later:
            problems.append(_second(row, chain[0].line, mapping))
        else:
            deeds.append(Deed(name, row, chain, rank))
    return Plan(tuple(deeds), mapping), problems


def _second(row: Row, first_line: int, mapping: ImportMapping) -> Problem:
    return Problem(
        line=row.line,
        row=row.number,
        column=",".join(mapping.key),
        value=", ".join(row.key),
        rule=said("second", line=first_line),
        fix=said("fix_second"),
        raw=row.text,
    )


def make_act(plan: Plan, deed: Deed, form_kind: FormKind, holder: RecordId | None) -> Act:
    """Return the act of a row.

    Args:
        plan: Whose row.
        deed: The row in its chain.
        form_kind: Of the operation that the mapping names for it.
        holder: Who holds the record afterwards; None if the type has no holders.
    """
    mapping = plan.mapping
    sources = dict(mapping.fields)
    if deed.rank:
        sources |= mapping.later_fields
    values = {
        path: value
        for path, source in sources.items()
        if (value := _value(source, deed)) is not None
    }
    first = deed.chain[0]
    if mapping.first == IMPORT_LEGACY:
        year = int(str(first.values[mapping.date_column])[:4])
        old_id = plan.name_of(first)
        values[LEGACY] = {"system": mapping.source, "id": old_id, "year": year}
    content = split_content(values, form_kind.record_type)
    if holder is not None:
        content = RecordContent(content.member, content.sealed, {}, equal_shares([holder]))
    event_date = str(deed.row.values[mapping.date_column])
    created = [_created(content, one, deed, mapping, event_date) for one in form_kind.written[1:]]
    return Act(
        kind=form_kind.kind,
        event_date=event_date,
        records=(content, *created),
        evidence=seen(),
    )


def _created(
    content: RecordContent, made: RecordType, deed: Deed, mapping: ImportMapping, day: str
) -> RecordContent:
    """Return the content of a record that the operation creates beside the row's own."""
    derived = derive_content(content, made, day)
    added = {
        path: value
        for path, source in mapping.created_fields.items()
        if (value := _value(source, deed)) is not None
    }
    member = {name: value for name, value in derived.member.items() if name != LEGACY}
    return RecordContent(member=member, sealed={**derived.sealed, **added})


def split_content(values: Mapping[str, Value], record_type: RecordType) -> RecordContent:
    """Return values by path as the member and the sealed fields of a record type."""
    member: dict[str, Value] = {}
    sealed: dict[str, Value] = {}
    for path, value in values.items():
        top, _, part = path.partition(".")
        if path in record_type.sealed_paths:
            sealed[path] = value
        elif part:
            group = member.setdefault(top, {})
            assert isinstance(group, dict), "the parts of a group are set one by one"
            group[part] = value
        else:
            member[top] = value
    return RecordContent(member=member, sealed=sealed)


def _value(source: Source, deed: Deed) -> Value:
    row = deed.chain[0] if source.of_first else deed.row
    if source.column is not None:
        return row.values.get(source.column)
    if source.join:
        found = [str(row.values[column]) for column in source.join if column in row.values]
        return ", ".join(found) or None
    return source.value  # type: ignore[return-value]  # the mapping's reader lets only such in
