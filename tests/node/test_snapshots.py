"""Snapshots between nodes: made while the chain grows, and fetched from peers that may lie."""

import shutil
from concurrent.futures import Future
from dataclasses import replace

import pytest

from keys.hashing import Digest, sha256
from ledger.canonical import encode
from ledger.snapshot import ChunkKind, Manifest, chunk_digest, chunked, parse_state_chunk
from ledger.snapshot_files import (
    MANIFEST_FILE,
    chunk_name,
    read_manifest,
    restore_snapshot,
    write_snapshot,
)
from ledger.store import ChainStore
from ledger.store_proofs import trust_bundle
from node.logs import SilentLog
from node.signer import GuardedSigner, GuardFile, Place, SignedKind, last_signed_height
from node.snapshot_fetch import SnapshotFetch, Wanted
from node.snapshots import CHUNKS_PATH, KEPT_MAX, SNAPSHOTS_PATH, SnapshotShelf, parse_listing
from tests.node.grown_chain import grow_chain
from tests.node.invented_ports import InventedNetwork, InventedTimers
from tests.node.invented_world import AGENCIES, KEYS, InventedClock
from tests.node.test_application import build, commit
from tests.node.town_chain import make_town

PEERS = AGENCIES[1:]
HEIGHTS = 12
BIG_MS = 10**14


@pytest.fixture(scope="module")
def town():
    return make_town()


@pytest.fixture(scope="module")
def source(town, tmp_path_factory):
    application = grow_chain(tmp_path_factory.mktemp("source"), town, HEIGHTS, people=8)
    yield application
    application.close()


@pytest.fixture(scope="module")
def taken(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("taken") / "snapshot"
    write_snapshot(source.store, folder, BIG_MS, 8_000)
    return folder


class AtOnce:
    """An executor without threads."""

    def submit(self, work, *given):
        done: Future[object] = Future()
        done.set_result(work(*given))
        return done

    def shutdown(self, **_how):
        pass


class Town:
    """Peers that serve snapshots, and one node that wants one."""

    def __init__(self, folder, town, height_min=1, bytes_max=10**9, trust=None):
        self.network, self.timers = InventedNetwork(PEERS), InventedTimers()
        self.folder = folder / "fetched"
        self.folder.mkdir()
        wanted = Wanted(town.network_id, height_min, bytes_max, trust)
        self.fetch = SnapshotFetch(self.network, self.timers, SilentLog(), wanted, self.folder)
        self.done: list[Manifest] = []
        self.failed: list[BaseException] = []
        self.fetch.on_done = self.done.append
        self.fetch.on_failed = self.failed.append

    def serve(self, peer, folder, manifest_raw=None):
        """Let a peer serve a folder; by another manifest if one is given."""
        manifest = read_manifest(folder)
        snapshot_id, raw = manifest.content.snapshot_id, (folder / MANIFEST_FILE).read_bytes()
        self.offer(peer, (manifest.content.height, snapshot_id))
        path = f"{SNAPSHOTS_PATH}/{snapshot_id.hex()}"
        self.network.served[peer, path] = raw if manifest_raw is None else manifest_raw
        for chunk in folder.glob("*.chunk"):
            self.network.served[peer, f"{CHUNKS_PATH}{chunk.stem}"] = chunk.read_bytes()

    def offer(self, peer, *listed):
        self.network.served[peer, SNAPSHOTS_PATH] = encode(tuple(listed))

    def spoil(self, peer, raw=b"false"):
        """Let all chunks of a peer be something else."""
        for who, path in list(self.network.served):
            if who == peer and path.startswith(CHUNKS_PATH):
                self.network.served[peer, path] = raw

    def run(self, rounds=12):
        for _round in range(rounds):
            self.network.answer_all()
            if self.done or self.failed:
                return
            self.timers.fire_all()


@pytest.fixture
def wanting(tmp_path, town):
    return Town(tmp_path, town)


def blamed(wanting):
    return {peer for peer, _reason in wanting.network.blamed}


def test_what_is_fetched_from_all_peers_is_restored(wanting, taken, source, town, tmp_path):
    for peer in PEERS:
        wanting.serve(peer, taken)
    wanting.fetch.start()
    wanting.run()
    assert [one.content.height for one in wanting.done] == [HEIGHTS]
    assert {peer for peer, path in wanting.network.asked if CHUNKS_PATH in path} == set(PEERS)
    assert blamed(wanting) == set()
    (tmp_path / "data").mkdir()
    restore_snapshot(wanting.folder, tmp_path / "data", town.genesis)
    with ChainStore.open(tmp_path / "data") as restored:
        assert restored.tip == source.store.tip


def test_a_peer_with_false_chunks_is_blamed_and_the_true_ones_come_from_others(wanting, taken):
    for peer in PEERS:
        wanting.serve(peer, taken)
    wanting.spoil(PEERS[0])
    wanting.fetch.start()
    wanting.run()
    assert len(wanting.done) == 1
    assert blamed(wanting) == {PEERS[0]}


def test_a_peer_with_a_false_manifest_is_blamed_and_the_next_one_asked(wanting, taken):
    manifest = read_manifest(taken)
    false = replace(manifest, content=replace(manifest.content, rows=7)).to_bytes()
    for peer, raw in zip(PEERS, (false, b"garbage", None), strict=True):
        wanting.serve(peer, taken, raw)
    wanting.fetch.start()
    wanting.run()
    assert len(wanting.done) == 1
    assert blamed(wanting) == set(PEERS[:2])


def test_who_offers_what_no_quorum_certified_gets_nowhere(wanting, taken):
    manifest = read_manifest(taken)
    newest = manifest.trust.newest
    assert newest is not None
    light = replace(newest.quorum_certificate, signatures=newest.quorum_certificate.signatures[:1])
    trust = replace(manifest.trust, newest=newest._replace(quorum_certificate=light))
    wanting.serve(PEERS[0], taken, replace(manifest, trust=trust).to_bytes())
    wanting.fetch.start()
    wanting.run()
    assert wanting.done == []
    assert len(wanting.failed) == 1
    assert blamed(wanting) == {PEERS[0]}


def test_false_rows_by_their_true_digests_are_refused_at_the_end_and_another_one_is_taken(
    wanting, taken, tmp_path, town
):
    """The liar's snapshot looks newer by nothing but its id; who gave its manifest is blamed."""
    folder = tmp_path / "false"
    shutil.copytree(taken, folder)
    manifest = read_manifest(folder)
    content = manifest.content
    first = content.chunks[0]
    rows = parse_state_chunk((folder / chunk_name(first.digest)).read_bytes())
    (changed,) = chunked(ChunkKind.STATE, [(rows[0][0], rows[1][1]), *rows[1:]], 10**7)
    (folder / chunk_name(changed[0].digest)).write_bytes(changed[1])
    false = replace(content, chunks=(changed[0], *content.chunks[1:]))
    (folder / MANIFEST_FILE).write_bytes(replace(manifest, content=false).to_bytes())
    wanting.serve(PEERS[0], folder)
    wanting.serve(PEERS[1], folder)
    wanting.serve(PEERS[2], taken)
    wanting.fetch.start()
    wanting.run()
    assert wanting.done[0].content == false  # two offer it, one the true one
    data = tmp_path / "data"
    data.mkdir()
    with pytest.raises(Exception, match="another state root") as caught:
        restore_snapshot(wanting.folder, data, town.genesis)
    wanting.done.clear()
    wanting.fetch.refuse(caught.value.code)  # type: ignore[attr-defined]  # a CivregError
    wanting.run()
    assert blamed(wanting) == {PEERS[0]}
    assert wanting.done[0].content == content
    restore_snapshot(wanting.folder, data, town.genesis)
    ChainStore.open(data).close()


def test_a_snapshot_of_which_nothing_comes_is_given_up_for_an_older_one(wanting, taken):
    wanting.serve(PEERS[0], taken)
    manifest = read_manifest(taken)
    for peer in PEERS[1:]:
        wanting.serve(peer, taken)
        wanting.offer(peer, (HEIGHTS + 5, Digest(sha256(b"a name only"))))
    wanting.offer(PEERS[0], (HEIGHTS, manifest.content.snapshot_id))
    wanting.fetch.start()
    wanting.run()
    assert [one.content.height for one in wanting.done] == [HEIGHTS]


def test_chunks_that_never_come_end_in_a_failure_and_blame_nobody(wanting, taken):
    wanting.serve(PEERS[0], taken)
    for who, path in list(wanting.network.served):
        if path.startswith(CHUNKS_PATH):
            del wanting.network.served[who, path]
    wanting.fetch.start()
    wanting.run()
    assert len(wanting.failed) == 1
    assert blamed(wanting) == set()


def test_an_older_snapshot_than_is_wanted_is_not_even_looked_at(tmp_path, town, taken):
    wanting = Town(tmp_path, town, HEIGHTS + 1)
    wanting.serve(PEERS[0], taken)
    wanting.fetch.start()
    wanting.run()
    assert wanting.done == []
    assert len(wanting.failed) == 1
    assert not [path for _peer, path in wanting.network.asked if path != SNAPSHOTS_PATH]


@pytest.mark.parametrize(
    ("heights", "people", "done"), [(HEIGHTS, 8, 1), (HEIGHTS, 7, 0), (HEIGHTS + 1, 8, 0)]
)
def test_a_snapshot_that_does_not_continue_the_bundle_that_is_believed_is_refused(
    heights, people, done, tmp_path, town, taken
):
    """The same chain; another one of the same height; one that has seen more."""
    held_town = make_town()
    assert held_town.network_id == town.network_id
    grown = grow_chain(tmp_path / "held", held_town, heights, people)
    held = trust_bundle(grown.store, BIG_MS)
    grown.close()
    wanting = Town(tmp_path, town, trust=held)
    wanting.serve(PEERS[0], taken)
    wanting.fetch.start()
    wanting.run()
    assert len(wanting.done) == done
    assert blamed(wanting) == set()


def test_what_would_fill_the_disk_is_passed_over(tmp_path, town, taken):
    wanting = Town(tmp_path, town, bytes_max=20_000)
    wanting.serve(PEERS[0], taken)
    wanting.fetch.start()
    wanting.run()
    assert wanting.done == []
    assert len(wanting.failed) == 1
    assert list(wanting.folder.iterdir()) == []


def test_a_manifest_that_makes_its_chunks_smaller_than_they_are_is_given_up_at_the_first(
    wanting, taken, tmp_path
):
    """Else small numbers in a manifest would fill the disk; who has a true chunk is not blamed."""
    folder = tmp_path / "false"
    shutil.copytree(taken, folder)
    manifest = read_manifest(folder)
    small = tuple(replace(one, size=1) for one in manifest.content.chunks)
    false = replace(manifest, content=replace(manifest.content, chunks=small))
    (folder / MANIFEST_FILE).write_bytes(false.to_bytes())
    wanting.serve(PEERS[0], folder)
    wanting.serve(PEERS[1], folder)
    wanting.serve(PEERS[2], taken)
    left_over = wanting.folder / chunk_name(Digest(sha256(b"of an attempt before")))
    left_over.write_bytes(b"of no use any more")
    wanting.fetch.start()
    wanting.run()
    assert [one.content for one in wanting.done] == [manifest.content]
    assert blamed(wanting) == {PEERS[0]}
    assert not left_over.exists()


def test_what_two_peers_offer_comes_before_what_one_says_is_newer(wanting, taken):
    for peer in PEERS[1:]:
        wanting.serve(peer, taken)
    wanting.offer(PEERS[0], (HEIGHTS + 5, Digest(sha256(b"a name only"))))
    wanting.fetch.start()
    wanting.run()
    assert len(wanting.done) == 1
    assert (
        PEERS[0],
        f"{SNAPSHOTS_PATH}/{sha256(b'a name only').hex()}",
    ) not in wanting.network.asked


@pytest.mark.parametrize("raw", [b"garbage", encode(((1, b"short"),)), encode(((0, bytes(32)),))])
def test_a_list_that_is_none_is_blamed(raw, wanting, taken):
    wanting.serve(PEERS[1], taken)
    wanting.network.served[PEERS[0], SNAPSHOTS_PATH] = raw
    wanting.fetch.start()
    wanting.run()
    assert len(wanting.done) == 1
    assert blamed(wanting) == {PEERS[0]}


def test_what_came_before_an_interruption_is_not_fetched_again(wanting, taken):
    wanting.serve(PEERS[0], taken)
    chunks = sorted(taken.glob("*.chunk"))
    for chunk in chunks[:-1]:
        shutil.copy(chunk, wanting.folder / chunk.name)
    (wanting.folder / chunks[0].name).write_bytes(b"half")
    wanting.fetch.start()
    wanting.run()
    asked = {path for _peer, path in wanting.network.asked if CHUNKS_PATH in path}
    assert asked == {f"{CHUNKS_PATH}{chunks[0].stem}", f"{CHUNKS_PATH}{chunks[-1].stem}"}
    assert len(wanting.done) == 1


def test_a_growing_node_keeps_its_newest_snapshots_and_knows_them_after_a_restart(town, tmp_path):
    application = grow_chain(tmp_path / "node", town, 1, people=0)
    folder = tmp_path / "snapshots"
    shelf = SnapshotShelf(folder, application, 3, InventedClock(), SilentLog(), AtOnce())  # type: ignore[arg-type]
    while application.tip_height < 11:
        commit(town, application, build(application))
    assert shelf.heights == (9, 6)
    assert sorted(path.name for path in folder.iterdir()) == ["6", "9"]
    again = SnapshotShelf(folder, application, 0, InventedClock(), SilentLog(), AtOnce())  # type: ignore[arg-type]
    assert again.heights == shelf.heights
    listed = parse_listing(again.listing())
    assert [height for height, _id in listed] == [9, 6]
    assert len(listed) == KEPT_MAX
    for _height, snapshot_id in listed:
        raw = again.manifest(snapshot_id)
        assert raw is not None
        for info in read_manifest(folder / str(_height)).content.chunks:
            chunk = again.chunk(info.digest)
            assert chunk is not None
            assert chunk_digest(chunk) == info.digest
    assert again.manifest(Digest(bytes(32))) is None
    assert again.chunk(Digest(bytes(32))) is None
    application.close()


def test_a_disk_that_refuses_costs_the_snapshot_and_not_the_node(town, tmp_path):
    application = grow_chain(tmp_path / "node", town, 1, people=0)
    folder = tmp_path / "snapshots"
    folder.write_bytes(b"a file where the folder should be")
    shelf = SnapshotShelf(folder, application, 1, InventedClock(), SilentLog(), AtOnce())  # type: ignore[arg-type]
    commit(town, application, build(application))
    assert shelf.heights == ()
    assert application.tip_height == 2
    application.close()


def test_the_guard_tells_the_highest_height_that_was_signed(tmp_path):
    path = tmp_path / "guard"
    assert last_signed_height(path) == 0
    signer = GuardedSigner(KEYS[0], GuardFile(path), allow_missing=True)
    assert last_signed_height(path) == 0
    signer.sign(Place(7, 0, SignedKind.PREVOTE), b"one")
    signer.sign(Place(9, 1, SignedKind.PROPOSAL), b"two")
    assert last_signed_height(path) == 9
