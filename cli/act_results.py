"""What came of an act, said to people: where its entry stands, and what it made."""

from cli.certificate_files import Sheet
from cli.document_words import act_words, type_words
from cli.exit_codes import ExitCode
from cli.output import Context, accepted, suggested
from cli.packages import Package, Result
from ledger.ids import print_id
from registry.explain_words import object_words
from registry.problems import in_language


def say_result(
    context: Context, package: Package, result: Result, sheet: Sheet | None = None
) -> ExitCode:
    """Say where an entry stands, or raise why it does not; NO_NETWORK if it still waits.

    Args:
        context: How to say it.
        package: What was submitted.
        result: What came of it.
        sheet: The file of its certificate, which was written if it stands in the chain.

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
    lines = _lines(context, package, result)
    about = entry.head.about
    next_command = None
    if records:
        next_command = suggested("show", records[0]["id"])
    elif about is not None:
        next_command = suggested("record", "history", print_id(about.record_id))
    made = [item for item in entry.objects if item.kind in {"certificate", "ballot", "office"}]
    if made:
        identifier = print_id(made_id_of(package))
        shown["made"] = {"kind": made[0].kind, "id": identifier}
        words = in_language(object_words(made[0].kind), context.lang)
        lines.append(context.say("act.made", kind=words, id=identifier))
    if sheet is not None and result.committed:
        shown["file"] = str(sheet.out)
        lines.append(context.say("act.certificate_file", path=sheet.out))
        next_command = suggested("verify", sheet.out)
    accepted(shown, context, lines=lines, next_command=next_command)
    return ExitCode.OK if result.committed else ExitCode.NO_NETWORK


def _lines(context: Context, package: Package, result: Result) -> list[str]:
    """Say in words what was registered, and what it wrote."""
    entry = package.entry
    kind = act_words(entry.head.kind, context.lang)
    lines = [context.say(f"act.{result.status}", kind=kind, height=result.height)]
    if result.registration_number is not None:
        lines.append(context.say("act.number", number=result.registration_number))
    for part in entry.records:
        words = type_words(part.type_name, context.lang)
        shown = print_id(part.record_id)
        lines.append(context.say("act.record", type=words, id=shown, version=part.record_version))
    return lines


def made_id_of(package: Package) -> bytes:
    """Return the id of what a side act or act of governance made.

    A certificate has a random one, so that it leads to nothing; others follow from the act.
    """
    for item in package.entry.objects:
        certificate_id = item.fields.get("certificate_id")
        if isinstance(certificate_id, bytes):
            return certificate_id
    return package.entry.created_record_id
