"""What a Byzantine member does beside, or instead of, what the protocol says.

A Byzantine machine runs the production node, so it knows all that an honest one knows; behaviours
change what leaves it and add to it. They may sign anything with their own key and nothing with
another one. Every time one of them acts it says so to `acted`, so the summary can count it.
"""

from typing import TYPE_CHECKING, ClassVar

from ledger.ids import AgencyId
from tests.sim.network import Payload

if TYPE_CHECKING:
    from tests.sim.machine import Machine


class Behaviour:
    """Does what an honest node does; the base of all behaviours.

    Attributes:
        name: For the summary.
        every_ms: How often `tick` is called.
    """

    name: ClassVar[str] = ""
    every_ms: ClassVar[int] = 250

    def __init__(self, machine: "Machine") -> None:
        self.machine = machine
        self.simulation = machine.simulation
        self.dice = machine.simulation.dice

    def acted(self) -> None:
        """Count one deed."""
        self.simulation.deeds[self.name] += 1

    def outgoing(self, to: AgencyId, payload: Payload) -> list[Payload]:  # noqa: ARG002
        """Change what leaves for one receiver; an empty list withholds it."""
        return [payload]

    def heard(self, sender: "Machine", payload: Payload) -> None:
        """See what comes in, before the node does."""

    def tick(self) -> None:
        """Act without a cause."""


ALL: tuple[type[Behaviour], ...] = ()
