"""Catching up from peers of which some lie, with an invented network and a chain of names."""

from consensus.messages import Phase, Status
from keys.hashing import sha256
from ledger.canonical import encode
from ledger.errors import InvalidBlockError, InvalidQuorumError
from ledger.quorum import QuorumCertificate, print_quorum_certificate
from node.logs import SilentLog
from node.sync import BLOCKS_PATH, Sync
from tests.node.invented_ports import InventedNetwork, InventedTimers
from tests.node.invented_world import AGENCIES, VALIDATORS

PEERS = AGENCIES[1:]


def block(height):
    return b"block %d" % height


def certified(height, raw=None):
    block_id = sha256(block(height))
    certificate = QuorumCertificate(height, 0, block_id, ((0, bytes(64)),))
    return encode((raw or block(height), print_quorum_certificate(certificate)))


class Target:
    """A chain of names; a certificate is good when it names the block of its height."""

    def __init__(self, network):
        self.tip_height = 0
        self.voting: list[str] = []
        self.network = network

    def validators_at(self, height):
        assert height <= self.tip_height + 1
        return VALIDATORS

    def check_certificate(self, certificate):
        if certificate.block_id != sha256(block(certificate.height)):
            raise InvalidQuorumError("forged")

    def apply_certified(self, block_raw, certificate):
        self.check_certificate(certificate)
        assert certificate.height == self.tip_height + 1
        if block_raw != block(certificate.height):
            raise InvalidBlockError("another block")
        self.tip_height += 1

    def leave_voting(self):
        self.voting.append("left")

    def return_to_voting(self):
        self.voting.append("returned")


def make(served=range(1, 100), liars=()):
    network = InventedNetwork(PEERS)
    for peer in PEERS:
        for height in served:
            raw = certified(height, b"lie" if peer in liars else None)
            network.served[peer, f"{BLOCKS_PATH}{height}"] = raw
    timers = InventedTimers()
    target = Target(network)
    return Sync(target, network, timers, SilentLog()), target, network, timers


def status(last_committed):
    return Status(last_committed + 1, 0, Phase.PROPOSE, last_committed)


def settle(network, timers, rounds=20):
    for _ in range(rounds):
        network.answer_all()
        timers.fire_all()


def test_two_heights_behind_by_more_than_a_third_leaves_syncs_and_returns():
    sync, target, network, timers = make()
    sync.status(PEERS[0], status(30))
    assert target.voting == []
    sync.status(PEERS[1], status(30))
    assert target.voting == ["left"]
    settle(network, timers)
    assert target.tip_height == 30
    assert target.voting == ["left", "returned"]
    assert not sync.is_active


def test_one_peer_alone_can_prove_it_with_a_certificate():
    sync, target, network, timers = make()
    sync.status(PEERS[0], status(5))
    settle(network, timers)
    assert target.tip_height == 5


def test_one_liar_alone_cannot_make_us_leave():
    sync, target, network, timers = make(served=())
    sync.status(PEERS[0], status(10**9))
    settle(network, timers)
    assert target.voting == []
    assert len(network.asked) <= 20


def test_a_lying_peer_is_blamed_and_does_not_stop_the_sync():
    sync, target, network, timers = make(liars=(PEERS[0],))
    for peer in PEERS:
        sync.status(peer, status(40))
    settle(network, timers, 60)
    assert target.tip_height == 40
    assert {peer for peer, _reason in network.blamed} == {PEERS[0]}


def test_one_height_behind_is_given_a_moment_first():
    sync, target, network, timers = make()
    sync.status(PEERS[0], status(1))
    sync.status(PEERS[1], status(1))
    network.answer_all()
    assert target.voting == []
    timers.fire_all()
    settle(network, timers)
    assert target.tip_height == 1


def test_a_height_that_nobody_serves_is_asked_for_until_somebody_does():
    sync, target, network, timers = make(served=range(1, 3))
    for peer in PEERS:
        sync.status(peer, status(4))
    settle(network, timers, 5)
    assert target.tip_height == 2
    for height in (3, 4):
        network.served[PEERS[2], f"{BLOCKS_PATH}{height}"] = certified(height)
    settle(network, timers)
    assert target.tip_height == 4
    assert network.blamed == []


def test_who_fell_behind_again_meanwhile_goes_on():
    sync, target, network, timers = make()
    for peer in PEERS:
        sync.status(peer, status(3))
    for peer in PEERS:
        sync.status(peer, status(50))
    settle(network, timers)
    assert target.tip_height == 50
    assert target.voting == ["left", "returned"]
