"""Nodes in operating-system processes of their own; their logs tell where they stand."""

import asyncio
import json
import signal
import sys

BARE = "import sys, pathlib, node.app; sys.exit(node.app.run_node(pathlib.Path(sys.argv[1])))"
WHOLE = """
import sys, pathlib, node.app, node.public_side
sys.exit(node.app.run_node(pathlib.Path(sys.argv[1]), None, node.public_side.open_public_side))
"""


class Process:
    """A node that runs elsewhere; `program` says with or without its public side."""

    def __init__(self, home, program=BARE):
        self.home = home
        self.blocks = {}
        self.height = 0
        self._program = program

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", self._program, str(self.home), stderr=asyncio.subprocess.PIPE
        )
        return self

    async def line(self):
        assert self.process.stderr is not None
        return await self.process.stderr.readline()

    def take(self, line):
        """Take note of a line of the log."""
        entry = json.loads(line)
        if entry["event"] == "committed":
            self.height = entry["height"]
            self.blocks[self.height] = entry["block"]

    async def reach(self, height):
        while self.height < height:
            line = await self.line()
            assert line, "the node ended"
            self.take(line)

    async def follow(self):
        """Read the log until the process ends."""
        while line := await self.line():
            self.take(line)

    async def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        await self.follow()
        return await self.process.wait()

    async def public_url(self):
        """Return the address of the public API, as soon as the node says so."""
        while True:
            try:
                ports = json.loads((self.home / "run" / "ports.json").read_text())
            except (OSError, ValueError):
                await asyncio.sleep(0.02)
            else:
                return f"http://127.0.0.1:{ports['public']}"


def check_one_chain(*processes):
    """Invariant: one block for each height, over all processes."""
    found: dict[int, str] = {}
    for one in processes:
        for height, block_id in one.blocks.items():
            assert found.setdefault(height, block_id) == block_id
