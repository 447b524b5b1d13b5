"""The state of the ledger as a node answers it, behind the same `State` that validators use.

So the program plans signers, finds readers and tries rules with the registry's own code. Values are
fetched when they are read and kept until `refresh`; `prefetch` gets many with one request. A node
could answer wrongly: then the entry is refused by the others, for nothing here is believed by them.
"""

from collections.abc import Callable, Iterable
from typing import Final

from cli.errors import NoNetworkError
from ledger.canonical import decode, encode
from ledger.errors import InvalidDataError
from ledger.fields import INTEGER_MAX, read_array, read_bytes_up_to, read_int, read_version
from ledger.state_keys import StateKey, key_bytes
from registry.state import State

KEYS_MAX: Final = 256
"""State keys in one request."""
VALUE_BYTES_MAX: Final = 1024 * 1024
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
CACHED_MAX: Final = 200_000

Ask = Callable[[bytes], bytes]
"""Sends canonical([1, [key ...]]), returns canonical([1, height, [stored bin|nil ...]])."""

_VERSION: Final = 1


class RemoteState:
    """Reads state values of a node and keeps them until told otherwise.

    Args:
        ask: Sends a request; see `Ask`.

    Attributes:
        height: The newest block after which something was read.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.height = 0
        self._known: dict[bytes, bytes | None] = {}
        self._state = State(self.read)

    @property
    def state(self) -> State:
        """The state as far as it was read; fork it to try something."""
        return self._state

    def refresh(self) -> None:
        """Forget all values, so that they are asked for again."""
        self._known.clear()
        self._state = State(self.read)

    def prefetch(self, keys: Iterable[StateKey]) -> None:
        """Fetch the values of many keys with few requests."""
        wanted = [raw for raw in dict.fromkeys(map(key_bytes, keys)) if raw not in self._known]
        for at in range(0, len(wanted), KEYS_MAX):
            self._fetch(wanted[at : at + KEYS_MAX])

    def read(self, raw_key: bytes) -> bytes | None:
        """Return the stored bytes of one key; a `registry.state.Reader`."""
        if raw_key not in self._known:
            self._fetch([raw_key])
        return self._known[raw_key]

    def _fetch(self, raw_keys: list[bytes]) -> None:
        keys = [decode(raw, len(raw)) for raw in raw_keys]
        answer = self._ask(encode((_VERSION, tuple(keys))))
        try:
            fields = read_array(decode(answer, ANSWER_BYTES_MAX), "state answer", 3)
            read_version(fields[0], "state answer.version", _VERSION)
            height = read_int(fields[1], "state answer.height", 0, INTEGER_MAX)
            values = read_array(fields[2], "state values", len(raw_keys))
            stored = [
                None if value is None else read_bytes_up_to(value, "state value", VALUE_BYTES_MAX)
                for value in values
            ]
        except InvalidDataError as error:
            raise NoNetworkError(
                "the node's answer is no list of state values", address="-"
            ) from error
        self.height = max(self.height, height)
        if len(self._known) + len(raw_keys) > CACHED_MAX:
            self._known.clear()
        self._known.update(zip(raw_keys, stored, strict=True))
