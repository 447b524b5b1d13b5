"""`civreg import`: registers from files come in, row by row, once and for all."""

import csv
import io
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cli.commands import Command
from cli.errors import (
    BadParameterError,
    ImportStoppedError,
    KeyNeededError,
    NoNetworkError,
    NotFoundError,
    RemoteRefusalError,
)
from cli.exit_codes import ExitCode
from cli.interrupts import ignore_interrupts
from cli.output import Context, accepted, confirm, progress
from cli.passphrases import asker, passphrase_options, source
from keys.errors import KeyFileError
from keys.private_files import write_private

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.acting import Actor
    from cli.import_journal import ImportJournal
    from cli.import_problems import Problem
    from cli.import_session import Found, Imported
    from cli.import_trial import Tried
    from cli.languages import Language
    from cli.output import Advance

    Told = tuple[dict[str, object], list[str]]
    """What is said to programs, and to people."""

REPORT_SUFFIX: Final = ".errors.csv"
PROBLEMS_SHOWN: Final = 5
"""So many are said at once; the report has all of them."""
_SOURCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line said; see the options."""

    file: Path
    type_name: str
    mapping_name: str
    report: Path | None
    source_name: str | None
    resume: bool
    again: bool


@click.command(cls=Command, name="import", changes=True)
@click.argument(
    "file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False, exists=True)
)
@click.option("--type", "type_name", required=True, help="Record type, such as land_title.")
@click.option(
    "--map",
    "mapping_name",
    required=True,
    help="Mapping: a shipped one, such as hmlr_price_paid, or a file.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where bad rows go; by default FILE.errors.csv in this folder, in a dry run nowhere.",
)
@click.option("--source", "source_name", help="Name of the old register; default: the mapping's.")
@click.option("--resume", is_flag=True, help="Go on with an import that was interrupted.")
@click.option(
    "--again", is_flag=True, help="Register rows again that came in under another source name."
)
@passphrase_options
@click.pass_obj
def import_(context: Context, /, **given: Any) -> int:  # noqa: ANN401 - what click has read
    """Import the register FILE: good rows are registered, bad ones go to a report with a remedy.

    Running it again registers nothing twice; after a kill, `--resume` goes on where it stopped.
    Rows that came in under another source name are refused. The exit status is 6 if rows are in
    the report.

    \b
    Example:
        civreg --home net import sales.csv --type land_title --map hmlr_price_paid --dry-run
        civreg --home net import sales.csv --type land_title --map hmlr_price_paid --yes
    """
    return run_import(context, Asked(**given))


def run_import(context: Context, asked: Asked) -> int:
    """Do what the command was asked to; return the exit status.

    Raises:
        CivregError: Nothing can be imported, or not now.
    """
    # The whole client stack: only who imports pays for importing it.
    from cli import import_session as session  # noqa: PLC0415
    from cli.acting import Actor  # noqa: PLC0415
    from cli.import_mapping import load_mapping  # noqa: PLC0415
    from cli.sent import warn_of_unsettled  # noqa: PLC0415

    mapping = load_mapping(asked.mapping_name)
    if asked.source_name is not None:
        mapping = replace(mapping, source=check_source(asked.source_name))
    if asked.type_name.replace("-", "_") != mapping.type_name:
        message = f"the mapping {mapping.name} is for {mapping.type_name}"
        raise BadParameterError(message, name="--type")
    file, report = asked.file, asked.report or Path(f"{asked.file.name}{REPORT_SUFFIX}")
    with Actor.open(context.home, ask=asker(context, source())) as actor:
        found = session.read_file(file, mapping, actor)
        if context.dry_run:
            return _dry_run(context, asked, actor, found)
        if not asked.again:
            session.check_elsewhere(context.home, actor, found)
        warn_of_unsettled(context)
        if not session.is_done(context.home, actor, found):
            confirm(context.say("import.confirm", count=len(found.plan.deeds), file=file), context)
        with session.open_journal(context.home, actor, mapping) as journal:
            session.check_resume(journal, found, resume=asked.resume)
            left = session.entries_left(found, journal)
            with progress(context.say("import.entries"), left, context) as advance:
                imported = _bring_in(actor, found, journal, advance)
    problems = _by_line(found.problems, imported.progress.problems)
    write_report(problems, report, context.lang)
    told = _done(context, imported, has_problems=bool(problems))
    return _tell(context, found, problems, report, told)


def _by_line(read: "Sequence[Problem]", refused: "Sequence[Problem]") -> "list[Problem]":
    """Return what is wrong in the order of the file, which whoever mends it goes through."""
    return sorted([*read, *refused], key=lambda one: one.line)


def _dry_run(context: Context, asked: Asked, actor: "Actor", found: "Found") -> int:
    """Say what would come in and what the rules would refuse, as far as they can be tried."""
    tried, reason = _try(context, asked, actor, found)
    problems = _by_line(found.problems, () if tried is None else tried.problems)
    if asked.report is not None:
        write_report(problems, asked.report, context.lang)
    if tried is None:
        trial: dict[str, object] = {"result": "untried", "reason": reason}
        lines = [context.say(f"import.untried_{reason}")]
    else:
        trial = {
            "result": "tried",
            "entries": tried.count,
            "refused": len(tried.problems),
            "known": tried.known,
            "numbers_tried": not tried.tagged,
        }
        lines = [context.say("import.tried", **trial)]
        lines.append(context.say("import.not_tried_tags" if tried.tagged else "import.not_tried"))
    return _tell(context, found, problems, asked.report, ({"trial": trial}, lines))


def _try(
    context: Context, asked: Asked, actor: "Actor", found: "Found"
) -> "tuple[Tried | None, str]":
    """Return what came of trying the rows, or None and why they could not be tried.

    Raises:
        ImportedElsewhereError: The rows came in under another source name.
        InvalidInputError: The window has no room for them.
    """
    from cli import import_session as session  # noqa: PLC0415

    try:
        if not asked.again:
            session.check_elsewhere(context.home, actor, found)
        count = session.entries_to_try(context.home, actor, found)
        with progress(context.say("import.trying"), count, context) as advance:
            return session.try_import(context.home, actor, found, advance), ""
    except NoNetworkError:
        return None, "no_node"
    except (KeyNeededError, KeyFileError):
        return None, "no_key"
    except NotFoundError:
        return None, "no_office"
    except RemoteRefusalError:
        return None, "hidden"


def _bring_in(
    actor: "Actor", found: "Found", journal: "ImportJournal", advance: "Advance"
) -> "Imported":
    """Import what is left; say what was under way if it stops on its way.

    Raises:
        ImportStoppedError: Ctrl-C, or no node answers; the journal has what was sent.
    """
    from cli import import_session as session  # noqa: PLC0415

    try:
        return session.bring_in(actor, found, journal, advance)
    except (KeyboardInterrupt, NoNetworkError) as error:
        ignore_interrupts()
        if not journal.is_unfinished(found.digest):
            raise
        count = journal.count_under_way()
        why = "Ctrl-C" if isinstance(error, KeyboardInterrupt) else str(error)
        raise ImportStoppedError(f"the import stopped: {why}", under_way=count) from error


def check_source(name: str) -> str:
    """Return the name of a source, which also names the journal's file.

    Raises:
        BadParameterError: Not 1 to 64 letters, digits, dots, hyphens or underscores.
    """
    if _SOURCE.fullmatch(name) is None:
        raise BadParameterError("1 to 64 letters, digits, dots, hyphens", name="--source")
    return name


def write_report(problems: "Sequence[Problem]", report: Path, language: "Language") -> None:
    """Write the report, if there is anything to report; it quotes rows, so it is for its owner."""
    from cli.import_problems import problems_csv  # noqa: PLC0415

    if problems:
        rows = io.StringIO(newline="")
        csv.writer(rows).writerows(problems_csv(problems, language))
        write_private(report, rows.getvalue().encode())


def _done(context: Context, imported: "Imported", *, has_problems: bool) -> "Told":
    """Return what an import did, for programs and for people."""
    done = imported.progress
    result: dict[str, object] = {
        "firsts_registered": imported.firsts,
        "laters_registered": imported.laters,
        "firsts_new": done.firsts,
        "laters_new": done.laters,
        "owners_new": done.owners,
        "known_before": len(done.known),
        "was_complete": imported.was_complete,
        "seconds": round(imported.seconds, 1),
    }
    lines = [context.say("import.done", **result)]
    if not imported.was_complete:
        lines.append(context.say("import.new", **result))
    else:
        lines.append(context.say("import.mended" if has_problems else "import.complete"))
    return result, lines


def _tell(
    context: Context,
    found: "Found",
    problems: "Sequence[Problem]",
    report: Path | None,
    told: "Told",
) -> int:
    from cli.import_session import counts_of  # noqa: PLC0415
    from cli.sent import unsettled  # noqa: PLC0415

    result: dict[str, object] = {
        **counts_of(found),
        "problems": len(problems),
        "report": str(report) if problems and report is not None else None,
        "imported": not context.dry_run,
        "unsettled": [str(kept) for kept in unsettled(context.home)],
        **told[0],
    }
    lines = [context.say("import.read", **result), *told[1]]
    if context.dry_run:
        lines.append(context.say("import.dry_run"))
    lines += [problem.explain(context.lang) for problem in problems[:PROBLEMS_SHOWN]]
    if len(problems) > PROBLEMS_SHOWN:
        lines.append(context.say("import.more_problems", count=len(problems) - PROBLEMS_SHOWN))
    if problems and report is None:
        lines.append(context.say("import.no_report"))
    elif problems:
        lines.append(context.say("import.report", count=len(problems), report=report))
    accepted(result, context, lines=lines)
    return ExitCode.INVALID_INPUT if problems else ExitCode.OK
