"""The checks of a document (receipt, certificate, evidence), told one by one."""

from collections.abc import Sequence
from typing import Final, TypeAlias

from cli.details import details_in
from cli.exit_codes import exit_code_of
from cli.languages import error_text
from cli.output import Context
from keys.errors import CivregError

Checks: TypeAlias = Sequence[tuple[str, CivregError | None]]

FORM: Final = "form"
"""The check whose failure means that the bytes are no document at all."""


def check_values(context: Context, checks: Checks) -> list[dict[str, object]]:
    """Return what each check found, for machines: `code` to `message` only where it failed."""
    return [_check_value(context, name, error) for name, error in checks]


def _check_value(context: Context, name: str, error: CivregError | None) -> dict[str, object]:
    if error is None:
        return {"name": name, "passed": True}
    said = error_values(context, error)
    return {"name": name, "passed": False, **said, "hint": _hint(context, name, error)}


def error_values(context: Context, error: CivregError) -> dict[str, object]:
    """Return why something failed, for machines, with its words in the person's language."""
    words = error_text(context.lang, error.code, details_in(context.lang, error.details))
    return {
        "code": error.code,
        "exit": int(exit_code_of(error.code)),
        "sentence": words.sentence,
        "hint": words.hint,
        "message": str(error),
    }


def _hint(context: Context, name: str, error: CivregError) -> str:
    """Return what helps: who holds a file that is no document can make no other one."""
    if name == FORM:
        return context.say("verify.form_hint")
    return error_text(context.lang, error.code, error.details).hint


def check_lines(context: Context, titles: str, checks: Checks) -> list[str]:
    """Return what each check found, for people; what failed with what to do next.

    Args:
        context: For the language.
        titles: Where the checks' titles stand among the messages, such as `verify.check`.
        checks: By name, in their order, with why they failed.
    """
    lines = [context.say("verify.checks")]
    for name, error in checks:
        title = context.say(f"{titles}.{name}")
        if error is None:
            lines.append(context.say("verify.passed", title=title))
            continue
        words = error_text(context.lang, error.code, details_in(context.lang, error.details))
        said = context.say("verify.failed", title=title, sentence=words.sentence, code=error.code)
        lines += [said, f"  {_hint(context, name, error)}"]
    return lines
