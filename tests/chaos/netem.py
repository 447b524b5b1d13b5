"""Wires of the kernel's own: a veth pair for each two nodes, `tc netem` on each of its ends.

A pair for each two nodes and no bridge, so each way of each link is a device with a queue of its
own: what node 0 sends to node 2 leaves through `to2` in its namespace, and nothing else does.
Addresses of the link layer are set by hand, so that no packet but those of the nodes is counted.
The commands are lists and texts that functions return; `run` carries them out.
"""

import itertools
import json
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence

from tests.chaos.namespaces import address, run_ip
from tests.chaos.weather import Link, Way, Weather, ways

NAME = "veth and tc netem of this kernel"
QUEUE_PACKETS = 100_000
"""What may be under way on one way of a link; netem's own limit of 1,000 is soon met."""
PACKET_BYTES_MAX = 1_500

Run = Callable[..., str]


def device(end: int) -> str:
    """Return the name of the device through which a node sends to another one."""
    return f"to{end}"


def link_address(start: int, end: int) -> str:
    """Return the link-layer address of a node's device towards another one."""
    return f"02:77:00:00:{start:02x}:{end:02x}"


def link_commands(names: Sequence[str]) -> list[list[str]]:
    """Return the arguments of `ip` that connect all namespaces, in order."""
    commands: list[list[str]] = []
    for one, other in itertools.combinations(range(len(names)), 2):
        pair = ["type", "veth", "peer", "name", device(one)]
        far_end = ["address", link_address(other, one), "netns", names[other]]
        near_end = ["link", "add", "name", device(other), "address", link_address(one, other)]
        commands.append(["-n", names[one], *near_end, *pair, *far_end])
    for start, end in ways(len(names)):
        inside, name = ["-n", names[start]], device(end)
        beyond = [*inside, "address", "add", address(start), "peer", address(end), "dev", name]
        known = ["neighbour", "add", address(end), "lladdr", link_address(end, start), "dev", name]
        up = ["link", "set", "dev", name, "mtu", str(PACKET_BYTES_MAX), "addrgenmode", "none", "up"]
        commands += [[*inside, *up], beyond, [*inside, *known, "nud", "permanent"]]
    return commands


def netem(link: Link) -> str:
    """Return what netem is told of one way of a link."""
    words = ["netem", "limit", str(QUEUE_PACKETS)]
    if link.delay_ms and not link.is_cut:
        words += ["delay", f"{link.delay_ms}ms"]
    loss = 1.0 if link.is_cut else link.loss
    if loss:
        words += ["loss", f"{100 * loss:g}%"]
    return " ".join(words)


def queue_lines(node: int, nodes: int, weather: Weather) -> str:
    """Return the lines of `tc -batch` that make the weather of all that a node sends."""
    return "".join(
        f"qdisc replace dev {device(end)} root {netem(weather.get((node, end), Link()))}\n"
        for end in range(nodes)
        if end != node
    )


def read_counts(told: str) -> dict[str, tuple[int, int]]:
    """Read `tc -s -j qdisc show`: packets sent on and dropped, by device."""
    return {
        queue["dev"]: (queue["packets"], queue["drops"])
        for queue in json.loads(told)
        if queue["kind"] == "netem"
    }


def run_tc(*words: str, lines: str = "") -> str:
    """Run `tc` and return what it says.

    Raises:
        subprocess.CalledProcessError: It failed; `stderr` says why.
    """
    done = subprocess.run(
        ["tc", *words], input=lines, capture_output=True, check=True, text=True, timeout=30
    )
    return done.stdout


class NetemWires:
    """The running wires; same methods as `tests.chaos.wires.Wires`.

    Args:
        names: The namespaces, connected already by `link_commands`.
        run: Carries out `tc`.

    Attributes:
        names: The namespaces, by node.
        fabric: What carries the packets.
        counts: Packets carried, lost and cut when the weather last changed.
    """

    fabric = NAME

    def __init__(self, names: Sequence[str], run: Run = run_tc) -> None:
        self.names = names
        self.counts = dict.fromkeys(("carried", "lost", "cut"), 0)
        self._run = run
        self._weather: Weather = {}
        self._seen: Counter[tuple[Way, str]] = Counter()
        self._change({})

    def become(self, weather: Weather) -> None:
        """Change the weather of the whole network; it holds when this returns."""
        self._count()
        self._change(weather)

    def _change(self, weather: Weather) -> None:
        nodes = len(self.names)
        for node, name in enumerate(self.names):
            self._run("-n", name, "-batch", "-", lines=queue_lines(node, nodes, weather))
        self._weather = weather

    def _count(self) -> None:
        """Add what each way has carried and dropped in the weather that ends."""
        for start, name in enumerate(self.names):
            told = read_counts(self._run("-n", name, "-s", "-j", "qdisc", "show"))
            for end in range(len(self.names)):
                if end != start:
                    packets, drops = told[device(end)]
                    is_cut = self._weather.get((start, end), Link()).is_cut
                    self._add((start, end), "carried", packets, "carried")
                    self._add((start, end), "dropped", drops, "cut" if is_cut else "lost")

    def _add(self, way: Way, what: str, total: int, name: str) -> None:
        self.counts[name] += total - self._seen[way, what]
        self._seen[way, what] = total


def connect(names: Sequence[str]) -> NetemWires:
    """Connect namespaces that have no devices yet."""
    for words in link_commands(names):
        run_ip(*words)
    return NetemWires(names)
