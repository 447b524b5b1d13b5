"""What gets installed: seven top-level names that are ours alone, and every file they need."""

import os
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distributions, entry_points
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("keys", "ledger", "consensus", "registry", "node", "cli", "verifier")


def run(*words: str, cwd: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run this interpreter in a process of its own, speaking English."""
    environment = {**os.environ, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **variables}
    command = [sys.executable, *words]
    return subprocess.run(
        command, check=False, cwd=cwd, env=environment, capture_output=True, text=True
    )


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel, built from the tree as it is."""
    folder = tmp_path_factory.mktemp("wheel")
    built = run("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    assert built.returncode == 0, built.stderr
    (found,) = folder.glob("*.whl")
    return found


def test_no_other_distribution_owns_a_top_level_name_of_ours():
    owners = {
        (name, found.metadata["Name"])
        for found in distributions()
        for file in found.files or ()
        for name in PACKAGES
        if file.parts[:1] in {(name,), (f"{name}.py",)}
    }
    assert {owner for _, owner in owners} <= {"civreg"}


@pytest.mark.parametrize("name", PACKAGES)
def test_each_top_level_name_is_the_folder_of_this_project(name):
    found = find_spec(name)
    assert found is not None
    assert found.origin is not None
    assert Path(found.origin) == ROOT / name / "__init__.py"


def test_the_console_script_is_the_group():
    (script,) = entry_points(group="console_scripts", name="civreg")
    assert script.value == "cli.main:main"


def test_every_runtime_dependency_has_its_reason_in_the_decision_record():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = {line.partition(">")[0] for line in settings["project"]["dependencies"]}
    decision = (ROOT / "docs/decisions/0002-dependencies.md").read_text()
    assert [name for name in declared if f"| `{name}` |" not in decision] == []


@pytest.mark.parametrize("command", [("version",), ("--help",), ("no-such-command",)])
def test_civreg_refuses_to_run_under_python_o(command):
    refused = run("-m", "cli.main", *command, PYTHONOPTIMIZE="1")
    assert refused.returncode == 1
    assert "[cli.optimized_python]" in refused.stderr
    assert refused.stdout == ""


def test_help_starts_without_the_heavy_packages():
    script = (
        "import sys\nfrom cli.main import program\n"
        "try:\n    program.main(['--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'aiohttp', 'asyncio', 'cryptography', 'plyvel', 'rich', 'ecdsa'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    shown = run("-c", script)
    assert shown.returncode == 0, shown.stderr


@pytest.mark.slow
def test_the_wheel_holds_the_seven_packages_with_their_data_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.partition("/")[0] for name in names}
    assert tops == {*PACKAGES, "civreg-0.1.0.dist-info"}
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *PACKAGES],
        cwd=ROOT, capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    files = {name for name in listed.split("\0") if name and (ROOT / name).is_file()}
    needed = {name for name in files if not name.endswith("ruff.toml")}
    assert needed - names == set()
    assert [name for name in names if name.endswith("ruff.toml")] == []


@pytest.mark.slow
def test_the_wheel_runs_away_from_the_source_tree(wheel, tmp_path):
    site = tmp_path / "site"
    installed = run(
        "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check",
        "--target", str(site), str(wheel),
    )  # fmt: skip
    assert installed.returncode == 0, installed.stderr
    script = "import cli.main; print(cli.main.__file__); cli.main.program.main(['version'])"
    shown = run("-c", script, cwd=tmp_path, PYTHONPATH=str(site))
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(str(site))
    assert "civreg 0.1.0" in shown.stdout
