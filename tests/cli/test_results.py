"""What a command prints without lines of its own is labelled in the language of the person."""

import ast
from pathlib import Path

import pytest

import cli
from cli.languages import LANGUAGES, catalogue
from cli.output import Context, accepted

FOLDER = Path(next(iter(cli.__path__)))


def keys_of(node, function):
    """Return the keys of a result: a display, a variable that is one, or both put together."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant):
                yield str(key.value)
            else:
                yield from keys_of(value, function)
        return
    assert isinstance(node, ast.Name), "let the test see the keys, or print lines"
    found: list[ast.expr | None] = [
        one.value
        for one in ast.walk(function)
        if isinstance(one, ast.Assign | ast.AnnAssign)
        and ast.unparse(one.targets[0] if isinstance(one, ast.Assign) else one.target) == node.id
    ]
    assert found, ast.unparse(node)
    for assigned in found:
        if assigned is not None:
            yield from keys_of(assigned, function)


def bare_results():
    """Yield the keys of each result that is printed without lines of its own."""
    for path in sorted(FOLDER.glob("*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef):
                continue
            for call in ast.walk(function):
                if (
                    isinstance(call, ast.Call)
                    and ast.unparse(call.func) == "accepted"
                    and not any(word.arg == "lines" for word in call.keywords)
                ):
                    yield from keys_of(call.args[0], function)


def test_every_item_of_a_bare_result_has_a_name_in_both_languages():
    keys = set(bare_results())
    assert "would_write" in keys
    for language in LANGUAGES:
        texts = catalogue(language).texts
        assert sorted(key for key in keys if f"frame.result.{key}" not in texts) == []


@pytest.mark.parametrize(("language", "label"), [("en", "would be written"), ("vi", "sẽ ghi")])
def test_a_bare_result_is_told_in_the_language_of_the_person(capsys, language, label):
    accepted({"would_write": "x", "height": 3}, Context(lang=language))
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{label}: x"
    assert second.endswith(": 3")
