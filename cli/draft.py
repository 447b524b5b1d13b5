"""`civreg draft`: entries that several people sign, one after another, on machines of their own.

A draft travels as a file, or waits at the node of its office, where its signers find it; every
command takes the name of a file or the digest of a held draft.

Each program opens the draft with its own key, recomputes commitment and digest, runs the office
rules again and says in words what is signed. A program that cannot open it says "unseen".
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from cli.act_flow import open_actor
from cli.act_results import say_result
from cli.act_words import explain
from cli.acting import Actor
from cli.bodies import open_draft
from cli.commands import Command, Group
from cli.draft_trials import Trial, try_draft, unchecked
from cli.errors import AlreadySignedError, BadParameterError, FileTakenError, KeyNeededError
from cli.exit_codes import ExitCode
from cli.hands import key_of, name_of_signer, who_is
from cli.held_drafts import (
    FILE_OR_ENTRY,
    Place,
    find_draft,
    keeper,
    leave,
    list_drafts,
    sign_there,
)
from cli.office_checks import check_attested
from cli.output import Context, accepted, confirm, note, suggested
from cli.passphrases import passphrase_options
from cli.sent import send_act, warn_of_unsettled
from cli.trying import try_entry
from keys.private_files import write_private
from keys.signing import KeyId
from ledger.canonical import Value
from ledger.ids import RecordId
from registry.civil_calendar import civil_date
from registry.drafts import (
    Draft,
    add_signature,
    custodian_is_next,
    missing_keys,
    parse_draft,
    print_draft,
    required_keys,
)
from registry.explain import Explanation
from registry.problems import in_language

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_NEW_FILE = click.Path(path_type=Path, dir_okay=False)
_DRAFT = click.argument("word", metavar=FILE_OR_ENTRY)
_AUTH = click.option(
    "--auth", "asker", metavar="NAME", default="",
    help="Whose auth key signs the requests to nodes.",
)  # fmt: skip
_NODE = click.option(
    "--node", metavar="AGENCY", default="",
    help="The node of which agency; by default that of the draft's office.",
)  # fmt: skip
_SHOWN_DIGITS = 12


@click.group(cls=Group)
def draft() -> None:
    """Show, sign and submit drafts: entries that several people sign.

    \b
    Example:
        civreg draft show transfer.draft
        civreg draft sign transfer.draft --key lan-sign
        civreg draft list
    """


@draft.command(cls=Command)
@_DRAFT
@_AUTH
@passphrase_options
@click.pass_obj
def show(context: Context, word: str, asker: str) -> None:
    """Say in words what a draft does, who has signed and who has not.

    \b
    Example:
        civreg draft show transfer.draft --lang vi
    """
    with open_actor(context, asker) as actor:
        read, place = find_draft(actor, word)
        explanation, _opened = _look(actor, read)
        trial = try_draft(actor, read)
        signed = [_name(actor, key) for key in required_keys(read.entry) if key in read.signatures]
        missing = _names(context, actor, read, missing_keys(read))
        result = {
            "entry": read.entry.entry_digest,
            "kind": read.entry.head.kind,
            "unseen": explanation.unseen,
            "explanation": explanation.text(context.lang).splitlines(),
            "signed": signed,
            "missing_signatures": missing,
            "not_after_ms": read.entry.head.not_after_ms,
            "trial": trial.shown(),
        }
        lines = [
            *explanation.text(context.lang).splitlines(),
            context.say("draft.signed", names=", ".join(signed) or "-"),
            context.say("draft.missing", names=", ".join(missing) or "-"),
            *trial.told(context),
        ]
        _say(context, read, place, result, lines, trial)


@draft.command(cls=Command, changes=True)
@_DRAFT
@click.option("--key", "keys", multiple=True, metavar="WHO",
              help="Key that signs; without it all keys at hand that are missing.")  # fmt: skip
@_AUTH
@passphrase_options
@click.pass_obj
def sign(context: Context, word: str, keys: tuple[str, ...], asker: str) -> None:
    """Sign a draft with your keys, after showing what it does.

    The file is replaced; a draft that waits at a node gets your signatures there.

    \b
    Example:
        civreg draft sign transfer.draft --key lan-sign
    """
    with open_actor(context, asker) as actor:
        read, place = find_draft(actor, word)
        explanation, _opened = _look(actor, read)
        wanted = _who_signs(context, actor, read, keys)
        if explanation.unseen or context.dry_run or not context.yes:
            note(explanation.text(context.lang).rstrip(), context)
        trial = try_draft(actor, read)
        for line in trial.told(context):
            note(line, context)
        confirm(context.say("act.sign_this"), context)
        for key_id in wanted:
            key = actor.ring.need(key_id, "sign")
            read = add_signature(read, key.public, key.sign(read.entry.sign_message))
        if not context.dry_run:
            _keep(actor, read, place, wanted)
        missing = _names(context, actor, read, missing_keys(read))
        result = {
            "draft": place.name,
            "entry": read.entry.entry_digest,
            "unseen": explanation.unseen,
            "signed_by": [_name(actor, key) for key in wanted],
            "missing_signatures": missing,
            "trial": trial.shown(),
            "dry_run": context.dry_run,
        }
        lines = [
            context.say("draft.now_signed", names=", ".join(_name(actor, key) for key in wanted)),
            context.say("draft.missing", names=", ".join(missing) or "-"),
        ]
        _say(context, read, place, result, lines, trial)


@draft.command(cls=Command, changes=True)
@_DRAFT
@_AUTH
@passphrase_options
@click.pass_obj
def submit(context: Context, word: str, asker: str) -> int:
    """Have the custodian sign a draft that all others have signed, and submit it.

    Submitting it again is harmless, and tells what became of it: an entry is known by its digest.

    \b
    Example:
        civreg draft submit transfer.draft
    """
    with open_actor(context, asker) as actor:
        read, _place = find_draft(actor, word)
        warn_of_unsettled(context, [read.entry.entry_digest])
        if context.dry_run:
            outcome = try_entry(actor, read)
            unseen = unchecked(context, actor, read, ())
            accepted({"dry_run": True, "warnings": list(outcome.warnings), "unchecked": unseen},
                     context, lines=[context.say("act.would_pass"), *unseen])  # fmt: skip
            return ExitCode.OK
        return say_result(context, actor, send_act(context, actor, read))


@draft.command(cls=Command, changes=True)
@click.argument(
    "file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False, exists=True)
)
@_NODE
@_AUTH
@passphrase_options
@click.pass_obj
def send(context: Context, file: Path, node: str, asker: str) -> None:
    """Leave a draft at the node of its office, where its other signers find it.

    Signatures that are there already stay. The node forgets it at its last moment, or once its
    entry is in the chain.

    \b
    Example:
        civreg draft send transfer.draft
    """
    with open_actor(context, asker) as actor:
        read = parse_draft(file.read_bytes())
        address = keeper(actor, read, node)
        missing = _names(context, actor, read, missing_keys(read))
        confirm(context.say("draft.send_this", address=address), context)
        if not context.dry_run:
            left = leave(actor, read, address)
            missing = _names(context, actor, read, [_key_id(key) for key in left["missing"]])
        entry = read.entry.entry_digest.hex()
        result = {
            "entry": entry,
            "node": address,
            "missing_signatures": missing,
            "not_after_ms": read.entry.head.not_after_ms,
            "dry_run": context.dry_run,
        }
        lines = [
            context.say("act.nothing_sent" if context.dry_run else "draft.left", entry=entry),
            context.say("draft.missing", names=", ".join(missing) or "-"),
        ]
        command = suggested("draft", "sign", entry)
        accepted(result, context, lines=lines, next_command=command, elsewhere=True)


@draft.command("list", cls=Command)
@_NODE
@_AUTH
@passphrase_options
@click.pass_obj
def list_(context: Context, node: str, asker: str) -> None:
    """List the drafts at nodes that you sign or that are of your office.

    \b
    Example:
        civreg draft list
    """
    with open_actor(context, asker) as actor:
        listed = list_drafts(actor, node)
        for agency, one in listed:
            missing = [_key_id(key) for key in one["missing"]]
            yours = [_name(actor, key) for key in missing if key in actor.ring]
            names = [_name(actor, key) for key in missing]
            result = {**one, "node": agency, "missing_signatures": names, "you_sign": yours}
            form_kind = actor.find_form(str(one["kind"]))
            lines = [
                context.say(
                    "draft.listed",
                    entry=one["entry"],
                    what=in_language(form_kind.record_type.title, context.lang),
                    act=in_language(form_kind.operation.title, context.lang) or one["kind"],
                    day=civil_date(int(one["not_after_ms"])),
                ),
                f"  {context.say('draft.missing', names=', '.join(names) or '-')}",
            ]
            if yours:
                lines.append(f"  {context.say('draft.you_sign', names=', '.join(yours))}")
            accepted(result, context, lines=lines)
        if not listed and not context.as_json:
            accepted({}, context, lines=context.say("draft.none"))


@draft.command(cls=Command)
@click.argument("entry", metavar="ENTRY")
@click.option("--out", type=_NEW_FILE, help="New file; by default the digest's first digits.")
@_NODE
@_AUTH
@passphrase_options
@click.pass_obj
def fetch(context: Context, entry: str, out: Path | None, node: str, asker: str) -> None:
    """Take a draft that waits at a node home as a file; it waits on.

    \b
    Example:
        civreg draft fetch 5b2f0c4e8d1a7f3c6b9e0d2a4c8f1b3d5e7a9c0b2d4f6a8c1e3b5d7f9a0c2e4f
    """
    path = out or Path(f"{entry[:_SHOWN_DIGITS]}.draft")
    if path.exists():
        raise FileTakenError("there is a file of that name already", name=str(path))
    with open_actor(context, asker) as actor:
        read, place = find_draft(actor, entry, node)
        if place.path is not None:
            raise BadParameterError("the digest of an entry is 64 hexadecimal digits", name="ENTRY")
        write_private(path, print_draft(read))
        missing = _names(context, actor, read, missing_keys(read))
        result = {"draft": path, "entry": entry, "missing_signatures": missing}
        lines = [
            context.say("draft.fetched", path=path),
            context.say("draft.missing", names=", ".join(missing) or "-"),
        ]
        _say(context, read, Place(path, "", str(path)), result, lines)


def _look(actor: Actor, read: Draft) -> tuple[Explanation, Mapping[RecordId, Mapping[str, Value]]]:
    """Open what can be opened, run the office rules on it, and say what the draft does.

    Raises:
        BodyError: A body is not what the entry says.
        InvalidInputError: An office rule says otherwise than the entry.
    """
    opened = open_draft(read, actor.find_type, actor.ring)
    explanation = explain(actor, read.entry, opened, {})
    if not explanation.unseen:
        check_attested(actor, read.entry, opened)
    return explanation, opened


def _who_signs(context: Context, actor: Actor, read: Draft, words: Iterable[str]) -> list[KeyId]:
    """Return the keys that sign a draft now: those named, else all at hand that are missing.

    Raises:
        AlreadySignedError: They have signed it.
        KeyNeededError: No key at hand is one of its signers.
        NotFoundError: A word names no key.
    """
    missing = missing_keys(read)
    named = [key_of(actor, word) for word in words]
    here = named or [key_id for key_id in required_keys(read.entry) if key_id in actor.ring]
    wanted = [key_id for key_id in here if key_id not in read.signatures]
    if wanted:
        return wanted
    others = ", ".join(_names(context, actor, read, missing)) or "-"
    if here:
        names = ", ".join(_name(actor, key) for key in here)
        raise AlreadySignedError(
            f"{names} signed this draft before; still to sign: {others}", names=names
        )
    raise KeyNeededError(f"none of the missing keys is at hand: {others}", purpose="sign")


def _name(actor: Actor, key_id: bytes) -> str:
    return who_is(actor, key_id) or key_id.hex()


def _names(context: Context, actor: Actor, read: Draft, keys: Iterable[KeyId]) -> list[str]:
    return [name_of_signer(actor, read, key, context.lang) for key in keys]


def _key_id(shown: str) -> KeyId:
    """Return a key id that a node gave in hexadecimal."""
    return KeyId(bytes.fromhex(shown))


def _keep(actor: Actor, read: Draft, place: Place, keys: list[KeyId]) -> None:
    """Put new signatures where the draft is: into its file, or to the node that holds it."""
    if place.path is not None:
        write_private(place.path, print_draft(read))
    else:
        sign_there(actor, read, place.address, keys)


def _say(
    context: Context,
    read: Draft,
    place: Place,
    result: Mapping[str, object],
    lines: list[str],
    trial: Trial | None = None,
) -> None:
    """Say how far a draft is; who signs next does it elsewhere. What would fall goes no further."""
    done = not missing_keys(read) or custodian_is_next(read)
    command: str | None = suggested("draft", "submit" if done else "sign", place.name)
    if trial is not None and trial.is_refused:
        command = None
    accepted(result, context, lines=lines, next_command=command, elsewhere=not done)
