"""The frozen vectors of drafts and exports, put together again from their pieces."""

import struct
from hashlib import sha256
from typing import Any

import ecdsa
import pytest

import verifier
from keys.errors import BadSignatureError, CivregError
from keys.signing import parse_public_key, verify
from ledger.blocks import parse_block
from ledger.chain import genesis_tip, walk
from ledger.entries import parse_entry
from ledger.errors import InvalidDataError
from ledger.export import (
    BLOCKS_FILE,
    GENESIS_FILE,
    START_FILE,
    TRUST_FILE,
    ExportWriter,
    PartialExportError,
    check_whole,
    read_blocks,
    read_genesis,
    read_start,
    read_trust,
)
from ledger.quorum import parse_quorum_certificate
from registry.drafts import (
    add_signature,
    finish_draft,
    missing_keys,
    parse_draft,
    print_draft,
)
from tests.agreement.test_frozen_tags import sign_again
from tests.ledger.test_vectors import frozen
from tests.vectors.hpke_steps import open_p256, seal_p256
from verifier.encoding import decode, encode
from verifier.hashes import hashed, leaf_of, list_root, prefix
from verifier.verdicts import Word

SIZE_MAX = 1 << 20


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


def value_of(raw: bytes) -> Any:
    """The value of canonical bytes, of whatever shape."""
    return decode(raw, SIZE_MAX, opaque=True)


# --- drafts ---


@pytest.fixture(scope="module")
def draft():
    return frozen("draft")


def pieces(draft):
    parts = [[octets(one["blind"]), octets(one["part"])] for one in draft["parts"]]
    return parts, [[octets(draft["body"]), octets(draft["wraps"])], None]


def signatures(draft):
    return {octets(one["key_id"]): octets(one["signature"]) for one in draft["keys"]}


def test_the_frozen_drafts_are_their_parts_bodies_and_signatures_in_order(draft):
    parts, bodies = pieces(draft)
    by_key = signatures(draft)
    for step in draft["steps"]:
        given = [[octets(one), by_key[octets(one)]] for one in step["signed"]]
        assert given == sorted(given)
        assert encode([1, "draft", parts, bodies, given]).hex() == step["raw"]
    assert [len(step["signed"]) for step in draft["steps"]] == [0, 1, 2, 3, 4]


def test_the_frozen_draft_is_signed_by_each_key_once_with_one_message(draft):
    leaves = [leaf_of(prefix("part") + blind + part) for blind, part in pieces(draft)[0]]
    digest = list_root(leaves)
    network_id = value_of(octets(draft["parts"][0]["part"]))[2]
    message = prefix("entry") + network_id + digest
    assert (digest.hex(), message.hex()) == (draft["entry_digest"], draft["sign_message"])
    for one in draft["keys"]:
        public = parse_public_key(one["algorithm"], octets(one["public"]))
        assert public.key_id.hex() == one["key_id"]
        verify(public, message, octets(one["signature"]))
        assert sign_again(one, message).hex() == one["signature"]
    curve = next(one for one in draft["keys"] if one["algorithm"] == 1)
    loaded = ecdsa.VerifyingKey.from_string(octets(curve["public"]), curve=ecdsa.NIST256p)
    assert loaded.verify(octets(curve["signature"]), message, sha256)


def test_the_frozen_drafts_are_read_signed_and_finished_as_they_say(draft):
    made = parse_draft(octets(draft["steps"][0]["raw"]))
    for one, step in zip(draft["keys"], draft["steps"][1:], strict=True):
        public = parse_public_key(one["algorithm"], octets(one["public"]))
        made = add_signature(made, public, octets(one["signature"]))
        assert print_draft(made).hex() == step["raw"]
        assert parse_draft(octets(step["raw"])) == made
        assert [key_id.hex() for key_id in missing_keys(made)] == step["missing"]
    assert finish_draft(made).raw.hex() == draft["entry"]


def test_the_entry_of_the_frozen_draft_has_a_slot_for_each_signer_of_the_head(draft):
    """The officer who also attests the form signed once, and stands in two slots."""
    by_key, (parts, _bodies) = signatures(draft), pieces(draft)
    signers = value_of(parts[0][1])[12]
    slots = [
        [by_key[officer] for officer in signer[3]] if len(signer) == 5 else by_key[signer[2]]
        for signer in signers
    ]
    assert encode([parts, slots]).hex() == draft["entry"]
    assert hashed("signatures", encode(slots)).hex() == draft["signatures_digest"]
    entry = parse_entry(octets(draft["entry"]))
    assert len(entry.slots) == len(by_key) == len(draft["keys"])
    assert len([one for slot in slots for one in ([slot] if len(slot) == 64 else slot)]) == 5


def test_the_wrap_in_the_frozen_draft_opens_the_body_for_the_signer(draft):
    wrap = draft["wrap"]
    ((key_id, purpose, wrapped),) = value_of(octets(draft["wraps"]))[1]
    network_id, record_id, version = wrap["place"]
    info = prefix("wrap") + encode(
        [octets(network_id), octets(record_id), version, key_id, purpose]
    )
    assert purpose == wrap["purpose"]
    assert open_p256(octets(wrap["private"]), wrapped, info).hex() == wrap["data_key"]
    public = ecdsa.SigningKey.from_string(octets(wrap["private"]), curve=ecdsa.NIST256p)
    point = public.verifying_key.to_string("compressed")
    assert hashed("key", b"\x01", point)[:16] == key_id
    again = seal_p256(octets(wrap["ephemeral"]), point, octets(wrap["data_key"]), info)
    assert again == wrapped
    assert wrap["data_key"] == frozen("sealed")["data_key"]
    assert draft["body"] == frozen("sealed")["body"]


def test_frozen_bytes_that_are_no_draft_are_refused(draft):
    for raw in draft["refused"].values():
        with pytest.raises(InvalidDataError):
            parse_draft(octets(raw))
    assert len(draft["refused"]) == 9


def test_a_signature_of_the_frozen_draft_does_not_stand_for_another_key(draft):
    made = parse_draft(octets(draft["steps"][0]["raw"]))
    first, second = draft["keys"][:2]
    public = parse_public_key(first["algorithm"], octets(first["public"]))
    with pytest.raises(BadSignatureError):
        add_signature(made, public, octets(second["signature"]))


# --- exports ---


@pytest.fixture(scope="module")
def export():
    return frozen("export")


@pytest.fixture
def folder(export, tmp_path):
    for name, raw in export["files"].items():
        (tmp_path / name).write_bytes(octets(raw))
    return tmp_path


def framed(blocks):
    """Section 13, byte by byte."""
    pairs = [[octets(one["block"]), octets(one["quorum_certificate"])] for one in blocks]
    return b"".join(struct.pack(">I", len(encode(pair))) + encode(pair) for pair in pairs)


def read_and_walk(folder):
    genesis = read_genesis(folder)
    pairs = [
        (parse_block(one.block), parse_quorum_certificate(one.quorum_certificate))
        for one in read_blocks(folder)
    ]
    tip = genesis_tip(genesis.charter)
    return list(walk(pairs, tip, lambda _verified: genesis.validator_set))


def test_the_frozen_export_is_genesis_framed_blocks_and_trust_bundle(export):
    assert set(export["files"]) == {GENESIS_FILE, BLOCKS_FILE, TRUST_FILE}
    assert framed(export["blocks"]).hex() == export["files"][BLOCKS_FILE]
    assert export["files"][GENESIS_FILE] == frozen("genesis")["raw"]


def test_the_frozen_export_is_read_and_its_chain_walks(export, folder):
    read = list(read_blocks(folder))
    expected = [(one["block"], one["quorum_certificate"]) for one in export["blocks"]]
    assert [(one.block.hex(), one.quorum_certificate.hex()) for one in read] == expected
    assert len(read_and_walk(folder)) == 3
    trust = read_trust(folder)
    assert trust.newest is not None
    assert trust.newest.header == parse_block(read[-1].block).header
    check_whole(folder)


def test_the_second_verifier_finds_every_frozen_block_genuine(export):
    trust = verifier.read_trust(octets(export["files"][TRUST_FILE]))
    parent = None
    for one in export["blocks"]:
        block, certificate = octets(one["block"]), octets(one["quorum_certificate"])
        assert verifier.check_block(block, certificate, trust, parent).word is Word.GENUINE
        parent = verifier.blocks.read_block(block).header


def test_the_frozen_export_is_what_the_node_writes(export, tmp_path):
    genesis = octets(export["files"][GENESIS_FILE])
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / TRUST_FILE).write_bytes(octets(export["files"][TRUST_FILE]))
    with ExportWriter.open(tmp_path / "made", genesis) as writer:
        for one in export["blocks"]:
            writer.append(octets(one["block"]), octets(one["quorum_certificate"]))
        writer.finish(read_trust(tmp_path / "trust"))
    made = {path.name: path.read_bytes().hex() for path in (tmp_path / "made").iterdir()}
    assert made == export["files"]


def test_the_frozen_export_that_begins_later_names_its_first_block(export, folder):
    later = export["begun_later"]
    assert octets(later["files"][START_FILE]) == encode([1, "start", later["first_height"]])
    blocks = export["blocks"][later["first_height"] - 1 :]
    assert framed(blocks).hex() == later["files"][BLOCKS_FILE]
    for name, raw in later["files"].items():
        (folder / name).write_bytes(octets(raw))
    assert read_start(folder) == later["first_height"] == 2
    assert [one.height for one in read_blocks(folder)] == [2, 3]
    with pytest.raises(PartialExportError):
        check_whole(folder)


def test_frozen_files_of_blocks_with_a_fault_do_not_read_or_do_not_walk(export, folder):
    for raw in export["refused"]["blocks"].values():
        (folder / BLOCKS_FILE).write_bytes(octets(raw))
        with pytest.raises(CivregError):
            read_and_walk(folder)
    assert len(export["refused"]["blocks"]) == 9


def test_frozen_files_that_do_not_say_where_an_export_begins_are_refused(export, folder):
    for raw in export["refused"]["start"].values():
        (folder / START_FILE).write_bytes(octets(raw))
        with pytest.raises(InvalidDataError):
            read_start(folder)
    assert len(export["refused"]["start"]) == 4
