"""Acceptance case 31: a place is checked on its own date, where the table in force knows both."""

import pytest

from registry.schema_reader import text_digest
from tests.registry.test_adversarial_texts import piece
from tests.registry.test_governance import decide
from tests.registry.town import Town

REFORM = "2025-07-01"
TABLE = f"""code,valid_from,valid_to
00001,1976-01-01,{REFORM}
00004,{REFORM},
00070,1976-01-01,{REFORM}
00070,{REFORM},
""".encode()


@pytest.fixture
def town() -> Town:
    """A town whose agencies have put a table with the units before the reform in force."""
    made = Town()
    digest = text_digest(TABLE)
    made.accept(piece(made, digest, 0, 1, TABLE))
    decide(made, "table", {"name": "admin_unit", "digest": digest})
    return made


@pytest.mark.parametrize(
    ("unit", "born", "code"),
    [
        ("00001", "2025-06-20", "accepted"),
        ("00004", "2025-06-20", "registry.unit_invalid"),
        ("00001", "2025-07-02", "registry.unit_invalid"),
        ("00004", "2025-07-02", "accepted"),
        ("00070", "2025-06-20", "accepted"),
        ("00070", "2025-07-02", "accepted"),
        ("00004", "1975-06-20", "unverified"),
    ],
)
def test_case_31_the_old_unit_before_the_reform_and_the_new_one_after_it(town, unit, born, code):
    anna = town.adult("anna", "1950-05-05")
    member = {"place_unit": unit, "late_code": "distance"}
    entry = town.birth("birth/declare", mother=anna, event_date=born, member=member)
    if code.startswith("registry."):
        assert town.refuse(entry) == code
        return
    town.accept(entry)
    flags = town.row(entry.records[0].record_id).flags
    assert ("unit-unverified" in flags) is (code == "unverified")
