"""The chain store: a block is there with all that it brings, or not at all."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import plyvel
import pytest

from ledger import merkle, state_tree, store_layout, store_proofs
from ledger.canonical import Value
from ledger.errors import CorruptStoreError, InvalidDataError, StoreInUseError
from ledger.quorum import print_quorum_certificate
from ledger.receipts import check_receipt, parse_receipt, print_receipt
from ledger.state_keys import (
    StateKey,
    key_bytes,
    key_bytes_hash,
    key_hash,
    read_stored_value,
    stored_value,
    stored_value_hash,
)
from ledger.store import ChainStore, CommitBatch, StoreMissingError
from ledger.trust import OLD_HEADER_MS, StaleTrustError, parse_trust
from ledger.validators import ValidatorSet
from tests.networks import GENESIS_MS, ChainBuilder, Network, seed, small_entry, small_network

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
    ) -> CommitBatch:
        height = self.store.height + 1
        blind = seed("state blind", height)[:16]
        state = {
            key_bytes(key): None if value is None else stored_value(blind, value)
            for key, value in changes.items()
        }
        tree = state_tree.update(self.store.page_reader(), tree_changes(state))
        network_id = self.network.genesis.network_id
        made = [small_entry(network_id, (height, number)) for number in range(entries)]
        block, certificate = self.builder.next_block(
            made, state_root=tree.root, next_validators=next_validators
        )
        outcomes = self.builder.outcomes[-1]
        return CommitBatch(
            block=block,
            quorum_certificate=print_quorum_certificate(certificate),
            outcomes=[outcome.to_bytes() for outcome in outcomes],
            registration_numbers=[f"{height}/{number}" for number in range(entries)],
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


@pytest.fixture(scope="module")
def network() -> Network:
    return small_network()


@pytest.fixture
def chain(tmp_path, network):
    made = StoredChain(tmp_path / "node", network)
    yield made
    made.store.close()


def test_a_committed_block_is_found_by_height_entry_record_and_number(chain):
    chain.commit({("x", 1): "one"})
    batch = chain.commit({("x", 2): "two"})
    store, entry = chain.store, batch.block.entries[1]
    assert store.height == 2
    assert store.block(2) == batch.block
    assert store.tip_header() == batch.block.header
    assert print_quorum_certificate(store.quorum_certificate(2)) == batch.quorum_certificate
    assert store.outcomes(2) == tuple(batch.outcomes)
    assert store.locate(entry.entry_digest) == (2, 1)
    assert store.entry(2, 1) == entry
    assert list(store.history(entry.records[0].record_id)) == [(1, 2, 1)]
    assert store.locate_number("2/1") == (2, 1)
    assert store.locate_number("9/9") is None
    assert store.locate(bytes(32)) is None


def test_state_is_read_back_overwritten_and_deleted(chain):
    chain.commit({("x", 1): "one", ("y",): [1, 2]})
    chain.commit({("x", 1): "two", ("y",): None})
    read = chain.store.state_reader()
    stored = read(key_bytes(("x", 1)))
    assert stored is not None
    assert read_stored_value(stored)[1] == "two"
    assert read(key_bytes(("y",))) is None
    assert [key for key, _stored in chain.store.scan_state("x")] == [key_bytes(("x", 1))]
    assert chain.store.state_root == chain.roots[-1]


def test_a_store_opens_again_where_it_was_closed(tmp_path, chain):
    chain.commit({("x",): 1})
    tip = chain.store.tip
    chain.store.close()
    with ChainStore.open(tmp_path / "node") as again:
        assert again.tip == tip
        assert again.genesis == chain.network.genesis


def test_every_kept_height_proves_presence_and_absence_under_its_own_root(chain):
    values: dict[int, dict[StateKey, Value]] = {}
    for height in range(1, 8):
        changed: dict[StateKey, Value] = {
            ("x", number): f"{height}" for number in range(0, 40, height)
        }
        chain.commit({**changed, ("gone", height): 1, ("gone", height - 1): None})
        values[height] = {**values.get(height - 1, {}), **changed}
    for height in range(8):
        root = chain.roots[height]
        for number in range(40):
            proved = store_proofs.prove_state(chain.store, ("x", number), height)
            expected = values.get(height, {}).get(("x", number))
            if proved.stored is None:
                assert expected is None
                state_tree.check_absence(root, key_hash(("x", number)), proved.proof)
            else:
                assert read_stored_value(proved.stored)[1] == expected
                digest = stored_value_hash(proved.stored)
                state_tree.check_presence(root, key_hash(("x", number)), digest, proved.proof)


def test_a_height_outside_the_window_is_refused(chain, monkeypatch):
    monkeypatch.setattr(store_layout, "UNDO_HEIGHTS", 2)
    for height in range(1, 6):
        chain.commit({("x",): height})
    assert store_proofs.prove_state(chain.store, ("x",), 3).height == 3
    for height in (-1, 0, 2, 6):
        with pytest.raises(store_proofs.TooOldStateError):
            store_proofs.prove_state(chain.store, ("x",), height)
    with pytest.raises(CorruptStoreError):
        chain.store.undo(3)


def test_a_receipt_from_the_store_passes_every_check(chain):
    for height in range(1, 4):
        chain.commit({("x",): height}, entries=height)
    trust = store_proofs.trust_bundle(chain.store, NOW_MS)
    entries = [entry for block in chain.builder.blocks for entry in block.entries]
    for entry in entries:
        receipt = store_proofs.receipt(chain.store, entry.entry_digest)
        assert parse_receipt(print_receipt(receipt)) == receipt
        assert receipt.anchor is None
        checked = check_receipt(receipt, trust, NOW_MS)
        assert checked.entry_digest == entry.entry_digest
        assert checked.signers == 3
        with pytest.raises(StaleTrustError):
            check_receipt(receipt, trust, NOW_MS + 1)
    with pytest.raises(store_proofs.NoSuchEntryError):
        store_proofs.receipt(chain.store, bytes(32))


def test_an_old_receipt_from_the_store_has_an_anchor(chain):
    first = chain.commit({("x",): 1})
    for height in range(2, 5):
        chain.commit({("x",): height})
    chain.builder.skip_ms = OLD_HEADER_MS + 1
    chain.commit({("x",): 5})
    receipt = store_proofs.receipt(chain.store, first.block.entries[0].entry_digest)
    assert receipt.anchor is not None
    trust = store_proofs.trust_bundle(chain.store, 2**62)
    check_receipt(parse_receipt(print_receipt(receipt)), trust, NOW_MS)


def test_the_log_proves_inclusion_and_growth(chain):
    sizes, roots = [], []
    for height in range(1, 5):
        batch = chain.commit({("x",): height}, entries=3)
        sizes.append(batch.block.header.log_size)
        roots.append(batch.block.header.log_root)
    entries = [entry for block in chain.builder.blocks for entry in block.entries]
    for index, entry in enumerate(entries):
        assert chain.store.log_leaf(index) == entry.log_leaf
        path = store_proofs.log_inclusion(chain.store, index, sizes[-1])
        leaf = merkle.leaf_hash(entry.log_leaf)
        merkle.check_inclusion(leaf, index, sizes[-1], path, roots[-1])
    for size, root in zip(sizes, roots, strict=True):
        path = store_proofs.log_consistency(chain.store, size, sizes[-1])
        merkle.check_consistency(size, root, sizes[-1], roots[-1], path)
    with pytest.raises(InvalidDataError):
        store_proofs.log_inclusion(chain.store, 0, sizes[-1] + 1)


def test_a_changed_validator_set_is_in_the_trust_bundle(chain):
    smaller = ValidatorSet(chain.network.genesis.validator_set.validators[1:])
    chain.commit({("x",): 1})
    chain.commit({("x",): 2}, next_validators=smaller)
    chain.commit({("x",): 3})
    assert [height for height, _set in chain.store.validator_changes()] == [2]
    trust = store_proofs.trust_bundle(chain.store, NOW_MS)
    assert parse_trust(trust.to_bytes()) == trust
    assert [len(trust.validators_at(height)) for height in (1, 2, 3, 4)] == [4, 4, 3, 3]


def test_a_view_does_not_see_later_commits(chain):
    chain.commit({("x",): 1})
    with chain.store.view() as frozen:
        chain.commit({("x",): 2})
        assert frozen.height == 1
        proved = store_proofs.prove_state(frozen, ("x",))
        assert value_of(proved) == 1
        with pytest.raises(CorruptStoreError):
            frozen.commit(chain.batch({("x",): 3}))
    assert chain.store.height == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda batch: {"outcomes": batch.outcomes[:-1]},
        lambda batch: {"outcomes": tuple(reversed(batch.outcomes))},
        lambda _batch: {"registration_numbers": ()},
        lambda _batch: {"pages": {}},
    ],
)
def test_a_batch_whose_pieces_do_not_belong_together_changes_nothing(chain, damage):
    chain.commit({("x",): 1})
    batch = chain.batch({("x",): 2})
    with pytest.raises(CorruptStoreError):
        chain.store.commit(replace(batch, **damage(batch)))
    assert chain.store.height == 1
    chain.store.commit(batch)
    with pytest.raises(CorruptStoreError):
        chain.store.commit(batch)


def damaged_rows(height: int) -> dict[str, tuple[bytes, bytes | None]]:
    key = store_layout.height_key
    return {
        "no tip": (store_layout.TIP, None),
        "a torn tip": (store_layout.TIP, b"\x97"),
        "another layout": (store_layout.FORMAT, b"2"),
        "no genesis": (store_layout.GENESIS, None),
        "no block": (key(store_layout.BLOCK, height), None),
        "a torn block": (key(store_layout.BLOCK, height), b"\x93\xc4"),
        "no outcomes": (key(store_layout.OUTCOMES, height), None),
        "other outcomes": (key(store_layout.OUTCOMES, height), b"\x90"),
        "no certificate": (key(store_layout.QUORUM, height), None),
        "no root page": (store_layout.PAGE + b"\x00", None),
        "a block from the future": (key(store_layout.BLOCK, height + 1), b"\x93"),
    }


@pytest.mark.parametrize("damage", damaged_rows(2))
def test_a_damaged_store_refuses_to_open(tmp_path, chain, damage):
    chain.commit({("x",): 1})
    chain.commit({("x",): 2})
    chain.store.close()
    row, value = damaged_rows(2)[damage]
    db = plyvel.DB(str(tmp_path / "node" / "chain"))
    if value is None:
        db.delete(row)
    else:
        db.put(row, value)
    db.close()
    with pytest.raises(CorruptStoreError):
        ChainStore.open(tmp_path / "node")


def test_an_older_block_and_certificate_in_place_of_the_newest_is_noticed(tmp_path, chain):
    chain.commit({("x",): 1})
    chain.commit({("x",): 2})
    old = chain.store.block_raw(1)
    chain.store.close()
    db = plyvel.DB(str(tmp_path / "node" / "chain"))
    db.put(store_layout.height_key(store_layout.BLOCK, 2), old)
    db.close()
    with pytest.raises(CorruptStoreError):
        ChainStore.open(tmp_path / "node")


def test_a_missing_and_a_locked_store_have_codes_of_their_own(tmp_path, chain):
    with pytest.raises(StoreMissingError):
        ChainStore.open(tmp_path / "elsewhere")
    with pytest.raises(StoreInUseError):
        ChainStore.open(tmp_path / "node")
    with pytest.raises(CorruptStoreError):
        ChainStore.create(tmp_path / "node", chain.network.genesis, {}, {})


def test_an_auditor_reads_a_copy_and_cannot_commit(tmp_path, chain):
    chain.commit({("x",): 1})
    batch = chain.batch({("x",): 2})
    chain.store.close()
    shutil.copytree(tmp_path / "node", tmp_path / "copy")
    with ChainStore.open(tmp_path / "copy", read_only=True) as copy:
        assert copy.block(1) == chain.builder.blocks[0]
        with pytest.raises(CorruptStoreError):
            copy.commit(batch)


COMMITS_UNTIL_KILLED = """
import sys
from collections.abc import Mapping
from pathlib import Path
from tests.ledger.test_store import StoredChain
from tests.networks import small_network
chain = StoredChain(Path(sys.argv[1]), small_network())
while True:
    height = chain.store.height + 1
    chain.commit({("x", number): f"{height}" for number in range(50)}, entries=4)
    print(height, flush=True)
"""


@pytest.mark.parametrize("commits", [1, 2, 5, 9])
def test_a_node_killed_amid_commits_is_at_one_height_or_the_next(tmp_path, project_root, commits):
    """Invariant: what was acknowledged is there, whole; at most one block more."""
    child = subprocess.Popen(
        [sys.executable, "-c", COMMITS_UNTIL_KILLED, str(tmp_path / "node")],
        stdout=subprocess.PIPE,
        cwd=project_root,
        env={**os.environ, "PYTHONPATH": str(project_root)},
    )
    output = child.stdout
    assert output is not None
    with child:
        acknowledged = 0
        while acknowledged < commits:
            acknowledged = int(output.readline())
        child.send_signal(signal.SIGKILL)
        rest = output.read().split()
    acknowledged = int(rest[-1]) if rest else acknowledged
    with ChainStore.open(tmp_path / "node") as store:
        assert store.height in {acknowledged, acknowledged + 1}
        for height in range(1, store.height + 1):
            assert store.block(height).header.height == height
        for number in range(50):
            proved = store_proofs.prove_state(store, ("x", number))
            assert value_of(proved) == f"{store.height}"
        assert store.state_root == store.header(store.height).state_root
