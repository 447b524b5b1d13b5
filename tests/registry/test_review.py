"""A key that was in foreign hands puts what it signed since then under review, and nothing else."""

from typing import Any

import pytest

from ledger.parts import ObjectPart
from registry.review import compromised_keys, is_under_review, signing_keys
from tests.registry.town import DAY_MS, Town, by, form, key


@pytest.fixture
def town() -> Town:
    return Town()


def revoke(town: Town, since_ms: int | None) -> None:
    given: dict[str, Any] = {"key_id": key("justice", "approve").public.key_id}
    if since_ms is not None:
        given["compromised_since_ms"] = since_ms
    hands = [by("agency", "justice", "govern", number) for number in range(2)]
    objects = [ObjectPart("key_end", given)]
    town.accept(town.entry("officer/revoke_key", hands, objects=objects, office=None))


def test_case_19_entries_since_then_are_under_review_and_those_before_are_not(town):
    before_ms = town.time_ms
    anna = town.adult("anna")
    sunday = town.birth(mother=anna)
    town.accept(sunday)
    town.wait(1)
    monday_ms = town.time_ms
    monday = town.birth(mother=town.adult("berta"))
    town.accept(monday)
    assert not is_under_review(town.state, monday.head, monday_ms)
    revoke(town, monday_ms)
    assert is_under_review(town.state, monday.head, monday_ms)
    assert not is_under_review(town.state, monday.head, monday_ms - 1)
    assert not is_under_review(town.state, sunday.head, before_ms)
    assert town.row(monday.records[0].record_id).flags == ()
    alone = town.contact(anna, by("subject", "anna"))
    assert not is_under_review(town.state, alone.head, monday_ms + DAY_MS)


def test_a_key_that_was_revoked_as_lost_and_not_stolen_puts_nothing_under_review(town):
    entry = town.birth(mother=town.adult("anna"))
    town.accept(entry)
    revoke(town, None)
    assert not is_under_review(town.state, entry.head, town.time_ms)


def test_officers_of_a_custody_form_count_as_signers(town):
    entry = town.birth(mother=town.adult("anna"))
    town.accept(entry)
    informant = form("informant", ("justice", "register"), ("justice", "approve"))
    assert informant.signer in entry.head.signers
    revoke(town, 0)
    stolen = key("justice", "approve").public.key_id
    assert compromised_keys(town.state, signing_keys(entry.head), 0) == (stolen, stolen)
