"""Parses and verifies each entry once: what came by HTTP, gossip or a block is remembered.

What the custodian of this node signed counts as verified before it comes: it verified all others'
signatures before it gave its own, and knows its own.

The cache of verified signatures is keyed by (entry_digest, signatures_digest), which the 70 bytes
of the log leaf hold; never by signature bytes alone, for ECDSA accepts two forms of each signature.
The one used longest ago is forgotten first.
"""

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from keys.hashing import Digest, sha256
from ledger.entries import Entry, parse_entry
from registry.apply import VerifiedEntry

if TYPE_CHECKING:
    from keys.signing import KeyId

ENTRIES_MAX: Final = 16_384
BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of remembered entries as they came; parsed they take several times as much."""
AHEAD_MAX: Final = 16_384
"""Entries that were verified here and did not come yet, about 300 bytes each."""


class EntryCache:
    """Remembers entries by their bytes, by their log leaf, and whether they were verified."""

    def __init__(self, entries_max: int = ENTRIES_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._by_raw: OrderedDict[bytes, Entry] = OrderedDict()
        self._by_leaf: dict[bytes, Entry] = {}
        self._verified: dict[bytes, VerifiedEntry] = {}
        self._ahead: OrderedDict[bytes, tuple[KeyId, ...]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_raw)

    def parse(self, raw: bytes, name: Digest | None = None) -> Entry:
        """Return the entry of these bytes, parsed now or earlier.

        Args:
            raw: Bytes from anywhere.
            name: Their SHA-256, where the caller has it already.

        Raises:
            InvalidDataError: As `ledger.entries.parse_entry`.
        """
        name = name or sha256(raw)
        known = self._by_raw.get(name)
        if known is not None:
            self._by_raw.move_to_end(name)
            return known
        entry = parse_entry(raw)
        self._by_raw[name] = entry
        self._by_leaf[entry.log_leaf] = entry
        self._bytes += len(raw)
        while len(self._by_raw) > self._entries_max or self._bytes > self._bytes_max:
            _name, oldest = self._by_raw.popitem(last=False)
            self._bytes -= len(oldest.raw)
            self._by_leaf.pop(oldest.log_leaf, None)
            self._verified.pop(oldest.log_leaf, None)
        return entry

    def by_leaf(self, leaf: bytes) -> Entry | None:
        """Return the entry with this log leaf, if it is remembered."""
        return self._by_leaf.get(leaf)

    def verified(self, entry: Entry) -> VerifiedEntry | None:
        """Return the entry as verified, if it was."""
        leaf = entry.log_leaf
        known = self._verified.get(leaf)
        if known is None and leaf in self._ahead:
            return VerifiedEntry(entry, self._ahead[leaf])
        return known

    def remember(self, verified: VerifiedEntry) -> None:
        """Remember that the signatures of an entry verify; it was parsed here before."""
        leaf = verified.entry.log_leaf
        if leaf in self._by_leaf:
            self._verified[leaf] = verified

    def expect(self, verified: VerifiedEntry) -> None:
        """Remember that the signatures of an entry verify which has not come yet."""
        self._ahead[verified.entry.log_leaf] = verified.tag_keys
        if len(self._ahead) > AHEAD_MAX:
            self._ahead.popitem(last=False)

    def forget(self, leaf: bytes) -> None:
        """Forget an entry, for it is in the chain now."""
        entry = self._by_leaf.pop(leaf, None)
        self._verified.pop(leaf, None)
        self._ahead.pop(leaf, None)
        if entry is not None and self._by_raw.pop(sha256(entry.raw), None) is not None:
            self._bytes -= len(entry.raw)
