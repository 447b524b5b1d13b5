"""Quorum certificates: more than two thirds, every signature good, nobody foreign."""

from dataclasses import replace

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.errors import CivregError
from keys.signing import Algorithm, SoftwareKey
from ledger.errors import InvalidDataError, InvalidQuorumError, LimitExceededError
from ledger.ids import AgencyId
from ledger.quorum import (
    QUORUM_CERTIFICATE_BYTES_MAX,
    ForeignSignerError,
    QuorumCertificate,
    QuorumSignatureError,
    QuorumWeightError,
    parse_quorum_certificate,
    precommit_message,
    print_quorum_certificate,
)
from ledger.validators import Validator, ValidatorSet

NETWORK_ID = b"n" * 32
BLOCK = b"b" * 32


def key(index: int) -> SoftwareKey:
    algorithm = Algorithm.P256 if index % 2 else Algorithm.ED25519
    return SoftwareKey.from_private_bytes(algorithm, bytes([index + 1]) * 32)


def members(*weights: int) -> ValidatorSet:
    return ValidatorSet(
        tuple(
            Validator(AgencyId(bytes([index]) * 16), key(index).public, weight)
            for index, weight in enumerate(weights)
        )
    )


FOUR = members(1, 1, 1, 1)


def certificate(*signers: int, block_id: bytes | None = BLOCK) -> QuorumCertificate:
    message = precommit_message(NETWORK_ID, 7, 2, block_id)
    signatures = tuple((index, key(index).sign(message)) for index in signers)
    return QuorumCertificate(7, 2, block_id or BLOCK, signatures)


GOOD = certificate(0, 1, 3)


def test_three_of_four_suffice_and_both_algorithms_may_sign():
    GOOD.check(NETWORK_ID, FOUR)
    certificate(0, 1, 2, 3).check(NETWORK_ID, FOUR)


@pytest.mark.parametrize(
    ("weights", "signers", "suffices"),
    [
        ((1, 1, 1), (0, 1), False),
        ((1, 1, 1), (0, 1, 2), True),
        ((1, 1, 1, 1, 1, 1), (0, 1, 2, 3), False),
        ((1, 1, 1, 1, 1, 1), (0, 1, 2, 3, 4), True),
        ((5, 1, 1), (0,), True),
        ((4, 1, 1), (0,), False),
        ((4, 1, 1), (0, 2), True),
        ((1,), (0,), True),
    ],
)
def test_exactly_two_thirds_is_not_enough(weights, signers, suffices):
    made = certificate(*signers)
    if suffices:
        made.check(NETWORK_ID, members(*weights))
    else:
        with pytest.raises(QuorumWeightError):
            made.check(NETWORK_ID, members(*weights))


def test_a_certificate_of_nobody_is_too_light():
    with pytest.raises(QuorumWeightError):
        replace(GOOD, signatures=()).check(NETWORK_ID, FOUR)


def test_one_foreign_signer_spoils_a_certificate_that_would_suffice_without():
    with pytest.raises(ForeignSignerError):
        certificate(0, 1, 2, 4).check(NETWORK_ID, FOUR)


def test_one_bad_signature_spoils_a_certificate_that_would_suffice_without():
    spoilt = certificate(0, 1, 2, 3)
    bad = replace(spoilt, signatures=(*spoilt.signatures[:3], (3, bytes(64))))
    with pytest.raises(QuorumSignatureError):
        bad.check(NETWORK_ID, FOUR)


def test_signers_strictly_ascend():
    first, second, third = GOOD.signatures
    for wrong in ((second, first, third), (first, first, second, third)):
        with pytest.raises(InvalidQuorumError):
            replace(GOOD, signatures=wrong).check(NETWORK_ID, FOUR)
        with pytest.raises(InvalidDataError):
            parse_quorum_certificate(print_quorum_certificate(replace(GOOD, signatures=wrong)))
    negative = replace(GOOD, signatures=((-1, first[1]), second, third))
    with pytest.raises(InvalidQuorumError):
        negative.check(NETWORK_ID, FOUR)


@pytest.mark.parametrize(
    "change",
    [{"height": 8}, {"round": 3}, {"block_id": b"c" * 32}],
    ids=repr,
)
def test_signatures_are_for_one_height_round_and_block(change):
    with pytest.raises(QuorumSignatureError):
        replace(GOOD, **change).check(NETWORK_ID, FOUR)


def test_signatures_are_for_one_network_and_one_set():
    with pytest.raises(QuorumSignatureError):
        GOOD.check(b"m" * 32, FOUR)
    turned = ValidatorSet(
        tuple(replace(FOUR[i], key=FOUR[3 - i].key) for i in range(4)),
    )
    with pytest.raises(QuorumSignatureError):
        GOOD.check(NETWORK_ID, turned)


def test_precommits_for_nil_certify_no_block():
    with pytest.raises(QuorumSignatureError):
        certificate(0, 1, 2, block_id=None).check(NETWORK_ID, FOUR)


def test_every_refusal_has_a_code_of_its_own():
    codes = {error.code for error in (ForeignSignerError, QuorumSignatureError, QuorumWeightError)}
    assert codes == {
        "ledger.quorum_foreign_signer",
        "ledger.quorum_bad_signature",
        "ledger.quorum_too_light",
    }


def test_bytes_and_signed_message_are_fixed():
    raw = print_quorum_certificate(GOOD)
    listed = [[index, signature] for index, signature in GOOD.signatures]
    assert msgpack.unpackb(raw) == [1, 7, 2, BLOCK, listed]
    assert parse_quorum_certificate(raw) == GOOD
    signed = precommit_message(NETWORK_ID, 7, 2, BLOCK)
    packed = msgpack.packb([1, NETWORK_ID, 7, 2, BLOCK])
    assert signed == b"civreg/precommit/v1\x00" + packed


@pytest.mark.parametrize(
    "wrong",
    [
        [2, 7, 2, BLOCK, [[0, bytes(64)]]],
        [1, 0, 2, BLOCK, [[0, bytes(64)]]],
        [1, 7, -1, BLOCK, [[0, bytes(64)]]],
        [1, 7, 2**31, BLOCK, [[0, bytes(64)]]],
        [1, 7, 2, None, [[0, bytes(64)]]],
        [1, 7, 2, BLOCK[:31], [[0, bytes(64)]]],
        [1, 7, 2, BLOCK, []],
        [1, 7, 2, BLOCK, [[64, bytes(64)]]],
        [1, 7, 2, BLOCK, [[0, bytes(63)]]],
        [1, 7, 2, BLOCK, [[0, bytes(4_000)]]],
        [1, 7, 2, BLOCK, [[0, bytes(64), 1]]],
        [1, 7, 2, BLOCK, [[0, bytes(64)]], 1],
        [1, 7, 2, BLOCK],
        7,
    ],
)
def test_certificates_of_another_shape_are_refused(wrong):
    with pytest.raises(InvalidDataError):
        parse_quorum_certificate(msgpack.packb(wrong))


def test_the_limit_of_bytes_is_checked_before_parsing():
    with pytest.raises(LimitExceededError):
        parse_quorum_certificate(bytes(QUORUM_CERTIFICATE_BYTES_MAX + 1))


@given(st.data())
def test_a_changed_certificate_is_refused_by_parser_or_check(data):
    raw = bytearray(print_quorum_certificate(GOOD))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CivregError):
        parse_quorum_certificate(bytes(raw)).check(NETWORK_ID, FOUR)


@given(st.binary(max_size=300))
def test_random_bytes_are_no_certificate(raw):
    with pytest.raises(CivregError):
        parse_quorum_certificate(raw)
