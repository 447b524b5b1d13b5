"""Snapshots: whatever the split, the same state comes back; whatever was changed is refused."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keys.errors import BadSignatureError
from ledger import snapshot_files, store_proofs
from ledger.blocks import build_block, parse_block
from ledger.canonical import Value, decode, encode
from ledger.errors import (
    HistoryMissingError,
    InvalidDataError,
    InvalidQuorumError,
    InvalidSnapshotError,
)
from ledger.quorum import print_quorum_certificate
from ledger.receipts import check_receipt
from ledger.snapshot import (
    TAIL_BLOCKS,
    ChunkInfo,
    ChunkKind,
    Content,
    Manifest,
    SnapshotChunkError,
    SnapshotManifestError,
    SnapshotNetworkError,
    SnapshotNothingError,
    SnapshotStateError,
    check_manifest,
    chunk_digest,
    chunked,
    parse_manifest,
    parse_state_chunk,
)
from ledger.snapshot_files import (
    MANIFEST_FILE,
    RESTORING_FOLDER,
    SnapshotPlaceError,
    chunk_name,
    read_chunk,
    read_manifest,
    restore_snapshot,
    write_snapshot,
)
from ledger.snapshot_restore import Restoration
from ledger.state_keys import StateKey, stored_value
from ledger.store import ChainStore, StoreMissingError
from ledger.store_proofs import TooOldStateError, certified_header, prove_state, trust_bundle
from ledger.validators import ValidatorSet
from tests.ledger.stored_chain import NOW_MS, StoredChain
from tests.networks import small_network

HEIGHTS = 112
BIG_MS = 10**14


def grow(chain, heights, changes=()):
    """Commit blocks: each writes a few keys, now and then deletes one, and may change the set."""
    batches = []
    for _number in range(heights):
        height = chain.store.height + 1
        written: dict[StateKey, Value] = {
            ("k", height % 40, at): f"{height} {at}" for at in range(3)
        }
        if height % 7 == 0:
            written[("k", height % 40, 0)] = None
        following = dict(changes).get(height)
        batches.append(chain.commit(written, entries=height % 3, next_validators=following))
    return batches


@pytest.fixture(scope="module")
def network():
    return small_network()


@pytest.fixture(scope="module")
def chain(tmp_path_factory, network):
    """112 blocks; the set changes in a block that a snapshot leaves out, and in one that it has."""
    made = StoredChain(tmp_path_factory.mktemp("chain") / "node", network)
    first = network.genesis.validator_set
    smaller = ValidatorSet(first.validators[:3])
    grow(made, HEIGHTS, {5: smaller, 100: first})
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def taken(chain, tmp_path_factory):
    folder = tmp_path_factory.mktemp("taken") / "snapshot"
    write_snapshot(chain.store, folder, BIG_MS, 2_000)
    return folder


def fresh(tmp_path: Path, name: str = "data") -> Path:
    folder = tmp_path / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def rows_of(store: ChainStore) -> list[tuple[bytes, bytes]]:
    return list(store.state_rows())


def test_the_restored_store_has_state_tip_and_newest_blocks_and_grows_on(chain, taken, tmp_path):
    data = fresh(tmp_path)
    restore_snapshot(taken, data, chain.network.genesis)
    store = chain.store
    with ChainStore.open(data) as restored:
        assert restored.tip == store.tip
        assert rows_of(restored) == rows_of(store)
        assert restored.state_root == store.state_root
        assert restored.began.first_height == HEIGHTS - TAIL_BLOCKS + 1
        for height in range(restored.began.first_height, HEIGHTS + 1):
            assert restored.block_raw(height) == store.block_raw(height)
            assert restored.outcomes(height) == store.outcomes(height)
            assert restored.quorum_certificate(height) == store.quorum_certificate(height)
        assert trust_bundle(restored, BIG_MS).to_bytes() == trust_bundle(store, BIG_MS).to_bytes()


@pytest.fixture
def twins(network, tmp_path):
    """A chain, and one that was restored at its 60th of 120 blocks and then got the same blocks."""
    chain = StoredChain(tmp_path / "node", network)
    grow(chain, 120)
    write_snapshot(chain.store, tmp_path / "snapshot", BIG_MS)
    restore_snapshot(tmp_path / "snapshot", fresh(tmp_path), network.genesis)
    restored = ChainStore.open(tmp_path / "data")
    for batch in grow(chain, 20):
        restored.commit(batch)
    yield chain.store, restored
    chain.store.close()
    restored.close()


def test_the_twin_proves_what_is_new_and_says_of_the_old_that_it_is_not_here(twins):
    store, restored = twins
    assert restored.tip == store.tip
    assert rows_of(restored) == rows_of(store)
    first = restored.began.first_height
    assert first == 21
    trust = trust_bundle(store, NOW_MS * 2)
    for height in (first, 119, 121, 140):
        for entry in store.block(height).entries:
            made = store_proofs.receipt(restored, entry.entry_digest)
            check_receipt(made, trust, NOW_MS)
            assert made == store_proofs.receipt(store, entry.entry_digest)
    before = restored.began.log_size
    size = store.tip.log.size
    for index in range(before, size):
        wanted = store_proofs.log_inclusion(store, index, size)
        assert store_proofs.log_inclusion(restored, index, size) == wanted
    for old in range(before, size + 1):
        wanted = store_proofs.log_consistency(store, old, size)
        assert store_proofs.log_consistency(restored, old, size) == wanted
    for ask in (
        lambda: restored.block(first - 1),
        lambda: restored.header(1),
        lambda: restored.outcomes(2),
        lambda: restored.quorum_certificate(first - 1),
        lambda: restored.log_leaf(before - 1),
        lambda: store_proofs.log_inclusion(restored, 0, size),
    ):
        with pytest.raises(HistoryMissingError) as caught:
            ask()
        assert caught.value.details["first_height"] == first
    assert prove_state(restored, ("k", 1, 1), 125) == prove_state(store, ("k", 1, 1), 125)
    with pytest.raises(TooOldStateError):
        prove_state(restored, ("k", 1, 1), 119)


def test_a_snapshot_of_a_restored_store_has_the_same_content(twins, tmp_path, network):
    store, restored = twins
    one = write_snapshot(store, tmp_path / "one", BIG_MS)
    other = write_snapshot(restored, tmp_path / "other", BIG_MS)
    assert one.content.snapshot_id == other.content.snapshot_id
    again = fresh(tmp_path, "again")
    restore_snapshot(tmp_path / "other", again, network.genesis)
    with ChainStore.open(again) as third:
        assert third.tip == store.tip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=5)
@given(chunk_bytes=st.integers(1, 30_000))
def test_however_it_is_split_the_same_state_comes_back(chunk_bytes, chain, tmp_path):
    folder = tmp_path / "snapshot"
    shutil.rmtree(folder, ignore_errors=True)
    manifest = write_snapshot(chain.store, folder, BIG_MS, chunk_bytes)
    data = fresh(tmp_path)
    restore_snapshot(folder, data, chain.network.genesis)
    with ChainStore.open(data) as restored:
        assert rows_of(restored) == rows_of(chain.store)
        assert restored.tip == chain.store.tip
    assert parse_manifest(manifest.to_bytes()).to_bytes() == manifest.to_bytes()


PAIRS = st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=9)), max_size=12)


@given(rows=PAIRS, chunk_bytes=st.integers(1, 60))
def test_chunks_joined_are_the_rows_in_their_order_and_none_is_empty(rows, chunk_bytes):
    found: list[tuple[bytes, bytes]] = []
    for info, raw in chunked(ChunkKind.STATE, rows, chunk_bytes):
        items = parse_state_chunk(raw)
        assert (info.digest, info.size, info.items) == (chunk_digest(raw), len(raw), len(items))
        assert sum(len(one) + len(two) for one, two in items[:-1]) < chunk_bytes
        found += items
    assert found == rows


@pytest.mark.parametrize("height", range(1, 6))
@pytest.mark.parametrize("chunk_bytes", [1, 200, 10**6])
def test_young_chains_come_back_from_genesis_on(height, chunk_bytes, network, tmp_path):
    chain = StoredChain(tmp_path / "node", network)
    grow(chain, height)
    write_snapshot(chain.store, tmp_path / "snapshot", BIG_MS, chunk_bytes)
    restore_snapshot(tmp_path / "snapshot", fresh(tmp_path), network.genesis)
    with ChainStore.open(tmp_path / "data") as restored:
        assert restored.tip == chain.store.tip
        assert restored.began.first_height == 1
        assert restored.block_raw(1) == chain.store.block_raw(1)
        batch = grow(chain, 1)[0]
        restored.commit(batch)
        assert restored.tip == chain.store.tip
    chain.store.close()


def test_before_the_first_block_there_is_nothing_to_take(network, tmp_path):
    chain = StoredChain(tmp_path / "node", network)
    with pytest.raises(SnapshotNothingError):
        write_snapshot(chain.store, tmp_path / "snapshot", BIG_MS)
    chain.store.close()


def copy_of(taken, tmp_path):
    folder = tmp_path / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(taken, folder)
    return folder


def refused(folder, tmp_path, genesis, error):
    """Restoring fails in this way, and leaves no store behind."""
    data = fresh(tmp_path)
    with pytest.raises(error):
        restore_snapshot(folder, data, genesis)
    assert list(data.iterdir()) == []


def test_a_chunk_of_which_one_bit_differs_is_refused(taken, tmp_path, network):
    chunks = sorted(taken.glob("*.chunk"))[::9]
    for number, chunk in enumerate(chunks):
        folder = copy_of(taken, tmp_path)
        raw = bytearray(chunk.read_bytes())
        raw[number * 37 % len(raw)] ^= 1
        (folder / chunk.name).write_bytes(raw)
        refused(folder, tmp_path, network.genesis, SnapshotChunkError)
        if number:
            continue
        (folder / chunk.name).unlink()
        refused(folder, tmp_path, network.genesis, SnapshotChunkError)


def test_a_snapshot_of_another_network_is_refused(taken, tmp_path):
    other = small_network(weights=(2, 1, 1, 1))
    refused(taken, tmp_path, other.genesis, SnapshotNetworkError)


def rewrite(folder: Path, change) -> None:
    manifest = read_manifest(folder)
    (folder / MANIFEST_FILE).write_bytes(change(manifest).to_bytes())


def of_content(change):
    return lambda one: replace(one, content=change(one.content))


FALSE_MANIFESTS = {
    "another height": of_content(lambda one: replace(one, height=one.height - 1)),
    "another first block": of_content(lambda one: replace(one, first=one.first + 1)),
    "fewer rows": of_content(lambda one: replace(one, rows=one.rows - 1)),
    "a chunk less": of_content(lambda one: replace(one, chunks=one.chunks[1:])),
    "no blocks": of_content(lambda one: replace(one, chunks=one.chunks[:1])),
    "blocks first": of_content(lambda one: replace(one, chunks=one.chunks[::-1])),
    "a certificate less": lambda one: replace(one, certificates=one.certificates[1:]),
    "certificates in another order": lambda one: replace(one, certificates=one.certificates[::-1]),
}


@pytest.mark.parametrize("change", FALSE_MANIFESTS)
def test_a_manifest_that_contradicts_itself_or_its_header_is_refused(
    change, taken, tmp_path, network
):
    folder = copy_of(taken, tmp_path)
    rewrite(folder, FALSE_MANIFESTS[change])
    refused(folder, tmp_path, network.genesis, SnapshotManifestError)


def test_a_manifest_that_is_missing_or_garbage_is_refused(taken, tmp_path, network):
    folder = copy_of(taken, tmp_path)
    for content in (b"", b"garbage", encode((1, "something else", b"", b"", ()))):
        (folder / MANIFEST_FILE).write_bytes(content)
        refused(folder, tmp_path, network.genesis, SnapshotManifestError)
    (folder / MANIFEST_FILE).unlink()
    refused(folder, tmp_path, network.genesis, SnapshotManifestError)


def test_a_header_without_its_quorum_is_refused(taken, tmp_path, network):
    folder = copy_of(taken, tmp_path)
    manifest = read_manifest(folder)
    newest = manifest.trust.newest
    assert newest is not None
    light = replace(newest.quorum_certificate, signatures=newest.quorum_certificate.signatures[:2])
    trust = replace(manifest.trust, newest=newest._replace(quorum_certificate=light))
    (folder / MANIFEST_FILE).write_bytes(replace(manifest, trust=trust).to_bytes())
    refused(folder, tmp_path, network.genesis, InvalidQuorumError)


def test_a_certificate_that_its_set_did_not_sign_is_refused(taken, tmp_path, network):
    folder = copy_of(taken, tmp_path)

    def forge(manifest: Manifest) -> Manifest:
        raw = bytearray(manifest.certificates[0])
        raw[-1] ^= 1
        return replace(manifest, certificates=(bytes(raw), *manifest.certificates[1:]))

    rewrite(folder, forge)
    refused(folder, tmp_path, network.genesis, (InvalidDataError, BadSignatureError))


def lie(folder: Path, kind: ChunkKind, change) -> None:
    """Replace the items of a kind by false ones, with a manifest that fits them."""
    manifest = read_manifest(folder)
    content: Content = manifest.content
    items: list[object] = []
    for info in content.chunks:
        if info.kind is kind:
            raw = read_chunk(folder, info.digest)
            value = decode(raw, len(raw))
            assert isinstance(value, tuple)
            items += value
    made: list[ChunkInfo] = []
    for info, raw in chunked(kind, change(items), 2_000):
        (folder / chunk_name(info.digest)).write_bytes(raw)
        made.append(info)
    others = [one for one in content.chunks if one.kind is not kind]
    chunks = sorted([*made, *others], key=lambda one: one.kind)
    rows = sum(one.items for one in chunks if one.kind is ChunkKind.STATE)
    changed = replace(content, chunks=tuple(chunks), rows=rows)
    (folder / MANIFEST_FILE).write_bytes(replace(manifest, content=changed).to_bytes())


LIES = {
    "a row less": (ChunkKind.STATE, lambda rows: rows[:-1]),
    "a row more": (ChunkKind.STATE, lambda rows: [*rows, (b"\xff", rows[0][1])]),
    "another value": (
        ChunkKind.STATE,
        lambda rows: [(rows[0][0], stored_value(bytes(16), "rich")), *rows[1:]],
    ),
    "no stored value": (ChunkKind.STATE, lambda rows: [(rows[0][0], b"rich"), *rows[1:]]),
    "a row twice": (ChunkKind.STATE, lambda rows: [rows[0], *rows]),
    "rows in another order": (ChunkKind.STATE, lambda rows: [rows[1], rows[0], *rows[2:]]),
    "outcomes of another block": (
        ChunkKind.BLOCKS,
        lambda blocks: [*blocks[:-1], (blocks[-1][0], (*blocks[-1][1], b"\x90"))],
    ),
    "a block twice": (ChunkKind.BLOCKS, lambda blocks: [blocks[0], *blocks[:-1]]),
    "no block at all": (ChunkKind.BLOCKS, lambda blocks: [(b"\x90", ()), *blocks[1:]]),
}


@pytest.mark.parametrize("name", LIES)
def test_who_lists_false_chunks_by_their_true_digests_is_caught(name, taken, tmp_path, network):
    folder = copy_of(taken, tmp_path)
    lie(folder, *LIES[name])
    refused(folder, tmp_path, network.genesis, SnapshotStateError)


def unsigned_end(blocks):
    """The last block with a time of the liar's own: it follows the chain, and no quorum signed."""
    last = parse_block(blocks[-1][0])
    header = replace(last.header, time_ms=last.header.time_ms + 1)
    made = build_block(header, last.entries, last.evidence)
    return [*blocks[:-1], (made.raw, blocks[-1][1])]


def test_a_last_block_that_nobody_certified_is_caught(taken, tmp_path, network):
    folder = copy_of(taken, tmp_path)
    lie(folder, ChunkKind.BLOCKS, unsigned_end)
    refused(folder, tmp_path, network.genesis, SnapshotStateError)


def test_a_certificate_of_another_block_of_the_height_is_caught(taken, tmp_path, network):
    """More than two thirds signed both: the header that is certified decides."""
    folder = copy_of(taken, tmp_path)

    def fork(manifest: Manifest) -> Manifest:
        first = manifest.content.first
        validators = manifest.trust.validators_at(first)
        other = network.quorum_certificate(bytes(32), first, validators=validators)
        certificates = (print_quorum_certificate(other), *manifest.certificates[1:])
        return replace(manifest, certificates=certificates)

    rewrite(folder, fork)
    refused(folder, tmp_path, network.genesis, InvalidSnapshotError)


def test_numbers_of_items_that_are_false_and_add_up_are_caught(taken, tmp_path, network):
    folder = copy_of(taken, tmp_path)

    def shift(content: Content) -> Content:
        one, two, *others = content.chunks
        changed = (replace(one, items=one.items + 1), replace(two, items=two.items - 1))
        return replace(content, chunks=(*changed, *others))

    rewrite(folder, of_content(shift))
    refused(folder, tmp_path, network.genesis, SnapshotStateError)


def test_a_restoring_that_lacks_a_chunk_does_not_finish(taken, tmp_path, network):
    manifest = read_manifest(taken)
    restoration = Restoration(tmp_path / "store", network.genesis, manifest)
    for info in manifest.content.chunks[:-1]:
        restoration.take(read_chunk(taken, info.digest))
    with pytest.raises(SnapshotChunkError):
        restoration.finish()
    restoration.close()


def test_what_is_no_content_is_refused(taken):
    manifest = read_manifest(taken)
    fields = decode(manifest.to_bytes(), 10**7)
    assert isinstance(fields, tuple)
    content = decode(manifest.content.to_bytes(), 10**7)
    assert isinstance(content, tuple)
    false = encode((content[0], "something else", *content[2:]))
    with pytest.raises(SnapshotManifestError):
        parse_manifest(encode((*fields[:2], false, *fields[3:])))


def test_false_frontiers_are_caught(taken, tmp_path, network):
    for name in ("headers", "log"):
        folder = copy_of(taken, tmp_path)
        content = read_manifest(folder).content
        frontier = getattr(content, name)
        false = replace(frontier, hashes=(bytes(32), *frontier.hashes[1:]))
        rewrite(folder, lambda one: replace(one, content=replace(one.content, **{name: false})))  # noqa: B023
        refused(folder, tmp_path, network.genesis, InvalidSnapshotError)


def test_a_restoring_that_was_killed_anywhere_leaves_no_store_and_is_begun_again(
    taken, tmp_path, network
):
    manifest = read_manifest(taken)
    chunks = manifest.content.chunks
    for done in (0, 1, len(chunks) // 2, len(chunks) - 1, len(chunks)):
        data = fresh(tmp_path)
        killed = Restoration(data / RESTORING_FOLDER, network.genesis, manifest)
        for info in chunks[:done]:
            killed.take(read_chunk(taken, info.digest))
        killed.close()
        for place in (data, data / RESTORING_FOLDER):
            with pytest.raises(StoreMissingError):
                ChainStore.open(place)
        restore_snapshot(taken, data, network.genesis)
        ChainStore.open(data).close()
        assert [one.name for one in data.iterdir()] == ["chain"]


def test_killed_just_before_it_is_put_in_place_it_is_begun_again(
    taken, tmp_path, network, monkeypatch
):
    data = fresh(tmp_path)

    def power_cut(_folder):
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr(snapshot_files, "_sync_folder", power_cut)
        with pytest.raises(KeyboardInterrupt):
            restore_snapshot(taken, data, network.genesis)
    with pytest.raises(StoreMissingError):
        ChainStore.open(data)
    restore_snapshot(taken, data, network.genesis)
    ChainStore.open(data).close()


def test_a_store_is_never_replaced_nor_a_snapshot_overwritten(chain, taken, tmp_path, network):
    data = fresh(tmp_path)
    restore_snapshot(taken, data, network.genesis)
    with pytest.raises(SnapshotPlaceError):
        restore_snapshot(taken, data, network.genesis)
    with pytest.raises(SnapshotPlaceError):
        write_snapshot(chain.store, taken, BIG_MS)


def test_a_snapshot_that_was_not_finished_has_no_name_yet(chain, tmp_path):
    def cut():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_snapshot(chain.store, tmp_path / "snapshot", BIG_MS, 2_000, cut)
    assert not (tmp_path / "snapshot").exists()
    write_snapshot(chain.store, tmp_path / "snapshot", BIG_MS, 2_000)
    check_manifest(read_manifest(tmp_path / "snapshot"), chain.network.genesis.network_id)


def test_of_the_old_headers_those_that_change_the_set_are_here(taken, tmp_path, network):
    data = fresh(tmp_path)
    restore_snapshot(taken, data, network.genesis)
    with ChainStore.open(data) as restored:
        assert certified_header(restored, 5).header.height == 5
        with pytest.raises(HistoryMissingError):
            certified_header(restored, 6)
