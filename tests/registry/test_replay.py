"""Replay from genesis: what holds is yielded, the first difference is named."""

from dataclasses import replace
from typing import Any

import pytest

from keys.hashing import Digest
from ledger import merkle, state_tree
from ledger.blocks import Block, Header, build_block
from ledger.canonical import encode
from ledger.chain import VerifiedBlock
from ledger.entries import Entry, parse_entry
from ledger.outcomes import outcomes_root
from registry.apply import BlockContext, execute, validator_set_at
from registry.errors import (
    OutcomesDifferError,
    ReplaySignatureError,
    RuleViolatedError,
    StateDiffersError,
)
from registry.genesis_state import initial_state, initial_values
from registry.replay import Replayer, replay
from registry.state import State
from tests.registry.town import Town, by, plain_value, seed


def header(height: int, time_ms: int, town: Town, **roots) -> Header:
    """A header of which only what replay compares is true."""
    zero = Digest(bytes(32))
    return Header(
        network_id=town.network_id,
        height=height,
        round=0,
        time_ms=time_ms,
        parent=zero,
        headers_root=zero,
        entries_root=merkle.EMPTY_ROOT,
        entries_count=0,
        log_size=0,
        log_root=zero,
        validators=zero,
        next_validators=zero,
        proposer=0,
        evidence_root=merkle.EMPTY_ROOT,
        **roots,
    )


class Chain:
    """The blocks of a town with true roots, computed the slow way: the whole tree each time."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.hashes = {
            bytes(key): value for key, value in initial_state(town.genesis).tree_changes().items()
        }
        first = initial_state(town.genesis).changes()
        self.stored = {key: value for key, value in first.items() if value is not None}
        self.blocks = [self.block(*one) for one in town.blocks]

    def block(self, height: int, time_ms: int, entries: list[Entry]) -> Block:
        state = State(self.stored.get)
        context = BlockContext(height, 0, time_ms, self.town.network_id)
        outcomes = execute(state, entries, context).outcomes
        for position, value_hash in state.tree_changes().items():
            self.hashes[bytes(position)] = value_hash
        for name, stored in state.changes().items():
            self.stored.pop(name, None)
            if stored is not None:
                self.stored[name] = stored
        made = header(
            height,
            time_ms,
            self.town,
            outcomes_root=outcomes_root(outcomes),
            state_root=state_tree.update(lambda _key: None, self.hashes).root,
        )
        return build_block(made, entries, ())


@pytest.fixture(scope="module")
def chain() -> Chain:
    town = Town()
    anna, paul = town.adult("anna"), town.adult("paul")
    town.accept(town.birth(mother=anna, father=paul))
    title = town.title({anna: "anna"})
    town.accept(town.sale(title, ["anna"], {paul: "paul"}))
    town.accept(town.contact(anna, by("subject", "anna")))
    return Chain(town)


def walked(blocks):
    unasked: Any = None
    return [VerifiedBlock(block, unasked, unasked) for block in blocks]


def with_header(block: Block, **changes) -> Block:
    return replace(block, header=replace(block.header, **changes))


def test_a_true_chain_is_replayed_to_its_last_root(chain):
    replayer = Replayer(chain.town.genesis)
    found = [replayer.replay_block(block) for block in chain.blocks]
    assert replayer.state_root == chain.blocks[-1].header.state_root
    numbers = [block.outcomes[0].registration_number for block in found]
    assert [number for number in numbers if number] == [
        "birth/1/2026",
        "land/1/2026",
        "land/2/2026",
    ]
    assert len(list(replay(walked(chain.blocks), chain.town.genesis))) == len(chain.blocks)


def test_entries_that_were_verified_before_are_not_verified_again(chain):
    replayer = Replayer(chain.town.genesis)
    block = chain.blocks[0]
    verified = [chain.town.verified(entry) for entry in block.entries]
    assert replayer.replay_block(block, verified).block is block


def test_another_state_root_is_found_with_its_height(chain):
    blocks = [*chain.blocks[:3], with_header(chain.blocks[3], state_root=Digest(seed("other")))]
    with pytest.raises(StateDiffersError) as found:
        list(replay(walked(blocks), chain.town.genesis))
    assert found.value.details["height"] == 4
    assert found.value.details["expected"] == seed("other").hex()
    assert found.value.details["found"] == chain.blocks[3].header.state_root.hex()


def test_other_outcomes_are_found_before_the_state(chain):
    damaged = with_header(
        chain.blocks[2], outcomes_root=Digest(seed("x")), state_root=Digest(seed("y"))
    )
    with pytest.raises(OutcomesDifferError) as found:
        list(replay(walked([*chain.blocks[:2], damaged]), chain.town.genesis))
    assert found.value.details["height"] == 3


def test_an_entry_that_a_rule_refuses_is_named_with_the_rule(chain):
    twice = replace(chain.blocks[0], entries=chain.blocks[0].entries * 2)
    with pytest.raises(RuleViolatedError) as found:
        list(replay(walked([twice]), chain.town.genesis))
    details = found.value.details
    assert (details["height"], details["index"]) == (1, 1)
    assert details["rule"] == "registry.replayed"


def test_a_forged_signature_is_its_own_kind_of_difference(chain):
    entry = chain.blocks[-1].entries[0]
    parts, slots = plain_value(entry.raw)
    forged = parse_entry(encode((parts, (slots[1], slots[0]))))
    damaged = replace(chain.blocks[-1], entries=(forged,))
    with pytest.raises(ReplaySignatureError) as found:
        list(replay(walked([*chain.blocks[:-1], damaged]), chain.town.genesis))
    assert found.value.details["rule"] == "registry.bad_signature"


def test_a_block_without_entries_changes_nothing(chain):
    replayer = Replayer(chain.town.genesis)
    before = replayer.state_root
    empty = build_block(
        header(
            1, chain.town.time_ms, chain.town,
            outcomes_root=merkle.EMPTY_ROOT, state_root=before,
        ),
        [],
        (),
    )  # fmt: skip
    replayer.replay_block(empty)
    assert replayer.state_root == before


def test_genesis_values_name_the_validators_and_every_founding_officer(chain):
    values = initial_values(chain.town.genesis)
    kinds = [key[0] for key in values]
    assert kinds.count("officer") == 12
    assert kinds.count("agency") == 4
    state = Replayer(chain.town.genesis).state
    assert validator_set_at(state, 1) == chain.town.genesis.validator_set
