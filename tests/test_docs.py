"""The documents are true: examples run, links lead somewhere, and tables are what the code says."""

import ast
import doctest
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.languages import catalogue
from cli.main import program
from cli.reference import documents, walk_commands
from node.routes import ROUTES

ROOT = Path(__file__).parent.parent
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])
FLOORS = ("keys", "ledger", "consensus", "registry", "node", "cli")
ROUTE = re.compile(r"/(?:v1|peer/v1|checkpoint|tile|healthz|readyz|metrics|openapi\.json)(?:/|$)")
ROW = re.compile(r"\| `([A-Z]+) (/[^`]*)` \|")


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


def documented_routes(listener):
    """The rows of a section of docs/http.md, as (method, path)."""
    text = (ROOT / "docs/http.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {listener}$(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return sorted(ROW.findall(section))


def peer_routes():
    """What the code hangs into the listener of peers with `web.get(path, ...)` and `web.post`."""
    for path in sorted((ROOT / "node").rglob("*.py")):
        module = None
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(ast.Attribute(ast.Name("web"), method), [address, *_]):
                    if method in {"get", "post", "put", "delete", "patch", "head", "route"}:
                        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                        module = module or importlib.import_module(name)
                        yield method.upper(), text_of(address, module)
                case _:
                    pass


def text_of(expression, module):
    """The text that an address in the code is: a literal, a constant, or two put together."""
    match expression:
        case ast.Constant(str(text)):
            return text
        case ast.Name(name):
            return getattr(module, name)
        case ast.BinOp(left, ast.Add(), right):
            return text_of(left, module) + text_of(right, module)
        case _:
            raise AssertionError(f"an address in {module.__name__} cannot be read by this test")


@pytest.mark.parametrize("private", [False, True])
def test_the_rows_of_a_listener_in_the_document_are_its_routes(private):
    rows = documented_routes("Private listener" if private else "Public listener")
    assert rows == sorted((one.method, one.path) for one in ROUTES if one.private == private)


def test_the_rows_of_the_listener_of_peers_in_the_document_are_its_routes():
    assert documented_routes("Between nodes") == sorted(peer_routes())


def calls_of(names: set[str], folders: tuple[str, ...]) -> Iterator[ast.Call]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                    name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                    if name in names:
                        yield node


def first_text(call: ast.Call) -> str | None:
    """The text that a call begins with, or None if it is not written down there."""
    first = call.args[0] if call.args else None
    is_text = isinstance(first, ast.Constant) and isinstance(first.value, str)
    return first.value if is_text else None  # type: ignore[union-attr]


def listed_purposes() -> list[str]:
    text = (ROOT / "docs/formats.md").read_text(encoding="utf-8")
    paragraph = text.partition("\nPurposes in use")[2].partition("\n\n")[0]
    return [purpose for group in re.findall(r"`([^`]+)`", paragraph) for purpose in group.split()]


def test_the_purposes_of_hashes_and_signatures_are_those_that_the_code_uses():
    used = {first_text(call) for call in calls_of({"domain"}, FLOORS)}
    assert None not in used, "a purpose is a text at the call, so that a reader finds it"
    listed = listed_purposes()
    assert len(listed) == len(set(listed))
    assert set(listed) == used


def test_the_second_verifier_uses_no_purpose_that_the_document_lacks():
    calls = calls_of({"prefix", "hashed"}, ("verifier",))
    used = {purpose for call in calls if (purpose := first_text(call)) is not None}
    assert "header" in used
    assert used <= set(listed_purposes())


def test_no_purpose_is_written_out_past_the_one_function_that_makes_the_prefix():
    found = [
        (shown(path), node.value)
        for folder in FLOORS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, bytes)
        if re.search(rb"civreg/[a-z0-9-]+/v[0-9]+\x00\Z", node.value)
    ]
    assert found == []


@pytest.mark.parametrize("purpose", listed_purposes())
def test_each_purpose_stands_in_a_formula_of_the_formats(purpose):
    text = (ROOT / "docs/formats.md").read_text(encoding="utf-8")
    assert re.search(rf"H\({purpose},|`civreg/{purpose}/v1\b", text)


def test_each_file_of_vectors_is_named_by_the_formats_and_each_name_is_a_file():
    text = (ROOT / "docs/formats.md").read_text(encoding="utf-8")
    listed = text.partition("The files by section:")[2].partition("\n\n")[0]
    names = {name for group in re.findall(r"`([^`]+)`", listed) for name in group.split()}
    assert names == {path.stem for path in (ROOT / "tests/vectors").glob("*.json")}


def test_decision_records_have_a_number_of_their_own_and_four_parts():
    records = sorted((ROOT / "docs/decisions").glob("*.md"))
    numbers = [int(record.name[:4]) for record in records]
    assert len(set(numbers)) == len(numbers)
    for record in records:
        text = record.read_text(encoding="utf-8")
        for part in ("Status:", "## Context", "## Options", "## Decision"):
            assert part in text, f"{record.name}: {part}"
