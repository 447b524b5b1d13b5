"""The vault: sealed bodies and wraps, the only bytes of the network that can be erased.

A LevelDB database beside the chain store. A body lies here once, under its digest, whether it is
*staged* (its entry is not in a block yet: it counts against its signer's quota and vanishes when
it expires) or *kept* (the entry is in a block). So keeping a body copies nothing that a purge
could overlook. Wraps, the data keys locked to their readers, lie under their digest too.

**Purge.** A delete in LevelDB leaves the bytes in its files until some later compaction.
Compacting the key's range before and after the delete leaves none; this was measured, and a test
searches the files. A mark "unfinished" goes into the batch with the delete, so that a crash in
between is made up for when the vault is opened, before anything can be read. The mark "purged"
stays for ever: the digest is never taken in or given out again.

Writes of bodies, wraps and purges are synchronous: what follows them is a vote. What a custodian
has prepared can be prepared again, so that waits for no disk.

The kinds of rows are in `ledger.vault_files`. What is staged, and how much by whom, is also held in
memory, read once at the opening.

Source: formats.md, sections 5 and 8; the traps of style.md.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Final

import plyvel

from keys.hashing import DIGEST_BYTES, Digest, hash_with
from ledger.database_files import of_database
from ledger.database_rows import get_row, scan_prefix
from ledger.errors import (
    CorruptStoreError,
    InvalidDataError,
    LedgerError,
    PurgedError,
)
from ledger.fields import INTEGER_MAX
from ledger.limits import BODY_BYTES_MAX, STAGED_SIGNER_BYTES_MAX, check_limit
from ledger.staging import KEY_ID_BYTES_MAX, StagedBodies, StagedBody, StagedRecord
from ledger.vault_files import (
    BODY,
    DOMAINS,
    NAME,
    PREPARED,
    PREPARED_END,
    PURGED,
    STAGED,
    UNFINISHED,
    WRAPS,
    open_database,
)
from ledger.vault_mark import VaultMark

__all__ = ["StagedBody", "Vault"]

_TIME_BYTES: Final = 8


class Vault:
    """An open vault; one process at a time. Its methods may be called from several threads.

    Attributes:
        mark: What it knows of itself.
    """

    def __init__(self, database: plyvel.DB) -> None:
        """Take over an opened database; use `open`."""
        self._database = database
        self._changing = Lock()
        self._staged = StagedBodies()
        self.mark = VaultMark(database)

    @classmethod
    def open(cls, path: Path) -> "Vault":
        """Open the vault of a folder, or create an empty one; finish purges that a crash cut short.

        Raises:
            StoreInUseError: Another process has the vault open.
            CorruptStoreError: It is not a whole LevelDB database, or what is left of one.
            DiskRefusedError: The system refuses; nothing is known of damage.
        """
        database = open_database(path, create=True)
        vault = cls(database)
        try:
            vault._finish_purges()
            vault._load_staged()
        except BaseException:
            database.close()
            raise
        return vault

    def stage_bodies(self, bodies: Sequence[StagedBody]) -> tuple[LedgerError | None, ...]:
        """Take in bodies of entries that are in no block yet, with one synchronous write.

        A kept body stays kept. One that is staged already stays until the later of both times, on
        account of who asked for that one: else an entry would lose its body to a shorter one.

        Returns:
            For each body None, or why it was not taken in, which stops no other: InvalidDataError
            (not the body of this digest), LimitExceededError (too long, or the signer has too much
            staged), PurgedError.

        Raises:
            DiskRefusedError: The disk did not take it; none was taken in.
        """
        with self._changing:
            changes: dict[bytes, bytes | None] = {}
            records: dict[Digest, StagedRecord] = {}
            used: dict[bytes, int] = {}
            errors: list[LedgerError | None] = []
            for staged in bodies:
                try:
                    self._stage(staged, changes, records, used)
                    errors.append(None)
                except (InvalidDataError, PurgedError) as error:
                    errors.append(error)
            self._write(changes)
            for digest, record in records.items():
                self._staged.add(digest, record)
            return tuple(errors)

    def _stage(
        self,
        staged: StagedBody,
        changes: dict[bytes, bytes | None],
        records: dict[Digest, StagedRecord],
        used: dict[bytes, int],
    ) -> None:
        """Add to `changes` and `records` what takes in a body; `used` are quotas in the making."""
        digest, signer, not_after_ms = staged.digest, staged.signer_key_id, staged.not_after_ms
        self._check_new(digest, staged.body)
        assert len(signer) <= KEY_ID_BYTES_MAX
        assert 0 <= not_after_ms <= INTEGER_MAX
        before = records.get(digest) or self._staged.get(digest)
        if before is None and self._get(BODY + digest) is not None:
            return
        total = used.get(signer, self.staged_bytes(signer)) + len(staged.body)
        if before is not None:
            if before.not_after_ms >= not_after_ms:
                return
            total -= before.size if before.signer_key_id == signer else 0
        check_limit("STAGED_SIGNER_BYTES_MAX", total, STAGED_SIGNER_BYTES_MAX)
        if before is None:
            changes[BODY + digest] = staged.body
        else:
            changes[_staged_key(before.not_after_ms, digest)] = None
        used[signer] = total
        records[digest] = StagedRecord(signer, not_after_ms, len(staged.body))
        changes[_staged_key(not_after_ms, digest)] = records[digest].print()

    def put_bodies(self, bodies: Mapping[Digest, bytes]) -> dict[Digest, LedgerError]:
        """Take in bodies of entries that are in a block already, as a lagging node fetches them.

        Returns:
            Why a body was not taken in, by its digest: InvalidDataError (not the body of this
            digest), LimitExceededError, PurgedError; those that are absent here were.

        Raises:
            DiskRefusedError: The disk did not take it; none was taken in.
        """
        with self._changing:
            changes: dict[bytes, bytes | None] = {}
            refused: dict[Digest, LedgerError] = {}
            for digest, body in bodies.items():
                try:
                    self._check_new(digest, body)
                    changes[BODY + digest] = body
                except (InvalidDataError, PurgedError) as error:
                    refused[digest] = error
            self._unstage([one for one in bodies if one not in refused], changes)
            return refused

    def body(self, digest: Digest) -> bytes | None:
        """Return a body, staged or kept; None if it is not here.

        Raises:
            PurgedError: It was purged.
            CorruptStoreError: What is here does not have this digest.
        """
        return self._read(BODY, digest, DOMAINS[BODY])

    def keep_bodies(self, digests: Iterable[Digest]) -> tuple[Digest, ...]:
        """Turn staged bodies into kept ones: their entries are in a block, or about to be.

        Those kept already and those purged stay as they are.

        Returns:
            The digests of which no body is here, in the given order: to be fetched from others.

        Raises:
            DiskRefusedError: The disk did not take it.
        """
        wanted = tuple(dict.fromkeys(digests))
        with self._changing:
            staged = self._unstage(wanted, {})
        return tuple(
            digest
            for digest in wanted
            if digest not in staged
            and self._get(BODY + digest) is None
            and not self.is_purged(digest)
        )

    def body_size(self, digest: Digest) -> int | None:
        """Return how many bytes a body has, staged or kept; None if it is not here.

        Raises:
            PurgedError: It was purged.
        """
        raw = self._get(BODY + digest)
        if raw is None:
            self._check_not_purged(digest)
        return None if raw is None else len(raw)

    def drop_expired(self, now_ms: int) -> tuple[Digest, ...]:
        """Delete staged bodies whose time has passed.

        Args:
            now_ms: Milliseconds since 1970; a body goes when `not_after_ms < now_ms`.

        Returns:
            The digests of the deleted bodies.

        Raises:
            DiskRefusedError: The disk did not take it.
        """
        with self._changing:
            expired = self._staged.expired(now_ms)
            self._unstage(expired, {BODY + digest: None for digest in expired})
        return expired

    def staged_bytes(self, signer_key_id: bytes) -> int:
        """Return how many bytes a signer has staged."""
        return self._staged.used(signer_key_id)

    def put_wraps(self, wraps_digest: Digest, wraps: bytes) -> None:
        """Take in the wraps of a body.

        Args:
            wraps_digest: The entry's `wraps_digest`.
            wraps: Their bytes, at most 256 KiB.

        Raises:
            InvalidDataError: The wraps do not have this digest.
            LimitExceededError: The wraps are too long.
            PurgedError: The digest was purged.
            DiskRefusedError: The disk did not take it.
        """
        check_limit("WRAPS_BYTES_MAX", len(wraps), BODY_BYTES_MAX)
        if hash_with(DOMAINS[WRAPS], wraps) != wraps_digest:
            raise InvalidDataError("the wraps do not have the digest that the entry names")
        with self._changing:
            self._check_not_purged(wraps_digest)
            self._write({WRAPS + wraps_digest: wraps})

    def wraps(self, wraps_digest: Digest) -> bytes | None:
        """Return wraps; None if they are not here.

        Raises:
            PurgedError: They were purged.
            CorruptStoreError: What is here does not have this digest.
        """
        return self._read(WRAPS, wraps_digest, DOMAINS[WRAPS])

    def purge(self, digests: Iterable[Digest]) -> None:
        """Erase bodies and wraps for good; no byte of them is left in the folder afterwards.

        What was prepared goes with them where it holds the same bytes.

        Args:
            digests: Of bodies or of wraps. One that was never here is marked all the same, so that
                a late copy is not taken in.

        Raises:
            DiskRefusedError: The disk did not take it; opening the vault again finishes the purge.
        """
        wanted = tuple(dict.fromkeys(digests))
        rows = [kind + digest for digest in wanted for kind in (BODY, WRAPS)]
        with self._changing:
            gone = [content for row in rows if (content := self._get(row))]
            changes: dict[bytes, bytes | None] = dict.fromkeys(rows)
            for name, content in self.all_prepared():
                if any(one in content for one in gone):
                    changes[PREPARED + name] = None
            changes.update({PURGED + digest: b"" for digest in wanted})
            changes[UNFINISHED] = b"".join((self._get(UNFINISHED) or b"", *wanted))
            self._compact(wanted)
            self._unstage(wanted, changes)
            self._finish_purges()

    def put_prepared(self, wraps_digest: Digest, content: bytes) -> None:
        """Keep what a custodian prepared; not synced, because it can be prepared again.

        Args:
            wraps_digest: Its name.
            content: Ciphertext only; its form is the custodian's.

        Raises:
            DiskRefusedError: The disk did not take it.
        """
        with self._changing:
            self._write({PREPARED + wraps_digest: content}, sync=False)

    def prepared(self, wraps_digest: Digest) -> bytes | None:
        """Return what was prepared, or None."""
        return self._get(PREPARED + wraps_digest)

    def all_prepared(self) -> Iterator[tuple[Digest, bytes]]:
        """Yield everything that is prepared, by digest."""
        for key, content in scan_prefix(self._database, PREPARED):
            yield Digest(key[len(PREPARED) :]), content

    def drop_prepared(self, wraps_digests: Iterable[Digest]) -> None:
        """Forget what is in the chain now, or no longer wanted; unknown ones are no fault.

        Raises:
            DiskRefusedError: The disk did not take it.
        """
        with self._changing:
            self._write({PREPARED + one: None for one in wraps_digests}, sync=False)

    def is_purged(self, digest: Digest) -> bool:
        """Tell whether a digest was purged."""
        return self._get(PURGED + digest) is not None

    def close(self) -> None:
        """Close the database; closing twice does nothing."""
        self._database.close()

    def _check_new(self, digest: Digest, body: bytes) -> None:
        check_limit("BODY_BYTES_MAX", len(body), BODY_BYTES_MAX)
        if hash_with(DOMAINS[BODY], body) != digest:
            raise InvalidDataError("the body does not have the digest that the entry names")
        self._check_not_purged(digest)

    def _check_not_purged(self, digest: Digest) -> None:
        if self.is_purged(digest):
            raise PurgedError("the bytes with this digest were purged")

    def _read(self, kind: bytes, digest: Digest, prefix: bytes) -> bytes | None:
        raw = self._get(kind + digest)
        if raw is None:  # One write purges and deletes, so what is here was not purged.
            self._check_not_purged(digest)
        elif hash_with(prefix, raw) != digest:
            raise CorruptStoreError("the vault holds other bytes than their digest says")
        return raw

    def _get(self, key: bytes) -> bytes | None:
        return get_row(self._database, key)

    def _unstage(
        self, digests: Iterable[Digest], changes: dict[bytes, bytes | None]
    ) -> set[Digest]:
        """Write changes, and with them the end of the staging of these bodies; return those."""
        found: set[Digest] = set()
        for digest in digests:
            staged = self._staged.get(digest)
            if staged is not None:
                found.add(digest)
                changes[_staged_key(staged.not_after_ms, digest)] = None
        self._write(changes)
        self._staged.remove(found)
        return found

    def _load_staged(self) -> None:
        """Read what is staged, and how much by whom."""
        for key, raw in scan_prefix(self._database, STAGED):
            self._staged.add(Digest(key[-DIGEST_BYTES:]), StagedRecord.parse(raw))

    def _finish_purges(self) -> None:
        if (raw := self._get(UNFINISHED)) is not None:
            starts = range(0, len(raw), DIGEST_BYTES)
            self._compact([Digest(raw[at : at + DIGEST_BYTES]) for at in starts])
            self._write({UNFINISHED: None})

    def _compact(self, digests: Iterable[Digest]) -> None:
        """Leave nothing of deleted rows in LevelDB's files; what was prepared held copies."""
        for key in [kind + digest for digest in digests for kind in (BODY, WRAPS)]:
            self._database.compact_range(start=key, stop=key + b"\x00")
        self._database.compact_range(start=PREPARED, stop=PREPARED_END)

    def _write(self, changes: dict[bytes, bytes | None], *, sync: bool = True) -> None:
        if not changes:
            return
        try:
            with self._database.write_batch(transaction=True, sync=sync) as batch:
                for key, content in changes.items():
                    if content is None:
                        batch.delete(key)
                    else:
                        batch.put(key, content)
        except plyvel.Error as error:
            raise of_database(error, NAME) from error


def _staged_key(not_after_ms: int, digest: Digest) -> bytes:
    return STAGED + not_after_ms.to_bytes(_TIME_BYTES) + digest
