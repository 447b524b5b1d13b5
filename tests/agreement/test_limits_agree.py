"""The ledger and the verifier stop reading at the same byte and the same signer."""

from dataclasses import replace

import pytest

from keys.hashing import Digest
from keys.signing import KeyId
from ledger import part_readers
from ledger.blocks import parse_block
from ledger.entries import KeySigner, compose, parse_entry, sort_signers
from ledger.errors import InvalidDataError
from tests.ledger.full_blocks import block_of
from tests.networks import seed, small_entry
from verifier.blocks import read_block
from verifier.entries import read_entry
from verifier.refusals import UnreadableError

MEBIBYTE = 1024 * 1024


def test_both_read_a_block_of_5_mebibytes_and_none_of_a_byte_more():
    full = block_of(5 * MEBIBYTE)
    block = parse_block(full)
    assert len(read_block(full).entries) == len(block.entries) == block.header.entries_count
    too_long = block_of(5 * MEBIBYTE + 1)
    with pytest.raises(InvalidDataError):
        parse_block(too_long)
    with pytest.raises(UnreadableError):
        read_block(too_long)


def signed_by(count: int) -> bytes:
    """An entry with so many signers; nobody has counted them yet."""
    given = small_entry(Digest(seed("network")), "one")
    signers = sort_signers(KeySigner("owner", None, KeyId(seed(at)[:16])) for at in range(count))
    head = replace(given.head, signers=signers)
    blinds = [part.blind for part in given.parts]
    unsigned = compose(head, given.records, given.objects, given.context, blinds)
    return unsigned.signed([b"a" * 64] * count).raw


def test_both_read_an_entry_of_64_signers_and_none_of_65(monkeypatch):
    full = signed_by(64)
    assert len(parse_entry(full).slots) == 64
    assert len(read_entry(full).parts) == 3
    with monkeypatch.context() as lenient:
        lenient.setattr(part_readers, "ENTRY_SIGNERS_MAX", 65)
        too_many = signed_by(65)
    with pytest.raises(InvalidDataError):
        parse_entry(too_many)
    with pytest.raises(UnreadableError):
        read_entry(too_many)
