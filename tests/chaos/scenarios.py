"""Weather that networks must bear, as data, and how a running network is led through it.

While there is bad weather, rivals write and readers read (`tests.chaos.clients`). A scenario says
whether blocks must come all the same; where they cannot, none may come. Afterwards every node must
follow, by itself; how long that takes is told, never judged.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.clients import Clients
from tests.chaos.validators import NODES, Validators
from tests.chaos.weather import Link, Weather, alone, everywhere, one_way_cuts, split

LATE = everywhere(NODES, Link(delay_ms=50))
LOSSY = everywhere(NODES, Link(loss=0.05))
LATE_AND_LOSSY = everywhere(NODES, Link(delay_ms=50, loss=0.05))
ONE_WAY = one_way_cuts((0, 1))
HALVES_DEAF = one_way_cuts((0, 1), (2, 3))
ONE_DEAF = one_way_cuts((0, 3), (1, 3), (2, 3))
ONE_MUTE = one_way_cuts((3, 0), (3, 1), (3, 2))
THREE_WAYS = split([0], [1], [2, 3])
ONE_AWAY = alone(3, NODES)
BLOCKS = 5
"""How many must come in weather that lets them."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """Bad weather.

    Attributes:
        name: Says what it is.
        weathers: One after the other, again and again.
        hold_s: How long each stays.
        times: How often all are gone through.
        goes_on: Whether blocks come meanwhile; None: nobody can say.
    """

    name: str
    weathers: tuple[Weather, ...]
    hold_s: float
    times: int = 1
    goes_on: bool | None = True


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a scenario; seconds are told, not judged.

    Attributes:
        name: Of the scenario.
        fabric: What carried the packets.
        weather_s: How long the weather was bad.
        blocks: That were made meanwhile.
        writes: That were acknowledged meanwhile.
        packets: Carried, lost and cut meanwhile.
        first_block_s: From the end of the weather to the next block anywhere.
        all_follow_s: From there to when all nodes had it and one more.
        all_write_s: From there to when every node had acknowledged a write begun afterwards.
    """

    name: str
    fabric: str
    weather_s: float
    blocks: int
    writes: int
    packets: dict[str, int]
    first_block_s: float
    all_follow_s: float
    all_write_s: float

    def __str__(self) -> str:
        packets = ", ".join(f"{count:,} {what}" for what, count in self.packets.items())
        return (
            f"{self.name} ({self.fabric}): {self.weather_s:.1f} s of it, {self.blocks} blocks,"
            f" {self.writes} writes acknowledged, packets {packets}; afterwards the next block"
            f" after {self.first_block_s:.2f} s, all nodes at the tip after"
            f" {self.all_follow_s:.2f} s, each acknowledged a write after {self.all_write_s:.2f} s"
        )


FULL = (
    Scenario("50 ms delay on all links", (LATE,), 15),
    Scenario("5 % loss on all links", (LOSSY,), 15),
    Scenario("50 ms delay and 5 % loss on all links", (LATE_AND_LOSSY,), 15),
    Scenario("one-way cut between two nodes", (ONE_WAY,), 15),
    Scenario("one-way cuts, each node lacks one other", (HALVES_DEAF,), 15),
    Scenario("one node hears nobody", (ONE_DEAF,), 15),
    Scenario("one node is heard by nobody", (ONE_MUTE,), 15),
    Scenario("three-way split", (THREE_WAYS,), 15, goes_on=False),
    Scenario("three-way split, long", (THREE_WAYS,), 60, goes_on=False),
    Scenario("one node's links flap", (ONE_AWAY, {}), 1.5, 6),
    Scenario("all links flap", (split(*([node] for node in range(NODES))), {}), 2, 5, None),
)
BOUNDED = (
    Scenario("50 ms delay and 5 % loss on all links", (LATE_AND_LOSSY,), 3),
    Scenario("one-way cut between two nodes", (ONE_WAY,), 3),
    Scenario("three-way split", (THREE_WAYS,), 4, goes_on=False),
    Scenario("one node's links flap", (ONE_AWAY, {}), 0.7, 3),
)


async def go_through(scenario: Scenario, validators: Validators, clients: Clients) -> Told:
    """Lead a running network through bad weather, and back."""
    wires = validators.wires
    began_s, before = time.monotonic(), max(await validators.heights())
    wires.become(scenario.weathers[0])
    packets, writes = dict(wires.counts), _acknowledged(clients)
    cut_at = max(await validators.heights())
    for _ in range(scenario.times):
        for weather in scenario.weathers:
            wires.become(weather)
            await asyncio.sleep(scenario.hold_s)
    if scenario.goes_on:
        while max(await validators.heights()) < cut_at + BLOCKS:
            await asyncio.sleep(0.05)
    height = max(await validators.heights())
    if scenario.goes_on is False:
        assert height <= cut_at + 1, "blocks without a quorum"  # one was decided already
    writes = _acknowledged(clients) - writes
    wires.become({})
    ended_s, ended_ns = time.monotonic(), time.monotonic_ns()
    met = {name: count - packets[name] for name, count in wires.counts.items()}
    assert met["lost"] + met["cut"] or any(link.delay_ms for link in scenario.weathers[0].values())
    first_s, follow_s, write_s = await _recover(validators, clients, height, ended_ns)
    return Told(
        name=scenario.name,
        fabric=wires.fabric,
        weather_s=ended_s - began_s,
        blocks=height - before,
        writes=writes,
        packets=met,
        first_block_s=first_s - ended_s,
        all_follow_s=follow_s - ended_s,
        all_write_s=write_s - ended_s,
    )


async def _recover(
    validators: Validators, clients: Clients, height: int, since_ns: int
) -> Sequence[float]:
    """Return when there was a next block, when all nodes had one more, and each took a write."""
    while max(await validators.heights()) <= height:
        await asyncio.sleep(0.02)
    first_s = time.monotonic()
    await validators.reach(height + 2)
    follow_s = time.monotonic()
    while len(clients.acknowledging(since_ns)) < NODES:
        await asyncio.sleep(0.02)
    return first_s, follow_s, time.monotonic()


def _acknowledged(clients: Clients) -> int:
    return sum(owner.writes for owner in clients.owners)
