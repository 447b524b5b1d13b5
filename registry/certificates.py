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

CERTIFICATE_BYTES_MAX: Final = RECEIPT_BYTES_MAX + 2 * OPENINGS_BYTES_MAX

_VERSION: Final = 1
_KIND: Final = "certificate"
_STATED: Final = "stated"
_COMMITMENT: Final = "commitment"
INTENDED: Final = "intended"
"""The certificate's commitment to recipient and purpose, and the group of their paths."""


class WrongOpeningsError(RegistryError):
    """The fields that a certificate shows are not those of the record that it is about."""

    code = "registry.openings_wrong"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A receipt and openings, as they came; believe them only after both were checked.

    Attributes:
        receipt: Of the certify entry, of which it shows the certificate and what is stated beside
            it; or of an entry that wrote a record, of which it shows that record.
        openings: Sealed fields under the commitment that the receipt fixes.
        intended: Recipient and purpose under the certificate's commitment to them, or None.
    """

    receipt: Receipt
    openings: tuple[Opening, ...]
    intended: tuple[Opening, ...] | None = None

    def shown_fields(self) -> dict[str, Value]:
        """Return the fields that are shown, path -> value: stated, opened, then `intended.…`.

        Raises:
            WrongOpeningsError: The receipt fixes no commitment, or another one; or a field is
                shown twice.
        """
        shown = stated_fields(self.receipt)
        for path, value in _opened(self.openings, commitment_of(self.receipt)).items():
            if path in shown:
                raise WrongOpeningsError("the certificate shows a field twice")
            shown[path] = value
        if self.intended is not None:
            made = certificate_of(self.receipt)
            wanted = _digest(None if made is None else made.fields.get(INTENDED))
            opened = _opened(self.intended, wanted)
            shown |= {f"{INTENDED}.{path}": value for path, value in opened.items()}
        return shown


def _opened(openings: tuple[Opening, ...], commitment: Digest) -> dict[str, Value]:
    try:
        return check_openings(openings, commitment)
    except BodyError as error:
        raise WrongOpeningsError("the openings are not of the receipt's commitment") from error


def print_certificate(receipt: Receipt, openings: bytes, intended: bytes | None = None) -> bytes:
    """Return the canonical bytes of a certificate.

    Args:
        receipt: Shows the part that fixes the commitment.
        openings: From `registry.sealed.show_openings`.
        intended: Likewise, of recipient and purpose; or None.
    """
    return encode((_VERSION, _KIND, print_receipt(receipt), openings, intended))


def parse_certificate(raw: bytes) -> Certificate:
    """Make a certificate of bytes from anywhere; nothing is verified but shapes.

    Raises:
        InvalidDataError: Too long, not canonical, or something in it is malformed.
    """
    value = decode(raw, CERTIFICATE_BYTES_MAX, limit="certificate bytes")
    version, word, receipt, openings, intended = read_array(value, _KIND, 5)
    read_version(version, "certificate.version", _VERSION)
    if word != _KIND:
        raise InvalidDataError("not a certificate")
    return Certificate(
        parse_receipt(read_bytes_up_to(receipt, "certificate.receipt", RECEIPT_BYTES_MAX)),
        _read_openings(openings),
        None if intended is None else _read_openings(intended),
    )


def _read_openings(value: Value) -> tuple[Opening, ...]:
    return parse_openings(read_bytes_up_to(value, "certificate.openings", OPENINGS_BYTES_MAX))


def shown_parts(receipt: Receipt) -> tuple[object, ...]:
    """Return what the shown parts of a receipt say, in order."""
    return tuple([parse_part(part.raw) for part in receipt.parts])


def head_of(receipt: Receipt) -> Head | None:
    """Return the head of a receipt's entry, or None if it is hidden."""
    return next((one for one in shown_parts(receipt) if isinstance(one, Head)), None)


def certificate_of(receipt: Receipt) -> ObjectPart | None:
    """Return the certificate that a receipt shows, or None if it shows none, or two."""
    found = _objects(receipt, _KIND)
    return found[0] if len(found) == 1 and _COMMITMENT in found[0].fields else None


def stated_fields(receipt: Receipt) -> dict[str, Value]:
    """Return the member fields that a shown certificate states, name -> text; else none.

    Raises:
        WrongOpeningsError: A name or value is no text, or a name stands there twice.
    """
    shown: dict[str, Value] = {}
    if certificate_of(receipt) is None:
        return shown
    for one in _objects(receipt, _STATED):
        name, value = one.fields.get("name"), one.fields.get("value")
        if not isinstance(name, str) or not isinstance(value, str) or name in shown:
            raise WrongOpeningsError("a stated field is no text, or stands there twice")
        shown[name] = value
    return shown


def commitment_of(receipt: Receipt) -> Digest:
    """Return the commitment that a receipt fixes.

    The shown certificate object's, if it has one, else that of the only shown record with a seal.

    Raises:
        WrongOpeningsError: It fixes none, or two.
    """
    made = certificate_of(receipt)
    if made is not None:
        return _digest(made.fields[_COMMITMENT])
    parts = shown_parts(receipt)
    return _only([one.seal.commitment for one in parts if isinstance(one, RecordPart) and one.seal])


def _objects(receipt: Receipt, kind: str) -> list[ObjectPart]:
    parts = shown_parts(receipt)
    return [one for one in parts if isinstance(one, ObjectPart) and one.kind == kind]


def _digest(value: Value) -> Digest:
    if not isinstance(value, bytes) or len(value) != DIGEST_BYTES:
        raise WrongOpeningsError("the commitment of the certificate is none")
    return Digest(value)


def _only(commitments: Sequence[Digest]) -> Digest:
    if len(commitments) != 1:
        raise WrongOpeningsError("the receipt does not fix one commitment")
    return commitments[0]
