"""SIGKILL of any node while owners update their contacts: nothing that was acknowledged is lost."""

import asyncio
import logging
import os
import random
import signal
from collections import Counter

import aiohttp
import pytest

from ledger.canonical import encode
from ledger.store import ChainStore
from node.clock import SystemClock
from tests.node.processes import WHOLE, Process, check_one_chain
from tests.node.public_town import submission
from tests.node.town_chain import make_town, make_town_homes
from tests.registry.town import by

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]
LOG = logging.getLogger(__name__)
PEOPLE = 8
UPDATES = 25
PATIENCE_S = 240
LAGGING = frozenset({"registry.record_unknown", "registry.stale_version", "registry.key_unknown"})
"""What a node may say that has not caught up yet, or whose guess of the next state is behind."""


class Owner:
    """Somebody who submits update after update, each to any node, until it is acknowledged."""

    def __init__(self, name, entries, bodies, dice):
        self.name = name
        self.requests = [(one.entry_digest, submission(one, bodies=bodies)) for one in entries]
        self.acknowledged: list[bytes] = []
        self.answers: Counter[str] = Counter()
        self._dice = dice

    async def work(self, session, urls):
        for digest, body in self.requests:
            while not await self._try(session, self._dice.choice(urls), body):
                await asyncio.sleep(0.05)
            self.acknowledged.append(digest)

    async def _try(self, session, url, body):
        try:
            async with session.post(
                f"{url}/v1/entries?wait=commit",
                data=body,
                headers={"Content-Type": "application/msgpack"},
            ) as answer:
                said = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError) as error:
            self.answers[type(error).__name__] += 1
            return False
        code = said["results"][0]["status"] if "results" in said else said["code"]
        self.answers[code] += 1
        retryable = code in LAGGING or code == "pending" or answer.status in {429, 503}
        assert retryable or code in {"committed", "registry.replayed"}, said
        return not retryable


def prepare(town, dice):
    """Owners with keys, and all their updates, signed beforehand."""
    people = {f"owner {number}": town.adult(f"owner {number}") for number in range(PEOPLE)}
    first = [entry for _height, _time_ms, entries in town.blocks for entry in entries]
    owners = []
    for name, identity in people.items():
        updates = []
        for _update in range(UPDATES):
            updates.append(town.contact(identity, by("subject", name)))
            town.accept(updates[-1])
        owners.append(Owner(name, updates, town.bodies, dice))
    return first, owners


async def register(session, url, entries, bodies):
    async with session.post(
        f"{url}/v1/entries?wait=commit",
        data=submission(*entries, bodies=bodies),
        headers={"Content-Type": "application/msgpack"},
    ) as answer:
        results = (await answer.json())["results"]
    assert {one["status"] for one in results} == {"committed"}, results


async def kill_and_restart(processes, victim, dice, following):
    """Kill a node at some moment, and start it again at a later one; return both lives."""
    await asyncio.sleep(dice.uniform(0.2, 3))
    killed = processes[victim]
    killed.process.send_signal(signal.SIGKILL)
    await following.pop(victim)
    assert await killed.process.wait() == -signal.SIGKILL
    (killed.home / "run" / "ports.json").unlink(missing_ok=True)
    await asyncio.sleep(dice.uniform(0.2, 3))
    again = await Process(killed.home, WHOLE).start()
    following[victim] = asyncio.ensure_future(again.follow())
    processes[victim] = again
    return killed


async def height_of(session, url):
    async with session.get(f"{url}/v1/status") as answer:
        return (await answer.json())["height"]


def contents(home):
    """Digests of all entries in the blocks of a stopped node, in order, and its state root."""
    with ChainStore.open(home / "data", read_only=True) as store:
        found = [
            entry.entry_digest
            for height in range(1, store.height + 1)
            for entry in store.block(height).entries
        ]
        return found, store.state_root


@pytest.mark.parametrize("victim", range(4))
async def test_whoever_is_killed_under_load_loses_nothing_that_was_acknowledged(tmp_path, victim):
    number = int(os.environ.get("CIVREG_SEED", random.SystemRandom().randrange(2**32)))
    LOG.warning("CIVREG_SEED=%d kills node %d", number, victim)
    dice = random.Random(number)
    town = make_town(SystemClock().now_ms() - 600_000)
    first, owners = prepare(town, dice)
    processes = [await Process(home, WHOLE).start() for home in make_town_homes(tmp_path, town)]
    urls = [await one.public_url() for one in processes]
    following = {at: asyncio.ensure_future(one.follow()) for at, one in enumerate(processes)}
    async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as session:
        await register(session, urls[0], first, town.bodies)
        working = [asyncio.ensure_future(owner.work(session, urls)) for owner in owners]
        killed = await kill_and_restart(processes, victim, dice, following)
        urls[victim] = await processes[victim].public_url()
        await asyncio.gather(*working)
        reached = max([await height_of(session, url) for url in urls])
        for url in urls:
            while await height_of(session, url) < reached:
                await asyncio.sleep(0.05)
    for one in processes:
        one.process.send_signal(signal.SIGTERM)
    await asyncio.gather(*following.values())
    assert [await one.process.wait() for one in processes] == [0, 0, 0, 0]
    LOG.info("answers %s", dict(sum((owner.answers for owner in owners), Counter())))
    check_one_chain(*processes, killed)
    wanted = Counter([digest for owner in owners for digest in owner.acknowledged])
    assert set(wanted.values()) == {1}
    assert len(wanted) == PEOPLE * UPDATES
    found = [contents(one.home) for one in processes]
    for digests, _root in found:
        assert Counter(digests) == wanted + Counter(entry.entry_digest for entry in first)
    assert len({encode((tuple(digests), root)) for digests, root in found}) == 1
