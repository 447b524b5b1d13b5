"""Act ids are kept while somebody could replay the act, and forgotten a few at a time later."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.ids import ActId, ObjectId
from ledger.parts import ObjectPart
from registry.act_expiry import FORGOTTEN_FIRST_MAX, FORGOTTEN_MAX
from registry.apply import apply
from registry.object_rows import ActHourRow, ActHoursRow, ActRow, CertificateRow
from registry.replay import Replayer
from registry.state_key_names import (
    ACT_HOURS,
    act_hour_key,
    act_key,
    certificate_key,
)
from tests.registry.test_replay import Chain
from tests.registry.town import HOUR_MS, Town, about, by, officer, seed


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.fixture
def birth(town):
    entry = town.birth(mother=town.adult("anna"))
    town.accept(entry)
    return entry.records[0].record_id


def access(town: Town, record: Any, **given):
    looked = ObjectPart("logged", {"digest": seed("purpose")})
    return town.entry(
        "birth/access", [officer("declare")], objects=[looked], about=about(record), **given
    )


def kept(town: Town, act: Any) -> bool:
    return town.state.read(act_key(act), ActRow) is not None


def hours(town: Town) -> tuple[int, ...]:
    row = town.state.read(ACT_HOURS, ActHoursRow)
    return () if row is None else row.hours


def chained(town: Town) -> list[Any]:
    """All acts that the chains of the hours lead to."""
    found = []
    for hour in hours(town):
        head = town.state.read(act_hour_key(hour), ActHourRow)
        assert head is not None, "an hour that is listed has acts"
        act: ActId | None = head.newest
        while act is not None:
            row = town.state.read(act_key(act), ActRow)
            assert row is not None
            assert row.not_after_ms // HOUR_MS == hour
            found.append(act)
            act = row.before
    return found


def test_an_act_is_a_replay_while_it_is_valid_and_expired_when_it_has_been_forgotten(town, birth):
    entry = access(town, birth)
    town.accept(entry)
    assert town.refuse(entry) == "registry.replayed"
    town.time_ms += 2 * HOUR_MS
    assert town.refuse(entry) == "registry.replayed"
    assert kept(town, entry.head.act_id)
    town.adult("berta")
    assert not kept(town, entry.head.act_id)
    assert hours(town) == ()
    assert town.refuse(entry) == "registry.expired"


def test_an_act_of_the_running_hour_is_kept(town, birth):
    entry = access(town, birth, not_after_ms=town.time_ms + 1)
    town.accept(entry)
    town.create_identity()
    assert kept(town, entry.head.act_id)


def test_an_act_id_that_was_forgotten_makes_no_second_object(town, birth):
    first = town.certificate(birth)
    town.accept(first)
    town.wait(2)
    town.create_identity()
    again = town.certificate(birth, act=first.head.act_id, objects=first.objects)
    assert town.refuse(again) == "registry.wrong_id"
    certificate_id = ObjectId(first.objects[0].fields["certificate_id"])
    row = town.state.read(certificate_key(certificate_id), CertificateRow)
    assert row is not None
    assert row.entry_digest == first.entry_digest


def test_one_block_forgets_a_bounded_number_and_always_more_than_it_adds(town, birth):
    entries = [access(town, birth, not_after_ms=town.time_ms + HOUR_MS) for _ in range(40)]
    for entry in entries:
        town.accept(entry)
    town.wait()
    left = len(entries)
    while left:
        block = [access(town, birth) for _ in range(3)]
        for index, entry in enumerate(block):
            apply(town.state, town.verified(entry), town.block(index))
        town.close_block(block)
        left = max(0, left - FORGOTTEN_FIRST_MAX - 2 * FORGOTTEN_MAX)
        assert sum(kept(town, entry.head.act_id) for entry in entries) == left
    assert len(hours(town)) == 1


steps = st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 6)), max_size=12)


@settings(max_examples=25, deadline=None)
@given(steps)
def test_the_state_keeps_what_a_simple_list_keeps(steps):
    """Invariant: an act that could be replayed is kept; the chains lead to every act kept."""
    town = Town()
    anna = town.adult("anna")
    record = town.birth(mother=anna)
    town.accept(record)
    birth = record.records[0].record_id
    acts: dict[Any, int] = {}
    for is_side_act, valid_hours, hours_after in steps:
        if is_side_act:
            entry = access(town, birth, not_after_ms=town.time_ms + valid_hours * HOUR_MS)
            acts[entry.head.act_id] = entry.head.not_after_ms
            town.accept(entry)
        else:
            town.accept(town.contact(anna, by("subject", "anna")))
        now = (town.time_ms - 1_000) // HOUR_MS
        wanted = {act for act, until in acts.items() if until // HOUR_MS >= now}
        assert set(chained(town)) == wanted == {act for act in acts if kept(town, act)}
        town.time_ms += hours_after * HOUR_MS


def test_a_replay_forgets_the_same_acts_in_the_same_blocks(town, birth):
    acts = []
    for number in range(30):
        entry = access(town, birth, not_after_ms=town.time_ms + number % 3 * HOUR_MS)
        acts.append(entry.head.act_id)
        town.accept(entry)
    town.wait()
    for name in ("berta", "carl"):
        town.adult(name)
    assert not any(kept(town, act) for act in acts)
    chain = Chain(town)
    replayer = Replayer(town.genesis)
    for block in chain.blocks:
        replayer.replay_block(block)
    assert replayer.state_root == chain.blocks[-1].header.state_root
    assert all(replayer.state.get(act_key(act)) is None for act in acts)
