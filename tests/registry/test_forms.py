"""Forms: every error at once, empty forms that can be filled, and acts that come back the same."""

import importlib.util
import json
import tomllib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.ids import print_id
from ledger.parts import Evidence, Holder
from ledger.text import check_text
from registry import catalogue
from registry.acts import Act, RecordContent
from registry.code_names import find_in, parse_code_table
from registry.errors import SchemaError, UnknownKindError
from registry.form_kinds import derived_names, find_form
from registry.form_records import writable_fields
from registry.form_text import empty_form, print_form
from registry.forms import FORM_BYTES_MAX, parse_form_text, read_form
from registry.problems import FormError
from registry.schema_reader import read_record_type
from tests.registry.plain_bytes import sixteen, thirty_two

TODAY = "2026-03-20"
TABLES = find_in({name: catalogue.table_text(name).decode() for name in catalogue.table_names()})
TYPES = {name: read_record_type(catalogue.type_text(name)) for name in catalogue.TYPES}
OWNER = sixteen(7)
BIRTH: dict[str, Any] = {
    "place_unit": "00070",
    "mother": print_id(OWNER),
    "name": {"family": "Nguyễn", "middle": "Thị", "given": "Hương"},
    "sex": "female",
    "ethnicity": "01",
    "nationality": "VN",
    "home_town": "Hà Nội",
    "place_detail": "Bệnh viện",
    "personal_number": "001326000123",
    "informant": {"name": "Trần Văn An", "relation": "father"},
    "evidence_kind": "birth_notice",
    "event_date": "2026-03-01",
    "created": {"child": {"residence": "Hà Nội"}},
    "act": {"event_date": "2026-03-01", "sufficient": True},
}


def find_type(name):
    if name not in TYPES:
        raise UnknownKindError("unknown", kind=name)
    return TYPES[name]


def read(kind, form, previous=None):
    return read_form(form, find_form(kind, find_type), TABLES, previous, TODAY)


def problems(kind, form, previous=None):
    with pytest.raises(FormError) as caught:
        read(kind, form, previous)
    return {problem.field: problem for problem in caught.value.problems}


def test_a_birth_form_gives_two_records_and_the_child_takes_over_what_is_said():
    act = read("birth/register", BIRTH)
    birth, child = act.records
    assert birth.links == {"mother": OWNER}
    assert birth.member["place_unit"] == "00070"
    assert child.member == {"birth_date": "2026-03-01"}
    assert child.sealed["name.given"] == "Hương"
    assert child.sealed["personal_number"] == "001326000123"
    assert child.sealed["residence"] == "Hà Nội"
    assert act.evidence == Evidence(sufficient=True, official=False, digests=())


def test_all_mistakes_are_told_at_once_with_value_rule_article_and_example():
    wrong = BIRTH | {
        "place_unit": "99999",
        "sex": "F",
        "name": {"family": "Nguyễn"},
        "personal_number": "12",
        "event_date": "2026-02-30",
        "colour": "red",
        "act": {},
    }
    found = problems("birth/register", wrong)
    assert set(found) == {
        "place_unit", "sex", "name.given", "personal_number", "event_date", "colour",
        "act.sufficient",
    }  # fmt: skip
    assert found["sex"].value == "F"
    assert found["sex"].rule == "code(sex)"
    assert found["sex"].example == "male"
    assert found["name.given"].article == "60/2014/QH13 art. 16.2"
    for problem in found.values():
        assert problem.explain("vi") != problem.explain("en")


def test_the_error_itself_quotes_nothing_personal():
    with pytest.raises(FormError) as caught:
        read("birth/register", BIRTH | {"personal_number": "12 secret"})
    assert "secret" not in str(caught.value) + repr(caught.value.details)
    assert "secret" not in repr(caught.value.problems)


def test_an_import_may_leave_listed_fields_unknown_and_no_others():
    form = {key: value for key, value in BIRTH.items() if key not in {"home_town", "informant"}}
    form = {key: value for key, value in form.items() if key not in {"ethnicity", "sex"}}
    assert set(problems("birth/import_legacy", form)) == {"sex", "created.child.sex"}


def test_an_edit_starts_from_the_present_values_and_may_empty_a_field():
    previous = read("birth/register", BIRTH).records[0]
    act = read(
        "birth/correct",
        {"name": {"given": "Hường"}, "birth_time": "08:30", "mother_details": {},
         "act": BIRTH["act"] | {"reason": "clerical", "evidence": ["11" * 32]},
         "personal_number": ""},
        previous,
    )  # fmt: skip
    sealed = act.records[0].sealed
    assert (sealed["name.family"], sealed["name.given"]) == ("Nguyễn", "Hường")
    assert sealed["birth_time"] == "08:30"
    assert "personal_number" not in sealed
    assert act.records[0].links == previous.links


@pytest.mark.parametrize("reason", ["Nguyễn Văn An", "own file", "1st", "_a", "a" * 65, "Clerical"])
def test_a_reason_in_words_is_refused_with_a_code_as_example(reason):
    previous = read("birth/register", BIRTH).records[0]
    act = BIRTH["act"] | {"reason": reason, "evidence": ["11" * 32]}
    found = problems("birth/correct", {"act": act}, previous)
    assert found["act.reason"].example == "clerical"


def test_an_edit_may_not_name_a_field_that_it_must_not_change():
    previous = read("birth/register", BIRTH).records[0]
    assert "mother" in problems("birth/correct", {"mother": print_id(OWNER)}, previous)


LAND = {
    "parcel": {"unit": "00070", "map_sheet_no": "12", "parcel_no": "345"},
    "area": "85.5",
    "land_use": ["ODT"],
    "geometry_digest": "00" * 32,
    "certificate_serial": "AA 123456",
    "form_of_use": "private",
    "obligation_open": False,
    "geometry": "{}",
    "address": "Phố Hàng Lụa",
    "origin_of_use": "Nhận chuyển nhượng",
    "obligation": "none",
    "holders": [{"parties": [print_id(OWNER)], "share": "1/3"}],
    "act": {"event_date": "2026-03-01", "sufficient": True, "evidence": ["11" * 32]},
}


def test_shares_and_areas_are_exact():
    act = read("land_title/first_register", LAND)
    assert act.records[0].member["area"] == 855
    assert act.records[0].holders == (Holder((OWNER,), 1, 3),)
    parsed = parse_form_text("area = 85.5")
    assert parsed == {"area": "85.5"}


@pytest.mark.parametrize(
    "share", ["1", "0/1", "1/0", "1/2/3", "a/b", "-1/2", "\u0661/2", "1/" + "9" * 30]
)
def test_a_share_is_two_whole_numbers_from_one_on(share):
    form = LAND | {"holders": [{"parties": [print_id(OWNER)], "share": share}]}
    assert set(problems("land_title/first_register", form)) == {"holders[0]"}


def test_the_numbers_of_an_area_have_one_decimal():
    assert set(problems("land_title/first_register", LAND | {"area": "85.55"})) == {"area"}
    assert read("land_title/first_register", LAND | {"area": 85}).records[0].member["area"] == 850


def test_objects_are_counted_and_checked():
    good = {"objects": {"key": {"algorithm": 1, "public": "ab", "purpose": "sign"}}}
    act = {"act": {"event_date": TODAY}}
    previous = RecordContent()
    made = read("identity/enrol_key", good | act, previous).objects
    assert made[0].fields == {"algorithm": 1, "public": b"\xab", "purpose": "sign"}
    assert "objects.key" in problems("identity/enrol_key", act, previous)
    assert "objects.closing" in problems(
        "identity/enrol_key", good | act | {"objects": {**good["objects"], "closing": {}}}, previous
    )


@pytest.mark.parametrize("text", ["a = ", "{", "[]", '{"a": NaN', "a = 1\na = 2", "{" * 20_000])
def test_text_that_is_no_form_is_one_problem(text):
    with pytest.raises(FormError) as caught:
        parse_form_text(text)
    (problem,) = caught.value.problems
    vietnamese, english = problem.sentence
    assert (problem.rule, problem.value) == ("form", "")
    assert english.startswith("the form cannot be read as TOML or JSON: ")
    assert "line" not in vietnamese
    assert problem.explain("vi").startswith("không đọc được biểu mẫu")
    assert ("ở dòng" in vietnamese) == ("line" in english)


def test_a_form_that_is_too_long_says_so_in_both_languages():
    with pytest.raises(FormError) as caught:
        parse_form_text("a" * (FORM_BYTES_MAX + 1))
    vietnamese, english = caught.value.problems[0].sentence
    assert f"hơn {FORM_BYTES_MAX} byte" in vietnamese
    assert f"over {FORM_BYTES_MAX} bytes" in english


def test_json_and_toml_say_the_same():
    act = read("land_title/first_register", parse_form_text(json.dumps(LAND)))
    assert act == read("land_title/first_register", LAND)


KINDS = sorted(
    f"{record_type.name}/{operation}"
    for record_type in TYPES.values()
    for operation in record_type.operations
)


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_form_names_every_field_and_is_toml(kind, language):
    form_kind = find_form(kind, find_type)
    text = empty_form(form_kind, TABLES, TODAY, language)
    tomllib.loads(text)
    for write, record_type in zip(form_kind.operation.writes, form_kind.written, strict=True):
        made = write.kind == "create"
        told = derived_names(form_kind.written[0], record_type) if made else ()
        own = text.partition("[created.")[2] if made else text.partition("[created.")[0]
        for name in writable_fields(form_kind, write, record_type):
            named = f"{name} = " in own or f"{name}]" in own
            assert named is (name not in told), name


def test_an_empty_form_asks_of_a_child_only_what_the_birth_does_not_say():
    text = empty_form(find_form("birth/register", find_type), TABLES, TODAY, "en")
    child = tomllib.loads(text)["created"]["child"]
    assert child == {"residence": ""}


def _starts_from_nothing(kind):
    """Tell whether a form of this kind is filled from scratch: an edit begins from the record."""
    form_kind = find_form(kind, find_type)
    return form_kind.creates or not form_kind.operation.writes


@pytest.mark.parametrize(
    "kind", [kind for kind in sorted({*KINDS} - {"side/certify"}) if _starts_from_nothing(kind)]
)
def test_what_an_empty_form_leaves_open_is_what_a_form_must_say(kind):
    """Invariant: lines without # are the fields that are refused when left empty, and no others.

    Certificates are left out: the program fills in most of what they say.
    """
    form_kind = find_form(kind, find_type)
    form = tomllib.loads(empty_form(form_kind, TABLES, TODAY, "en"))
    form.pop("holders", None)
    form["act"].setdefault("event_date", TODAY)
    wanted = _open_fields(form)
    if wanted:
        missing = {name.replace("[0]", "") for name in problems(kind, form)}
        assert missing - {"holders"} == wanted
    else:
        read(kind, form)


def _open_fields(table, path=""):
    found = set()
    for name, value in table.items():
        one = value[0] if isinstance(value, list) and value else value
        if isinstance(one, dict):
            found |= _open_fields(one, f"{path}{name}.")
        elif not value:
            found.add(f"{path}{name}")
    return found


def test_no_example_of_a_form_is_a_blank_to_be_guessed():
    for kind in KINDS:
        text = empty_form(find_form(kind, find_type), TABLES, TODAY, "vi")
        assert "…" not in text, kind


@pytest.mark.parametrize(
    ("kind", "needed"),
    [
        ("identity/create", {"act.sufficient"}),
        ("birth/correct", {"act.sufficient", "act.reason", "act.evidence"}),
    ],
)
def test_a_form_that_does_not_say_that_the_papers_were_checked_is_told_where_to_say_it(
    kind, needed
):
    previous = read("birth/register", BIRTH).records[0] if kind == "birth/correct" else None
    found = problems(kind, {"act": {"event_date": TODAY}}, previous)
    assert {name for name in found if name.startswith("act.")} == needed
    assert found["act.sufficient"].example == "true"


def test_an_object_that_an_act_may_have_stands_commented_in_the_empty_form():
    text = empty_form(find_form("identity/create", find_type), TABLES, TODAY, "vi")
    assert "# [[objects.different]]\n\n# Hồ sơ của người khác" in text
    assert "different" not in tomllib.loads(text).get("objects", {})


@pytest.mark.parametrize("kind", ["birth/register", "land_title/first_register", "identity/create"])
def test_an_empty_form_with_all_lines_open_reads_once_its_examples_stand_in_it(kind):
    """Every field's example is a correct value."""
    form_kind = find_form(kind, find_type)
    lines = []
    example = ""
    for line in empty_form(form_kind, TABLES, TODAY, "en").splitlines():
        if line.startswith("#   "):
            continue  # the codes of a table
        if line.startswith("# ") and "example: " in line:
            example = line.partition("example: ")[2].removesuffix(")")
        opened = line.removeprefix("# ") if line.removeprefix("# ").startswith("[") else line
        name, equals, _ = opened.removeprefix("# ").partition(" = ")
        if name == "parties":
            opened = f'parties = ["{print_id(OWNER)}"]'
        elif equals and name != "share":
            opened = f"{name} = {_as_toml(example)}"
        lines.append(opened)
    text = "\n".join(line for line in lines if "ví dụ" not in line)
    assert ("[[objects.different]]" in text) == (kind == "identity/create")
    form = tomllib.loads(text)
    form.setdefault("act", {})["event_date"] = TODAY
    form["act"]["legal_basis"] = []
    try:
        read_form(form, form_kind, TABLES, None, TODAY)
    except FormError as error:
        pytest.fail(str(error.problems))


def _as_toml(example):
    if example.startswith("["):
        return example
    return example if example == "true" else json.dumps(example, ensure_ascii=False)


names = st.sampled_from(["Nguyễn", "O'Brien", 'Quo"te', "Back\\slash", "Tab\tbed", "Del\x7f", "林"])


@given(
    names,
    names,
    st.integers(1, 10**9),
    st.booleans(),
    st.lists(st.sampled_from(["ODT", "CLN"]), min_size=1, max_size=3),
)
def test_a_printed_form_reads_as_the_same_act(address, notes, area, official, uses):
    """Invariant: read(print(act)) == act."""
    content = RecordContent(
        member={
            "parcel": {"unit": "00070", "map_sheet_no": "1", "parcel_no": "2"},
            "area": area,
            "land_use": tuple(uses),
            "geometry_digest": thirty_two(0),
            "certificate_serial": "A 1",
            "form_of_use": "common",
            "obligation_open": official,
        },
        sealed={"address": address, "notes": notes, "geometry": "{}", "origin_of_use": "x",
                "obligation": "paid", "price": area},
        holders=(Holder((OWNER, sixteen(255)), 1, 1),),
    )  # fmt: skip
    act = Act(
        kind="land_title/first_register",
        event_date=TODAY,
        records=(content,),
        received_on=TODAY,
        evidence=Evidence(sufficient=True, official=official, digests=(thirty_two(0),)),
        legal_basis=("151/2025/ND-CP",),
    )
    form_kind = find_form(act.kind, find_type)
    assert read_form(parse_form_text(print_form(form_kind, act)), form_kind, TABLES) == act


def test_a_printed_birth_form_reads_as_the_same_act():
    act = replace(read("birth/register", BIRTH), reason="other")
    form_kind = find_form(act.kind, find_type)
    assert read_form(parse_form_text(print_form(form_kind, act)), form_kind, TABLES) == act


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from([*BIRTH, "child", "family", "parties", "holders", "objects"]),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=12,
    )
)
def test_any_nested_values_are_problems_never_crashes(value):
    """Invariant: whatever stands in a form, the answer is an act or a list of problems."""
    for kind in ("birth/register", "land_title/first_register", "identity/enrol_key"):
        with suppress(FormError):
            read(kind, value if isinstance(value, dict) else {"name": value})


def test_the_unit_table_has_34_provinces_and_3321_communes_in_force():
    table = TABLES("admin_unit")
    assert table is not None
    rows = [row for found in table.rows.values() for row in found]
    assert sum(not row.parent for row in rows) == 34
    assert sum(bool(row.parent) for row in rows) == 3_321
    assert all(row.parent == "" or row.parent in table.rows for row in rows)
    unit = table.find("24", "2026-01-01")
    assert unit is not None
    assert unit.name[0].endswith("Bắc Ninh")
    assert table.find("24", "2025-06-30") is None


def test_our_names_are_our_own_and_have_letters_only():
    names_file = Path(catalogue.__file__).parent.parent / "cli" / "names.toml"
    lists = tomllib.loads(names_file.read_text(encoding="utf-8"))
    assert {len(lists[key]) for key in ("family", "given_male", "given_female")} == {40}
    assert all(len(set(found)) == len(found) for found in lists.values())


def test_the_unit_table_is_what_the_package_says():
    """The developer's script makes the shipped file again, byte for byte."""
    pytest.importorskip("vietnam_provinces", reason="only developers have the package")
    script = Path(catalogue.__file__).parent.parent / "tools" / "make_units.py"
    loader = importlib.util.spec_from_file_location("make_units", script)
    assert loader is not None
    assert loader.loader is not None
    module = importlib.util.module_from_spec(loader)
    loader.loader.exec_module(module)
    lines = [",".join(row) for row in (module.COLUMNS, *module.rows())]
    assert "\n".join(lines) + "\n" == catalogue.table_text("admin_unit").decode()


def test_every_cell_of_every_table_is_text_that_validators_may_see():
    for name in catalogue.table_names():
        text = catalogue.table_text(name).decode()
        assert parse_code_table(text).rows
        for line in text.splitlines():
            check_text(line)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "code,name\na,b\n",
        "code,name,valid_from,valid_to\na,b,2026-01-01\n",
        "code,name,valid_from,valid_to\n,b,2026-01-01,\n",
        "code,name,valid_from,valid_to\na, ,2026-01-01,\n",
        "code,name,valid_from,valid_to\na,b,2026-02-30,\n",
        "code,name,valid_from,valid_to\na,b,2026-01-01,,c\n",
    ],
)
def test_a_damaged_code_table_is_refused(text):
    with pytest.raises(SchemaError):
        parse_code_table(text)


def test_a_demonstration_adds_its_units_to_those_in_force():
    plain = dict(catalogue.genesis_attachments())
    demonstration = dict(catalogue.genesis_attachments("demonstration_unit"))
    table = parse_code_table(demonstration["table/admin_unit"].decode())
    assert table.find("XGB01", TODAY) is not None
    assert table.find("00070", TODAY) is not None
    before = parse_code_table(plain["table/admin_unit"].decode())
    assert len(table.rows) == len(before.rows) + 6
    assert "table/demonstration_unit" not in demonstration
