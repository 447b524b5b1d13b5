"""records.md 6.4: a corrected identity says what the birth record's present version says."""

from dataclasses import replace

import pytest

from keys.hashing import Digest
from registry.acts import Act, RecordContent
from registry.drafting import Target
from registry.rule_pack import PACK_DIGEST
from registry.signer_plan import CustodyForm
from tests.node.drafted import SCANS
from tests.node.public_town import served
from tests.node.test_custodian import submit
from tests.node.test_wrap_keeper import Citizen

pytestmark = pytest.mark.asyncio


class Desk(Citizen):
    """The police's desk, where a mother without a key corrects what is registered of her child."""

    def values(self, record):
        opened = self.api.side._custodian._open_current(record, self.row(record))
        return {path: value for path, value in opened.items() if value is not None}

    async def edit(self, kind, record, **changes):
        """Draft an edit that restates all but the changes; return it and the custodian's answer."""
        row = self.row(record)
        changed = {name.replace("__", "."): value for name, value in changes.items()}
        content = RecordContent(
            member=row.member,
            sealed=self.values(record) | changed,
            links={} if "child" not in row.links else {"mother": row.links["mother"]},
        )
        act = Act(
            kind=kind,
            event_date=self.act.event_date,
            records=(content,),
            evidence=SCANS,
            reason="clerical",
        )
        form = CustodyForm(tuple(sorted(self.bureau.keys)), Digest(bytes(32)))
        hands = replace(self.bureau.hands, persons={self.identity: form})
        draft = await self.bureau.draft(self.bureau.seal(act, hands, Target(record, row)))
        return draft, await self.bureau.sign(draft)

    async def accept(self, kind, record, **changes):
        draft, answer = await self.edit(kind, record, **changes)
        return await submit(self.api, self.bureau.finished(draft, answer))


async def opened_desk(api):
    desk = Desk(api)
    await desk.register()
    return desk, *await desk.give_birth()


@pytest.mark.parametrize("change", [{"name__given": "Khác"}, {"nationality": "LA"}])
async def test_an_identity_is_not_corrected_to_what_the_birth_record_does_not_say(tmp_path, change):
    async with served(tmp_path) as api:
        desk, _birth, child = await opened_desk(api)
        _draft, answer = await desk.edit("identity/correct", child, **change)
        assert (answer.status, answer.code) == (400, "registry.office_rule")
        assert desk.values(child)["name.family"].encode() not in answer.body


async def test_other_fields_are_corrected_and_the_office_that_did_not_look_has_said_so(tmp_path):
    async with served(tmp_path) as api:
        desk, _birth, child = await opened_desk(api)
        entry = await desk.accept("identity/correct", child, residence="2 Hàng Lụa")
        said = {rule.rule: rule for rule in entry.context.rules}["same_as_birth"]
        assert (said.warned, said.pack_digest) == (True, PACK_DIGEST)


async def test_a_changed_name_is_taken_over_from_the_birth_record_and_the_former_one_no_more(
    tmp_path,
):
    async with served(tmp_path) as api:
        desk, birth, child = await opened_desk(api)
        await desk.accept("birth/change_name", birth, name__given="Khác")
        _draft, answer = await desk.edit("identity/correct", child, residence="2 Hàng Lụa")
        assert answer.code == "registry.office_rule"
        await desk.accept("identity/correct", child, name__given="Khác")
        assert desk.values(child)["name.given"] == desk.values(birth)["name.given"] == "Khác"


async def test_a_custodian_that_cannot_open_the_birth_signs_what_stands_as_unverified(
    tmp_path, monkeypatch
):
    async with served(tmp_path) as api:
        desk, birth, child = await opened_desk(api)
        real = api.side._custodian._open_current

        def without_the_birth(record, row):
            return None if record == birth else real(record, row)

        monkeypatch.setattr(api.side._custodian, "_open_current", without_the_birth)
        entry = await desk.accept("identity/correct", child, name__given="Khác")
        assert [rule.rule for rule in entry.context.rules if rule.warned] == ["same_as_birth"]
