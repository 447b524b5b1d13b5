import io
import json

import pytest

from node.logs import JsonLog, where
from tests.node.invented_world import InventedClock


def test_a_line_is_one_json_object_with_time_level_node_and_event():
    stream, clock = io.StringIO(), InventedClock()
    clock.time_ms = 1_782_892_800_123
    JsonLog("justice", stream=stream, clock=clock).info(
        "decided", height=7, block=b"\xab", at_fault=None
    )
    assert json.loads(stream.getvalue()) == {
        "at": "2026-07-01T08:00:00.123Z",
        "level": "info",
        "node": "justice",
        "event": "decided",
        "height": 7,
        "block": "ab",
        "at_fault": None,
    }


@pytest.mark.parametrize(
    ("level", "written"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)]
)
def test_what_is_below_the_level_is_not_written(level, written):
    stream = io.StringIO()
    log = JsonLog("n", level, stream)
    for write in (log.debug, log.info, log.warning, log.error):
        write("event")
    assert len(stream.getvalue().splitlines()) == written


def test_a_mistake_is_named_by_its_place_and_never_by_its_text():
    with pytest.raises(ValueError, match="Nguyễn Văn A") as caught:
        int("Nguyễn Văn A")
    found = where(caught.value)
    assert found.startswith("test_logs.py:")
    assert "Nguy" not in found
