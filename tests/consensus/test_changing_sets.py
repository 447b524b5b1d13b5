"""Sets of validators that change from height to height: who leaves, who comes, whose key rotates.

Each node knows the sets of its height and of the next one, as the ledger decides them two heights
ahead; what it is sent of a later height, it opens under the last one that it knows.
"""

import pytest

from consensus.schedule import round_robin
from keys.errors import BadSignatureError
from ledger.errors import InvalidDataError
from ledger.quorum import QuorumSignatureError
from ledger.validators import Validator, ValidatorSet
from tests.consensus.cluster import GENESIS_MS, HonestNode, World, disagreements
from tests.consensus.committee import FOUR, NETWORK_ID, agency, key

LIMIT_MS = GENESIS_MS + 900_000
HEIGHTS = 7


def members(*indexes, spare=()):
    """A set of the nodes with these indexes; those of `spare` vote with their second key."""
    return ValidatorSet(
        tuple(
            Validator(agency(index), key(index + (100 if index in spare else 0)).public, 1)
            for index in sorted(indexes)
        )
    )


class MemberNode(HonestNode):
    """Follows a plan of sets: first height -> set."""

    def __init__(self, world, index, plan):
        self.plan, self.is_up, self.dropped = plan, True, 0
        super().__init__(world, index)

    def set_at(self, height):
        known = max(self.state.height + 1, 1) if hasattr(self, "state") else 1
        return self.true_set(min(height, known))

    def true_set(self, height):
        return self.plan[max(first for first in self.plan if first <= height)]

    def key_at(self, height):
        validators = self.true_set(height)
        own = validators[validators.index_of(agency(self.index))].key
        return next(one for one in (key(self.index), key(self.index + 100)) if one.public == own)

    def receive(self, kind, what):
        if not self.is_up:
            return
        super().receive(kind, what)

    def _message(self, raw):
        try:
            super()._message(raw)
        except (BadSignatureError, InvalidDataError):
            self.dropped += 1  # a later height whose set is another: rebroadcast brings it again

    def come_back(self):
        self.is_up = True
        self._restart()
        self.world.later(1, self.index, "status", None)


def start(seed, plan, count, **network):
    world = World(seed, **network)
    nodes = [MemberNode(world, index, plan) for index in range(count)]
    world.nodes.update((node.index, node) for node in nodes)
    return world, nodes


def run(world, nodes, height=HEIGHTS):
    world.run(LIMIT_MS, lambda: all(height in node.decided for node in nodes))
    for node in nodes:
        assert height in node.decided, f"node {node.index} stands at {node.state.core}"
    assert disagreements(nodes) == []


def check_certificates(nodes, plan):
    """Every certificate holds under the set of its own height, and under no set that differs."""
    for node in nodes:
        for height, (_block, certificate) in node.decided.items():
            own = node.true_set(height)
            certificate.check(NETWORK_ID, own)
            signers = [own[index] for index, _ in certificate.signatures]
            for other in plan.values():
                places = [index for index, _ in certificate.signatures]
                same = [other[index] if index < len(other) else None for index in places]
                if same != signers:
                    with pytest.raises((BadSignatureError, InvalidDataError)):
                        certificate.check(NETWORK_ID, other)


@pytest.mark.parametrize("seed", range(2))
def test_the_proposer_of_the_next_height_is_removed_and_the_others_go_on(seed):
    leaving = round_robin(FOUR, 3, 0)
    plan = {1: FOUR, 3: members(*(index for index in range(4) if index != leaving))}
    world, nodes = start(seed, plan, 4, loss_percent=10, delay_max_ms=200)
    run(world, nodes)
    check_certificates(nodes, plan)
    gone = nodes[leaving]
    assert all(place[1] < 3 for place in gone.guard.signed), "it signs nothing any more"


@pytest.mark.parametrize("seed", range(2))
def test_a_fifth_joins_and_then_one_of_the_four_is_killed(seed):
    plan = {1: FOUR, 3: members(0, 1, 2, 3, 4)}
    world, nodes = start(seed, plan, 5, loss_percent=5, delay_max_ms=200)
    run(world, nodes, 3)
    killed = nodes[seed % 4]
    killed.is_up = False
    alive = [node for node in nodes if node is not killed]
    run(world, alive, 8)
    check_certificates(alive, plan)
    fifth = nodes[4]
    assert min(place[1] for place in fifth.guard.signed) >= 3, "it counts from its height on"
    signers = [
        index for height in range(4, 9) for index, _ in alive[0].decided[height][1].signatures
    ]
    assert 4 in signers, "four of five are needed, and only four are left"


@pytest.mark.parametrize("seed", range(2))
def test_a_key_rotates_while_its_node_is_down_and_it_votes_with_the_new_one(seed):
    plan = {1: FOUR, 4: members(0, 1, 2, 3, spare=(1,))}
    world, nodes = start(seed, plan, 4, loss_percent=5, delay_max_ms=200)
    run(world, nodes, 1)
    nodes[1].is_up = False
    others = [node for node in nodes if node.index != 1]
    run(world, others, 5)
    nodes[1].come_back()
    nodes[3].is_up = False  # so that three are needed of three
    run(world, nodes[:3], 9)
    check_certificates(nodes[:3], plan)
    late = [place for place in nodes[1].guard.signed if place[1] >= 6]
    assert late, "it votes again, with its second key"


@pytest.mark.parametrize("seed", range(3))
def test_sets_that_change_at_every_height_are_borne_with_crashes_and_losses(seed):
    plan = {1: FOUR}
    for height in range(2, HEIGHTS + 2):
        out = (seed + height) % 5
        spare = (height % 5, (height + seed) % 5) if height > 3 else ()
        plan[height] = members(*(index for index in range(5) if index != out), spare=spare)
    world, nodes = start(seed, plan, 5, loss_percent=10, delay_max_ms=300)
    for node in nodes:
        node.crash_permille = 10
    run(world, nodes)
    check_certificates(nodes, plan)


def test_negative_control_a_certificate_of_the_set_before_is_refused_after_a_rotation_of_all():
    plan = {1: FOUR, 3: members(0, 1, 2, 3, spare=(0, 1, 2, 3))}
    world, nodes = start(1, plan, 4)
    run(world, nodes, 4)
    certificate = nodes[0].decided[4][1]
    with pytest.raises(QuorumSignatureError):
        certificate.check(NETWORK_ID, FOUR)
