"""Light blocks out of abstract data: names of validators, seconds, signers; P-256, our own bytes.

Bytes are put together by hand where the ledger's own types refuse to hold what a stranger may
send: an empty set, a certificate without signatures or by somebody outside the set.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from keys.hashing import Digest, domain, hash_with
from keys.signing import Algorithm, SoftwareKey
from ledger import merkle
from ledger.blocks import Header
from ledger.canonical import Value, encode
from ledger.ids import AgencyId
from ledger.quorum import precommit_message
from ledger.validators import Validator, ValidatorSet
from tests.networks import seed

NETWORK_ID = Digest(seed("light network"))
NOWHERE = Digest(bytes(32))

Powers = Mapping[str, int]


@cache
def key(name: str) -> SoftwareKey:
    return SoftwareKey.from_private_bytes(Algorithm.P256, seed("light", name))


def agency(name: str) -> AgencyId:
    return AgencyId(seed("light agency", name)[:16])


def in_order(powers: Powers) -> list[str]:
    return sorted(powers, key=agency)


def validators_of(powers: Powers) -> ValidatorSet:
    return ValidatorSet(
        tuple(Validator(agency(name), key(name).public, powers[name]) for name in in_order(powers))
    )


def set_value(powers: Powers) -> Value:
    """The value of a set, also of an impossible one."""
    return (
        1,
        tuple(
            (agency(name), 1, key(name).public.public, powers[name]) for name in in_order(powers)
        ),
    )


def set_digest(powers: Powers) -> Digest:
    return hash_with(domain("validators"), encode(set_value(powers)))


def header_of(block: Mapping[str, Any], parent: Digest, **changes: Any) -> Header:
    """A header with the block's height, time (seconds) and sets; all else is made up."""
    fields: dict[str, Any] = {
        "network_id": NETWORK_ID,
        "height": block["height"],
        "round": 0,
        "time_ms": block["time"] * 1_000,
        "parent": parent,
        "headers_root": merkle.EMPTY_ROOT,
        "entries_root": merkle.EMPTY_ROOT,
        "entries_count": 0,
        "outcomes_root": merkle.EMPTY_ROOT,
        "log_size": 0,
        "log_root": merkle.EMPTY_ROOT,
        "state_root": Digest(seed("light state", block["height"])),
        "validators": set_digest(block["validators"]),
        "next_validators": set_digest(block["next_validators"]),
        "proposer": 0,
        "evidence_root": merkle.EMPTY_ROOT,
    }
    return Header(**{**fields, **changes})


def certificate_value(
    header: Header, powers: Powers, signers: Sequence[str], round_number: int = 0
) -> Value:
    """Precommits for the header by these; one who is not in the set gets an index behind it."""
    members = in_order(powers)
    places = {name: index for index, name in enumerate(members)}
    strangers = sorted(set(signers) - set(members))
    places |= {name: len(members) + number for number, name in enumerate(strangers)}
    message = precommit_message(header.network_id, header.height, round_number, header.digest)
    pairs = [(places[name], key(name).sign(message)) for name in signers]
    return (1, header.height, round_number, header.digest, tuple(sorted(pairs)))


def light_bytes(block: Mapping[str, Any], parent: Digest = NOWHERE, **changes: Any) -> bytes:
    """The bytes of a light block; `changes` alter the header before it is signed."""
    header = header_of(block, parent, **changes)
    certificate = certificate_value(header, block["validators"], block["signers"])
    return joined(header, certificate, block)


def joined(header: Header, certificate: Value, block: Mapping[str, Any]) -> bytes:
    sets = (set_value(block["validators"]), set_value(block["next_validators"]))
    return encode((1, "light-block", header.raw, encode(certificate), *sets))
