"""Blocks built by one application and checked, executed and committed by another, on LevelDB."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from consensus import block_evidence
from consensus.block_evidence import RecentEvidence, deed_of
from consensus.evidence import evidence_of
from consensus.messages import SignedVote, VoteType, vote_message
from consensus.wire import print_message
from keys.hashing import Digest
from ledger.blocks import HEADER_BYTES_MAX, Block, build_block, parse_block
from ledger.canonical import encode
from ledger.store import ChainStore
from node.application import Turn
from node.errors import InconsistentError, InvalidProposalError
from node.evidence_pool import EvidencePool
from node.mempool import Mempool
from node.proposals import FILL_MS_MAX, build_proposal
from registry.errors import EngineVersionError
from tests.node.town_chain import (
    FAST,
    certificate,
    consensus_keys,
    make_application,
    make_town,
    pooled,
)

if TYPE_CHECKING:
    from ledger.entries import Entry


@pytest.fixture
def town():
    return make_town()


@pytest.fixture
def proposer(tmp_path, town):
    application = make_application(tmp_path / "proposer", town)
    yield application
    application.close()


@pytest.fixture
def validator(tmp_path, town):
    application = make_application(tmp_path / "validator", town)
    yield application
    application.close()


def turn_of(application, **given):
    height = application.tip_height + 1
    defaults = {"round": 0, "proposer": height % 4, "time_ms": application.tip_time_ms + 1_000}
    return Turn(**(defaults | given))


def build(application, entries=(), **given):
    """Build the next block; entries that do not apply raise."""
    turn = turn_of(application, **given)
    draft = application.begin_draft()
    for entry in entries:
        verified = application.verified(draft.state, application.entries.parse(entry.raw))
        application.try_entry(draft, verified, turn.time_ms)
    return application.finish_draft(draft, turn)


def commit(town, application, block):
    height, block_id = block.header.height, block.header.digest
    return application.commit(block, certificate(town, height, block_id))


def town_entries(town, people=3):
    """Entries that build on one another, in order."""
    for number in range(people):
        town.adult(f"person {number}")
    return [entry for _height, _time_ms, entries in town.blocks for entry in entries]


def test_what_one_builds_another_accepts_and_both_reach_the_same_state(town, proposer, validator):
    entries = town_entries(town)
    parts: list[list[Entry]] = [entries[:4], entries[4:], []]
    for part in parts:
        block = build(proposer, part)
        received = parse_block(block.raw, validator.entries.parse)
        validator.check(received)
        committed = [commit(town, one, received) for one in (proposer, validator)]
        assert committed[0].outcomes == committed[1].outcomes
        assert [one.entry_digest for one in committed[0].outcomes] == [
            entry.entry_digest for entry in part
        ]
    assert proposer.store.state_root == validator.store.state_root
    assert proposer.store.tip == validator.store.tip
    assert proposer.tip_height == 3
    assert proposer.store.tip.log.size == len(entries)


def test_a_committed_chain_is_found_again_when_the_store_is_opened(town, proposer, tmp_path):
    block = build(proposer, town_entries(town))
    commit(town, proposer, block)
    root = proposer.store.state_root
    proposer.close()
    with ChainStore.open(tmp_path / "proposer") as again:
        assert again.tip.parent == block.header.digest
        assert again.state_root == root
        assert again.quorum_certificate(1).block_id == block.header.digest


def test_a_block_is_the_same_whether_its_signatures_were_verified_before_or_not(
    town, proposer, validator
):
    entries = town_entries(town)
    block = build(proposer, entries)
    assert all(proposer.entries.verified(entry) is not None for entry in block.entries)
    assert all(validator.entries.verified(entry) is None for entry in block.entries)
    validator.check(parse_block(block.raw, validator.entries.parse))


CHANGES = {
    "state_root": Digest(bytes(32)),
    "outcomes_root": Digest(bytes(32)),
    "next_validators": Digest(bytes(32)),
    "validators": Digest(bytes(32)),
    "parent": Digest(bytes(32)),
    "headers_root": Digest(bytes(32)),
    "log_root": Digest(bytes(32)),
    "network_id": Digest(bytes(32)),
    "log_size": 77,
    "height": 9,
    "time_ms": 1,
    "proposer": 3,
    "round": 1,
}


@pytest.mark.parametrize("field", CHANGES)
def test_a_header_that_lies_is_refused(field, town, proposer, validator):
    block = build(proposer, town_entries(town))
    lie = build_block(replace(block.header, **{field: CHANGES[field]}), block.entries, ())
    with pytest.raises(InvalidProposalError):
        validator.check(lie)
    assert validator.tip_height == 0


def test_an_entry_that_does_not_apply_makes_the_block_invalid(town, proposer, validator):
    block = build(proposer, town_entries(town))
    swapped = (block.entries[1], block.entries[0], *block.entries[2:])
    with pytest.raises(InvalidProposalError):
        validator.check(build_block(block.header, swapped, ()))


def test_an_entry_with_a_wrong_signature_makes_the_block_invalid(town, proposer, validator):
    entries = town_entries(town)
    first = entries[0]
    assert isinstance(first.slots[0], bytes)
    forged = replace(first, slots=(first.slots[1], *first.slots[1:]))
    block = build(proposer, entries)
    header = block.header
    raw = first.raw.replace(first.slots[0], first.slots[1])
    damaged = validator.entries.parse(raw)
    assert damaged.slots == forged.slots
    lie = build_block(header, (damaged, *block.entries[1:]), ())
    with pytest.raises(InvalidProposalError):
        validator.check(lie)


def test_a_decided_block_that_is_invalid_here_stops_the_node(town, proposer):
    block = build(proposer, town_entries(town))
    lie = build_block(replace(block.header, state_root=Digest(bytes(32))), block.entries, ())
    with pytest.raises(InconsistentError):
        commit(town, proposer, lie)
    assert proposer.tip_height == 0


def test_a_block_of_a_past_height_is_not_committed_again(town, proposer):
    block = build(proposer, town_entries(town))
    commit(town, proposer, block)
    with pytest.raises(InconsistentError):
        commit(town, proposer, block)


def test_several_blocks_of_one_height_are_checked_apart_and_one_is_committed(
    town, proposer, validator
):
    entries = town_entries(town)
    first, second = build(proposer, entries[:2]), build(proposer, entries[:4], round=1, proposer=2)
    for block in (first, second, first):
        validator.check(parse_block(block.raw, validator.entries.parse))
    commit(town, validator, second)
    assert validator.store.tip.log.size == 4


def equivocation(town, height=1, block_ids=(None, bytes(32))):
    """Two prevotes of validator 2 for one place."""
    keys, votes = consensus_keys(town), []
    for block_id in block_ids:
        message = vote_message(town.network_id, VoteType.PREVOTE, height, 0, block_id)
        signature = keys[2].sign(message)
        votes.append(SignedVote(VoteType.PREVOTE, height, 0, block_id, 2, signature))
    return evidence_of(*votes)


def test_evidence_goes_into_a_block_and_holds_there(town, proposer, validator):
    pool = EvidencePool(proposer.recent_evidence)
    assert pool.add(equivocation(town))
    assert not pool.add(equivocation(town))
    block = build(proposer, evidence=pool.take(1))
    validator.check(parse_block(block.raw, validator.entries.parse))
    commit(town, proposer, block)
    pool.settle()
    assert len(pool) == 0


def test_an_equivocation_stands_in_the_chain_once_whatever_shows_it(town, proposer, validator):
    pieces = [
        print_message(equivocation(town)),
        print_message(equivocation(town, block_ids=(None, bytes([1]) * 32))),
    ]
    with pytest.raises(InvalidProposalError):
        validator.check(build_block(build(proposer).header, (), sorted(pieces)))
    first = build(proposer, evidence=(pieces[0],))
    for application in (proposer, validator):
        commit(town, application, first)
    assert not EvidencePool(proposer.recent_evidence).add(equivocation(town))
    for piece in pieces:
        with pytest.raises(InvalidProposalError, match="already"):
            validator.check(build(proposer, evidence=(piece,)))


def test_a_restarted_node_knows_what_evidence_the_chain_holds(town, proposer):
    commit(town, proposer, build(proposer, evidence=(print_message(equivocation(town)),)))
    commit(town, proposer, build(proposer))
    again = RecentEvidence(proposer.tip_height, proposer.store.block)
    assert deed_of(equivocation(town)) in again
    assert deed_of(equivocation(town, height=2)) not in again


def test_evidence_is_forgotten_when_none_of_its_height_may_come_any_more(
    town, proposer, validator, monkeypatch
):
    monkeypatch.setattr(block_evidence, "EVIDENCE_HEIGHTS", 2)
    pool = EvidencePool(proposer.recent_evidence)
    pool.add(equivocation(town, block_ids=(None, bytes([1]) * 32)))
    old = print_message(equivocation(town))
    commit(town, proposer, build(proposer, evidence=(old,)))
    commit(town, validator, proposer.store.block(1))
    for _empty in range(2):
        block = build(proposer)
        for application in (proposer, validator):
            commit(town, application, block)
    assert deed_of(equivocation(town)) not in proposer.recent_evidence
    assert not pool.add(equivocation(town, height=1))
    pool.settle()
    assert len(pool) == 0
    with pytest.raises(InvalidProposalError, match="too old"):
        validator.check(build(proposer, evidence=(old,)))


def test_evidence_that_is_none_makes_the_block_invalid(town, proposer, validator):
    good = equivocation(town)
    second = replace(good.second, signature=good.first.signature)
    later = print_message(equivocation(town, height=5))
    for pieces in (
        (b"garbage",),
        (print_message(good.first),),
        (print_message(replace(good, second=second)),),
        (print_message(good), print_message(good)),
        (later,),
    ):
        block = build(proposer)
        lie = build_block(block.header, (), pieces)
        with pytest.raises(InvalidProposalError):
            validator.check(lie)


def test_a_proposal_leaves_out_what_does_not_apply_and_reports_it(town, proposer):
    entries = town_entries(town)
    pool = Mempool()
    for entry in (entries[0], entries[2], entries[4]):
        pool.add(pooled(proposer, entry.raw))
    stale = pooled(proposer, entries[0].raw)

    def take(entries_max, bytes_max):
        return [*pool.take(entries_max, bytes_max), stale]

    proposed = build_proposal(proposer, take, turn_of(proposer), lambda: 0)
    assert len(proposed.block.entries) == 3
    assert proposed.failed == (entries[0].entry_digest,)


def test_all_that_the_pool_is_asked_for_fits_into_5_mebibytes_beside_all_evidence(proposer):
    asked = []

    def take(*most):
        asked.append(most)
        return ()

    build_proposal(proposer, take, turn_of(proposer), lambda: 0)
    ((entries, entries_bytes),) = asked
    assert entries == 1_024
    fullest = encode(
        (
            bytes(HEADER_BYTES_MAX),
            [bytes(entries_bytes // entries)] * entries,
            [bytes(64 * 1024)] * 16,
        )
    )
    most = 5 * 1024 * 1024
    assert most - 16 * 1024 < len(fullest) <= most, "and little more would"


def test_filling_a_block_stops_in_time(town, proposer):
    entries = town_entries(town)
    waiting = [pooled(proposer, entries[number].raw) for number in (0, 2, 4)]
    times = iter([0, 0, FILL_MS_MAX - 1, FILL_MS_MAX])
    proposed = build_proposal(
        proposer, lambda _entries, _bytes: waiting, turn_of(proposer), lambda: next(times)
    )
    assert len(proposed.block.entries) == 2
    assert proposed.failed == ()


def test_the_durations_of_consensus_come_from_the_state(proposer):
    assert proposer.parameters_at(1) == FAST


def test_committed_blocks_are_told_to_whoever_asked(town, proposer):
    told: list[Block] = []
    proposer.on_committed.append(lambda committed: told.append(committed.block))
    block = build(proposer)
    commit(town, proposer, block)
    assert told == [block]
    assert proposer.certified_block(1) is not None
    assert proposer.certified_block(2) is None


def test_an_application_judges_no_height_whose_rules_it_lacks(
    town, proposer, validator, monkeypatch
):
    """Neither invalid nor valid: the node stops, and goes on with a newer program."""
    block = parse_block(build(proposer).raw)
    with monkeypatch.context() as older:
        older.setattr("registry.engine.ENGINE_VERSION", 0)
        for judge in (
            validator.begin_draft,
            lambda: validator.check(block),
            lambda: commit(town, validator, block),
        ):
            with pytest.raises(EngineVersionError):
                judge()
        assert validator.tip_height == 0
    commit(town, validator, block)
    assert validator.tip_height == 1
