"""Every refusal of the program has one stable code and words in both languages."""

import re
from string import Formatter

import pytest

from cli.exit_codes import ExitCode, exit_code_of, mapped_codes
from cli.languages import LANGUAGES, catalogue, error_text
from cli.reference import FLOORS, error_classes

ERRORS = error_classes()
CODES = [error.code for error in ERRORS]


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_error_class_has_a_code_of_its_own():
    assert len(set(CODES)) == len(CODES)
    assert [error for error in ERRORS if "code" not in vars(error)] == []


@pytest.mark.parametrize("error", ERRORS, ids=CODES)
def test_a_code_begins_with_the_floor_that_its_class_stands_on(error):
    floor = error.__module__.partition(".")[0]
    assert re.fullmatch(r"[a-z]+\.[a-z0-9_]+", error.code)
    assert error.code == "civreg.error" or error.code.startswith(f"{floor}.")
    assert floor in FLOORS


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_a_sentence_and_a_hint_in(language):
    known = catalogue(language).errors
    assert [code for code in CODES if code not in known] == []
    assert [code for code in known if code not in CODES] == []
    assert [c for c, words in known.items() if not (words.sentence and words.hint)] == []


def test_both_languages_have_the_same_texts_with_the_same_values():
    vi, en = catalogue("vi"), catalogue("en")
    assert set(vi.errors) == set(en.errors)
    assert set(vi.texts) == set(en.texts)
    for code, words in en.errors.items():
        assert fields(words.sentence) == fields(vi.errors[code].sentence), code
        assert fields(words.hint) == fields(vi.errors[code].hint), code
    for key, line in en.texts.items():
        assert fields(line) == fields(vi.texts[key]), key


def test_sentences_of_both_languages_end_as_sentences_do():
    for language in LANGUAGES:
        for code, words in catalogue(language).errors.items():
            assert words.sentence.endswith("."), code
            assert words.hint.endswith("."), code


def test_a_code_of_a_newer_node_still_gets_a_sentence_and_a_status():
    words = error_text("vi", "registry.made_in_the_year_2099", {})
    assert words == catalogue("vi").errors["civreg.error"]
    assert exit_code_of("registry.made_in_the_year_2099") == ExitCode.RULE_VIOLATED
    assert exit_code_of("observatory.unknown") == ExitCode.FAILED


def test_a_detail_that_is_missing_is_shown_by_its_name():
    words = error_text("en", "ledger.limit_exceeded", {"limit": "entry_bytes_max"})
    assert words.sentence == (
        "Something is larger than its limit: entry_bytes_max is {value}, at most {maximum} is"
        " allowed."
    )


def test_every_line_of_the_table_of_exit_codes_is_about_a_code_that_exists():
    assert mapped_codes() - set(CODES) == frozenset()
