"""Texts that a ballot could put in force: refused with a code, at once, and alike on every node."""

import re

import pytest

from ledger.parts import ObjectPart
from registry import catalogue
from registry.code_tables import parse_table, read_text, text_pieces
from registry.errors import SchemaError
from registry.policies import compile_policy
from registry.schema_reader import read_record_type, text_digest
from tests.registry.test_governance import govern
from tests.registry.town import Town

START = b'type = "x"\nversion = 1\nvalid_from = 2026-01-01\nengine_version = 1\n'
OPERATION = START + b'[operations.a]\nside = true\nbasis = ["law"]\nsigners = "%b"\n'
FIELD = START + b'[fields.a]\ntype = "text"\npattern = "%b"\n'
STORED = START + b'[statuses]\nkept = "live"\n[fields]\nday = { type = "date" }\n'

BROKEN = {
    "a number of five thousand digits": START + b"fresh_for = " + b"9" * 5_000,
    "a policy in fifty thousand parentheses": OPERATION % (b"(" * 50_000),
    "a pattern that repeats for ever": FIELD % b"a{99999999999999999999}",
    "a pattern in twenty thousand parentheses": FIELD % (b"(" * 20_000),
    "a pattern that is none": FIELD % b"(",
    "arrays in arrays": START + b"laws = " + b"[" * 20_000,
    "groups in groups": START + b"[fields.a" + b".parts.a" * 20_000 + b']\ntype = "group"\n',
    "groups in a group": START + b'[fields.a]\ntype = "group"\n[fields.a.parts.b]\n'
    b'type = "group"\n[fields.a.parts.b.parts.c]\ntype = "int"\n',
    "a key of many dots": START + b"a" + b".a" * 20_000 + b" = 1",
    "a policy with a million alternatives": OPERATION
    % b" and ".join([b"(subject or representative)"] * 20),
    "no text": b"\xff\xfe",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_text_made_to_break_the_reader_is_refused_like_any_other(name):
    with pytest.raises(SchemaError):
        read_record_type(BROKEN[name])


CONTENT = STORED + b"[operations.a]\nfrom = ['']\nto = 'kept'\nbasis = ['law']\n"
CONTENT += b"signers = 'new_key'\n"
CALLS = {
    "a date rule on a link": b"rules = ['late_after(self, 60)']",
    "a unit that is a date": b"rules = ['unit_valid_on(day, day)']",
    "a unit that is the block's date": b"rules = ['unit_valid_on(block_date, day)']",
    "relatives of a date": b"rules = ['not_relative(day)']",
    "an index by a date": b"effects = ['index(day)']",
    "an identity that is not written": b"effects = ['create_identity(self)']",
    "a right without the object that names its holder": b"effects = ['add_encumbrance(lease)']",
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_would_fall_over_when_an_entry_comes_is_refused_when_the_text_is_read(name):
    read_record_type(CONTENT)
    with pytest.raises(SchemaError):
        read_record_type(CONTENT + CALLS[name] + b"\n")


@pytest.mark.parametrize(
    ("name", "section", "field", "instead"),
    [
        ("officer", b"role", b"identity", b'{ type = "text", required = true }'),
        ("officer", b"role", b"public", b'{ type = "bytes" }'),
        ("officer", b"role", b"types", b'{ type = "list", required = true, item.type = "int" }'),
        ("officer", b"role", b"to_date", b'{ type = "int" }'),
        ("officer", b"key_end", b"compromised_since_ms", b'{ type = "text" }'),
        ("office", b"office", b"unit", b'{ type = "text", required = true }'),
        ("office", b"office", b"parent", b'{ type = "text" }'),
        ("office", b"closing", b"succeeded_by", b'{ type = "list", item = { type = "text" } }'),
        ("competence", b"competence", b"operations", b'{ type = "text", required = true }'),
    ],
)  # fmt: skip
def test_what_an_effect_reads_of_an_object_is_there_and_of_its_kind(name, section, field, instead):
    text = catalogue.type_text(name)
    read_record_type(text)
    start, end = text.split(b"[objects.%b]\n" % section)
    shape = re.compile(rb"^%b = .*$" % field, re.MULTILINE)
    assert shape.search(end) is not None
    changed = shape.sub(field + b" = " + instead, end, count=1)
    with pytest.raises(SchemaError):
        read_record_type(start + b"[objects.%b]\n" % section + changed)


def test_policies_are_refused_before_their_alternatives_are_multiplied_out():
    for count in (5, 6, 60):
        text = " and ".join(["(subject or representative)"] * count)
        if count > 5:
            with pytest.raises(SchemaError):
                compile_policy(text)
        else:
            assert len(compile_policy(text).alternatives) == 32


def test_a_table_with_one_code_ten_thousand_times_is_read_at_once():
    rows = b"x,2026-01-01,2026-01-02\n" * 50_000
    table = parse_table(b"code,valid_from,valid_to\n" + rows)
    assert len(table.ranges["x"]) == 50_000


# --- publishing ---------------------------------------------------------------------------------


def piece(town, digest, number, pieces, content, agency="justice"):
    fields = {"digest": digest, "number": number, "pieces": pieces, "bytes": content}
    objects = [ObjectPart("piece", fields)]
    return town.entry("text/publish", govern(agency), objects=objects, office=None)


def test_nobody_keeps_a_text_out_by_publishing_rubbish_under_its_digest():
    town = Town()
    text = catalogue.type_text("birth").replace(b"version = 1", b"version = 2", 1)
    digest = text_digest(text)
    town.accept(piece(town, digest, 0, 3, b"rubbish", "tax"))
    assert len(text_pieces(text)) == 1
    town.accept(piece(town, digest, 0, 1, text))
    assert read_text(town.state, digest) == text
    again = piece(town, digest, 0, 1, b"rubbish", "tax")
    assert town.refuse(again) == "registry.governance_conflict"
