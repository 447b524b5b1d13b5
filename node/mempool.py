"""Entries that wait for a block: bounded, fair between signers, in order for each record.

Every signer has a queue of its own and takes one turn a round, so a flood of one signer delays
nobody else. Whoever had an entry committed goes to the end of the line. Within this fairness an
entry never comes before an earlier one that writes a record which it writes or names: what was
admitted on a predicted state is proposed in an order in which the prediction holds.

Pure and without asyncio: times are arguments, and what the entries mean is nobody's business here.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from keys.hashing import Digest
from keys.signing import KeyId
from ledger.entries import EntryContent
from ledger.ids import RecordId
from ledger.limits import (
    BLOCK_BODIES_BYTES_MAX,
    POOL_BYTES_MAX,
    POOL_ENTRIES_MAX,
    POOL_RECORD_DEPTH_MAX,
    POOL_SIGNER_BYTES_MAX,
    POOL_SIGNER_ENTRIES_LEAST,
    POOL_SIGNER_ENTRIES_MAX,
    POOL_SIGNER_SHARE,
)
from node.errors import PoolFullError, RecordDepthError, SignerLimitError

if TYPE_CHECKING:
    from registry.apply import VerifiedEntry

PATIENCE_BLOCKS: Final = 3
"""Blocks that may leave an entry out because it fails, before the pool gives it up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledEntry:
    """An entry that passed admission.

    Attributes:
        verified: What `registry.apply` executes.
        entry_digest: What everybody calls it by.
        signer: Whose turn it takes: the key id of the first signer.
        writes: Records that it writes or is about.
        names: Other records that it mentions: owners, links, persons acted for.
        not_after_ms: The last block time at which it is valid.
        body_digests: Its sealed bodies, which are in the vault.
        bodies_bytes: Of these bodies together.
        size: Bytes of the entry.
        received_ms: When it was admitted.
    """

    verified: "VerifiedEntry"
    entry_digest: Digest
    signer: KeyId
    writes: tuple[RecordId, ...]
    names: tuple[RecordId, ...]
    not_after_ms: int
    body_digests: tuple[Digest, ...]
    bodies_bytes: int
    size: int
    received_ms: int


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a pool holds; the defaults are those of `ledger.limits`."""

    entries_max: int = POOL_ENTRIES_MAX
    bytes_max: int = POOL_BYTES_MAX
    signer_entries_max: int = POOL_SIGNER_ENTRIES_MAX
    signer_bytes_max: int = POOL_SIGNER_BYTES_MAX
    record_depth_max: int = POOL_RECORD_DEPTH_MAX


class Mempool:
    """What waits; see the module's docstring.

    Args:
        limits: How much it holds.

    Attributes:
        on_not_empty: Called when the first entry comes into an empty pool.
        on_given_up: Called with the entries that `drop_failed` gives up.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._entries: dict[Digest, PooledEntry] = {}
        self._sequence: dict[Digest, int] = {}
        self._next_sequence = 0
        self._queues: dict[KeyId, dict[Digest, None]] = {}
        self._writers: dict[RecordId, dict[Digest, None]] = {}
        self._failures: dict[Digest, int] = {}
        self._bytes = 0
        self._signer_bytes: dict[KeyId, int] = {}
        self.on_not_empty: Callable[[], None] = _nothing
        self.on_given_up: Callable[[list[PooledEntry]], None] = _nothing_of

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, entry_digest: Digest) -> bool:
        return entry_digest in self._entries

    @property
    def bytes(self) -> int:
        """Bytes of all entries together, without their bodies."""
        return self._bytes

    @property
    def signers(self) -> int:
        """How many signers have entries here."""
        return len(self._queues)

    @property
    def largest_signer(self) -> int:
        """How many entries the signer has who has most."""
        return max((len(queue) for queue in self._queues.values()), default=0)

    def get(self, entry_digest: Digest) -> PooledEntry | None:
        """Return an entry that waits, or None."""
        return self._entries.get(entry_digest)

    def entries(self) -> tuple[PooledEntry, ...]:
        """Return all that waits, in the order in which it came."""
        return tuple(self._entries.values())

    def check_room(self, signer: KeyId, writes: Iterable[RecordId], size: int) -> None:
        """Refuse what `add` would refuse, before anybody has worked for it.

        Raises:
            PoolFullError: Too many entries or bytes.
            SignerLimitError: Too many entries or bytes of this signer.
            RecordDepthError: Too many entries of one of these records.
        """
        limits = self._limits
        if len(self._entries) >= limits.entries_max:
            raise PoolFullError(
                f"the pool holds {len(self._entries)} entries",
                **_limit("pool entries", len(self._entries), limits.entries_max),
            )
        if self._bytes + size > limits.bytes_max:
            raise PoolFullError(
                f"the pool holds {self._bytes} bytes and cannot take {size} more",
                **_limit("pool bytes", self._bytes + size, limits.bytes_max),
            )
        self._check_share(signer, size)
        for record_id in writes:
            depth = len(self._writers.get(record_id, ()))
            if depth >= limits.record_depth_max:
                raise RecordDepthError(
                    f"{depth} entries of this record wait already",
                    **_limit("pool entries of a record", depth, limits.record_depth_max),
                )

    def _check_share(self, signer: KeyId, size: int) -> None:
        """Refuse a signer more than his share: the fuller the pool is, the smaller it gets."""
        limits = self._limits
        waiting = len(self._queues.get(signer, ()))
        share = (limits.entries_max - len(self._entries)) // POOL_SIGNER_SHARE
        most = min(limits.signer_entries_max, max(POOL_SIGNER_ENTRIES_LEAST, share))
        if waiting >= most:
            raise SignerLimitError(
                f"{waiting} entries of this signer wait already",
                **_limit("pool entries of a signer", waiting, most),
            )
        held = self._signer_bytes.get(signer, 0)
        if waiting >= POOL_SIGNER_ENTRIES_LEAST and held + size > limits.signer_bytes_max:
            raise SignerLimitError(
                f"{held} bytes of this signer wait already",
                **_limit("pool bytes of a signer", held + size, limits.signer_bytes_max),
            )

    def add(self, pooled: PooledEntry) -> None:
        """Take an entry in; one that is here already stays as it is.

        Raises:
            PoolFullError: Too many entries or bytes.
            SignerLimitError: Too many entries or bytes of this signer.
            RecordDepthError: Too many entries of one of its records.
        """
        digest = pooled.entry_digest
        if digest in self._entries:
            return
        self.check_room(pooled.signer, pooled.writes, pooled.size)
        was_empty = not self._entries
        self._entries[digest] = pooled
        self._sequence[digest] = self._next_sequence
        self._next_sequence += 1
        self._bytes += pooled.size
        held = self._signer_bytes.get(pooled.signer, 0)
        self._signer_bytes[pooled.signer] = held + pooled.size
        self._queues.setdefault(pooled.signer, {})[digest] = None
        for record_id in pooled.writes:
            self._writers.setdefault(record_id, {})[digest] = None
        if was_empty:
            self.on_not_empty()

    def take(
        self, entries_max: int, bytes_max: int, bodies_bytes_max: int = BLOCK_BODIES_BYTES_MAX
    ) -> list[PooledEntry]:
        """Return what the next block should hold, without removing it.

        Round-robin over signers; an entry comes after every earlier one that writes a record
        which it writes or names. A signer whose next entry does not fit has no more turns.

        Args:
            entries_max: The most entries.
            bytes_max: The most bytes of entries together.
            bodies_bytes_max: The most bytes of sealed bodies together.
        """
        selection = _Selection(entries_max, bytes_max, bodies_bytes_max)
        turns = deque((signer, deque(queue)) for signer, queue in self._queues.items())
        blocked: dict[Digest, list[tuple[KeyId, deque[Digest]]]] = {}
        while turns and len(selection.taken) < entries_max:
            turn = turns.popleft()
            pooled = self._entries[turn[1][0]]
            before = self._blocked_by(pooled, selection.digests)
            if before is not None:
                blocked.setdefault(before, []).append(turn)
                continue
            if not selection.take(pooled):
                continue
            turn[1].popleft()
            if turn[1]:
                turns.append(turn)
            turns.extend(blocked.pop(pooled.entry_digest, ()))
        return selection.taken

    def remove(self, entry_digests: Iterable[Digest]) -> list[PooledEntry]:
        """Drop entries after a commit and return those that were here.

        Their signers go to the end of the line.
        """
        removed = []
        for digest in entry_digests:
            pooled = self._entries.pop(digest, None)
            if pooled is None:
                continue
            removed.append(pooled)
            self._bytes -= pooled.size
            del self._sequence[digest]
            self._failures.pop(digest, None)
            queue = self._queues.pop(pooled.signer)
            del queue[digest]
            if queue:
                self._queues[pooled.signer] = queue
                self._signer_bytes[pooled.signer] -= pooled.size
            else:
                del self._signer_bytes[pooled.signer]
            for record_id in pooled.writes:
                writers = self._writers[record_id]
                del writers[digest]
                if not writers:
                    del self._writers[record_id]
        return removed

    def drop_failed(self, entry_digests: Iterable[Digest]) -> list[PooledEntry]:
        """Count entries that a block had to leave out; return and drop those given up.

        An entry may fail only because what it builds on is not committed yet, so it is given up
        after `PATIENCE_BLOCKS` failures.
        """
        hopeless = []
        for digest in entry_digests:
            if digest in self._entries:
                self._failures[digest] = self._failures.get(digest, 0) + 1
                if self._failures[digest] >= PATIENCE_BLOCKS:
                    hopeless.append(digest)
        given_up = self.remove(hopeless)
        if given_up:
            self.on_given_up(given_up)
        return given_up

    def drop_beaten(self, entries: Iterable[EntryContent]) -> list[PooledEntry]:
        """Drop and return what can never come any more: an entry in the chain took its version.

        Args:
            entries: Of the newest block.
        """
        beaten: dict[Digest, None] = {}
        for entry in entries:
            for part in entry.records:
                for digest in self._writers.get(part.record_id, _NONE):
                    if any(
                        own.record_id == part.record_id
                        and own.record_version <= part.record_version
                        for own in self._entries[digest].verified.entry.records
                    ):
                        beaten[digest] = None
        return self.remove(beaten)

    def drop_expired(self, time_ms: int) -> list[PooledEntry]:
        """Drop and return the entries that no block after this time may hold.

        Args:
            time_ms: Time of the newest block; the next one is later.
        """
        return self.remove(
            [digest for digest, pooled in self._entries.items() if pooled.not_after_ms <= time_ms]
        )

    def _blocked_by(self, pooled: PooledEntry, taken: set[Digest]) -> Digest | None:
        """Return the last untaken earlier entry that writes what this one writes or names."""
        sequence = self._sequence[pooled.entry_digest]
        for record_ids in (pooled.writes, pooled.names):
            for record_id in record_ids:
                for digest in reversed(self._writers.get(record_id, _NONE)):
                    if self._sequence[digest] < sequence and digest not in taken:
                        return digest
        return None


_NONE: Final[dict[Digest, None]] = {}


class _Selection:
    """What `Mempool.take` has chosen so far."""

    __slots__ = ("_bodies_left", "_bytes_left", "digests", "taken")

    def __init__(self, entries_max: int, bytes_max: int, bodies_bytes_max: int) -> None:
        self._bytes_left = bytes_max if entries_max > 0 else 0
        self._bodies_left = bodies_bytes_max
        self.taken: list[PooledEntry] = []
        self.digests: set[Digest] = set()

    def take(self, pooled: PooledEntry) -> bool:
        """Take an entry if it fits, and say whether it did."""
        if pooled.size > self._bytes_left or pooled.bodies_bytes > self._bodies_left:
            return False
        self._bytes_left -= pooled.size
        self._bodies_left -= pooled.bodies_bytes
        self.taken.append(pooled)
        self.digests.add(pooled.entry_digest)
        return True


@dataclass(frozen=True, slots=True)
class Mentions:
    """Which records an entry writes, and which others it names."""

    writes: tuple[RecordId, ...]
    names: tuple[RecordId, ...]

    @classmethod
    def of(cls, entry: EntryContent) -> Self:
        """Read them from the parts of an entry."""
        writes = {record.record_id: None for record in entry.records}
        if entry.head.about is not None:
            writes[entry.head.about.record_id] = None
        names: dict[RecordId, None] = {}
        for signer in entry.head.signers:
            if signer.acting_for is not None:
                names[signer.acting_for] = None
        for record in entry.records:
            for holder in record.holders:
                names.update(dict.fromkeys(holder.parties))
            for target in record.links.values():
                names.update(dict.fromkeys(target if isinstance(target, tuple) else (target,)))
        return cls(tuple(writes), tuple([name for name in names if name not in writes]))


def _limit(name: str, value: int, maximum: int) -> dict[str, int | str]:
    return {"limit": name, "value": value, "maximum": maximum}


def _nothing() -> None:
    """Stand in for a callback that nobody has set."""


def _nothing_of(given_up: list[PooledEntry]) -> None:
    """Stand in for a callback that nobody has set."""
