"""A chain of blocks that is committed to a store, for tests of the store."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ledger import state_tree, store_proofs
from ledger.canonical import Value
from ledger.entries import Entry
from ledger.quorum import print_quorum_certificate
from ledger.state_keys import (
    StateKey,
    key_bytes,
    key_bytes_hash,
    read_stored_value,
    stored_value,
    stored_value_hash,
)
from ledger.store import ChainStore, CommitBatch
from ledger.validators import ValidatorSet
from tests.networks import GENESIS_MS, ChainBuilder, Network, seed, small_entry

NOW_MS = GENESIS_MS + 1_000_000


class StoredChain:
    """A chain of blocks committed to a store, with a state that every block changes."""

    def __init__(self, folder: Path, network: Network) -> None:
        self.network = network
        self.builder = ChainBuilder(network)
        genesis_state = {key_bytes(("parameter", "idle_ms")): stored_value(bytes(16), 1_000)}
        tree = state_tree.update(lambda _key: None, tree_changes(genesis_state))
        self.store = ChainStore.create(folder, network.genesis, genesis_state, tree.pages)
        self.roots = [tree.root]

    def batch(
        self,
        changes: Mapping[StateKey, Value],
        entries: int = 2,
        next_validators: ValidatorSet | None = None,
        made: Sequence[Entry] = (),
    ) -> CommitBatch:
        height = self.store.height + 1
        blind = seed("state blind", height)[:16]
        state = {
            key_bytes(key): None if value is None else stored_value(blind, value)
            for key, value in changes.items()
        }
        tree = state_tree.update(self.store.page_reader(), tree_changes(state))
        network_id = self.network.genesis.network_id
        made = made or [small_entry(network_id, (height, at)) for at in range(entries)]
        block, certificate = self.builder.next_block(
            made, state_root=tree.root, next_validators=next_validators
        )
        outcomes = self.builder.outcomes[-1]
        return CommitBatch(
            block=block,
            quorum_certificate=print_quorum_certificate(certificate),
            outcomes=[outcome.to_bytes() for outcome in outcomes],
            registration_numbers=[f"{height}/{number}" for number in range(len(made))],
            state=state,
            pages=tree.pages,
            next_validators=next_validators or self.store.tip.validators,
        )

    def commit(self, changes: Mapping[StateKey, Value], **more: object) -> CommitBatch:
        batch = self.batch(changes, **more)  # type: ignore[arg-type]  # a test's own choice
        self.store.commit(batch)
        self.roots.append(batch.block.header.state_root)
        return batch


def tree_changes(state: Mapping[bytes, bytes | None]) -> dict[bytes, bytes | None]:
    return {
        key_bytes_hash(key): None if stored is None else stored_value_hash(stored)
        for key, stored in state.items()
    }


def value_of(proved: store_proofs.ProvedState) -> Value:
    assert proved.stored is not None
    return read_stored_value(proved.stored)[1]
