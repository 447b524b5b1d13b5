"""Keyed tags: equal numbers and names are found by validators who never learn them.

A tag is HMAC over HMAC, by the keys of two agencies of a namespace: neither of them alone, and no
stolen validator, can search the ten million numbers of a province. The second agency's service
signs each answer for one record, one officer, one field and a short time.

The canonical value of a tagged field stands here too: what is tagged must be spelled one way.

Source: docs/formats.md, section 5; records.md, section 2.3.
"""

import hmac
from dataclasses import dataclass
from typing import Final

from keys.hashing import Digest, domain
from keys.signing import KeyId, PublicKey, Signer, verify
from ledger.canonical import encode
from ledger.entries import TagProof
from ledger.ids import RecordId, print_id
from registry.spelling import name_tokens

TAG_KEY_BYTES: Final = 32
TAG_VALUE_CHARS_MAX: Final = 1_024

_TAG: Final = domain("tag")
_TAG_SIGNATURE: Final = domain("tag-signature")
_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TagStatement:
    """What the tag service signs: this tag is of the field with this leaf, for this record.

    Attributes:
        network_id: 32 bytes.
        namespace: As genesis names it, such as `person.number`.
        epoch: Of the namespace's keys, from 1.
        tag: 32 bytes.
        commitment_leaf: Leaf of the field in the record's commitment, 32 bytes.
        record_id: The record that claims or is matched.
        officer_key_id: Who asked.
        expiry_ms: Block time until which the answer may be used.
    """

    network_id: Digest
    namespace: str
    epoch: int
    tag: Digest
    commitment_leaf: Digest
    record_id: RecordId
    officer_key_id: KeyId
    expiry_ms: int

    @property
    def sign_message(self) -> bytes:
        """What is signed, with its domain prefix."""
        return _TAG_SIGNATURE + encode(
            (
                *(_VERSION, self.network_id, self.namespace, self.epoch, self.tag),
                *(self.commitment_leaf, self.record_id, self.officer_key_id, self.expiry_ms),
            )
        )


def inner_tag(first_key: bytes, namespace: str, value: str) -> Digest:
    """Return the first agency's half: HMAC-SHA256 of the canonical value.

    Args:
        first_key: 32 secret bytes of the namespace's first agency.
        namespace: As genesis names it; without a zero character.
        value: The canonical value of the field, see `number_value`, `name_value`.
    """
    return _hmac(first_key, namespace, value.encode())


def outer_tag(second_key: bytes, namespace: str, inner: Digest) -> Digest:
    """Return the tag: the second agency's HMAC over the first one's.

    Args:
        second_key: 32 secret bytes of the namespace's second agency.
        namespace: As for `inner_tag`.
        inner: What `inner_tag` gave, 32 bytes.
    """
    return _hmac(second_key, namespace, inner)


def prove_tag(statement: TagStatement, signer: Signer) -> TagProof:
    """Return the proof that stands beside a tag; for the second agency's service."""
    return TagProof(
        commitment_leaf=statement.commitment_leaf,
        officer_key_id=statement.officer_key_id,
        expiry_ms=statement.expiry_ms,
        signature=signer.sign(statement.sign_message),
    )


def check_tag_proof(statement: TagStatement, signature: bytes, key: PublicKey) -> None:
    """Refuse a tag that the service did not sign for exactly this statement.

    Raises:
        BadSignatureError: Not by this key over this statement.
    """
    verify(key, statement.sign_message, signature)


def number_value(number: str) -> str:
    """Return the canonical value of a number or code: without blanks, dots, hyphens; upper case."""
    kept = number.replace(" ", "").replace(".", "").replace("-", "")
    return kept.translate(UPPER)


def name_value(full_name: str, mother: RecordId | None) -> str:
    """Return the canonical value of a child's name with its mother, for the match `birth.name`.

    Marks, case and the order of words do not count (records.md, section 8).

    Args:
        full_name: Family, middle and given name with spaces between.
        mother: The mother's identity; two children without one do not match by their name alone,
            for the name then stands with a blank.
    """
    words = " ".join(name_tokens(full_name))
    return f"{words}|{'' if mother is None else print_id(mother)}"


def person_value(full_name: str, birth_date: str) -> str:
    """Return the canonical value of a person's name and day of birth, for `identity.name`.

    Args:
        full_name: Family, middle and given name with spaces between; compared as in `name_value`.
        birth_date: ISO date.
    """
    return f"{' '.join(name_tokens(full_name))}|{birth_date}"


UPPER: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def _hmac(key: bytes, namespace: str, message: bytes) -> Digest:
    assert len(key) == TAG_KEY_BYTES, "the tag service makes keys of 32 bytes"
    prefixed = _TAG + namespace.encode() + b"\x00" + message
    return Digest(hmac.digest(key, prefixed, "sha256"))
