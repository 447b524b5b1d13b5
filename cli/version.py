"""`civreg version` and `civreg completion`: what is installed, and completion for a shell."""

import platform
from importlib.metadata import version as version_of
from typing import Final

import click
from click.shell_completion import get_completion_class

from cli.commands import Command, context_of
from cli.output import Context, accepted

_SHELLS: Final = ("bash", "zsh", "fish")


@click.command(cls=Command)
@click.pass_obj
def version(context: Context) -> None:
    """Show the versions of civreg and of what its signatures and store depend on.

    \b
    Example:
        civreg version --json
    """
    parts = ("cryptography", "msgpack", "plyvel", "aiohttp")
    result = {
        "civreg": version_of("civreg"),
        "python": platform.python_version(),
        **{name: version_of(name) for name in parts},
    }
    accepted(result, context, lines=[f"{name} {number}" for name, number in result.items()])


@click.command(cls=Command)
@click.argument("shell", metavar="SHELL", type=click.Choice(_SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL; load it from your shell's start-up file.

    \b
    Example:
        civreg completion bash
    """
    maker = get_completion_class(shell)
    assert maker is not None, "click knows the three shells"
    script = maker(ctx.find_root().command, {}, "civreg", "_CIVREG_COMPLETE").source()
    accepted({"shell": shell, "script": script}, context_of(ctx), lines=script)
