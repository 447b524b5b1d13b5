"""What came of an act, said to people: where its entry stands, and what it made."""

from collections.abc import Collection
from contextlib import suppress
from typing import Final

from cli.acting import Actor
from cli.certificate_files import Sheet, write_sheet
from cli.document_words import act_words, type_words
from cli.exit_codes import ExitCode
from cli.interrupts import heard
from cli.output import Context, accepted, at_home, suggested
from cli.packages import Package
from cli.sent import Sent, unsettled
from keys.errors import CivregError
from ledger.ids import print_id
from registry.birth_details import COMPARED
from registry.explain_words import object_words
from registry.possible_duplicates import found_before
from registry.problems import in_language

CERTIFY: Final = "certify"
"""The operation whose entry is named later: `certify --of ENTRY` writes the file again."""


def say_result(
    context: Context,
    actor: Actor,
    sent: Sent,
    sheet: Sheet | None = None,
    changed: Collection[str] | None = None,
) -> ExitCode:
    """Say where an entry stands, or raise why it does not; NO_NETWORK if nobody knows yet.

    Args:
        context: How to say it.
        actor: The network.
        sent: What was submitted, and what came of it.
        sheet: The file of its certificate, to be written if it stands in the chain.
        changed: Sealed paths that it changes; None where nobody here has opened what was there.

    Returns:
        CANCELLED if it stands there and only its certificate's file was stopped by Ctrl-C.

    Raises:
        RemoteRefusalError: The ledger refused it.
        CivregError, OSError: It stands in the chain, as was said, and its file cannot be written.
    """
    sent.result.check()
    problem = None
    if sheet is not None and sent.result.committed:
        problem = _write(actor, sent.package, sheet)
    shown, lines = _told(context, sent)
    if sent.result.committed:
        # The act stands, whatever comes of looking at its record once more.
        with suppress(CivregError):
            _tell_duplicates(context, actor, sent.package, shown, lines)
            lines += _subject_to_follow(context, actor, sent.package, changed, shown)
    next_command = _next(sent.package)
    if sheet is not None and sent.result.committed and problem is None:
        shown["file"] = str(sheet.out)
        lines.append(context.say("act.certificate_file", path=sheet.out))
        next_command = suggested("verify", sheet.out)
    elif sheet is not None:
        command = at_home(_write_again(sent.package, sheet), context)
        lines.append(context.say("act.certificate_later", command=command))
    if sent.kept is not None:
        next_command = suggested("draft", "submit", sent.kept)
    accepted(shown, context, lines=lines, next_command=next_command)
    if isinstance(problem, Exception):
        raise problem
    if problem is not None:
        return ExitCode.CANCELLED
    return ExitCode.OK if sent.result.committed else ExitCode.NO_NETWORK


def _write(actor: Actor, package: Package, sheet: Sheet) -> BaseException | None:
    """Write the file of a certificate; return what kept it from being written, to be told later."""
    try:
        with heard():
            write_sheet(actor, sheet, package.entry)
    except (CivregError, OSError, KeyboardInterrupt) as problem:
        return problem
    return None


def _told(context: Context, sent: Sent) -> tuple[dict[str, object], list[str]]:
    """Return data and lines about an entry, whether it stands in the chain or not yet."""
    entry, result = sent.package.entry, sent.result
    records = [
        {"type": part.type_name, "id": print_id(part.record_id), "version": part.record_version}
        for part in entry.records
    ]
    others = [str(kept) for kept in unsettled(context.home) if kept != sent.kept]
    shown: dict[str, object] = {
        "status": result.status,
        "kind": entry.head.kind,
        "entry": entry.entry_digest,
        "height": result.height,
        "index": result.index,
        "registration_no": result.registration_number,
        "records": records,
        "unsettled": others,
    }
    lines = _lines(context, sent)
    made = [item for item in entry.objects if item.kind in {"certificate", "ballot", "office"}]
    if made:
        identifier = print_id(made_id_of(sent.package))
        shown["made"] = {"kind": made[0].kind, "id": identifier}
        words = in_language(object_words(made[0].kind), context.lang)
        lines.append(context.say("act.made", kind=words, id=identifier))
    if entry.head.operation == CERTIFY and sent.kept is None:
        lines.append(context.say("act.entry", entry=entry.entry_digest.hex()))
    if sent.kept is not None:
        shown |= {
            "kept": str(sent.kept),
            "cause": sent.cause,
            "settle_command": sent.settle_command(context),
        }
        lines.append(context.say("act.kept", entry=entry.entry_digest.hex(), path=sent.kept))
    return shown, lines


def _lines(context: Context, sent: Sent) -> list[str]:
    """Say in words what was registered, and what it wrote."""
    entry, result = sent.package.entry, sent.result
    kind = act_words(entry.head.kind, context.lang)
    lines = [context.say(f"act.{result.status}", kind=kind, height=result.height)]
    if result.registration_number is not None:
        lines.append(context.say("act.number", number=result.registration_number))
    for part in entry.records:
        words = type_words(part.type_name, context.lang)
        shown = print_id(part.record_id)
        lines.append(context.say("act.record", type=words, id=shown, version=part.record_version))
    return lines


def _tell_duplicates(
    context: Context,
    actor: Actor,
    package: Package,
    shown: dict[str, object],
    lines: list[str],
) -> None:
    """Tell of a record that waits now for an officer to compare it with others."""
    type_name, _slash, operation = package.entry.head.kind.partition("/")
    schema = actor.find_type(type_name).operations.get(operation)
    calls = () if schema is None else schema.rules
    if not package.entry.records or all(call.name != "duplicate_births" for call in calls):
        return
    found = found_before(actor.target(package.record_id).row.engine)
    shown["possible_duplicates"] = [print_id(one) for one in found]
    if found:
        records = ", ".join(print_id(one) for one in found)
        lines.append(context.say("act.may_be", records=records))


def _subject_to_follow(
    context: Context,
    actor: Actor,
    package: Package,
    changed: Collection[str] | None,
    shown: dict[str, object],
) -> list[str]:
    """Say that the identity which came of a birth says still what the birth said before.

    Nobody has signed a new version of it, so an edit of a name leaves it as it was.
    """
    type_name, _slash, operation = package.entry.head.kind.partition("/")
    record_type = actor.find_type(type_name)
    subject, schema = record_type.subject, record_type.operations.get(operation)
    if subject not in record_type.engine_fields or schema is None or schema.edit == "none":
        return []
    paths = [path for paths in COMPARED for path in paths]
    if changed is not None and not set(paths) & set(changed):
        return []
    target = actor.target(package.record_id).row.links.get(subject)
    if not isinstance(target, bytes) or not any(
        schema.may_write(path.partition(".")[0]) for path in paths
    ):
        return []
    edit = "supplement" if schema.edit == "supplement" else "correct"
    command = suggested(record_type.fields[subject].target, edit, print_id(target))
    shown["follow_command"] = at_home(command, context)
    sentence = "act.follow_maybe" if changed is None else "act.follow"
    return [context.say(sentence, id=print_id(target), command=at_home(command, context))]


def _next(package: Package) -> str | None:
    """Return the command that looks at what was registered."""
    entry = package.entry
    if entry.records:
        return suggested("show", print_id(entry.records[0].record_id))
    if entry.head.about is not None:
        return suggested("record", "history", print_id(entry.head.about.record_id))
    return None


def _write_again(package: Package, sheet: Sheet) -> str:
    """Return the command that writes the file of a certificate, once its entry is registered."""
    entry = package.entry
    noun = entry.head.kind.partition("/")[0].replace("_", "-")
    record = print_id(package.record_id)
    return suggested(noun, "certify", record, "--of", entry.entry_digest.hex(), "--out", sheet.out)


def made_id_of(package: Package) -> bytes:
    """Return the id of what a side act or act of governance made.

    A certificate has a random one, so that it leads to nothing; others follow from the act.
    """
    for item in package.entry.objects:
        certificate_id = item.fields.get("certificate_id")
        if isinstance(certificate_id, bytes):
            return certificate_id
    return package.entry.created_record_id
