"""The report of an audit for files: JSON, or Markdown for people, by the ending of its name."""

import json
from collections.abc import Mapping
from pathlib import Path

from cli.details import detail_in
from cli.errors import InvalidInputError
from cli.languages import catalogue, error_text
from cli.output import Context


def write_report(path: Path, result: Mapping[str, object], context: Context) -> None:
    """Write what an audit gave.

    Args:
        path: Ends in `.json` or `.md`; replaced if it exists.
        result: As printed with `--json`.
        context: For the language of the Markdown.

    Raises:
        InvalidInputError: Another ending.
    """
    match path.suffix:
        case ".json":
            text = json.dumps(result, ensure_ascii=False, indent=2) + "\n"
        case ".md":
            text = _markdown(result, context)
        case _:
            raise InvalidInputError("a report ends in .json or .md", name=str(path))
    path.write_text(text, encoding="utf-8")


def _markdown(result: Mapping[str, object], context: Context) -> str:
    word = context.say("audit.report_holds" if result["holds"] else "audit.report_broken")
    lines = [f"# {context.say('audit.report_title')}", "", word, "", "| | |", "|---|---|"]
    difference = result.get("difference")
    rows = {key: value for key, value in result.items() if key not in {"holds", "difference"}}
    if isinstance(difference, Mapping):
        rows |= {f"difference.{key}": value for key, value in difference.items()}
    lines += [f"| {key} | {_cell(value)} |" for key, value in rows.items()]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return shown.replace("|", "\\|").replace("\n", " ")


def difference_lines(context: Context, difference: Mapping[str, object]) -> list[str]:
    """Say where a copy goes wrong, which rule it breaks, and in what it differs.

    Args:
        context: Whose language.
        difference: height, index, rule, code, expected, found, message, as `audit replay` gives it.
    """
    shown = {key: "-" if value in {None, ""} else value for key, value in difference.items()}
    lines = [context.say("audit.broken", **shown)]
    code, message = str(difference.get("code")), str(difference["message"])
    if code in catalogue(context.lang).errors:
        words = error_text(context.lang, code, {})
        lines += [] if "{" in words.sentence else [f"  {words.sentence}"]
    if (shown["expected"], shown["found"]) != ("-", "-"):
        lines.append(context.say("audit.differs", **shown))
    told = message if context.lang == "en" else detail_in(context.lang, message)
    return [*lines, f"  {told}"] if told else lines
