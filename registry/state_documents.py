"""A proof of one row of the state, as nodes hand it out: does it hold, and what does it say?

    state_document = canonical([1, "state-proof", key, stored bin|nil, state_proof, header bin,
                      quorum_certificate bin])

`stored` is nil for a proof that there is no such row. It answers for one height and for nothing
later.

Source: docs/formats.md, sections 9 and 11.
"""

from dataclasses import dataclass
from typing import Final

from ledger.canonical import Value, decode, encode
from ledger.errors import InvalidDataError, InvalidQuorumError
from ledger.fields import read_array, read_bytes_up_to, read_version
from ledger.quorum import print_quorum_certificate
from ledger.state_keys import StateKey, key_hash, read_stored_value, stored_value_hash
from ledger.state_tree import StateProof, check_absence, check_presence
from ledger.trust import CertifiedHeader, TrustBundle, read_certified

STATE_DOCUMENT_BYTES_MAX: Final = 4 * 1024 * 1024

_VERSION: Final = 1
_WORD: Final = "state-proof"


@dataclass(frozen=True, slots=True)
class StateDocument:
    """A row of the state with its proof, as it came.

    Attributes:
        key: Of the row, such as `("record", record_id)`.
        stored: canonical([blind, value]), or None.
        proof: Under the header's `state_root`.
        certified: The header and its quorum certificate.
    """

    key: StateKey
    stored: bytes | None
    proof: StateProof
    certified: CertifiedHeader

    @property
    def value(self) -> Value:
        """The row's value; None if there is no such row.

        Raises:
            InvalidDataError: The stored bytes are none.
        """
        return None if self.stored is None else read_stored_value(self.stored)[1]

    def check(self, trust: TrustBundle, now_ms: int) -> None:
        """Accept only a proof whose header the trust bundle vouches for.

        Args:
            trust: The bundle that the person holds.
            now_ms: The person's time.

        Raises:
            UntrustedError: The bundle is over, or does not know the network or the set.
            InvalidQuorumError: The quorum certificate is of another header, or does not hold.
            InvalidProofError: The way does not lead to the header's `state_root`.
        """
        header, quorum_certificate = self.certified
        trust.check_fresh(now_ms)
        validators = trust.check_header(header)
        trust.check_young(header)
        if (quorum_certificate.height, quorum_certificate.block_id) != (
            header.height,
            header.digest,
        ):
            raise InvalidQuorumError("the quorum certificate is for another header")
        quorum_certificate.check(trust.network_id, validators)
        place = key_hash(self.key)
        if self.stored is None:
            check_absence(header.state_root, place, self.proof)
        else:
            hash_of_value = stored_value_hash(self.stored)
            check_presence(header.state_root, place, hash_of_value, self.proof)


def parse_state_document(raw: bytes) -> StateDocument:
    """Make a state document of bytes from anywhere; nothing is verified but shapes.

    Raises:
        InvalidDataError: Too long, not canonical, or something in it is malformed.
    """
    value = decode(raw, STATE_DOCUMENT_BYTES_MAX, limit="state document bytes")
    version, word, key, stored, proof, header, certificate = read_array(value, _WORD, 7)
    read_version(version, "state-proof.version", _VERSION)
    if word != _WORD:
        raise InvalidDataError("not a state proof")
    if type(key) is not tuple or not key or type(key[0]) is not str:
        raise InvalidDataError("a state key is no array that begins with its kind")
    raw_row = (
        None
        if stored is None
        else read_bytes_up_to(stored, "state-proof.stored", STATE_DOCUMENT_BYTES_MAX)
    )
    if raw_row is not None:
        read_stored_value(raw_row)
    return StateDocument(
        key,
        raw_row,
        StateProof.from_value(proof),
        read_certified(header, certificate, "state-proof"),
    )


def print_state_document(document: StateDocument) -> bytes:
    """Return the canonical bytes of a state document."""
    header, quorum_certificate = document.certified
    return encode(
        (
            *(_VERSION, _WORD, document.key, document.stored, document.proof.to_value()),
            *(header.raw, print_quorum_certificate(quorum_certificate)),
        )
    )
