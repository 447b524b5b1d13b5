"""Sealed bodies: personal fields as ciphertext, fixed by a salted commitment in the entry.

Each field is sealed alone under a key that follows from the data key and its path, so that one
field can be granted or purged without the others. All paths of the schema are always present; an
absent field is nil. The 16-byte salts are inside the ciphertext only, so nobody can try out names
and dates against the commitment.

Whoever opens a body checks everything: GCM does not bind its key, and a commitment that fits other
values would let an office show one thing and register another.

Source: docs/formats.md, sections 6 and 11.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

from keys import sealing
from keys.errors import SealError
from keys.hashing import Digest, domain, hash_with
from keys.sealing import key_check
from ledger import merkle
from ledger.canonical import Value, decode, decode_opaque, encode, encode_opaque
from ledger.errors import InvalidDataError
from ledger.fields import (
    read_array,
    read_bytes,
    read_bytes_up_to,
    read_digest,
    read_text,
    read_version,
)
from ledger.ids import RecordId
from ledger.limits import BODY_BYTES_MAX, check_limit
from ledger.parts import Seal
from registry.problems import BodyError

SALT_BYTES: Final = 16
BODY_FIELDS_MAX: Final = 256
PATH_CHARS_MAX: Final = 128
OPENINGS_BYTES_MAX: Final = BODY_BYTES_MAX

_VERSION: Final = 1
_BODY: Final = domain("body")
_FIELD: Final = domain("field")
_SEALED_BYTES_MAX: Final = sealing.SIZE_CLASS_BYTES_MAX + sealing.TAG_BYTES


@dataclass(frozen=True, slots=True)
class BodyPlace:
    """The record version that a body belongs to; a ciphertext opens nowhere else.

    Attributes:
        network_id: 32 bytes.
        record_id: 16 bytes.
        record_version: From 1.
    """

    network_id: Digest
    record_id: RecordId
    record_version: int

    def additional(self, path: str) -> bytes:
        """Return what the ciphertext of a field is bound to."""
        return encode((self.network_id, self.record_id, self.record_version, path))


class OpenedField(NamedTuple):
    """A field with the salt that its commitment needs."""

    path: str
    salt: bytes
    value: Value

    @property
    def leaf(self) -> Digest:
        """The field's leaf in the commitment, 32 bytes.

        Raises:
            NotCanonicalError: The format lacks such a value.
        """
        return merkle.leaf_hash(_FIELD + encode_opaque((self.path, self.salt, self.value)))


@dataclass(frozen=True, slots=True)
class OpenedBody:
    """All fields of a body, in path order, with their leaves; the commitment is checked."""

    fields: tuple[OpenedField, ...]
    leaves: tuple[Digest, ...]

    @property
    def values(self) -> dict[str, Value]:
        """Path -> value; None where the field is absent."""
        return {field.path: field.value for field in self.fields}

    def leaf(self, path: str) -> Digest:
        """Return the leaf of one field, 32 bytes.

        Raises:
            BodyError: The body has no such field.
        """
        for field, leaf in zip(self.fields, self.leaves, strict=True):
            if field.path == path:
                return leaf
        raise BodyError("the body has no such field", path=path)


@dataclass(frozen=True, slots=True)
class SealedRecord:
    """A freshly sealed body, with what the entry says of it.

    Attributes:
        body: The bytes for the vault.
        body_digest: H(body, body).
        key_check: Binds the data key.
        commitment: Root over the fields' leaves.
        opened: The fields with their salts, for tags, drafts and certificates.
    """

    body: bytes
    body_digest: Digest
    key_check: Digest
    commitment: Digest
    opened: OpenedBody

    def seal(self, wraps_digest: Digest) -> Seal:
        """Return the record part's seal, once the wraps are made."""
        return Seal(self.body_digest, self.key_check, self.commitment, wraps_digest)


Opening: TypeAlias = OpenedField | Digest
"""A field shown, or the leaf of a field that is not."""


def seal_record(
    place: BodyPlace,
    paths: Sequence[str],
    values: Mapping[str, Value],
    data_key: bytes,
    salts: Sequence[bytes],
) -> SealedRecord:
    """Seal the fields of one record version.

    Args:
        place: Which record version.
        paths: All sealed paths of the schema, ascending by their UTF-8 bytes; at most 256.
        values: Path -> value, for paths of `paths` only; the others are absent.
        data_key: 32 fresh random bytes, of this version only; never use them again.
        salts: 16 fresh random bytes for each path.

    Raises:
        BodyError: A value for a path that the schema lacks.
        NotCanonicalError: The format lacks such a value.
        SealError: Wrong length of the data key, or a field over 262,140 bytes.
        LimitExceededError: The body is over 256 KiB.
    """
    check_limit("body fields", len(paths), BODY_FIELDS_MAX)
    assert list(paths) == sorted(set(paths)), "the schema gives paths in order"
    if unknown := sorted(values.keys() - set(paths)):
        raise BodyError("a value for a field that the type does not seal", path=unknown[0])
    fields = tuple(
        [OpenedField(path, salt, values.get(path)) for path, salt in zip(paths, salts, strict=True)]
    )
    assert all(len(field.salt) == SALT_BYTES for field in fields), "the caller draws 16 bytes each"
    ciphertexts = [
        sealing.seal_field(
            data_key,
            field.path,
            encode_opaque((field.salt, field.value)),
            place.additional(field.path),
        )
        for field in fields
    ]
    body = encode((_VERSION, tuple(ciphertexts)))
    check_limit("body bytes", len(body), BODY_BYTES_MAX)
    opened = OpenedBody(fields, tuple([field.leaf for field in fields]))
    return SealedRecord(
        body, body_digest(body), key_check(data_key), merkle.root(opened.leaves), opened
    )


def body_digest(body: bytes) -> Digest:
    """Return the digest that names a body in its entry and in the vault."""
    return hash_with(_BODY, body)


def parse_body(body: bytes) -> tuple[bytes, ...]:
    """Return the ciphertexts of a body, in path order.

    Raises:
        InvalidDataError: Over 256 KiB, not canonical, or of another shape.
    """
    value = decode(body, BODY_BYTES_MAX, limit="body bytes")
    version, ciphertexts = read_array(value, "body", 2)
    read_version(version, "body.version", _VERSION)
    return tuple(
        [
            read_bytes_up_to(ciphertext, "body.ciphertext", _SEALED_BYTES_MAX)
            for ciphertext in read_array(ciphertexts, "body.ciphertexts", (0, BODY_FIELDS_MAX))
        ]
    )


def open_body(
    place: BodyPlace, paths: Sequence[str], body: bytes, seal: Seal, data_key: bytes
) -> OpenedBody:
    """Open a body and check it against all that its entry says of it.

    Args:
        place: Which record version.
        paths: All sealed paths of the schema that the entry names, ascending.
        body: The bytes from the vault, or from whoever asks for a signature.
        seal: From the record part.
        data_key: 32 bytes, unwrapped.

    Raises:
        BodyError: The body, the data key, the number of fields, a field or the commitment is not
            what the entry says; code `registry.bad_body`.
    """
    if body_digest(body) != seal.body_digest:
        raise BodyError("the body is not the one that the entry names")
    try:
        sealing.check_data_key(data_key, seal.key_check)
        ciphertexts = parse_body(body)
    except (SealError, InvalidDataError) as error:
        raise BodyError("the data key or the shape of the body is wrong") from error
    if len(ciphertexts) != len(paths):
        raise BodyError(
            "the body has not the fields of its type", found=len(ciphertexts), wanted=len(paths)
        )
    pairs = zip(paths, ciphertexts, strict=True)
    fields = tuple([_open_one(place, path, sealed, data_key) for path, sealed in pairs])
    opened = OpenedBody(fields, tuple([field.leaf for field in fields]))
    if merkle.root(opened.leaves) != seal.commitment:
        raise BodyError("the fields are not those of the commitment")
    return opened


def _open_one(place: BodyPlace, path: str, sealed: bytes, data_key: bytes) -> OpenedField:
    try:
        plain = sealing.open_field(data_key, path, sealed, place.additional(path))
        return read_plain_field(path, plain)
    except (SealError, InvalidDataError) as error:
        raise BodyError("a field does not open, or is not salt and value", path=path) from error


def read_plain_field(path: str, plain: bytes) -> OpenedField:
    """Return the field whose opened bytes are `canonical°([salt, value])`.

    Raises:
        InvalidDataError: Another shape.
    """
    value = decode_opaque(plain, sealing.FIELD_VALUE_BYTES_MAX, limit="field bytes")
    salt, content = read_array(value, "field", 2)
    return OpenedField(path, read_bytes(salt, "field.salt", SALT_BYTES), content)


def show_openings(opened: OpenedBody, shown: Collection[str]) -> bytes:
    """Return the openings of a certificate: named fields open, of the others only the leaves.

    Args:
        opened: All fields of the body.
        shown: Paths to show; unknown ones are a programming error.
    """
    assert set(shown) <= {field.path for field in opened.fields}, "only paths of the body"
    openings: list[Value] = [
        (field.path, field.salt, field.value) if field.path in shown else leaf
        for field, leaf in zip(opened.fields, opened.leaves, strict=True)
    ]
    return encode_opaque((_VERSION, "openings", tuple(openings)))


def parse_openings(raw: bytes) -> tuple[Opening, ...]:
    """Return the openings of bytes from anywhere; in path order, not yet checked.

    Raises:
        InvalidDataError: Too large, not canonical, another shape, or paths out of order.
    """
    value = decode_opaque(raw, OPENINGS_BYTES_MAX, limit="openings bytes")
    version, word, array = read_array(value, "openings", 3)
    read_version(version, "openings.version", _VERSION)
    if word != "openings":
        raise InvalidDataError("not openings")
    openings = tuple(
        [_read_opening(item) for item in read_array(array, "openings", (0, BODY_FIELDS_MAX))]
    )
    paths = [opening.path for opening in openings if isinstance(opening, OpenedField)]
    if any(first >= second for first, second in pairwise(paths)):
        raise InvalidDataError("the paths of openings do not ascend")
    return openings


def _read_opening(value: Value) -> Opening:
    if type(value) is bytes:
        return read_digest(value, "opening")
    path, salt, content = read_array(value, "opening", 3)
    return OpenedField(
        read_text(path, "opening.path", PATH_CHARS_MAX, chars_min=1),
        read_bytes(salt, "opening.salt", SALT_BYTES),
        content,
    )


def check_openings(openings: Iterable[Opening], commitment: Digest) -> dict[str, Value]:
    """Return the shown fields, path -> value, if these openings lead to the commitment.

    Raises:
        BodyError: They do not.
    """
    listed = list(openings)
    leaves = [item.leaf if isinstance(item, OpenedField) else item for item in listed]
    if merkle.root(leaves) != commitment:
        raise BodyError("the openings are not those of the commitment")
    return {item.path: item.value for item in listed if isinstance(item, OpenedField)}
