"""The journal of an import: what is on its way into the chain and what stands there.

A signed entry is written here before it is submitted. After a kill the same bytes are submitted
again, and an entry is known by its digest, so nothing is registered twice. One file for each source
of a network; it also keeps the secret from which generated owners and their keys are made, so it is
readable by its owner only.
"""

import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cli.packages import Package
from keys.hashing import Digest
from keys.private_files import append_private
from ledger.canonical import decode, encode
from ledger.entries import parse_entry
from ledger.fields import read_array, read_bytes_up_to
from ledger.ids import RecordId
from ledger.limits import (
    BODY_BYTES_MAX,
    ENTRY_BYTES_MAX,
    ENTRY_PARTS_MAX,
    REQUEST_BODY_BYTES_MAX,
)

FOLDER: Final = "imports"
SECRET_BYTES: Final = 32
OWNER: Final = "owner"
KEYS: Final = "keys"
DEED: Final = "deed"
COMMITTED: Final = "committed"
UNDER_WAY: Final = "under_way"
REFUSED: Final = "refused"

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS journal (version INTEGER NOT NULL, secret BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS steps (
    row TEXT NOT NULL, step TEXT NOT NULL, status TEXT NOT NULL, digest BLOB, record BLOB,
    package BLOB, attempt INTEGER NOT NULL DEFAULT 0, code TEXT, detail TEXT,
    PRIMARY KEY (row, step)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (file BLOB PRIMARY KEY, finished INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS rows (row TEXT PRIMARY KEY, digest BLOB NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of an import.

    Attributes:
        row: Id of the row in the old register.
        name: `owner`, `keys` or `deed`.
        status: `under_way`, `committed` or `refused`.
        record_id: Of the record that it writes.
        attempt: How often its person was made anew.
        code: Of the refusal, or None.
    """

    row: str
    name: str
    status: str
    record_id: RecordId
    attempt: int
    code: str | None

    @property
    def is_committed(self) -> bool:
        """Whether it stands in the chain."""
        return self.status == COMMITTED


class ImportJournal:
    """Open it with `open`; a context manager.

    Attributes:
        secret: 32 bytes that only this journal knows.
    """

    def __init__(self, database: sqlite3.Connection, secret: bytes) -> None:
        self._database = database
        self.secret = secret

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a journal, or begin one.

        Raises:
            OSError, sqlite3.Error: The disk refuses.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        append_private(path, b"")  # SQLite gives what it keeps beside a file the file's mode.
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        return cls._begun(database)

    @classmethod
    def open_copy(cls, path: Path) -> Self:
        """Open a journal in memory with what one on the disk says, if there is one: for a trial."""
        copy = sqlite3.connect(":memory:", isolation_level=None)
        if path.exists():
            with closing(sqlite3.connect(path)) as stored:
                stored.backup(copy)
        return cls._begun(copy)

    @classmethod
    def _begun(cls, database: sqlite3.Connection) -> Self:
        database.executescript(_SCHEMA)
        found = database.execute("SELECT secret FROM journal").fetchone()
        if found is None:
            secret = secrets.token_bytes(SECRET_BYTES)
            database.execute("INSERT INTO journal VALUES (1, ?)", (secret,))
        else:
            secret = found[0]
        return cls(database, secret)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._database.close()

    # --- runs -------------------------------------------------------------------------------------

    def is_unfinished(self, file: Digest) -> bool:
        """Tell whether an import of this very file began and did not end."""
        found = self._database.execute("SELECT finished FROM runs WHERE file = ?", (file,))
        row = found.fetchone()
        return row is not None and not row[0]

    def begin(self, file: Digest) -> None:
        """Note that a file is being imported."""
        self._database.execute("INSERT OR REPLACE INTO runs VALUES (?, 0)", (file,))

    def finish(self, file: Digest) -> None:
        """Note that a run came to the end of a file, whatever was refused on the way."""
        self._database.execute("UPDATE runs SET finished = 1 WHERE file = ?", (file,))

    def put_rows(self, rows: Iterable[tuple[str, Digest]]) -> None:
        """Keep what rows say, so that they are known under another source name."""
        with self._database:
            self._database.execute("BEGIN")
            self._database.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?)", rows)
            self._database.execute("COMMIT")

    def registered_rows(self) -> set[Digest]:
        """Return what the rows say whose deeds stand in the chain."""
        query = "SELECT rows.digest FROM rows JOIN steps USING (row) WHERE step = ? AND status = ?"
        with closing(self._database.execute(query, (DEED, COMMITTED))) as found:
            return {Digest(digest) for (digest,) in found}

    # --- steps ------------------------------------------------------------------------------------

    def steps(self, name: str) -> dict[str, Step]:
        """Return all steps of a name by row."""
        query = "SELECT row, status, record, attempt, code FROM steps WHERE step = ?"
        with closing(self._database.execute(query, (name,))) as found:
            return {
                row: Step(row, name, status, RecordId(record), attempt, code)
                for row, status, record, attempt, code in found
            }

    def step(self, name: str, row: str) -> Step:
        """Return one step of a row, which must be there."""
        query = "SELECT status, record, attempt, code FROM steps WHERE step = ? AND row = ?"
        found = self._database.execute(query, (name, row)).fetchone()
        assert found is not None, "the plan makes what others build on first"
        status, record, attempt, code = found
        return Step(row, name, status, RecordId(record), attempt, code)

    def put_under_way(self, name: str, items: Iterable[tuple[str, Package, int]]) -> None:
        """Keep signed entries before they are submitted: row, package, attempt; all or none."""
        rows = [
            (row, name, UNDER_WAY, one.entry.entry_digest, one.record_id, _print(one), attempt)
            for row, one, attempt in items
        ]
        with self._database:
            self._database.execute("BEGIN")
            self._database.executemany(
                "INSERT OR REPLACE INTO steps (row, step, status, digest, record, package, attempt)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            self._database.execute("COMMIT")

    def under_way(self, name: str) -> Iterator[tuple[str, Package, int]]:
        """Yield what was signed and may have been submitted: row, package, attempt."""
        query = "SELECT row, package, attempt FROM steps WHERE step = ? AND status = ?"
        for row, raw, attempt in self._database.execute(query, (name, UNDER_WAY)).fetchall():
            yield row, _parse(raw), attempt

    def count_under_way(self) -> int:
        """Return how many entries were signed, may have been submitted, and are not decided."""
        query = "SELECT count(*) FROM steps WHERE status = ?"
        (count,) = self._database.execute(query, (UNDER_WAY,)).fetchone()
        return int(count)

    def settle(self, name: str, decided: Sequence[tuple[str, str | None, str | None]]) -> None:
        """Note what became of entries: row, and code and detail of the refusal or None."""
        rows = [
            (COMMITTED if code is None else REFUSED, code, detail, row, name)
            for row, code, detail in decided
        ]
        with self._database:
            self._database.execute("BEGIN")
            self._database.executemany(
                "UPDATE steps SET status = ?, code = ?, detail = ?, package = NULL"
                " WHERE row = ? AND step = ?",
                rows,
            )
            self._database.execute("COMMIT")


def _print(package: Package) -> bytes:
    return encode((package.entry.raw, package.bodies))


def _parse(raw: bytes) -> Package:
    entry, bodies = read_array(decode(raw, REQUEST_BODY_BYTES_MAX), "package", 2)
    return Package(
        parse_entry(read_bytes_up_to(entry, "package.entry", ENTRY_BYTES_MAX)),
        tuple(
            read_bytes_up_to(body, "package.body", BODY_BYTES_MAX)
            for body in read_array(bodies, "package.bodies", (0, ENTRY_PARTS_MAX))
        ),
    )
