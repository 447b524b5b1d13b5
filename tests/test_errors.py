"""Every refusal of the program has one stable code and words in both languages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

from cli.exit_codes import ExitCode, exit_code_of, mapped_codes
from cli.languages import LANGUAGES, catalogue, error_text
from cli.reference import FLOORS, error_classes
from keys.errors import CivregError

ROOT = Path(__file__).parents[1]
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


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_is_shown_with_a_place_that_is_not_filled(language):
    """A newer node may bring fewer details; the program's own errors bring all, see below."""
    for code in CODES:
        words = error_text(language, code, {})
        assert "{" not in words.sentence + words.hint, code


def places_of(error: type[CivregError]) -> set[str]:
    words = catalogue("en").errors[error.code]
    return fields(words.sentence) | fields(words.hint)


def raised_in(path: Path) -> Iterator[tuple[str, type[CivregError], set[str]]]:
    """Yield place, class and details of each error that a file makes of an imported class."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known = {(one.__module__, one.__name__): one for one in ERRORS}
    here = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    names = {name: one for (module, name), one in known.items() if module == here}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            found = {one.asname or one.name: (node.module, one.name) for one in node.names}
            names |= {name: known[place] for name, place in found.items() if place in known}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            error = names.get(node.func.id)
            details = {one.arg for one in node.keywords}
            if error is not None and None not in details:
                yield f"{path.name}:{node.lineno}", error, {str(one) for one in details}


def test_every_error_is_made_with_the_details_that_its_sentence_names():
    lacking = [
        f"{place}: {error.__name__} lacks {', '.join(sorted(places_of(error) - details))}"
        for floor in FLOORS
        for path in sorted((ROOT / floor).rglob("*.py"))
        for place, error, details in raised_in(path)
        if places_of(error) - details
    ]
    assert lacking == []


def test_every_line_of_the_table_of_exit_codes_is_about_a_code_that_exists():
    assert mapped_codes() - set(CODES) == frozenset()
