"""The first half of drafting: ids, versions, office rules, and bodies sealed under fresh keys.

What is sealed here goes on in `registry.drafting`, which also names the classes made here.

Source: docs/formats.md, sections 4 to 6.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from keys import sealing
from keys.hashing import Digest
from ledger.canonical import Value
from ledger.ids import ActId, OfficeId, RecordId, derived_id, record_id
from ledger.parts import (
    About,
    Claim,
    Context,
    Head,
    RecordPart,
    Signer,
    sort_claims,
)
from registry.acts import Act, RecordContent
from registry.birth_details import unopened_birth
from registry.claims import claim_value
from registry.custodian_messages import TagWish
from registry.duplicates import BirthSketch
from registry.form_kinds import FormKind
from registry.office_rules import OpenedAct, attest
from registry.opened_records import needed_tags
from registry.record_checks import companion_id
from registry.rows import RecordRow
from registry.schema import RecordType, Unique, Write
from registry.sealed import SALT_BYTES, BodyPlace, SealedRecord, seal_record

Draw = Callable[[int], bytes]
"""Returns that many fresh random bytes."""

CREATE_EFFECT: Final = "create_identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where, until when and as which act an entry is made.

    Attributes:
        network_id: 32 bytes.
        office: The office that acts; for what an owner does alone, the one whose custodian seals.
        act_id: 16 fresh random bytes.
        not_after_ms: Last block time at which the entry is valid.
    """

    network_id: Digest
    office: OfficeId | None
    act_id: ActId
    not_after_ms: int


@dataclass(frozen=True, slots=True)
class Target:
    """The record that an act is about, as the state has it.

    Attributes:
        record_id: Its id.
        row: Its row.
        companion: The row of the companion that the operation writes, or None before its first.
    """

    record_id: RecordId
    row: RecordRow
    companion: RecordRow | None = None


@dataclass(frozen=True, slots=True)
class PreparedRecord:
    """A record part that lacks its seal and tags, and what will be sealed."""

    record_type: RecordType
    part: RecordPart
    sealed: Mapping[str, Value]
    tags: tuple[TagWish, ...]


@dataclass(frozen=True, slots=True)
class PreparedAct:
    """An act with ids, signers and attested rules."""

    head: Head
    records: tuple[PreparedRecord, ...]
    act: Act
    context: Context


@dataclass(frozen=True, slots=True)
class SealedAct:
    """An act whose bodies are sealed; whoever drafts it keeps `data_keys` secret."""

    prepared: PreparedAct
    sealed: tuple[SealedRecord | None, ...]
    data_keys: tuple[bytes, ...] = field(repr=False)

    @property
    def needs_custodian(self) -> bool:
        """Whether there is a body or a tag for the custodian."""
        tags = any(record.tags for record in self.prepared.records)
        return tags or any(item is not None for item in self.sealed)


def prepare_act(
    form_kind: FormKind,
    act: Act,
    desk: Desk,
    signers: tuple[Signer, ...],
    target: Target | None = None,
    births: tuple[BirthSketch, ...] | None = None,
) -> PreparedAct:
    """Give an act its ids, versions, value claims and attested rules.

    Args:
        form_kind: Of the act's kind, with the types in force.
        act: What is done; its records are complete, nothing is taken from the state but versions.
        desk: Where and until when.
        signers: All of them, in order (`registry.signer_plan`); the first one makes new ids.
        target: The record that is edited or that a side act is about; None for a new record.
        births: What the index knows, for `duplicate_search`; None leaves it unverified.

    Raises:
        OfficeRuleError: An office rule refuses; with every problem.
        AttestationIncompleteError: The operation asks for a rule that this program lacks.
    """
    head = _head(form_kind, act, desk, signers, target)
    records: list[PreparedRecord] = []
    writes = zip(form_kind.operation.writes, form_kind.written, act.records, strict=True)
    for write, record_type, content in writes:
        place = _place(head, write, target, [record.part for record in records])
        beside = _beside(write, record_type, content, target)
        records.append(_prepare_record(form_kind, record_type, beside, place))
    opened = OpenedAct(
        act=act,
        types=tuple(record.record_type.name for record in records),
        record_id=records[0].part.record_id if records else RecordId(bytes(16)),
        edit=form_kind.operation.edit,
        births=births,
        birth=unopened_birth(None if target is None else target.row),
    )
    attested = attest(form_kind.operation.attested, opened)
    context = Context(attested, act.evidence, act.court_order, act.reason)
    return PreparedAct(head, tuple(records), act, context)


def _head(
    form_kind: FormKind,
    act: Act,
    desk: Desk,
    signers: tuple[Signer, ...],
    target: Target | None,
) -> Head:
    is_side = form_kind.operation.side
    about = About(target.record_id, target.row.version) if target and is_side else None
    return Head(
        network_id=desk.network_id,
        kind=act.kind,
        schema_version=form_kind.owner.version,
        act_id=desk.act_id,
        about=about,
        office=desk.office,
        event_date=act.event_date,
        received_on=act.received_on,
        not_after_ms=desk.not_after_ms,
        legal_basis=act.legal_basis or form_kind.operation.basis,
        signers=signers,
    )


def _beside(
    write: Write, record_type: RecordType, content: RecordContent, target: Target | None
) -> RecordContent:
    """Return a companion's content with the link to the record beside which it stands."""
    if write.kind != "companion" or target is None:
        return content
    return replace(content, links={**content.links, record_type.subject: target.record_id})


@dataclass(frozen=True, slots=True)
class _Place:
    """Id, version and predecessor of a record part; `row` is the record so far."""

    record_id: RecordId
    version: int
    previous_entry: Digest | None
    row: RecordRow | None


def _place(head: Head, write: Write, target: Target | None, before: Sequence[RecordPart]) -> _Place:
    if write.kind == "create":
        subject = before[0]
        made = derived_id(subject.record_id, subject.record_version, CREATE_EFFECT, len(before) - 1)
        return _Place(made, 1, None, None)
    if write.kind == "companion":
        assert target is not None, "a companion stands beside a record"
        return _after(companion_id(target.record_id), target.companion)
    if target is not None:
        return _after(target.record_id, target.row)
    return _Place(record_id(head.network_id, head.first_key_id, head.act_id), 1, None, None)


def _after(identifier: RecordId, row: RecordRow | None) -> _Place:
    if row is None:
        return _Place(identifier, 1, None, None)
    return _Place(identifier, row.version + 1, row.last_entry, row)


def _prepare_record(
    form_kind: FormKind, record_type: RecordType, content: RecordContent, place: _Place
) -> PreparedRecord:
    part = RecordPart(
        type_name=record_type.name,
        record_id=place.record_id,
        record_version=place.version,
        previous_entry=place.previous_entry,
        member=content.member,
        holders=content.holders,
        links=content.links,
        claims=(),
        matches=(),
        seal=None,
    )
    claims = [
        claim
        for unique in record_type.unique
        if unique.mode == "value"
        and (claim := _value_claim(record_type, part, unique, place.row)) is not None
    ]
    sealed = {path: value for path, value in content.sealed.items() if value is not None}
    return PreparedRecord(
        record_type,
        replace(part, claims=sort_claims(claims)),
        sealed,
        needed_tags(form_kind, record_type, sealed),
    )


def _value_claim(
    record_type: RecordType, part: RecordPart, unique: Unique, row: RecordRow | None
) -> Claim | None:
    """Return the claim of a value in clear, unless the record holds it already."""
    value = claim_value(record_type, part, unique)
    if value is None or (row is not None and (unique.namespace, 0, value) in row.claims):
        return None
    return Claim(unique.namespace, 0, value, None)


def seal_act(prepared: PreparedAct, draw: Draw) -> SealedAct:
    """Seal the bodies of an act, each under a fresh data key and with fresh salts.

    Args:
        prepared: The act.
        draw: Returns that many fresh random bytes.

    Raises:
        BodyError: A value for a path that the type does not seal.
        LimitExceededError: A body is too large.
    """
    sealed: list[SealedRecord | None] = []
    data_keys: list[bytes] = []
    for record in prepared.records:
        paths = tuple(record.record_type.sealed_paths)
        data_key = draw(sealing.DATA_KEY_BYTES)
        data_keys.append(data_key)
        if not paths:
            sealed.append(None)
            continue
        place = body_place(prepared.head.network_id, record.part)
        random = draw(SALT_BYTES * len(paths))
        salts = [random[at : at + SALT_BYTES] for at in range(0, len(random), SALT_BYTES)]
        sealed.append(seal_record(place, paths, record.sealed, data_key, salts))
    return SealedAct(prepared, tuple(sealed), tuple(data_keys))


def body_place(network_id: Digest, part: RecordPart) -> BodyPlace:
    """Return the place that the body of a record part is bound to."""
    return BodyPlace(network_id, part.record_id, part.record_version)
