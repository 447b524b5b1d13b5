"""docs/protocol.md names functions and tests: all of them exist."""

import importlib
import re


def test_every_test_and_function_that_the_protocol_document_names_exists(project_root):
    text = (project_root / "docs/protocol.md").read_text("utf-8")
    tests = "".join(path.read_text("utf-8") for path in (project_root / "tests").rglob("*.py"))
    named = set(re.findall(r"`(test_\w+)`", text))
    assert len(named) > 30
    assert [name for name in sorted(named) if f"def {name}(" not in tests] == []
    functions = set(
        re.findall(r"`(engine|intake|machine|rounds|rules|schedule|state|tally)\.(\w+)", text)
    )
    assert len(functions) > 20
    missing = [
        (module, name)
        for module, name in sorted(functions)
        if not hasattr(importlib.import_module(f"consensus.{module}"), name)
    ]
    assert missing == []


def test_each_invariant_and_each_pitfall_has_a_test_of_its_own(project_root):
    text = (project_root / "docs/protocol.md").read_text("utf-8")
    for title, least in (("Invariants", 20), ("Pitfalls that stopped other networks", 16)):
        section = text.split(f"## {title}\n")[1].split("\n## ")[0]
        rows = re.findall(r"^\| (?!---)(.+) \|$", section, re.MULTILINE)
        assert rows[0].split(" | ")[1].startswith("Test"), rows[0]
        assert len(rows) > least
        assert [row for row in rows[1:] if "`test" not in row] == []
