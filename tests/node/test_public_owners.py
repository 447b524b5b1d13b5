"""No read without a trace: own records, sealed bodies, and who had them shown."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from ledger.canonical import encode
from ledger.ids import OfficeId, RecordId
from node.application import Committed
from node.number_index import NumberIndex
from node.reading import ACCESS_MS
from registry.record_checks import companion_id
from registry.state_key_names import record_key
from tests.node.public_town import plain, served
from tests.node.test_custodian import submit_side_act
from tests.node.test_wrap_keeper import Citizen, until, wrapped
from tests.registry.town import key, officer_id

pytestmark = pytest.mark.asyncio
REGISTRAR = key("police", "register", "auth")
COLLEAGUE = key("police", "approve", "auth")


async def mother(api):
    """A citizen with keys and a child, whose records she can read; returns it and the records."""
    citizen = await Citizen(api).register()
    birth, child = await citizen.give_birth()
    await citizen.enrol("sign", "auth", "seal")
    await wrapped(api, 3)
    return citizen, birth, child


def path_of(record_id, what):
    return f"/v1/records/{record_id.hex()}/{what}"


async def test_a_person_sees_the_own_records_and_those_of_wards(tmp_path):
    async with served(tmp_path) as api:
        citizen, birth, child = await mother(api)
        answer = await api.get(f"/v1/owners/{citizen.identity.hex()}/records", signer=key("auth"))
        (own,) = answer.json["records"]
        assert (own["record"], own["version"]) == (citizen.identity.hex(), 2)
        assert answer.json["represents"] == [child.hex()]
        path = f"/v1/owners/{child.hex()}/records"
        wards = (await api.get(path, signer=key("auth"))).json
        assert {one["record"] for one in wards["records"]} == {birth.hex(), child.hex()}
        assert wards["count"] == 2
        page = (await api.get(path + "?from=1&limit=1", signer=key("auth"))).json
        assert page["records"] == wards["records"][1:]


async def test_nobody_else_learns_what_somebody_owns(tmp_path):
    async with served(tmp_path) as api:
        citizen, _birth, _child = await mother(api)
        path = f"/v1/owners/{citizen.identity.hex()}/records"
        assert (await api.get(path)).code == "node.unauthenticated"
        for other in (REGISTRAR, key("police", "peer")):
            assert (await api.get(path, signer=other)).code == "node.forbidden"
        own = await api.get(path + "?limit=257", signer=key("auth"))
        assert own.code == "node.malformed_request"


async def test_a_person_is_told_state_rows_of_the_own_records_and_of_nobody_elses(tmp_path):
    """That the own contacts are not there yet is told too: their id follows from the own."""
    async with served(tmp_path) as api:
        citizen, birth, child = await mother(api)
        own, officer = citizen.identity, officer_id("police", "register")
        for shown in (own, birth, child):
            answer = await api.post("/v1/state", asked(record_key(shown)), key("auth"))
            assert plain(answer.body)[2] != (None,)
        answer = await api.post("/v1/state", asked(record_key(companion_id(own))), key("auth"))
        assert plain(answer.body)[2] == (None,)
        rows = [
            record_key(companion_id(officer)),
            record_key(officer),
            record_key(RecordId(own[::-1])),
        ]
        rows += [("family", companion_id(own)), ("acts",), ("grant", bytes(16))]
        for row in rows:
            answer = await api.post("/v1/state", asked(row), key("auth"))
            assert answer.code == "node.forbidden", row


def asked(state_key):
    return encode((1, (state_key,)))


async def test_no_list_is_given_that_may_lack_something(tmp_path):
    async with served(tmp_path) as api:
        citizen, _birth, _child = await mother(api)
        api.side.owners._is_filled = False
        path = f"/v1/owners/{citizen.identity.hex()}/records"
        answer = await api.get(path, signer=key("auth"))
        assert (answer.status, answer.code) == (503, "node.unavailable")


async def test_an_officer_reads_a_body_only_after_an_own_access(tmp_path):
    async with served(tmp_path) as api:
        citizen, _birth, _child = await mother(api)
        path = path_of(citizen.identity, "body")
        for asker in (REGISTRAR, COLLEAGUE):
            answer = await api.get(path, signer=asker)
            assert (answer.status, answer.code) == (403, "node.access_unlogged")
        await submit_side_act(api, "identity/access", citizen.identity, 2)
        assert (await api.get(path, signer=REGISTRAR)).status == 200
        assert (await api.get(path, signer=COLLEAGUE)).code == "node.access_unlogged"
        other = path_of(citizen.identity, "keys")
        assert (await api.get(other, signer=REGISTRAR)).status == 200
        assert (await api.get(other, signer=COLLEAGUE)).code == "node.access_unlogged"


async def test_an_access_counts_for_a_day(tmp_path, monkeypatch):
    async with served(tmp_path) as api:
        citizen, _birth, _child = await mother(api)
        await submit_side_act(api, "identity/access", citizen.identity, 2)
        path = path_of(citizen.identity, "body")
        monkeypatch.setattr("node.reading.ACCESS_MS", ACCESS_MS)
        assert (await api.get(path, signer=REGISTRAR)).status == 200
        monkeypatch.setattr("node.reading.ACCESS_MS", -1)
        assert (await api.get(path, signer=REGISTRAR)).code == "node.access_unlogged"


async def test_another_act_about_the_record_or_an_access_of_another_record_is_none(tmp_path):
    async with served(tmp_path) as api:
        citizen, birth, _child = await mother(api)
        await submit_side_act(api, "birth/access", birth, 1)
        answer = await api.get(path_of(citizen.identity, "body"), signer=REGISTRAR)
        assert answer.code == "node.access_unlogged"


async def test_an_agencys_key_and_strangers_get_no_body(tmp_path):
    async with served(tmp_path) as api:
        citizen, _birth, _child = await mother(api)
        path = path_of(citizen.identity, "body")
        assert (await api.get(path)).code == "node.unauthenticated"
        assert (await api.get(path, signer=key("police", "peer"))).code == "node.forbidden"
        unknown = path_of(bytes(16), "body")
        assert (await api.get(unknown, signer=REGISTRAR)).code == "node.not_found"


async def test_the_owner_sees_who_had_the_record_shown(tmp_path):
    async with served(tmp_path) as api:
        citizen, _birth, _child = await mother(api)
        path = path_of(citizen.identity, "accesses")
        assert (await api.get(path, signer=key("auth"))).json["accesses"] == []
        entries = [
            await submit_side_act(api, "identity/access", citizen.identity, 2, role=role)
            for role in ("register", "declare")
        ]
        shown = (await api.get(path, signer=key("auth"))).json["accesses"]
        assert [one["entry"] for one in shown] == [
            entry.entry_digest.hex() for entry in reversed(entries)
        ]
        assert shown[1]["officers"] == [officer_id("police", "register").hex()]
        assert (await api.get(path, signer=REGISTRAR)).code == "node.not_found"


async def test_the_index_of_owners_is_the_same_after_a_start_as_before(tmp_path):
    async with served(tmp_path) as api:
        citizen, _birth, child = await mother(api)
        grown = api.side.owners
        anew = type(grown)(api.side.access)
        with pytest.raises(Exception, match="ask again"):
            anew.require_filled()
        await anew.fill(api.node.application.store, lambda _record_id, _row: None)
        anew.require_filled()
        for person in (citizen.identity, child):
            assert anew.records_of(person) == grown.records_of(person) != ()
        assert anew.wards_of(citizen.identity) == grown.wards_of(citizen.identity) == (child,)
        await until(lambda: not len(api.side.keeper))


async def test_a_record_is_found_by_the_number_on_its_paper(tmp_path):
    """Officers find each, a person the own and those of wards, and nobody else any."""
    async with served(tmp_path) as api:
        _citizen, birth, _child = await mother(api)
        row = api.side.access.record(birth)
        path = f"/v1/numbers/{row.office.hex()}/{row.registration_number}"
        for asker in (REGISTRAR, key("auth")):
            found = (await api.get(path, signer=asker)).json
            (one,) = found["records"]
            assert (one["record"], one["type"]) == (birth.hex(), "birth")
            assert found["number"] == one["registration_no"] == row.registration_number
        assert (await api.get(path)).code == "node.unauthenticated"
        number = row.registration_number.split("/")
        for other in (f"{number[0]}/99/{number[2]}", f"identity/{number[1]}/{number[2]}"):
            answer = await api.get(f"/v1/numbers/{row.office.hex()}/{other}", signer=REGISTRAR)
            assert answer.code == "node.not_found"
        elsewhere = await api.get(path.replace(row.office.hex(), "ab" * 16), signer=REGISTRAR)
        assert elsewhere.code == "node.not_found"


async def test_a_birth_declared_elsewhere_is_found_in_the_book_of_the_office_that_registered(
    tmp_path,
):
    async with served(tmp_path) as api:
        _citizen, birth, _child = await mother(api)
        row = api.side.access.record(birth)
        elsewhere = OfficeId(b"\xab" * 16)
        declared = replace(row, office=elsewhere, created=(1, 0, row.created[2]))
        assert declared.registered != declared.created
        index = NumberIndex(api.side.access, api.node.storage.store)
        index.consider(birth, declared)
        await index.settle()
        assert index.find(row.office, row.registration_number) == (birth,)
        assert index.find(elsewhere, row.registration_number) == ()


async def test_no_block_is_read_again_for_what_it_registered_and_none_for_an_edit(tmp_path):
    """Reading it for each of its births would take a full block's time squared."""
    async with served(tmp_path) as api:
        _citizen, birth, _child = await mother(api)
        row = api.side.access.record(birth)
        height, index, day = row.registered
        declared = replace(row, created=(height - 1, 0, day))
        entries = api.node.application.store.block(height).entries
        access: Any = SimpleNamespace(record=lambda _record_id: declared)
        no_store: Any = None
        numbers = NumberIndex(access, no_store)
        for later in (0, 1):
            header = SimpleNamespace(height=height + later)
            block: Any = SimpleNamespace(header=header, entries=entries)
            numbers.committed(Committed(block, ()))
        await numbers.settle()
        assert numbers.find(row.office, row.registration_number).count(birth) == 1
        assert entries[index].head.office == row.office


async def test_counting_through_a_book_tells_a_person_nothing_of_others(tmp_path):
    async with served(tmp_path) as api:
        citizen, birth, _child = await mother(api)
        row = api.side.access.record(birth)
        taken = f"/v1/numbers/{row.office.hex()}/{row.registration_number}"
        number = row.registration_number.split("/")
        free = f"/v1/numbers/{row.office.hex()}/{number[0]}/99/{number[2]}"
        api.side.access.owners = lambda _record: (RecordId(citizen.identity[::-1]),)
        answers = [await api.get(path, signer=key("auth")) for path in (taken, free)]
        assert [(one.status, one.code) for one in answers] == [(404, "node.not_found")] * 2
        assert answers[0].body.replace(taken.encode(), b"") == answers[1].body.replace(
            free.encode(), b""
        )


async def test_no_number_is_looked_up_before_all_records_are_read(tmp_path):
    async with served(tmp_path) as api:
        _citizen, birth, _child = await mother(api)
        row = api.side.access.record(birth)
        api.side.numbers._is_filled = False
        path = f"/v1/numbers/{row.office.hex()}/{row.registration_number}"
        answer = await api.get(path, signer=REGISTRAR)
        assert (answer.status, answer.code) == (503, "node.unavailable")
