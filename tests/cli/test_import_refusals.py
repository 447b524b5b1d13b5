"""A row that the rules refuse is reported as fully as one that is malformed."""

import csv
import io

import pytest

from cli.errors import RemoteRefusalError
from cli.import_mapping import load_mapping
from cli.import_plan import make_plan
from cli.import_problems import problems_csv
from cli.import_refusals import refusals
from cli.import_rows import read_register
from cli.languages import LANGUAGES
from registry import catalogue
from registry.content_errors import TakenError
from registry.errors import FieldValueError
from registry.problems import OfficeRuleError, Problem
from registry.schema_reader import read_record_type

NUMBER, DAY = "F3B6C199-5495-6E40-E053-6C04A8C0B3B4", "2022-02-25"
LINE = (
    f'"{NUMBER}","245000","{DAY}","NE1 1EE","T","N","F","","4","HILL","","NEWCASTLE",'
    '"GATESHEAD","TYNE AND WEAR","A",""'
)
LATER = LINE.replace("F3B6", "F3B7").replace(DAY, "2022-05-01")


@pytest.fixture
def mapping():
    return load_mapping("hmlr_price_paid")


@pytest.fixture
def deeds(mapping, tmp_path):
    path = tmp_path / "register.csv"
    path.write_text("\n".join([",".join(mapping.header), "", LINE, LATER]), encoding="utf-8")
    rows = read_register(path, mapping, lambda _table, _code: True).rows
    return make_plan(rows, mapping)[0].deeds


def unique():
    return read_record_type(catalogue.type_text("land_title")).unique


@pytest.mark.parametrize(
    ("error", "column", "value", "code"),
    [
        (RemoteRefusalError("registry.date_order", "event_date is after recorded_on",
                            field="event_date"), "deed_date", DAY, "registry.date_order"),
        (FieldValueError("out of bounds", field="certificate_serial"), "unique_id", NUMBER,
         "registry.field_value"),
        (FieldValueError("out of bounds", field="parcel"), "district,estate_type,unique_id",
         f"GATESHEAD, F, {NUMBER}", "registry.field_value"),
        (TakenError("it is taken", namespace="land.serial"), "unique_id", NUMBER,
         "registry.taken"),
        (TakenError("it is taken", namespace="legacy.land_title.x"), "unique_id", NUMBER,
         "registry.taken"),
        (RemoteRefusalError("registry.import_not_open", "no window is open"), "", "",
         "registry.import_not_open"),
    ],
)  # fmt: skip
def test_a_refusal_is_told_with_line_row_column_value_rule_and_remedy(
    deeds, mapping, error, column, value, code
):
    (problem,) = refusals(deeds[0], mapping, unique(), error)
    assert (problem.line, problem.row, problem.raw) == (3, 1, LINE)
    assert (problem.column, problem.value) == (column, value)
    said = {language: problem.explain(language) for language in LANGUAGES}
    for language in LANGUAGES:
        assert f"[{code}]" in said[language]
        assert "Refused(" not in said[language]
    assert problem.rule.text("en") != problem.rule.text("vi")
    assert problem.fix.text("en").endswith("left alone")
    assert problem.fix.text("en") != problem.fix.text("vi")
    _header, written = problems_csv([problem], "vi")
    assert all(written[:2])
    assert written[-1] == LINE


def test_each_finding_of_the_office_rules_is_a_line_of_its_own(deeds, mapping):
    found = [
        Problem(field=field, value="x", rule="name_letters", sentence=("sai", "wrong"),
                article=article, example=example)
        for field, article, example in (("price", "Điều 4", "100"), ("nowhere", "", ""),
                                        ("created.price", "Điều 4", "100"))
    ]  # fmt: skip
    one, two = refusals(deeds[1], mapping, (), OfficeRuleError("three", found))
    assert (one.column, one.value, one.row) == ("price_paid", "245000", 2)
    assert one.rule.text("vi") == "sai; căn cứ: Điều 4 [registry.office_rule, name_letters]"
    assert "(an example of the form: '100')" in one.fix.text("en")
    assert (two.column, two.rule.text("en")) == ("", "wrong [registry.office_rule, name_letters]")
    report = io.StringIO()
    csv.writer(report).writerows(problems_csv([one, two], "vi"))
    assert report.getvalue().count("F3B7C199") == 2
