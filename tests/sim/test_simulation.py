"""Seeds that must pass in `make test`; the same seed is the same run, whatever hashes strings."""

import os
import subprocess
import sys

import pytest

from tests.sim.__main__ import parse_seeds, run_all, summary
from tests.sim.simulation import Report, simulate

SEEDS = 200
pytestmark = pytest.mark.sim


def test_two_hundred_seeds_keep_every_invariant_and_go_on_after_the_faults():
    results = list(run_all(list(range(SEEDS))))
    failures = [one for one in results if not isinstance(one, Report)]
    assert not failures, [f"{text}: make sim SEEDS={seed}" for seed, text in failures]
    reports = [one for one in results if isinstance(one, Report)]
    assert len(reports) == SEEDS
    assert f"seeds {SEEDS}" in summary(reports, 1)
    assert all(report.heights >= 2 for report in reports)


def test_one_seed_is_one_run():
    first, again = simulate(7), simulate(7)
    assert first == again
    assert simulate(8).digest != first.digest


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_run_does_not_depend_on_how_strings_are_hashed(hash_seed, project_root):
    code = "from tests.sim.simulation import simulate; print(simulate(7).digest)"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment, cwd=project_root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == simulate(7).digest


def test_seeds_are_read_as_a_number_a_range_or_a_list():
    assert parse_seeds("1234") == [1234]
    assert parse_seeds("3..5") == [3, 4, 5]
    assert parse_seeds("9,1,3..4") == [1, 3, 4, 9]
