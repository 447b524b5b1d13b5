"""What an office rule finds: a problem that refuses the act, or a warning that stands in it."""

import tomllib
from typing import Final, NamedTuple

from ledger.canonical import Value
from registry.problems import Problem, Text
from registry.rule_pack import PACK_TEXT

_VALUE_CHARS_SHOWN: Final = 64


class Finding(NamedTuple):
    """One thing that a rule found.

    Attributes:
        problem: What, where, under which law.
        refuses: Whether it stops the act; else the entry says *warn*.
    """

    problem: Problem
    refuses: bool


def refuse(rule: str, path: str, value: Value, sentence: Text, example: str) -> Finding:
    """Return a finding that stops the act."""
    return Finding(_problem(rule, path, value, sentence, example), refuses=True)


def warn(rule: str, sentence: Text, path: str = "") -> Finding:
    """Return a finding that stands in the entry as *warn*."""
    return Finding(_problem(rule, path, None, sentence, ""), refuses=False)


def _problem(rule: str, path: str, value: Value, sentence: Text, example: str) -> Problem:
    return Problem(
        field=path,
        value="" if value is None else str(value)[:_VALUE_CHARS_SHOWN],
        rule=rule,
        sentence=sentence,
        article=_BASIS[rule],
        example=example,
    )


_BASIS: Final[dict[str, str]] = {
    name: rule["basis"] for name, rule in tomllib.loads(PACK_TEXT.decode())["rules"].items()
}
