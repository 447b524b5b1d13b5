"""Encrypted PKCS#8: what was encrypted decrypts, strict reading, limits on both sides."""

import contextlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import KeyFileError, WrongPassphraseError
from keys.pkcs8 import DEFAULT_COST, ScryptCost, decrypt_pkcs8, encrypt_pkcs8
from keys.signing import Algorithm, SoftwareKey

KEY = SoftwareKey.from_private_bytes(Algorithm.P256, bytes(range(1, 33)))
SALT, IV = bytes(range(16)), bytes(range(16, 32))
CHEAP = ScryptCost(n=2, r=1, p=1)
ENCRYPTED = encrypt_pkcs8(KEY.to_private_der(), b"secret", SALT, IV, CHEAP)


def with_replaced(old, new):
    assert ENCRYPTED.count(bytes.fromhex(old)) == 1
    return ENCRYPTED.replace(bytes.fromhex(old), bytes.fromhex(new))


@given(st.binary(max_size=3000), st.binary(min_size=1, max_size=20), st.sampled_from([2, 64, 1024]))
def test_what_was_encrypted_decrypts_with_its_passphrase(private_der, passphrase, n):
    der = encrypt_pkcs8(private_der, passphrase, SALT, IV, ScryptCost(n=n, r=2, p=2))
    assert decrypt_pkcs8(der, passphrase) == private_der


def test_a_third_implementation_reads_the_default_cost():
    der = encrypt_pkcs8(KEY.to_private_der(), b"secret", SALT, IV)
    assert (DEFAULT_COST.n, DEFAULT_COST.r, DEFAULT_COST.p) == (16384, 8, 5)
    loaded = load_der_private_key(der, password=b"secret")
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    assert loaded.private_numbers().private_value == int.from_bytes(bytes(range(1, 33)), "big")


@given(st.binary(min_size=1, max_size=20).filter(lambda passphrase: passphrase != b"secret"))
def test_a_wrong_passphrase_is_noticed_or_gives_other_bytes(passphrase):
    with contextlib.suppress(WrongPassphraseError):
        assert decrypt_pkcs8(ENCRYPTED, passphrase) != KEY.to_private_der()


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(der):
    with pytest.raises(KeyFileError):
        decrypt_pkcs8(der, b"secret")


def test_a_structure_cut_anywhere_or_with_a_byte_behind_it_is_refused():
    for length in range(len(ENCRYPTED)):
        with pytest.raises(KeyFileError):
            decrypt_pkcs8(ENCRYPTED[:length], b"secret")
    with pytest.raises(KeyFileError):
        decrypt_pkcs8(ENCRYPTED + b"\x00", b"secret")


@given(st.integers(0, 8 * len(ENCRYPTED) - 1))
def test_a_changed_bit_never_gives_the_same_key_nor_another_kind_of_error(bit):
    wrong = bytearray(ENCRYPTED)
    wrong[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(KeyFileError):
        assert decrypt_pkcs8(bytes(wrong), b"secret") != KEY.to_private_der()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2a864886f70d01050d", "2a864886f70d010503"),  # another scheme
        ("2b06010401da47040b", "2a864886f70d01050c"),  # another derivation
        ("60864801650304012a", "608648016503040116"),  # another cipher
        ("020102020101020101", "020103020101020101"),  # N no power of two
        ("020102020101020101", "020101020101020101"),  # N too small
        ("020102020101020101", "020102020100020101"),  # r = 0
        ("020102020101020101", "020102020101020111"),  # p = 17
        ("020102020101020101", "020102020121020101"),  # r = 33
        ("020102020101020101", "020182020101020101"),  # a negative N
        ("020102020101020101", "820102020101020101"),  # another tag
    ],
)
def test_unknown_algorithms_and_impossible_costs_are_refused(old, new):
    with pytest.raises(KeyFileError):
        decrypt_pkcs8(with_replaced(old, new), b"secret")


def test_each_length_and_integer_has_one_form():
    # 30 81 xx at the start: a length that needs one octet of long form, given in two.
    assert ENCRYPTED[:2] == b"\x30\x81"
    for wrong in (
        b"\x30\x82\x00" + ENCRYPTED[2:],
        b"\x30\x80" + ENCRYPTED[3:] + b"\x00\x00",
        b"\x30\xff" + ENCRYPTED[2:],
        b"\x30",
    ):
        with pytest.raises(KeyFileError, match="one DER form"):
            decrypt_pkcs8(wrong, b"secret")


def restructured(numbers, salt=SALT, iv=IV, ciphertext=bytes(16)):
    """The structure with other contents, built naively (all lengths under 256)."""

    def tlv(tag, *pieces):
        content = b"".join(pieces)
        long_form = b"\x81" if len(content) > 127 else b""
        return bytes([tag]) + long_form + bytes([len(content)]) + content

    names = [bytes.fromhex(name) for name in ("2a864886f70d01050d", "2b06010401da47040b")]
    scrypt = tlv(0x30, tlv(4, salt), *(tlv(2, number) for number in numbers))
    derivation = tlv(0x30, tlv(6, names[1]), scrypt)
    encryption = tlv(0x30, tlv(6, bytes.fromhex("60864801650304012a")), tlv(4, iv))
    algorithm = tlv(0x30, tlv(6, names[0]), tlv(0x30, derivation, encryption))
    return tlv(0x30, algorithm, tlv(4, ciphertext))


TWO, ONE = b"\x02", b"\x01"


@pytest.mark.parametrize(
    ("der", "reason"),
    [
        (restructured([TWO, ONE]), "not an encrypted"),
        (restructured([TWO, ONE, ONE, b"\x10"]), "key of 32"),
        (restructured([TWO, ONE, ONE, b"\x20", ONE]), "behind the end"),
        (restructured([b"\x00\x02", ONE, ONE]), "one DER form"),
        (restructured([b"", ONE, ONE]), "one DER form"),
        (restructured([b"\x7f" * 9, ONE, ONE]), "one DER form"),
        (restructured([TWO, ONE, ONE], iv=bytes(15)), "AES blocks"),
        (restructured([TWO, ONE, ONE], ciphertext=b""), "AES blocks"),
        (restructured([TWO, ONE, ONE], ciphertext=bytes(17)), "AES blocks"),
        (restructured([TWO, ONE, ONE], salt=bytes(65), ciphertext=b""), "salt of 65"),
        (restructured([b"\x10\x00\x00", b"\x03", ONE]), "256 MiB"),
        (restructured([b"\x20\x00\x00", ONE, ONE]), "N = 2097152"),
        (restructured([b"\x01\x00\x00", ONE, ONE]), "cannot be used"),
    ],
)
def test_a_malformed_or_costly_structure_is_refused_with_the_reason(der, reason):
    with pytest.raises(KeyFileError, match=reason):
        decrypt_pkcs8(der, b"secret")


def test_a_key_length_of_32_and_a_salt_of_64_bytes_are_read():
    for der in (
        restructured([TWO, ONE, ONE, b"\x20"]),
        restructured([TWO, ONE, ONE], salt=bytes(64), ciphertext=b""),
    ):
        with pytest.raises(KeyFileError, match=r"passphrase|AES blocks"):
            decrypt_pkcs8(der, b"secret")


@pytest.mark.parametrize(
    "cost",
    [
        ScryptCost(n=1 << 20, r=1, p=1),
        ScryptCost(n=1 << 18, r=8, p=1),
        ScryptCost(n=1 << 16, r=32, p=1),
        ScryptCost(n=2, r=1, p=16),
    ],
)
def test_costs_at_the_limits_are_allowed(cost):
    cost.check()


@pytest.mark.parametrize(
    "cost",
    [
        ScryptCost(n=1 << 21, r=1, p=1),
        ScryptCost(n=1 << 19, r=8, p=1),
        ScryptCost(n=1 << 17, r=32, p=1),
        ScryptCost(n=2, r=33, p=1),
        ScryptCost(n=2, r=1, p=17),
        ScryptCost(n=2, r=1, p=0),
        ScryptCost(n=0, r=1, p=1),
        ScryptCost(n=3, r=1, p=1),
    ],
)
def test_costs_beyond_the_limits_are_refused(cost):
    with pytest.raises(KeyFileError, match="scrypt"):
        cost.check()
