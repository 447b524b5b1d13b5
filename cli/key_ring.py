"""The private keys at hand: of a home folder, of files named on the command line, or made just now.

A key is found by its id, because a draft names key ids. Key files of a home are recognised by their
first line, so a passphrase is asked for only when a key is really needed.
"""

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

AskPassphrase = Callable[[Path], bytes]
"""Returns the passphrase of a key file; raises KeyNeededError if nobody can be asked."""


def nobody_to_ask(path: Path) -> bytes:
    """Refuse to guess a passphrase.

    Raises:
        KeyNeededError: always.
    """
    raise KeyNeededError(
        f"the key file {path.name} is encrypted and no passphrase was given", purpose=path.stem
    )


class KeyRing:
    """Private keys by key id, opened when they are first used.

    Args:
        ask: Asked for the passphrase of an encrypted file.
    """

    def __init__(self, ask: AskPassphrase = nobody_to_ask) -> None:
        self._ask = ask
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
            return self.add(self._load(path))  # A file of another program does not name its key.
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
            found = self._load(self._files[key_id])
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

    def _load(self, path: Path) -> SoftwareKey:
        try:
            return load_key_file(path, None)
        except WrongPassphraseError:
            return load_key_file(path, self._ask(path))
