"""Where a passphrase comes from: a file, an inherited descriptor, or a person at a terminal.

Never a flag and never the environment: other people on the machine could read those. A file must be
the person's own (mode 0600), and only its first line counts.
"""

import os
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import click

from cli.errors import FileAccessError, InvalidInputError, KeyNeededError
from cli.key_ring import AskPassphrase, KeyOpener
from cli.output import Context, note
from keys.errors import WrongPassphraseError

PASSPHRASE_BYTES_MAX: Final = 1_024
TRIES_MAX: Final = 3
"""So often a person is asked for the passphrase of one key."""
_META: Final = "civreg."
_F = TypeVar("_F", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Source:
    """Where the passphrase is: a file, a descriptor, or, with neither, the person."""

    file: Path | None = None
    descriptor: int | None = None


def passphrase_options(command: _F) -> _F:
    """Give a command --passphrase-file and --passphrase-fd; `source` returns what was given."""

    def keep(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
        ctx.meta[f"{_META}{parameter.name}"] = value

    file = click.option(
        "--passphrase-file",
        type=click.Path(path_type=Path, dir_okay=False),
        expose_value=False,
        callback=keep,
        help="File whose first line is the passphrase of the keys; mode 0600.",
    )
    descriptor = click.option(
        "--passphrase-fd",
        type=int,
        expose_value=False,
        callback=keep,
        help="Open descriptor from which the passphrase is read.",
    )
    return file(descriptor(command))


def source() -> Source:
    """Return where the command that runs now was told to find the passphrase."""
    meta = click.get_current_context().meta
    return Source(meta.get(f"{_META}passphrase_file"), meta.get(f"{_META}passphrase_fd"))


def asker(context: Context, where: Source) -> AskPassphrase:
    """Return what finds the passphrase of a key file: one from a file or descriptor, or a person.

    A person who mistypes is told so and asked again; a file says the same however often it is read.

    Args:
        context: For the language of the prompt.
        where: From `source`.
    """
    known: list[bytes] = []

    def ask(path: Path, wrong: int) -> bytes:
        if wrong >= (TRIES_MAX if where == Source() else 1):
            raise WrongPassphraseError(
                f"the passphrase does not open the key file {path.name}", name=path.name
            )
        if where == Source():
            if wrong:
                note(context.say("key.passphrase_wrong", name=path.name), context)
            return _prompt(context.say("key.passphrase_of", name=path.name))
        if not known:
            known.append(given(where) or b"")
        return known[0]

    return ask


def key_opener(context: Context) -> KeyOpener:
    """Return what opens the key files of the command that runs now."""
    return KeyOpener(asker(context, source()))


def new_passphrase(context: Context, where: Source) -> bytes:
    """Return the passphrase for a new key file; at a terminal it is typed twice.

    Raises:
        KeyNeededError: There is no source and no terminal.
        InvalidInputError: It is empty, or the two differ.
    """
    found = given(where)
    if found is None:
        found = _prompt(context.say("key.passphrase_new"))
        if _prompt(context.say("key.passphrase_again")) != found:
            raise InvalidInputError("the two passphrases differ", name="passphrase")
    if not found:
        raise InvalidInputError("the passphrase is empty", name="passphrase")
    return found


def given(where: Source) -> bytes | None:
    """Return the passphrase of a file or descriptor, None if neither is given.

    Raises:
        FileAccessError: It cannot be read, or others may read the file.
    """
    if where.file is not None:
        return _of_file(where.file)
    if where.descriptor is None:
        return None
    try:
        with os.fdopen(os.dup(where.descriptor), "rb") as stream:
            return _first_line(stream.read(PASSPHRASE_BYTES_MAX + 1))
    except OSError as error:
        name = f"descriptor {where.descriptor}"
        raise FileAccessError(str(error), name=name, reason=str(error.strerror)) from error


def _of_file(file: Path) -> bytes:
    with file.open("rb") as stream:
        mode = os.fstat(stream.fileno()).st_mode
        if stat.S_ISREG(mode) and mode & 0o077:
            reason = "others may read it; make it yours alone with chmod 600"
            raise FileAccessError(reason, name=str(file), reason=reason)
        return _first_line(stream.read(PASSPHRASE_BYTES_MAX + 1))


def _first_line(content: bytes) -> bytes:
    if len(content) > PASSPHRASE_BYTES_MAX:
        raise InvalidInputError(
            f"a passphrase of over {PASSPHRASE_BYTES_MAX} bytes", name="passphrase"
        )
    return content.partition(b"\n")[0].removesuffix(b"\r")


def _prompt(question: str) -> bytes:
    if not sys.stdin.isatty():
        raise KeyNeededError(
            "there is no terminal to ask for the passphrase; name a file with --passphrase-file",
            purpose="passphrase",
        )
    answer: str = click.prompt(question, hide_input=True, err=True)
    return answer.encode()
