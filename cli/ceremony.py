"""The genesis ceremony: TOML files of what is agreed and of one agency, made into genesis.

    agreed.toml                                   part.toml (one for each agency)
    name = "…"                                    agency = "…"      # as the template calls it
    time = "2026-01-01T00:00:00Z"                 governance_needed = 2
    unit_table = "admin_unit"                     governance = ["did:key:…" …]
    [parameters]                                  peer_address = "node.example.vn:7400"
    [[agencies]]                                  [keys]  consensus, peer, custodian, seal, tag,
    id, name, kind, weight                                checkpoint = a public key each
    [[agencies.mandate]]                          [office]  name, unit, unit_date, level
    types, operations, units, from, to?, basis    [[officers]]  sign, auth
    [[namespaces]]                                [[officers.roles]]  role, types, from, to?
    name, first, second     names of agencies

A public key is a did:key, `NUMBER:HEX` as `civreg key export-public` prints it, or the name of a
key of the home folder. Ids are as shown, or left out: then they are drawn. There are two officers
at least.
"""

import datetime as dt
import secrets
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from cli.ceremony_checks import check_agreed, check_names, check_officers, check_own
from cli.ceremony_parts import UNIT_TABLES, attachments, print_part_file, read_template_file
from cli.errors import CliError, InvalidInputError
from cli.key import find_key
from cli.output import Context
from cli.passphrases import key_opener
from keys.did import parse_did
from keys.errors import InvalidKeyError
from keys.signing import KeyId, PublicKey, parse_public_key
from ledger.canonical import Value
from ledger.errors import InvalidDataError
from ledger.genesis import (
    Agency,
    FoundingOfficer,
    FoundingPart,
    Mandate,
    Namespace,
    Office,
    Role,
    Template,
    compose_template,
    print_part,
    sign_part,
    template_digest,
)
from ledger.ids import ID_BYTES, AgencyId, OfficeId, RecordId, parse_id, print_id

_Table = Mapping[str, object]


def make_template(agreed: Path) -> tuple[bytes, bytes]:
    """Return the bytes and digest of a template.

    Raises:
        InvalidInputError: The file lacks something or a value is wrong; names the field.
    """
    table = _load(agreed)
    try:
        named = [
            (_text(row, "name", ""), _row_id(row.get("id"))) for row in _tables(table, "agencies")
        ]
        check_names(named)
        ids = dict(named)
        template = Template(
            name=_text(table, "name"),
            time_ms=_time_ms(table["time"]),
            parameters=_parameters(table),
            agencies=tuple(
                _agency(row, agency_id)
                for row, (_name, agency_id) in zip(_tables(table, "agencies"), named, strict=True)
            ),
            namespaces=tuple(_namespace(row, ids) for row in _tables(table, "namespaces")),
            attachments=(),
        )
        check_agreed(template)
        raw = compose_template(template, attachments(_unit_table(table)))
    except (KeyError, TypeError, ValueError, InvalidDataError) as error:
        raise _wrong(agreed, error) from error
    return raw, template_digest(raw)


@dataclass(frozen=True, slots=True)
class OwnPart:
    """What one agency hands to the others.

    Attributes:
        content: Bytes of the part file.
        agency: Its name in the template.
        signed: How many governors have signed.
        needed: How many must.
    """

    content: bytes
    agency: str
    signed: int
    needed: int


def make_part(context: Context, template: Path, own: Path, signers: Sequence[str]) -> OwnPart:
    """Return one agency's part, signed.

    Args:
        context: For key names and passphrases.
        template: The file that all agreed on.
        own: The agency's TOML file.
        signers: Names or files of governance keys.

    Raises:
        InvalidInputError: The file lacks something or a value is wrong; names the field. Or who
            signs is no governor of the part.
        NotFoundError: There is no such key.
    """
    template_raw, agreed = read_template_file(template)
    table = _load(own)
    try:
        agency = _agency_of(_text(table, "agency"), agreed)
        part = _part(table, context.home, agency)
        check_own(part, agency)
        raw = print_part(part)
    except (KeyError, TypeError, ValueError, InvalidDataError, InvalidKeyError) as error:
        raise _wrong(own, error) from error
    keys = governors(context, part, signers)
    opener = key_opener(context)
    signatures = [sign_part(template_raw, raw, opener.open(path)) for path in keys.values()]
    content = print_part_file(raw, signatures)
    return OwnPart(content, agency.name, len(signatures), part.governance_k)


def governors(context: Context, part: FoundingPart, signers: Sequence[str]) -> Mapping[KeyId, Path]:
    """Return the files of the keys that sign, each once; strangers sign nothing.

    Raises:
        InvalidInputError: A key is none of the part's governance keys.
        NotFoundError: There is no such key.
    """
    governs = {key.key_id for key in part.governance_keys}
    files: dict[KeyId, Path] = {}
    for name in signers:
        found = find_key(context.home, name)
        if found.public.key_id not in governs:
            reason = f"{name!r} is none of the governance keys of the part and cannot sign it"
            raise InvalidInputError(reason, name="--sign")
        files.setdefault(found.public.key_id, found.path)
    return files


def _agency_of(named: str, agreed: Template) -> Agency:
    for agency in agreed.agencies:
        if named in {agency.name, print_id(agency.agency_id), agency.agency_id.hex()}:
            return agency
    known = ", ".join([agency.name for agency in agreed.agencies])
    raise ValueError(f"the template has no agency {named!r}; there are {known}")


def _part(table: _Table, home: Path, agency: Agency) -> FoundingPart:
    office = _table(table, "office")
    keys = _table(table, "keys")
    check_officers(len(_tables(table, "officers")))
    return FoundingPart(
        agency_id=agency.agency_id,
        governance_k=_whole(table, "governance_needed"),
        governance_keys=tuple(_public(key, home) for key in _texts(table, "governance")),
        keys={name: _public(_text(keys, name), home) for name in keys},
        peer_address=_text(table, "peer_address"),
        office=Office(
            OfficeId(_row_id(office.get("id"))),
            _text(office, "name"),
            _text(office, "unit"),
            _day(office["unit_date"]),
            _text(office, "level"),
        ),
        officers=tuple(_officer(row, home) for row in _tables(table, "officers")),
    )


def _officer(row: _Table, home: Path) -> FoundingOfficer:
    roles = tuple(
        Role(
            _text(role, "role"),
            tuple(_texts(role, "types")),
            _day(role["from"]),
            _day(role["to"]) if "to" in role else None,
        )
        for role in _tables(row, "roles")
    )
    return FoundingOfficer(
        RecordId(_row_id(row.get("identity"))),
        roles,
        _public(_text(row, "sign"), home),
        _public(_text(row, "auth"), home),
    )


def _agency(row: _Table, agency_id: bytes) -> Agency:
    mandates = tuple(
        Mandate(
            tuple(_texts(one, "types")),
            tuple(_texts(one, "operations")),
            tuple(_texts(one, "units")),
            _day(one["from"]),
            _day(one["to"]) if "to" in one else None,
            _text(one, "basis"),
        )
        for one in _tables(row, "mandate")
    )
    weight = _whole(row, "weight", 1)
    return Agency(AgencyId(agency_id), _text(row, "name"), _text(row, "kind"), weight, mandates)


def _namespace(row: _Table, ids: Mapping[str, bytes]) -> Namespace:
    name = _text(row, "name")
    first, second = [_keeper(name, _text(row, which), ids) for which in ("first", "second")]
    return Namespace(name, first, second)


def _keeper(namespace: str, named: str, ids: Mapping[str, bytes]) -> AgencyId:
    known = {**{print_id(one): one for one in ids.values()}, **ids}
    if named not in known:
        raise ValueError(f"namespace {namespace}: no agency is called {named!r}")
    return AgencyId(known[named])


def _parameters(table: _Table) -> dict[str, Value]:
    found = _table(table, "parameters") if "parameters" in table else {}
    return {name: _parameter(value) for name, value in found.items()}


def _parameter(value: object) -> Value:
    """Return a value of TOML as the ledger holds it: lists are tuples, days are texts."""
    if isinstance(value, list):
        return tuple([_parameter(item) for item in value])
    return value.isoformat() if isinstance(value, dt.date) else cast("Value", value)


def _public(text: str, home: Path) -> PublicKey:
    if text.startswith("did:"):
        return parse_did(text)
    number, colon, digits = text.partition(":")
    if colon and number.isdecimal():
        return parse_public_key(int(number), bytes.fromhex(digits))
    return find_key(home, text).public


def _load(path: Path) -> _Table:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInputError(f"{path.name} is no TOML: {error}", name=str(path)) from error


def _wrong(path: Path, error: Exception) -> CliError:
    said = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
    return InvalidInputError(f"in {path.name}: {said}", name=str(path))


def _row_id(value: object) -> bytes:
    return secrets.token_bytes(ID_BYTES) if value is None else parse_id(str(value))


def _time_ms(value: object) -> int:
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        raise TypeError("time is no date and time with its zone, such as 2026-01-01T00:00:00Z")
    return int(value.timestamp()) * 1_000


def _day(value: object) -> str:
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def _unit_table(table: _Table) -> str:
    name = _text(table, "unit_table", UNIT_TABLES[0])
    if name not in UNIT_TABLES:
        raise ValueError(f"unit_table is {name!r}; there are {', '.join(UNIT_TABLES)}")
    return name


def _whole(table: _Table, name: str, default: int | None = None) -> int:
    value = table.get(name, default)
    if type(value) is not int:
        raise TypeError(f"{name} is missing or no whole number")
    return value


def _text(table: _Table, name: str, default: str | None = None) -> str:
    value = table.get(name, default)
    if not isinstance(value, str):
        raise TypeError(f"{name} is missing or no text")
    return value


def _texts(table: _Table, name: str) -> list[str]:
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError(f"{name} is no list of texts")
    return value


def _table(table: _Table, name: str) -> _Table:
    value = table.get(name)
    if not isinstance(value, dict):
        raise TypeError(f"[{name}] is missing")
    return value


def _tables(table: _Table, name: str) -> list[_Table]:
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise TypeError(f"[[{name}]] is no list of tables")
    return value
