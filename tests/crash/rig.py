"""A network of four real nodes that are killed at every step, and owners who use it meanwhile.

Each node has a plan, a list of crash points. It is started with the first, runs until it dies of
it, is started with the next, and so on; all four at once, so that there are moments with no node at
all. In between owners submit updates to whichever node answers, until each is acknowledged.
"""

import asyncio
import contextlib
import json
import random
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime

import aiohttp

from node.clock import SystemClock
from node.config import load_config, render_config
from tests.crash.history import Said, check_stored, stored
from tests.crash.killed_program import Program, preload
from tests.crash.steps import BY_NAME, Kind
from tests.crash.traps import WITNESS_FILE
from tests.node.public_town import submission
from tests.node.town_chain import make_town, make_town_homes
from tests.registry.town import by

SNAPSHOT_BLOCKS = 5
PATIENCE_S = 40
OWNERS = 4
MOMENT_S = 0.02
LAGGING = frozenset({"registry.record_unknown", "registry.stale_version", "registry.key_unknown"})
"""What a node may say that has not caught up yet, or whose guess of the next state is behind."""
TORN_POINT = "wal.write.half:7"
"""How a node dies before the steps at which a torn log is healed."""


@dataclass
class Life:
    """One run of a node, from its start to its end.

    Attributes:
        node: Which.
        point: Where it was to end.
        killed_at: The step that ended it; None if it did not come to it.
        listens_s: From the start of the process until it answered; None if it never did.
        begins_s: Until it could vote, for which more than two thirds must answer; None if never.
        lasted_s: Until its end.
        replayed: Frames of the log that were replayed; None if none.
    """

    node: int
    point: str
    killed_at: str | None = None
    listens_s: float | None = None
    begins_s: float | None = None
    lasted_s: float = 0.0
    replayed: int | None = None


@dataclass
class Outcome:
    """All that happened, and the totals for the report."""

    lives: list[Life] = field(default_factory=list)
    acknowledged: int = 0
    blocks: int = 0
    messages: int = 0
    refusals: Counter[str] = field(default_factory=Counter)

    @property
    def kills(self):
        """How often a node died at a step, by step."""
        return Counter([one.killed_at for one in self.lives if one.killed_at is not None])

    def report(self):
        """A few lines with the figures."""
        replayed = [one.replayed for one in self.lives if one.replayed is not None]
        missed = Counter([one.point for one in self.lives if one.point and not one.killed_at])
        return (
            f"{sum(self.kills.values())} kills at {len(self.kills)} steps,"
            f" {len(self.lives)} starts, not reached: {dict(missed)};\n"
            f"{self.acknowledged} entries acknowledged in {self.blocks} blocks,"
            f" {self.messages} signed messages compared, log lines: {dict(self.refusals)};\n"
            f"a restarted process answers: {_spread([one.listens_s for one in self.lives])};"
            f" may vote, once two others answer: {_spread([one.begins_s for one in self.lives])};"
            f" frames replayed: at most {max(replayed, default=0)}"
        )


def _spread(seconds):
    known = sorted([one for one in seconds if one is not None])
    return f"median {known[len(known) // 2]:.2f} s, worst {known[-1]:.2f} s" if known else "never"


class Owner:
    """Somebody who updates his contact again and again, each update until it is acknowledged."""

    def __init__(self, rig, name, identity):
        self._rig, self._name, self._identity = rig, name, identity
        self.acknowledged: list[bytes] = []

    async def work(self, session):
        while not self._rig.is_over:
            await self.update(session)

    async def update(self, session):
        """Have one update acknowledged, however long it takes."""
        entry = self._rig.make_update(self._name, self._identity)
        await self.submit(session, entry)
        self.acknowledged.append(entry.entry_digest)

    async def submit(self, session, entry):
        body = submission(entry, bodies=self._rig.town.bodies)
        while not await self._try(session, body):
            await asyncio.sleep(MOMENT_S)

    async def _try(self, session, body):
        url = self._rig.any_url()
        if url is None:
            return False
        try:
            async with session.post(
                f"{url}/v1/entries?wait=commit",
                data=body,
                headers={"Content-Type": "application/msgpack"},
            ) as answer:
                said = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return False
        code = said["results"][0]["status"] if "results" in said else said["code"]
        retryable = code in LAGGING or code == "pending" or answer.status in {429, 500, 503}
        assert retryable or code in {"committed", "registry.replayed"}, said
        return not retryable


class Rig:
    """Four nodes, their plans and their load."""

    def __init__(self, folder, seed):
        preload()
        self.dice = random.Random(seed)
        self.outcome = Outcome()
        self.is_over = False
        self._clock = SystemClock()
        self.town = make_town(self._clock.now_ms() - 600_000)
        people = [f"owner {number}" for number in range(OWNERS)]
        self.owners = [Owner(self, name, self.town.adult(name)) for name in people]
        self.first = [entry for _height, _time, entries in self.town.blocks for entry in entries]
        self.homes = make_town_homes(folder, self.town)
        for home in self.homes:
            config = replace(load_config(home), snapshot_blocks=SNAPSHOT_BLOCKS)
            (home / "config.toml").write_text(render_config(config))
        self.programs: list[Program | None] = [None] * len(self.homes)

    # --- the load ---------------------------------------------------------------------------------

    def make_update(self, name, identity):
        """Sign an update that is valid now."""
        self.town.time_ms = max(self.town.time_ms, self._clock.now_ms() - 30_000)
        entry = self.town.contact(identity, by("subject", name))
        self.town.accept(entry)
        return entry

    def url(self, node, name="public"):
        """The address of a running node; None if it does not listen."""
        try:
            ports = json.loads((self.homes[node] / "run" / "ports.json").read_text())
            return f"http://127.0.0.1:{ports[name]}"
        except (OSError, ValueError, KeyError):
            return None

    def any_url(self):
        return self.url(self.dice.randrange(len(self.homes)))

    # --- the nodes --------------------------------------------------------------------------------

    def start(self, node, point):
        """Start a node that is to end at a crash point, `<step>:<nth>`; or empty, at none."""
        home = self.homes[node]
        (home / "run" / "ports.json").unlink(missing_ok=True)
        log = home / f"log-{len(self.outcome.lives)}"
        self.outcome.lives.append(Life(node, point))
        program = Program(["node", "run", home], home, point, log)
        self.programs[node] = program
        return program, self.outcome.lives[-1], log

    async def live(self, node, point):
        """Run a node until it dies; kill it where it does not come to its point."""
        program, life, log = self.start(node, point)
        until_s = time.monotonic() + PATIENCE_S
        while program.is_running and time.monotonic() < until_s:
            await asyncio.sleep(MOMENT_S)
        if program.is_running:
            program.kill()
        program.wait()
        life.killed_at = program.killed_at
        life.lasted_s = time.time() - program.began_s
        self.read_log(life, log, program.began_s)
        assert program.status == -9, (point, program.status, log.read_text()[-2_000:])

    def wipe(self, node):
        """Lose chain, vault and log; keys and guard stay."""
        data = self.homes[node] / "data"
        for name in ("chain", "vault"):
            shutil.rmtree(data / name, ignore_errors=True)
        for name in ("wal", "bodies"):
            (data / name).unlink(missing_ok=True)

    async def follow_plan(self, node, plan):
        """Let a node die at each of its points, then run it without one."""
        for point in plan:
            kind = BY_NAME[point.partition(":")[0]].kind
            if kind is Kind.TORN:
                await self.live(node, TORN_POINT)
            if kind is Kind.WIPED:
                self.wipe(node)
            await self.live(node, point)
        self.start(node, "")

    def read_log(self, life, log, began_s):
        """Note how a life began."""
        for line in log.read_text().splitlines():
            with contextlib.suppress(ValueError):
                said = json.loads(line)
                event = said["event"]
                after_s = datetime.fromisoformat(said["at"]).timestamp() - began_s
                if event == "started":
                    life.listens_s = after_s
                elif event == "begins":
                    life.begins_s = after_s
                elif event == "replayed":
                    life.replayed = said["events"]
                elif event in {"equivocation", "guard_refused", "failed", "refused", "guard_older"}:
                    self.outcome.refusals[f"{event} {said.get('code', '')}".strip()] += 1

    # --- the whole --------------------------------------------------------------------------------

    async def run(self, plans, seconds_max):
        """Kill by plan under load, then see that nothing was lost and nobody contradicted itself.

        Args:
            plans: For each node the crash points, in order.
            seconds_max: How long all of it may take at most.
        """
        async with asyncio.timeout(seconds_max), aiohttp.ClientSession() as session:
            lanes = [
                asyncio.ensure_future(self.follow_plan(node, plan))
                for node, plan in enumerate(plans)
            ]
            await self.register(session)
            working = [asyncio.ensure_future(one.work(session)) for one in self.owners]
            try:
                await asyncio.gather(*lanes)
                self.is_over = True
                await asyncio.gather(*working)
                await self.level(session)
            finally:
                for task in (*lanes, *working):
                    task.cancel()
        self.stop()
        self.check()

    async def register(self, session):
        """Register the owners, however often the nodes die meanwhile."""
        for entry in self.first:
            await self.owners[0].submit(session, entry)

    async def height(self, session, node):
        url = self.url(node)
        if url is None:
            return -1
        with contextlib.suppress(aiohttp.ClientError):
            async with session.get(f"{url}/v1/status") as answer:
                return (await answer.json())["height"]
        return -1

    async def level(self, session):
        """Wait until all nodes have the blocks that any of them has now."""
        count = range(len(self.homes))
        goal = max([await self.height(session, node) for node in count])
        for node in count:
            while await self.height(session, node) < goal:
                program = self.programs[node]
                assert program is not None
                assert program.is_running, node
                await asyncio.sleep(MOMENT_S)

    def stop(self):
        """Stop all nodes gracefully."""
        programs = [one for one in self.programs if one is not None]
        for program in programs:
            program.terminate()
        assert [program.wait() for program in programs] == [0] * len(self.homes)

    def kill_all(self):
        """End whatever still runs, also after a failure."""
        for program in self.programs:
            if program is not None and program.is_running:
                program.kill()

    def check(self):
        """No contradiction, nothing lost, nothing twice, one state."""
        chains = [stored(home) for home in self.homes]
        lowest = min(len(chain.blocks) for chain in chains)
        for chain in chains:
            assert chain.blocks[:lowest] == chains[0].blocks[:lowest]
        longest = max(chains, key=lambda chain: len(chain.blocks))
        level = [chain for chain in chains if len(chain.blocks) == len(longest.blocks)]
        acknowledged = [digest for owner in self.owners for digest in owner.acknowledged]
        acknowledged += [entry.entry_digest for entry in self.first]
        check_stored(level, acknowledged)
        said = Said(self.town.network_id)
        for validator, home in enumerate(self.homes):
            said.read(validator, (home / WITNESS_FILE).read_bytes())
        said.check()
        self.outcome.acknowledged = len(acknowledged)
        self.outcome.blocks = len(longest.blocks)
        self.outcome.messages = len(said.messages)
