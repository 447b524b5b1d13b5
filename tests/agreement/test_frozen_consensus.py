"""The frozen vectors of messages, light blocks, evidence and certificates read back as they say.

Both implementations are asked where both know the format, and every signature is checked by
OpenSSL and by the `ecdsa` package that made it.
"""

from hashlib import sha256

import ecdsa
import pytest

import verifier
from cli.evidence import judge_evidence
from cli.verdicts import judge_certificate
from consensus.evidence import Evidence
from consensus.messages import SignedProposal, SignedVote, Status, open_proposal, open_vote
from consensus.proofs import (
    SignedPolkaProof,
    SignedRoundProof,
    open_polka_proof,
    open_round_proof,
)
from consensus.wire import parse_message, print_message
from keys.hashing import Digest
from keys.signing import Algorithm, SoftwareKey, verify
from ledger.errors import InvalidDataError
from ledger.light_client import LightPolicy, TrustedPoint, check_light, parse_light_block
from ledger.quorum import parse_quorum_certificate
from ledger.trust import parse_trust
from ledger.validators import parse_validator_set
from tests.ledger.test_vectors import frozen
from verifier.evidence import read_evidence
from verifier.headers import read_quorum_certificate, read_validator_set
from verifier.light import Point, Policy
from verifier.refusals import RefusedError


@pytest.fixture(scope="module")
def vectors():
    return frozen("messages")


@pytest.fixture(scope="module")
def validators(vectors):
    return parse_validator_set(bytes.fromhex(vectors["validator_set"]))


def opened(message, validators, network_id):
    """Verify whatever a message claims; STATUS claims nothing."""
    match message:
        case SignedVote():
            open_vote(message, validators, network_id)
        case SignedProposal():
            open_proposal(message, validators, network_id)
        case SignedPolkaProof():
            open_polka_proof(message, validators, network_id)
        case SignedRoundProof():
            open_round_proof(message, validators, network_id)
        case Evidence():
            message.check(validators, network_id)
        case _:
            assert isinstance(message, Status)


def test_frozen_messages_of_every_kind_read_back_and_verify(vectors, validators):
    network_id = bytes.fromhex(vectors["network_id"])
    assert validators.digest.hex() == vectors["validator_set_digest"]
    kinds = set()
    for one in vectors["accepted"]:
        raw = bytes.fromhex(one["raw"])
        message = parse_message(raw)
        assert print_message(message) == raw, one["name"]
        opened(message, validators, network_id)
        kinds.add(raw[2])
    assert kinds == {1, 2, 3, 4, 5, 6, 7}


def test_frozen_signatures_are_over_the_frozen_bytes_by_both_libraries(vectors, validators):
    checked = 0
    for one in vectors["accepted"]:
        message = parse_message(bytes.fromhex(one["raw"]))
        if isinstance(message, SignedVote | SignedProposal):
            index = message.validator if isinstance(message, SignedVote) else message.proposer
            signed, key = bytes.fromhex(one["sign_message"]), validators[index].key
            verify(key, signed, message.signature)
            loaded = ecdsa.VerifyingKey.from_string(key.public, curve=ecdsa.NIST256p)
            assert loaded.verify(message.signature, signed, hashfunc=sha256)
            checked += 1
    assert checked == 5


def test_frozen_private_keys_are_those_of_the_set(vectors, validators):
    keys = vectors["private_keys"]
    for public, private in keys.items():
        key = SoftwareKey.from_private_bytes(Algorithm.P256, bytes.fromhex(private))
        assert key.public.public.hex() == public
    assert {one.key.public.hex() for one in validators.validators} < set(keys)


def test_frozen_bytes_that_are_no_message_are_refused(vectors):
    for name, raw in vectors["refused"].items():
        with pytest.raises(InvalidDataError):
            parse_message(bytes.fromhex(raw))
        if "evidence" in name:
            with pytest.raises(RefusedError):
                read_evidence(bytes.fromhex(raw))
    assert len(vectors["refused"]) == 16


def test_frozen_evidence_messages_are_evidence_to_the_second_verifier(vectors):
    network_id = bytes.fromhex(vectors["network_id"])
    theirs = read_validator_set(
        verifier.encoding.decode(bytes.fromhex(vectors["validator_set"]), 10_000)
    )
    pieces = [one for one in vectors["accepted"] if one["name"].startswith("evidence")]
    assert len(pieces) == 2
    for one in pieces:
        read_evidence(bytes.fromhex(one["raw"])).check(network_id, theirs)


def test_frozen_quorum_certificates_hold_or_are_refused_with_their_code(vectors, validators):
    network_id = bytes.fromhex(vectors["network_id"])
    frozen_one = vectors["quorum_certificate"]
    raw = bytes.fromhex(frozen_one["raw"])
    certificate = parse_quorum_certificate(raw)
    certificate.check(network_id, validators)
    theirs = read_validator_set(
        verifier.encoding.decode(bytes.fromhex(vectors["validator_set"]), 10_000)
    )
    read_quorum_certificate(raw).check(network_id, theirs)
    for index, signature in certificate.signatures:
        verify(validators[index].key, bytes.fromhex(frozen_one["sign_message"]), signature)
    for code, refused in frozen_one["refused"].items():
        with pytest.raises(InvalidDataError) as refusal:
            parse_quorum_certificate(bytes.fromhex(refused)).check(network_id, validators)
        assert refusal.value.code == code
        with pytest.raises(RefusedError):
            read_quorum_certificate(bytes.fromhex(refused)).check(network_id, theirs)


def test_frozen_light_blocks_are_believed_one_after_the_other_or_refused_with_their_code():
    vectors = frozen("light")
    start = vectors["trusted"]
    trusted = first = TrustedPoint(
        network_id=Digest(bytes.fromhex(start["network_id"])),
        height=start["height"],
        time_ms=start["time_ms"],
        block_id=Digest(bytes.fromhex(start["block_id"])),
        next_validators=parse_validator_set(bytes.fromhex(start["next_validators"])),
    )
    policy = LightPolicy(
        trusting_period_ms=vectors["trusting_period_ms"],
        clock_drift_ms=vectors["clock_drift_ms"],
    )
    for raw in vectors["accepted"]:
        block = parse_light_block(bytes.fromhex(raw))
        assert block.to_bytes().hex() == raw
        trusted = check_light(trusted, block, policy, vectors["now_ms"])
    assert trusted.height == start["height"] + len(vectors["accepted"])
    _check_light_by_the_second(vectors)
    for one in vectors["refused"]:
        block = parse_light_block(bytes.fromhex(one["light_block"]))
        with pytest.raises(InvalidDataError) as refusal:
            check_light(first, block, policy, vectors["now_ms"])
        assert refusal.value.code == one["code"]


def _check_light_by_the_second(vectors):
    start = vectors["trusted"]
    first = Point(
        bytes.fromhex(start["network_id"]),
        start["height"],
        start["time_ms"],
        bytes.fromhex(start["block_id"]),
        read_validator_set(
            verifier.encoding.decode(bytes.fromhex(start["next_validators"]), 10_000)
        ),
    )
    policy = Policy(vectors["trusting_period_ms"], vectors["clock_drift_ms"])
    point = first
    for raw in vectors["accepted"]:
        light = verifier.read_light(bytes.fromhex(raw))
        point = verifier.check_light(point, light, policy, vectors["now_ms"])
    for one in vectors["refused"]:
        light = verifier.read_light(bytes.fromhex(one["light_block"]))
        with pytest.raises(RefusedError):
            verifier.check_light(first, light, policy, vectors["now_ms"])


def test_frozen_files_of_evidence_have_their_word_from_both():
    vectors = frozen("evidence")
    trust = parse_trust(bytes.fromhex(vectors["trust"]))
    theirs = verifier.read_trust(trust.to_bytes())
    words = set()
    for one in vectors["files"]:
        raw = bytes.fromhex(one["raw"])
        assert judge_evidence(raw, trust, vectors["now_ms"])[1].word.value == one["word"]
        verdict = verifier.examine_evidence(raw, theirs, vectors["now_ms"])
        assert verdict.word.value == one["word"], one["name"]
        words.add(one["word"])
    assert words == {"GENUINE", "FORGED", "UNREADABLE"}
    assert len(vectors["files"]) == 10


def test_frozen_certificates_show_their_fields_to_both_or_are_refused():
    vectors = frozen("certificates")
    trust = parse_trust(bytes.fromhex(vectors["trust"]))
    theirs = verifier.read_trust(trust.to_bytes())
    for one in vectors["accepted"]:
        raw = bytes.fromhex(one["certificate"])
        ours = judge_certificate(raw, trust, vectors["now_ms"])
        second = verifier.check_certificate(raw, theirs, vectors["now_ms"])
        assert (ours.word.value, second.word.value) == ("GENUINE", "GENUINE")
        assert dict(ours.fields) == second.fields == vectors["shown"][one["name"]]
    for one in vectors["refused"]:
        raw = bytes.fromhex(one["certificate"])
        assert judge_certificate(raw, trust, vectors["now_ms"]).word.value == one["word"]
        verdict = verifier.check_certificate(raw, theirs, vectors["now_ms"])
        assert verdict.word.value == one["word"]
