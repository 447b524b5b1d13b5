"""Makes the frozen vectors beside this file: `python -m tests.vectors.make_vectors` in the root.

The vectors are the formats of docs/formats.md as data, for a second implementation. Everything
follows from names (deterministic Ed25519 keys, P-256 after RFC 6979; one wrap was made once, see
`sealed_vectors`), so running this again changes nothing; if it does, a published format changed,
which needs a version number and a decision record. Bytes are hexadecimal.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from keys.hashing import Digest
from keys.signing import KeyId
from ledger import merkle, state_tree
from ledger.blocks import evidence_root
from ledger.canonical import Value, encode
from ledger.entries import (
    Claim,
    Context,
    CustodySigner,
    Entry,
    Evidence,
    Head,
    Holder,
    KeySigner,
    Match,
    ObjectPart,
    RecordPart,
    TagProof,
    compose,
    sort_claims,
    sort_signers,
)
from ledger.genesis import template_digest
from ledger.ids import ActId, ObjectId, RecordId, derived_id, print_id, record_id
from ledger.parts import About
from ledger.quorum import print_quorum_certificate
from ledger.receipts import build_receipt, hide_parts, print_receipt
from ledger.state_keys import (
    StateKey,
    blind_for,
    blind_seed,
    key_bytes,
    key_hash,
    stored_value,
    value_hash,
)
from ledger.trust import CertifiedHeader, ValidatorChange, make_trust
from ledger.validators import ValidatorSet, print_validator_set
from registry.state_documents import StateDocument, print_state_document
from tests.networks import GENESIS_MS, ChainBuilder, key, seed, small_entry, small_network
from tests.vectors.canonical_vectors import canonical_vectors
from tests.vectors.consensus_vectors import (
    certificate_vectors,
    evidence_vectors,
    light_vectors,
    message_vectors,
)
from tests.vectors.digest_vectors import digest_vectors
from tests.vectors.draft_vectors import draft_vectors
from tests.vectors.export_vectors import export_vectors
from tests.vectors.membership_vectors import membership_vectors
from tests.vectors.sealed_vectors import sealed_vectors
from tests.vectors.snapshot_vectors import snapshot_vectors
from tests.vectors.tag_vectors import tag_vectors

FOLDER = Path(__file__).parent
NETWORK = small_network()
NETWORK_ID = NETWORK.genesis.network_id


def ids_vectors() -> dict[str, Any]:
    numbers = [0, 1, 36, 37, 2**64, 2**127, 2**128 - 1]
    identifiers = [*[number.to_bytes(16) for number in numbers], seed("id")[:16]]
    signer, act = KeyId(seed("signer")[:16]), ActId(seed("act")[:16])
    made = record_id(NETWORK_ID, signer, act)
    return {
        "printed": [{"id": one.hex(), "text": print_id(one)} for one in identifiers],
        "refused": ["", "0" * 26, "00000-00000-00000-00000-000000-1", "U" * 26 + "0"],
        "record_id": {
            "network_id": NETWORK_ID.hex(),
            "first_signer_key_id": signer.hex(),
            "act_id": act.hex(),
            "record_id": made.hex(),
        },
        "derived_id": {
            "creating_record_id": made.hex(),
            "new_version": 1,
            "effect": "companion",
            "index": 0,
            "id": derived_id(made, 1, "companion", 0).hex(),
        },
    }


def full_entry() -> Entry:
    """An entry that uses every part of the format."""
    officers = tuple(sorted(key("officer", number).public.key_id for number in range(2)))
    form = CustodySigner("informant", RecordId(seed("mother")[:16]), officers, Digest(seed("form")))
    custodian = key("custodian").public.key_id
    signers = sort_signers([form, KeySigner("custodian", None, custodian)])
    proof = TagProof(Digest(seed("leaf")), officers[0], GENESIS_MS, key("tag").sign(b"tag"))
    tag = Digest(seed("tag value"))
    head = Head(
        network_id=NETWORK_ID,
        kind="land-title/transfer",
        schema_version=3,
        act_id=ActId(seed("full act")[:16]),
        about=About(RecordId(seed("about")[:16]), 7),
        office=None,
        event_date="2024-02-29",
        received_on=None,
        not_after_ms=GENESIS_MS,
        legal_basis=("Luật Đất đai 31/2024/QH15, Điều 131",),
        signers=signers,
    )
    parties = tuple(sorted(RecordId(seed("party", number)[:16]) for number in range(2)))
    record = RecordPart(
        type_name="land-title",
        record_id=RecordId(seed("about")[:16]),
        record_version=8,
        previous_entry=Digest(seed("previous")),
        member={"unit": "00001", "area_dm2": 123_450, "shared": True, "since": None, "b": [1, -1]},
        holders=(Holder(parties, 1, 3), Holder(parties[:1], 2, 3)),
        links={"parcel": RecordId(seed("parcel")[:16]), "parents": parties},
        claims=sort_claims(
            [Claim("land.parcel", 0, "00001/12/345", None), Claim("person.number", 2, tag, proof)]
        ),
        matches=(Match("birth.name", 1, tag, proof),),
        seal=None,
    )
    grant = ObjectPart("grant", {"id": ObjectId(seed("grant")[:16]), "fields": ["name"]})
    evidence = Evidence(sufficient=True, official=False, digests=())
    context = Context((), evidence, RecordId(seed("order")[:16]), "đo đạc lại")
    blinds = [seed("full blind", number)[:16] for number in range(4)]
    unsigned = compose(head, [record], [grant], context, blinds)
    by_id = {one.public.key_id: one for one in (key("officer", 0), key("officer", 1))}
    message = unsigned.sign_message
    form_slot = tuple(by_id[officer].sign(message) for officer in officers)
    return unsigned.signed([form_slot, key("custodian").sign(message)])


def entry_vector(entry: Entry) -> dict[str, Any]:
    return {
        "raw": entry.raw.hex(),
        "parts": [{"blind": part.blind.hex(), "part": part.raw.hex()} for part in entry.parts],
        "leaf_hashes": [merkle.leaf_hash(part.leaf_data).hex() for part in entry.parts],
        "entry_digest": entry.entry_digest.hex(),
        "sign_message": entry.sign_message.hex(),
        "signatures_digest": entry.signatures_digest.hex(),
        "log_leaf": entry.log_leaf.hex(),
        "blind_seed": blind_seed(entry).hex(),
        "created_record_id": entry.created_record_id.hex(),
    }


def refused_entries() -> dict[str, str]:
    entry = small_entry(NETWORK_ID, "refused")
    pairs: list[Value] = [tuple(part) for part in entry.parts]
    first = entry.parts[0].blind
    same_blind = [(first, part.raw) for part in entry.parts]
    return {
        "a slot too few": encode((pairs, entry.slots[:1])).hex(),
        "a slot too many": encode((pairs, (*entry.slots, entry.slots[0]))).hex(),
        "no head": encode((pairs[1:], entry.slots)).hex(),
        "no context": encode((pairs[:-1], entry.slots)).hex(),
        "head and record swapped": encode(([pairs[1], pairs[0], pairs[2]], entry.slots)).hex(),
        "one blind for all": encode((list(same_blind), entry.slots)).hex(),
        "a byte behind the end": entry.raw.hex() + "00",
        "an array length in the long form": "dc0002" + entry.raw.hex()[2:],
    }


def entry_vectors() -> dict[str, Any]:
    accepted = [small_entry(NETWORK_ID, "vector"), full_entry()]
    return {"accepted": [entry_vector(one) for one in accepted], "refused": refused_entries()}


def chain() -> tuple[ChainBuilder, list[CertifiedHeader], ValidatorSet]:
    """Five blocks; the validator set of height 4 has three members."""
    builder = ChainBuilder(NETWORK)
    smaller = ValidatorSet(NETWORK.genesis.validator_set.validators[:3])
    certified = []
    for height, count in enumerate((3, 1, 0, 2, 0), 1):
        entries = [small_entry(NETWORK_ID, ("vector", height, at)) for at in range(count)]
        following = smaller if height == 3 else None
        block, certificate = builder.next_block(entries, next_validators=following)
        certified.append(CertifiedHeader(block.header, certificate))
    return builder, certified, smaller


def block_vectors() -> dict[str, Any]:
    builder, certified, smaller = chain()
    blocks = [
        {
            "raw": block.raw.hex(),
            "header": block.header.raw.hex(),
            "header_digest": block.header.digest.hex(),
            "outcomes": [outcome.to_bytes().hex() for outcome in outcomes],
            "quorum_certificate": print_quorum_certificate(one.quorum_certificate).hex(),
        }
        for block, outcomes, one in zip(builder.blocks, builder.outcomes, certified, strict=True)
    ]
    sets = (NETWORK.genesis.validator_set, smaller)
    return {
        "network_id": NETWORK_ID.hex(),
        "genesis_time_ms": GENESIS_MS,
        "validator_sets": [
            {"raw": print_validator_set(one).hex(), "digest": one.digest.hex()} for one in sets
        ],
        "set_of_height": [0, 0, 0, 1, 1],
        "blocks": blocks,
        "evidence_root_of_two": evidence_root([b"one", b"two"]).hex(),
    }


def genesis_vectors() -> dict[str, Any]:
    charter = NETWORK.genesis.charter
    return {
        "raw": NETWORK.genesis.raw.hex(),
        "template_digest": template_digest(charter.template_raw).hex(),
        "network_id": NETWORK_ID.hex(),
        "validators": charter.validators.digest.hex(),
        "attachments": [
            {"name": name, "digest": digest.hex()} for name, digest in charter.template.attachments
        ],
    }


def receipt_vectors() -> dict[str, Any]:
    builder, certified, smaller = chain()
    change = ValidatorChange(certified[2], smaller)
    trust = make_trust(NETWORK.genesis.charter, [change], certified[4], GENESIS_MS + 10**9)
    block, outcomes = builder.blocks[0], [one.to_bytes() for one in builder.outcomes[0]]
    good = build_receipt(block, outcomes, 1, certified[0].quorum_certificate)
    swapped = replace(good, certified=certified[1])
    refused = {
        "ledger.receipt_not_included": replace(good, index=0),
        "ledger.receipt_wrong_index": replace(good, index=3),
        "ledger.receipt_wrong_entry": replace(good, shown=(*good.shown[:2], Digest(bytes(32)))),
        "ledger.receipt_wrong_outcome": replace(good, outcome_path=good.outcome_path[::-1]),
        "ledger.receipt_wrong_header": replace(
            good,
            certified=CertifiedHeader(
                replace(good.header, time_ms=1), certified[0].quorum_certificate
            ),
        ),
        "ledger.receipt_wrong_height": replace(
            good, certified=CertifiedHeader(good.header, swapped.certified.quorum_certificate)
        ),
    }
    return {
        "trust": trust.to_bytes().hex(),
        "fingerprint": trust.fingerprint,
        "now_ms": GENESIS_MS,
        "accepted": [
            {
                "receipt": print_receipt(hide_parts(good, shown)).hex(),
                "shown": list(shown),
                "entry_digest": good.entry_digest.hex(),
            }
            for shown in ((0, 1, 2), (1,), ())
        ],
        "refused": [
            {"code": code, "receipt": print_receipt(one).hex()} for code, one in refused.items()
        ],
    }


def state_vectors() -> dict[str, Any]:
    values: dict[StateKey, Value] = {
        ("parameter", "idle_ms"): 1_000,
        ("record", seed("record")[:16]): (1, "live", None, {"unit": "00001"}),
        ("claim", "person.number", 1, seed("tag")): seed("record")[:16],
        ("number", "ward", "birth", 2026): 7,
    }
    rows, changes = [], {}
    for one, value in values.items():
        blind = blind_for(NETWORK_ID, key_hash(one))
        changes[bytes(key_hash(one))] = bytes(value_hash(blind, value))
        rows.append(
            {
                "key": key_bytes(one).hex(),
                "state_key": key_hash(one).hex(),
                "seed": NETWORK_ID.hex(),
                "blind": blind.hex(),
                "stored": stored_value(blind, value).hex(),
                "value_hash": value_hash(blind, value).hex(),
            }
        )
    tree = state_tree.update(lambda _page: None, changes)
    asked: list[StateKey] = [*values, ("record", bytes(16))]
    proofs = [
        {
            "state_key": key_hash(one).hex(),
            "present": one in values,
            "proof": encode(state_tree.prove(tree.pages.get, key_hash(one)).to_value()).hex(),
        }
        for one in asked
    ]
    return {
        "rows": rows,
        "root": tree.root.hex(),
        "proofs": proofs,
        **state_document_vectors(tree, asked, rows),
    }


def state_document_vectors(
    tree: state_tree.TreeUpdate, asked: list[StateKey], rows: list[dict[str, str]]
) -> dict[str, Any]:
    """The same proofs as a node hands them out, under a header of its own."""
    block, certificate = ChainBuilder(NETWORK).next_block(state_root=tree.root)
    certified = CertifiedHeader(block.header, certificate)
    trust = make_trust(NETWORK.genesis.charter, [], certified, GENESIS_MS + 10**9)
    stored = {row["state_key"]: bytes.fromhex(row["stored"]) for row in rows}
    documents = [
        StateDocument(
            one,
            stored.get(key_hash(one).hex()),
            state_tree.prove(tree.pages.get, key_hash(one)),
            certified,
        )
        for one in asked
    ]
    return {
        "trust": trust.to_bytes().hex(),
        "now_ms": GENESIS_MS,
        "documents": [print_state_document(one).hex() for one in documents],
    }


MAKERS: dict[str, Callable[[], dict[str, Any]]] = {
    "canonical": canonical_vectors,
    "ids": ids_vectors,
    "entries": entry_vectors,
    "blocks": block_vectors,
    "genesis": genesis_vectors,
    "receipts": receipt_vectors,
    "state": state_vectors,
    "messages": message_vectors,
    "light": light_vectors,
    "evidence": evidence_vectors,
    "certificates": certificate_vectors,
    "snapshot": snapshot_vectors,
    "membership": membership_vectors,
    "sealed": sealed_vectors,
    "tags": tag_vectors,
    "draft": draft_vectors,
    "export": export_vectors,
    "digests": digest_vectors,
}


def print_vectors(name: str) -> str:
    """Return the text of a file of vectors."""
    return json.dumps(MAKERS[name](), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for made in MAKERS:
        (FOLDER / f"{made}.json").write_text(print_vectors(made), encoding="utf-8")
