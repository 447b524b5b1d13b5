"""Key files: one private key each, encrypted, for its owner's eyes only, and never half-written.

    civreg-public-key: 1 02c8f2…
    -----BEGIN ENCRYPTED PRIVATE KEY-----
    …                                                PKCS#8 with PBES2 scrypt, see keys.pkcs8
    -----END ENCRYPTED PRIVATE KEY-----

The first line names algorithm and public key in hex, so that a file can be recognised without its
passphrase, and damage is noticed that AES-CBC alone does not show. It is not secret and proves
nothing. Other programs skip it, and a file without it (from the `openssl` tool) is read as well.
"""

import base64
import contextlib
import os
import re
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keys.errors import (
    ExposedKeyFileError,
    InvalidKeyError,
    KeyFileError,
    KeyFileExistsError,
    WrongPassphraseError,
)
from keys.pkcs8 import IV_BYTES, SALT_BYTES, decrypt_pkcs8, encrypt_pkcs8
from keys.private_files import create_private, write_private
from keys.signing import PublicKey, SoftwareKey, parse_public_key

KEY_FILE_BYTES_MAX: Final = 65_536

_PEM_LINE: Final = 64
_ENCRYPTED: Final = "ENCRYPTED PRIVATE KEY"
_PLAIN: Final = "PRIVATE KEY"
_FILE: Final = re.compile(
    r"(?:civreg-public-key: ([0-9]{1,3}) ([0-9a-f]+)\n)?"
    r"-----BEGIN ((?:ENCRYPTED )?PRIVATE KEY)-----\n"
    r"((?:[A-Za-z0-9+/=]{1,76}\n)+)"
    r"-----END \3-----\n?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class _KeyFile:
    public: PublicKey | None
    encrypted: bool
    der: bytes


def create_key_file(
    path: Path, key: SoftwareKey, passphrase: bytes | None, *, unencrypted: bool = False
) -> None:
    """Write a new key file, mode 0600, complete or not at all; never over an existing file.

    Args:
        path: In a directory that exists, on a file system with hard links.
        key: A key of any algorithm.
        passphrase: In UTF-8, not empty; None only together with `unencrypted=True`.
        unencrypted: Store the bare key; for machines that protect the disk otherwise.

    Raises:
        KeyFileExistsError: There is something at `path` already.
        KeyFileError: No passphrase without `unencrypted`, or both; the disk refuses.
    """
    content = _print(key, passphrase, unencrypted=unencrypted)
    with _translated(path):
        create_private(path, content)


def load_key_file(path: Path, passphrase: bytes | None) -> SoftwareKey:
    """Read a key file.

    Args:
        path: A regular file of at most 64 KiB which group and others cannot use.
        passphrase: None for an unencrypted file.

    Raises:
        ExposedKeyFileError: Group or others have any right to it.
        WrongPassphraseError: The passphrase does not open it, or it needs one.
        KeyFileError: Absent, damaged, of another kind, or unencrypted though a passphrase is given.
    """
    file = _read(path)
    key = _decrypt(file.der, passphrase) if file.encrypted else _plain(file.der, passphrase)
    if file.public not in {None, key.public}:
        raise KeyFileError("the key file is damaged: it holds another key than its first line says")
    return key


def read_public_key(path: Path) -> PublicKey:
    """Read whose key a key file says it holds, without its passphrase; `load_key_file` checks it.

    Raises:
        ExposedKeyFileError: Group or others have any right to it.
        KeyFileError: Absent, damaged, or without the line that says so.
    """
    public = _read(path).public
    if public is None:
        raise KeyFileError("the key file has no line that names its public key", path=str(path))
    return public


def change_passphrase(
    path: Path, old: bytes | None, new: bytes | None, *, unencrypted: bool = False
) -> None:
    """Encrypt a key file anew, in one step: after a crash it has the old passphrase or the new one.

    The old bytes may survive in free blocks of the disk; a key whose passphrase became known needs
    a rotation on the ledger, not a new passphrase.

    Args:
        path: An existing key file.
        old: Its passphrase, None if it is unencrypted.
        new: The next one; None only together with `unencrypted=True`.
        unencrypted: Store the bare key from now on.

    Raises:
        KeyFileError: And its kinds, as `load_key_file` and `create_key_file` say.
    """
    content = _print(load_key_file(path, old), new, unencrypted=unencrypted)
    with _translated(path):
        write_private(path, content)


def _decrypt(der: bytes, passphrase: bytes | None) -> SoftwareKey:
    if passphrase is None:
        raise WrongPassphraseError("the key file is encrypted and needs its passphrase")
    try:
        return SoftwareKey.from_private_der(decrypt_pkcs8(der, passphrase))
    except InvalidKeyError as error:
        raise WrongPassphraseError("the passphrase does not open the key file") from error


def _plain(der: bytes, passphrase: bytes | None) -> SoftwareKey:
    if passphrase is not None:
        raise KeyFileError("the key file is not encrypted, but a passphrase was given")
    try:
        return SoftwareKey.from_private_der(der)
    except InvalidKeyError as error:
        raise KeyFileError("the key file holds no key that civreg uses") from error


def _print(key: SoftwareKey, passphrase: bytes | None, *, unencrypted: bool) -> bytes:
    if unencrypted != (passphrase is None):
        raise KeyFileError("give a passphrase, or ask for an unencrypted key file, not both")
    if passphrase is None:
        label, der = _PLAIN, key.to_private_der()
    elif passphrase:
        salt, iv = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(IV_BYTES)
        label, der = _ENCRYPTED, encrypt_pkcs8(key.to_private_der(), passphrase, salt, iv)
    else:
        raise KeyFileError("the passphrase is empty")
    text = base64.b64encode(der).decode("ascii")
    lines = [text[at : at + _PEM_LINE] for at in range(0, len(text), _PEM_LINE)]
    first = f"civreg-public-key: {key.public.algorithm:d} {key.public.public.hex()}"
    armour = [first, f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]
    return "\n".join(armour).encode("ascii")


def _read(path: Path) -> _KeyFile:
    with _translated(path):
        # O_NONBLOCK: opening a named pipe must not wait for somebody to write into it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise KeyFileError("the key file is no regular file", path=str(path))
            if status.st_mode & 0o077:
                raise ExposedKeyFileError(
                    "others may use the key file; make it yours alone with chmod 600",
                    path=str(path),
                    mode=f"{stat.S_IMODE(status.st_mode):04o}",
                )
            content = file.read(KEY_FILE_BYTES_MAX + 1)
    if len(content) > KEY_FILE_BYTES_MAX:
        raise KeyFileError(f"the key file is over {KEY_FILE_BYTES_MAX} bytes", path=str(path))
    return _parse(content)


def _parse(content: bytes) -> _KeyFile:
    match = _FILE.fullmatch(content.decode("ascii", errors="replace"))
    if match is None:
        raise KeyFileError("the key file is not a PEM file with one PKCS#8 private key")
    algorithm, public, label, body = match.groups()
    try:
        der = base64.b64decode(body.replace("\n", ""), validate=True)
        named = parse_public_key(int(algorithm), bytes.fromhex(public)) if public else None
    except (ValueError, InvalidKeyError) as error:
        raise KeyFileError("the key file is damaged") from error
    return _KeyFile(named, label == _ENCRYPTED, der)


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn what the operating system says into a KeyFileError."""
    try:
        yield
    except FileExistsError as error:
        raise KeyFileExistsError(
            "there is a file already; choose another name", path=str(path)
        ) from error
    except (OSError, ValueError) as error:
        raise KeyFileError(f"the key file cannot be used: {error}", path=str(path)) from error
