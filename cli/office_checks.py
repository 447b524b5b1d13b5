"""Running the office rules of a draft again, on the fields that were opened: what a signer does."""

from collections.abc import Mapping

from cli.errors import InvalidInputError
from cli.network_view import NetworkView
from ledger.canonical import Value
from ledger.entries import EntryContent
from ledger.ids import RecordId
from registry.acts import Act, RecordContent
from registry.office_rules import OpenedAct, run_rules
from registry.rule_pack import PACK_DIGEST
from registry.schema import EditKind


def check_attested(
    view: NetworkView, entry: EntryContent, opened: Mapping[RecordId, Mapping[str, Value]]
) -> None:
    """Refuse a draft whose attested rules come out otherwise here.

    Args:
        view: Record types.
        entry: The draft's.
        opened: Sealed values of all its records.

    Raises:
        OfficeRuleError: A rule refuses that the entry says passed.
        InvalidInputError: A rule warns where the entry says pass, or rules or the pack are others.
    """
    operation = view.find_form(entry.head.kind).operation
    seen = _opened_act(entry, operation.edit, opened)
    said = {rule.rule: rule for rule in entry.context.rules}
    if sorted(said) != sorted(operation.attested):
        raise InvalidInputError("the draft does not attest the rules of its act", name="draft")
    for ruling in run_rules(operation.attested, seen):
        rule = said[ruling.rule]
        if rule.pack_digest != PACK_DIGEST or (ruling.warned and not rule.warned):
            raise InvalidInputError(
                f"the rule {ruling.rule} comes out otherwise here than the draft says",
                name=ruling.rule,
            )


def _opened_act(
    entry: EntryContent, edit: EditKind, opened: Mapping[RecordId, Mapping[str, Value]]
) -> OpenedAct:
    """Return an entry as office rules see it."""
    records = tuple(
        RecordContent(
            member=part.member,
            sealed={
                path: value
                for path, value in opened.get(part.record_id, {}).items()
                if value is not None
            },
            links=part.links,
            holders=part.holders,
        )
        for part in entry.records
    )
    act = Act(
        kind=entry.head.kind,
        event_date=entry.head.event_date,
        records=records,
        received_on=entry.head.received_on,
        evidence=entry.context.evidence,
        objects=entry.objects,
    )
    return OpenedAct(
        act=act,
        types=tuple(part.type_name for part in entry.records),
        record_id=entry.records[0].record_id if entry.records else RecordId(bytes(16)),
        edit=edit,
        birth={},  # Nobody opens it here; whether there is one to compare, the custodian knows.
    )
