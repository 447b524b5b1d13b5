"""Reading registers: nothing is guessed and nothing is lost; chains against a plain count."""

import contextlib
import csv
import io
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.errors import InvalidInputError, NotFoundError
from cli.import_mapping import load_mapping, parse_mapping, shipped_mappings
from cli.import_plan import make_act, make_plan
from cli.import_problems import RegisterFileError, problems_csv
from cli.import_rows import read_register
from cli.languages import LANGUAGES
from ledger.ids import RecordId
from registry import catalogue
from registry.form_kinds import find_form
from registry.schema_reader import read_record_type

MAPPING = """
version = 1
type = "land_title"
source = "test"
first = "import_legacy"
later = "transfer"
office = "land"
other_office = "justice"
id = "id"
date = "day"
key = ["place", "tenure"]
columns = ["id", "day", "place", "tenure", "price"]
[column.id]
required = true
pattern = "[0-9]+"
[column.day]
required = true
transform = "iso_date"
example = "2022-02-25"
[column.tenure]
required = true
lookup = { Freehold = "F", Leasehold = "L" }
example = "Freehold"
[column.price]
transform = "whole_number"
[field]
certificate_serial = { column = "id" }
price = { column = "price" }
"""
HEADER = "id,day,place,tenure,price"
GOOD = '"1","2022-01-05","Hill 4","Freehold","100"'


def no_code(_table, _code):
    return True


@pytest.fixture
def mapping():
    return parse_mapping(MAPPING.encode(), "test")


@pytest.fixture
def read(tmp_path, mapping):
    def reading(*lines, end="\n"):
        path = tmp_path / "register.csv"
        path.write_text("".join(line + end for line in lines), encoding="utf-8", newline="")
        return read_register(path, mapping, no_code)

    return reading


def find_type(name):
    return read_record_type(catalogue.type_text(name))


def test_good_rows_are_read_with_their_lines(read):
    reading = read(HEADER, GOOD, '2,2022-01-06,"Hill, 4",Leasehold,')
    assert [row.line for row in reading.rows] == [2, 3]
    assert reading.rows[0].values["price"] == 100
    assert reading.rows[1].values == {
        "id": "2", "day": "2022-01-06", "place": "Hill, 4", "tenure": "L",
    }  # fmt: skip
    assert not reading.problems


def test_windows_line_ends_and_a_byte_order_mark_are_no_problem(read):
    assert len(read("\ufeff" + HEADER, GOOD, end="\r\n").rows) == 1


@pytest.mark.parametrize(
    ("line", "column", "value"),
    [
        ('"x","2022-01-05","Hill","Freehold","1"', "id", "x"),
        ('"1","05/01/2022","Hill","Freehold","1"', "day", "05/01/2022"),
        ('"1","2022-02-30","Hill","Freehold","1"', "day", "2022-02-30"),
        ('"1","","Hill","Freehold","1"', "day", ""),
        ('"1","2022-01-05","Hill","Rented","1"', "tenure", "Rented"),
        ('"1","2022-01-05","Hill","Freehold","1.5"', "price", "1.5"),
        ('"1","2022-01-05","Hill","Freehold"', "tenure", "Freehold"),
        ('"1","2022-01-05","Hill","Freehold","1","2"', "price", "1"),
        ('"1","2022-01-05","Hill","Freehold,"1"', "", None),
    ],
)
def test_a_wrong_value_is_reported_with_line_column_value_and_remedy(read, line, column, value):
    reading = read(HEADER, line, '"7","2022-01-05","Dale 1","Freehold","1"')
    (problem,) = reading.problems
    assert (problem.line, problem.row, problem.column) == (2, 1, column)
    assert value is None or problem.value == value
    for language in LANGUAGES:
        explained = problem.explain(language)
        assert "{" not in problem.rule.text(language) + problem.fix.text(language)
        assert problem.rule.text(language) in explained
        assert problem.fix.text(language) in explained
    assert problem.raw == line
    assert [row.line for row in reading.rows] == [3]


@pytest.mark.parametrize(
    ("line", "form"),
    [
        ('"1","05/01/2022","Hill","Freehold","1"', "four digits of the year"),
        ('"1","","Hill","Freehold","1"', "stands in the old register"),
        ('"1","2022-01-05","Hill","Rented","1"', "one of these: Freehold, Leasehold"),
        ('"1","2022-01-05","Hill","Freehold","1.5"', "digits only"),
        ('"x","2022-01-05","Hill","Freehold","1"', "[0-9]+"),
    ],
)
def test_a_remedy_says_the_form_and_calls_an_example_an_example(read, mapping, line, form):
    """Invariant: nobody is told to write what another row has."""
    (problem,) = read(HEADER, line).problems
    example = next(one.example for one in mapping.columns if one.name == problem.column)
    assert form in problem.fix.text("en")
    assert problem.fix.text("en") != problem.fix.text("vi")
    for language, word in (("en", "an example of the form: "), ("vi", "ví dụ về cách viết: ")):
        before, _, after = problem.fix.text(language).partition(word)
        assert bool(after) == bool(example)
        assert not example or (after == f"{example!r})" and example not in before.split(": ")[0])


@pytest.mark.parametrize("name", shipped_mappings())
def test_a_shipped_mapping_says_each_pattern_in_words_of_both_languages(name):
    for column in load_mapping(name).columns:
        assert (column.form is None) == (column.pattern is None)
        assert column.form is None or (all(column.form) and column.form[0] != column.form[1])


def test_a_record_glued_to_the_header_is_reported_and_not_imported(read):
    reading = read(HEADER + GOOD, '"2","2022-03-01","Dale 1","Freehold","5"')
    (problem,) = reading.problems
    assert (problem.line, problem.column, problem.raw) == (1, "price", GOOD)
    assert 'line break after "price" in line 1' in problem.fix.text("en")
    assert [row.line for row in reading.rows] == [2]
    assert reading.records == 2


def test_rows_about_the_record_of_a_bad_row_wait_for_it(read):
    reading = read(HEADER + GOOD, '"2","2022-03-01","Hill 4","Freehold","5"')
    assert not reading.rows
    assert [problem.line for problem in reading.problems] == [1, 2]


def test_the_same_number_twice_is_reported(read):
    """Neither is imported: which of the two is right would be a guess."""
    reading = read(HEADER, GOOD, GOOD.replace("2022", "2023"))
    assert not reading.rows
    assert [(one.line, one.column) for one in reading.problems] == [(2, "place,tenure"), (3, "id")]
    reading = read(HEADER, GOOD, GOOD.replace('"1"', '"01"', 1).replace("Hill", "Dale"))
    assert [(one.line, one.value) for one in reading.problems] == [(3, "01")]


@pytest.mark.parametrize(
    "header", ["id;day;place;tenure;price", "id,day,place,tenure", "", "id,day,place,tenure,cost"]
)
def test_another_header_is_refused_with_its_place(read, header):
    with pytest.raises(RegisterFileError) as refusal:
        read(header)
    (problem,) = refusal.value.problems
    assert (problem.line, problem.row) == (1, 0)
    assert problem.column in HEADER
    assert problem.value in problem.explain("vi")


def test_text_is_composed_at_the_door(read):
    reading = read(HEADER, '"1","2022-01-05","Nguye\u0302\u0303n","Freehold","1"')
    assert reading.rows[0].values["place"] == "Nguy\u1ec5n"


_CELL = st.text(alphabet='ab1,"\n é', max_size=6)


@given(st.lists(st.one_of(st.just(GOOD), _CELL, st.lists(_CELL, max_size=7).map(",".join))))
def test_every_line_is_good_or_in_the_report_and_never_both(tmp_path_factory, lines):
    """Invariant: no text of a register is lost, whatever it is."""
    path = tmp_path_factory.mktemp("any") / "register.csv"
    path.write_text("\n".join([HEADER, *lines]), encoding="utf-8", newline="")
    reading = read_register(path, parse_mapping(MAPPING.encode(), "test"), no_code)
    filled = {
        number
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1)
        if number > 1 and line.strip()
    }
    good = {row.line for row in reading.rows}
    bad = {problem.line for problem in reading.problems}
    assert good | bad == filled
    assert not good & bad
    assert reading.records == len(filled)


@given(st.binary(max_size=300))
def test_rubbish_is_refused_or_reported_and_never_a_fault(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("any") / "register.csv"
    path.write_bytes(HEADER.encode() + b"\n" + raw)
    reading = read_register(path, parse_mapping(MAPPING.encode(), "test"), no_code)
    written = io.StringIO()
    csv.writer(written).writerows(problems_csv(reading.problems, "vi"))
    path.write_bytes(raw)
    with contextlib.suppress(InvalidInputError):
        read_register(path, parse_mapping(MAPPING.encode(), "test"), no_code)


@given(st.binary(max_size=400))
def test_rubbish_is_no_mapping(raw):
    with pytest.raises(InvalidInputError):
        parse_mapping(raw, "rubbish")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version = 1", "version = 2"),
        ('date = "day"', 'date = "date"'),
        ('transform = "iso_date"', 'transform = "guess"'),
        ('pattern = "[0-9]+"', 'pattern = "["'),
        ('certificate_serial = { column = "id" }', 'certificate_serial = { column = "no" }'),
        ('certificate_serial = { column = "id" }', "certificate_serial = {}"),
        ('source = "test"', 'source = "../../etc"'),
    ],
)
def test_a_wrong_mapping_is_refused(old, new):
    with pytest.raises(InvalidInputError):
        parse_mapping(MAPPING.replace(old, new).encode(), "test")


def test_a_mapping_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(NotFoundError, match="hmlr_price_paid"):
        load_mapping("nothing")


@pytest.mark.parametrize("name", shipped_mappings())
def test_a_shipped_mapping_fills_fields_that_its_type_has(name):
    mapping = load_mapping(name)
    record_type = find_type(mapping.type_name)
    paths = set(record_type.sealed_paths) | set(record_type.member_fields)
    for path in (*mapping.fields, *mapping.later_fields):
        assert path in paths or path.partition(".")[0] in paths
    for operation in filter(None, (mapping.first, mapping.later)):
        assert operation in record_type.operations


_ROWS = st.lists(
    st.tuples(st.sampled_from("ABC"), st.sampled_from(("Freehold", "Leasehold")),
              st.integers(1, 4)),
    max_size=12,
)  # fmt: skip


@given(_ROWS)
def test_chains_are_those_of_a_plain_sort(tmp_path_factory, rows):
    """Naive twin: sort all rows by place, tenure, day and line; neighbours belong together."""
    path = tmp_path_factory.mktemp("any") / "register.csv"
    lines = [
        f"{number},2022-01-0{day},{place},{tenure},"
        for number, (place, tenure, day) in enumerate(rows, start=1)
    ]
    path.write_text("\n".join([HEADER, *lines]), encoding="utf-8")
    mapping = parse_mapping(MAPPING.encode(), "test")
    plan, problems = make_plan(read_register(path, mapping, no_code).rows, mapping)
    assert not problems
    ordered = sorted(
        ((place, tenure, day, number) for number, (place, tenure, day) in enumerate(rows, 1))
    )
    expected, rank = {}, 0
    for before, row in zip([None, *ordered], ordered, strict=False):
        rank = rank + 1 if before is not None and before[:2] == row[:2] else 0
        expected[str(row[3])] = rank
    assert {deed.name: deed.rank for deed in plan.deeds} == expected


# --- Newcastle ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def newcastle(data_folder):
    path = data_folder / "land" / "hmlr_ppd_newcastle_2022.csv"
    mapping = load_mapping("hmlr_price_paid")
    reading = read_register(path, mapping, no_code)
    with path.open(newline="") as file:
        plain = list(csv.DictReader(file))
    return reading, make_plan(reading.rows, mapping)[0], plain


def plain_key(row):
    return tuple(row[name] for name in ("postcode", "saon", "paon", "street", "estate_type"))


def test_newcastle_has_the_titles_and_transfers_of_a_plain_count(newcastle):
    reading, plan, plain = newcastle
    titles = len({plain_key(row) for row in plain})
    assert not reading.problems
    assert (len(plan.firsts), len(plan.laters)) == (titles, len(plain) - titles)
    assert (len(plain), titles) == (6_311, 6_233)


def test_newcastle_has_the_chains_that_its_readme_counts(newcastle):
    """70 properties were sold on different days within the same tenure."""
    _reading, plan, plain = newcastle
    days = defaultdict(set)
    for row in plain:
        days[plain_key(row)].add(row["deed_date"])
    chains = defaultdict(set)
    for deed in plan.deeds:
        chains[deed.row.key].add(deed.row.values["deed_date"])
    assert sum(len(found) > 1 for found in chains.values()) == 70
    assert sum(len(found) > 1 for found in days.values()) == 70
    tenures = Counter(deed.row.values["estate_type"] for deed in plan.deeds)
    assert tenures == {"F": 4_338, "L": 1_973}


def test_no_public_or_member_field_of_newcastle_shows_an_address(newcastle):
    """Invariant: postcode, street and house stand in sealed fields only."""
    _reading, plan, _plain = newcastle
    owner = RecordId(bytes(16))
    kinds = {
        rank: find_form(f"land_title/{'transfer' if rank else 'import_legacy'}", find_type)
        for rank in (0, 1, 2)
    }
    for deed in plan.deeds:
        (content,) = make_act(plan, deed, kinds[deed.rank], owner).records
        shown = repr(content.member)
        for column in ("postcode", "street"):
            value = deed.row.values.get(column)
            assert value is None or str(value) not in shown
        assert str(deed.row.values["paon"]) in str(content.sealed["address"])


def test_the_malformed_newcastle_file_is_reported_and_loses_nothing(data_folder, newcastle):
    name = "hmlr_ppd_newcastle_2022_raw_malformed_header.csv"
    mapping = load_mapping("hmlr_price_paid")
    reading = read_register(data_folder / "land" / name, mapping, no_code)
    whole = newcastle[0]
    (problem,) = reading.problems
    assert (problem.line, problem.column) == (1, "linked_data_uri")
    assert "line break" in problem.fix.text("en")
    assert reading.records == whole.records
    lost = {row.values["unique_id"] for row in whole.rows} - {
        row.values["unique_id"] for row in reading.rows
    }
    (number,) = lost
    assert str(number) in problem.raw
