"""Options of the commands of governance, and how they say what came of an act."""

from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TypeVar, cast

import click

from cli.decision_acts import Done, Signing
from cli.output import Context, accepted
from cli.passphrases import passphrase_options
from cli.sent import unsettled

_F = TypeVar("_F", bound=Callable[..., object])


def signing(command: _F) -> _F:
    """Give a command the options of everything that governance keys sign, as `given`."""

    @wraps(command)
    def signed(
        *args: object,
        agency: str,
        asker: str,
        draft: Path | None,
        governors: tuple[str, ...],
        **more: object,
    ) -> object:
        given = Signing(agency=agency, asker=asker, draft=draft, governors=governors)
        return command(*args, given=given, **more)

    by = click.option(
        "--by", "agency", metavar="AGENCY", default="", help="Whose governance keys sign."
    )
    draft_option = click.option(
        "--draft", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
        help="Write a draft here for the governors whose keys are elsewhere.",
    )  # fmt: skip
    governor = click.option(
        "--governor", "governors", metavar="WHO", multiple=True,
        help="Who else signs: a did:key, a key id or a key file; else those at hand first.",
    )  # fmt: skip
    return cast("_F", by(draft_option(governor(asking(signed)))))


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
