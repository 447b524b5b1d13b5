"""The pure half of an agency's vault service: what it checks before it signs an entry.

First an office asks for wraps and tags (`registry.custodian_answers`); later it brings the whole
entry, and the custodian signs only if `check_draft` raises nothing. The custodian is not the
officer's machine: it opens every body itself, checks keys, commitment and schema, runs the attested
office rules again and compares. Nothing here keeps state between the two; the node keeps bodies,
data keys and wraps until the entry is in a block or has expired.

Source: records.md, introduction; formats.md of the design, section 5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from keys.errors import CivregError
from keys.signing import KeyId
from ledger.canonical import Value
from ledger.entries import UnsignedEntry
from ledger.ids import RecordId
from ledger.parts import CUSTODIAN_TERM, Head, KeySigner, RecordPart
from registry.acts import Act, RecordContent
from registry.added_signers import weighty_changes
from registry.custodian_answers import HeldBody
from registry.custodian_messages import TagWish
from registry.duplicates import BirthSketch
from registry.form_kinds import FindType, FormKind, find_form
from registry.office_rules import (
    DUPLICATE_SEARCH,
    OpenedAct,
    Ruling,
    births_found,
    run_rules,
)
from registry.opened_records import (
    OpenedRecord,
    beside_names,
    check_dates,
    check_sealed_values,
    check_shape,
    needed_tags,
    tag_signatures,
    tagged_paths,
)
from registry.possible_duplicates import refuse_duplicate
from registry.problems import BodyError, OfficeRuleError
from registry.rule_pack import PACK_DIGEST
from registry.schema import Operation, RecordType
from registry.sealed import BodyPlace, open_body
from registry.wraps import wraps_digest


class CustodianRefusedError(CivregError):
    """The custodian does not sign: the entry is not what it opened, wrapped and checked."""

    code = "registry.custodian_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What the custodian knows beside the entry.

    Attributes:
        custodian_key: Its own key id.
        births: Of the index, for `duplicate_search`; None without an index.
        different: Births that officers have found to be others.
        previous: Record id -> sealed values of the version before, as far as the vault has them
            and the agency can open them.
        birth: Sealed values of the birth record that an identity came of, its present version;
            empty if there is none, None if this agency cannot open it.
    """

    custodian_key: KeyId
    births: tuple[BirthSketch, ...] | None = None
    different: tuple[RecordId, ...] = ()
    previous: Mapping[RecordId, Mapping[str, Value]] = field(default_factory=dict)
    birth: Mapping[str, Value] | None = None


def check_draft(
    entry: UnsignedEntry,
    held: Sequence[HeldBody | None],
    find_type: FindType,
    knowledge: Knowledge,
) -> tuple[OpenedRecord, ...]:
    """Refuse an entry that the custodian must not sign.

    Args:
        entry: As it would be signed.
        held: For each record what the custodian kept, None if it has no body.
        find_type: Record types in force.
        knowledge: What the custodian knows beside it.

    Returns:
        The opened records.

    Raises:
        BodyError: A body is not what the entry says: digest, key, commitment or schema.
        OfficeRuleError: An attested rule refuses when it is run again.
        PotentialDuplicateError: The one that refuses is the search for the same birth; names it.
        CustodianRefusedError: Other wraps, missing tags or tags of other fields, an attested result
            that cannot be confirmed, a created record that contradicts its creator, a field that
            the operation may not change, or a version before that cannot be opened to see that.
    """
    last = entry.head.signers[-1]
    if last != KeySigner(CUSTODIAN_TERM, None, knowledge.custodian_key):
        raise CustodianRefusedError("the entry does not name this custodian as its last signer")
    form_kind = find_form(entry.head.kind, find_type)
    check_shape(form_kind, entry.records)
    for record_type, part in zip(form_kind.written, entry.records, strict=True):
        check_dates(record_type, part)
    if len(held) != len(entry.records):
        raise CustodianRefusedError("not one body for each record")
    opened = tuple(
        [
            _open_held(entry.head, form_kind.operation, record_type, part, body)
            for record_type, part, body in zip(form_kind.written, entry.records, held, strict=True)
        ]
    )
    for at, (record, body) in enumerate(zip(opened, held, strict=True)):
        _check_tags(form_kind, record, body)
        _check_unseen(form_kind.operation, record, knowledge)
        if at == 0:
            _check_senior(entry.head, form_kind.operation, record, knowledge)
        _check_edit(form_kind.operation, record, knowledge.previous.get(record.part.record_id))
    _check_created(entry.head, opened)
    _check_attested(entry, form_kind.operation, opened, knowledge)
    return opened


def _open_held(
    head: Head,
    operation: Operation,
    record_type: RecordType,
    part: RecordPart,
    held: HeldBody | None,
) -> OpenedRecord:
    if part.seal is None or held is None:
        if part.seal is not None or held is not None or record_type.sealed_paths:
            raise BodyError("a record type with sealed fields has a body, and no other")
        return OpenedRecord(part, record_type, None, b"")
    if wraps_digest(held.wraps) != part.seal.wraps_digest:
        raise CustodianRefusedError("the wraps are not those that this custodian made")
    place = BodyPlace(head.network_id, part.record_id, part.record_version)
    paths = tuple(record_type.sealed_paths)
    opened = open_body(place, paths, held.body, part.seal, held.data_key)
    check_sealed_values(record_type, operation, opened.values, is_new=part.record_version == 1)
    return OpenedRecord(part, record_type, opened, held.data_key)


def _check_tags(form_kind: FormKind, record: OpenedRecord, held: HeldBody | None) -> None:
    """Refuse other tags than the fields need and than were made of them for this draft.

    The proof names one field only, a match tag is made of several; so the signatures are compared
    with those of the tags that this custodian had made of the body that it opened. What a name was
    tagged with stands in no body and in no proof: the entry must still say it.
    """
    known = ((), ()) if held is None else (held.tag_signatures, held.beside_names)
    tags = [(TagWish(claim.namespace, unique=True), claim.proof) for claim in record.part.claims]
    tags += [(TagWish(match.namespace, unique=False), match.proof) for match in record.part.matches]
    needed = needed_tags(form_kind, record.record_type, record.values)
    if {wish for wish, proof in tags if proof is not None} != set(needed):
        raise CustodianRefusedError("the tags are not those that the fields need")
    if (tag_signatures(record.part), beside_names(record.record_type, record.part)) != known:
        raise CustodianRefusedError("the tags are not those that were made for this draft")
    for wish, proof in tags:
        if proof is None:
            continue
        path = tagged_paths(record.record_type, wish)[0]
        if record.opened is None or proof.commitment_leaf != record.opened.leaf(path):
            raise CustodianRefusedError("a tag is of another field", namespace=wish.namespace)


def _check_unseen(operation: Operation, record: OpenedRecord, knowledge: Knowledge) -> None:
    """Refuse to seal anew what this custodian cannot compare with the version before.

    Another agency's custodian may have sealed that. An operation that may write every sealed field
    is signed all the same: its signers answer for all that it says. Any other could alter what it
    may not write; so the agency that keeps the body does it, or hands the body over first.
    """
    is_new = record.part.record_version == 1 or record.opened is None
    if is_new or record.record_type.role == "companion":
        return
    if record.part.record_id in knowledge.previous:
        return
    tops = {path.partition(".")[0] for path in record.record_type.sealed_paths}
    if operation.edit == "supplement" or not all(operation.may_write(top) for top in tops):
        raise CustodianRefusedError(
            "another agency keeps the version before: only its custodian can see that nothing else"
            " is altered",
            record=record.part.record_id.hex(),
        )


def _check_edit(
    operation: Operation, record: OpenedRecord, previous: Mapping[str, Value] | None
) -> None:
    """Refuse sealed fields that the operation may not change, and a supplement that overwrites."""
    if previous is None or record.opened is None or record.part.record_version == 1:
        return
    if record.record_type.role == "companion":
        return
    for path, value in record.values.items():
        before = previous.get(path)
        if value == before:
            continue
        overwrites = operation.edit == "supplement" and before is not None
        if overwrites or not operation.may_write(path.partition(".")[0]):
            raise CustodianRefusedError("the operation may not change this field", path=path)


def _check_senior(
    head: Head, operation: Operation, record: OpenedRecord, knowledge: Knowledge
) -> None:
    """Refuse a change of a weighty sealed field without the signer that it needs."""
    senior, previous = operation.senior, knowledge.previous.get(record.part.record_id)
    if senior is None or record.part.record_version == 1:
        return
    labels = {signer.term for signer in head.signers}
    # Who cannot see whether it changes takes it for changed.
    changed = weighty_changes(senior, previous or {}, record.values)
    if changed and not labels & senior.adds_signer.labels:
        raise CustodianRefusedError(
            "a change of this field needs one more signer",
            path=changed[0],
            term=senior.adds_signer.text,
        )


def _check_created(head: Head, opened: Sequence[OpenedRecord]) -> None:
    """Refuse a created record that says of the same thing something else than its creator."""
    if not opened:
        return
    subject = opened[0]
    for record in opened[1:]:
        for path, value in record.values.items():
            if path in subject.values and value != subject.values[path]:
                raise CustodianRefusedError("two records of one act differ", path=path)
        born = record.part.member.get("birth_date")
        if born is not None and born != head.event_date:
            raise CustodianRefusedError("two records of one act differ", path="birth_date")


def _check_attested(
    entry: UnsignedEntry,
    operation: Operation,
    opened: Sequence[OpenedRecord],
    knowledge: Knowledge,
) -> None:
    """Run the attested rules again; what cannot be confirmed must stand as *warn*."""
    context = entry.context
    attested = {rule.rule: rule for rule in context.rules}
    if set(attested) != set(operation.attested):
        raise CustodianRefusedError("the entry attests other rules than the operation asks for")
    contents = tuple(
        RecordContent(
            member=record.part.member,
            sealed=record.values,
            links=record.part.links,
            holders=record.part.holders,
        )
        for record in opened
    )
    act = Act(
        kind=entry.head.kind,
        event_date=entry.head.event_date,
        records=contents,
        received_on=entry.head.received_on,
        legal_basis=entry.head.legal_basis,
        evidence=context.evidence,
        reason=context.reason,
        court_order=context.court_order,
        objects=entry.objects,
    )
    opened_act = OpenedAct(
        act=act,
        types=tuple(record.record_type.name for record in opened),
        record_id=opened[0].part.record_id if opened else RecordId(bytes(16)),
        edit=operation.edit,
        births=knowledge.births,
        different=knowledge.different,
        birth=knowledge.birth,
    )
    rulings = _run(sorted(attested), opened_act)
    for ruling in rulings:
        said = attested[ruling.rule]
        if said.pack_digest != PACK_DIGEST:
            raise CustodianRefusedError("the rule was run under another pack", rule=ruling.rule)
        if ruling.warned and not said.warned:
            raise CustodianRefusedError("a rule that passed is not confirmed", rule=ruling.rule)


def _run(names: Sequence[str], opened: OpenedAct) -> tuple[Ruling, ...]:
    """Run office rules; a birth that may be registered already is told by the other one's id."""
    try:
        return run_rules(names, opened)
    except OfficeRuleError as error:
        if {problem.rule for problem in error.problems} == {DUPLICATE_SEARCH}:
            refuse_duplicate(births_found(opened))
        raise
