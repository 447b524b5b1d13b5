"""Record types as data: what ships is read, and what is misspelt or contradictory is refused."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import catalogue
from registry.apply import ALL_EFFECTS
from registry.code_tables import parse_table, text_pieces
from registry.errors import FieldValueError, MissingFieldError, SchemaError, UnknownFieldError
from registry.field_specs import FieldSpec, check_fields
from registry.parameters import NUMBERS
from registry.policies import compile_policy
from registry.rules import RULES
from registry.schema_reader import TEXT_BYTES_MAX, read_record_type
from registry.vocabulary import EFFECTS
from registry.vocabulary import RULES as RULE_NAMES

SMALL = """
type = "pet"
version = 1
valid_from = 2026-01-01
engine_version = 1
book = "pet"
statuses = { kept = "live", gone = "ended" }
unique = [{ namespace = "pet.chip", fields = ["chip"], mode = "value", scope = "live" }]

[fields]
chip = { type = "text", required = true }
born = { type = "date" }
owner = { type = "link", to = "identity" }
tag = { type = "link", to = "pet", set_by = "engine" }
size = { type = "group", parts = { height = { type = "int", max = 9 } } }
secret = { type = "text", visibility = "sealed" }

[objects.toy]
colour = { type = "text" }

[operations.keep]
from = [""]
to = "kept"
fields = ["*", "-born"]
objects = ["toy?"]
signers = "officer(register) and (subject or owners(all))"
rules = ["date_order(born, block_date)"]
effects = ["index(owner)"]
number = "pet"
basis = ["law"]
"""


def test_the_shipped_types_are_read_and_have_their_own_names():
    for name in catalogue.TYPES:
        assert read_record_type(catalogue.type_text(name)).name == name


def test_a_small_type_says_what_it_says():
    pet = read_record_type(SMALL.encode())
    keep = pet.operations["keep"]
    assert sorted(pet.member_fields) == ["born", "chip", "size"]
    assert sorted(pet.link_fields) == ["owner"]
    assert pet.engine_fields == {"tag"}
    assert list(pet.sealed_paths) == ["secret"]
    assert keep.may_write("chip")
    assert not keep.may_write("born")
    assert [use.maximum for use in keep.objects] == [1]
    assert [len(terms) for terms in keep.signers.alternatives] == [2, 2]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('type = "pet"', 'type = "Pet"'),
        ("version = 1", "version = 0"),
        ("version = 1", 'version = "1"'),
        ("valid_from = 2026-01-01", 'valid_from = "2026-01-01"'),
        ("valid_from = 2026-01-01", "valid_from = 2026-01-01T00:00:00"),
        ("engine_version = 1", "engine_version = 99"),
        ('book = "pet"', 'book = "pet"\nbok = 1'),
        ('book = "pet"', 'subject = "nobody"'),
        ('book = "pet"', 'companion_of = "identity"'),
        ('book = "pet"', 'role = "queen"'),
        ('gone = "ended"', 'gone = "over"'),
        ('fields = ["chip"], mode', 'fields = ["chips"], mode'),
        ('fields = ["chip"], mode', 'fields = ["size.width"], mode'),
        ('fields = ["chip"], mode', "fields = [], mode"),
        ('fields = ["chip"], mode', 'fields = ["secret"], mode'),
        ('mode = "value"', 'mode = "hash"'),
        ('scope = "live"', 'scope = "sometimes"'),
        ('scope = "live" }', 'scope = "live", note = "" }'),
        ('{ type = "date" }', '{ type = "dates" }'),
        ('{ type = "date" }', '{ type = "date", colour = 1 }'),
        ('{ type = "date" }', '{ type = "code" }'),
        ('{ type = "date" }', '{ type = "date", table = "x" }'),
        ('{ type = "date" }', '{ type = "text", pattern = "[" }'),
        ('{ type = "date" }', '{ type = "list" }'),
        (
            '{ type = "date" }',
            '{ type = "list", item = { type = "list", item = { type = "int" } } }',
        ),
        ('{ type = "date" }', '{ type = "date", visibility = "hidden" }'),
        ("born = {", "Born = {"),
        ('parts = { height = { type = "int", max = 9 } }', "parts = {}"),
        (
            'height = { type = "int", max = 9 }',
            'height = { type = "group", parts = { x = { type = "int" } } }',
        ),
        ('from = [""]', 'from = ["lost"]'),
        ('from = [""]', "from = []"),
        ('from = [""]', 'from = ["", ""]'),
        ('to = "kept"', 'to = "lost"'),
        ('fields = ["*", "-born"]', 'fields = ["age"]'),
        ('fields = ["*", "-born"]', "fields = 3"),
        ('objects = ["toy?"]', 'objects = ["ball"]'),
        ('objects = ["toy?"]', 'writes = ["pet(tag)"]'),
        ('objects = ["toy?"]', 'writes = ["self", "identity(tag)"]'),
        ('objects = ["toy?"]', 'writes = ["self", "pet(owner)"]'),
        ('objects = ["toy?"]', 'writes = ["self", "self(x)y"]'),
        ('objects = ["toy?"]', 'needs = ["luck"]'),
        ('objects = ["toy?"]', 'late = { flag = "late", needs = "age" }'),
        ('objects = ["toy?"]', 'late = { flag = "late", needs = "born", after_days = 3 }'),
        ('objects = ["toy?"]', "limit = { working_days = 3 }"),
        ('"date_order(born, block_date)"', '"date_order(secret, block_date)"'),
        ('"date_order(born, block_date)"', '"date_order(size.width, block_date)"'),
        ('"date_order(born, block_date)"', '"date_order(born)"'),
        ('"date_order(born, block_date)"', '"late_after(born, soon)"'),
        ('"date_order(born, block_date)"', '"be_nice"'),
        ('"index(owner)"', '"explode"'),
        ('"index(owner)"', '"index(secret)"'),
        ('number = "pet"', "number = 3"),
        ('objects = ["toy?"]', 'senior = { fields = ["owner"], adds_signer = "subject" }'),
        ('objects = ["toy?"]', 'senior = { fields = [], adds_signer = "subject" }'),
        ('objects = ["toy?"]', 'senior = { fields = ["born"] }'),
        ('objects = ["toy?"]', 'senior = { fields = ["born"], adds_signer = "consent(999)" }'),
        ('basis = ["law"]', ""),
        ('basis = ["law"]', 'basis = ["law"]\nbases = []'),
        ("[fields]", "[fields]\nodd = 3"),
    ],
)
def test_a_type_that_is_misspelt_or_contradicts_itself_is_refused(old, new):
    assert SMALL.count(old) >= 1
    with pytest.raises(SchemaError):
        read_record_type(SMALL.replace(old, new, 1).encode())


def test_a_number_without_a_book_is_refused():
    with pytest.raises(SchemaError):
        read_record_type(SMALL.replace('book = "pet"', "").encode())


@pytest.mark.parametrize(
    "text", [b"\xff", b"type =", b"[" * 5_000, b"", b"x" * (TEXT_BYTES_MAX + 1)]
)
def test_a_text_that_is_no_schema_is_refused(text):
    with pytest.raises(SchemaError):
        read_record_type(text)


@given(st.binary(max_size=300))
def test_no_bytes_make_the_loader_fall_over(text):
    with pytest.raises(SchemaError):
        read_record_type(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "(", "()", "officer", "officer()", "officer(a, b)", "officer(a b)", "officer(a",
        "agency(2)", "owners(some)", "king", "subject or", "subject and", "subject)", "or subject",
        "subject subject", "links()", "subject(x)", "subject; informant", "officer(a,)x",
    ],
)  # fmt: skip
def test_a_policy_that_is_not_of_the_grammar_is_refused(text):
    with pytest.raises(SchemaError):
        compile_policy(text)


def test_a_policy_has_at_most_32_alternatives():
    choice = "(subject or informant)"
    assert len(compile_policy(" and ".join([choice] * 5)).alternatives) == 32
    with pytest.raises(SchemaError):
        compile_policy(" and ".join([choice] * 6))


def test_and_binds_tighter_than_or():
    found = compile_policy("subject or informant and new_key").alternatives
    assert [[term.name for term in terms] for terms in found] == [
        ["subject"],
        ["informant", "new_key"],
    ]


def test_the_code_has_exactly_the_rules_and_effects_of_the_vocabulary():
    assert sorted(RULES) == sorted(RULE_NAMES)
    assert sorted(ALL_EFFECTS) == sorted(EFFECTS)


def test_every_rule_effect_and_parameter_is_documented():
    text = (Path(__file__).parents[2] / "docs/records.md").read_text()
    for name in (*RULES, *ALL_EFFECTS, *NUMBERS):
        assert name in text


@pytest.mark.parametrize(
    "text",
    [
        b"", b"code,valid_from\n1,2026-01-01\n", b"\xff",
        b'code,valid_from,valid_to\n"1,2026-01-01,',
        b"code,valid_from,valid_to\n,2026-01-01,\n", b"code,valid_from,valid_to\n1,tomorrow,\n",
        b"code,valid_from,valid_to\n1,2026-01-01,never\n", b"code,valid_from,valid_to\n1\n",
    ],
)  # fmt: skip
def test_a_code_table_that_is_none_is_refused(text):
    with pytest.raises(SchemaError):
        parse_table(text)


def test_a_code_is_valid_within_its_ranges_and_may_have_several():
    text = b"code,valid_from,valid_to\n24,2000-01-01,2025-07-01\n24,2026-01-01,\n"
    table = parse_table(text)
    days = ("1999-12-31", "2000-01-01", "2025-06-30", "2025-07-01", "2026-01-01", "2999-01-01")
    assert [table.is_valid("24", day) for day in days] == [False, True, True, False, True, True]
    assert not table.is_valid("25", "2026-01-01")
    assert table.first_date == "2000-01-01"


@given(st.binary(max_size=200_000))
def test_a_text_is_cut_into_pieces_that_make_it_again(text):
    pieces = text_pieces(text)
    assert b"".join(pieces) == text
    assert len(pieces) >= 1
    assert all(len(piece) <= 48 * 1_024 for piece in pieces)


SCALARS: dict[str, tuple[Any, list[Any]]] = {
    "text": ("a", ["", "x" * 1_025, 3, b"a"]),
    "date": ("2026-02-28", ["2026-02-29", "2026-2-28", "20260228", "2026-W09-6", 3]),
    "datetime": ("2026-02-28T23:59", ["2026-02-28", "2026-02-28T24:00", "2026-02-30T10:00"]),
    "int": (3, [-1, 10, True, "3", None]),
    "decimal": (3, [-1, 10, True]),
    "bool": (True, [0, "true"]),
    "link": (bytes(16), [bytes(15), "x" * 16]),
    "bytes": (bytes(3), [bytes(49_153), "x"]),
    "map": ({}, [(), 3]),
}


@pytest.mark.parametrize("kind", SCALARS)
def test_a_value_of_another_kind_or_out_of_bounds_is_refused(kind):
    good, bad = SCALARS[kind]
    chars = 0 if kind == "bytes" else 1_024
    specs = {"f": FieldSpec(name="f", kind=kind, maximum=9, chars_max=chars)}
    check_fields(specs, {"f": good})
    for value in bad:
        with pytest.raises(FieldValueError):
            check_fields(specs, {"f": value})


def test_lists_and_groups_are_checked_piece_by_piece():
    item = FieldSpec(name="item", kind="int", maximum=9)
    listed = FieldSpec(name="l", kind="list", required=True, item=item)
    group = FieldSpec(
        name="g",
        kind="group",
        parts=(FieldSpec(name="a", kind="int", required=True), FieldSpec(name="b", kind="int")),
    )
    specs = {"l": listed, "g": group}
    check_fields(specs, {"l": (1, 2), "g": {"a": 1, "b": 2}})
    cases: list[tuple[Any, type[Exception]]] = [
        ({"l": ()}, MissingFieldError),
        ({}, MissingFieldError),
        ({"l": 3}, FieldValueError),
        ({"l": (1,) * 257}, FieldValueError),
        ({"l": (10,)}, FieldValueError),
        ({"l": (1,), "g": 3}, FieldValueError),
        ({"l": (1,), "g": {}}, MissingFieldError),
        ({"l": (1,), "g": {"a": 1, "c": 1}}, UnknownFieldError),
        ({"l": (1,), "x": 1}, UnknownFieldError),
    ]
    for values, error in cases:
        with pytest.raises(error):
            check_fields(specs, values)
    check_fields(specs, {}, optional=("l",))
