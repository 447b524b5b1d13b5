"""Four whole nodes with their public sides: what is submitted to one is registered by all."""

import asyncio
import json

import aiohttp
import pytest

from ledger.receipts import check_receipt, parse_receipt
from ledger.trust import parse_trust
from node.app import Options, open_node
from node.clock import SystemClock
from node.gossip import pack_parcels, parse_parcel
from node.public_side import open_public_side
from node.submissions import Submission
from tests.node.public_town import submission
from tests.node.town_chain import make_town, make_town_homes

pytestmark = pytest.mark.asyncio
PATIENCE_S = 60


def people(town, count):
    for number in range(count):
        town.adult(f"person {number}")
    return [block[2][0] for block in town.blocks]


async def ports_of(home):
    while True:
        try:
            return json.loads((home / "run" / "ports.json").read_text())
        except (OSError, ValueError):
            await asyncio.sleep(0.01)


async def test_entries_submitted_to_one_node_are_registered_by_all(tmp_path):
    town = make_town(SystemClock().now_ms() - 60_000)
    entries = people(town, 8)
    homes = make_town_homes(tmp_path, town)
    nodes = [open_node(home, Options()) for home in homes]
    running = [asyncio.ensure_future(node.run(open_public_side)) for node in nodes]
    try:
        async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as session:
            addresses = [f"http://127.0.0.1:{(await ports_of(home))['public']}" for home in homes]
            results = await submit(session, addresses[0], submission(*entries, bodies=town.bodies))
            assert [one["status"] for one in results] == ["committed"] * len(entries), results
            height = max(one["height"] for one in results)
            await check_everywhere(session, addresses, entries, height)
            for node in nodes:
                vault = node.storage.vault
                assert {digest: vault.body(digest) for digest in town.bodies} == town.bodies
    finally:
        for node in nodes:
            node.request_stop()
        await asyncio.gather(*running)


async def submit(session, address, body):
    async with session.post(
        f"{address}/v1/entries?wait=commit",
        data=body,
        headers={"Content-Type": "application/msgpack"},
    ) as answer:
        return (await answer.json())["results"]


async def check_everywhere(session, addresses, entries, height):
    """Each node gives a receipt for every entry that verifies under its trust bundle."""
    for address in addresses:
        while (await get_json(session, f"{address}/v1/status"))["height"] < height:
            await asyncio.sleep(0.01)
        async with session.get(f"{address}/v1/trust-bundle") as answer:
            trust = parse_trust(await answer.read())
        for entry in entries:
            name = entry.entry_digest.hex()
            async with session.get(f"{address}/v1/entries/{name}/receipt") as answer:
                receipt = parse_receipt(await answer.read())
            assert check_receipt(receipt, trust, trust.newest_time_ms).entry_digest.hex() == name


async def get_json(session, url):
    async with session.get(url) as answer:
        return await answer.json()


async def test_parcels_hold_all_submissions_in_order_and_stay_small():
    given = [Submission(bytes([n]) * 60_000, (bytes([n]) * 200_000,)) for n in range(20)]
    parcels = list(pack_parcels(given))
    assert all(len(parcel) <= 1024 * 1024 + 100 for parcel in parcels)
    found = [one for parcel in parcels for one in parse_parcel(parcel)]
    assert [(one.entry_raw, one.bodies) for one in found] == [
        (one.entry_raw, one.bodies) for one in given
    ]
    assert all(one.trusted for one in found)
