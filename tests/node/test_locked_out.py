"""A node that was down while its peer key changed finds its way back with the key beside it."""

import pytest

from tests.node.test_membership_network import committee

pytestmark = pytest.mark.asyncio


async def test_who_was_down_while_its_peer_key_changed_is_let_in_with_the_next_one(tmp_path):
    async with committee(tmp_path) as town:
        town.put_next("land", "peer", "second")
        await town.stop("land")
        await town.change_key("land", "peer", "second")
        height = town.first.height
        land = town.start("land")
        await land.until(lambda: land.height >= height)
