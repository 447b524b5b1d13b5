"""The state as a stack of overlays: read through, write on top, keep or drop as a whole.

The lowest `State` reads stored bytes through a function; it never learns where they come from.
Above it a block is one fork and each entry a fork of that: a refused entry is a fork that is
dropped. Rows are decoded once and kept as objects; what an entry wrote is encoded and blinded once,
by `seal_writes`, when the entry has succeeded.

Source: docs/formats.md, section 9.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol, Self, TypeVar

from keys.hashing import Digest
from ledger.canonical import Value, length_of
from ledger.errors import InvalidDataError
from ledger.frozen import quick_init
from ledger.limits import ENTRY_TOUCHES_MAX
from ledger.state_keys import (
    STATE_KEY_BYTES_MAX,
    STATE_VALUE_BYTES_MAX,
    STORED_BEFORE_BYTES,
    StateKey,
    blind_for,
    key_bytes,
    key_bytes_hash,
    read_stored_value,
    stored_value,
    stored_value_hash,
)
from registry.errors import CorruptStateError
from registry.work_limits import check_work

CACHED_ROWS_MAX: Final = 200_000
"""Rows that the lowest state keeps decoded; when there are more, it begins anew."""

Reader = Callable[[bytes], bytes | None]
"""Takes canonical key bytes, returns stored bytes canonical([blind, value]) or None."""


class Row(Protocol):
    """A decoded state value."""

    def to_value(self) -> Value:
        """Return the value as it stands in the state."""

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Read a value that the state holds."""


R = TypeVar("R", bound=Row)


@quick_init
@dataclass(frozen=True, slots=True)
class Cell:
    """One write, ready for the store.

    Attributes:
        key_bytes: Canonical bytes of the state key.
        key_hash: Position in the state tree, 32 bytes.
        stored: canonical([blind, value]), or None where the key is gone.
        value_hash: What the tree holds, 32 bytes, or None where the key is gone.
    """

    key_bytes: bytes
    key_hash: Digest
    stored: bytes | None
    value_hash: Digest | None


_UNKNOWN: Final = object()
"""Says that a layer does not know a key, which is not the same as knowing that it is absent."""


class _Source:
    """Where the lowest state comes from: stored bytes, decoded once; positions hashed once."""

    __slots__ = ("positions", "reader", "rows")

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.rows: dict[StateKey, Row | None] = {}
        self.positions: dict[StateKey, tuple[bytes, Digest]] = {}

    def load(self, key: StateKey, kind: type[R]) -> R | None:
        stored = self.reader(key_bytes(key))
        row = None if stored is None else _parse(stored, kind)
        if len(self.rows) >= CACHED_ROWS_MAX:
            self.rows.clear()
        self.rows[key] = row
        return row

    def position(self, key: StateKey) -> tuple[bytes, Digest]:
        known = self.positions.get(key)
        if known is None:
            encoded = key_bytes(key)
            known = (encoded, key_bytes_hash(encoded))
            if len(self.positions) >= CACHED_ROWS_MAX:
                self.positions.clear()
            self.positions[key] = known
        return known


class State:
    """All that is true now, or would be if a fork were absorbed.

    Args:
        reader: Reads stored bytes by key bytes. A state that is made of a reader is a lowest one.
    """

    __slots__ = ("_cells", "_layers", "_rows", "_source", "_writes")

    def __init__(self, reader: Reader) -> None:
        self._attach(_Source(reader), ())

    def _attach(self, source: _Source, lower: tuple[dict[StateKey, Row | None], ...]) -> None:
        self._source = source
        self._rows: dict[StateKey, Row | None] = {}
        self._writes: dict[StateKey, Row | None] = {}
        self._cells: dict[StateKey, Cell] = {}
        self._layers = (self._rows, *lower)

    def read(self, key: StateKey, kind: type[R]) -> R | None:
        """Return the row of a key, or None; each key has rows of one kind only.

        Raises:
            CorruptStateError: The stored bytes are no value of this kind.
        """
        for rows in self._layers:
            if rows and key in rows:  # an entry's own layer is empty until it writes
                return rows[key]  # type: ignore[return-value]  # each key has one kind of row
        found = self._source.rows.get(key, _UNKNOWN)
        if found is _UNKNOWN:
            return self._source.load(key, kind)
        return found  # type: ignore[return-value]  # likewise

    def write(self, key: StateKey, row: Row) -> None:
        """Set the row of a key.

        Raises:
            TooMuchWorkError: The entry writes more keys than one entry may.
        """
        self._put(key, row)

    def delete(self, key: StateKey) -> None:
        """Remove a key; one that is absent stays absent.

        Raises:
            TooMuchWorkError: The entry writes more keys than one entry may.
        """
        self._put(key, None)

    def get(self, key: StateKey) -> Value:
        """Return the plain value of a key, None if it is absent; for proofs and answers."""
        for rows in self._layers:
            if key in rows:
                row = rows[key]
                return None if row is None else row.to_value()
        stored = self._source.reader(key_bytes(key))
        return None if stored is None else read_stored_value(stored)[1]

    def fork(self) -> "State":
        """Return an overlay of this state; dropping it undoes what was written to it."""
        child = State.__new__(State)
        child._attach(self._source, self._layers)  # noqa: SLF001 - of the same class
        return child

    def seal_writes(self, seed: Digest) -> tuple[tuple[Digest, Digest | None], ...]:
        """Encode and blind all that was written since the last call.

        Args:
            seed: `ledger.state_keys.blind_seed` of the writing entry; in genesis the network_id.

        Returns:
            `(key_hash, value_hash or None)` of each written key, ascending by key_hash.

        Raises:
            TooMuchWorkError: A key or a row is longer than who reads it again takes.
        """
        touched = []
        for key, row in self._writes.items():
            encoded, position = self._source.position(key)
            _check_key(len(encoded))
            if row is None:
                cell = Cell(encoded, position, None, None)
            else:
                stored = stored_value(blind_for(seed, position), row.to_value())
                _check_row(len(stored) - STORED_BEFORE_BYTES)
                cell = Cell(encoded, position, stored, stored_value_hash(stored))
            self._cells[key] = cell
            touched.append((position, cell.value_hash))
        self._writes.clear()
        touched.sort(key=_first)
        return tuple(touched)

    def leave_unsealed(self) -> None:
        """Let others read what was written, and never store it: for a guess of what comes.

        Raises:
            TooMuchWorkError: As `seal_writes`, for the same key or row.
        """
        for key, row in self._writes.items():
            _check_key(length_of(key))
            if row is not None:
                _check_row(length_of(row.to_value()))
        self._writes.clear()

    def absorb(self, child: "State") -> None:
        """Take over what a fork of this state wrote and sealed."""
        assert child._layers[1] is self._rows, "a state absorbs its own forks"  # noqa: SLF001
        assert not child._writes, "seal_writes comes first"  # noqa: SLF001
        self._cells.update(child._cells)  # noqa: SLF001
        self._rows.update(child._rows)  # noqa: SLF001

    def changes(self) -> dict[bytes, bytes | None]:
        """Return what the store must write: key bytes to stored bytes, None to delete."""
        assert not self._writes, "seal_writes comes first"
        return {cell.key_bytes: cell.stored for cell in self._cells.values()}

    def tree_changes(self) -> dict[Digest, Digest | None]:
        """Return what the state tree must change: key hash to value hash, None to remove."""
        assert not self._writes, "seal_writes comes first"
        return {cell.key_hash: cell.value_hash for cell in self._cells.values()}

    def written_keys(self) -> tuple[StateKey, ...]:
        """Return the keys that this overlay says something about."""
        return tuple(self._rows)

    def forget(self, keys: Iterable[StateKey]) -> None:
        """Drop what this overlay says about keys, so that the layers below speak for them again.

        For a node's guess of what waiting entries will do; never for a state that is committed.
        """
        for key in keys:
            self._rows.pop(key, None)
            self._cells.pop(key, None)

    def settle(self) -> None:
        """Begin anew after the store has written `changes()`; decoded rows stay known.

        The reader must answer with the new bytes from now on. Only for a lowest state.
        """
        assert len(self._layers) == 1, "only the lowest state is stored"
        known = self._source.rows
        if len(known) + len(self._rows) > CACHED_ROWS_MAX:
            known.clear()
        known.update(self._rows)
        self._rows.clear()
        self._cells.clear()

    def _put(self, key: StateKey, row: Row | None) -> None:
        self._rows[key] = row
        self._writes[key] = row
        if len(self._layers) > 1:
            check_work("state touches", len(self._writes), ENTRY_TOUCHES_MAX)


def _check_key(length: int) -> None:
    """Refuse what could be written and never read again: it would part old nodes from restarted."""
    check_work("bytes of a state key", length, STATE_KEY_BYTES_MAX)


def _check_row(length: int) -> None:
    check_work("bytes of a state row", length, STATE_VALUE_BYTES_MAX)


def _first(touched: tuple[Digest, Digest | None]) -> Digest:
    return touched[0]


def _parse(stored: bytes, kind: type[R]) -> R:
    try:
        return kind.from_value(read_stored_value(stored)[1])
    except (InvalidDataError, TypeError, ValueError) as error:
        raise CorruptStateError(f"a stored state value is no {kind.__name__}") from error
