"""How often an agency changes a key of its node."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.signing import Purpose
from registry.authority_rows import KeyChangesRow
from registry.committee import last_set
from registry.errors import RuleError
from registry.state_key_names import key_changes_key
from tests.registry.test_membership import CommitteeTown, agency, change_key
from tests.registry.town import CALM, by, key

LIMIT = "registry.key_changed_too_often"


def change(town, number, name="land", purpose="consensus"):
    """Try the change to the key with this number; return the code of the refusal, if any."""
    try:
        town.accept(change_key(town, name, purpose, f"key {number}"))
    except RuleError as refusal:
        return refusal.code
    return None


@pytest.fixture
def town():
    return CommitteeTown()


def test_a_fourth_change_within_ninety_days_waits_until_they_are_over(town):
    assert [change(town, number) for number in range(4)] == [None, None, None, LIMIT]
    town.wait(89)
    assert change(town, 4) == LIMIT
    town.wait(1)
    assert change(town, 5) is None


def test_a_refusal_says_how_often_and_from_when_on(town):
    for number in range(3):
        assert change(town, number) is None
    first = town.day
    details = town.refusal(change_key(town, "land", "consensus", "one more")).details
    assert details["count"] == 3
    assert (details["purpose"], details["days"]) == ("consensus", 90)
    town.wait(90)
    assert details["from_date"] == town.day != first


def test_each_agency_and_each_purpose_counts_for_itself(town):
    for number in range(3):
        assert change(town, number) is None
    assert change(town, 3) == LIMIT
    assert change(town, 3, name="police") is None
    assert change(town, 3, purpose="peer") is None


def by_itself(town, old, new):
    hands = [by("consensus_key", "land", "consensus", old), by("new_key", "land", "consensus", new)]
    return change_key(town, "land", "consensus", new, hands=hands)


def test_the_thief_of_a_key_cannot_use_up_the_changes_of_the_governors(town):
    town.accept(change_key(town, "land", "consensus", "stolen"))
    town.accept(by_itself(town, "stolen", "of the thief"))
    assert town.refuse(by_itself(town, "of the thief", "his next")) == LIMIT
    assert [change(town, number) for number in range(3)] == [None, None, LIMIT]
    index = last_set(town.state).index_of(agency("land"))
    assert index is not None
    assert last_set(town.state)[index].key == key("land", "consensus", "key 1").public
    town.wait(90)
    town.accept(by_itself(town, "key 1", "at last"))


@settings(max_examples=25)
@given(
    most=st.integers(1, 3),
    days=st.integers(1, 5),
    waits=st.lists(st.integers(0, 3), min_size=1, max_size=10),
)
def test_no_window_holds_more_changes_than_the_network_allows(most, days, waits):
    town = CommitteeTown({**CALM, "key_changes": most, "key_change_days": days})
    done: list[int] = []
    now = 0
    for number, wait in enumerate(waits):
        town.wait(wait)
        now += wait
        recent = [day for day in done if now - day < days]
        assert change(town, number) == (LIMIT if len(recent) >= most else None)
        if len(recent) < most:
            done.append(now)
    row = town.state.read(
        key_changes_key(agency("land"), Purpose.CONSENSUS, by_governors=True), KeyChangesRow
    )
    assert row is not None
    assert len(row.dates) <= most
