"""The wires between namespaces do what they are told, one way at a time."""

import socket
import time
from pathlib import Path

import pytest

from tests.chaos.namespaces import (
    FOLDER,
    PREFIX,
    address,
    namespaces,
    run_ip,
    socket_inside,
    why_not,
)
from tests.chaos.weather import Link, alone, everywhere, one_way_cuts, split, ways
from tests.chaos.wires import wired

PORT = 7_000
reason = why_not()
needs_networks = pytest.mark.skipif(reason is not None, reason=str(reason))


@pytest.fixture(scope="module")
def wires():
    with wired(3) as found:
        yield found


@pytest.fixture
def ears(wires):
    """A datagram socket of each node."""
    found = [socket_inside(name, socket.SOCK_DGRAM) for name in wires.names]
    for ear in found:
        ear.bind(("0.0.0.0", PORT))
        ear.settimeout(20)
    yield found
    wires.become({})
    for ear in found:
        ear.close()


def say(ears, way, text=b"hello"):
    ears[way[0]].sendto(text, (address(way[1]), PORT))


@needs_networks
def test_without_weather_every_node_reaches_every_other(wires, ears):
    wires.become({})
    for way in ways(3):
        say(ears, way, b"%d>%d" % way)
    for node in range(3):
        got = {ears[node].recv(100) for _ in range(2)}
        assert got == {b"%d>%d" % way for way in ways(3) if way[1] == node}


@needs_networks
def test_a_one_way_cut_stops_one_way_only(wires, ears):
    wires.become(one_way_cuts((0, 1)))
    before = wires.counts["cut"]
    say(ears, (0, 1), b"never")
    say(ears, (1, 0), b"against it")
    say(ears, (0, 2), b"beside it")
    assert ears[0].recv(100) == b"against it"
    assert ears[2].recv(100) == b"beside it"
    wires.become({})
    assert wires.counts["cut"] == before + 1
    say(ears, (0, 1), b"after it")
    assert ears[1].recv(100) == b"after it"


@needs_networks
def test_a_late_link_brings_nothing_before_its_time_and_keeps_the_order(wires, ears):
    wires.become(everywhere(3, Link(delay_ms=50)))
    began_s = time.monotonic()
    for number in range(20):
        say(ears, (0, 1), b"%d" % number)
    assert [ears[1].recv(100) for _ in range(20)] == [b"%d" % number for number in range(20)]
    assert time.monotonic() - began_s >= 0.05


@needs_networks
def test_about_as_many_packets_are_lost_as_was_said(wires, ears):
    wires.become({(0, 1): Link(loss=0.5)})
    before = dict(wires.counts)
    for _ in range(400):
        say(ears, (0, 1))
    say(ears, (0, 2), b"the last")
    assert ears[2].recv(100) == b"the last"
    wires.become({})
    lost = wires.counts["lost"] - before["lost"]
    assert 100 < lost < 300
    assert wires.counts["carried"] - before["carried"] == 401 - lost


@needs_networks
def test_namespaces_are_removed_also_when_a_test_fails_and_those_of_killed_runs_are_swept():
    def ours():
        return {path.name for path in FOLDER.glob(f"{PREFIX}*") if "-left" in path.name}

    gone = f"{PREFIX}4194399-left"  # a process id that no process has: over the kernel's limit
    assert not Path("/proc/4194399").exists()
    run_ip("netns", "add", gone)
    assert ours() == {gone}
    seen: list[str] = []
    with pytest.raises(ZeroDivisionError):
        fail_within_a_namespace(seen)
    assert not ours()
    assert not (FOLDER / seen[0]).exists()


def fail_within_a_namespace(seen):
    with namespaces(1) as names:
        assert (FOLDER / names[0]).exists()
        seen += names
        raise ZeroDivisionError


def test_weathers_cut_what_they_say():
    assert set(split([0], [1], [2, 3])) == {way for way in ways(4) if set(way) != {2, 3}}
    assert set(alone(2, 3)) == {(2, 0), (2, 1), (0, 2), (1, 2)}
