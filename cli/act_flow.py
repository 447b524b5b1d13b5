"""From a clerk's or owner's form to the chain, for every operation of every record type.

read the form, all mistakes at once -> plan the signers -> run the office rules, seal, ask the
custodian -> say in words what will be signed -> ask -> sign with the keys at hand -> submit, or
write a draft for those whose signatures are missing.

With --dry-run everything but signing and submitting happens, and the rules of the ledger are tried
on the state as the node tells it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from cli.accesses import AccessWish, Why, why_of
from cli.act_results import say_result
from cli.act_words import ask_to_sign, explain, pass_on, say_dry_run
from cli.acting import Actor, Order
from cli.bodies import previous_content
from cli.certificate_files import Sheet, SheetWish, plan_sheet, registered_entry, write_sheet
from cli.certifying import CertificateWish, fill_certificate, makes_certificate
from cli.draft_trials import try_draft
from cli.errors import BadParameterError, FileTakenError, InvalidInputError
from cli.exit_codes import ExitCode
from cli.form_words import add_scans, prepare_form, without_opening
from cli.hands import (
    Wishes,
    key_of,
    make_hands,
    named_office,
    public_key_of,
)
from cli.key import PERSON_PURPOSES, find_key
from cli.network_view import NetworkView
from cli.output import Context, accepted, suggested
from cli.passphrases import asker, source
from cli.sent import send_act, warn_of_unsettled
from keys.errors import CivregError
from keys.signing import KeyId, PublicKey, Purpose
from ledger.canonical import Value
from ledger.errors import InvalidDataError
from ledger.ids import OfficeId, RecordId, parse_id
from registry.acts import Act, RecordContent
from registry.authority_rows import OfficeRow
from registry.drafts import custodian_is_next, missing_keys
from registry.form_kinds import FormKind
from registry.forms import parse_form_text, read_form
from registry.preparing import Target
from registry.problems import FormError
from registry.record_checks import companion_id
from registry.schema import Operation
from registry.state_key_names import office_key

GOVERNORS_TERMS: Final = frozenset({"agency", "consensus_key", "new_key"})
"""Who signs what an agency decides by its governors, or its node by itself; no officer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One act as it was asked for on the command line.

    Attributes:
        kind: `type/operation`.
        form: Text of the form; empty for none.
        settings: `path=value` words over the form.
        record_id: The record that is changed or that a side act is about, or None.
        office: Name or id of the office, or empty.
        wishes: Who signs.
        asker: Name of the auth key that asks nodes, or empty.
        draft: Where to write the draft when signatures are missing, or None.
        scans: Files whose digests are evidence.
        enrol: Keys to be enrolled, see `_enrolled`.
        sheet: What file to make of a certificate, or None.
        access: What is said of reading a sealed body.
    """

    kind: str
    form: str = ""
    settings: Sequence[str] = ()
    record_id: RecordId | None = None
    office: str = ""
    wishes: Wishes = field(default_factory=Wishes)
    asker: str = ""
    draft: Path | None = None
    scans: Sequence[Path] = ()
    enrol: Sequence[str] = ()
    sheet: SheetWish | None = None
    access: AccessWish = field(default_factory=AccessWish)


@dataclass(frozen=True, slots=True)
class Present:
    """A record as it is before an act.

    Attributes:
        target: The record; None if the act makes it.
        content: Its values, as a form begins with them; None for side acts and new records.
        opened: Record id -> its sealed values, if they were opened.
        unopened: Why they were not; None if they were, or there are none.
    """

    target: Target | None
    content: RecordContent | None
    opened: Mapping[RecordId, Mapping[str, Value]] = field(default_factory=dict, repr=False)
    unopened: CivregError | None = None


def open_actor(context: Context, asker_name: str = "") -> Actor:
    """Open the network of the home folder; passphrases come from where the command was told.

    Raises:
        NotFoundError: The home folder belongs to no network, or there is no such key.
    """
    actor = Actor.open(context.home, ask=asker(context, source()))
    try:
        for node in actor.network.nodes:
            if node.home is not None and (node.home / "keys" / "seal.pem").exists():
                actor.ring.add_file(node.home / "keys" / "seal.pem")
        if asker_name:
            actor.use_asker(auth_key_of(actor, asker_name))
    except BaseException:
        actor.close()
        raise
    return actor


def auth_key_of(view: NetworkView, name: str) -> KeyId:
    """Return the auth key that a name means: of an officer, NAME-auth of a person, or a key file.

    Raises:
        NotFoundError: There is no such key.
    """
    officer = view.network.officer(name)
    if officer is not None:
        return view.ring.add_file(officer.auth).key_id
    try:
        return key_of(view, f"{name}-auth")
    except CivregError:
        return key_of(view, name)


def carry_out(context: Context, wanted: Wanted) -> ExitCode:
    """Do what was asked for and say what came of it; NO_NETWORK if nobody knows yet.

    Raises:
        CivregError: What refused it; nothing is in the chain then.
    """
    if wanted.draft is not None and wanted.draft.exists():
        raise FileTakenError("there is a file of that name already", name=str(wanted.draft))
    warn_of_unsettled(context)
    with open_actor(context, wanted.asker) as actor:
        form_kind = actor.find_form(wanted.kind)
        office = _acting_office(actor, form_kind.operation, wanted.office)
        sheet = _sheet(context, actor, form_kind, wanted)
        order, before = _order(context, actor, form_kind, office, wanted, sheet)
        made = actor.prepare(order)
        explanation = explain(actor, made.draft.entry, made.opened, before)
        if context.dry_run:
            say_dry_run(context, actor, made, explanation, before)
            return ExitCode.OK
        trial = None if wanted.draft is None else try_draft(actor, made.draft)
        ask_to_sign(context, explanation, trial)
        draft = actor.sign(made.draft)
        if missing_keys(draft) and not custodian_is_next(draft):
            pass_on(context, actor, draft, wanted.draft, trial)
            return ExitCode.OK
        sent = send_act(context, actor, draft, order.asker)
        return say_result(context, actor, sent, sheet, _changed(order))


def _changed(order: Order) -> list[str] | None:
    """Return the sealed paths that an act changes; None where what was there did not open."""
    if order.previous is None:
        return None
    now = order.act.records[0].sealed
    paths = dict.fromkeys((*order.previous, *now))
    return [path for path in paths if order.previous.get(path) != now.get(path)]


def write_again(context: Context, wanted: Wanted) -> ExitCode:
    """Write the file of a certificate that stands in the chain already; nothing is registered.

    Raises:
        CivregError: The entry is none, the record has changed since, or its body does not open.
    """
    assert wanted.sheet is not None, "the caller has looked"
    assert wanted.sheet.entry is not None, "the caller has looked"
    with open_actor(context, wanted.asker) as actor:
        sheet = _sheet(context, actor, actor.find_form(wanted.kind), wanted)
        assert sheet is not None, "a certificate is about a record, whose id was asked for"
        write_sheet(actor, sheet, registered_entry(actor, wanted.sheet.entry))
        lines = [context.say("act.certificate_file", path=sheet.out)]
        shown = {"file": str(sheet.out), "entry": wanted.sheet.entry}
        accepted(shown, context, lines=lines, next_command=suggested("verify", sheet.out))
    return ExitCode.OK


def _why(context: Context, form_kind: FormKind, wanted: Wanted) -> Why:
    """Return why an act opens a record: its own kind and basis, unless the person says more."""
    return why_of(context, form_kind.kind, form_kind.operation.basis, wanted.access)


def _sheet(context: Context, actor: Actor, form_kind: FormKind, wanted: Wanted) -> Sheet | None:
    """Open what the file of a certificate will show; None if no file is wanted.

    Raises:
        InvalidInputError: Recipient and purpose are given, which a draft would lose.
    """
    if wanted.sheet is None or wanted.record_id is None:
        return None
    target, why = actor.target(wanted.record_id), _why(context, form_kind, wanted)
    sheet = plan_sheet(actor, form_kind.record_type, target, wanted.sheet, why)
    if wanted.draft is not None and sheet.intended is not None:
        raise InvalidInputError("a draft keeps neither recipient nor purpose", name="--draft")
    return sheet


def _order(
    context: Context,
    actor: Actor,
    form_kind: FormKind,
    office: OfficeId | None,
    wanted: Wanted,
    sheet: Sheet | None,
) -> tuple[Order, Mapping[RecordId, Mapping[str, Value]]]:
    """Return the order for an act, and the sealed values that its records had before."""
    present = _present(actor, form_kind, wanted.record_id, _why(context, form_kind, wanted))
    target, previous, opened_before = present.target, present.content, present.opened
    raw = prepare_form(
        parse_form_text(wanted.form) if wanted.form.strip() else {},
        wanted.settings,
        form_kind,
        actor,
    )
    new_keys: list[KeyId] = []
    if wanted.enrol:
        raw, new_keys = _enrolled(actor, raw, wanted.enrol)
    add_scans(raw, wanted.scans)
    _date_it(raw, previous, actor.today)
    acting = office or _office_of(actor, form_kind.operation, target)
    if makes_certificate(form_kind) and target is not None and acting is not None:
        certificate = CertificateWish(
            office=acting,
            today=actor.today,
            language=context.lang,
            intended=None if sheet is None else sheet.intended_root,
        )
        fill_certificate(raw, form_kind.record_type, target, certificate)
    act = _read(raw, form_kind, actor, present)
    if form_kind.operation.edit != "none" and not act.objects and act.records[0] == previous:
        raise InvalidInputError("the form changes nothing", name=form_kind.kind)
    wishes = replace(
        wanted.wishes, new_keys=new_keys, kind=wanted.kind, draft=wanted.draft is not None
    )
    hands = make_hands(actor, form_kind.operation, office, wishes)
    order = Order(
        act=act,
        hands=hands,
        office=acting,
        target=target,
        readable=wanted.draft is not None,
        previous=previous.sealed if previous is not None and opened_before else None,
    )
    return order, opened_before


def _date_it(raw: dict[str, object], previous: RecordContent | None, today: str) -> None:
    """Let an act that names no date be of today, unless its record says one."""
    act = raw.setdefault("act", {})
    dated = raw.get("event_date") or (previous is not None and "event_date" in previous.member)
    if isinstance(act, dict) and not dated and not act.get("event_date"):
        act["event_date"] = today


def _acting_office(actor: Actor, operation: Operation, named: str) -> OfficeId | None:
    """Return the office that acts; what governors alone decide is no act of the office at hand."""
    wanted = {term.name for terms in operation.signers.alternatives for term in terms}
    if not named and wanted and wanted <= GOVERNORS_TERMS:
        return None
    return named_office(actor, named)


def _office_of(actor: Actor, operation: Operation, target: Target | None) -> OfficeId | None:
    """Return the office that keeps a record; of a founding identity the first one.

    What an owner does alone goes to the agency whose custodian holds the body, which may be
    another one by now.
    """
    if target is None:
        return None
    if not operation.wait_free:
        return target.row.office or actor.genesis.parts[0].office.office_id
    offices = {part.agency_id: part.office.office_id for part in actor.genesis.parts}
    keeper = (target.companion or target.row).sealed_by
    office = target.row.office
    row = None if office is None else actor.state.read(office_key(office), OfficeRow)
    if keeper in offices and (row is None or row.agency != keeper):
        return offices[keeper]
    return office or actor.genesis.parts[0].office.office_id


def _present(actor: Actor, form_kind: FormKind, record_id: RecordId | None, why: Why) -> Present:
    """Return the record as it is, and its values for the form."""
    operation = form_kind.operation
    if record_id is None:
        if not form_kind.creates and not (operation.side and operation.about != "record"):
            raise InvalidInputError("this operation is about a record: name its id", name="ID")
        return Present(None, None)
    beside = bool(operation.writes) and operation.writes[0].kind == "companion"
    target = actor.target(record_id, companion=beside)
    if operation.side:
        return Present(target, None)
    row, shown_id = target.row, record_id
    if beside:
        if target.companion is None:
            return Present(target, RecordContent())
        row, shown_id = target.companion, companion_id(record_id)
    # What stands beside a record is its owner's alone: no officer has a reason to open it.
    content, unopened = previous_content(actor, shown_id, row, None if beside else why)
    opened = {shown_id: content.sealed} if unopened is None else {}
    return Present(target, content, opened, unopened)


def _read(raw: Mapping[str, object], form_kind: FormKind, actor: Actor, present: Present) -> Act:
    """Read a form over the present values of its record.

    Raises:
        FormError: It has mistakes. Where the record did not open, that is told, and not that the
            sealed fields are missing which would have stayed.
    """
    try:
        return read_form(raw, form_kind, actor.find_table, present.content, actor.today)
    except FormError as error:
        if present.unopened is None:
            raise
        raise without_opening(error, form_kind.record_type, present.unopened) from present.unopened


def _enrolled(
    actor: Actor, raw: dict[str, object], words: Sequence[str]
) -> tuple[dict[str, object], list[KeyId]]:
    """Put the public keys to be enrolled into a form; return those that prove themselves.

    A word is NAME for NAME-sign, NAME-auth and NAME-seal, or PURPOSE=WHO for a single key, such as
    `sign=did:key:…`, whose private half is elsewhere.
    """
    named: list[tuple[str, PublicKey]] = []
    for word in words:
        purpose, equals, who = word.partition("=")
        if equals:
            named.append((purpose, public_key_of(actor, who)))
            continue
        named += [
            (use, find_key(actor.network.folder, f"{word}-{use}").public) for use in PERSON_PURPOSES
        ]
    listed = [
        {"algorithm": int(key.algorithm), "public": key.public.hex(), "purpose": purpose}
        for purpose, key in named
    ]
    proving = [key.key_id for purpose, key in named if purpose != Purpose.SEAL]
    return {**raw, "objects": {"key": listed}}, proving


def record_id_of(text: str) -> RecordId:
    """Return the record id that a person typed.

    Raises:
        BadParameterError: It is none.
    """
    try:
        return RecordId(parse_id(text))
    except InvalidDataError as error:
        raise BadParameterError(f"{text!r} is no id: {error}", name="ID") from error
