"""Rule 1 of duplicate births where it can run: at the custodian of the index agency."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.generated_acts import Parents, birth_act
from cli.people import PeopleMaker
from keys.hashing import Digest
from ledger.ids import RecordId, print_id
from ledger.parts import ObjectPart
from node import birth_index
from node.app import Options, open_node
from node.birth_index import _words
from node.public_side import PublicSide
from node.tag_service import INNER_PATH
from registry.drafting import Target
from registry.duplicates import similar_names
from registry.rows import RecordRow
from registry.signer_plan import CustodyForm
from registry.state_key_names import record_key
from tests.node.drafted import Bureau, identity_act
from tests.node.public_town import served
from tests.node.test_custodian import JUSTICE, POLICE, submit, tag_service
from tests.node.test_wrap_keeper import HANOI, until
from tests.registry.town import key, seed

NAMES = st.lists(
    st.sampled_from(["Nguyễn", "Nguyên", "Thị", "Thi", "Hương", "Hường", "An", "Ân", "Hoàng"]),
    min_size=1,
    max_size=5,
).map(" ".join)


@given(NAMES, NAMES)
def test_names_that_could_be_one_lie_under_the_same_words(first, second):
    """Invariant: the index hides nothing from the rule."""
    if similar_names(first, second):
        assert _words(first) == _words(second)


class Registry:
    """The civil registry of the index agency, and parents who have no identities."""

    def __init__(self, api):
        self.api = api
        self.bureau = Bureau(api, "justice")
        police = tag_service(api, own=POLICE)

        async def ask(agency, path, body):
            assert agency == POLICE
            return (police.inner if path == INNER_PATH else police.outer)(JUSTICE, body)

        api.side._custodian._tags._ask = ask
        people = PeopleMaker([HANOI], identity_act(api).event_date, 1)
        self.mother = people.adult("female")
        self.child = people.child(self.mother, None, 3)
        self.other = people.child(people.adult("female"), None, 3)

    def seal(self, child, number, mother=None):
        parents = Parents(mother=mother or self.mother, mother_id=RecordId(bytes(16)))
        named = replace(child, number=f"{child.number[:-3]}{number:03}")
        act = birth_act(named, parents, self.bureau.find_type("identity"))
        birth, created = act.records
        act = replace(act, records=(replace(birth, links={}), replace(created, links={})))
        act = replace(act, evidence=replace(act.evidence, official=True))
        sealed = dict(act.records[0].sealed) | {"evidence_kind": "official_report"}
        act = replace(act, records=(replace(act.records[0], sealed=sealed), act.records[1]))
        return self.bureau.seal(act, self.seal_hands)

    @property
    def seal_hands(self):
        form = CustodyForm(tuple(sorted(self.bureau.keys)), Digest(bytes(32)))
        return replace(self.bureau.hands, informant=form)

    def sealed(self, kind, hands, birth, **more):
        """A step on the way of a declared birth that is like the first one."""
        act = self.seal(self.child, 2).prepared.act
        records = act.records if kind == "birth/register" else act.records[:1]
        row = None if birth is None else self.bureau.state.read(record_key(birth), RecordRow)
        target = None if row is None else Target(birth, row)
        return self.bureau.seal(replace(act, kind=kind, records=records, **more), hands, target)

    async def step(self, kind, hands, birth, more_keys=(), **more):
        draft = await self.bureau.draft(self.sealed(kind, hands, birth, **more), more=more_keys)
        return await submit(self.api, self.bureau.finished(draft, await self.bureau.sign(draft)))

    async def sign(self, child, number, mother=None):
        draft = await self.bureau.draft(self.seal(child, number, mother))
        return draft, await self.bureau.sign(draft)

    async def register(self, child, number, mother=None):
        draft, answer = await self.sign(child, number, mother)
        return await submit(self.api, self.bureau.finished(draft, answer))


@pytest.mark.asyncio
async def test_a_birth_that_may_be_registered_already_is_not_signed(tmp_path):
    async with served(tmp_path, "justice") as api:
        registry = Registry(api)
        first = await registry.register(registry.child, 1)
        assert len(api.side.births) == 1
        _draft, again = await registry.sign(registry.child, 2)
        assert (again.status, again.code) == (422, "registry.potential_duplicate")
        assert again.json["records"] == print_id(first.records[0].record_id)
        assert registry.child.family.encode() not in again.body
        child = registry.child
        turned = replace(child, middle=child.given, given=child.middle)
        _draft, again = await registry.sign(turned, 2)
        assert again.code == "registry.potential_duplicate"
        await registry.register(registry.other, 3)
        assert len(api.side.births) == 2


@pytest.mark.asyncio
async def test_a_birth_with_mother_and_father_exchanged_is_found_by_their_names(tmp_path):
    async with served(tmp_path, "justice") as api:
        registry = Registry(api)
        first = await registry.register(registry.child, 1)
        prepared = registry.seal(registry.child, 2).prepared
        birth, child = prepared.act.records
        turned = {
            path.replace("mother_details", "father_details"): value
            for path, value in birth.sealed.items()
        }
        act = replace(prepared.act, records=(replace(birth, sealed=turned), child))
        sealed = registry.bureau.seal(act, registry.seal_hands)
        again = await registry.bureau.sign(await registry.bureau.draft(sealed))
        assert again.code == "registry.potential_duplicate"
        assert again.json["records"] == print_id(first.records[0].record_id)


@pytest.mark.asyncio
async def test_what_an_officer_found_to_be_another_birth_is_registered(tmp_path):
    async with served(tmp_path, "justice") as api:
        registry, bureau = Registry(api), Bureau(api, "justice")
        first = await registry.register(registry.child, 1)
        declarer = key("justice", "declare")
        hands = replace(
            registry.seal_hands,
            officers={**bureau.hands.officers, "officer(declare)": declarer.public.key_id},
        )
        declared = await registry.step("birth/declare", hands, None, [declarer])
        birth = declared.records[0].record_id
        other = ObjectPart("duplicate", {"other": first.records[0].record_id})
        refused = await bureau.sign(
            await bureau.draft(registry.sealed("birth/register", hands, birth))
        )
        assert refused.code == "registry.potential_duplicate"
        kind = "birth/mark_not_duplicate"
        await registry.step(kind, hands, birth, reason="two_children", objects=(other,))
        draft = await bureau.draft(registry.sealed("birth/register", hands, birth))
        answer = await bureau.sign(draft)
        await submit(api, bureau.finished(draft, answer))


@pytest.mark.asyncio
async def test_a_birth_that_waits_for_its_block_counts_and_one_never_submitted_does_not(tmp_path):
    async with served(tmp_path, "justice") as api:
        registry = Registry(api)
        _draft, answer = await registry.sign(registry.child, 1)
        assert answer.status == 200
        draft, answer = await registry.sign(registry.child, 2)
        assert answer.status == 200, "the first was never submitted"
        commit, api.commit = api.commit, lambda: None
        with pytest.raises(AssertionError):
            await submit(api, registry.bureau.finished(draft, answer))
        _draft, again = await registry.sign(registry.child, 3)
        assert again.code == "registry.potential_duplicate"
        commit()


@pytest.mark.asyncio
async def test_after_a_start_the_births_of_the_vault_are_known_again(tmp_path):
    async with served(tmp_path, "justice") as api:
        registry = Registry(api)
        await registry.register(registry.child, 1)
        (known,) = [one for day in api.side.births._by_date.values() for one in day.values()]
        home = api.node.config.home
    node = open_node(home, Options())
    side = PublicSide(node)
    assert side.births is not None
    assert side.births.births_like(*known.values()) is None, "not read yet"
    await side.start()
    try:
        await until(lambda: side.births.is_complete)
        assert [one for day in side.births._by_date.values() for one in day.values()] == [known]
        assert side.births.births_like(*known.values()) == tuple(known.values())
    finally:
        await side.stop()
        node.timers.stop()
        await node.network.stop()
        await node._transport.close()
        node.threads.shutdown()
        node.storage.close()


@pytest.mark.asyncio
async def test_who_is_not_the_index_agency_leaves_the_rule_unverified(tmp_path):
    async with served(tmp_path, "police") as api:
        assert not api.side.births.is_index
        assert len(api.side.births) == 0


@pytest.mark.asyncio
async def test_sketches_are_bounded_and_the_oldest_date_goes_first(tmp_path, monkeypatch):
    async with served(tmp_path, "justice") as api:
        monkeypatch.setattr(birth_index, "SKETCHES_MAX", 2)
        registry = Registry(api)
        await registry.register(registry.child, 1)
        (known,) = [one for day in api.side.births._by_date.values() for one in day.values()]
        (sketch,) = known.values()
        for number, day in enumerate(("2001-01-01", "2002-01-01", "2003-01-01")):
            record_id = RecordId(seed("birth", number)[:16])
            api.side.births._add(replace(sketch, record_id=record_id, birth_date=day))
        assert len(api.side.births) == 2
        assert min(api.side.births._by_date) == "2003-01-01"
        await asyncio.sleep(0)
