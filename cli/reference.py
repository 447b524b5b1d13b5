"""The tables of the documents that come from the code: `python -m cli.reference` writes them.

`docs/errors.md` lists every error class of the program with its stable code, exit status and words,
`docs/exit-codes.md` the exit statuses, `docs/commands.md` every command with its help. A test
compares the files with what this module makes, so a change of the code brings its documents along.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Final

import click

from cli.errors import RemoteRefusalError
from cli.exit_codes import ExitCode, exit_code_of
from cli.languages import LANGUAGES, catalogue
from cli.main import program
from cli.output import Context
from keys.errors import CivregError

FLOORS: Final = ("keys", "ledger", "consensus", "registry", "node", "cli")
_DEFINES_AN_ERROR: Final = re.compile(r"^class \w+Error\(", re.MULTILINE)


def error_classes() -> list[type[CivregError]]:
    """Return every error class of the program, sorted by floor from the bottom, then by code.

    Only modules that define a class named `…Error` are imported; the linter demands that ending.
    """
    for floor in FLOORS:
        for path in sorted(Path(str(files(floor))).rglob("*.py")):
            if _DEFINES_AN_ERROR.search(path.read_text(encoding="utf-8")):
                inside = path.relative_to(str(files(floor))).with_suffix("").parts
                import_module(".".join((floor, *inside)))
    found: set[type[CivregError]] = set()
    waiting: list[type[CivregError]] = [CivregError]
    while waiting:
        error = waiting.pop()
        if error not in found:
            found.add(error)
            waiting.extend(error.__subclasses__())
    return sorted(found, key=_place)


def documents() -> Mapping[str, str]:
    """Return the generated documents: path from the project's root -> Markdown."""
    return {
        "docs/errors.md": _errors(),
        "docs/exit-codes.md": _exit_codes(),
        "docs/commands.md": _commands(),
    }


def walk_commands(
    command: click.Command, parent: click.Context | None = None
) -> Iterator[tuple[click.Context, click.Command]]:
    """Yield every command below and including `command` with a context to show its help in."""
    name = "civreg" if parent is None else command.name
    obj = Context() if parent is None else None
    settings = {"terminal_width": 100, **command.context_settings}
    ctx = click.Context(command, parent=parent, info_name=name, obj=obj, **settings)
    yield ctx, command
    if isinstance(command, click.Group):
        for verb in command.list_commands(ctx):
            below = command.get_command(ctx, verb)
            assert below is not None, "a group lists only what it has"
            below.name = verb
            yield from walk_commands(below, ctx)


def _place(error: type[CivregError]) -> tuple[int, str]:
    floor = error.code.partition(".")[0]
    return (FLOORS.index(floor) if floor in FLOORS else -1, error.code)


def _errors() -> str:
    lines = [
        "# Errors",
        "",
        "Written by `make errors` from the code; do not edit. A code never changes its meaning.",
    ]
    for error in error_classes():
        summary = (error.__doc__ or "").partition("\n")[0]
        status = exit_code_of(error.code)
        lines += ["", f"## {error.code}", "", f"{summary} Exit status {status:d}.", ""]
        if error is RemoteRefusalError:
            lines[-2] += " (or that of the code that the node sent)"
        for language in LANGUAGES:
            words = catalogue(language).errors.get(error.code)
            if words is not None:
                lines.append(f"- {language}: {words.sentence} *{words.hint}*")
    return "\n".join(lines) + "\n"


def _exit_codes() -> str:
    rows = [f"| {code:d} | {code.name} | {code.meaning} |" for code in ExitCode]
    head = [
        "# Exit codes",
        "",
        "Written by `make errors` from `cli/exit_codes.py`; do not edit. The numbers never change.",
        "",
        "| status | name | meaning |",
        "|---|---|---|",
    ]
    return "\n".join(head + rows) + "\n"


def _commands() -> str:
    lines = ["# Commands", "", "Written by `make errors` from the program's own help; do not edit."]
    for ctx, command in walk_commands(program):
        lines += ["", f"## {ctx.command_path}", "", "```text", command.get_help(ctx), "```"]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the documents below the current folder."""
    for name, content in documents().items():
        Path(name).write_text(content, encoding="utf-8")
        sys.stderr.write(f"wrote {name}\n")


if __name__ == "__main__":
    main()
