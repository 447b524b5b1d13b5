"""The chain store: killed, damaged, locked or missing, it is whole or it refuses."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import plyvel
import pytest

from ledger import store_layout, store_proofs
from ledger.canonical import encode
from ledger.chain import genesis_tip
from ledger.errors import CorruptStoreError, StoreInUseError
from ledger.merkle import Frontier
from ledger.store import ChainStore, StoreMissingError
from tests.ledger.stored_chain import StoredChain, value_of
from tests.networks import Network, small_network


@pytest.fixture(scope="module")
def network() -> Network:
    return small_network()


@pytest.fixture
def chain(tmp_path, network):
    made = StoredChain(tmp_path / "node", network)
    yield made
    made.store.close()


def damaged_rows(height: int) -> dict[str, tuple[bytes, bytes | None]]:
    key = store_layout.height_key
    return {
        "no tip": (store_layout.TIP, None),
        "a torn tip": (store_layout.TIP, b"\x97"),
        "another layout": (store_layout.FORMAT, b"3"),
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
    with pytest.raises(StoreInUseError):
        ChainStore.create(tmp_path / "node", chain.network.genesis, {}, {})
    chain.store.close()
    with pytest.raises(CorruptStoreError, match="already"):
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
from collections.abc import Mapping, Sequence
from pathlib import Path
from tests.ledger.stored_chain import StoredChain
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


def test_a_tip_of_another_network_or_from_the_past_is_noticed(tmp_path, chain):
    tips = [chain.store.tip, genesis_tip(small_network(weights=(2, 1, 1, 1)).genesis.charter)]
    chain.commit({("x",): 1})
    tips.append(replace(chain.store.tip, log=Frontier()))
    tips.append(replace(tips[0], time_ms=5))
    chain.store.close()
    for tip in tips:
        db = plyvel.DB(str(tmp_path / "node" / "chain"))
        db.put(store_layout.TIP, encode(tip.to_value()))
        db.close()
        with pytest.raises(CorruptStoreError):
            ChainStore.open(tmp_path / "node")


def test_a_torn_undo_row_is_noticed():
    whole = store_layout.print_undo({b"a": b"1", b"b": None, b"c": b""})
    assert dict(store_layout.parse_undo(whole)) == {b"a": b"1", b"b": None, b"c": b""}
    for cut in range(1, len(whole)):
        rows = list(rows_until_refused(whole[:cut]))
        assert len(rows) < 3


def rows_until_refused(raw):
    try:
        yield from store_layout.parse_undo(raw)
    except CorruptStoreError:
        return


def test_creating_a_store_that_was_interrupted_can_be_told(tmp_path):
    (tmp_path / "node").mkdir()
    plyvel.DB(str(tmp_path / "node" / "chain"), create_if_missing=True).close()
    with pytest.raises(StoreMissingError):
        ChainStore.open(tmp_path / "node")
