"""Four whole nodes: what the operator of one is told when another one is gone or lies."""

import asyncio
import contextlib

import pytest

from node.app import Options, open_node
from node.network_findings import VOTES_LATE
from node.public_side import PublicSide
from tests.node.homes import make_homes

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]
PATIENCE_S = 180


class Watched:
    """A node with its public side, in this process."""

    def __init__(self, home):
        self.node = open_node(home, Options())
        self.side: PublicSide | None = None
        self.ended = asyncio.ensure_future(self.node.run(self._extend))

    def _extend(self, node):
        self.side = PublicSide(node)
        return self.side

    @property
    def overview(self):
        assert self.side is not None
        return self.side.overview

    async def until(self, is_so):
        while not is_so():
            assert not self.ended.done(), self.ended
            await asyncio.sleep(0.02)

    async def reach(self, height):
        await self.until(lambda: self.node.application.tip_height >= height)

    def findings(self):
        return {one.code: one for one in self.overview.health.findings()}

    async def stop(self):
        self.node.request_stop()
        await self.ended


@contextlib.asynccontextmanager
async def network(folder):
    nodes = [Watched(home) for home in make_homes(folder).folders]
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield nodes
    finally:
        for one in nodes:
            if not one.ended.done():
                await one.stop()


async def test_who_is_gone_and_who_lies_is_named_and_two_who_are_gone_stop_the_round(tmp_path):
    async with network(tmp_path) as (first, second, third, fourth):
        await asyncio.gather(*[one.reach(2) for one in (first, second, third, fourth)])
        own = first.overview
        first.side.clocks.start()
        await first.until(lambda: own.details()["clock_skew_ms"] is not None)
        rows = own.details()["peers"]
        assert all(row["height"] is not None for row in rows)
        assert all(row["name"].startswith("Agency ") for row in rows)
        assert "peers_gone" not in first.findings()

        name = own._name(fourth.node.config.agency)
        gone_at = first.node.application.tip_height
        await fourth.stop()
        await first.until(lambda: "peers_gone" in first.findings())
        assert name in first.findings()["peers_gone"].cause[1]
        await first.reach(gone_at + VOTES_LATE + 2)  # three go on without it
        missed = first.side.metrics.missed
        assert missed.value(validator=fourth.node.config.agency.hex()) >= VOTES_LATE

        liar = second.node.config.agency
        first.node.network.blame(liar, "keys.bad_signature")
        said = first.findings()["peer_misbehaves"]
        assert own._name(liar) in said.cause[0]
        assert "keys.bad_signature" in said.cause[0]

        await third.stop()  # two of four: nothing is decided any more
        absent = {own._name(one.node.config.agency) for one in (third, fourth)}
        await first.until(lambda: set(shown(own)["missing"]) & absent != set())
        await first.until(lambda: "round_stuck" in first.findings())
        cause = first.findings()["round_stuck"].cause
        assert any(gone in cause[0] for gone in absent)
        text = first.side.metrics.render()
        assert 'civreg_vote_awaited{validator="' in text
        assert 'civreg_finding{code="round_stuck"' in text


async def test_a_validator_without_its_key_is_bad_and_does_not_seem_well(tmp_path):
    (home,) = make_homes(tmp_path, count=1).folders
    (home / "keys" / "consensus.pem").unlink()
    keyless = Watched(home)
    async with asyncio.timeout(PATIENCE_S):
        await keyless.until(lambda: keyless.side is not None and keyless.side.overview is not None)
        assert keyless.findings()["consensus_key_missing"].level == "bad"
        assert keyless.overview.health.word() == "bad"
        await keyless.stop()


def shown(overview):
    return overview.details()["consensus"] or {"missing": []}
