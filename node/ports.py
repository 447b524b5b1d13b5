"""What the node's logic needs of the outside, so that it runs on sockets or in a simulator.

Everything here is synchronous: an answer comes back by calling a function that was handed in, later
and in the same thread, never from within the call that asked.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from ledger.ids import AgencyId


@dataclass(frozen=True, slots=True)
class Question:
    """What a peer is asked for.

    Attributes:
        path: Under /peer/v1.
        bytes_max: The longest answer that is read.
        body: Sent along; None for a question that its path says whole.
    """

    path: str
    bytes_max: int
    body: bytes | None = None


class Network(Protocol):
    """The way to the other nodes."""

    @property
    def peers(self) -> tuple[AgencyId, ...]:
        """The other nodes, ascending."""

    def broadcast_messages(self, messages: Iterable[bytes]) -> None:
        """Send consensus messages to every peer, before anything large."""

    def broadcast_bulk(self, path: str, body: bytes) -> None:
        """Send something large to every peer."""

    def ask(
        self, peer: AgencyId, question: Question, answer: Callable[[bytes | None], None]
    ) -> None:
        """Ask a peer; `answer` is called once, with None where nothing came or it has none."""

    def blame(self, peer: AgencyId, reason: str) -> None:
        """Hold something against a peer that no honest peer does."""


class Timers(Protocol):
    """Calls back later."""

    def after(self, delay_ms: int, fire: Callable[[], None]) -> None:
        """Call `fire` once after so many milliseconds."""
