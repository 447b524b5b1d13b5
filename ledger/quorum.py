"""What makes a block final: precommits for it by more than two thirds of the weight.

Wire form, docs/formats.md section 8:

    quorum_certificate = [1, height int >= 1, round int >= 0, block_id bin 32,
                          [[index int 0 ... 63, signature bin] ...]]    1 ... 64, strictly ascending

Each signature is over the bytes of a precommit,

    civreg/precommit/v1 00 canonical([1, network_id bin 32, height, round, block_id bin 32 | nil])

with the block's id in it (a precommit for nil is signed over nil and never in a certificate). A
certificate is checked against the set of its own height and no other, and is part of no root: two
nodes may hold different ones for one block.

Source: the design's formats.md, section 6; arXiv:1807.04938, line 49.
"""

from dataclasses import dataclass
from typing import Final, Self

from keys.errors import BadSignatureError
from keys.hashing import DIGEST_BYTES, domain
from keys.signing import SIGNATURE_BYTES, verify
from ledger.canonical import Value, decode, encode
from ledger.errors import InvalidDataError, InvalidQuorumError
from ledger.fields import (
    INTEGER_MAX,
    read_array,
    read_bytes_up_to,
    read_digest,
    read_int,
    read_version,
)
from ledger.limits import MESSAGE_BYTES_MAX, VALIDATORS_MAX
from ledger.validators import ValidatorSet

HEIGHT_MAX: Final = INTEGER_MAX
ROUND_MAX: Final = 2**31 - 1
SIGNATURE_BYTES_MAX: Final = max(SIGNATURE_BYTES.values())
"""The exact length follows from the signer's algorithm and is checked with the signature."""
QUORUM_CERTIFICATE_BYTES_MAX: Final = 4 * MESSAGE_BYTES_MAX
"""64 signatures of the longest algorithm fit."""

_VERSION: Final = 1
_PRECOMMIT: Final = domain("precommit")


class ForeignSignerError(InvalidQuorumError):
    """A quorum certificate has a signature of somebody outside the set."""

    code = "ledger.quorum_foreign_signer"


class QuorumSignatureError(InvalidQuorumError):
    """A signature of a quorum certificate does not verify: one bad one spoils all."""

    code = "ledger.quorum_bad_signature"


class QuorumWeightError(InvalidQuorumError):
    """The signers of a quorum certificate do not hold more than two thirds of the weight."""

    code = "ledger.quorum_too_light"


@dataclass(frozen=True, slots=True)
class QuorumCertificate:
    """Precommits for one block, as they came; believe them only after `check`.

    Value: `[1, height, round, block_id, [[index, signature] ...]]`.

    Attributes:
        height: `1 ... 2^63 - 1`.
        round: The round of the precommits, `0 ... 2^31 - 1`.
        block_id: Header digest, 32 bytes.
        signatures: (validator index, signature), 1 ... 64, strictly ascending by index.
    """

    height: int
    round: int
    block_id: bytes
    signatures: tuple[tuple[int, bytes], ...]

    def check(self, network_id: bytes, validators: ValidatorSet) -> None:
        """Accept only more than two thirds of the weight, every signature good, none foreign.

        Args:
            network_id: 32 bytes.
            validators: The set of this certificate's height.

        Raises:
            InvalidQuorumError: Indexes not strictly ascending.
            ForeignSignerError: An index outside the set.
            QuorumWeightError: Two thirds or less; found before any signature is checked.
            QuorumSignatureError: A signature does not verify.
        """
        message = precommit_message(network_id, self.height, self.round, self.block_id)
        check_signatures(message, self.signatures, validators)

    def to_value(self) -> Value:
        """Return the value to encode."""
        return (_VERSION, self.height, self.round, self.block_id, self.signatures)

    @classmethod
    def from_value(cls, value: Value) -> Self:
        """Read what `to_value` returns; signatures are not verified here.

        Raises:
            InvalidDataError: Another shape, or indexes that do not strictly ascend.
        """
        version, height, round_number, block_id, signatures = read_array(
            value, "quorum_certificate", 5
        )
        read_version(version, "quorum_certificate.version", _VERSION)
        return cls(
            read_int(height, "quorum_certificate.height", 1, HEIGHT_MAX),
            read_int(round_number, "quorum_certificate.round", 0, ROUND_MAX),
            read_digest(block_id, "quorum_certificate.block_id"),
            read_signatures(signatures, "quorum_certificate.signatures"),
        )


def precommit_message(
    network_id: bytes, height: int, round_number: int, block_id: bytes | None
) -> bytes:
    """Return the bytes that a precommit signs, domain prefix included.

    Args:
        network_id: 32 bytes.
        height: From 1.
        round_number: From 0.
        block_id: 32 bytes, or None for nil.
    """
    assert len(network_id) == DIGEST_BYTES
    return _PRECOMMIT + encode((_VERSION, network_id, height, round_number, block_id))


def check_signatures(
    message: bytes, signatures: tuple[tuple[int, bytes], ...], validators: ValidatorSet
) -> None:
    """Accept only signatures over one message by more than two thirds of the weight.

    Cheap checks come first: nobody makes a node verify signatures that cannot be enough.

    Args:
        message: What was signed, domain prefix included.
        signatures: (validator index, signature), strictly ascending by index.
        validators: The set of that height.

    Raises:
        InvalidQuorumError: Indexes not strictly ascending.
        ForeignSignerError: An index outside the set.
        QuorumWeightError: Two thirds or less.
        QuorumSignatureError: A signature does not verify.
    """
    last, weight = -1, 0
    for index, _signature in signatures:
        if index <= last:
            raise InvalidQuorumError("the signers of a quorum do not strictly ascend")
        if index >= len(validators):
            raise ForeignSignerError(
                f"signer {index} is outside a set of {len(validators)}", index=index
            )
        last, weight = index, weight + validators[index].weight
    if not validators.is_quorum(weight):
        raise QuorumWeightError(
            f"the signers hold {weight} of {validators.total_weight}, not more than two thirds",
            weight=weight,
            total=validators.total_weight,
        )
    for index, signature in signatures:
        try:
            verify(validators[index].key, message, signature)
        except BadSignatureError as error:
            raise QuorumSignatureError(
                f"the signature of validator {index} does not verify", index=index
            ) from error


def read_signatures(value: Value, name: str) -> tuple[tuple[int, bytes], ...]:
    """Read `[[index, signature] ...]`, 1 ... 64, strictly ascending by index.

    Raises:
        InvalidDataError: Another shape, order or length.
    """
    pairs: list[tuple[int, bytes]] = []
    for element in read_array(value, name, (1, VALIDATORS_MAX)):
        raw_index, raw_signature = read_array(element, f"{name}[]", 2)
        index = read_int(raw_index, f"{name}[].index", 0, VALIDATORS_MAX - 1)
        if pairs and index <= pairs[-1][0]:
            raise InvalidDataError(f"{name} does not strictly ascend")
        pairs.append((index, read_signature(raw_signature, f"{name}[].signature")))
    return tuple(pairs)


def read_signature(value: Value, name: str) -> bytes:
    """Read the bytes of a signature, of a length that some algorithm has.

    Raises:
        InvalidDataError: Not bytes, or of no algorithm's length.
    """
    signature = read_bytes_up_to(value, name, SIGNATURE_BYTES_MAX)
    if len(signature) not in SIGNATURE_BYTES.values():
        raise InvalidDataError(f"{name} has {len(signature)} bytes")
    return signature


def print_quorum_certificate(certificate: QuorumCertificate) -> bytes:
    """Return the canonical bytes of a quorum certificate."""
    return encode(certificate.to_value())


def parse_quorum_certificate(raw: bytes) -> QuorumCertificate:
    """Read canonical bytes from anywhere; signatures are not verified here.

    Raises:
        InvalidDataError: Too long, not canonical, or of another shape.
    """
    return QuorumCertificate.from_value(
        decode(raw, QUORUM_CERTIFICATE_BYTES_MAX, limit="bytes of a quorum certificate")
    )
