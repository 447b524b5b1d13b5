"""One whole node without sockets: what it takes from peers, and what it sends and asks for."""

from dataclasses import replace

import pytest

from consensus.events import FetchBodies
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
from keys.hashing import domain, hash_with
from ledger.errors import InvalidDataError
from ledger.limits import BLOCK_BODIES_BYTES_MAX, BODY_BYTES_MAX
from ledger.vault import Vault
from node.application import Turn
from node.block_exchange import BLOCK_PATH
from node.bodies import GRACE_MS, PAUSE_MS, REST_MS
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
from tests.node.named_bodies import NotingLog, block_of, serve
from tests.node.town_chain import (
    PARAMETERS,
    SealedTown,
    certificate,
    consensus_keys,
    make_application,
    make_town,
    pooled,
)

OWN = 1
"""Our index in the set: the proposer of height 1, round 0."""


class Setting:
    """A node on an invented network; the other three are keys in the test's hand."""

    def __init__(self, folder, own=OWN, log=None):
        self.log = log or SilentLog()
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
            log=self.log,
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

    def fetch_bodies(self, turns=10):
        """Let the questions for bodies and their answers pass."""
        for _ in range(turns):
            due = [one for one in self.timers.pending if one[0] in {GRACE_MS, PAUSE_MS, REST_MS}]
            for one in due:
                self.timers.pending.remove(one)
                one[1]()
            self.network.answer_all()
            self.fire_soon()

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


# --- the bodies of a block that another one proposes ---

MOST = BLOCK_BODIES_BYTES_MAX // BODY_BYTES_MAX
"""Bodies of the largest size that a block may have."""


class LargeTown(SealedTown):
    """A town whose bodies are as large as a body may be."""

    def part(self, type_name, record, **given):
        part = super().part(type_name, record, **given)
        body = self.bodies.pop(part.seal.body_digest).ljust(BODY_BYTES_MAX)
        digest = hash_with(domain("body"), body)
        self.bodies[digest] = body
        return replace(part, seal=replace(part.seal, body_digest=digest))


def validate(folder, count):
    """A validator to which another one, OWN, proposes a block of so many large bodies."""
    town = LargeTown(parameters=PARAMETERS)
    for _ in range(count):
        town.create_identity()
    setting = Setting(folder, own=0, log=NotingLog())
    setting.town = town
    proposer = make_application(folder / "proposer", town)
    draft = proposer.begin_draft()
    turn = Turn(round=0, proposer=OWN, time_ms=setting.clock.time_ms)
    for _height, _time_ms, entries in town.blocks:
        proposer.try_entry(draft, pooled(proposer, entries[0].raw).verified, turn.time_ms)
    block = proposer.finish_draft(draft, turn)
    proposer.close()
    serve(setting.network, setting.members[OWN], town.bodies)
    setting.start()
    setting.world.exchange.hold(block)
    unsigned = SignedProposal(1, 0, block.header.digest, -1, turn.time_ms, OWN, b"")
    signature = setting.keys[OWN].sign(proposal_message(town.network_id, unsigned))
    setting.give(OWN, replace(unsigned, signature=signature))
    setting.fire_soon()
    setting.fetch_bodies()
    return setting, block


@pytest.mark.parametrize(("count", "is_voted_for"), [(MOST, True), (MOST + 1, False)])
def test_a_block_is_prevoted_with_eight_mebibytes_of_bodies_and_not_with_more(
    tmp_path, count, is_voted_for
):
    setting, block = validate(tmp_path, count)
    voted = [vote.block_id for vote in setting.sent(SignedVote)]
    assert (block.header.digest in voted) == is_voted_for
    assert setting.log.count("block_bodies_too_large") == (not is_voted_for)
    assert setting.network.blamed == []
    setting.close()


def test_who_signed_a_proposal_answers_for_its_bodies_and_not_whom_its_header_names(
    tmp_path, monkeypatch
):
    setting, block = validate(tmp_path, 1)
    asked = []
    monkeypatch.setattr(setting.world.bodies, "want", lambda _block, who, _done: asked.append(who))
    for proposer in (2, None, 99):
        setting.world.fetch_bodies(FetchBodies(1, block.header.digest, proposer))
    assert asked == [setting.members[2], None, None]
    setting.close()


def test_a_block_with_too_many_bodies_that_the_others_decide_is_stored_and_has_them(tmp_path):
    """Bodies are a condition of a prevote and of nothing else."""
    setting, block = validate(tmp_path, MOST + 1)
    for index in (1, 2, 3):
        setting.give(index, setting.vote(index, VoteType.PREVOTE, block.header.digest))
        setting.give(index, setting.vote(index, VoteType.PRECOMMIT, block.header.digest))
    assert setting.application.tip_height == 1
    setting.fetch_bodies()
    assert setting.world.bodies.missing == 0
    assert setting.vault.drop_expired(2**62) == ()
    assert {one: setting.vault.body(one) for one in setting.town.bodies} == setting.town.bodies
    setting.close()


def test_a_height_that_is_stored_leaves_no_questions_and_nothing_kept_of_its_other_block(tmp_path):
    setting, block = validate(tmp_path, 3)
    signers = {entry.head.first_key_id for entry in block.entries}
    assert sum(map(setting.vault.staged_bytes, signers)) == 3 * BODY_BYTES_MAX
    setting.world.bodies.want(block_of([bytes(32)]), None, lambda: None)
    other = make_application(tmp_path / "other", setting.town)
    empty = other.finish_draft(
        other.begin_draft(), Turn(round=1, proposer=2, time_ms=setting.clock.time_ms)
    )
    other.close()
    setting.world.apply_certified(empty.raw, certificate(setting.town, 1, empty.header.digest))
    assert setting.application.tip_height == 1
    assert setting.world.bodies.missing == 0
    assert set(setting.vault.drop_expired(2**62)) == set(setting.town.bodies)
    setting.close()
