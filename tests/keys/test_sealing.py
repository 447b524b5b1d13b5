"""Sealed fields, wrapped keys: what was sealed opens, nothing else does, sizes tell little."""

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_der_private_key
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import InvalidKeyError, SealError
from keys.hashing import Digest, domain
from keys.hpke import hybrid_from_seed
from keys.sealing import (
    FIELD_VALUE_BYTES_MAX,
    SIZE_CLASS_BYTES_MAX,
    check_data_key,
    field_key,
    key_check,
    open_field,
    open_field_with_key,
    seal_field,
    wrap,
)
from keys.signing import Algorithm, PublicKey, SoftwareKey, parse_public_key

DATA_KEY = bytes(range(32))
PATH = "mother.name"
READERS = {
    algorithm: SoftwareKey.from_private_bytes(algorithm, bytes(range(7, 39)))
    for algorithm in (Algorithm.P256, Algorithm.MLKEM768_X25519)
}

data_keys = st.binary(min_size=32, max_size=32)
algorithms = st.sampled_from(sorted(READERS))


def hkdf(key, info, length):
    """RFC 5869 with SHA-256 and no salt, naively."""
    secret = hmac.digest(bytes(32), key, "sha256")
    output, block = b"", b""
    while len(output) < length:
        block = hmac.digest(secret, block + info + bytes([len(output) // 32 + 1]), "sha256")
        output += block
    return output[:length]


def naive_hpke_open(private, wrapped, info):
    """RFC 9180 step by step: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, base mode."""

    def extract(suite, salt, label, value):
        return hmac.digest(salt, b"HPKE-v1" + suite + label + value, "sha256")

    def expand(suite, secret, label, value, length):
        text = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + value
        return hmac.digest(secret, text + b"\x01", "sha256")[:length]

    kem, suite = b"KEM\x00\x10", b"HPKE\x00\x10\x00\x01\x00\x02"
    sender, ciphertext = wrapped[:65], wrapped[65:]
    curve = ec.SECP256R1()
    shared = private.exchange(
        ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(curve, sender)
    )
    numbers = private.public_key().public_numbers()
    own = b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    secret = expand(kem, extract(kem, b"", b"eae_prk", shared), b"shared_secret", sender + own, 32)
    context = b"\x00" + extract(suite, b"", b"psk_id_hash", b"")
    context += extract(suite, b"", b"info_hash", info)
    schedule = extract(suite, secret, b"secret", b"")
    key = expand(suite, schedule, b"key", context, 32)
    nonce = expand(suite, schedule, b"base_nonce", context, 12)
    return AESGCM(key).decrypt(nonce, ciphertext, b"")


@given(data_keys, st.text(max_size=30), st.binary(max_size=300), st.binary(max_size=30))
def test_a_sealed_field_opens_to_its_value_with_the_data_key_or_its_own_key(
    data_key, path, value, additional
):
    sealed = seal_field(data_key, path, value, additional)
    assert open_field(data_key, path, sealed, additional) == value
    assert open_field_with_key(field_key(data_key, path), sealed, additional) == value


@given(data_keys, st.text(max_size=30))
def test_a_field_key_is_hkdf_of_data_key_and_path(data_key, path):
    assert field_key(data_key, path) == hkdf(
        data_key, b"civreg/field-key/v1\x00" + path.encode(), 32
    )


def test_the_bytes_of_a_sealed_field_are_those_of_its_description():
    """A naive twin of the format, from the module's own words."""
    padded = b"\x00\x00\x00\x05Nga T".ljust(64, b"\x00")
    key = hkdf(DATA_KEY, b"civreg/field-key/v1\x00mother.name", 32)
    expected = AESGCM(key).encrypt(bytes(12), padded, b"record 7")
    assert seal_field(DATA_KEY, PATH, b"Nga T", b"record 7") == expected


@pytest.mark.parametrize(
    ("value_bytes", "sealed_bytes"),
    [
        (0, 80),
        (1, 80),
        (60, 80),
        (61, 144),
        (124, 144),
        (125, 272),
        (1020, 1040),
        (1021, 2064),
        (FIELD_VALUE_BYTES_MAX, SIZE_CLASS_BYTES_MAX + 16),
    ],
)
def test_a_sealed_field_has_the_size_of_its_class(value_bytes, sealed_bytes):
    value = b"v" * value_bytes
    sealed = seal_field(DATA_KEY, PATH, value, b"")
    assert len(sealed) == sealed_bytes
    assert open_field(DATA_KEY, PATH, sealed, b"") == value


def test_a_value_over_the_limit_is_refused_with_both_numbers():
    with pytest.raises(SealError, match="262141 bytes is over 262140"):
        seal_field(DATA_KEY, PATH, bytes(FIELD_VALUE_BYTES_MAX + 1), b"")


@given(st.data())
def test_a_sealed_field_with_one_changed_bit_does_not_open(data):
    sealed = bytearray(seal_field(DATA_KEY, PATH, b"a value", b"record 7"))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealError):
        open_field(DATA_KEY, PATH, bytes(sealed), b"record 7")


def test_another_key_path_or_additional_data_does_not_open_a_field():
    sealed = seal_field(DATA_KEY, PATH, b"a value", b"record 7")
    for wrong in (
        (bytes(32), PATH, sealed, b"record 7"),
        (DATA_KEY, "father.name", sealed, b"record 7"),
        (DATA_KEY, PATH, sealed, b"record 8"),
    ):
        with pytest.raises(SealError, match="does not open"):
            open_field(*wrong)


@pytest.mark.parametrize("length", [0, 15, 16, 79, SIZE_CLASS_BYTES_MAX + 17])
def test_a_ciphertext_of_an_impossible_length_is_refused_before_it_is_decrypted(length):
    with pytest.raises(SealError, match="no size class"):
        open_field(DATA_KEY, PATH, bytes(length), b"")


@pytest.mark.parametrize(
    "padded",
    [
        bytes(4) + b"\x01" + bytes(59),  # something behind an empty value
        b"\x00\x00\x00\x3d" + bytes(60),  # a length beyond the end
        b"\xff\xff\xff\xff" + bytes(60),  # a length beyond every limit
        bytes(128),  # a class that is larger than needed
        bytes(65),  # no class at all
    ],
)
def test_a_field_that_is_padded_otherwise_is_refused_although_its_tag_is_right(padded):
    sealed = AESGCM(field_key(DATA_KEY, PATH)).encrypt(bytes(12), padded, b"")
    with pytest.raises(SealError, match="not padded"):
        open_field(DATA_KEY, PATH, sealed, b"")


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused_everywhere(length):
    key, sealed = bytes(length), seal_field(DATA_KEY, PATH, b"", b"")
    for use in (
        lambda: seal_field(key, PATH, b"", b""),
        lambda: open_field(key, PATH, sealed, b""),
        lambda: open_field_with_key(key, sealed, b""),
        lambda: field_key(key, PATH),
        lambda: key_check(key),
        lambda: wrap(key, READERS[Algorithm.P256].public, b""),
    ):
        with pytest.raises(SealError, match="32 bytes"):
            use()


def test_the_key_check_names_the_data_key():
    check = key_check(DATA_KEY)
    assert check == hashlib.sha256(b"civreg/data-key/v1\x00" + DATA_KEY).digest()
    check_data_key(DATA_KEY, check)
    with pytest.raises(SealError, match="not the one"):
        check_data_key(bytes(32), check)
    with pytest.raises(SealError, match="not the one"):
        check_data_key(DATA_KEY, Digest(check[:-1]))


@given(algorithms, data_keys, st.binary(max_size=100))
def test_a_wrapped_key_opens_for_its_reader_and_has_the_size_of_its_algorithm(
    algorithm, data_key, info
):
    wrapped = wrap(data_key, READERS[algorithm].public, info)
    assert len(wrapped) == {Algorithm.P256: 113, Algorithm.MLKEM768_X25519: 1168}[algorithm]
    assert READERS[algorithm].unwrap(wrapped, info) == data_key
    assert wrap(data_key, READERS[algorithm].public, info) != wrapped


@given(algorithms, st.data())
def test_a_wrapped_key_with_one_changed_bit_does_not_open(algorithm, data):
    wrapped = bytearray(wrap(DATA_KEY, READERS[algorithm].public, b"info"))
    bit = data.draw(st.integers(0, 8 * len(wrapped) - 1))
    wrapped[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealError):
        READERS[algorithm].unwrap(bytes(wrapped), b"info")


@given(algorithms, st.binary(max_size=2000))
def test_random_bytes_are_no_wrapped_key(algorithm, wrapped):
    with pytest.raises(SealError):
        READERS[algorithm].unwrap(wrapped, b"info")


@pytest.mark.parametrize("algorithm", sorted(READERS))
def test_a_wrapped_key_does_not_open_for_others_for_other_info_or_cut(algorithm):
    wrapped = wrap(DATA_KEY, READERS[algorithm].public, b"info")
    with pytest.raises(SealError, match="does not open"):
        SoftwareKey.generate(algorithm).unwrap(wrapped, b"info")
    with pytest.raises(SealError, match="does not open"):
        READERS[algorithm].unwrap(wrapped, b"other info")
    for wrong in (b"", wrapped[:-1], wrapped + b"\x00"):
        with pytest.raises(SealError, match="a wrapped key has"):
            READERS[algorithm].unwrap(wrong, b"info")


@given(data_keys, st.binary(max_size=100))
def test_a_naive_reading_of_rfc_9180_opens_what_is_wrapped_to_p256(data_key, info):
    reader = READERS[Algorithm.P256]
    private = load_der_private_key(reader.to_private_der(), password=None)
    assert naive_hpke_open(private, wrap(data_key, reader.public, info), info) == data_key


def test_nothing_is_sealed_to_keys_that_only_sign():
    for algorithm in (Algorithm.ED25519, Algorithm.MLDSA65):
        with pytest.raises(SealError, match="nothing can be sealed"):
            wrap(DATA_KEY, SoftwareKey.generate(algorithm).public, b"")


# The points of Curve25519 whose order divides 8, on the curve or its twist, as u coordinates.
WEAK_U = [
    0,
    1,
    0x00B8495F16056286FDB1329CEB8D09DA6AC49FF1FAE35616AEB8413B7C7AEBE0,
    0x57119FD0DD4E22D8868E1C58C45C44045BEF839C55B1D0B1248C50A3BC959C5F,
    2**255 - 20,
]


@pytest.mark.parametrize("u", [*WEAK_U, 2**255 - 19, 2**255 - 19 + 9, 2**255 + 9, 2**256 - 1])
def test_a_hybrid_key_with_a_weak_or_doubly_encoded_curve_half_is_no_key(u):
    public = READERS[Algorithm.MLKEM768_X25519].public.public[:1184] + u.to_bytes(32, "little")
    with pytest.raises(InvalidKeyError):
        parse_public_key(Algorithm.MLKEM768_X25519, public)


def test_a_hybrid_key_whose_lattice_half_is_out_of_range_is_no_key():
    public = b"\xff" * 1184 + READERS[Algorithm.MLKEM768_X25519].public.public[1184:]
    with pytest.raises(InvalidKeyError):
        parse_public_key(Algorithm.MLKEM768_X25519, public)


def test_nothing_is_sealed_to_what_is_no_key():
    with pytest.raises(InvalidKeyError):
        wrap(DATA_KEY, PublicKey(Algorithm.P256, b"\x02" + b"\xff" * 32), b"")


def test_a_hybrid_key_comes_from_its_seed_as_the_x_wing_draft_says():
    """First test vector of draft-connolly-cfrg-xwing-kem: the seed, the start of the public key."""
    seed = "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26"
    public = hybrid_from_seed(bytes.fromhex(seed)).public
    assert public.hex().startswith(
        "e2236b35a8c24b39b10aa1323a96a919a2ced88400633a7b07131713fc14b2b5"
    )
    assert len(public) == 1216


def test_every_domain_is_a_text_and_a_zero_byte():
    assert domain("field-key") == b"civreg/field-key/v1\x00"
