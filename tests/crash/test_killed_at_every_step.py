"""Real nodes end with SIGKILL at every step on disk, under load; nothing is lost or contradicted.

A failing run is repeated with CIVREG_SEED; the order of what processes do is the machine's.
"""

import logging
import os
import random
import sys

import pytest

from tests.crash.rig import Rig
from tests.crash.steps import Kind, of_kind

LOG = logging.getLogger(__name__)
REPLAYED_MAX = 2_000
"""Frames of one height that a start may have to replay: the log begins anew with every block."""
KILLS_MIN = 80
QUICK = (
    "guard.write.half",
    "guard.sync",
    "wal.write.half",
    "wal.write.after",
    "wal.sync",
    "vault.stage.after",
    "chain.commit.before",
    "chain.commit.after",
    "vault.keep.after",
    "restart.sync",
    "restart.rename",
    "open.wal.sync",
)
UNDER_LOAD = (Kind.RUNNING, Kind.OPENING, Kind.TORN)


def seed():
    number = int(os.environ.get("CIVREG_SEED", random.SystemRandom().randrange(2**32)))
    LOG.warning("CIVREG_SEED=%d", number)
    return number


def deal(dice, points, wiped):
    """Deal crash points to four nodes; only the first one loses its stores in between."""
    dice.shuffle(points)
    hands = [points[at::4] for at in range(4)]
    return [[*hands[0], *wiped], *hands[1:]]


async def kill(folder, plan, seconds_max):
    number = seed()
    rig = Rig(folder, number)
    points, wiped = plan
    try:
        await rig.run(deal(rig.dice, points, wiped), seconds_max)
    finally:
        rig.kill_all()
        sys.stderr.write(f"\n{rig.outcome.report()}\n")
    assert max([one.replayed or 0 for one in rig.outcome.lives]) <= REPLAYED_MAX
    return rig.outcome


def plan(nths_running, nths_other):
    """Crash points: every step under load so many times, the others so many."""
    points = [f"{name}:{nth}" for name in of_kind(Kind.RUNNING) for nth in nths_running]
    points += [f"{name}:1" for name in of_kind(Kind.OPENING, Kind.TORN) for _ in nths_other]
    wiped = [f"{name}:{nth}" for name in of_kind(Kind.WIPED) for nth in nths_other]
    return points, [one for one in wiped if one.endswith(":1") or "vault" in one]


@pytest.mark.asyncio
async def test_nodes_killed_at_a_step_of_each_file_lose_nothing_and_contradict_nothing(tmp_path):
    """One step of each kind, so that it fits into the quick suite; the others are below."""
    outcome = await kill(tmp_path, ([f"{name}:1" for name in QUICK], []), 120)
    assert set(outcome.kills) >= set(QUICK)


@pytest.mark.slow
@pytest.mark.asyncio
async def test_nodes_killed_once_at_every_step_lose_nothing_and_contradict_nothing(tmp_path):
    outcome = await kill(tmp_path, plan((1,), (1,)), 240)
    assert set(outcome.kills) >= set(of_kind(*UNDER_LOAD))


@pytest.mark.chaos
@pytest.mark.parametrize("nths", [(1, 2, 3), (1, 2, 5), (1, 3, 7), (2, 4, 6)])
@pytest.mark.asyncio
async def test_nodes_killed_again_and_again_at_every_step(tmp_path, nths):
    outcome = await kill(tmp_path, plan(nths, nths[:2]), 1_800)
    assert set(outcome.kills) >= set(of_kind(*UNDER_LOAD))
    assert sum(outcome.kills.values()) >= KILLS_MIN
