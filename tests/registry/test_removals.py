"""From the block that decides an agency's removal on, nothing lets a part of it outlive its end."""

import pytest

from registry.authority_rows import AgencyRow
from registry.state_key_names import agency_key
from tests.registry.test_governance import decide, open_ballot, vote
from tests.registry.test_membership import (
    FOUR,
    CommitteeTown,
    admit,
    agency,
    change_key,
    members,
    readiness,
)
from tests.registry.town import CALM


@pytest.fixture
def town() -> CommitteeTown:
    """Five validators, of which one is about to be removed."""
    town = CommitteeTown(CALM)
    admit(town)
    town.accept(readiness(town, "bank"))
    town.height += 1
    return town


def test_a_weight_decided_after_the_removal_gives_no_validator_that_nobody_can_take_away(town):
    opened = open_ballot(town, "validator", {"agency": agency("land"), "weight": 5})
    town.accept(opened)
    for voter in ("police", "tax"):
        town.accept(vote(town, opened.created_record_id, voter))
    decide(town, "remove", {"agency": agency("land")}, FOUR)
    town.height += 2
    last = vote(town, opened.created_record_id, "bank")
    assert town.refuse(last) == "registry.object_unknown"
    row = town.state.read(agency_key(agency("land")), AgencyRow)
    assert row is not None
    assert row.weight == 0
    assert "land" not in members(town, town.height + 2)
    assert town.refuse(readiness(town, "land")) == "registry.not_ready"


@pytest.mark.parametrize("purpose", ["consensus", "peer"])
def test_a_key_made_after_the_removal_would_have_no_end_and_is_refused(town, purpose):
    decide(town, "remove", {"agency": agency("land")}, FOUR)
    late = change_key(town, "land", purpose, "late")
    assert town.refuse(late) == "registry.governance_conflict"
