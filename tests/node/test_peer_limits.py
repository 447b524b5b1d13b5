"""How fast a peer may read in bulk: bounded, and no hindrance to catching up."""

import pytest

from node.peer_limits import (
    BYTES_PER_SECOND,
    BYTES_PER_TOKEN,
    TOKENS_BURST,
    WAIT_MS_MAX,
    PeerLimits,
)
from node.peers import MESSAGES_PATH
from node.sync_wire import BLOCKS_PATH
from tests.node.invented_world import AGENCIES
from tests.node.test_sync import PEERS, World, honest

MIB = 1024 * 1024
BURST_BYTES = TOKENS_BURST * BYTES_PER_TOKEN


class LimitedWorld(World):
    """Peers on endless lines, each with the limits that its node sets: 1 MiB a block."""

    def __init__(self, peers):
        super().__init__()
        self.manners = {peer: self.serving(peer) for peer in peers}
        self.peers = tuple(peers)
        self.limits = {peer: PeerLimits() for peer in peers}
        self.turned_away = 0

    def serving(self, peer):
        def serve(first, count):
            if self.limits[peer].wait_ms(AGENCIES[0], BLOCKS_PATH, self.time_ms) > WAIT_MS_MAX:
                self.turned_away += 1
                return None
            self.limits[peer].spend(AGENCIES[0], BLOCKS_PATH, count * MIB, self.time_ms)
            return honest(first, count)

        return serve


@pytest.mark.parametrize("peers", [1, 2, 3])
def test_a_node_that_catches_up_gets_nearly_all_that_the_ceiling_allows(peers):
    """Peers turn it away now and then; it rests, asks others, and loses little time by that."""
    world = LimitedWorld(PEERS[:peers])
    heights = 1_500 * peers
    world.say(heights)
    least_ms = 1_000 * (heights * MIB - peers * BURST_BYTES) // (peers * BYTES_PER_SECOND)
    world.run_to(heights, 2 * least_ms)
    assert world.time_ms > least_ms // 2, "the ceiling was met"
    assert world.time_ms < 1.25 * least_ms
    assert world.blamed == []


def test_a_peer_that_reads_at_the_ceiling_has_its_votes_taken_at_once():
    limits, peer = PeerLimits(), AGENCIES[1]
    limits.spend(peer, BLOCKS_PATH, 3 * BURST_BYTES, 0)
    assert limits.wait_ms(peer, BLOCKS_PATH, 0) > WAIT_MS_MAX
    assert limits.wait_ms(peer, MESSAGES_PATH, 0) == 0
    assert limits.wait_ms(AGENCIES[2], BLOCKS_PATH, 0) == 0, "nor does anybody else wait"


def test_however_much_was_read_at_once_a_peer_is_served_again_after_the_time_of_a_burst():
    limits, peer = PeerLimits(), AGENCIES[1]
    limits.spend(peer, BLOCKS_PATH, 10**12, 0)
    wait_ms = limits.wait_ms(peer, BLOCKS_PATH, 0)
    assert wait_ms <= 1_000 * BURST_BYTES // BYTES_PER_SECOND + 1
    assert limits.wait_ms(peer, BLOCKS_PATH, wait_ms) == 0
