"""What programs read of a record is what a form takes, in the order of the form."""

from hypothesis import given
from hypothesis import strategies as st

from cli.record_values import form_value
from ledger.ids import print_id
from registry import catalogue
from registry.code_names import find_in
from registry.field_specs import FieldSpec, in_schema_order, print_decimal
from registry.form_values import FormReader
from registry.schema_reader import read_record_type

TABLES = find_in({name: catalogue.table_text(name).decode() for name in catalogue.table_names()})
LAND = read_record_type(catalogue.type_text("land_title"))


@given(st.integers(1, 10**15))
def test_an_area_is_shown_as_a_form_takes_it(tenths):
    area = LAND.fields["area"]
    shown = form_value(area, tenths)
    assert shown == f"{tenths // 10}.{tenths % 10}"
    reader = FormReader(TABLES, "2026-03-15", "2026-03-15", "")
    assert reader.read(area, shown, "area") == tenths
    assert not reader.problems


def test_a_number_with_a_scale_has_all_its_decimals_wherever_it_stands():
    price = FieldSpec(name="price", kind="decimal", decimals=2)
    count = FieldSpec(name="count", kind="int")
    lot = FieldSpec(name="lot", kind="group", parts=(price, count))
    lots = FieldSpec(name="lots", kind="list", item=price)
    assert form_value(lot, {"price": 5, "count": 5, "else": 5}) == {
        "price": "0.05", "count": 5, "else": 5
    }  # fmt: skip
    assert form_value(lots, (100, 101)) == ["1.00", "1.01"]
    assert form_value(None, (100, b"\0" * 16, b"\1\2")) == [100, print_id(b"\0" * 16), "0102"]
    assert (print_decimal(-105, 1), print_decimal(7, 0)) == ("-10.5", "7")


def test_fields_stand_in_the_order_of_the_form_and_unknown_ones_last():
    values = {"area": 1, "aaa": 2, "zzz": 3, "parcel": 4, "land_use": 5}
    found = in_schema_order(LAND.fields, values)
    assert [name for name, _spec, _value in found] == ["parcel", "area", "land_use", "aaa", "zzz"]
    assert [value for _name, _spec, value in found] == [4, 1, 5, 2, 3]
    assert [spec is None for _name, spec, _value in found] == [False] * 3 + [True] * 2
