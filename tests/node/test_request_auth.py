"""Signed requests: what was signed gets through once, and everything else is refused."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.hashing import Digest
from keys.signing import Algorithm, SoftwareKey
from node.public_errors import ReplayedRequestError, UnauthenticatedError, UnavailableError
from node.request_auth import (
    CREATED_TOLERANCE_S,
    Doorkeeper,
    KnownKey,
    Nonces,
    Request,
    content_digest,
    sign_request,
    signature_base,
)
from tests.networks import seed

NOW_S = 1_800_000_000
NETWORK = Digest(seed("network"))
KEYS = {
    algorithm: SoftwareKey.from_private_bytes(algorithm, seed("auth", algorithm))
    for algorithm in (Algorithm.P256, Algorithm.ED25519)
}
KEY = KEYS[Algorithm.P256]
REQUEST = Request(
    method="POST", authority="node.example:7480", path="/v1/drafts", query="a=b", body=b"\x90"
)


class Book:
    """Keys in force, all with one purpose."""

    def __init__(self, purpose="auth"):
        self.purpose = purpose

    def key_in_force(self, key_id):
        for key in KEYS.values():
            if key.public.key_id == key_id:
                return KnownKey(key.public, self.purpose, "identity", bytes(16), None)
        return None


def headers(request=REQUEST, key=KEY, created_s=NOW_S, nonce=bytes(16), network=NETWORK):
    return sign_request(request, network, key, created_s, nonce)


def asker(request=REQUEST, given=None, now_s=NOW_S, book=None):
    door = Doorkeeper(NETWORK, book or Book())
    return door.asker(request, headers() if given is None else given, now_s)


@pytest.mark.parametrize("algorithm", KEYS)
@pytest.mark.parametrize("body", [b"", b"\x90"])
@pytest.mark.parametrize("query", ["", "wait=commit"])
def test_what_was_signed_gets_through(algorithm, body, query):
    request = replace(REQUEST, body=body, query=query)
    found = asker(request, headers(request, KEYS[algorithm]))
    assert found.key_id == KEYS[algorithm].public.key_id


def test_a_request_without_signature_is_nobodys():
    assert asker(given={}) is None


def test_the_signature_base_is_that_of_rfc_9421():
    params = headers()["Signature-Input"].removeprefix("sig1=")
    assert signature_base(REQUEST, NETWORK, params).decode().splitlines() == [
        '"@method": POST',
        '"@authority": node.example:7480',
        '"@path": /v1/drafts',
        '"@query": ?a=b',
        f'"civreg-network": {NETWORK.hex()}',
        '"content-digest": ' + content_digest(REQUEST.body),
        f'"@signature-params": {params}',
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "GET"},
        {"authority": "other.example:7480"},
        {"path": "/v1/drafts/"},
        {"query": "a=c"},
        {"body": b"\x91\x01"},
        {"body": b""},
    ],
    ids=str,
)
def test_every_component_is_covered(changes):
    with pytest.raises(UnauthenticatedError):
        asker(replace(REQUEST, **changes))


def test_a_body_that_the_signature_does_not_cover_is_refused():
    unsigned = headers(replace(REQUEST, body=b""))
    with pytest.raises(UnauthenticatedError):
        asker(REQUEST, unsigned | {"Content-Digest": content_digest(REQUEST.body)})


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_request_counts_for_a_minute_both_ways(sign):
    assert asker(now_s=NOW_S + sign * CREATED_TOLERANCE_S) is not None
    with pytest.raises(UnauthenticatedError):
        asker(now_s=NOW_S + sign * (CREATED_TOLERANCE_S + 1))


def test_the_same_request_twice_is_a_replay_but_not_with_another_nonce():
    door = Doorkeeper(NETWORK, Book())
    assert door.asker(REQUEST, headers(), NOW_S) is not None
    with pytest.raises(ReplayedRequestError):
        door.asker(REQUEST, headers(), NOW_S)
    assert door.asker(REQUEST, headers(nonce=bytes([1] * 16)), NOW_S) is not None


def test_another_network_and_keys_of_other_purposes_are_refused():
    with pytest.raises(UnauthenticatedError):
        asker(given=headers(network=seed("another")))
    for purpose in ("sign", "govern", "consensus", "seal"):
        with pytest.raises(UnauthenticatedError):
            asker(book=Book(purpose))
    assert asker(book=Book("peer")) is not None


def test_an_unknown_key_is_refused():
    with pytest.raises(UnauthenticatedError):
        asker(given=headers(key=SoftwareKey.generate()))


def test_nonces_are_forgotten_when_they_no_longer_matter_and_bounded_until_then():
    nonces = Nonces(nonces_max=2)
    key_id = KEY.public.key_id
    nonces.use(key_id, b"0" * 16, NOW_S, NOW_S)
    nonces.use(key_id, b"1" * 16, NOW_S + CREATED_TOLERANCE_S, NOW_S)
    with pytest.raises(UnavailableError):
        nonces.use(key_id, b"2" * 16, NOW_S, NOW_S)
    later_s = NOW_S + CREATED_TOLERANCE_S + 1
    nonces.use(key_id, b"2" * 16, later_s, later_s)
    with pytest.raises(ReplayedRequestError):
        nonces.use(key_id, b"1" * 16, NOW_S + CREATED_TOLERANCE_S, later_s)


mutable = st.sampled_from(["Civreg-Network", "Content-Digest", "Signature-Input", "Signature"])


@given(mutable, st.integers(0, 200), st.characters(min_codepoint=32, max_codepoint=126))
def test_a_changed_character_of_a_header_never_gets_through(name, at, character):
    good = headers()
    value = good[name]
    at %= len(value)
    changed = value[:at] + character + value[at + 1 :]
    if name == "Signature" and _same_bytes(value, changed):
        return
    if changed != value:
        with pytest.raises(UnauthenticatedError):
            asker(given=good | {name: changed})


def _same_bytes(first, second):
    """Base64 has unused bits in its last character."""
    try:
        return base64.b64decode(first[6:-1]) == base64.b64decode(second[6:-1])
    except ValueError:
        return False


@given(st.fixed_dictionaries({name: st.text(max_size=300) for name in headers()}))
def test_random_headers_are_refused_with_a_code(given_headers):
    with pytest.raises(UnauthenticatedError):
        asker(given=given_headers)
