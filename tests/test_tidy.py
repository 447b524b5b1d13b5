"""The house rules that no linter knows; docs/architecture.md gives the reasons."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("keys", "ledger", "consensus", "registry", "node", "cli", "verifier")
FUNCTION_LINES_MAX = 50
FILE_LINES_MAX = 400

# Put together here, so that this file does not hold them itself.
INDEX_HOSTS = (
    "pypi" + ".org",
    "files.python" + "hosted.org",
    "registry.npm" + "js.org",
    "proxy.go" + "lang.org",
)
INDEX_OPTIONS = tuple("--" + name for name in ("index-url", "extra-index-url", "find-links"))
VAGUE_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "manager", "managers"}
LEFTOVER = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:ro" + r"ot|ho" + r"me/\w+|Us" + r"ers/\w+)/")

# What the contracts of pyproject.toml name once the file exists: contract, its key, module.
CONTRACT_MEMBERS = [
    ("The deterministic core", "forbidden_modules", "keys.keyring"),
    ("The deterministic core", "forbidden_modules", "keys.private_files"),
    ("The deterministic core", "forbidden_modules", "ledger.store"),
    ("The deterministic core", "forbidden_modules", "ledger.vault"),
    ("The deterministic core", "forbidden_modules", "ledger.wal"),
    ("Only the two stores touch LevelDB", "allowed_importers", "ledger.store"),
    ("Only the two stores touch LevelDB", "allowed_importers", "ledger.vault"),
    ("Offline verification", "source_modules", "cli.verify"),
    ("An auditor runs", "source_modules", "cli.audit"),
    ("Only the auditor's command", "allowed_importers", "cli.audit"),
]


def tracked(*patterns: str) -> list[Path]:
    """Return the files that git tracks and that still exist."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--", *patterns]
    listed = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file()]


def sources() -> list[Path]:
    """Return the Python files of the floors, without tests."""
    return tracked(*(f"{floor}/*.py" for floor in FLOORS))


def readable(path: Path) -> str:
    """Return the text of a file; an empty one for a binary file."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def places(found: Iterator[str]) -> str:
    return "\n".join(found)


def test_no_function_is_longer_than_fifty_lines():
    def too_long() -> Iterator[str]:
        for path in sources():
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    lines = (node.end_lineno or node.lineno) - node.lineno + 1
                    if lines > FUNCTION_LINES_MAX:
                        yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines} lines"

    assert not places(too_long())


def test_no_file_is_longer_than_four_hundred_lines():
    sizes = ((path, path.read_text().count("\n")) for path in sources())
    assert not places(
        f"{path.relative_to(ROOT)}: {lines} lines"
        for path, lines in sizes
        if lines > FILE_LINES_MAX
    )


def test_tests_have_no_init_file_because_it_would_shadow_a_floor():
    assert not tracked("tests/__init__.py", "tests/**/__init__.py")


def test_no_module_has_a_name_that_says_nothing():
    assert not [path for path in tracked("*.py") if path.stem in VAGUE_NAMES]


def test_what_is_left_to_do_names_an_issue():
    def leftovers() -> Iterator[str]:
        for path in tracked("*.py", "*.md", "*.toml", "Makefile"):
            for number, line in enumerate(readable(path).splitlines(), 1):
                if LEFTOVER.search(line) and not re.search(r"#\d+", line):
                    yield f"{path.relative_to(ROOT)}:{number} {line.strip()}"

    assert not places(leftovers())


def test_no_tracked_file_names_a_package_index():
    def named() -> Iterator[str]:
        for path in tracked():
            content = readable(path)
            for word in (*INDEX_HOSTS, *INDEX_OPTIONS):
                if word in content:
                    yield f"{path.relative_to(ROOT)}: {word}"

    assert not places(named())


def test_no_tracked_file_names_a_folder_of_this_machine():
    def named() -> Iterator[str]:
        for path in tracked():
            content = readable(path)
            if f"{ROOT}/" in content or MACHINE_PATH.search(content):
                yield str(path.relative_to(ROOT))

    assert not places(named())


def test_lock_files_that_name_an_index_stay_out_of_git():
    assert not tracked("uv.lock", "pylock.toml", "pylock.*.toml", "**/uv.lock")


def test_every_locked_package_is_pinned_with_a_hash():
    lock = (ROOT / "requirements-dev.lock").read_text()
    starts = [line for line in lock.splitlines() if line and line[0] not in " #"]
    assert starts
    assert all(re.match(r"[a-z0-9.-]+==\S+ (; .* )?\\$", line) for line in starts)
    assert lock.count("--hash=sha256:") >= len(starts)


@pytest.mark.parametrize(("contract", "key", "module"), CONTRACT_MEMBERS)
def test_the_import_contracts_name_each_module_that_exists(contract, key, module):
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    stem = ROOT / module.replace(".", "/")
    exists = stem.with_suffix(".py").is_file() or stem.is_dir()
    named = [c for c in contracts if c["name"].startswith(contract) and module in c.get(key, [])]
    assert bool(named) == exists, f"pyproject.toml: contract {contract!r}, {key}: {module}"


def test_an_auditor_may_read_forms_of_consensus_and_nothing_else():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    (contract,) = [one for one in contracts if one["name"].startswith("An auditor runs")]
    forms = {"errors", "messages", "proofs", "evidence", "wire", "block_evidence", "accusations"}
    forms |= {"parameters"}  # numbers of genesis
    present = {path.stem for path in (ROOT / "consensus").glob("[a-z]*.py")}
    machine = {f"consensus.{name}" for name in present - forms}
    assert machine <= set(contract["forbidden_modules"])


def test_the_two_pure_floors_have_the_same_linter_rules():
    assert (ROOT / "consensus/ruff.toml").read_text() == (ROOT / "registry/ruff.toml").read_text()


def test_each_make_target_says_what_it_does():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    described = set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE))
    assert targets == described | (targets & {"clean"})
    assert {"help", "install", "demo", "test", "check", "bench"} <= described


def test_the_continuous_integration_runs_what_the_readme_says():
    script = (ROOT / ".ci/run").read_text()
    readme = (ROOT / "README.md").read_text()
    for command in ("make test", "make check"):
        assert command in script
    for command in ("make demo", "make test"):
        assert command in readme


def test_no_suggested_command_is_put_together_by_hand():
    """So that each goes through `cli.output.suggested`, which quotes what a shell would read."""
    assert [
        f"{path.name}:{number}"
        for path in sorted((ROOT / "cli").glob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(r"""f["']civreg [^"']*[{]""", line)
    ] == []
