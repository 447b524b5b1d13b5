"""How often an agency may have tags made: as often as they come into the chain, else rarely.

Who has many tags made can test numbers of which there are few: those of one year, sex and province
are a million. Who registers people uses the tags: each stands in an entry soon. So an agency has a
stock of tags that were asked for and never used: what comes into the chain is given back, the rest
comes back slowly. Only while a window for old books of one of its offices is open, which the
agencies have balloted, the stock fills as fast as an import goes.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Protocol

from keys.signing import KeyId
from ledger.entries import Entry
from ledger.ids import AgencyId, OfficeId, RecordId
from ledger.state_keys import parse_key, read_stored_value
from ledger.store import ChainStore
from node.clock import Clock
from node.public_errors import TooManyRequestsError
from node.rate_limits import RateLimits
from registry.authority_rows import KeyRow, OfficeRow
from registry.civil_calendar import in_range
from registry.object_rows import ImportRow
from registry.state import State
from registry.state_key_names import key_key, office_key

UNUSED_TAGS_PER_HOUR: Final = 360
"""8,640 a day of drafts that came to nothing; a million takes 113 days, and an operator sees it."""
TAGS_BURST: Final = 20_000
"""Tags that may be under way at once, in drafts that wait for signatures for a month."""
OFFICER_TAGS_PER_HOUR: Final = 90
OFFICER_TAGS_BURST: Final = 5_000
"""A quarter of the agency's stock, and of what comes back."""
ASKED_RECORDS_MAX: Final = 50_000
"""Records in the making of which it is known who asked; the oldest is forgotten first."""
IMPORT_TAGS_PER_SECOND: Final = 500
_HOUR_S: Final = 3_600


class TagLimits(Protocol):
    """Says whether an agency may have one more tag made."""

    def take(self, asker: AgencyId, now_ms: int) -> int:
        """Take a token; return 0, or after how many milliseconds there will be one."""

    def used(self, asker: AgencyId, count: int, now_ms: int) -> None:
        """Know that tags of an agency came into the chain."""


class WindowedTagLimits:
    """A slow stock for each agency, and a fast one while an import window of its own is open.

    Args:
        importing: Tells whether a window of an agency is open now.
        rate: Tags that come back each hour without having been used.
        burst: Tags of a full stock.
        import_rate: Tags that come back each second while a window is open.
    """

    def __init__(
        self,
        importing: Callable[[AgencyId], bool],
        rate: int = UNUSED_TAGS_PER_HOUR,
        burst: int = TAGS_BURST,
        import_rate: int = IMPORT_TAGS_PER_SECOND,
    ) -> None:
        self._importing = importing
        self._usual = RateLimits(rate, burst, seconds=_HOUR_S)
        self._fast = RateLimits(import_rate, burst)

    def take(self, asker: AgencyId, now_ms: int) -> int:
        """Take a token; return 0, or after how many milliseconds there will be one."""
        limits = self._fast if self._importing(asker) else self._usual
        return limits.take(asker.hex(), now_ms)

    def used(self, asker: AgencyId, count: int, now_ms: int) -> None:
        """Give tags back that came into the chain; what an import uses fills the slow stock too."""
        self._usual.give_back(asker.hex(), count, now_ms)


class OfficerShares:
    """One officer's part of the own agency's stock: nobody alone stops the others' registrations.

    Args:
        importing: Tells whether a window for old books of the agency is open now.
        clock: Its monotonic time.
        rate: Tags that come back each hour without having been used.
        burst: Tags of a full share.
    """

    def __init__(
        self,
        importing: Callable[[], bool],
        clock: Clock,
        rate: int = OFFICER_TAGS_PER_HOUR,
        burst: int = OFFICER_TAGS_BURST,
    ) -> None:
        self._importing = importing
        self._clock = clock
        self._shares = RateLimits(rate, burst, seconds=_HOUR_S)
        self._asked: OrderedDict[RecordId, str] = OrderedDict()

    def take(self, officer: bytes, records: Sequence[RecordId]) -> None:
        """Take a tag of an officer's share for each of these records, or none.

        Args:
            officer: Who asks: the holder of the key that signed the request.
            records: For which tags are made; one that has several stands in it as often.

        Raises:
            TooManyRequestsError: So many came into no entry.
        """
        if self._importing():
            return
        name, now_ms = officer.hex(), self._clock.monotonic_ms()
        wait_ms = self._shares.wait_ms(name, now_ms, len(records))
        if wait_ms:
            raise TooManyRequestsError(
                "this officer has had too many tags made that were never used",
                retry_after_s=wait_ms // 1_000 + 1,
            )
        self._shares.spend(name, len(records), now_ms)
        for record_id in records:
            self._asked[record_id] = name
        while len(self._asked) > ASKED_RECORDS_MAX:
            self._asked.popitem(last=False)

    def committed(self, entries: Iterable[Entry]) -> None:
        """Give back what stands in the chain, to whoever asked for it last."""
        for entry in entries:
            for part in entry.records:
                name = self._asked.pop(part.record_id, None)
                used = sum(claim.proof is not None for claim in part.claims) + len(part.matches)
                if name is not None:
                    self._shares.give_back(name, used, self._clock.monotonic_ms())


class ImportingAgencies:
    """Knows which agencies have an import window open; looks once for each height and day.

    Args:
        store: The chain.
        state: Returns the committed state.
        today: Returns the civil date.
    """

    def __init__(
        self, store: ChainStore, state: Callable[[], State], today: Callable[[], str]
    ) -> None:
        self._store = store
        self._state = state
        self._today = today
        self._seen: tuple[int, str] | None = None
        self._open: frozenset[AgencyId] = frozenset()

    def __call__(self, agency: AgencyId) -> bool:
        """Tell whether a window of an office of this agency is open and has room."""
        seen = (self._store.height, self._today())
        if seen != self._seen:
            self._seen, self._open = seen, self._agencies(*seen)
        return agency in self._open

    def _agencies(self, height: int, day: str) -> frozenset[AgencyId]:
        found = set()
        for key_raw, stored in self._store.scan_state("import"):
            row = ImportRow.from_value(read_stored_value(stored)[1])
            is_open = row.scans_root is not None and row.used < row.count
            if (
                is_open
                and row.from_height <= height + 1
                and in_range(day, row.from_date, row.to_date)
            ):
                found.add(self._agency_of(key_raw))
        return frozenset(agency for agency in found if agency is not None)

    def _agency_of(self, key_raw: bytes) -> AgencyId | None:
        office_id = parse_key(key_raw)[1]
        assert isinstance(office_id, bytes), "an import is of an office"
        office = self._state().read(office_key(OfficeId(office_id)), OfficeRow)
        return None if office is None else office.agency


def used_tags(entries: Iterable[Entry]) -> Iterator[tuple[str, KeyId]]:
    """Yield namespace and officer's key of each tag in entries."""
    for entry in entries:
        for part in entry.records:
            for claim in part.claims:
                if claim.proof is not None:
                    yield claim.namespace, claim.proof.officer_key_id
            for match in part.matches:
                yield match.namespace, match.proof.officer_key_id


def agency_of_key(state: State, key_id: KeyId) -> AgencyId | None:
    """Return the agency in whose office an officer's key serves, or served, or None."""
    key = state.read(key_key(key_id), KeyRow)
    if key is None or key.office is None:
        return None
    office = state.read(office_key(key.office), OfficeRow)
    return None if office is None else office.agency
