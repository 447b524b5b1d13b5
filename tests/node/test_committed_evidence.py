"""Evidence in blocks: the next proposer takes it, the store finds it, operators are told."""

from typing import Any

from consensus.evidence import evidence_of
from consensus.messages import SignedVote, VoteType, vote_message
from consensus.wire import print_message
from ledger.ids import print_id
from node.application import Turn
from node.committed_evidence import committed_evidence
from tests.node.town_chain import certificate, consensus_keys, make_application, make_town


def told_of(application, before, limit) -> list[Any]:
    """The pieces of blocks below a height as JSON gives them to a reader."""
    return list(committed_evidence(application, before, limit))


def equivocation(town, height, index):
    """Two precommits of one validator for different blocks."""
    key = consensus_keys(town)[index]
    votes = []
    for block_id in (b"1" * 32, b"2" * 32):
        message = vote_message(town.network_id, VoteType.PRECOMMIT, height, 0, block_id)
        votes.append(SignedVote(VoteType.PRECOMMIT, height, 0, block_id, index, key.sign(message)))
    return evidence_of(*votes)


def extend(application, town, *evidence):
    height = application.tip_height + 1
    raw = tuple(print_message(one) for one in sorted(evidence, key=lambda one: one.sort_key))
    turn = Turn(round=0, proposer=height % 4, time_ms=town.time_ms + height, evidence=raw)
    block = application.finish_draft(application.begin_draft(), turn)
    application.commit(block, certificate(town, height, block.header.digest))


def test_the_evidence_of_all_blocks_is_told_the_newest_first_with_names(tmp_path):
    town = make_town()
    application = make_application(tmp_path, town)
    extend(application, town)
    one, two = equivocation(town, 1, 2), equivocation(town, 1, 3)
    extend(application, town, one, two)
    extend(application, town)
    third = equivocation(town, 3, 0)
    extend(application, town, third)
    told = told_of(application, 5, 64)
    assert [(piece["block"], piece["height"]) for piece in told] == [(4, 3), (2, 1), (2, 1)]
    validators = town.genesis.validator_set
    assert told[0]["agency"] == print_id(validators[0].agency_id)
    names = {agency.agency_id: agency.name for agency in town.genesis.template.agencies}
    assert told[0]["name"] == names[validators[0].agency_id]
    assert told[0]["message"] == "precommit"
    assert told[0]["said"] == [(b"1" * 32).hex(), (b"2" * 32).hex()]
    assert bytes.fromhex(told[0]["evidence"]) == print_message(third)
    assert [piece["block"] for piece in told_of(application, 4, 64)] == [2, 2]
    assert [piece["block"] for piece in told_of(application, 5, 2)] == [4, 2]


def test_a_chain_without_evidence_tells_of_none(tmp_path):
    town = make_town()
    application = make_application(tmp_path, town)
    extend(application, town)
    assert told_of(application, 2, 64) == []
