"""Files that an operator forgets: keys that others can read, certificates that end.

The node's own TLS certificates are made at its start and never end (`node.tls`); what ends is the
certificate of a web server in front of the public listener, which `[watch] certificates` names.
"""

import stat
from pathlib import Path
from typing import Final

from cryptography import x509

CERTIFICATE_BYTES_MAX: Final = 1024 * 1024
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def exposed_files(folder: Path) -> tuple[str, ...]:
    """Return the names of files in a folder that others than their owner can use, sorted."""
    try:
        return tuple(
            [
                f"{folder.name}/{path.name}"
                for path in sorted(folder.iterdir())
                if path.is_file() and path.stat().st_mode & _OTHERS
            ]
        )
    except OSError:
        return ()  # no folder, or a file that is gone meanwhile: others say so


def certificate_end_ms(path: Path) -> int | None:
    """Return when the first certificate of a PEM or DER file ends, in ms since 1970.

    None if the file cannot be read or holds no certificate.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(CERTIFICATE_BYTES_MAX)
        load = x509.load_pem_x509_certificate if b"-----BEGIN" in raw else _load_der
        return int(load(raw).not_valid_after_utc.timestamp()) * 1_000
    except (OSError, ValueError):
        return None


def _load_der(raw: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(raw)


def file_bytes(path: Path) -> int:
    """Return how long a file is; 0 if there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
