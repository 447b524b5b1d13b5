"""The program `civreg`: finds the commands and turns every refusal into an exit status.

It refuses to run under `python -O`, because assertions guard what the ledger believes about itself.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from cli.commands import LazyGroup, scan
from cli.errors import (
    BadParameterError,
    CancelledError,
    FileAccessError,
    InternalFaultError,
    MissingParameterError,
    NoSuchCommandError,
    NoSuchFileError,
    NoSuchOptionError,
    OptimizedPythonError,
    UsageError,
)
from cli.exit_codes import ExitCode
from cli.interrupts import as_before
from cli.languages import language_of_locale
from cli.output import Context, refused
from keys.errors import CivregError

_DEBUG_VARIABLE: Final = "CIVREG_DEBUG"  # set: a fault of ours ends with its traceback


class Program(LazyGroup):
    """The outermost group: it alone catches errors, prints them and chooses the exit status."""

    def main(  # type: ignore[override]  # click's overloads tell standalone modes apart; we have one
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        **extra: Any,  # noqa: ANN401 - click's own types
    ) -> None:
        """Run one command line and end the process with its exit status.

        Args:
            args: The words after `civreg`; those of the process by default.
            prog_name: Shown in help; `civreg` by default.
            extra: Settings of click's context, such as `obj`.

        Raises:
            SystemExit: always.
        """
        words = list(sys.argv[1:] if args is None else args)
        context = scan(words, default_context())
        extra = {"obj": context} | extra | {"standalone_mode": False}
        try:
            with as_before():
                answer: object = super().main(words, prog_name or "civreg", **extra)
        except BrokenPipeError:
            _forget_stdout()
            raise SystemExit(ExitCode.FAILED) from None
        except (Exception, KeyboardInterrupt) as error:
            if not isinstance(error, CivregError | click.ClickException | click.Abort):
                _raise_if_debugging(error)
            raise SystemExit(refused(as_civreg_error(error), context)) from error
        raise SystemExit(answer if isinstance(answer, int) else ExitCode.OK)


@click.group(cls=Program, name="civreg", context_settings={"help_option_names": ["-h", "--help"]})
def program() -> None:
    """Run and use a civil registry that several agencies keep together.

    \b
    Example:
        civreg demo
        civreg verify birth-0042.receipt --trust trust.bundle
    """


def main() -> None:
    """Start `civreg`; the console script.

    Raises:
        SystemExit: always, with a number of `cli.exit_codes`.
    """
    if not __debug__:
        error = OptimizedPythonError("python runs with -O or PYTHONOPTIMIZE")
        raise SystemExit(refused(error, scan(sys.argv[1:], default_context())))
    program.main()


def default_context() -> Context:
    """Return the context before any option: language of the locale, home by the XDG rules."""
    data = os.environ.get("XDG_DATA_HOME", "")
    base = Path(data) if data.startswith("/") else Path.home() / ".local" / "share"
    return Context(lang=language_of_locale(), home=base / "civreg")


def as_civreg_error(error: BaseException) -> CivregError:
    """Return the civreg error that says what `error` means to a person at the command line."""
    match error:
        case CivregError():
            return error
        case click.Abort() | KeyboardInterrupt() | EOFError():
            return CancelledError("cancelled before it was finished")
        case click.UsageError():
            return _usage_error(error)
        case click.FileError():
            return FileAccessError(
                error.format_message(), name=str(error.ui_filename), reason=error.message
            )
        case FileNotFoundError():
            return NoSuchFileError("there is no such file", name=str(error.filename))
        case OSError() if error.filename is not None:
            reason = str(error.strerror)
            return FileAccessError(reason, name=str(error.filename), reason=reason)
        case _:
            kind = type(error).__name__
            return InternalFaultError(f"{kind}: {error}", kind=kind)


def _usage_error(error: click.UsageError) -> CivregError:
    message = error.format_message()
    match error:
        case click.NoSuchCommand():
            nearest = ", ".join(error.possibilities or "-")
            return NoSuchCommandError(message, name=error.command_name, nearest=nearest)
        case click.NoSuchOption():
            nearest = ", ".join(error.possibilities or "-")
            return NoSuchOptionError(message, name=error.option_name, nearest=nearest)
        case click.MissingParameter():
            return MissingParameterError(message, name=_name_of(error))
        case click.BadParameter():
            return BadParameterError(message, name=_name_of(error))
        case _:
            return UsageError(message)


def _name_of(error: click.BadParameter) -> str:
    if error.param is not None:
        return error.param.get_error_hint(error.ctx) if error.ctx else str(error.param.name)
    return str(error.param_hint or "")


def _raise_if_debugging(error: BaseException) -> None:
    if os.environ.get(_DEBUG_VARIABLE) and not isinstance(error, KeyboardInterrupt):
        raise error


def _forget_stdout() -> None:
    """Whoever read our output has gone; keep the interpreter from complaining when it flushes."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


if __name__ == "__main__":
    main()
