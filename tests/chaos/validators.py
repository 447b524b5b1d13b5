"""The four validators of the town as real processes, each in a network namespace of its own."""

import asyncio
import contextlib
import ctypes
import json
import signal
import socket
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import aiohttp

from ledger.store import ChainStore
from node.config import CONFIG_FILE, Address, load_config, render_config
from tests.chaos.namespaces import address, inside
from tests.chaos.wires import Wires
from tests.node.processes import WHOLE

NODES = 4
PEER_PORT, PUBLIC_PORT, PRIVATE_PORT = 7_400, 7_480, 7_490
LOG_FILE = "node.log"
URL = f"http://127.0.0.1:{PUBLIC_PORT}"
"""Of every node, within its namespace: clients stand beside their node, not behind its links."""
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def set_addresses(homes: Iterable[Path]) -> None:
    """Have nodes listen on the switch, and know each other there."""
    configs = [load_config(home) for home in homes]
    listed = {
        config.agency: Address(address(node), PEER_PORT)
        for node, config in enumerate(configs)
        if config.agency is not None
    }
    for node, config in enumerate(configs):
        peers = {agency: place for agency, place in listed.items() if agency != config.agency}
        changed = replace(
            config,
            peer=Address(address(node), PEER_PORT),
            public=Address("127.0.0.1", PUBLIC_PORT),
            private=Address("127.0.0.1", PRIVATE_PORT),
            peers=MappingProxyType(peers),
        )
        (config.home / CONFIG_FILE).write_text(render_config(changed))


class Validators:
    """Starts, asks and ends the nodes; an asynchronous context.

    Attributes:
        wires: What connects them.
        homes: Their folders.
    """

    def __init__(self, wires: Wires, homes: list[Path]) -> None:
        self.wires = wires
        self.homes = homes
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._sessions: list[aiohttp.ClientSession] = []

    async def __aenter__(self):
        self._sessions = [self._session(name) for name in self.wires.names]
        return self

    async def __aexit__(self, *_error):
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        for session in self._sessions:
            await session.close()

    @staticmethod
    def _session(name: str) -> aiohttp.ClientSession:
        def open_socket(place):
            with inside(name):
                return socket.socket(*place[:3])

        connector = aiohttp.TCPConnector(limit=0, socket_factory=open_socket)
        return aiohttp.ClientSession(connector=connector)

    @property
    def running(self) -> list[int]:
        """The nodes that run."""
        return sorted(self._processes)

    def session(self, node: int) -> aiohttp.ClientSession:
        """Return a session whose sockets are in a node's namespace."""
        return self._sessions[node]

    async def start(self, *nodes: int) -> None:
        """Start nodes and wait until each answers."""
        for node in nodes:
            with (self.homes[node] / LOG_FILE).open("ab") as log:
                self._processes[node] = await asyncio.create_subprocess_exec(
                    *("ip", "netns", "exec", self.wires.names[node]),
                    *(sys.executable, "-c", WHOLE, str(self.homes[node])),
                    stdin=asyncio.subprocess.DEVNULL,
                    stderr=log,
                    preexec_fn=_end_with_parent,
                )
        for node in nodes:
            while await self.height(node) is None:
                assert self._processes[node].returncode is None, self.log(node)[-5:]
                await asyncio.sleep(0.05)

    async def stop(self, *nodes: int) -> None:
        """Stop nodes gracefully; each must end well."""
        for node in nodes:
            self._processes[node].send_signal(signal.SIGTERM)
        for node in nodes:
            assert await self._processes.pop(node).wait() == 0, self.log(node)[-5:]

    async def height(self, node: int) -> int | None:
        """Return the height of a node, None if it does not answer."""
        try:
            async with self.session(node).get(
                f"{URL}/v1/status", timeout=aiohttp.ClientTimeout(total=5)
            ) as answer:
                return int((await answer.json())["height"])
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None

    async def heights(self) -> list[int]:
        """Return the heights of all nodes that run, -1 where one does not answer."""
        found = await asyncio.gather(*[self.height(node) for node in self.running])
        return [-1 if one is None else one for one in found]

    async def reach(self, height: int, *nodes: int) -> None:
        """Wait until nodes, or all, have a height."""
        for node in nodes or self.running:
            while (await self.height(node) or -1) < height:
                await asyncio.sleep(0.05)

    def log(self, node: int) -> list[dict[str, object]]:
        """Return the lines of a node's log."""
        lines = (self.homes[node] / LOG_FILE).read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def events(self, node: int) -> set[object]:
        """Return which events a node's log has."""
        return {line["event"] for line in self.log(node)}


def _end_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def entries_of(home: Path) -> list[tuple[str, tuple[bytes, ...]]]:
    """Return all entries of a stopped node in the order of its chain, with what they wrote."""
    with ChainStore.open(home / "data", read_only=True) as store:
        return [
            (entry.entry_digest.hex(), tuple(part.record_id for part in entry.records))
            for height in range(1, store.height + 1)
            for entry in store.block(height).entries
        ]


def check_conduct(validators: Validators) -> None:
    """Weather makes nobody look bad: no honest node is blamed, none fails, no two blocks differ."""
    blocks: dict[object, object] = {}
    for node in range(len(validators.homes)):
        for line in validators.log(node):
            assert line["level"] != "error", line
            assert line["event"] not in {"peer_cut_off", "sync_refused"}, line
            if line["event"] == "committed":
                assert blocks.setdefault(line["height"], line["block"]) == line["block"], line
    assert blocks
