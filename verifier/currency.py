"""Whether a certificate that holds still counts today, as far as it says so itself.

A receipt is true for ever. A certificate ends on the day that stands in it, and offline it counts
only for the days of its type: later only a node can say whether it is still in force.

Source: docs/formats.md, section 11; docs/records.md, section 2.
"""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

from verifier.receipts import Receipt
from verifier.verdicts import Word

FRESH_DAYS: Final[Mapping[str, int]] = MappingProxyType({"birth": 180})
"""Days that an offline certificate of a type counts, `fresh_for` of the types; 0 for all others."""

_DAY_MS: Final = 24 * 3_600_000
_CIVIL_OFFSET_MS: Final = 7 * 3_600_000
"""Civil dates are those of UTC+7."""
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


def currency_of(receipt: Receipt, now_ms: int) -> Word:
    """Return GENUINE if a certificate counts today, EXPIRED, or CANNOT CHECK NOW.

    Args:
        receipt: Of a certificate that holds.
        now_ms: The caller's time.
    """
    shown = _certificate(receipt)
    issued, today = _civil_day(receipt.certified.header.time_ms), _civil_day(now_ms)
    expires = shown.get("expires_on")
    if isinstance(expires, str) and date.fromordinal(today).isoformat() >= expires:
        return Word.EXPIRED
    fresh = 0 <= today - issued < FRESH_DAYS.get(_type_name(receipt, shown), 0)
    return Word.GENUINE if fresh else Word.CANNOT_CHECK


def _certificate(receipt: Receipt) -> Mapping[str, object]:
    parts = [one.part for one in receipt.shown if one.part is not None]
    found = [one.values or {} for one in parts if (one.form, one.kind) == ("object", "certificate")]
    return found[0] if found else {}


def _type_name(receipt: Receipt, shown: Mapping[str, object]) -> str:
    named = shown.get("type")
    if isinstance(named, str):
        return named
    head = receipt.shown[0].part
    return "" if head is None else head.kind.partition("/")[0]


def _civil_day(time_ms: int) -> int:
    """Return the ordinal of a civil date; the last one for times that no calendar has."""
    days = (time_ms + _CIVIL_OFFSET_MS) // _DAY_MS
    return min(_EPOCH_ORDINAL + days, date.max.toordinal())
