"""Frozen vectors of sealed bodies, wraps and openings, for `tests.vectors.make_vectors`.

Whatever is drawn at random follows from names here and stands in the vectors. The hybrid wrap is
the exception, for nobody can give its randomness to OpenSSL: it was made once and is read back from
the file, as long as it opens.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keys import sealing
from keys.errors import SealError
from keys.signing import Algorithm, SoftwareKey
from ledger.canonical import Value, encode, encode_opaque
from ledger.ids import RecordId
from registry.sealed import BodyPlace, SealedRecord, seal_record, show_openings
from registry.wraps import wrap_info, wraps_digest
from tests.networks import seed, small_network
from tests.vectors.hpke_steps import seal_p256

PlainWrap: TypeAlias = tuple[bytes, str, bytes]

FILE: Final = Path(__file__).with_name("sealed.json")
PLACE: Final = BodyPlace(
    small_network().genesis.network_id, RecordId(seed("sealed record")[:16]), 3
)
DATA_KEY: Final = seed("data key")
VALUES: Final[Mapping[str, Value]] = {
    "address": None,
    "born_at": "\u6797 Bệnh viện Từ Dũ",  # opaque text: more than the table of section 1
    "mother.name": "Nguyễn Thị Ân",
    "notes": ("x" * 90, 7, {"b": True, "a": -1}),
    "sex": "female",
}
PATHS: Final = tuple(sorted(VALUES))
SALTS: Final = tuple(seed("sealed salt", path)[:16] for path in PATHS)
PADDED_FROM: Final = (0, 1, 60, 61, 124, 125, 252, 253, 1_020, 1_021, 262_140)


@dataclass(frozen=True)
class VectorReader:
    """A reader of a data key, and the ephemeral key of a wrap to P-256."""

    name: str
    algorithm: Algorithm
    purpose: str

    @property
    def private(self) -> bytes:
        return seed("reader", self.name)

    @property
    def ephemeral(self) -> bytes:
        return seed("ephemeral", self.name, self.purpose)

    @property
    def key(self) -> SoftwareKey:
        return SoftwareKey.from_private_bytes(self.algorithm, self.private)


READERS: Final = (
    VectorReader("owner", Algorithm.P256, "owner"),
    VectorReader("owner", Algorithm.P256, "representative"),
    VectorReader("agency", Algorithm.MLKEM768_X25519, "agency"),
)


def sealed_record() -> SealedRecord:
    return seal_record(PLACE, PATHS, VALUES, DATA_KEY, SALTS)


def wrap_p256(place: BodyPlace, data_key: bytes, reader: VectorReader) -> bytes:
    """A wrap to a P-256 key whose ephemeral key is known; the node opens it like any other."""
    public = reader.key.public
    info = wrap_info(place, public.key_id, reader.purpose)
    return seal_p256(reader.ephemeral, public.public, data_key, info)


def print_wraps(wraps: Iterable[PlainWrap]) -> bytes:
    return encode((1, tuple(sorted(wraps))))


def _hybrid_wrap(reader: VectorReader, info: bytes) -> bytes:
    """The frozen wrap, or a new one where there is none that opens."""
    if FILE.is_file():
        kept = json.loads(FILE.read_text(encoding="utf-8"))["wraps"]["readers"]
        for one in kept:
            wrapped = bytes.fromhex(one["wrapped"])
            try:
                if reader.key.unwrap(wrapped, info) == DATA_KEY:
                    return wrapped
            except SealError:
                continue
    return sealing.wrap(DATA_KEY, reader.key.public, info)


def _wrapped(reader: VectorReader) -> tuple[dict[str, Any], PlainWrap]:
    public = reader.key.public
    info = wrap_info(PLACE, public.key_id, reader.purpose)
    is_curve = reader.algorithm is Algorithm.P256
    wrapped = wrap_p256(PLACE, DATA_KEY, reader) if is_curve else _hybrid_wrap(reader, info)
    shown = {
        "algorithm": int(reader.algorithm),
        "private": reader.private.hex(),
        "public": public.public.hex(),
        "key_id": public.key_id.hex(),
        "purpose": reader.purpose,
        "info": info.hex(),
        "ephemeral": reader.ephemeral.hex() if is_curve else None,
        "wrapped": wrapped.hex(),
    }
    return shown, (public.key_id, reader.purpose, wrapped)


def sealed_vectors() -> dict[str, Any]:
    """One body with everything that leads to it, its wraps and openings, and what is refused."""
    record = sealed_record()
    readers, wraps = zip(*[_wrapped(reader) for reader in READERS], strict=True)
    raw_wraps = print_wraps(wraps)
    digest = wraps_digest(raw_wraps)
    seal = record.seal(digest)
    return {
        "network_id": PLACE.network_id.hex(),
        "record_id": PLACE.record_id.hex(),
        "record_version": PLACE.record_version,
        "data_key": DATA_KEY.hex(),
        "fields": [_field_vector(at) for at in range(len(PATHS))],
        "body": record.body.hex(),
        "body_digest": record.body_digest.hex(),
        "key_check": record.key_check.hex(),
        "commitment": record.commitment.hex(),
        "wraps": {"readers": list(readers), "raw": raw_wraps.hex(), "digest": digest.hex()},
        "seal": encode(
            (seal.body_digest, seal.key_check, seal.commitment, seal.wraps_digest)
        ).hex(),
        "padding": [
            {"plaintext_bytes": size, "padded_bytes": _padded_bytes(size)} for size in PADDED_FROM
        ],
        "openings": [
            {"shown": sorted(shown), "raw": show_openings(record.opened, shown).hex()}
            for shown in (set(PATHS), {"sex", "mother.name"}, set())
        ],
        "refused": {
            "bodies": _refused_bodies(record),
            "fields": {name: sealed.hex() for name, sealed in _refused_fields().items()},
            "wraps": {name: raw.hex() for name, raw in _refused_wraps(wraps).items()},
            "openings": {name: raw.hex() for name, raw in _refused_openings(record).items()},
        },
    }


def _padded_bytes(size: int) -> int:
    return len(sealing.seal_field(DATA_KEY, "", bytes(size), b"")) - sealing.TAG_BYTES


def _field_vector(at: int) -> dict[str, Any]:
    path, value, opened = PATHS[at], VALUES[PATHS[at]], sealed_record().opened
    plain, additional = encode_opaque((SALTS[at], value)), PLACE.additional(path)
    key = sealing.field_key(DATA_KEY, path)
    ciphertext = sealing.seal_field(DATA_KEY, path, plain, additional)
    return {
        "path": path,
        "salt": SALTS[at].hex(),
        "value": encode_opaque(value).hex(),
        "plaintext": plain.hex(),
        "padded": AESGCM(key).decrypt(bytes(12), ciphertext, additional).hex(),
        "field_key": key.hex(),
        "additional": additional.hex(),
        "ciphertext": ciphertext.hex(),
        "leaf": opened.leaves[at].hex(),
    }


def _changed(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


def _refused_bodies(record: SealedRecord) -> dict[str, str]:
    """Bodies that open nothing even under a seal with their own digest."""
    other = {**VALUES, "sex": "male"}
    elsewhere = BodyPlace(PLACE.network_id, PLACE.record_id, PLACE.record_version + 1)
    made = {
        "a changed byte of a ciphertext": _changed(record.body, len(record.body) - 1),
        "version 2": _changed(record.body, 1)[:1] + b"\x02" + record.body[2:],
        "a byte behind the end": record.body + b"\x00",
        "sealed for the next version": seal_record(elsewhere, PATHS, VALUES, DATA_KEY, SALTS).body,
        "sealed under another data key": seal_record(
            PLACE, PATHS, VALUES, seed("another"), SALTS
        ).body,
        "other values than the commitment's": seal_record(
            PLACE, PATHS, other, DATA_KEY, SALTS
        ).body,
        "a field too few": seal_record(PLACE, PATHS[:-1], {}, DATA_KEY, SALTS[:-1]).body,
    }
    return {name: raw.hex() for name, raw in made.items()}


def _refused_fields() -> dict[str, bytes]:
    """Ciphertexts of the path `sex` whose tag is right, padded as nobody may."""
    key, additional = sealing.field_key(DATA_KEY, "sex"), PLACE.additional("sex")
    paddings = {
        "something behind the value": bytes(4) + b"\x01" + bytes(59),
        "a length beyond the end": (61).to_bytes(4) + bytes(60),
        "a larger class than needed": bytes(128),
        "no size class": bytes(65),
    }
    return {
        name: AESGCM(key).encrypt(bytes(12), padded, additional)
        for name, padded in paddings.items()
    }


def _refused_wraps(wraps: Iterable[PlainWrap]) -> dict[str, bytes]:
    """Bytes that are no wraps at all."""
    in_order = sorted(wraps)
    first = in_order[0]
    return {
        "out of order": encode((1, tuple(in_order[::-1]))),
        "one twice": encode((1, (first, first))),
        "an unknown purpose": encode((1, ((first[0], "friend", first[2]),))),
        "version 2": encode((2, tuple(in_order))),
        "a recipient of 15 bytes": encode((1, ((bytes(15), *first[1:]),))),
    }


def _refused_openings(record: SealedRecord) -> dict[str, bytes]:
    """Openings that do not lead to the commitment, or are none."""
    fields, leaves = record.opened.fields, record.opened.leaves
    shown = [tuple(field) for field in fields]
    lied = (*fields[-1][:2], "male")
    return {
        "another value": encode_opaque((1, "openings", (*leaves[:-1], lied))),
        "another salt": encode_opaque(
            (1, "openings", (*leaves[:-1], (fields[-1].path, bytes(16), fields[-1].value)))
        ),
        "a leaf too few": encode_opaque((1, "openings", tuple(leaves[:-1]))),
        "leaves out of order": encode_opaque((1, "openings", tuple(leaves[::-1]))),
        "paths out of order": encode_opaque((1, "openings", tuple(shown[::-1]))),
        "version 2": encode_opaque((2, "openings", tuple(shown))),
        "another word": encode_opaque((1, "opening", tuple(shown))),
    }
