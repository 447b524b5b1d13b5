"""did:key texts and fingerprints, against the published vectors and by property."""

import base64
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.did import DID_CHARACTERS_MAX, fingerprint, parse_did, print_did
from keys.errors import InvalidKeyError
from keys.signing import Algorithm, PublicKey, SoftwareKey

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

keys = st.builds(
    lambda algorithm, seed: SoftwareKey.from_private_bytes(algorithm, seed).public,
    st.sampled_from([Algorithm.P256, Algorithm.ED25519]),
    st.integers(1, 2**250).map(lambda number: number.to_bytes(32, "big")),
)


def base58(text):
    """A naive decoder for base58btc without leading zeros."""
    number = sum(BASE58.index(c) * 58**place for place, c in enumerate(reversed(text)))
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def did_of(codec, public):
    number, text = int.from_bytes(codec + public, "big"), ""
    while number:
        number, value = divmod(number, 58)
        text = BASE58[value] + text
    return "did:key:z" + text


def published_point(method):
    """The compressed point of a P-256 verification method."""
    if "publicKeyBase58" in method:
        return base58(method["publicKeyBase58"])
    jwk = method["publicKeyJwk"]
    x, y = (base64.urlsafe_b64decode(jwk[name] + "==") for name in "xy")
    return bytes([2 + y[-1] % 2]) + x


def test_published_p256_dids_parse_and_print_and_other_curves_are_refused_by_name(
    vector_files, usual_vectors
):
    accepted, refused = 0, 0
    for _, content in vector_files("didkey"):
        for did, entry in content.items():
            if did.startswith("did:key:zDn"):
                key = parse_did(did)
                assert key == PublicKey(
                    Algorithm.P256, published_point(entry["verificationMethod"])
                )
                assert print_did(key) == did
                accepted += 1
            else:
                curve = entry["verificationMethod"]["publicKeyJwk"]["crv"]
                with pytest.raises(InvalidKeyError, match=curve) as caught:
                    parse_did(did)
                assert caught.value.details == {"kind": curve}
                refused += 1
    if usual_vectors:
        assert (accepted, refused) == (3, 4)


@given(keys)
def test_a_printed_key_parses_to_itself_and_shows_its_kind(key):
    did = print_did(key)
    assert did.startswith({1: "did:key:zDn", 2: "did:key:z6Mk"}[key.algorithm])
    assert parse_did(did) == key


@given(keys, st.data())
def test_a_did_with_one_wrong_character_is_another_key_or_refused(key, data):
    """did:key has no checksum, so it may parse; but then to another key and another fingerprint."""
    did = print_did(key)
    at = data.draw(st.integers(0, len(did) - 1))
    wrong = did[:at] + data.draw(st.characters().filter(lambda c: c != did[at])) + did[at + 1 :]
    try:
        other = parse_did(wrong)
    except InvalidKeyError:
        return
    assert other != key
    assert fingerprint(other) != fingerprint(key)
    assert print_did(other) == wrong


@given(st.text(max_size=150) | st.text(BASE58, max_size=130).map("did:key:z".__add__))
def test_any_text_is_refused_or_prints_back_to_itself(text):
    try:
        key = parse_did(text)
    except InvalidKeyError:
        return
    assert print_did(key) == text


P256_DID = print_did(SoftwareKey.from_private_bytes(Algorithm.P256, bytes(31) + b"\x01").public)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("", "begin"),
        ("did:key:", "begin"),
        ("did:web:example.com", "begin"),
        (P256_DID.upper(), "begin"),
        (" " + P256_DID, "begin"),
        ("did:key:z", "canonical"),
        (P256_DID + " ", "canonical"),
        (P256_DID + "#" + P256_DID[8:20], "canonical"),
        (P256_DID.replace("did:key:z", "did:key:z1"), "canonical"),
        (P256_DID + "0", "canonical"),
        (P256_DID + "1" * DID_CHARACTERS_MAX, "too long"),
        (did_of(b"\xe7\x01", bytes([2]) * 33), "secp256k1"),
        (did_of(b"\xec\x01", bytes(32)), "X25519"),
        (did_of(b"\xeb\x01", bytes([1]) * 48), "unknown kind"),
        (did_of(b"\x80\x24", bytes([4]) * 65), "33 bytes"),
        (did_of(b"\x80\x24", bytes([2]) + b"\xff" * 32), "no compressed point"),
        (did_of(b"\xed\x01", bytes(31)), "32 bytes"),
        (did_of(b"\xed\x01", bytes([1]) + bytes(31)), "small order"),
    ],
)
def test_a_text_that_is_no_did_key_of_ours_is_refused_with_the_reason(wrong, reason):
    with pytest.raises(InvalidKeyError, match=reason):
        parse_did(wrong)


def test_the_longest_text_that_is_looked_at_has_128_characters():
    prefix = "did:key:z2"
    with pytest.raises(InvalidKeyError, match="unknown kind"):
        parse_did(prefix.ljust(DID_CHARACTERS_MAX, "2"))
    with pytest.raises(InvalidKeyError, match="too long"):
        parse_did(prefix.ljust(DID_CHARACTERS_MAX + 1, "2"))


@pytest.mark.parametrize("algorithm", [Algorithm.MLKEM768_X25519, Algorithm.MLDSA65])
def test_keys_without_a_did_form_say_so(algorithm):
    with pytest.raises(InvalidKeyError, match="no did:key form"):
        print_did(SoftwareKey.generate(algorithm).public)


@given(keys)
def test_a_fingerprint_is_the_first_100_bits_of_the_key_id_in_five_groups(key):
    shown = fingerprint(key)
    assert [len(group) for group in shown.split("-")] == [4] * 5
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    bits = "".join(f"{alphabet.index(c):05b}" for c in shown.replace("-", ""))
    assert bits == "".join(f"{byte:08b}" for byte in key.key_id)[:100]


def test_keys_of_every_algorithm_have_a_fingerprint_of_their_own():
    shown = [fingerprint(SoftwareKey.generate(algorithm).public) for algorithm in Algorithm]
    assert all(one != other for one, other in itertools.combinations(shown, 2))
