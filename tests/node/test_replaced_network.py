"""Over real sockets: a node comes back whose validators were replaced, all but one."""

import pytest

from tests.node.homes import free_port
from tests.node.test_membership_network import agency, committee

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]
OLD, NEW = ("justice", "police"), ("bank", "health")


async def test_a_node_whose_set_was_replaced_catches_up_from_the_one_member_it_still_knows(
    tmp_path,
):
    """It knew four, of whom two are gone and one runs; two it has never heard of make the blocks.

    Neither those who say where the chain is, nor those who say what it signed, are enough in the
    set that it knows: it has to find the change, and then to ask those who came.
    """
    async with committee(tmp_path) as town:
        await town.stop("tax")
        voters = ["justice", "police", "land"]
        for name in NEW:
            port = free_port()
            admission = {"name": name, "kind": name, "weight": 1}
            admission["application"] = town.application(name, port)
            await town.decide("admit", admission, voters)
            town.make_home(name, port)
            town.start(name)
            await town.first.until(lambda name=name: agency(name) in town.first.members())
            voters.append(name)
        for name in OLD:
            await town.decide("validator", {"agency": agency(name), "weight": 0}, voters)
            await town.nodes["land"].until(
                lambda name=name: agency(name) not in town.nodes["land"].members()
            )
            voters.remove(name)
        land = town.nodes["land"]
        left_at = land.height + 2
        await land.until(lambda: land.height > left_at)
        for name in OLD:
            await town.stop(name)

        tax = town.start("tax")
        old_members = tax.members()
        assert set(old_members) == {agency(name) for name in (*OLD, "land", "tax")}
        await tax.until(lambda: tax.height >= land.height - 1)
        await land.voted_after(land.height, "tax")
        assert set(tax.members()) == {agency(name) for name in (*NEW, "land", "tax")}
        await town.stop("bank")
        without = land.height
        await land.until(lambda: land.height > without + 3)  # of four three must vote, tax too
