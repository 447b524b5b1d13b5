"""Which wires a machine gets, and what the kernel would be told where it has netem.

What cannot run where netem is missing is one thing only: that the kernel does what netem says.
"""

import json
import socket
import subprocess

import pytest

from tests.chaos.namespaces import address, namespaces, run_ip, socket_inside, why_no_netem, why_not
from tests.chaos.netem import (
    NAME,
    NetemWires,
    device,
    link_commands,
    netem,
    queue_lines,
    read_counts,
    run_tc,
)
from tests.chaos.weather import Link, Weather, alone, everywhere, one_way_cuts, ways
from tests.chaos.wires import NETEM, SWITCH, choose_fabric

PORT = 7_000
UNKNOWN = "Specified qdisc kind is unknown"
REASON = why_not()
NO_NETEM = None if REASON else why_no_netem()
needs_networks = pytest.mark.skipif(REASON is not None, reason=str(REASON))


def here():
    return None


def missing():
    return "not here"


@pytest.mark.parametrize(
    ("asked", "no_netem", "no_switch", "chosen"),
    [
        ({}, here, here, NETEM),
        ({}, here, missing, NETEM),
        ({}, missing, here, SWITCH),
        ({"CIVREG_FABRIC": SWITCH}, here, here, SWITCH),
        ({"CIVREG_FABRIC": NETEM}, here, missing, NETEM),
    ],
)
def test_netem_comes_first_and_what_is_asked_for_before_that(asked, no_netem, no_switch, chosen):
    assert choose_fabric(asked, no_netem, no_switch) == chosen


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "netem: not here; switch: not here"),
        ({"CIVREG_FABRIC": NETEM}, "netem: not here"),
        ({"CIVREG_FABRIC": "string"}, "CIVREG_FABRIC is string, not netem or switch"),
    ],
)
def test_what_is_not_there_is_refused_with_the_reason(asked, said):
    with pytest.raises(RuntimeError, match=said):
        choose_fabric(asked, missing, missing)


def test_the_probe_makes_a_pair_and_a_queue_and_tells_what_the_kernel_says():
    done: list[tuple[str, ...]] = []
    assert why_no_netem(lambda *command: done.append(command)) is None
    assert [command[:2] for command in done] == [("ip", "link"), ("tc", "qdisc")]
    assert "netem" in done[1]

    def refuse(*command):
        if command[0] == "tc":
            raise subprocess.CalledProcessError(2, command, "", "Error: Specified qdisc kind\n")

    assert (
        why_no_netem(refuse) == "no veth pair with netem can be made: Error: Specified qdisc kind"
    )


def test_the_links_of_two_nodes_are_made_by_these_commands():
    assert [" ".join(words) for words in link_commands(["a", "b"])] == [
        "-n a link add name to1 address 02:77:00:00:00:01 type veth"
        " peer name to0 address 02:77:00:00:01:00 netns b",
        "-n a link set dev to1 mtu 1500 addrgenmode none up",
        "-n a address add 10.77.0.1 peer 10.77.0.2 dev to1",
        "-n a neighbour add 10.77.0.2 lladdr 02:77:00:00:01:00 dev to1 nud permanent",
        "-n b link set dev to0 mtu 1500 addrgenmode none up",
        "-n b address add 10.77.0.2 peer 10.77.0.1 dev to0",
        "-n b neighbour add 10.77.0.1 lladdr 02:77:00:00:00:01 dev to0 nud permanent",
    ]


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (Link(), "netem limit 100000"),
        (Link(delay_ms=50), "netem limit 100000 delay 50ms"),
        (Link(loss=0.05), "netem limit 100000 loss 5%"),
        (Link(delay_ms=50, loss=0.125), "netem limit 100000 delay 50ms loss 12.5%"),
        (Link(delay_ms=50, is_cut=True), "netem limit 100000 loss 100%"),
    ],
)
def test_what_a_link_does_is_said_in_netems_words(link, words):
    assert netem(link) == words


def test_each_way_is_ruled_where_it_begins_and_no_other_is_touched():
    weather = one_way_cuts((0, 1)) | {(2, 1): Link(delay_ms=7)}
    clear = "netem limit 100000"
    assert [queue_lines(node, 3, weather).splitlines() for node in range(3)] == [
        [f"qdisc replace dev to1 root {clear} loss 100%", f"qdisc replace dev to2 root {clear}"],
        [f"qdisc replace dev to0 root {clear}", f"qdisc replace dev to2 root {clear}"],
        [f"qdisc replace dev to0 root {clear}", f"qdisc replace dev to1 root {clear} delay 7ms"],
    ]


class Kernel:
    """Answers as `tc` does; its numbers grow as the test says."""

    def __init__(self):
        self.lines: list[tuple[str, str]] = []
        self.numbers: dict[tuple[str, str], tuple[int, int]] = {}

    def run(self, *words, lines=""):
        name = words[1]
        if "-batch" in words:
            self.lines.append((name, lines))
            return ""
        assert words[2:] == ("-s", "-j", "qdisc", "show")
        queues = [
            {"kind": "netem", "dev": device(end), "packets": packets, "drops": drops}
            for end in range(2)
            for packets, drops in [self.numbers.get((name, device(end)), (0, 0))]
        ]
        return json.dumps([{"kind": "noqueue", "dev": "lo"}, *queues])


def test_packets_count_for_the_weather_in_which_they_were_sent():
    kernel = Kernel()
    wires = NetemWires(["a", "b"], kernel.run)
    assert wires.fabric == NAME
    kernel.numbers = {("a", "to1"): (5, 0)}
    wires.become(one_way_cuts((0, 1)))
    assert wires.counts == {"carried": 5, "lost": 0, "cut": 0}
    kernel.numbers = {("a", "to1"): (5, 3), ("b", "to0"): (2, 0)}
    wires.become(everywhere(2, Link(loss=0.5)))
    assert wires.counts == {"carried": 7, "lost": 0, "cut": 3}
    kernel.numbers = {("a", "to1"): (6, 5), ("b", "to0"): (2, 1)}
    wires.become({})
    assert wires.counts == {"carried": 8, "lost": 3, "cut": 3}
    assert [name for name, _lines in kernel.lines] == ["a", "b"] * 4
    assert kernel.lines[-2:] == [("a", queue_lines(0, 2, {})), ("b", queue_lines(1, 2, {}))]


def test_other_queues_than_netems_are_not_counted():
    told = [
        {"kind": "netem", "dev": "to1", "root": True, "bytes": 9, "packets": 7, "drops": 2},
        {"kind": "noqueue", "dev": "lo", "packets": 1, "drops": 1},
    ]
    assert read_counts(json.dumps(told)) == {"to1": (7, 2)}


@needs_networks
def test_the_links_connect_each_two_nodes_by_a_device_of_their_own():
    """What netem is put upon; this part needs no netem."""
    with namespaces(3) as names:
        for words in link_commands(names):
            run_ip(*words)
        ears = [socket_inside(name, socket.SOCK_DGRAM) for name in names]
        try:
            for ear in ears:
                ear.bind(("0.0.0.0", PORT))
                ear.settimeout(20)
            for start, end in ways(3):
                ears[start].sendto(b"%d" % start, (address(end), PORT))
            for node in range(3):
                heard = {ears[node].recvfrom(100) for _ in range(2)}
                others = [other for other in range(3) if other != node]
                assert heard == {(b"%d" % one, (address(one), PORT)) for one in others}
        finally:
            for ear in ears:
                ear.close()
        for start, end in ways(3):
            told = run_ip("-n", names[start], "-s", "-j", "link", "show", "dev", device(end))
            (found,) = json.loads(told)
            sent = found["stats64"]["tx"]["packets"]
            assert sent == 1, "the one datagram of this way and nothing else"


@needs_networks
def test_the_lines_of_all_weathers_are_understood_by_tc():
    """Where the kernel has no netem, it is the kernel that refuses, after `tc` has understood."""
    weathers: tuple[Weather, ...] = ({}, alone(0, 2), everywhere(2, Link(delay_ms=50, loss=0.05)))
    with namespaces(2) as names:
        for words in link_commands(names):
            run_ip(*words)
        told = [refusal(names[0], queue_lines(0, 2, weather)) for weather in weathers]
    for said in told:
        assert said == "" if NO_NETEM is None else UNKNOWN in said
    with namespaces(1) as names:
        wrong = refusal(names[0], "qdisc replace dev lo root netem losss 5%\n")
    assert wrong
    assert UNKNOWN not in wrong, "what tc does not understand does not come so far"


def refusal(name, lines):
    """Return what is said against lines, or nothing if they are carried out."""
    try:
        run_tc("-n", name, "-batch", "-", lines=lines)
    except subprocess.CalledProcessError as error:
        return error.stderr
    return ""
