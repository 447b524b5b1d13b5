"""Personal data in the texts of an entry that every member agency reads."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.parts import ObjectPart
from registry.civil_calendar import add_days
from tests.registry.test_governance import import_window, legacy_title, opening
from tests.registry.town import SEEN, Town, by, two_officers

NUMBER = "079090012345"


@pytest.fixture
def town() -> Town:
    return Town()


def correction(town, reason):
    anna = town.adult("anna")
    title = town.title({anna: "anna"})
    hands = [*two_officers("land"), by("owners", "anna")]
    part = town.part("land_title", title)
    return town.entry("land_title/correct", hands, [part], agency="land", reason=reason)


@pytest.mark.parametrize(
    "reason",
    [
        "Nguyễn Văn An, born 1990-05-05", "nguyen van an", "", "a b", "Clerical", "a-b", "1st",
        "a" * 65, "clerical ", "đ", "a.b",
    ],
)  # fmt: skip
def test_a_reason_in_words_is_refused(town, reason):
    refused = town.refusal(correction(town, reason))
    assert (refused.code, refused.details["field"]) == ("registry.field_value", "reason")


@pytest.mark.parametrize("reason", ["a", "clerical", "decision_12", "a" * 64])
def test_a_reason_that_is_a_code_is_taken(town, reason):
    town.accept(correction(town, reason))


def with_basis(town, text):
    return town.birth(evidence=replace(SEEN, official=True), basis=("60/2014/QH13", text))


def with_reason(town, text):
    return correction(town, f"case_{text}")


def with_member_text(town, text):
    import_window(town)
    town.accept(opening(town))
    return legacy_title(town, town.adult("owner"), f"B-{text}")


def with_object(town, text):
    fields: dict[str, Any] = {
        "name": f"Office {text}", "unit": "00070", "unit_date": town.day, "level": "commune",
        "from_date": add_days(town.day, 1),
    }  # fmt: skip
    hands = [by("agency", "justice", "govern", number) for number in range(2)]
    return town.entry("office/name", hands, objects=[ObjectPart("office", fields)], office=None)


@pytest.mark.parametrize("make", [with_basis, with_reason, with_member_text, with_object])
def test_twelve_digits_stand_in_no_text_in_clear(town, make):
    assert town.refuse(make(town, NUMBER)) == "registry.personal_number_in_clear"


@pytest.mark.parametrize("text", ["07909001234", "0790900123456"])
@pytest.mark.parametrize("make", [with_basis, with_reason, with_member_text, with_object])
def test_eleven_or_thirteen_digits_are_no_personal_number(town, make, text):
    town.accept(make(town, text))
