"""A node that was down while its peer key changed finds its way back with the key beside it."""

import json

import pytest

from tests.node.test_membership_network import committee

pytestmark = pytest.mark.asyncio


async def test_who_was_down_while_its_peer_key_changed_is_let_in_with_the_next_one(tmp_path, capfd):
    async with committee(tmp_path) as town:
        town.put_next("land", "peer", "second")
        await town.stop("land")
        await town.change_key("land", "peer", "second")
        height = town.first.height
        land = town.start("land")
        await land.until(lambda: land.height >= height)
    told = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line[:1] == "{"]
    own = [one["event"] for one in told if one["event"].startswith("peer_key_")]
    assert (own[0], own[-1]) == ("peer_key_tried", "peer_key_changed"), "found in the chain"
