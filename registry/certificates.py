"""The citizen's document: a receipt, and openings that show fields of the record it fixes.

That a receipt holds is the business of `ledger.receipts`; here its openings are bound to it, and
what it says is put together for people. *Was registered* is true for ever; *is still in force* is
another question, which a document alone answers only for the type's `fresh_for` days.

Source: docs/formats.md, section 11.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from keys.hashing import DIGEST_BYTES, Digest
from ledger.canonical import Value, decode, encode
from ledger.entries import Head, ObjectPart, RecordPart, parse_part
from ledger.errors import InvalidDataError
from ledger.fields import read_array, read_bytes_up_to, read_version
from ledger.receipt_form import RECEIPT_BYTES_MAX, Receipt, parse_receipt, print_receipt
from registry.errors import RegistryError
from registry.problems import BodyError
from registry.sealed import OPENINGS_BYTES_MAX, Opening, check_openings, parse_openings

CERTIFICATE_BYTES_MAX: Final = RECEIPT_BYTES_MAX + OPENINGS_BYTES_MAX

_VERSION: Final = 1
_KIND: Final = "certificate"
_COMMITMENT: Final = "commitment"


class WrongOpeningsError(RegistryError):
    """The fields that a certificate shows are not those of the record that it is about."""

    code = "registry.openings_wrong"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A receipt and openings, as they came; believe them only after both were checked."""

    receipt: Receipt
    openings: tuple[Opening, ...]

    def shown_fields(self) -> dict[str, Value]:
        """Return the fields that are shown, path -> value.

        Raises:
            WrongOpeningsError: The receipt fixes no commitment, or another one.
        """
        try:
            return check_openings(self.openings, commitment_of(self.receipt))
        except BodyError as error:
            raise WrongOpeningsError("the openings are not of the receipt's commitment") from error


def print_certificate(receipt: Receipt, openings: bytes) -> bytes:
    """Return the canonical bytes of a certificate.

    Args:
        receipt: Shows the part that fixes the commitment.
        openings: From `registry.sealed.show_openings`.
    """
    return encode((_VERSION, _KIND, print_receipt(receipt), openings))


def parse_certificate(raw: bytes) -> Certificate:
    """Make a certificate of bytes from anywhere; nothing is verified but shapes.

    Raises:
        InvalidDataError: Too long, not canonical, or something in it is malformed.
    """
    value = decode(raw, CERTIFICATE_BYTES_MAX, limit="certificate bytes")
    version, word, receipt, openings = read_array(value, _KIND, 4)
    read_version(version, "certificate.version", _VERSION)
    if word != _KIND:
        raise InvalidDataError("not a certificate")
    return Certificate(
        parse_receipt(read_bytes_up_to(receipt, "certificate.receipt", RECEIPT_BYTES_MAX)),
        parse_openings(read_bytes_up_to(openings, "certificate.openings", OPENINGS_BYTES_MAX)),
    )


def shown_parts(receipt: Receipt) -> tuple[object, ...]:
    """Return what the shown parts of a receipt say, in order."""
    return tuple([parse_part(part.raw) for part in receipt.parts])


def head_of(receipt: Receipt) -> Head | None:
    """Return the head of a receipt's entry, or None if it is hidden."""
    return next((one for one in shown_parts(receipt) if isinstance(one, Head)), None)


def commitment_of(receipt: Receipt) -> Digest:
    """Return the commitment that a receipt fixes.

    The shown certificate object's, if it has one, else that of the only shown record with a seal.

    Raises:
        WrongOpeningsError: It fixes none, or two.
    """
    parts = shown_parts(receipt)
    objects = [one for one in parts if isinstance(one, ObjectPart) and one.kind == _KIND]
    if len(objects) == 1 and _COMMITMENT in objects[0].fields:
        return _digest(objects[0].fields[_COMMITMENT])
    return _only([one.seal.commitment for one in parts if isinstance(one, RecordPart) and one.seal])


def _digest(value: Value) -> Digest:
    if not isinstance(value, bytes) or len(value) != DIGEST_BYTES:
        raise WrongOpeningsError("the commitment of the certificate is none")
    return Digest(value)


def _only(commitments: Sequence[Digest]) -> Digest:
    if len(commitments) != 1:
        raise WrongOpeningsError("the receipt does not fix one commitment")
    return commitments[0]
