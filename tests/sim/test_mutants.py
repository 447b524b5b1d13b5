"""Every deliberate mistake is caught, and the table in docs/simulator.md names each of them."""

import re

import pytest

from tests.sim.mutants import MUTANTS, SEEDS_MAX, caught_at

pytestmark = pytest.mark.sim
MUTANTS_MIN = 14


@pytest.mark.slow
@pytest.mark.parametrize("one", MUTANTS, ids=lambda one: one.name)
def test_each_mutant_is_caught_by_an_invariant(one):
    caught = caught_at(one)
    assert caught is not None, f"{one.name}: not caught in {SEEDS_MAX} seeds"
    assert caught.invariant


def test_the_table_of_mutants_in_the_documentation_names_all_of_them(project_root):
    text = (project_root / "docs/simulator.md").read_text("utf-8")
    rows = re.findall(r"^\| (.+?) \| (.+?) \| .+? \| seed \d+ \|$", text, re.MULTILINE)
    assert rows == [(one.name, one.wrong) for one in MUTANTS]
    assert len(MUTANTS) >= MUTANTS_MIN
