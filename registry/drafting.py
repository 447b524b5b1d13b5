"""From an act on paper to an entry that lacks signatures: the one way, for every operation.

    Act, Desk, signers, Target  --prepare_act-->   PreparedAct: ids, bare parts, office rules
    PreparedAct                 --seal_act----->   SealedAct: bodies under fresh data keys
    SealedAct                   --custodian_request--> to the custodian, who makes wraps and tags
    SealedAct, CustodianReply   --compose_act-->   UnsignedEntry of blinded parts
    UnsignedEntry               --draft_of----->   Draft, which collects signatures

The first two steps are in `registry.preparing`.

Everything random comes through `draw`, a function that returns that many fresh random bytes.

Source: docs/formats.md, sections 4 to 6; the walk of a clerk in the design's style.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from keys import sealing
from keys.signing import PublicKey
from ledger.entries import BLIND_BYTES, UnsignedEntry, compose
from ledger.ids import RecordId
from ledger.parts import RecordPart
from registry.custodian_messages import (
    CustodianReply,
    CustodianRequest,
    SubmittedBody,
    SubmittedRecord,
)
from registry.drafts import Draft, DraftBody
from registry.preparing import (
    Desk,
    Draw,
    PreparedAct,
    PreparedRecord,
    SealedAct,
    Target,
    body_place,
    prepare_act,
    seal_act,
)
from registry.problems import BodyError
from registry.sealed import SealedRecord
from registry.wraps import Reader, make_wraps, wrap_info

__all__ = [
    "Desk", "Draw", "PreparedAct", "PreparedRecord", "SealedAct", "Target", "body_place",
    "compose_act", "custodian_request", "draft_of", "prepare_act", "seal_act",
]  # fmt: skip


def custodian_request(act: SealedAct, seal_key: PublicKey) -> CustodianRequest:
    """Return what the custodian needs: parts, bodies, and data keys wrapped to its agency.

    Args:
        act: Sealed.
        seal_key: The seal key of the office's agency.

    Raises:
        SealError: Nothing can be sealed to that key.
    """
    prepared = act.prepared
    records: list[SubmittedRecord] = []
    for record, sealed, data_key in zip(prepared.records, act.sealed, act.data_keys, strict=True):
        body = None
        if sealed is not None:
            place = body_place(prepared.head.network_id, record.part)
            info = wrap_info(place, seal_key.key_id, "agency")
            body = SubmittedBody(
                body=sealed.body,
                body_digest=sealed.body_digest,
                key_check=sealed.key_check,
                commitment=sealed.commitment,
                wrapped_key=sealing.wrap(data_key, seal_key, info),
            )
        records.append(SubmittedRecord(record.part, body, record.tags))
    return CustodianRequest(prepared.head, tuple(records), prepared.act.objects, prepared.context)


def compose_act(act: SealedAct, reply: CustodianReply | None, draw: Draw) -> UnsignedEntry:
    """Put the entry together, once the custodian has made wraps and tags.

    Args:
        act: Sealed.
        reply: The custodian's; None if the act needs none (`needs_custodian`).
        draw: Returns that many fresh random bytes, for the blinds.

    Raises:
        BodyError: The custodian answered something else than the act with seals and tags.
        InvalidDataError: A shape, bound or order is wrong.
    """
    prepared = act.prepared
    parts = [record.part for record in prepared.records]
    if reply is not None:
        _check_reply(act, reply)
        parts = list(reply.records)
    elif act.needs_custodian:
        raise BodyError("the act has bodies or tags, and no custodian has answered")
    count = 2 + len(parts) + len(prepared.act.objects)
    random = draw(BLIND_BYTES * count)
    blinds = [random[at : at + BLIND_BYTES] for at in range(0, len(random), BLIND_BYTES)]
    return compose(prepared.head, parts, prepared.act.objects, prepared.context, blinds)


def _check_reply(act: SealedAct, reply: CustodianReply) -> None:
    """Refuse a reply that changed more than it was asked to add."""
    records = act.prepared.records
    if len(reply.records) != len(records):
        raise BodyError("the custodian answered for other records")
    for record, sealed, answered in zip(records, act.sealed, reply.records, strict=True):
        _check_answer(record, sealed, answered)


def _check_answer(
    record: PreparedRecord, sealed: SealedRecord | None, answered: RecordPart
) -> None:
    in_clear = tuple(claim for claim in answered.claims if claim.epoch == 0)
    if replace(answered, claims=in_clear, matches=(), seal=None) != record.part:
        raise BodyError("the custodian changed a record part")
    seal = answered.seal
    own = None if sealed is None or seal is None else sealed.seal(seal.wraps_digest)
    if (sealed is None) != (seal is None) or own != seal:
        raise BodyError("the custodian changed a seal")
    wished = sorted((wish.namespace, wish.unique) for wish in record.tags)
    given = [(claim.namespace, True) for claim in answered.claims if claim.epoch]
    given += [(match.namespace, False) for match in answered.matches]
    if wished != sorted(given):
        raise BodyError("the custodian gave other tags than asked for")


def draft_of(
    act: SealedAct, entry: UnsignedEntry, readers: Mapping[RecordId, Sequence[Reader]]
) -> Draft:
    """Return the draft that the signers pass on.

    Args:
        act: Sealed.
        entry: Composed of it.
        readers: Record id -> seal keys of signers, who can then see what they sign.

    Raises:
        SealError: Nothing can be sealed to a reader's key.
    """
    bodies: list[DraftBody | None] = []
    for part, sealed, data_key in zip(entry.records, act.sealed, act.data_keys, strict=True):
        place = body_place(entry.head.network_id, part)
        wraps = make_wraps(place, data_key, readers.get(part.record_id, ()))
        bodies.append(None if sealed is None else DraftBody(sealed.body, wraps))
    return Draft(entry, tuple(bodies), {})
