"""Options of the commands of governance, and how they say what came of an act."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import click

from cli.decision_acts import Done
from cli.output import Context, accepted
from cli.passphrases import passphrase_options
from cli.sent import unsettled

_F = TypeVar("_F", bound=Callable[..., object])


def signing(command: _F) -> _F:
    """Give a command the options of everything that governance keys sign."""
    by = click.option(
        "--by", "agency", metavar="AGENCY", default="", help="Whose governance keys sign."
    )
    return by(asking(command))


def asking(command: _F) -> _F:
    """Give a command the options of everything that asks nodes."""
    auth = click.option(
        "--auth", "asker", metavar="NAME", default="",
        help="Whose auth key signs the requests to nodes.",
    )  # fmt: skip
    return passphrase_options(auth(command))


def say_done(
    context: Context,
    result: dict[str, object],
    done: Done,
    *,
    said: str,
    next_command: str,
    words: Mapping[str, str] | None = None,
) -> None:
    """Say what came of an act, or, for a dry run, that the ledger would accept it.

    Args:
        context: The language.
        result: For programs.
        done: What came of it.
        said: Text of the catalogue.
        next_command: What to try next.
        words: What people read in the place of codes of the result.
    """
    if done.height is None:
        accepted({**result, "dry_run": True}, context, lines=context.say("act.would_pass"))
        return
    others = [str(kept) for kept in unsettled(context.home)]
    shown = {**result, "entry": done.entry, "height": done.height, "unsettled": others}
    accepted(
        shown,
        context,
        lines=context.say(said, **shown | dict(words or {})),
        next_command=next_command,
    )
