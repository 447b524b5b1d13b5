"""The frozen vectors of tags and of digests of things outside the chain, computed again.

What is expected comes from `hmac`, `hashlib`, the `ecdsa` package and the second verifier's
encoding; then registry and tag services are asked the same.
"""

import hmac
from dataclasses import dataclass
from hashlib import sha256
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import ecdsa
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from ecdsa.util import sigdecode_string, sigencode_string_canonize

from cli.accesses import digest_of
from cli.hands import form_digest
from keys.errors import BadSignatureError
from keys.hashing import Digest
from keys.signing import Algorithm, SoftwareKey, parse_public_key, verify
from ledger.ids import AgencyId
from node.metrics import Metrics
from node.tag_limits import WindowedTagLimits
from node.tag_service import TagPorts, TagService
from registry.authority_rows import AgencyRow, KeyRow, MandateRow, OfficeRow, OfficerRow
from registry.rows import NamespaceRow
from registry.tags import TagStatement, check_tag_proof, inner_tag, outer_tag
from tests.ledger.test_vectors import frozen
from verifier.encoding import encode
from verifier.hashes import hashed, prefix

if TYPE_CHECKING:
    from node.access import Access
    from node.logs import Log


@pytest.fixture(scope="module")
def vectors():
    return frozen("tags")


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


def mac(secret: str, *pieces: bytes) -> bytes:
    return hmac.digest(octets(secret), b"".join(pieces), "sha256")


def test_frozen_tags_follow_from_two_secrets_namespace_and_value(vectors):
    for one in vectors["tags"]:
        name, epoch = one["namespace"].encode(), vectors["epoch"].to_bytes(8)
        for half in ("first", "second"):
            source = prefix("tag-key") + half.encode() + b"\x00" + epoch + name
            assert mac(vectors[f"{half}_secret"], source).hex() == one[f"{half}_key"]
        start = b"civreg/tag/v1\x00" + name + b"\x00"
        inner = mac(one["first_key"], start, one["value"].encode())
        assert inner.hex() == one["inner"]
        assert mac(one["second_key"], start, inner).hex() == one["tag"]
        assert inner_tag(octets(one["first_key"]), one["namespace"], one["value"]) == inner
        tag = outer_tag(octets(one["second_key"]), one["namespace"], Digest(inner))
        assert tag.hex() == one["tag"]
    assert len({one["tag"] for one in vectors["tags"]}) == 4


def test_a_frozen_tag_of_one_namespace_is_none_of_another(vectors):
    one = vectors["tags"][0]
    inner = inner_tag(octets(one["first_key"]), "person.numbers", one["value"])
    assert inner.hex() != one["inner"]


def test_frozen_statements_are_what_the_service_signs(vectors):
    for one in vectors["tags"]:
        told = (octets(vectors[name]) for name in ("commitment_leaf", "record_id"))
        asker, expiry_ms = octets(vectors["officer_key_id"]), vectors["expiry_ms"]
        leaf, record_id = told
        said = [1, octets(vectors["network_id"]), one["namespace"], vectors["epoch"]]
        said += [octets(one["tag"]), leaf, record_id, asker, expiry_ms]
        message = b"civreg/tag-signature/v1\x00" + encode(said)
        assert message.hex() == one["sign_message"]
        proof = [leaf, asker, expiry_ms, octets(one["signatures"][0])]
        assert encode(proof).hex() == one["tag_proof"]
        statement = statement_of(vectors, one)
        assert statement.sign_message == message
        for signature, signer in zip(one["signatures"], service_keys(vectors), strict=True):
            check_tag_proof(statement, octets(signature), signer)


def statement_of(vectors, one) -> TagStatement:
    same = ("network_id", "commitment_leaf", "record_id", "officer_key_id")
    known: dict[str, Any] = {name: octets(vectors[name]) for name in same}
    return TagStatement(
        **known,
        namespace=one["namespace"],
        epoch=vectors["epoch"],
        tag=Digest(octets(one["tag"])),
        expiry_ms=vectors["expiry_ms"],
    )


def service_keys(vectors):
    keys = vectors["service_keys"]
    return [parse_public_key(one["algorithm"], octets(one["public"])) for one in keys]


def test_frozen_signatures_of_tags_are_made_and_verified_by_other_libraries_too(vectors):
    first, second = service_keys(vectors)
    assert (first.algorithm, second.algorithm) == (Algorithm.ED25519, Algorithm.P256)
    curve_key = ecdsa.VerifyingKey.from_string(second.public, curve=ecdsa.NIST256p)
    for one in vectors["tags"]:
        message, (edwards, curve) = octets(one["sign_message"]), map(octets, one["signatures"])
        Ed25519PublicKey.from_public_bytes(first.public).verify(edwards, message)
        assert curve_key.verify(curve, message, sha256, sigdecode_string)
        assert sign_again(vectors["service_keys"][0], message) == edwards
        assert sign_again(vectors["service_keys"][1], message) == curve


def sign_again(listed, message: bytes) -> bytes:
    """Sign by RFC 8032, or RFC 6979 with low S, with the private key that stands in the vectors."""
    is_curve = listed["algorithm"] == Algorithm.P256
    curve = ecdsa.NIST256p if is_curve else ecdsa.Ed25519
    key = ecdsa.SigningKey.from_string(octets(listed["private"]), curve=curve)
    if is_curve:
        signed = key.sign_deterministic(message, sha256, sigencode=sigencode_string_canonize)
    else:
        signed = key.sign(message)
    return bytes(signed)


def test_a_frozen_signature_is_of_its_own_statement_only(vectors):
    good = vectors["tags"][0]["signatures"]
    for message in vectors["refused"]["statements"].values():
        assert message != vectors["tags"][0]["sign_message"]
        for signature, signer in zip(good, service_keys(vectors), strict=True):
            with pytest.raises(BadSignatureError):
                verify(signer, octets(message), octets(signature))
    assert len(vectors["refused"]["statements"]) == 8


def test_damaged_frozen_signatures_of_a_tag_are_refused(vectors):
    statement = statement_of(vectors, vectors["tags"][0])
    for signature in vectors["refused"]["signatures"].values():
        with pytest.raises(BadSignatureError):
            check_tag_proof(statement, octets(signature), service_keys(vectors)[1])
    assert len(vectors["refused"]["signatures"]) == 4


class NoNote:
    """A log that nobody reads."""

    def info(self, _event, **_values): ...


@dataclass
class StillClock:
    now: int

    def now_ms(self):
        return self.now

    def monotonic_ms(self):
        return 0


ASKER = AgencyId(bytes(16))


@dataclass
class OneNamespace:
    """The committed state as far as a tag service asks it: who asks may, for an officer of its."""

    row: NamespaceRow
    today: str = "2026-01-02"

    @property
    def state(self):
        return self

    def read(self, _key, row_class):
        always = {"from_date": "2026-01-01", "to_date": None}
        rows = {
            NamespaceRow: self.row,
            AgencyRow: SimpleNamespace(mandates=1, **always),
            MandateRow: SimpleNamespace(types=("*",), **always),
            KeyRow: SimpleNamespace(
                holder_kind="officer", purpose="sign", office=bytes(16), holder=bytes(16), **always
            ),
            OfficeRow: SimpleNamespace(agency=ASKER, **always),
            OfficerRow: OfficerRow((), None),
        }
        return rows[row_class]


def service(vectors, half: str) -> TagService:
    first, second = (AgencyId(octets(vectors[f"{one}_agency"])) for one in ("first", "second"))
    ports = TagPorts(
        clock=StillClock(vectors["expiry_ms"] - 1_000),
        log=cast("Log", NoNote()),
        metrics=Metrics(),
        limits=WindowedTagLimits(lambda _agency: False),
    )
    access = cast("Access", OneNamespace(NamespaceRow(first, second, vectors["epoch"])))
    own, secret = second if half == "second" else first, octets(vectors[f"{half}_secret"])
    network_id = Digest(octets(vectors["network_id"]))
    private = octets(vectors["service_keys"][0]["private"])
    signer = SoftwareKey.from_private_bytes(Algorithm.ED25519, private)
    return TagService(own, secret, signer, access, network_id, ports)


def test_the_two_tag_services_answer_frozen_questions_with_frozen_bytes(vectors):
    first, second = service(vectors, "first"), service(vectors, "second")
    for one in vectors["tags"]:
        assert first.inner(ASKER, octets(one["inner_question"])).hex() == one["inner_answer"]
        assert second.outer(ASKER, octets(one["outer_question"])).hex() == one["outer_answer"]


def test_the_frozen_questions_and_answers_have_the_form_of_the_document(vectors):
    for one in vectors["tags"]:
        names = ("commitment_leaf", "record_id", "officer_key_id")
        asked = [one["namespace"], octets(one["inner"]), *[octets(vectors[it]) for it in names]]
        asked.append(vectors["expiry_ms"])
        signature = octets(one["signatures"][0])
        given = [vectors["epoch"], octets(one["tag"]), vectors["expiry_ms"], signature]
        made = {
            "inner_question": [1, "tag-inner", [[one["namespace"], one["value"]]]],
            "inner_answer": [1, [octets(one["inner"])]],
            "outer_question": [1, "tag-outer", [asked]],
            "outer_answer": [1, [given]],
        }
        assert {name: encode(value).hex() for name, value in made.items()} == {
            name: one[name] for name in made
        }


def test_frozen_key_ids_of_every_algorithm_follow_from_the_public_keys():
    keys = frozen("digests")["keys"]
    for one in keys:
        algorithm = Algorithm(one["algorithm"])
        made = SoftwareKey.from_private_bytes(algorithm, octets(one["private"])).public
        assert made.public.hex() == one["public"]
        expected = sha256(b"civreg/key/v1\x00" + bytes([algorithm]) + octets(one["public"]))
        assert expected.digest()[:16].hex() == made.key_id.hex() == one["key_id"]
    assert [one["algorithm"] for one in keys] == [1, 2, 3, 4]


def test_the_frozen_digest_of_a_custody_form_is_of_the_scans_bytes():
    form = frozen("digests")["act_form"]
    paper = octets(form["paper"])
    assert hashed("act-form", paper).hex() == form_digest(paper).hex() == form["digest"]
    assert form_digest(paper + b"\n").hex() != form["digest"]


def test_the_frozen_reasons_of_an_access_follow_from_salt_purpose_and_legal_basis():
    whys = frozen("digests")["access_why"]
    for one in whys:
        salt = octets(one["salt"])
        said = [1, salt, one["purpose"], one["legal_basis"]]
        ours = digest_of(salt, one["purpose"], one["legal_basis"])
        assert hashed("access-why", encode(said)).hex() == ours.hex() == one["digest"]
        assert digest_of(salt, one["purpose"], ["another"]).hex() != one["digest"]
    assert len(whys) == 2
