"""Two spellings that look alike: one parcel with two titles, one row of an old book many times."""

import unicodedata

import pytest

from ledger.text import CODE_POINT_RANGES
from registry.claims import one_spelling
from registry.lookalikes import FOLDED
from tests.registry.test_governance import import_window, legacy_title, opening
from tests.registry.town import Town

ALLOWED = [chr(at) for first, last in CODE_POINT_RANGES for at in range(first, last + 1)]


@pytest.fixture
def town() -> Town:
    return Town()


@pytest.mark.parametrize(
    "parcel", ["Ð1-2", "đ1-2", "ð1-2", "Đ1\u20132", "Đ1\u20142", "Đ 1-2", "ð 1 \u2013 2"]
)
def test_a_lookalike_of_a_parcel_or_serial_makes_no_second_title(town, parcel):
    owner = town.adult("owner")
    town.title({owner: "owner"}, parcel="Đ1-2", serial="Đ9-1")
    again = town.title_entry({owner: "owner"}, parcel=parcel, serial="other")
    assert town.refuse(again) == "registry.taken"
    serial = parcel.replace("2", "1").replace("1", "9", 1)
    again = town.title_entry({owner: "owner"}, parcel="7", serial=serial)
    assert town.refuse(again) == "registry.taken"


@pytest.mark.parametrize("parcel", ["D1-2", "Đ12", "Đ1-3", "Đ1.2", "Ồ1-2", "Đl-2"])
def test_what_may_be_another_parcel_gets_a_title_of_its_own(town, parcel):
    owner = town.adult("owner")
    town.title({owner: "owner"}, parcel="Đ1-2", serial="one")
    town.title({owner: "owner"}, parcel=parcel, serial="two")


def test_one_row_of_an_old_book_comes_in_once_however_its_id_is_written(town):
    owner = town.adult("owner")
    import_window(town)
    town.accept(opening(town, count=9))
    town.accept(legacy(town, owner, "A-1", "1"))
    for at, written in enumerate(["A-1", " A-1", "a-1", "A-1 ", "A\u20131", "A\u20141", "A - 1"]):
        assert town.refuse(legacy(town, owner, written, f"x{at}")) == "registry.taken"
    town.accept(legacy(town, owner, "A-2", "2"))
    town.accept(legacy(town, owner, "A1", "3"))


def legacy(town, owner, written, number):
    return legacy_title(town, owner, number, legacy_id=written)


def test_every_small_letter_and_every_dash_of_the_table_of_characters_is_folded():
    """The table is ours; the interpreter's is asked here only, whether it is complete."""
    for one in ALLOWED:
        capital = one.upper()
        wanted = capital if len(capital) == 1 and capital in ALLOWED else one
        wanted = {"Ð": "Đ"}.get(wanted, wanted)
        wanted = "-" if unicodedata.category(one) == "Pd" else wanted
        assert one.translate(FOLDED) == wanted, hex(ord(one))
    assert set(map(chr, FOLDED)) <= set(ALLOWED)


def test_the_one_spelling_of_a_spelling_is_itself_but_for_its_escapes():
    for one in ALLOWED:
        if one not in "~/":
            assert one_spelling(one_spelling(one)) == one_spelling(one), hex(ord(one))
