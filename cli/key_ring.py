"""The private keys at hand: of a home folder, of files named on the command line, or made just now.

A key is found by its id, because a draft names key ids. Key files of a home are recognised by their
first line, so a passphrase is asked for only when a key is really needed. Most people have one
passphrase for all their keys: what opened one file is tried on the next before anybody is asked.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from cli.errors import KeyNeededError, NotFoundError
from keys.errors import CivregError, KeyFileError, WrongPassphraseError
from keys.keyring import load_key_file, read_public_key
from keys.signing import KeyId, PublicKey, SoftwareKey

KEY_FOLDERS: Final = ("keys", "officers", "governance")
"""Folders of a home in which key files lie."""
KEY_SUFFIX: Final = ".pem"

AskPassphrase = Callable[[Path, int], bytes]
"""Returns a passphrase for a key file, told how many were wrong so far.

Raises KeyNeededError if nobody can be asked, WrongPassphraseError when there is none left to try.
"""


def nobody_to_ask(path: Path, _wrong: int) -> bytes:
    """Refuse to guess a passphrase.

    Raises:
        KeyNeededError: always.
    """
    raise KeyNeededError(
        f"the key file {path.name} is encrypted and no passphrase was given", purpose=path.stem
    )


class KeyOpener:
    """Opens key files of one person; remembers for this run which passphrases opened one.

    Args:
        ask: Asked for the passphrase of an encrypted file that none of these opens.
    """

    def __init__(self, ask: AskPassphrase) -> None:
        self._ask = ask
        self._known: list[bytes] = []

    def open(self, path: Path) -> SoftwareKey:
        """Return the key of a file.

        Raises:
            KeyNeededError: It needs a passphrase and nobody can be asked.
            WrongPassphraseError: No passphrase that was given opens it.
            KeyFileError: The file is damaged or absent, or others may read it.
        """
        return self.unlock(path)[0]

    def unlock(self, path: Path) -> tuple[SoftwareKey, bytes | None]:
        """Return the key of a file and its passphrase, None for an unencrypted one; as `open`."""
        return self._quietly(path) or self._by_asking(path)

    def open_quietly(self, path: Path) -> SoftwareKey | None:
        """Return the key of a file, None if somebody would have to be asked.

        Raises:
            KeyFileError: The file is damaged or absent, or others may read it.
        """
        found = self._quietly(path)
        return None if found is None else found[0]

    def _quietly(self, path: Path) -> tuple[SoftwareKey, bytes | None] | None:
        for passphrase in (None, *reversed(self._known)):
            with contextlib.suppress(WrongPassphraseError):
                return load_key_file(path, passphrase), passphrase
        return None

    def _by_asking(self, path: Path) -> tuple[SoftwareKey, bytes]:
        wrong = 0
        while True:
            passphrase = self._ask(path, wrong)
            if passphrase not in self._known:  # Those did not open it, and each try takes a while.
                with contextlib.suppress(WrongPassphraseError):
                    found = load_key_file(path, passphrase)
                    self._known.append(passphrase)
                    return found, passphrase
            wrong += 1


class KeyRing:
    """Private keys by key id, opened when they are first used.

    Args:
        ask: Asked for the passphrase of an encrypted file.
    """

    def __init__(self, ask: AskPassphrase = nobody_to_ask) -> None:
        self._opener = KeyOpener(ask)
        self._open: dict[KeyId, SoftwareKey] = {}
        self._files: dict[KeyId, Path] = {}

    def __contains__(self, key_id: object) -> bool:
        return key_id in self._open or key_id in self._files

    def __iter__(self) -> Iterator[KeyId]:
        return iter({**self._files, **dict.fromkeys(self._open, Path())})

    def add(self, key: SoftwareKey) -> PublicKey:
        """Put an opened key on the ring."""
        self._open[key.public.key_id] = key
        return key.public

    def add_all(self, keys: Iterable[SoftwareKey]) -> None:
        """Put opened keys on the ring."""
        for key in keys:
            self.add(key)

    def add_file(self, path: Path) -> PublicKey:
        """Put a key file on the ring; it is opened when the key is needed.

        Raises:
            NotFoundError: There is no such file.
            KeyFileError: It is no key file, or others may read it.
        """
        if not path.exists():
            raise NotFoundError(f"there is no key file {path}", name=str(path))
        try:
            public = read_public_key(path)
        except KeyFileError:
            # A file of another program does not name its key.
            return self.add(self._opener.open(path))
        self._files[public.key_id] = path
        return public

    def add_folder(self, folder: Path) -> None:
        """Put all key files below a home folder on the ring; damaged ones are left out."""
        for name in KEY_FOLDERS:
            for path in sorted((folder / name).glob(f"*{KEY_SUFFIX}")):
                try:
                    public = read_public_key(path)
                except CivregError:
                    continue
                self._files.setdefault(public.key_id, path)

    def path_of(self, key_id: KeyId) -> Path | None:
        """Return the file of a key, None if it has none."""
        return self._files.get(key_id)

    def only_file(self, ending: str) -> KeyId | None:
        """Return the one key of `keys/` whose file's name ends so; None if there are none or more.

        Args:
            ending: Such as `-auth`, for `NAME-auth.pem`.
        """
        found = [
            key_id
            for key_id, path in self._files.items()
            if path.parent.name == KEY_FOLDERS[0] and path.stem.endswith(ending)
        ]
        return found[0] if len(found) == 1 else None

    def get(self, key_id: KeyId) -> SoftwareKey | None:
        """Return a private key, or None if it is not at hand.

        Raises:
            KeyNeededError: It needs a passphrase and nobody can be asked.
            KeyFileError: The file is damaged or the passphrase wrong.
        """
        found = self._open.get(key_id)
        if found is None and key_id in self._files:
            found = self._open[key_id] = self._opener.open(self._files[key_id])
        return found

    def get_quietly(self, key_id: KeyId) -> SoftwareKey | None:
        """Return a private key, or None if it is not at hand or somebody would have to be asked.

        Raises:
            KeyFileError: The file is damaged.
        """
        found = self._open.get(key_id)
        if found is None and key_id in self._files:
            found = self._opener.open_quietly(self._files[key_id])
            if found is not None:
                self._open[key_id] = found
        return found

    def need(self, key_id: KeyId, purpose: str) -> SoftwareKey:
        """Return a private key.

        Raises:
            KeyNeededError: It is not at hand; details: purpose.
        """
        found = self.get(key_id)
        if found is None:
            raise KeyNeededError(f"the key {key_id.hex()} is not at hand", purpose=purpose)
        return found
