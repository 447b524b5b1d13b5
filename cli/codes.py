"""`civreg codes`: the codes of a code table that ships with the program, found by their names."""

import time

import click

from cli.commands import Command
from cli.errors import BadParameterError, NotFoundError
from cli.output import Context, accepted
from registry.catalogue import table_names, table_text
from registry.civil_calendar import civil_date, is_date
from registry.code_names import CodeRow, parse_code_table
from registry.problems import in_language
from registry.spelling import fold


@click.command(cls=Command)
@click.argument("table")
@click.argument("words", nargs=-1)
@click.option("--on", "day", metavar="DATE", default="", help="On which day; today by default.")
@click.pass_obj
def codes(context: Context, table: str, words: tuple[str, ...], day: str) -> None:
    """List the codes of a code TABLE, or those with all WORDS in code or name.

    Case and accents of the words do not matter.

    \b
    Example:
        civreg codes admin_unit "ba dinh"
    """
    if table not in table_names():
        listed = ", ".join(table_names())
        raise NotFoundError(f"there is no table {table!r}; there are {listed}", name=table)
    if day and not is_date(day):
        raise BadParameterError(f"{day!r} is no date such as 2026-03-15", name="--on")
    on = day or civil_date(time.time_ns() // 1_000_000)
    wanted = [fold(word) for word in words]
    known = parse_code_table(table_text(table).decode())
    found = [row for row in known.in_force(on) if _has(row, wanted)]
    if not found:
        raise NotFoundError(context.say("codes.none"), name=" ".join(words))
    for row in found:
        parent = known.find(row.parent, on) if row.parent else None
        above = "" if parent is None else f", {in_language(parent.name, context.lang)}"
        accepted(
            {"table": table, "code": row.code, "name_vi": row.name[0], "name_en": row.name[1],
             "parent": row.parent or None, "valid_from": row.valid_from},
            context,
            lines=f"{row.code} {in_language(row.name, context.lang)}{above}",
        )  # fmt: skip


def _has(row: CodeRow, words: list[str]) -> bool:
    text = fold(" ".join([row.code, *row.name]))
    return all(word in text for word in words)
