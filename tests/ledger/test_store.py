"""The chain store: what was committed is found, read back and proved."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ledger import merkle, state_tree, store_layout, store_proofs
from ledger.entries import About, compose
from ledger.errors import CorruptStoreError, InvalidDataError
from ledger.ids import RecordId
from ledger.quorum import print_quorum_certificate
from ledger.receipts import check_receipt, parse_receipt, print_receipt
from ledger.state_keys import (
    StateKey,
    key_bytes,
    key_hash,
    read_stored_value,
    stored_value_hash,
)
from ledger.store import ChainStore
from ledger.trust import OLD_HEADER_MS, StaleTrustError, parse_trust
from ledger.validators import ValidatorSet
from tests.ledger.stored_chain import NOW_MS, StoredChain, value_of
from tests.networks import Network, seed, small_network

if TYPE_CHECKING:
    from ledger.canonical import Value


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


def test_sets_by_height_and_a_grown_bundle_are_those_of_all_changes(chain):
    whole = chain.network.genesis.validator_set
    sets = [whole, ValidatorSet(whole.validators[1:]), ValidatorSet(whole.validators[:3])]
    held = None
    for height in range(1, 10):
        following = sets[height // 2 % 3]
        chain.commit({("x",): height}, next_validators=following)
        held = store_proofs.trust_bundle(chain.store, NOW_MS, held)
        assert held == store_proofs.trust_bundle(chain.store, NOW_MS)
        for one in range(1, height + 2):
            assert chain.store.validators_at(one) == held.validators_at(one)
    changed = [height for height, _set in chain.store.validator_changes()]
    assert len(changed) > 3
    for above in range(10):
        later = [height for height, _set in chain.store.validator_changes(above)]
        assert later == [height for height in changed if height > above]


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


def test_side_acts_and_effects_are_in_the_history_of_their_records(chain):
    batch = chain.batch({("x",): 1}, entries=2)
    touched = RecordId(seed("touched")[:16])
    chain.store.commit(replace(batch, history=[(touched, 5, 1)]))
    assert list(chain.store.history(touched)) == [(5, 1, 1)]
    written = batch.block.entries[0].records[0].record_id
    head = replace(batch.block.entries[0].head, about=About(written, 1))
    blinds = [seed("side", at)[:16] for at in range(2)]
    unsigned = compose(head, [], [], batch.block.entries[0].context, blinds)
    side = chain.batch({("x",): 2}, made=[unsigned.signed(batch.block.entries[0].slots)])
    chain.store.commit(side)
    assert list(chain.store.history(written)) == [(1, 1, 0), (1, 2, 0)]


def test_a_store_without_blocks_opens_and_proves_its_state(tmp_path, chain):
    chain.store.close()
    with ChainStore.open(tmp_path / "node") as store:
        assert store.height == 0
        assert store.tip_header() is None
        assert store.state_root == chain.roots[0]
        assert value_of(store_proofs.prove_state(store, ("parameter", "idle_ms"))) == 1_000
        assert store_proofs.trust_bundle(store, NOW_MS).newest is None


def test_headers_are_read_in_a_range(chain):
    for height in range(1, 4):
        chain.commit({("x",): height})
    found = [header.height for header in store_proofs.headers(chain.store, 0, 9)]
    assert found == [1, 2, 3]
