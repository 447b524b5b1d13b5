"""How long a network waits: a part of genesis, changed by ballot, equal on all nodes.

Value: `[1, propose_ms, propose_step_ms, prevote_ms, prevote_step_ms, precommit_ms,
precommit_step_ms, timeout_max_ms, precision_ms, delay_ms, delay_step_ms, delay_max_ms, idle_ms,
rebroadcast_ms]`, each an integer 0 ... 86,400,000.

A timeout of round r is `base + step * r`, at most `timeout_max_ms`. It grows by addition: doubling
each round is what froze other networks for hours, while with a ceiling a network that becomes good
again decides within a few ceilings, however long it was bad.

Source: the design's consensus.md, section Rules.
"""

from dataclasses import astuple, dataclass, fields
from typing import Final, Self

from consensus.errors import InvalidParametersError
from ledger.canonical import Value
from ledger.fields import read_array, read_int, read_version

DURATION_MS_MAX: Final = 86_400_000
"""One day: no duration of consensus is longer."""
PROPOSE_MARGIN_MS: Final = 1_000
"""T_propose(0) is at least twice the precision plus this; else honest proposals come too late."""

_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The durations of a network, in milliseconds.

    Attributes:
        propose_ms: T_propose(0).
        propose_step_ms: What each round adds to T_propose.
        prevote_ms: T_prevote(0).
        prevote_step_ms: What each round adds.
        precommit_ms: T_precommit(0).
        precommit_step_ms: What each round adds.
        timeout_max_ms: The ceiling of all three.
        precision_ms: How far the clocks of two honest nodes may differ.
        delay_ms: How long a proposal of round 0 may travel.
        delay_step_ms: What each round adds.
        delay_max_ms: The ceiling of that.
        idle_ms: After so long without entries a block is made as a sign of life.
        rebroadcast_ms: How often own messages are sent again while a round stands still.
    """

    propose_ms: int
    propose_step_ms: int
    prevote_ms: int
    prevote_step_ms: int
    precommit_ms: int
    precommit_step_ms: int
    timeout_max_ms: int
    precision_ms: int
    delay_ms: int
    delay_step_ms: int
    delay_max_ms: int
    idle_ms: int
    rebroadcast_ms: int

    def check(self) -> None:
        """Refuse durations with which no network could work.

        Raises:
            InvalidParametersError: T_propose(0) < 2 * precision + 1,000 ms, a ceiling below what
                it limits, a duration out of bounds, or one that would never let a timer wait.
        """
        for name in _NAMES:
            value = getattr(self, name)
            if not 0 <= value <= DURATION_MS_MAX:
                raise InvalidParametersError(f"{name} is {value}", parameter=name, value=value)
        for name in ("prevote_ms", "precommit_ms", "idle_ms", "rebroadcast_ms"):
            if getattr(self, name) == 0:
                raise InvalidParametersError(f"{name} is 0", parameter=name, value=0)
        least = 2 * self.precision_ms + PROPOSE_MARGIN_MS
        if self.propose_ms < least:
            raise InvalidParametersError(
                f"propose_ms is {self.propose_ms}, less than twice the precision plus"
                f" {PROPOSE_MARGIN_MS}, which is {least}",
                parameter="propose_ms",
                value=self.propose_ms,
            )
        longest = max(self.propose_ms, self.prevote_ms, self.precommit_ms)
        if self.timeout_max_ms < longest or self.delay_max_ms < self.delay_ms:
            raise InvalidParametersError("a ceiling is below what it limits")

    def to_value(self) -> Value:
        """Return the value to encode."""
        return (_VERSION, *astuple(self))

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Read and check what `to_value` returns.

        Raises:
            InvalidDataError: Another shape.
            InvalidParametersError: As `check`.
        """
        version, *durations = read_array(value, "parameters", 1 + len(_NAMES))
        read_version(version, "parameters.version", _VERSION)
        read = {
            name: read_int(duration, f"parameters.{name}", 0, DURATION_MS_MAX)
            for name, duration in zip(_NAMES, durations, strict=True)
        }
        parameters = cls(**read)
        parameters.check()
        return parameters


_NAMES: Final = tuple(one.name for one in fields(Parameters))

DEFAULT: Final = Parameters(
    propose_ms=3_000,
    propose_step_ms=500,
    prevote_ms=1_000,
    prevote_step_ms=500,
    precommit_ms=1_000,
    precommit_step_ms=500,
    timeout_max_ms=15_000,
    precision_ms=500,
    delay_ms=2_000,
    delay_step_ms=500,
    delay_max_ms=10_000,
    idle_ms=60_000,
    rebroadcast_ms=1_000,
)
"""For agencies in different places."""

LAN: Final = Parameters(
    propose_ms=1_200,
    propose_step_ms=300,
    prevote_ms=400,
    prevote_step_ms=200,
    precommit_ms=400,
    precommit_step_ms=200,
    timeout_max_ms=6_000,
    precision_ms=100,
    delay_ms=2_000,
    delay_step_ms=500,
    delay_max_ms=10_000,
    idle_ms=60_000,
    rebroadcast_ms=500,
)
"""For nodes in one building or on one machine, with clocks within 100 ms."""

PRESETS: Final = {"default": DEFAULT, "lan": LAN}
