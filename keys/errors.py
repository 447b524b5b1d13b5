"""Why something was refused: the root of every error in civreg, and the errors of this floor.

Every error class carries a `code` that never changes: programs act on it, `docs/errors.md` lists it
and the command line turns it into a sentence and a hint in Vietnamese and English. `details` are
the few values that such a sentence needs; never anything personal, because errors are logged.

* CivregError
  + KeysError
    x InvalidKeyError        the bytes are no public key, private key, did:key or key id
    x BadSignatureError      the signature is not by this key over these bytes
    x KeyFileError           a key file cannot be read or written, is damaged or of another kind
      + ExposedKeyFileError  others than its owner may read it
      + KeyFileExistsError   there is a file already, and key files are never overwritten
      + WrongPassphraseError
    x SealError              a sealed field or a wrapped key does not open
"""

from typing import ClassVar


class CivregError(Exception):
    """The root of every error that civreg raises on purpose.

    Args:
        message: One English sentence for whoever reads the log; without personal data.
        details: Values that the sentences of the command line name, by keyword.
    """

    code: ClassVar[str] = "civreg.error"

    def __init__(self, message: str, **details: int | str) -> None:
        super().__init__(message)
        self.details = details


class KeysError(CivregError):
    """Something about keys, signatures or sealing was refused."""

    code = "keys.error"


class InvalidKeyError(KeysError):
    """The bytes or text are not a key of a known algorithm."""

    code = "keys.invalid_key"


class BadSignatureError(KeysError):
    """The signature was not made by this key over these bytes, or is not in its one form."""

    code = "keys.bad_signature"


class KeyFileError(KeysError):
    """A key file cannot be used: absent, damaged, or of another kind."""

    code = "keys.bad_key_file"


class ExposedKeyFileError(KeyFileError):
    """Others than the owner of the key file may read it or write to it."""

    code = "keys.exposed_key_file"


class KeyFileExistsError(KeyFileError):
    """A file of that name exists already; a key file is never overwritten."""

    code = "keys.key_file_exists"


class WrongPassphraseError(KeyFileError):
    """The passphrase does not open the key file."""

    code = "keys.wrong_passphrase"


class SealError(KeysError):
    """A sealed field or a wrapped key does not open with this key, or was changed."""

    code = "keys.cannot_open"
