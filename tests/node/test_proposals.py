"""A proposal waits a little while entries are examined, and never without a reason."""

import pytest

from ledger.limits import BLOCK_ENTRIES_MAX
from node.proposals import GATHER_MS_MAX, Gathering
from tests.node.invented_ports import InventedTimers


class _Pool:
    def __init__(self, entries):
        self.entries = entries

    def __len__(self):
        return self.entries


def waited_ms(gathering, timers):
    """How long it waits until it builds; every timer fires in its time."""
    built, waited = [], 0
    gathering.then(lambda: built.append(waited))
    while not built:
        ((delay_ms, fire),) = timers.pending
        timers.pending = []
        waited += delay_ms
        fire()
    assert not timers.pending
    return waited


@pytest.fixture
def timers():
    return InventedTimers()


def test_without_entries_on_the_way_a_block_is_built_at_once(timers):
    assert waited_ms(Gathering(timers, _Pool(1)), timers) == 0


def test_while_entries_are_examined_it_waits_but_not_for_ever(timers):
    gathering = Gathering(timers, _Pool(1))
    gathering.is_filling = lambda: True
    assert waited_ms(gathering, timers) == GATHER_MS_MAX


def test_it_waits_no_longer_than_entries_come(timers):
    gathering = Gathering(timers, _Pool(1))
    answers = iter([True, True, False])
    gathering.is_filling = lambda: next(answers)
    assert 0 < waited_ms(gathering, timers) < GATHER_MS_MAX


def test_a_pool_that_fills_a_block_is_not_waited_for(timers):
    gathering = Gathering(timers, _Pool(BLOCK_ENTRIES_MAX))
    gathering.is_filling = lambda: True
    assert waited_ms(gathering, timers) == 0
