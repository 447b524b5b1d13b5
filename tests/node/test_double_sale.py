"""Acceptance case 56 on real chain stores: one title is sold twice."""

from dataclasses import replace

import pytest

from ledger import merkle
from ledger.blocks import Block, build_block
from node.application import Turn
from node.errors import InvalidProposalError
from node.proposals import build_proposal
from registry.errors import RuleError
from tests.node.town_chain import certificate, make_application, make_town, pooled


@pytest.fixture
def town():
    return make_town()


@pytest.fixture
def nodes(tmp_path, town):
    """Four nodes, of which the first proposes."""
    found = [make_application(tmp_path / f"node {number}", town) for number in range(4)]
    yield found
    for node in found:
        node.close()


def turn_of(node):
    height = node.tip_height + 1
    return Turn(round=0, proposer=height % 4, time_ms=node.tip_time_ms + 1_000)


def offer(proposer, entries):
    """The proposal of a node to which these entries are offered in this order."""
    waiting = [pooled(proposer, entry.raw) for entry in entries]
    return build_proposal(proposer, lambda *_most: waiting, turn_of(proposer), lambda: 0)


def two_sales(town, nodes):
    """Sales of one title to two buyers; everything before them is in every node's chain."""
    seller, one, two = (town.adult(name) for name in ("seller", "one", "two"))
    title = town.title({seller: "seller"})
    for _height, _time_ms, entries in town.blocks:
        block = offer(nodes[0], entries).block
        for node in nodes:
            node.commit(block, certificate(town, block.header.height, block.header.digest))
    return [town.sale(title, ["seller"], {who: name}) for who, name in ((one, "one"), (two, "two"))]


def test_case_56_a_proposer_takes_one_of_two_sales_and_names_the_other(town, nodes):
    first, second = two_sales(town, nodes)
    for order in ((first, second), (second, first)):
        proposed = offer(nodes[0], order)
        assert [entry.raw for entry in proposed.block.entries] == [order[0].raw]
        assert proposed.failed == (order[1].entry_digest,)
    block = offer(nodes[0], (first, second)).block
    for node in nodes:
        node.check(block)
        node.commit(block, certificate(town, block.header.height, block.header.digest))
        draft = node.begin_draft()
        verified = node.verified(draft.state, node.entries.parse(second.raw))
        with pytest.raises(RuleError) as refused:
            node.try_entry(draft, verified, turn_of(node).time_ms)
        assert refused.value.code == "registry.stale_version"
        assert refused.value.details["current"] == 2


def test_case_56_a_block_that_holds_both_sales_is_refused_by_every_node(town, nodes):
    first, second = two_sales(town, nodes)
    honest = offer(nodes[0], (first,)).block
    both = holding(nodes[0], honest, (first, second))
    for node in nodes:
        node.check(honest)
        with pytest.raises(InvalidProposalError) as refused:
            node.check(both)
        assert refused.value.details["reason"] == "registry.stale_version"
        assert node.tip_height == honest.header.height - 1


def holding(node, block: Block, entries) -> Block:
    """The block of a liar: with other entries, and a header that is right about them."""
    leaves = [merkle.leaf_hash(entry.log_leaf) for entry in entries]
    log = node._store.tip.log.extend(leaves)
    header = replace(
        block.header, entries_root=merkle.root(leaves), entries_count=len(entries),
        log_size=log.size, log_root=log.root(),
    )  # fmt: skip
    return build_block(header, tuple(entries), ())
