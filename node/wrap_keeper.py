"""The custodian on its own: whoever gets a seal key gets the data keys of the own records.

A body is wrapped to those who own its record when it is made. When a block enrols a key of a person
or changes a representation, the agency whose custodian made the wraps of a record's present version
adds those that are missing, by `wrap/add`: it opens its own wrap, wraps the data key to the new
seal keys, puts the wraps into its vault and submits the act. Nothing is remembered for it: what is
missing follows from state and vault, so a node looks through its records at every start, and what
was lost on the way is made again. The same act twice would add a second set of the same wraps.

Few at a time, and never before the index of owners knows whose records are whose.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Final

from keys.errors import CivregError
from ledger.errors import PurgedError
from ledger.ids import OfficeId, RecordId
from ledger.vault import Vault
from node.access import Access
from node.application import Application, Committed
from node.clock import Clock
from node.custodian_keys import CustodianKeys
from node.logs import Log
from node.owner_index import OwnerIndex, id_in_key
from node.submissions import Admitted, Result, Submission
from node.wrap_acts import WrapAct, WrapPlan, make_wrap_act
from registry.authority_rows import OfficeRow
from registry.civil_calendar import in_range
from registry.object_rows import WrapsRow
from registry.ownership import representatives_of
from registry.readers import readers_for
from registry.rows import RecordRow
from registry.state_key_names import office_key, wraps_key
from registry.wraps import Reader, parse_wraps

BATCH: Final = 16
"""Acts that are made and submitted together."""
IN_FLIGHT_MAX: Final = 256
"""Acts that wait for a block; further ones wait here."""
RETRY_MS: Final = 60_000
"""After which a record is looked at again whose act was refused or did not come into a block."""
RECENT_MAX: Final = 10_000
"""Persons whose keys changed lately: acts prepared before may still come."""
KIND: Final = "wrap/add"
_IDENTITY: Final = "identity"

Submit = Callable[[Sequence[Submission]], Awaitable[list[Result]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperPorts:
    """What a keeper stands on.

    Attributes:
        application: The chain.
        owners: Whose records are whose.
        vault: Bodies and wraps.
        threads: For opening and wrapping.
        clock: What time it is.
        log: Takes notes: how many, never whose.
        submit: The door for entries; tells the other nodes.
    """

    application: Application
    owners: OwnerIndex
    vault: Vault
    threads: Executor
    clock: Clock
    log: Log
    submit: Submit


class WrapKeeper:
    """Adds the wraps that are missing.

    Args:
        keys: Of the agency.
        access: The state.
        ports: What it stands on.
    """

    def __init__(self, keys: CustodianKeys, access: Access, ports: KeeperPorts) -> None:
        self._keys = keys
        self._access = access
        self._ports = ports
        self._queue: dict[RecordId, None] = {}
        self._due_ms: dict[RecordId, int] = {}
        self._persons: dict[RecordId, None] = {}
        self._recent: dict[RecordId, None] = {}
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._queue) + len(self._due_ms)

    # --- what may have to be done ---

    def consider(self, record_id: RecordId, row: RecordRow) -> None:
        """Look at a record later, if it is sealed here and somebody has a key to read it with."""
        is_ours = row.seal is not None and row.sealed_by == self._keys.agency_id
        if is_ours and any(True for _reader in self._readers(record_id, row)):
            self._want((record_id,))

    def committed(self, committed: Committed) -> None:
        """Know whose keys or representatives a block changed, and what acts it holds."""
        for entry in committed.block.entries:
            if entry.head.kind == KIND and entry.head.about is not None:
                self._due_ms.pop(entry.head.about.record_id, None)
                self._want((entry.head.about.record_id,))
            for part in entry.records:
                if part.type_name == _IDENTITY and part.record_version > 1:
                    self._changed(part.record_id)
                elif part.seal is not None and self._recent:
                    self._want_if_recent(part.record_id)
        now_ms = self._ports.clock.monotonic_ms()
        for record_id in [one for one, due_ms in self._due_ms.items() if due_ms <= now_ms]:
            del self._due_ms[record_id]
            self._want((record_id,))
        if self._queue or self._persons:
            self._arrived.set()

    def _changed(self, person: RecordId) -> None:
        self._persons[person] = None
        self._recent.pop(person, None)
        self._recent[person] = None
        while len(self._recent) > RECENT_MAX:
            del self._recent[next(iter(self._recent))]

    def _want_if_recent(self, record_id: RecordId) -> None:
        """Look at a new version that may have been prepared before its reader had a key."""
        row = self._access.record(record_id)
        if row is None or row.sealed_by != self._keys.agency_id:
            return
        for owner in self._access.owners_of(record_id, row):
            person = self._access.record(owner)
            readers = () if person is None else [who for who, *_terms in representatives_of(person)]
            if owner in self._recent or any(who in self._recent for who in readers):
                self._want((record_id,))

    def _want(self, record_ids: Iterable[RecordId]) -> None:
        for record_id in record_ids:
            if record_id not in self._due_ms:
                self._queue[record_id] = None
        if self._queue:
            self._arrived.set()

    # --- doing it ---

    async def run(self) -> None:
        """Work until cancelled; the index of owners has been filled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            self._find_records()
            while self._queue and len(self._due_ms) < IN_FLIGHT_MAX:
                await self._work()

    def _find_records(self) -> None:
        persons, self._persons = self._persons, {}
        owners = self._ports.owners
        for person in persons:
            for one in (person, *owners.wards_of(person)):
                self._want(owners.records_of(one))

    async def _work(self) -> None:
        """Make and submit the acts of a few records."""
        taken = list(self._queue)[:BATCH]
        for record_id in taken:
            del self._queue[record_id]
        plans = [plan for plan in map(self._plan, taken) if plan is not None]
        loop = asyncio.get_running_loop()
        acts = await loop.run_in_executor(self._ports.threads, self._make, plans)
        if not acts:
            await asyncio.sleep(0)
            return
        due_ms = self._ports.clock.monotonic_ms() + RETRY_MS
        self._due_ms.update(dict.fromkeys([act.record_id for act in acts], due_ms))
        results = await self._ports.submit([Submission(act.entry_raw, ()) for act in acts])
        refused = [one for one in results if not isinstance(one, Admitted)]
        self._ports.log.info("wraps_added", count=len(results) - len(refused))
        for code in sorted({one.code for one in refused}):
            self._ports.log.warning("wraps_refused", code=code, retry_ms=RETRY_MS)

    def _make(self, plans: Sequence[WrapPlan]) -> list[WrapAct]:
        """Open, wrap, store and sign, in a worker thread; one that fails stops no other."""
        made = []
        for plan in plans:
            try:
                act = make_wrap_act(plan, self._keys)
                self._ports.vault.put_wraps(act.wraps_digest, act.wraps)
            except CivregError as error:
                self._ports.log.warning("wraps_not_made", code=error.code)
            else:
                made.append(act)
        return made

    def _plan(self, record_id: RecordId) -> WrapPlan | None:
        """Return what is missing of a record's present version; None if nothing is."""
        row = self._access.record(record_id)
        if row is None or row.seal is None or row.sealed_by != self._keys.agency_id:
            return None
        added = self._access.state.read(wraps_key(record_id, row.version), WrapsRow)
        digests = (row.seal.wraps_digest, *(() if added is None else added.digests))
        try:
            kept = [self._ports.vault.wraps(digest) for digest in digests]
        except PurgedError:
            return None
        wraps = tuple([wrap for raw in kept if raw is not None for wrap in parse_wraps(raw)])
        known = {(wrap.recipient, wrap.purpose) for wrap in wraps}
        missing = {
            (reader.key.key_id, reader.purpose): reader
            for reader in self._readers(record_id, row)
            if (reader.key.key_id, reader.purpose) not in known
        }
        office = self._office(row)
        if not missing or office is None:
            return None
        return WrapPlan(
            network_id=self._ports.application.network_id,
            record_id=record_id,
            version=row.version,
            key_check=row.seal.key_check,
            wraps=wraps,
            readers=tuple(missing[place] for place in sorted(missing)),
            record_type=self._access.type_named("wrap"),
            office=office,
            day=self._access.today,
            now_ms=max(self._ports.clock.now_ms(), self._ports.application.tip_time_ms),
        )

    def _readers(self, record_id: RecordId, row: RecordRow) -> Iterable[Reader]:
        """Yield the owners' seal keys in force today, or those of their representatives."""
        for owner in self._access.owners_of(record_id, row):
            yield from readers_for(self._access.state, owner, self._access.today)

    def _office(self, row: RecordRow) -> OfficeId | None:
        """Return an office of this agency that is in force, the record's own first."""
        if row.office is not None and self._is_ours(row.office):
            return row.office
        for key_raw, _stored in self._ports.application.store.scan_state("office"):
            office_id = OfficeId(id_in_key(key_raw))
            if self._is_ours(office_id):
                return office_id
        return None

    def _is_ours(self, office_id: OfficeId) -> bool:
        row = self._access.state.read(office_key(office_id), OfficeRow)
        return (
            row is not None
            and row.agency == self._keys.agency_id
            and in_range(self._access.today, row.from_date, row.to_date)
        )
