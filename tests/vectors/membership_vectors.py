"""Frozen vectors of applications for membership, for `tests.vectors.make_vectors`."""

from typing import Any

from keys.hashing import domain
from ledger.canonical import encode
from ledger.genesis import PartSignature, print_part
from ledger.membership import print_application, sign_application
from tests.networks import founding_part, key, small_network

NAME = "e"
"""Whoever applies; the founders are a, b, c and d."""


def membership_vectors() -> dict[str, Any]:
    """One application that holds, and several that do not, each with what is wrong with it."""
    network_id = small_network().genesis.network_id
    part = print_part(founding_part(NAME))
    signed = [sign_application(network_id, part, key(NAME, "govern", at)) for at in range(2)]
    message = domain("membership") + network_id + part
    stranger = sign_application(network_id, part, key("stranger"))
    other = [sign_application(bytes(32), part, key(NAME, "govern", at)) for at in range(2)]
    broken = PartSignature(signed[0].key_id, bytes(64))
    unordered = encode((1, "membership-application", part, tuple(map(tuple, sorted(signed)[::-1]))))
    refused = {
        "one signature too few": print_application(part, signed[:1]),
        "a key that does not govern": print_application(part, [signed[0], stranger]),
        "a signature that does not verify": print_application(part, [broken, signed[1]]),
        "signed for another network": print_application(part, other),
        "signatures out of order": unordered,
        "another version": encode((2, "membership-application", part, ())),
        "another word": encode((1, "genesis-part", part, ())),
    }
    return {
        "network_id": network_id.hex(),
        "part": part.hex(),
        "message": message.hex(),
        "signatures": [[one.key_id.hex(), one.signature.hex()] for one in sorted(signed)],
        "application": print_application(part, signed).hex(),
        "refused": {name: raw.hex() for name, raw in refused.items()},
    }
