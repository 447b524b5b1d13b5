"""Carrying many acts into the chain: one batch is being made while those before are on their way.

`carry` is for programs with thousands of acts: demonstration, import, benchmark. A refusal stands
in the place of its act; nothing is dropped. What a node had taken before it fell silent is answered
as replayed when it is submitted again: it stands in the chain, so it counts as carried.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from cli.acting import Actor, Order
from cli.client import Call, Client
from cli.errors import NoNetworkError
from cli.packages import TRY_AGAIN, Package, Result, Way, settled, submit_all
from keys.errors import CivregError

BATCH_ENTRIES: Final = 48
BATCHES_UNDER_WAY: Final = 4
TURNS_MAX: Final = 60
TURN_SECONDS: Final = 5.0
SILENT_MAX: Final = 12
SEEN_SECONDS: Final = 30.0
SEEN_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of one act.

    Attributes:
        package: Its entry, None if it could not be made.
        result: What the network answered, None if it could not be made.
        error: Why it was refused, or None.
    """

    package: Package | None
    result: Result | None
    error: CivregError | None

    def made(self) -> Package:
        """Return the package of an act that stands in the chain.

        Raises:
            CivregError: It was refused.
        """
        if self.error is not None:
            raise self.error
        assert self.package is not None, "what was not refused was made"
        return self.package


def _nothing(_count: int) -> None:
    """Show no progress."""


def carry(
    actor: Actor,
    orders: Sequence[Order],
    advance: Callable[[int], None] = _nothing,
    addresses: Sequence[str] | None = None,
) -> list[Carried]:
    """Make and submit acts that do not build on one another; wait until all are decided.

    Args:
        actor: With all keys at hand.
        orders: What is to be made.
        advance: Told how many more are decided.
        addresses: Nodes to submit to; None takes all.

    Returns:
        One for each order, in its order.

    Raises:
        NoNetworkError: No node answers.
    """
    found: list[Carried] = []
    under_way: deque[Batch] = deque()
    nodes = list(addresses or actor.addresses)
    for at in range(0, len(orders), BATCH_ENTRIES):
        made = actor.make_entries(orders[at : at + BATCH_ENTRIES])
        under_way.append(send(actor, made, nodes))
        nodes.append(nodes.pop(0))
        if len(under_way) >= BATCHES_UNDER_WAY:
            found += arrive(under_way.popleft(), advance)
    for batch in under_way:
        found += arrive(batch, advance)
    return found


def deliver(
    actor: Actor,
    packages: Sequence[Package],
    advance: Callable[[int], None] = _nothing,
    addresses: Sequence[str] | None = None,
    batch_entries: int = BATCH_ENTRIES,
) -> Iterator[Carried]:
    """Submit entries that were made before; yield what became of each as the batches arrive."""
    nodes = list(addresses or actor.addresses)
    batches: list[Batch] = []
    for at in range(0, len(packages), batch_entries):
        batches.append(send(actor, packages[at : at + batch_entries], nodes))
        nodes.append(nodes.pop(0))
    for batch in batches:
        yield from arrive(batch, advance)


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries on their way: what was made or refused before, and the answers to come."""

    made: Sequence[Package | CivregError]
    results: Future[list[Result]]


def send(actor: Actor, made: Sequence[Package | CivregError], nodes: Sequence[str]) -> Batch:
    """Begin to submit what was made; to the first of the nodes that answers."""
    packages = [one for one in made if isinstance(one, Package)]
    work = _submit_somewhere(actor.client, packages, tuple(nodes))
    return Batch(made, actor.client.start(work))


async def _submit_somewhere(
    client: Client, packages: Sequence[Package], nodes: Sequence[str]
) -> list[Result]:
    """Submit to the first node that answers; a node that falls silent is left for the next.

    Raises:
        NoNetworkError: No node answers, time and again.
    """
    silent = 0
    results: list[Result] = []
    for turn in range(TURNS_MAX):
        way = Way(addresses=[nodes[turn % len(nodes)]], ordered=False, seconds_max=TURN_SECONDS)
        try:
            results = await submit_all(client, packages, way)
        except NoNetworkError:
            silent += 1
            if silent > SILENT_MAX:
                raise
            continue
        if not any(is_undecided(result) for result in results):
            break
    return results


def is_undecided(result: Result) -> bool:
    """Tell whether a node could only not take or commit an entry now."""
    return result.status == "pending" or result.code in TRY_AGAIN


def arrive(batch: Batch, advance: Callable[[int], None] = _nothing) -> list[Carried]:
    """Wait until a batch is decided; one for each that was made or refused, in their order."""
    results = iter(batch.results.result())
    found: list[Carried] = []
    for one in batch.made:
        if isinstance(one, Package):
            result = settled(next(results))
            found.append(Carried(one, result, result.error))
        else:
            found.append(Carried(None, None, one))
    advance(len(found))
    return found


def wait_until_seen(actor: Actor, carried: Sequence[Carried]) -> None:
    """Wait until the node whose state is read has the blocks in which entries stand.

    Raises:
        NoNetworkError: It does not get there in time.
    """
    heights = [item.result.height for item in carried if item.result is not None]
    wait_for_height(actor, max([height for height in heights if height is not None], default=0))


def wait_for_height(actor: Actor, wanted: int) -> None:
    """Wait until the node whose state is read has a block; one that was down may be behind.

    Raises:
        NoNetworkError: It does not get there in time.
    """
    until_s = time.monotonic() + SEEN_SECONDS
    while time.monotonic() < until_s:
        if int(actor.ask_any(Call(address="", path="/v1/status")).json["height"]) >= wanted:
            actor.refresh()
            return
        time.sleep(SEEN_POLL_SECONDS)
    raise NoNetworkError("the node is behind", address=actor.addresses[0])
