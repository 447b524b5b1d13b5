"""Faults of the network: bad weather, partitions that heal, cuts in one direction, isolation."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from consensus.messages import MessageTag

if TYPE_CHECKING:
    from tests.sim.simulation import Simulation

USUAL_DELAY_MS = 8
LONE_LOCK_MS = 2_500
"""So long that a round ends by its timeouts."""
_LOSSY = (MessageTag.PREVOTE, MessageTag.PROPOSAL, MessageTag.POLKA_PROOF, MessageTag.ROUND_PROOF)


class NetworkFaults:
    """Breaks links, each for a while."""

    def __init__(self, simulation: "Simulation") -> None:
        self._simulation = simulation
        self._dice = simulation.dice

    def kinds(self) -> dict[str, Callable[[int], None]]:
        """Return all faults by name; each is given how long it lasts, in ms."""
        return {
            "bad weather": self._bad_weather,
            "lone lock": self._lone_lock,
            "lossy kind": self._lossy_kind,
            "partition": self._partition,
            "one-way cut": self._one_way_cut,
            "isolation": self._isolation,
        }

    @property
    def _slots(self) -> list[int]:
        return [one.slot for one in self._simulation.machines]

    def _bad_weather(self, lasts_ms: int) -> None:
        dice, links = self._dice, self._simulation.network.links
        links.loss = dice.choice((0.0, 0.02, 0.1, 0.3, 0.5))
        links.duplication = dice.choice((0.0, 0.1, 0.3))
        links.late = dice.choice((0.0, 0.02, 0.1))
        links.delay_ms = dice.choice((5, 30, 120, 500))
        self._simulation.faults["bad weather"] += 1

        def end() -> None:
            links.loss = links.duplication = links.late = 0.0
            links.delay_ms = USUAL_DELAY_MS

        self._simulation.events.later(lasts_ms, "good weather", end)

    def _lossy_kind(self, lasts_ms: int) -> None:
        """Lose votes of one type, or proposals: then locks are made and nothing is decided."""
        lossy = self._simulation.network.links.lossy
        tag = self._dice.choice((MessageTag.PRECOMMIT, MessageTag.PRECOMMIT, *_LOSSY))
        lossy[int(tag)] = self._dice.choice((0.4, 0.7, 0.9))
        self._simulation.faults["lossy kind"] += 1
        self._simulation.events.later(lasts_ms, "kinds heal", self._heal_kinds)

    def _lone_lock(self, lasts_ms: int) -> None:
        """Let one node see polkas that the others do not: it locks and they go on without it.

        The one's prevotes reach nobody, and another one gets no proposal and so prevotes nil.
        """
        alone, late = self._dice.sample(self._slots, 2)
        self._simulation.network.links.missing |= {
            ("from", alone, int(MessageTag.PREVOTE)),
            ("from", alone, int(MessageTag.POLKA_PROOF)),
            ("to", late, int(MessageTag.PROPOSAL)),
        }
        self._simulation.faults["lone lock"] += 1
        self._simulation.events.later(max(lasts_ms, LONE_LOCK_MS), "kinds heal", self._heal_kinds)

    def _heal_kinds(self) -> None:
        links = self._simulation.network.links
        links.lossy.clear()
        links.missing.clear()

    def _cut(self, pairs: set[tuple[int, int]], lasts_ms: int, kind: str) -> None:
        cuts = self._simulation.network.links.cuts
        cuts |= pairs
        self._simulation.faults[kind] += 1

        def heal() -> None:
            cuts.difference_update(pairs)

        self._simulation.events.later(lasts_ms, f"heal {kind}", heal)

    def _partition(self, lasts_ms: int) -> None:
        groups = self._dice.choice((2, 2, 3))
        group = {slot: self._dice.randrange(groups) for slot in self._slots}
        pairs = {(a, b) for a in self._slots for b in self._slots if group[a] != group[b]}
        self._cut(pairs, lasts_ms, "partition")

    def _one_way_cut(self, lasts_ms: int) -> None:
        share = self._dice.choice((0.1, 0.3, 0.6))
        pairs = {
            (a, b)
            for a in self._slots
            for b in self._slots
            if a != b and self._dice.random() < share
        }
        self._cut(pairs, lasts_ms, "one-way cut")

    def _isolation(self, lasts_ms: int) -> None:
        alone = self._dice.choice(self._slots)
        pairs = {(alone, other) for other in self._slots if other != alone}
        pairs |= {(b, a) for a, b in pairs}
        self._cut(pairs, lasts_ms, "isolation")
