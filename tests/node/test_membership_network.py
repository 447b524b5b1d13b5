"""Nodes over real sockets whose set changes: one joins, one is killed, keys rotate, one leaves."""

import asyncio
import contextlib
from dataclasses import replace

import pytest

from keys.keyring import create_key_file
from keys.signing import Purpose
from ledger import genesis
from ledger.ids import AgencyId
from ledger.membership import print_application, sign_application
from ledger.parts import ObjectPart
from ledger.store_proofs import trust_bundle
from ledger.trust import parse_trust
from node.app import Options, open_node
from node.clock import SystemClock
from node.config import Address, load_config, render_config
from node.public_side import open_public_side
from node.signer import create_guard
from node.submissions import Submission
from tests.node.homes import free_port
from tests.node.town_chain import make_town, make_town_homes, service_key
from tests.registry.town import AGENCIES, by, founding_part, identifier, key
from verifier.trust import read_trust

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]
PATIENCE_S = 240
PURPOSES = ("consensus", "peer", "custodian", "seal", "checkpoint", "tag")


def agency(name):
    return AgencyId(identifier("agency", name))


class Running:
    """A whole node in this process."""

    def __init__(self, name, home, options=None):
        self.name = name
        self.home = home
        self.node = open_node(home, options or Options())
        self._grown = asyncio.Event()
        self.node.application.on_committed.append(lambda _committed: self._grown.set())
        self.ended = asyncio.ensure_future(self.node.run(self._extend))
        self.ended.add_done_callback(lambda _ended: self._grown.set())

    def _extend(self, node):
        self.side = open_public_side(node)
        return self.side

    @property
    def height(self):
        return self.node.application.tip_height

    async def until(self, is_so):
        while not is_so():
            assert not self.ended.done(), self.ended
            self._grown.clear()
            await self._grown.wait()

    def members(self):
        """Who decides the height after the next."""
        validators = self.node.application.validators_at(self.height + 2)
        return {one.agency_id: one.key for one in validators.validators}

    async def voted_after(self, height, name):
        """Wait for a certificate of a later height with the signature of an agency."""

        def has_voted():
            application = self.node.application
            for at in range(height + 1, self.height + 1):
                index = application.validators_at(at).index_of(agency(name))
                certificate = application.store.quorum_certificate(at)
                if index is not None and index in [one for one, _ in certificate.signatures]:
                    return True
            return False

        await self.until(has_voted)

    async def stop(self):
        self.node.request_stop()
        await self.ended


class Committee:
    """Homes of the town and the nodes that run; acts of governance through any of them."""

    def __init__(self, folder):
        self.folder = folder
        self.town = make_town(SystemClock().now_ms())
        names = sorted(AGENCIES, key=agency)
        self.homes = dict(zip(names, make_town_homes(folder, self.town), strict=True))
        self.nodes: dict[str, Running] = {}

    def start(self, name, options=None):
        self.nodes[name] = Running(name, self.homes[name], options)
        return self.nodes[name]

    async def stop(self, name):
        await self.nodes.pop(name).stop()

    @property
    def first(self):
        return next(iter(self.nodes.values()))

    async def commit(self, kind, hands, item):
        """Submit an act to the first node and wait until every node has its block."""
        self.town.time_ms = SystemClock().now_ms()
        entry = self.town.entry(kind, hands, objects=[item], office=None)
        (result,) = await self.first.side.queue.submit([Submission(entry.raw, ())])
        assert not isinstance(result, Exception), result
        for one in self.nodes.values():
            store = one.node.application.store
            await one.until(lambda store=store: store.locate(entry.entry_digest) is not None)
        return entry

    def govern(self, name):
        return [by("agency", name, "govern", number) for number in range(2)]

    async def decide(self, action, fields, voters):
        first, *others = voters
        ballot = ObjectPart("ballot", {"action": action, "fields": fields})
        opened = await self.commit("ballot/open", self.govern(first), ballot)
        for name in others:
            item = ObjectPart("vote", {"ballot": opened.created_record_id, "yes": True})
            await self.commit("ballot/vote", self.govern(name), item)

    def make_home(self, name, port):
        """Write the home of an agency that is to join; it knows the network from genesis only."""
        home = self.folder / name
        (home / "keys").mkdir(parents=True)
        (home / "data").mkdir()
        for purpose in map(Purpose, PURPOSES):
            path = home / "keys" / f"{purpose}.pem"
            create_key_file(path, service_key(name, purpose), None, unencrypted=True)
        create_guard(home / "data" / "guard", key(name, "consensus").public.key_id)
        (home / "genesis.civreg").write_bytes(self.town.genesis.raw)
        known = {agency(one): load_config(folder).peer for one, folder in self.homes.items()}
        config = replace(
            load_config(self.homes["land"]),
            home=home, agency=agency(name), name=name, peer=Address("127.0.0.1", port), peers=known,
        )  # fmt: skip
        (home / "config.toml").write_text(render_config(config))
        self.homes[name] = home

    def application(self, name, port):
        part = replace(founding_part(name), peer_address=f"127.0.0.1:{port}")
        raw = genesis.print_part(part)
        governors = [key(name, "govern", number) for number in range(2)]
        return print_application(
            raw, [sign_application(self.town.network_id, raw, one) for one in governors]
        )

    async def change_key(self, name, purpose, new, hands=None):
        fresh = key(name, purpose, new)
        item = ObjectPart(
            "key", {"purpose": purpose, "algorithm": 1, "public": fresh.public.public}
        )
        signers = [*(hands or self.govern(name)), by("new_key", name, purpose, new)]
        await self.commit("agency/change_key", signers, item)

    def put_next(self, name, purpose, new, *, following=True):
        path = self.homes[name] / "keys" / f"{purpose}{'.next' if following else ''}.pem"
        path.unlink(missing_ok=True)
        create_key_file(path, key(name, purpose, new), None, unencrypted=True)

    def check_trust(self):
        """The bundle verifies from genesis on, by both implementations, and tells the same sets."""
        return [checked_bundle(one.node.application) for one in self.nodes.values()][-1]


def checked_bundle(application):
    """The bundle of one node."""
    raw = trust_bundle(application.store, SystemClock().now_ms() + 1_000).to_bytes()
    bundle, second = parse_trust(raw), read_trust(raw)
    for height in range(1, bundle.newest_height + 1):
        validators = application.validators_at(height)
        assert bundle.validators_at(height) == validators
        assert second.set_at(height).digest == validators.digest
    return bundle


@contextlib.asynccontextmanager
async def committee(folder):
    made = Committee(folder)
    try:
        async with asyncio.timeout(PATIENCE_S):
            for name in list(made.homes):
                made.start(name)
            for one in made.nodes.values():
                await one.until(lambda one=one: one.height > 1)
            yield made
    finally:
        for one in made.nodes.values():
            if not one.ended.done():
                await one.stop()


async def test_a_fifth_joins_over_the_ledger_and_then_one_of_the_four_may_be_killed(tmp_path):
    async with committee(tmp_path) as town:
        port = free_port()
        admission = {"name": "bank", "kind": "bank", "weight": 1}
        admission["application"] = town.application("bank", port)
        await town.decide("admit", admission, ("justice", "police", "land"))
        before = town.first.height
        town.make_home("bank", port)
        bank = town.start("bank")
        await town.first.until(lambda: agency("bank") in town.first.members())
        await bank.until(lambda: bank.height > before)
        await town.first.voted_after(before, "bank")
        await town.stop("tax")
        killed_at = town.first.height
        await town.first.until(lambda: town.first.height > killed_at + 3)
        await town.first.voted_after(killed_at, "bank")
        bundle = town.check_trust()
        assert len(bundle.changes) == 1

        weight = {"agency": agency("justice"), "weight": 0}
        await town.decide("validator", weight, ("police", "land", "justice", "bank"))
        await town.first.until(lambda: agency("justice") not in town.first.members())
        town.start("tax")
        left_at = town.first.height + 2
        for one in town.nodes.values():
            await one.until(lambda one=one: one.height > left_at + 2)
        await town.first.voted_after(left_at, "tax")
        assert agency("justice") not in town.first.members()
        assert len(town.check_trust().changes) == 2


async def test_keys_rotate_while_nodes_run_and_while_one_is_down(tmp_path):
    async with committee(tmp_path) as town:
        for purpose in ("consensus", "peer"):
            town.put_next("land", purpose, "second")
        await town.stop("land")
        town.start("land")
        old = [by("consensus_key", "land", "consensus")]
        await town.change_key("land", "consensus", "second", old)
        changed_at = town.first.height + 2
        await town.first.voted_after(changed_at, "land")
        await town.change_key("land", "peer", "second")
        moved_at = town.first.height
        await town.first.voted_after(moved_at + 2, "land")
        new = key("land", "peer", "second").public.key_id
        assert town.first.node.neighbours.peer_of(new) == agency("land")
        assert town.first.node.neighbours.peer_of(key("land", "peer").public.key_id) is None

        await town.stop("tax")
        await town.change_key("tax", "consensus", "spare")
        town.put_next("tax", "consensus", "spare", following=False)
        lost_at = town.first.height
        town.start("tax", Options(new_guard=True))
        await town.first.voted_after(lost_at + 2, "tax")
        assert town.first.members()[agency("tax")] == key("tax", "consensus", "spare").public
        assert len(town.check_trust().changes) == 2
