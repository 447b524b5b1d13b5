"""Drafts: an entry that still collects signatures, as one canonical file.

    draft = canonical([1, "draft", [[blind, part] ...], [[body, wraps]|nil ...],
                      [[key_id, signature] ...]])

There is one `[body, wraps]` for each record part. The wraps here open the body for signers, so
that each signer's own program can say in words what is signed; they are not the wraps of the vault,
which only the custodian makes. Everybody signs the same message, so signatures are kept by key id,
and a key that stands twice (an officer who also attests a custody form) signs once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from keys.signing import KEY_ID_BYTES, KeyId, PublicKey, verify
from ledger.canonical import Value, decode, encode
from ledger.entries import Entry, Slot, UnsignedEntry, parse_parts
from ledger.errors import InvalidDataError
from ledger.fields import read_array, read_bytes, read_bytes_up_to, read_version
from ledger.limits import BODY_BYTES_MAX, ENTRY_BYTES_MAX
from ledger.part_readers import check_ascending
from ledger.parts import CUSTODIAN_TERM, CustodySigner
from ledger.quorum import SIGNATURE_BYTES_MAX
from registry.authority_errors import SignerIdleError, SignerMissingError
from registry.wraps import WRAPS_BYTES_MAX

DRAFT_BYTES_MAX: Final = 2 * 1024 * 1024
DRAFT_SIGNATURES_MAX: Final = 256

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class DraftBody:
    """A record's sealed body, and wraps of its data key to signers; see `registry.wraps`."""

    body: bytes
    wraps: bytes


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry without all its signatures.

    Attributes:
        entry: The parts, as they will be signed.
        bodies: One for each record part, None where it has none.
        signatures: By key id, ascending.
    """

    entry: UnsignedEntry
    bodies: tuple[DraftBody | None, ...]
    signatures: Mapping[KeyId, bytes]


def print_draft(draft: Draft) -> bytes:
    """Return the bytes of a draft file."""
    bodies: list[Value] = [
        None if item is None else (item.body, item.wraps) for item in draft.bodies
    ]
    signatures: list[Value] = [
        (key_id, draft.signatures[key_id]) for key_id in sorted(draft.signatures)
    ]
    parts = tuple([tuple(part) for part in draft.entry.parts])
    return encode((_VERSION, "draft", parts, tuple(bodies), tuple(signatures)))


def parse_draft(raw: bytes) -> Draft:
    """Make a draft of bytes from anywhere; signatures are not yet verified.

    Args:
        raw: At most 2 MiB.

    Raises:
        InvalidDataError: Too large, not canonical, another shape, or not one body for each record.
    """
    value = decode(raw, DRAFT_BYTES_MAX, limit="draft bytes")
    version, word, parts, bodies, signatures = read_array(value, "draft", 5)
    read_version(version, "draft.version", _VERSION)
    if word != "draft":
        raise InvalidDataError("not a draft")
    entry = parse_parts(parts)
    listed = read_array(signatures, "draft.signatures", (0, DRAFT_SIGNATURES_MAX))
    pairs = [_read_signature(item) for item in listed]
    check_ascending(pairs, _key_id, "draft.signatures")
    expected = required_keys(entry)
    if any(key_id not in expected for key_id, _signature in pairs):
        raise InvalidDataError("a draft holds the signature of a key that is no signer")
    found = read_array(bodies, "draft.bodies", len(entry.records))
    return Draft(entry, tuple([_read_body(item) for item in found]), dict(pairs))


def required_keys(entry: UnsignedEntry) -> tuple[KeyId, ...]:
    """Return the keys that must sign, in the order of the head, each once; custodians last."""
    keys: dict[KeyId, None] = {}
    for signer in entry.head.signers:
        found = signer.officers if isinstance(signer, CustodySigner) else (signer.key_id,)
        keys.update(dict.fromkeys(found))
    return tuple(keys)


def missing_keys(draft: Draft) -> tuple[KeyId, ...]:
    """Return the keys whose signatures the draft still lacks; the custodian's last."""
    return tuple(key for key in required_keys(draft.entry) if key not in draft.signatures)


def custodian_is_next(draft: Draft) -> bool:
    """Tell whether nobody but the custodian still has to sign."""
    custodians = {
        signer.key_id
        for signer in draft.entry.head.signers
        if signer.term == CUSTODIAN_TERM and not isinstance(signer, CustodySigner)
    }
    missing = missing_keys(draft)
    return bool(missing) and all(key in custodians for key in missing)


def add_signature(draft: Draft, key: PublicKey, signature: bytes) -> Draft:
    """Return the draft with one more signature.

    Raises:
        SignerIdleError: The key is no signer of this draft.
        BadSignatureError: The signature is not by this key over this draft.
    """
    if key.key_id not in required_keys(draft.entry):
        raise SignerIdleError("the key is no signer of this draft", term=key.key_id.hex())
    verify(key, draft.entry.sign_message, signature)
    return replace(draft, signatures={**draft.signatures, key.key_id: signature})


def finish_draft(draft: Draft) -> Entry:
    """Return the entry, once all have signed.

    Raises:
        SignerMissingError: A signature is missing; details: term of the first one.
        LimitExceededError: The entry has over 65,535 bytes.
    """
    slots: list[Slot] = []
    for signer in draft.entry.head.signers:
        keys = signer.officers if isinstance(signer, CustodySigner) else (signer.key_id,)
        if any(key not in draft.signatures for key in keys):
            raise SignerMissingError(
                f"the draft still lacks a signature of {signer.term}", term=signer.term
            )
        given = tuple([draft.signatures[key] for key in keys])
        slots.append(given if isinstance(signer, CustodySigner) else given[0])
    return draft.entry.signed(slots)


def _read_body(value: Value) -> DraftBody | None:
    if value is None:
        return None
    body, wraps = read_array(value, "draft.body", 2)
    return DraftBody(
        read_bytes_up_to(body, "draft.body", BODY_BYTES_MAX),
        read_bytes_up_to(wraps, "draft.wraps", WRAPS_BYTES_MAX),
    )


def _read_signature(value: Value) -> tuple[KeyId, bytes]:
    key_id, signature = read_array(value, "draft.signature", 2)
    return (
        KeyId(read_bytes(key_id, "draft.signature.key_id", KEY_ID_BYTES)),
        read_bytes_up_to(signature, "draft.signature", SIGNATURE_BYTES_MAX),
    )


def _key_id(pair: tuple[KeyId, bytes]) -> KeyId:
    return pair[0]


assert DRAFT_BYTES_MAX > ENTRY_BYTES_MAX + BODY_BYTES_MAX, "a draft holds an entry and its body"
