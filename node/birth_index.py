"""Births that this agency can open, as far as telling whether two may be one needs it.

The agency that genesis names first for the tags of births searches for duplicates (rule 1 of
records.md, section 8): names and dates that could be one child's. Its custodian keeps a sketch of
each birth whose data key it holds, in memory only: made when it signs, read again from the vault
after a start. A birth counts once its entry waits here or stands in the chain, and until its record
is ended. Until all are read the answer is None: then the rule stands in the entry as a warning.

Two names can be one only if their words of up to three letters are the same, and as many are
longer; so sketches lie under their date and these words, and few are compared.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final, TypeAlias

from keys.errors import CivregError
from keys.hashing import Digest
from ledger.entries import EntryContent
from ledger.ids import RecordId
from ledger.vault import Vault
from node.access import Access
from node.application import Committed
from node.custodian_keys import CustodianKeys
from node.logs import Log
from registry.acts import RecordContent
from registry.civil_calendar import add_days
from registry.duplicates import BIRTH_DAYS_APART_MAX, FUZZY_TOKEN_LETTERS_MIN, BirthSketch
from registry.object_rows import WrapsRow
from registry.office_rules import sketch_birth
from registry.opened_records import OpenedRecord
from registry.possible_duplicates import resolved
from registry.readers import INDEX_NAMESPACES
from registry.rows import NamespaceRow, RecordRow
from registry.sealed import BodyPlace, open_body
from registry.spelling import name_tokens
from registry.state_key_names import namespace_key, wraps_key
from registry.wraps import open_wraps, parse_wraps

BIRTH: Final = "birth"
SKETCHES_MAX: Final = 200_000
"""Births that are remembered; beyond it those of the oldest date go."""
NOTED_MAX: Final = 10_000
"""Signed births of which nothing has been heard; beyond it the oldest go."""
BATCH: Final = 64
"""Bodies that a worker thread opens at a time."""
_ENDED: Final = "ended"

_Words: TypeAlias = tuple[tuple[tuple[str, ...], int], tuple[tuple[str, ...], int]]


@dataclass(frozen=True, slots=True)
class _Sealed:
    """What it takes to open a birth, read in the loop."""

    record_id: RecordId
    row: RecordRow
    digests: tuple[Digest, ...]
    paths: tuple[str, ...]


class BirthIndex:
    """Sketches of births, by date and words.

    Args:
        keys: Of the agency.
        network_id: Of this network.
        access: The state.
        vault: Bodies and wraps.
        threads: For opening.
        log: Takes notes: how many, never whose.

    Attributes:
        is_known: Tells whether an entry waits here or stands in the chain.
    """

    def __init__(
        self,
        keys: CustodianKeys,
        network_id: Digest,
        access: Access,
        vault: Vault,
        threads: Executor,
        log: Log,
    ) -> None:
        self._keys = keys
        self._network_id = network_id
        self._access = access
        self._vault = vault
        self._threads = threads
        self._log = log
        self._by_date: dict[str, dict[_Words, dict[RecordId, BirthSketch]]] = {}
        self._places: dict[RecordId, tuple[str, _Words]] = {}
        self._noted: dict[Digest, tuple[BirthSketch, _Words]] = {}
        self._queue: dict[RecordId, None] = {}
        self._arrived = asyncio.Event()
        self._is_scanned = False
        self.is_known: Callable[[Digest], bool] = _unknown

    def __len__(self) -> int:
        return len(self._places)

    @property
    def is_index(self) -> bool:
        """Whether this agency is the one that searches."""
        row = self._access.state.read(namespace_key(INDEX_NAMESPACES[BIRTH]), NamespaceRow)
        return row is not None and row.first_agency == self._keys.agency_id

    @property
    def is_complete(self) -> bool:
        """Whether all births were read since the start."""
        return self._is_scanned and not self._queue

    # --- asking ---

    def births_like(self, birth: BirthSketch) -> tuple[BirthSketch, ...] | None:
        """Return the births that may be compared with one; None where this cannot be told."""
        if not self.is_index or not self.is_complete:
            return None
        days = _days_around(birth.birth_date)
        ways = list(dict.fromkeys((words_of(birth), words_of(birth.exchanged()))))
        found = [
            one
            for day in days
            for words in ways
            for one in self._by_date.get(day, {}).get(words, {}).values()
            if self._counts(one.record_id)
        ]
        waiting = [
            one
            for digest, (one, its_words) in self._noted.items()
            if its_words in ways and one.birth_date in days and self.is_known(digest)
        ]
        return (*found, *waiting)

    def different(self, record_id: RecordId, births: Iterable[BirthSketch]) -> tuple[RecordId, ...]:
        """Return which of some births officers have found to be another one than a record."""
        row = self._access.record(record_id)
        decided = set(() if row is None else resolved(row.engine))
        for birth in births:
            other = self._access.record(birth.record_id)
            if other is not None and record_id in resolved(other.engine):
                decided.add(birth.record_id)
        return tuple(sorted(RecordId(one) for one in decided))

    def _counts(self, record_id: RecordId) -> bool:
        row = self._access.record(record_id)
        schema = None if row is None else self._access.type_of(row)
        return row is not None and (schema is None or schema.statuses.get(row.status) != _ENDED)

    # --- learning ---

    def consider(self, record_id: RecordId, row: RecordRow) -> None:
        """Read a record later, if it is a birth that this agency can open."""
        is_ours = row.seal is not None and row.sealed_by == self._keys.agency_id
        if is_ours and row.type_name == BIRTH and self.is_index:
            self._queue[record_id] = None

    def scanned(self) -> None:
        """Know that every record of the chain was considered."""
        self._is_scanned = True
        self._arrived.set()

    def note(self, entry: EntryContent, opened: Sequence[OpenedRecord]) -> None:
        """Remember a birth that was just signed; it counts when its entry is known here."""
        for sketch in sketches_of(opened) if self.is_index else ():
            self._noted[entry.entry_digest] = sketch, words_of(sketch)
        while len(self._noted) > NOTED_MAX:
            del self._noted[next(iter(self._noted))]

    def committed(self, committed: Committed) -> None:
        """Take in the births of a block: as they were signed, else from the vault."""
        for entry in committed.block.entries:
            noted, _its_words = self._noted.pop(entry.entry_digest, (None, None))
            for part in entry.records:
                if part.type_name != BIRTH:
                    continue
                row = self._access.record(part.record_id)
                if noted is not None and noted.record_id == part.record_id:
                    self._add(noted)
                elif row is not None:
                    self.consider(part.record_id, row)
        if self._queue:
            self._arrived.set()

    async def run(self) -> None:
        """Open what waits, a few at a time, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            count = 0
            while self._queue:
                taken = list(self._queue)[:BATCH]
                sealed = [one for one in map(self._sealed, taken) if one is not None]
                for sketch in await loop.run_in_executor(self._threads, self._open_all, sealed):
                    self._add(sketch)
                    count += 1
                for record_id in taken:
                    self._queue.pop(record_id, None)
            if count:
                self._log.info("births_read", count=count, known=len(self))

    def _sealed(self, record_id: RecordId) -> _Sealed | None:
        row = self._access.record(record_id)
        schema = None if row is None else self._access.type_of(row)
        if row is None or row.seal is None or schema is None:
            return None
        added = self._access.state.read(wraps_key(record_id, row.version), WrapsRow)
        digests = (row.seal.wraps_digest, *(() if added is None else added.digests))
        return _Sealed(record_id, row, digests, tuple(schema.sealed_paths))

    def _open_all(self, sealed: Sequence[_Sealed]) -> list[BirthSketch]:
        """Open bodies in a worker thread; one that does not open is left out."""
        found: list[BirthSketch] = []
        for one in sealed:
            try:
                found += self._open(one)
            except CivregError as error:
                self._log.debug("birth_unread", code=error.code)
        return found

    def _open(self, sealed: _Sealed) -> Iterator[BirthSketch]:
        row, seal = sealed.row, sealed.row.seal
        assert seal is not None, "only sealed records are queued"
        body = self._vault.body(seal.body_digest)
        kept = [self._vault.wraps(digest) for digest in sealed.digests]
        wraps = [wrap for raw in kept if raw is not None for wrap in parse_wraps(raw)]
        if body is not None:
            place = BodyPlace(self._network_id, sealed.record_id, row.version)
            data_key = open_wraps(wraps, place, self._keys.seal, seal.key_check)
            values = open_body(place, sealed.paths, body, seal, data_key).values
            content = RecordContent(member=row.member, sealed=values, links=row.links)
            yield sketch_birth(sealed.record_id, content)

    def _add(self, sketch: BirthSketch) -> None:
        before = self._places.pop(sketch.record_id, None)
        if before is not None:
            del self._by_date[before[0]][before[1]][sketch.record_id]
        place = sketch.birth_date, words_of(sketch)
        by_words = self._by_date.setdefault(place[0], {})
        by_words.setdefault(place[1], {})[sketch.record_id] = sketch
        self._places[sketch.record_id] = place
        if len(self._places) > SKETCHES_MAX:
            oldest = min(self._by_date)
            for births in self._by_date.pop(oldest).values():
                for record_id in births:
                    del self._places[record_id]


def sketches_of(opened: Sequence[OpenedRecord]) -> Iterator[BirthSketch]:
    """Yield the sketch of the birth among opened records, if there is one."""
    for record in opened:
        if record.part.type_name == BIRTH:
            part = record.part
            content = RecordContent(member=part.member, sealed=record.values, links=part.links)
            yield sketch_birth(part.record_id, content)


def words_of(birth: BirthSketch) -> _Words:
    """Return what two births that may be one have in common: words of child's and mother's name."""
    return _words(birth.child_name), _words(birth.mother_name or "")


def _words(name: str) -> tuple[tuple[str, ...], int]:
    """Return the short words of a name, in order, and how many longer ones it has."""
    words = name_tokens(name)
    short = tuple([word for word in words if len(word) < FUZZY_TOKEN_LETTERS_MIN])
    return short, len(words) - len(short)


def _days_around(day: str) -> list[str]:
    reach = range(-BIRTH_DAYS_APART_MAX, BIRTH_DAYS_APART_MAX + 1)
    return [add_days(day, apart) for apart in reach]


def _unknown(entry_digest: Digest) -> bool:  # noqa: ARG001
    """Stand in for a question that nobody has answered."""
    return False
