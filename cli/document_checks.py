"""The checks of a document (receipt, certificate, evidence), told one by one."""

from collections.abc import Sequence
from typing import TypeAlias

from cli.exit_codes import exit_code_of
from cli.languages import error_text
from cli.output import Context
from keys.errors import CivregError

Checks: TypeAlias = Sequence[tuple[str, CivregError | None]]


def check_values(context: Context, checks: Checks) -> list[dict[str, object]]:
    """Return what each check found, for machines: `code` to `message` only where it failed."""
    return [_check_value(context, name, error) for name, error in checks]


def _check_value(context: Context, name: str, error: CivregError | None) -> dict[str, object]:
    if error is None:
        return {"name": name, "passed": True}
    words = error_text(context.lang, error.code, error.details)
    return {
        "name": name,
        "passed": False,
        "code": error.code,
        "exit": int(exit_code_of(error.code)),
        "sentence": words.sentence,
        "hint": words.hint,
        "message": str(error),
    }


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
        words = error_text(context.lang, error.code, error.details)
        said = context.say("verify.failed", title=title, sentence=words.sentence, code=error.code)
        lines += [said, f"  {words.hint}"]
    return lines
