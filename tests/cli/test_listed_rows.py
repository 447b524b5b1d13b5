"""Lists of what agencies decide are told in the language of the person, labels and codes too."""

import re

import pytest

from cli.governance import _ROLE as ROLE_FIELDS
from cli.governance import LISTED
from cli.languages import LANGUAGES, catalogue
from registry import catalogue as types
from registry.ballots import ACTIONS, PARAMETER
from registry.explain_words import role_words
from registry.schema_reader import read_record_type

ROW_FIELDS = {name for fields in LISTED.values() for name in fields} | {"number"}
BALLOT_FIELDS = {name for specs in ACTIONS.values() for name in specs} | {"value"}
NOT_LABELLED = {"roles", "fields"}
"""Their parts are told one by one."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_field_of_a_list_and_every_action_has_a_name(language):
    texts = catalogue(language).texts
    fields = (ROW_FIELDS | BALLOT_FIELDS | set(ROLE_FIELDS)) - NOT_LABELLED
    wanted = {f"listed.field.{name}" for name in fields}
    wanted |= {f"listed.action.{name}" for name in (*ACTIONS, PARAMETER)}
    assert sorted(wanted - texts.keys()) == []


def test_names_differ_between_the_languages():
    one, other = (catalogue(language).texts for language in LANGUAGES)
    assert [key for key in one if key.startswith("listed.") and one[key] == other[key]] == []


def test_every_role_that_an_officer_may_have_has_words_in_both_languages():
    spec = read_record_type(types.type_text("officer")).objects["role"]["role"]
    assert spec.pattern is not None
    for role in spec.pattern.split("|"):
        vietnamese, english = role_words(role)
        assert vietnamese not in {role, english}


def test_every_encumbrance_that_a_type_makes_has_words_for_kind_and_state():
    made = re.findall(r"(add|change)_encumbrance\((\w+)\)", types.type_text("land_title").decode())
    assert made
    one, other = (catalogue(language).texts for language in LANGUAGES)
    for effect, code in made:
        key = f"burden.{code}" if effect == "add" else f"state.{code}"
        assert one[key] != other[key]


@pytest.mark.slow
@pytest.mark.parametrize("noun", sorted(LISTED))
def test_a_list_shows_no_english_label_to_somebody_who_reads_vietnamese(desk, noun):
    labels = {
        text
        for key, text in catalogue("vi").texts.items()
        if key.startswith(("listed.field.", f"listed.{noun}."))
    }
    shown = desk.run(noun, "list", "--lang", "vi")
    assert shown.exit_code == 0, shown.stderr
    lines = [line.strip() for line in shown.stdout.splitlines() if line.startswith("  ")]
    assert [line for line in lines if line.partition(":")[0] not in labels] == []
    assert [line for line in lines if "None" in line or "[" in line] == []
    plain = desk.run(noun, "list", "--json", "--lang", "vi").stdout
    assert not any(label in plain for label in ("từ ngày", "cơ quan cấp trên"))
