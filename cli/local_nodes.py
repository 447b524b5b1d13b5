"""The nodes of a development network as processes of this machine: start, kill, stop, ask.

They are children of this program and never outlive it: `LocalNodes` is a context manager, and each
child is told by the kernel to end when its parent is gone.
"""

import contextlib
import ctypes
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from cli.client import Call, Client
from cli.errors import NoNetworkError, RemoteRefusalError
from cli.network_file import NetworkFile

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 20.0
POLL_SECONDS: Final = 0.05
LOG_FILE: Final = "node.log"
NODE_COMMAND: Final = (sys.executable, "-m", "cli.main", "node", "run")
LOG_TAIL_BYTES: Final = 2_000
_PR_SET_PDEATHSIG: Final = 1


class LocalNodes:
    """The processes of a network's nodes; all are stopped at the end, whatever happens.

    Args:
        network: A development network in a folder.
        client: Asks the nodes.
        command: Runs a node; its folder follows as the last word.
    """

    def __init__(
        self, network: NetworkFile, client: Client, command: Sequence[str] = NODE_COMMAND
    ) -> None:
        self._network = network
        self._client = client
        self._command = tuple(command)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._crashing = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop_all()

    @property
    def names(self) -> list[str]:
        """The agencies of all nodes, in the order of the network file."""
        return [place.agency for place in self._network.nodes]

    def address(self, agency: str) -> str:
        """Return the base address of a running node."""
        return self._network.node_of(agency).address

    def home(self, agency: str) -> Path:
        """Return the folder of a node.

        Raises:
            NoNetworkError: It is not on this machine.
        """
        place = self._network.node_of(agency)
        if place.home is None:
            raise NoNetworkError("the node is not on this machine", address=place.public)
        return place.home

    def start(self, agency: str) -> None:
        """Start a node; returns at once. The thread that calls it must outlive the node.

        Raises:
            NoNetworkError: The network has no node of that agency on this machine.
        """
        home = self.home(agency)
        with (home / LOG_FILE).open("ab") as log:
            self._processes[agency] = subprocess.Popen(  # noqa: S603 - our own program
                [*self._command, str(home)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us; we stop them in order.
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - no threads hold locks it needs
            )

    def answering(self) -> list[str]:
        """Return the agencies whose nodes answer now, whoever started them."""
        return [name for name in self.names if self.height(name) is not None]

    def start_all(self) -> None:
        """Start all nodes and wait until each answers.

        Raises:
            NoNetworkError: One of them does not; the end of its log says why.
        """
        for name in self.names:
            self.start(name)
        for name in self.names:
            self.wait_until_up(name)

    def wait_until_up(self, agency: str) -> None:
        """Wait until a node answers.

        Raises:
            NoNetworkError: It ended, or does not answer in time.
        """
        self._wait(lambda: self.height(agency) is not None, agency, START_SECONDS)

    def wait_for_height(self, agency: str, height: int, seconds_max: float) -> None:
        """Wait until a node has stored a height.

        Raises:
            NoNetworkError: It ended, or does not get there in time.
        """
        self._wait(lambda: (self.height(agency) or -1) >= height, agency, seconds_max)

    def _wait(self, is_done: Callable[[], bool], agency: str, seconds_max: float) -> None:
        until_s = time.monotonic() + seconds_max
        while not is_done():
            with self._crashing:
                status = self._processes[agency].poll()
            if status is not None or time.monotonic() > until_s:
                what = "does not answer in time" if status is None else f"ended with {status}"
                tail = self.log_tail(agency)
                raise NoNetworkError(f"the node of {agency} {what}: {tail}", address=agency)
            time.sleep(POLL_SECONDS)

    def height(self, agency: str) -> int | None:
        """Return the newest height of a node, None if no node of this network answers there."""
        address = self.address(agency)
        if not address:
            return None
        try:
            call = Call(address=address, path="/v1/status", tries_s=0)
            status = self._client.send(call).json
        except (NoNetworkError, RemoteRefusalError):
            return None
        ours = self._network.network_id.hex()
        is_ours = isinstance(status, dict) and status.get("network_id") == ours
        return int(status["height"]) if is_ours else None

    def is_running(self, agency: str) -> bool:
        """Tell whether the process of a node lives."""
        process = self._processes.get(agency)
        return process is not None and process.poll() is None

    def process_id(self, agency: str) -> int:
        """Return the id of a node's process."""
        return self._processes[agency].pid

    def kill(self, agency: str) -> None:
        """End a node with SIGKILL: no flush, no farewell."""
        process = self._processes[agency]
        process.kill()
        process.wait()

    def crash(self, agency: str) -> None:
        """Kill a node and start it again; who waits for it meanwhile does not take it for gone.

        Raises:
            NoNetworkError: As `start`.
        """
        with self._crashing:
            self.kill(agency)
            self.start(agency)

    def stop_all(self) -> None:
        """Stop all nodes gracefully; whatever does not stop in time is killed."""
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        until_s = time.monotonic() + STOP_SECONDS
        for process in self._processes.values():
            try:
                process.wait(max(0.0, until_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def log_tail(self, agency: str) -> str:
        """Return the end of a node's log."""
        raw = (self.home(agency) / LOG_FILE).read_bytes()[-LOG_TAIL_BYTES:]
        return raw.decode("utf-8", "replace")


_LIBC: Final = ctypes.CDLL(None)


def _end_with_parent() -> None:
    """Have the kernel stop this child when its parent is gone, where the kernel can (Linux)."""
    if hasattr(_LIBC, "prctl"):
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
