"""The options of commands that open a record: why an officer reads it."""

from collections.abc import Mapping
from typing import Any

import click

from cli.accesses import AccessWish


def access_options(*, may_state: bool = True) -> list[click.Parameter]:
    """Return the options of a command that opens a record, for which an officer files an access.

    Args:
        may_state: Whether the purpose of reading can be named.
    """
    purpose = click.Option(
        ["--purpose", "reading_purpose"],
        metavar="CODE",
        default="",
        help="Why the record is read, kept with the access; by default what the command is for.",
    )
    log = click.Option(
        ["--log-access"],
        is_flag=True,
        help="File the access in a dry run too, so that the record opens.",
    )
    return [purpose, log] if may_state else [log]


def with_access_options(command: click.Command) -> click.Command:
    """Give a command these options."""
    command.params = [*access_options(), *command.params]
    return command


def access_wish(given: Mapping[str, Any]) -> AccessWish:
    """Return what a person said with these options."""
    return AccessWish(purpose=given.get("reading_purpose") or "", log=bool(given.get("log_access")))
