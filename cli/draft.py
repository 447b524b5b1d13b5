"""`civreg draft`: entries that several people sign, one after another, on machines of their own.

Each program opens the draft with its own key, recomputes commitment and digest, runs the office
rules again and says in words what is signed. A program that cannot open it says "unseen".
"""

from collections.abc import Mapping
from pathlib import Path

import click

from cli.act_flow import explain, open_actor
from cli.act_results import say_result
from cli.acting import Actor
from cli.bodies import open_draft
from cli.commands import Command, Group
from cli.errors import KeyNeededError
from cli.exit_codes import ExitCode
from cli.hands import key_of, name_of_signer, who_is
from cli.office_checks import check_attested
from cli.output import Context, accepted, confirm, note
from cli.passphrases import passphrase_options
from cli.trying import try_entry
from ledger.canonical import Value
from ledger.ids import RecordId
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

_DRAFT = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group(cls=Group)
def draft() -> None:
    """Show, sign and submit drafts: entries that several people sign.

    \b
    Example:
        civreg draft show transfer.draft
        civreg draft sign transfer.draft --key lan-sign
    """


@draft.command(cls=Command)
@click.argument("file", metavar="FILE", type=_DRAFT)
@passphrase_options
@click.pass_obj
def show(context: Context, file: Path) -> None:
    """Say in words what a draft does, who has signed and who has not.

    \b
    Example:
        civreg draft show transfer.draft --lang vi
    """
    with open_actor(context) as actor:
        read = parse_draft(file.read_bytes())
        explanation, _opened = _look(actor, read)
        signed = [_name(actor, key) for key in required_keys(read.entry) if key in read.signatures]
        missing = [name_of_signer(actor, read, key) for key in missing_keys(read)]
        result = {
            "entry": read.entry.entry_digest,
            "kind": read.entry.head.kind,
            "unseen": explanation.unseen,
            "explanation": explanation.text(context.lang).splitlines(),
            "signed": signed,
            "missing_signatures": missing,
            "not_after_ms": read.entry.head.not_after_ms,
        }
        lines = [
            *explanation.text(context.lang).splitlines(),
            context.say("draft.signed", names=", ".join(signed) or "-"),
            context.say("draft.missing", names=", ".join(missing) or "-"),
        ]
        _say(context, read, file, result, lines)


@draft.command(cls=Command, changes=True)
@click.argument("file", metavar="FILE", type=_DRAFT)
@click.option("--key", "keys", multiple=True, metavar="WHO",
              help="Key that signs; without it all keys at hand that are missing.")  # fmt: skip
@passphrase_options
@click.pass_obj
def sign(context: Context, file: Path, keys: tuple[str, ...]) -> None:
    """Sign a draft with your keys, after showing what it does; the file is replaced.

    \b
    Example:
        civreg draft sign transfer.draft --key lan-sign
    """
    with open_actor(context) as actor:
        read = parse_draft(file.read_bytes())
        explanation, _opened = _look(actor, read)
        wanted = [key_of(actor, name) for name in keys] or [
            key_id for key_id in missing_keys(read) if key_id in actor.ring
        ]
        if not wanted:
            names = ", ".join(_name(actor, key) for key in missing_keys(read))
            raise KeyNeededError(f"none of the missing keys is at hand: {names}", purpose="sign")
        if explanation.unseen or context.dry_run or not context.yes:
            note(explanation.text(context.lang).rstrip(), context)
        confirm(context.say("act.sign_this"), context)
        for key_id in wanted:
            key = actor.ring.need(key_id, "sign")
            read = add_signature(read, key.public, key.sign(read.entry.sign_message))
        if not context.dry_run:
            _replace(file, print_draft(read))
        missing = [name_of_signer(actor, read, key) for key in missing_keys(read)]
        result = {
            "draft": file,
            "entry": read.entry.entry_digest,
            "unseen": explanation.unseen,
            "signed_by": [_name(actor, key) for key in wanted],
            "missing_signatures": missing,
            "dry_run": context.dry_run,
        }
        lines = [
            context.say("draft.now_signed", names=", ".join(_name(actor, key) for key in wanted)),
            context.say("draft.missing", names=", ".join(missing) or "-"),
        ]
        _say(context, read, file, result, lines)


@draft.command(cls=Command, changes=True)
@click.argument("file", metavar="FILE", type=_DRAFT)
@click.option("--auth", "asker", metavar="NAME", default="",
              help="Whose auth key signs the requests to nodes.")  # fmt: skip
@passphrase_options
@click.pass_obj
def submit(context: Context, file: Path, asker: str) -> int:
    """Have the custodian sign a draft that all others have signed, and submit it.

    \b
    Example:
        civreg draft submit transfer.draft
    """
    with open_actor(context, asker) as actor:
        read = parse_draft(file.read_bytes())
        if context.dry_run:
            outcome = try_entry(actor, read)
            accepted({"dry_run": True, "warnings": list(outcome.warnings)}, context,
                     lines=context.say("act.would_pass"))  # fmt: skip
            return ExitCode.OK
        package = actor.complete(read)
        return say_result(context, package, actor.submit([package])[0])


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


def _name(actor: Actor, key_id: bytes) -> str:
    return who_is(actor, key_id) or key_id.hex()


def _say(
    context: Context, read: Draft, file: Path, result: Mapping[str, object], lines: list[str]
) -> None:
    """Say how far a draft is; who signs next does it elsewhere."""
    done = not missing_keys(read) or custodian_is_next(read)
    command = f"civreg draft {'submit' if done else 'sign'} {file}"
    accepted(result, context, lines=lines, next_command=command, elsewhere=not done)


def _replace(file: Path, content: bytes) -> None:
    """Put new bytes in the place of a file, all or nothing."""
    beside = file.with_name(f".{file.name}.new")
    beside.touch(mode=0o600)
    beside.write_bytes(content)
    beside.replace(file)
