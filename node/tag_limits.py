"""How often an agency may have tags made: rarely, or as often as its import needs.

Who has many tags made can test numbers of which there are few: those of one year, sex and province
are a million. Registering people by hand needs a few thousand tags a day. So an agency has a stock
that fills slowly; only while a window for old books of one of its offices is open, which the
agencies have balloted, it fills as fast as an import goes.
"""

from collections.abc import Callable
from typing import Final, Protocol

from ledger.ids import AgencyId, OfficeId
from ledger.state_keys import parse_key, read_stored_value
from ledger.store import ChainStore
from node.rate_limits import RateLimits
from registry.authority_rows import OfficeRow
from registry.civil_calendar import in_range
from registry.object_rows import ImportRow
from registry.state import State
from registry.state_key_names import office_key

TAGS_PER_SECOND: Final = 2
"""170,000 a day; a million takes five and a half days, and an operator sees it."""
TAGS_BURST: Final = 20_000
IMPORT_TAGS_PER_SECOND: Final = 500


class TagLimits(Protocol):
    """Says whether an agency may have one more tag made."""

    def take(self, asker: AgencyId, now_ms: int) -> int:
        """Take a token; return 0, or after how many milliseconds there will be one."""


class WindowedTagLimits:
    """A slow stock for each agency, and a fast one while an import window of its own is open.

    Args:
        importing: Tells whether a window of an agency is open now.
        rate: Tags that come back each second.
        burst: Tags of a full stock.
        import_rate: As `rate`, while a window is open.
    """

    def __init__(
        self,
        importing: Callable[[AgencyId], bool],
        rate: int = TAGS_PER_SECOND,
        burst: int = TAGS_BURST,
        import_rate: int = IMPORT_TAGS_PER_SECOND,
    ) -> None:
        self._importing = importing
        self._usual = RateLimits(rate, burst)
        self._fast = RateLimits(import_rate, burst)

    def take(self, asker: AgencyId, now_ms: int) -> int:
        """Take a token; return 0, or after how many milliseconds there will be one."""
        limits = self._fast if self._importing(asker) else self._usual
        return limits.take(asker.hex(), now_ms)


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
