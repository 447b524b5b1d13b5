"""From a clerk's or owner's form to the chain, for every operation of every record type.

read the form, all mistakes at once -> plan the signers -> run the office rules, seal, ask the
custodian -> say in words what will be signed -> ask -> sign with the keys at hand -> submit, or
write a draft for those whose signatures are missing.

With --dry-run everything but signing and submitting happens, and the rules of the ledger are tried
on the state as the node tells it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cli.acting import Actor, Drafted, Order
from cli.bodies import previous_content
from cli.certifying import fill_certificate, makes_certificate
from cli.errors import FileTakenError, InvalidInputError
from cli.exit_codes import ExitCode
from cli.form_words import prepare_form
from cli.hands import Wishes, key_of, make_hands, named_office, public_key_of, who_is
from cli.key import PERSON_PURPOSES, find_key
from cli.network_view import NetworkView
from cli.output import Context, accepted, confirm, note
from cli.packages import Package, Result
from cli.passphrases import asker, source
from cli.trying import try_entry
from keys.errors import CivregError
from keys.signing import KeyId, PublicKey, Purpose
from ledger.canonical import Value
from ledger.entries import EntryContent
from ledger.ids import OfficeId, RecordId, parse_id, print_id
from registry.acts import Act, RecordContent
from registry.authority_errors import SignerMissingError
from registry.drafts import Draft, custodian_is_next, missing_keys, print_draft
from registry.explain import Explanation, Reading, explain_entry
from registry.form_kinds import FormKind
from registry.forms import parse_form_text, read_form
from registry.preparing import Target
from registry.problems import Language
from registry.record_checks import companion_id

STATUS_PENDING: Final = "pending"


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
        enrol: Keys to be enrolled, see `_enrolled`.
    """

    kind: str
    form: str = ""
    settings: Sequence[str] = ()
    record_id: RecordId | None = None
    office: str = ""
    wishes: Wishes = field(default_factory=Wishes)
    asker: str = ""
    draft: Path | None = None
    enrol: Sequence[str] = ()


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
    """Do what was asked for and say what came of it; NO_NETWORK if it still waits for a block.

    Raises:
        CivregError: What refused it; nothing is in the chain then.
    """
    if wanted.draft is not None and wanted.draft.exists():
        raise FileTakenError("there is a file of that name already", name=str(wanted.draft))
    with open_actor(context, wanted.asker) as actor:
        form_kind = actor.find_form(wanted.kind)
        office = named_office(actor, wanted.office)
        order, before = _order(actor, form_kind, office, wanted, context.lang)
        made = actor.prepare(order)
        explanation = explain(actor, made.draft.entry, made.opened, before)
        if context.dry_run:
            _dry_run(context, actor, made, explanation)
            return ExitCode.OK
        _ask(context, explanation)
        draft = actor.sign(made.draft)
        if missing_keys(draft) and not custodian_is_next(draft):
            _pass_on(context, actor, draft, wanted.draft)
            return ExitCode.OK
        package = actor.complete(draft, order.asker)
        return say_result(context, package, actor.submit([package])[0])


def _order(
    actor: Actor,
    form_kind: FormKind,
    office: OfficeId | None,
    wanted: Wanted,
    language: Language,
) -> tuple[Order, Mapping[RecordId, Mapping[str, Value]]]:
    """Return the order for an act, and the sealed values that its records had before."""
    target, previous, opened_before = _present(actor, form_kind, wanted.record_id)
    raw = prepare_form(
        parse_form_text(wanted.form) if wanted.form.strip() else {},
        wanted.settings,
        form_kind,
        actor,
    )
    new_keys: list[KeyId] = []
    if wanted.enrol:
        raw, new_keys = _enrolled(actor, raw, wanted.enrol)
    if form_kind.operation.side or not form_kind.creates:
        _date_it(raw, previous, actor.today)
    if makes_certificate(form_kind) and target is not None and office is not None:
        record_type = form_kind.record_type
        fill_certificate(raw, record_type, target, office, today=actor.today, language=language)
    act: Act = read_form(raw, form_kind, actor.find_table, previous, actor.today)
    wishes = Wishes(
        terms=wanted.wishes.terms,
        persons=wanted.wishes.persons,
        custody=wanted.wishes.custody,
        paper=wanted.wishes.paper,
        agency=wanted.wishes.agency,
        new_keys=new_keys,
    )
    hands = make_hands(actor, form_kind.operation, office, wishes)
    office = office or _office_of(actor, target)
    order = Order(
        act=act, hands=hands, office=office, target=target, readable=wanted.draft is not None
    )
    return order, opened_before


def _date_it(raw: dict[str, object], previous: RecordContent | None, today: str) -> None:
    """Let an act that names no date be of today, unless its record says one."""
    act = raw.setdefault("act", {})
    dated = "event_date" in raw or (previous is not None and "event_date" in previous.member)
    if isinstance(act, dict) and not dated:
        act.setdefault("event_date", today)


def _office_of(actor: Actor, target: Target | None) -> OfficeId | None:
    """Return the office that keeps a record; of a founding identity the first one."""
    if target is not None and target.row.office is not None:
        return target.row.office
    return None if target is None else actor.genesis.parts[0].office.office_id


def _present(
    actor: Actor, form_kind: FormKind, record_id: RecordId | None
) -> tuple[Target | None, RecordContent | None, Mapping[RecordId, Mapping[str, Value]]]:
    """Return the record as it is, its values for the form, and those by record id."""
    operation = form_kind.operation
    if record_id is None:
        if not form_kind.creates and not (operation.side and operation.about != "record"):
            raise InvalidInputError("this operation is about a record: name its id", name="ID")
        return None, None, {}
    beside = bool(operation.writes) and operation.writes[0].kind == "companion"
    target = actor.target(record_id, companion=beside)
    if operation.side:
        return target, None, {}
    row, shown_id = target.row, record_id
    if beside:
        if target.companion is None:
            return target, RecordContent(), {}
        row, shown_id = target.companion, companion_id(record_id)
    content, is_open = previous_content(actor, shown_id, row)
    return target, content, {shown_id: content.sealed} if is_open else {}


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


def explain(
    view: NetworkView,
    entry: EntryContent,
    opened: Mapping[RecordId, Mapping[str, Value]],
    before: Mapping[RecordId, Mapping[str, Value]],
) -> Explanation:
    """Say in words what an entry does."""
    reading = Reading(
        find_type=view.find_type,
        find_table=view.find_table,
        name_of=lambda identifier: who_is(view, identifier),
        opened=opened,
        before=before,
    )
    return explain_entry(entry, reading)


def _dry_run(context: Context, actor: Actor, made: Drafted, explanation: Explanation) -> None:
    outcome = try_entry(actor, made.draft)
    result = {
        "dry_run": True,
        "kind": made.draft.entry.head.kind,
        "explanation": explanation.text(context.lang).splitlines(),
        "warnings": list(outcome.warnings),
        "missing_signatures": _who_is_missing(actor, made.draft),
    }
    lines = [*explanation.text(context.lang).splitlines(), context.say("act.would_pass")]
    accepted(result, context, lines=lines)


def _ask(context: Context, explanation: Explanation) -> None:
    if not context.yes:
        note(explanation.text(context.lang).rstrip(), context)
    confirm(context.say("act.sign_this"), context)


def _who_is_missing(view: NetworkView, draft: Draft) -> list[str]:
    return [who_is(view, key_id) or key_id.hex() for key_id in missing_keys(draft)]


def _pass_on(context: Context, actor: Actor, draft: Draft, path: Path | None) -> None:
    """Write a draft for the others who sign.

    Raises:
        SignerMissingError: No file was named for it.
    """
    missing = _who_is_missing(actor, draft)
    if path is None:
        raise SignerMissingError(
            f"keys are not at hand: {', '.join(missing)}; write a draft with --draft FILE",
            term=missing[0],
        )
    path.write_bytes(print_draft(draft))
    path.chmod(0o600)
    result = {
        "draft": path,
        "entry": draft.entry.entry_digest,
        "missing_signatures": missing,
        "not_after_ms": draft.entry.head.not_after_ms,
    }
    lines = [
        context.say("draft.written", path=path),
        context.say("draft.missing", names=", ".join(missing)),
    ]
    accepted(result, context, lines=lines, next_command=f"civreg draft sign {path}")


def say_result(context: Context, package: Package, result: Result) -> ExitCode:
    """Say where an entry stands, or raise why it does not; NO_NETWORK if it still waits.

    Raises:
        RemoteRefusalError: The ledger refused it.
    """
    result.check()
    entry = package.entry
    records = [
        {"type": part.type_name, "id": print_id(part.record_id), "version": part.record_version}
        for part in entry.records
    ]
    shown: dict[str, object] = {
        "status": result.status,
        "kind": entry.head.kind,
        "entry": entry.entry_digest,
        "height": result.height,
        "index": result.index,
        "registration_no": result.registration_number,
        "records": records,
    }
    lines = [context.say(f"act.{result.status}", kind=entry.head.kind, height=result.height)]
    if result.registration_number is not None:
        lines.append(context.say("act.number", number=result.registration_number))
    lines += [context.say("act.record", **record) for record in records]
    about = entry.head.about
    next_command = None
    if records:
        next_command = f"civreg show {records[0]['id']}"
    elif about is not None:
        next_command = f"civreg record history {print_id(about.record_id)}"
    made = [item for item in entry.objects if item.kind in {"certificate", "ballot", "office"}]
    if made:
        identifier = print_id(made_id_of(package))
        shown["made"] = {"kind": made[0].kind, "id": identifier}
        lines.append(context.say("act.made", kind=made[0].kind, id=identifier))
    accepted(shown, context, lines=lines, next_command=next_command)
    return ExitCode.OK if result.committed else ExitCode.NO_NETWORK


def made_id_of(package: Package) -> bytes:
    """Return the id of what a side act or act of governance made.

    A certificate has a random one, so that it leads to nothing; others follow from the act.
    """
    for item in package.entry.objects:
        certificate_id = item.fields.get("certificate_id")
        if isinstance(certificate_id, bytes):
            return certificate_id
    return package.entry.created_record_id


def record_id_of(text: str) -> RecordId:
    """Return the record id that a person typed.

    Raises:
        InvalidDataError: It is none.
    """
    return RecordId(parse_id(text))
