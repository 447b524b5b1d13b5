"""The frozen vectors of sealed bodies: computed again from their inputs, by the document's words.

What is expected here comes from `hashlib`, HKDF, AES-GCM and HPKE taken apart and from the second
verifier's encoding, never from the code that seals; that code then opens the same bytes.
"""

import hmac
from hashlib import sha256
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys import sealing
from keys.errors import CivregError, SealError
from keys.hashing import Digest
from keys.signing import Algorithm, SoftwareKey
from ledger.errors import InvalidDataError
from ledger.ids import RecordId
from ledger.parts import Seal
from registry.problems import BodyError
from registry.sealed import BodyPlace, check_openings, open_body, parse_openings, seal_record
from registry.wraps import open_wraps, parse_wraps, wraps_digest
from tests.ledger.test_vectors import frozen
from tests.vectors.hpke_steps import open_hybrid, open_p256, seal_p256
from verifier.encoding import decode, encode
from verifier.hashes import hashed, leaf_of, list_root, prefix

SIZE_MAX = 1 << 20


@pytest.fixture(scope="module")
def vectors():
    return frozen("sealed")


@pytest.fixture(scope="module")
def place(vectors):
    return BodyPlace(
        Digest(octets(vectors["network_id"])),
        RecordId(octets(vectors["record_id"])),
        vectors["record_version"],
    )


@pytest.fixture(scope="module")
def seal(vectors):
    return Seal(*value_of(octets(vectors["seal"])))


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


def value_of(raw: bytes) -> Any:
    """The value of canonical bytes, of whatever shape."""
    return decode(raw, SIZE_MAX, opaque=True)


def where(vectors):
    names = ("network_id", "record_id")
    return [*[octets(vectors[name]) for name in names], vectors["record_version"]]


def paths(vectors):
    return [one["path"] for one in vectors["fields"]]


def padded(plaintext: bytes) -> bytes:
    """Section 6: length, value, zero bytes up to the first of 64, 128, 256 … that holds them."""
    content, size = len(plaintext).to_bytes(4) + plaintext, 64
    while size < len(content):
        size *= 2
    return content + bytes(size - len(content))


def hkdf(key: bytes, info: bytes) -> bytes:
    """RFC 5869 for 32 bytes without a salt, which is 32 zero bytes."""
    return hmac.digest(hmac.digest(bytes(32), key, "sha256"), info + b"\x01", "sha256")


def test_each_frozen_field_follows_from_data_key_path_salt_and_value(vectors):
    data_key = octets(vectors["data_key"])
    for one in vectors["fields"]:
        plaintext = b"\x92\xc4\x10" + octets(one["salt"]) + octets(one["value"])
        key = hkdf(data_key, prefix("field-key") + one["path"].encode())
        additional = encode([*where(vectors), one["path"]])
        assert plaintext.hex() == one["plaintext"]
        assert padded(plaintext).hex() == one["padded"]
        assert key.hex() == one["field_key"]
        assert additional.hex() == one["additional"]
        sealed = AESGCM(key).encrypt(bytes(12), padded(plaintext), additional)
        assert sealed.hex() == one["ciphertext"]
        path_and_salt = encode(one["path"]) + b"\xc4\x10" + octets(one["salt"])
        leaf = leaf_of(prefix("field") + b"\x93" + path_and_salt + octets(one["value"]))
        assert leaf.hex() == one["leaf"]


def test_the_frozen_fields_are_all_there_in_path_order_with_absent_ones_as_nil(vectors):
    assert paths(vectors) == sorted(paths(vectors), key=str.encode)
    assert [one["path"] for one in vectors["fields"] if one["value"] == "c0"] == ["address"]
    assert len({len(one["ciphertext"]) for one in vectors["fields"]}) == 2


def test_the_frozen_body_its_digests_and_its_seal_follow_from_the_fields(vectors):
    body = encode([1, [octets(one["ciphertext"]) for one in vectors["fields"]]])
    digests = [
        sha256(b"civreg/body/v1\x00" + body).digest(),
        sha256(b"civreg/data-key/v1\x00" + octets(vectors["data_key"])).digest(),
        list_root([octets(one["leaf"]) for one in vectors["fields"]]),
        sha256(b"civreg/wraps/v1\x00" + octets(vectors["wraps"]["raw"])).digest(),
    ]
    assert body.hex() == vectors["body"]
    names = ("body_digest", "key_check", "commitment")
    assert [one.hex() for one in digests[:3]] == [vectors[name] for name in names]
    assert digests[3].hex() == vectors["wraps"]["digest"]
    assert encode(digests).hex() == vectors["seal"]


def test_the_frozen_body_is_sealed_and_opened_by_the_node_just_so(vectors, place, seal):
    values = {one["path"]: value_of(octets(one["value"])) for one in vectors["fields"]}
    salts = [octets(one["salt"]) for one in vectors["fields"]]
    data_key = octets(vectors["data_key"])
    record = seal_record(place, paths(vectors), values, data_key, salts)
    assert record.body.hex() == vectors["body"]
    assert record.seal(seal.wraps_digest) == seal
    opened = open_body(place, paths(vectors), record.body, seal, data_key)
    assert opened.leaves == tuple(octets(one["leaf"]) for one in vectors["fields"])
    for one in vectors["fields"]:
        sealed, additional = octets(one["ciphertext"]), octets(one["additional"])
        plain = sealing.open_field_with_key(octets(one["field_key"]), sealed, additional)
        assert plain.hex() == one["plaintext"]


def test_frozen_bodies_that_were_changed_open_nothing_whatever_their_digest_says(
    vectors, place, seal
):
    data_key = octets(vectors["data_key"])
    for raw in map(octets, vectors["refused"]["bodies"].values()):
        own = Seal(Digest(hashed("body", raw)), seal.key_check, seal.commitment, seal.wraps_digest)
        for said in (seal, own):
            with pytest.raises(BodyError):
                open_body(place, paths(vectors), raw, said, data_key)
    assert len(vectors["refused"]["bodies"]) == 7


def test_frozen_fields_that_are_padded_otherwise_are_refused_though_their_tag_is_right(vectors):
    (field,) = [one for one in vectors["fields"] if one["path"] == "sex"]
    key, additional = octets(field["field_key"]), octets(field["additional"])
    for sealed in map(octets, vectors["refused"]["fields"].values()):
        plain = AESGCM(key).decrypt(bytes(12), sealed, additional)
        assert plain != padded(plain[4 : 4 + int.from_bytes(plain[:4])])
        with pytest.raises(SealError, match="not padded"):
            sealing.open_field_with_key(key, sealed, additional)
    assert len(vectors["refused"]["fields"]) == 4


def test_frozen_paddings_are_those_of_the_size_classes(vectors):
    for one in vectors["padding"]:
        plaintext = bytes(one["plaintext_bytes"])
        assert len(padded(plaintext)) == one["padded_bytes"]
        sealed = sealing.seal_field(bytes(32), "path", plaintext, b"")
        assert len(sealed) == one["padded_bytes"] + 16
    assert max(one["padded_bytes"] for one in vectors["padding"]) == 262_144


def test_the_frozen_wraps_are_those_of_their_readers_ascending(vectors):
    readers = vectors["wraps"]["readers"]
    listed = sorted(
        [octets(one["key_id"]), one["purpose"], octets(one["wrapped"])] for one in readers
    )
    raw = encode([1, listed])
    assert raw.hex() == vectors["wraps"]["raw"]
    assert wraps_digest(raw).hex() == vectors["wraps"]["digest"]
    assert [[one.recipient, one.purpose, one.wrapped] for one in parse_wraps(raw)] == listed
    for one in readers:
        source = [*where(vectors), octets(one["key_id"]), one["purpose"]]
        assert one["info"] == (prefix("wrap") + encode(source)).hex()
        key_id = hashed("key", bytes([one["algorithm"]]), octets(one["public"]))[:16]
        assert key_id.hex() == one["key_id"]


def test_every_frozen_wrap_opens_by_rfc_9180_step_by_step_and_by_the_node(vectors, place, seal):
    algorithms = []
    for one in vectors["wraps"]["readers"]:
        private, wrapped = octets(one["private"]), octets(one["wrapped"])
        open_by_steps = open_p256 if one["algorithm"] == Algorithm.P256 else open_hybrid
        assert open_by_steps(private, wrapped, octets(one["info"])).hex() == vectors["data_key"]
        key = SoftwareKey.from_private_bytes(Algorithm(one["algorithm"]), private)
        assert key.public.public.hex() == one["public"]
        assert key.unwrap(wrapped, octets(one["info"])).hex() == vectors["data_key"]
        wraps = parse_wraps(octets(vectors["wraps"]["raw"]))
        assert open_wraps(wraps, place, key, seal.key_check).hex() == vectors["data_key"]
        algorithms.append((one["algorithm"], len(wrapped)))
    assert algorithms == [(1, 113), (1, 113), (3, 1_168)]


def test_frozen_wraps_to_p256_follow_from_their_ephemeral_keys(vectors):
    made = [one for one in vectors["wraps"]["readers"] if one["ephemeral"]]
    for one in made:
        ephemeral, public = octets(one["ephemeral"]), octets(one["public"])
        again = seal_p256(ephemeral, public, octets(vectors["data_key"]), octets(one["info"]))
        assert again.hex() == one["wrapped"]
    assert len(made) == 2


def test_a_damaged_frozen_wrap_and_one_for_another_purpose_do_not_open(vectors):
    for one in vectors["wraps"]["readers"]:
        private, wrapped = octets(one["private"]), octets(one["wrapped"])
        key = SoftwareKey.from_private_bytes(Algorithm(one["algorithm"]), private)
        damaged = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
        other = octets(one["info"])[:-1] + b"x"
        for raw, info in ((damaged, octets(one["info"])), (wrapped, other)):
            with pytest.raises(SealError):
                key.unwrap(raw, info)
            with pytest.raises(InvalidTag):
                (open_p256 if one["algorithm"] == Algorithm.P256 else open_hybrid)(
                    private, raw, info
                )


def test_frozen_bytes_that_are_no_wraps_are_refused(vectors):
    for raw in vectors["refused"]["wraps"].values():
        with pytest.raises(InvalidDataError):
            parse_wraps(octets(raw))
    assert len(vectors["refused"]["wraps"]) == 5


def test_frozen_openings_are_the_fields_that_are_shown_and_the_leaves_of_the_others(vectors, seal):
    for one in vectors["openings"]:
        elements = b"".join(
            b"\x93" + encode(field["path"]) + b"\xc4\x10" + octets(field["salt"] + field["value"])
            if field["path"] in one["shown"]
            else encode(octets(field["leaf"]))
            for field in vectors["fields"]
        )
        count = bytes([0x90 + len(vectors["fields"])])
        assert (b"\x93\x01" + encode("openings") + count + elements).hex() == one["raw"]
        shown = check_openings(parse_openings(octets(one["raw"])), seal.commitment)
        assert sorted(shown) == one["shown"]
    assert [len(one["shown"]) for one in vectors["openings"]] == [5, 2, 0]


def test_frozen_openings_of_other_values_or_another_form_are_refused(vectors, seal):
    for raw in vectors["refused"]["openings"].values():
        with pytest.raises(CivregError):
            check_openings(parse_openings(octets(raw)), seal.commitment)
    assert len(vectors["refused"]["openings"]) == 7
