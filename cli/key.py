"""`civreg key`: encrypted key files of a home folder; made, shown, listed, re-encrypted.

A key file is mode 0600 and named for what it is used for. Public keys are shown as did:key and with
the short fingerprint that people compare.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from cli.commands import Command, Group
from cli.errors import NotFoundError
from cli.key_ring import KEY_FOLDERS, KEY_SUFFIX
from cli.output import Context, accepted, confirm, suggested
from cli.passphrases import Source, key_opener, new_passphrase, passphrase_options, source
from keys.did import fingerprint, print_did
from keys.errors import CivregError, InvalidKeyError
from keys.keyring import change_passphrase, create_key_file, read_public_key
from keys.signing import Algorithm, PublicKey, SoftwareKey

ALGORITHMS: Final = {
    "p256": Algorithm.P256,
    "ed25519": Algorithm.ED25519,
    "mlkem768-x25519": Algorithm.MLKEM768_X25519,
    "mldsa65": Algorithm.MLDSA65,
}
PERSON_PURPOSES: Final = ("sign", "auth", "seal")
"""What a person needs: a key to consent, one to ask, one to which records are sealed."""
FOLDER_MODE: Final = 0o700
SHOWN_CHARS_MAX: Final = 96

_NAME_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")


@click.group(cls=Group)
def key() -> None:
    """Make and keep private keys.

    \b
    Example:
        civreg key new lan --person
        civreg key list
    """


@key.command(cls=Command, changes=True)
@click.argument("name")
@click.option(
    "--algorithm",
    type=click.Choice(list(ALGORITHMS)),
    default="p256",
    show_default=True,
    help="What kind of key.",
)
@click.option("--person", is_flag=True, help="Make NAME-sign, NAME-auth and NAME-seal at once.")
@click.option("--unencrypted", is_flag=True, help="Without a passphrase; only for tests.")
@passphrase_options
@click.pass_obj
def new(context: Context, name: str, algorithm: str, *, person: bool, unencrypted: bool) -> None:
    """Make a key and write it to keys/NAME.pem of the home folder, mode 0600.

    The passphrase is asked for twice, or read from a file or descriptor; it is never an option.

    \b
    Example:
        civreg key new lan --person
        civreg key new minh-sign --passphrase-file passphrase.txt
    """
    _check_name(name)
    names = [f"{name}-{purpose}" for purpose in PERSON_PURPOSES] if person else [name]
    folder = context.home / "keys"
    paths = [folder / f"{each}{KEY_SUFFIX}" for each in names]
    if context.dry_run:
        accepted({"would_write": [str(path) for path in paths]}, context)
        return
    passphrase = None if unencrypted else new_passphrase(context, source())
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    for path in paths:
        made = SoftwareKey.generate(ALGORITHMS[algorithm])
        create_key_file(path, made, passphrase, unencrypted=unencrypted)
        last = path == paths[-1]
        following = suggested("key", "export-public", names[0]) if last else None
        _say_key(context, KeyFile(path, made.public), next_command=following)


@key.command(cls=Command)
@click.argument("name")
@click.pass_obj
def show(context: Context, name: str) -> None:
    """Show the public half of a key: did:key, fingerprint and key id.

    NAME is a key of the home folder or a file.

    \b
    Example:
        civreg key show lan-sign
    """
    _say_key(context, find_key(context.home, name))


@key.command("list", cls=Command)
@click.pass_obj
def list_keys(context: Context) -> None:
    """List the keys of the home folder.

    \b
    Example:
        civreg key list --json
    """
    for found in all_keys(context.home):
        _say_key(context, found)


@key.command("change-passphrase", cls=Command, changes=True)
@click.argument("name")
@click.option(
    "--new-passphrase-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File whose first line is the new passphrase; mode 0600.",
)
@click.option("--unencrypted", is_flag=True, help="Store it without a passphrase from now on.")
@passphrase_options
@click.pass_obj
def change(
    context: Context, name: str, *, new_passphrase_file: Path | None, unencrypted: bool
) -> None:
    """Encrypt a key file anew; after a crash it has the old passphrase or the new one.

    A key whose passphrase became known needs a new key on the ledger, not a new passphrase.

    \b
    Example:
        civreg key change-passphrase lan-sign
    """
    found = find_key(context.home, name)
    _key, old = key_opener(context).unlock(found.path)
    if context.dry_run:
        accepted({"would_write": str(found.path)}, context)
        return
    confirm(context.say("key.change", name=found.path.name), context)
    wanted = None if unencrypted else new_passphrase(context, Source(new_passphrase_file))
    change_passphrase(found.path, old, wanted, unencrypted=unencrypted)
    _say_key(context, found)


@key.command("export-public", cls=Command)
@click.argument("name")
@click.pass_obj
def export_public(context: Context, name: str) -> None:
    """Print only the public key, to hand to an office: did:key, else ALGORITHM:HEX.

    \b
    Example:
        civreg key export-public lan-sign > lan.did
    """
    found = find_key(context.home, name)
    shown = print_public(found.public)
    accepted({"public": shown}, context, lines=shown)


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A key file and the public key it says it holds."""

    path: Path
    public: PublicKey


def find_key(home: Path, name: str) -> KeyFile:
    """Return a key of a home folder by name, or a key file by its path.

    Raises:
        NotFoundError: There is none.
        KeyFileError: It is no key file, or others may read it.
    """
    places = [home / folder / f"{name}{KEY_SUFFIX}" for folder in KEY_FOLDERS]
    for path in [*places, Path(name)]:
        if path.is_file():
            return KeyFile(path, read_public_key(path))
    raise NotFoundError(f"there is no key {name!r} in {home}", name=name)


def all_keys(home: Path) -> list[KeyFile]:
    """Return the keys of a home folder, by folder and name; damaged files are left out."""
    found: list[KeyFile] = []
    for folder in KEY_FOLDERS:
        for path in sorted((home / folder).glob(f"*{KEY_SUFFIX}")):
            try:
                found.append(KeyFile(path, read_public_key(path)))
            except CivregError:
                continue
    return found


def print_public(public: PublicKey) -> str:
    """Return a public key as one word: did:key where there is such a form, else `NUMBER:HEX`."""
    try:
        return print_did(public)
    except InvalidKeyError:
        return f"{public.algorithm:d}:{public.public.hex()}"


def _say_key(context: Context, found: KeyFile, *, next_command: str | None = None) -> None:
    shown = print_public(found.public)
    result = {
        "name": found.path.stem,
        "file": found.path,
        "algorithm": found.public.algorithm.name.lower(),
        "public": shown,
        "fingerprint": fingerprint(found.public),
        "key_id": found.public.key_id,
    }
    lines = [
        context.say("key.line", name=found.path.stem, algorithm=result["algorithm"]),
        f"  {shown if len(shown) <= SHOWN_CHARS_MAX else shown[:60] + '…'}",
        f"  {context.say('key.fingerprint')} {result['fingerprint']}"
        f"  {context.say('key.id')} {found.public.key_id.hex()}",
        f"  {found.path}",
    ]
    accepted(result, context, lines=lines, next_command=next_command)


def _check_name(name: str) -> None:
    if not name or name.startswith(".") or not _NAME_CHARACTERS.issuperset(name):
        raise click.BadParameter("a-z, 0-9, - and _ make a name", param_hint="NAME")
