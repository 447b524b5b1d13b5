"""Who may have tags made, for whom, and how many."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from keys.hashing import Digest
from keys.signing import Purpose
from ledger.state_keys import key_bytes, stored_value
from node.access import Access
from node.application import Committed
from node.public_errors import ForbiddenError, TooManyRequestsError
from node.tag_limits import ImportingAgencies, OfficerShares, WindowedTagLimits
from registry.authority_rows import MandateRow
from registry.object_rows import ImportRow
from registry.state_key_names import import_key, mandate_key
from tests.node.public_town import HandClock, plain, served
from tests.node.test_custodian import JUSTICE, POLICE, question, tag_service
from tests.node.test_http_public import adult, put
from tests.registry.town import identifier, key, office, seed

LAND = identifier("agency", "land")
NUMBER = "person.number"


def outer(api, officer, half=bytes(32)):
    return question(
        "tag-outer",
        (NUMBER, half, bytes(32), bytes(16), officer, api.node.clock.now_ms() + 60_000),
    )


def officer_key(agency, role="register"):
    return key(agency, role).public.key_id


def second_service(api):
    return tag_service(api, own=POLICE)


@pytest.mark.asyncio
async def test_a_tag_is_made_for_an_officer_of_the_agency_that_asks(tmp_path):
    async with served(tmp_path) as api:
        assert len(plain(second_service(api).outer(POLICE, outer(api, officer_key("police"))))) == 2
        for stranger in (officer_key("justice"), bytes(16), key("nobody").public.key_id):
            with pytest.raises(ForbiddenError):
                second_service(api).outer(POLICE, outer(api, stranger))


@pytest.mark.asyncio
async def test_an_agency_that_writes_no_record_with_such_a_tag_has_none_made(tmp_path):
    """Else any stolen peer key could look for a person by guessing the number."""
    async with served(tmp_path) as api:
        row = api.side.access.state.read(mandate_key(LAND, 0), MandateRow)
        ask = question("tag-inner", (NUMBER, "001190000123"))
        for types, is_answered in (
            (("land_title",), False),
            (("land_title", "identity"), True),
            (("no_such_type",), False),
            (("*",), True),
            ((), False),
        ):
            access = narrowed(api, replace(row, types=types))
            service = tag_service(api)
            service._access = access
            if is_answered:
                service.inner(LAND, ask)
            else:
                with pytest.raises(ForbiddenError):
                    service.inner(LAND, ask)


@pytest.mark.asyncio
async def test_a_mandate_that_is_over_gives_no_tags(tmp_path):
    async with served(tmp_path) as api:
        row = api.side.access.state.read(mandate_key(LAND, 0), MandateRow)
        today = api.side.access.today
        service = tag_service(api)
        service._access = narrowed(api, replace(row, to_date=today))
        with pytest.raises(ForbiddenError):
            service.inner(LAND, question("tag-inner", (NUMBER, "1")))


def narrowed(api, mandate):
    """Return the state as it would be if the land agency had another mandate."""
    state = api.side.access.state.fork()
    state.write(mandate_key(LAND, 0), mandate)

    class Narrowed(Access):
        @property
        def state(self):
            return state

    return Narrowed(api.node.application, api.node.clock)


def test_tags_come_slowly_and_as_fast_as_an_import_while_a_window_is_open():
    importing = set()
    limits = WindowedTagLimits(lambda agency: agency in importing, 2 * 3_600, 3, 100)

    def in_a_second(agency, from_ms):
        return sum(limits.take(agency, from_ms + at) == 0 for at in range(1_000))

    assert in_a_second(JUSTICE, 0) == 4  # three at once, and after half a second one more
    assert in_a_second(JUSTICE, 1_000) == 2
    assert in_a_second(POLICE, 1_000) == 4, "each agency has a stock of its own"
    importing.add(JUSTICE)
    assert in_a_second(JUSTICE, 2_000) == 102
    importing.clear()
    assert in_a_second(JUSTICE, 3_000) == 4, "the slow stock, which has filled meanwhile"


def test_tags_that_came_into_the_chain_are_given_back_and_others_come_back_in_days():
    """Invariant: who uses all tags is never refused; who uses none has few more than the stock."""
    limits = WindowedTagLimits(lambda _agency: False, 360, 20_000)
    day_ms = 86_400_000
    for at in range(0, 3 * day_ms, 2_000):  # a busy registry: each tag is used in the next block
        assert limits.take(JUSTICE, at) == 0
        limits.used(JUSTICE, 1, at + 1_000)
    tested = 0
    for at in range(0, 10 * day_ms, 500):
        tested += limits.take(POLICE, at) == 0
    assert tested <= 20_000 + 10 * 24 * 360
    limits.used(LAND, 50_000, 0)
    assert sum(limits.take(LAND, 0) == 0 for _ in range(20_010)) == 20_000, "no more than the stock"


def test_one_officer_has_a_share_of_what_is_never_used_and_no_more():
    importing: list[bool] = []
    shares = OfficerShares(lambda: bool(importing), HandClock(), 1, 3)
    one, other = seed("one")[:16], seed("other")[:16]
    records: Any = [identifier("record", at) for at in range(5)]
    shares.take(one, records[:3])
    with pytest.raises(TooManyRequestsError):
        shares.take(one, records[3:4])
    shares.take(other, records[3:4])
    proof = SimpleNamespace(proof=object())
    part = SimpleNamespace(record_id=records[0], claims=(proof,), matches=())
    entries: Any = [SimpleNamespace(records=(part,))]
    shares.committed(entries)
    shares.committed(entries)
    shares.take(one, records[4:])
    with pytest.raises(TooManyRequestsError):
        shares.take(one, records[4:])
    importing.append(True)
    shares.take(one, records * 9)


def test_who_lacks_tags_for_a_whole_act_gets_it_after_the_time_that_was_said():
    """What is refused takes nothing: else each new try used up what had come back before it."""
    clock, officer = HandClock(), seed("one")[:16]
    shares = OfficerShares(lambda: False, clock, 3_600, 3)
    birth: Any = [identifier("record", at) for at in (0, 1, 1)]
    shares.take(officer, birth)
    with pytest.raises(TooManyRequestsError) as refused:
        shares.take(officer, birth)
    clock.monotonic = 2_999
    with pytest.raises(TooManyRequestsError):
        shares.take(officer, birth)
    clock.monotonic = 1_000 * int(refused.value.details["retry_after_s"])
    shares.take(officer, birth)


@pytest.mark.asyncio
async def test_each_half_of_a_tag_in_a_block_is_given_back_where_it_was_made(tmp_path):
    async with served(tmp_path) as api:
        town = api.town
        anna = town.adult("anna")
        declared = town.birth("birth/declare", mother=anna)  # one match tag
        block: Any = SimpleNamespace(entries=(declared,))
        for own, half in ((JUSTICE, "inner"), (POLICE, "outer"), (LAND, "none")):
            limits = WindowedTagLimits(lambda _agency: False, 1, 1)
            service = tag_service(api, own=own, limits=limits)
            assert limits.take(JUSTICE, 0) == 0
            assert limits.take(JUSTICE, 0) > 0
            service.committed(Committed(block, ()))
            now_ms = service._ports.clock.monotonic_ms()
            is_back = limits.take(JUSTICE, now_ms) == 0
            assert is_back is (half != "none")
            assert service._ports.metrics.tags_used.value(half=half) == int(is_back)


@dataclass
class Windows:
    """Import windows as a store has them."""

    rows: dict[Any, ImportRow]
    height: int = 7
    looks: list[str] = field(default_factory=list)

    def scan_state(self, kind):
        self.looks.append(kind)
        return [
            (key_bytes(name), stored_value(bytes(16), row.to_value()))
            for name, row in self.rows.items()
        ]


OPEN = ImportRow("land_title", "2026-01-01", "2026-03-01", 8, Digest(seed("scans")), 10, 9)


@pytest.mark.parametrize(
    ("changes", "is_open"),
    [
        ({}, True),
        ({"scans_root": None}, False),
        ({"used": 10}, False),
        ({"from_date": "2026-02-02"}, False),
        ({"to_date": "2026-02-01"}, False),
        ({"to_date": "2026-02-02"}, True),
        ({"from_height": 9}, False),
    ],
)
@pytest.mark.asyncio
async def test_a_window_counts_while_it_is_open_and_has_room(tmp_path, changes, is_open):
    async with served(tmp_path) as api:
        store: Any = Windows({import_key(office("land"), "old"): replace(OPEN, **changes)})
        importing = ImportingAgencies(store, api.node.application.state, lambda: "2026-02-01")
        assert importing(LAND) is is_open
        assert not importing(JUSTICE)
        assert store.looks == ["import"], "one look for each height and day"
        store.height += 1
        importing(LAND)
        assert len(store.looks) == 2


@pytest.mark.asyncio
async def test_the_stock_of_a_real_node_is_the_slow_one(tmp_path):
    async with served(tmp_path) as api:
        limits = api.side._tags._ports.limits
        assert api.node.keys[Purpose.TAG] is not None
        taken = sum(limits.take(LAND, 0) == 0 for _ in range(30_000))
        assert taken == 20_000
        service = tag_service(api, limits=WindowedTagLimits(lambda _agency: False, 1, 1))
        service.inner(POLICE, question("tag-inner", (NUMBER, "1")))
        with pytest.raises(TooManyRequestsError):
            service.inner(POLICE, question("tag-inner", (NUMBER, "2")))


@pytest.mark.asyncio
async def test_a_running_node_gives_back_the_tags_of_a_block(tmp_path):
    async with served(tmp_path) as api:  # the police make the outer half
        mother, entries = adult(api.town, "an")
        await put(api, *entries)
        before = api.side.metrics.tags_used.value(half="outer")
        assert before == 1, "the mother's name with her birthday"
        await put(api, api.town.birth(mother=mother))
        used = api.side.metrics.tags_used.value(half="outer") - before
        assert used == 3, "the child's number and name, and the name with the mother"
