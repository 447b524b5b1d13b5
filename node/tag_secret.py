"""The secret of a node's tag service: 32 bytes in a file that only its owner may read.

Whoever loses it loses every tag: back it up with the other keys.
"""

import os
import stat
from pathlib import Path
from secrets import token_bytes
from typing import Final

from node.errors import ConfigError
from registry.tags import TAG_KEY_BYTES

SECRET_FILE: Final = "tag.secret"  # noqa: S105 - the name of the file
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def load_tag_secret(path: Path) -> bytes | None:
    """Return the secret of a node's tag service, None if it has none.

    Raises:
        ConfigError: Others may read the file, or it has not 32 bytes.
    """
    if not path.exists():
        return None
    if path.stat().st_mode & _OTHERS:
        raise ConfigError((f"keys/{path.name}: readable by others; chmod 600",))
    secret = path.read_bytes()
    if len(secret) != TAG_KEY_BYTES:
        raise ConfigError((f"keys/{path.name}: {len(secret)} bytes instead of {TAG_KEY_BYTES}",))
    return secret


def create_tag_secret(path: Path) -> bytes:
    """Make the secret of a new node's tag service, readable by its owner only, and return it.

    Raises:
        FileExistsError: There is one; it is never overwritten.
    """
    secret = token_bytes(TAG_KEY_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    return secret
