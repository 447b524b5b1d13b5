"""Acceptance case 39 on a node: who enrols a seal key gets the data keys of the own records."""

import asyncio
from dataclasses import replace

import pytest

from cli.generated_acts import Parents, birth_act
from cli.people import PeopleMaker, Unit
from keys.hashing import Digest
from ledger.ids import RecordId
from ledger.parts import About
from node.app import Options, open_node
from node.public_side import PublicSide
from node.wrap_keeper import RETRY_MS
from registry.drafting import Target
from registry.errors import RuleError
from registry.object_rows import WrapsRow
from registry.rows import RecordRow
from registry.sealed import BodyPlace, open_body
from registry.signer_plan import CustodyForm
from registry.state_key_names import record_key, wraps_key
from registry.wraps import Wrap, open_wraps
from tests.node.drafted import SEALED_IDENTITY, Bureau, identity_act
from tests.node.public_town import plain, served
from tests.node.test_custodian import connect_tags, submit
from tests.registry.town import key, key_object

pytestmark = pytest.mark.asyncio
PATIENCE_S = 20
HANOI = Unit(code="00070", name="Phường Hoàn Kiếm", province="01")


class Citizen:
    """A person who comes to the police's desk; every body is sealed for real."""

    def __init__(self, api):
        connect_tags(api)
        self.api = api
        self.bureau = Bureau(api, "police")
        self.act = identity_act(api)
        self.identity = RecordId(bytes(16))

    def row(self, record_id=None):
        found = self.bureau.state.read(record_key(record_id or self.identity), RecordRow)
        assert found is not None
        return found

    async def register(self):
        entry = await self._submit(self.bureau.seal(self.act))
        self.identity = entry.records[0].record_id
        return self

    async def enrol(self, *purposes):
        """Three officers and the person enrol keys named after their purposes."""
        proving = [key(one) for one in purposes if one != "seal"]
        officers = {
            **self.bureau.hands.officers,
            "other_agency(approve)": key("justice", "approve").public.key_id,
        }
        hands = replace(
            self.bureau.hands,
            officers=officers,
            new_keys=tuple(one.public.key_id for one in proving),
        )
        act = replace(
            self.act,
            kind="identity/enrol_key",
            objects=tuple(key_object(one, one) for one in purposes),
        )
        target = Target(self.identity, self.row())
        sealed = self.bureau.seal(act, hands, target)
        return await self._submit(sealed, [*proving, key("justice", "approve")])

    async def give_birth(self):
        """The officers attest what the mother signed, who has no key; returns both records."""
        people = PeopleMaker([HANOI], self.act.event_date, 1)
        mother = people.adult("female")
        child = people.child(mother, None, 3)
        parents = Parents(mother=mother, mother_id=self.identity)
        act = birth_act(child, parents, self.bureau.find_type("identity"))
        form = CustodyForm(tuple(sorted(self.bureau.keys)), Digest(bytes(32)))
        hands = replace(self.bureau.hands, informant=form)
        entry = await self._submit(self.bureau.seal(act, hands))
        return [part.record_id for part in entry.records]

    async def _submit(self, sealed, more=()):
        draft = await self.bureau.draft(sealed, more=more)
        return await submit(self.api, self.bureau.finished(draft, await self.bureau.sign(draft)))

    async def open(self, record_id):
        """Read a record's body as its owner does, with the own auth and seal keys."""
        path = f"/v1/records/{record_id.hex()}"
        body = (await self.api.get(path + "/body", signer=key("auth"))).body
        answer = await self.api.get(path + "/keys", signer=key("auth"))
        _version, listed = plain(answer.body)
        row = self.row(record_id)
        place = BodyPlace(self.api.node.genesis.network_id, record_id, row.version)
        assert row.seal is not None
        data_key = open_wraps(
            [Wrap(*one) for one in listed], place, key("seal"), row.seal.key_check
        )
        paths = tuple(self.bureau.find_type(row.type_name).sealed_paths)
        return open_body(place, paths, body, row.seal, data_key).values


async def until(done):
    async with asyncio.timeout(PATIENCE_S):
        while not done():
            await asyncio.sleep(0.01)


async def wrapped(api, count):
    """Wait for so many acts of the custodian and commit them."""
    await until(lambda: len(api.node.pool) == count)
    assert {one.verified.entry.head.kind for one in api.node.pool.entries()} == {"wrap/add"}
    api.commit()
    await until(lambda: not len(api.side.keeper))
    assert len(api.node.pool) == 0


async def test_case_39_a_seal_key_that_is_enrolled_opens_the_own_records_and_the_childs(
    tmp_path,
):
    async with served(tmp_path) as api:
        citizen = await Citizen(api).register()
        birth, child = await citizen.give_birth()
        assert len(api.node.pool) == 0
        await citizen.enrol("sign", "auth", "seal")
        await wrapped(api, 3)
        identity = await citizen.open(citizen.identity)
        assert {path: identity[path] for path in SEALED_IDENTITY} == SEALED_IDENTITY
        assert (await citizen.open(birth))["sex"] == (await citizen.open(child))["sex"]


async def test_what_was_not_done_before_a_stop_is_done_after_the_start(tmp_path):
    async with served(tmp_path) as api:
        citizen = await Citizen(api).register()
        api.side.keeper = None
        await citizen.enrol("sign", "auth", "seal")
        home = api.node.config.home
    node = open_node(home, Options())
    side = PublicSide(node)
    await side.start()
    try:
        await until(lambda: len(node.pool) == 1)
        (act,) = node.pool.entries()
        assert act.verified.entry.head.about == About(citizen.identity, 2)
    finally:
        await side.stop()
        node.timers.stop()
        await node.network.stop()
        await node._transport.close()
        node.threads.shutdown()
        node.storage.close()


async def test_what_needs_no_wraps_is_left_alone_at_a_start(tmp_path):
    async with served(tmp_path) as api:
        citizen = await Citizen(api).register()
        await citizen.enrol("sign", "auth", "seal")
        await wrapped(api, 1)
        added = api.side.access.state.read(wraps_key(citizen.identity, 2), WrapsRow)
        assert len(added.digests) == 1
        api.side.keeper.consider(citizen.identity, citizen.row())
        await until(lambda: not len(api.side.keeper))
        assert len(api.node.pool) == 0


async def test_an_act_that_is_refused_is_tried_again_later(tmp_path):
    async with served(tmp_path) as api:
        citizen = await Citizen(api).register()
        keeper, refusals = api.side.keeper, []

        async def refuse(submissions):
            refusals.extend(submissions)
            return [RuleError("not now") for _one in submissions]

        take = keeper._ports.submit
        object.__setattr__(keeper._ports, "submit", refuse)
        await citizen.enrol("sign", "auth", "seal")
        await until(lambda: refusals)
        object.__setattr__(keeper._ports, "submit", take)
        api.commit()
        assert (len(keeper), len(api.node.pool)) == (1, 0)
        due_ms = keeper._due_ms[citizen.identity]
        keeper._due_ms[citizen.identity] = due_ms - RETRY_MS
        api.commit()
        await wrapped(api, 1)
