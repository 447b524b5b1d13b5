"""Validators in namespaces of their own, and bad weather between them.

`make chaos` goes through all of it; `make check` through a short day. Where the machine allows no
namespaces the tests say so and skip. What clients saw stands in a file whose name a failure tells.
"""

import asyncio
import contextlib
import logging
import os
import random
import time

import pytest

from node.clock import SystemClock
from tests.chaos.clients import Clients, chain_of, make_owners
from tests.chaos.history import Outcome, check_history, print_history
from tests.chaos.long_chain import give_history
from tests.chaos.namespaces import why_not
from tests.chaos.scenarios import BLOCKS, BOUNDED, FULL, LATE, go_through
from tests.chaos.validators import NODES, Validators, check_conduct, entries_of, set_addresses
from tests.chaos.wires import wired
from tests.node.town_chain import make_town, make_town_homes

REASON = why_not()
pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(REASON is not None, reason=f"no networks here: {REASON}"),
]
LOG = logging.getLogger(__name__)
OWNERS = 4
PATIENCE_S = 1_800
NEW = NODES - 1
HISTORY_FILE = "history.jsonl"


@contextlib.asynccontextmanager
async def network(folder, history=0):
    """Four validators with clients at work; afterwards all that was seen is checked.

    With a history of so many blocks the first three have it and run, and the fourth is new.
    """
    number = int(os.environ.get("CIVREG_SEED", random.SystemRandom().randrange(2**32)))
    LOG.warning("CIVREG_SEED=%d", number)
    town = make_town(SystemClock().now_ms() - 600_000)
    owners = make_owners(town, OWNERS)
    homes = make_town_homes(folder, town)
    set_addresses(homes)
    first = range(NODES - 1 if history else NODES)
    if history:
        give_history(folder / "history", town, [homes[node] for node in first], history)
    with wired(NODES, number) as wires:
        LOG.warning("packets are carried by %s", wires.fabric)
        async with asyncio.timeout(PATIENCE_S), Validators(wires, homes) as validators:
            clients = Clients(town, validators, random.Random(number), owners)
            await validators.start(*first)
            await clients.register()
            async with asyncio.TaskGroup() as tasks:
                working = tasks.create_task(clients.work())
                yield validators, clients
                clients.is_ending = True
                await working
            await validators.reach(max(await validators.heights()))
            await validators.stop(*range(NODES))
    check_what_was_seen(folder, clients, validators)


def check_what_was_seen(folder, clients, validators):
    """One chain on all nodes, and one register for each record that explains every answer."""
    chains = [entries_of(home) for home in validators.homes]
    shortest = min(map(len, chains))
    assert all(chain[:shortest] == chains[0][:shortest] for chain in chains)
    chain = chain_of(max(chains, key=len), clients.owners)
    path = folder / HISTORY_FILE
    path.write_text(print_history(clients.history, chain))
    LOG.warning("%d operations in %s", len(clients.history), path)
    check_history(clients.history, chain)
    outcomes = {one.outcome for one in clients.history}
    assert {Outcome.OK, Outcome.FAIL} <= outcomes, "rivals met"
    check_conduct(validators)


@pytest.mark.chaos
@pytest.mark.parametrize("scenario", FULL, ids=lambda scenario: scenario.name.replace(" ", "-"))
async def test_a_network_bears_bad_weather_and_loses_nothing_that_was_acknowledged(
    tmp_path, scenario, capsys
):
    async with network(tmp_path) as (validators, clients):
        told = await go_through(scenario, validators, clients)
    with capsys.disabled():
        print(f"\n{told}")  # noqa: T201 - what `make chaos` tells


@pytest.mark.slow
async def test_a_short_day_of_bad_weather_loses_nothing_that_was_acknowledged(tmp_path, capsys):
    async with network(tmp_path) as (validators, clients):
        told = [await go_through(scenario, validators, clients) for scenario in BOUNDED]
    with capsys.disabled():
        print("", *told, sep="\n")  # noqa: T201 - what `make check` tells


async def catch_up(folder, heights):
    """A fourth node comes, with nothing, over late links, while the others work; tell of it."""
    async with network(folder, heights) as (validators, clients):
        validators.wires.become(LATE)
        assert min(await validators.heights()) >= heights
        began_s = time.monotonic()
        await validators.start(NEW)
        started_s = time.monotonic()
        await validators.reach(max(await validators.heights()), NEW)
        reached_s = time.monotonic()
        while "voting_resumed" not in validators.events(NEW):
            await asyncio.sleep(0.5)
        voting_s = time.monotonic()
        await validators.stop(0)  # of four nodes three must vote: from now on the new one too
        await validators.reach(max(await validators.heights()) + BLOCKS)
        await validators.start(0)
        validators.wires.become({})
        clients.is_ending = True
    assert validators.events(NEW) >= {"voting_left", "sync_started", "sync_done"}
    return (
        f"a new node {heights:,} blocks behind, 50 ms delay on all links"
        f" ({validators.wires.fabric}): answers after"
        f" {started_s - began_s:.1f} s, at the tip after {reached_s - began_s:.1f} s"
        f" ({heights / (reached_s - started_s):,.0f} blocks/s), votes after"
        f" {voting_s - began_s:.1f} s"
    )


@pytest.mark.chaos
async def test_a_node_ten_thousand_blocks_behind_catches_up_and_votes(tmp_path, capsys):
    told = await catch_up(tmp_path, 10_000)
    with capsys.disabled():
        print(f"\n{told}")  # noqa: T201 - what `make chaos` tells


@pytest.mark.slow
async def test_a_node_some_hundred_blocks_behind_catches_up_and_votes(tmp_path, capsys):
    told = await catch_up(tmp_path, 300)
    with capsys.disabled():
        print(f"\n{told}")  # noqa: T201 - what `make check` tells
