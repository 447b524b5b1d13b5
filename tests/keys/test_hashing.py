"""The few lines that every hash of civreg goes through."""

import hashlib

from keys.hashing import DIGEST_BYTES, domain, hash_with, sha256


def test_a_domain_is_its_purpose_in_the_frozen_frame():
    assert domain("key") == b"civreg/key/v1\x00"


def test_a_hash_with_a_domain_is_sha_256_over_prefix_and_pieces():
    expected = hashlib.sha256(b"civreg/key/v1\x00onetwo").digest()
    assert hash_with(domain("key"), b"one", b"two") == expected
    assert hash_with(domain("keys"), b"one", b"two") != expected


def test_a_plain_hash_is_sha_256_of_nist():
    """FIPS 180-2, appendix B.1."""
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(b"abc").hex() == expected
    assert len(sha256(b"")) == DIGEST_BYTES
