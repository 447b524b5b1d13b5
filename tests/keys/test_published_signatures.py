"""Wycheproof ECDSA P-256 SHA-256, raw and DER, and RFC 6979: published vectors, every case."""

from collections import Counter
from dataclasses import dataclass

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from keys.curves import P256_ORDER
from keys.errors import BadSignatureError
from keys.foreign_signatures import verify_der, verify_either_s
from keys.signing import Algorithm, SoftwareKey, parse_public_key, verify

RAW = "ecdsa_p1363_verify_schema_v1.json"
DER = "ecdsa_verify_schema_v1.json"


@dataclass(frozen=True)
class Case:
    name: str
    key: object
    message: bytes
    signature: bytes
    valid: bool


def wycheproof(vector_files, schema):
    """The cases of all files of one kind, and how many files that were."""
    cases, files = [], 0
    for name, content in vector_files("ecdsa"):
        if content.get("schema") != schema:
            continue
        files += 1
        for group in content["testGroups"]:
            loaded = load_der_public_key(bytes.fromhex(group["publicKeyDer"]))
            point = loaded.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
            key = parse_public_key(Algorithm.P256, point)
            cases += [
                Case(
                    f"{name} {test['tcId']} {test['comment']}",
                    key,
                    bytes.fromhex(test["msg"]),
                    bytes.fromhex(test["sig"]),
                    {"valid": True, "invalid": False}[test["result"]],
                )
                for test in group["tests"]
            ]
    if not files:
        pytest.skip(f"no file of {schema} among the vectors")
    return cases


def accepted(check, case):
    try:
        check(case.key, case.message, case.signature)
    except BadSignatureError:
        return False
    return True


def test_the_ledger_accepts_exactly_the_valid_raw_signatures_with_low_s(
    vector_files, usual_vectors
):
    """The one deviation from the file's results: valid signatures with S > q/2 are refused."""
    cases = wycheproof(vector_files, RAW)
    seen: Counter[str] = Counter()
    for case in cases:
        high = case.valid and int.from_bytes(case.signature[32:], "big") > P256_ORDER // 2
        seen["valid"] += case.valid
        seen["high"] += high
        assert accepted(verify, case) == (case.valid and not high), case.name
    if usual_vectors:
        assert (len(cases), seen["valid"], seen["high"]) == (262, 173, 70)


def test_envelopes_accept_exactly_the_valid_raw_signatures(vector_files):
    for case in wycheproof(vector_files, RAW):
        assert accepted(verify_either_s, case) == case.valid, case.name


def test_der_signatures_are_accepted_exactly_if_valid(vector_files, usual_vectors):
    cases = wycheproof(vector_files, DER)
    seen: Counter[str] = Counter()
    for case in cases:
        seen["valid"] += case.valid
        if case.valid:
            seen["high"] += decode_dss_signature(case.signature)[1] > P256_ORDER // 2
        assert accepted(verify_der, case) == case.valid, case.name
    if usual_vectors:
        assert (len(cases), seen["valid"], seen["high"]) == (484, 174, 71)


def test_the_software_signer_makes_the_signatures_of_rfc_6979_with_the_lower_s(
    vector_files, usual_vectors
):
    cases = 0
    for _, content in vector_files("ecdsa"):
        if "private_key_x" not in content:
            continue
        key = SoftwareKey.from_private_bytes(
            Algorithm.P256, bytes.fromhex(content["private_key_x"])
        )
        assert key.public.public[1:] == bytes.fromhex(content["public_key_x"])
        for test in content["tests"]:
            message = test["message"].encode("ascii")
            signature = key.sign(message)
            assert signature == bytes.fromhex(test["r"] + test["s_low"])
            verify(key.public, message, signature)
            cases += 1
    if usual_vectors:
        assert cases == 2
