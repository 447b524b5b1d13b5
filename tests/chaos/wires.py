"""A network of namespaces with wires between them, for the time of a test.

What carries the packets is chosen when it is made: the kernel's own `tc netem` on veth pairs where
it has that (`tests.chaos.netem`), else a switch in user space (`tests.chaos.switch`). Both do the
same weather; `CIVREG_FABRIC` (`netem` or `switch`) has the one or the other.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from tests.chaos import netem
from tests.chaos.namespaces import namespaces, why_no_netem, why_no_switch
from tests.chaos.weather import Weather

FABRIC = "CIVREG_FABRIC"
NETEM, SWITCH = "netem", "switch"


class Wires(Protocol):
    """What connects the nodes.

    Attributes:
        names: The namespaces, by node.
        fabric: What carries the packets, in words.
        counts: Packets carried, lost and cut when the weather last changed.
    """

    names: Sequence[str]
    fabric: str
    counts: dict[str, int]

    def become(self, weather: Weather) -> None:
        """Change the weather of the whole network; it holds when this returns."""


class SwitchWires:
    """The running switch; see `Wires`."""

    fabric = "TUN devices and a switch in user space"

    def __init__(self, names, process):
        self.names = names
        self.counts: dict[str, int] = {}
        self._process = process

    def become(self, weather: Weather) -> None:
        """Change the weather of the whole network; it holds when this returns."""
        rules = [
            (*way, link.delay_ms, link.loss, link.is_cut) for way, link in sorted(weather.items())
        ]
        self._process.stdin.write(json.dumps(rules).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the switch has ended"
        self.counts = json.loads(answer)


def choose_fabric(
    environment: Mapping[str, str] = os.environ,
    no_netem: Callable[[], str | None] = why_no_netem,
    no_switch: Callable[[], str | None] = why_no_switch,
) -> str:
    """Return `NETEM` or `SWITCH`: what is asked for, else what this machine has, netem first.

    Args:
        environment: May ask for one.
        no_netem: Returns why there is no netem, or None.
        no_switch: Likewise of the switch.

    Raises:
        RuntimeError: What is asked for is not there, or neither is.
    """
    reasons = {NETEM: no_netem, SWITCH: no_switch}
    wanted = environment.get(FABRIC)
    if wanted is not None and wanted not in reasons:
        raise RuntimeError(f"{FABRIC} is {wanted}, not {NETEM} or {SWITCH}")
    refused: list[str] = []
    for name in reasons if wanted is None else (wanted,):
        why = reasons[name]()
        if why is None:
            return name
        refused.append(f"{name}: {why}")
    raise RuntimeError("; ".join(refused))


@contextlib.contextmanager
def wired(count, seed=0):
    """Connect as many namespaces as wanted; whatever happens, nothing of it is left."""
    fabric = choose_fabric()
    with namespaces(count) as names:
        if fabric == NETEM:
            yield netem.connect(names)
            return
        with switched(names, seed) as wires:
            yield wires


@contextlib.contextmanager
def switched(names, seed):
    """Run the switch."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.switch", str(seed), *names],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", "the switch did not start"
        yield SwitchWires(names, process)
    finally:
        process.kill()
        process.communicate()
