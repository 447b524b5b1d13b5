"""A node that keeps a record may be a block behind the one whose state was read."""

import json
from itertools import count
from types import SimpleNamespace

from cli import bodies
from cli.client import Answer


def view_of(heights, wanted):
    """A network whose node answers these heights, one after the other, then the last for ever."""
    left = list(heights)

    def send(_call):
        height = left.pop(0) if len(left) > 1 else left[0]
        return Answer(200, json.dumps({"height": height}).encode(), {})

    client = SimpleNamespace(send=send)
    return SimpleNamespace(client=client, remote=SimpleNamespace(height=wanted), left=left)


def test_a_node_that_is_behind_is_waited_for_and_one_that_is_not_is_not(monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr("cli.bodies.time.sleep", slept.append)
    bodies._wait_for(view_of([3, 3, 4, 5], 5), "http://node")
    assert len(slept) == 3
    bodies._wait_for(view_of([6], 5), "http://node")
    assert len(slept) == 3


def test_a_node_that_stays_behind_is_given_up(monkeypatch):
    clock = count(0.0, 5.0)
    monkeypatch.setattr("cli.bodies.time.sleep", lambda _seconds: None)
    monkeypatch.setattr("cli.bodies.time.monotonic", lambda: next(clock))
    bodies._wait_for(view_of([1], 5), "http://node")
    assert next(clock) > bodies.BEHIND_SECONDS
