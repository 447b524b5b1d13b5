"""A network of namespaces with a switch between them, for the time of a test."""

import contextlib
import json
import os
import subprocess
import sys

from tests.chaos.namespaces import namespaces
from tests.chaos.weather import Weather


class Wires:
    """The running switch.

    Attributes:
        names: The namespaces, by node.
        counts: Packets carried, lost and cut when the weather last changed.
    """

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


@contextlib.contextmanager
def wired(count, seed=0):
    """Connect as many namespaces as wanted; whatever happens, nothing of it is left."""
    with namespaces(count) as names:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.switch", str(seed), *names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n", "the switch did not start"
            yield Wires(names, process)
        finally:
            process.kill()
            process.communicate()
