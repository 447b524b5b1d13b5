"""A guess of the next state: the committed one and what waiting entries will do to it.

An entry that builds on a waiting one must be admissible, so entries are tried on a layer over the
committed state which holds the effects of all that waits. When entries leave the pool, the keys
that they were the last to write are dropped from the layer, and the committed state speaks for them
again; the pool is never executed a second time. It stays a guess: a block decides.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from keys.hashing import Digest
from ledger.state_keys import StateKey
from registry.apply import BlockContext, VerifiedEntry, rehearse
from registry.state import State


@dataclass(frozen=True, slots=True)
class Trial:
    """What an entry would do.

    Attributes:
        state: The layer with its effects.
        keys: What it would write.
    """

    state: State
    keys: tuple[StateKey, ...]


class Prediction:
    """The state as it would be if everything that waits were committed.

    Args:
        tip: Returns the committed state; another object than before means another beginning.
    """

    def __init__(self, tip: Callable[[], State]) -> None:
        self._tip = tip
        self._base = tip()
        self._state = self._base.fork()
        self._last_writer: dict[StateKey, Digest] = {}
        self._keys: dict[Digest, tuple[StateKey, ...]] = {}

    @property
    def state(self) -> State:
        """The guess, to read from."""
        if self._tip() is not self._base:
            self._begin_anew()
        return self._state

    def try_entry(self, verified: VerifiedEntry, context: BlockContext) -> Trial:
        """Execute an entry on the guess without changing it.

        Raises:
            RuleError: The entry is refused.
        """
        child = self.state.fork()
        rehearse(child, verified, context)
        return Trial(child, child.written_keys())

    def accept(self, entry_digest: Digest, trial: Trial) -> None:
        """Take the effects of the entry that was tried last into the guess."""
        self._state.absorb(trial.state)
        self._keys[entry_digest] = trial.keys
        for key in trial.keys:
            self._last_writer[key] = entry_digest

    def drop(self, entry_digests: Iterable[Digest]) -> None:
        """Drop the effects of entries that were committed, or that nobody waits for any more."""
        stale: list[StateKey] = []
        for digest in entry_digests:
            for key in self._keys.pop(digest, ()):
                if self._last_writer.get(key) == digest:
                    del self._last_writer[key]
                    stale.append(key)
        self._state.forget(stale)

    def _begin_anew(self) -> None:
        self._base = self._tip()
        self._state = self._base.fork()
        self._last_writer.clear()
        self._keys.clear()
