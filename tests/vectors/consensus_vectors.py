"""Frozen vectors of what is signed with P-256: messages, light blocks, evidence, certificates.

OpenSSL's ECDSA is randomised, so the signatures here are made by the `ecdsa` package after RFC
6979, with low S, from private keys that stand in the vectors.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import ecdsa
from ecdsa.util import sigencode_string_canonize

from consensus.evidence import evidence_of
from consensus.messages import (
    Phase,
    SignedProposal,
    SignedVote,
    Status,
    VoteType,
    proposal_message,
    vote_message,
)
from consensus.proofs import SignedPolkaProof, SignedRoundProof
from consensus.wire import SignedMessage, print_message
from keys.hashing import Digest
from keys.signing import Algorithm, PublicKey
from ledger import merkle
from ledger.canonical import encode
from ledger.light_client import LightBlock, trusted_point
from ledger.quorum import precommit_message, print_quorum_certificate
from ledger.receipts import build_receipt
from ledger.trust import TrustBundle, make_trust
from ledger.validators import print_validator_set
from registry.certificates import print_certificate
from registry.sealed import OpenedBody, OpenedField, show_openings
from tests.agreement.accusations import conflicts, equivocations, proposals, votes
from tests.agreement.documents import (
    NOW_MS,
    VALID_UNTIL_MS,
    certified,
    certified_entry,
    genesis_bundle,
    only_objects,
    p256_network,
    small_world,
)
from tests.networks import ChainBuilder, Network, seed

NAMES = ("a", "b", "c", "d", "e", "stranger")


@dataclass(frozen=True)
class OracleKey:
    """A P-256 key whose signatures follow from message and key alone (RFC 6979), with low S."""

    private: bytes

    @property
    def _signing(self) -> ecdsa.SigningKey:
        return ecdsa.SigningKey.from_string(self.private, curve=ecdsa.NIST256p)

    @property
    def public(self) -> PublicKey:
        point: bytes = self._signing.verifying_key.to_string("compressed")
        return PublicKey(Algorithm.P256, point)

    def sign(self, message: bytes) -> bytes:
        signed: bytes = self._signing.sign_deterministic(
            message, hashfunc=sha256, sigencode=sigencode_string_canonize
        )
        return signed


def oracle_network() -> Network:
    """The network of `p256_network` with the oracle's signatures."""
    keys = [OracleKey(seed("p256", name)) for name in NAMES]
    return replace(p256_network(), consensus={one.public.key_id: one for one in keys})


NETWORK = oracle_network()
NETWORK_ID = NETWORK.genesis.network_id
FIRST = NETWORK.genesis.validator_set
BLOCK = Digest(seed("a block"))


def vote(
    index: int, vote_type: VoteType, block_id: bytes | None, round_number: int = 1
) -> SignedVote:
    message = vote_message(NETWORK_ID, vote_type, 7, round_number, block_id)
    signature = NETWORK.consensus[FIRST[index].key.key_id].sign(message)
    return SignedVote(vote_type, 7, round_number, block_id, index, signature)


def messages() -> dict[str, SignedMessage]:
    proposal, repeated = proposals(NETWORK, FIRST, 3, 7)
    prevotes = [vote(index, VoteType.PREVOTE, BLOCK) for index in (0, 1, 3)]
    ahead = (vote(0, VoteType.PREVOTE, None, 3), vote(2, VoteType.PRECOMMIT, BLOCK, 4))
    ended = tuple(vote(index, VoteType.PRECOMMIT, None, 2) for index in (1, 2, 3))
    signatures = tuple((one.validator, one.signature) for one in prevotes)
    contradicting = votes(NETWORK, FIRST, 1, 7, VoteType.PRECOMMIT)
    return {
        "proposal": proposal,
        "prevote": prevotes[0],
        "prevote for nil": vote(2, VoteType.PREVOTE, None),
        "precommit": vote(3, VoteType.PRECOMMIT, BLOCK),
        "precommit for nil": vote(0, VoteType.PRECOMMIT, None, 0),
        "polka proof": SignedPolkaProof(7, 1, BLOCK, signatures),
        "round proof of votes ahead": SignedRoundProof(7, 3, ahead),
        "round proof of an ended round": SignedRoundProof(7, 3, ended),
        "status": Status(7, 1, Phase.PREVOTE, 6),
        "status of a height that waits": Status(8, -1, Phase.WAIT, 7),
        "evidence of votes": evidence_of(*contradicting),
        "evidence of proposals": evidence_of(proposal, repeated),
    }


def sign_message_of(message: SignedMessage) -> bytes | None:
    match message:
        case SignedVote():
            place = (message.height, message.round, message.block_id)
            return vote_message(NETWORK_ID, message.type, *place)
        case SignedProposal():
            return proposal_message(NETWORK_ID, message)
        case SignedPolkaProof():
            place = (message.height, message.round, message.block_id)
            return vote_message(NETWORK_ID, VoteType.PREVOTE, *place)
        case _:
            return None


def refused_messages() -> dict[str, str]:
    """Bytes that are no message, whatever the signatures in them."""
    prevote = vote(0, VoteType.PREVOTE, BLOCK)
    proposal, _ = proposals(NETWORK, FIRST, 3, 7)
    proof = messages()["round proof of an ended round"]
    assert isinstance(proof, SignedRoundProof)
    good = print_message(prevote)
    return {
        "a byte behind the end": good.hex() + "00",
        "an array length in the long form": "dc0007" + good.hex()[2:],
        "version 2": encode((2, *_elements(prevote)[1:])).hex(),
        "an unknown kind": encode((1, 8, *_elements(prevote)[2:])).hex(),
        "one element more": encode((*_elements(prevote), None)).hex(),
        "height 0": print_message(replace(prevote, height=0)).hex(),
        "round -1": print_message(replace(prevote, round=-1)).hex(),
        "validator 64": print_message(replace(prevote, validator=64)).hex(),
        "a signature of 63 bytes": print_message(replace(prevote, signature=bytes(63))).hex(),
        "a block id of 31 bytes": print_message(replace(prevote, block_id=bytes(31))).hex(),
        "a proposal of nil": encode(
            (*_elements(proposal)[:4], None, *_elements(proposal)[5:])
        ).hex(),
        "a polka that is not below the round": print_message(replace(proposal, pol_round=2)).hex(),
        "a round proof out of order": print_message(replace(proof, votes=proof.votes[::-1])).hex(),
        "evidence of the same vote twice": encode(
            (1, 7, _elements(prevote), _elements(prevote))
        ).hex(),
        "evidence out of order": encode(
            (1, 7, *_reversed(votes(NETWORK, FIRST, 1, 7, VoteType.PRECOMMIT)))
        ).hex(),
        "evidence of two validators": encode((1, 7, *_ascending(prevote))).hex(),
    }


def _elements(message: SignedVote | SignedProposal) -> tuple[Any, ...]:
    value = message.to_value()
    assert isinstance(value, tuple)
    return value


def _ascending(prevote: SignedVote) -> list[tuple[Any, ...]]:
    another = vote(1, VoteType.PREVOTE, None)
    return sorted((_elements(one) for one in (prevote, another)), key=encode)


def _reversed(pair: tuple[SignedVote, SignedVote]) -> list[tuple[Any, ...]]:
    return sorted((_elements(one) for one in pair), key=encode, reverse=True)


def message_vectors() -> dict[str, Any]:
    signers = [vote(index, VoteType.PRECOMMIT, BLOCK, 2) for index in (0, 2, 3)]
    certificate = NETWORK.quorum_certificate(BLOCK, 7, round_number=2)
    signed = tuple((one.validator, one.signature) for one in signers)
    return {
        "network_id": NETWORK_ID.hex(),
        "validator_set": print_validator_set(FIRST).hex(),
        "validator_set_digest": FIRST.digest.hex(),
        "private_keys": {
            one.public.public.hex(): one.private.hex()
            for one in (OracleKey(seed("p256", name)) for name in NAMES)
        },
        "accepted": [
            {
                "name": name,
                "raw": print_message(one).hex(),
                "sign_message": None if (signs := sign_message_of(one)) is None else signs.hex(),
            }
            for name, one in messages().items()
        ],
        "refused": refused_messages(),
        "quorum_certificate": {
            "raw": print_quorum_certificate(replace(certificate, signatures=signed)).hex(),
            "sign_message": precommit_message(NETWORK_ID, 7, 2, BLOCK).hex(),
            "refused": {
                code: print_quorum_certificate(one).hex()
                for code, one in {
                    "ledger.quorum_too_light": replace(certificate, signatures=signed[:2]),
                    "ledger.quorum_bad_signature": replace(certificate, signatures=signed, round=3),
                    "ledger.quorum_foreign_signer": replace(
                        certificate, signatures=(*signed, (63, signed[0][1]))
                    ),
                }.items()
            },
        },
    }


def light_vectors() -> dict[str, Any]:
    world = small_world(NETWORK)
    trust = world.young_trust
    first, later = trust.validators_at(1), trust.validators_at(3)
    start = make_trust(NETWORK.genesis.charter, [], certified(world.blocks[0]), VALID_UNTIL_MS)
    blocks = [certified(pair) for pair in world.blocks[:4]]
    sets = [first, first, later, later, later]
    light = [LightBlock(one, sets[at], sets[at + 1]) for at, one in enumerate(blocks)]
    point = trusted_point(start)
    return {
        "trusted": {
            "network_id": NETWORK_ID.hex(),
            "height": point.height,
            "time_ms": point.time_ms,
            "block_id": point.block_id.hex(),
            "next_validators": print_validator_set(point.next_validators).hex(),
        },
        "trusting_period_ms": 86_400_000,
        "clock_drift_ms": 10_000,
        "now_ms": NOW_MS,
        "accepted": [one.to_bytes().hex() for one in light[1:]],
        "refused": [
            {"code": code, "light_block": raw.hex()} for code, raw in _refused_light(light).items()
        ],
    }


def _refused_light(light: list[LightBlock]) -> Mapping[str, bytes]:
    header, certificate = light[3].certified
    later = replace(header, time_ms=1)
    return {
        "ledger.light_not_newer": light[0].to_bytes(),
        "ledger.light_wrong_set": light[3]._replace(validators=light[0].validators).to_bytes(),
        "ledger.light_wrong_time": light[3]
        ._replace(certified=light[3].certified._replace(header=later))
        .to_bytes(),
        "ledger.invalid_quorum": light[3]
        ._replace(certified=light[3].certified._replace(header=replace(header, log_size=1)))
        .to_bytes(),
        "ledger.quorum_bad_signature": light[3]
        ._replace(
            certified=light[3].certified._replace(
                quorum_certificate=replace(certificate, round=certificate.round + 1)
            )
        )
        .to_bytes(),
    }


def evidence_vectors() -> dict[str, Any]:
    world = small_world(NETWORK)
    good = equivocations(world)
    unsigned = good["prevotes"]
    first = replace(unsigned.evidence.first, signature=bytes(64))
    broken = replace(unsigned, evidence=replace(unsigned.evidence, first=first))
    late = replace(unsigned, certified=certified(world.blocks[2]))
    files = {
        **{name: (one.to_bytes(), "GENUINE") for name, one in good.items()},
        **{
            f"two headers, {name}": (one.to_bytes(), "GENUINE")
            for name, one in conflicts(world).items()
        },
        "not signed": (broken.to_bytes(), "FORGED"),
        "a header of another height": (late.to_bytes(), "FORGED"),
        "cut": (good["prevotes"].to_bytes()[:-1], "UNREADABLE"),
    }
    return {
        "trust": world.young_trust.to_bytes().hex(),
        "now_ms": NOW_MS,
        "files": [
            {"name": name, "raw": raw.hex(), "word": word} for name, (raw, word) in files.items()
        ],
    }


FIELDS = tuple(
    OpenedField(path, seed("salt", path)[:16], value)
    for path, value in (("birth_place", None), ("name", "Nguyễn Văn Ân"), ("sex", "m"))
)
INTENDED = tuple(
    OpenedField(path, seed("salt", path)[:16], value)
    for path, value in (("purpose", "enrolment"), ("recipient", "Trường Tiểu học Tân Lập"))
)
STATED = {"event_date": "2026-02-28", "registration_no": "1/2026"}


def certificate_vectors() -> dict[str, Any]:
    """Certificates of a certify entry, as their holder shows them."""
    body, intended = _body(FIELDS), _body(INTENDED)
    trust: TrustBundle = genesis_bundle(NETWORK)
    roots = {"commitment": merkle.root(body.leaves), "intended": merkle.root(intended.leaves)}
    chain = ChainBuilder(NETWORK)
    block, certificate = chain.next_block([certified_entry(NETWORK, STATED, **roots)])
    outcomes = [one.to_bytes() for one in chain.outcomes[0]]
    receipt = only_objects(build_receipt(block, outcomes, 0, certificate))
    recipient = show_openings(intended, {"recipient"})
    shown = show_openings(body, {"name"})
    changed = (OpenedField("name", FIELDS[1].salt, "Nguyễn Văn Anh"), *FIELDS[2:])
    lied = show_openings(_body((FIELDS[0], *changed)), {"name"})
    made = {
        "fields and recipient": print_certificate(receipt, shown, recipient),
        "without the recipient": print_certificate(receipt, shown),
        "all fields": print_certificate(
            receipt, show_openings(body, {"birth_place", "name", "sex"})
        ),
    }
    return {
        "trust": trust.to_bytes().hex(),
        "now_ms": NOW_MS,
        "commitment": roots["commitment"].hex(),
        "accepted": [{"name": name, "certificate": raw.hex()} for name, raw in made.items()],
        "refused": [
            {"word": "FORGED", "certificate": print_certificate(receipt, lied).hex()},
            {"word": "UNREADABLE", "certificate": made["all fields"][:-1].hex()},
        ],
        "shown": {
            "fields and recipient": {
                **STATED,
                "name": "Nguyễn Văn Ân",
                "intended.recipient": "Trường Tiểu học Tân Lập",
            },
            "without the recipient": {**STATED, "name": "Nguyễn Văn Ân"},
            "all fields": {
                **STATED,
                "birth_place": None,
                "name": "Nguyễn Văn Ân",
                "sex": "m",
            },
        },
    }


def _body(fields: tuple[OpenedField, ...]) -> OpenedBody:
    return OpenedBody(fields=fields, leaves=tuple(one.leaf for one in fields))
