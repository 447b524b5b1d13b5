"""`civreg form`: an empty form of any operation, with comments, to be filled in and handed back."""

import time
from pathlib import Path

import click

from cli.commands import Command
from cli.errors import FileTakenError, NotFoundError
from cli.output import Context, accepted, suggested
from registry.catalogue import TYPES, table_names, table_text, type_text
from registry.civil_calendar import civil_date
from registry.code_names import find_in
from registry.errors import UnknownKindError
from registry.form_kinds import find_form
from registry.form_text import empty_form
from registry.schema import RecordType
from registry.schema_reader import read_record_type


@click.command(cls=Command)
@click.argument("record_type", metavar="TYPE")
@click.argument("operation", metavar="OPERATION")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it here.")
@click.pass_obj
def form(context: Context, record_type: str, operation: str, out: Path | None) -> None:
    """Print an empty form for an OPERATION of a record TYPE, with comments in your language.

    \b
    Example:
        civreg form birth register --lang vi > form.toml
    """
    kind = f"{record_type}/{operation}".replace("-", "_")
    tables = find_in({name: table_text(name).decode() for name in table_names()})
    today = civil_date(time.time_ns() // 1_000_000)
    text = empty_form(find_form(kind, find_shipped), tables, today, context.lang)
    text = f"{text}\n# {context.say('form.codes')}\n"
    if out is None:
        accepted({"kind": kind, "form": text}, context, lines=text.rstrip("\n"))
        return
    if out.exists():
        raise FileTakenError("there is a file of that name already", name=str(out))
    out.write_text(text, encoding="utf-8")
    next_command = suggested(record_type, operation, out, "--dry-run")
    accepted({"kind": kind, "file": out}, context, next_command=next_command)


def find_shipped(name: str) -> RecordType:
    """Return a record type that ships with the program.

    Raises:
        NotFoundError: There is none of this name.
    """
    if name not in TYPES:
        raise NotFoundError(f"there is no record type {name!r}", name=name) from UnknownKindError(
            f"there is no record type {name!r}"
        )
    return read_record_type(type_text(name))
