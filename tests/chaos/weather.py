"""What a link does to packets that go one way between two nodes, as data; and whole networks."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

Way = tuple[int, int]
"""From one node, by number, to another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One way between two nodes.

    Attributes:
        delay_ms: How long each packet is under way.
        loss: The share of packets that vanish, 0 ... 1.
        is_cut: Whether none arrives.
    """

    delay_ms: int = 0
    loss: float = 0.0
    is_cut: bool = False


Weather = dict[Way, Link]
"""What each way does; one that is not named lets everything through at once."""


def ways(nodes: int) -> list[Way]:
    """Return all ways between nodes."""
    return list(itertools.permutations(range(nodes), 2))


def everywhere(nodes: int, link: Link) -> Weather:
    """Every way is the same."""
    return dict.fromkeys(ways(nodes), link)


def one_way_cuts(*cuts: Way) -> Weather:
    """Packets of the first of each pair never reach the second; the others do."""
    return dict.fromkeys(cuts, Link(is_cut=True))


def split(*groups: Iterable[int]) -> Weather:
    """Nodes reach only those of their own group."""
    of = {node: number for number, group in enumerate(groups) for node in group}
    return {way: Link(is_cut=True) for way in ways(len(of)) if of[way[0]] != of[way[1]]}


def alone(node: int, nodes: int) -> Weather:
    """One node reaches nobody and is reached by nobody."""
    return split([node], [other for other in range(nodes) if other != node])
