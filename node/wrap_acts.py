"""The act `wrap/add`: a data key that the custodian opens and wraps to further readers.

Pure but for randomness; needs no state, so worker threads make it.
"""

import secrets
from dataclasses import dataclass
from typing import Final

from keys.hashing import Digest
from ledger.entries import Context, Evidence, KeySigner, ObjectPart, compose
from ledger.ids import ActId, OfficeId, RecordId
from ledger.parts import CUSTODIAN_TERM, About, Head
from node.custodian_keys import CustodianKeys
from registry.schema import RecordType
from registry.sealed import BodyPlace
from registry.wraps import Reader, Wrap, make_wraps, open_wraps, wraps_digest

NOT_AFTER_MS: Final = 3_600_000
"""How long such an act may wait for a block."""
PARTS: Final = 3
"""Head, wraps, context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrapPlan:
    """What an act shall say.

    Attributes:
        network_id: 32 bytes.
        record_id: About which record.
        version: And which version, the present one.
        key_check: Of its body's data key.
        wraps: All that there are so far; one of them is the agency's.
        readers: Those that have none.
        record_type: The type `wrap` in force.
        office: An office of the agency.
        day: Civil date of today.
        now_ms: What time it is.
    """

    network_id: Digest
    record_id: RecordId
    version: int
    key_check: Digest
    wraps: tuple[Wrap, ...]
    readers: tuple[Reader, ...]
    record_type: RecordType
    office: OfficeId
    day: str
    now_ms: int


@dataclass(frozen=True, slots=True)
class WrapAct:
    """A signed act and the wraps that it names."""

    record_id: RecordId
    entry_raw: bytes
    wraps_digest: Digest
    wraps: bytes


def make_wrap_act(plan: WrapPlan, keys: CustodianKeys) -> WrapAct:
    """Open the data key, wrap it to the new readers, sign the act.

    Raises:
        SealError: None of the wraps is for the agency's key, or a reader's key takes none.
        LimitExceededError: More than 64 readers.
    """
    place = BodyPlace(plan.network_id, plan.record_id, plan.version)
    data_key = open_wraps(plan.wraps, place, keys.seal, plan.key_check)
    wraps = make_wraps(place, data_key, plan.readers)
    digest = wraps_digest(wraps)
    head = Head(
        network_id=plan.network_id,
        kind="wrap/add",
        schema_version=plan.record_type.version,
        act_id=ActId(secrets.token_bytes(16)),
        about=About(plan.record_id, plan.version),
        office=plan.office,
        event_date=plan.day,
        received_on=None,
        not_after_ms=plan.now_ms + NOT_AFTER_MS,
        legal_basis=plan.record_type.operations["add"].basis,
        signers=(KeySigner(CUSTODIAN_TERM, None, keys.custodian.public.key_id),),
    )
    context = Context(
        rules=(),
        evidence=Evidence(sufficient=False, official=False, digests=()),
        court_order=None,
        reason=None,
    )
    wrapped = ObjectPart("wraps", {"wraps_digest": digest})
    blinds = [secrets.token_bytes(16) for _ in range(PARTS)]
    unsigned = compose(head, (), (wrapped,), context, blinds)
    entry = unsigned.signed([keys.custodian.sign(unsigned.sign_message)])
    return WrapAct(plan.record_id, entry.raw, digest, wraps)
