"""What the custodian keeps between preparing an entry and signing it: bodies and wraps, as files.

    data/prepared/<not_after_ms, 20 digits>-<wraps_digest in hexadecimal>   canonical([body, wraps])

Both are ciphertext. A file goes when its entry is in a block (the vault has both then) or when its
time is over; losing one only means to prepare the act again, so nothing waits for the disk.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from keys.hashing import DIGEST_BYTES, Digest
from ledger.canonical import decode, encode
from ledger.errors import InvalidDataError
from ledger.fields import read_array, read_bytes_up_to
from ledger.limits import BODY_BYTES_MAX
from node.public_errors import UnavailableError
from registry.wraps import WRAPS_BYTES_MAX

FILES_MAX: Final = 50_000
BYTES_MAX: Final = 512 * 1024 * 1024
_TIME_DIGITS: Final = 20
_FILE_BYTES_MAX: Final = BODY_BYTES_MAX + WRAPS_BYTES_MAX + 64


class PendingBodies:
    """Prepared bodies and wraps by the digest of the wraps.

    Args:
        folder: Made if it is not there; files of an earlier run are found again.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._files: dict[Digest, tuple[int, int]] = {}
        self._bytes = 0
        for path in folder.iterdir():
            self._find(path)

    def __len__(self) -> int:
        return len(self._files)

    def put(self, wraps_digest: Digest, body: bytes, wraps: bytes, not_after_ms: int) -> None:
        """Keep a body with its wraps.

        Raises:
            UnavailableError: Too much is prepared and not yet signed, or the disk is full.
        """
        raw = encode((body, wraps))
        if len(self._files) >= FILES_MAX or self._bytes + len(raw) > BYTES_MAX:
            raise UnavailableError(
                "too many prepared entries wait for their signatures",
                limit="prepared bodies",
                value=len(self._files),
                maximum=FILES_MAX,
            )
        path = self._path(wraps_digest, not_after_ms)
        unfinished = path.with_suffix(".new")
        try:
            unfinished.write_bytes(raw)
            unfinished.replace(path)
        except OSError as error:
            raise UnavailableError("the disk does not take a prepared body") from error
        self._files[wraps_digest] = (not_after_ms, len(raw))
        self._bytes += len(raw)

    def get(self, wraps_digest: Digest) -> tuple[bytes, bytes] | None:
        """Return body and wraps, or None if they are not here or damaged."""
        found = self._files.get(wraps_digest)
        if found is None:
            return None
        try:
            raw = self._path(wraps_digest, found[0]).read_bytes()
            body, wraps = read_array(decode(raw, _FILE_BYTES_MAX), "prepared", 2)
            return (
                read_bytes_up_to(body, "prepared.body", BODY_BYTES_MAX),
                read_bytes_up_to(wraps, "prepared.wraps", WRAPS_BYTES_MAX),
            )
        except (OSError, InvalidDataError):
            return None

    def drop(self, wraps_digests: Iterable[Digest]) -> None:
        """Forget what is in the chain now, or no longer wanted."""
        for digest in wraps_digests:
            found = self._files.pop(digest, None)
            if found is not None:
                self._bytes -= found[1]
                self._path(digest, found[0]).unlink(missing_ok=True)

    def drop_expired(self, time_ms: int) -> None:
        """Forget what no later block can hold."""
        self.drop([digest for digest, (until, _size) in self._files.items() if until < time_ms])

    def _path(self, wraps_digest: Digest, not_after_ms: int) -> Path:
        return self._folder / f"{not_after_ms:0{_TIME_DIGITS}d}-{wraps_digest.hex()}"

    def _find(self, path: Path) -> None:
        time, _, name = path.name.partition("-")
        try:
            digest = Digest(bytes.fromhex(name))
            known = (int(time), path.stat().st_size)
        except ValueError:
            path.unlink(missing_ok=True)
            return
        if len(digest) == DIGEST_BYTES:
            self._files[digest] = known
            self._bytes += known[1]
