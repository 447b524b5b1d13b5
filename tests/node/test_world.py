"""One whole node without sockets: what it takes from peers, and what it sends and asks for."""

from dataclasses import replace

import pytest

from consensus.evidence import evidence_of
from consensus.messages import (
    Phase,
    SignedProposal,
    SignedVote,
    Status,
    VoteType,
    proposal_message,
    vote_message,
)
from consensus.schedule import round_robin
from consensus.state import Identity
from consensus.wire import parse_message, print_message
from keys.errors import BadSignatureError
from ledger.errors import InvalidDataError
from ledger.vault import Vault
from node.block_exchange import BLOCK_PATH
from node.driver import Driver
from node.errors import InconsistentError
from node.logs import SilentLog
from node.mempool import Mempool
from node.service import NodeService
from node.signer import GuardedSigner
from node.startup import Permission, parse_answer
from node.sync_wire import BLOCKS_PATH
from node.world import NodeWorld, Ports
from registry.errors import EngineVersionError
from tests.node.invented_ports import InventedNetwork, InventedTimers
from tests.node.invented_world import Disk, InventedClock
from tests.node.town_chain import consensus_keys, make_application, make_town, pooled

OWN = 1
"""Our index in the set: the proposer of height 1, round 0."""


class Setting:
    """A node on an invented network; the other three are keys in the test's hand."""

    def __init__(self, folder, own=OWN):
        self.town = make_town()
        self.own = own
        self.keys = consensus_keys(self.town)
        self.members = [one.agency_id for one in self.town.genesis.validator_set.validators]
        self.network = InventedNetwork([one for one in self.members if one != self.members[own]])
        self.timers, self.clock, self.disk = InventedTimers(), InventedClock(), Disk()
        self.clock.time_ms = self.town.time_ms + 1_000
        self.vault = Vault.open(folder / "vault")
        self.application = make_application(folder / "chain", self.town)
        self.pool = Mempool()
        signer = GuardedSigner(self.keys[own], self.disk, allow_missing=True)
        identity = Identity(self.members[own], round_robin)
        self.driver = Driver(
            identity,
            self.town.network_id,
            signer,
            journal=self.disk,
            clock=self.clock,
            log=SilentLog(),
        )
        ports = Ports(
            network=self.network,
            timers=self.timers,
            clock=self.clock,
            log=SilentLog(),
            vault=self.vault,
        )
        self.world = NodeWorld(self.application, self.pool, self.driver, ports)
        self.service = NodeService(self.world, self.vault.body)

    def start(self, from_height=1):
        self.world.start(Permission(from_height), tuple(self.disk.frames))

    def give(self, index, *messages):
        raws = tuple(one if isinstance(one, bytes) else print_message(one) for one in messages)
        self.world.intake.take(self.members[index], raws)

    def vote(self, index, vote_type, block_id, height=1, round_number=0, key=None):
        message = vote_message(self.town.network_id, vote_type, height, round_number, block_id)
        signature = (key or self.keys[index]).sign(message)
        return SignedVote(vote_type, height, round_number, block_id, index, signature)

    def fire_soon(self):
        """Let pass what was put off for a moment; timeouts of consensus stay."""
        while soon := [one for one in self.timers.pending if one[0] == 0]:
            for one in soon:
                self.timers.pending.remove(one)
                one[1]()

    def sent(self, kind):
        found = map(parse_message, self.network.messages)
        return [one for one in found if isinstance(one, kind)]

    def close(self):
        self.application.close()
        self.vault.close()


@pytest.fixture
def setting(tmp_path):
    made = Setting(tmp_path)
    yield made
    made.close()


def propose(setting):
    """Put an entry into the pool and let the node propose and prevote."""
    setting.town.create_identity()
    (entry,) = setting.town.blocks[0][2]
    for digest, body in setting.town.bodies.items():
        setting.vault.put_bodies({digest: body})
    setting.pool.add(pooled(setting.application, entry.raw))
    setting.start()
    setting.fire_soon()
    (proposal,) = setting.sent(SignedProposal)
    return proposal


def test_what_waits_in_the_pool_is_proposed_pushed_and_prevoted(setting):
    proposal = propose(setting)
    assert [path for path, _body in setting.network.bulk] == [BLOCK_PATH]
    (prevote,) = setting.sent(SignedVote)
    assert prevote.block_id == proposal.block_id
    assert setting.world.exchange.get(proposal.block_id).header.entries_count == 1


def test_votes_of_the_others_decide_and_the_block_is_stored_and_served(setting):
    block_id = propose(setting).block_id
    for vote_type in VoteType:
        for index in (0, 2):
            setting.give(index, setting.vote(index, vote_type, block_id))
    assert setting.application.tip_height == 1
    assert setting.driver.height == 2
    assert setting.service.certified_block(1) is not None
    assert setting.service.block_bytes(block_id) is not None
    answer = parse_answer(setting.service.status(setting.members[0]))
    assert answer.tip_height == 1
    assert set(answer.votes) == {setting.members[0], setting.members[2]}


@pytest.mark.parametrize("raw", [b"", b"\x90", b"garbage", bytes(100)])
def test_bytes_that_are_no_message_are_refused(raw, setting):
    setting.start()
    with pytest.raises(InvalidDataError):
        setting.give(0, raw)


def test_a_vote_that_its_validator_did_not_sign_is_refused_and_what_came_before_counts(setting):
    setting.start()
    good = setting.vote(0, VoteType.PREVOTE, None)
    forged = setting.vote(2, VoteType.PREVOTE, None, key=setting.keys[3])
    with pytest.raises(BadSignatureError):
        setting.give(0, good, forged)
    assert setting.driver.is_known(good)
    assert not setting.driver.is_known(forged)


def test_a_copy_is_dropped_and_only_new_inputs_reach_the_disk(setting):
    setting.start()
    vote = setting.vote(0, VoteType.PREVOTE, None)
    setting.give(0, vote)
    before = len(setting.disk.frames)
    setting.give(0, vote, vote)
    setting.give(2, vote)
    assert len(setting.disk.frames) == before


def test_messages_of_far_heights_are_no_fault_and_no_work(setting):
    setting.start()
    before = len(setting.disk.frames)
    setting.give(0, setting.vote(0, VoteType.PREVOTE, None, height=50))
    assert len(setting.disk.frames) == before


def test_a_wrong_signature_for_a_later_height_is_not_held_against_anybody(setting):
    setting.start()
    setting.give(0, setting.vote(0, VoteType.PREVOTE, None, height=3, key=setting.keys[3]))
    assert setting.network.blamed == []


def test_two_different_votes_become_evidence_that_is_sent_on_once(setting):
    setting.start()
    one, other = (setting.vote(0, VoteType.PREVOTE, value) for value in (None, bytes(32)))
    setting.give(0, one, other)
    evidence = evidence_of(one, other)
    setting.give(2, evidence)
    assert len(setting.world.evidence) == 1
    assert setting.network.messages.count(print_message(evidence)) == 1


def test_evidence_that_does_not_hold_is_refused(setting):
    setting.start()
    one, other = (setting.vote(0, VoteType.PREVOTE, value) for value in (None, bytes(32)))
    evidence = evidence_of(one, other)
    forged = replace(evidence, second=replace(evidence.second, signature=one.signature))
    with pytest.raises(InvalidDataError):
        setting.give(2, forged)
    assert len(setting.world.evidence) == 0


def test_who_is_behind_stops_listening_to_votes_and_asks_for_blocks(setting):
    setting.start()
    for index in (0, 2):
        setting.give(index, Status(8, 0, Phase.PROPOSE, 7))
    assert setting.world.sync.is_active
    before = len(setting.disk.frames)
    setting.give(0, setting.vote(0, VoteType.PREVOTE, None))
    assert len(setting.disk.frames) == before
    assert any(path.startswith(BLOCKS_PATH) for _peer, path in setting.network.asked)


def test_where_it_may_not_vote_it_says_nothing(setting):
    setting.town.create_identity()
    setting.pool.add(pooled(setting.application, setting.town.blocks[0][2][0].raw))
    setting.start(from_height=3)
    setting.fire_soon()
    assert setting.sent(SignedVote) == setting.sent(SignedProposal) == []


def test_a_failure_of_the_core_stops_the_node_and_is_told(setting):
    told: list[BaseException] = []
    setting.world.on_failure = told.append
    block_id = propose(setting).block_id
    setting.world.exchange.forget_through(1)  # as if the bytes were gone: must never happen
    for vote_type in VoteType:
        for index in (0, 2):
            setting.give(index, setting.vote(index, vote_type, block_id))
    assert [type(error) for error in told] == [InconsistentError]
    assert setting.application.tip_height == 0


def test_a_proposal_by_somebody_whose_turn_it_is_not_is_not_answered(setting):
    setting.start()
    unsigned = SignedProposal(1, 0, bytes(32), -1, setting.clock.time_ms, 2, b"")
    signature = setting.keys[2].sign(proposal_message(setting.town.network_id, unsigned))
    setting.give(2, replace(unsigned, signature=signature))
    setting.fire_soon()
    assert bytes(32) not in {vote.block_id for vote in setting.sent(SignedVote)}
    assert not any("block-bytes" in path for _peer, path in setting.network.asked)


def test_a_node_begins_no_height_whose_rules_it_lacks(setting, monkeypatch):
    monkeypatch.setattr("registry.engine.ENGINE_VERSION", 0)
    with pytest.raises(EngineVersionError):
        setting.start()
    assert setting.network.messages == []
