"""What a person is told of an act before and after signing it: in words, tried, or as a draft."""

from collections.abc import Mapping
from pathlib import Path

from cli.acting import Actor, Drafted
from cli.draft_trials import Trial, unchecked
from cli.hands import name_of_signer, who_is
from cli.network_view import NetworkView
from cli.output import Context, accepted, confirm, note, suggested
from cli.trying import try_entry
from keys.private_files import write_private
from ledger.canonical import Value
from ledger.entries import EntryContent
from ledger.ids import RecordId
from registry.authority_errors import SignerMissingError
from registry.drafts import Draft, missing_keys, print_draft
from registry.explain import Explanation, Reading, explain_entry


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


def say_dry_run(
    context: Context,
    actor: Actor,
    made: Drafted,
    explanation: Explanation,
    before: Mapping[RecordId, Mapping[str, Value]],
) -> None:
    """Try the rules and say what the act would do; nothing is signed or sent.

    Raises:
        RuleError: Why the ledger would refuse it.
    """
    outcome = try_entry(actor, made.draft)
    unseen = unchecked(context, actor, made.draft, before.keys())
    result = {
        "dry_run": True,
        "kind": made.draft.entry.head.kind,
        "explanation": explanation.text(context.lang).splitlines(),
        "warnings": list(outcome.warnings),
        "unchecked": unseen,
        "missing_signatures": _who_is_missing(context, actor, made.draft),
    }
    lines = [*explanation.text(context.lang).splitlines(), context.say("act.would_pass"), *unseen]
    accepted(result, context, lines=lines)


def ask_to_sign(context: Context, explanation: Explanation, trial: Trial | None) -> None:
    """Show what will be signed, and what the ledger would say of it, and ask.

    Raises:
        CancelledError: The person said no.
    """
    if not context.yes:
        note(explanation.text(context.lang).rstrip(), context)
    for line in () if trial is None else trial.told(context):
        note(line, context)
    confirm(context.say("act.sign_this"), context)


def _who_is_missing(context: Context, view: NetworkView, draft: Draft) -> list[str]:
    return [name_of_signer(view, draft, key_id, context.lang) for key_id in missing_keys(draft)]


def pass_on(
    context: Context, actor: Actor, draft: Draft, path: Path | None, trial: Trial | None
) -> None:
    """Write a draft for the others who sign.

    Raises:
        SignerMissingError: No file was named for it.
    """
    missing = _who_is_missing(context, actor, draft)
    if path is None or trial is None:
        raise SignerMissingError(
            f"keys are not at hand: {', '.join(missing)}; write a draft with --draft FILE",
            term=missing[0],
        )
    write_private(path, print_draft(draft))
    result = {
        "draft": path,
        "entry": draft.entry.entry_digest,
        "missing_signatures": missing,
        "not_after_ms": draft.entry.head.not_after_ms,
        "trial": trial.shown(),
    }
    lines = [
        context.say("draft.written", path=path),
        context.say("draft.missing", names=", ".join(missing)),
    ]
    accepted(
        result, context, lines=lines, next_command=suggested("draft", "sign", path), elsewhere=True
    )
