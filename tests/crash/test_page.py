"""The table of steps in the documents is the list that the tests go through."""

import re
from pathlib import Path

from tests.crash.steps import STEPS

PAGE = Path(__file__).parents[2] / "docs" / "crash-safety.md"


def test_the_page_lists_every_step_in_order_as_it_is():
    rows = re.findall(r"^\| `([a-z.]+)` \| (.+?) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [(step.name, step.kind.value, step.what) for step in STEPS]
