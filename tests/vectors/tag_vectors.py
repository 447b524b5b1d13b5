"""Frozen vectors of tags, what their services say and sign, for `tests.vectors.make_vectors`."""

import hmac
from dataclasses import replace
from typing import Any, Final

from keys.curves import P256_ORDER
from keys.hashing import Digest, domain
from keys.signing import Algorithm, KeyId, Signer, SoftwareKey
from ledger.canonical import encode, encode_opaque
from ledger.ids import AgencyId, RecordId
from registry.tags import (
    TagStatement,
    inner_tag,
    name_value,
    number_value,
    outer_tag,
    prove_tag,
)
from tests.networks import GENESIS_MS, seed, small_network
from tests.vectors.consensus_vectors import OracleKey

NETWORK_ID: Final = small_network().genesis.network_id
EPOCH: Final = 2
FIRST_SECRET: Final = seed("tag secret", "first")
SECOND_SECRET: Final = seed("tag secret", "second")
FIRST_AGENCY: Final = AgencyId(seed("agency", "a")[:16])
SECOND_AGENCY: Final = AgencyId(seed("agency", "b")[:16])
RECORD_ID: Final = RecordId(seed("tagged record")[:16])
MOTHER: Final = RecordId(seed("mother")[:16])
OFFICER: Final = KeyId(seed("asking officer")[:16])
LEAF: Final = Digest(seed("leaf of the field"))
EDWARDS_PRIVATE: Final = seed("key", "tag service")
CURVE_PRIVATE: Final = seed("p256", "tag service")
SERVICE_KEYS: Final[tuple[tuple[bytes, Signer], ...]] = (
    (EDWARDS_PRIVATE, SoftwareKey.from_private_bytes(Algorithm.ED25519, EDWARDS_PRIVATE)),
    (CURVE_PRIVATE, OracleKey(CURVE_PRIVATE)),
)
TAGGED: Final = (
    ("person.number", number_value("001.190-000 123")),
    ("birth.name", name_value("Nguyễn Thị Ân", MOTHER)),
    ("birth.name", name_value("Trần Văn Đức", None)),
    ("property.code", "\u6797/7"),
)


def tag_key(secret: bytes, half: bytes, namespace: str, epoch: int = EPOCH) -> bytes:
    """The key of a half of a namespace, as docs/formats.md says it."""
    source = domain("tag-key") + half + b"\x00" + epoch.to_bytes(8) + namespace.encode()
    return hmac.digest(secret, source, "sha256")


def statement_of(namespace: str, value: str) -> TagStatement:
    inner = inner_tag(tag_key(FIRST_SECRET, b"first", namespace), namespace, value)
    return TagStatement(
        network_id=NETWORK_ID,
        namespace=namespace,
        epoch=EPOCH,
        tag=outer_tag(tag_key(SECOND_SECRET, b"second", namespace), namespace, inner),
        commitment_leaf=LEAF,
        record_id=RECORD_ID,
        officer_key_id=OFFICER,
        expiry_ms=GENESIS_MS,
    )


def tag_vectors() -> dict[str, Any]:
    """Tags of several values with all that leads to them, and signatures that do not count."""
    signed = statement_of(*TAGGED[0])
    return {
        "network_id": NETWORK_ID.hex(),
        "epoch": EPOCH,
        "first_agency": FIRST_AGENCY.hex(),
        "first_secret": FIRST_SECRET.hex(),
        "second_agency": SECOND_AGENCY.hex(),
        "second_secret": SECOND_SECRET.hex(),
        "record_id": RECORD_ID.hex(),
        "mother": MOTHER.hex(),
        "officer_key_id": OFFICER.hex(),
        "commitment_leaf": LEAF.hex(),
        "expiry_ms": GENESIS_MS,
        "service_keys": [
            {
                "algorithm": int(one.public.algorithm),
                "private": private.hex(),
                "public": one.public.public.hex(),
            }
            for private, one in SERVICE_KEYS
        ],
        "tags": [_tag_vector(namespace, value) for namespace, value in TAGGED],
        "refused": {
            "statements": {
                name: one.sign_message.hex() for name, one in _other_statements(signed).items()
            },
            "signatures": _refused_signatures(signed),
        },
    }


def _tag_vector(namespace: str, value: str) -> dict[str, Any]:
    first = tag_key(FIRST_SECRET, b"first", namespace)
    second = tag_key(SECOND_SECRET, b"second", namespace)
    inner, statement = inner_tag(first, namespace, value), statement_of(namespace, value)
    proofs = [prove_tag(statement, one) for _private, one in SERVICE_KEYS]
    asked = (namespace, inner, LEAF, RECORD_ID, OFFICER, GENESIS_MS)
    given = (EPOCH, statement.tag, GENESIS_MS, proofs[0].signature)
    return {
        "namespace": namespace,
        "value": value,
        "first_key": first.hex(),
        "second_key": second.hex(),
        "inner": inner.hex(),
        "tag": statement.tag.hex(),
        "sign_message": statement.sign_message.hex(),
        "signatures": [proof.signature.hex() for proof in proofs],
        "tag_proof": encode((LEAF, OFFICER, GENESIS_MS, proofs[0].signature)).hex(),
        "inner_question": encode_opaque((1, "tag-inner", ((namespace, value),))).hex(),
        "inner_answer": encode((1, (inner,))).hex(),
        "outer_question": encode((1, "tag-outer", (asked,))).hex(),
        "outer_answer": encode((1, (given,))).hex(),
    }


def _other_statements(signed: TagStatement) -> dict[str, TagStatement]:
    """Statements that differ in one field each: the signature of the first tag is not of them."""
    return {
        "another network": replace(signed, network_id=Digest(bytes(32))),
        "another namespace": replace(signed, namespace="person.numbers"),
        "another epoch": replace(signed, epoch=EPOCH + 1),
        "another tag": replace(signed, tag=Digest(bytes(32))),
        "another field": replace(signed, commitment_leaf=Digest(bytes(32))),
        "another record": replace(signed, record_id=MOTHER),
        "another officer": replace(signed, officer_key_id=KeyId(bytes(16))),
        "a later expiry": replace(signed, expiry_ms=GENESIS_MS + 1),
    }


def _refused_signatures(signed: TagStatement) -> dict[str, str]:
    """Signatures of the first tag that do not verify under the key of algorithm 1."""
    good = SERVICE_KEYS[1][1].sign(signed.sign_message)
    high = P256_ORDER - int.from_bytes(good[32:])
    return {
        "a changed byte": (good[:-1] + bytes([good[-1] ^ 1])).hex(),
        "a high S": (good[:32] + high.to_bytes(32)).hex(),
        "a byte too few": good[:-1].hex(),
        "by another key": OracleKey(seed("p256", "stranger")).sign(signed.sign_message).hex(),
    }
