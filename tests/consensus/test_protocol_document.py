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
