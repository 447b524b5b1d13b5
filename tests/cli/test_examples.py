"""The examples in the help of every command can be parsed as they stand."""

import re
import shlex
from inspect import cleandoc

import click
import pytest

from cli.main import program
from cli.output import Context
from cli.reference import walk_commands

_FILE_ENDINGS = (
    ".toml", ".draft", ".civreg", ".part", ".pdf", ".receipt", ".bundle", ".csv", ".txt", ".trust",
    ".jsonl", ".evidence", ".application",
)  # fmt: skip
_FOLDERS = ("export", "export-a", "export-b", "node-0", "snapshot")
"""Copies of a chain and of a state that examples name."""


def examples():
    """Yield each example with the command it belongs to."""
    for ctx, command in walk_commands(program):
        _, _, block = cleandoc(command.help or "").partition("\b\nExample")
        for line in block.splitlines():
            if line.strip().startswith("civreg "):
                yield pytest.param(line.strip(), id=f"{ctx.command_path}: {line.strip()}")


def parse(words):
    """Parse a command line down to its verb, without running it."""
    ctx = program.make_context("civreg", list(words), obj=Context())
    command: click.Command = program
    while isinstance(command, click.Group):
        rest = [*ctx._protected_args, *ctx.args]
        if not rest:
            return
        name, found, rest = command.resolve_command(ctx, rest)
        assert found is not None
        command = found
        ctx = command.make_context(name, rest, parent=ctx)


@pytest.mark.parametrize("line", list(examples()))
def test_an_example_can_be_parsed(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in _FOLDERS:
        (tmp_path / folder).mkdir()
    words = shlex.split(re.split(" [<>|] ", line)[0])[1:]
    for word in words:
        if word.endswith(_FILE_ENDINGS) and "/" not in word and "*" not in word:
            (tmp_path / word).touch(mode=0o600)
    parse(words)
