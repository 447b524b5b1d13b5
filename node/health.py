"""How the node does, in words: what is wrong, why, and what to do about it.

A probe looks at one thing and returns what it finds. Findings have a code that never changes, a
sentence about the cause and one about the cure, in both languages. Which there are stands in
`node.machine_findings` and `node.network_findings`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum, unique

from node.routes import Json

Text = tuple[str, str]
"""Vietnamese and English."""


@unique
class Level(StrEnum):
    """How bad it is; also the word for the whole node."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something an operator should know.

    Attributes:
        code: Stable.
        level: How bad it is.
        cause: What is the matter.
        cure: What to do.
    """

    code: str
    level: Level
    cause: Text
    cure: Text

    def to_json(self) -> Json:
        """Return the finding for the status page."""
        return {
            "code": self.code,
            "level": self.level.value,
            "cause": {"vi": self.cause[0], "en": self.cause[1]},
            "cure": {"vi": self.cure[0], "en": self.cure[1]},
        }


Probe = Callable[[], Iterable[Finding | None]]


class Health:
    """Asks all probes.

    Args:
        probes: Each looks at one thing and yields findings, or None where all is well.
    """

    def __init__(self, probes: Iterable[Probe]) -> None:
        self._probes = tuple(probes)

    def findings(self) -> list[Finding]:
        """Return what is wrong, the worst first."""
        found = [one for probe in self._probes for one in probe() if one is not None]
        return sorted(found, key=lambda finding: finding.level is not Level.BAD)

    def word(self) -> Level:
        """Return the worst level."""
        levels = {finding.level for finding in self.findings()}
        return next((level for level in (Level.BAD, Level.WARN) if level in levels), Level.OK)
