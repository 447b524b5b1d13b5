"""Signed entries that are kept for later: how far ahead an entry may say that it is valid."""

import pytest

from tests.registry.test_governance import import_window, legacy_title, opening
from tests.registry.town import HOUR_MS, Town, by, form, officer, two_officers

ALONE_MS = 24 * HOUR_MS
IMPORT_MS = 7 * 24 * HOUR_MS
TOGETHER_MS = 30 * 24 * HOUR_MS


@pytest.fixture
def town() -> Town:
    return Town()


def contact(town, anna, not_after_ms):
    """Signed by one person, then by the custodian."""
    return town.contact(anna, by("subject", "anna"), not_after_ms=not_after_ms)


def declaration(town, anna, not_after_ms):
    """Signed by an officer and the mother, then by the custodian."""
    hands = [officer("declare"), by("informant", "anna")]
    return town.birth("birth/declare", mother=anna, hands=hands, not_after_ms=not_after_ms)


def move(town, _anna, not_after_ms):
    """Signed by an officer, and for somebody without a key by two others on a form."""
    hands = [officer("declare"), form("subject", ("justice", "register"), ("justice", "approve"))]
    part = town.part("identity", town.keyless)
    return town.entry("identity/change_residence", hands, [part], not_after_ms=not_after_ms)


def validation(town, _anna, not_after_ms):
    """Signed by one officer alone."""
    return town.entry(
        "birth/validate",
        [officer("register")],
        [town.part("birth", town.declared)],
        not_after_ms=not_after_ms,
    )


def imported(town, anna, not_after_ms):
    """Signed by three officers, and an import all the same."""
    return legacy_title(town, anna, 1, not_after_ms=not_after_ms)


def creation(town, _anna, not_after_ms):
    """Signed by two officers, then by the custodian."""
    hands, act = two_officers(), town.new_act()
    identity = town.created_id(hands, act)
    part = town.part("identity", identity, member={"birth_date": "1990-05-05"})
    return town.entry("identity/create", hands, [part], act=act, not_after_ms=not_after_ms)


CASES = [
    (contact, ALONE_MS),
    (validation, ALONE_MS),
    (declaration, TOGETHER_MS),
    (creation, TOGETHER_MS),
    (move, TOGETHER_MS),
    (imported, IMPORT_MS),
]


@pytest.mark.parametrize(("make", "most_ms"), CASES)
def test_an_entry_is_valid_as_long_as_who_signs_it_allows_and_not_a_millisecond_longer(
    town, make, most_ms
):
    anna = town.adult("anna")
    declared = town.birth("birth/declare", mother=anna)
    town.accept(declared)
    town.declared = declared.records[0].record_id
    town.keyless = town.create_identity()
    import_window(town)
    town.accept(opening(town))
    refused = town.refusal(make(town, anna, town.time_ms + most_ms + 1))
    assert (refused.code, refused.details["hours"]) == (
        "registry.not_after_too_far",
        most_ms // HOUR_MS,
    )
    town.accept(make(town, anna, town.time_ms + most_ms))


def test_one_key_under_two_terms_is_one_signer(town):
    anna = town.adult("anna")
    title = town.title({anna: "anna"})
    hands = [by("owners", "anna"), by("subject", "anna")]
    entry = town.certificate(title, *hands, not_after_ms=town.time_ms + ALONE_MS + 1)
    assert town.refuse(entry) == "registry.not_after_too_far"
