"""A whole node without sockets that is far behind: it stays silent, catches up, and votes again."""

from dataclasses import replace

import pytest

from consensus.messages import Phase, SignedProposal, SignedVote, Status
from consensus.schedule import round_robin
from consensus.state import Identity
from consensus.wire import parse_message, print_message
from ledger.blocks import split_block
from ledger.canonical import encode
from ledger.quorum import parse_quorum_certificate, print_quorum_certificate
from ledger.vault import Vault
from node.driver import Driver
from node.logs import SilentLog
from node.mempool import Mempool
from node.signer import GuardedSigner
from node.startup import Permission
from node.sync_wire import answer_range
from node.world import NodeWorld, Ports
from tests.node.grown_chain import grow_chain
from tests.node.invented_world import Disk
from tests.node.scheduled_ports import ScheduledPorts
from tests.node.town_chain import consensus_keys, make_application, make_town

OWN = 3
"""Our index in the set: the proposer of height 43, round 0; it signed no certificate before."""
SIGNER = 1
"""The index of one whose signature is in every certificate."""
HEIGHTS = 42
PEOPLE = 12


@pytest.fixture(scope="module")
def town():
    return make_town()


@pytest.fixture(scope="module")
def source(town, tmp_path_factory):
    application = grow_chain(tmp_path_factory.mktemp("source"), town, HEIGHTS, PEOPLE)
    yield application
    application.close()


def read_as(source, change):
    """A manner: what an honest peer serves, after `change` of block and certificate."""

    def read(height):
        pair = source.certified_block(height)
        return None if pair is None else change(source, height, *pair)

    return lambda first, count: answer_range(first, count, read)


def honest(_source, _height, block, certificate):
    return block, certificate


def other_bodies(source, height, block, certificate):
    """The header and the certificate are true, the entries are those of other blocks."""
    entries = [
        entry
        for other in range(1, HEIGHTS + 1)
        if other != height
        for entry in split_block(source.store.block_raw(other))[1]
    ]
    header, own, evidence = split_block(block)
    return encode((header, tuple(entries[: len(own) or 1]), evidence)), certificate


def bodies_missing(_source, _height, block, certificate):
    header, _own, _evidence = split_block(block)
    return encode((header, (), ())), certificate


def signature_forged(_source, _height, block, certificate):
    parsed = parse_quorum_certificate(certificate)
    (first, signature), *others = parsed.signatures
    swapped = (first, signature[32:] + signature[:32])
    return block, print_quorum_certificate(replace(parsed, signatures=(swapped, *others)))


def two_signers(_source, _height, block, certificate):
    parsed = parse_quorum_certificate(certificate)
    return block, print_quorum_certificate(replace(parsed, signatures=parsed.signatures[:2]))


def neighbours_certificate(source, height, block, _certificate):
    return block, source.store.quorum_certificate_raw(height % HEIGHTS + 1)


def block_of_another_height(source, height, _block, _certificate):
    return source.certified_block(height % HEIGHTS + 1)


def unsigned_fork(_source, _height, block, certificate):
    """A block of the liar's own, with as much of a certificate as it can make."""
    header, own, evidence = split_block(block)
    forged = bytearray(header)
    forged[-40] ^= 1
    return encode((bytes(forged), own, evidence)), certificate


LIES = (
    other_bodies,
    bodies_missing,
    signature_forged,
    two_signers,
    neighbours_certificate,
    block_of_another_height,
    unsigned_fork,
)


class Lagging:
    """A validator at genesis among three peers that are at height 42."""

    def __init__(self, folder, town, manners, own=OWN):
        self.town = town
        self.keys = consensus_keys(town)
        members = [one.agency_id for one in town.genesis.validator_set.validators]
        self.peers = [one for one in members if one != members[own]]
        now_ms = town.time_ms + 10_000_000
        self.ports = ScheduledPorts(dict(zip(self.peers, manners, strict=True)), start_ms=now_ms)
        self.vault = Vault.open(folder / "vault")
        self.application = make_application(folder / "chain", town)
        disk = Disk()
        self.driver = Driver(
            Identity(members[own], round_robin),
            town.network_id,
            GuardedSigner(self.keys[own], disk, allow_missing=True),
            journal=disk,
            clock=self.ports,
            log=SilentLog(),
        )
        ports = Ports(
            network=self.ports,
            timers=self.ports,
            clock=self.ports,
            log=SilentLog(),
            vault=self.vault,
        )
        self.world = NodeWorld(self.application, Mempool(), self.driver, ports)
        self.world.start(Permission(1), ())
        for peer in self.peers:
            status = print_message(Status(HEIGHTS + 1, 0, Phase.PROPOSE, HEIGHTS))
            self.world.intake.take(peer, (status,))

    def sent(self, *kinds):
        return [one for one in map(parse_message, self.ports.messages) if isinstance(one, kinds)]

    def close(self):
        self.application.close()
        self.vault.close()


@pytest.fixture
def lagging(tmp_path, town):
    made: list[Lagging] = []

    def make(manners, own=OWN):
        made.append(Lagging(tmp_path, town, manners, own))
        return made[-1]

    yield make
    for one in made:
        one.close()


def rows_of(application):
    """All that a store holds of its chain."""
    store = application.store
    heights = range(1, store.height + 1)
    return (
        list(store.state_rows()),
        [store.block_raw(height) for height in heights],
        [store.quorum_certificate_raw(height) for height in heights],
        [store.outcomes(height) for height in heights],
        store.tip,
    )


def test_it_says_nothing_while_it_is_behind_and_takes_its_turn_when_it_is_not(source, lagging):
    node = lagging([read_as(source, honest)] * 3)
    assert node.world.sync.is_active
    node.ports.run_until(lambda: not node.world.sync.is_active)
    assert node.sent(SignedVote, SignedProposal) == []
    assert rows_of(node.application) == rows_of(source)
    assert node.driver.height == HEIGHTS + 1
    node.ports.run_until(lambda: node.sent(SignedVote))
    (proposal,) = node.sent(SignedProposal)
    assert (proposal.height, proposal.proposer) == (HEIGHTS + 1, OWN)
    assert {vote.height for vote in node.sent(SignedVote)} == {HEIGHTS + 1}


def test_who_finds_its_own_signature_that_its_guard_does_not_know_stays_silent(source, lagging):
    """Its disk was restored: another life of it has signed, perhaps in the heights that follow."""
    node = lagging([read_as(source, honest)] * 3, SIGNER)
    node.ports.run_until(lambda: not node.world.sync.is_active)
    node.ports.run(node.ports.time_ms + 60_000)
    assert node.driver.height == HEIGHTS + 1
    assert node.sent(SignedVote, SignedProposal) == []


def test_one_by_one_from_an_honest_peer_gives_the_same_store(source, lagging):
    """The naive twin."""
    node = lagging([read_as(source, honest)] * 3)
    for height in range(1, HEIGHTS + 1):
        block, certificate = source.certified_block(height)
        node.world.apply_certified(block, parse_quorum_certificate(certificate))
    assert rows_of(node.application) == rows_of(source)


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_a_peer_that_lies_is_blamed_alone_and_its_blocks_come_from_others(lie, source, lagging):
    def change(source, height, *pair):
        return lie(source, height, *pair) if height > 3 else pair

    node = lagging([read_as(source, change), read_as(source, honest), read_as(source, honest)])
    node.ports.run_until(lambda: not node.world.sync.is_active)
    assert set(node.ports.blamed) == {node.peers[0]}
    assert node.world.sync.dropped == (node.peers[0],)
    assert rows_of(node.application) == rows_of(source)


def test_two_liars_of_three_peers_cost_time_and_nothing_else(source, lagging):
    node = lagging(
        [read_as(source, other_bodies), read_as(source, signature_forged), read_as(source, honest)]
    )
    node.ports.run_until(lambda: not node.world.sync.is_active)
    assert set(node.ports.blamed) == set(node.peers[:2])
    assert rows_of(node.application) == rows_of(source)


def test_peers_that_give_nothing_are_not_blamed(source, lagging):
    node = lagging([None, lambda *_range: None, read_as(source, honest)])
    node.ports.run_until(lambda: not node.world.sync.is_active)
    assert node.ports.blamed == []
    assert rows_of(node.application) == rows_of(source)
