"""Frozen vectors of drafts, for `tests.vectors.make_vectors`.

The act has everything that a draft treats in its own way: a record with a sealed body and one
without, a key that signs and attests a form as well, algorithms 1 and 2, and the custodian.
"""

from typing import Any, Final

from keys.hashing import Digest
from keys.signing import Algorithm, Signer, SoftwareKey
from ledger.canonical import Value, encode
from ledger.entries import UnsignedEntry, compose
from ledger.ids import ActId, OfficeId, RecordId
from ledger.parts import (
    Context,
    CustodySigner,
    Evidence,
    Head,
    KeySigner,
    RecordPart,
    Seal,
    sort_signers,
)
from registry.drafts import Draft, DraftBody, add_signature, finish_draft, missing_keys, print_draft
from registry.wraps import wraps_digest
from tests.networks import GENESIS_MS, key, seed
from tests.vectors.consensus_vectors import OracleKey
from tests.vectors.sealed_vectors import (
    DATA_KEY,
    PLACE,
    VectorReader,
    print_wraps,
    sealed_record,
    wrap_p256,
)

PRIVATE: Final = [
    seed("key", f"draft {name}") for name in ("officer", "second officer", "owner", "custodian")
]
OFFICER, SECOND, CUSTODIAN = (
    SoftwareKey.from_private_bytes(Algorithm.ED25519, PRIVATE[at]) for at in (0, 1, 3)
)
OWNER: Final = OracleKey(PRIVATE[2])
SIGNERS: Final[tuple[Signer, ...]] = (OFFICER, SECOND, OWNER, CUSTODIAN)
READER: Final = VectorReader("draft owner", Algorithm.P256, "owner")


def _head() -> Head:
    attesting = tuple(sorted([OFFICER.public.key_id, SECOND.public.key_id]))
    form = CustodySigner(
        "informant", RecordId(seed("mother")[:16]), attesting, Digest(seed("form"))
    )
    return Head(
        network_id=PLACE.network_id,
        kind="birth/correct",
        schema_version=1,
        act_id=ActId(seed("draft act")[:16]),
        about=None,
        office=OfficeId(seed("office", "a")[:16]),
        event_date="2026-02-28",
        received_on=None,
        not_after_ms=GENESIS_MS + 86_400_000,
        legal_basis=("60/2014/QH13 Điều 28",),
        signers=sort_signers(
            [
                KeySigner("officer(register)", None, OFFICER.public.key_id),
                KeySigner("owners", PLACE.record_id, OWNER.public.key_id),
                KeySigner("custodian", None, CUSTODIAN.public.key_id),
                form,
            ]
        ),
    )


def _record(record_id: RecordId, version: int, seal: Seal | None) -> RecordPart:
    return RecordPart(
        type_name="birth",
        record_id=record_id,
        record_version=version,
        previous_entry=Digest(seed("entry before")),
        member={"unit": "00001"},
        holders=(),
        links={},
        claims=(),
        matches=(),
        seal=seal,
    )


def unsigned() -> tuple[UnsignedEntry, DraftBody]:
    """The act, and the body of its first record with a wrap for the owner."""
    sealed = sealed_record()
    wrapped = wrap_p256(PLACE, DATA_KEY, READER)
    wraps = print_wraps([(READER.key.public.key_id, READER.purpose, wrapped)])
    seal = sealed.seal(wraps_digest(b"of the custodian's wraps, which a draft does not hold"))
    records = [
        _record(PLACE.record_id, PLACE.record_version, seal),
        _record(RecordId(seed("record without a body")[:16]), 2, None),
    ]
    context = Context((), Evidence(sufficient=True, official=False, digests=()), None, "viết sai")
    blinds = [seed("draft blind", at)[:16] for at in range(4)]
    return compose(_head(), records, [], context, blinds), DraftBody(sealed.body, wraps)


def draft_vectors() -> dict[str, Any]:
    """A draft before, between and after its signatures, the entry it becomes, and what is none."""
    entry, body = unsigned()
    draft = Draft(entry, (body, None), {})
    steps = [_step(draft)]
    for signer in SIGNERS:
        draft = add_signature(draft, signer.public, signer.sign(entry.sign_message))
        steps.append(_step(draft))
    finished = finish_draft(draft)
    return {
        "parts": [{"blind": part.blind.hex(), "part": part.raw.hex()} for part in entry.parts],
        "entry_digest": entry.entry_digest.hex(),
        "sign_message": entry.sign_message.hex(),
        "body": body.body.hex(),
        "wraps": body.wraps.hex(),
        "wrap": {
            "place": [PLACE.network_id.hex(), PLACE.record_id.hex(), PLACE.record_version],
            "private": READER.private.hex(),
            "ephemeral": READER.ephemeral.hex(),
            "purpose": READER.purpose,
            "data_key": DATA_KEY.hex(),
        },
        "keys": [
            {
                "algorithm": int(signer.public.algorithm),
                "private": private.hex(),
                "public": signer.public.public.hex(),
                "key_id": signer.public.key_id.hex(),
                "signature": signer.sign(entry.sign_message).hex(),
            }
            for private, signer in zip(PRIVATE, SIGNERS, strict=True)
        ],
        "steps": steps,
        "entry": finished.raw.hex(),
        "signatures_digest": finished.signatures_digest.hex(),
        "refused": {name: raw.hex() for name, raw in _refused(draft).items()},
    }


def _step(draft: Draft) -> dict[str, Any]:
    return {
        "signed": [key_id.hex() for key_id in sorted(draft.signatures)],
        "missing": [key_id.hex() for key_id in missing_keys(draft)],
        "raw": print_draft(draft).hex(),
    }


def _refused(draft: Draft) -> dict[str, bytes]:
    """Bytes that are no draft, whatever the signatures in them say."""
    parts: list[Value] = [tuple(part) for part in draft.entry.parts]
    bodies: list[Value] = [None if one is None else (one.body, one.wraps) for one in draft.bodies]
    signed: list[Value] = [
        (key_id, draft.signatures[key_id]) for key_id in sorted(draft.signatures)
    ]
    stranger: list[Value] = [(key("stranger").public.key_id, bytes(64))]
    return {
        "a body too few": encode((1, "draft", parts, bodies[:1], signed)),
        "a body too many": encode((1, "draft", parts, [*bodies, None], signed)),
        "signatures out of order": encode((1, "draft", parts, bodies, signed[::-1])),
        "a signature twice": encode((1, "draft", parts, bodies, [signed[0], signed[0]])),
        "a stranger's signature": encode((1, "draft", parts, bodies, stranger)),
        "no context": encode((1, "draft", parts[:-1], bodies, signed)),
        "version 2": encode((2, "draft", parts, bodies, signed)),
        "another word": encode((1, "drafts", parts, bodies, signed)),
        "a byte behind the end": print_draft(draft) + b"\x00",
    }
