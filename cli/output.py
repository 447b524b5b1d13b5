"""What a command prints, and where: data on stdout, everything said to a person on stderr.

With `--json` each result is one JSON object on one line of stdout, and a refusal one on stderr.
Nothing moves and nothing is coloured unless stderr is a terminal; `NO_COLOR` is obeyed. Every
command receives a `Context` and calls `accepted` once for each result; it raises a `CivregError`
for a refusal, and the group in `cli.main` calls `refused`.
"""

import json
import os
import shlex
import sys
import time
import unicodedata
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, TypeAlias

import click

from cli.errors import CancelledError, code_of
from cli.exit_codes import ExitCode, exit_code_of
from cli.languages import Language, catalogue, error_text, text
from keys.errors import CivregError

Advance: TypeAlias = Callable[[int], None]

_LINE_EVERY_SECONDS: Final = 5.0  # without a terminal: a log should show life, not fill up


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the person asked for on the command line, for every command alike.

    Attributes:
        lang: The language of sentences; never of JSON keys.
        as_json: One JSON object a line instead of lines for people.
        home: The folder of keys, networks and settings; may not exist yet.
        home_named: Whether the person named it, so that suggested commands must name it too.
        yes: Do not ask before something is changed.
        dry_run: Say what would be done and change nothing.
    """

    lang: Language = "en"
    as_json: bool = False
    home: Path = Path()
    home_named: bool = False
    yes: bool = False
    dry_run: bool = False

    def say(self, key: str, **values: object) -> str:
        """Return the text `key` of the catalogue in this person's language."""
        return text(self.lang, key, **values)


def accepted(
    result: Mapping[str, object],
    context: Context,
    *,
    lines: str | Sequence[str] | None = None,
    next_command: str | None = None,
    elsewhere: bool = False,
) -> None:
    """Print a result.

    Args:
        result: The data, with snake_case keys and the unit last; printed as it is with `--json`.
            Bytes are shown in hex, paths and enums by their value.
        context: Chooses between JSON and lines.
        lines: What a person reads instead; by default `label: value` for each item of the result,
            labels from `frame.result.KEY` of the catalogue.
        next_command: What to try next, shown on stderr to a person only.
        elsewhere: Whether somebody else does that, in a home of their own.
    """
    if context.as_json:
        click.echo(json.dumps(result, ensure_ascii=False, default=_plain))
        return
    if lines is None:
        lines = [f"{_label(key, context)}: {_shown(value)}" for key, value in result.items()]
    for line in [lines] if isinstance(lines, str) else lines:
        click.echo(line)
    if next_command is not None:
        command = next_command if elsewhere else at_home(next_command, context)
        note(f"{context.say('frame.next')} {command}", context)


def _label(key: str, context: Context) -> str:
    """Return what people call an item of a result."""
    return catalogue(context.lang).texts.get(f"frame.result.{key}", key)


def suggested(*words: object) -> str:
    """Return a command of civreg as one pastes it into a shell: each word quoted as it must be.

    Ids end in characters such as `*`, `~` and `$`, and folders have blanks in their names.
    """
    return shlex.join(["civreg", *map(str, words)])


def at_home(command: str, context: Context) -> str:
    """Return a suggested command for the home that the person named."""
    words = command.split(" ")
    if not context.home_named or words[0] != "civreg" or "--home" in words:
        return command
    return " ".join(["civreg", "--home", shlex.quote(str(context.home)), *words[1:]])


def refused(error: CivregError, context: Context) -> ExitCode:
    """Print why something was refused, on stderr, and return the exit status to end with.

    People get a sentence with the stable code, a detail below it, and a hint; `--json` gives one
    object with `error` holding code, exit, sentence, hint, message and details.
    """
    code = code_of(error)
    status = exit_code_of(code)
    words = error_text(context.lang, code, _details(error, context.lang))
    message = str(error)
    problems = _problems(error, context.lang)
    if context.as_json:
        body = {
            "code": code,
            "exit": int(status),
            "sentence": words.sentence,
            "hint": words.hint,
            "message": message,
            "details": error.details,
            **({"problems": problems} if problems else {}),
        }
        click.echo(json.dumps({"error": body}, ensure_ascii=False, default=_plain), err=True)
        return status
    for problem in problems:
        _to_stderr(f"- {problem}")
    label = click.style(context.say("frame.error"), fg="red", bold=True)
    _to_stderr(f"{label} {words.sentence} [{code}]")
    detail = _detail(error, words.sentence, context.lang)
    if detail:
        _to_stderr(f"{context.say('frame.detail')} {detail}")
    _to_stderr(f"{context.say('frame.hint')} {words.hint}")
    return status


def _detail(error: CivregError, sentence: str, language: Language) -> str:
    """Return what an error says beyond its sentence, in the language of the person.

    The message of an error is for logs, and so in English. Where the catalogue has it in Vietnamese
    it is told so; else its facts are told one by one, as far as the sentence has not told them.
    """
    if language == "en":
        return "" if str(error) == sentence else str(error)
    # Only who is refused something needs it.
    from cli.details import told_in  # noqa: PLC0415

    told = told_in(language, error)
    if told is not None:
        return told
    names = catalogue(language).texts
    return "; ".join(
        f"{names.get(f'frame.fact.{name}', name)}: {value}"
        for name, value in _details(error, language).items()
        if str(value) not in sentence
    )


def _details(error: CivregError, language: Language) -> Mapping[str, object]:
    """Return the details of an error in the words of the person's language."""
    if language == "en":
        return error.details
    from cli.details import details_in  # noqa: PLC0415 - as above

    return details_in(language, error.details)


def _problems(error: CivregError, language: Language) -> list[str]:
    """Return one line for each thing that is wrong, of an error that has several."""
    found = getattr(error, "problems", ())
    return [
        problem.explain(language) if hasattr(problem, "explain") else str(problem)
        for problem in found
    ]


def note(message: str, context: Context) -> None:
    """Say something to a person on stderr; silent with `--json`."""
    if not context.as_json:
        _to_stderr(message)


def confirm(question: str, context: Context) -> None:
    """Go on only if the person agrees; `--yes` and `--dry-run` agree beforehand.

    Raises:
        CancelledError: if the person says no, or if there is no terminal to ask at.
    """
    if context.yes or context.dry_run:
        return
    if context.as_json or not sys.stdin.isatty():
        raise CancelledError("nobody to ask: there is no terminal and --yes was not given")
    if not _agrees(question, context):
        raise CancelledError("the person said no")


def _agrees(question: str, context: Context) -> bool:
    """Ask until the answer is a yes or a no; Vietnamese knows c and k beside y and n."""
    words = {
        word: answer
        for key, answer in (("frame.yes_words", True), ("frame.no_words", False))
        for word in context.say(key).split()
    }
    while True:
        said: str = click.prompt(
            f"{question} {context.say('frame.yes_or_no')}", default="", show_default=False, err=True
        )
        answer = words.get(unicodedata.normalize("NFC", said).strip().lower())
        if answer is not None or not said.strip():
            return bool(answer)
        _to_stderr(context.say("frame.not_understood"))


@contextmanager
def progress(label: str, total: int, context: Context) -> Generator[Advance]:
    """Show how far a long piece of work is, with rate and time left; yields `advance(count)`.

    A moving bar on a terminal, a line every few seconds otherwise, nothing with `--json`.

    Args:
        label: What is being done, in the person's language.
        total: How many steps there are; 0 if unknown.
        context: Chooses how it is shown.
    """
    if context.as_json:
        yield _nothing
    elif _animated():
        with _bar(label, total) as advance:
            yield advance
    else:
        lines = _ProgressLines(label, total, context)
        yield lines.advance
        lines.show()


class _ProgressLines:
    """Progress without a terminal: a plain line now and then, and one at the end."""

    def __init__(self, label: str, total: int, context: Context) -> None:
        self._label, self._total, self._context = label, total, context
        self._done = 0
        self._started = self._shown = time.monotonic()

    def advance(self, count: int) -> None:
        self._done += count
        if time.monotonic() - self._shown >= _LINE_EVERY_SECONDS:
            self.show()

    def show(self) -> None:
        self._shown = time.monotonic()
        rate = self._done / max(self._shown - self._started, 0.001)
        left = max(self._total - self._done, 0) / rate if rate else 0.0
        note(
            self._context.say(
                "frame.progress",
                label=self._label,
                done=f"{self._done:,}",
                total=f"{self._total:,}" if self._total else "?",
                rate=f"{rate:,.0f}",
                left=f"{left:.0f}",
            ),
            self._context,
        )


@contextmanager
def _bar(label: str, total: int) -> Generator[Advance]:
    # rich takes 0.1 s to import; only a person at a terminal needs it.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text  # noqa: PLC0415

    class Rate(ProgressColumn):
        """Steps a second."""

        def render(self, task: object) -> Text:
            speed = getattr(task, "finished_speed", None) or getattr(task, "speed", None) or 0.0
            return Text(f"{speed:,.0f}/s")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total or None)
        yield lambda count: bar.advance(task, count)


def _animated() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def _nothing(_count: int) -> None:
    return


def _to_stderr(message: str) -> None:
    # click strips colours itself when stderr is no terminal; NO_COLOR it leaves to us.
    click.echo(message, err=True, color=False if os.environ.get("NO_COLOR") else None)


def _plain(value: object) -> object:
    """Return what JSON can hold for a value that it cannot."""
    match value:
        case bytes():
            return value.hex()
        case Enum():
            return value.value
        case Path():
            return str(value)
        case _:
            raise TypeError(f"a result holds a {type(value).__name__}, which JSON cannot show")


def _shown(value: object) -> str:
    match value:
        case str():
            return value
        case bytes() | Path():
            return str(_plain(value))
        case _:
            return json.dumps(value, ensure_ascii=False, default=_plain)
