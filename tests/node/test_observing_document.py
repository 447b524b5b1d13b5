"""docs/operations.md lists every finding, metric and log line, and no other; metrics keep the form.

Metrics: https://prometheus.io/docs/practices/naming/ (base units, `_total` for counters only).
"""

import ast
import re
from pathlib import Path

from node.metrics import Histogram, Metric, Metrics

ROOT = Path(__file__).parent.parent.parent
LEVELS = {"debug", "info", "warning", "error"}


def rows(title):
    """The first table below a heading: the cells of each row."""
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    below = text[text.index(f"\n{title}\n") :]
    table = below[below.index("|---") :].split("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def bare(cell):
    return cell.strip("`")


def calls(tree):
    """(method, first constant argument) of each call in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield node.func, first.value


def sources():
    for path in sorted((ROOT / "node").glob("*.py")):
        yield ast.parse(path.read_text(encoding="utf-8"))


def logged():
    """Every event that the node writes, with its level."""
    found = set()
    for tree in sources():
        for function, event in calls(tree):
            owner = ast.unparse(function.value)
            if function.attr == "tell" and owner.endswith("_driver"):  # said by who has a key
                found.add((event, "info"))
            if function.attr in LEVELS and owner.rpartition(".")[2].lstrip("_") == "log":
                found.add((event, function.attr))
    return found


def test_every_log_line_is_listed_with_its_level_and_no_other():
    listed = {(bare(row[0]), row[1]) for row in rows("### Log lines")}
    assert listed == logged()


def test_names_of_events_are_stable_words():
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", event) for event, _level in logged())


def test_every_metric_is_listed_with_its_kind_and_no_other():
    made = {
        part.name: "histogram" if isinstance(part, Histogram) else part._kind
        for part in vars(Metrics()).values()
        if isinstance(part, Metric | Histogram)
    }
    assert {bare(row[0]): row[1] for row in rows("### Metrics")} == made


def test_metrics_are_named_by_the_conventions():
    for part in vars(Metrics()).values():
        if not isinstance(part, Metric | Histogram):
            continue
        help_line, kind_line = list(part.lines())[:2]
        assert re.fullmatch(rf"# HELP {part.name} [A-Z0-9][^\n]*\.", help_line), part.name
        assert part.name.startswith("civreg_")
        assert part.name.endswith("_total") == kind_line.endswith("counter"), part.name
        assert "_ms" not in part.name
        assert "milli" not in part.name


def test_every_finding_is_listed_and_no_other():
    made = set()
    for name in ("machine_findings", "network_findings"):
        tree = ast.parse((ROOT / f"node/{name}.py").read_text(encoding="utf-8"))
        made |= {
            word.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            for word in node.keywords
            if word.arg == "code" and isinstance(word.value, ast.Constant)
        }
    assert {bare(row[0]) for row in rows("## Watching")} == made


def test_alerts_name_metrics_that_exist():
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    alerts = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert alerts is not None
    named = set(re.findall(r"civreg_[a-z_]+", alerts.group(1)))
    made = {part.name for part in vars(Metrics()).values() if isinstance(part, Metric | Histogram)}
    assert {name.removesuffix("_bucket") for name in named} <= made


def test_no_log_line_overwrites_what_every_line_has():
    for tree in sources():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr in LEVELS and "log" in ast.unparse(node.func.value):
                given = {word.arg for word in node.keywords}
                assert given & {"at", "level", "node", "event"} == set(), ast.unparse(node)
