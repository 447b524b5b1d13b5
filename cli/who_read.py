"""`civreg who-read` and `civreg record list`: what an owner sees of the own records.

Who had a record opened, when and for which office stands in the chain. Why stands there as a salted
digest: the officer's program keeps what it opens to, one line for each access, and the office hands
that line to the owner who asks. It is checked here against the chain, so a reason cannot be made up
afterwards.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Final, TypeAlias

import click

from cli.accesses import JOURNAL_FILE, digest_of, purpose_words
from cli.act_flow import open_actor, record_id_of
from cli.acting import Actor
from cli.client import Call
from cli.commands import Command
from cli.document_words import state_words
from cli.errors import InvalidInputError
from cli.exit_codes import ExitCode
from cli.hands import who_is
from cli.output import Context, accepted
from cli.passphrases import passphrase_options
from ledger.errors import InvalidDataError
from ledger.ids import print_id
from registry.legal_words import bases_words
from registry.problems import in_language

STATEMENTS_BYTES_MAX: Final = 16 * 1024 * 1024
_CIVIL_TIME: Final = timezone(timedelta(hours=7))
_FILE: Final = click.Path(path_type=Path, dir_okay=False, exists=True)
_AUTH = click.option(
    "--auth", "asker", metavar="NAME", default="",
    help="Whose auth key signs the requests to nodes.",
)  # fmt: skip

Access: TypeAlias = Mapping[str, object]
"""One access as a node lists it."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an office says that it read a record, and what it must prove it with.

    Attributes:
        purpose: A code.
        legal_basis: Articles.
        salt: Of the digest.
    """

    purpose: str
    legal_basis: tuple[str, ...]
    salt: bytes

    def matches(self, access: Access) -> bool:
        """Tell whether this is what the access committed to when it was filed."""
        try:
            said = digest_of(self.salt, self.purpose, self.legal_basis)
        except InvalidDataError:
            return False  # Nothing of the kind can be committed to.
        return access.get("digest") == said.hex()


@click.command("who-read", cls=Command)
@click.argument("identifier", metavar="ID")
@click.option(
    "--reasons",
    type=_FILE,
    help="What the office says why: lines of its accesses.jsonl, checked here.",
)
@_AUTH
@passphrase_options
@click.pass_obj
def who_read(context: Context, identifier: str, reasons: Path | None, asker: str) -> int:
    """Show who had a record of yours opened: when, who, for which office, on which grounds.

    Why is shown once the office has handed you its line about the access; the exit status is 18 if
    such a line is not what the office committed to.

    \b
    Example:
        civreg who-read 000G4-0R40M-30E20-9185G-R38E1W-6 --auth lan
        civreg who-read 000G4-0R40M-30E20-9185G-R38E1W-6 --reasons from-the-office.jsonl
    """
    record_id = record_id_of(identifier)
    files = [context.home / JOURNAL_FILE, *([] if reasons is None else [reasons])]
    known = {
        entry: one
        for file in files
        if file.exists()
        for entry, one in read_reasons(file.read_bytes(), file.name).items()
    }
    with open_actor(context, asker) as actor:
        call = Call(
            address="", path=f"/v1/records/{print_id(record_id)}/accesses", signer=actor.auth_key()
        )
        listed = actor.ask_any(call).json["accesses"]
        shown = [_shown(context, actor, one, known.get(str(one["entry"]))) for one in listed]
    for result, lines in shown:
        accepted(result, context, lines=lines)
    if not shown and not context.as_json:
        accepted({}, context, lines=context.say("who_read.nobody"))
    is_false = any(result["reason"] == "false" for result, _lines in shown)
    return ExitCode.FORGED if is_false else ExitCode.OK


def read_reasons(raw: bytes, name: str) -> dict[str, Reason]:
    """Return entry digest in hexadecimal -> what an office says of that access.

    Args:
        raw: Lines of `accesses.jsonl`, at most 16 MiB.
        name: Of the file, for messages.

    Raises:
        InvalidInputError: A line is none; says which.
    """
    if len(raw) > STATEMENTS_BYTES_MAX:
        raise InvalidInputError(f"over {STATEMENTS_BYTES_MAX} bytes", name=name)
    found: dict[str, Reason] = {}
    for number, line in enumerate(raw.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry, reason = _read_reason(json.loads(line))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InvalidInputError(
                f"line {number} is no line of {JOURNAL_FILE}: {type(error).__name__}", name=name
            ) from error
        found[entry] = reason
    return found


def _read_reason(said: Mapping[str, object]) -> tuple[str, Reason]:
    entry, purpose, basis, salt = (
        said[name] for name in ("entry", "purpose", "legal_basis", "salt")
    )
    if not isinstance(entry, str) or not isinstance(purpose, str) or not isinstance(salt, str):
        raise TypeError("no text")
    if not isinstance(basis, list) or not all(isinstance(one, str) for one in basis):
        raise TypeError("no list of texts")
    return entry, Reason(purpose, tuple(basis), bytes.fromhex(salt))


def _shown(
    context: Context, actor: Actor, access: Access, reason: Reason | None
) -> tuple[dict[str, object], list[str]]:
    """Return one access as data, with the reason if it is known, and as lines."""
    time_ms = int(str(access["time_ms"]))
    moment = datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(_CIVIL_TIME)
    office = _name(actor, access.get("office"))
    listed = access.get("officers")
    officers = [_name(actor, one) for one in listed] if isinstance(listed, list) else []
    basis = access.get("legal_basis")
    lines = [
        context.say(
            "who_read.access",
            time=moment.strftime("%Y-%m-%d %H:%M"),
            officers=", ".join(officers) or "-",
            office=office,
            version=access.get("version"),
            height=access.get("height"),
        ),
        context.say("who_read.basis", basis=_bases(basis, context)),
    ]
    word = "sealed" if reason is None else "proved" if reason.matches(access) else "false"
    result = {
        **access,
        "office": _pasted(access.get("office")),
        "officers": [_pasted(one) for one in listed] if isinstance(listed, list) else [],
        "office_name": office,
        "officer_names": officers,
        "reason": word,
    }
    if reason is not None and word == "proved":
        purpose = purpose_words(context, reason.purpose)
        result |= {"purpose": reason.purpose, "purpose_basis": list(reason.legal_basis)}
        lines.append(
            context.say(
                "who_read.why", purpose=purpose, basis=_bases([*reason.legal_basis], context)
            )
        )
    else:
        lines.append(context.say(f"who_read.why_{word}", office=office, entry=access["entry"]))
    return result, lines


def _pasted(shown: object) -> str | None:
    """Return an id that a node gave in hexadecimal as every command prints and takes it."""
    return print_id(bytes.fromhex(shown)) if isinstance(shown, str) else None


def _name(actor: Actor, shown: object) -> str:
    """Return what people call an office or officer whose id a node gave in hexadecimal."""
    if not isinstance(shown, str):
        return "-"
    identifier = bytes.fromhex(shown)
    name = who_is(actor, identifier)
    return print_id(identifier) if name is None else f"{name} ({print_id(identifier)})"


@click.command("list", cls=Command)
@click.argument("person", metavar="PERSON")
@_AUTH
@passphrase_options
@click.pass_obj
def list_records(context: Context, person: str, asker: str) -> None:
    """List the records of a person, and whom the person represents; for the person.

    \b
    Example:
        civreg record list 000G4-0R40M-30E20-9185G-R38E1W-6 --auth lan
    """
    identity = record_id_of(person)
    with open_actor(context, asker) as actor:
        call = Call(
            address="", path=f"/v1/owners/{print_id(identity)}/records", signer=actor.auth_key()
        )
        found = actor.ask_any(call).json
        for one in found["records"]:
            result = pasted_record(actor, one)
            accepted(result, context, lines=record_line(context, actor, result))
        for ward in found["represents"]:
            shown = print_id(bytes.fromhex(ward))
            accepted(
                {"represents": shown}, context, lines=context.say("who_read.ward", person=shown)
            )


def _bases(listed: object, context: Context) -> str:
    """Return legal bases that a node told, in the person's language."""
    if not isinstance(listed, list):
        return "-"
    return in_language(bases_words(str(one) for one in listed), context.lang)


def pasted_record(actor: Actor, one: Mapping[str, object]) -> dict[str, object]:
    """Return a record of a node's list with its ids as every command prints and takes them."""
    return {
        **one,
        **{name: _pasted(one[name]) for name in ("record", "office", "sealed_by")},
        "office_name": None if one["office"] is None else _name(actor, one["office"]),
    }


def record_line(context: Context, actor: Actor, one: Mapping[str, object]) -> Sequence[str]:
    """Return what is said of a record in a list, after `pasted_record`."""
    title = in_language(actor.find_type(str(one["type"])).title, context.lang)
    return [
        context.say(
            "who_read.record",
            type=title,
            id=one["record"],
            version=one["version"],
            status=state_words(context, str(one["status"])),
        )
    ]
