"""`civreg show`, `record`, `status`: what a record is, who did what to it, how the network is."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import click

from cli.access_options import access_wish, with_access_options
from cli.accesses import INSPECTION, AccessWish, Filed, said_of, why_of
from cli.act_flow import open_actor, record_id_of
from cli.acting import Actor
from cli.bodies import open_record
from cli.client import Call
from cli.commands import Command, Group
from cli.document_words import act_words, state_words
from cli.errors import KeyNeededError, NoNetworkError
from cli.find_record import find_record
from cli.hands import who_is
from cli.languages import catalogue
from cli.output import Context, accepted, at_home, suggested
from cli.passphrases import passphrase_options
from cli.record_values import form_value
from cli.who_read import list_records, who_read
from keys.errors import CivregError, SealError
from keys.signing import Signer
from ledger.canonical import Value
from ledger.ids import RecordId, print_id
from registry.civil_calendar import civil_date
from registry.errors import RecordUnknownError
from registry.field_specs import FieldSpec, in_schema_order
from registry.form_kinds import SIDE_TYPE
from registry.form_values import print_value
from registry.possible_duplicates import found_before
from registry.problems import in_language
from registry.rows import RecordRow
from registry.schema import RecordType
from registry.state_key_names import record_key

_AUTH = click.option(
    "--auth", "asker", metavar="NAME", default="",
    help="Whose auth key signs the requests to nodes.",
)  # fmt: skip
UNSEEN: Final = "show.unseen"


@click.command(cls=Command)
@click.argument("identifier", metavar="ID")
@_AUTH
@passphrase_options
@click.pass_obj
def show(context: Context, identifier: str, asker: str) -> None:
    """Show a record as people read it; without a key that may see it, its public fields only.

    \b
    Example:
        civreg show 000G4-0R40M-30E20-9185G-R38E1W-6
    """
    _show(context, record_id_of(identifier), asker)


@click.group(cls=Group)
def record() -> None:
    """Look at one record: what it says, who did what to it, what is sealed in it.

    \b
    Example:
        civreg record history 000G4-0R40M-30E20-9185G-R38E1W-6
    """


record.add_command(who_read, "accesses")
record.add_command(list_records)
record.add_command(find_record)


@record.command("show", cls=Command)
@click.argument("identifier", metavar="ID")
@_AUTH
@passphrase_options
@click.pass_obj
def show_record(context: Context, identifier: str, asker: str) -> None:
    """Show a record as people read it, as `civreg show` does.

    \b
    Example:
        civreg record show 000G4-0R40M-30E20-9185G-R38E1W-6
    """
    _show(context, record_id_of(identifier), asker)


@with_access_options
@record.command("open", cls=Command, changes=True)
@click.argument("identifier", metavar="ID")
@_AUTH
@passphrase_options
@click.pass_obj
def open_(context: Context, /, identifier: str, asker: str, **given: Any) -> None:  # noqa: ANN401
    """Show a record as it is now, its sealed fields opened here with your seal key.

    An officer's program files an access first, which the owner sees; it counts for 24 hours.

    \b
    Example:
        civreg record open 000G4-0R40M-30E20-9185G-R38E1W-6 --auth lan
        civreg record open 000G4-0R40M-30E20-9185G-R38E1W-6 --purpose court
    """
    _show(context, record_id_of(identifier), asker, access_wish(given))


@record.command(cls=Command)
@click.argument("identifier", metavar="ID")
@_AUTH
@passphrase_options
@click.pass_obj
def history(context: Context, identifier: str, asker: str) -> None:
    """Show which entries wrote a record or are about it: what, when, by which office.

    \b
    Example:
        civreg record history 000G4-0R40M-30E20-9185G-R38E1W-6
    """
    record_id = record_id_of(identifier)
    with open_actor(context, asker) as actor:
        path = f"/v1/records/{print_id(record_id)}/history"
        call = Call(address="", path=path, signer=_signer(actor))
        for item in actor.ask_any(call).json["history"]:
            office = item.get("office")
            named = None if not office else _named(actor, bytes.fromhex(office))
            said = context.say(
                "show.act",
                version=item["version"],
                kind=act_words(item["kind"], context.lang),
                height=item["height"],
                day=civil_date(item["time_ms"]),
                office=named or "-",
            )
            lines = [said, context.say("show.entry", entry=item["entry"])]
            if item.get("under_review"):
                lines.append(context.say("show.under_review"))
            office_id = None if not office else print_id(bytes.fromhex(office))
            accepted({**item, "office": named, "office_id": office_id}, context, lines=lines)


@click.command(cls=Command)
@click.pass_obj
def status(context: Context) -> None:
    """Say for each node of the network whether it answers, its height, state root and health.

    \b
    Example:
        civreg --home net status
    """
    answered = 0
    with open_actor(context) as actor:
        for node in actor.network.nodes:
            shown: dict[str, object] = {"agency": node.agency, "address": node.address}
            try:
                call = Call(address=_address(node.address), path="/v1/status", tries_s=0)
                found = actor.client.send(call).json
            except CivregError as error:
                lines = context.say(
                    "status.silent", agency=node.agency, address=node.address or "-"
                )
                accepted({**shown, "answers": False, "message": str(error)}, context, lines=lines)
                continue
            answered += 1
            lines = context.say(
                "status.node",
                agency=node.agency,
                height=found["height"],
                health=found["health"],
                root=str(found["state_root"])[:16],
            )
            accepted({**shown, "answers": True, **found}, context, lines=lines)
    if not answered:
        raise NoNetworkError("no node of the network answers", address="network.toml")


def _address(address: str) -> str:
    if not address:
        raise NoNetworkError("the node does not run", address="-")
    return address


def _signer(actor: Actor) -> Signer | None:
    """Return a key to ask with, None if there is none at hand: strangers may ask too."""
    try:
        return actor.auth_key()
    except KeyNeededError:
        return None


def _show(
    context: Context, record_id: RecordId, asker: str, opening: AccessWish | None = None
) -> None:
    """Show a record; opened if it is said why."""
    with open_actor(context, asker) as actor:
        signer = _signer(actor)
        if signer is None:
            if opening is not None:
                raise KeyNeededError(
                    "opening a record takes an auth and a seal key", purpose="seal"
                )
            _show_public(context, actor, record_id)
            return
        row = actor.state.read(record_key(record_id), RecordRow)
        if row is None:
            raise RecordUnknownError("there is no such record")
        found = None if opening is None else _open(context, actor, record_id, row, opening)
        call = Call(address="", path=f"/v1/records/{print_id(record_id)}", signer=signer)
        in_review = bool(actor.ask_any(call).json.get("under_review"))
        _say_row(context, actor, (record_id, row), found, in_review=in_review)


@dataclass(frozen=True, slots=True)
class _Opened:
    """Sealed values by path, and what was filed before they were read."""

    values: Mapping[str, Value]
    accesses: tuple[Filed | None, ...]


def _open(
    context: Context, actor: Actor, record_id: RecordId, row: RecordRow, wish: AccessWish
) -> _Opened:
    """Open a record.

    Raises:
        SealError: It has no sealed body, or no key at hand opens it.
    """
    basis = actor.find_type(SIDE_TYPE).operations["access"].basis
    told: list[Filed | None] = []
    why = replace(why_of(context, INSPECTION, basis, wish), tell=told.append)
    body = open_record(actor, record_id, row, why)
    if body is None:
        raise SealError("the record has no sealed body")
    return _Opened(body.values, tuple(told))


def _show_public(context: Context, actor: Actor, record_id: RecordId) -> None:
    """Show what anybody is shown; the node says it, so nothing of the state is read."""
    shown = print_id(record_id)
    found = actor.ask_any(Call(address="", path=f"/v1/records/{shown}")).json
    office = None if found["office"] is None else bytes.fromhex(found["office"])
    record_type = actor.find_type(found["type"])
    said = _Said(context, actor, record_type)
    result = {
        **found,
        "record": shown,
        "office": None if office is None else _named(actor, office),
        "office_id": None if office is None else print_id(office),
    }
    said.lines += _heading(context, record_type, result)
    result["fields"] = said.members(found["fields"])
    result["encumbrances"] = said.burdens(found["encumbrances"])
    accepted(result, context, lines=said.lines)


def _heading(context: Context, record_type: RecordType, result: Mapping[str, Any]) -> list[str]:
    """Say which record it is and how it stands."""
    flags = ", ".join(state_words(context, flag) for flag in result["flags"])
    twins = result.get("possible_duplicates", ())  # a stranger is not told
    return [
        f"{in_language(record_type.title, context.lang)} {result['record']}",
        context.say("show.status", status=state_words(context, result["status"]),
                    version=result["version"], flags=flags or "-"),
        context.say("show.office", office=result["office"] or "-",
                    number=result["registration_no"] or "-"),
        *([context.say("show.under_review")] if result["under_review"] else []),
        *([context.say("show.may_be", records=", ".join(twins))] if twins else []),
    ]  # fmt: skip


def _burden(context: Context, one: Mapping[str, object]) -> str:
    """Return the line of a right of another over the record."""
    told = catalogue(context.lang).texts.get(f"burden.{one['kind']}", one["kind"])
    status = state_words(context, str(one["status"]))
    return f"  {context.say('show.burden')}: {one['number']} {told}, {status}"


def _say_row(
    context: Context,
    actor: Actor,
    about: tuple[RecordId, RecordRow],
    found: _Opened | None,
    *,
    in_review: bool,
) -> None:
    record_id, row = about
    record_type = actor.find_type(row.type_name)
    said = _Said(context, actor, record_type)
    office = None if row.office is None else _named(actor, row.office)
    duplicates = [print_id(one) for one in found_before(row.engine)]
    result: dict[str, object] = {
        "record": print_id(record_id),
        "type": row.type_name,
        "version": row.version,
        "status": row.status,
        "flags": list(row.flags),
        "under_review": in_review,
        "possible_duplicates": duplicates,
        "office": office,
        "office_id": None if row.office is None else print_id(row.office),
        "registration_no": row.registration_number,
    }
    said.lines += _heading(context, record_type, result)
    result |= {
        "fields": {**said.members(row.member), **said.links(row)},
        "holders": said.holders(row),
        "encumbrances": said.burdens(
            [{"number": one.number, "kind": one.kind, "status": one.status,
              "holder": print_id(one.holder)} for one in row.encumbrances]
        ),
        "sealed": None if found is None else said.sealed(found.values),
    }  # fmt: skip
    if found is not None:
        filed = [one for one in found.accesses if one is not None]
        result["access"] = asdict(filed[0]) if filed else None
        said.lines += [f"  {said_of(one, context)}" for one in found.accesses]
    if found is None and row.seal is not None:
        command = at_home(suggested("record", "open", print_id(record_id)), context)
        said.lines.append(f"  {context.say(UNSEEN, command=command)}")
    accepted(result, context, lines=said.lines)


class _Said:
    """Says a record in the language of the person; returns the same for JSON."""

    def __init__(self, context: Context, actor: Actor, record_type: RecordType) -> None:
        self._context, self._actor, self._type = context, actor, record_type
        self.lines: list[str] = []

    def members(self, values: Mapping[str, Value]) -> dict[str, object]:
        """Say fields that stand in clear."""
        return {
            name: self._field(spec, name, value)
            for name, spec, value in in_schema_order(self._type.fields, values)
        }

    def links(self, row: RecordRow) -> dict[str, object]:
        """Say which records it leads to."""
        found: dict[str, object] = {}
        for name, spec, target in in_schema_order(self._type.fields, row.links):
            ids = target if isinstance(target, tuple) else (target,)
            found[name] = [print_id(each) for each in ids]
            title = self._title(spec, name)
            self.lines.append(f"  {title}: {', '.join(_named(self._actor, id_) for id_ in ids)}")
        return found

    def holders(self, row: RecordRow) -> list[dict[str, object]]:
        """Say who owns it."""
        found: list[dict[str, object]] = []
        for one in row.holders:
            share, parties = f"{one.numerator}/{one.denominator}", list(map(print_id, one.parties))
            found.append({"share": share, "parties": parties})
            owner = self._context.say("show.holder")
            self.lines.append(f"  {owner}: {share} {', '.join(parties)}")
        return found

    def burdens(self, listed: Sequence[Mapping[str, object]]) -> Sequence[Mapping[str, object]]:
        """Say which rights of others lie on it."""
        self.lines += [_burden(self._context, one) for one in listed]
        return listed

    def sealed(self, opened: Mapping[str, Value]) -> dict[str, object]:
        """Say the sealed fields that were opened."""
        return {
            path: self._field(spec, path, opened[path])
            for field in self._type.fields.values()
            for path, spec in field.sealed_paths()
            if opened.get(path) is not None
        }

    def _title(self, spec: FieldSpec | None, name: str) -> str:
        """Return what people call a field."""
        if spec is None:
            return name
        title = in_language(spec.title, self._context.lang) or name
        group = self._type.fields.get(name.partition(".")[0])
        if "." in name and group is not None:
            return f"{in_language(group.title, self._context.lang)}, {title}"
        return title

    def _field(self, spec: FieldSpec | None, name: str, value: Value) -> object:
        """Say one field."""
        words = (repr(value), repr(value))
        if spec is not None:
            words = print_value(spec, value, self._actor.find_table, self._actor.today)
        title = self._title(spec, name)
        self.lines.append(f"  {title}: {in_language(words, self._context.lang)}")
        return form_value(spec, value)


def _named(actor: Actor, identifier: bytes) -> str:
    name = who_is(actor, identifier)
    shown = print_id(identifier)
    return shown if name is None else f"{name} ({shown})"
