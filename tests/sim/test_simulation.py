"""Seeds that must pass in `make test`; the same seed is the same run, whatever hashes strings."""

import os
import subprocess
import sys

import pytest

from tests.sim import __main__ as command
from tests.sim.__main__ import parse_seeds
from tests.sim.checks import ViolationError
from tests.sim.simulation import Simulation, simulate

SEEDS = 200
pytestmark = pytest.mark.sim


def run_python(project_root, *arguments, **environment):
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        cwd=project_root, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_two_hundred_seeds_keep_every_invariant_and_go_on_after_the_faults(project_root):
    done = run_python(project_root, "-m", "tests.sim", f"0..{SEEDS - 1}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"seeds {SEEDS} " in done.stdout


def test_one_seed_is_one_run():
    first, again = simulate(7), simulate(7)
    assert first == again
    assert simulate(8).digest != first.digest


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_run_does_not_depend_on_how_strings_are_hashed(hash_seed, project_root):
    code = "from tests.sim.simulation import simulate; print(simulate(7).digest)"
    done = run_python(project_root, "-c", code, PYTHONHASHSEED=hash_seed)
    assert done.stdout.strip() == simulate(7).digest


def test_seeds_are_read_as_a_number_a_range_or_a_list():
    assert parse_seeds("1234") == [1234]
    assert parse_seeds("3..5") == [3, 4, 5]
    assert parse_seeds("9,1,3..4") == [1, 3, 4, 9]


def test_a_seed_that_fails_is_printed_as_the_command_that_repeats_it(monkeypatch, capsys):
    def fail(_self):
        raise ViolationError("agreement: two blocks at height 3")

    monkeypatch.setattr(Simulation, "run", fail)
    assert command.main(["41..42"]) == 1
    printed = capsys.readouterr().out
    assert "agreement: two blocks at height 3\n  make sim SEEDS=41\n" in printed
    assert "make sim SEEDS=42" in printed
