"""The report of an audit for files: JSON, or Markdown for people, by the ending of its name."""

import json
from collections.abc import Mapping
from pathlib import Path

from cli.errors import InvalidInputError
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
