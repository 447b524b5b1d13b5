"""Our own frozen vectors: making them again changes nothing, and they read back as they say."""

import json
from dataclasses import replace

import pytest

from keys.hashing import Digest
from ledger.blocks import parse_block, parse_header
from ledger.canonical import decode, encode
from ledger.chain import genesis_tip, walk
from ledger.entries import parse_entry
from ledger.errors import InvalidDataError
from ledger.genesis import parse_genesis
from ledger.ids import parse_id
from ledger.merkle import Frontier, leaf_hash, root
from ledger.outcomes import parse_outcome
from ledger.quorum import parse_quorum_certificate
from ledger.receipts import check_receipt, parse_receipt, print_receipt
from ledger.snapshot import parse_manifest
from ledger.snapshot_restore import Restoration
from ledger.state_keys import key_hash, stored_value
from ledger.state_tree import StateProof, check_absence, check_presence
from ledger.store import ChainStore
from ledger.trust import parse_trust
from ledger.validators import parse_validator_set
from registry.state_documents import parse_state_document, print_state_document
from tests.vectors.make_vectors import FOLDER, MAKERS, print_vectors


def frozen(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", MAKERS)
def test_making_the_vectors_again_changes_nothing(name):
    """A difference is a change of a published format: it needs a version and a decision record."""
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == print_vectors(name)


def test_every_file_of_vectors_is_made_and_tested():
    made = {path.stem for path in FOLDER.glob("*.json")}
    assert made == set(MAKERS)


def test_frozen_ids_read_back():
    vectors = frozen("ids")
    for one in vectors["printed"]:
        assert parse_id(one["text"]).hex() == one["id"]
    for text in vectors["refused"]:
        with pytest.raises(InvalidDataError):
            parse_id(text)


def test_frozen_entries_read_back():
    vectors = frozen("entries")
    for one in vectors["accepted"]:
        entry = parse_entry(bytes.fromhex(one["raw"]))
        assert entry.entry_digest.hex() == one["entry_digest"]
        assert entry.log_leaf.hex() == one["log_leaf"]
    for raw in vectors["refused"].values():
        with pytest.raises(InvalidDataError):
            parse_entry(bytes.fromhex(raw))


def test_the_frozen_chain_walks():
    vectors, genesis = frozen("blocks"), parse_genesis(bytes.fromhex(frozen("genesis")["raw"]))
    sets = [parse_validator_set(bytes.fromhex(one["raw"])) for one in vectors["validator_sets"]]
    chain = []
    for one in vectors["blocks"]:
        block = parse_block(bytes.fromhex(one["raw"]))
        assert block.header == parse_header(bytes.fromhex(one["header"]))
        assert block.header.digest.hex() == one["header_digest"]
        outcomes = [parse_outcome(bytes.fromhex(outcome)) for outcome in one["outcomes"]]
        digests = [entry.entry_digest for entry in block.entries]
        assert [outcome.entry_digest for outcome in outcomes] == digests
        chain.append((block, parse_quorum_certificate(bytes.fromhex(one["quorum_certificate"]))))
    walked = list(walk(chain, genesis_tip(genesis.charter), lambda _verified: sets[1]))
    indexes = [sets.index(verified.before.validators) for verified in walked]
    assert indexes == vectors["set_of_height"]


def test_frozen_receipts_are_accepted_or_refused_with_their_code():
    vectors = frozen("receipts")
    trust = parse_trust(bytes.fromhex(vectors["trust"]))
    assert trust.fingerprint == vectors["fingerprint"]
    for one in vectors["accepted"]:
        receipt = parse_receipt(bytes.fromhex(one["receipt"]))
        assert print_receipt(receipt).hex() == one["receipt"]
        assert (
            check_receipt(receipt, trust, vectors["now_ms"]).entry_digest.hex()
            == one["entry_digest"]
        )
    for one in vectors["refused"]:
        receipt = parse_receipt(bytes.fromhex(one["receipt"]))
        with pytest.raises(InvalidDataError) as refusal:
            check_receipt(receipt, trust, vectors["now_ms"])
        assert refusal.value.code == one["code"]


def test_frozen_state_proofs_hold():
    vectors = frozen("state")
    root = Digest(bytes.fromhex(vectors["root"]))
    values = {row["state_key"]: bytes.fromhex(row["value_hash"]) for row in vectors["rows"]}
    for one in vectors["proofs"]:
        raw = bytes.fromhex(one["proof"])
        proof = StateProof.from_value(decode(raw, 100_000))
        assert encode(proof.to_value()) == raw
        key = bytes.fromhex(one["state_key"])
        if one["present"]:
            check_presence(root, key, values[one["state_key"]], proof)
        else:
            check_absence(root, key, proof)


def test_frozen_state_documents_hold_and_damaged_ones_do_not():
    vectors = frozen("state")
    trust = parse_trust(bytes.fromhex(vectors["trust"]))
    stored = {row["state_key"]: row["stored"] for row in vectors["rows"]}
    for proved, raw in zip(vectors["proofs"], vectors["documents"], strict=True):
        document = parse_state_document(bytes.fromhex(raw))
        assert print_state_document(document).hex() == raw
        assert key_hash(document.key).hex() == proved["state_key"]
        shown = None if document.stored is None else document.stored.hex()
        assert shown == stored.get(proved["state_key"])
        assert encode(document.proof.to_value()).hex() == proved["proof"]
        document.check(trust, vectors["now_ms"])
        other = stored_value(bytes(16), "another value")
        with pytest.raises(InvalidDataError):
            replace(document, stored=other).check(trust, vectors["now_ms"])


def test_the_frozen_snapshot_is_restored(tmp_path):
    vectors = frozen("snapshot")
    genesis = parse_genesis(bytes.fromhex(vectors["genesis"]))
    manifest = parse_manifest(bytes.fromhex(vectors["manifest"]))
    assert manifest.content.snapshot_id.hex() == vectors["snapshot_id"]
    restoration = Restoration(tmp_path, genesis, manifest)
    for info, one in zip(manifest.content.chunks, vectors["chunks"], strict=True):
        assert (int(info.kind), info.digest.hex()) == (one["kind"], one["digest"])
        restoration.take(bytes.fromhex(one["raw"]))
    restoration.finish()
    with ChainStore.open(tmp_path) as store:
        assert store.state_root.hex() == vectors["state_root"]
    for one in vectors["frontiers"]:
        raw = bytes.fromhex(one["value"])
        leaves = [leaf_hash(bytes([at])) for at in range(one["leaves"])]
        assert Frontier.from_value(decode(raw, len(raw))).root() == root(leaves)
