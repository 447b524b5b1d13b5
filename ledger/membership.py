"""What an agency that wants to join says of itself, signed by those who govern it.

It is the part that a founder would have given to genesis: keys, address, root office, founding
officers. A ballot of the members holds its bytes; who is admitted has agreed to it by signing.

    application = canonical([1, "membership-application", part bin,
                             [[key_id bin 16, signature bin] ...]])

Each signature is over `civreg/membership/v1 00 network_id part`, so that an application to one
network is none to another.

Source: docs/formats.md, section 10.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from keys.hashing import DIGEST_BYTES, domain
from keys.signing import Signer
from ledger.canonical import decode, encode
from ledger.errors import InvalidGenesisError
from ledger.fields import read_array, read_bytes_up_to, read_version
from ledger.founding import FoundingPart
from ledger.genesis import (
    PartSignature,
    check_part_signatures,
    parse_part,
    read_part_signatures,
)

APPLICATION_BYTES_MAX: Final = 48 * 1024
"""Bytes of an application: it stands in one entry."""

_VERSION: Final = 1
_WORD: Final = "membership-application"
_MEMBERSHIP: Final = domain("membership")


@dataclass(frozen=True, slots=True)
class Application:
    """An application whose signatures hold; see `parse_application`.

    Attributes:
        part: What the agency says of itself.
        signatures: At least `governance_k`, ascending by key id.
    """

    part: FoundingPart
    signatures: tuple[PartSignature, ...]


def sign_application(network_id: bytes, part_raw: bytes, signer: Signer) -> PartSignature:
    """Sign a part as an application to one network."""
    return PartSignature(signer.public.key_id, signer.sign(_message(network_id, part_raw)))


def print_application(part_raw: bytes, signatures: Sequence[PartSignature]) -> bytes:
    """Return the bytes of an application.

    Args:
        part_raw: From `ledger.genesis.print_part`.
        signatures: From `sign_application`, in any order.
    """
    return encode((_VERSION, _WORD, part_raw, tuple([tuple(one) for one in sorted(signatures)])))


def parse_application(raw: bytes, network_id: bytes) -> Application:
    """Make an application of bytes from anywhere and check it.

    Args:
        raw: At most 48 KiB.
        network_id: The network that it must be for, 32 bytes.

    Raises:
        InvalidDataError: Too long, not canonical, another shape, too few signatures or a bad one.
    """
    fields = read_array(
        decode(raw, APPLICATION_BYTES_MAX, limit="bytes of an application"), "application", 4
    )
    read_version(fields[0], "application.version", _VERSION)
    if fields[1] != _WORD:
        raise InvalidGenesisError("not an application for membership")
    part_raw = read_bytes_up_to(fields[2], "application.part", APPLICATION_BYTES_MAX)
    part = parse_part(part_raw)
    signatures = read_part_signatures(fields[3])
    check_part_signatures(_message(network_id, part_raw), part, signatures)
    keys = [key.key_id for key in part.all_keys]
    if len(set(keys)) != len(keys):
        raise InvalidGenesisError("a key is named twice in an application")
    return Application(part, signatures)


def _message(network_id: bytes, part_raw: bytes) -> bytes:
    assert len(network_id) == DIGEST_BYTES
    return _MEMBERSHIP + network_id + part_raw
