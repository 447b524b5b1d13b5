"""Keys by algorithm number, signatures in one form, and `ecdsa` as the second opinion."""

import hashlib
import threading

import ecdsa
import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from ecdsa.util import sigdecode_string, sigencode_string
from hypothesis import given
from hypothesis import strategies as st

from keys import signing
from keys.curves import P256_HALF_ORDER, P256_ORDER, der_from_raw
from keys.errors import BadSignatureError, InvalidKeyError, SealError
from keys.foreign_signatures import verify_der, verify_either_s
from keys.hashing import domain
from keys.signing import (
    PUBLIC_KEY_BYTES,
    SIGNATURE_BYTES,
    Algorithm,
    PublicKey,
    Purpose,
    SoftwareKey,
    load_public_key,
    parse_public_key,
    verify,
)

KEYS = {algorithm: SoftwareKey.generate(algorithm) for algorithm in Algorithm}
SIGNING = sorted(SIGNATURE_BYTES)
MESSAGE = domain("test") + b"a payload"

scalars = st.integers(1, P256_ORDER - 1).map(lambda scalar: scalar.to_bytes(32, "big"))
hashes_of_numbers = st.integers(0, 2**32).map(
    lambda number: hashlib.sha256(number.to_bytes(8, "big")).digest()
)
signing_algorithms = st.sampled_from(SIGNING)


def oracle_of(key):
    return ecdsa.VerifyingKey.from_string(
        key.public.public, ecdsa.NIST256p, hashlib.sha256, valid_encodings=("compressed",)
    )


def test_the_numbers_of_algorithms_and_the_names_of_purposes_are_frozen():
    assert [(a.name, a.value) for a in Algorithm] == [
        ("P256", 1),
        ("ED25519", 2),
        ("MLKEM768_X25519", 3),
        ("MLDSA65", 4),
    ]
    names = "sign auth seal recover govern consensus peer checkpoint custodian tag"
    assert [str(purpose) for purpose in Purpose] == names.split()


@given(signing_algorithms, st.binary(max_size=200))
def test_what_a_key_signs_verifies_and_has_the_length_of_its_algorithm(algorithm, message):
    signature = KEYS[algorithm].sign(message)
    assert len(signature) == SIGNATURE_BYTES[algorithm]
    verify(KEYS[algorithm].public, message, signature)


@given(signing_algorithms, st.data())
def test_a_signature_with_one_changed_bit_is_refused(algorithm, data):
    signature = bytearray(KEYS[algorithm].sign(MESSAGE))
    bit = data.draw(st.integers(0, 8 * len(signature) - 1))
    signature[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadSignatureError):
        verify(KEYS[algorithm].public, MESSAGE, bytes(signature))


@pytest.mark.parametrize("algorithm", SIGNING)
def test_a_signature_of_another_length_message_or_key_is_refused(algorithm):
    key, other = KEYS[algorithm], SoftwareKey.generate(algorithm)
    signature = key.sign(MESSAGE)
    for wrong in (b"", signature[:-1], signature + b"\x00", signature[:40]):
        with pytest.raises(BadSignatureError):
            verify(key.public, MESSAGE, wrong)
    with pytest.raises(BadSignatureError):
        verify(key.public, MESSAGE + b"\x00", signature)
    with pytest.raises(BadSignatureError):
        verify(other.public, MESSAGE, signature)


@pytest.mark.parametrize("check", [verify, verify_either_s])
def test_a_p256_signature_with_a_zero_more_or_less_before_s_is_refused(check):
    """The numbers r and s would be the same, so only the length shows the second form."""
    key = KEYS[Algorithm.P256]
    messages = (MESSAGE + number.to_bytes(4, "big") for number in range(1 << 20))
    signed = ((message, key.sign(message)) for message in messages)
    message, signature = next(pair for pair in signed if pair[1][32] == 0)
    check(key.public, message, signature)
    with pytest.raises(BadSignatureError, match="64 bytes"):
        check(key.public, message, signature[:32] + signature[33:])
    with pytest.raises(BadSignatureError, match="64 bytes"):
        check(key.public, message, signature[:32] + b"\x00" + signature[32:])


def of_any_length(maximum):
    lengths = st.integers(1, 256)
    return lengths.flatmap(lambda bits: st.integers(1, min(2**bits, maximum)))


@given(of_any_length(P256_ORDER - 1), of_any_length(P256_HALF_ORDER))
def test_der_of_a_raw_signature_is_what_openssl_writes_for_its_numbers(r, s):
    raw = r.to_bytes(32) + s.to_bytes(32)
    assert der_from_raw(raw, P256_HALF_ORDER) == encode_dss_signature(r, s)


@given(st.binary(min_size=64, max_size=64))
def test_random_bytes_are_no_signature(signature):
    for algorithm in (Algorithm.P256, Algorithm.ED25519):
        with pytest.raises(BadSignatureError):
            verify(KEYS[algorithm].public, MESSAGE, signature)


def test_the_sealing_algorithm_neither_signs_nor_verifies():
    key = KEYS[Algorithm.MLKEM768_X25519]
    with pytest.raises(InvalidKeyError, match="cannot sign"):
        key.sign(MESSAGE)
    with pytest.raises(BadSignatureError, match="cannot sign"):
        verify(key.public, MESSAGE, bytes(64))


@pytest.mark.parametrize("algorithm", [Algorithm.ED25519, Algorithm.MLDSA65])
def test_keys_that_only_sign_do_not_unseal(algorithm):
    with pytest.raises(SealError, match="cannot unseal"):
        KEYS[algorithm].unwrap(bytes(113), b"")


@given(scalars, st.binary(max_size=100))
def test_the_second_implementation_accepts_what_we_sign_and_s_is_low(scalar, message):
    key = SoftwareKey.from_private_bytes(Algorithm.P256, scalar)
    signature = key.sign(message)
    assert int.from_bytes(signature[32:], "big") <= P256_ORDER // 2
    assert oracle_of(key).verify(signature, message, sigdecode=sigdecode_string)


@given(scalars, st.binary(max_size=100))
def test_we_accept_what_the_second_implementation_signs_in_its_low_form_only(scalar, message):
    private = ecdsa.SigningKey.from_string(scalar, ecdsa.NIST256p, hashlib.sha256)
    public = private.get_verifying_key().to_string("compressed")
    key = parse_public_key(Algorithm.P256, public)
    r, s = private.sign_deterministic(message, sigencode=lambda r, s, _order: (r, s))
    low, high = sorted((s, P256_ORDER - s))
    raw_low = sigencode_string(r, low, P256_ORDER)
    raw_high = sigencode_string(r, high, P256_ORDER)
    verify(key, message, raw_low)
    verify_either_s(key, message, raw_low)
    verify_either_s(key, message, raw_high)
    verify_der(key, message, ecdsa.util.sigencode_der(r, high, P256_ORDER))
    with pytest.raises(BadSignatureError, match="high"):
        verify(key, message, raw_high)


@pytest.mark.parametrize("check", [verify, verify_either_s])
@pytest.mark.parametrize("value", [0, P256_ORDER, P256_ORDER + 1, 2**256 - 1])
def test_r_and_s_out_of_range_are_refused(check, value):
    signature = KEYS[Algorithm.P256].sign(MESSAGE)
    edge = value.to_bytes(32, "big")
    for wrong in (edge + signature[32:], signature[:32] + edge):
        with pytest.raises(BadSignatureError, match="out of range"):
            check(KEYS[Algorithm.P256].public, MESSAGE, wrong)


def test_der_signatures_have_one_form():
    key = KEYS[Algorithm.P256]
    raw = key.sign(MESSAGE)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    der = ecdsa.util.sigencode_der(r, s, P256_ORDER)
    verify_der(key.public, MESSAGE, der)
    too_large = ecdsa.util.sigencode_der(r, s + P256_ORDER, 2**257)
    for wrong in (b"", der + b"\x00", b"\x30\x81" + der[1:], bytes(73), too_large):
        with pytest.raises(BadSignatureError):
            verify_der(key.public, MESSAGE, wrong)
    with pytest.raises(BadSignatureError):
        verify_der(key.public, MESSAGE + b"!", der)


def test_foreign_p256_signatures_need_a_p256_key():
    signature = KEYS[Algorithm.P256].sign(MESSAGE)
    with pytest.raises(BadSignatureError, match="algorithm 2"):
        verify_either_s(KEYS[Algorithm.ED25519].public, MESSAGE, signature)


def test_several_threads_may_verify_at_once():
    key, failures = KEYS[Algorithm.P256], []
    signature = key.sign(MESSAGE)

    def work():
        for _ in range(50):
            verify(key.public, MESSAGE, signature)
            try:
                verify(key.public, MESSAGE + b"!", signature)
            except BadSignatureError:
                continue
            failures.append("accepted")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_public_key_parses_to_an_equal_one_with_an_equal_id(algorithm):
    key = KEYS[algorithm].public
    parsed = parse_public_key(int(algorithm), key.public)
    assert parsed == key
    assert hash(parsed) == hash(key)
    assert len(key.public) == PUBLIC_KEY_BYTES[algorithm]
    framed = b"civreg/key/v1\x00" + bytes([algorithm]) + key.public
    expected = hashlib.sha256(framed).digest()[:16]
    assert parsed.key_id == expected
    assert parsed.key_id is parsed.key_id


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_public_key_of_another_length_is_refused(algorithm):
    public = KEYS[algorithm].public.public
    for wrong in (b"", public[:-1], public + b"\x00"):
        with pytest.raises(InvalidKeyError):
            parse_public_key(algorithm, wrong)


@pytest.mark.parametrize("number", [-1, 0, 5, 255, 2**64])
def test_an_unknown_algorithm_is_refused(number):
    with pytest.raises(InvalidKeyError, match="unknown"):
        parse_public_key(number, bytes(33))


@given(hashes_of_numbers, st.sampled_from([2, 3]) | st.integers(0, 255))
def test_a_p256_point_is_accepted_exactly_if_the_second_implementation_does(x, first):
    public = bytes([first]) + x
    try:
        ecdsa.VerifyingKey.from_string(public, ecdsa.NIST256p, valid_encodings=("compressed",))
    except ecdsa.errors.MalformedPointError:
        with pytest.raises(InvalidKeyError):
            parse_public_key(Algorithm.P256, public)
    else:
        parse_public_key(Algorithm.P256, public)


@given(hashes_of_numbers)
def test_an_ed25519_point_is_accepted_exactly_if_the_second_implementation_does(public):
    """Points made of hashes are never of small order, and y >= p has a probability of 2^-250."""
    try:
        ecdsa.VerifyingKey.from_string(public, ecdsa.Ed25519)
    except ecdsa.errors.MalformedPointError:
        with pytest.raises(InvalidKeyError, match="no point"):
            parse_public_key(Algorithm.ED25519, public)
    else:
        parse_public_key(Algorithm.ED25519, public)


PRIME = 2**255 - 19
D = -121665 * pow(121666, -1, PRIME) % PRIME


def square_root(number):
    """Of a number modulo 2^255 - 19, or None (RFC 8032, 5.1.3)."""
    root = pow(number, (PRIME + 3) // 8, PRIME)
    for candidate in (root, root * pow(2, (PRIME - 1) // 4, PRIME) % PRIME):
        if candidate * candidate % PRIME == number % PRIME:
            return candidate
    return None


def weak_ys():
    """The y of the points whose order divides 8, from the curve's equation.

    Orders 1, 2 and 4 are y = 1, -1 and 0. A point of order 8 doubles to y = 0, so y^2 = -x^2, and
    the curve -x^2 + y^2 = 1 + d x^2 y^2 becomes d y^4 + 2 y^2 - 1 = 0.
    """
    root = square_root(1 + D)
    squares = [(-1 + sign * root) * pow(D, -1, PRIME) % PRIME for sign in (1, -1)]
    roots = [square_root(square) for square in squares]
    return {0, 1, PRIME - 1} | {y for root in roots if root for y in (root, PRIME - root)}


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("y", [*sorted(weak_ys()), PRIME, PRIME + 1])
def test_ed25519_points_of_small_order_and_second_encodings_are_refused(y, sign):
    with pytest.raises(InvalidKeyError, match="small order"):
        parse_public_key(Algorithm.ED25519, (y | sign << 255).to_bytes(32, "little"))


def test_five_ys_of_ed25519_are_of_small_order():
    assert len(weak_ys()) == 5


def test_a_key_that_was_never_parsed_is_refused_when_it_is_used():
    for algorithm in Algorithm:
        wrong = PublicKey(algorithm, b"\xff" * (PUBLIC_KEY_BYTES[algorithm] - 1))
        with pytest.raises(InvalidKeyError):
            load_public_key(wrong)


@pytest.mark.parametrize("algorithm", Algorithm)
def test_private_keys_come_back_from_their_der_and_their_32_bytes(algorithm):
    key = SoftwareKey.from_private_bytes(algorithm, bytes(range(1, 33)))
    again = SoftwareKey.from_private_bytes(algorithm, bytes(range(1, 33)))
    assert key.public == again.public
    assert SoftwareKey.from_private_der(key.to_private_der()).public == key.public
    assert parse_public_key(algorithm, key.public.public) == key.public


@pytest.mark.parametrize("algorithm", Algorithm)
def test_private_bytes_of_another_length_are_refused(algorithm):
    for wrong in (b"", bytes(31), bytes(33)):
        with pytest.raises(InvalidKeyError, match="32 bytes"):
            SoftwareKey.from_private_bytes(algorithm, wrong)


@pytest.mark.parametrize("scalar", [0, P256_ORDER, P256_ORDER + 1, 2**256 - 1])
def test_a_p256_scalar_out_of_range_is_refused(scalar):
    with pytest.raises(InvalidKeyError, match="out of range"):
        SoftwareKey.from_private_bytes(Algorithm.P256, scalar.to_bytes(32, "big"))


@pytest.mark.parametrize("scalar", [1, P256_ORDER - 1])
def test_a_p256_scalar_at_the_edge_of_its_range_signs(scalar):
    key = SoftwareKey.from_private_bytes(Algorithm.P256, scalar.to_bytes(32, "big"))
    verify(key.public, MESSAGE, key.sign(MESSAGE))


def test_private_keys_of_other_kinds_are_refused():
    for private in (ec.generate_private_key(ec.SECP384R1()), x25519.X25519PrivateKey.generate()):
        der = private.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        with pytest.raises(InvalidKeyError, match="does not use"):
            SoftwareKey.from_private_der(der)


@given(st.binary(max_size=200))
def test_random_bytes_are_no_private_key(der):
    with pytest.raises(InvalidKeyError):
        SoftwareKey.from_private_der(der)


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_private_der_cut_anywhere_is_refused(algorithm):
    der = KEYS[algorithm].to_private_der()
    for length in range(len(der)):
        with pytest.raises(InvalidKeyError):
            SoftwareKey.from_private_der(der[:length])


def test_a_printed_private_key_shows_no_secret():
    for algorithm in Algorithm:
        key = SoftwareKey.from_private_bytes(algorithm, bytes(range(1, 33)))
        shown = repr(key) + str(key) + repr(key._private)
        assert algorithm.name in repr(key)
        assert bytes(range(1, 33)).hex() not in shown
        assert repr(bytes(range(1, 33))) not in shown


def test_without_rfc_6979_in_openssl_the_signer_still_signs(monkeypatch):
    real = ec.ECDSA

    def old_openssl(algorithm, *, deterministic_signing=False):
        if deterministic_signing:
            raise UnsupportedAlgorithm("too old")
        return real(algorithm)

    monkeypatch.setattr(ec, "ECDSA", old_openssl)
    plain = signing._ecdsa_for_signing()
    monkeypatch.undo()
    assert not plain.deterministic_signing
    monkeypatch.setattr(signing, "_ECDSA_FOR_SIGNING", plain)
    verify(KEYS[Algorithm.P256].public, MESSAGE, KEYS[Algorithm.P256].sign(MESSAGE))
