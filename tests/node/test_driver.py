"""The driver against the real consensus core, on invented disks that lose power at any moment."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from consensus.events import StartHeight
from ledger.errors import CorruptWalError
from node.journal import event_frame, lock_height, read_frames
from tests.node.invented_world import Cluster, Fuse

HEIGHTS = 2


def operations(index):
    """Return the operations of one node until the cluster has stored the heights."""
    fuse = Fuse()
    cluster = Cluster({index: fuse})
    cluster.start()
    cluster.run(HEIGHTS)
    return fuse.operations


PROPOSER, OTHER = 1, 3  # the proposer of height 1, round 0; and one who only votes there
OPERATIONS = {index: operations(index) for index in (PROPOSER, OTHER)}


def test_four_drivers_agree_on_every_height():
    cluster = Cluster()
    cluster.start()
    cluster.run(5)
    assert all(len(disk.chain) >= 5 for disk in cluster.disks)


def test_every_kind_of_operation_is_crashed_at():
    assert set(OPERATIONS[PROPOSER]) == set(OPERATIONS[OTHER])
    assert len(set(OPERATIONS[PROPOSER])) == 11


@pytest.mark.parametrize("index", [PROPOSER, OTHER])
@pytest.mark.parametrize("part", range(8))
def test_a_crash_at_any_operation_contradicts_nothing_and_does_not_stop_the_network(index, part):
    """Invariant: wherever the power fails: one message a place, one chain, progress."""
    for blow_at in range(1 + part, len(OPERATIONS[index]) + 1, 8):
        cluster = Cluster({index: Fuse(blow_at)})
        cluster.start()
        cluster.run(HEIGHTS)
        assert len(cluster.crashes) == 1


@settings(max_examples=10)
@example([(0, 1), (2, 28)])  # two are one height behind: neither half can go on without sync
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 60)), min_size=1, max_size=4))
def test_crashes_of_several_nodes_at_once_contradict_nothing(blows):
    cluster = Cluster({index: Fuse(blow_at) for index, blow_at in blows})
    cluster.start()
    cluster.run(HEIGHTS)


def test_all_nodes_may_lose_power_together_and_still_decide():
    cluster = Cluster({index: Fuse(9 + index) for index in range(4)})
    cluster.start()
    cluster.run(HEIGHTS)
    assert len(cluster.crashes) == 4


def test_nothing_leaves_before_it_is_in_guard_and_journal():
    """Invariant: between an own vote's guard and its broadcast lies a completed sync."""
    for sequence in OPERATIONS.values():
        guarded_at = None
        for at, operation in enumerate(sequence):
            if operation == "after guard":
                guarded_at = at
            elif operation == "before broadcast" and guarded_at is not None:
                assert "after sync" in sequence[guarded_at:at]
                guarded_at = None


def test_a_journal_of_a_height_that_the_chain_has_is_dropped():
    cluster = Cluster()
    cluster.start()
    cluster.run(1)
    disk = cluster.disks[0]
    stale = [event_frame(replace_height(read_frames(disk.frames)[0], len(disk.chain)))]
    disk.frames = stale
    cluster.stop(0)
    cluster.restart(0)
    assert cluster.nodes[0].driver.height == len(disk.chain) + 1
    cluster.run(len(disk.chain) + 1)


def replace_height(start, height):
    assert isinstance(start, StartHeight)
    return StartHeight(
        height=height,
        validators=start.validators,
        parameters=start.parameters,
        previous_time_ms=start.previous_time_ms,
        now_ms=start.now_ms,
    )


def test_a_journal_ahead_of_the_chain_refuses_to_start():
    cluster = Cluster()
    cluster.start()
    cluster.run(2)
    cluster.stop(0)
    cluster.disks[0].chain.pop()
    with pytest.raises(CorruptWalError, match="backup"):
        cluster.restart(0)


def test_the_journal_of_another_node_refuses_to_start():
    cluster = Cluster()
    cluster.start()
    cluster.run(2)
    cluster.stop(0)
    cluster.disks[0].frames = list(cluster.disks[1].frames)
    with pytest.raises(CorruptWalError, match="another node"):
        cluster.restart(0)


def test_a_journal_from_before_owners_were_written_is_read():
    cluster = Cluster()
    cluster.start()
    cluster.run(2)
    cluster.stop(0)
    disk = cluster.disks[0]
    disk.frames = [one for one in disk.frames if one[:1] != b"O"]
    cluster.restart(0)
    cluster.run(len(disk.chain) + 1)


@pytest.mark.parametrize("frames", [[b"X"], [b"E"], [b"Egarbage"], [b""], [b"O", b"O"]])
def test_a_frame_that_is_none_of_ours_refuses(frames):
    with pytest.raises(CorruptWalError):
        read_frames(frames)


def test_a_lagging_node_jumps_and_votes_again():
    cluster = Cluster()
    cluster.start()
    cluster.run(1)
    cluster.stop(2)
    cluster.run(5, among=(0, 1, 3))
    cluster.restart(2)
    cluster.run(8)
    heights = {place[2] for place in cluster.said if place[0] == 2}
    assert max(heights) >= 7


def test_one_height_costs_few_syncs():
    cluster = Cluster()
    cluster.start()
    cluster.run(10)
    assert cluster.nodes[0].driver.syncs / 10 <= 15


def test_a_log_begun_in_silence_does_not_know_the_locks_of_its_height():
    """What was signed there before is dropped then; a later start must not speak on that ground."""
    cluster = Cluster()
    cluster.start()
    spoken = replace_height(read_frames(cluster.disks[0].frames)[0], 7)
    silent = replace(spoken, may_vote=False)
    assert lock_height(()) == 0
    assert lock_height(read_frames([event_frame(spoken)])) == 7
    assert lock_height(read_frames([event_frame(silent)])) == 6
