"""The documents are true: examples run, links lead somewhere, and tables are what the code says."""

import ast
import doctest
import re
from pathlib import Path

import pytest

from cli.languages import catalogue
from cli.main import program
from cli.reference import documents, walk_commands

ROOT = Path(__file__).parent.parent
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])
ROUTE = re.compile(r"/(?:v1|peer/v1|checkpoint|tile|healthz|readyz|metrics|openapi\.json)(?:/|$)")


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_the_examples_of_a_page_give_what_the_page_says(page):
    failed, _ = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert failed == 0


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_the_links_of_a_page_lead_to_files_that_exist(page):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if not link.startswith(("http://", "https://", "mailto:"))]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["docs/commands.md", "docs/errors.md", "docs/exit-codes.md"])
def test_a_generated_page_is_what_the_code_makes_now(name):
    made = documents()[name]
    assert (ROOT / name).read_text(encoding="utf-8") == made, "run `make errors`"


def test_every_command_has_help_with_an_example_and_a_translation():
    translated = catalogue("vi").help
    for ctx, command in walk_commands(program):
        assert command.help, ctx.command_path
        if not hasattr(command, "commands"):
            assert "Example:" in command.help, ctx.command_path
        own = getattr(command, "text_vi", "")  # verbs of record types bring their own words
        assert own or ctx.command_path.partition(" ")[2] in translated, ctx.command_path


def test_every_option_has_its_help_in_vietnamese():
    translated = catalogue("vi").help
    missing = set()
    for ctx, command in walk_commands(program):
        path = ctx.command_path.partition(" ")[2]
        for parameter in command.get_params(ctx):
            if getattr(parameter, "help", None):
                names = [*parameter.opts, *parameter.secondary_opts]
                if not any(n in translated or f"{path} {n}" in translated for n in names):
                    missing.add(f"{path} {names[-1]}")
    assert missing == set()


def test_every_http_route_is_documented():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    routes = {
        node.value
        for path in (ROOT / "node").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if ROUTE.match(node.value) and " " not in node.value
    }
    assert sorted(route for route in routes if route not in text) == []


def test_decision_records_have_a_number_of_their_own_and_four_parts():
    records = sorted((ROOT / "docs/decisions").glob("*.md"))
    numbers = [int(record.name[:4]) for record in records]
    assert len(set(numbers)) == len(numbers)
    for record in records:
        text = record.read_text(encoding="utf-8")
        for part in ("Status:", "## Context", "## Options", "## Decision"):
            assert part in text, f"{record.name}: {part}"
