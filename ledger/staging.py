"""Bodies on their way into the vault: what is handed over, and what stays on record meanwhile."""

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Final

from keys.hashing import Digest
from ledger import canonical
from ledger.errors import CorruptStoreError, InvalidDataError
from ledger.fields import INTEGER_MAX, read_array, read_bytes_up_to, read_int
from ledger.frozen import quick_init
from ledger.limits import BODY_BYTES_MAX

_SLACK: Final = 1_024
"""Bodies that are kept by now and stay in the order of times until it is tidied up."""
KEY_ID_BYTES_MAX: Final = 64
"""Bytes of the key id on whose account a body is staged."""
_RECORD_BYTES_MAX: Final = 128


@quick_init
@dataclass(frozen=True, slots=True)
class StagedRecord:
    """What the vault keeps of a staged body beside its bytes."""

    signer_key_id: bytes
    not_after_ms: int
    size: int

    def print(self) -> bytes:
        """Return the bytes of this record."""
        return canonical.encode((self.signer_key_id, self.not_after_ms, self.size))

    @classmethod
    def parse(cls, raw: bytes) -> "StagedRecord":
        """Read what `print` returned.

        Raises:
            CorruptStoreError: The bytes are no such record. They come from our own disk.
        """
        try:
            fields = read_array(canonical.decode(raw, _RECORD_BYTES_MAX), "staged", 3)
            return cls(
                read_bytes_up_to(fields[0], "staged.signer", KEY_ID_BYTES_MAX),
                read_int(fields[1], "staged.not_after_ms", 0, INTEGER_MAX),
                read_int(fields[2], "staged.size", 0, BODY_BYTES_MAX),
            )
        except InvalidDataError as error:
            raise CorruptStoreError("a staging record of the vault is damaged") from error


@quick_init
@dataclass(frozen=True, slots=True)
class StagedBody:
    """A body to be staged, see `Vault.stage_body`."""

    digest: Digest
    body: bytes
    signer_key_id: bytes
    not_after_ms: int


class StagedBodies:
    """What is staged and how much by whom, in memory; the vault keeps the same on disk."""

    __slots__ = ("_by_time", "_records", "_used")

    def __init__(self) -> None:
        self._records: dict[Digest, StagedRecord] = {}
        self._used: dict[bytes, int] = {}
        self._by_time: list[tuple[int, Digest]] = []

    def get(self, digest: Digest) -> StagedRecord | None:
        """Return the record of a staged body; None if it is not staged."""
        return self._records.get(digest)

    def used(self, signer_key_id: bytes) -> int:
        """Return how many bytes a signer has staged."""
        return self._used.get(signer_key_id, 0)

    def add(self, digest: Digest, record: StagedRecord) -> None:
        """Take note of a body that is on disk now; what was said of it before no longer counts."""
        if digest in self._records:
            self.remove((digest,))
        self._records[digest] = record
        self._used[record.signer_key_id] = self.used(record.signer_key_id) + record.size
        heappush(self._by_time, (record.not_after_ms, digest))

    def remove(self, digests: Iterable[Digest]) -> None:
        """Forget bodies that are kept now, or gone; all must be staged."""
        for digest in digests:
            record = self._records.pop(digest)
            left = self._used[record.signer_key_id] - record.size
            if left:
                self._used[record.signer_key_id] = left
            else:
                del self._used[record.signer_key_id]
        if len(self._by_time) > 2 * len(self._records) + _SLACK:
            self._by_time = [(one.not_after_ms, name) for name, one in self._records.items()]
            heapify(self._by_time)

    def expired(self, now_ms: int) -> tuple[Digest, ...]:
        """Return what is staged and was to be there until before `now_ms`."""
        late: list[tuple[int, Digest]] = []
        while self._by_time and self._by_time[0][0] < now_ms:
            time_ms, digest = heappop(self._by_time)
            record = self._records.get(digest)
            if record is not None and record.not_after_ms == time_ms:
                late.append((time_ms, digest))
        for one in late:  # they stay on the list until the disk has forgotten them
            heappush(self._by_time, one)
        return tuple(dict.fromkeys(digest for _, digest in late))
