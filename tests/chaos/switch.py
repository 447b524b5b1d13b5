"""The wires between the nodes: carries their IP packets, late, or not at all, as it is told.

Each namespace has a TUN device whose other end is here, so the kernels of the nodes see real
packets vanish and come late: TCP sends again, waits, gives up. This is what `tc netem` does, which
not every kernel has (`tests.chaos.netem`, where it has it); each way of each link is ruled alone.

    python -m tests.chaos.switch SEED NAMESPACE...

Node i is 10.77.0.(i+1). A line of stdin is the whole weather: [[from, to, delay_ms, loss, is_cut]
...] as JSON; it is answered by a line with the packets so far: {"carried", "lost", "cut"}. It ends
with its stdin.
"""

import fcntl
import heapq
import json
import os
import random
import selectors
import struct
import sys
import time
from collections import Counter
from collections.abc import Sequence

from tests.chaos.namespaces import DEVICE, address, inside, run_ip
from tests.chaos.weather import Link, Way

INTERFACE = "wire"
PACKET_BYTES_MAX = 1_500
_TUNSETIFF = 0x400454CA
_IFF_TUN_NO_PI = 0x0001 | 0x1000
_IPV4 = 4
_TARGET = slice(16, 20)
_STDIN = 0


def open_wire(namespace: str, node: int) -> int:
    """Make the device of a namespace and return the descriptor of its other end."""
    with inside(namespace):
        descriptor = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        request = struct.pack("16sH14x", INTERFACE.encode(), _IFF_TUN_NO_PI)
        fcntl.ioctl(descriptor, _TUNSETIFF, request)
    run_ip("-n", namespace, "address", "add", f"{address(node)}/24", "dev", INTERFACE)
    run_ip("-n", namespace, "link", "set", INTERFACE, "mtu", str(PACKET_BYTES_MAX), "up")
    return descriptor


class Switch:
    """Carries packets between devices.

    Args:
        wires: The descriptors of all devices, by node.
        dice: Decides which packets are lost.
    """

    def __init__(self, wires: Sequence[int], dice: random.Random) -> None:
        self._wires = wires
        self._dice = dice
        self._links: dict[Way, Link] = {}
        self._late: list[tuple[float, int, int, bytes]] = []
        self._taken = 0
        self._node_of = {
            bytes(map(int, address(node).split("."))): node for node in range(len(wires))
        }
        self.counts = Counter({"carried": 0, "lost": 0, "cut": 0})

    def rule(self, line: bytes) -> str:
        """Change the weather; return the answer. What is under way arrives as it would have."""
        self._links = {
            (start, end): Link(delay_ms=delay_ms, loss=loss, is_cut=is_cut)
            for start, end, delay_ms, loss, is_cut in json.loads(line)
        }
        return json.dumps(self.counts)

    def take(self, start: int) -> None:
        """Take all packets that a node has sent."""
        while True:
            try:
                packet = os.read(self._wires[start], 2 * PACKET_BYTES_MAX)
            except BlockingIOError:
                return
            end = self._node_of.get(packet[_TARGET])
            if packet[0] >> 4 == _IPV4 and end is not None:
                self._carry(start, end, packet)

    def _carry(self, start: int, end: int, packet: bytes) -> None:
        link = self._links.get((start, end), Link())
        if link.is_cut:
            self.counts["cut"] += 1
        elif link.loss and self._dice.random() < link.loss:
            self.counts["lost"] += 1
        elif link.delay_ms:
            self._taken += 1
            due_s = time.monotonic() + link.delay_ms / 1_000
            heapq.heappush(self._late, (due_s, self._taken, end, packet))
        else:
            self._give(end, packet)

    def _give(self, end: int, packet: bytes) -> None:
        try:
            os.write(self._wires[end], packet)
            self.counts["carried"] += 1
        except BlockingIOError:  # a full device drops, as a network does
            self.counts["lost"] += 1

    def give_due(self) -> float | None:
        """Deliver what is due; return the seconds until more is, or None."""
        now_s = time.monotonic()
        while self._late and self._late[0][0] <= now_s:
            _due_s, _number, end, packet = heapq.heappop(self._late)
            self._give(end, packet)
        return self._late[0][0] - now_s if self._late else None


def main() -> None:
    """Carry packets until stdin ends."""
    seed, *names = sys.argv[1:]
    wires = [open_wire(name, node) for node, name in enumerate(names)]
    switch = Switch(wires, random.Random(seed))
    print("ready", flush=True)  # noqa: T201 - the process that started this one waits for it
    stdin = os.fdopen(_STDIN, "rb", buffering=0)
    with selectors.DefaultSelector() as selector:
        selector.register(_STDIN, selectors.EVENT_READ)
        for node, wire in enumerate(wires):
            selector.register(wire, selectors.EVENT_READ, node)
        while True:
            for key, _events in selector.select(switch.give_due()):
                if key.fd != _STDIN:
                    switch.take(key.data)
                elif line := stdin.readline():
                    print(switch.rule(line), flush=True)  # noqa: T201 - the answer
                else:
                    return


if __name__ == "__main__":
    main()
